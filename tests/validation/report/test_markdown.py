"""The Markdown text: names stay words, tables keep their cells."""

import re

import pytest

from tests.validation.report.example import HOSTILE, example
from validation.report.document import Code, Column, Document, Math, Paragraph, Section, Table
from validation.report.markdown import escape, render

FIGURES = {"loss": "figures/loss.svg"}


def one_cell(piece: Math | Code | str) -> str:
    """The row of a table that holds one piece."""
    table = Table("t", ("T",), (Column("c"),), (((piece),),))  # type: ignore[arg-type]
    table = Table("t", ("T",), (Column("c"),), (((piece,),),))
    return render(Document("t", "s", (Section("s", "S", (table,)),)), {}).splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("[x](y) `c` *a* _b_ ~s~ $m$ a|b \\", r"\[x\](y) \`c\` \*a\* \_b\_ \~s\~ \$m\$ a\|b \\"),
        ("# heading", r"\# heading"),
        ("- item", r"\- item"),
        (" + item", r" \+ item"),
        ("=====", r"\====="),
        ("12. item", "&#49;2. item"),
        ("3) item", "&#51;) item"),
        ("3.5 and -2", "&#51;.5 and -2"),
        ("2024 was", "2024 was"),
        ("http://x www.y :smile:", r"http\://x www\.y \:smile:"),
        ("a    b\n\nc", "a b c"),
        ("שלום", "\u2068שלום\u2069"),
        ("a\u202eb", "a⟨U+202E⟩b"),
    ],
)
def test_names_are_words(text: str, shown: str) -> None:
    """Nothing in a name is markup, HTML, mathematics or a link; text without markup stays as it is."""
    assert escape(text) == shown


def test_rows_keep_their_cells() -> None:
    """Every row of the table of hostile names has the borders of four cells and no more."""
    rows = [line for line in render(example(), FIGURES).splitlines() if line.startswith("| ") and "A → B" in line]
    assert len(rows) == len(HOSTILE)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def test_no_html_but_anchors() -> None:
    """The only tags are the anchors of sections, equations, tables and figures."""
    text = re.sub("`[^`\n]*`", "", render(example(), FIGURES))
    assert set(re.findall("<[^>]*>", text)) <= {"</a>"} | {f'<a id="{i}">' for i in re.findall('id="([a-z]+)"', text)}
    assert "<script" not in text


def test_mathematics_and_code() -> None:
    """Formulas stand between dollars, unknown ones as code; in a table no bar ends their cell."""
    text = render(example(), FIGURES)
    assert "\n$$\np_{aj} \\to \\frac{1}{m}\n$$\n" in text
    assert r"`\unknown{a} \left( b`" in text
    assert r"$\hat{b}_{aj} \lt \sum" in text
    assert one_cell(Math(r"\|x\| + |y|")) == r"| $\Vert x\Vert + \vert y\vert$ |"
    assert one_cell(Code("a|b")) == r"| `a\|b` |"
    assert one_cell(Code("a`b``c")) == "| ``` a`b``c ``` |"


def test_figures_and_references() -> None:
    """A picture has its words and its file, a reference leads to its anchor."""
    text = render(example(("a]b",) * 4), FIGURES)
    assert r'![A falling line "a\]b".](figures/loss.svg)' in text
    assert "[the table](#queries)" in text
    assert '<a id="queries"></a>' in text


def test_numeric_columns_align_right() -> None:
    """A numeric column says that it aligns right, others do not."""
    assert "| --- | --- | ---: | --- |" in render(example(), FIGURES)


def test_long_tables_are_cut_and_say_so() -> None:
    """The first two hundred rows are shown, with their number."""
    text = render(example(rows=230), FIGURES)
    assert text.count("A → B") == 200
    assert "(The first 200 of 230 rows.)" in text


def test_a_name_at_the_start_of_a_line_is_no_block() -> None:
    """A paragraph that begins with a name beginning with spaces or a mark is still a paragraph."""
    document = Document("t", "s", (Section("s", "S", (Paragraph(("    code", " x")),)),))
    assert "\n code x\n" in render(document, {})

"""The LaTeX file: ASCII, harmless, and accepted by pdflatex, whatever the names."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.validation.report.example import HOSTILE, example
from validation.report.document import Block, Column, Document, Equation, Math, Number, Paragraph, Section, Table
from validation.report.equation_lines import lines, width
from validation.report.latex import label, render
from validation.report.latex_characters import ascii_only, escape, escape_breakable

FIGURES = {"loss": "figures/loss.pdf"}
LONG = r"\frac{d}{d t} x = " + " + ".join(
    rf"a_{{{n}}} \left(b + c\right) \log{{\left(1 + y_{{{n}}} \right)}}" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("50% of $5_0 & #1", r"50\% of \$5\_0 \& \#1"),
        ("a^b~c<d>e|f", r"a\textasciicircum{}b\textasciitilde{}c\textless{}d\textgreater{}e\textbar{}f"),
        ('say "hi" `x`', r"say {\ttfamily\char34}hi{\ttfamily\char34} \`{}x\`{}"),
        ("--, ''", "-{}-, '{}'"),
        (",,", ",{},"),
        ("[x] *", "{[}x] {*}"),
        ("é ñ ü ç Ł ß", r"\'{e} \~{n} \"{u} \c{c} \L{} \ss{}"),
        ("í", r"\'{\i}"),
        ("ạ", r"\d{a}"),
        ("ặ", r"\d{\u{a}}"),
        ("ế", r"\ensuremath{\acute{\hat{\mathrm{e}}}}"),
        ("ę", r"\newerencoding{\k{e}}"),
        ("đ«", r"\newerencoding{\dj}\newerencoding{\guillemotleft}"),
        ("αΩΑ", r"\ensuremath{\alpha}\ensuremath{\Omega}\ensuremath{\mathrm{A}}"),
        ("ά", r"\ensuremath{\acute{\alpha}}"),
        ("≤ → ⟨", r"\ensuremath{\le} \ensuremath{\to} \ensuremath{\langle}"),
        ("Щи", r"\textsl{\^{S}}\textsl{i}"),
        ("йё", r"\textsl{j}\textsl{\"{e}}"),
        ("😀", r"\texttt{U+1F600}\,\allowbreak{}"),
        ("x\u0330", r"x\texttt{U+0330}\,\allowbreak{}"),
        ("\u0301", r"\texttt{U+0301}\,\allowbreak{}"),
        ("“a” – b…", "``a'' -- b\\dots{}"),
        ("a\nb\x07", r"a b\ensuremath{\langle}U+0007\ensuremath{\rangle}"),
    ],
)
def test_characters(text: str, shown: str) -> None:
    """Every character is set as itself, transliterated, or named by its code point; none is a command."""
    assert escape(text) == shown


def test_every_character_is_set_or_named() -> None:
    """Each character of the first planes gives ASCII with balanced braces and no bare special."""
    for code in [*range(0x3000), *range(0xD7F0, 0xE010), *range(0x1F5F0, 0x1F650)]:
        found = escape(chr(code))
        assert found.isascii()
        bare = re.sub(r"\\[^A-Za-z]", "", found)
        assert bare.count("{") == bare.count("}")
        assert not re.search("[%&#$]", bare)


def test_different_cyrillic_names_stay_different() -> None:
    """No two letters of the Russian and Ukrainian alphabets are transliterated alike."""
    letters = "абвгґдеєёжзиіїйклмнопрстуфхцчшщъыьэюя"
    letters += letters.upper().replace("Ъ", "").replace("Ь", "")
    assert len({escape(letter) for letter in letters}) == len(letters)


def test_long_words_may_break() -> None:
    """A word longer than the limit may break after its marks, and after any letter where it has none."""
    assert escape_breakable("ab_é de", 3) == r"ab\_\allowbreak{}\'{e} de"
    assert escape_breakable("abcdé", 3) == r"a\allowbreak{}b\allowbreak{}c\allowbreak{}d\allowbreak{}\'{e}"


def test_bookmarks_have_no_commands() -> None:
    """The title for bookmarks is letters without marks."""
    assert ascii_only("Łé_\\x{%}\n😀!") == "ex !"


def test_labels_are_safe() -> None:
    """Ids differ as labels where they differ as ids, and hold nothing that LaTeX reads otherwise."""
    assert label("theorem-1") == "theorem-1"
    assert len({label("a_b"), label("a%b"), label("a:5f:b"), label("a b")}) == 4
    assert re.fullmatch("[A-Za-z0-9:-]+", label("a_%#}\\b"))


def test_file_is_ascii_and_the_same_each_time() -> None:
    """The file holds ASCII alone, and two renderings are equal."""
    text = render(example(), FIGURES)
    assert text.isascii()
    assert render(example(), FIGURES) == text
    assert r"\input" not in text
    assert r"\write" not in text
    assert text.count(r"\end{document}") == 1


def test_equations_can_be_pasted() -> None:
    """A short equation stands in its environment as it is; one that pdflatex would refuse is shown as code."""
    text = render(example(), FIGURES)
    assert "\\begin{equation}\\label{short}\np_{aj} \\to \\frac{1}{m}\n\\end{equation}" in text
    assert "\\phantomsection\\label{broken}\n\\texttt{\\textbackslash{}unknown\\{a\\}" in text
    assert r"\hyperref[law]{the loss \& its flow}" in text


def test_long_equations_break_at_signs() -> None:
    """Lines are no wider than the limit, lose nothing, and no bracket is torn."""
    found = lines(LONG, 60)
    assert len(found) > 2
    assert max(map(width, found)) <= 60
    assert "".join(found).replace("&", "").replace(r"\quad {}", "").replace(" ", "") == LONG.replace(" ", "")
    assert all(line.count("{") == line.count("}") and line.count(r"\left") == line.count(r"\right") for line in found)
    assert all(line.count("&") == 1 for line in found)
    assert found[0].startswith(r"\frac{d}{d t} x &=")
    assert found[1].startswith(r"&\quad {}+")


@pytest.mark.parametrize("latex", ["a = b", LONG.replace("=", "&="), r"\left(" + LONG + r"\right)", "x" * 200])
def test_equations_that_fit_or_cannot_break_stay_whole(latex: str) -> None:
    """A short formula, one with alignments of its own and one without signs outside brackets stay as they are."""
    assert lines(latex) == [latex]


@pytest.mark.parametrize(
    ("latex", "wide"),
    [
        ("abc", 3),
        (r"\frac{ab}{c}", 2),
        (r"\frac{a}{bcd}", 3),
        ("a = b", 4),
        ("a + b", 4),
        (r"\alpha", 1),
        (r"\log{x}", 4),
        ("x_{0123456789}", 8),
        ("x_{0123456789}^{2}", 8),
        ("x^{2}_{0123456789}", 8),
        (r"\left(a\right)", 3),
    ],
)
def test_width(latex: str, wide: int) -> None:
    """A fraction is as wide as its wider half, indices are small and stand over each other, signs have their spaces."""
    assert width(latex) == wide


def test_a_wide_left_side_has_a_line_of_its_own() -> None:
    """Where left side and relation do not fit one line the relation starts the next, and no line is empty."""
    left, right = "a" + " b" * 30, "= c" + " d" * 36
    assert lines(f"{left} {right}", 40) == [f"&{left}", rf"&\quad {right}"]
    assert lines(f"{left} {right} < e", 40) == [f"&{left}", rf"&\quad {right}", r"&\quad < e"]


def test_a_sign_of_a_number_is_no_place_to_break() -> None:
    """A minus at the start, after a relation or after a sum with its limits stays with what follows."""
    found = lines("-a = -b " + "- c" * 60, 40)
    assert found[0].startswith("-a &= -b")
    found = lines(" + ".join([r"\sum_{a=0}^{N-1} - x_{a}"] * 30), 12)
    assert set(found) == {r"&\sum_{a=0}^{N-1} - x_{a}", r"&\quad {}+ \sum_{a=0}^{N-1} - x_{a}"}


def of(*blocks: Block) -> str:
    """The file of a report that is these blocks."""
    return render(Document("t", "s", (Section("s", "S", blocks),)), {})


def test_equations_that_cannot_break_are_made_to_fit() -> None:
    """A formula wider than the line is scaled where nothing in it can break, and only there."""
    assert r"\fitted{xxx" in of(Equation("e", "x" * 200))
    assert r"\fitted{" not in of(Equation("e", LONG)).partition(r"\begin{document}")[2]


@pytest.mark.parametrize("latex", ["α = 1", r"\text{50%}", r"\text{#1}", r"\text{$x$}"])
def test_formulas_that_pdflatex_would_refuse_are_code(latex: str) -> None:
    """Letters outside ASCII and characters that end or comment a formula make it code."""
    text = of(Paragraph((Math(latex),)), Equation("e", latex))
    assert r"\begin{equation}" not in text
    assert text.count(r"\texttt{") >= 2


def test_columns_hold_their_formulas() -> None:
    """A column is at least as wide as its formulas, up to a limit; words that can break do not widen it."""

    def share(*cell: Math | str) -> float:
        names = (Column("a"), Column("b"))
        text = of(Table("t", ("T",), names, ((cell, ("word " * 40,)),)))
        return float(re.findall(r"dimexpr ([0-9.]+)", text)[0])

    assert share(Math("x" * 30)) >= 0.3
    assert share(Math("x" * 300)) < 0.6
    assert share("x" * 10) < 0.2


def test_wide_tables_are_turned() -> None:
    """A table whose numbers and words do not fit an upright page is set on a turned one, a narrow table is not."""

    def table(columns: int) -> str:
        row = tuple((Number(1.2345e-100),) for _ in range(columns))
        names = tuple(Column("a number", numeric=True) for _ in range(columns))
        return render(Document("t", "s", (Section("s", "S", (Table("t", ("T",), names, (row,)),)),)), {})

    assert r"\begin{landscape}" not in table(4)
    assert r"\begin{landscape}" in table(12)
    for columns in (4, 12, 30):
        shares = [float(s) for s in re.findall(r"dimexpr ([0-9.]+)", table(columns))]
        assert sum(shares) <= 1.001


def test_long_tables_are_cut_and_say_so() -> None:
    """A paper shows the first two hundred rows and how many there are."""
    text = render(example(rows=230), FIGURES)
    assert "(The first 200 of 230 rows.)" in text
    assert text.count(r"\textbf{holds}") == 201
    assert "first" not in re.sub("endfirst", "", render(example(rows=200), FIGURES))


def test_note_on_letters_only_where_needed() -> None:
    """The file explains transliterations and code points where it has some, and not otherwise."""
    assert "transliterated" in render(example(), FIGURES)
    assert "transliterated" not in render(example(("Anna", "Bert", "Carl", "Dora")), FIGURES)


@pytest.mark.program("latexmk", "pdflatex", "booktabs.sty", "pdflscape.sty", "xcolor.sty")
def test_pdflatex_accepts_it(tmp_path: Path) -> None:
    """Hostile names, long formulas and a turned table compile without an error or a lost reference."""
    document = example()
    wide = Table("wide", ("W",), tuple(Column(n[:20]) for n in HOSTILE), (tuple((n,) for n in HOSTILE),) * 2)
    extra = Section("extra", "Extra", (Equation("long", LONG), Equation("whole", "x" * 200), wide))
    document = Document(document.title, document.subtitle, (*document.sections, extra))
    (figure,) = document.figures()
    figure.draw().savefig(tmp_path / "loss.pdf")
    (tmp_path / "report.tex").write_text(render(document, {"loss": "loss.pdf"}), encoding="ascii")
    command = ["latexmk", "-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert answer.returncode == 0, answer.stdout.decode(errors="replace")[-2000:]
    log = (tmp_path / "report.log").read_text(encoding="utf-8", errors="replace")
    assert "undefined references" not in log
    assert "Missing character" not in log
    assert not (tmp_path / "broken").exists()

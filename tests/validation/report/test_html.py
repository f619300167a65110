"""The page: names stay text, formulas become MathML or code, and nothing of it needs the network."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from tests.validation.report.example import HARMLESS, HOSTILE, example
from validation.report.characters import visible
from validation.report.document import Column, Document, Equation, Math, Number, Paragraph, Section, Table
from validation.report.html import render
from validation.report.mathml import mathml
from validation.report.number import mantissa_and_exponent
from validation.report.svg import svg_file

ALLOWED = """
html head meta title style body a header h1 h2 h3 p div nav details summary ol ul li main section span code strong bdi
table caption thead tbody tr th td b figure figcaption pre script sup svg g path defs clippath use rect
math semantics annotation mrow mi mn mo msub msup msubsup munder munderover mover mfrac mstyle mtable mtr mtd mtext
mspace
"""


class Page(HTMLParser):
    """Every tag with its attributes, the text of every element, and whether each tag is closed by its own end."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        self.tags.append((tag, {name: value or "" for name, value in attributes}))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """A tag that is its own end, as SVG has them."""
        self.tags.append((tag, {name: value or "" for name, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        """A tag ends; it has to be the last that opened."""
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        """Text between tags."""
        self.texts.append(text)


@pytest.fixture(scope="module")
def text() -> str:
    """The page of the hostile example."""
    return render(example())


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    """The page, parsed."""
    return Page(text)


def one_paragraph(*content: object) -> str:
    """The page of a report that is one paragraph."""
    return render(Document("t", "s", (Section("one", "One", (Paragraph(content),)),)))  # type: ignore[arg-type]


def test_names_are_text(page: Page) -> None:
    """Every hostile name stands on the page as it is, and brings no tag, attribute or script with it."""
    assert {tag for tag, _ in page.tags} <= set(ALLOWED.split())
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert page.open == []
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.tags for name in attributes)
    shown = set(page.texts)
    assert {visible(name) for name in HOSTILE} <= shown


def test_parts_share_no_id_and_links_lead_somewhere(page: Page) -> None:
    """Ids are unique over the page with both shades of every picture, and every link and reference has its target."""
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    used = [value for _, attributes in page.tags for value in attributes.values()]
    targets = [value[1:] for value in used if value.startswith("#") and not re.fullmatch("#[0-9a-f]{6}", value)]
    targets += [found for value in used for found in re.findall(r"url\(#([^)]*)\)", value)]
    targets += [attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes]
    assert len(targets) > 20
    assert set(targets) <= set(ids)


def test_policy_names_what_the_page_holds(page: Page, text: str) -> None:
    """The Content-Security-Policy allows exactly the style sheet and the script of the page, by their hashes."""
    (policy,) = (a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    for tag in ("style", "script"):
        (held,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(held.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    elsewhere = [
        value for _, a in page.tags for name, value in a.items() if name in ("src", "href") and value[0] != "#"
    ]
    assert elsewhere == []


def test_same_document_same_page(text: str) -> None:
    """Two renderings give the same text, and a picture has no date."""
    assert render(example()) == text
    (figure,) = example().figures()
    assert svg_file(figure.draw()) == svg_file(figure.draw())
    assert "date" not in svg_file(figure.draw())


def test_structure(page: Page) -> None:
    """One main, one title; headings go down by one; every table has a caption and scopes, every picture its words."""
    tags = [tag for tag, _ in page.tags]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels == [1, 2, 2, 3, 2]
    assert [tags.count(tag) for tag in ("main", "nav", "header", "title", "table", "caption")] == [1, 1, 1, 1, 2, 2]
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert [(p["role"], p["aria-label"]) for p in pictures] == [("img", f'A falling line "{HOSTILE[0]}".')]
    assert page.tags[0] == ("html", {"lang": "en"})


def test_what_cannot_be_a_formula_is_code(page: Page) -> None:
    """Broken or unknown LaTeX stands on the page as code; a formula keeps its LaTeX beside it."""
    assert r"\unknown{a} \left( b" in page.texts
    assert r"\frac{a}{ \unknown <script>" in page.texts
    annotations = [t for t in page.texts if t == r"p_{aj} \to \frac{1}{m}"]
    assert len(annotations) == 2  # in the formula and under "LaTeX"


@pytest.mark.parametrize(
    "latex",
    [
        r"\frac{a}{",
        r"\left( a",
        r"\foo{a}",
        r"a & b",
        r"\href{javascript:alert(1)}{x}",
        r"\style{color:red}{x}",
        r"\class{badge}{x}",
        "",
        "}",
    ],
)
def test_no_mathml(latex: str) -> None:
    """Malformed LaTeX, unknown commands, links and styles give no MathML, and raise nothing."""
    assert mathml(latex) is None


def test_names_stand_off_letters() -> None:
    """A thin space parts log from the letter it is applied to, as in TeX, and none from a bracket."""
    assert "log</mi><mspace" in (mathml(r"\log m") or "")
    assert "mspace" not in (mathml(r"\log{\left(m \right)}") or "mspace")
    assert "mspace" not in (mathml(r"\max_{j} x_j") or "mspace")


def test_text_of_formulas_is_escaped() -> None:
    """A tag in the text of a formula stays text."""
    found = mathml(r"\text{<script>alert(1)</script>} < 1")
    assert found is not None
    assert "<script" not in found
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in found


def test_limits_stand_under_sums() -> None:
    """Limits of sums and maxima go under and over, indices beside; a name is no operator with its spaces."""
    found = mathml(r"\sum_{j=0}^{m} x_{j} + \max_{a} \operatorname{softmax}(x)", block=True)
    assert found is not None
    assert '<munderover><mo movablelimits="true">∑</mo>' in found
    assert re.search("<munder><mo [^>]*>max</mo>", found)
    assert "<msub><mi>x</mi>" in found
    assert "<mi>softmax</mi>" in found
    assert 'display="block"' in found


def test_long_equations_are_set_in_lines() -> None:
    """An equation wider than a printed page is a table of aligned lines; what cannot break is printed smaller."""
    long = " + ".join("abcdefghij"[n % 10] for n in range(40))

    def page_of(latex: str) -> str:
        return render(Document("t", "s", (Section("s", "S", (Equation("e", latex),)),)))

    assert page_of(f"x = {long}").count("<mtr>") == 3
    assert page_of(f"x = {long}").count('<div class="formula "') == 1
    assert "<mtable" not in page_of("x = a + b")
    assert 'class="formula wide"' in page_of("x" * 70)
    assert 'class="formula wider"' in page_of("x" * 100)


def test_brackets_grow_only_around_tall_formulas() -> None:
    """Brackets around letters keep their size, those around a fraction stretch."""
    flat, tall = mathml(r"\left(t\right)"), mathml(r"\left(\frac{a}{b}\right)")
    assert flat is not None
    assert tall is not None
    assert ('stretchy="true"' in flat, 'stretchy="true"' in tall) == (False, True)


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.25, 4, ("0.25", None)),
        (1.23456e-7, 3, ("1.23", -7)),
        (-2.5e30, 4, ("-2.5", 30)),
        (123456, 2, ("123456", None)),
        (float("inf"), 4, ("∞", None)),
        (float("-inf"), 4, ("-∞", None)),
        (float("nan"), 4, ("nan", None)),
        (None, 4, ("", None)),
        (0.0, 4, ("0", None)),
    ],
)
def test_numbers(value: float | None, digits: int, shown: tuple[str, int | None]) -> None:
    """A number has its significant digits and a power of ten where it needs one; a whole number stands whole."""
    assert mantissa_and_exponent(Number(value, digits)) == shown


def test_numbers_sort_by_value(page: Page) -> None:
    """A cell of a numeric column carries its number for sorting, an empty one nothing."""
    values = [attributes["data-value"] for _, attributes in page.tags if "data-value" in attributes]
    assert values[:5] == ["0.0", "7e-06", "", "10.0", "6000.0"]
    table = Table("t", ("T",), (Column("n", numeric=True),), (((Number(float("-inf")),),),))
    assert 'data-value="-Infinity"' in render(Document("t", "s", (Section("s", "S", (table,)),)))
    assert "1.25 × 10<sup>−7</sup>" in one_paragraph(Number(1.25e-7))


def test_reordering_marks_are_written_out() -> None:
    """Marks that turn the order of the text around them, controls and surrogates are shown as codes, on one line."""
    assert visible("a\u202eb\u2066c\x00d\ud800\r\ne") == "a⟨U+202E⟩b⟨U+2066⟩c⟨U+0000⟩d⟨U+D800⟩ e"
    assert visible("می\u200cخواهم 👩\u200d👧") == "می\u200cخواهم 👩\u200d👧"


def test_right_to_left_names_are_isolated() -> None:
    """A name written from right to left stands in an element of its own; others do not."""
    assert "<bdi>שלום</bdi>" in one_paragraph("before ", "שלום", " after")
    assert "<bdi>" not in one_paragraph("before ", "Москва", " after")


def test_long_tables_are_printed_in_part() -> None:
    """Rows after the two-hundredth are marked as not printed and the page says so; shorter tables say nothing."""
    long = render(example(HARMLESS, rows=203))
    assert long.count('<tr class="beyond">') == 3
    assert "The first 200 of 203 rows are printed" in long
    assert "rows are printed" not in render(example(HARMLESS, rows=200))


def test_equations_are_numbered_in_reading_order() -> None:
    """Equations count through the whole report, sections by level."""
    blocks = (Equation("one", "a"), Equation("two", "b"))
    below = Section("below", "Below", (Equation("three", "c"), Paragraph((Math("x"),))))
    page = Page(render(Document("t", "s", (Section("first", "First", blocks, (below,)), Section("next", "Next")))))
    labels = [a["aria-label"] for tag, a in page.tags if a.get("role") == "group"]
    assert labels == ["Equation (1)", "Equation (2)", "Equation (3)"]
    assert [t for t in page.texts if re.fullmatch(r"\d(\.\d)?", t)] == ["1", "1.1", "2"]

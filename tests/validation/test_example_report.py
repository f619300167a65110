"""The example in docs/ is what the command writes today: sections, theorems, claims and equations, not timings."""

import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from theory.theorems import THEOREMS
from validation.cli import main
from validation.report.derivations import derivations_section
from validation.report.document import Equation

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE = DOCS / "example-report" / "index.html"
COMMAND = ["--pairs", "5", "--vocabulary", "20", "--format", "html"]
OUTDATED = (
    f"docs/example-report is out of date: run `reversal report {' '.join(COMMAND)} -o DIR`, put its index.html there, "
    "and take docs/report.png from it (the first 1200 by 1500 pixels)"
)


class Structure(HTMLParser):
    """Of a page: the ids of sections, equations, tables and figures; equations' LaTeX by id; the claims' titles."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.equations: dict[str, str] = {}
        self.claims: list[str] = []
        self._block = ""
        self._in: str | None = None
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        kind = attributes.get("class") or ""
        if tag in ("section", "figure") or kind in ("equation", "table"):
            self._block = attributes.get("id") or ""
            self.ids.append(self._block)
        self._in = tag
        if tag == "th" and attributes.get("scope") == "row" and self._block == "claims":
            self.claims.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = None

    def handle_data(self, data: str) -> None:
        if self._in == "annotation" and self._block not in self.equations:
            self.equations[self._block] = data
        if self._in == "th" and self._block == "claims" and self.claims:
            self.claims[-1] += data


@pytest.fixture(scope="module")
def example() -> Structure:
    return Structure(PAGE)


def test_derivations_and_theorems_of_the_example_are_todays(example: Structure) -> None:
    """Every derivation's section, every equation with its LaTeX, and every theorem stands in the example, in order."""
    section = derivations_section()
    wanted = [part.id for part in section.walk()] + [f"theorem-{theorem.id}" for theorem in THEOREMS]
    assert [id for id in example.ids if id in set(wanted)] == wanted, OUTDATED
    equations = {
        block.id: " ".join(block.latex.split())
        for part in section.walk()
        for block in part.blocks
        if isinstance(block, Equation)
    }
    shown = {id: " ".join(example.equations[id].split()) for id in equations if id in example.equations}
    assert shown == equations, OUTDATED


def test_the_example_is_whole_and_small(example: Structure) -> None:
    """One page with figures and claims in it, under 3 MB, and a picture of it."""
    assert PAGE.stat().st_size < 3_000_000
    assert len(example.claims) > 50
    assert sum(id.startswith("figure-") or "loss" in id for id in example.ids) >= 1
    assert (DOCS / "report.png").stat().st_size < 1_000_000


@pytest.mark.slow
def test_the_example_has_todays_structure(example: Structure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command writes a page with the same sections, equations, tables, figures and claims."""
    monkeypatch.setattr(sys, "argv", ["reversal", "report", *COMMAND, "-o", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    today = Structure(tmp_path / "out" / "index.html")
    assert today.ids == example.ids, OUTDATED
    assert today.claims == example.claims, OUTDATED
    assert today.equations == example.equations, OUTDATED

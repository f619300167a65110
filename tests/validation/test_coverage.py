"""The table of the paper's claims: every id in it leads somewhere, and the document is the table."""

import re
from pathlib import Path

import pytest

from theory.laws import derive_all
from theory.theorems import THEOREMS
from validation.coverage import PAPER_CLAIMS, PaperClaim, cover, coverage_markdown
from validation.experiments.false_twins import TWINS
from validation.remedies.false_twins import TWINS as REMEDY_TWINS

ROOT = Path(__file__).resolve().parent.parent.parent
LAWS = [law.id for law in derive_all()]


def test_the_document_is_the_table() -> None:
    """docs/coverage.md is what `python -m validation.coverage` prints."""
    assert (ROOT / "docs/coverage.md").read_text(encoding="utf-8") == coverage_markdown()


@pytest.mark.parametrize("claim", PAPER_CLAIMS, ids=lambda claim: claim.claim[:30])
def test_every_claim_is_complete(claim: PaperClaim) -> None:
    """A claim has words for what, where and how, and something checks it."""
    assert claim.claim.endswith(".")
    assert claim.where
    assert claim.how
    assert claim.checked_by


@pytest.mark.parametrize("claim", PAPER_CLAIMS, ids=lambda claim: claim.claim[:30])
def test_every_id_exists(claim: PaperClaim) -> None:
    """Theorems are those of check, laws are derived; what verify and train measure is named in their source."""
    assert set(claim.theorems) <= {theorem.id for theorem in THEOREMS}
    assert set(claim.laws) <= set(LAWS)
    assert {id.removesuffix("-") for id in claim.trained} <= {twin.of for twin in TWINS}
    assert {id.removesuffix("-") for id in claim.compared} <= {twin.of for twin in REMEDY_TWINS}
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "validation").glob("*.py"))
    for id in claim.measured:
        assert re.search(rf'"{id}[{{a-z"]' if id.endswith("-") else f'"{id}"', source.replace('"coverage"', "")), id


def test_every_theorem_covers_a_claim() -> None:
    """No theorem of check is missing from the table; Theorems 1 to 4 of the paper stand in it."""
    named = {id for claim in PAPER_CLAIMS for id in claim.theorems}
    assert named == {theorem.id for theorem in THEOREMS}
    for number in "1234":
        assert any(f"Theorem {number}" in claim.where for claim in PAPER_CLAIMS)


def test_verdicts_come_from_what_was_run() -> None:
    """A claim is judged by its theorems that were run and by no other; where none was run there is no verdict."""
    found = {claim.paper.theorems: claim for claim in cover({"theorem-1": "fails", "theorem-2": "holds"}, laws=False)}
    assert (found["theorem-1",].verdict, found["theorem-1",].run) == ("fails", ("theorem-1",))
    lower = found["theorem-2", "theorem-2-gd", "theorem-2-sgd"]
    assert (lower.verdict, lower.run) == ("holds", ("theorem-2",))
    assert (found["theorem-4", "intransitivity"].verdict, found["theorem-4", "intransitivity"].run) == (None, ())
    both = next(c for c in cover({"theorem-1": "holds", "theorem-2": "undecided"}, False) if "scale" in c.paper.claim)
    assert (both.verdict, both.run) == ("undecided", ("theorem-1", "theorem-2"))


def test_laws_are_judged_when_everything_is() -> None:
    """With the laws derived, every claim that names a law and needs it has a verdict, and all of them hold."""
    for claim in cover({}, laws=True):
        assert claim.verdict == ("holds" if claim.paper.laws and not claim.paper.not_needed else None)
        assert claim.run == claim.paper.laws


def test_laws_do_not_outvote_a_theorem() -> None:
    """Where Theorem 3 does not apply, the claim that it checks is not said to hold, whatever its laws."""
    found = {claim.paper.theorems: claim for claim in cover({"theorem-3": "not applicable"}, laws=True)}
    assert found["theorem-3", "unseen-target-bound"].verdict == "not applicable"


def test_the_document_survives_markdown() -> None:
    """Every row has five cells; a bar inside a formula does not open a sixth."""
    rows = [line for line in coverage_markdown().splitlines() if line.startswith("| ")]
    assert len(rows) == len(PAPER_CLAIMS) + 1
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}

"""Claims as tables: verdict, evidence, what was measured against which bound, and the margin."""

import math
from collections.abc import Iterable

from theory.claim import Claim, Evidence, Verdict
from theory.theorem import Outcome
from validation.report.document import Badge, Code, Column, Math, Number, Prose, Table

COLUMNS = (
    *map(Column, ("claim", "verdict", "evidence")),
    Column("measured", numeric=True),
    Column("is"),
    *(Column(name, numeric=True) for name in ("bound", "margin")),
)


def claims_table(id: str, caption: Prose, claims: Iterable[Claim]) -> Table:
    """One row a claim, with the reason where it does not hold."""
    return Table(id, caption, COLUMNS, tuple(_row(claim) for claim in claims))


def _row(claim: Claim) -> tuple[Prose, ...]:
    title = claim.title + (f": {claim.detail}" if claim.verdict != "holds" and claim.detail else "")
    return ((title,), *verdict_cells(claim.verdict, claim.evidence), *compared(claim), number(margin(claim)))


def compared(judged: Claim | Outcome) -> tuple[Prose, Prose, Prose]:
    """The number measured, how it stands to its bound, and the bound."""
    return number(judged.measured), (judged.standing,) if judged.standing else (), number(judged.bound)


def claim_details_table(id: str, claims: Iterable[Claim]) -> Table:
    """Statement, assumptions, reference and detail of every claim."""
    rows = tuple(
        ((Code(c.id),), (Math(c.statement),), ("; ".join(c.assumptions),), (c.reference,), (c.detail,)) for c in claims
    )
    caption = ("What was measured, as formulas, what that rests on, and how each verdict came about.",)
    return Table(id, caption, tuple(map(Column, ("claim", "statement", "assumes", "reference", "how"))), rows)


def margin(claim: Claim) -> float | None:
    """How far inside its bound the measured number lies: negative where the claim fails, None without two numbers."""
    if claim.measured is None or claim.bound is None or claim.verdict not in ("holds", "fails"):
        return None
    distance = abs(claim.bound - claim.measured)
    return distance if claim.verdict == "holds" else -distance


def verdict_cells(verdict: Verdict, evidence: Evidence) -> tuple[Prose, Prose]:
    """Verdict and evidence; what does not apply has no evidence."""
    return (Badge(verdict),), () if verdict == "not applicable" else (Badge(evidence),)


def number(value: float | int | None) -> Prose:
    """A numeric cell, empty where there is no number; infinity as a word."""
    if value is not None and not math.isfinite(value):
        return ("infinite",) if math.isinf(value) else ("not a number",)
    return (Number(value),)

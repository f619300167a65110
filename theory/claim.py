"""A claim: one statement with its verdict, how that is known, and what was measured against which bound."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from theory import notebook

Verdict = Literal["holds", "fails", "undecided", "not applicable"]
Evidence = Literal["symbolic", "certified", "numerical", "sampled"]

# Strongest first: a chain of steps is only as well known as its weakest step.
EVIDENCE_STRENGTH: tuple[Evidence, ...] = ("symbolic", "certified", "numerical", "sampled")


def weakest_evidence(evidence: list[Evidence]) -> Evidence:
    """The weakest word in the list; an argument is known no better than that. Raises ValueError on an empty list."""
    return max(evidence, key=EVIDENCE_STRENGTH.index)


def joint_verdict(verdicts: list[Verdict]) -> Verdict:
    """One verdict for several: any `fails` fails, else any `undecided` leaves it open, else it holds.

    `not applicable` entries do not count; if nothing else is there the whole is `not applicable`.
    """
    counted = [v for v in verdicts if v != "not applicable"]
    if not counted:
        return "not applicable"
    if "fails" in counted:
        return "fails"
    return "undecided" if "undecided" in counted else "holds"


@dataclass(frozen=True)
class Claim:
    """One statement (LaTeX) and what is known of it.

    `measured` and `bound` are the two numbers that were compared (None where the claim is symbolic); `detail` says in
    words how the verdict came about, where the bound comes from, or which assumption fails.
    """

    id: str
    title: str
    statement: str
    reference: str
    verdict: Verdict
    evidence: Evidence
    measured: float | None = None
    bound: float | None = None
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The claim as JSON-ready fields."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """For notebooks: see `theory.notebook`."""
        return notebook.claim_html(self)

    def _repr_latex_(self) -> str:
        """For notebooks: see `theory.notebook`."""
        return notebook.formula_latex(self.statement)

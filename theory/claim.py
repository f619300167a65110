"""A claim: one statement with its verdict, how that is known, and what was measured against which bound."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from theory import notebook

Verdict = Literal["holds", "fails", "undecided", "not applicable"]
Evidence = Literal["symbolic", "certified", "numerical", "sampled"]
# How the measured number must stand to its bound.
Relation = Literal["<=", ">=", ">"]

# How two numbers stand to each other, as a reader is told; empty where one is missing.
Standing = Literal["", "≤", "≥", "<", ">", "="]
_KEPT: dict[Relation, Standing] = {"<=": "≤", ">=": "≥", ">": ">"}
_BROKEN: dict[Relation, Standing] = {"<=": ">", ">=": "<", ">": "≤"}

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


def standing(measured: float | None, bound: float | None, relation: Relation | None = None) -> Standing:
    """How `measured` stands to `bound`: the relation asked for where it is kept, else its opposite.

    Without a relation the numbers speak for themselves. It is a fact about the two numbers, whatever the verdict.
    """
    if measured is None or bound is None or measured != measured or bound != bound:
        return ""
    if relation is None:
        return "=" if measured == bound else "<" if measured < bound else ">"
    kept = {"<=": measured <= bound, ">=": measured >= bound, ">": measured > bound}[relation]
    return _KEPT[relation] if kept else _BROKEN[relation]


@dataclass(frozen=True)
class ClaimText:
    """What a claim says, stated once beside what judges it: one id has one text, whatever becomes of the claim.

    `statement` is LaTeX and holds no number of a run. `assumptions` are what the statement rests on, in words; an empty
    tuple says that it rests on nothing.
    """

    id: str
    title: str
    statement: str
    reference: str
    assumptions: tuple[str, ...] = ()

    def judged(
        self,
        verdict: Verdict,
        evidence: Evidence,
        measured: float | None = None,
        bound: float | None = None,
        detail: str = "",
        relation: Relation | None = None,
    ) -> "Claim":
        """The claim with its verdict; `relation` is the one in which `measured` must stand to `bound`."""
        return Claim(
            self.id,
            self.title,
            self.statement,
            self.reference,
            verdict,
            evidence,
            measured,
            bound,
            detail,
            self.assumptions,
            relation,
        )

    def not_applicable(self, reason: str) -> "Claim":
        """The claim where one of its assumptions does not hold: `reason` says which."""
        return self.judged("not applicable", "numerical", detail=reason)


@dataclass(frozen=True)
class Claim:
    """One statement (LaTeX) and what is known of it.

    `measured` and `bound` are the two numbers that were compared (None where the claim is symbolic), and `relation` is
    how the first must stand to the second. `detail` says in words how the verdict came about, where the bound comes
    from, or which assumption fails. `assumptions` are what the statement rests on, in words.
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
    assumptions: tuple[str, ...] = ()
    relation: Relation | None = None

    def not_applicable(self, reason: str) -> "Claim":
        """The same claim where one of its assumptions turns out not to hold: nothing was compared."""
        return replace(self, verdict="not applicable", measured=None, bound=None, relation=None, detail=reason)

    @property
    def standing(self) -> Standing:
        """How the measured number stands to its bound; see the function of that name."""
        return standing(self.measured, self.bound, self.relation)

    def as_dict(self) -> dict[str, Any]:
        """The claim as JSON-ready fields."""
        return {**asdict(self), "assumptions": list(self.assumptions)}

    def _repr_html_(self) -> str:
        """For notebooks: see `theory.notebook`."""
        return notebook.claim_html(self)

    def _repr_latex_(self) -> str:
        """For notebooks: see `theory.notebook`."""
        return notebook.formula_latex(self.statement)

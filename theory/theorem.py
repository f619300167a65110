"""A theorem as a program: assumptions checked where they stand, a proof in links, a conclusion that is measured.

A user's own theorem is built from the same parts and run by `reversal check --from FILE.py`:

    from theory.theorem import Assumption, Conclusion, Finding, Outcome, Theorem

Every check is a function of a `Setting`: the task, the options, and `measure`, which draws instances and runs them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from sympy import Expr, Ge, Gt, latex

from theory import notebook
from theory.checked_proof import prove_checked
from theory.claim import Claim, Evidence, Standing, Verdict, joint_verdict, standing
from theory.derivation import Derivation
from theory.proof import Outcome as ProofOutcome
from theory.proof import Refutation, Unproved
from theory.proof_domain import Domain
from theory.setting import Setting
from theory.statement import Identity, Inequality

TaskKind = Literal["reversal", "chain-of-thought"]


@dataclass(frozen=True)
class Finding:
    """What an assumption's check found: `margin` is how far inside (positive) or outside (negative) the value lies.

    `required` and `found` are words for a person with their numbers; `rows` are the rows of the fact file at fault.
    An assumption `fails` where the theorem does not apply, and is `undecided` where only its constants are too weak.
    """

    verdict: Verdict
    required: str
    found: str
    margin: float | None = None
    evidence: Evidence = "symbolic"
    rows: tuple[int, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class Assumption:
    """One thing that a theorem needs: an id, a statement in LaTeX, and its executable check."""

    id: str
    statement: str
    check: Callable[[Setting], Finding]


@dataclass(frozen=True)
class Outcome:
    """What became of a conclusion: the number measured against the bound that the theorem promises.

    Raises ValueError for numbers that are not finite: None says that there is none.
    """

    verdict: Verdict
    evidence: Evidence
    measured: float | None = None
    bound: float | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        for name in ("measured", "bound"):
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number or None, got {value!r}")

    @property
    def standing(self) -> Standing:
        """How the measured number stands to the bound."""
        return standing(self.measured, self.bound)


@dataclass(frozen=True)
class Conclusion:
    """What the theorem promises (LaTeX) and how it is judged in a setting."""

    statement: str
    check: Callable[[Setting], Outcome]


@dataclass(frozen=True)
class LinkProof:
    """How one link is known: `domain` and `boxes` of a proof in ball arithmetic, its precision in bits."""

    verdict: Verdict
    evidence: Evidence
    detail: str
    domain: str | None = None
    boxes: int | None = None
    precision: int | None = None

    @classmethod
    def of_outcome(cls, outcome: ProofOutcome, domain: Domain) -> "LinkProof":
        """What `prove_checked` found over a domain: a proof, a refutation, or neither."""
        match outcome:
            case Refutation():
                return cls("fails", "certified", f"negative at {outcome.witness}", str(domain))
            case Unproved():
                return cls("undecided", "certified", outcome.reason, str(domain), outcome.boxes)
        detail = f"{outcome.describe()}; verified again by interval arithmetic"
        return cls("holds", "certified", detail, str(domain), len(outcome.boxes), outcome.precision)


@dataclass(frozen=True)
class Link:
    """One numbered link of a proof: a statement (LaTeX), why it carries the next, and its proof, made on first use."""

    id: str
    statement: str
    argument: str
    prove: Callable[[], LinkProof]

    @cached_property
    def proof(self) -> LinkProof:
        """The proof of this link."""
        return self.prove()

    @staticmethod
    def of_statement(id: str, argument: str, statement: Identity | Inequality) -> "Link":
        """A link that is an identity for every size, or an inequality by signs and monotonicity."""

        def prove() -> LinkProof:
            check = statement.check()
            domain = statement.domain if isinstance(statement, Inequality) else None
            return LinkProof(check.verdict, check.evidence, check.detail, domain)

        return Link(id, statement.latex, argument, prove)

    @staticmethod
    def of_inequality(id: str, argument: str, expr: Expr, domain: Domain, strict: bool = False) -> "Link":
        """A link expr >= 0 (> 0 if strict) over a whole domain, proved in balls and verified by the second checker."""

        def prove_it() -> LinkProof:
            return LinkProof.of_outcome(prove_checked(expr, domain, strict=strict), domain)

        relation = Gt if strict else Ge
        return Link(id, latex(relation(expr, 0, evaluate=False)), argument, prove_it)

    @staticmethod
    def of_derivation(derivation: Derivation, argument: str) -> "Link":
        """A link that is a law derived in steps (see `theory.laws`)."""

        def prove() -> LinkProof:
            claim = derivation.claim()
            return LinkProof(claim.verdict, claim.evidence, claim.detail)

        return Link(derivation.id, derivation.statement or derivation.conclusion.latex, argument, prove)


@dataclass(frozen=True)
class Certificate:
    """The constants that are proved for a setting.

    `epsilon`: the certified exponent; `dimension`: an embedding dimension that is certified; either may be None.
    `constants` names further proved numbers.
    """

    epsilon: float | None = None
    dimension: float | None = None
    constants: Mapping[str, float | int | str | None] = field(default_factory=dict)


def no_certificate(setting: Setting) -> Certificate:
    """For theorems without constants of their own."""
    return Certificate()


def nothing_remains(setting: Setting) -> list[Claim]:
    """For theorems that have nothing to say once an assumption fails."""
    return []


@dataclass(frozen=True)
class CheckedTheorem:
    """A theorem in one setting: findings, outcome, certificate, and what still holds where it does not apply."""

    theorem: "Theorem"
    findings: tuple[tuple[Assumption, Finding], ...]
    links: tuple[tuple[Link, LinkProof], ...]
    outcome: Outcome
    certificate: Certificate
    remains: tuple[Claim, ...] = ()

    @property
    def failing(self) -> tuple[tuple[Assumption, Finding], ...]:
        """The assumptions that do not hold here."""
        return tuple((a, f) for a, f in self.findings if f.verdict == "fails")

    @property
    def verdict(self) -> Verdict:
        """`not applicable` where an assumption fails; else the weakest of the links and the conclusion.

        An assumption that is `undecided` leaves the theorem undecided unless the conclusion was decided by a run.
        """
        if self.failing:
            return "not applicable"
        return joint_verdict([*(proof.verdict for _, proof in self.links), self.outcome.verdict])

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, as `reversal check --json` prints it."""
        theorem = self.theorem
        return {
            "id": theorem.id,
            "title": theorem.title,
            "reference": theorem.reference,
            "statement": theorem.statement,
            "verdict": self.verdict,
            "assumptions": [
                {
                    "id": assumption.id,
                    "statement": assumption.statement,
                    "required": finding.required,
                    "found": finding.found,
                    "verdict": finding.verdict,
                    "margin": finding.margin,
                    "evidence": finding.evidence,
                    "rows": list(finding.rows),
                    "detail": finding.detail,
                }
                for assumption, finding in self.findings
            ],
            "conclusion": {
                "statement": theorem.conclusion.statement,
                "verdict": self.outcome.verdict,
                "evidence": self.outcome.evidence,
                "measured": self.outcome.measured,
                "bound": self.outcome.bound,
                "detail": self.outcome.detail,
            },
            "certificate": {
                "epsilon": self.certificate.epsilon,
                "dimension": self.certificate.dimension,
                "constants": dict(self.certificate.constants),
                "links": [
                    {
                        "id": link.id,
                        "statement": link.statement,
                        "argument": link.argument,
                        "verdict": proof.verdict,
                        "evidence": proof.evidence,
                        "domain": proof.domain,
                        "boxes": proof.boxes,
                        "precision": proof.precision,
                        "detail": proof.detail,
                    }
                    for link, proof in self.links
                ],
            },
            "remains": [claim.as_dict() for claim in self.remains],
        }

    def _repr_html_(self) -> str:
        """For notebooks: see `theory.notebook`."""
        return notebook.checked_theorem_html(self)

    def _repr_latex_(self) -> str:
        """For notebooks: see `theory.notebook`."""
        return notebook.formula_latex(self.theorem.statement)


@dataclass(frozen=True)
class Theorem:
    """A statement (LaTeX) with its reference, assumptions, proof in numbered links, conclusion and constants.

    `task` says which reading of a fact file, or which built-in task, the theorem is about. `remains` are the claims
    that still hold where an assumption fails.
    """

    id: str
    title: str
    reference: str
    statement: str
    task: TaskKind
    assumptions: tuple[Assumption, ...]
    conclusion: Conclusion
    links: tuple[Link, ...] = ()
    certificate: Callable[[Setting], Certificate] = no_certificate
    remains: Callable[[Setting], list[Claim]] = nothing_remains

    def check(self, setting: Setting) -> CheckedTheorem:
        """Check every assumption and link; where all may hold, evaluate the constants and judge the conclusion."""
        findings = tuple((assumption, assumption.check(setting)) for assumption in self.assumptions)
        failing = [assumption.id for assumption, finding in findings if finding.verdict == "fails"]
        links = tuple((link, link.proof) for link in self.links)
        if failing:
            outcome = Outcome("not applicable", "symbolic", detail=f"assumptions that fail here: {', '.join(failing)}")
            return CheckedTheorem(self, findings, links, outcome, Certificate(), tuple(self.remains(setting)))
        return CheckedTheorem(self, findings, links, self.conclusion.check(setting), self.certificate(setting))

    def _repr_html_(self) -> str:
        """For notebooks: see `theory.notebook`."""
        return notebook.theorem_html(self)

    def _repr_latex_(self) -> str:
        """For notebooks: see `theory.notebook`."""
        return notebook.formula_latex(self.statement)

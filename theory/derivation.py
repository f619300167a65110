"""A derivation: a chain of steps, each naming its rule, each checked where it stands; and the law that it ends in."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from theory import notebook
from theory.claim import Claim, ClaimText, Evidence, Verdict, joint_verdict, weakest_evidence
from theory.counting import count_of
from theory.statement import Check, Identity, Inequality
from theory.twin import TwinVerdict, twin_id


@dataclass(frozen=True)
class Step:
    """One step: the rule that is used, the statement it gives, and (on first use) its check."""

    rule: str
    statement: Identity | Inequality

    @cached_property
    def check(self) -> Check:
        """The verdict on this step alone, from its own statement."""
        return self.statement.check()


@dataclass(frozen=True)
class Derivation:
    """The steps of a law. The last step's statement is the conclusion.

    `assumptions` are what every step may use (index ranges, signs, regularity), in words. `statement` is the law in
    LaTeX where the last step is not the law itself (an induction, say); by default it is the conclusion.
    """

    id: str
    title: str
    reference: str
    assumptions: tuple[str, ...]
    steps: tuple[Step, ...]
    statement: str | None = None

    @property
    def conclusion(self) -> Identity | Inequality:
        """What the derivation establishes."""
        return self.steps[-1].statement

    @property
    def identity(self) -> Identity:
        """The conclusion of a derivation that ends in an identity. Raises TypeError for an inequality."""
        if not isinstance(self.conclusion, Identity):
            raise TypeError(f"derivation {self.id!r} ends in an inequality, not an identity")
        return self.conclusion

    @property
    def verdict(self) -> Verdict:
        """`holds` only if every step holds."""
        return joint_verdict([step.check.verdict for step in self.steps])

    @property
    def evidence(self) -> Evidence:
        """The weakest evidence among the steps."""
        return weakest_evidence([step.check.evidence for step in self.steps])

    @property
    def text(self) -> ClaimText:
        """What the law says and rests on."""
        statement = self.statement or self.conclusion.latex
        return ClaimText(self.id, self.title, statement, self.reference, self.assumptions)

    def claim(self) -> Claim:
        """The conclusion as a claim, with the number of steps and the first step that is in doubt."""
        doubtful = [
            f"step {n} ({s.rule}): {s.check.detail}" for n, s in enumerate(self.steps, 1) if s.check.verdict != "holds"
        ]
        detail = doubtful[0] if doubtful else f"{count_of(len(self.steps), 'step')}, each checked where it stands"
        return self.text.judged(self.verdict, self.evidence, detail=detail)

    def _repr_html_(self) -> str:
        """For notebooks: see `theory.notebook`."""
        return notebook.derivation_html(self)

    def _repr_latex_(self) -> str:
        """For notebooks: see `theory.notebook`."""
        return notebook.derivation_latex(self)


@dataclass(frozen=True)
class FalseTwin:
    """A false statement near a true one, of the same kind, so that the same checker must refuse it (`theory.twin`).

    `seed` draws the stored witness: the instance `statement.draw(default_rng(seed))` violates the statement.
    """

    of: str
    title: str
    statement: Identity | Inequality
    seed: int = 0

    @property
    def id(self) -> str:
        """The twin's own id: that of the true claim and what was changed."""
        return twin_id(self.of, self.title)

    def verdict(self) -> TwinVerdict:
        """Whether the stored witness violates the statement, and whether its prover, asked alone, proves it."""
        return TwinVerdict(
            self.id,
            violated=self.statement.refute([self.seed]) is not None,
            proved=self.statement.prove() is not None,
        )


@dataclass(frozen=True)
class Law:
    """A law of the paper or of this project: how to derive it, and the false twins its checker must reject."""

    derive: Callable[[], Derivation]
    twins: Callable[[], list[FalseTwin]]

"""False theorems: statements near the true ones, each with a witness, that the theorems' own checks must refuse.

The prover of a theorem, asked alone, is the theorem with its assumptions, links and certificate but without a run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import log

from theory.coherence import ScheduleKind
from theory.setting import Measure, NoRuns, Setting
from theory.step_bounds import breaking_schedule
from theory.task import Statement, build_task, chain_of_thought_task, reversal_task
from theory.theorem import Conclusion, Theorem
from theory.theorems.laws import (
    INTERPOLATION,
    SANDWICH,
    UNSEEN_BOUND,
    UNSEEN_ORDER,
    interpolation_outcome,
    sandwich_outcome,
    unseen_outcome,
)
from theory.theorems.lower_bound import LOWER_BOUND
from theory.theorems.one_layer import ONE_LAYER, certified_visits, one_layer_outcome
from theory.theorems.separation import SEPARATION, AtMost, certified_dimension, exponent_outcome
from theory.twin import TwinVerdict, twin_id


@dataclass(frozen=True)
class FalseTheorem:
    """A false theorem near the one with id `of`, a twin of it (`theory.twin`): `witness` makes the setting to run."""

    of: str
    title: str
    theorem: Theorem
    witness: Callable[[Measure], Setting]

    @property
    def id(self) -> str:
        """The twin's own id."""
        return twin_id(self.of, self.title)

    def verdict(self, measure: Measure) -> TwinVerdict:
        """Whether the runs of the witness violate the theorem, and whether its proof, without them, reaches it."""
        ran, alone = (self.theorem.check(self.witness(m)).verdict for m in (measure, NoRuns()))
        return TwinVerdict(self.id, violated=ran == "fails", proved=alone == "holds")


def _concluding(theorem: Theorem, conclusion: Conclusion) -> Theorem:
    """The theorem with another conclusion and the same proof, which does not support it."""
    return replace(theorem, conclusion=conclusion)


def _without(theorem: Theorem, assumption: str) -> Theorem:
    """The theorem with one assumption dropped."""
    return replace(theorem, assumptions=tuple(a for a in theorem.assumptions if a.id != assumption))


def _reversal(**numbers: float | int | None) -> Callable[[Measure], Setting]:
    return lambda measure: Setting(reversal_task(5, vocabulary=30), measure, **numbers)  # type: ignore[arg-type]


def _chain(**numbers: float | int | None) -> Callable[[Measure], Setting]:
    return lambda measure: Setting(chain_of_thought_task(4, 20), measure, **numbers)  # type: ignore[arg-type]


def _far_too_small(measure: Measure) -> Setting:
    """Theorem 1 at a ten-thousandth of a dimension that is certified: about half of all draws exceed the exponent."""
    asked = Setting(reversal_task(5, vocabulary=30), measure, epsilon=1e-3, init_scale=0.0, draws=40)
    certified = certified_dimension(asked, "flow", AtMost(asked.epsilon)).dimension
    assert certified is not None
    return replace(asked, dimension=float(certified // 10**4))


BREAKING_SIZE, BREAKING_STEP = 8, Fraction(8)  # eta*(8) is about 4.25


def breaking_setting(measure: Measure) -> Setting:
    """One row that first moves a little towards one target and then far towards another: the first falls below unseen.

    A pair of weight w_k among K moves its row by K w_k eta, which makes the schedule's shares of a step.
    """
    schedule = breaking_schedule(BREAKING_SIZE, BREAKING_STEP)
    assert schedule is not None
    weights = [float(visit.weight) for visit in schedule]
    task = build_task(
        "breaking",
        [Statement(("a",), f"target {k}", "r", weight) for k, weight in enumerate(weights)],
        [],
        vocabulary=BREAKING_SIZE,
    )
    rate = float(BREAKING_STEP) * sum(weights) / len(weights)
    return Setting(task, measure, learning_rate=rate, steps=len(weights), seed=0)  # seed 0 visits them in order


def false_theorems() -> tuple[FalseTheorem, ...]:
    """Every false theorem with its witness."""
    by_id = {theorem.id: theorem for theorem in (*SEPARATION, *LOWER_BOUND, *ONE_LAYER)}
    swapped = r"L_{\text{rev}}(t)/L_{\text{rev}}(0) \le (L(t)/L(0))^\epsilon"
    separation = by_id["theorem-1"]

    def opposite(id: str, kind: ScheduleKind) -> FalseTheorem:
        conclusion = Conclusion(swapped, lambda setting: exponent_outcome(setting, kind, swapped=True))
        witness = _chain() if id == "intransitivity" else _reversal()
        return FalseTheorem(id, "swapped inequality", _concluding(by_id[id], conclusion), witness)

    found = [
        opposite("theorem-1", "flow"),
        opposite("theorem-1-gd", "gd"),
        opposite("theorem-1-sgd", "reshuffled"),
        opposite("intransitivity", "flow"),
    ]
    found += [
        # about half of all draws have a negative sum of weights, and an exponent of some 1e-5 at this dimension
        FalseTheorem(
            "theorem-1",
            "exponent below the measured one",
            separation,
            _reversal(epsilon=1e-8, dimension=1e7, init_scale=0.0, draws=40),
        ),
        FalseTheorem("theorem-1", "dimension too small by 1e4", separation, _far_too_small),
        FalseTheorem(
            "theorem-2",
            "reversal loss above its start",
            _without(by_id["theorem-2"], "reversal-floor"),
            _reversal(reversal_floor=1.05 * log(30), dimension=1e8, draws=40),
        ),
        FalseTheorem(
            "theorem-2-gd",
            "reversal loss above its start",
            _without(by_id["theorem-2-gd"], "reversal-floor"),
            _reversal(reversal_floor=1.05 * log(30), dimension=1e8, draws=40, loss_target=1.0),
        ),
        FalseTheorem(
            "theorem-2-sgd",
            "reversal loss above its start",
            _without(by_id["theorem-2-sgd"], "reversal-floor"),
            _reversal(reversal_floor=1.05 * log(30), dimension=1e9, draws=40, loss_target=1.0),
        ),
    ]
    for id, witness in (("theorem-3", _reversal()), ("theorem-4", _chain())):
        theorem = by_id[id]
        found += [
            FalseTheorem(
                id,
                "half the bound of untrained pairs",
                _concluding(theorem, Conclusion(r"p \le 1/(2M)", lambda s: one_layer_outcome(s, share=0.5))),
                witness,
            ),
            FalseTheorem(
                id,
                "learnt after too few visits",
                _concluding(
                    theorem,
                    Conclusion(
                        r"p \ge 1 - a \text{ after } k - \dots",
                        lambda s: one_layer_outcome(s, visits=certified_visits(s).certified_too_few),
                    ),
                ),
                witness,
            ),
        ]
    found += [
        FalseTheorem(
            "interpolation-law",
            "under Adam",
            _concluding(
                INTERPOLATION,
                Conclusion("the law under Adam", lambda s: interpolation_outcome(s, optimizers=("adam",))),
            ),
            _reversal(),
        ),
        FalseTheorem(
            "unseen-target-bound",
            "half the bound",
            _concluding(UNSEEN_BOUND, Conclusion(r"p \le 1/(2M)", lambda s: unseen_outcome(s, share=0.5))),
            _reversal(),
        ),
        FalseTheorem(
            "unseen-target-order",
            "for every step size",
            _without(UNSEEN_ORDER, "step"),
            breaking_setting,
        ),
        FalseTheorem(
            "sgd-sandwich",
            "a twentieth of the gap",
            _concluding(
                SANDWICH,
                Conclusion(r"(h_k - h(\eta k)) M/\eta \le 1/20", lambda s: sandwich_outcome(s, share=0.05)),
            ),
            _reversal(),
        ),
    ]
    return tuple(found)

"""Theorem 2 of arXiv 2405.04669: when the training loss has fallen to c, the reversal loss is still at least C.

It follows from Theorem 1 with eps <= log(L_rev(0)/C) / (log(L(0)/c) + j), where j is how far one epoch may carry log L
past log c (0 along the flow). Under SGD tau is the first end of an epoch with L <= c.
"""

import math
from dataclasses import dataclass

import numpy as np
from flint import arb

from theory.claim import Verdict
from theory.coherence import CoherenceBounds, Schedule, ScheduleKind
from theory.counting import count_of
from theory.exponent import loss_of
from theory.setting import NotMeasured, Setting
from theory.theorem import Assumption, Conclusion, Finding, Outcome, Theorem
from theory.theorems import lemmas
from theory.theorems.remains import what_remains
from theory.theorems.separation import (
    a_priori,
    dimension_assumptions,
    judged,
    proof_links,
    schedule_of,
    separation_certificate,
    shaping,
)

PAPER = "arXiv 2405.04669, Theorem 2"


def floor_of(setting: Setting) -> float:
    """C: the one that was asked for, else log(m/2), the largest that the theorem allows."""
    return math.log(setting.task.vocabulary_size / 2) if setting.reversal_floor is None else setting.reversal_floor


@dataclass(frozen=True)
class FloorKept:
    """The exponent that Theorem 2 allows, from the losses at the start: `target` c, `floor` C.

    Minus infinity where the reversal loss may start below C, infinity where else the loss starts at or below c.
    """

    target: float
    floor: float
    kind: ScheduleKind
    learning_rate: float

    def __call__(self, bounds: CoherenceBounds) -> float:
        reverse = min((query.loss for query in bounds.queries), key=lambda ball: float(ball.lower()))
        if not bool(reverse >= arb(self.floor)):
            return -math.inf  # even a reversal loss that never falls may be too low
        reach = (loss_of(bounds.log_odds[0]) / arb(self.target)).log()
        if bool(reach <= 0):
            return math.inf  # tau = 0
        if self.kind != "flow":
            amount = Schedule.descent(self.kind, self.learning_rate, bounds.contexts).amount
            # no log-odds rises by more in an epoch, and log L falls by no more than log-odds rise
            reach = reach + amount * (2 + 4 * bounds.coherence) * (1 + bounds.coherence + bounds.row_sum)
        allowed = (reverse / arb(self.floor)).log() / reach
        return max(float(allowed.lower()), 0.0)


def floor_kept(setting: Setting, kind: ScheduleKind) -> FloorKept:
    """What Theorem 2 allows in a setting."""
    rate = 0.0 if kind == "flow" else setting.rate(kind)
    return FloorKept(setting.loss_target, floor_of(setting), kind, rate)


def check_floor(setting: Setting) -> Finding:
    """C <= log(m/2)."""
    floor, most = floor_of(setting), math.log(setting.task.vocabulary_size / 2)
    verdict: Verdict = "holds" if floor <= most else "fails"
    return Finding(verdict, f"C <= log(m/2) = {most:.6g}", f"C = {floor:.6g}", margin=most - floor)


def check_target(setting: Setting) -> Finding:
    """0 < c < log m."""
    most = math.log(setting.task.vocabulary_size)
    verdict: Verdict = "holds" if setting.loss_target < most else "fails"
    target = setting.loss_target
    return Finding(verdict, f"c < log m = {most:.6g}", f"c = {target:g}", margin=most - target)


def floor_outcome(setting: Setting, kind: ScheduleKind) -> Outcome:
    """The smallest reversal loss over the draws where the training loss first reaches c, against C."""
    floor = floor_of(setting)
    allowed = floor_kept(setting, kind)
    before = a_priori(setting, kind, allowed)
    if before is None:
        return Outcome("undecided", "certified", bound=floor, detail="no dimension is certified; give one")
    try:
        drawn = setting.measure.separation(setting, before.dimension, schedule_of(setting, kind))
    except NotMeasured as reason:
        verdict: Verdict = "holds" if before.certain else "undecided"
        return Outcome(verdict, "certified", bound=floor, detail=f"not measured: {reason}")
    reached = drawn.reversal_loss[np.isfinite(drawn.reversal_loss)]
    failures = int((reached < floor).sum())
    what = f"L_rev >= {floor:.6g} where L first is {setting.loss_target:g}"
    verdict, evidence, detail = judged(setting, drawn, before, allowed, failures, len(reached), what)
    if len(reached) < len(drawn.reversal_loss):
        detail += f"; only {len(reached)} of {count_of(len(drawn.reversal_loss), 'run')} get there (see --steps)"
    measured = float(reached.min()) if len(reached) else None
    return Outcome(verdict, evidence, measured, floor, detail)


def lower_bound_theorem(id: str, title: str, reference: str, kind: ScheduleKind) -> Theorem:
    """Theorem 2 for one schedule."""
    return Theorem(
        id=id,
        title=title,
        reference=reference,
        statement=r"\Pr\left[L_{\text{rev}}(\tau) \ge C \text{ at the first } \tau \text{ with } L(\tau) \le c\right] "
        r"\ge 1 - \delta",
        task="reversal",
        assumptions=(
            *shaping(kind),
            Assumption("reversal-floor", r"C \le \log(m/2)", check_floor),
            Assumption("loss-target", r"0 < c < \log m", check_target),
            *dimension_assumptions(kind, lambda setting: floor_kept(setting, kind)),
        ),
        conclusion=Conclusion(r"L_{\text{rev}}(\tau) \ge C", lambda setting: floor_outcome(setting, kind)),
        links=(*proof_links(kind), lemmas.lower_bound),
        certificate=lambda setting: separation_certificate(setting, kind, floor_kept(setting, kind)),
        remains=what_remains,
    )


LOWER_BOUND = (
    lower_bound_theorem("theorem-2", "Lower bound of the reversal loss under gradient flow", PAPER, "flow"),
    lower_bound_theorem(
        "theorem-2-gd",
        "Lower bound of the reversal loss under gradient descent with a stated step size",
        f"{PAPER}; finite steps: this project",
        "gd",
    ),
    lower_bound_theorem(
        "theorem-2-sgd",
        "Lower bound of the reversal loss under SGD, epochs reshuffled, at the first end of an epoch with L <= c",
        f"{PAPER}; finite steps: this project",
        "reshuffled",
    ),
)

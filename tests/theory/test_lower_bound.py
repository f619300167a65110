"""What Theorem 2 allows, by hand and at the edges, and that every draw is judged by its own bounds."""

from dataclasses import replace
from math import inf, log

import numpy as np
import pytest
from flint import arb

from numerics.gram import Gram
from numerics.instance_bounds import instance_bounds
from theory.coherence import CoherenceBounds, Schedule, ScheduleKind
from theory.exponent import Exponent
from theory.separation import certify
from theory.setting import Separation, Setting
from theory.task import reversal_task
from theory.theorems.lower_bound import LOWER_BOUND, FloorKept
from theory.theorems.separation import APriori, judged
from validation.measurements import Measurements

SIZE = 30
TASK = reversal_task(4, vocabulary=SIZE)


def orthonormal(loss: float = log(SIZE)) -> CoherenceBounds:
    """The bounds at G = I from a zero start, but for the reversal loss at the start."""
    start = np.zeros((len(TASK.contexts), SIZE))
    bounds = instance_bounds(TASK, Gram.identity(SIZE), start)
    return replace(bounds, queries=tuple(replace(query, loss=arb(loss)) for query in bounds.queries))


@pytest.mark.parametrize("kind", ["flow", "gd", "reshuffled"])
def test_the_allowed_exponent_by_hand(kind: ScheduleKind) -> None:
    """log(L_rev(0)/C) / (log(L(0)/c) + j), at G = I with j = 2 s: learning rate / N for a full batch, whole for SGD."""
    rate, target, floor = 0.6, 0.1, log(SIZE / 2)
    jump = {"flow": 0.0, "gd": 2 * rate / TASK.trained_contexts, "reshuffled": 2 * rate}[kind]
    expected = log(log(SIZE) / floor) / (log(log(SIZE) / target) + jump)
    assert FloorKept(target, floor, kind, rate)(orthonormal()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["flow", "gd", "reshuffled"])
def test_a_start_below_the_floor_allows_nothing(kind: ScheduleKind) -> None:
    """Where L_rev may start below C not even an exponent of zero is enough, whatever the target."""
    bounds = orthonormal(loss=1.0)
    assert certify(bounds, Schedule.flow()).epsilon == 0.0
    for target in (0.1, 10.0):
        assert FloorKept(target, 1.01, kind, 1.0)(bounds) == -inf
        assert FloorKept(target, 0.99, kind, 1.0)(bounds) > 0


@pytest.mark.parametrize("kind", ["flow", "gd", "reshuffled"])
def test_a_start_at_the_target_allows_everything(kind: ScheduleKind) -> None:
    """With L(0) <= c the first time is the start, and nothing has to be proved of the run."""
    assert FloorKept(1.001 * log(SIZE), 1.0, kind, 1.0)(orthonormal()) == inf
    assert FloorKept(0.999 * log(SIZE), 1.0, kind, 1.0)(orthonormal()) < inf


def test_draws_are_judged_by_their_own_bounds() -> None:
    """Of two draws with one exponent, that whose reversal loss starts lower is not certified."""
    exponents = (Exponent("signed", Schedule.flow(), (0.05,), ()),) * 2
    bounds = (orthonormal(), orthonormal(loss=1.001 * log(SIZE / 2)))
    same = np.full(2, 0.05)
    drawn = Separation(same, same, 0 * same, same, np.full(2, 3.0), 0 * same, same, exponents, bounds, "two draws")
    allowed = FloorKept(0.1, log(SIZE / 2), "flow", 0.0)
    assert [allowed(b) >= 0.05 for b in bounds] == [True, False]
    before = APriori(1e8, exponents[0], -inf)
    _, _, detail = judged(Setting(TASK, Measurements()), drawn, before, allowed, 0, 2, "C kept")
    assert "1 of 2 draws are certified" in detail


def test_a_floor_above_the_start_is_said_as_such() -> None:
    """A start of large scale may lie below C: no dimension is certified, and the small-start finding says why."""
    theorem = LOWER_BOUND[0]
    setting = Setting(TASK, Measurements(), init_scale=0.5, draws=1)
    finding = {a.id: f for a, f in ((a, a.check(setting)) for a in theorem.assumptions)}["small-start"]
    assert finding.verdict == "undecided"
    assert finding.detail.endswith("no exponent is small enough, for the reversal loss may start below C")

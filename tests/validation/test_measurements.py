"""What is measured for theorems: errors that are stated are those that occur, and intervals are exact."""

import math

import numpy as np
import pytest

from numerics.descent import row_recursion
from numerics.gram import Gram
from numerics.kernels import Kernels
from theory.coherence import Schedule
from theory.setting import Setting
from theory.task import Statement, build_task, chain_of_thought_task, reversal_task
from validation.compare import rounding_tolerance
from validation.measurements import FALSE_ALARM, Measurements, _asked_weight

MEASURE = Measurements()


@pytest.mark.parametrize(("failures", "draws"), [(0, 20), (3, 20), (20, 20), (1, 400)])
def test_failure_intervals_are_exact(failures: int, draws: int) -> None:
    """At either end of the interval the outcome, or one further out, has half of the false-alarm rate."""

    def at_least(count: int, p: float) -> float:
        return sum(math.comb(draws, k) * p**k * (1 - p) ** (draws - k) for k in range(count, draws + 1))

    low, high = MEASURE.failure_interval(failures, draws)
    if failures:
        assert at_least(failures, low) == pytest.approx(FALSE_ALARM / 2, rel=1e-6)
    else:
        assert low == 0
    if failures < draws:
        at_most = sum(math.comb(draws, k) * high**k * (1 - high) ** (draws - k) for k in range(failures + 1))
        assert at_most == pytest.approx(FALSE_ALARM / 2, rel=1e-6)
    else:
        assert high == 1


def test_asked_rows_carry_the_errors_of_every_row() -> None:
    """sum |w_a| of the worst asked context: signs do not cancel, and a trained context is one row of weight one."""
    task = reversal_task(4, held_out=2, vocabulary=12)
    kernels = Kernels(task, Gram.draw(12, 200.0, np.random.default_rng(0)))
    weights = np.linalg.solve(kernels.trained_kernel, kernels.cross_kernel)
    asked = [q.context - task.trained_contexts for q in task.queries]
    assert _asked_weight(kernels) == pytest.approx(max(np.abs(weights[:, q]).sum() for q in asked), rel=1e-9)
    chains = chain_of_thought_task(3, 12)
    assert _asked_weight(Kernels(chains, Gram.draw(12, 200.0, np.random.default_rng(0)))) == 1.0


@pytest.mark.parametrize(("rate", "known"), [(3.0, True), (4.2, False)])
def test_steps_that_may_move_runs_apart_leave_nothing_sure(rate: float, known: bool) -> None:
    """Up to 4/(G_aa lambda_max(G)) the error of SGD is its rounding, beyond it nothing bounds what is measured."""
    setting = Setting(reversal_task(2, vocabulary=8), MEASURE, draws=2, learning_rate=rate, steps=60)
    drawn = MEASURE.separation(setting, 1e9, Schedule.descent("reshuffled", rate, 3))
    assert np.isfinite(drawn.measured_error).all() == known
    assert np.isfinite(drawn.measured).all()


def test_what_is_left_of_a_settled_loss_is_bounded_and_nearly_that() -> None:
    """Late the loss lies above the conditional entropy by at most the stated remainder, at least a tenth of it."""
    rows = [Statement(("a",), "t", "r"), Statement(("a",), "u", "r"), Statement(("b",), "v", "r")]
    task = build_task("two targets", rows, [Statement(("q",), "a", "r")], vocabulary=9)
    settled, remaining = MEASURE.settled_loss(Setting(task, MEASURE))
    above = settled - task.loss_floor
    assert 0.1 * remaining < above < remaining


def test_the_gap_of_the_sandwich_is_that_of_the_recursion() -> None:
    """(h_k - h(eta k)) M/eta from the run is that of the scalar recursion and of the flow's own clock."""
    size, visits = 12, 15
    setting = Setting(reversal_task(3, vocabulary=size), MEASURE, learning_rate=1.5)
    h = row_recursion(size, 1.5, visits)[-1]
    # the flow is at h_flow when ((M-1) M h + e^(M h) - 1)/M = eta k
    low, high = 0.0, h
    for _ in range(80):
        middle = (low + high) / 2
        clock = ((size - 1) * size * middle + math.expm1(size * middle)) / size
        low, high = (middle, high) if clock < 1.5 * visits else (low, middle)
    gap = (h - low) * size / 1.5
    run = MEASURE.one_layer(setting, visits)
    assert run.gap == pytest.approx((gap, gap), abs=1e-9)
    assert 0 < gap < 1


def test_rounding_is_excused_by_a_small_factor_only() -> None:
    """Four roundings a step and a term; a plain sum of 2 d terms in double precision stays within that."""
    dimension, steps = 1_000, 50
    tolerance = rounding_tolerance(steps, dimension, [], 1.0)
    assert tolerance == pytest.approx(4 * 2.0**-52 * (50 + 2_000), rel=1e-12)
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(50):
        terms = rng.normal(size=2 * dimension) / math.sqrt(2 * dimension)
        worst = max(worst, abs(float(sum(terms.tolist())) - math.fsum(terms)))
    assert 0 < worst < tolerance

"""Exponents of Theorem 1: their limits, their false twins, and that a certificate is never below what a run shows."""

import math
from dataclasses import replace

import numpy as np
import pytest
from flint import arb

from numerics.descent import DescentSettings, descent_changes
from numerics.flow import flow_changes
from numerics.gram import Gram
from numerics.instance_bounds import instance_bounds
from theory.coherence import CoherenceBounds, Schedule, ScheduleKind
from theory.exponent import loss_of, loss_share
from theory.separation import certify
from theory.signed_chain import region_conditions, signed
from theory.task import Task, chain_of_thought_task, reversal_task
from theory.two_phase import eigenvalue_exponent, two_phase

FLOW = Schedule.flow()
SCHEDULES = [FLOW, *(Schedule.descent(kind, 0.5, 5) for kind in ("gd", "cyclic", "reshuffled"))]


def instance(task: Task, dimension: float, scale: float, seed: int = 0) -> tuple[Gram, np.ndarray, CoherenceBounds]:
    """One draw with its bounds."""
    rng = np.random.default_rng(seed)
    gram = Gram.draw(task.vocabulary_size, dimension, rng)
    start = gram.initial_logits(task.features, scale, rng)
    return gram, start, instance_bounds(task, gram, start)


def orthonormal(task: Task) -> CoherenceBounds:
    """Bounds at G = I and a zero start."""
    return instance_bounds(
        task, Gram.identity(task.vocabulary_size), np.zeros((len(task.contexts), task.vocabulary_size))
    )


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.kind)
def test_orthonormal_embeddings_never_lose(schedule: Schedule) -> None:
    """At G = I and a zero start the reversal loss does not fall at all: the signed exponent is zero."""
    assert signed(orthonormal(reversal_task(3, vocabulary=10)), schedule).epsilon == 0.0


def test_chains_at_orthonormal_embeddings_never_lose() -> None:
    """At G = I the row of A is trained away from C: the loss of A ~> C never falls."""
    assert signed(orthonormal(chain_of_thought_task(3)), FLOW).epsilon == 0.0


def test_signed_exponent_tends_to_first_order() -> None:
    """From zero at huge d the exponent is |sum w|/(m-1) times log(1/phi)/(1 - phi), where the sum is negative."""
    task = reversal_task(10, vocabulary=100)
    found = []
    for seed in range(12):
        gram, _, bounds = instance(task, 1e18, 0.0, seed)
        trained, query = [c[0] for c in task.contexts[:19]], task.contexts[task.queries[0].context][0]
        weight = gram.excess[query, trained]  # w to first order
        if weight.sum() >= -0.5 / np.sqrt(1e18):
            continue
        remaining = np.log(100 - (weight < 0).sum()) / np.log(100)  # tokens that no row pulls down
        expected = -weight.sum() / 99 * np.log(1 / remaining) / (1 - remaining)
        found.append(signed(bounds, FLOW).epsilon / expected)
    assert found
    assert max(abs(np.array(found) - 1)) < 1e-3  # what is left is O(m (mu + Gamma)) = 1e-5 times sum |w| / |sum w|


def test_exponent_is_within_ten_of_the_yardstick() -> None:
    """n <= 50, m <= 500, d >= 1e12: the exponent is at most 10 |sum w|/m plus what the start of scale 0.01 leaves."""
    factors = []
    for pairs, size, scale in ((50, 500, 0.0), (50, 500, 0.01), (10, 100, 0.01), (1, 20, 0.0)):
        task = reversal_task(pairs, vocabulary=size)
        for seed in range(3):
            _, _, bounds = instance(task, 1e12, scale, seed)
            assert bounds.queries[0].signed is not None
            yardstick = abs(bounds.queries[0].signed.coupling.sum()) / size
            factors.append(signed(bounds, FLOW).epsilon / yardstick)
    assert max(factors) <= 10
    assert np.median(factors) <= 2


def test_two_phase_improves_on_one_phase() -> None:
    """Changing the argument late gains; the classical exponent by eigenvalues is larger still."""
    task = reversal_task(10, vocabulary=100)
    rng = np.random.default_rng(0)
    gram = Gram.draw(100, 1e8, rng)
    bounds = instance_bounds(task, gram, gram.initial_logits(task.features, 0.01, rng), eigenvalues=True)
    assert two_phase(bounds, FLOW).epsilon < 0.5 * eigenvalue_exponent(bounds) < 1


@pytest.mark.parametrize("factor", [2.0, 4.0])
def test_exponents_grow_with_coherence(factor: float) -> None:
    """Larger couplings never give a smaller exponent: each bound enters with the right sign."""
    _, _, bounds = instance(reversal_task(3, vocabulary=12), 1e9, 0.01)
    for chain in (two_phase, signed):
        before = chain(bounds, FLOW).epsilon
        for field in ("coherence", "row_sum", "logit_range"):
            worse = replace(bounds, **{field: getattr(bounds, field) * factor})
            assert chain(worse, FLOW).epsilon >= before * (1 - 1e-4), field  # the region is found to 1e-5
        query = bounds.queries[0]
        worse = replace(bounds, queries=(replace(query, loss=query.loss / factor),))
        assert chain(worse, FLOW).epsilon > before


@pytest.mark.parametrize("kind", ["gd", "cyclic", "reshuffled"])
def test_steps_cost_something_and_vanish(kind: ScheduleKind) -> None:
    """The exponent of descent is at least that of the flow, and tends to it with the step size."""
    _, _, bounds = instance(reversal_task(3, vocabulary=12), 1e8, 0.01)
    flow = signed(bounds, FLOW).epsilon
    steps = [signed(bounds, Schedule.descent(kind, rate, 5)).epsilon for rate in (1e-9, 0.1, 1.0)]
    assert flow * (1 - 1e-4) <= steps[0] <= steps[1] * (1 + 1e-4) <= steps[2] * (1 + 1e-3)
    if kind != "reshuffled":  # two visits of another row between two of one: never quite the flow
        assert steps[0] == pytest.approx(flow, rel=1e-4)


def test_too_large_steps_are_refused() -> None:
    """Steps beyond the log-odds' map or the smoothness limit have no certificate, and the condition says which."""
    _, _, bounds = instance(reversal_task(3, vocabulary=12), 1e10, 0.01)
    sgd, gd = signed(bounds, Schedule.descent("cyclic", 5.0, 5)), two_phase(bounds, Schedule.descent("gd", 100.0, 5))
    assert math.isinf(sgd.epsilon)
    assert "step within the log-odds' map" in [c.name for c in sgd.failed]
    assert math.isinf(gd.epsilon)
    assert "step below the smoothness limit" in [c.name for c in gd.failed]
    with pytest.raises(ValueError, match="signed chain"):
        two_phase(bounds, Schedule.descent("cyclic", 0.1, 5))


def test_large_coherence_is_refused() -> None:
    """At a small dimension the signed chain says nothing rather than something false."""
    _, _, bounds = instance(reversal_task(10, vocabulary=100), 1e5, 0.01)
    exponent = signed(bounds, FLOW)
    assert math.isinf(exponent.epsilon)
    assert exponent.failed[0].name == "coherence"


def changes(task: Task, gram: Gram, start: np.ndarray, schedule: Schedule, rate: float) -> list[np.ndarray]:
    """S - S(0) along the schedule: late times of the flow, ends of epochs of descent."""
    contexts = task.trained_contexts
    if schedule.kind == "flow":
        return list(flow_changes(task, gram, start, np.geomspace(1e-2, 1e8, 30) * contexts))
    full = schedule.kind == "gd"
    epoch, order = 1 if full else contexts, "cyclic" if schedule.kind == "cyclic" else "reshuffled"
    settings = DescentSettings("gd" if full else "sgd", rate, batch="full" if full else "one", order=order)
    return list(descent_changes(task, gram, start, settings, 60 * epoch, np.arange(1, 61) * epoch))


@pytest.mark.parametrize("rate", [0.3, 2.0])
@pytest.mark.parametrize("kind", ["flow", "gd", "cyclic", "reshuffled"])
def test_no_row_leaves_the_region(kind: ScheduleKind, rate: float) -> None:
    """Ranges of non-target logits stay within D and gaps of log-odds within Delta, on every run."""
    task = reversal_task(2, vocabulary=8)
    schedule = FLOW if kind == "flow" else Schedule.descent(kind, rate, task.trained_contexts)
    gram, start, bounds = instance(task, 1e7, 0.05, seed=3)
    exponent = signed(bounds, schedule)
    assert exponent.range is not None
    assert exponent.log_odds_gap is not None
    rows, targets = np.arange(task.trained_contexts), task.train_target
    largest_range, largest_gap = 0.0, 0.0
    for change in changes(task, gram, start, schedule, rate):
        logits = (start + change)[: task.trained_contexts]
        others = np.where(np.arange(8) == targets[:, None], np.nan, logits)
        log_odds = logits[rows, targets] - np.log(np.nansum(np.exp(others), axis=1))
        largest_range = max(largest_range, float(np.max(np.nanmax(others, axis=1) - np.nanmin(others, axis=1))))
        largest_gap = max(largest_gap, float(np.ptp(log_odds)))
    assert largest_range <= exponent.range
    # at the end of an epoch of SGD rows may be a visit apart in what others did to them: a coherence, not a step
    assert largest_gap <= exponent.log_odds_gap + float(schedule.amount) * float(bounds.row_sum) * 4
    assert exponent.range <= 20 * largest_range + 0.2  # and the region is not an empty promise


def test_region_conditions_reject_a_smaller_region() -> None:
    """A region of half the size is refused: some condition of it fails."""
    _, _, bounds = instance(reversal_task(3, vocabulary=12), 1e9, 0.01)
    exponent = signed(bounds, FLOW)
    assert exponent.range is not None
    assert exponent.log_odds_gap is not None
    whole = [c.holds for c in region_conditions(bounds, FLOW, arb(exponent.range), arb(exponent.log_odds_gap))]
    assert all(whole)
    for spread, gap in ((exponent.range / 2, exponent.log_odds_gap), (exponent.range, exponent.log_odds_gap / 2)):
        assert not all(c.holds for c in region_conditions(bounds, FLOW, arb(spread), arb(gap)))


def test_loss_share() -> None:
    """K at loss l is l/(1 - e^-l): 1 at zero, log(m) m/(m-1) at log m, and loss_of inverts log-odds."""
    assert loss_share(arb(0)) == 1
    assert float(loss_share(arb(100).log())) == pytest.approx(math.log(100) * 100 / 99, rel=1e-14)
    assert float(loss_of(-arb(99).log())) == pytest.approx(math.log(100), rel=1e-14)


def test_certify_takes_the_better_chain() -> None:
    """Per query the smaller of both chains; the two-phase chain where signs are of no use."""
    _, _, near = instance(reversal_task(10, vocabulary=100), 1e6, 0.01)
    assert certify(near, FLOW).epsilon == two_phase(near, FLOW).epsilon
    _, _, far = instance(reversal_task(10, vocabulary=100), 1e12, 0.01)
    assert certify(far, FLOW).epsilon == signed(far, FLOW).epsilon

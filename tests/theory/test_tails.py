"""A-priori bounds: tails against exact distributions, shares that add up, and the certified dimension."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from scipy.stats import chi2, norm

from numerics.gram import Gram
from numerics.instance_bounds import instance_bounds
from theory.coherence import Schedule
from theory.tails import (
    SHARES,
    Event,
    TaskShape,
    a_priori_bounds,
    absolute_sum_tail,
    bisect_dimension,
    chi_square_tail,
    deviation_for,
    events,
    normal_tail,
)
from theory.task import Statement, Task, build_task, chain_of_thought_task, reversal_task

FLOW = Schedule.flow()
TASK = reversal_task(10, vocabulary=100)


def at_most(epsilon: float) -> object:
    """The exponent allowed by Theorem 1."""
    return lambda bounds: epsilon


@pytest.mark.parametrize("degrees", [1, 2, 7, 100, 10_000])
@pytest.mark.parametrize("x", [0.01, 0.1, 0.9, 3.0])
def test_chi_square_tail_is_above_both_tails(degrees: int, x: float) -> None:
    """The bound is at least P(chi^2_k >= k (1+x)) and P(chi^2_k <= k (1-x)), and no more than 40 times the former."""
    bound = float(chi_square_tail(degrees, arb(x)))
    upper = chi2.sf(degrees * (1 + x), degrees)
    assert bound >= upper
    assert bound >= chi2.cdf(degrees * (1 - x), degrees)
    # Chernoff loses a factor of the order of sqrt(2 pi k) x
    assert bound <= 40 * max(upper, 1e-300) * max(1.0, x * math.sqrt(degrees)) or bound < 1e-200


@pytest.mark.parametrize("y", [0.0, 0.5, 2.0, 8.0, 30.0])
def test_normal_tail_is_exact(y: float) -> None:
    """P(|Z| > y) of SciPy to 12 digits."""
    assert float(normal_tail(arb(y))) == pytest.approx(2 * norm.sf(y), rel=1e-12)


@pytest.mark.parametrize("terms", [1, 5, 60])
def test_absolute_sum_tail_is_above_the_simulated_tail(terms: int) -> None:
    """No threshold z is passed more often than e^(-z^2/2), by more than five standard errors."""
    draws = 200_000
    sums = np.abs(np.random.default_rng(terms).normal(size=(draws, terms))).sum(axis=1)
    for z in (0.5, 1.0, 2.0, 3.0):
        share = float((sums > terms * math.sqrt(2 / math.pi) + math.sqrt(terms) * z).mean())
        assert share <= float(absolute_sum_tail(arb(z))) + 5 * math.sqrt(share / draws)


def test_deviation_is_enough_and_nearly_the_smallest() -> None:
    """The tail at the deviation is at most the share; a thousandth below it is not."""
    deviation = deviation_for(normal_tail, 1e-6)
    assert bool(normal_tail(arb(deviation)) <= 1e-6)
    assert not bool(normal_tail(arb(deviation * 0.999)) <= 1e-6)


def test_shares_add_up_to_delta() -> None:
    """Exactly: the six shares, as the decimals they are written, sum to one."""
    assert sum(Fraction(repr(share)) for share in SHARES.values()) == 1
    found = events(TaskShape.of(TASK), 10**8, 0.05)
    assert {event.name for event in found} == set(SHARES)
    assert sum(event.share for event in found) <= 0.05 * (1 + 1e-12)


def test_counts_of_events() -> None:
    """Union bounds run over 2 m lengths, all pairs of tokens, N rows, one query context and (N + 1) m logits."""
    count = {event.name: event.count for event in events(TaskShape.of(TASK), 10**8, 0.05)}
    assert count == {
        "lengths": 200,
        "products": 4950,
        "row sums": 19,
        "query norms": 1,
        "query sums": 1,
        "start": 2000,
    }
    chain = {event.name: event.count for event in events(TaskShape.of(chain_of_thought_task(4)), 10**8, 0.05)}
    assert (chain["query norms"], chain["query sums"]) == (8, 0)


def test_bounds_hold_as_often_as_they_claim() -> None:
    """At delta = 0.3 at least 70% of 300 draws obey every bound (in fact all but a few: union bounds are generous)."""
    task, delta, dimension, scale = reversal_task(2, vocabulary=6), 0.3, 400, 0.1
    bounds = a_priori_bounds(TaskShape.of(task), dimension, delta, scale)
    obeyed = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        gram = Gram.draw(6, dimension, rng)
        drawn = instance_bounds(task, gram, gram.initial_logits(task.features, scale, rng))
        pairs = [
            (drawn.coherence, bounds.coherence),
            (drawn.row_sum, bounds.row_sum),
            (drawn.logit_range, bounds.logit_range),
            (bounds.log_odds[0], drawn.log_odds[0]),
            (drawn.log_odds[1], bounds.log_odds[1]),
        ]
        for q, p in zip(drawn.queries, bounds.queries, strict=True):
            pairs += [(q.one_norm, p.one_norm), (q.two_norm, p.two_norm), (p.loss, q.loss)]
            pairs += [(q.largest, p.largest), (p.smallest, q.smallest)]
        obeyed += all(bool(less <= more) for less, more in pairs)
    assert obeyed >= 0.7 * 300
    tight = a_priori_bounds(TaskShape.of(task), dimension, 0.999, scale)
    assert float(tight.row_sum) < float(bounds.row_sum)


def test_certified_dimension_of_the_reference_setting() -> None:
    """n = 10, m = 100, eps = 0.1, delta = 0.05, sigma = 0.01: at most 1e6, and one less is not certified."""
    shape = TaskShape.of(TASK)
    found = bisect_dimension(shape, at_most(0.1), 0.05, 0.01, FLOW)  # type: ignore[arg-type]
    assert found.dimension is not None
    assert found.dimension <= 10**6
    assert found.exponent.epsilon <= 0.1
    from theory.separation import certify

    assert certify(a_priori_bounds(shape, found.dimension - 1, 0.05, 0.01), FLOW).epsilon > 0.1


def test_certified_dimension_moves_the_right_way() -> None:
    """It grows with 1/eps, 1/delta, the initial scale and the number of pairs."""

    def dimension(epsilon: float = 0.1, delta: float = 0.05, scale: float = 0.01, pairs: int = 5) -> int:
        shape = TaskShape.of(reversal_task(pairs, vocabulary=50))
        found = bisect_dimension(shape, at_most(epsilon), delta, scale, FLOW).dimension  # type: ignore[arg-type]
        assert found is not None
        return found

    usual = dimension()
    assert dimension(epsilon=0.01) > usual
    assert dimension(delta=1e-6) > usual
    assert dimension(scale=0.3) > usual
    assert dimension(pairs=20) > usual


def test_no_dimension_for_an_exponent_out_of_reach() -> None:
    """No dimension up to 1e30 certifies an exponent of 1e-20, and None says so."""
    found = bisect_dimension(TaskShape.of(TASK), at_most(1e-20), 0.05, 0.01, FLOW)  # type: ignore[arg-type]
    assert found.dimension is None
    assert found.exponent.epsilon > 1e-20


def test_shape_of_a_task() -> None:
    """Shared targets, answers that are targets, and trained query contexts are what the law depends on."""
    task: Task = build_task(
        "shared",
        [Statement(("a",), "t", "r"), Statement(("b",), "t", "r"), Statement(("c",), "a", "r")],
        [Statement(("t",), "a", "r"), Statement(("a",), "c", "r")],
    )
    shape = TaskShape.of(task)
    assert (shape.same_target, shape.targets, shape.untrained_contexts) == (1, 2, 1)
    assert {(q.trained, q.answer_targets) for q in shape.queries} == {(False, 1), (True, 0)}
    with pytest.raises(ValueError, match="single-target"):
        TaskShape.of(build_task("two", [Statement(("a",), "t", "r"), Statement(("a",), "u", "r")], []))


def test_event_is_a_record() -> None:
    """An event says its share, how many there are and the deviation that is allowed."""
    assert Event("n", "s", 0.1, 2, 3.0).deviation == 3.0


def test_no_dimension_and_a_tail_that_never_falls_are_refused() -> None:
    """Embeddings without a dimension, and a tail that stays above the probability, are errors and no endless search."""
    with pytest.raises(ValueError, match="at least one dimension, got 0"):
        events(TaskShape.of(reversal_task(2)), 0, 0.1)
    with pytest.raises(ArithmeticError, match="never falls"):
        deviation_for(lambda x: arb(1), 0.1)

"""A-priori bounds: tails against exact distributions, shares that add up, and the certified dimension."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from scipy.stats import binomtest, chi2, norm

from numerics.gram import Gram
from numerics.instance_bounds import instance_bounds
from theory.coherence import CoherenceBounds, Schedule
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


# -- every constant against an instance at the edge of what the events allow --
SHARED = build_task(
    "shared targets",
    [Statement((f"a{i}",), "t" if i < 3 else f"b{i}", "r") for i in range(6)],
    [Statement(("q",), "x", "r")],
    vocabulary=16,
)
SEVERAL = build_task(
    "several answers",
    [Statement((f"a{i}",), f"b{i}", "r") for i in range(3)],
    [Statement(("q",), "x", "r"), Statement(("q",), "y", "r")],
    vocabulary=10,
)
DELTA, SCALE, DIMENSION = 0.2, 0.3, 2_000


def largest_start(shape: TaskShape) -> float:
    """sigma |v|^2 y, the largest |S_ij(0)| that the events allow, from their statements."""
    by_name = {event.name: event.deviation for event in events(shape, DIMENSION, DELTA)}
    return SCALE * (1 + by_name["lengths"]) * by_name["start"]


@pytest.mark.parametrize("task", [SHARED, SEVERAL, reversal_task(3, vocabulary=9)], ids=lambda t: t.name)
def test_the_worst_start_attains_every_bound(task: Task) -> None:
    """Starts of +-sigma |v|^2 y reach the bounds on range, log-odds, loss and probabilities, and never pass them."""
    shape = TaskShape.of(task)
    bounds = a_priori_bounds(shape, DIMENSION, DELTA, SCALE)
    most, m = largest_start(shape), task.vocabulary_size
    target = dict(zip(task.train_context.tolist(), task.train_target.tolist(), strict=True))

    def found(query_high: set[int]) -> CoherenceBounds:
        start = np.full((len(task.contexts), m), most)
        start[0, target[0]] = -most  # the lowest log-odds
        start[1] = -start[0]  # the highest, if its own target is the one that is raised
        start[1] = np.where(np.arange(m) == target[1], most, -most)
        start[2] = np.where(np.arange(m) % 2 == 0, most, -most)  # the largest range
        query = task.queries[0]
        start[query.context] = [most if k in query_high else -most for k in range(m)]
        return instance_bounds(task, Gram.identity(m), start)

    answers = set(task.queries[0].answers)
    worst, other = found(answers), found(set(range(m)) - {task.queries[0].answers[0]})
    single = found({task.queries[0].answers[0]})
    bound, close = bounds.queries[0], {"rel": 1e-12}
    assert float(bounds.logit_range) == pytest.approx(float(worst.logit_range), **close)
    assert float(bounds.log_odds[0]) == pytest.approx(float(worst.log_odds[0]), **close)
    assert float(bounds.log_odds[1]) == pytest.approx(float(worst.log_odds[1]), **close)
    assert float(bound.loss) == pytest.approx(float(worst.queries[0].loss), **close)
    assert float(bound.largest) == pytest.approx(float(single.queries[0].largest), **close)
    assert float(bound.smallest) == pytest.approx(float(other.queries[0].smallest), **close)


def test_the_worst_couplings_attain_every_bound() -> None:
    """Where every |E_ij| is as large as events allow, mu and the sums over rows with one target are reached."""
    shape = TaskShape.of(SHARED)
    by_name = {event.name: event.deviation for event in events(shape, DIMENSION, DELTA)}
    bounds = a_priori_bounds(shape, DIMENSION, DELTA, SCALE)
    length = 1 + by_name["lengths"]
    most = max(math.sqrt(length / DIMENSION) * by_name["products"], by_name["lengths"])
    m = SHARED.vocabulary_size
    gram = Gram(float(DIMENSION), np.full((m, m), most))
    found = instance_bounds(SHARED, gram, np.zeros((len(SHARED.contexts), m)))
    for name in ("coherence", "same_target_sum", "target_sum"):
        assert float(getattr(bounds, name)) == pytest.approx(float(getattr(found, name)), rel=1e-12), name
    assert float(bounds.queries[0].largest_coupling) == pytest.approx(most, rel=1e-12)
    assert float(found.target_sum) == pytest.approx(3 * most, rel=1e-12)  # a row with another target sees all three
    assert float(found.same_target_sum) == pytest.approx(2 * most, rel=1e-12)


def test_what_is_counted_is_that_of_the_instance() -> None:
    """Trained or not, answers, rows that have the answer as target and free tokens are as in a drawn instance."""
    control = build_task(
        "control",
        [Statement(("a",), "b", "r"), Statement(("c",), "x", "r"), Statement(("e",), "x", "r")],
        [Statement(("q",), "x", "r")],
        vocabulary=9,
    )
    for task in (SHARED, SEVERAL, control, chain_of_thought_task(3, 12)):
        m = task.vocabulary_size
        before = a_priori_bounds(TaskShape.of(task), DIMENSION, DELTA, SCALE)
        drawn = instance_bounds(task, Gram.identity(m), np.zeros((len(task.contexts), m)))
        counted = [
            {(q.trained, q.answers, q.answer_targets, q.free_tokens) for q in bounds.queries}
            for bounds in (before, drawn)
        ]
        assert counted[0] == counted[1], task.name
        assert (before.contexts, before.vocabulary) == (drawn.contexts, drawn.vocabulary)


def violated(failures: int, draws: int, share: float) -> bool:
    """Whether so many failures refute, at 1e-9, that one draw fails with probability `share` at most."""
    return bool(binomtest(failures, draws, share, alternative="greater").pvalue < 1e-9)


def test_products_norms_and_starts_are_violated_as_often_as_their_share() -> None:
    """The share of 1,500 draws that breaks |v_i . v_j|, |G_qA| or |S(0)| is that of delta: not above, over half of it.

    At d = 1e10 lengths are one to 1e-4, so that nothing but the tail of each kind is left.
    """
    task, dimension, delta, draws = reversal_task(2, vocabulary=6), 10**10, 0.9, 1_500
    shape = TaskShape.of(task)
    bounds = a_priori_bounds(shape, dimension, delta, 0.1)
    by_name = {event.name: event for event in events(shape, dimension, delta)}
    token = [context[0] for context in task.contexts]
    trained, query = token[: task.trained_contexts], token[task.queries[0].context]
    broken = {"products": 0, "query norms": 0, "start": 0}
    for seed in range(draws):
        rng = np.random.default_rng([seed, 7])
        gram = Gram.draw(6, dimension, rng)
        start = gram.initial_logits(task.features, 0.1, rng)
        product = np.abs(np.triu(gram.excess, 1)).max()
        broken["products"] += bool(product > by_name["products"].deviation / math.sqrt(dimension))
        norm = np.linalg.norm(gram.excess[query, trained])
        broken["query norms"] += bool(norm > float(bounds.queries[0].two_norm))
        broken["start"] += bool(np.abs(start).max() > 0.1 * by_name["start"].deviation)
    for name, failures in broken.items():
        share = by_name[name].share
        assert not violated(failures, draws, share), name
        assert violated(failures, draws, share / 2), name


def test_lengths_are_violated_as_seldom_as_their_share() -> None:
    """Of 4,000 draws of embeddings in 40 dimensions no more break | |v|^2 - 1 | than their share of delta."""
    shape, dimension, delta, draws = TaskShape.of(reversal_task(1, vocabulary=4)), 40, 0.9, 4_000
    event = next(e for e in events(shape, dimension, delta) if e.name == "lengths")
    embeddings = np.random.default_rng(5).normal(size=(draws, 4, dimension)) / math.sqrt(dimension)
    off = np.abs((embeddings**2).sum(axis=2) - 1).max(axis=1)
    failures = int((off > event.deviation).sum())
    assert not violated(failures, draws, event.share)
    assert failures > 0.02 * draws * event.share  # Chernoff's bound loses a factor of some ten


def test_sums_of_couplings_are_violated_as_seldom_as_their_share() -> None:
    """Of 40 draws with 59 rows none breaks the row sums or the sum |G_qa|, and none is below half of either bound."""
    task, dimension, delta = reversal_task(30, vocabulary=62), 10**10, 0.9
    bounds = a_priori_bounds(TaskShape.of(task), dimension, delta, 0.0)
    token = [context[0] for context in task.contexts]
    trained, query = token[: task.trained_contexts], token[task.queries[0].context]
    for seed in range(40):
        gram = Gram.draw(62, dimension, np.random.default_rng([seed, 9]))
        coupling = np.abs(gram.excess[np.ix_(trained, trained)])
        np.fill_diagonal(coupling, 0.0)
        for found, bound in (
            (coupling.sum(axis=1).max(), bounds.row_sum),
            (np.abs(gram.excess[query, trained]).sum(), bounds.queries[0].one_norm),
        ):
            assert 0.5 * float(bound) < found <= float(bound)
    # the same sum to the last digit, from the statement of the events
    by_name = {e.name: e.deviation for e in events(TaskShape.of(task), dimension, delta)}
    unit, mean = math.sqrt((1 + by_name["lengths"]) / dimension), math.sqrt(2 / math.pi)
    rows = unit * (58 * mean + math.sqrt(58) * by_name["row sums"])
    total = unit * (59 * mean + math.sqrt(59) * by_name["query sums"])
    norm = unit * math.sqrt(59 * (1 + by_name["query norms"]))
    assert float(bounds.row_sum) == pytest.approx(rows, rel=1e-12)
    assert float(bounds.queries[0].one_norm) == pytest.approx(total, rel=1e-12)
    assert float(bounds.queries[0].two_norm) == pytest.approx(norm, rel=1e-12)
    chains = a_priori_bounds(TaskShape.of(chain_of_thought_task(4)), dimension, delta, 0.0)
    assert chains.queries[0].one_norm.identical(chains.row_sum)  # of a trained row: its own sum

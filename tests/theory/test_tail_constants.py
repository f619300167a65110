"""Every constant of the a-priori bounds against instances at the edge of the events, and against simulated tails."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from numerics.gram import Gram
from numerics.instance_bounds import instance_bounds
from theory.coherence import CoherenceBounds
from theory.tails import TaskShape, a_priori_bounds, events
from theory.task import Statement, Task, build_task, chain_of_thought_task, reversal_task

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
    assert chains.queries[0].one_norm is chains.row_sum  # of a trained row: its own sum

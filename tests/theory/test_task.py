"""Tasks: numbering, weights, targets and queries of built tasks, and the two tasks of arXiv 2405.04669."""

import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.task import (
    BACKWARD,
    CHAIN,
    FORWARD,
    Query,
    Statement,
    Task,
    TaskError,
    build_task,
    chain_of_thought_task,
    first_pairs,
    reversal_task,
)

# sums and quotients of a few dozen doubles of order one: a hundred roundings of 2^-53 are below 2e-14
ROUNDING = 2e-14


def trained_pairs(task: Task) -> dict[tuple[str, str], str]:
    """(context, target) -> relation, in names."""
    columns = zip(task.train_context, task.train_target, task.train_relation, strict=True)
    return {(task.context_name(a), task.tokens[b]): task.tokens[r] for a, b, r in columns}


def asked_pairs(task: Task) -> dict[tuple[str, str], str]:
    return {
        (task.context_name(query.context), task.tokens[answer]): relation
        for query in task.queries
        for answer, relation in zip(query.answers, query.relations, strict=True)
    }


# -- the reversal task ---------------------------------------------------------------------------------------
def test_reversal_task_pairs() -> None:
    """Every A_i -> B_i and every B_i <- A_i but the first two are trained; these two are asked."""
    task = reversal_task(pairs=4, held_out=2)
    forward = {(f"A{i}", f"B{i}"): FORWARD for i in (1, 2, 3, 4)}
    assert trained_pairs(task) == forward | {("B3", "A3"): BACKWARD, ("B4", "A4"): BACKWARD}
    assert asked_pairs(task) == {("B1", "A1"): BACKWARD, ("B2", "A2"): BACKWARD}
    assert task.name == "reversal"


@pytest.mark.parametrize("held_out", [0, 1, 3])
@pytest.mark.parametrize("pairs", [3, 5])
def test_reversal_task_sizes(pairs: int, held_out: int) -> None:
    """N = 2 pairs - held-out contexts of weight 1/N and one target; m = 2 pairs + 2; the loss floor is 0."""
    task = reversal_task(pairs, held_out)
    contexts = 2 * pairs - held_out
    assert task.trained_contexts == contexts
    assert task.vocabulary_size == 2 * pairs + 2
    assert len(task.queries) == held_out
    np.testing.assert_allclose(task.context_weight, np.full(contexts, 1 / contexts), rtol=ROUNDING)
    assert task.single_target
    assert task.conflicts == {}
    assert task.loss_floor == 0
    assert task.one_token_contexts
    assert (task.self_facts, task.trained_elsewhere, task.train_rows) == (0, (), ((),) * contexts)


def test_reversal_task_holds_out_one_pair_by_default() -> None:
    """Without a number, the first pair alone is held out, as in the paper."""
    assert asked_pairs(reversal_task(2)) == {("B1", "A1"): BACKWARD}


def test_one_pair_and_one_chain() -> None:
    """The smallest tasks: one pair, trained both ways or asked backwards, and one chain."""
    assert trained_pairs(reversal_task(1, 0)) == {("A1", "B1"): FORWARD, ("B1", "A1"): BACKWARD}
    assert asked_pairs(reversal_task(1, 1)) == {("B1", "A1"): BACKWARD}
    assert asked_pairs(chain_of_thought_task(1)) == {("A1", "C1"): CHAIN}


@pytest.mark.parametrize(("pairs", "held_out"), [(0, 0), (-1, 0), (3, -1), (3, 4)])
def test_impossible_reversal_tasks(pairs: int, held_out: int) -> None:
    """No pair, or fewer than none or more than all held out, is refused with the values given."""
    with pytest.raises(TaskError, match=f"got pairs={pairs}, held-out={held_out}"):
        reversal_task(pairs, held_out)


# -- the chain-of-thought task -------------------------------------------------------------------------------
def test_chain_of_thought_task() -> None:
    """A_i -> B_i and B_i -> C_i are trained (N = 2 chains), A_i ~> C_i is asked; m = 3 chains + 2."""
    task = chain_of_thought_task(2)
    trained = [("A1", "B1"), ("A2", "B2"), ("B1", "C1"), ("B2", "C2")]
    assert trained_pairs(task) == dict.fromkeys(trained, FORWARD)
    assert asked_pairs(task) == {("A1", "C1"): CHAIN, ("A2", "C2"): CHAIN}
    assert (task.trained_contexts, task.vocabulary_size) == (4, 8)
    assert CHAIN in task.tokens
    assert task.single_target
    assert task.name == "chain-of-thought"


def test_impossible_chain_of_thought_task() -> None:
    """A task of no chains is refused."""
    with pytest.raises(TaskError, match="got 0"):
        chain_of_thought_task(0)


# -- vocabulary ----------------------------------------------------------------------------------------------
def test_vocabulary_is_padded_to_its_size() -> None:
    """Unused tokens fill the vocabulary to exactly its size, even where entities bear their names."""
    assert reversal_task(3, vocabulary=20).vocabulary_size == 20
    assert reversal_task(3, vocabulary=8).vocabulary_size == 8
    assert chain_of_thought_task(3, vocabulary=30).vocabulary_size == 30
    task = build_task("t", [Statement(("unused0",), "unused1", "unused3")], [], vocabulary=5)
    assert task.tokens == ("unused0", "unused1", "unused3", "unused2", "unused4")


def test_too_small_a_vocabulary() -> None:
    """One token fewer than a task uses is refused, with the number it needs."""
    with pytest.raises(TaskError, match=r"a vocabulary of 7 tokens is too small .* give --vocabulary 8 or more"):
        reversal_task(3, vocabulary=7)
    with pytest.raises(TaskError, match="give --vocabulary 8 or more"):
        chain_of_thought_task(2, vocabulary=7)


def test_one_token_for_each_string() -> None:
    """A name that is entity, relation and extra token at once is one token."""
    task = build_task("t", [Statement(("a",), "b", "a")], [Statement(("b",), "c", "b")], extra_tokens=("c", "d"))
    assert sorted(task.tokens) == ["a", "b", "c", "d"]


# -- weights and targets -------------------------------------------------------------------------------------
SEVERAL_TARGETS = build_task(
    "several",
    [
        Statement(("a",), "b", "r", 2.0, row=2),
        Statement(("c",), "b", "r", 3.0, row=3),
        Statement(("a",), "c", "s", row=4),
        Statement(("a",), "b", "s", 4.0, row=5),
    ],
    [],
)


def test_repeated_pairs_are_merged() -> None:
    """A pair given twice is one pair with the sum of the weights, both rows and the relation of the first."""
    task = SEVERAL_TARGETS
    assert trained_pairs(task) == {("a", "b"): "r", ("c", "b"): "r", ("a", "c"): "s"}
    np.testing.assert_allclose(task.train_weight, [0.6, 0.3, 0.1], rtol=ROUNDING)
    assert task.train_rows == ((2, 5), (3,), (4,))


def test_several_targets() -> None:
    """f = (7, 3)/10, bhat(a) = (6, 1)/7 and a floor of 0.7 H(6/7, 1/7) nats come from weights 6, 1 and 3."""
    task = SEVERAL_TARGETS
    a, b, c = (task.tokens.index(name) for name in "abc")
    np.testing.assert_allclose(task.context_weight, [0.7, 0.3], rtol=ROUNDING)
    bhat = np.zeros((2, task.vocabulary_size))
    bhat[0, b], bhat[0, c], bhat[1, b] = 6 / 7, 1 / 7, 1
    np.testing.assert_allclose(task.target_distribution.toarray(), bhat, rtol=ROUNDING)
    np.testing.assert_array_equal(task.unseen_targets(), bhat == 0)
    entropy = 6 / 7 * math.log(7 / 6) + 1 / 7 * math.log(7)
    assert task.loss_floor == pytest.approx(0.7 * entropy, rel=ROUNDING)
    np.testing.assert_array_equal(task.target_count, [2, 1])
    assert not task.single_target
    assert task.conflicts == {0: [(b, (2, 5)), (c, (4,))]}
    assert a == 0


@pytest.mark.parametrize(
    "weights",
    [(0.0, 1.0), (-1.0, 3.0), (float("nan"), 1.0), (float("inf"), 1.0), (1e308, 1e308), (1e-320, 1e10)],
)
def test_weights_that_are_no_shares(weights: tuple[float, float]) -> None:
    """Weights not positive, or whose sum overflows or share underflows, make no task and no warning."""
    statements = [Statement(("a",), "b", "r", weights[0]), Statement(("b",), "a", "r", weights[1])]
    with pytest.raises(TaskError, match="training weights must be positive and sum to 1"):
        build_task("t", statements, [])


def task_of(context: list[int], weight: list[float]) -> Task:
    zeros = np.zeros(len(context), dtype=np.int64)
    return Task(
        name="t",
        tokens=("a", "b", "c"),
        contexts=((0,), (1,), (2,)),
        train_context=np.array(context, dtype=np.int64),
        train_target=zeros,
        train_relation=zeros,
        train_weight=np.array(weight),
        train_rows=((),) * len(context),
        queries=(),
    )


@pytest.mark.parametrize(
    ("context", "weight", "message"),
    [
        ([], [], "trains nothing"),
        ([0, 1], [0.5, 0.5 + 2e-9], "sum to 1"),
        ([0, 1], [0.5, 0.5 - 2e-9], "sum to 1"),
        ([0, 1], [1.5, -0.5], "positive"),
        ([0, 1], [1.0, 0.0], "positive"),
        ([0, 1], [0.5, float("nan")], "positive"),
        ([1, 2], [0.5, 0.5], "numbered first"),
        ([0, 2], [0.5, 0.5], "numbered first"),
    ],
)
def test_task_checks_itself(context: list[int], weight: list[float], message: str) -> None:
    """A task without pairs, with weights that are no shares or with contexts out of order cannot be built."""
    with pytest.raises(TaskError, match=message):
        task_of(context, weight)
    task = task_of([1, 0], [0.25, 0.75])
    assert (task.trained_contexts, task.self_facts) == (2, 0)


def test_nothing_to_train() -> None:
    """Queries alone make no task."""
    with pytest.raises(TaskError, match="'t' trains nothing: give at least one statement"):
        build_task("t", [], [Statement(("a",), "b", "r")])


# -- queries -------------------------------------------------------------------------------------------------
def test_queries_are_grouped_by_context() -> None:
    """Answers of one context make one query, each counted once; a trained pair is no query."""
    elsewhere = Statement(("a",), "b", "s", row=7)
    task = build_task(
        "t",
        [Statement(("a",), "b", "r", row=2)],
        [
            Statement(("b",), "a", "r1", row=3),
            Statement(("c",), "a", "r1"),
            Statement(("b",), "c", "r2", row=4),
            Statement(("b",), "a", "r3", row=5),
            elsewhere,
            Statement(("a",), "c", "r1", row=6),
        ],
        self_facts=3,
    )
    a, b, c = (task.tokens.index(name) for name in "abc")
    context = {task.context_name(i): i for i in range(len(task.contexts))}
    assert task.queries == (
        Query(context["b"], (a, c), ("r1", "r2"), (3, 4)),
        Query(context["c"], (a,), ("r1",), (None,)),
        Query(context["a"], (c,), ("r1",), (6,)),
    )
    assert task.trained_elsewhere == (elsewhere,)
    assert task.self_facts == 3
    assert task.trained_contexts == 1
    assert task.contexts[context["b"]] == (b,)


# -- features ------------------------------------------------------------------------------------------------
def test_features() -> None:
    """A context of k tokens has the feature 1/sqrt(k) on each: the rows of Phi have unit norm."""
    task = build_task(
        "t", [Statement(("a", "r"), "b", "r"), Statement(("b",), "a", "r")], [Statement(("a",), "c", "r")]
    )
    features = task.features.toarray()
    a, r, b = (task.tokens.index(name) for name in "arb")
    expected = np.zeros((3, task.vocabulary_size))
    expected[0, [a, r]], expected[1, b], expected[2, a] = math.sqrt(0.5), 1, 1
    np.testing.assert_allclose(features, expected, rtol=ROUNDING)
    assert not task.one_token_contexts
    assert task.context_name(0) == "a + r"


# -- properties ----------------------------------------------------------------------------------------------
NAMES = st.sampled_from("abcde")
CONTEXTS = st.tuples(NAMES) | st.tuples(NAMES, st.sampled_from("rs"))
STATEMENTS = st.builds(Statement, CONTEXTS, NAMES, st.sampled_from("rs"), st.integers(1, 9).map(float), st.none())


@settings(deadline=None)
@given(st.lists(STATEMENTS, min_size=1, max_size=12), st.lists(STATEMENTS, max_size=6))
def test_distributions_of_any_task(statements: list[Statement], queries: list[Statement]) -> None:
    """f and bhat are the shares in exact fractions, the floor is their entropy, queries are untrained."""
    task = build_task("t", statements, queries)
    count: dict[tuple[str, ...], dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for s in statements:
        count[s.context][s.target] += Fraction(s.weight)
    total = sum(sum(targets.values()) for targets in count.values())
    floor = 0.0
    assert task.trained_contexts == len(count)
    for a, f in enumerate(task.context_weight):
        targets = count[tuple(task.tokens[t] for t in task.contexts[a])]
        share = sum(targets.values())
        assert f == pytest.approx(float(share / total), rel=ROUNDING)
        row = task.target_distribution.toarray()[a]
        expected = [float(targets[name] / share) if name in targets else 0.0 for name in task.tokens]
        np.testing.assert_allclose(row, expected, rtol=ROUNDING)
        floor -= float(share / total) * sum(p * math.log(p) for p in expected if p)
    assert task.loss_floor == pytest.approx(floor, rel=ROUNDING, abs=ROUNDING)
    asked = asked_pairs(task).keys()
    assert not asked & trained_pairs(task).keys()
    assert len(asked) + len({(s.context, s.target) for s in task.trained_elsewhere}) == len(
        {(s.context, s.target) for s in queries}
    )


def _names(task: Task) -> set[str]:
    """The trained pairs of a task, as "context->target"."""
    return {
        f"{task.context_name(a)}->{task.tokens[b]}" for a, b in zip(task.train_context, task.train_target, strict=True)
    }


def test_first_pairs_takes_half_around_the_query_and_keeps_weights() -> None:
    """Half of the pairs lie around the first query, those that leave it first; the rest are the first; shares stay."""
    apart = [Statement((f"A{i}",), f"B{i}", "->", weight=1.0 + i) for i in range(10)]
    around = [Statement((s,), t, "->", weight=5.0) for s, t in (("s", "q"), ("q", "u"), ("u", "w"), ("s", "v"))]
    task = build_task("around", [*apart, *around], [Statement(("q",), "x", "<-"), Statement(("q",), "s", "<-")])
    small = first_pairs(task, 2)
    assert _names(small) == {"q->u", "A0->B0"}
    # A0 -> B0 has weight 1 and q -> u weight 5
    assert sorted(small.train_weight) == pytest.approx([1 / 6, 5 / 6])
    four = first_pairs(task, 4)
    assert _names(four) == {"q->u", "s->q", "A0->B0", "A1->B1"}
    # nearest first: both pairs of q itself, then those of its neighbour u, then those of s
    assert _names(first_pairs(task, 6)) == {"q->u", "s->q", "u->w", "A0->B0", "A1->B1", "A2->B2"}
    # the answer x occurs in no chosen pair: only s is asked, and the relation token stays in the vocabulary
    assert [tuple(four.tokens[t] for t in query.answers) for query in four.queries] == [("s",)]
    assert "->" in four.tokens


def test_first_pairs_of_a_task_of_that_size_is_the_task() -> None:
    """A task with exactly as many pairs as asked is returned as it is."""
    task = reversal_task(3)
    assert first_pairs(task, len(task.train_context)) is task

"""The constants of Theorems 3 and 4 (arXiv 2405.04669) against real SGD: visits to a given p, and the largest step."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from numerics.descent import row_recursion
from theory.exact import fraction
from theory.step_bounds import Visit, breaking_schedule, largest_step, row_after
from theory.task import Statement, Task, build_task, chain_of_thought_task, reversal_task
from theory.visit_bounds import probability_after, visits_until
from validation.compare import rounding_tolerance
from validation.networks import OneLayerTransformer
from validation.strategies import seeds
from validation.training import TrainingSettings, threads_for, train

Example = tuple[int, int]  # context, target


def rounding(steps: int, size: float) -> float:
    """What double precision may add to the logits of one row over so many steps of the network."""
    return rounding_tolerance(steps, None, (), size)


def row_task(size: int) -> Task:
    """Contexts 0 (A, targets A and B) and 1 (B, target A) among `size` >= 2 tokens."""
    # the relation is not attended, so it may be a token that is there anyway: two tokens are then enough
    statements = [Statement((a,), b, "A") for a, b in (("A", "A"), ("A", "B"), ("B", "A"))]
    return build_task("one row", statements, [], vocabulary=size)


def minibatch_descent(task: Task, batches: list[list[Example]], step: float) -> Iterator[np.ndarray]:
    """Plain torch SGD on the mean loss of each batch; logits of every context, (contexts, m), after each step."""
    network = OneLayerTransformer(task, seeds=1)
    optimizer = torch.optim.SGD(network.parameters(), lr=step)
    with threads_for(task.vocabulary_size):
        for batch in batches:
            context, target = torch.tensor(batch).unbind(dim=1)  # (B, 2) -> (B,), (B,)
            optimizer.zero_grad()
            loss = cross_entropy(network(context[None])[0], target)  # (1, B, m) -> (B, m), mean over the batch
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            yield network.context_logits()[0].numpy()


def batch_of(visit: Visit) -> list[Example]:
    """r examples of context 0 on the visit's target and B - r of context 1, for a weight of r/B."""
    r, size = visit.weight.numerator, visit.weight.denominator
    return [(0, visit.target)] * r + [(1, 0)] * (size - r)


@st.composite
def visited_rows(draw: st.DrawFn) -> tuple[Task, Fraction, Fraction]:
    """A task of reversal or of chains, a step of 0.3 to 20 and a share 1 - p of at least 1/200, below the start's."""
    pairs, unused = draw(st.integers(1, 3)), draw(st.integers(0, 30))
    if draw(st.booleans()):
        task = reversal_task(pairs, vocabulary=2 * pairs + 2 + unused)
    else:
        task = chain_of_thought_task(pairs, 3 * pairs + 2 + unused)
    start = 1 - Fraction(1, task.vocabulary_size)
    step = Fraction(draw(st.floats(0.3, 20.0)))
    return task, step, start * Fraction(draw(st.integers(2, 190)), 200)


@given(row=visited_rows(), seed=seeds)
def test_theorems_3_and_4_in_real_training(row: tuple[Task, Fraction, Fraction], seed: int) -> None:
    """Under real SGD p < 1 - a after the certified too few visits, p >= 1 - a after enough; y <- x, A ~> C <= 1/M."""
    task, step, share = row
    bounds = visits_until(task.vocabulary_size, step, share)
    pairs = len(task.train_context)
    record = np.array([bounds.certified_too_few, bounds.certified_enough])
    # an epoch visits every row once, with its pair's weight times the number of pairs, which is one
    settings = TrainingSettings("sgd", float(step), int(pairs * record[-1]), batch="one", order="reshuffled")
    trained = train(OneLayerTransformer(task, 1), task, settings, [seed], pairs * record)
    odds = -np.log(np.expm1(-trained.trajectories[0].train_log_probability))  # ln p/(1-p), (2, pairs)
    wanted = float(np.log(float((1 - share) / share)))
    tolerance = rounding(int(record[-1]), float(np.abs(trained.final_logits).max()))
    assert (odds[0] < wanted + tolerance).all()
    assert (odds[1] >= wanted - tolerance).all()
    held_out = trained.trajectories[0].query_log_probability  # (2, queries)
    assert (held_out <= -np.log(task.vocabulary_size) + tolerance).all()


@given(size=st.integers(2, 50), step=st.floats(0.05, 50.0), visits=st.integers(1, 200))
def test_probability_after_encloses_the_recursion(size: int, step: float, visits: int) -> None:
    """p after k visits by the recursion that real training follows lies within the certified bounds."""
    lower, upper = (float(bound) for bound in probability_after(size, Fraction(step), visits))
    h = row_recursion(size, step, visits)[-1]
    p = 1 / (1 + (size - 1) * np.exp(-size * h))
    tolerance = rounding(visits, size * h)  # p moves by at most a quarter of the error of its log-odds
    assert lower - tolerance <= p <= upper + tolerance


@given(size=st.integers(3, 40), over=st.fractions(Fraction(1, 1000), 3, max_denominator=1000))
def test_minibatches_break_the_ordering_above(size: int, over: Fraction) -> None:
    """Above the largest step, real minibatch SGD puts a token that was a target below the unseen ones in two steps.

    Its logits are those of the ball recursion; until the last step the unseen ones are the smallest.
    """
    smallest = min(z * (1 + size / np.expm1(z)) for z in np.linspace(0.01, 20.0, 20_000))
    step = Fraction(smallest) * (1 + over)
    schedule = breaking_schedule(size, step)
    assert schedule is not None
    task = row_task(size)
    first, last = (rows[0] for rows in minibatch_descent(task, [batch_of(v) for v in schedule], float(step)))
    tolerance = rounding(len(schedule), float(np.abs(last).max()))
    unseen = size - 1
    assert first.min() == first[unseen]
    assert last[0] < last[unseen] - tolerance
    balls, expected = row_after(size, step, schedule)
    assert last[unseen] == pytest.approx(float(fraction(expected.mid())), abs=tolerance)
    for target, ball in balls.items():
        assert last[target] == pytest.approx(float(fraction(ball.mid())), abs=tolerance)


@st.composite
def batches_with_unseen(draw: st.DrawFn, size: int) -> list[list[Example]]:
    """Batches of 1 to 5 examples of two contexts; the last token is never a target. Repeats are frequent."""
    example = st.tuples(st.integers(0, 1), st.integers(0, min(size - 2, 2)))
    batch = st.one_of(st.lists(example, min_size=1, max_size=5), example.map(lambda e: [e]))
    runs = draw(st.lists(st.tuples(batch, st.integers(1, 4)), min_size=1, max_size=8))
    return [list(b) for b, repeats in runs for _ in range(repeats)]


@given(data=st.data(), size=st.sampled_from([2, 3, 4, 12]), part=st.sampled_from([1.0, 0.9, 0.3]))
def test_unseen_stay_smallest_below(data: st.DataObject, size: int, part: float) -> None:
    """At the proved step and below, real SGD on any drawn minibatches keeps unseen logits the smallest of their row."""
    batches = data.draw(batches_with_unseen(size))
    steps = minibatch_descent(row_task(size), batches, part * float(largest_step(size).lower))
    for done, rows in enumerate(steps, start=1):
        assert (rows.min(axis=1) >= rows[:, -1] - rounding(done, float(np.abs(rows).max()))).all()


@pytest.mark.parametrize("size", [3, 4, 12])
def test_the_breaking_batches_do_not_break_at_the_bound(size: int) -> None:
    """The batches that break the ordering at the refuted step leave a gap between 0 and 1e-6 at the proved one."""
    bounds = largest_step(size)
    schedule = breaking_schedule(size, bounds.upper)
    assert schedule is not None
    *_, rows = minibatch_descent(row_task(size), [batch_of(v) for v in schedule], float(bounds.lower))
    assert -rounding(len(schedule), float(np.abs(rows).max())) <= rows[0, 0] - rows[0, -1] < 1e-6


def test_two_tokens_have_nothing_to_break_with() -> None:
    """At M = 2 a row with an unseen token has one target, whose logit only rises: any step keeps the ordering."""
    assert breaking_schedule(2, 100) is None
    for rows in minibatch_descent(row_task(2), [[(0, 0)], [(0, 0), (1, 0)], [(0, 0)]], 100.0):
        assert rows[0, 0] > rows[0, 1]

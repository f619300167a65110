"""The flow in every space: the paper's own, the closed form of the squared loss, weight decay, what is conserved."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from numerics.flow import integrate_flow
from numerics.gram import Gram
from numerics.losses import LOSSES, Loss
from numerics.observables import observe
from numerics.parameter_space import EmbeddingSpace, FreeSpace, Parameters, ParameterSpace
from numerics.space_flow import flow_states, flow_velocity
from numerics.squared_loss import squared_loss_states
from theory.task import Statement, Task, build_task, reversal_task

TIMES = np.array([0.0, 0.3, 4.0, 60.0])
# each of some fifty steps of DOP853 errs by 1e-8 of coordinates below ten; kernels of length one make logits of them
FLOW_ERROR = 1e-6
KINDS = get_args(Parameters)


def start_of(task: Task, gram: Gram, seed: int) -> np.ndarray:
    return gram.initial_logits(task.features, 0.5, np.random.default_rng(seed))


def dependent_task() -> Task:
    """Context (a, b) has the feature of (b, a): a singular kernel between contexts; two targets in a row."""
    contexts = [("a", "b"), ("b", "a"), ("c", "a")]
    statements = [Statement(c, t, "r", 1.0 + k) for k, (c, t) in enumerate(zip(contexts, "cde", strict=True))]
    more = [Statement(("c", "a"), "a", "r", 0.5)]
    return build_task("dependent", [*statements, *more], [Statement(("d", "a"), "a", "r")], vocabulary=7)


# -- the free flow --


@pytest.mark.parametrize("dimension", [4, 60])
def test_free_cross_entropy_is_the_flow_of_the_paper(
    dimension: int, multi_target_task: Task, pair_context_task: Task, gram: Callable[..., Gram]
) -> None:
    """Logits of every context at every time equal those of integrate_flow, with d < m and d > m."""
    for task in (multi_target_task, pair_context_task):
        matrix = gram(task.vocabulary_size, dimension, 1)
        start = start_of(task, matrix, 2)
        space = FreeSpace(task, matrix, start)
        found = [space.logits(state) for state in flow_states(space, "cross-entropy", TIMES)]
        np.testing.assert_array_equal(found[0], start)
        for t, logits in zip(TIMES[1:], found[1:], strict=True):
            expected = integrate_flow(task, matrix, start, np.array([0.0, t])).logits
            assert expected is not None
            np.testing.assert_allclose(logits, expected, rtol=0, atol=FLOW_ERROR)
        assert np.abs(found[-1] - start).max() > 1.0


@pytest.mark.parametrize("dimension", [3, 40])
@pytest.mark.parametrize("build", [reversal_task, dependent_task], ids=["independent", "dependent"])
def test_squared_loss_has_its_closed_form(build: Callable[..., Task], dimension: int) -> None:
    """Coordinates of the integrated flow equal the closed form, for singular kernels of contexts and of tokens too."""
    task = build(3, 2) if build is reversal_task else build()
    table = np.random.default_rng(3).normal(size=(task.vocabulary_size, dimension)) / np.sqrt(dimension)
    matrix = Gram.explicit(table)
    space = FreeSpace(task, matrix, start_of(task, matrix, 4))
    exact = list(squared_loss_states(space, TIMES))
    for (found, share), (expected, kept) in zip(flow_states(space, "squared", TIMES), exact, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=FLOW_ERROR)
        assert kept == 1.0
        assert share == pytest.approx(1.0, rel=1e-12)  # the polynomial of a step sums eight coefficients
    assert not exact[0][0].any()
    assert np.abs(exact[-1][0]).max() > 0.1


def test_the_closed_form_obeys_its_equation_and_ends_at_the_targets() -> None:
    """It starts along the velocity of the flow; with independent embeddings S_A ends at bhat, the slowest mode last."""
    task = reversal_task(2, 1)
    table = np.random.default_rng(5).normal(size=(task.vocabulary_size, 64)) / 8.0
    matrix = Gram.explicit(table)
    space = FreeSpace(task, matrix, start_of(task, matrix, 6))
    step = 1e-6
    (early, _), (late, share) = squared_loss_states(space, np.array([step, 2000.0]))
    velocity, _ = flow_velocity(space, "squared", space.start, 0.0)
    # the quotient is off by half the step times rates below ten
    np.testing.assert_allclose(early / step, velocity, rtol=0, atol=10 * step)
    slowest = float(np.linalg.eigvalsh(matrix.excess + np.eye(len(table)))[0]) ** 2 / task.trained_contexts
    left = np.exp(-slowest * 2000.0)
    assert left < 1e-4
    logits = space.logits((late, share))[: task.trained_contexts]
    expected = task.target_distribution.toarray()
    distance = np.linalg.norm(space.initial_logits[: task.trained_contexts] - expected)
    assert np.linalg.norm(logits - expected) <= left * distance + 1e-12


# -- weight decay --


@pytest.mark.parametrize("kind", ["free", "symmetric"])
@pytest.mark.parametrize("loss", LOSSES)
def test_weight_decay_takes_the_start_away_exponentially(
    kind: Parameters, loss: Loss, space: Callable[..., ParameterSpace]
) -> None:
    """rho(t) = exp(-lambda t) whatever the loss, and one without weight decay."""
    on = space(kind, reversal_task(2, 1), 20, 7)
    for state, t in zip(flow_states(on, loss, TIMES, 0.07), TIMES, strict=True):
        assert state[1] == pytest.approx(np.exp(-0.07 * t), rel=1e-6)  # fifty steps of 1e-8
    kept = [float(state[1]) for state in flow_states(on, loss, TIMES)]
    np.testing.assert_allclose(kept, 1.0, rtol=1e-12)  # the polynomial of a step sums eight coefficients


def test_weight_decay_is_that_of_the_parameters(
    multi_target_task: Task, parameter_model: Callable, embeddings: Callable
) -> None:
    """Logits equal those of dTheta/dt = -grad - lambda Theta, integrated on the matrix itself."""
    task, d = multi_target_task, 6
    table = embeddings(task.vocabulary_size, d, 8)
    model, theta = parameter_model(task, table), np.random.default_rng(9).normal(size=(d, d))

    def velocity(_: float, flat: np.ndarray) -> np.ndarray:
        matrix = flat.reshape(d, d)
        return (-model.gradient(matrix) - 0.1 * matrix).ravel()

    found = FreeSpace(task, Gram.explicit(table), model.logits(theta))
    *_, state = flow_states(found, "cross-entropy", np.array([5.0]), 0.1)
    end = solve_ivp(velocity, (0.0, 5.0), theta.ravel(), method="DOP853", rtol=1e-10, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(found.logits(state), model.logits(end.reshape(d, d)), rtol=0, atol=FLOW_ERROR)


# -- every space --


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_falls_along_every_flow(kind: Parameters, loss: Loss, space: Callable[..., ParameterSpace]) -> None:
    """The loss that is descended is lower at every later time; for the cross-entropy as an observer sees it."""
    task = reversal_task(2, 1)
    on = space(kind, task, 12, 10)
    b = task.target_distribution.toarray()
    values = []
    for state in flow_states(on, loss, TIMES):
        logits = on.logits(state, slice(0, task.trained_contexts))
        potential = {
            "squared": 0.5 * (logits**2).sum(axis=1),
            "one-against-all": np.logaddexp(0.0, logits).sum(axis=1),
        }.get(loss)
        if potential is None:
            values.append(observe(task, on.logits(on.start), on.change(state)).loss)
        else:
            values.append(float(task.context_weight @ (potential - (b * logits).sum(axis=1))))
    assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("tied", [False, True])
def test_what_trained_embeddings_conserve(tied: bool, space: Callable[..., ParameterSpace]) -> None:
    """U^T U - Theta Theta^T, less Theta^T Theta where one table serves both sides, stays as it was drawn."""
    on = space("tied-embeddings" if tied else "trained-embeddings", reversal_task(2, 1), 5, 11)
    assert isinstance(on, EmbeddingSpace)

    def balance(state: tuple[np.ndarray, ...]) -> np.ndarray:
        U, theta = state[0], state[1]
        return U.T @ U - theta @ theta.T - (theta.T @ theta if tied else 0.0)

    states = list(flow_states(on, "cross-entropy", TIMES))
    for state in states:
        np.testing.assert_allclose(balance(state), balance(on.start), rtol=0, atol=FLOW_ERROR)
    assert np.abs(states[-1][1] - on.start[1]).max() > 0.5


def test_a_tighter_tolerance_comes_closer(space: Callable[..., ParameterSpace]) -> None:
    """At tolerances of 1e-4, 1e-6 and 1e-8 the distance to 1e-11 falls each time by more than ten."""
    on = space("factorised", reversal_task(2, 1), 12, 12)
    ends = [
        next(flow_states(on, "cross-entropy", np.array([30.0]), tolerance=tolerance))[0]
        for tolerance in (1e-4, 1e-6, 1e-8, 1e-11)
    ]
    errors = [np.abs(end - ends[-1]).max() for end in ends[:-1]]
    assert errors[0] > 10 * errors[1] > 100 * errors[2] > 0


@pytest.mark.parametrize("times", [[], [-1.0], [1.0, 1.0], [2.0, 1.0], [0.0, np.inf], [np.nan]])
def test_impossible_times_are_refused(times: list[float], space: Callable[..., ParameterSpace]) -> None:
    """Times that are none, negative, repeated, falling or not finite raise ValueError and say so."""
    on = space("free", reversal_task(2, 1), 5, 13)
    with pytest.raises(ValueError, match="times must be finite and increase strictly from 0 or later"):
        next(flow_states(on, "cross-entropy", np.array(times)))


def test_time_zero_alone_is_the_start(space: Callable[..., ParameterSpace]) -> None:
    """At t = 0 the state is the start itself, and nothing is integrated."""
    on = space("tied-embeddings", reversal_task(2, 1), 5, 14)
    (state,) = flow_states(on, "cross-entropy", np.array([0.0]))
    for found, expected in zip(state, on.start, strict=True):
        np.testing.assert_array_equal(found, expected)

"""Descent in every space: the recursion in coordinates for a free Theta, and the flow in the limit of small steps."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest

from numerics.descent import DescentSettings, descend
from numerics.gram import Gram
from numerics.losses import LOSSES, Loss
from numerics.parameter_space import FreeSpace, Parameters, ParameterSpace
from numerics.space_descent import descent_states, last_state
from numerics.space_flow import flow_states
from theory.task import Task, reversal_task

STEPS = 60
ROUNDING = 1e-12  # 60 steps of sums of order one
KINDS = get_args(Parameters)
EVERY_OPTIMIZER = [
    ("gd", "one", "cyclic"),
    ("sgd", "one", "cyclic"),
    ("sgd", "one", "reshuffled"),
    ("sgd", "one", "replacement"),
    ("momentum", "one", "reshuffled"),
    ("momentum", "full", "cyclic"),
]


@pytest.mark.parametrize(("decay", "decoupled"), [(0.0, False), (0.05, False), (0.05, True)])
@pytest.mark.parametrize(("optimizer", "batch", "order"), EVERY_OPTIMIZER)
def test_a_free_theta_descends_as_its_coordinates_do(
    optimizer: str,
    batch: str,
    order: str,
    decay: float,
    decoupled: bool,
    multi_target_task: Task,
    pair_context_task: Task,
    gram: Callable[..., Gram],
) -> None:
    """Logits after 60 steps equal those of numerics.descent, for every optimiser, order and kind of weight decay."""
    settings = DescentSettings(optimizer, 0.3, 0.8, decay, batch, order, seed=5, decoupled=decoupled)
    for task in (multi_target_task, pair_context_task):
        matrix = gram(task.vocabulary_size, 6, 20)
        start = matrix.initial_logits(task.features, 0.5, np.random.default_rng(21))
        space = FreeSpace(task, matrix, start)
        found = space.logits(last_state(space, "cross-entropy", settings, STEPS))
        expected = descend(task, matrix, start, settings, STEPS, np.array([STEPS])).logits
        assert expected is not None
        np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING * np.abs(expected).max())


def test_decoupled_decay_is_not_decay_in_the_gradient(space: Callable[..., ParameterSpace]) -> None:
    """Without momentum both are one recursion, with it they end apart: the velocity remembers what was decayed."""
    on = space("free", reversal_task(3, 1), 30, 22)

    def end(optimizer: str, decoupled: bool) -> np.ndarray:
        settings = DescentSettings(optimizer, 0.1, 0.8, 0.1, "full", decoupled=decoupled)
        return on.logits(last_state(on, "cross-entropy", settings, STEPS))

    np.testing.assert_allclose(end("gd", True), end("gd", False), rtol=0, atol=ROUNDING)
    assert np.abs(end("momentum", True) - end("momentum", False)).max() > 0.1


def orders(on: ParameterSpace, loss: Loss, optimizer: str, decay: float) -> np.ndarray:
    """Measured orders of the distance to the flow at t = 4 in the step size, between steps 0.04, 0.02 and 0.01.

    The decay of a step is lambda times the time that it takes, step size / (1 - beta).
    """
    beta = 0.5 if optimizer == "momentum" else 0.0
    (flow,) = flow_states(on, loss, np.array([4.0]), decay)
    errors = []
    for step in (0.04, 0.02, 0.01):
        settings = DescentSettings(optimizer, step * (1 - beta), beta, decay / (1 - beta), "full", decoupled=True)
        state = last_state(on, loss, settings, round(4.0 / step))
        errors.append(np.abs(on.logits(state) - on.logits(flow)).max())
    return np.log2(np.array(errors[:-1]) / errors[1:])


@pytest.mark.parametrize("decay", [0.0, 0.2])
@pytest.mark.parametrize("optimizer", ["gd", "momentum"])
@pytest.mark.parametrize("kind", KINDS)
def test_descent_tends_to_the_flow_with_order_one(
    kind: Parameters, optimizer: str, decay: float, space: Callable[..., ParameterSpace]
) -> None:
    """Halving the step size halves the distance to the flow in every space, with weight decay and without."""
    on = space(kind, reversal_task(2, 1), 12, 23)
    # the next order of the error is a tenth of the first at these steps
    np.testing.assert_allclose(orders(on, "cross-entropy", optimizer, decay), 1.0, rtol=0, atol=0.15)


@pytest.mark.parametrize("loss", LOSSES[1:])
def test_other_losses_tend_to_their_flow(loss: Loss, space: Callable[..., ParameterSpace]) -> None:
    """The same for the other losses, in the space of two factors."""
    on = space("factorised", reversal_task(2, 1), 12, 24)
    np.testing.assert_allclose(orders(on, loss, "gd", 0.0), 1.0, rtol=0, atol=0.15)


def test_a_wrong_time_scale_has_no_order() -> None:
    """Decoupled decay of lambda a step under momentum is not lambda a time: halving the step leaves the distance."""
    task = reversal_task(2, 1)
    gram = Gram.identity(task.vocabulary_size)
    on = FreeSpace(task, gram, gram.initial_logits(task.features, 0.5, np.random.default_rng(25)))
    (flow,) = flow_states(on, "cross-entropy", np.array([4.0]), 0.2)
    errors = []
    for step in (0.02, 0.01):
        settings = DescentSettings("momentum", step * 0.5, 0.5, 0.2, "full", decoupled=True)
        errors.append(
            np.abs(on.logits(last_state(on, "cross-entropy", settings, round(4.0 / step))) - on.logits(flow)).max()
        )
    assert errors[1] > 0.9 * errors[0] > 0.01


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("optimizer", "batch", "order"), EVERY_OPTIMIZER)
def test_states_follow_one_another(
    kind: Parameters, optimizer: str, batch: str, order: str, space: Callable[..., ParameterSpace]
) -> None:
    """The k-th state is the end of a run of k steps, the first is the start, and the space's own start stays."""
    on = space(kind, reversal_task(2, 1), 5, 26)
    before = [x.copy() for x in on.start]
    settings = DescentSettings(optimizer, 0.1, 0.8, 0.05, batch, order, seed=1, decoupled=True)
    states = [tuple(x.copy() for x in state) for state in descent_states(on, "cross-entropy", settings, 7)]
    assert len(states) == 8
    for number in (0, 3, 7):
        for found, expected in zip(last_state(on, "cross-entropy", settings, number), states[number], strict=True):
            np.testing.assert_array_equal(found, expected)
    for found, first, expected in zip(on.start, states[0], before, strict=True):
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(first, expected)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(states[0], states[7], strict=True))

"""Gradient descent, SGD and heavy-ball momentum in any parameter space: the recursion that real training must equal.

velocity <- beta velocity + g, state <- state - eta velocity, g = gradient (+ lambda state where decay is coupled);
decoupled decay multiplies the state by 1 - eta lambda first. Adam and sign descent see the entries of Theta, not only
its logits, and have no such recursion. Time = step size x steps, for momentum beta step size x steps / (1 - beta).
"""

from collections.abc import Iterator

import numpy as np

from numerics.descent import DescentSettings
from numerics.losses import Loss, negative_gradient, one_hot_rows
from numerics.order import visits
from numerics.parameter_space import EVERY, ParameterSpace, Rows, State
from numerics.space_flow import full_batch_ascent


def descent_states(space: ParameterSpace, loss: Loss, settings: DescentSettings, steps: int) -> Iterator[State]:
    """The states after 0, 1, ..., `steps` steps. Arrays of a state are changed in place: copy what is kept."""
    state = tuple(x.copy() for x in space.start)
    moving = tuple(np.zeros_like(x) for x in state)
    yield state
    for rows, ascent in _ascents(space, loss, settings, steps, state):
        uphill = space.velocity(state, ascent, rows)
        for x, v, u in zip(state, moving, uphill, strict=True):
            v *= settings.friction
            v -= u
            if settings.weight_decay and not settings.decoupled:
                v += settings.weight_decay * x
        for x, v in zip(state, moving, strict=True):
            if settings.decoupled:
                x *= 1.0 - settings.learning_rate * settings.weight_decay
            x -= settings.learning_rate * v
        yield state


def last_state(space: ParameterSpace, loss: Loss, settings: DescentSettings, steps: int) -> State:
    """The state after `steps` steps."""
    last = space.start
    for state in descent_states(space, loss, settings, steps):
        last = state
    return last


def _ascents(
    space: ParameterSpace, loss: Loss, settings: DescentSettings, steps: int, state: State
) -> Iterator[tuple[Rows, np.ndarray]]:
    """What each step ascends: the rows it sees and F R on them; `state` is the one that changes in place."""
    task = space.task
    if settings.full_batch:
        for _ in range(steps):
            yield EVERY, full_batch_ascent(space, loss, state)
        return
    pairs = len(task.train_target)
    target = [one_hot_rows(task.train_target[[k]], task.vocabulary_size) for k in range(pairs)]
    rows, weight_of = task.train_context[:, None], pairs * task.train_weight
    for k in visits(settings.order, pairs, steps, settings.seed).tolist():
        yield rows[k], weight_of[k] * negative_gradient(loss, space.logits(state, rows[k]), target[k])

"""The gradient flow of any loss in any parameter space, with decoupled weight decay: d state/dt = -grad - lambda state.

Time t is step size x steps. Integrated by DOP853 in log(1 + t), as the paper's own flow is (`numerics.flow`, which adds
error bounds that only a convex loss of a free Theta allows).
"""

from collections.abc import Iterator

import numpy as np

from numerics.losses import Loss, negative_gradient
from numerics.parameter_space import EVERY, ParameterSpace, State
from numerics.piecewise import Piece, explicit_pieces

RELATIVE_TOLERANCE = 1e-8
ABSOLUTE_TOLERANCE = 1e-11


def full_batch_ascent(space: ParameterSpace, loss: Loss, state: State) -> np.ndarray:
    """F R, (N, m): what a full batch ascends in the logits of the trained contexts."""
    task = space.task
    trained = space.logits(state, slice(0, task.trained_contexts))
    return task.context_weight[:, None] * negative_gradient(loss, trained, task.target_distribution)


def flow_velocity(space: ParameterSpace, loss: Loss, state: State, weight_decay: float) -> State:
    """-grad L - lambda state, for the loss over all trained contexts."""
    velocity = space.velocity(state, full_batch_ascent(space, loss, state), EVERY)
    if not weight_decay:
        return velocity
    return tuple(v - weight_decay * x for v, x in zip(velocity, state, strict=True))


def flow_states(
    space: ParameterSpace,
    loss: Loss,
    time: np.ndarray,
    weight_decay: float = 0.0,
    tolerance: float = RELATIVE_TOLERANCE,
) -> Iterator[State]:
    """The state at each time (T,), which must increase from 0 or later. Raises IntegrationError, ValueError."""
    time = np.asarray(time, dtype=float)
    if len(time) == 0 or time[0] < 0 or (np.diff(time) <= 0).any() or not np.isfinite(time).all():
        raise ValueError(f"times must be finite and increase strictly from 0 or later, got {time}")
    waiting = np.log1p(time).tolist()
    while waiting and waiting[0] <= 0.0:
        yield space.start
        waiting.pop(0)
    if not waiting:
        return
    for piece in flow_pieces(space, loss, waiting[-1], weight_decay, tolerance):
        while waiting and waiting[0] <= piece.end:
            yield _unpacked(space.start, piece.value(waiting.pop(0)))


def flow_pieces(
    space: ParameterSpace, loss: Loss, end: float, weight_decay: float = 0.0, tolerance: float = RELATIVE_TOLERANCE
) -> Iterator[Piece]:
    """The state, flat, in log(1 + t) from 0 to `end`, step by step of the solver. Raises IntegrationError."""

    def log_time_velocity(log_time: float, flat: np.ndarray) -> np.ndarray:
        velocity = flow_velocity(space, loss, _unpacked(space.start, flat), weight_decay)
        return np.exp(log_time) * _packed(velocity)

    return explicit_pieces(
        log_time_velocity,
        _packed(space.start),
        end,
        relative_tolerance=tolerance,
        absolute_tolerance=absolute_tolerance(tolerance),
    )


def absolute_tolerance(tolerance: float) -> float:
    """What goes with a relative tolerance."""
    return ABSOLUTE_TOLERANCE * tolerance / RELATIVE_TOLERANCE


def _packed(state: State) -> np.ndarray:
    return np.concatenate([x.ravel() for x in state])


def _unpacked(like: State, flat: np.ndarray) -> State:
    parts = np.split(flat, np.cumsum([x.size for x in like])[:-1])
    return tuple(part.reshape(x.shape) for part, x in zip(parts, like, strict=True))

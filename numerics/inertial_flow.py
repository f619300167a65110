"""The flow of heavy-ball momentum: dTheta/dt = U, tau dU/dt = -grad L - U, from rest.

With beta = e^(-h/tau) and the time h = eta / (1 - beta) of a step, the heavy ball v <- beta v + g,
Theta <- Theta - eta v is a discretisation of order one in h of this equation: its velocity U = -(1 - beta) v relaxes
exactly, towards a gradient that is held for a step. Halving h therefore takes sqrt(beta) for beta. After many times tau
U is near -grad L, and this is the gradient flow with a lag of tau; in some ten steps at beta = 0.9 it is not yet. In
coordinates dC/dt = U, tau dU/dt = F R(S_A(0) + K_AA C K_out) - U.
"""

from collections.abc import Iterator

import numpy as np

from numerics.descent import DescentSettings
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.observables import observe, trajectory_of
from numerics.piecewise import explicit_pieces
from numerics.trajectory import Trajectory
from theory.task import Task


def relaxation_time(settings: DescentSettings) -> float:
    """tau = -h / log beta of the heavy ball. Raises ValueError for other optimisers and for beta = 0."""
    if not settings.friction:
        raise ValueError(f"only momentum above zero has a relaxation time, got {settings.optimizer!r}")
    return -settings.time_step / float(np.log(settings.friction))


def halved_momentum(learning_rate: float, momentum: float) -> tuple[float, float]:
    """Learning rate and beta at half the time of a step and the same tau: sqrt(beta), (1 - sqrt(beta)) h / 2."""
    time_step, friction = learning_rate / (1.0 - momentum), float(np.sqrt(momentum))
    return 0.5 * time_step * (1.0 - friction), friction


def inertial_velocity(flow: LogitFlow, relaxation: float, state: np.ndarray) -> np.ndarray:
    """(dC/dt, dU/dt) at the state (C, U), (2, N, m)."""
    coordinates, velocity = state
    return np.stack([velocity, (flow.velocity(coordinates) - velocity) / relaxation])


def inertial_changes(
    task: Task,
    gram: Gram,
    initial_logits: np.ndarray,
    relaxation: float,
    time: np.ndarray,
    relative_tolerance: float = 1e-9,
) -> Iterator[np.ndarray]:
    """S(t) - S(0) of every context, (contexts, m), at each time (T,), which must increase from 0 or later.

    Integrated in t itself by DOP853, whose steps are some multiples of tau. Raises IntegrationError, ValueError.
    """
    time = np.asarray(time, dtype=float)
    if not relaxation > 0 or len(time) == 0 or time[0] < 0 or (np.diff(time) <= 0).any() or not np.isfinite(time).all():
        raise ValueError(f"expected increasing times from 0 or later and tau > 0, got {time} and {relaxation}")
    flow = LogitFlow(Kernels(task, gram), initial_logits)
    waiting = time.tolist()
    if waiting[0] == 0.0:
        yield np.zeros_like(initial_logits)
        waiting.pop(0)
    if not waiting:
        return
    pieces = explicit_pieces(
        lambda _, state: inertial_velocity(flow, relaxation, state),
        np.zeros((2, *flow.shape)),
        waiting[-1],
        relative_tolerance=relative_tolerance,
        absolute_tolerance=1e-3 * relative_tolerance,
    )
    for piece in pieces:
        while waiting and waiting[0] <= piece.end:
            yield flow.kernels.logit_change(piece.value(waiting.pop(0))[0])


def integrate_inertial_flow(
    task: Task, gram: Gram, initial_logits: np.ndarray, relaxation: float, time: np.ndarray
) -> Trajectory:
    """The trajectory of the flow of momentum; arguments and errors as in `inertial_changes`."""
    observations = []
    change = np.zeros_like(initial_logits)
    for change in inertial_changes(task, gram, initial_logits, relaxation, time):
        observations.append(observe(task, initial_logits, change))
    return trajectory_of(
        observations,
        source="flow",
        model="transformer" if gram.dimension is None else "bilinear",
        dimension=gram.dimension,
        time=time,
        logits=initial_logits + change,
    )

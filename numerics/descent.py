"""Gradient descent, SGD and heavy-ball momentum as recursions in the coordinates C of the logit space.

Every step stays in the span of gradients, so Theta_k = rho_k Theta_0 + V_A^T C_k V and S_k = rho_k S_0 +
K_in[:, A] C_k K_out: any embedding dimension, the same iterates as training the parameters. With weight
decay lambda added to the gradient, rho_k < 1 (`initial_share`). Adam leaves the span and has no place here.
Time = learning rate x steps, for momentum beta learning rate x steps / (1 - beta).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.observables import observe, trajectory_of
from numerics.order import ORDERS, Order, visits
from numerics.residual import residual
from numerics.trajectory import Trajectory
from theory.task import Task

Optimizer = Literal["gd", "sgd", "momentum"]
Batch = Literal["full", "one"]


@dataclass(frozen=True)
class DescentSettings:
    """`gd` is full-batch descent, `sgd` one example a step, `momentum` the heavy ball with either batch.

    Updates are torch.optim.SGD's: v <- beta v + g, Theta <- Theta - learning_rate v, g = gradient +
    weight_decay Theta; `decoupled` decay multiplies Theta by 1 - learning_rate weight_decay instead. `order`
    and `seed` are those of `numerics.order.visits`. Raises ValueError on impossible settings.
    """

    optimizer: Optimizer
    learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    batch: Batch = "one"
    order: Order = "reshuffled"
    seed: int = 0
    decoupled: bool = False

    def __post_init__(self) -> None:
        for value, allowed in (
            (self.optimizer, get_args(Optimizer)),
            (self.batch, get_args(Batch)),
            (self.order, ORDERS),
        ):
            if value not in allowed:
                raise ValueError(f"expected one of {', '.join(allowed)}, got {value!r}")
        if not 0.0 < self.learning_rate < np.inf:
            raise ValueError(f"the learning rate must be positive and finite, got {self.learning_rate}")
        if not 0.0 <= self.momentum < 1.0:
            raise ValueError(f"momentum must lie in [0, 1), got {self.momentum}")
        if not 0.0 <= self.weight_decay < np.inf:
            raise ValueError(f"weight decay must be finite and not negative, got {self.weight_decay}")

    @property
    def full_batch(self) -> bool:
        """Whether a step sees every training pair."""
        return self.optimizer == "gd" or (self.optimizer == "momentum" and self.batch == "full")

    @property
    def friction(self) -> float:
        """beta of the heavy ball, zero for gd and sgd."""
        return self.momentum if self.optimizer == "momentum" else 0.0

    @property
    def time_step(self) -> float:
        """The time of one step: learning rate / (1 - beta)."""
        return self.learning_rate / (1.0 - self.friction)


def descend(
    task: Task,
    gram: Gram,
    initial_logits: np.ndarray,
    settings: DescentSettings,
    steps: int,
    record: np.ndarray,
) -> Trajectory:
    """Descend from S(0) = `initial_logits` (contexts, m), observing at the step numbers in `record` (T,).

    `record` holds increasing step numbers from 0 to `steps`. A step with one example costs O(N m + m^2), a
    full batch O(N^2 m + N m^2). Raises ValueError on another record.
    """
    record = np.asarray(record)
    observations = []
    change = np.zeros_like(initial_logits)
    for change in descent_changes(task, gram, initial_logits, settings, steps, record):
        observations.append(observe(task, initial_logits, change))
    return trajectory_of(
        observations,
        source="descent",
        model="transformer" if gram.dimension is None else "bilinear",
        dimension=gram.dimension,
        time=settings.time_step * record,
        logits=initial_logits + change,
    )


def descent_changes(
    task: Task,
    gram: Gram,
    initial_logits: np.ndarray,
    settings: DescentSettings,
    steps: int,
    record: np.ndarray,
) -> Iterator[np.ndarray]:
    """S_k - S_0 (contexts, m) at each recorded step; arguments, cost and errors as in `descend`."""
    record = np.asarray(record)
    if len(record) == 0 or (np.diff(record) <= 0).any() or record[0] < 0 or record[-1] > steps:
        raise ValueError(f"recorded steps must increase strictly within 0..{steps}, got {record}")
    flow = LogitFlow(Kernels(task, gram), initial_logits)
    share = initial_share(settings, steps)
    recorded = set(record.tolist())
    for step, coordinates in enumerate(_iterates(flow, settings, steps, share)):
        if step in recorded:
            yield flow.kernels.logit_change(coordinates) - (1.0 - share[step]) * initial_logits


def initial_share(settings: DescentSettings, steps: int) -> np.ndarray:
    """rho_k for k = 0..steps, shape (steps + 1,): what is left of the initial parameters under weight decay.

    rho_{k+1} = rho_k - lr nu_{k+1}, nu_{k+1} = beta nu_k + lambda rho_k: the power (1 - lr lambda)^k for gd
    and sgd (beta = 0) and for every decoupled decay, a two-term recursion for momentum.
    """
    if settings.decoupled:
        return (1.0 - settings.learning_rate * settings.weight_decay) ** np.arange(steps + 1)
    share = np.ones(steps + 1)
    velocity = 0.0
    for k in range(steps if settings.weight_decay else 0):
        velocity = settings.friction * velocity + settings.weight_decay * share[k]
        share[k + 1] = share[k] - settings.learning_rate * velocity
    return share


def row_recursion(vocabulary_size: int, learning_rate: float, visits: int) -> np.ndarray:
    """h_0 .. h_visits of SGD on one single-target row: h_{k+1} = h_k + eta / (m - 1 + e^(m h_k)), h_0 = 0.

    The target's logit is (m - 1) h and every other token's -h; k counts visits of the row, not steps.
    """
    h = np.zeros(visits + 1)
    for k in range(visits):
        h[k + 1] = h[k] + learning_rate / (vocabulary_size - 1 + np.exp(vocabulary_size * h[k]))
    return h


# What a step adds along the negative gradient: the rows it touches and, for them, F R or one example's K
# w_k R.
Ascent = Callable[[int, np.ndarray], tuple[slice | int, np.ndarray]]


def _iterates(flow: LogitFlow, settings: DescentSettings, steps: int, share: np.ndarray) -> Iterator[np.ndarray]:
    """C_0 .. C_steps, one array (N, m) changed in place: v <- beta v + lambda C - F R, C <- C - lr v."""
    ascent = _full_batch(flow, share) if settings.full_batch else _one_example(flow, share, settings, steps)
    coordinates, velocity = np.zeros(flow.shape), np.zeros(flow.shape)
    yield coordinates
    for k in range(steps):
        rows, block = ascent(k, coordinates)
        if settings.decoupled:
            coordinates *= 1.0 - settings.learning_rate * settings.weight_decay
        if settings.friction:
            velocity *= settings.friction
            if not settings.decoupled:
                velocity += settings.weight_decay * coordinates
            velocity[rows] -= block
            coordinates -= settings.learning_rate * velocity
        else:
            if settings.weight_decay and not settings.decoupled:
                coordinates *= 1.0 - settings.learning_rate * settings.weight_decay
            coordinates[rows] += settings.learning_rate * block
        yield coordinates


def _full_batch(flow: LogitFlow, share: np.ndarray) -> Ascent:
    """F R(rho_k S_A(0) + K_AA C K_out) on every row."""
    task = flow.kernels.task
    start = flow.initial_logits[: task.trained_contexts]

    def ascent(k: int, coordinates: np.ndarray) -> tuple[slice, np.ndarray]:
        logits = share[k] * start + flow.kernels.trained_logit_change(coordinates)
        return slice(None), flow.weight * residual(logits, task.target_distribution)

    return ascent


def _one_example(flow: LogitFlow, share: np.ndarray, settings: DescentSettings, steps: int) -> Ascent:
    """K w_k (onehot_b - p_a) on the row a of the pair (a, b) that step k visits."""
    task = flow.kernels.task
    pairs = len(task.train_target)
    visited = visits(settings.order, pairs, steps, settings.seed)
    context, target = task.train_context[visited].tolist(), task.train_target[visited].tolist()
    weight = pairs * task.train_weight[visited]

    def ascent(k: int, coordinates: np.ndarray) -> tuple[int, np.ndarray]:
        a, b = context[k], target[k]
        logits = share[k] * flow.initial_logits[a] + flow.kernels.row_change(a, coordinates)
        block = -np.exp(logits - logits.max())
        block *= weight[k] / -block.sum()
        block[b] = 0.0
        block[b] = -block.sum()  # 1 - p as the sum of the other probabilities
        return a, block

    return ascent

"""How the distance of real training to the flow falls with the step size, for every order of visits.

Full batch, cyclic and reshuffled visits: order one. Sampling with replacement: the noise of one step averages out only
like a random walk, order one half.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from numerics.flow import logits_along
from numerics.order import Order
from theory.claim import Claim, Evidence
from theory.task import Task
from validation.compare import check_order, fitted_order, order_text
from validation.instances import bilinear_instances
from validation.optimizers import Optimizer
from validation.training import Batch, Progress, TrainingSettings, train

DIMENSION = 64
INIT_SCALE = 0.01
STEPS = (0.2, 0.1, 0.05, 0.025)
# Distances are taken at ends of epochs of the coarsest step, which are ends of epochs of every other step too. After
# the last, 20 x 0.2 = 4 units of time a context, the rows are in the middle of learning, where steps matter most.
EPOCHS_RECORDED = (4, 8, 12, 16, 20)
ORDER_WINDOW = 0.1  # the next order contributes a relative step / 2 to each distance, below 0.1 over these steps


@dataclass(frozen=True)
class Schedule:
    """One way to visit the pairs, the order in the step size that is expected of it, and the window for the fit."""

    name: str
    optimizer: Optimizer
    visits: Order
    expected: float
    window: float
    seeds: int


SCHEDULES = (
    Schedule("full-batch", "gd", "cyclic", 1.0, ORDER_WINDOW, 1),
    Schedule("cyclic", "sgd", "cyclic", 1.0, ORDER_WINDOW, 1),
    Schedule("reshuffled", "sgd", "reshuffled", 1.0, ORDER_WINDOW, 16),
    # bootstrapped over seeds (2 pairs, 6 tokens), the order fitted from root mean squares over 48 is 0.51 with standard
    # error 0.035: the window leaves 5.6 of them, a false alarm in 5e7 runs, and order one far outside
    Schedule("replacement", "sgd", "replacement", 0.5, 0.21, 48),
)


def distances(task: Task, schedule: Schedule, seed: int, steps: Sequence[float] = STEPS) -> list[float]:
    """For each step size the distance of torch training to the flow: root mean square over seeds of the largest gap.

    Gaps are of all logits at EPOCHS_RECORDED, on one grid of times for every step size.
    """
    visits = len(task.train_context) * np.array(EPOCHS_RECORDED)  # of the coarsest step
    time = steps[0] * visits
    found: list[float] = []
    for step in steps:
        # one instance for every seed, so that only the order of visits differs and one flow serves all
        instances = bilinear_instances(task, DIMENSION, INIT_SCALE, [seed] * schedule.seeds)
        record = np.concatenate([[0], round(steps[0] / step) * visits])
        batch: Batch = "full" if schedule.optimizer == "gd" else "one"
        settings = TrainingSettings(schedule.optimizer, step, int(record[-1]), batch, schedule.visits)
        orders = range(seed, seed + schedule.seeds)
        run = train(instances.network, task, settings, orders, record, keep_logits=True)
        assert run.logits_recorded is not None
        flow = logits_along(task, instances.grams[0], run.initial_logits[0], time)
        gap = np.abs(run.logits_recorded[1:] - flow[:, None]).max(axis=(0, 2, 3))  # (R, S, contexts, m) -> (S,)
        found.append(float(np.sqrt(np.mean(gap**2))))
    return found


@dataclass(frozen=True)
class StepOrder:
    """Distances of training to the flow over step sizes under one schedule, and the order that is expected."""

    schedule: str
    seeds: int
    steps: tuple[float, ...]
    distances: tuple[float, ...]
    expected: float

    @property
    def order(self) -> float:
        """The fitted power of the step size."""
        return fitted_order(self.steps, self.distances)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {"order": self.order}


# Where targets of one row compete, the random part of reshuffling, of order 3/2 in the step, shows beside the order-one
# part: the fit lies between the two, and only "at least one" is claimed.
COMPETING = (1.25, 0.25 + ORDER_WINDOW)


def step_order_claims(
    small: Task, seed: int, progress: Progress | None = None
) -> tuple[list[Claim], tuple[StepOrder, ...]]:
    """One claim per schedule on a small task, and the distances behind those that apply."""
    claims: list[Claim] = []
    orders: list[StepOrder] = []
    for done, schedule in enumerate(SCHEDULES):
        if progress is not None:
            progress(done, len(SCHEDULES))
        if schedule.name == "replacement" and len(small.train_context) == 1:
            claims.append(order_text(schedule.name).not_applicable("one trained pair: sampling it is no noise"))
            continue
        competing = schedule.name == "reshuffled" and not small.single_target
        expected, window = COMPETING if competing else (schedule.expected, schedule.window)
        found = tuple(distances(small, schedule, seed))
        evidence: Evidence = "sampled" if schedule.name == "replacement" else "numerical"
        claims.append(check_order(order_text(schedule.name), STEPS, found, expected, window, evidence))
        orders.append(StepOrder(schedule.name, schedule.seeds, STEPS, found, expected))
    return claims, tuple(orders)

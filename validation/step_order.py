"""How the distance of real training to the flow falls with the step size, for every order of visits.

Full batch, cyclic and reshuffled visits, and momentum beside its own flow: order one. Sampling with replacement: the
noise of one step averages out only like a random walk, order one half. Where the state is a smooth function of the step
size, the same runs are extrapolated to step size zero and must be the flow (`extrapolation`).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from numerics.error_bound import logit_error
from numerics.flow import flow_states, numerical_defect
from numerics.inertial_flow import inertial_changes
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.optimizer import Optimizer
from numerics.order import Order
from theory.claim import Claim, Evidence
from theory.task import Task
from validation.compare import check_order, fitted_order, order_text, rounding_tolerance
from validation.extrapolation import check_extrapolation
from validation.instances import Instances, bilinear_instances
from validation.settings import HEAVY_BALL
from validation.training import Batch, Progress, TrainingSettings, train

DIMENSION = 64
INIT_SCALE = 0.01
STEPS = (0.2, 0.1, 0.05, 0.025)
# Distances are taken at ends of epochs of the coarsest step, which are ends of epochs of every other step too. After
# the last, 20 x 0.2 = 4 units of time a context, the rows are in the middle of learning, where steps matter most.
EPOCHS_RECORDED = (4, 8, 12, 16, 20)
# The relaxation time of momentum's own flow: beta = 0.9 at the coarsest step, and its square root at each halved one.
RELAXATION = -STEPS[0] / float(np.log(HEAVY_BALL))
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
    smooth: bool = False  # whether the state at ends of epochs is a smooth function of the step size

    def settings(self, step: float, steps: int) -> TrainingSettings:
        """Steps of the time `step` each; those of momentum keep its relaxation time."""
        batch: Batch = "full" if self.optimizer == "gd" else "one"
        if self.optimizer != "momentum":
            return TrainingSettings(self.optimizer, step, steps, batch, self.visits)
        friction = float(np.exp(-step / RELAXATION))
        return TrainingSettings("momentum", step * (1.0 - friction), steps, batch, self.visits, momentum=friction)


SCHEDULES = (
    Schedule("full-batch", "gd", "cyclic", 1.0, ORDER_WINDOW, 1, smooth=True),
    Schedule("cyclic", "sgd", "cyclic", 1.0, ORDER_WINDOW, 1, smooth=True),
    Schedule("momentum", "momentum", "cyclic", 1.0, ORDER_WINDOW, 1, smooth=True),
    Schedule("reshuffled", "sgd", "reshuffled", 1.0, ORDER_WINDOW, 16),
    # bootstrapped over seeds (2 pairs, 6 tokens), the order fitted from root mean squares over 48 is 0.51 with standard
    # error 0.035: the window leaves 5.6 of them, a false alarm in 5e7 runs, and order one far outside
    Schedule("replacement", "sgd", "replacement", 0.5, 0.21, 48),
)


@dataclass(frozen=True)
class StepRuns:
    """Real training at every step size of STEPS and the flow, at EPOCHS_RECORDED, on one grid of times.

    `logits` has one (R, S, contexts, m) a step size, `flow` is (R, contexts, m); `error` bounds the error of the flow's
    logits and the rounding of training.
    """

    logits: tuple[np.ndarray, ...]
    flow: np.ndarray
    error: float

    def distances(self) -> list[float]:
        """For each step size the distance to the flow: root mean square over seeds of the largest gap."""
        gaps = [np.abs(run - self.flow[:, None]).max(axis=(0, 2, 3)) for run in self.logits]  # (S,) each
        return [float(np.sqrt(np.mean(gap**2))) for gap in gaps]


def runs_over_steps(task: Task, schedule: Schedule, seed: int, steps: Sequence[float] = STEPS) -> StepRuns:
    """Train with torch at each of `steps`, every one for as long as the coarsest takes for EPOCHS_RECORDED."""
    visits = len(task.train_context) * np.array(EPOCHS_RECORDED)  # of the coarsest step
    logits = []
    for step in steps:
        # one instance for every seed, so that only the order of visits differs and one flow serves all
        instances = bilinear_instances(task, DIMENSION, INIT_SCALE, [seed] * schedule.seeds)
        record = np.concatenate([[0], round(steps[0] / step) * visits])
        settings = schedule.settings(step, int(record[-1]))
        orders = range(seed, seed + schedule.seeds)
        run = train(instances.network, task, settings, orders, record, keep_logits=True)
        assert run.logits_recorded is not None
        logits.append(run.logits_recorded[1:])
    flow, error = _flow(instances, schedule, run.initial_logits[0], steps[0] * visits)
    rounding = rounding_tolerance(settings.steps, DIMENSION, instances.kernels()[:1], float(np.abs(flow).max()))
    return StepRuns(tuple(logits), flow, error + rounding)


def distances(task: Task, schedule: Schedule, seed: int, steps: Sequence[float] = STEPS) -> list[float]:
    """The distances of `runs_over_steps`."""
    return runs_over_steps(task, schedule, seed, steps).distances()


FLOW_TOLERANCE = 1e-9


def _flow(instances: Instances, schedule: Schedule, start: np.ndarray, time: np.ndarray) -> tuple[np.ndarray, float]:
    """Logits (R, contexts, m) of the flow that the schedule discretises, and a bound on their error."""
    task, gram = instances.task, instances.grams[0]
    if schedule.optimizer == "momentum":
        # no convexity bounds an equation of second order: its error is taken from a run at a hundredth of the tolerance
        loose, tight = (
            np.stack(list(inertial_changes(task, gram, start, RELAXATION, time, tolerance)))
            for tolerance in (FLOW_TOLERANCE, 1e-2 * FLOW_TOLERANCE)
        )
        return start + tight, float(np.abs(loose - tight).max())
    kernels = Kernels(task, gram)
    flow = LogitFlow(kernels, start)
    states = list(flow_states(flow, time, numerical_defect(flow), FLOW_TOLERANCE))
    error = float(logit_error(kernels, states[-1][1]).max())
    return np.stack([start + kernels.logit_change(coordinates) for coordinates, _ in states]), error


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
    """The order of each schedule on a small task, the extrapolation of smooth ones, and the distances behind them."""
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
        runs = runs_over_steps(small, schedule, seed)
        found = tuple(runs.distances())
        evidence: Evidence = "sampled" if schedule.name == "replacement" else "numerical"
        claims.append(check_order(order_text(schedule.name), STEPS, found, expected, window, evidence))
        orders.append(StepOrder(schedule.name, schedule.seeds, STEPS, found, expected))
        if schedule.smooth:
            logits = [run[:, 0] for run in runs.logits]
            claims.append(check_extrapolation(schedule.name, STEPS, logits, runs.flow, runs.error))
    return claims, tuple(orders)

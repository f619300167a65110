"""Real SGD runs of one model set beside the recursion in logit space and the flow, on one grid of times."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from numerics.descent import DescentSettings, descend
from numerics.flow import integrate_flow
from numerics.inertial_flow import halved_momentum, integrate_inertial_flow, relaxation_time
from numerics.kernels import Kernels
from numerics.order import visits
from numerics.trajectory import Trajectory
from theory.task import Task
from validation.compare import rounding_tolerance
from validation.instances import Instances
from validation.replay import AdamReplay
from validation.result import SeededTrajectory
from validation.training import Progress, TrainingRun, TrainingSettings, train

RECORDED_STEPS = 40


@dataclass(frozen=True)
class RealRun:
    """Real training of every seed, and what theory and numerics make of the same instances on the same times.

    `kernels` describe the instances. `descent`, `halved` (the recursion at half the time of a step) and `flow` are None
    under Adam, whose steps the logit space does not see and `adam` repeats. `followed` is the flow that the steps
    discretise: that of momentum is its own, of second order in time, while `flow` is always the gradient flow.
    """

    instances: Instances
    settings: TrainingSettings
    kernels: list[Kernels]
    training: TrainingRun
    descent: list[Trajectory] | None
    halved: list[Trajectory] | None
    flow: list[Trajectory] | None
    followed: list[Trajectory] | None
    adam: AdamReplay | None = None

    @property
    def task(self) -> Task:
        """The task that was trained."""
        return self.instances.task

    @property
    def model(self) -> str:
        """The model's name."""
        return self.instances.model

    def visited_time(self) -> np.ndarray:
        """The flow time that its own visits have given each pair's row, in units of 1 / f_a, (S, K); 0 where none did.

        A visit counts K w_k times the time of a step, a full batch f_a times it; of the visits of the heavy ball what
        has come through: 1 - beta^i after i steps.
        """
        task, settings, seeds = self.task, self.settings, self.instances.seeds
        friction = settings.momentum if settings.optimizer == "momentum" else 0.0
        through = settings.time_per_step * (1.0 - friction ** np.arange(settings.steps, 0, -1))  # of step k = 1, 2, ...
        if settings.batch == "full":
            return np.tile(task.context_weight[task.train_context] * through.sum(), (len(seeds), 1))
        pairs = len(task.train_context)
        drawn = [visits(settings.order, pairs, settings.steps, seed) for seed in seeds]
        return np.stack([np.bincount(k, through, pairs) for k in drawn]) * (pairs * task.train_weight)

    def trajectories(self) -> list[SeededTrajectory]:
        """Training, descent and flow, a trajectory per seed each."""
        found = [self.training.trajectories, self.descent, self.flow]
        return [SeededTrajectory(self.task, self.instances.seeds, tuple(t)) for t in found if t is not None]

    def rounding(self, solved: bool = False) -> float:
        """The tolerance for logits that are equal in exact arithmetic, for the worst seed.

        `solved`: one side of the comparison is a solution with G_AA.
        """
        size = float(np.abs(self.training.final_logits).max())
        return rounding_tolerance(self.settings.steps, self.instances.network.dimension, self.kernels, size, solved)


def recorded_steps(steps: int, count: int = RECORDED_STEPS) -> np.ndarray:
    """Zero and at most `count` step numbers up to `steps`, evenly spaced in the logarithm."""
    return np.unique(np.concatenate([[0], np.round(np.geomspace(1, steps, count)).astype(int)]))


def run(instances: Instances, settings: TrainingSettings, progress: Progress | None = None) -> RealRun:
    """Train, descend in logit space at the same and at half the step size, and integrate the flow, for every seed."""
    task, kernels = instances.task, instances.kernels()
    record = recorded_steps(settings.steps)
    in_span = settings.optimizer in ("gd", "sgd", "momentum")
    adam = AdamReplay(instances.network, task) if settings.optimizer == "adam" else None
    training = train(
        instances.network,
        task,
        settings,
        instances.seeds,
        record,
        track_unseen=instances.model == "transformer",
        progress=progress,
    )
    if not in_span:
        return RealRun(instances, settings, kernels, training, None, None, None, None, adam)
    starts = list(zip(instances.grams, training.initial_logits, instances.seeds, strict=True))
    half = halved(settings)

    def recursion(run_settings: TrainingSettings, steps: np.ndarray) -> list[Trajectory]:
        return [
            replace(
                descend(task, g, s, descent_settings(run_settings, seed), run_settings.steps, steps),
                model=instances.model,
            )
            for g, s, seed in starts
        ]

    def named(trajectory: Trajectory) -> Trajectory:
        return replace(trajectory, model=instances.model, dimension=instances.network.dimension)

    flows = [named(integrate_flow(task, g, s, training.time, byte_limit=np.inf)) for g, s, _ in starts]
    followed = flows
    if settings.optimizer == "momentum" and settings.momentum:
        relaxation = relaxation_time(descent_settings(settings, 0))
        followed = [named(integrate_inertial_flow(task, g, s, relaxation, training.time)) for g, s, _ in starts]
    return RealRun(
        instances,
        settings,
        kernels,
        training,
        recursion(settings, record),
        recursion(half, 2 * record),
        flows,
        followed,
    )


def halved(settings: TrainingSettings) -> TrainingSettings:
    """Twice the steps of half the time each; those of momentum keep the relaxation time of its velocity."""
    rate, friction = settings.learning_rate / 2, settings.momentum
    if settings.optimizer == "momentum":
        rate, friction = halved_momentum(settings.learning_rate, settings.momentum)
    return replace(settings, learning_rate=rate, momentum=friction, steps=2 * settings.steps)


def descent_settings(settings: TrainingSettings, seed: int) -> DescentSettings:
    """The same optimiser as a recursion in logit space, visiting pairs in the same order.

    Raises ValueError for Adam and sign descent, which have none.
    """
    if settings.optimizer not in ("gd", "sgd", "momentum"):
        raise ValueError(f"{settings.optimizer} leaves the span of gradients and has no recursion in logit space")
    return DescentSettings(
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        batch=settings.batch,
        order=settings.order,
        seed=seed,
        decoupled=settings.decoupled,
    )


def final_logits(trajectories: Sequence[Trajectory]) -> np.ndarray:
    """The logits (S, contexts, m) at the last time. Raises ValueError where a trajectory did not keep them."""
    kept = [t.logits for t in trajectories if t.logits is not None]
    if len(kept) < len(trajectories):
        raise ValueError("these trajectories kept no logits")
    return np.stack(kept)

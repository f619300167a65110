"""Real SGD runs of one model set beside the recursion in logit space and the flow, on one grid of times."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from numerics.descent import DescentSettings, descend
from numerics.flow import integrate_flow
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.trajectory import Trajectory
from theory.task import Task
from validation.compare import rounding_tolerance
from validation.instances import Instances
from validation.result import SeededTrajectory
from validation.training import Progress, TrainingRun, TrainingSettings, train

RECORDED_STEPS = 40


@dataclass(frozen=True)
class RealRun:
    """Real training of every seed, and what theory and numerics make of the same instances on the same times.

    `kernels` and `initial_logits` describe the instances; `descent`, `halved` (the recursion at half the step size) and
    `flow` are None under Adam, whose steps the logit space does not see.
    """

    instances: Instances
    settings: TrainingSettings
    kernels: list[Kernels]
    training: TrainingRun
    descent: list[Trajectory] | None
    halved: list[Trajectory] | None
    flow: list[Trajectory] | None

    @property
    def task(self) -> Task:
        """The task that was trained."""
        return self.instances.task

    @property
    def model(self) -> str:
        """The model's name."""
        return self.instances.model

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
    training = train(
        instances.network,
        task,
        settings,
        instances.seeds,
        record,
        track_unseen=instances.model == "transformer",
        progress=progress,
    )
    if settings.optimizer not in ("gd", "sgd", "momentum"):
        return RealRun(instances, settings, kernels, training, None, None, None)
    starts = list(zip(instances.grams, training.initial_logits, instances.seeds, strict=True))
    half = replace(settings, learning_rate=settings.learning_rate / 2, steps=2 * settings.steps)

    def recursion(run_settings: TrainingSettings, steps: np.ndarray) -> list[Trajectory]:
        return [
            replace(
                descend(task, g, s, descent_settings(run_settings, seed), run_settings.steps, steps),
                model=instances.model,
            )
            for g, s, seed in starts
        ]

    def flow(gram: Gram, start: np.ndarray) -> Trajectory:
        found = integrate_flow(task, gram, start, training.time, byte_limit=np.inf)
        return replace(found, model=instances.model, dimension=instances.network.dimension)

    flows = [flow(g, s) for g, s, _ in starts]
    return RealRun(
        instances, settings, kernels, training, recursion(settings, record), recursion(half, 2 * record), flows
    )


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

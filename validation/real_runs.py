"""Real SGD runs of one model set beside the recursion in logit space and the flow, on one grid of times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from numerics.descent import DescentSettings, descend, initial_share
from numerics.flow import integrate_flow
from numerics.kernels import Kernels
from numerics.trajectory import Trajectory
from theory.claim import Claim
from theory.task import Task
from validation.compare import (
    check_asymmetry,
    check_descent,
    check_flow_distance,
    check_forward,
    check_interpolation,
    check_interpolation_broken,
    check_intransitivity,
    check_loss_floor,
    check_unseen,
    interpolation_residual,
    intransitivity_moves,
    not_applicable,
    reverse_moves,
    rounding_tolerance,
    row_centred,
)
from validation.instances import Instances
from validation.result import SeededTrajectory
from validation.training import Progress, TrainingRun, TrainingSettings, train

RECORDED_STEPS = 40

# What moved and how far it may: (kernels, change of the logits, rounding) -> one entry per held-out answer each.
Moves = Callable[[Kernels, np.ndarray, float], tuple[np.ndarray, np.ndarray]]


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

    def rounding(self) -> float:
        """The tolerance for logits that are equal in exact arithmetic, for the worst seed."""
        size = float(np.abs(self.training.final_logits).max())
        condition = max(k.amplification for k in self.kernels)
        return rounding_tolerance(self.settings.steps, self.instances.network.dimension, condition, size)


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
    if settings.optimizer in ("adam", "adamw"):
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

    flow = [
        replace(integrate_flow(task, g, s, training.time), model=instances.model, dimension=instances.network.dimension)
        for g, s, _ in starts
    ]
    return RealRun(
        instances, settings, kernels, training, recursion(settings, record), recursion(half, 2 * record), flow
    )


def descent_settings(settings: TrainingSettings, seed: int) -> DescentSettings:
    """The same optimiser as a recursion in logit space, visiting pairs in the same order.

    Raises ValueError for Adam, which has none.
    """
    if settings.optimizer == "adam" or settings.optimizer == "adamw":
        raise ValueError(f"{settings.optimizer} leaves the span of gradients and has no recursion in logit space")
    return DescentSettings(
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        batch=settings.batch,
        order=settings.order,
        seed=seed,
    )


def claims_of(real: RealRun) -> list[Claim]:
    """Every claim about one real run: against recursion and flow, interpolation law, asymmetry, intransitivity."""
    gains = np.stack([t.trained_logit_change[-1] for t in real.training.trajectories])
    claims = [check_forward(gains, real.model), *_against_theory(real), *_interpolation(real)]
    rounding = real.rounding()
    claims += _reverse(real, float(gains.mean()), rounding)
    claims.append(check_loss_floor(real.task, real.training.trajectories, rounding))
    return [*claims, *_unseen(real)]


def _unseen(real: RealRun) -> list[Claim]:
    """p <= 1/M at every step for never-trained pairs of the one-layer transformer; Adam is not covered."""
    if real.model != "transformer":
        return []
    what = f"{real.settings.optimizer}, {real.settings.steps} steps, all seeds and every unseen pair"
    if real.settings.optimizer in ("adam", "adamw") or not real.task.one_token_contexts:
        reason = (
            "contexts of several tokens share rows of Y" if real.task.one_token_contexts is False else "Adam's steps"
        )
        largest = f"{reason} are not covered by the argument; measured: {real.training.unseen_maximum():.3g}"
        return [
            not_applicable(
                "unseen-targets-in-the-run",
                "Unseen targets stay at or below 1/M",
                r"p_{aj}(k) \le 1/M",
                "this project",
                largest,
            )
        ]
    return [check_unseen(real.training.unseen_maximum(), real.task.vocabulary_size, "in-the-run", what)]


def _against_theory(real: RealRun) -> list[Claim]:
    if real.descent is None or real.flow is None or real.halved is None:
        reason = f"{real.settings.optimizer} leaves the span of gradients: its steps are no recursion in logit space"
        return [
            not_applicable(
                f"training-is-descent-{real.model}",
                "Real training equals the recursion in logit space",
                r"S^{\text{torch}}_k = S^{\text{logit space}}_k",
                "this project",
                reason,
            )
        ]
    trained = real.training.final_logits
    descended, halved, flowed = (final_logits(some) for some in (real.descent, real.halved, real.flow))
    what = f"{real.settings.optimizer}, {real.settings.steps} steps, {len(real.instances.seeds)} seeds"
    distance = float(np.max(np.abs(trained - flowed)))
    gap = max(
        float(np.max(np.abs(a.loss - b.loss))) for a, b in zip(real.training.trajectories, real.flow, strict=True)
    )
    return [
        check_descent(trained, descended, real.rounding(), real.model, f"{what}, logits of every context"),
        check_flow_distance(
            distance,
            float(np.max(np.abs(descended - halved))),
            real.rounding(),
            real.model,
            f"{what}; logits at t = {real.training.time[-1]:g}; largest gap of the loss over time {gap:.3g}; "
            "bound: from the same recursion at half the step size",
        ),
    ]


def final_logits(trajectories: Sequence[Trajectory]) -> np.ndarray:
    """The logits (S, contexts, m) at the last time. Raises ValueError where a trajectory did not keep them."""
    kept = [t.logits for t in trajectories if t.logits is not None]
    if len(kept) < len(trajectories):
        raise ValueError("these trajectories kept no logits")
    return np.stack(kept)


def _interpolation(real: RealRun) -> list[Claim]:
    """The law at the end of the run, or its visible breaking under Adam; trivial where every context is trained."""
    if len(real.task.contexts) == real.task.trained_contexts:
        return []
    name, tolerance = real.settings.optimizer, real.rounding()
    remaining = 1.0
    if real.descent is not None:
        remaining = float(initial_share(descent_settings(real.settings, 0), real.settings.steps)[-1])
    residual = max(
        interpolation_residual(k, s0, s[None], remaining)
        for k, s0, s in zip(real.kernels, real.training.initial_logits, real.training.final_logits, strict=True)
    )
    if name in ("adam", "adamw"):
        # token space: the rows of Y do not overlap, so Adam leaves untrained rows alone like any other optimiser
        if real.instances.network.dimension is None:
            return []
        return [check_interpolation_broken(f"{name}-in-the-run", residual, tolerance, real.model)]
    return [check_interpolation(f"{name}-in-the-run", residual, tolerance, real.model)]


def _reverse(real: RealRun, forward: float, rounding: float) -> list[Claim]:
    """Asymmetry for queries of untrained contexts, intransitivity for queries of trained ones."""
    change = real.training.final_logits - real.training.initial_logits
    trained = real.task.trained_contexts
    claims = []
    if real.settings.optimizer in ("adam", "adamw") and real.instances.network.dimension is not None:
        reason = f"{real.settings.optimizer} leaves the span of gradients, so the interpolation law bounds nothing"
        moved = [np.abs(row_centred(c)[q.context, list(q.answers)]).max() for c in change for q in real.task.queries]
        measured = f"; measured: answers of queries moved by {np.mean(moved):.3g} on average" if moved else ""
        return [
            not_applicable(
                f"asymmetry-{real.model}",
                "Reverse logits stay where the interpolation law holds them",
                r"|\Delta S_{qx}| \le \sum_a |w_{qa}|\,|\Delta S_{ax}|",
                "this project",
                reason + measured,
            )
        ]
    if any(q.context >= trained for q in real.task.queries):
        moves, bounds = _over_seeds(reverse_moves, real, change, rounding)
        claims.append(check_asymmetry(moves, bounds, forward, real.model))
    if any(q.context < trained for q in real.task.queries):
        dimension = real.instances.network.dimension
        if dimension is not None and dimension < real.task.vocabulary_size:
            reason = f"the Gram matrix is singular: dimension {dimension} < vocabulary {real.task.vocabulary_size}"
            claims.append(
                not_applicable(
                    f"intransitivity-{real.model}",
                    "Chains gain no more than coherence",
                    r"\Delta S_{qx} \le \ldots",
                    "this project",
                    reason,
                )
            )
        else:
            moves, bounds = _over_seeds(intransitivity_moves, real, change, rounding)
            claims.append(check_intransitivity(moves, bounds, real.model))
    return claims


def _over_seeds(moves_of: Moves, real: RealRun, change: np.ndarray, rounding: float) -> tuple[np.ndarray, np.ndarray]:
    pairs = [moves_of(k, c, rounding) for k, c in zip(real.kernels, change, strict=True)]
    return np.concatenate([m for m, _ in pairs]), np.concatenate([b for _, b in pairs])

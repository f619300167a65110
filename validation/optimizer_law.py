"""Every optimiser in real training: its steps replayed, and the interpolation law, exact but under Adam.

Also what leaves the theory by changing the network: trainable embeddings in a one-layer attention network.
"""

from dataclasses import dataclass

import numpy as np

from numerics.descent import DescentSettings, descent_changes, initial_share
from numerics.kernels import Kernels
from numerics.optimizer import Optimizer
from numerics.order import Order
from theory.claim import Claim
from theory.counting import count_of
from theory.task import Task
from validation.compare import (
    check_descent,
    check_interpolation,
    descent_text,
    interpolation_residual,
    interpolation_text,
    judge_broken,
    rounding_tolerance,
)
from validation.instances import Instances, attention_instances, bilinear_instances
from validation.real_runs import descent_settings, recorded_steps
from validation.replay import AdamReplay, adam_claim, too_large_steps
from validation.settings import largest_share
from validation.training import Progress, TrainingRun, TrainingSettings, train

DIMENSION = 256
INIT_SCALE = 0.1  # large enough that S(0) matters in the law
STEPS = 120
RECORDS = 6


def optimizers(task: Task) -> dict[str, TrainingSettings]:
    """The optimisers that are tried, by name, with steps that fit the weights of the task."""
    full, one = 1 / largest_share(task, "gd"), 1 / largest_share(task, "sgd")

    def single(optimizer: Optimizer, step: float, order: Order, weight_decay: float = 0.0) -> TrainingSettings:
        return TrainingSettings(optimizer, step * one, STEPS, "one", order, weight_decay=weight_decay)

    return {
        "gd": TrainingSettings("gd", 0.1 * full, STEPS, "full"),
        "sgd": single("sgd", 0.5, "reshuffled"),
        "momentum": single("momentum", 0.1, "cyclic"),
        "sgd with weight decay": single("sgd", 0.5, "replacement", weight_decay=0.01),
        "momentum with weight decay": single("momentum", 0.1, "reshuffled", weight_decay=0.01),
        "adam": TrainingSettings("adam", 0.01, STEPS, "full"),
    }


@dataclass(frozen=True)
class OptimizerRun:
    """Real training of every seed under one optimiser, with its logits at some steps."""

    instances: Instances
    settings: TrainingSettings
    record: np.ndarray
    run: TrainingRun
    kernels: list[Kernels]

    @property
    def logits(self) -> np.ndarray:
        """Logits (R, S, contexts, m) at the recorded steps."""
        assert self.run.logits_recorded is not None
        return self.run.logits_recorded

    @property
    def leaves_the_span(self) -> bool:
        """Whether steps are no sums of gradients."""
        return self.settings.optimizer in ("adam", "adamw")

    def rounding(self, solved: bool) -> float:
        """The tolerance for logits that are equal in exact arithmetic; `solved` where one side solves with G_AA."""
        size, dimension = float(np.abs(self.logits).max()), self.instances.network.dimension
        return rounding_tolerance(self.settings.steps, dimension, self.kernels, size, solved)

    def law_residual(self) -> float:
        """The largest residual of the interpolation law over recorded steps and seeds."""
        if self.leaves_the_span:
            remaining = np.ones(len(self.record))
        else:
            remaining = initial_share(descent_settings(self.settings, 0), self.settings.steps)[self.record]
        return max(
            interpolation_residual(k, self.run.initial_logits[n], self.logits[:, n], remaining)
            for n, k in enumerate(self.kernels)
        )

    def recursion(self) -> np.ndarray:
        """The logits that the recursion in logit space has at the recorded steps, (R, S, contexts, m)."""
        task, steps = self.instances.task, self.settings.steps
        starts = zip(self.instances.grams, self.run.initial_logits, self.instances.seeds, strict=True)
        return np.stack(
            [
                [start + c for c in descent_changes(task, g, start, self.descent(seed), steps, self.record)]
                for g, start, seed in starts
            ],
            axis=1,
        )

    def descent(self, seed: int) -> DescentSettings:
        """The recursion of instance number `seed`."""
        return descent_settings(self.settings, seed)


def optimizer_run(instances: Instances, settings: TrainingSettings) -> OptimizerRun:
    """Train in place, recording a few steps."""
    record = recorded_steps(settings.steps, RECORDS)
    run = train(instances.network, instances.task, settings, instances.seeds, record, keep_logits=True)
    return OptimizerRun(instances, settings, record, run, instances.kernels())


def law_residual(instances: Instances, settings: TrainingSettings) -> tuple[float, float]:
    """The largest residual of the law over recorded steps and seeds, and its rounding tolerance."""
    found = optimizer_run(instances, settings)
    return found.law_residual(), found.rounding(solved=True)


def optimizer_claims(small: Task, seeds: range, progress: Progress | None = None) -> list[Claim]:
    """For each optimiser on a small task its steps replayed and, where an untrained context shows it, the law."""
    claims = []
    for done, (name, settings) in enumerate(optimizers(small).items()):
        if progress is not None:
            progress(done, len(optimizers(small)))
        instances = bilinear_instances(small, DIMENSION, INIT_SCALE, seeds)
        replay = AdamReplay(instances.network, small) if name == "adam" else None
        found = optimizer_run(instances, settings)
        if replay is None:
            claims.append(_recursion_claim(found, name))
        else:
            claims.append(adam_claim(replay, settings, found.run.final_logits, found.kernels, "small task"))
        if len(small.contexts) > small.trained_contexts:
            claims.append(_law_claim(found, name))
    return claims


def _recursion_claim(found: OptimizerRun, name: str) -> Claim:
    text, settings = descent_text(name), found.settings
    distance = np.abs(found.logits - found.recursion())
    reason = too_large_steps(settings, found.kernels)
    if reason is not None:
        return text.not_applicable(f"{reason}; measured: logits differ by {distance.max():.3g}")
    order = "" if settings.batch == "full" else f", {settings.order}"
    what = (
        f"{count_of(settings.steps, 'step')}{order}, {count_of(len(found.kernels), 'seed')}, every context at "
        f"{len(found.record)} of the steps"
    )
    return check_descent(distance, np.zeros(1), found.rounding(solved=False), text, what)


def _law_claim(found: OptimizerRun, name: str) -> Claim:
    residual, tolerance = found.law_residual(), found.rounding(solved=True)
    if found.leaves_the_span:
        return judge_broken(name, residual, tolerance, "bilinear", found.kernels)
    return check_interpolation(interpolation_text(name, "bilinear"), residual, tolerance)


def trainable_embeddings_claim(small: Task, seeds: range) -> list[Claim]:
    """Training the embeddings U as well as W_V leaves the law; how far is measured."""
    if len(small.contexts) == small.trained_contexts:
        return []
    instances = attention_instances(small, DIMENSION, seeds, trainable=("U", "W_V"))
    residual, tolerance = law_residual(instances, optimizers(small)["gd"])
    return [judge_broken("training the embeddings", residual, tolerance, "attention", instances.kernels())]

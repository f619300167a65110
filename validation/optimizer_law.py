"""The interpolation law under every optimiser, in real training: exact under SGD and its kin, broken by Adam.

Also what leaves the theory by changing the network: trainable embeddings in a one-layer attention network.
"""

import numpy as np

from numerics.descent import initial_share
from numerics.order import Order
from theory.claim import Claim
from theory.task import Task
from validation.compare import (
    check_interpolation,
    interpolation_residual,
    interpolation_text,
    judge_broken,
    rounding_tolerance,
)
from validation.instances import Instances, attention_instances, bilinear_instances
from validation.optimizers import Optimizer
from validation.real_runs import descent_settings, recorded_steps
from validation.settings import largest_share
from validation.training import Progress, TrainingSettings, train

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


def law_residual(instances: Instances, settings: TrainingSettings) -> tuple[float, float]:
    """The largest residual of the law over recorded steps and seeds, and its rounding tolerance."""
    record = recorded_steps(settings.steps, RECORDS)
    run = train(instances.network, instances.task, settings, instances.seeds, record, keep_logits=True)
    assert run.logits_recorded is not None
    if settings.optimizer in ("adam", "adamw"):
        remaining = np.ones(len(record))
    else:
        remaining = initial_share(descent_settings(settings, 0), settings.steps)[record]
    kernels = instances.kernels()
    residual = max(
        interpolation_residual(k, run.initial_logits[n], run.logits_recorded[:, n], remaining)
        for n, k in enumerate(kernels)
    )
    size = float(np.abs(run.logits_recorded).max())
    return residual, rounding_tolerance(settings.steps, instances.network.dimension, kernels, size, solved=True)


def optimizer_claims(small: Task, seeds: range, progress: Progress | None = None) -> list[Claim]:
    """One claim per optimiser on a small task; none where every context is trained (the law is then empty)."""
    if len(small.contexts) == small.trained_contexts:
        return []
    claims = []
    for done, (name, settings) in enumerate(optimizers(small).items()):
        if progress is not None:
            progress(done, len(optimizers(small)))
        instances = bilinear_instances(small, DIMENSION, INIT_SCALE, seeds)
        residual, tolerance = law_residual(instances, settings)
        if name == "adam":
            claims.append(judge_broken(name, residual, tolerance, "bilinear", instances.kernels()))
        else:
            claims.append(check_interpolation(interpolation_text(name, "bilinear"), residual, tolerance))
    return claims


def trainable_embeddings_claim(small: Task, seeds: range) -> list[Claim]:
    """Training the embeddings U as well as W_V leaves the law; how far is measured."""
    if len(small.contexts) == small.trained_contexts:
        return []
    instances = attention_instances(small, DIMENSION, seeds, trainable=("U", "W_V"))
    residual, tolerance = law_residual(instances, optimizers(small)["gd"])
    return [judge_broken("training the embeddings", residual, tolerance, "attention", instances.kernels())]

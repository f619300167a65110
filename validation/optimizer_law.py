"""The interpolation law under every optimiser, in real training: exact under SGD and its kin, broken by Adam.

Also what leaves the theory by changing the network: trainable embeddings in a one-layer attention network.
"""

import numpy as np

from numerics.descent import initial_share
from theory.claim import Claim
from theory.task import Task
from validation.compare import (
    check_interpolation,
    check_interpolation_broken,
    interpolation_residual,
    rounding_tolerance,
)
from validation.instances import Instances, attention_instances, bilinear_instances
from validation.real_runs import descent_settings, recorded_steps
from validation.training import Progress, TrainingSettings, train

DIMENSION = 256
INIT_SCALE = 0.1  # large enough that S(0) matters in the law
STEPS = 120
RECORDS = 6

# name -> settings; batch one unless the optimiser says otherwise
OPTIMIZERS: dict[str, TrainingSettings] = {
    "gd": TrainingSettings("gd", 4.0, STEPS, batch="full"),
    "sgd": TrainingSettings("sgd", 0.5, STEPS, batch="one", order="reshuffled"),
    "momentum": TrainingSettings("momentum", 0.1, STEPS, batch="one", order="cyclic"),
    "sgd with weight decay": TrainingSettings("sgd", 0.5, STEPS, batch="one", order="replacement", weight_decay=0.01),
    "momentum with weight decay": TrainingSettings(
        "momentum", 0.1, STEPS, batch="one", order="reshuffled", weight_decay=0.01
    ),
    "adam": TrainingSettings("adam", 0.01, STEPS, batch="full"),
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
    condition = max(k.amplification for k in kernels)
    size = float(np.abs(run.logits_recorded).max())
    return residual, rounding_tolerance(settings.steps, instances.network.dimension, condition, size)


def optimizer_claims(small: Task, seeds: range, progress: Progress | None = None) -> list[Claim]:
    """One claim per optimiser on a small task; none where every context is trained (the law is then empty)."""
    if len(small.contexts) == small.trained_contexts:
        return []
    claims = []
    for done, (name, settings) in enumerate(OPTIMIZERS.items()):
        if progress is not None:
            progress(done, len(OPTIMIZERS))
        instances = bilinear_instances(small, DIMENSION, INIT_SCALE, seeds)
        residual, tolerance = law_residual(instances, settings)
        check = check_interpolation_broken if name == "adam" else check_interpolation
        claims.append(check(name, residual, tolerance, "bilinear"))
    return claims


def trainable_embeddings_claim(small: Task, seeds: range) -> list[Claim]:
    """Training the embeddings U as well as W_V leaves the law; how far is measured."""
    if len(small.contexts) == small.trained_contexts:
        return []
    instances = attention_instances(small, DIMENSION, seeds, trainable=("U", "W_V"))
    residual, tolerance = law_residual(instances, OPTIMIZERS["gd"])
    return [check_interpolation_broken("training the embeddings", residual, tolerance, "attention")]

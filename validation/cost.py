"""What a verification will cost, said before it starts, and the refusal of one that does not fit."""

import math
import os
from dataclasses import dataclass

from numerics.estimate import estimate_flow
from theory.counting import duration, memory
from theory.errors import BadInput
from theory.task import Task, first_pairs
from validation.settings import HEAVY_BALL, VerifySettings
from validation.training import TrainingSettings
from validation.training_cost import estimate_training

ADAM_STEPS = 400  # Adam's step is no flow time: enough steps to learn every pair
FIXED_SECONDS = 15.0  # derivations, false twins, step orders and optimisers on small tasks: measured on two cores


class TooExpensive(BadInput):
    """More memory than the machine has, or than was allowed; the message says how much and what to change."""


@dataclass(frozen=True)
class Cost:
    """What a verification will take, said before it starts; right within a factor of a few."""

    seconds: float
    bytes: float

    def __str__(self) -> str:
        return f"{duration(self.seconds)} and {memory(self.bytes)} of memory"


def cheaper(settings: VerifySettings) -> str:
    """What the user can change to make it fit."""
    ways = ["fewer --seeds", "a smaller --train-pairs", "a shorter --training-time or a larger --learning-rate"]
    if settings.model != "transformer":
        ways = ["--model transformer", "a smaller --train-dimension", "a smaller --flow-pairs", *ways]
    return "use " + ", ".join(ways) + (" or fewer facts" if settings.facts else " or fewer --pairs")


def training_settings(task: Task, settings: VerifySettings) -> TrainingSettings:
    """The real run that the settings ask for: as many steps as the training time holds."""
    assert settings.learning_rate is not None
    assert settings.training_time is not None
    per_step = settings.learning_rate / (1 - HEAVY_BALL) if settings.optimizer == "momentum" else settings.learning_rate
    steps = max(1, math.floor(settings.training_time / per_step + 0.5))
    return TrainingSettings(
        settings.optimizer,
        settings.learning_rate,
        min(steps, ADAM_STEPS) if settings.optimizer == "adam" else steps,
        batch="full" if settings.optimizer in ("gd", "adam") else "one",
        order=settings.order,
        momentum=HEAVY_BALL,
    )


def cost(task: Task, trained_task: Task, settings: VerifySettings) -> Cost:
    """Expected seconds and peak bytes of `verify` with resolved settings."""
    seconds, peak = FIXED_SECONDS, 0.5 * 2**30  # torch, SymPy and the small tasks
    steps = training_settings(trained_task, settings)
    if settings.model in ("bilinear", "all"):
        whole = estimate_flow(first_pairs(task, settings.flow_pairs), settings.time or 0.0, coupled=True)
        part = estimate_flow(trained_task, settings.training_time or 0.0, coupled=True)
        training = estimate_training(trained_task, "bilinear", settings.train_dimension, steps, settings.seeds)
        seconds += 2 * whole.seconds + settings.seeds * part.seconds + training.seconds
        peak += max(whole.bytes, part.bytes, training.bytes)
    if settings.model in ("transformer", "all"):
        part = estimate_flow(trained_task, settings.training_time or 0.0, coupled=False)
        training = estimate_training(trained_task, "transformer", None, steps, settings.seeds)
        seconds += settings.seeds * part.seconds + training.seconds + len(task.train_context) / 1e4
        peak = max(peak, 0.5 * 2**30 + max(part.bytes, training.bytes, 4e3 * len(task.train_context)))
        if not task.one_token_contexts:
            peak = max(peak, 0.5 * 2**30 + estimate_flow(task, settings.time or 0.0, coupled=False).bytes)
    return Cost(seconds, peak)


def machine_memory() -> float:
    """Physical memory of this machine in bytes."""
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def check_cost(expected: Cost, settings: VerifySettings, limit_bytes: float | None) -> None:
    """Raise TooExpensive above `limit_bytes`, by default the machine's memory."""
    limit = machine_memory() if limit_bytes is None else limit_bytes
    if expected.bytes > limit:
        raise TooExpensive(
            f"this needs about {expected}, more than the {limit / 2**30:.3g} GiB that are allowed (--limit-memory): "
            f"{cheaper(settings)}"
        )

"""What a verification will cost, said before it starts, and the refusal of one that does not fit."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from numerics.estimate import estimate_flow
from theory.counting import duration, memory
from theory.errors import BadInput
from theory.task import Task, first_pairs
from validation.machine import Machine, machine_memory
from validation.settings import HEAVY_BALL, VerifySettings
from validation.training import TrainingSettings
from validation.training_cost import NetworkKind, estimate_training

ADAM_STEPS = 400  # Adam's step is no flow time: enough steps to learn every pair
# Stages whose cost does not grow with the task, seconds of the processor, measured; of others SMALL_SECONDS.
FIXED_SECONDS = {
    "deriving": 22.0,
    "optimisers": 2.0,
    "order in the step size": 11.5,
    "rows under SGD": 1.5,
    "attention with real weights": 2.0,
}
BILINEAR_STAGES = ("optimisers", "order in the step size")
TRANSFORMER_STAGES = ("rows under SGD", "attention with real weights")
SMALL_SECONDS = 0.5
USUAL = Machine()


class TooExpensive(BadInput):
    """More memory than the machine has, or than was allowed; the message says how much and what to change."""


@dataclass(frozen=True)
class Cost:
    """What a verification will take, in all and by its longer stages, said before it starts: within a factor of a "
    "few."""

    seconds: float
    bytes: float
    stages: Mapping[str, float] = field(default_factory=dict)

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


def cost(task: Task, trained_task: Task, settings: VerifySettings, machine: Machine = USUAL) -> Cost:
    """Expected seconds, in all and by stage, and peak bytes of `verify` with resolved settings.

    Seconds of training are timed on the spot, so that only what else the machine does is added to them.
    """
    libraries = 0.5 * 2**30  # torch, SymPy and the small tasks
    seconds = {name: length * machine.slower for name, length in FIXED_SECONDS.items()}
    peak = libraries
    steps = training_settings(trained_task, settings)

    def trained(kind: NetworkKind, dimension: int | None) -> tuple[float, float]:
        """Seconds and bytes of real training and of the flows that it is compared with."""
        flow = estimate_flow(trained_task, settings.training_time or 0.0, coupled=dimension is not None)
        training = estimate_training(trained_task, kind, dimension, steps, settings.seeds)
        length = settings.seeds * flow.seconds * machine.slower + training.seconds * machine.busy
        if settings.optimizer != "adam":
            return length, max(flow.bytes, training.bytes)
        # the replay of every seed, one after another, and one from another start, beside the starts of all
        replay = training.seconds * (1.0 + 1.0 / settings.seeds) * machine.busy
        width = trained_task.vocabulary_size if dimension is None else dimension
        return length + replay, training.bytes + 8.0 * width**2 * (settings.seeds + 6)

    if settings.model in ("bilinear", "all"):
        whole = estimate_flow(first_pairs(task, settings.flow_pairs), settings.time or 0.0, coupled=True)
        seconds["integrating the bilinear flow"] = 2 * whole.seconds * machine.slower
        seconds["training the bilinear model"], size = trained("bilinear", settings.train_dimension)
        peak += max(whole.bytes, size)
    else:
        for name in BILINEAR_STAGES:
            del seconds[name]
    if settings.model in ("transformer", "all"):
        seconds["integrating the transformer"] = len(task.train_context) / 1e4 * machine.slower
        seconds["training the transformer"], size = trained("transformer", None)
        peak = max(peak, libraries + max(size, 4e3 * len(task.train_context)))
        if not task.one_token_contexts:
            peak = max(peak, libraries + estimate_flow(task, settings.time or 0.0, coupled=False).bytes)
    else:
        for name in TRANSFORMER_STAGES:
            del seconds[name]
    return Cost(sum(seconds.values()), peak, seconds)


def check_cost(expected: Cost, settings: VerifySettings, limit_bytes: float | None) -> None:
    """Raise TooExpensive above `limit_bytes`, by default the machine's memory."""
    limit = machine_memory() if limit_bytes is None else limit_bytes
    if expected.bytes > limit:
        raise TooExpensive(
            f"this needs about {expected}, more than the {limit / 2**30:.3g} GiB that are allowed (--limit-memory): "
            f"{cheaper(settings)}"
        )

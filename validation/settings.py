"""The settings of `reversal verify`, checked when built; every default that depends on the task is resolved here."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from numerics.order import Order
from theory.facts import ContextKind
from theory.task import Task

TaskKind = Literal["reversal", "chain-of-thought"]
ModelChoice = Literal["bilinear", "transformer", "all"]
OptimizerChoice = Literal["gd", "sgd", "momentum", "adam"]

SMALLEST_TRAIN_DIMENSION = 256
HEAVY_BALL = 0.9

# How long each trained context sees the flow, t / N: after 50 units p(target) is about 0.97 at m = 240.
FLOW_TIME_PER_CONTEXT = 50.0
# Real training goes this far by default: p(target) has left 1/m by two orders of magnitude, in tens of epochs.
TRAINING_TIME_PER_CONTEXT = 10.0

# A batch of one moves its row by the step itself, a full batch by step x share: hence the factor N for `gd`. The
# batch-one limit of convexity, 4 / (G_aa lambda_max(G)), is above 1 for embeddings of dimension 4 N and more.
DEFAULT_STEP = {"sgd": 0.5, "momentum": 0.05, "adam": 0.01}


class SettingsError(ValueError):
    """Settings that cannot be used; the message has one line per problem."""


class VerifySettings(BaseModel):
    """What to verify and how; `None` means: chosen from the task (see `resolve`).

    `time` and `training_time` are flow time (step size x steps). `dimension` is a float so that 1e14 and more can be
    asked; `train_dimension` is what explicit embeddings in torch use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    facts: Path | None = None
    task: TaskKind = "reversal"
    pairs: Annotated[int, Field(ge=1, le=100_000)] = 10
    held_out: Annotated[int, Field(ge=0)] = 1
    vocabulary: Annotated[int, Field(ge=2)] | None = None
    model: ModelChoice = "all"
    dimension: Annotated[float, Field(ge=1, le=1e30)] = 1e8
    train_dimension: Annotated[int, Field(ge=1, le=65_536)] | None = None
    init_scale: Annotated[float, Field(ge=0, le=100)] = 0.01
    time: Annotated[float, Field(ge=0.1, le=1e12)] | None = None
    training_time: Annotated[float, Field(gt=0, le=1e9)] | None = None
    train_pairs: Annotated[int, Field(ge=1, le=100_000)] = 512
    learning_rate: Annotated[float, Field(gt=0, le=1e6)] | None = None
    optimizer: OptimizerChoice = "sgd"
    order: Order = "reshuffled"
    context: ContextKind = "entity"
    seeds: Annotated[int, Field(ge=1, le=1000)] = 3
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.facts is None and self.held_out > self.pairs:
            raise ValueError(f"--held-out {self.held_out} exceeds --pairs {self.pairs}; hold out at most every pair")
        return self

    @classmethod
    def checked(cls, **values: object) -> "VerifySettings":
        """The settings, or SettingsError with every problem on a line of its own, named as on the command line."""
        try:
            return cls(**values)  # type: ignore[arg-type]
        except ValidationError as error:
            raise SettingsError("\n".join(_line(problem) for problem in error.errors())) from None

    @property
    def seed_numbers(self) -> range:
        """The seeds of the instances: embeddings, initial parameters and order of visits follow from each."""
        return range(self.seed, self.seed + self.seeds)

    def resolve(self, task: Task) -> "VerifySettings":
        """The same settings with every default that depends on the task filled in."""
        contexts = task.trained_contexts
        power = max(SMALLEST_TRAIN_DIMENSION, 1 << (4 * contexts - 1).bit_length())
        time = FLOW_TIME_PER_CONTEXT * contexts if self.time is None else self.time
        step = contexts / 4 if self.optimizer == "gd" else DEFAULT_STEP[self.optimizer]
        return self.model_copy(
            update={
                "train_dimension": power if self.train_dimension is None else self.train_dimension,
                "time": time,
                "training_time": min(time, TRAINING_TIME_PER_CONTEXT * contexts)
                if self.training_time is None
                else self.training_time,
                "learning_rate": step if self.learning_rate is None else self.learning_rate,
            }
        )


def _line(problem: object) -> str:
    """One problem of pydantic's list as a line that names the option, what came and what was expected."""
    assert isinstance(problem, dict)
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    option = "--" + str(problem["loc"][0]).replace("_", "-")
    return f"{option} {problem['input']}: {message[0].lower()}{message[1:]}"

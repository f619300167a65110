"""The settings of `reversal verify`, checked when built; every default that depends on the task is resolved here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from numerics.order import Order
from theory.errors import BadInput
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

# How far a default step moves the row that moves most, in units of its residual. Descent does not expand distances up
# to 4 / (G_aa lambda_max(G)), above 1 for embeddings of dimension 4 N and more; heavy ball moves ten times its step.
DEFAULT_MOVE = {"gd": 0.5, "sgd": 1.0, "momentum": 0.1}
ADAM_STEP = 0.01


class SettingsError(BadInput):
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
    flow_pairs: Annotated[int, Field(ge=1, le=100_000)] = 100_000
    learning_rate: Annotated[float, Field(gt=0, le=1e6)] | None = None
    optimizer: OptimizerChoice = "sgd"
    order: Order = "reshuffled"
    context: ContextKind = "entity"
    seeds: Annotated[int, Field(ge=1, le=1000)] = 3
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problems = [f"{option(name)} has no effect {reason}; leave it out" for name, reason in self._idle()]
        if self.facts is None and self.task == "reversal" and self.held_out > self.pairs:
            problems.append(f"--held-out {self.held_out} exceeds --pairs {self.pairs}; hold out at most every pair")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _idle(self) -> Iterator[tuple[str, str]]:
        """Options that were given and would be ignored, with the reason."""
        rules = (
            (self.facts is not None, ("pairs", "held_out", "vocabulary"), "on a fact file"),
            (self.facts is None, ("context",), "on a built-in task, whose contexts are single tokens"),
            (self.task == "chain-of-thought", ("held_out",), "on chains, which are all held out"),
            (
                self.optimizer in ("gd", "adam"),
                ("order",),
                f"with {self.optimizer}, which sees every pair in each step",
            ),
            (
                self.model == "transformer",
                ("dimension", "init_scale", "flow_pairs"),
                "on the transformer in token space",
            ),
        )
        for applies, names, reason in rules:
            if applies:
                yield from ((name, reason) for name in names if name in self.model_fields_set)

    @classmethod
    def checked(cls, **values: object) -> "VerifySettings":
        """The settings, or SettingsError with every problem on a line of its own, named as on the command line."""
        try:
            return cls(**values)  # type: ignore[arg-type]
        except ValidationError as error:
            raise SettingsError("\n".join(problem_line(problem) for problem in error.errors())) from None

    @property
    def seed_numbers(self) -> range:
        """The seeds of the instances: embeddings, initial parameters and order of visits follow from each."""
        return range(self.seed, self.seed + self.seeds)

    def resolve(self, task: Task, trained: Task | None = None) -> "VerifySettings":
        """The same settings with every default filled in that depends on the task, or on the part that is trained."""
        trained = task if trained is None else trained
        contexts = trained.trained_contexts
        power = max(SMALLEST_TRAIN_DIMENSION, 1 << (4 * contexts - 1).bit_length())
        time = FLOW_TIME_PER_CONTEXT * task.trained_contexts if self.time is None else self.time
        step = (
            ADAM_STEP
            if self.optimizer == "adam"
            else DEFAULT_MOVE[self.optimizer] / largest_share(trained, self.optimizer)
        )
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


def largest_share(task: Task, optimizer: str) -> float:
    """How far a unit step moves a row at most, per unit of residual: f_a of a full batch, K w_k of a batch of one."""
    if optimizer == "gd":
        return float(task.context_weight.max())
    return task.heaviest_visit


def option(name: str) -> str:
    """A setting as it stands on the command line, where the fact file is an argument without a name."""
    return "FACTS" if name == "facts" else f"--{name.replace('_', '-')}"


def problem_line(problem: object) -> str:
    """One problem of pydantic's list as a line that names the option, what came and what was expected."""
    assert isinstance(problem, dict)
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    return f"{option(str(problem['loc'][0]))} {problem['input']}: {message[0].lower()}{message[1:]}"

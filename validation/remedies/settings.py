"""The settings of `reversal remedies`, checked when built, and the choices that they ask for."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from numerics.losses import LOSSES, Loss
from numerics.optimizer import Optimizer
from numerics.parameter_space import Parameters
from theory.facts import ContextKind
from theory.variants import Data
from validation.remedies.choice import Choice, Embeddings, brief_choices, shown_choices
from validation.settings import SettingsError, TaskKind, option, problem_line

# The lists that make a table: what is not named keeps its value of the baseline.
LISTS: dict[str, tuple[str, ...]] = {
    "loss": LOSSES,
    "parameters": get_args(Parameters),
    "optimizer": get_args(Optimizer),
    "data": get_args(Data),
}
# The data that train a share of the questions.
SHARING: tuple[Data, ...] = ("both-directions", "reversed-copies")
# What makes the task that is trained, unless the data are a task of their own.
TASK_SETTINGS = ("facts", "task", "pairs", "held_out", "vocabulary", "train_pairs", "context")
# What is given to every choice of the table.
SHARED = ("context", "embeddings", "weight_decay", "share", "width", "init_scale")


class RemedySettings(BaseModel):
    """What to compare and on which task. `None` means: the default of the choice, or the whole table.

    `time` is flow time for each trained context (t / N), `dimension` that of Gaussian embeddings. A list of losses,
    parameter spaces, optimisers or data makes a table of every combination of what is listed. `brief`: of the whole
    table the rows that are measured in a second or two.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    facts: Path | None = None
    task: TaskKind = "reversal"
    pairs: Annotated[int, Field(ge=2, le=1000)] = 20
    held_out: Annotated[int, Field(ge=1)] | None = None
    vocabulary: Annotated[int, Field(ge=2)] | None = None
    loss: tuple[Loss, ...] | None = None
    parameters: tuple[Parameters, ...] | None = None
    optimizer: tuple[Optimizer, ...] | None = None
    data: tuple[Data, ...] | None = None
    context: ContextKind | None = None
    embeddings: Embeddings | None = None
    weight_decay: Annotated[float, Field(ge=0, lt=1)] | None = None
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    width: Annotated[int, Field(ge=1, le=4096)] | None = None
    init_scale: Annotated[float, Field(ge=0, le=10)] | None = None
    dimension: Annotated[int, Field(ge=1, le=8192)] = 128
    time: Annotated[float, Field(gt=0, le=1e6)] | None = None
    learning_rate: Annotated[float, Field(gt=0, le=1e6)] | None = None
    train_pairs: Annotated[int, Field(ge=1, le=10_000)] = 64
    seeds: Annotated[int, Field(ge=1, le=1000)] = 5
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    brief: bool = False

    @field_validator(*LISTS, mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """Names separated by commas, each once; an empty list is an unknown name."""
        if isinstance(value, str):
            value = tuple(name.strip() for name in value.split(","))
        return tuple(dict.fromkeys(value)) or ("",) if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        idle: dict[str, str] = {}
        for name, why in self._idle():
            idle.setdefault(name, why)  # of several reasons the first
        problems = [f"{option(name)} has no effect {why}; leave it out" for name, why in idle.items()]
        if self.held_out is not None and self.facts is None and self.held_out > self.pairs:
            problems.append(f"--held-out {self.held_out} exceeds --pairs {self.pairs}; hold out at most every pair")
        if any(row.parameters == "factorised" and row.scale == 0 for row in self.choices()):
            problems.append("--init-scale 0: a product of two zero factors never moves; give a positive scale")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _idle(self) -> Iterator[tuple[str, str]]:
        """Options that were given and that no row of the table would use, with the reason."""
        rows = self.choices()

        def every(idle: Callable[[Choice], bool]) -> bool:
            return all(map(idle, rows))

        rules = (
            (self.facts is not None, ("pairs", "held_out", "vocabulary"), "on a fact file"),
            (self.task == "chain-of-thought", ("held_out",), "on chains, which are all held out"),
            (every(lambda c: c.embeddings == "orthonormal"), ("dimension",), "with orthonormal embeddings"),
            (every(lambda c: c.parameters != "factorised"), ("width",), "without factorised parameters"),
            (every(lambda c: c.data not in SHARING), ("share",), f"without {' or '.join(SHARING)} data"),
            (
                every(lambda c: not c.gradient_steps),
                ("time",),
                "on Adam and sign descent, which take a fixed number of steps",
            ),
            (every(lambda c: c.data == "implication"), TASK_SETTINGS, "on the implication task, which is built in"),
            (any(getattr(self, name) is not None for name in LISTS), ("brief",), "beside a list of choices"),
        )
        for applies, names, reason in rules:
            if applies:
                yield from ((name, reason) for name in names if name in self.model_fields_set)

    @classmethod
    def checked(cls, **values: object) -> "RemedySettings":
        """The settings, or SettingsError with every problem on a line of its own, named as on the command line."""
        try:
            return cls(**values)  # type: ignore[arg-type]
        except ValidationError as error:
            raise SettingsError("\n".join(dict.fromkeys(_line(dict(p)) for p in error.errors()))) from None

    @property
    def seed_numbers(self) -> range:
        """Embeddings, initial parameters and order of visits follow from each seed."""
        return range(self.seed, self.seed + self.seeds)

    @property
    def held(self) -> int:
        """Pairs of the built-in reversal task that are trained one way only: half of them by default."""
        return max(1, self.pairs // 2) if self.held_out is None else self.held_out

    def choices(self) -> tuple[Choice, ...]:
        """The rows: the table as shown, or every combination of what is listed."""
        given = {name: getattr(self, name) for name in SHARED if getattr(self, name) is not None}
        lists = {name: getattr(self, name) for name in LISTS if getattr(self, name) is not None}
        if not lists:
            shown = brief_choices() if self.brief else shown_choices()
            rows = [choice.model_copy(update=given) for choice in shown]
        else:
            combinations = (dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values()))
            rows = [_fitted(combination, given) for combination in combinations]
        return tuple({row.slug: row for row in rows}.values())


def _fitted(combination: dict[str, Any], given: dict[str, Any]) -> Choice:
    """The choice, with the context and the embeddings that its data need unless they are given."""
    needed: dict[str, Any] = {}
    if combination.get("data") in ("implication", "identity-bridge-as-implication"):
        needed = {"context": "entity+relation", "embeddings": "orthonormal"}
    return Choice(**{**needed, **combination, **given})


def _line(problem: dict[str, Any]) -> str:
    """One problem as a line that names the option, what came and what was expected."""
    name = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        return f"{option(name)}: no such setting; the settings are {', '.join(RemedySettings.model_fields)}"
    if name in LISTS and problem["type"] == "literal_error":
        return f"{option(name)} {problem['input']}: expected {', '.join(LISTS[name])}, several separated by commas"
    return problem_line(problem)

"""The settings of `reversal check`, checked when built: which theorems, on which task, with which numbers."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from validation.settings import SettingsError, problem_line
from validation.settings import option as option_named

# The options that have an effect on each theorem, besides those that choose the task. A test holds this against the
# theorems; it stands here so that a wrong option is refused before anything slow is loaded.
_INSTANCES = frozenset({"dimension", "init_scale", "delta", "draws", "seed"})
_STEPS = frozenset({"learning_rate", "steps"})
_SEPARATION = _INSTANCES | {"epsilon"}
_FLOOR = _INSTANCES | {"loss_target", "reversal_floor"}
_ROWS = _STEPS | {"epsilon", "seed"}
OPTIONS: Mapping[str, frozenset[str]] = {
    "theorem-1": _SEPARATION,
    "theorem-1-gd": _SEPARATION | _STEPS,
    "theorem-1-sgd": _SEPARATION | _STEPS,
    "theorem-2": _FLOOR,
    "theorem-2-gd": _FLOOR | _STEPS,
    "theorem-2-sgd": _FLOOR | _STEPS,
    "theorem-3": _ROWS,
    "theorem-4": _ROWS,
    "intransitivity": _SEPARATION,
    "interpolation-law": frozenset({"seed"}),
    "unseen-target-bound": _ROWS,
    "unseen-target-order": _ROWS,
    "sgd-sandwich": _ROWS,
}
NUMBERS = ("1", "2", "3", "4")
ALL = "all"


class CheckSettings(BaseModel):
    """What to check and how. Losses are in nats, time is step size x steps.

    `theorem` None means every theorem, or those of the user's own file (`theorem_file`, --from) where one is given;
    `dimension` None asks for a certified one, `reversal_floor` None is log(m/2), `steps` None runs as long as the
    theorem's constants say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    facts: Path | None = None
    theorem_file: Annotated[Path | None, Field(alias="from")] = None
    theorem: str | None = None
    pairs: Annotated[int, Field(ge=1, le=100_000)] = 10
    vocabulary: Annotated[int, Field(ge=2, le=10_000_000)] | None = None
    dimension: Annotated[float, Field(ge=1, le=1e30)] | None = None
    init_scale: Annotated[float, Field(ge=0, le=100)] = 0.01
    epsilon: Annotated[float, Field(gt=0, lt=1)] = 0.1
    delta: Annotated[float, Field(gt=0, lt=1)] = 0.05
    loss_target: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.01
    reversal_floor: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    learning_rate: Annotated[float, Field(ge=1e-6, le=1e6)] | None = None
    steps: Annotated[int, Field(ge=1)] | None = None
    draws: Annotated[int, Field(ge=1, le=100_000)] = 20
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0

    @field_validator("theorem")
    @classmethod
    def _known(cls, theorem: str | None, info: ValidationInfo) -> str | None:
        """The names of a user's own theorems are known only once the file is loaded."""
        if theorem is not None and info.data.get("theorem_file") is None and not select(theorem, OPTIONS):
            raise ValueError(unknown_theorem(theorem, OPTIONS))
        return theorem

    @model_validator(mode="after")
    def _has_effect(self) -> Self:
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        if problems := list(idle(given, self.theorem)):
            raise ValueError("\n".join(problems))
        return self

    @property
    def everything(self) -> bool:
        """Whether every theorem is checked, not a choice."""
        return self.theorem == ALL or (self.theorem is None and self.theorem_file is None)

    @classmethod
    def checked(cls, **values: object) -> "CheckSettings":
        """The settings, or SettingsError with every problem on a line of its own, named as on the command line."""
        try:
            return cls(**values)  # type: ignore[arg-type]
        except ValidationError as error:
            problems = [problem_line(problem) for problem in error.errors()]
        given = {"theorem_file" if name == "from" else name for name, value in values.items() if value is not None}
        theorem = values.get("theorem")
        problems += idle(given, theorem if isinstance(theorem, str) else None)
        raise SettingsError("\n".join(dict.fromkeys("\n".join(problems).splitlines())))


def idle(given: Collection[str], theorem: str | None) -> Iterator[str]:
    """A line for each given setting that would be ignored, with the reason."""
    if "facts" in given:
        yield from (_no_effect(name, "on a fact file") for name in ("pairs", "vocabulary") if name in given)
    chosen = select(ALL if theorem is None else theorem, OPTIONS)
    if "theorem_file" in given:
        if theorem in (None, ALL) or not chosen:
            return  # a theorem of the user's own may read anything
        yield _no_effect("theorem_file", f"with --theorem {theorem} (it has one with all, and with its own names)")
    for name in CheckSettings.model_fields:
        users = [id for id, used in OPTIONS.items() if name in used]
        if name in given and users and chosen and not set(users) & set(chosen):
            yield _no_effect(name, f"on {', '.join(chosen)} (it has one on {', '.join(users)})")


def _no_effect(name: str, where: str) -> str:
    return f"{option(name)} has no effect {where}; leave it out"


def option(name: str) -> str:
    """A setting as it is given on the command line."""
    return option_named(CheckSettings.model_fields[name].alias or name)


def select(theorem: str, ids: Iterable[str]) -> list[str]:
    """The ids that a --theorem asks for: all of them, a number with its finite-step forms, or one; [] if unknown."""
    if theorem in NUMBERS:
        numbered = f"theorem-{theorem}"
        return [id for id in ids if id == numbered or id.startswith(f"{numbered}-")]
    return [id for id in ids if theorem in (ALL, id)]


def unknown_theorem(theorem: str, ids: Iterable[str]) -> str:
    """What to say of a --theorem that names nothing: the names there are, and the nearest one."""
    names = [*NUMBERS, *ids, ALL]
    near = difflib.get_close_matches(theorem.lower(), names, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"no theorem of that name; {meant}expected one of {', '.join(names)}"

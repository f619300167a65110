"""The file that describes a sweep: TOML, checked as a whole, nothing in it evaluated.

kind = "separation"                     # what a cell is: see `validation.sweep.kinds`
seeds = 5                               # how many, from `seed` on
[settings]                              # the same in every cell
[[cases]]                               # settings that go together: each case is crossed with the grid
[grid]                                  # every combination of the values of each setting
dimension = { from = 10, to = 1e20, points = 21, scale = "log" }
[random]                                # or so many points drawn at random
cells = 200
settings = { width = { from = 8, to = 512, scale = "log", whole = true } }
[[picture]]                             # any number: see `Picture`
"""

import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from validation.settings import SettingsError

Scalar = bool | int | float | str
MOST_CELLS = 100_000  # each is a file while the sweep is unfinished
FEWEST_POINTS = 2


class SpecError(SettingsError):
    """A sweep that cannot be run; the message has one line per problem, with the key."""


def _scalar(value: Any) -> Any:
    if not isinstance(value, Scalar) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("expected a finite number, a string, true or false")
    return value


Value = Annotated[Any, AfterValidator(_scalar)]
Values = Annotated[list[Value], Field(min_length=1)]


class Range(BaseModel):
    """Values from one number to another, evenly spaced or drawn evenly, on a linear or a logarithmic scale.

    `points` says how many a grid takes, both ends among them; a random design draws and has none. `whole` rounds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    start: Annotated[float, Field(alias="from", allow_inf_nan=False)]
    to: Annotated[float, Field(allow_inf_nan=False)]
    points: Annotated[int, Field(ge=FEWEST_POINTS, le=MOST_CELLS)] | None = None
    scale: Literal["linear", "log"] = "linear"
    whole: bool = False

    @model_validator(mode="after")
    def _rises(self) -> Self:
        problems = []
        if not self.start < self.to:
            problems.append(f"from {self.start:g} must be below to {self.to:g}")
        if self.scale == "log" and self.start <= 0:
            problems.append(f"scale log needs from above 0, got {self.start:g}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def at(self, part: float) -> int | float:
        """The value at a part of the way, 0 to 1; to twelve digits, so that 10^5 is 10^5."""
        if self.scale == "log":
            low, high = math.log10(self.start), math.log10(self.to)
            value = 10.0 ** (low + part * (high - low))
        else:
            value = self.start + part * (self.to - self.start)
        return round(value) if self.whole else float(f"{value:.12g}")

    def values(self) -> list[int | float]:
        """The values of a grid in rising order, each once."""
        assert self.points is not None
        return list(dict.fromkeys(self.at(n / (self.points - 1)) for n in range(self.points)))


def _form(value: Any) -> str | None:
    return "list" if isinstance(value, list) else "range" if isinstance(value, dict | Range) else None


Axis = Annotated[
    Annotated[Values, Tag("list")] | Annotated[Range, Tag("range")],
    Discriminator(
        _form,
        custom_error_type="axis",
        custom_error_message="expected a list of values, or a range { from, to, ... }",
    ),
]


class Random(BaseModel):
    """A design of points drawn independently: from a range evenly on its scale, from a list each value alike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cells: Annotated[int, Field(ge=1, le=MOST_CELLS)]
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    settings: Annotated[dict[str, Axis], Field(min_length=1)]


class Picture(BaseModel):
    """A picture of the table.

    `lines`: the column `y` over the setting `x`, `statistic` over the seeds with their range, and theory's columns
    `lines` beside it; one colour for each value of `group`. `map`: the column `value` as colour over the settings `x`
    and `y`, with the contours at `level` of theory's columns `lines`. One panel for each value of `facet`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal["lines", "map"] = "lines"
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")] | None = None
    title: str | None = None
    x: str
    y: str
    value: str | None = None
    lines: tuple[str, ...] = ()
    level: Annotated[float, Field(allow_inf_nan=False)] = 0.5
    limits: tuple[float, float] | None = None
    facet: tuple[str, ...] = ()
    group: str | None = None
    statistic: Literal["median", "mean", "smallest", "largest"] = "median"
    x_scale: Literal["linear", "log"] | None = None
    y_scale: Literal["linear", "log"] | None = None
    labels: dict[str, str] = Field(default_factory=dict)

    @field_validator("facet", mode="before")
    @classmethod
    def _one_or_more(cls, facet: Any) -> Any:
        return (facet,) if isinstance(facet, str) else facet

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problems = []
        if self.form == "map" and self.value is None:
            problems.append("a map needs value, the column that its colours show")
        if self.form == "lines" and self.value is not None:
            problems.append("value is for a map; lines show the column y")
        if self.form == "map" and self.group is not None:
            problems.append("group is for lines; give a map facet")
        if self.limits is not None and not self.limits[0] < self.limits[1]:
            problems.append("limits must rise")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings that it needs."""
        places = (self.x,) if self.form == "lines" else (self.x, self.y)
        return (*places, *self.facet, *(() if self.group is None else (self.group,)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of results that it needs."""
        return (self.y if self.value is None else self.value, *self.lines)


class Spec(BaseModel):
    """A sweep as its file describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    title: str | None = None
    seeds: Annotated[int, Field(ge=1, le=MOST_CELLS)] = 1
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    settings: dict[str, Value] = Field(default_factory=dict)
    cases: Annotated[tuple[dict[str, Value], ...], Field(min_length=1)] = ({},)
    grid: dict[str, Axis] = Field(default_factory=dict)
    random: Random | None = None
    picture: tuple[Picture, ...] = ()

    @field_validator("picture", mode="before")
    @classmethod
    def _one_or_more(cls, picture: Any) -> Any:
        return (picture,) if isinstance(picture, dict) else picture

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if problems := list(_misfits(self)):
            raise ValueError("\n".join(problems))
        return self

    @property
    def places(self) -> dict[str, str]:
        """Where each setting stands: its name -> its key in the file, in the order of the file."""
        found = {name: f"settings.{name}" for name in self.settings}
        found |= {name: f"cases.{name}" for case in self.cases for name in case}
        found |= {name: f"grid.{name}" for name in self.grid}
        found |= {} if self.random is None else {name: f"random.settings.{name}" for name in self.random.settings}
        return found

    @property
    def swept(self) -> dict[str, Axis]:
        """The axes of the design, of the grid or of the random points."""
        return self.grid if self.random is None else self.random.settings

    @property
    def picture_names(self) -> tuple[str, ...]:
        """The file name of each picture, without its ending."""
        return tuple(p.name or f"picture-{n}" for n, p in enumerate(self.picture, start=1))


def _misfits(spec: Spec) -> Iterator[str]:
    """Keys that contradict each other, a line each."""
    if spec.grid and spec.random is not None:
        yield "grid, random: expected one design, got both"
    places = (("settings", spec.settings), ("grid", spec.grid), *(("cases", case) for case in spec.cases))
    seen: dict[str, str] = {}
    for place, names in (*places, ("random.settings", {} if spec.random is None else spec.random.settings)):
        for name in names:
            if seen.setdefault(name, place) != place:
                yield f"{place}.{name}: is in {seen[name]} too; keep one"
    for name in ("seed", "seeds"):
        if name in seen:
            yield f"{seen[name]}.{name}: the seeds are those of the sweep; give {name} at the top of the file"
    for name, axis in spec.grid.items():
        if isinstance(axis, Range) and axis.points is None:
            yield f"grid.{name}.points: expected how many values, got none"
    for name, axis in ({} if spec.random is None else spec.random.settings).items():
        if isinstance(axis, Range) and axis.points is not None:
            yield f"random.settings.{name}.points: has no effect on random points; leave it out"
    known: list[set[str]] = [set(case) for case in spec.cases]
    for name in sorted(known[0].union(*known) - known[0].intersection(*known)):
        yield f"cases: {name} is missing in some cases; give it in each"
    if len(set(spec.picture_names)) < len(spec.picture):
        yield "picture.name: two pictures share a name"


def read_spec(path: Path) -> Spec:
    """The sweep in a TOML file. Raises SpecError with every problem on a line of its own."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror}; expected a TOML file as in examples/sweeps") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: this is not TOML: {error}") from None
    try:
        return Spec(**found)
    except ValidationError as error:
        lines = [line for problem in error.errors() for line in _lines(dict(problem))]
        raise SpecError("\n".join(f"{path}: {line}" for line in dict.fromkeys(lines))) from None


def _lines(problem: dict[str, Any]) -> list[str]:
    """A problem of pydantic's list as lines that name the key, what was expected and what came."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    # people count pictures, cases and values from one
    loc = [part + 1 if isinstance(part, int) else part for part in problem["loc"]]
    path = [str(part) for part in loc if part not in ("list", "range")]
    if not path:
        return message.splitlines()
    key = ".".join(path)
    if problem["type"] == "extra_forbidden":
        return [f"{key}: no such key"]
    if problem["type"] == "missing":
        return [f"{key}: is missing"]
    came = "" if isinstance(problem["input"], dict) else f" (got {problem['input']!r})"
    return [f"{key}: {message[0].lower()}{message[1:]}{came}"]

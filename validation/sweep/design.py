"""The cells of a sweep in the order of its file, every one checked before anything runs."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from theory.counting import count_of
from theory.errors import BadInput
from validation.settings import option
from validation.sweep.cell import Cell, digest_of, file_digest
from validation.sweep.kinds import KINDS, Kind
from validation.sweep.spec import MOST_CELLS, Range, Scalar, Spec, SpecError

NAMED = re.compile(rf"{option('facts')}\b|--([a-z][a-z-]*)")  # a setting as a command line has it
IDLE = re.compile(rf"(?:{option('facts')}|--([a-z][a-z-]*)) has no effect ")  # what settings say of one to be ignored
SHOWN_PROBLEMS = 20
Point = dict[str, Scalar]


@dataclass(frozen=True)
class Design:
    """What is run: the cells, the settings that were given in the order of the file, and the digest of each fact file.

    Two cells of the same design never share a digest.
    """

    spec: Spec
    cells: tuple[Cell, ...]
    settings: tuple[str, ...]
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """What the cells are."""
        return KINDS[self.spec.kind]

    @property
    def digest(self) -> str:
        """Follows from every cell and from their order."""
        return digest_of([cell.digest for cell in self.cells])


def points_of(spec: Spec) -> Iterator[Point]:
    """The settings of each cell without its seed: cases first, then the grid as it is written, the last key fastest."""
    for case in spec.cases:
        fixed = {**spec.settings, **case}
        for swept in _grid(spec) if spec.random is None else _random(spec):
            yield {**fixed, **swept}


def _grid(spec: Spec) -> Iterator[Point]:
    axes = [axis.values() if isinstance(axis, Range) else axis for axis in spec.grid.values()]
    for values in product(*axes):
        yield dict(zip(spec.grid, values, strict=True))


def _random(spec: Spec) -> Iterator[Point]:
    """Every point from a generator of its own, so that more cells leave the first ones as they are."""
    assert spec.random is not None
    for number in range(spec.random.cells):
        rng = np.random.default_rng([spec.random.seed, number])
        point: Point = {}
        for name, axis in spec.random.settings.items():
            part = rng.random()
            point[name] = axis.at(part) if isinstance(axis, Range) else axis[int(part * len(axis))]
        yield point


def size_of(spec: Spec) -> int:
    """How many cells a sweep has, equal ones counted each time."""
    points = len(spec.cases) * spec.seeds
    if spec.random is not None:
        return points * spec.random.cells
    for axis in spec.grid.values():
        points *= (axis.points or 1) if isinstance(axis, Range) else len(axis)
    return points


def design_of(spec: Spec, folder: Path) -> Design:
    """Every cell, checked; fact files lie relative to `folder`. Raises SpecError with every problem."""
    if spec.kind not in KINDS:
        raise SpecError(f"kind: expected one of {', '.join(KINDS)} (got {spec.kind!r})")
    if (size := size_of(spec)) > MOST_CELLS:
        raise SpecError(f"this would be {size:,} cells, above the {MOST_CELLS:,} that one sweep may have; split it")
    problems = [*_unknown(spec), *_pictures(spec)]
    facts: dict[str, str] = {}
    found: dict[str, int] = {}  # a problem -> in how many points it is
    cells: dict[str, Cell] = {}
    idle: dict[str, str] = {}  # settings without effect -> what was said of it at the first point
    used: set[str] = set()
    for point in () if problems else points_of(spec):
        try:
            checked, path = _used(spec, point, folder, facts, idle)
            used |= {*checked}
        except BadInput as error:
            for line in str(error).splitlines():
                key = _keyed(line, spec)
                found[key] = found.get(key, 0) + 1
            continue
        digest = None if path is None else facts[str(point["facts"])]
        for seed in range(spec.seed, spec.seed + spec.seeds):
            cell = Cell(spec.kind, checked, seed, path, digest)
            cells.setdefault(cell.digest, cell)
    problems += [_keyed(line, spec) for name, line in idle.items() if name not in used]
    problems += [f"{line} (in {count} points of the design)" if count > 1 else line for line, count in found.items()]
    if problems:
        more = (
            [f"and {count_of(len(problems) - SHOWN_PROBLEMS, 'more problem')}"]
            if len(problems) > SHOWN_PROBLEMS
            else []
        )
        raise SpecError("\n".join([*problems[:SHOWN_PROBLEMS], *more]))
    return Design(spec, tuple(cells.values()), tuple(spec.places), facts)


def _used(
    spec: Spec, point: Point, folder: Path, facts: dict[str, str], idle: dict[str, str]
) -> tuple[Mapping[str, Any], Path | None]:
    """As `_checked`, without the settings that have no effect at this point: they may have one at another.

    They are added to `idle`, with what was said. Raises BadInput.
    """
    while True:
        try:
            return _checked(spec, point, folder, facts)
        except BadInput as error:
            said = {_setting(match): line for line in str(error).splitlines() if (match := IDLE.match(line))}
            if not said or len(said) < len(str(error).splitlines()) or not said.keys() <= point.keys():
                raise
            idle.update((name, line) for name, line in said.items() if name not in idle)
            point = {name: value for name, value in point.items() if name not in said}


def _checked(spec: Spec, point: Point, folder: Path, facts: dict[str, str]) -> tuple[Mapping[str, Any], Path | None]:
    """The settings of a point as they will be used, and its fact file, whose digest is added to `facts`."""
    path = None
    settings: dict[str, Any] = dict(point)
    if "facts" in point:
        if not isinstance(point["facts"], str):
            raise BadInput(f"{option('facts')}: expected the path of a file")
        path = (folder / point["facts"]).absolute()
        if point["facts"] not in facts:
            try:
                facts[point["facts"]] = file_digest(path)
            except OSError as error:
                raise BadInput(f"{option('facts')} {point['facts']}: {error.strerror}") from None
        settings["facts"] = path
    checked = dict(KINDS[spec.kind].check(settings))
    return (checked if path is None else checked | {"facts": point["facts"]}), path


def _setting(option_named: re.Match[str]) -> str:
    """The setting whose option was matched."""
    return "facts" if option_named[1] is None else option_named[1].replace("-", "_")


def _keyed(line: str, spec: Spec) -> str:
    """A problem that names an option of a command line, with the key of the file in its place."""
    first, text = NAMED.match(line), NAMED.sub(_setting, line)
    where = spec.places.get(_setting(first), "settings") if first else spec.kind
    if first and where != "settings":
        return f"{where}{text.removeprefix(_setting(first))}"
    return f"{where}: {text}"


def _unknown(spec: Spec) -> Iterator[str]:
    """A line for each setting that the kind does not have, with the nearest one it has."""
    names = KINDS[spec.kind].names
    if names is None:
        return
    known = names()
    for name, place in spec.places.items():
        if name not in known and name not in ("seed", "seeds"):
            near = difflib.get_close_matches(name.replace("-", "_"), known, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            yield f"{place}: {spec.kind} has no such setting; {meant}it has {', '.join(known)}"


def _pictures(spec: Spec) -> Iterator[str]:
    """A line for each setting that a picture needs and the sweep does not have."""
    known = (*spec.places, "seed")
    for number, picture in enumerate(spec.picture, start=1):
        for name in picture.settings:
            if name not in known:
                yield f"picture {number}: {name!r} is no setting of this sweep, which has {', '.join(known)}"

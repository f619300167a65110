"""One panel of a picture: rows of the table, as numbers over one or two settings, with statistics over the seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from numerics.picture import decades
from validation.sweep.spec import Picture
from validation.sweep.table import Row

LABELS = {
    "dimension": "embedding dimension d",
    "pairs": "pairs n",
    "vocabulary": "tokens m",
    "tokens": "tokens m",
    "init_scale": "initial scale σ",
    "width": "width",
    "learning_rate": "learning rate",
    "epochs": "epochs",
    "measured": "measured along the flow",
    "first_order": "first-order prediction −Σw/m at t → 0",
    "certified": "certified for the draw itself",
    "a_priori": "certified before any draw, with probability 1 − δ",
    "index": "index (0 cursed, 1 lifted)",
    "predicted": "theory's prediction",
}
STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    "median": lambda x: float(np.median(x)),
    "mean": lambda x: float(np.mean(x)),
    "smallest": lambda x: float(np.min(x)),
    "largest": lambda x: float(np.max(x)),
}
WIDE_RANGE = 30.0  # from this ratio of positive numbers on an axis is logarithmic where nothing else is said


def label_of(name: str, picture: Picture) -> str:
    """What a reader calls a column."""
    return picture.labels.get(name) or LABELS.get(name) or name.replace("_", " ")


def logarithmic(values: Sequence[float], chosen: str | None) -> bool:
    """Whether an axis is logarithmic: as chosen, else for positive numbers over a wide range."""
    if chosen is not None:
        return chosen == "log"
    found = np.array([v for v in values if np.isfinite(v)])
    return bool(len(found) and found.min() > 0 and found.max() >= WIDE_RANGE * found.min())


@dataclass(frozen=True, eq=False)
class Series:
    """A column over the setting x: a statistic over the rows at each x, the smallest and the largest; shapes (X,)."""

    x: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seeds: int


@dataclass(frozen=True)
class Panel:
    """The rows of one value of the facet."""

    title: str
    rows: tuple[Row, ...]

    def numbers(self, name: str) -> np.ndarray:
        """A column (rows,), nan where there is no number."""
        return np.array([np.nan if row[name] is None else float(row[name]) for row in self.rows])

    def only(self, name: str | None, value: Any) -> "Panel":
        """The rows with that value of a setting; all of them without a name."""
        return self if name is None else Panel(self.title, tuple(row for row in self.rows if row[name] == value))

    def series(self, x: str, y: str, statistic: str) -> Series:
        """The column `y` over the setting `x`, where it has numbers."""
        place, value = self.numbers(x), self.numbers(y)
        kept = np.isfinite(place) & np.isfinite(value)
        groups = [(at, value[kept & (place == at)]) for at in np.unique(place[kept])]
        return Series(
            np.array([at for at, _ in groups]),
            np.array([STATISTICS[statistic](found) for _, found in groups]),
            np.array([found.min() for _, found in groups]),
            np.array([found.max() for _, found in groups]),
            max((len(found) for _, found in groups), default=0),
        )

    def points(self, x: str, y: str, value: str, statistic: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places (P,), (P,) of the settings x and y, and the statistic of a column there, nan where it has none."""
        first, second, found = self.numbers(x), self.numbers(y), self.numbers(value)
        places = sorted({(a, b) for a, b in zip(first.tolist(), second.tolist(), strict=True) if a == a and b == b})
        values = []
        for a, b in places:
            here = found[(first == a) & (second == b)]
            here = here[np.isfinite(here)]
            values.append(STATISTICS[statistic](here) if len(here) else np.nan)
        return np.array([a for a, _ in places]), np.array([b for _, b in places]), np.array(values)


def scale_axis(axes: Axes, name: str, log: bool) -> None:
    """Make an axis logarithmic, with few labels in plain letters; or leave it linear."""
    if log:
        decades(axes, name)

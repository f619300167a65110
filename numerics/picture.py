"""What pictures share: colours, logarithmic axes on which a reader can read values, and losses over time.

Colours are those of Okabe and Ito, which people with any colour vision tell apart; lines and marks differ as well.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import Formatter, Locator, MaxNLocator, NullFormatter


@dataclass(frozen=True)
class Palette:
    """The colours of a page."""

    page: str
    ink: str
    faint: str
    blue: str
    orange: str
    green: str
    purple: str


LIGHT = Palette("#ffffff", "#1a1a1a", "#8a8a8a", "#0072b2", "#d55e00", "#009e73", "#b0578d")

# -- logarithmic axes --
MOST_DECADES = 8  # labels of an axis that spans decades
MOST_STEPS = 7  # labels within few decades, which have more letters
FEW_DECADES = 2.5
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def decades(axes: Axes, *names: str) -> None:
    """Make the axes named ("x", "y") logarithmic, with at least two labels each, whatever their limits become."""
    for name in names:
        axes.set(**{f"{name}scale": "log"})
        label_decades(getattr(axes, f"{name}axis"))


def label_decades(axis: Any) -> None:
    """Labels of a logarithmic axis: at least two and few, in plain letters."""
    axis.set_major_locator(LogTicks())
    axis.set_major_formatter(LogLabels())
    axis.set_minor_formatter(NullFormatter())


def log_ticks(low: float, high: float) -> np.ndarray:
    """Places of labels on a logarithmic axis from `low` to `high`, both positive: two at least, all within.

    Powers of ten over more than FEW_DECADES; else these and their multiples by 2 and 5, or by 3; else round numbers
    at equal distances.
    """
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if math.log10(high / low) > FEW_DECADES:
        stride = math.ceil((last - first + 1) / MOST_DECADES)
        return 10.0 ** np.array([k for k in range(first, last + 1) if k % stride == 0], dtype=float)
    for digits in ((1.0, 2.0, 5.0), (1.0, 3.0)):
        steps = np.array([digit * 10.0**k for k in range(first - 1, last + 1) for digit in digits])
        steps = steps[(low <= steps) & (steps <= high)]
        if 2 <= len(steps) <= MOST_STEPS:
            return steps
    places = np.array(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))
    return places[(low <= places) & (places <= high)]


class LogTicks(Locator):
    """Where `log_ticks` says, for the limits that the axis has when it is drawn."""

    def __call__(self) -> list[float]:
        """The places for the limits of today."""
        assert self.axis is not None, "Matplotlib asks where labels stand once they belong to an axis"
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """The places between two limits, in any order; none where a limit is not positive."""
        low, high = sorted((vmin, vmax))
        return log_ticks(low, high).tolist() if low > 0 else []


class LogLabels(Formatter):
    """Powers of ten with raised digits where all labels are such, else plain numbers.

    Plain letters: typesetting formulas on ticks would take most of the time that a drawing takes.
    """

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The label of one place by itself."""
        digits, _, exponent = f"{x:g}".partition("e")
        return f"{digits}×{_power(int(exponent))}" if exponent else digits

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The labels of all places of an axis."""
        exponents = [round(math.log10(value)) for value in values]
        powers = all(math.isclose(value, 10.0**k) for value, k in zip(values, exponents, strict=True))
        if powers and (len(exponents) > 2 or any(abs(k) > 3 for k in exponents)):
            return [_power(k) for k in exponents]
        return [self(value).removeprefix("1×") for value in values]


def _power(exponent: int) -> str:
    return f"10{str(exponent).translate(RAISED)}"


# -- losses over time --
@dataclass(frozen=True, eq=False)
class Curve:
    """A loss over time from one source: values, and the smallest and largest over seeds; shapes (T,)."""

    quantity: str
    source: str
    seeds: int
    time: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def name(self) -> str:
        """What it is of what."""
        return f"{self.quantity}, {self.source}"

    @property
    def label(self) -> str:
        """What the legend says: the name, and of how many seeds it is the mean."""
        return self.name + (f" ({self.seeds} seeds)" if self.seeds > 1 else "")


# Drawn over each other: a wide pale line, a dashed one, dots, and marks for real training.
SOURCE_STYLE: dict[str, dict[str, Any]] = {
    "closed form": {"linestyle": "-", "linewidth": 5.0, "alpha": 0.35},
    "flow": {"linestyle": "--", "linewidth": 1.6},
    "descent": {"linestyle": ":", "linewidth": 2.6},
    "training": {"linestyle": "none", "marker": "o", "markersize": 4.5, "markerfacecolor": "none"},
}
HEADROOM = 0.12  # the part of the height above the highest curve and the level: its label stands there
FOOTROOM = 0.04
LOWEST_RANGE = 2.0  # of a vertical axis: the ratio of its highest value to its lowest


def draw_losses(
    axes: Axes,
    curves: Sequence[Curve],
    level: float | None,
    palette: Palette = LIGHT,
    said: Callable[[Curve], str] = attrgetter("label"),
) -> None:
    """Losses over time on logarithmic axes, the band over seeds, and a line at `level` = log m with its label.

    `said` is what the legend says of a curve. Values that a logarithmic axis cannot show are left out.
    """
    for curve in curves:
        color = palette.blue if curve.quantity == "training loss" else palette.orange
        shown = (curve.time > 0) & (curve.value > 0)
        time = curve.time[shown]
        if curve.seeds > 1:
            axes.fill_between(time, curve.low[shown], curve.high[shown], color=color, alpha=0.2, linewidth=0)
        axes.plot(time, curve.value[shown], color=color, label=said(curve), **SOURCE_STYLE[curve.source])
    decades(axes, "x", "y")
    axes.set(xlabel="time (step size × steps)", ylabel="loss (nats)")
    levels = [] if level is None else [level]
    top = max([*levels, *(float(np.nanmax(curve.high)) for curve in curves)])
    lowest = min([*levels, *(float(np.min(curve.low[curve.low > 0], initial=top)) for curve in curves)])
    height = math.log(max(top / lowest, LOWEST_RANGE)) / (1 - HEADROOM - FOOTROOM)
    axes.set_ylim(top * math.exp((HEADROOM - 1) * height), top * math.exp(HEADROOM * height))
    if level is not None:
        axes.axhline(level, color=palette.faint, linewidth=0.9, zorder=1)
        axes.annotate(
            f"log m = {level:.3g}",
            (1, level),  # at the end: at the start every curve is near
            xycoords=("axes fraction", "data"),
            xytext=(-5, 4),  # points; the wide line of the closed form takes 2.5 of them
            textcoords="offset points",
            ha="right",
            color=palette.ink,
            fontsize=9,
        )

"""Drawings of a report: from plain numbers to Matplotlib. Nothing is computed here.

Colours are those of `numerics.picture`.
A dark page puts those of DARK in the place of those of LIGHT (see `validation.report.svg`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from numerics.picture import LIGHT, Curve, Palette, decades, draw_losses

WIDTH, HEIGHT = 5.8, 4.0  # inches: readable on a phone, half a printed page
MOST_POINTS = 2_000  # of a scatter: more overlap and make the file large


DARK = Palette("#15191e", "#e6e6e6", "#9a9a9a", "#56b4e9", "#f0933c", "#2ec7a0", "#e39ac7")


@contextmanager
def page(height: float = HEIGHT) -> Iterator[tuple[Drawing, Palette]]:
    """An empty drawing in the colours and letters of a light page; it must be filled within the block."""
    palette = LIGHT
    style: Any = {
        "font.size": 10,
        "axes.titlesize": 10,
        "legend.fontsize": 9,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "text.color": palette.ink,
        "axes.labelcolor": palette.ink,
        "axes.edgecolor": palette.faint,
        "axes.facecolor": palette.page,
        "axes.axisbelow": True,
        "xtick.color": palette.ink,
        "ytick.color": palette.ink,
        "legend.frameon": False,
        "axes.grid": True,
        "grid.color": palette.faint,
        "grid.alpha": 0.25,
        "grid.linewidth": 0.6,
    }
    with rc_context(style):
        yield Drawing(figsize=(WIDTH, height), layout="constrained", facecolor=palette.page), palette


def legend_below(drawing: Drawing, axes: Axes, columns: int = 2) -> None:
    """A legend where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=columns)


# -- losses --
def losses(curves: Sequence[Curve], level: float) -> Drawing:
    """Losses over time on log axes, the band over seeds, and a line at `level` = log m."""
    with page(HEIGHT + 0.16 * len(curves)) as (drawing, palette):
        axes = drawing.add_subplot()
        draw_losses(axes, curves, level, palette)
        legend_below(drawing, axes)
        return drawing


# -- forward against reverse --
@dataclass(frozen=True, eq=False)
class Directions:
    """Weights of pairs one way and the other way, (K,) each, under training and along the flow."""

    forward: np.ndarray
    other: np.ndarray
    forward_flow: np.ndarray
    other_flow: np.ndarray
    trained: np.ndarray


def scatter(weights: Directions) -> Drawing:
    """Each pair's weight against that of its reversal or chain, with the line on which they would be equal."""
    with page(4.4) as (drawing, palette):
        axes = drawing.add_subplot()
        kept = np.unique(np.linspace(0, len(weights.forward) - 1, MOST_POINTS).astype(int))
        for trained, name, color, mark in (
            (True, "other pair trained too", palette.blue, "o"),
            (False, "other pair not trained", palette.orange, "D"),
        ):
            chosen = kept[weights.trained[kept] == trained]
            if not len(chosen):
                continue
            axes.scatter(
                weights.forward_flow[chosen],
                weights.other_flow[chosen],
                s=90,
                marker=mark,
                facecolors="none",
                edgecolors=color,
                label=f"{name}, flow",
            )
            axes.scatter(
                weights.forward[chosen], weights.other[chosen], s=22, marker=mark, color=color, label=f"{name}, SGD"
            )
        ends = np.array([0.0, 1.08 * max(weights.forward.max(), weights.forward_flow.max())])
        axes.plot(ends, ends, color=palette.faint, linestyle="-.", linewidth=1.0, label="equal weights")
        axes.axhline(0.0, color=palette.faint, linewidth=0.9, zorder=1)
        axes.margins(0.08)
        axes.set(xlabel="weight of the trained pair", ylabel="weight of its reversal or chain")
        legend_below(drawing, axes)
        return drawing


def heatmap(
    values: np.ndarray, trained: np.ndarray, asked: np.ndarray, names: tuple[Sequence[str], Sequence[str]]
) -> Drawing:
    """Changes of logits (contexts, m) as colours; circles on trained pairs, diamonds on held-out answers."""
    rows, columns = values.shape
    with page(min(2.2 + 0.21 * rows, 7.5)) as (drawing, _):
        axes = drawing.add_subplot()
        largest = float(np.abs(values).max()) or 1.0
        image = axes.imshow(values, cmap="PuOr_r", vmin=-largest, vmax=largest, aspect="auto", interpolation="none")
        for cells, mark, label in ((trained, "o", "trained pair"), (asked, "D", "held-out answer")):
            row, column = np.nonzero(cells)
            if len(row):
                # these two colours are no page colours: they stay as they are on a dark page
                axes.scatter(column, row, s=30, marker=mark, facecolors="#fefefe", edgecolors="#111111", label=label)
        axes.set(xlabel="target token", ylabel="context")
        axes.grid(visible=False)
        for axis, labels, count in ((axes.yaxis, names[0], rows), (axes.xaxis, names[1], columns)):
            axis.set_ticks(np.arange(count), labels=list(labels), fontsize=8)
            for tick in axis.get_ticklabels():
                tick.set_parse_math(False)  # a name from a file is no mathematics
        axes.tick_params(axis="x", rotation=90)
        bar = drawing.colorbar(image, ax=axes, label="change of the logit")
        bar.outline.set_visible(False)
        handles, labels = axes.get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside lower center", ncols=2)
        return drawing


# -- step size, optimisers, dimension --
def orders(found: Sequence[tuple[str, np.ndarray, np.ndarray, float, float]]) -> Drawing:
    """Distances to the flow against the step size: (name, steps, distances, fitted order, expected order) each."""
    with page(HEIGHT + 0.15 * len(found)) as (drawing, palette):
        axes = drawing.add_subplot()
        looks = zip((palette.blue, palette.purple, palette.green, palette.orange), "ovsD", strict=True)
        for (name, steps, distance, order, expected), (color, mark) in zip(found, looks, strict=False):
            middle = float(np.exp(np.mean(np.log(distance) - order * np.log(steps))))
            axes.plot(steps, middle * steps**order, color=color, linewidth=1.2)
            label = f"{name}: order {order:.2f} (theory {expected:g})"
            axes.plot(steps, distance, color=color, linestyle="none", marker=mark, markersize=6, label=label)
        decades(axes, "x", "y")
        axes.set_xticks(np.asarray(found[0][1]), labels=[f"{step:g}" for step in found[0][1]])
        axes.set_xticks([], minor=True)
        axes.set(xlabel="step size", ylabel="distance of training to the flow")
        legend_below(drawing, axes, 1)
        return drawing


def residuals(names: Sequence[str], values: np.ndarray, tolerances: np.ndarray) -> Drawing:
    """The residual of the interpolation law for each optimiser, with what rounding allows."""
    with page(1.7 + 0.34 * len(names)) as (drawing, palette):
        axes = drawing.add_subplot()
        place = np.arange(len(names))
        smallest = float(np.finfo(float).eps) / 10
        shown = np.maximum(values, smallest)
        kept = values <= tolerances
        axes.hlines(place, smallest, shown, color=palette.faint, linewidth=1.0)
        for chosen, color, mark, label in (
            (kept, palette.blue, "o", "within rounding"),
            (~kept, palette.orange, "D", "breaks the law"),
        ):
            if chosen.any():
                axes.plot(shown[chosen], place[chosen], mark, color=color, markersize=7, label=label)
        axes.plot(tolerances, place, "|", color=palette.ink, markersize=16, label="allowed for rounding")
        axes.set(xlabel="largest residual of the interpolation law", xlim=(smallest, 10 * max(values.max(), 1.0)))
        axes.set_yticks(place, labels=list(names))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        decades(axes, "x")
        legend_below(drawing, axes, 3)
        return drawing


@dataclass(frozen=True, eq=False)
class Exponents:
    """Exponents over the dimension (D,); `measured`, `certified`, `first_order` by draw (D, draws)."""

    dimension: np.ndarray
    measured: np.ndarray
    first_order: np.ndarray
    certified: np.ndarray
    classical: np.ndarray
    a_priori: np.ndarray
    delta: float


def exponents(found: Exponents) -> Drawing:
    """Measured and certified exponents over the dimension, on log axes, with the band over draws."""
    with page(4.6) as (drawing, palette):
        axes = drawing.add_subplot()
        lines: tuple[tuple[str, np.ndarray, str, dict[str, Any]], ...] = (
            ("eigenvalues, first draw", found.classical[:, None], palette.purple, {"linestyle": ":", "linewidth": 2.2}),
            (f"certified with probability {1 - found.delta:g}", found.a_priori[:, None], palette.ink, {}),
            ("certified, by draw", found.certified, palette.orange, {"marker": "D", "markersize": 4.5}),
            ("measured along the flow", found.measured, palette.blue, {"marker": "o", "markersize": 4.5}),
            ("first-order theory at t → 0", found.first_order, palette.green, {"linestyle": "--"}),
        )
        for label, values, color, style in lines:
            values = np.where(np.isfinite(values) & (values > 0), values, np.nan)
            seen = np.isfinite(values).any(axis=1)
            if not seen.any():
                continue
            dimension, values = found.dimension[seen], values[seen]
            if values.shape[1] > 1:
                low, high = np.nanmin(values, axis=1), np.nanmax(values, axis=1)
                axes.fill_between(dimension, low, high, color=color, alpha=0.2, linewidth=0)
            axes.plot(dimension, np.nanmedian(values, axis=1), color=color, label=label, **{"linewidth": 1.5, **style})
        decades(axes, "x", "y")
        axes.set(xlabel="embedding dimension d", ylabel="exponent ε of Theorem 1")
        legend_below(drawing, axes)
        return drawing

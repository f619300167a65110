"""A phase diagram: a measured column as colour over two settings, with theory's contour over the measured cells."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps, patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from numerics.picture import LIGHT, label_decades
from validation.sweep.line_picture import name_axes, panels_page
from validation.sweep.panel import Panel, label_of, logarithmic, scale_axis
from validation.sweep.spec import Picture

COLORS = "cividis"  # read alike with any colour vision, and in print
STYLES: tuple[Any, ...] = ("-", "--", ":", "-.")
EMPTY = "#d9d9d9"  # a cell without a value
FEWEST_FOR_CONTOUR = 6  # scattered points


def draw_map(picture: Picture, panels: Sequence[Panel], title: str | None) -> Drawing:
    """One panel a facet, one scale of colours for all; grey where no value is."""
    assert picture.value is not None
    everything = Panel("", tuple(row for panel in panels for row in panel.rows))
    log_x = logarithmic(everything.numbers(picture.x).tolist(), picture.x_scale)
    log_y = logarithmic(everything.numbers(picture.y).tolist(), picture.y_scale)
    scale = _scale(everything.numbers(picture.value), picture)
    colors = colormaps[COLORS]
    with panels_page(len(panels), 1 + len(picture.lines), title) as (drawing, places):
        drawn = set()
        empty = False
        for axes, panel in zip(places, panels, strict=True):
            axes.set_title(panel.title, fontsize=10)
            axes.grid(visible=False)
            scale_axis(axes, "x", log_x)
            scale_axis(axes, "y", log_y)
            empty |= _cells(axes, panel, picture, (log_x, log_y), scale, colors)
            for number, name in enumerate(picture.lines):
                if _contour(axes, panel, picture, name, STYLES[number % len(STYLES)], (log_x, log_y)):
                    drawn.add(name)
        name_axes(places, label_of(picture.x, picture), label_of(picture.y, picture))
        bar = drawing.colorbar(ScalarMappable(scale, colors), ax=places, label=label_of(picture.value, picture))
        if isinstance(scale, LogNorm):
            label_decades(bar.ax.yaxis)
        bar.outline.set_visible(False)
        handles: list[Line2D | Patch] = [
            Line2D([], [], color=LIGHT.orange, linewidth=2.2, linestyle=STYLES[n % len(STYLES)],
                   label=f"{label_of(name, picture)} = {picture.level:g}"
                   + ("" if name in drawn else " (not within these cells)"))
            for n, name in enumerate(picture.lines)
        ]  # fmt: skip
        if empty:
            handles.append(Patch(color=EMPTY, label="no value"))
        if handles:
            drawing.legend(handles=handles, loc="outside lower center", ncols=2)
        return drawing


def _scale(values: np.ndarray, picture: Picture) -> Normalize:
    """Colours from the limits of the picture, or of the values; logarithmic for positive values over a wide range."""
    found = values[np.isfinite(values)]
    low, high = picture.limits or (float(found.min()), float(found.max()))
    if picture.limits is None and logarithmic(found.tolist(), None):
        return LogNorm(low, high)
    return Normalize(low, high if high > low else low + 1.0, clip=True)


def _grid(x: np.ndarray, y: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Values (Y, X) where the places fill a grid at least for the most part, nan where one is missing; else None."""
    across, up = np.unique(x), np.unique(y)
    if 2 * len(values) < len(across) * len(up) or len(across) < 2 or len(up) < 2:
        return None
    grid = np.full((len(up), len(across)), np.nan)
    grid[np.searchsorted(up, y), np.searchsorted(across, x)] = values
    return across, up, grid


def _cells(
    axes: Axes, panel: Panel, picture: Picture, log: tuple[bool, bool], scale: Normalize, colors: Colormap
) -> bool:
    """Rectangles around the places of a grid, dots at scattered ones; whether some are empty."""
    x, y, values = panel.points(picture.x, picture.y, picture.value or "", picture.statistic)
    grid = _grid(x, y, values)
    if grid is None:
        known = np.isfinite(values)
        axes.scatter(x[~known], y[~known], color=EMPTY, s=30)
        axes.scatter(x[known], y[known], c=values[known], cmap=colors, norm=scale, s=46, edgecolors=LIGHT.ink, lw=0.4)
        axes.set(xlim=_around(x, log[0]), ylim=_around(y, log[1]))
        return bool(not known.all())
    across, up, found = grid
    axes.set_facecolor(EMPTY)
    edges = _edges(across, log[0]), _edges(up, log[1])
    axes.pcolormesh(*edges, np.ma.masked_invalid(found), cmap=colors, norm=scale, rasterized=False)
    axes.set(xlim=(edges[0][0], edges[0][-1]), ylim=(edges[1][0], edges[1][-1]))
    return bool(np.isnan(found).any())


def _around(places: np.ndarray, log: bool) -> tuple[float, float]:
    """Limits of an axis that leave room around the places."""
    ends = np.array([places.min(), places.max()])
    low, high = np.log(ends) if log else ends
    margin = 0.04 * ((high - low) or 1.0)
    limits = np.array([low - margin, high + margin])
    found = np.exp(limits) if log else limits
    return float(found[0]), float(found[1])


def _edges(places: np.ndarray, log: bool) -> np.ndarray:
    """Edges (X + 1,) half-way between the places (X,) on the scale of the axis."""
    at = np.log(places) if log else places
    middle = (at[1:] + at[:-1]) / 2
    edges = np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])
    return np.exp(edges) if log else edges


def _contour(axes: Axes, panel: Panel, picture: Picture, name: str, style: str, log: tuple[bool, bool]) -> bool:
    """Where theory's column crosses the level, white-rimmed; whether it does within these cells."""
    x, y, values = panel.points(picture.x, picture.y, name, picture.statistic)
    known = np.isfinite(values)
    if not known.any() or not values[known].min() < picture.level < values[known].max():
        return False
    rim: list[Any] = [patheffects.withStroke(linewidth=4.4, foreground=LIGHT.page)]
    look: dict[str, Any] = {
        "levels": [picture.level],
        "colors": [LIGHT.orange],
        "linewidths": 2.2,
        "linestyles": [style],
    }
    if (grid := _grid(x, y, values)) is not None:
        across, up, found = grid
        lines: Any = axes.contour(across, up, np.ma.masked_invalid(found), **look)
    else:
        # triangles on the scale of the axes: points of a logarithmic one would be slivers
        a, b = np.log(x[known]) if log[0] else x[known], np.log(y[known]) if log[1] else y[known]
        if known.sum() < FEWEST_FOR_CONTOUR or np.linalg.matrix_rank(np.stack([a - a[0], b - b[0]])) < 2:
            return False
        from matplotlib.tri import Triangulation

        triangles = Triangulation(a, b).triangles
        limits = axes.axis()
        lines = axes.tricontour(x[known], y[known], triangles, values[known], **look)
        axes.axis(limits)
    lines.set_path_effects(rim)
    return True

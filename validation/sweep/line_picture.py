"""Lines over one setting: every measured cell, a statistic of them over the seeds, and theory's columns beside them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from numerics.picture import LIGHT, Palette
from validation.report.figures import page
from validation.sweep.panel import Panel, label_of, logarithmic, scale_axis
from validation.sweep.spec import Picture

PANEL_WIDTH, PANEL_HEIGHT = 3.4, 3.1  # inches
MOST_COLUMNS = 3
# The measured column is first: dots. Theory's columns follow.
LOOKS: tuple[dict[str, Any], ...] = (
    {"linestyle": "-", "linewidth": 1.1, "marker": "o", "markersize": 4.0},
    {"linestyle": "--", "linewidth": 1.8},
    {"linestyle": "-", "linewidth": 1.4, "marker": "D", "markersize": 3.4},
    {"linestyle": "-.", "linewidth": 1.6},
    {"linestyle": ":", "linewidth": 2.2},
)


def colors_of(palette: Palette) -> tuple[str, ...]:
    """Colours in the order in which columns or groups take them."""
    return (palette.blue, palette.green, palette.orange, palette.ink, palette.purple, palette.faint)


def columns_of(count: int) -> int:
    """How many panels stand beside each other; four make a square, which leaves no place empty."""
    return 2 if count == 4 else min(count, MOST_COLUMNS)


def name_axes(panels: Sequence[Axes], x: str, y: str) -> None:
    """Names and numbers below the lowest panel of each column and left of the first of each row."""
    columns = columns_of(len(panels))
    for place, axes in enumerate(panels):
        lowest, first = place + columns >= len(panels), place % columns == 0
        axes.set(xlabel=x if lowest else "", ylabel=y if first else "")
        axes.tick_params(axis="x", which="both", labelbottom=lowest)
        axes.tick_params(axis="y", which="both", labelleft=first)


@contextmanager
def panels_page(count: int, lines: int, title: str | None) -> Iterator[tuple[Drawing, list[Axes]]]:
    """A drawing with `count` panels that share their axes, and room for `lines` of a legend below."""
    columns = columns_of(count)
    rows = -(-count // columns)
    height = PANEL_HEIGHT * rows + 0.22 * lines + (0.3 if title else 0.0)
    with page(height) as (drawing, palette):
        width = max(PANEL_WIDTH * columns, 5.2)
        drawing.set_size_inches(width, height)
        if title:
            drawing.suptitle(title, color=palette.ink, fontsize=11, x=0.02, ha="left")
        grid = drawing.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        panels = list(grid.flat)
        for unused in panels[count:]:
            unused.set_visible(False)
        yield drawing, panels[:count]


def draw_lines(picture: Picture, panels: Sequence[Panel], title: str | None) -> Drawing:
    """One panel a facet; values that a logarithmic axis cannot show are left out."""
    columns = (picture.y, *picture.lines)
    everything = Panel("", tuple(row for panel in panels for row in panel.rows))
    log_x = logarithmic(everything.numbers(picture.x).tolist(), picture.x_scale)
    found = np.concatenate([everything.numbers(name) for name in columns])
    log_y = logarithmic(found.tolist(), picture.y_scale)
    groups = list(dict.fromkeys(row[picture.group] for row in everything.rows)) if picture.group else [None]
    colors = colors_of(LIGHT)
    entries = len(columns) * len(groups)
    per_row = 2 if entries > 1 else 1
    with (
        rc_context({"lines.solid_capstyle": "round"}),
        panels_page(len(panels), -(-entries // per_row) + 1, title) as (drawing, places),
    ):
        for axes, panel in zip(places, panels, strict=True):
            axes.set_title(panel.title, fontsize=10)
            for place, group in enumerate(groups):
                for number, name in enumerate(columns):
                    color = colors[(number if picture.group is None else place) % len(colors)]
                    _series(axes, panel.only(picture.group, group), picture, name, number, color, log_y, group)
        for axes in places:
            scale_axis(axes, "x", log_x)
            scale_axis(axes, "y", log_y)
        name_axes(places, label_of(picture.x, picture), _vertical(picture))
        if picture.limits is not None:
            places[0].set_ylim(*picture.limits)
        named: dict[str, Any] = {}
        for axes in places:  # a line may be missing in the first panel
            named |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        ordered = sorted(named, key=lambda label: _rank(label, picture, columns))
        drawing.legend([named[n] for n in ordered], ordered, loc="outside lower center", ncols=per_row)
        return drawing


def _rank(label: str, picture: Picture, columns: Sequence[str]) -> int:
    return next((n for n, name in enumerate(columns) if label.startswith(label_of(name, picture))), len(columns))


def _vertical(picture: Picture) -> str:
    """The name of the vertical axis: with theory beside it, what both are."""
    return picture.labels.get("y") or label_of(picture.y, picture)


def _series(
    axes: Axes, panel: Panel, picture: Picture, name: str, number: int, color: str, log: bool, group: Any
) -> None:
    series = panel.series(picture.x, name, picture.statistic)
    shown = series.value > 0 if log else np.isfinite(series.value)
    if not shown.any():
        return
    label = label_of(name, picture)
    if number == 0 and series.seeds > 1:
        label += f" ({picture.statistic} of {series.seeds} seeds; pale dots: each)"
    if picture.group is not None:
        label += f", {label_of(picture.group, picture)} {group}"
    x, value = series.x[shown], series.value[shown]
    if number == 0 and series.seeds > 1:  # every measured cell
        places, cells = panel.numbers(picture.x), panel.numbers(name)
        known = cells > 0 if log else np.isfinite(cells)
        axes.plot(places[known], cells[known], ".", color=color, alpha=0.35, markersize=4.5, markeredgewidth=0)
    axes.plot(x, value, color=color, label=label, zorder=3 + 0.1 * number, **LOOKS[number % len(LOOKS)])

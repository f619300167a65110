"""Losses over time of everything that a verification trained or integrated: one panel for each model and dimension."""

from collections.abc import Iterator
from operator import attrgetter

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from numerics.picture import Curve, draw_losses
from validation.report.figures import page
from validation.result import SeededTrajectory, Verification

PANEL_WIDTH, PANEL_HEIGHT = 5.4, 3.7  # inches
MOST_COLUMNS = 2


def curves_of(trajectory: SeededTrajectory) -> Iterator[Curve]:
    """Loss and reversal loss of one source with the band over seeds, where they are numbers after t = 0."""
    time = trajectory.by_seed[0].time
    for quantity, name in (("training loss", "loss"), ("reversal loss", "reversal_loss")):
        values = np.array([getattr(t, name) for t in trajectory.by_seed])  # (S, T)
        if np.isfinite(values).all() and (values[:, time > 0] > 0).any():
            source, seeds = trajectory.by_seed[0].source, len(values)
            low, high = values.min(axis=0), values.max(axis=0)
            yield Curve(quantity, source, seeds, time, values.mean(axis=0), low, high)


def loss_figure(result: Verification) -> Figure | None:
    """Training loss and reversal loss over time, with the line log m; None where there is nothing to draw.

    A last panel alone in its row is as wide as the row. One legend below serves all panels.
    """
    groups = [(group, [curve for t in group for curve in curves_of(t)]) for group in result.groups()]
    groups = [(group, curves) for group, curves in groups if curves]
    if not groups:
        return None
    columns = min(MOST_COLUMNS, len(groups))
    rows = -(-len(groups) // columns)
    with page(PANEL_HEIGHT * rows + 0.6) as (figure, palette):
        figure.set_size_inches(PANEL_WIDTH * columns, PANEL_HEIGHT * rows + 0.6)
        grid = figure.add_gridspec(rows, columns)
        entries: dict[str, Artist] = {}
        for place, (group, curves) in enumerate(groups):
            alone = place == len(groups) - 1 and place % columns == 0
            axes = figure.add_subplot(grid[place // columns, slice(None) if alone else place % columns])
            draw_losses(axes, curves, float(np.log(group[0].task.vocabulary_size)), palette, attrgetter("name"))
            axes.set_title(_title(group))
            entries |= {label: line for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(
            handles=list(entries.values()), labels=list(entries), loc="outside lower center", ncols=2 * columns
        )
        return figure


def _title(group: list[SeededTrajectory]) -> str:
    first, seeds = group[0].by_seed[0], len(group[0].seeds)
    where = "" if first.dimension is None else f", d = {first.dimension:g}"
    return f"{first.model}{where}" + (f", {seeds} seeds" if seeds > 1 else "")

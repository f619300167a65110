"""Drawings of runs of transformers: losses over epochs, answers both ways, cosines, the index. Nothing is computed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure as Drawing

from numerics.picture import decades
from validation.report.figures import HEIGHT, legend_below, page

PANEL = 2.6  # inches of one heat map


@dataclass(frozen=True, eq=False)
class Line:
    """A measure over epochs: mean, smallest and largest over seeds, (E,) each; `color` names one of the palette."""

    label: str
    color: str
    style: str
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Level:
    """A horizontal line: what a guess costs."""

    label: str
    value: float


def over_epochs(
    epoch: np.ndarray,
    lines: Sequence[Line],
    levels: Sequence[Level],
    name: str,
    logarithmic: bool,
    limits: tuple[float, float] | None = None,
) -> Drawing:
    """Lines with their bands over seeds, against epochs, with labelled levels; `limits` of the vertical axis."""
    with page(HEIGHT + 0.15 * len(lines)) as (drawing, palette):
        axes = drawing.add_subplot()
        for line in lines:
            color = getattr(palette, line.color)
            axes.fill_between(epoch, line.low, line.high, color=color, alpha=0.2, linewidth=0)
            axes.plot(epoch, line.mean, color=color, linestyle=line.style, linewidth=1.8, label=line.label)
        for level in levels:
            axes.axhline(level.value, color=palette.faint, linewidth=0.9, zorder=1)
            axes.annotate(  # beside the axes, the highest above its line and the others below: levels lie close
                level.label,
                (1.0, level.value),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va="bottom" if level.value == max(other.value for other in levels) else "top",
                color=palette.ink,
                fontsize=9,
            )
        axes.set(xlabel="epoch", ylabel=name, xlim=(0, epoch[-1]))
        if limits is not None:
            axes.set_ylim(*limits)
        if logarithmic:
            decades(axes, "y")
        legend_below(drawing, axes)
        return drawing


def heat_maps(matrices: Sequence[tuple[str, np.ndarray, int]], label: str) -> Drawing:
    """Matrices (n, n) side by side on one scale: (title, values, how many of the pairs were trained)."""
    with page(PANEL + 0.9) as (drawing, palette):
        drawing.set_size_inches(max(PANEL * len(matrices) + 0.9, 4.2), PANEL + 0.9)
        low = min(float(values.min()) for _, values, _ in matrices)
        high = max(float(values.max()) for _, values, _ in matrices)
        places = drawing.subplots(1, len(matrices), squeeze=False)[0]
        for axes, (title, values, seen) in zip(places, matrices, strict=True):
            image = axes.imshow(values, cmap="viridis", vmin=low, vmax=high, interpolation="none")
            if 0 < seen < len(values):
                for line in (axes.axhline, axes.axvline):
                    line(seen - 0.5, color=palette.page, linewidth=1.2)
            axes.set(title=title, xlabel="candidate", xticks=[], yticks=[])
            axes.grid(visible=False)
        places[0].set_ylabel("question")
        bar = drawing.colorbar(image, ax=list(places), label=label)
        bar.outline.set_visible(False)
        return drawing

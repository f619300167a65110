"""Drawing of indices by choice: marks with intervals over the bars of theory. Nothing is computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
from matplotlib.figure import Figure as Drawing

from validation.report.figures import WIDTH, legend_below, page

LINE = 0.17  # inches a line of a label
LABEL = 46  # letters of a line of a label
EDGE = -0.6  # indices below stand here: an answer can be pushed down without end
RIGHT = 1.08  # where the axis ends, unless an index lies beyond
THINNEST = 0.008  # of a prediction without an interval, so that it is seen


@dataclass(frozen=True)
class Bar:
    """One choice: measured mean with its interval, and the predicted range where there is one."""

    label: str
    mean: float
    low: float
    high: float
    predicted: tuple[float, float] | None


def forest(bars: Sequence[Bar]) -> Drawing:
    """One line a choice, largest index on top."""
    labels = ["\n".join(wrap(bar.label, LABEL)) for bar in bars]
    height = LINE * sum(label.count("\n") + 1.4 for label in labels) + 1.1
    with page(height) as (drawing, palette):
        drawing.set_size_inches(WIDTH + 2.2, height)
        axes = drawing.add_subplot()
        for level, name in ((0.0, "cursed"), (1.0, "lifted")):
            axes.axvline(level, color=palette.faint, linewidth=0.9, zorder=1)
            axes.annotate(
                name, (level, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3), textcoords="offset points",
                ha="center", color=palette.ink, fontsize=9,
            )  # fmt: skip
        # a label of two lines takes the room of two
        room = np.array([label.count("\n") + 1.4 for label in labels])
        place = np.cumsum(room) - room / 2
        for y, bar in zip(place, bars, strict=True):
            if bar.predicted is not None:
                low, high = (max(x, EDGE) for x in bar.predicted)
                middle, width = (low + high) / 2, max(high - low, THINNEST)
                axes.barh(y, width, left=middle - width / 2, height=1.0, color=palette.orange, alpha=0.45, zorder=2)
            shown = max(bar.mean, EDGE)
            axes.plot([max(bar.low, EDGE), max(bar.high, EDGE)], [y, y], color=palette.blue, linewidth=1.6, zorder=3)
            marker = "<" if bar.mean < EDGE else "o"
            axes.plot(shown, y, marker=marker, markersize=4.5, color=palette.blue, linestyle="none", zorder=4)
        axes.plot([], [], marker="o", color=palette.blue, linewidth=1.6, markersize=4.5, label="measured")
        axes.barh([0], [0], color=palette.orange, alpha=0.45, label="predicted")
        axes.set_yticks(place, labels)
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel="index")
        axes.set_xlim(EDGE - 0.04, max([RIGHT, *(bar.mean + 0.04 for bar in bars)]))
        axes.set_ylim(room.sum() + 0.3, -0.3)
        axes.grid(visible=False, axis="y")
        legend_below(drawing, axes)
        return drawing

"""A trajectory as a picture, for notebooks: training loss and reversal loss over time."""

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from numerics.trajectory import Trajectory


def trajectory_figure(trajectory: "Trajectory") -> "Figure":
    """Both losses on logarithmic axes; the level log m where the kept logits say what m is."""
    # Matplotlib takes half a second to load: not for whoever only computes
    from matplotlib.figure import Figure

    shown = trajectory.time > 0
    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for name, values, color in (
        ("loss", trajectory.loss, "#0072b2"),
        ("reversal loss", trajectory.reversal_loss, "#d55e00"),
    ):
        if np.isfinite(values[shown]).any():
            axes.plot(trajectory.time[shown], values[shown], color=color, label=name)
    if trajectory.logits is not None:
        axes.axhline(np.log(trajectory.logits.shape[1]), color="gray", linewidth=0.8, linestyle="--", label=r"$\log m$")
    axes.set(xscale="log", yscale="log", xlabel="time (step size × steps)", ylabel="loss (nats)")
    dimension = "" if trajectory.dimension is None else f", d = {trajectory.dimension:g}"
    axes.set_title(f"{trajectory.model}, {trajectory.source}{dimension}", fontsize=10)
    axes.legend(fontsize=8)
    return figure


def trajectory_png(trajectory: "Trajectory") -> bytes:
    """The picture as PNG."""
    file = io.BytesIO()
    trajectory_figure(trajectory).savefig(file, format="png", dpi=120)
    return file.getvalue()

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

    from numerics.picture import Curve, draw_losses

    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.add_subplot()
    losses = (("training loss", trajectory.loss), ("reversal loss", trajectory.reversal_loss))
    curves = [
        Curve(quantity, trajectory.source, 1, trajectory.time, values, values, values)
        for quantity, values in losses
        if np.isfinite(values).all()
    ]
    level = None if trajectory.logits is None else float(np.log(trajectory.logits.shape[1]))
    draw_losses(axes, curves, level)
    dimension = "" if trajectory.dimension is None else f", d = {trajectory.dimension:g}"
    axes.set_title(f"{trajectory.model}, {trajectory.source}{dimension}", fontsize=10)
    axes.legend(fontsize=8)
    return figure


def trajectory_png(trajectory: "Trajectory") -> bytes:
    """The picture as PNG."""
    file = io.BytesIO()
    trajectory_figure(trajectory).savefig(file, format="png", dpi=120)
    return file.getvalue()

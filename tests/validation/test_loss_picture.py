"""The picture of `verify -o`: every panel holds losses, none is left empty, and one legend serves all."""

import io

import numpy as np
import pytest

from numerics.trajectory import Trajectory
from theory.task import Task, reversal_task
from validation.loss_picture import loss_figure
from validation.result import SeededTrajectory, Verification
from validation.settings import VerifySettings


def seeded(task: Task, source: str, model: str, dimension: float | None, seeds: int = 1) -> SeededTrajectory:
    """Losses that fall, and reversal losses that stay, where something is held out."""
    time = np.array([0.0, 0.5, 1.0, 10.0])
    empty = np.zeros((4, 0))
    reverse = np.full(4, np.log(task.vocabulary_size) if task.queries else np.nan)
    one = Trajectory(source, model, dimension, time, 2 / (1 + time), reverse, *(empty,) * 4)  # type: ignore[arg-type]
    return SeededTrajectory(task, tuple(range(seeds)), (one,) * seeds)


def verification(panels: int, task: Task) -> Verification:
    """One flow a panel, with real training beside it in every other one."""
    found = []
    for n in range(panels):
        found.append(seeded(task, "flow", "bilinear", 10.0**n))
        if n % 2:
            found.append(seeded(task, "training", "bilinear", 10.0**n, seeds=3))
    return Verification(task, VerifySettings(), (), tuple(found))


@pytest.mark.parametrize("held_out", [0, 1])
@pytest.mark.parametrize("panels", [1, 2, 3, 4, 5])
def test_no_panel_is_empty(panels: int, held_out: int) -> None:
    """As many panels as models and dimensions, each with its losses, side by side over the whole width of every row."""
    figure = loss_figure(verification(panels, reversal_task(3, held_out)))
    assert figure is not None
    figure.savefig(io.BytesIO(), format="png")
    assert len(figure.axes) == panels
    for axes in figure.axes:
        said = axes.get_legend_handles_labels()[1]
        assert said[0] == "training loss, flow"
        assert ("reversal loss, flow" in said) == bool(held_out)
    rows: dict[float, list[float]] = {}
    for axes in figure.axes:
        box = axes.get_window_extent()
        rows.setdefault(round(box.y0), []).extend((box.x0, box.x1))
    width = figure.bbox.width
    assert all(min(ends) < 0.2 * width and max(ends) > 0.95 * width for ends in rows.values())
    (legend,) = figure.legends
    said = [text.get_text() for text in legend.get_texts()]
    assert len(set(said)) == len(said) == (1 + held_out) * min(panels, 2)


def test_panels_say_what_they_show() -> None:
    """The title names model, dimension and seeds; a model without a dimension has none."""
    task = reversal_task(3)
    shown = (seeded(task, "flow", "transformer", None), seeded(task, "training", "bilinear", 64.0, seeds=2))
    figure = loss_figure(Verification(task, VerifySettings(), (), shown))
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == ["transformer", "bilinear, d = 64, 2 seeds"]


def test_what_has_no_losses_has_no_panel() -> None:
    """A run that ends at time zero has no panel, and nothing but such runs gives no picture."""
    task = reversal_task(3)
    empty, none = np.zeros((1, 0)), np.array([np.nan])
    start = Trajectory("flow", "bilinear", 8.0, np.array([0.0]), np.array([1.0]), none, *(empty,) * 4)
    bare = SeededTrajectory(task, (0,), (start,))
    one = loss_figure(Verification(task, VerifySettings(), (), (bare, seeded(task, "flow", "transformer", None))))
    assert one is not None
    assert [axes.get_title() for axes in one.axes] == ["transformer"]
    assert loss_figure(Verification(task, VerifySettings(), (), (bare,))) is None

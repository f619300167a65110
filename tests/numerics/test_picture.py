"""Logarithmic axes can be read, and losses over time stand on them with the level log m inside the frame."""

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from numerics.picture import MOST_DECADES, Curve, decades, draw_losses, log_ticks


def curve(quantity: str, start: float, end: float, times: tuple[float, float] = (0.01, 1e4)) -> Curve:
    """A loss that goes from `start` to `end` as a power of time."""
    time = np.concatenate([[0.0], np.geomspace(*times, 20)])
    value = np.concatenate([[start], np.geomspace(start, end, 20)])
    return Curve(quantity, "flow", 1, time, value, value, value)


@given(st.floats(-30, 30), st.floats(1e-3, 40))
def test_every_log_axis_has_places_for_labels(low: float, width: float) -> None:
    """Between any two positive limits lie at least two labels and at most ten, in order, and none is outside."""
    ends = 10.0**low, 10.0 ** (low + width)
    found = log_ticks(*ends)
    assert 2 <= len(found) <= MOST_DECADES + 2
    assert (np.diff(found) > 0).all()
    assert ends[0] * (1 - 1e-8) <= found[0]
    assert found[-1] <= ends[1] * (1 + 1e-8)


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        ((0.015, 30.0), ["10⁻¹", "10⁰", "10¹"]),
        ((0.1, 2.0), ["0.1", "0.2", "0.5", "1", "2"]),
        ((0.012, 2.6), ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]),
        ((0.8, 120.0), ["1", "2", "5", "10", "20", "50", "100"]),
        ((2.1, 4.9), ["3", "4"]),
        ((1e20, 1e21), ["10²⁰", "2×10²⁰", "5×10²⁰", "10²¹"]),
        ((1e1, 1e20), ["10³", "10⁶", "10⁹", "10¹²", "10¹⁵", "10¹⁸"]),
    ],
)
def test_labels_are_numbers_that_a_reader_knows(limits: tuple[float, float], shown: list[str]) -> None:
    """Labels are powers of ten over many decades, else 1, 2, 5, else round numbers; by the limits when drawn."""
    figure = Figure()
    axes = figure.add_subplot()
    decades(axes, "x", "y")
    axes.set(xlim=limits, ylim=limits[::-1])  # after the axes became logarithmic, and one of them upside down
    figure.draw_without_rendering()
    assert [t.get_text() for t in axes.get_xticklabels()] == shown
    assert [t.get_text() for t in axes.get_yticklabels()] == shown


@pytest.mark.parametrize(
    "curves",
    [
        [curve("training loss", 5.4, 0.02), curve("reversal loss", 5.4, 5.4)],
        [curve("training loss", 1.4, 1.39)],
        [curve("training loss", 1.4, 1e-12), curve("reversal loss", 1.4, 3e3)],
        [curve("training loss", 7.0, 6.99), curve("reversal loss", 7.0, 7.3)],
        [curve("training loss", 1.4, 0.2, (1.0, 1.5))],
    ],
    ids=["usual", "nothing learnt", "sixteen decades", "near", "short"],
)
@pytest.mark.parametrize("size", [(5.4, 3.7), (3.0, 2.2)])
def test_the_level_stands_inside_the_frame(curves: list[Curve], size: tuple[float, float]) -> None:
    """The words `log m` lie within the axes with two points to spare, whatever the losses and the size are."""
    figure = Figure(size, layout="constrained")
    axes = figure.add_subplot()
    draw_losses(axes, curves, 1.4)
    figure.savefig(io.BytesIO(), format="png")
    words, frame = axes.texts[0].get_window_extent(), axes.get_window_extent()
    room = 2 * figure.dpi / 72
    assert words.x0 >= frame.x0 + room
    assert words.x1 <= frame.x1 - room
    assert words.y1 <= frame.y1 - room
    assert words.y0 >= frame.y0 + room


def test_each_axis_of_a_short_run_has_two_labels() -> None:
    """A loss that falls from 1.4 to 1.39 in times from 1 to 1.5 is drawn on axes of at least two labels each."""
    figure = Figure(layout="constrained")
    axes = figure.add_subplot()
    draw_losses(axes, [curve("training loss", 1.4, 1.39, (1.0, 1.5))], None)
    figure.savefig(io.BytesIO(), format="png")
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        assert sum(low <= place <= high for place in axis.get_majorticklocs()) >= 2
        assert len({text.get_text() for text in axis.get_ticklabels()} - {""}) >= 2
    assert not math.isclose(*axes.get_ylim())

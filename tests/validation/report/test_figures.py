"""Drawings hold what they are given, on the axes that were asked for, and nothing hides anything."""

import io
import re
from dataclasses import asdict
from importlib.resources import files

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure as Drawing
from matplotlib.text import Text

from validation.report import figures
from validation.report.svg import inline_svg

TIME = np.concatenate([[0.0], np.geomspace(0.1, 100.0, 12)])
LEVEL = float(np.log(22))
HOSTILE = [r"$\frac{1}$", "_a_%", "<b>&", r"$x$", "{{y}}"]


def _curve(quantity: str, source: str, end: float, seeds: int = 1) -> figures.Curve:
    value = LEVEL * (end / LEVEL) ** (TIME / TIME[-1])
    return figures.Curve(quantity, source, seeds, TIME, value, 0.9 * value, 1.1 * value)


def _all() -> dict[str, Drawing]:
    """Every drawing on small numbers."""
    curves = [
        _curve("training loss", "flow", 0.05),
        _curve("training loss", "training", 0.04, 3),
        _curve("reversal loss", "training", 3.1, 3),
    ]
    trained = np.array([True, False])
    pairs = figures.Directions(*(np.array([5.0, 5.2]) + shift for shift in (0.0, -0.1, 0.1, -0.2)), trained)
    values = np.arange(25.0).reshape(5, 5) - 12.0
    dimension = np.array([1e5, 1e6, 1e7])
    draws = dimension[:, None] ** -0.5 * np.array([1.0, 2.0])
    found = figures.Exponents(dimension, draws, draws, 3 * draws, 9 * draws[:, 0], 5 * draws[:, 0], 0.05)
    steps = np.array([0.2, 0.1, 0.05])
    return {
        "losses": figures.losses(curves, LEVEL),
        "scatter": figures.scatter(pairs),
        "heatmap": figures.heatmap(values, np.eye(5, dtype=bool), np.eye(5, dtype=bool)[::-1], (HOSTILE, HOSTILE)),
        "orders": figures.orders([("cyclic", steps, 0.3 * steps, 1.0, 1.0)]),
        "residuals": figures.residuals(["gd", "adam"], np.array([1e-15, 0.3]), np.array([1e-12, 1e-12])),
        "exponents": figures.exponents(found),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, Drawing]:
    """Every drawing, laid out."""
    found = _all()
    for drawing in found.values():
        drawing.savefig(io.BytesIO(), format="png")
    return found


def test_letters_are_readable(drawn: dict[str, Drawing]) -> None:
    """Every word is set in 8 points or more, in an ink that differs from the page, light or dark, by 4.5 or more."""
    assert min(_contrast(palette.ink, palette.page) for palette in (figures.LIGHT, figures.DARK)) >= 4.5
    for name, drawing in drawn.items():
        assert to_hex(drawing.get_facecolor()) == figures.LIGHT.page
        for text in drawing.findobj(Text):
            if text.get_text() and text.get_visible():
                assert text.get_fontsize() >= 8, (name, text.get_text())
                assert text.get_color() == figures.LIGHT.ink, (name, text.get_text())


def test_a_dark_page_has_colours_of_its_own() -> None:
    """The style sheet names every colour of either palette, no two are one, and marks stand 3:1 off the page."""
    style = files("validation.report").joinpath("templates", "report.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--picture-(\w+): (#\w+);", part)) for part in style.split("@media screen", 2)[:2])
    assert (light, dark) == (asdict(figures.LIGHT), asdict(figures.DARK))
    for colors in (light, dark):
        assert len(set(colors.values())) == len(colors)
        marks = [colors[name] for name in ("blue", "orange", "green", "purple")]
        assert all(_contrast(mark, colors["page"]) >= 3 for mark in marks)


def test_a_picture_in_a_page_has_the_colours_of_the_page(drawn: dict[str, Drawing]) -> None:
    """No colour of the light palette is left in a picture of the page: each is a variable that the style sheet sets."""
    for name, drawing in drawn.items():
        svg = inline_svg(drawing, f"{name}-", "words")
        assert not [color for color in asdict(figures.LIGHT).values() if color in svg], name
        assert {"var(--picture-page)", "var(--picture-ink)"} <= set(re.findall(r"var\(--[\w-]+\)", svg)), name


def test_decades_are_labelled_in_plain_letters(drawn: dict[str, Drawing]) -> None:
    """Labels of decades are powers of ten with raised digits."""
    labels = [text.get_text() for text in drawn["losses"].axes[0].get_xticklabels()]
    assert {"10⁻¹", "10²"} <= set(labels)
    assert "$" not in "".join(labels)


def _contrast(one: object, other: object) -> float:
    """The contrast ratio of two colours by the rule of web accessibility (WCAG 2)."""

    def luminance(color: object) -> float:
        channels = np.array(to_rgb(color))  # type: ignore[arg-type]
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_legends_hide_nothing(drawn: dict[str, Drawing]) -> None:
    """No legend touches the axes, and everything lies within the picture."""
    for name, drawing in drawn.items():
        box = drawing.legends[0].get_window_extent()
        for axes in drawing.axes:
            assert not box.overlaps(axes.get_tightbbox()), name
            outer = axes.get_tightbbox()
            assert drawing.bbox.x0 <= outer.x0, name
            assert outer.x1 <= drawing.bbox.x1, name
        assert drawing.bbox.x0 <= box.x0, name
        assert box.x1 <= drawing.bbox.x1, name


def test_tick_labels_do_not_overlap(drawn: dict[str, Drawing]) -> None:
    """No two tick labels of one axis overlap."""
    for name, drawing in drawn.items():
        for axis in (drawing.axes[0].xaxis, drawing.axes[0].yaxis):
            boxes = [t.get_window_extent() for t in axis.get_ticklabels() if t.get_text()]
            low, high = sorted(axis.get_view_interval())
            places = [p for p, t in zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True) if t.get_text()]
            shown = [box for box, place in zip(boxes, places, strict=True) if low <= place <= high]
            assert len(shown) >= 2, name
            assert not any(one.overlaps(other) for k, one in enumerate(shown) for other in shown[k + 1 :]), name


def test_losses_stand_on_log_axes_with_the_level(drawn: dict[str, Drawing]) -> None:
    """Both axes are logarithmic, the line and its label are at log m, and only runs of several seeds have a band."""
    axes = drawn["losses"].axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    level = [line for line in axes.lines if np.ptp(np.asarray(line.get_ydata(), dtype=float)) == 0]
    assert [line.get_ydata()[0] for line in level] == [LEVEL]
    assert axes.texts[0].get_text() == f"log m = {LEVEL:.3g}"
    assert axes.texts[0].xy[1] == LEVEL
    bands = [collection.get_paths()[0].vertices[:, 1] for collection in axes.collections]
    assert len(bands) == 2
    curve = _curve("training loss", "training", 0.04, 3)
    assert bands[0].min() == pytest.approx(curve.low[1:].min(), rel=1e-12)
    assert bands[0].max() == pytest.approx(curve.high[1:].max(), rel=1e-12)


def test_losses_draw_the_values_after_the_start() -> None:
    """A curve has the values that were given, but for t = 0, which has no place on a log axis."""
    curve = _curve("training loss", "flow", 0.05)
    line = figures.losses([curve], LEVEL).axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), TIME[1:])
    np.testing.assert_array_equal(line.get_ydata(), curve.value[1:])


def test_scatter_has_the_pairs_where_they_belong() -> None:
    """Filled marks are training and open ones the flow, by whether the other pair was trained."""
    one = figures.Directions(
        *(np.array([value, value + 10]) for value in (1.0, 2.0, 3.0, 4.0)), np.array([True, False])
    )
    found = {c.get_label(): c.get_offsets().tolist() for c in figures.scatter(one).axes[0].collections}
    assert found == {
        "other pair trained too, flow": [[3.0, 4.0]],
        "other pair trained too, SGD": [[1.0, 2.0]],
        "other pair not trained, flow": [[13.0, 14.0]],
        "other pair not trained, SGD": [[11.0, 12.0]],
    }


def test_scatter_is_thinned() -> None:
    """A scatter of 50,000 pairs draws no more than 2,000 of them."""
    many = np.linspace(0.0, 5.0, 50_000)
    drawing = figures.scatter(figures.Directions(many, many, many, many, np.ones(50_000, dtype=bool)))
    assert all(len(c.get_offsets()) <= 2_000 for c in drawing.axes[0].collections)


def test_heatmap_marks_cells_and_keeps_zero_in_the_middle() -> None:
    """Colours are symmetric about zero, marks lie at (token, context), and names are no mathematics."""
    values = np.array([[1.0, -3.0], [0.5, 2.0]])
    trained, asked = np.array([[False, True], [False, False]]), np.array([[False, False], [True, False]])
    axes = figures.heatmap(values, trained, asked, (["$a$", "b"], ["c", "d$"])).axes[0]
    assert axes.images[0].get_clim() == (-3.0, 3.0)
    np.testing.assert_array_equal(axes.images[0].get_array(), values)
    assert {c.get_label(): c.get_offsets().tolist() for c in axes.collections} == {
        "trained pair": [[1.0, 0.0]],
        "held-out answer": [[0.0, 1.0]],
    }
    labels = [*axes.get_xticklabels(), *axes.get_yticklabels()]
    assert [text.get_text() for text in labels] == ["c", "d$", "$a$", "b"]
    assert not any(text.get_parse_math() for text in labels)


def test_fitted_lines_pass_through_their_distances() -> None:
    """For distances that are a power of the step size the fitted line goes through every mark."""
    steps = np.array([0.2, 0.1, 0.05])
    axes = figures.orders([("cyclic", steps, 0.3 * steps**0.5, 0.5, 0.5)]).axes[0]
    line, marks = axes.lines
    np.testing.assert_allclose(line.get_ydata(), marks.get_ydata(), rtol=1e-12)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert marks.get_label() == "cyclic: order 0.50 (theory 0.5)"


def test_residuals_are_sorted_by_what_rounding_allows() -> None:
    """An optimiser is marked as breaking the law exactly where its residual exceeds the tolerance; zero has a place."""
    names, residual = ["a", "b", "c"], np.array([0.0, 2e-12, 0.3])
    lines = {line.get_label(): line for line in figures.residuals(names, residual, np.full(3, 1e-12)).axes[0].lines}
    assert lines["within rounding"].get_ydata().tolist() == [0]
    assert lines["within rounding"].get_xdata()[0] > 0
    assert lines["breaks the law"].get_ydata().tolist() == [1, 2]
    assert lines["breaks the law"].get_xdata().tolist() == [2e-12, 0.3]


def test_exponents_leave_out_what_says_nothing() -> None:
    """Infinite and negative exponents are not drawn, and a kind that is infinite everywhere has no line."""
    dimension = np.array([1e5, 1e6, 1e7])
    draws = np.array([[np.inf, np.inf], [2.0, 4.0], [1.0, -3.0]])
    never = np.full(3, np.inf)
    found = figures.Exponents(dimension, np.abs(draws[::-1]), draws, draws, never, draws[:, 0], 0.1)
    axes = figures.exponents(found).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert "eigenvalues, first draw" not in lines
    assert lines["certified with probability 0.9"].get_xdata().tolist() == [1e6, 1e7]
    assert lines["certified, by draw"].get_ydata().tolist() == [3.0, 1.0]
    assert len(axes.collections) == 3

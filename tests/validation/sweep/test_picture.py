"""Pictures of a sweep: drawn whatever the table holds, the same bytes each time; left out with a note where not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from theory.counting import duration
from validation.sweep.design import Design
from validation.sweep.picture import draw, draw_pictures, panels_of
from validation.sweep.progress import expected_end
from validation.sweep.spec import Picture, Spec

LINES = {"x": "dimension", "y": "measured", "lines": ["first_order", "a_priori"], "title": "T"}
MAP = {"form": "map", "x": "width", "y": "init_scale", "value": "index", "lines": ["predicted"], "limits": [0, 1]}


def design_of_picture(picture: dict[str, Any]) -> Design:
    """A sweep with one picture."""
    return Design(Spec(kind="separation", picture=picture), (), ())


def line_rows() -> list[dict[str, Any]]:
    """Two cases over six dimensions with three seeds; some exponents negative, some missing."""
    rng = np.random.default_rng(0)
    return [
        {
            "pairs": n,
            "dimension": d,
            "seed": seed,
            "measured": None if d == 1e2 else float(rng.normal()) / d**0.5,
            "first_order": 1 / d**0.5,
            "a_priori": None if d < 1e4 else 9 / d**0.5,
            "word": "x",
            "flag": True,
        }
        for n in (2, 30)
        for d in (1e1, 1e2, 1e4, 1e8, 1e12, 1e20)
        for seed in range(3)
    ]


def map_rows(grid: bool = True) -> list[dict[str, Any]]:
    """An index over width and initial scale that falls across the predicted line; on a grid or scattered."""
    rng = np.random.default_rng(1)
    places = [(w, s) for w in (8, 16, 64, 256) for s in (1e-3, 1e-2, 1e-1, 1.0)]
    if not grid:
        places = [
            (int(w), float(s)) for w, s in zip(rng.integers(8, 256, 40), 10 ** rng.uniform(-3, 0, 40), strict=True)
        ]
    return [
        {"width": w, "init_scale": s, "seed": 0, "index": float(1 / (1 + s * 30)), "predicted": float(1 / (1 + s * 20))}
        for w, s in places
    ]


def colors_in(path: Path) -> int:
    """How many colours a picture has."""
    return len(np.unique(np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3), axis=0))


@pytest.mark.parametrize(
    ("picture", "rows"),
    [
        (LINES, line_rows()),
        (LINES | {"facet": "pairs", "statistic": "largest"}, line_rows()),
        (LINES | {"group": "pairs", "y_scale": "log", "x_scale": "log"}, line_rows()),
        (LINES | {"facet": ["pairs", "seed"]}, line_rows()[::2]),
        (MAP, map_rows()),
        (MAP | {"limits": None, "facet": "seed"}, map_rows()),
        (MAP, map_rows(grid=False)),
        (MAP | {"level": 0.4}, map_rows()[:1]),
        (MAP | {"level": 0.4}, map_rows()[:3]),
        (MAP | {"level": 0.4}, [row | {"index": None if row["width"] == 8 else row["index"]} for row in map_rows()]),
    ],
    ids=["lines", "panels", "groups", "many panels", "map", "map by values", "scattered", "one", "a row", "holes"],
)
def test_a_picture_is_drawn_and_the_same_each_time(
    picture: dict[str, Any], rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    """SVG and PNG with no warning; a second time, here for some, byte for byte."""
    folders = ["one", "two"] if picture in (LINES, MAP) else ["one"]
    for folder in folders:
        assert draw_pictures(design_of_picture(picture), rows, tmp_path / folder) == []
    for name in ("picture-1.svg", "picture-1.png"):
        found = {(tmp_path / folder / name).read_bytes() for folder in folders}
        assert len(found) == 1
        assert len(found.pop()) < 300_000
    assert colors_in(tmp_path / "one" / "picture-1.png") > 20


def test_theory_is_drawn_over_the_measured_cells() -> None:
    """The contour lies where the prediction crosses the level, on the scale of the axes; the colours are limited."""
    picture = Picture(**MAP)
    drawing = draw(picture, list(panels_of(picture, map_rows())), design_of_picture(MAP))
    axes = drawing.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    contours = [c for c in axes.collections if type(c).__name__ == "QuadContourSet"]
    heights = np.concatenate([path.vertices[:, 1] for c in contours for path in c.get_paths()])
    assert np.all((heights > 1e-2) & (heights < 1e-1))  # 1 / (1 + 20 s) = 1/2 at s = 0.05
    legend = [text.get_text() for text in drawing.legends[0].get_texts()]
    assert legend == ["theory's prediction = 0.5"]
    far = Picture(**MAP | {"level": 5.0})
    drawing = draw(far, list(panels_of(far, map_rows())), design_of_picture(MAP))
    assert "(not within these cells)" in drawing.legends[0].get_texts()[0].get_text()


def test_lines_show_the_statistic_and_theory() -> None:
    """One line a column in each panel; a logarithmic axis leaves out what is not positive, and says the statistic."""
    picture = Picture(**LINES | {"facet": "pairs", "statistic": "largest", "y_scale": "log"})
    rows = line_rows()
    drawing = draw(picture, list(panels_of(picture, rows)), design_of_picture(LINES))
    assert [axes.get_title() for axes in drawing.axes] == ["pairs n = 2", "pairs n = 30"]
    legend = [text.get_text() for text in drawing.legends[0].get_texts()]
    assert legend[0] == "measured along the flow (largest of 3 seeds; pale dots: each)"
    assert len(legend) == 3
    line = next(line for line in drawing.axes[0].get_lines() if line.get_label() == legend[0])
    here = [row for row in rows if row["pairs"] == 2 and row["measured"] is not None]
    expected = {d: max(row["measured"] for row in here if row["dimension"] == d) for d in line.get_xdata()}
    assert dict(zip(line.get_xdata(), line.get_ydata(), strict=True)) == expected
    assert 1e2 not in expected


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        ({"x": "dimension", "y": "none"}, "no column none; the columns are pairs"),
        ({"x": "dimension", "y": "word"}, "the column word holds words"),
        ({"x": "dimension", "y": "measured", "facet": "many"}, "would make 36 panels"),
        ({"x": "dimension", "y": "empty"}, "no cell has a value of empty"),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_a_note(picture: dict[str, Any], said: str, tmp_path: Path) -> None:
    """The sweep is finished all the same."""
    rows = [row | {"many": n, "empty": None} for n, row in enumerate(line_rows())]
    (note,) = draw_pictures(design_of_picture(picture), rows, tmp_path / "pictures")
    assert note.startswith("picture picture-1 is left out: ")
    assert said in note
    assert not (tmp_path / "pictures").exists()


NUMBER = st.one_of(st.none(), st.floats(-1e9, 1e9), st.sampled_from([0.0, 1e-300, 1e300, -1e-300]))


@settings(max_examples=5)
@given(st.lists(st.tuples(NUMBER, NUMBER, st.sampled_from([1.0, 2.0, 1e9]), st.sampled_from([0.0, 1.0])), min_size=1))
def test_any_numbers_can_be_drawn(found: list[tuple[Any, ...]]) -> None:
    """Huge, tiny, negative, equal and missing values: a picture or a note, never an error."""
    rows = [{"dimension": x, "init_scale": y, "measured": a, "first_order": b, "a_priori": b} for a, b, x, y in found]
    design = design_of_picture(LINES)
    if all(row["measured"] is None for row in rows):
        return
    lines = Picture(**LINES)
    assert len(draw(lines, list(panels_of(lines, rows)), design).axes) == 1
    flat = Picture(form="map", x="dimension", y="init_scale", value="measured", lines=("first_order",))
    assert len(draw(flat, list(panels_of(flat, rows)), design).axes) == 2  # the map and its scale of colours


def test_times_are_said_in_words() -> None:
    """The fitting unit, and the day where the end is on another one."""
    assert [duration(s) for s in (3, 150, 9000, 200_000)] == ["3 seconds", "2 minutes", "2 hours", "2 days"]
    from datetime import datetime

    now = datetime(2026, 3, 1, 14, 0)
    assert expected_end(3600, now) == "15:00"
    assert expected_end(86_400, now).endswith("02 Mar 14:00")


@pytest.mark.parametrize("count", range(1, 8))
def test_every_column_of_panels_is_named_at_its_foot(count: int) -> None:
    """The lowest panel of each column names the horizontal axis, the first of each row the vertical one, no other."""
    picture = Picture(**LINES | {"facet": "pairs"})
    rows = [row | {"pairs": n} for row in line_rows()[::6] for n in range(count)]
    panels = list(panels_of(picture, rows))
    drawing = draw(picture, panels, design_of_picture(LINES))
    drawing.draw_without_rendering()
    shown = [axes for axes in drawing.axes if axes.get_visible()]
    columns = len({round(axes.get_position().x0, 3) for axes in shown})
    assert len(shown) == count
    assert (count == 4) == (columns == 2 and count > 2)
    for place, axes in enumerate(shown):
        lowest = place + columns >= count
        assert (axes.get_xlabel() != "") == lowest
        assert axes.xaxis.get_tick_params()["labelbottom"] == lowest
        assert (axes.get_ylabel() != "") == (place % columns == 0)


def test_a_facet_without_values_has_no_panel(tmp_path: Path) -> None:
    """Rows of a facet that have no number leave no empty frame, and a note says which they are."""
    picture = LINES | {"facet": "pairs"}
    rows = [row | ({"measured": None, "first_order": None, "a_priori": None} if row["pairs"] == 30 else {})
            for row in line_rows()]  # fmt: skip
    notes = draw_pictures(design_of_picture(picture), rows, tmp_path)
    assert notes == ["picture picture-1 has no panel for pairs n = 30: no cell has a value"]
    assert (tmp_path / "picture-1.svg").exists()


def test_colours_on_a_log_scale_have_two_labels() -> None:
    """The bar of colours over less than a decade has at least two labels, in plain letters."""
    rows = [row | {"index": 2.0 + 88 * row["init_scale"]} for row in map_rows()]
    picture = Picture(**MAP | {"limits": None})
    drawing = draw(picture, list(panels_of(picture, rows)), design_of_picture(MAP))
    drawing.draw_without_rendering()
    bar = drawing.axes[-1]
    low, high = bar.get_ylim()
    labels = [t.get_text() for t, y in zip(bar.get_yticklabels(), bar.get_yticks(), strict=True) if low <= y <= high]
    assert bar.get_yscale() == "log"
    assert len(labels) >= 2
    assert "$" not in "".join(labels)

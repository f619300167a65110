"""The file of a sweep: every mistake named with its key, all at once, before anything runs."""

import sys
from pathlib import Path

import pytest

from validation.sweep.design import design_of, points_of, size_of
from validation.sweep.spec import Spec, SpecError, read_spec

GOOD = """
kind = "separation"
[settings]
pairs = 2
[grid]
dimension = [100, 1e4]
"""

# what is wrong -> (the file, what the message must hold)
BAD: dict[str, tuple[str, tuple[str, ...]]] = {
    "no TOML": ("kind = ", ("this is not TOML",)),
    "nothing": ("", ("kind: is missing",)),
    "an unknown kind": ('kind = "foo"', ("kind: expected one of verify", "got 'foo'")),
    "an unknown key": (GOOD.replace("[grid]", "[gird]"), ("gird: no such key",)),
    "an unknown setting": (
        GOOD.replace("pairs", "pears"),
        ("settings.pears: separation has no such setting", "did you mean pairs?"),
    ),
    "a value out of range": (GOOD.replace("pairs = 2", "pairs = 0"), ("settings.pairs 0:", "in 2 points")),
    "a word for a number": (GOOD.replace("pairs = 2", 'pairs = "two"'), ("settings.pairs two: input should be",)),
    "a value of one point": (GOOD.replace("1e4]", "0.5]"), ("grid.dimension 0.5:",)),
    "values that contradict": (GOOD.replace("pairs = 2", "pairs = 2\nheld_out = 3"), ("settings.held_out 3: exceeds",)),
    "a value that is infinite": (GOOD.replace("1e4", "inf"), ("grid.dimension.2: expected a finite number",)),
    "a table for a value": (GOOD.replace("pairs = 2", "pairs = {}"), ("settings.pairs: expected a finite number",)),
    "no values": (GOOD.replace("[100, 1e4]", "[]"), ("grid.dimension: list should have at least 1 item",)),
    "neither list nor range": (GOOD.replace("[100, 1e4]", "3"), ("grid.dimension: expected a list of values, or a",)),
    "a range without points": (
        GOOD.replace("[100, 1e4]", "{ from = 1, to = 2 }"),
        ("grid.dimension.points: expected how many values",),
    ),
    "a range without an end": (
        GOOD.replace("[100, 1e4]", "{ from = 1, points = 2 }"),
        ("grid.dimension.to: is missing",),
    ),
    "a range that falls": (
        GOOD.replace("[100, 1e4]", "{ from = 2, to = 1, points = 3 }"),
        ("grid.dimension: from 2 must be below to 1",),
    ),
    "logarithms of zero": (
        GOOD.replace("[100, 1e4]", '{ from = 0, to = 1, points = 3, scale = "log" }'),
        ("grid.dimension: scale log needs from above 0",),
    ),
    "a range with another key": (
        GOOD.replace("[100, 1e4]", "{ from = 1, to = 2, points = 2, step = 1 }"),
        ("grid.dimension.step: no such key",),
    ),
    "a setting twice": (GOOD + "pairs = [1, 2]", ("grid.pairs: is in settings too",)),
    "seeds among the settings": (GOOD.replace("pairs = 2", "seed = 2"), ("settings.seed: the seeds are those of",)),
    "two designs": (
        GOOD + "[random]\ncells = 3\n[random.settings]\ninit_scale = [0.1]",
        ("grid, random: expected one design",),
    ),
    "points of a random design": (
        'kind = "separation"\n[random]\ncells = 3\n[random.settings]\ndimension = { from = 10, to = 20, points = 2 }',
        ("random.settings.dimension.points: has no effect",),
    ),
    "cases that differ": (
        'kind = "separation"\n[[cases]]\npairs = 2\n[[cases]]\ninit_scale = 1',
        ("cases: init_scale is missing in some", "cases: pairs is missing in some"),
    ),
    "too many cells": (GOOD.replace("[grid]", "[grid]\npairs = 3").replace("pairs = 2\n", "")
                       .replace("pairs = 3", "seed = 1"), ("grid.seed: expected a list",)),
    "too large": ("seeds = 60000" + GOOD, ("120,000 cells",)),
    "a picture without its setting": (
        GOOD + '[picture]\nx = "vocabulary"\ny = "measured"',
        ("picture 1: 'vocabulary' is no setting of this sweep",),
    ),
    "a map without colours": (GOOD + '[[picture]]\nform = "map"\nx = "dimension"\ny = "pairs"', ("a map needs value",)),
    "a picture of another form": (
        GOOD + '[picture]\nform = "pie"\nx = "dimension"\ny = "measured"',
        ("picture.1.form: input should be 'lines' or 'map'",),
    ),
    "a file name with a path": (
        GOOD + '[picture]\nname = "../x"\nx = "dimension"\ny = "measured"',
        ("picture.1.name: string should match",),
    ),
    "facts that are missing": (
        'kind = "verify"\n[settings]\nfacts = "none.csv"',
        ("settings.facts none.csv: No such",),
    ),
    "a file that is run": ('kind = "check"\n[settings]\nfrom = "x.py"', ("settings.from: check has no such setting",)),
    "settings without effect": (
        'kind = "check"\n[settings]\ntheorem = "3"\ndelta = 0.1',
        ("settings.delta has no effect on theorem-3",),
    ),
    "an unknown preset": ('kind = "train"\n[settings]\npreset = "big"', ("settings.preset big: expected one of",)),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_mistake_is_named_with_its_key(what: str, tmp_path: Path) -> None:
    """The message says which key is wrong and how."""
    text, expected = BAD[what]
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    with pytest.raises(SpecError) as refused:
        design_of(read_spec(path), tmp_path)
    for words in expected:
        assert words in str(refused.value)
    assert "Value error" not in str(refused.value)
    assert "pydantic" not in str(refused.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    """Neither the first key nor the first cell hides the others."""
    path = tmp_path / "sweep.toml"
    path.write_text('kind = "separation"\nseeds = 0\nfoo = 1\n[grid]\ndimension = 3\n[settings]\npairs = [1]')
    with pytest.raises(SpecError) as refused:
        read_spec(path)
    assert len(str(refused.value).splitlines()) == 4
    path.write_text('kind = "separation"\n[grid]\ndimension = [0, 10, 1e31]\npairs = [0, 1]')
    with pytest.raises(SpecError) as refused:
        design_of(read_spec(path), tmp_path)
    lines = str(refused.value).splitlines()
    assert {line.split(":")[0] for line in lines} == {"grid.dimension 0", "grid.dimension 1e+31", "grid.pairs 0"}


def test_remedies_that_are_not_there_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind whose part of the project is missing is one message, not an error of ours."""
    monkeypatch.setitem(sys.modules, "validation.remedies.cells", None)
    with pytest.raises(SpecError, match="remedies are not available in this version"):
        design_of(Spec(kind="remedies"), tmp_path)


@pytest.mark.parametrize("what", ["folder", "missing", "bytes"])
def test_a_file_that_cannot_be_read_is_named(what: str, tmp_path: Path) -> None:
    """A folder, nothing and no text: one line each."""
    path = tmp_path / "sweep.toml"
    if what == "folder":
        path.mkdir()
    elif what == "bytes":
        path.write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match=r"sweep\.toml: "):
        read_spec(path)


def test_a_grid_is_in_the_order_of_its_file(tmp_path: Path) -> None:
    """Cases first, then the grid with its last key fastest, then the seeds; a range has both ends, exactly."""
    spec = Spec(
        kind="separation",
        seeds=2,
        seed=5,
        cases=({"pairs": 2}, {"pairs": 3}),
        grid={"init_scale": [0.5, 0.1], "dimension": {"from": 10, "to": 1e5, "points": 5, "scale": "log"}},
    )
    design = design_of(spec, tmp_path)
    assert design.settings == ("pairs", "init_scale", "dimension")
    assert len(design.cells) == size_of(spec) == 40
    assert [c.settings["dimension"] for c in design.cells[:10]] == [10, 10, 100, 100, 1e3, 1e3, 1e4, 1e4, 1e5, 1e5]
    assert [c.seed for c in design.cells[:4]] == [5, 6, 5, 6]
    assert [c.settings["pairs"] for c in design.cells] == [2] * 20 + [3] * 20
    assert len({c.digest for c in design.cells}) == 40


def test_random_points_stay_when_there_are_more(tmp_path: Path) -> None:
    """A longer random design begins with the shorter one; whole numbers are whole, and lists are drawn from."""
    settings = {"width": {"from": 8, "to": 512, "scale": "log", "whole": True}, "tied": [True, False]}
    few, many = (
        list(points_of(Spec(kind="train", random={"cells": n, "seed": 1, "settings": settings}))) for n in (5, 200)
    )
    assert many[:5] == few
    assert all(isinstance(point["width"], int) and 8 <= point["width"] <= 512 for point in many)
    assert sum(point["width"] < 64 for point in many) == pytest.approx(100, abs=30)  # half of it on a log scale
    assert {point["tied"] for point in many} == {True, False}


def test_a_cell_is_named_by_what_it_depends_on(tmp_path: Path) -> None:
    """Content, not the path, of a fact file; 1e4 and 10000 are one cell; settings and seed tell cells apart."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "facts.csv").write_text("subject,relation,object\na,r,b\n")
    spec = Spec(kind="verify", settings={"facts": "facts.csv"})
    first, second = (design_of(spec, tmp_path / folder).cells[0] for folder in ("one", "two"))
    assert first.digest == second.digest
    (tmp_path / "two" / "facts.csv").write_text("subject,relation,object\na,r,c\n")
    assert design_of(spec, tmp_path / "two").cells[0].digest != first.digest
    same = design_of(Spec(kind="separation", grid={"dimension": [10000, 1e4]}), tmp_path)
    assert len(same.cells) == 1
    others = design_of(Spec(kind="separation", seeds=2, grid={"dimension": [1e4, 1e5]}), tmp_path)
    assert len({c.digest for c in others.cells} | {same.cells[0].digest}) == 4


@pytest.mark.parametrize("spec", sorted(Path(__file__).resolve().parents[3].glob("examples/sweeps/*.toml")))
def test_shipped_sweeps_are_sound(spec: Path) -> None:
    """Every example is read, and each of its cells is checked."""
    assert design_of(read_spec(spec), spec.parent).cells


def test_a_setting_that_some_points_read_is_left_out_of_the_others() -> None:
    """`draws` beside theorems of which one reads it is no mistake; the points that ignore it are the same cell."""
    spec = Spec(
        kind="check", seeds=1, settings={"pairs": 3}, grid={"theorem": ["theorem-1", "theorem-3"], "draws": [2, 4]}
    )
    cells = design_of(spec, Path()).cells
    assert [(c.settings["theorem"], c.settings.get("draws")) for c in cells] == [
        ("theorem-1", 2),
        ("theorem-1", 4),
        ("theorem-3", None),
    ]


def test_a_setting_that_no_point_reads_is_refused_once() -> None:
    """What has no effect anywhere is said, with the key of the file."""
    spec = Spec(kind="check", seeds=1, settings={"draws": 4}, grid={"theorem": ["theorem-3", "theorem-4"]})
    with pytest.raises(SpecError) as refused:
        design_of(spec, Path())
    (line,) = str(refused.value).splitlines()
    assert line.startswith("settings.draws has no effect on theorem-3 ")

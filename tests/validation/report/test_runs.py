"""Finished runs in a report: their numbers stand in tables and pictures, with lines of guessing that do not overlap."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Annotation

from validation.experiments.claims import claims_of
from validation.experiments.false_twins import witness
from validation.experiments.result import Matrix, RunResult
from validation.experiments.settings import TrainSettings
from validation.report import html, latex, markdown
from validation.report.document import Document, Figure, Section, Table
from validation.report.runs import run_figures_of, runs_section

HOSTILE = "<script>x</script> $\\input{a}$ 100%"


def _run(tied: bool = False) -> RunResult:
    """A made-up run of two seeds and two evaluations, with hostile names."""
    matrix = Matrix(
        "B after A ->",
        [f"{HOSTILE} ->", "A2 ->"],
        [HOSTILE, "B2"],
        [True, False],
        [[-0.1, -5.0], [-4.0, -6.0]],
        [[1.0, 0.0], [0.5, -0.5]],
    )
    early = replace(witness(0.01, 9.0, 0), epoch=[0, 100], matrices=[matrix])
    twice = {name: [[4.4, 4.4], *getattr(early, name)] for name in ("train_nll", "test_nll", "top_1", "train_top_1")}
    twice |= {name: [[5.0, 6.0], *getattr(early, name)] for name in ("rank", "mass")}
    plain = replace(early, **twice, index=[[None, None], [-0.25, -0.15]])
    control = replace(plain, name="control", right=[10, 10] if tied else [1, 0])
    settings = TrainSettings(seeds=2, tied=tied)
    claims = tuple(claims_of("reversal", [plain, control]))
    return RunResult(settings, (plain, control), claims, (f"about {HOSTILE}",), 12_345, "CPU", 7.0, {})


def _tables(section: Section) -> list[Table]:
    return [block for part in section.walk() for block in part.blocks if isinstance(block, Table)]


def test_the_table_holds_each_condition_of_each_run() -> None:
    """A row a condition: losses with their range, right answers over all seeds, the index."""
    table = _tables(runs_section([_run(), _run(tied=True)]))[0]
    assert len(table.rows) == 4
    assert [row[1] for row in table.rows] == [("plain",), ("control",)] * 2
    assert "untied head" in str(table.rows[0][0])
    assert " tied head" in str(table.rows[2][0])
    first = table.rows[0]
    assert first[4][0].value == 9.0  # type: ignore[union-attr]
    assert first[7] == (first[7][0], " of 10 x 2 seeds")
    assert first[10][0].value == pytest.approx(-0.2)  # type: ignore[union-attr]
    assert first[10][1] == " [-0.25, -0.15]"


def test_long_answers_are_shown_token_by_token() -> None:
    """Answers of two tokens have a row for each, those of one none."""
    run = _run()
    tokens = {"answer_length": 2, "train_nll_by_token": [[0.1, 0.1], [0.0, 0.2]], "test_nll_by_token": [[8.0, 9.0]] * 2}
    longer = replace(run, conditions=tuple(replace(c, **tokens) for c in run.conditions))
    found = {table.id: table for table in _tables(runs_section([run, longer]))}
    assert "run-1-tokens" not in found
    rows = found["run-2-tokens"].rows
    assert [(row[0], row[1][0].value) for row in rows[:2]] == [(("plain",), 1), (("plain",), 2)]  # type: ignore[union-attr]
    assert rows[1][2][0].value == pytest.approx(0.1)  # type: ignore[union-attr]


def test_tying_is_explained_where_it_can_be_seen() -> None:
    """Only beside an untied run that passes its control does a tied one that fails it say what tying does."""
    tied = _run(tied=True)
    alike = replace(tied, claims=_run().claims)  # a tied run that answers nothing either
    said = [str(runs_section(runs).blocks) for runs in ([_run()], [tied], [_run(), alike], [_run(), tied])]
    assert ["Tying the head" in text for text in said] == [False, False, False, True]


def test_a_run_survives_every_form() -> None:
    """Hostile names come through page, LaTeX and Markdown without turning into markup."""
    document = Document("t", "s", (runs_section([_run()]),))
    page = html.render(document)
    assert "<script>x" not in page
    names = {figure.id: f"figures/{figure.id}.pdf" for figure in document.figures()}
    assert "\\input{a}" not in latex.render(document, names)
    assert "<script>x" not in re.sub("`[^`\n]*`", "", markdown.render(document, names))


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    """Every picture of the made-up run, by id."""
    return {figure.id: figure for figure in run_figures_of(_run(), "run")}


def test_every_picture_draws_says_and_lists_itself(figures: dict[str, Figure]) -> None:
    """Losses, index, answers and cosines of each condition, each with words and rows that fit its columns."""
    parts = [f"run-{name}-{what}" for name in ("plain", "control") for what in ("answers", "cosines")]
    assert list(figures) == ["run-losses", "run-index", *parts]
    for figure in figures.values():
        figure.drawing.savefig(io.BytesIO(), format="png")
        assert len(figure.alternative) > 60
        assert {len(row) for row in figure.data.rows} == {len(figure.data.columns)}


def test_losses_have_the_lines_of_guessing(figures: dict[str, Figure]) -> None:
    """Lines at log V and at the guess of the right sort, with labels beside the axes that do not overlap."""
    axes = figures["run-losses"].drawing.axes[0]
    level = [line.get_ydata()[0] for line in axes.lines if np.ptp(np.asarray(line.get_ydata(), dtype=float)) == 0]
    assert {4.382, 2.996} <= set(level)
    figures["run-losses"].drawing.savefig(io.BytesIO(), format="png")
    boxes = [text.get_window_extent() for text in axes.texts if isinstance(text, Annotation)]
    assert len(boxes) == 2
    assert not boxes[0].overlaps(boxes[1])
    assert all(box.x0 >= axes.bbox.x1 for box in boxes)


def test_the_index_is_empty_where_it_says_nothing(figures: dict[str, Figure]) -> None:
    """An evaluation without an index is an empty cell, and the mean of two seeds elsewhere."""
    rows = figures["run-index"].data.rows
    assert rows[0] == ("plain", 0, None, None, None)
    assert rows[1][:2] == ("plain", 100)
    assert rows[1][2] == pytest.approx(-0.2)


def test_answers_list_every_cell(figures: dict[str, Figure]) -> None:
    """A row a cell, with the question, the candidate and whether it is right."""
    rows = figures["run-plain-answers"].data.rows
    assert len(rows) == 4
    assert rows[1] == ("B after A ->", f"{HOSTILE} ->", "B2", "no", "yes", -5.0)
    assert (
        "mean log p -0.1 for trained pairs, mean log p -6 for held-out pairs"
        in figures["run-plain-answers"].alternative
    )

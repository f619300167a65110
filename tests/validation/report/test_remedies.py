"""Choices in a report: a picture of their indices, a table with reasons, and claims, through every form."""

import io
import re
from types import SimpleNamespace

import pytest
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from tests.validation.remedies.example import HOSTILE, made_result, made_row, made_rows
from validation.remedies.choice import Choice
from validation.remedies.reason import reason
from validation.remedies.result import OverSeeds
from validation.report import html, latex, markdown, remedies
from validation.report.document import Document, Figure, Number, Paragraph, Prose, Reference, Section, Table
from validation.report.remedies import remedies_figure, remedies_section, remedies_table
from validation.report.remedies_figure import EDGE, Bar, forest

LAWS = ("interpolation-law", "symmetric-reverse-logit", "squared-loss-closed-form")


@pytest.fixture(autouse=True)
def _derivations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of the derivations stand in the report; deriving all of them takes seconds and shows nothing here."""
    monkeypatch.setattr(remedies, "derive_all", lambda: [SimpleNamespace(id=law) for law in LAWS])


def document(section: Section) -> Document:
    """A report of the section and of the derivations that it refers to."""
    laws = tuple(Section(f"derivation-{law}", law) for law in LAWS)
    return Document("t", "s", (Section("derivations", "Derivations", sections=laws), section))


def text_of(cell: Prose) -> str:
    """A cell as a person reads it."""
    return "".join(
        f"{piece.value:.{piece.digits}g}" if isinstance(piece, Number) else getattr(piece, "text", piece)  # type: ignore[misc]
        for piece in cell
    )


# -- the section --


def test_the_section_has_picture_table_and_claims() -> None:
    """What was compared, a note a line, then picture, choices, claims and how each came about."""
    result = made_result()
    section = remedies_section(result)
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert [len(table.rows) for table in tables] == [6, len(result.all_claims), len(result.all_claims)]
    assert len([block for block in section.blocks if isinstance(block, Figure)]) == 1
    said = [text_of(block.content) for block in section.blocks if isinstance(block, Paragraph)]
    assert "trained for real with 2 seeds" in said[0]
    assert said[1:] == [f"Note: about {HOSTILE}."]


def test_the_section_survives_every_form() -> None:
    """Hostile names come through page, LaTeX and Markdown without turning into markup, and nothing is lost."""
    found = document(remedies_section(made_result()))
    names = {figure.id: f"figures/{figure.id}.pdf" for figure in found.figures()}
    page, paper, plain = html.render(found), latex.render(found, names), markdown.render(found, names)
    assert "<script>x" not in page
    assert "\\input{a}" not in paper
    assert "<script>x" not in re.sub("`[^`\n]*`", "", plain)
    for form in (page, paper, plain):
        assert "squared loss" in form
        assert "measured only" in form
    for law in ("derivation-interpolation-law", "derivation-squared-loss-closed-form"):
        assert f'href="#{law}"' in page


# -- the table --


def test_the_table_says_what_was_measured_and_what_was_predicted() -> None:
    """A row a choice in the order of the result: index with interval, prediction with source, probabilities."""
    rows = made_rows()
    table = remedies_table(made_result())
    cells = [[text_of(cell) for cell in row] for row in table.rows]
    labels = [row.choice.label for row in rows]
    assert all(cell[0].startswith(f"{label}: ") for cell, label in zip(cells, labels, strict=True))
    by_label = dict(zip(labels, cells, strict=True))
    baseline = by_label[Choice().label]
    assert baseline[1] == "0.2 [-1.071, 1.471]"  # Student's t of two seeds: 0.2 +- 12.7 x 0.1
    assert baseline[2] == "0.2 [0.050, 0.350]; 0.200 (flow)"
    assert baseline[4:7] == ["0.97", "0.13", "0.1"]
    assert by_label[Choice(loss="squared").label][1:3] == ["0.02", "0.02 (closed form)"]
    assert by_label[Choice(parameters="symmetric").label][2] == "1.3 (flow)"
    assert by_label[Choice(optimizer="adam").label][2] == "measured only"
    assert by_label[Choice(data="reversed-copies").label][1].endswith(", copied 1.01, others 0.05")


def test_reasons_refer_to_derivations_that_are_there() -> None:
    """A reason links to its derivation where the report holds it, and stands alone otherwise."""
    for row, shown in zip(made_rows(), remedies_table(made_result()).rows, strict=True):
        why, (text, derivation) = shown[0], reason(row.choice)
        assert text in text_of(why)
        links = [piece.target for piece in why if isinstance(piece, Reference)]
        assert links == ([f"derivation-{derivation}"] if derivation in LAWS else [])


# -- the picture --


def test_the_picture_lists_what_it_shows() -> None:
    """A line a choice, two where some facts have a copy, by index; its words name what is lifted."""
    figure = remedies_figure(made_result())
    rows = figure.data.rows
    assert figure.data.columns == ("choice", "index", "low", "high", "predicted low", "predicted high")
    assert [row[1] for row in rows] == pytest.approx([1.3, 1.01, 0.2, 0.05, 0.02, 0.0, -2.5])
    copied = Choice(data="reversed-copies").label
    assert [row[0] for row in rows if copied in str(row[0])] == [
        f"{copied}, facts with a copy", f"{copied}, facts without a copy",
    ]  # fmt: skip
    by_label = {row[0]: row for row in rows}
    # the law speaks of the facts without a copy
    assert by_label[f"{copied}, facts without a copy"][4:] == (0.05, 0.35)
    assert by_label[f"{copied}, facts with a copy"][4:] == (None, None)
    assert by_label[Choice(optimizer="adam").label][4:] == (None, None)
    lifted = figure.alternative.split(": ", 1)[1]
    assert lifted == f"{Choice(parameters='symmetric').label}; {copied}, facts with a copy."


def test_nothing_lifted_is_said() -> None:
    """Where every index is low the words say none, and one seed is one seed."""
    result = made_result((made_row(Choice(), (0.1,)),))
    assert remedies_figure(result).alternative.endswith("above one half: none.")


def marks(bars: list[Bar]) -> tuple[list[Line2D], list[Rectangle], tuple[float, float]]:
    """The marks of means, the bars of predictions and the limits of the axis of a drawing."""
    drawing = forest(bars)
    drawing.savefig(io.BytesIO(), format="png")
    axes = drawing.axes[0]
    means = [line for line in axes.lines if line.get_marker() in ("o", "<") and len(line.get_xdata()) == 1]
    predicted = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_width() > 0]
    assert len(axes.get_yticklabels()) == len(bars)
    return means, predicted, axes.get_xlim()


def test_every_index_is_seen() -> None:
    """Marks stand at their means inside the axis, above one too; those below the edge stand at it, as arrows."""
    bars = [Bar(f"choice {mean}", mean, mean - 0.1, mean + 0.1, None) for mean in (1.6, 1.0, 0.3, EDGE, -7.0)]
    means, _, (left, right) = marks(bars)
    assert [float(line.get_xdata()[0]) for line in means] == [1.6, 1.0, 0.3, EDGE, EDGE]
    assert [line.get_marker() for line in means] == ["o", "o", "o", "o", "<"]
    assert all(left < line.get_xdata()[0] < right for line in means)


def test_every_prediction_is_seen() -> None:
    """A bar a prediction over its range, at least as wide as can be seen, cut at the edge; none where there is none."""
    ranges = [(0.1, 0.3), (0.2, 0.2), (-5.0, 0.0), None]
    bars = [Bar(f"choice {n}", 0.2, 0.1, 0.3, predicted) for n, predicted in enumerate(ranges)]
    _, predicted, _ = marks(bars)
    found = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in predicted]
    assert len(found) == 3
    assert found[0] == pytest.approx((0.1, 0.3))
    assert found[1][0] < 0.2 < found[1][1] < 0.21
    assert found[2] == pytest.approx((EDGE, 0.0))


def test_long_labels_have_room() -> None:
    """Labels of several lines do not overlap their neighbours."""
    words = "a choice of many words that act together in one row of the table, and then some more of them"
    drawing = forest([Bar(f"{n} {words}", 0.1, 0.0, 0.2, None) for n in range(4)])
    drawing.savefig(io.BytesIO(), format="png")
    boxes = [label.get_window_extent() for label in drawing.axes[0].get_yticklabels()]
    assert all("\n" in label.get_text() for label in drawing.axes[0].get_yticklabels())
    assert not any(one.overlaps(other) for n, one in enumerate(boxes) for other in boxes[n + 1 :])


def test_untaught_facts_are_shown_for_copies_alone() -> None:
    """A row without copies is one line, whatever its index."""
    row = made_row(Choice(data="reversed-copies", share=1.0), (1.0, 1.0), taught=OverSeeds((1.0, 1.0)))
    rows = remedies_figure(made_result((row,))).data.rows
    assert [(r[0], r[1]) for r in rows] == [(row.choice.label, 1.0)]

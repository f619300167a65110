"""The document says what was found: every claim, theorem, step and number stands in it, names stay as they are."""

import io
from collections.abc import Iterator
from dataclasses import replace

import latex2mathml.converter
import numpy as np
import pytest

from numerics.trajectory import Trajectory
from theory.claim import Claim
from theory.facts import Fact, chain_task_from_facts, reversal_task_from_facts
from theory.laws import derive_all
from theory.task import Task, reversal_task
from theory.theorem import (
    Assumption,
    Certificate,
    CheckedTheorem,
    Conclusion,
    Finding,
    Link,
    LinkProof,
    Outcome,
    Theorem,
)
from validation.check import CheckResult
from validation.check_settings import CheckSettings
from validation.coverage import PAPER_CLAIMS, cover
from validation.report.build import build
from validation.report.claims import margin, number
from validation.report.data import ReportData
from validation.report.derivations import derivations_section
from validation.report.document import (
    Badge,
    Block,
    Code,
    Document,
    Equation,
    Figure,
    Inline,
    Math,
    Number,
    Paragraph,
    Prose,
    Reference,
    Section,
    Table,
)
from validation.report.measure import ExponentAt, ReportMeasurements, Residual, Weight, Weights
from validation.report.queries import MOST_ROWS, queries_section, query_rows
from validation.report.setting import MOST_CONFLICTS, setting_section
from validation.report.typeset import capital, sentence
from validation.result import SeededTrajectory, Verification
from validation.settings import VerifySettings
from validation.step_order import StepOrder

HOSTILE = ("<script>alert(1)</script>", r"\input{x} $%_&#{}", "مرحبا", '=1+2;"', "👩‍👧 ⁻¹")
CLAIMS = (
    Claim(
        "good",
        "A good one",
        r"a \le b",
        "this project",
        "holds",
        "numerical",
        1.0,
        3.0,
        "why it holds",
        ("the first", "the second"),
        "<=",
    ),
    Claim("bad", "A bad one", r"a \le b", "this project", "fails", "sampled", 3.0, 1.0, "why it fails", (), "<="),
    Claim("grows", "Above its bound", r"a > b", "this project", "holds", "numerical", 3.0, 1.0, relation=">"),
    Claim("law", "Symbolic", r"a = a", "this project", "holds", "symbolic"),
    Claim("none", "Not here", r"a = a", "this project", "not applicable", "numerical", detail="no chains"),
)


def _trajectory(task: Task, source: str, scale: float, model: str = "bilinear", dimension: float = 1e8) -> Trajectory:
    """Probabilities that grow like scale x time, faster for later pairs, and stay for queries."""
    time = np.array([0.0, 1.0, 10.0])
    pairs, queries = len(task.train_context), len(task.queries)
    p = np.clip(scale * time[:, None] * np.arange(1, pairs + 1) / pairs, 1e-3, 0.95)
    asked = np.full((3, queries), 1 / task.vocabulary_size) * np.arange(1, queries + 1)
    reverse = -np.log(asked).mean(axis=1) if queries else np.full(3, np.nan)
    logs = np.log(p), np.log(asked)
    return Trajectory(source, model, dimension, time, -np.log(p).mean(axis=1), reverse, *logs, *logs)  # type: ignore[arg-type]


def _verification(task: Task) -> Verification:
    flow = SeededTrajectory(task, (0,), (_trajectory(task, "flow", 0.05),))
    runs = tuple(_trajectory(task, "training", scale, dimension=64.0) for scale in (0.04, 0.06))
    training = SeededTrajectory(task, (0, 1), runs)
    order = StepOrder("cyclic", 1, (0.2, 0.1), (0.02, 0.01), 1.0)
    return Verification(task, VerifySettings(), CLAIMS, (flow, training), ("a note",), step_orders=(order,))


LINK = Link(
    "tangent", r"e^z \ge 1 + z", "convexity of e^z", lambda: LinkProof("holds", "certified", "d", "z in R", 12, 192)
)


def _theorem(id: str, verdict: str, link: LinkProof | None = None) -> CheckedTheorem:
    assumption = Assumption("size", r"M \ge 3", lambda setting: finding)
    finding = Finding("fails" if verdict == "not applicable" else "holds", "3 or more", "found 2", -1.0, rows=(4, 9))
    outcome = Outcome(verdict, "certified", 0.25, 0.5, f"because of {id}")  # type: ignore[arg-type]
    theorem = Theorem(
        id,
        f"Title of {id}",
        "Section 9",
        r"p \le 1",
        "reversal",
        (assumption,),
        Conclusion(r"p \le 1/2", lambda setting: outcome),
        (LINK,),
    )
    certificate = Certificate(0.125, 1e9, {"chain": "signed", "nothing": None})
    remains = (CLAIMS[0],) if verdict == "not applicable" else ()
    return CheckedTheorem(
        theorem, ((assumption, finding),), ((LINK, link or LINK.proof),), outcome, certificate, remains
    )


def _check() -> CheckResult:
    open_link = LinkProof("undecided", "certified", "boxes ran out")
    theorems = (_theorem("first", "holds"), _theorem("second", "not applicable"), _theorem("third", "holds", open_link))
    return CheckResult(CheckSettings(), {"reversal": reversal_task(3)}, ("checked",), theorems, cover({}, laws=False))


def _measurements(task: Task) -> ReportMeasurements:
    shape = len(task.contexts), task.vocabulary_size
    changes = np.arange(float(np.prod(shape))).reshape(shape)
    trained, asked = np.zeros((2, *shape), dtype=bool)
    trained[task.train_context, task.train_target] = True
    for query in task.queries:
        asked[query.context, list(query.answers)] = True
    pair = Weight(
        task.context_name(0), task.tokens[1], task.context_name(0), task.tokens[0], False, 5.0, 0.25, 5.5, 0.1
    )
    exponents = tuple(ExponentAt(d, (d**-0.5,), (d**-0.5,), (2 * d**-0.5,), np.inf, 3 * d**-0.5) for d in (1e5, 1e6))
    return ReportMeasurements(
        Weights(task, 256, 80.0, 3, (pair,), changes, 2 * changes, trained, asked),
        (Residual("sgd", 1e-15, 1e-12), Residual("adam", 0.3, 1e-12)),
        exponents,
        3,
        0.01,
        0.05,
    )


def _hostile_task() -> Task:
    a, b, c, d, e = HOSTILE
    facts = [Fact(a, b, c, row=2), Fact(a, b, d, row=3), Fact(e, d, b, "both", row=4), Fact(c, c, c, row=5)]
    return reversal_task_from_facts(facts, name=a)


@pytest.fixture(scope="module")
def full() -> Document:
    """A report of every part on a task with hostile names, conflicts and a fact about itself."""
    task = _hostile_task()
    return build(ReportData(_verification(task), _check(), "reversal report -o out", 61.7, _measurements(task)))


def _text(content: Prose) -> str:
    """The words of prose; a formula as its LaTeX."""

    def word(piece: Inline) -> str:
        match piece:
            case str():
                return piece
            case Math(latex):
                return latex
            case Badge(known):
                return known
            case Number(value):
                return "" if value is None else repr(value)
            case _:
                return piece.text

    return "".join(map(word, content))


def _table(document: Document | Section, id: str) -> list[list[str]]:
    sections = document.walk()
    found = [b for section in sections for b in section.blocks if isinstance(b, Table) and b.id == id]
    assert len(found) == 1, id
    return [[_text(cell) for cell in row] for row in found[0].rows]


def _block(document: Document, id: str) -> Block:
    return next(block for block in document.blocks() if getattr(block, "id", None) == id)


def _section(document: Document, id: str) -> Section:
    return next(section for section in document.walk() if section.id == id)


def _formulas(document: Document) -> Iterator[str]:
    yield from (piece.latex for piece in document.inlines() if isinstance(piece, Math))
    yield from (block.latex for block in document.blocks() if isinstance(block, Equation))


# -- the whole --
def test_sections_follow_the_parts(full: Document) -> None:
    """A full report has seven sections; without a verification there are no queries, without a check no theorems."""
    ids = ["summary", "setting", "derivations", "theorems", "evidence", "queries", "reproduction"]
    assert [section.id for section in full.sections] == ids
    task = reversal_task(1)
    only = build(ReportData(_verification(task), None, "x"))
    assert [section.id for section in only.sections] == [i for i in ids if i != "theorems"]
    only = build(ReportData(None, _check(), "x"))
    assert [s.id for s in only.sections] == ["summary", "setting", "derivations", "theorems", "reproduction"]


def test_one_pair_with_nothing_held_out_makes_a_report() -> None:
    """A task of one pair without queries is reported, says that nothing is held out, and has no reversal loss."""
    task = reversal_task(1, 0)
    document = build(ReportData(_verification(task), None, "x", None, _measurements(task)))
    words = [_text(block.content) for block in _section(document, "queries").blocks if isinstance(block, Paragraph)]
    assert any("Nothing is held out" in text for text in words)
    quantities = {row[0] for row in _figure(document, "loss-1").data.rows}
    assert quantities == {"training loss"}


def test_chains_make_a_report() -> None:
    """A task of chains is reported under its kind."""
    task = chain_task_from_facts([Fact("a", "r", "b"), Fact("b", "r", "c")])
    settings = VerifySettings(task="chain-of-thought")
    document = build(ReportData(replace(_verification(task), settings=settings), None, "x"))
    assert [row[3] for row in _table(document, "examples-chain-of-thought")] == ["trained", "trained", "held out"]


def test_every_formula_becomes_mathml_and_fits_a_latex_file(full: Document) -> None:
    """Formulas convert to MathML without an unknown command left over, and their braces balance."""
    formulas = set(_formulas(full))
    assert len(formulas) > 150
    for latex in formulas:
        assert "\\" not in latex2mathml.converter.convert(latex), latex
        assert latex.count("{") == latex.count("}"), latex
        assert latex.count(r"\left") - latex.count(r"\leftarrow") == latex.count(r"\right") - latex.count(
            r"\rightarrow"
        )
        assert "transpose" not in latex
        assert "fresh" not in latex


def test_names_stay_as_they_are_and_out_of_formulas(full: Document) -> None:
    """Names of the file stand unchanged in tables and in no formula; tick labels hold plain short ASCII at most."""
    cells = {cell for row in _table(full, "query-table") for cell in row}
    assert set(HOSTILE[:1]) | {HOSTILE[2]} <= cells
    assert not any(name in latex for latex in _formulas(full) for name in HOSTILE)
    drawing = _figure(full, "weights-heatmap").draw()
    labels = [text.get_text() for text in drawing.axes[0].get_yticklabels()]
    assert all(label.isascii() and len(label) <= 12 for label in labels)
    assert "context 1" in labels
    assert HOSTILE[0] in {row[0] for row in _figure(full, "weights-heatmap").data.rows}


# -- summary --
def test_every_claim_has_its_numbers_and_margin(full: Document) -> None:
    """The table of claims gives verdict, evidence, how the measured number stands to its bound, and the margin."""
    assert _table(full, "claims") == [
        ["A good one", "holds", "numerical", "1.0", "≤", "3.0", "2.0"],
        ["A bad one: why it fails", "fails", "sampled", "3.0", ">", "1.0", "-2.0"],
        ["Above its bound", "holds", "numerical", "3.0", ">", "1.0", "2.0"],
        ["Symbolic", "holds", "symbolic", "", "", "", ""],
        ["Not here: no chains", "not applicable", "", "", "", "", ""],
    ]
    assert [row[0] for row in _table(full, "claim-details")] == ["good", "bad", "grows", "law", "none"]
    assert _table(full, "claim-details")[0][2:] == ["the first; the second", "this project", "why it holds"]


def test_margins_know_both_directions() -> None:
    """What holds is inside its bound from either side, what fails outside, and an open claim has no margin."""
    above = Claim("a", "a", "a", "", "holds", "numerical", 5.0, 1.0)
    assert margin(above) == 4.0
    assert margin(replace(above, verdict="fails")) == -4.0
    assert margin(replace(above, verdict="undecided")) is None
    assert margin(replace(above, bound=None)) is None
    assert number(float("inf")) == ("infinite",)
    assert number(float("nan")) == ("not a number",)


def test_theorems_are_summed_up_with_links(full: Document) -> None:
    """Each theorem has a row with its verdict and numbers and a link to its section."""
    rows = _table(full, "theorem-table")
    assert rows[0] == ["Title of first", "holds", "certified", "0.25", "<", "0.5"]
    assert rows[1][:3] == ["Title of second: because of second", "not applicable", ""]
    assert rows[2][1] == "undecided"
    table = _block(full, "theorem-table")
    assert isinstance(table, Table)
    assert table.rows[0][0][0] == Reference("Title of first", "theorem-first")


def test_the_summary_picture_is_of_real_training(full: Document) -> None:
    """With real training there is a picture of it; with a check alone and measurements, of exponents; else none."""
    assert {row[1] for row in _figure(full, "summary-figure").data.rows} == {"training"}
    data = ReportData(None, _check(), "x", None, _measurements(reversal_task(3)))
    assert _figure(build(data), "summary-figure").data.columns[0] == "dimension"
    assert not list(build(ReportData(None, _check(), "x")).figures())


# -- setting --
def test_the_setting_counts_and_lists(full: Document) -> None:
    """Counts, notes of both parts, first pairs and conflicts with the rows of the file are there."""
    counts = {row[0]: row[1] for row in _table(full, "counts")}
    task = _hostile_task()
    assert counts["trained pairs"] == "5"
    assert counts["trained contexts N"] == "4"
    assert counts["held-out answers"] == str(sum(len(q.answers) for q in task.queries))
    assert counts["tokens m"] == str(task.vocabulary_size)
    assert float(counts["smallest possible loss, nats"]) == task.loss_floor > 0
    assert _table(full, "conflicts") == [[HOSTILE[0], f"{HOSTILE[2]} | {HOSTILE[3]}", "2, 3"]]
    assert _table(full, "examples-reversal")[0] == [HOSTILE[0], HOSTILE[1], HOSTILE[2], "trained"]


def test_many_conflicts_are_cut_with_a_word() -> None:
    """Of more than 200 conflicts 200 are listed, and it says how many there are."""
    facts = [Fact(f"s{k}", "r", f"o{k}{x}") for k in range(MOST_CONFLICTS + 5) for x in "ab"]
    section = setting_section(ReportData(_verification(reversal_task_from_facts(facts)), None, "x"))
    assert len(_table(section, "conflicts")) == MOST_CONFLICTS
    assert any(
        f"of {MOST_CONFLICTS + 5} are listed" in _text(b.content) for b in section.blocks if isinstance(b, Paragraph)
    )


# -- derivations --
def test_every_step_is_said_once() -> None:
    """Each derivation has all its assumptions and steps, in order; an equation that stands above is linked to."""
    section = derivations_section()
    seen: set[tuple[str, str]] = set()
    for derivation, part in zip(derive_all(), section.sections, strict=True):
        words = [_text(b.content) if isinstance(b, Paragraph) else _text(getattr(b, "note", ())) for b in part.blocks]
        steps = [text for text in words if text.startswith("Step")]
        numbers = [n for text in steps for n in _numbers(text)]
        assert numbers == list(range(1, len(derivation.steps) + 1)), derivation.id
        equations = [b.id for b in part.blocks if isinstance(b, Equation) and b.id.startswith("step-")]
        new = {(s.rule, s.statement.latex) for s in (derivation.steps[int(id.split("-")[-1]) - 1] for id in equations)}
        assert len(new) == len(equations)
        assert not new & seen, derivation.id
        seen |= new
        if derivation.statement is not None:
            assert part.blocks[-1].latex == derivation.statement  # type: ignore[union-attr]
        assert all("holds" in text for text in steps)


def _numbers(text: str) -> list[int]:
    """The numbers of "Step 3. ..." and "Steps 3 to 5, ..."."""
    words = text.replace(".", " ").replace(",", " ").split()
    first = int(words[1])
    return list(range(first, int(words[3]) + 1)) if words[0] == "Steps" else [first]


def test_laws_have_verdict_and_steps(full: Document) -> None:
    """The table of laws gives each law's number of steps, verdict and evidence."""
    rows = _table(full, "laws")
    laws = derive_all()
    assert [row[:5] for row in rows] == [[d.title, d.id, str(len(d.steps)), d.verdict, d.evidence] for d in laws]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bhat_a sums to 1", (Math(r"\hat{b}_{a}"), " sums to 1")),
        ("h_{k+1} >= eta", (Math("h_{k+1}"), " ", Math(r"\ge"), " ", Math(r"\eta"))),
        ("G_AA^+ P^T", (Math("G_{AA}^{+}"), " ", Math(r"P^{\top}"))),
        ("theta-like, p<=q", ("theta-like, p<=q",)),
        (r"a \input_x file", (r"a \input_x file",)),
    ],
)
def test_letters_in_sentences_become_mathematics(text: str, expected: Prose) -> None:
    """Letters with subscripts, Greek letters and relations are mathematics; words and commands are not."""
    assert sentence(text) == expected


def test_sentences_start_with_a_capital_but_letters_do_not() -> None:
    """A word gets a capital, a letter or Greek letter keeps its own."""
    assert [capital(t) for t in ("hence x", "p grows", "eta is", "z_k + 1")] == [
        "Hence x",
        "p grows",
        "eta is",
        "z_k + 1",
    ]


# -- theorems --
def test_a_theorem_shows_assumptions_constants_and_proof(full: Document) -> None:
    """Statement, assumption with margin and rows, conclusion with numbers, constants and links are all there."""
    assert _table(full, "assumptions-second")[0] == [
        *(r"M \ge 3", "3 or more", "found 2; rows 4, 9 of the file", "-1.0", "fails", "symbolic"),
    ]
    constants = [["exponent", "0.125"], ["certified dimension", "1000000000.0"], ["chain", "signed"]]
    assert _table(full, "certificate-first") == constants
    conclusion = _block(full, "conclusion-first")
    assert isinstance(conclusion, Equation)
    assert "Measured 0.25 < bound 0.5; because of first." in _text(conclusion.note)
    link = _block(full, "link-first-1")
    assert isinstance(link, Equation)
    assert link.latex == LINK.statement
    for word in ("certified", "z in R", "12 boxes", "192 bits", "Convexity of e^{z}."):
        assert word in _text(link.note)
    assert _table(full, "remains-second")[0][0] == "A good one"


def test_a_shared_link_is_referred_to(full: Document) -> None:
    """The second theorem with a link refers to the first one's equation."""
    blocks = _section(full, "theorem-second").blocks
    references = [p for b in blocks if isinstance(b, Paragraph) for p in b.content if isinstance(p, Reference)]
    assert references == [Reference("tangent", "link-first-1")]


def test_what_is_open_is_listed(full: Document) -> None:
    """Assumptions that fail and links that are not proved are listed under their theorem, and nothing else."""
    listed = [_text(item) for item in _section(full, "open").blocks[0].items]  # type: ignore[union-attr]
    assert listed == [
        "Title of second: assumption size, required 3 or more, found found 2 fails",
        "Title of third: link tangent, boxes ran out undecided",
    ]


def test_coverage_says_what_was_not_run(full: Document) -> None:
    """Without theorems or laws every claim is marked as not run, but for assumptions that are not needed."""
    expected = ["not needed" if claim.not_needed else "not run here" for claim in PAPER_CLAIMS]
    assert [row[4] for row in _table(full, "coverage-table")] == expected
    assert "not needed" in expected


# -- evidence --
def _figure(document: Document, id: str) -> Figure:
    return next(figure for figure in document.figures() if figure.id == id)


def test_every_figure_draws_says_and_lists_itself(full: Document) -> None:
    """Each figure draws, has words and a caption, and rows that fit its columns."""
    assert len(list(full.figures())) == 8
    for figure in full.figures():
        figure.drawing.savefig(io.BytesIO(), format="png")
        assert len(figure.alternative) > 70
        assert figure.caption
        assert figure.data.rows
        assert {len(row) for row in figure.data.rows} == {len(figure.data.columns)}


def test_loss_figures_hold_mean_and_band(full: Document) -> None:
    """The rows of a loss figure are the mean, smallest and largest over seeds at every time."""
    rows = [row for row in _figure(full, "loss-2").data.rows if row[0] == "training loss"]
    runs = [_trajectory(_hostile_task(), "training", scale) for scale in (0.04, 0.06)]
    expected = [[np.mean(v), min(v), max(v)] for v in zip(*(run.loss for run in runs), strict=True)]
    np.testing.assert_allclose([row[4:] for row in rows], expected, rtol=1e-12)  # type: ignore[arg-type]
    assert [row[3] for row in rows] == [0.0, 1.0, 10.0]
    assert {row[2] for row in rows} == {2}


def test_exponents_that_say_nothing_are_empty_cells(full: Document) -> None:
    """An infinite exponent is an empty cell of the table, not a number."""
    rows = _figure(full, "exponent-figure").data.rows
    assert [row[5] for row in rows] == [None, None]
    assert [row[2] for row in rows] == [1e5**-0.5, 1e6**-0.5]


def test_the_alternative_texts_name_the_numbers(full: Document) -> None:
    """What breaks the interpolation law and the fitted order are said in words."""
    assert "Breaking the law: adam (0.3)" in _figure(full, "law-residuals").alternative
    assert "cyclic: order 1.00, theory 1" in _figure(full, "step-orders").alternative


# -- queries --
def test_queries_come_conflicts_first() -> None:
    """Conflicts, then held-out questions by falling, then trained pairs by rising trained probability."""
    task = _hostile_task()
    rows = query_rows(_verification(task))
    kinds = [(row.conflict, row.trained) for row in rows]
    assert kinds == sorted(kinds, key=lambda kind: (not kind[0], kind[1]))
    assert kinds[:2] == [(True, True), (True, True)]
    column = "bilinear d = 64, trained"
    held = [row.probability[column] for row in rows if not row.trained and not row.conflict]
    trained = [row.probability[column] for row in rows if row.trained and not row.conflict]
    assert len(held) > 1
    assert len(trained) > 1
    assert held == sorted(held, reverse=True)
    assert trained == sorted(trained)


def test_queries_have_predicted_and_trained_probabilities() -> None:
    """Each row gives the flow's and the seeds' mean probability at the last time, and the rows of the file."""
    task = _hostile_task()
    table = _table(queries_section(_verification(task)), "query-table")
    row = next(row for row in table if row[2] == HOSTILE[3] and row[3].startswith("trained"))
    pair = task.train_target.tolist().index(task.tokens.index(HOSTILE[3]))
    flow = _trajectory(task, "flow", 0.05).train_log_probability[-1, pair]
    assert row[:5] == [HOSTILE[0], HOSTILE[1], HOSTILE[3], "trained, several targets", "3"]
    assert float(row[5]) == pytest.approx(np.exp(flow), rel=1e-12)
    assert 0 < float(row[6]) < 1


def test_long_tables_are_cut_with_a_word() -> None:
    """Of more rows than the limit those that come first are kept, and it says how many are left out and where."""
    task = reversal_task(MOST_ROWS // 2 + 3, 3)
    settings = VerifySettings()
    flow = SeededTrajectory(task, (0,), (_trajectory(task, "flow", 0.05),))
    section = queries_section(Verification(task, settings, (), (flow,)))
    table = _table(section, "query-table")
    assert len(table) == MOST_ROWS
    assert [row[3] for row in table[:4]] == ["held out", "held out", "held out", "trained"]
    words = [_text(block.content) for block in section.blocks if isinstance(block, Paragraph)]
    assert any(text.startswith("6 of 4,006 rows are left out") and "report.json" in text for text in words)


# -- reproduction --
def test_reproduction_names_command_time_versions_and_settings(full: Document) -> None:
    """The command, the seconds, the versions and every setting are in the last section."""
    run = {row[0]: row[1] for row in _table(full, "run")}
    assert run["command"] == "reversal report -o out"
    assert run["time taken"] == "62 s"
    assert {"commit", "Python", "torch", "python-flint"} <= set(run)
    settings = {row[0]: row[1] for row in _table(full, "settings-verify")}
    assert set(settings) == set(VerifySettings.model_fields)
    assert settings["dimension"] == "1e+08"
    assert settings["learning_rate"] == "not set"
    assert {row[0] for row in _table(full, "settings-check")} >= {"from", "epsilon"}
    assert Code("reversal report -o out") in list(full.inlines())

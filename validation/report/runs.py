"""Finished runs of multi-layer transformers as sections of a report: a table, curves, answers asked both ways."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from theory.counting import count_of, numeral
from validation.experiments.corpus_of import CONTROL
from validation.experiments.result import Condition, Matrix, RunResult
from validation.present import without_text
from validation.report import run_figures
from validation.report.claims import claim_details_table, claims_table
from validation.report.document import (
    Block,
    Code,
    Column,
    Figure,
    FigureData,
    Number,
    Paragraph,
    Prose,
    Reference,
    Section,
    Table,
)
from validation.report.run_figures import Level, Line

SETTINGS_SHOWN = ("learning_rate", "weight_decay", "optimizer", "epochs", "batch", "seeds", "seed", "dropout")


def runs_section(runs: Sequence[RunResult]) -> Section:
    """All runs in one table, then each by itself."""
    said = (
        "Decoder-only transformers in the form of GPT-2, trained on sentences and asked in eval mode; every question "
        "includes its relation token. Losses are those of the whole answer, means over sentences; numbers in brackets "
        "are the smallest and largest over seeds. The theory of one layer (Theorem 3) says that a pair that is not "
        "trained keeps p <= 1/M, a loss of at least the log of the vocabulary: that is the bound set for held-out "
        "answers here; for the control, whose answers are trained elsewhere, it is a guess among tokens of their sort."
    )
    sections = tuple(run_section(result, f"run-{n}") for n, result in enumerate(runs, 1))
    blocks: tuple[Block, ...] = (Paragraph((said,)), runs_table(runs))
    if _tying_lifts(runs):
        blocks = (*blocks, Paragraph((TYING,)))
    return Section("runs", "Multi-layer transformers", blocks, sections)


def _tying_lifts(runs: Sequence[RunResult]) -> bool:
    """Whether of two runs on the built-in reversal the tied one answers its control and the untied one does not."""

    def verdicts(tied: bool) -> set[str]:
        return {
            claim.verdict
            for result in runs
            if result.settings.tied == tied and result.settings.task == "reversal" and result.settings.facts is None
            for claim in result.claims
            if claim.id == f"held-out-not-answered-{CONTROL}"
        }

    return (verdicts(tied=True), verdicts(tied=False)) == ({"fails"}, {"holds"})


TYING = (
    "Tying the head to the embedding makes one table serve both ends of a fact: when A -> B is trained, the vector of "
    "B as an answer is also its vector as a question, and it is drawn towards what A was mapped to. The control shows "
    "it: there every held-out answer is also the answer of another trained sentence, so that it was not only ever "
    "pushed down as an answer."
)


def runs_table(runs: Sequence[RunResult]) -> Table:
    """One row a condition of each run."""
    names = ("run", "condition", "trained + held out")
    numeric = ("train loss", "held-out loss", "log V", "log of sort", "right", "rank", "mass on sort", "index")
    columns = (*map(Column, names), *(Column(name, numeric=True) for name in numeric))
    rows = tuple(
        _row(result, condition, f"run-{n}") for n, result in enumerate(runs, 1) for condition in result.conditions
    )
    caption = (
        "Trained and held-out answers at the end of training. log V is the loss of a guess among all tokens, log of "
        "sort that among the tokens of the right sort; right counts questions over all seeds, "
        "answered where any of several held-out answers comes first; the index is the mean over questions of log-odds "
        "gained by the answer over those gained by its premises (0 cursed, 1 lifted).",
    )
    return Table("runs-table", caption, columns, rows)


def _row(result: RunResult, condition: Condition, section: str) -> tuple[Prose, ...]:
    return (
        (Reference(result.short_title, section),),
        (condition.name,),
        (f"{condition.train_sentences:,} + {condition.held_out}",),
        _spread(condition.final("train_nll")),
        _spread(condition.final("test_nll")),
        (Number(condition.chance),),
        (Number(condition.sort_chance),),
        (Number(sum(condition.right)), f" of {condition.asked}"),
        (Number(float(condition.final("rank").mean())),),
        (Number(float(condition.final("mass").mean()), 3),),
        _spread(condition.final("index")) + _without(condition, condition.questions * len(condition.right)),
    )


def _without(condition: Condition, asked: int) -> Prose:
    """How many of the questions have no index, where some have none."""
    text = without_text(sum(condition.without_forward_gain), asked)
    return (text,) if text else ()


def _spread(values: np.ndarray) -> Prose:
    """The mean, and the smallest and largest over seeds; empty where nothing can be said."""
    if not np.isfinite(values).any():
        return (Number(None),)
    mean = Number(float(np.nanmean(values)), 3)
    return (mean,) if len(values) == 1 else (mean, f" [{numeral(np.nanmin(values))}, {numeral(np.nanmax(values))}]")


def run_section(result: RunResult, id: str) -> Section:
    """Claims and pictures of one run."""
    settings = result.settings.model_dump(mode="json")
    chosen = ", ".join(f"{name.replace('_', ' ')} {settings[name]}" for name in SETTINGS_SHOWN)
    about: Prose = (
        f"{result.parameters:,} parameters each, {settings['heads']} heads, {chosen}; trained in "
        f"{result.seconds:.0f} s on ",
        Code(result.device),
        ".",
    )
    blocks: list[Block] = [Paragraph(about), *(Paragraph((f"Note: {note}.",)) for note in result.notes)]
    blocks.append(claims_table(f"{id}-claims", ("Claims of this run.",), result.claims))
    if result.conditions[0].answer_length > 1:
        blocks.append(_by_token(result, f"{id}-tokens"))
    blocks += run_figures_of(result, id)
    blocks.append(claim_details_table(f"{id}-details", result.claims))
    return Section(id, result.title, tuple(blocks))


def _by_token(result: RunResult, id: str) -> Table:
    """-log p of each token of the answer: the first alone would hide what the others cost."""
    rows = tuple(
        ((condition.name,), (Number(n + 1),), _spread(np.array(train)), _spread(np.array(held_out)))
        for condition in result.conditions
        for n, (train, held_out) in enumerate(
            zip(condition.train_nll_by_token, condition.test_nll_by_token, strict=True)
        )
    )
    names = ("token of the answer", "trained, -log p", "held out, -log p")
    columns = (Column("condition"), *(Column(name, numeric=True) for name in names))
    return Table(id, ("Loss by token of the answer, each given the right tokens before it.",), columns, rows)


# -- pictures --
def run_figures_of(result: RunResult, id: str) -> Iterator[Figure]:
    """Losses over epochs, the index, and for each condition the answers asked and the cosines."""
    yield loss_figure(result, f"{id}-losses")
    if any(np.isfinite(c.over_time("index")).any() for c in result.conditions):
        yield index_figure(result, f"{id}-index")
    for condition in result.conditions:
        if condition.matrices:
            yield matrix_figure(condition, f"{id}-{condition.name}-answers")
        cosines = [m for m in condition.matrices if m.cosine is not None]
        if cosines:
            yield cosine_figure(condition, cosines, f"{id}-{condition.name}-cosines")


def _line(label: str, color: str, style: str, values: np.ndarray) -> Line:
    """A measure (E, S) as mean and band."""
    return Line(label, color, style, values.mean(axis=1), values.min(axis=1), values.max(axis=1))


def loss_figure(result: RunResult, id: str) -> Figure:
    """-log p of trained and held-out answers over epochs, mean and range over seeds, with the lines of guessing."""
    lines = [_line("trained", "blue", "-", result.conditions[0].over_time("train_nll"))]
    colors = {CONTROL: ("green", "--")}
    for condition in result.conditions:
        color, style = colors.get(condition.name, ("orange", "-"))
        lines.append(_line(f"held out, {condition.name}", color, style, condition.over_time("test_nll")))
    first = result.conditions[0]
    k = "" if first.answer_length == 1 else f"{first.answer_length} "
    levels = [Level(f"{k}log V\n= {numeral(first.chance)}", first.chance)]
    if abs(first.sort_chance - first.chance) > 0.3:
        levels.append(Level(f"of the sort\n= {numeral(first.sort_chance)}", first.sort_chance))
    seeds = len(first.right)
    said = "; ".join(f"{line.label} from {numeral(line.mean[0])} to {numeral(line.mean[-1])}" for line in lines)
    return Figure(
        id,
        (
            f"-log p of whole answers over training, mean over {count_of(seeds, 'seed')} with the range over them; "
            "beside it the "
            "losses of a guess among all tokens, and among those of the right sort.",
        ),
        f"Line plot with a logarithmic axis of losses over {count_of(first.epoch[-1], 'epoch')}, with lines at "
        f"{' and '.join(' '.join(level.label.split()) for level in levels)}. {said}.",
        _line_data(first.epoch, lines),
        partial(run_figures.over_epochs, np.array(first.epoch), lines, levels, "-log p (nats)", True),
    )


def index_figure(result: RunResult, id: str) -> Figure:
    """The index over epochs for each condition."""
    lines = []
    for condition, (color, style) in zip(result.conditions, (("orange", "-"), ("green", "--")), strict=False):
        lines.append(_line(condition.name, color, style, condition.over_time("index")))
    first = result.conditions[0]
    levels = [Level("1: lifted", 1.0), Level("0: cursed", 0.0)]
    said = "; ".join(f"{line.label} {numeral(line.mean[-1])} at the end" for line in lines)
    return Figure(
        id,
        (
            "Log-odds gained by held-out answers over log-odds gained by their premises, mean over questions. The "
            "first epochs, where premises have gained next to nothing, may lie outside of the picture.",
        ),
        f"Line plot of the index over {count_of(first.epoch[-1], 'epoch')}, with lines at 0 and 1: {said}.",
        _line_data(first.epoch, lines),
        partial(run_figures.over_epochs, np.array(first.epoch), lines, levels, "index", False, _index_limits(lines)),
    )


def _index_limits(lines: Sequence[Line]) -> tuple[float, float]:
    """From cursed to lifted with room around, and as far as the indices of the last epoch."""
    last = [float(x) for line in lines for x in (line.low[-1], line.high[-1]) if np.isfinite(x)]
    return min([-0.5, *last]) - 0.1, max([1.5, *last]) + 0.1


def _line_data(epoch: Sequence[int], lines: Sequence[Line]) -> FigureData:
    rows = tuple(
        (line.label, e, *(float(x) if np.isfinite(x) else None for x in (line.mean[n], line.low[n], line.high[n])))
        for line in lines
        for n, e in enumerate(epoch)
    )
    return FigureData(("what", "epoch", "mean", "smallest", "largest"), rows)


def matrix_figure(condition: Condition, id: str) -> Figure:
    """log p of every candidate after every question, asked with the relation token."""
    shown = [(m.title, np.array(m.log_probability), sum(m.seen)) for m in condition.matrices]
    said = [f"{m.title}: {_diagonal(m, np.array(m.log_probability), 'log p')}" for m in condition.matrices]
    return Figure(
        id,
        (
            f"log p of each candidate answer after each question, {condition.name}, first seed. The right answers lie "
            "on the diagonal; above and left of the lines are trained pairs, below and right held-out ones.",
        ),
        f"Heat maps. {'; '.join(said)}.",
        _matrix_data(condition.matrices, [values for _, values, _ in shown], "log p"),
        partial(run_figures.heat_maps, shown, "log p"),
    )


def cosine_figure(condition: Condition, matrices: Sequence[Matrix], id: str) -> Figure:
    """Cosines between the embeddings of subjects and answers."""
    values = [np.array(m.cosine) for m in matrices]
    shown = [(m.title, v, sum(m.seen)) for m, v in zip(matrices, values, strict=True)]
    said = [f"{m.title}: {_diagonal(m, v, 'cosine')}" for m, v in zip(matrices, values, strict=True)]
    return Figure(
        id,
        (f"Cosine similarity of the embeddings of subject (rows) and answer (columns), {condition.name}, first seed.",),
        f"Heat maps. {'; '.join(said)}.",
        _matrix_data(matrices, values, "cosine"),
        partial(run_figures.heat_maps, shown, "cosine similarity"),
    )


def _diagonal(matrix: Matrix, values: np.ndarray, what: str) -> str:
    """Means on the diagonal of trained and of held-out pairs, and off it."""
    seen, own = np.array(matrix.seen), np.diag(values)
    parts = [
        f"mean {what} {numeral(own[kind].mean())} for {name} pairs"
        for name, kind in (("trained", seen), ("held-out", ~seen))
        if kind.any()
    ]
    off = values[~np.eye(len(values), dtype=bool)]
    return ", ".join([*parts, f"{numeral(off.mean())} elsewhere"] if len(off) else parts)


def _matrix_data(matrices: Sequence[Matrix], values: Sequence[np.ndarray], what: str) -> FigureData:
    rows = tuple(
        (m.title, m.prompts[i], m.answers[j], "yes" if i == j else "no", "yes" if m.seen[i] else "no", float(v[i, j]))
        for m, v in zip(matrices, values, strict=True)
        for i in range(len(m.prompts))
        for j in range(len(m.answers))
    )
    return FigureData(("panel", "question", "candidate", "right answer", "trained", what), rows)

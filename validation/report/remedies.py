"""What keeps the curse and what lifts it, as a section of a report: a picture of the indices, a table with reasons."""

from functools import partial
from math import isnan

from theory.counting import count_of, numeral
from theory.laws import derive_all
from validation.present import without_text
from validation.remedies.reason import reason
from validation.remedies.result import RemediesResult, Row
from validation.report.claims import claim_details_table, claims_table
from validation.report.document import (
    Block,
    Column,
    Figure,
    FigureData,
    Number,
    Paragraph,
    Prose,
    Reference,
    Section,
    Strong,
    Table,
)
from validation.report.remedies_figure import Bar, forest


def remedies_section(result: RemediesResult) -> Section:
    """Table, picture and claims of all choices."""
    s = result.settings
    said = (
        "The asymmetry follows from the loss, from the space in which the parameters move, from the optimiser and from "
        "the data. Each row changes one of these choices, or a few that act together, and is trained for real with "
        f"{count_of(s.seeds, 'seed')}; the index is the log-odds that held-out answers gained over those that "
        "their premises gained: 0 cursed, 1 lifted. Where theory says it without the run, both stand side by side: by "
        "the law of the asked embedding with an interval, in closed form, or by the flow from the same start."
    )
    blocks: list[Block] = [Paragraph((said,)), *(Paragraph((f"Note: {note}.",)) for note in result.notes)]
    blocks += [remedies_figure(result), remedies_table(result)]
    caption = (f"Claims about {count_of(len(result.rows), 'choice')} and about the checkers of this section.",)
    blocks.append(claims_table("remedies-claims", caption, result.all_claims))
    blocks.append(claim_details_table("remedies-details", result.all_claims))
    return Section("remedies", "What keeps the curse and what lifts it", tuple(blocks))


def remedies_table(result: RemediesResult) -> Table:
    """One row a choice, by index."""
    names = ("index", "predicted", "logit index", "p trained", "p asked", "1/M", "best rival", "right")
    columns = (Column("choice, and why"), *(Column(name, numeric=True) for name in names))
    caption = (
        "Choices by index. p asked is the mean probability of held-out answers, to be set against 1/M and against the "
        "best other token that is never trained there; right is the share of questions whose answer is above all such.",
    )
    known = {derivation.id for derivation in derive_all()}
    return Table("remedies-table", caption, columns, tuple(_row(row, known) for row in result.rows), interactive=True)


def _row(row: Row, known: set[str]) -> tuple[Prose, ...]:
    low, high = row.index.interval
    text, derivation = reason(row.choice)
    law: Prose = (" (no law).",)
    if derivation is not None and derivation in known:
        law = (" (", Reference(derivation, f"derivation-{derivation}"), ").")
    index: Prose = (
        Number(row.index.mean, 3),
        f" [{numeral(low, '.3f')}, {numeral(high, '.3f')}]" if low < high else "",
    )
    if row.without_forward_gain:
        index = (*index, without_text(row.without_forward_gain, row.questions * len(row.index.by_seed)))
    if not row.learnt:
        index = (*index, ", not learnt")
    if row.taught is not None and row.untaught is not None:
        index = (*index, f", copied {numeral(row.taught.mean, '.2f')}, others {numeral(row.untaught.mean, '.2f')}")
    return (
        (Strong(row.choice.label), f": {text}", *law),
        index,
        _predicted(row),
        (Number(row.logit_index.mean, 3),),
        (Number(row.trained_p.mean, 3),),
        (Number(row.asked_p.mean, 3),),
        (Number(row.chance, 2),),
        (Number(row.rival_p.mean, 2),),
        (Number(row.first.mean, 2),),
    )


def _predicted(row: Row) -> Prose:
    p = row.prediction
    if p is None:
        return ("measured only",)
    others = ", of the others" * (row.untaught is not None)
    if p.source != "law":
        return (Number(p.mean, 3), f" ({p.source}){others}")
    flow = ""
    if row.flow is not None and row.untaught is None:
        flow = f"; {numeral(row.flow.mean, '.3f')} ({'closed form' if row.choice.closed_form else 'flow'})"
    return (Number(p.mean, 2), f" [{numeral(p.low, '.3f')}, {numeral(p.high, '.3f')}]{flow}{others}")


def _known(interval: tuple[float, float]) -> tuple[float | None, float | None]:
    """An interval over seeds, nothing where there is one seed."""
    low, high = interval
    return (None, None) if isnan(low) else (low, high)


def remedies_figure(result: RemediesResult) -> Figure:
    """Measured indices with their intervals over what was predicted, one line a choice."""
    bars = []
    for row in result.rows:
        p = row.prediction
        # with reversed copies the law speaks of the questions that have none
        shown = row.index if row.untaught is None else row.untaught
        low, high = shown.interval
        label = row.choice.label if row.untaught is None else f"{row.choice.label}, facts without a copy"
        bars.append(Bar(label, shown.mean, low, high, None if p is None else (p.low, p.high)))
        if row.taught is not None and row.untaught is not None:
            low, high = row.taught.interval
            bars.append(Bar(f"{row.choice.label}, facts with a copy", row.taught.mean, low, high, None))
    bars.sort(key=lambda bar: -bar.mean)
    rows = tuple(
        (b.label, b.mean, *_known((b.low, b.high)), *((None, None) if b.predicted is None else b.predicted))
        for b in bars
    )
    data = FigureData(("choice", "index", "low", "high", "predicted low", "predicted high"), rows)
    lifted = [bar.label for bar in bars if bar.mean > 0.5]
    seeds = result.settings.seeds
    return Figure(
        id="index-by-choice",
        caption=(
            f"The index of each choice after training: 0 cursed, 1 lifted. Marks are means over {seeds} "
            f"seed{'s' * (seeds > 1)} with a 95 % interval of the mean, pale bars what theory says without the run; "
            "choices without one are measured only. Indices below -0.6 stand at the edge.",
        ),
        alternative=f"Of {count_of(len(bars), 'choice')} these have an index above one half: "
        f"{'; '.join(lifted) or 'none'}.",
        data=data,
        draw=partial(forest, tuple(bars)),
    )

"""The table of choices for people, on the terminal and as files."""

from math import isnan
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from theory.counting import count_of, numeral
from validation.output_folder import new_folder, write_csv, write_json
from validation.present import VERDICT_STYLE
from validation.remedies.reason import reason
from validation.remedies.result import OverSeeds, RemediesResult, Row
from validation.report.remedies import remedies_figure
from validation.report.write import write_figure

FILE = "remedies.json"
PLAIN_WIDTH = 170  # of text that goes to a file
NARROW, WIDE = 100, 140  # columns of a terminal: below and from these fewer and all columns of the table
MEANING = {
    "index": "0 cursed, 1 lifted: log-odds gained by held-out answers over those gained by what they follow from",
    "predicted": "without the training run, from its start and step size: by the law of the asked embedding (± half "
    "the width at a false-alarm rate of 1e-6 for the whole table), in closed form, or by the flow",
    "logit index": "the index of logits in place of log-odds",
    "p trained": "mean probability of trained answers",
    "p asked": "mean probability of held-out answers",
    "1/M": "chance: one of M tokens",
    "rival": "the best other token that is never trained there",
    "right": "questions whose answer is above every other token that is never trained there",
}


def remedies_text(result: RemediesResult, terminal: bool) -> str:
    """Notes, the table, what failed, and the verdict; coloured and as wide as the terminal if it is one."""
    console = Console(force_terminal=terminal or None, width=None if terminal else PLAIN_WIDTH)
    with console.capture() as captured:
        for note in result.notes:
            console.print(Text(f"note: {note}"))
        shown = _columns(console.width)
        console.print(_table(result, shown, reasons=console.width >= WIDE))
        if console.width < WIDE:
            for row in result.rows:
                console.print(_named(row, ": "))
        console.print(Text(_legend(result, shown), style="dim"))
        for claim in result.all_claims:
            if claim.verdict not in ("holds", "not applicable"):
                text = f"{claim.verdict}: {claim.title}: {claim.detail}"
                console.print(Text(text, style=VERDICT_STYLE[claim.verdict]))
        verdicts = [claim.verdict for claim in result.all_claims]
        counts = ", ".join(f"{verdicts.count(v)} {v}" for v in VERDICT_STYLE if v in verdicts)
        line = f"{result.task.name}, {count_of(len(result.rows), 'choice')}: {result.verdict} ({counts})"
        console.print(Text(line, style=VERDICT_STYLE[result.verdict]))
    return captured.get()


def _columns(width: int) -> tuple[str, ...]:
    """The columns for which a terminal has room."""
    if width < NARROW:
        return ("index", "predicted", "p asked")
    return tuple(MEANING) if width >= WIDE else ("index", "predicted", "p trained", "p asked", "right")


def _table(result: RemediesResult, columns: tuple[str, ...], reasons: bool) -> Table:
    table = Table(title="What keeps the curse and what lifts it", title_justify="left")
    table.add_column("choice, and why" if reasons else "choice", min_width=14, overflow="fold")
    for head in columns:
        number = head not in ("index", "predicted")
        table.add_column(head, justify="right" if number else "left", no_wrap=number or reasons)
    table.add_column("claims", no_wrap=True)
    for row in result.rows:
        cells = {
            "index": index_text(row),
            "predicted": predicted_text(row),
            "logit index": f"{numeral(row.logit_index.mean, '.3f')}",
            "p trained": f"{numeral(row.trained_p.mean, '.3f')}",
            "p asked": f"{numeral(row.asked_p.mean)}",
            "1/M": f"{numeral(row.chance, '.2g')}",
            "rival": f"{numeral(row.rival_p.mean, '.2g')}",
            "right": f"{row.first.mean:.0%}",
        }
        verdict = row.verdict if row.claims else "-"
        name = _named(row, "\n  ") if reasons else Text(row.choice.label, style="bold")
        verdict_text = Text(verdict, style=VERDICT_STYLE.get(verdict, "dim"))
        table.add_row(name, *(cells[head] for head in columns), verdict_text)
    return table


def _named(row: Row, between: str) -> Text:
    """The choice and its reason."""
    text, derivation = reason(row.choice)
    name = Text(row.choice.label, style="bold")
    name.append(f"{between}{text} ({derivation or 'no law'})", style="not bold dim")
    return name


def _legend(result: RemediesResult, columns: tuple[str, ...]) -> str:
    seeds = result.settings.seeds
    over = f"means over {seeds} seeds, ± half of a 95 % interval" if seeds > 1 else "one seed, so no interval"
    meanings = "; ".join(f"{name}: {MEANING[name]}" for name in columns)
    more = "" if len(columns) == len(MEANING) else " A wider terminal, -o and --json show more."
    return f"{over[0].upper()}{over[1:]}. {meanings}. Derivations: reversal derive NAME.{more}"


def index_text(row: Row) -> str:
    """The index with its interval; with reversed copies also that of facts with and without one."""
    text = _with_interval(row.index)
    if row.without_forward_gain:
        text += f"\n{row.without_forward_gain} of {row.questions * len(row.index.by_seed)} without forward gain"
    if not row.learnt:
        text += "\nnot learnt"
    if row.taught is not None and row.untaught is not None:
        text += f"\ncopied {numeral(row.taught.mean, '.2f')}, others {numeral(row.untaught.mean, '.2f')}"
    return text


def predicted_text(row: Row) -> str:
    """What theory says beforehand, the law with its flow below it, or that it says nothing."""
    p = row.prediction
    if p is None:
        return "measured only"
    lines = [f"{numeral(p.mean, '.3f')} {p.source}"]
    if p.source == "law":
        lines = [f"{numeral(p.mean, '.3f')} ± {numeral((p.high - p.low) / 2, '.3f')} law"]
        if row.flow is not None and row.untaught is None:
            lines.append(f"{numeral(row.flow.mean, '.3f')} {'closed form' if row.choice.closed_form else 'flow'}")
    return "\n".join([*lines, *(["of the others"] if row.untaught is not None else [])])


def _with_interval(value: OverSeeds) -> str:
    low, high = value.interval
    return f"{numeral(value.mean, '.3f')}" + f" ± {numeral((high - low) / 2, '.3f')}" * (low < high)


def table_rows(result: RemediesResult) -> list[dict[str, Any]]:
    """One flat row a choice, for CSV."""
    return [record(row) for row in result.rows]


def record(row: Row) -> dict[str, Any]:
    """The chief numbers of a row, flat."""
    prediction = row.prediction
    low, high = (None if isnan(x) else x for x in row.index.interval)
    return {
        "id": row.choice.slug,
        "label": row.choice.label,
        "index": row.index.mean,
        "without_forward_gain": row.without_forward_gain,
        "index_low": low,
        "index_high": high,
        "index_taught": None if row.taught is None else row.taught.mean,
        "index_untaught": None if row.untaught is None else row.untaught.mean,
        "predicted": None if prediction is None else prediction.mean,
        "predicted_low": None if prediction is None else prediction.low,
        "predicted_high": None if prediction is None else prediction.high,
        "predicted_by": "measured only" if prediction is None else prediction.source,
        "flow": None if row.flow is None else row.flow.mean,
        "flow_p": None if row.flow_p is None else row.flow_p.mean,
        "logit_index": row.logit_index.mean,
        "centred_logit_index": row.centred_logit_index.mean,
        "trained_p": row.trained_p.mean,
        "attainable_p": row.attainable_p,
        "learnt": row.learnt,
        "asked_p": row.asked_p.mean,
        "chance": row.chance,
        "rival_p": row.rival_p.mean,
        "right": row.first.mean,
        "steps": row.steps,
        "learning_rate": row.learning_rate,
        "verdict": row.verdict if row.claims else "",
        "reason": reason(row.choice)[0],
        "derivation": reason(row.choice)[1] or "",
    }


def write_folder(result: RemediesResult, folder: Path) -> None:
    """`remedies.json`, `remedies.csv`, `claims.csv` and the picture, in a new folder that appears complete."""
    document = result.as_dict()
    with new_folder(folder) as draft:
        write_json(draft / FILE, document)
        write_csv(draft / "remedies.csv", table_rows(result))
        write_csv(draft / "claims.csv", [claim.as_dict() for claim in result.all_claims])
        write_figure(remedies_figure(result), draft)

"""A verification for people: tables on the terminal, and a folder of files that is made whole or not at all."""

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from theory.counting import numeral
from validation.loss_picture import loss_figure
from validation.output_folder import new_folder, write_csv, write_json
from validation.report.svg import svg_file
from validation.result import SeededTrajectory, Verification

VERDICT_STYLE = {"holds": "green", "fails": "bold red", "undecided": "yellow", "not applicable": "dim"}
SHOWN_QUERIES = 12


def claims_table(result: Verification) -> Table:
    """One row a claim: verdict, evidence, what was measured against which bound."""
    table = Table(title="Claims", title_justify="left", expand=False)
    for name in ("claim", "verdict", "evidence"):
        table.add_column(name, no_wrap=name != "claim")
    table.add_column("measured", justify="right")
    table.add_column("", no_wrap=True)
    table.add_column("bound", justify="right")
    ends = set(itertools.accumulate(count for _, count in result.stages))
    for number, claim in enumerate(result.claims, start=1):
        text = Text(claim.title)
        if claim.verdict != "holds" and claim.detail:
            text.append(f"\n{claim.detail}", style="dim")
        verdict = Text(claim.verdict, style=VERDICT_STYLE[claim.verdict])
        evidence = "" if claim.verdict == "not applicable" else claim.evidence
        numbers = (_number(claim.measured), claim.standing, _number(claim.bound))
        table.add_row(text, verdict, evidence, *numbers, end_section=number in ends)
    return table


def queries_tables(result: Verification) -> Group:
    """The most interesting queries of every model that was trained: the likeliest held-out answers first."""
    return Group(*(_queries_table(result, group) for group in result.groups() if _has_training(group)))


def _queries_table(result: Verification, group: list[SeededTrajectory]) -> Table:
    rows = [q for q in result.queries() if _same_group(q, group[0])]
    asked = sorted((q for q in rows if not q["trained"]), key=lambda q: -q["probability"]["training"])
    trained = sorted((q for q in rows if q["trained"]), key=lambda q: q["probability"]["training"])
    first = group[0].mean
    where = "" if first.dimension is None else f", dimension {first.dimension:g}"
    title = f"Queries of the {first.model} model{where} at t = {first.time[-1]:g} (1/m = "
    table = Table(title=title + f"{numeral(1 / group[0].task.vocabulary_size)})", title_justify="left")
    for name in ("context", "relation", "target", "direction"):
        table.add_column(name)
    sources = list(rows[0]["probability"])
    for source in sources:
        table.add_column(f"p {source}", justify="right")
    for query in (*asked[: SHOWN_QUERIES * 2 // 3], *trained[: SHOWN_QUERIES // 3]):
        names = [Text(query[k]) for k in ("context", "relation", "target")]
        direction = Text("trained", style="green") if query["trained"] else Text("held out", style="magenta")
        table.add_row(*names, direction, *(f"{numeral(query['probability'][s])}" for s in sources))
    return table


def _has_training(group: list[SeededTrajectory]) -> bool:
    return any(t.by_seed[0].source == "training" for t in group)


def _same_group(query: dict[str, Any], trajectory: SeededTrajectory) -> bool:
    first = trajectory.by_seed[0]
    return (query["model"], query["dimension"], query["time"]) == (first.model, first.dimension, float(first.time[-1]))


def verdict_line(result: Verification) -> Text:
    """One line: the verdict and how many claims of each kind there are."""
    verdicts = [claim.verdict for claim in result.claims]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in VERDICT_STYLE if v in verdicts)
    return Text(f"{result.task.name}: {result.verdict} ({counts})", style=VERDICT_STYLE[result.verdict])


def headlines(result: Verification) -> list[str]:
    """One sentence for each trained model: what was learnt, what was not, and the index of the task's definition."""
    lines = []
    for group in filter(_has_training, result.groups()):
        seeded = next(t for t in group if t.by_seed[0].source == "training")
        training, index = seeded.mean, seeded.index
        where = "" if training.dimension is None else f", d = {training.dimension:g}"
        line = (
            f"{training.model}{where}, t = {training.time[-1]:g}: trained p = {_mean_p(training.train_log_probability)}"
        )
        if group[0].task.queries:
            chance = 1 / group[0].task.vocabulary_size
            line += f", held-out p = {_mean_p(training.query_log_probability)} (chance {numeral(chance)})"
        if index.questions:
            line += f", index {numeral(index.mean, '.3f')} (0 cursed, 1 lifted)"
        line += without_text(index.without, index.questions + index.without)
        lines.append(line)
    return lines


def _mean_p(log_probability: np.ndarray) -> str:
    return f"{numeral(np.exp(log_probability[-1]).mean())}"


def without_text(without: int, questions: int) -> str:
    """What is said behind an index of the questions that have none; nothing where all have one."""
    return f", {without} of {questions} without forward gain" if without else ""


def report_text(result: Verification, terminal: bool) -> str:
    """Notes, claims, queries, headlines and the verdict as text; coloured and as wide as the terminal if it is one."""
    console = Console(force_terminal=terminal or None, width=None if terminal else 130)
    with console.capture() as captured:
        _print(result, console)
    return captured.get()


def _print(result: Verification, console: Console) -> None:
    task = result.task
    console.print(f"{task.name}: {task.sizes}", markup=False)
    for note in result.notes:
        console.print(Text(f"note: {note}"))
    console.print(claims_table(result))
    console.print(queries_tables(result))
    for line in headlines(result):
        console.print(line, highlight=False)
    console.print(verdict_line(result))


def _number(value: float | None) -> str:
    return "" if value is None else f"{numeral(value)}"


# -- files --
def write_folder(result: Verification, document: dict[str, Any], folder: Path) -> None:
    """`verify.json`, tables as CSV and the picture as SVG and PNG, in a new folder that appears complete.

    `document` is the result as JSON-ready fields. Raises OutputError when the folder exists and is not empty, or cannot
    be made.
    """
    with new_folder(folder) as draft:
        write_json(draft / "verify.json", document)
        write_csv(draft / "claims.csv", document["claims"])
        write_csv(draft / "queries.csv", map(_flat_query, document["queries"]))
        write_csv(draft / "trajectories.csv", _trajectory_rows(result))
        if (figure := loss_figure(result)) is not None:
            # no date, no version and no random ids: the same run gives the same bytes
            (draft / "loss.svg").write_text(svg_file(figure), encoding="utf-8", newline="\n")
            figure.savefig(draft / "loss.png", metadata={"Software": None}, dpi=150)


def _flat_query(query: dict[str, Any]) -> dict[str, Any]:
    flat = {key: value for key, value in query.items() if key != "probability"}
    return flat | {f"probability {source}": p for source, p in query["probability"].items()}


def _trajectory_rows(result: Verification) -> Iterable[dict[str, Any]]:
    for trajectory in result.trajectories:
        for seed, t in zip(trajectory.seeds, trajectory.by_seed, strict=True):
            for time, loss, reverse in zip(t.time, t.loss, t.reversal_loss, strict=True):
                yield {
                    "model": t.model,
                    "source": t.source,
                    "dimension": t.dimension,
                    "seed": seed,
                    "time": time,
                    "loss": loss,
                    "reversal_loss": reverse,
                }

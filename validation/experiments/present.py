"""A run for people: a table on the terminal, and a folder of files that is made whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text
from safetensors.torch import save_file
from torch import Tensor

from theory.counting import count_of, numeral
from validation.experiments.result import FILE, Condition, RunResult
from validation.output_folder import new_folder, write_csv, write_json
from validation.present import VERDICT_STYLE, without_text
from validation.report.runs import run_figures_of
from validation.report.write import write_figure

MEASURES = ("train_nll", "test_nll", "top_1", "train_top_1", "rank", "mass", "index")


def run_text(result: RunResult, terminal: bool) -> str:
    """Conditions, claims and the verdict as text; coloured and as wide as the terminal if it is one."""
    console = Console(force_terminal=terminal or None, width=None if terminal else 130)
    with console.capture() as captured:
        seeds = result.settings.seeds
        console.print(Text(f"{result.title} ({count_of(seeds, 'seed')}, {result.parameters:,} parameters)"))
        for note in result.notes:
            console.print(Text(f"note: {note}"))
        console.print(_conditions(result))
        console.print(_claims(result))
        verdicts = [claim.verdict for claim in result.claims]
        counts = ", ".join(f"{verdicts.count(v)} {v}" for v in VERDICT_STYLE if v in verdicts)
        line = f"{result.settings.task}: {result.verdict} ({counts}); {result.seconds:.0f} s on {result.device}"
        console.print(Text(line, style=VERDICT_STYLE[result.verdict]))
    return captured.get()


def _conditions(result: RunResult) -> Table:
    """One row a condition, at the end of training."""
    table = Table(
        title=Text("Answers at the end of training, mean [smallest, largest] over seeds"), title_justify="left"
    )
    for name in ("condition", "trained", "held out"):
        table.add_column(name)
    for name in ("train loss", "held-out loss", "log V", "of sort", "right", "rank", "index"):
        table.add_column(name, justify="right")
    for c in result.conditions:
        table.add_row(
            c.name,
            f"{c.train_sentences:,}",
            c.held_out,
            spread(c.final("train_nll")),
            spread(c.final("test_nll")),
            f"{numeral(c.chance)}",
            f"{numeral(c.sort_chance)}",
            f"{sum(c.right):,} of {c.asked}",
            f"{numeral(c.final('rank').mean())}",
            f"{spread(c.final('index'))}{without_text(sum(c.without_forward_gain), c.questions * len(c.right))}",
        )
    return table


def spread(values: np.ndarray) -> str:
    """A mean with its range over seeds; a dash where there is nothing to say."""
    if not np.isfinite(values).any():
        return "-"
    mean = f"{numeral(np.nanmean(values))}"
    return mean if len(values) == 1 else f"{mean} [{numeral(np.nanmin(values))}, {numeral(np.nanmax(values))}]"


def _claims(result: RunResult) -> Table:
    table = Table(title="Claims", title_justify="left")
    for name in ("claim", "verdict", "evidence"):
        table.add_column(name, no_wrap=name != "claim")
    for name in ("measured", "", "bound"):
        table.add_column(name, justify="right", no_wrap=True)
    for claim in result.claims:
        text = Text(claim.title)
        if claim.detail:
            text.append(f"\n{claim.detail}", style="dim")
        evidence = "" if claim.verdict == "not applicable" else claim.evidence
        measured, bound = ("" if x is None else f"{numeral(x)}" for x in (claim.measured, claim.bound))
        table.add_row(
            text, Text(claim.verdict, style=VERDICT_STYLE[claim.verdict]), evidence, measured, claim.standing, bound
        )
    return table


# -- files --
def write_folder(result: RunResult, weights: Mapping[str, Mapping[str, Tensor]], folder: Path) -> None:
    """Everything of a finished run in a new folder that appears complete.

    `train.json`; `settings.toml`, which --config reads; `claims.csv`, `history.csv`; `weights-CONDITION.safetensors`;
    figures as SVG, PNG, PDF and CSV. Raises OutputError when the folder exists and is not empty, or cannot be made.
    """
    document = result.as_dict()
    with new_folder(folder) as draft:
        write_json(draft / FILE, document)
        (draft / "settings.toml").write_text(toml(result), encoding="utf-8")
        write_csv(draft / "claims.csv", document["claims"])
        write_csv(draft / "history.csv", [row for c in result.conditions for row in _history(c, result)])
        for name, tensors in weights.items():
            save_file(dict(tensors), draft / f"weights-{name}.safetensors")
        (draft / "figures").mkdir()
        for figure in run_figures_of(result, "run"):
            write_figure(figure, draft / "figures")


def _history(condition: Condition, result: RunResult) -> list[dict[str, Any]]:
    """One row for each evaluation and seed."""
    return [
        {"condition": condition.name, "epoch": epoch, "seed": seed}
        | {name: getattr(condition, name)[n][s] for name in MEASURES}
        for n, epoch in enumerate(condition.epoch)
        for s, seed in enumerate(result.settings.seed_numbers)
    ]


def toml(result: RunResult) -> str:
    """The settings as a TOML file; what was left open stays out."""
    lines = []
    for name, value in result.settings.model_dump(mode="json", exclude_none=True).items():
        if name == "control" and result.settings.task != "reversal":
            continue
        if name == "facts" and result.settings.facts is not None:
            value = str(result.settings.facts.absolute())  # else it would be looked for beside the TOML file
        # strings, truth values and numbers are written alike in JSON and TOML
        lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"

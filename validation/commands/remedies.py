"""`reversal remedies`: what keeps the curse and what lifts it, one row a choice."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from validation.commands.shared import friendly_errors, memory_size, print_out, progress_display, setting
from validation.machine import available_cores
from validation.remedies.settings import LISTS, RemedySettings


def _option(name: str, text: str, kind: str = "") -> Any:
    return setting(name, text, kind, RemedySettings)


def _list(name: str, text: str) -> Any:
    return typer.Option(help=f"{text}: {' | '.join(LISTS[name])}; several with commas.", metavar="NAMES")


def remedies(
    facts: Annotated[
        Path | None,
        typer.Argument(help="CSV, TSV or JSON lines of facts. Without it a built-in task.", show_default=False),
    ] = None,
    task: Annotated[str | None, _option("task", "reversal | chain-of-thought")] = None,
    pairs: Annotated[str | None, _option("pairs", "Built-in task: pairs, or chains.", "N")] = None,
    held_out: Annotated[str | None, _option("held_out", "Built-in: trained one way only [default: half].", "N")] = None,
    vocabulary: Annotated[str | None, _option("vocabulary", "Built-in: size, unused tokens included.", "N")] = None,
    loss: Annotated[str | None, _list("loss", "Losses of the logits")] = None,
    parameters: Annotated[str | None, _list("parameters", "Spaces of Theta")] = None,
    optimizer: Annotated[str | None, _list("optimizer", "Optimisers")] = None,
    data: Annotated[str | None, _list("data", "What is trained")] = None,
    context: Annotated[str | None, _option("context", "entity | entity+relation")] = None,
    embeddings: Annotated[str | None, _option("embeddings", "gaussian | orthonormal")] = None,
    weight_decay: Annotated[
        str | None, _option("weight_decay", "Per unit of time; decoupled, but for adam.", "X")
    ] = None,
    share: Annotated[str | None, _option("share", "Of the questions that the data train.", "X")] = None,
    width: Annotated[str | None, _option("width", "Of a factorised Theta.", "N")] = None,
    init_scale: Annotated[str | None, _option("init_scale", "Entries of Theta, or of its factors.", "X")] = None,
    dimension: Annotated[str | None, _option("dimension", "Of Gaussian embeddings.", "N")] = None,
    time: Annotated[str | None, _option("time", "Flow time for each trained context.", "X")] = None,
    learning_rate: Annotated[str | None, _option("learning_rate", "Step size [default: by choice].", "X")] = None,
    train_pairs: Annotated[str | None, _option("train_pairs", "At most so many pairs of a file.", "N")] = None,
    seeds: Annotated[str | None, _option("seeds", "How many seeds, side by side.", "N")] = None,
    seed: Annotated[str | None, _option("seed", "The first seed.", "N")] = None,
    brief: Annotated[
        bool | None, typer.Option("--brief", help="Only rows of a second or two.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Choices at a time [default: the cores].", metavar="N", min=1, show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write JSON, CSV and a picture here.", show_default=False),
    ] = None,
    limit_memory: Annotated[
        str | None, typer.Option(help="Refuse above this, such as 4GiB [default: the machine's].", metavar="SIZE")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the table.")] = False,
) -> None:
    """Compare choices of loss, parameter space, optimiser and data: which keep the reversal curse, which lift it, why.

    Without a list the whole table; a list of one kind leaves the others as in the baseline.

    Examples:

      reversal remedies

      reversal remedies examples/elements.csv --parameters free,symmetric,factorised

      reversal remedies --data implication --parameters free,factorised --init-scale 0.2 --seeds 10
    """
    given = {k: v for k, v in locals().items() if k in RemedySettings.model_fields and v is not None}
    with friendly_errors():
        settings = RemedySettings.checked(**given)
        limit = None if limit_memory is None else memory_size(limit_memory)
        from validation.output_folder import check_folder
        from validation.remedies.present import remedies_text, write_folder
        from validation.remedies.run import run

        if output is not None:
            check_folder(output)
        with progress_display() as (announce, tell):
            result = run(settings, tell, workers or available_cores(), announce, limit)
        if output is not None:
            write_folder(result, output)
        if as_json:
            print_out(json.dumps(result.as_dict(), ensure_ascii=False, allow_nan=False) + "\n")
        else:
            print_out(remedies_text(result, sys.stdout.isatty()))
    raise typer.Exit(0 if result.verdict in ("holds", "not applicable") else 1)

"""`reversal verify`: derive, integrate, train, compare."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from validation.commands.shared import friendly_errors, memory_size, print_out, progress_display, setting
from validation.settings import VerifySettings


def verify(
    facts: Annotated[
        Path | None,
        typer.Argument(
            help="CSV, TSV or JSON lines: subject, relation, object[, direction, weight]. Without it a built-in task.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[str | None, setting("task", "reversal | chain-of-thought")] = None,
    pairs: Annotated[str | None, setting("pairs", "Built-in task: pairs, or chains.", "N")] = None,
    held_out: Annotated[str | None, setting("held_out", "Built-in: pairs trained one way only.", "N")] = None,
    vocabulary: Annotated[str | None, setting("vocabulary", "Built-in: size, unused tokens included.", "N")] = None,
    model: Annotated[str | None, setting("model", "bilinear | transformer | all")] = None,
    dimension: Annotated[str | None, setting("dimension", "Embedding dimension of the prediction.", "X")] = None,
    train_dimension: Annotated[
        str | None, setting("train_dimension", "Of real training [default: power of two >= 4 N, from 256].", "N")
    ] = None,
    init_scale: Annotated[str | None, setting("init_scale", "Standard deviation of Theta at the start.", "X")] = None,
    time: Annotated[str | None, setting("time", "Flow time of the prediction [default: 50 N].", "X")] = None,
    training_time: Annotated[
        str | None, setting("training_time", "Flow time of real training [default: 10 N].", "X")
    ] = None,
    train_pairs: Annotated[str | None, setting("train_pairs", "Real training sees at most so many.", "N")] = None,
    flow_pairs: Annotated[
        str | None, setting("flow_pairs", "The bilinear flow is integrated on at most so many.", "N")
    ] = None,
    learning_rate: Annotated[str | None, setting("learning_rate", "Step size [default: by optimizer].", "X")] = None,
    optimizer: Annotated[str | None, setting("optimizer", "gd | sgd | momentum | adam")] = None,
    order: Annotated[str | None, setting("order", "cyclic | reshuffled | replacement")] = None,
    context: Annotated[str | None, setting("context", "entity | entity+relation")] = None,
    seeds: Annotated[str | None, setting("seeds", "How many seeds, side by side.", "N")] = None,
    seed: Annotated[str | None, setting("seed", "The first seed.", "N")] = None,
    limit_memory: Annotated[
        str | None, typer.Option(help="Refuse above this, such as 4GiB [default: the machine's].", metavar="SIZE")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write JSON, CSV and pictures here.", show_default=False)
    ] = None,
) -> None:
    """Derive every law, integrate it, train real networks, compare, and judge claim by claim.

    Examples:

      reversal verify examples/elements.csv

      reversal verify --pairs 10 --vocabulary 100 --dimension 1e14 --init-scale 0 --time 1e6 --json

      reversal verify examples/chains.csv --task chain-of-thought --seeds 5 --output chains-report
    """
    # torch, SymPy and Matplotlib take seconds to load: not for --help, a misspelt option or a bad setting
    options = {k: v for k, v in locals().items() if k in VerifySettings.model_fields and v is not None}
    with friendly_errors():
        settings = VerifySettings.checked(**options)
        limit = None if limit_memory is None else memory_size(limit_memory)
        from validation.output_folder import check_folder
        from validation.present import report_text, write_folder
        from validation.verify import verify as run_verify

        if output is not None:
            check_folder(output)
        with progress_display() as (announce, tell):
            result = run_verify(settings, tell, limit, announce)
        document = result.as_dict() if as_json or output is not None else {}
        if output is not None:
            write_folder(result, document, output)
        if as_json:
            print_out(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            print_out(report_text(result, sys.stdout.isatty()))
    raise typer.Exit(0 if result.verdict in ("holds", "not applicable") else 1)

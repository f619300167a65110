"""`reversal check`: theorems on a task, with their assumptions, proofs and constants."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from validation.check_settings import CheckSettings
from validation.commands.shared import friendly_errors, memory_size, print_out, progress_display, setting
from validation.settings import SettingsError


def _number(name: str, text: str, kind: str = "X") -> Any:
    """A number among the settings of `check`."""
    return setting(name, text, kind, CheckSettings)


def check(
    facts: Annotated[
        Path | None,
        typer.Argument(
            help="CSV, TSV or JSON lines: subject, relation, object[, direction, weight]. Without it a built-in task.",
            show_default=False,
        ),
    ] = None,
    theorem: Annotated[
        str | None,
        typer.Option(
            help="1 | 2 | 3 | 4, with finite-step forms; a name; or all [default: all, or those of --from].",
            metavar="NAME",
        ),
    ] = None,
    pairs: Annotated[str | None, _number("pairs", "Built-in task: pairs, or chains.", "N")] = None,
    vocabulary: Annotated[str | None, _number("vocabulary", "Built-in: size, unused tokens included.", "N")] = None,
    dimension: Annotated[str | None, _number("dimension", "Embedding dimension [default: a certified one].")] = None,
    init_scale: Annotated[str | None, _number("init_scale", "Standard deviation of Theta at the start.")] = None,
    epsilon: Annotated[
        str | None, _number("epsilon", "Exponent of Theorem 1; the a of p >= 1 - a of Theorems 3 and 4.")
    ] = None,
    delta: Annotated[str | None, _number("delta", "Theorems 1 and 2 hold with probability 1 - delta.")] = None,
    loss_target: Annotated[str | None, _number("loss_target", "Training loss c of Theorem 2, in nats.")] = None,
    reversal_floor: Annotated[
        str | None, _number("reversal_floor", "Reversal loss C of Theorem 2, in nats [default: log(m/2)].")
    ] = None,
    learning_rate: Annotated[
        str | None, _number("learning_rate", "Step size [default: 1; for gradient descent N/2].")
    ] = None,
    steps: Annotated[
        str | None, _number("steps", "Steps of descent [default: what the theorem's constants say].", "N")
    ] = None,
    draws: Annotated[str | None, _number("draws", "How many draws of embeddings and start are measured.", "N")] = None,
    seed: Annotated[str | None, _number("seed", "The first seed.", "N")] = None,
    from_file: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Your own theorems: a Python file with THEOREM or THEOREMS. It is run as code: only files you trust.",
            metavar="FILE.py",
        ),
    ] = None,
    limit_memory: Annotated[
        str | None, typer.Option(help="Measure nothing above this, such as 4GiB [default: 8GiB].", metavar="SIZE")
    ] = None,
    proofs: Annotated[bool, typer.Option("--proofs", help="List every link of every proof.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="Also write JSON and CSV tables into this new folder.", show_default=False)
    ] = None,
) -> None:
    """Check theorems on a task: every assumption, every link of the proof, and the conclusion, measured.

    Examples:

      reversal check

      reversal check examples/elements.csv --theorem 1 --epsilon 0.05 --proofs

      reversal check --theorem 2 --pairs 5 --vocabulary 40 --dimension 1e14 --json

      reversal check --from examples/own_theorem.py
    """
    options = {k: v for k, v in locals().items() if k in CheckSettings.model_fields and v is not None}
    if from_file is not None:
        options["from"] = from_file
    with friendly_errors():
        if proofs and as_json:
            raise SettingsError("--proofs has no effect with --json, which holds every link; leave it out")
        settings = CheckSettings.checked(**options)
        limit = None if limit_memory is None else memory_size(limit_memory)
        from theory.theorems import THEOREMS
        from validation.check import check as run_check
        from validation.check import chosen_theorems
        from validation.check_present import check_text, write_check_folder
        from validation.measurements import Measurements
        from validation.output_folder import check_folder
        from validation.user_theorem import load_theorems

        if output is not None:
            check_folder(output)
        taken = (*(theorem.id for theorem in THEOREMS), "all")
        own = () if settings.theorem_file is None else load_theorems(settings.theorem_file, taken)
        theorems = chosen_theorems(settings, THEOREMS, own)
        with progress_display() as (announce, tell):
            result = run_check(settings, theorems, Measurements(limit), tell, announce)
        document = result.as_dict() if as_json or output is not None else {}
        if output is not None:
            write_check_folder(result, document, output)
        if as_json:
            print_out(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            print_out(check_text(result, sys.stdout.isatty(), proofs))
    raise typer.Exit(0 if result.verdict in ("holds", "not applicable") else 1)

"""The `reversal` command. Exit codes: 0 every applicable claim holds, 1 some claim does not, 2 bad input or option,
3 an error of ours, 130 interrupted. Errors go to standard error, results to standard output.
"""

import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from typer.exceptions import TyperException

import theory
from theory.errors import BadInput
from validation.check_settings import CheckSettings
from validation.settings import SettingsError, VerifySettings

BAD_INPUT, OUR_ERROR, INTERRUPTED = 2, 3, 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
errors = Console(stderr=True)


@app.callback()
def reversal() -> None:
    """Verify the theory of the reversal curse (arXiv 2405.04669): derive, integrate, train, compare."""


@app.command("version")
def show_version() -> None:
    """Print the version."""
    typer.echo(theory.__version__)


def _setting(name: str, text: str, kind: str = "", settings: type[BaseModel] = VerifySettings) -> Any:
    """An option that the settings parse and check, so that every problem is found at once and named alike.

    The default shown is the settings' own.
    """
    default = settings.model_fields[name].default
    shown = text if default is None else f"{text} [default: {default:g}]" if kind else f"{text} [default: {default}]"
    return typer.Option(help=shown, metavar=kind or "NAME", show_default=False)


@app.command()
def verify(
    facts: Annotated[
        Path | None,
        typer.Argument(
            help="CSV, TSV or JSON lines: subject, relation, object[, direction, weight]. Without it a built-in task.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[str | None, _setting("task", "reversal | chain-of-thought")] = None,
    pairs: Annotated[str | None, _setting("pairs", "Built-in task: pairs, or chains.", "N")] = None,
    held_out: Annotated[str | None, _setting("held_out", "Built-in: pairs trained one way only.", "N")] = None,
    vocabulary: Annotated[str | None, _setting("vocabulary", "Built-in: size, unused tokens included.", "N")] = None,
    model: Annotated[str | None, _setting("model", "bilinear | transformer | all")] = None,
    dimension: Annotated[str | None, _setting("dimension", "Embedding dimension of the prediction.", "X")] = None,
    train_dimension: Annotated[
        str | None, _setting("train_dimension", "Of real training [default: power of two >= 4 N, from 256].", "N")
    ] = None,
    init_scale: Annotated[str | None, _setting("init_scale", "Standard deviation of Theta at the start.", "X")] = None,
    time: Annotated[str | None, _setting("time", "Flow time of the prediction [default: 50 N].", "X")] = None,
    training_time: Annotated[
        str | None, _setting("training_time", "Flow time of real training [default: 10 N].", "X")
    ] = None,
    train_pairs: Annotated[str | None, _setting("train_pairs", "Real training sees at most so many.", "N")] = None,
    learning_rate: Annotated[str | None, _setting("learning_rate", "Step size [default: by optimizer].", "X")] = None,
    optimizer: Annotated[str | None, _setting("optimizer", "gd | sgd | momentum | adam")] = None,
    order: Annotated[str | None, _setting("order", "cyclic | reshuffled | replacement")] = None,
    context: Annotated[str | None, _setting("context", "entity | entity+relation")] = None,
    seeds: Annotated[str | None, _setting("seeds", "How many seeds, side by side.", "N")] = None,
    seed: Annotated[str | None, _setting("seed", "The first seed.", "N")] = None,
    limit_memory: Annotated[
        str | None, typer.Option(help="Refuse above this, such as 4GiB [default: the machine's].", metavar="SIZE")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="Also write JSON, CSV and pictures into this new folder.", show_default=False)
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
        if as_json:
            print_out(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            print_out(report_text(result, sys.stdout.isatty()))
        if output is not None:
            write_folder(result, document, output)
    raise typer.Exit(0 if result.verdict in ("holds", "not applicable") else 1)


def _number(name: str, text: str, kind: str = "X") -> Any:
    """A number among the settings of `check`."""
    return _setting(name, text, kind, CheckSettings)


@app.command()
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
    dimension: Annotated[
        str | None, _number("dimension", "Embedding dimension [default: the smallest certified one].")
    ] = None,
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
        if as_json:
            print_out(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            print_out(check_text(result, sys.stdout.isatty(), proofs))
        if output is not None:
            write_check_folder(result, document, output)
    raise typer.Exit(0 if result.verdict in ("holds", "not applicable") else 1)


def print_out(text: str) -> None:
    """Write to standard output; a reader that has seen enough (`| head`) changes nothing about the exit code."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def memory_size(text: str) -> float:
    """Bytes from `512MiB`, `4GiB`, `2e9` and the like. Raises SettingsError on anything else."""
    units = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "kb": 1e3, "mb": 1e6, "gb": 1e9}
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:[eE][+]?[0-9]+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2].lower() not in units or float(match[1]) <= 0:
        raise SettingsError(f"--limit-memory {text!r}: expected a positive size such as 4GiB, 512MiB or 2e9")
    return float(match[1]) * units[match[2].lower()]


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Bad input is one clear message and exit code 2, never a traceback."""
    try:
        yield
    except BadInput as error:
        complain(str(error))
        raise typer.Exit(BAD_INPUT) from None


def complain(message: str) -> None:
    """One message on standard error, unwrapped, nothing in it read as markup."""
    errors.print(message, style="red", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_display() -> Iterator[tuple[Callable[[str], None], Callable[[str, float], None]]]:
    """Two callbacks: one line before long work, and a bar with stage and time left where somebody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        work = bar.add_task("starting", total=1.0)
        yield (
            lambda line: errors.print(line, highlight=False, soft_wrap=True),
            lambda stage, part: bar.update(work, description=stage, completed=part),
        )


def main() -> None:
    """Run the command line; every way out has its exit code."""
    try:
        code = app(standalone_mode=False) or 0
    except typer.Exit as leaving:
        code = leaving.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except TyperException as error:
        complain(f"{error.format_message()} (see reversal --help)")
        code = BAD_INPUT
    except Exception:
        traceback.print_exc()
        complain("this is an error of ours: please report the lines above")
        code = OUR_ERROR
    if code == INTERRUPTED:
        complain("interrupted; nothing was written")
    sys.exit(code)


if __name__ == "__main__":
    main()

"""The `reversal` command. Exit codes: 0 every applicable claim holds, 1 some claim does not, 2 bad input or option,
3 an error of ours, 130 interrupted. Errors go to standard error, results to standard output.
"""

import json
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from typer.exceptions import TyperException

import theory
from numerics.estimate import TooLarge
from theory.task import TaskError
from validation.fact_file import FactFileError
from validation.present import OutputError, check_folder, show, write_folder
from validation.settings import SettingsError, VerifySettings
from validation.training import TrainingDiverged

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


@app.command()
def verify(
    facts: Annotated[
        Path | None,
        typer.Argument(
            help="CSV, TSV or JSON lines: subject, relation, object[, direction, "
            "weight]. Without it a built-in task is used."
        ),
    ] = None,
    task: Annotated[str, typer.Option(help="reversal | chain-of-thought")] = "reversal",
    pairs: Annotated[int, typer.Option(help="Built-in task: number of pairs, or of chains.")] = 10,
    held_out: Annotated[int, typer.Option(help="Built-in reversal task: pairs trained in one direction only.")] = 1,
    vocabulary: Annotated[
        int | None, typer.Option(help="Built-in task: vocabulary size, unused tokens included.")
    ] = None,
    model: Annotated[str, typer.Option(help="bilinear | transformer | all")] = "all",
    dimension: Annotated[float, typer.Option(help="Embedding dimension of the prediction; 1e14 and the like.")] = 1e8,
    train_dimension: Annotated[
        int | None,
        typer.Option(help="Embedding dimension of real training [default: smallest power of two >= 4 N, from 256]."),
    ] = None,
    init_scale: Annotated[float, typer.Option(help="Standard deviation of the entries of Theta at the start.")] = 0.01,
    time: Annotated[float | None, typer.Option(help="Flow time of the prediction [default: 50 N].")] = None,
    training_time: Annotated[float | None, typer.Option(help="Flow time of real training [default: 10 N].")] = None,
    train_pairs: Annotated[int, typer.Option(help="Real training sees at most this many trained pairs.")] = 512,
    learning_rate: Annotated[float | None, typer.Option(help="Step size [default: by optimizer].")] = None,
    optimizer: Annotated[str, typer.Option(help="gd | sgd | momentum | adam")] = "sgd",
    order: Annotated[str, typer.Option(help="Order of visits: cyclic | reshuffled | replacement")] = "reshuffled",
    context: Annotated[str, typer.Option(help="entity | entity+relation")] = "entity",
    seeds: Annotated[int, typer.Option(help="How many seeds, side by side.")] = 3,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    limit_memory: Annotated[
        str | None, typer.Option(help="Refuse above this, such as 4GiB [default: the machine].")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    output: Annotated[Path | None, typer.Option(help="Also write JSON, CSV and pictures into this new folder.")] = None,
) -> None:
    """Derive every law, integrate it, train real networks, compare, and judge claim by claim.

    Examples:

      reversal verify examples/elements.csv

      reversal verify --pairs 10 --vocabulary 100 --dimension 1e14 --init-scale 0 --time 1e6 --json

      reversal verify examples/chains.csv --task chain-of-thought --seeds 5 --output chains-report
    """
    from validation.verify import TooExpensive
    from validation.verify import verify as run_verify

    options = {k: v for k, v in locals().items() if k in VerifySettings.model_fields}
    with friendly_errors(
        (FactFileError, TaskError, SettingsError, OutputError, TooExpensive, TooLarge, TrainingDiverged)
    ):
        settings = VerifySettings.checked(**options)
        limit = None if limit_memory is None else memory_size(limit_memory)
        if output is not None:
            check_folder(output)
        with progress_display() as tell:
            result = run_verify(settings, tell, limit)
        if output is not None:
            write_folder(result, output)
        if as_json:
            json.dump(result.as_dict(), sys.stdout, ensure_ascii=False, allow_nan=False)
            sys.stdout.write("\n")
        else:
            show(result, Console(width=None if sys.stdout.isatty() else 130))
    raise typer.Exit(0 if result.verdict in ("holds", "not applicable") else 1)


def memory_size(text: str) -> float:
    """Bytes from `512MiB`, `4GiB`, `2e9` and the like. Raises SettingsError on anything else."""
    units = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "kb": 1e3, "mb": 1e6, "gb": 1e9}
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:[eE][+]?[0-9]+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2].lower() not in units or float(match[1]) <= 0:
        raise SettingsError(f"--limit-memory {text!r}: expected a positive size such as 4GiB, 512MiB or 2e9")
    return float(match[1]) * units[match[2].lower()]


@contextmanager
def friendly_errors(expected: tuple[type[Exception], ...]) -> Iterator[None]:
    """Bad input is one clear message and exit code 2, never a traceback."""
    try:
        yield
    except expected as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from None


@contextmanager
def progress_display() -> Iterator[Callable[[str, float], None]]:
    """A progress bar on standard error with the stage and the time left; silent where nobody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        work = bar.add_task("starting", total=1.0)
        yield lambda stage, part: bar.update(work, description=stage, completed=part)


def main() -> None:
    """Run the command line; every way out has its exit code."""
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except typer.Exit as leaving:
        sys.exit(leaving.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        errors.print("interrupted; nothing was written")
        sys.exit(INTERRUPTED)
    except TyperException as error:
        errors.print(f"{error.format_message()} (try `reversal verify --help`)", style="red", markup=False)
        sys.exit(BAD_INPUT)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception:
        traceback.print_exc()
        errors.print("this is an error of ours: please report the lines above", style="bold red")
        sys.exit(OUR_ERROR)


if __name__ == "__main__":
    main()

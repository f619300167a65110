"""The `reversal` command. Exit codes: 0 every applicable claim holds, 1 some claim does not, 2 bad input or option,
3 an error of ours, 130 interrupted. Errors go to standard error, results to standard output.
"""

import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from typer.exceptions import TyperException

import theory
from validation.commands.check import check
from validation.commands.derive import derive
from validation.commands.remedies import remedies
from validation.commands.report import report
from validation.commands.shared import (
    BAD_INPUT,
    INTERRUPTED,
    OUR_ERROR,
    complain,
    told_of_interruption,
    what_was_written,
)
from validation.commands.sweep import sweep
from validation.commands.train import train
from validation.commands.verify import verify

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def reversal() -> None:
    """Verify the theory of the reversal curse (arXiv 2405.04669): derive, integrate, train, compare."""


@app.command("version")
def show_version() -> None:
    """Print the version."""
    typer.echo(theory.__version__)


for command in (verify, check, report, derive, train, remedies, sweep):
    app.command()(command)


def main() -> None:
    """Run the command line; every way out has its exit code."""
    told_of_interruption()  # of an earlier call in this process
    what_was_written()
    with _ended_like_interrupted():
        sys.exit(_run())


@contextmanager
def _ended_like_interrupted() -> Iterator[None]:
    """A request to end (SIGTERM, as batch systems send it) leaves what an interruption leaves, and says so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run() -> int:
    try:
        code = int(app(standalone_mode=False) or 0)
    except typer.Exit as leaving:
        code = leaving.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except TyperException as error:
        command = getattr(getattr(error, "ctx", None), "command_path", "reversal")
        complain(f"{error.format_message()} (see {command} --help)")
        code = BAD_INPUT
    except Exception:
        traceback.print_exc()
        complain("this is an error of ours: please report the lines above")
        code = OUR_ERROR
    if code == INTERRUPTED and not told_of_interruption():
        complain(f"interrupted; {what_was_written()}")
    return code


if __name__ == "__main__":
    main()

"""What the commands share: options that settings parse, errors in one line, progress, standard output."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from theory.counting import duration
from theory.errors import BadInput
from validation.output_folder import folders_made
from validation.settings import SettingsError, VerifySettings

BAD_INPUT, OUR_ERROR, INTERRUPTED = 2, 3, 130
NOTHING = "nothing was written"  # what most commands leave when they are interrupted

LEAST_PART = 0.01  # of the whole that must be done before it tells how long the rest takes

errors = Console(stderr=True)


def setting(name: str, text: str, kind: str = "", settings: type[BaseModel] = VerifySettings) -> Any:
    """An option that the settings parse and check, so that every problem is found at once and named alike.

    The default shown is the settings' own.
    """
    default = settings.model_fields[name].default
    shown = text if default is None else f"{text} [default: {default:g}]" if kind else f"{text} [default: {default}]"
    return typer.Option(help=shown, metavar=kind or "NAME", show_default=False)


def print_out(text: str) -> None:
    """Write to standard output; a reader that has seen enough (`| head`) changes nothing about the exit code.

    Raises BadInput where it cannot be written.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        _drop_output()
        raise BadInput(
            f"standard output: {error.strerror}; the results were not printed (a folder that was asked for is written)"
        ) from None


def _drop_output() -> None:
    """Nothing is left to flush when Python ends."""
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


_told: list[str] = []


@contextmanager
def interrupted_with(left: Callable[[], str]) -> Iterator[None]:
    """Where the block is interrupted, say what that leaves, which `left` finds out then; exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        message = f"interrupted; {left()}"
        complain(message)
        _told.append(message)
        raise typer.Exit(INTERRUPTED) from None


def what_was_written() -> str:
    """Which folders of results this process has completed, since this was asked last."""
    made = ", ".join(map(str, folders_made()))
    return f"the results are complete, in {made}" if made else NOTHING


def told_of_interruption() -> bool:
    """Whether a command has said what its interruption left, since this was asked last."""
    told = bool(_told)
    _told.clear()
    return told


class TimeLeft:
    """How much longer work takes whose parts are told in proportion to the time they take.

    A run that is continued starts with a part that is done; what that took is not counted.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._start: tuple[float, float] | None = None
        self._told: tuple[float, float] | None = None

    def tell(self, part: float) -> None:
        """So much of the whole is done, 0 to 1."""
        self._told = self._now(), part
        self._start = self._start or self._told

    @property
    def seconds(self) -> float | None:
        """Until the end, as far as the part that is done tells; None before."""
        if self._start is None or self._told is None or self._told[1] - self._start[1] < LEAST_PART:
            return None
        (begun, first), (then, part) = self._start, self._told
        return max((then - begun) * (1.0 - part) / (part - first) - (self._now() - then), 0.0)

    def __str__(self) -> str:
        seconds = self.seconds
        return "" if seconds is None else f"about {duration(seconds)} left"


@contextmanager
def progress_display() -> Iterator[tuple[Callable[[str], None], Callable[[str, float], None]]]:
    """Two callbacks: one line before long work, and a bar with stage and time left where somebody looks."""
    left = TimeLeft()

    class LeftColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(str(left))

    def tell(stage: str, part: float) -> None:
        left.tell(part)
        bar.update(work, description=stage, completed=part)

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(), LeftColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        work = bar.add_task("starting", total=1.0)
        yield lambda line: errors.print(line, highlight=False, soft_wrap=True), tell

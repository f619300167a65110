"""How far a sweep is and when it should end: a bar where somebody looks, else a line now and then."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from theory.counting import count_of

LINE_SECONDS = 60.0  # between lines where nobody looks
TIMED = 3  # cells of each worker that are timed before it is said how long a sweep will take
LONG = 90.0  # seconds of expected work from which it is announced


def expected_end(left: float, now: datetime | None = None) -> str:
    """The clock time `left` seconds from now, with the day where that is another one."""
    now = now or datetime.now()
    end = now + timedelta(seconds=left)
    return end.strftime("%H:%M" if end.date() == now.date() else "%a %d %b %H:%M")


def in_words(seconds: float) -> str:
    """A length of time in its fitting unit."""
    for unit, length in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return count_of(round(seconds), "second")


@dataclass
class Ticker:
    """Counts finished cells. `before` of the `total` were finished by an earlier sitting."""

    total: int
    before: int
    workers: int
    console: Console
    bar: Progress
    task: TaskID
    failed: int = 0
    done: int = 0
    seconds: float = 0.0
    started: float = field(default_factory=monotonic)
    said: float = field(default_factory=monotonic)
    announced: bool = False
    warm: float = 0.0  # when the first cell of each worker was done: before that, libraries were loaded

    def finished(self, seconds: float, failed: bool) -> None:
        """One more cell, which took so many seconds of one worker."""
        self.done += 1
        self.failed += failed
        self.seconds += seconds
        if self.done == self.workers:
            self.warm = monotonic()
        line = self.describe()
        self.bar.update(self.task, completed=self.before + self.done, description=line)
        # a few cells say how long it will take; so does the first of each worker where it takes long
        if not self.announced and (self.done >= TIMED * self.workers or monotonic() - self.started > LONG):
            self.announced = True
            if (left := self.left()) > LONG:
                self.say(
                    f"this will take about {in_words(left)} more on {count_of(self.workers, 'worker')}; expected end "
                    f"{expected_end(left)}; to make it shorter: fewer cells, or more --workers or a --cluster"
                )
        if not self.console.is_terminal and monotonic() - self.said > LINE_SECONDS:
            self.said = monotonic()
            self.say(line)

    def left(self) -> float:
        """Seconds until the end, from what cells took in this sitting."""
        since, timed = (self.warm, self.done - self.workers) if self.done > self.workers else (self.started, self.done)
        return (monotonic() - since) / timed * (self.total - self.before - self.done)

    def describe(self) -> str:
        """Cells done and failed, and the expected end."""
        failed = f", {self.failed} failed" if self.failed else ""
        done = f"{self.before + self.done:,} of {count_of(self.total, 'cell')}"
        return f"{done}{failed}; expected end {expected_end(self.left())}"

    def say(self, line: str) -> None:
        """A line on standard error."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def ticking(total: int, before: int, workers: int, console: Console) -> Iterator[Ticker]:
    """A ticker while a sweep runs."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{before:,} of {count_of(total, 'cell')}; starting", total=total, completed=before)
        yield Ticker(total, before, workers, console, bar, task)

"""How far a sweep is and when it should end: a bar where somebody looks, else a line now and then."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import mean
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from theory.counting import count_of, duration
from validation.sweep.cell import Outcome

LINE_SECONDS = 60.0  # between lines where nobody looks
TIMED = 3  # cells of each worker that are timed before it is said how long a sweep will take
LONG = 90.0  # seconds of expected work from which it is announced


def expected_end(left: float, now: datetime | None = None) -> str:
    """The clock time `left` seconds from now, with the day where that is another one."""
    now = now or datetime.now()
    end = now + timedelta(seconds=left)
    return end.strftime("%H:%M" if end.date() == now.date() else "%a %d %b %H:%M")


class Pace:
    """How long the cells that are left will take, from how long others took in the processes that ran them.

    The first cell of a process loads libraries and fills caches: it tells nothing about the others, and counts only
    while there are no others. Cells of an earlier sitting count until TIMED cells of each worker are timed in this one,
    for they may have run on another machine.
    """

    def __init__(self, workers: int, earlier: Iterable[Outcome] = ()) -> None:
        self.workers = workers
        self._seen: set[str] = set()
        self._earlier: list[float] = []
        self._timed: list[float] = []
        self._loading: list[float] = []
        for outcome in sorted(earlier, key=lambda outcome: outcome.started):
            if outcome.host in self._seen:
                self._earlier.append(outcome.seconds)
            self._seen.add(outcome.host)

    def add(self, outcome: Outcome) -> None:
        """One more cell of this sitting."""
        (self._timed if outcome.host in self._seen else self._loading).append(outcome.seconds)
        self._seen.add(outcome.host)

    @property
    def known(self) -> bool:
        """Whether enough cells are timed to say how long the others will take."""
        return len(self._earlier) + len(self._timed) >= TIMED * self.workers

    def left(self, cells: int) -> float | None:
        """Seconds until so many more cells are done; None where nothing is known."""
        timed = self._timed if len(self._timed) >= TIMED * self.workers else [*self._earlier, *self._timed]
        timed = timed or self._loading
        return mean(timed) * cells / min(self.workers, cells) if timed and cells else None


@dataclass
class Ticker:
    """Counts finished cells. `before` of the `total` were finished by an earlier sitting."""

    total: int
    before: int
    pace: Pace
    console: Console
    bar: Progress
    task: TaskID
    failed: int = 0
    done: int = 0
    started: float = field(default_factory=monotonic)
    said: float = field(default_factory=monotonic)
    announced: bool = False

    def finished(self, outcome: Outcome) -> None:
        """One more cell."""
        self.done += 1
        self.failed += outcome.status == "failed"
        self.pace.add(outcome)
        line = self.describe()
        self.bar.update(self.task, completed=self.before + self.done, description=line)
        self.announce()
        if not self.console.is_terminal and monotonic() - self.said > LINE_SECONDS:
            self.said = monotonic()
            self.say(line)

    def announce(self) -> None:
        """Say once how long the rest will take, where that is long, as soon as enough cells are timed."""
        # where a cell itself takes long, the first ones say it
        if self.announced or not (self.pace.known or monotonic() - self.started > LONG):
            return
        left = self.left()
        self.announced = left is not None
        if left is not None and left > LONG:
            self.say(
                f"this will take about {duration(left)} more on {count_of(self.pace.workers, 'worker')}; expected end "
                f"{expected_end(left)}; to make it shorter: fewer cells, or more --workers or a --cluster"
            )

    def left(self) -> float | None:
        """Seconds until the end; None where no cell is timed yet."""
        return self.pace.left(self.total - self.before - self.done)

    def describe(self) -> str:
        """Cells done and failed, and the expected end."""
        failed = f", {self.failed} failed" if self.failed else ""
        left = self.left()
        end = "" if left is None else f"; expected end {expected_end(left)}"
        return f"{self.before + self.done:,} of {count_of(self.total, 'cell')}{failed}{end}"

    def say(self, line: str) -> None:
        """A line on standard error."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def ticking(total: int, earlier: Mapping[str, Outcome], workers: int, console: Console) -> Iterator[Ticker]:
    """A ticker while a sweep runs; `earlier` are the outcomes of earlier sittings."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    before = len(earlier)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{before:,} of {count_of(total, 'cell')}; starting", total=max(total, 1), completed=before)
        yield Ticker(total, before, Pace(workers, earlier.values()), console, bar, task)

"""Every cell run once, on the cores of this machine or on a cluster, whatever happens to the processes that do it.

A process that dies (killed, out of memory) takes the cells down that were being run. Those are run again one at a time,
so that the one at fault is found: a cell that a process dies of DEATHS times while it runs alone has failed.
"""

import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import sleep
from typing import Any, Protocol

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool

from validation.sweep.cell import Cell, Outcome, attempt

DEATHS = 2
WATCH_SECONDS = 1.0

Keep = Callable[[Cell, Outcome], None]


class Pool(Protocol):
    """Processes that run cells."""

    @property
    def workers(self) -> int:
        """How many cells run at once."""

    @property
    def deaths(self) -> tuple[type[Exception], ...]:
        """What is raised where a process died."""

    @property
    def patience(self) -> int:
        """How many deaths, while a cell runs alone, make it fail."""

    def ready(self) -> AbstractContextManager[Any]:
        """joblib's configuration for one round."""

    @property
    def in_flight(self) -> int:
        """How many cells are handed out at a time."""

    @property
    def driver(self) -> int | None:
        """The process without which the others should end; None where they have their own master."""

    def stop(self) -> None:
        """End what still runs, at once: the sweep was interrupted, and a cell may take hours."""


@dataclass(frozen=True)
class LocalPool:
    """Processes of this machine, one thread each, so that what they find does not depend on how many there are."""

    workers: int
    deaths: tuple[type[Exception], ...] = (BrokenProcessPool,)
    patience: int = DEATHS
    driver: int | None = field(default_factory=os.getpid)

    @property
    def in_flight(self) -> int:
        """One for each process: when one dies, these are the cells that it may have run."""
        return self.workers

    @contextmanager
    def ready(self) -> Iterator[None]:
        """A fresh pool where the last one broke."""
        # with n_jobs = 1 joblib would run cells in this process, where a cell that dies takes the sweep along
        with parallel_config("loky", n_jobs=max(self.workers, 2), inner_max_num_threads=1, max_nbytes=None):
            yield

    def stop(self) -> None:
        """Kill them: each would finish its cell first."""
        get_reusable_executor(max_workers=max(self.workers, 2), reuse=True).shutdown(kill_workers=True)


def drive(cells: Sequence[Cell], pool: Pool, keep: Keep) -> None:
    """Run every cell and hand its outcome to `keep`, in this process, in the order of finishing.

    What `keep` raises ends it all, and so does an interruption.
    """
    left = {cell.digest: cell for cell in cells}

    def kept(cell: Cell, outcome: Outcome) -> None:
        keep(cell, outcome)
        del left[cell.digest]

    try:
        while left:
            for suspect in _round(list(left.values()), pool, pool.in_flight, kept):
                _alone(suspect, pool, kept)
    except BaseException:
        pool.stop()
        raise


def _alone(cell: Cell, pool: Pool, keep: Keep) -> None:
    """Run one cell by itself until it is finished or has failed."""
    for _ in range(pool.patience):
        if not _round([cell], pool, 1, keep):
            return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    message = (
        "the process that ran this cell died each time, with no other cell running: it was killed, or out of memory"
    )
    keep(cell, Outcome(cell.digest, "failed", message, {}, 0.0, now, ""))


def _round(cells: Sequence[Cell], pool: Pool, together: int, keep: Keep) -> list[Cell]:
    """Run the cells, `together` at once, until all are done or a process dies: then the cells that it may have run."""
    started: dict[str, Cell] = {}

    def handed_out() -> Iterator[Any]:
        for cell in cells:
            started[cell.digest] = cell
            yield delayed(_work)(cell, pool.driver)

    results: Any = iter(())
    try:
        with pool.ready():
            run = Parallel(return_as="generator_unordered", pre_dispatch=together, batch_size=1)
            results = run(handed_out())
            _collect(results, started, keep)
    except pool.deaths:
        return list(started.values())
    finally:
        if hasattr(results, "close"):
            with warnings.catch_warnings(action="ignore"):  # that it ends early
                results.close()
    return []


def _collect(results: Iterable[Outcome], started: dict[str, Cell], keep: Keep) -> None:
    for outcome in results:
        keep(started[outcome.digest], outcome)
        del started[outcome.digest]


def _work(cell: Cell, driver: int | None) -> Outcome:
    """In a process of the pool: run a cell, and end when the driver does."""
    if driver is not None:
        _end_with(driver)
    return attempt(cell)


_watching: list[threading.Thread] = []


def _end_with(driver: int) -> None:
    """Watch, once in a process, that the driver lives: nobody else would end this process soon if it were killed."""
    if _watching or os.getppid() != driver:
        return

    def watch() -> None:
        while os.getppid() == driver:
            sleep(WATCH_SECONDS)
        os._exit(1)

    _watching.append(threading.Thread(target=watch, daemon=True))
    _watching[0].start()

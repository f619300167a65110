"""Work in a second process: results, progress and errors come back, and nothing is left running."""

import os
import signal
import time
from pathlib import Path

import pytest

from theory.errors import BadInput
from validation.background import Report, background


def double(number: int, report: Report) -> tuple[int, int]:
    """Twice the number, and the process that found it."""
    report("doubling", 0.5)
    return 2 * number, os.getpid()


def refuse(reason: str, report: Report) -> None:
    """Bad input, found late."""
    raise BadInput(reason)


def linger(place: Path, report: Report) -> None:
    """Says where it runs, and does not end by itself."""
    place.write_text(str(os.getpid()))
    report("lingering", 0.1)
    time.sleep(600)


def vanish(report: Report) -> None:
    """As when the system is out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_result_comes_from_another_process() -> None:
    """The result is what the function returned elsewhere, and its progress was heard."""
    told: list[tuple[str, float]] = []
    with background(double, 21) as beside:
        assert beside.progress()[1] in (0.0, 0.5)
        found, process = beside.result(lambda stage, done: told.append((stage, done)))
    assert found == 42
    assert process != os.getpid()
    assert told[-1] == ("doubling", 0.5)


def test_an_error_comes_back_as_it_was() -> None:
    """Bad input stays bad input, with where it was found as a note."""
    with pytest.raises(BadInput, match="row 7") as caught, background(refuse, "row 7") as beside:
        beside.result()
    assert "in refuse" in caught.value.__notes__[0]


def test_a_process_that_is_killed_is_an_error() -> None:
    """No answer is no result, and no endless wait."""
    with pytest.raises(RuntimeError, match="ended without an answer"), background(vanish) as beside:
        beside.result()


def test_leaving_the_block_ends_the_process(tmp_path: Path) -> None:
    """An interruption of the first process ends the second."""
    place = tmp_path / "process"

    def interrupted() -> None:
        with background(linger, place) as beside:
            while beside.progress() != ("lingering", 0.1):
                time.sleep(0.05)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(ProcessLookupError):
        os.kill(int(place.read_text()), 0)

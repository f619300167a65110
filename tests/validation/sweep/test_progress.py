"""How long a sweep will take, said from the cells that are finished."""

import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from validation.sweep.cell import Outcome
from validation.sweep.progress import LONG, TIMED, Pace, ticking

START = datetime(2024, 1, 1, tzinfo=UTC)
LOADING = 60.0  # what the first cell of a process takes longer than the others


def outcomes(seconds: Sequence[float], processes: int = 2, host: str = "now") -> Iterator[Outcome]:
    """Cells as processes finish them in turn, each process first loading its libraries."""
    for n, length in enumerate(seconds):
        started = (START + timedelta(seconds=n)).isoformat()
        loading = LOADING if n < processes else 0.0
        yield Outcome(f"{n:032x}", "ok", "", {}, length + loading, started, f"{host}:{n % processes}")


@given(
    length=st.floats(1e-3, 1e3), workers=st.integers(1, 8), kept=st.integers(0, 100), timed=st.integers(0, 100),
    left=st.integers(1, 10_000),
)  # fmt: skip
def test_equal_cells_take_what_they_take(length: float, workers: int, kept: int, timed: int, left: int) -> None:
    """Cells of one length are promised exactly, whatever loading takes and however many were finished before."""
    pace = Pace(workers, outcomes([length] * kept, workers, "before"))
    for outcome in outcomes([length] * timed, workers):
        pace.add(outcome)
    promised = pace.left(left)
    if max(kept, timed) > workers:
        assert promised == pytest.approx(length * left / min(workers, left))
    else:
        assert promised is None or promised >= length * left / min(workers, left)


def test_a_continued_sweep_promises_what_is_left_from_what_is_known() -> None:
    """500 cells of 0.1 s of which 100 are kept: no minutes are promised, although a minute goes into libraries."""
    said = io.StringIO()
    kept = {outcome.digest: outcome for outcome in outcomes([0.1] * 100, host="before")}
    with ticking(500, kept, 2, Console(file=said, width=200)) as ticker:
        ticker.announce()
        for outcome in outcomes([0.1] * 10):
            ticker.finished(outcome)
        left = ticker.left()
    assert left == pytest.approx(390 * 0.1 / 2)
    assert said.getvalue() == ""


def test_long_work_is_said_as_soon_as_enough_is_known() -> None:
    """A sweep of long cells is announced from the kept ones at once, and without any after TIMED of each worker."""
    for kept in (20, 0):
        said = io.StringIO()
        earlier = {outcome.digest: outcome for outcome in outcomes([30.0] * kept, host="before")}
        with ticking(500, earlier, 2, Console(file=said, width=200)) as ticker:
            ticker.announce()
            for n, outcome in enumerate(outcomes([30.0] * 12)):
                assert bool(said.getvalue()) == (kept > 0 or n >= (TIMED + 1) * 2)
                ticker.finished(outcome)
        assert said.getvalue().startswith("this will take about 2 hours more on 2 workers; expected end ")
        assert len(said.getvalue().splitlines()) == 1
        assert LONG < 30.0 * 480 / 2


def test_other_cells_count_only_until_these_are_timed() -> None:
    """Kept cells of a slower machine no longer count once enough cells are timed on this one."""
    pace = Pace(1, outcomes([100.0] * 50, 1, "before"))
    for outcome in outcomes([1.0] * (TIMED + 1), 1):
        pace.add(outcome)
    assert pace.left(10) == pytest.approx(10.0)

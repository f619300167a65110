"""Cells are run once each, whatever finishes first, fails or dies; nothing of it shows in the table."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import parallel_config

from theory.errors import BadInput
from validation.settings import SettingsError
from validation.sweep import drive as drive_module
from validation.sweep import store as store_module
from validation.sweep.cell import Cell, Outcome, attempt, file_digest
from validation.sweep.design import Design
from validation.sweep.drive import DEATHS, drive
from validation.sweep.kinds import KINDS, Kind
from validation.sweep.run import check_memory, check_same, purpose, run, take_over, write_results
from validation.sweep.spec import Spec
from validation.sweep.store import Store, StoreError
from validation.sweep.table import rows_of, write_tables

SPEC = Spec(kind="separation", seeds=4, settings={"pairs": 2}, grid={"dimension": [100, 1e3, 1e4]})


class Died(BaseException):
    """A process of the pool that is gone, in a pool of threads."""


@dataclass(frozen=True)
class Threads:
    """A pool without processes, so that what is patched here holds there."""

    workers: int = 2
    in_flight: int = 2
    deaths: tuple[type[BaseException], ...] = (Died,)
    patience: int = DEATHS
    driver: None = None

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Threads of this process."""
        with parallel_config("threading", n_jobs=2):
            yield

    def stop(self) -> None:
        """Threads end by themselves."""


def cells_of(number: int) -> tuple[Cell, ...]:
    """Some cells of a kind that is never run."""
    return tuple(Cell("separation", {"dimension": 10.0 + n}, 0) for n in range(number))


def design_of_cells(cells: tuple[Cell, ...], spec: Spec = SPEC) -> Design:
    """A design of given cells."""
    return Design(spec, cells, ("dimension",))


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """Every cell that is run, in order; its record is its dimension squared, and every third one fails."""
    ran: list[Cell] = []

    def found(settings: Mapping[str, Any], seed: int) -> Mapping[str, Any]:
        ran.append(Cell("separation", dict(settings), seed))
        if settings["dimension"] % 3 == 0:
            raise BadInput("divisible\nby three")
        if settings["dimension"] == 10:
            raise ZeroDivisionError("ten")
        return {"square": settings["dimension"] ** 2, "nothing": float("nan"), "infinite": float("inf")}

    monkeypatch.setitem(KINDS, "separation", Kind(lambda settings: settings, found))
    return ran


def test_failures_are_kept_with_their_message(record: list[Cell], tmp_path: Path) -> None:
    """An exception is the message of its cell; bad input says it in its own words, other errors with their type."""
    cells = cells_of(8)
    outcomes: dict[str, Outcome] = {}
    drive(cells, Threads(), lambda cell, outcome: outcomes.update({cell.digest: outcome}))
    rows = rows_of(design_of_cells(cells), outcomes)
    assert sorted(c.digest for c in record) == sorted(c.digest for c in cells)
    assert [row["status"] for row in rows] == ["failed", "ok", "failed", "ok", "ok", "failed", "ok", "ok"]
    assert rows[0]["message"] == "ZeroDivisionError: ten"
    assert rows[2]["message"] == "divisible\nby three"
    assert rows[1] == {
        "dimension": 11.0, "seed": 0, "status": "ok", "message": "", "square": 121.0, "nothing": None, "infinite": None
    }  # fmt: skip
    assert rows[0]["square"] is None


def test_a_full_disk_ends_it_and_it_goes_on_from_there(
    record: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before the disk was full is not done again; the table is that of a sweep without trouble."""
    cells, output = cells_of(12), tmp_path / "out"
    design, store = design_of_cells(cells), Store(tmp_path / "out.unfinished")
    spec = tmp_path / "sweep.toml"
    spec.write_text("x")
    writes = iter(range(100))

    def full(handle: int) -> None:
        if next(writes) == 2 * 5:  # a cell and its folder are flushed: the sixth cell's
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with store.driving():
        done = take_over(store, design, output, resume=False)
        with monkeypatch.context() as patched:
            patched.setattr(store_module.os, "fsync", full)
            with pytest.raises(StoreError, match="No space left on device"):
                run(design, store, done, Threads(), lambda outcome: None)
    with store.driving():
        kept = take_over(store, design, output, resume=True)
        assert len(kept) == 5
        first = len(record)
        outcomes = run(design, store, kept, Threads(), lambda outcome: None)
        assert {c.digest for c in record[first:]} == {c.digest for c in cells} - set(kept)
        assert len(record) - first == 7
        result = write_results(design, store, outcomes, spec, output)
    assert result.failed == 5
    assert result.manifest["counts"] == {"cells": 12, "ok": 7, "failed": 5}
    assert not store.folder.exists()
    assert sorted(path.name for path in output.iterdir()) == [
        "manifest.json", "sweep.toml", "table.csv", "table.parquet", "timings.csv"
    ]  # fmt: skip
    plain = tmp_path / "plain"
    plain.mkdir()
    write_tables(design, {cell.digest: attempt(cell) for cell in cells}, plain)
    for name in ("table.csv", "table.parquet"):
        assert (plain / name).read_bytes() == (output / name).read_bytes()
        assert result.manifest["files"][name] == file_digest(output / name)


def test_a_disk_that_is_full_at_the_end_keeps_every_cell(
    record: list[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the table cannot be written there is no folder, and --resume writes it without running a cell."""
    design, store = design_of_cells(cells_of(5)), Store(tmp_path / "out.unfinished")
    output, spec = tmp_path / "out", tmp_path / "sweep.toml"
    spec.write_text("x")
    with store.driving():
        outcomes = run(design, store, take_over(store, design, output, False), Threads(), lambda outcome: None)

        def full(*arguments: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr("validation.sweep.run.shutil.copyfile", full)
            with pytest.raises(StoreError, match="every cell is kept"):
                write_results(design, store, outcomes, spec, output)
        assert not output.exists()
    with store.driving():
        kept = take_over(store, design, output, resume=True)
        assert kept == outcomes
        write_results(design, store, kept, spec, output)
    assert len(record) == 5


def test_the_cell_that_kills_is_found(record: list[Cell], monkeypatch: pytest.MonkeyPatch) -> None:
    """One cell of which every process dies fails, after DEATHS times alone; every other one is finished."""
    cells = cells_of(20)
    culprit = cells[7].digest
    deaths = []
    work = drive_module._work

    def deadly(cell: Cell, driver: int | None) -> Outcome:
        if cell.digest == culprit:
            deaths.append(cell)
            raise Died
        return work(cell, driver)

    monkeypatch.setattr(drive_module, "_work", deadly)
    outcomes: dict[str, Outcome] = {}

    def keep(cell: Cell, outcome: Outcome) -> None:
        assert cell.digest not in outcomes
        outcomes[cell.digest] = outcome

    drive(cells, Threads(), keep)
    assert set(outcomes) == {cell.digest for cell in cells}
    assert outcomes[culprit].status == "failed"
    assert "died each time, with no other cell running" in outcomes[culprit].message
    assert len(deaths) == 1 + DEATHS
    healthy = [cell for cell in cells if cell.digest != culprit]
    assert all("died" not in outcomes[cell.digest].message for cell in healthy)


OUTCOMES = st.permutations(range(6))
RECORDS = st.lists(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text()),
    ),
    min_size=6,
    max_size=6,
)


@given(OUTCOMES, RECORDS, st.lists(st.booleans(), min_size=6, max_size=6))
def test_the_table_does_not_know_who_finished_first(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], records: list[dict[str, Any]], ok: list[bool]
) -> None:
    """Whatever the records, the order of finishing and the times: the same bytes, one row a cell, readable types."""
    cells = cells_of(6)
    design = design_of_cells(cells)
    folders = []
    for number, sequence in enumerate((range(6), order)):
        found = {
            cells[n].digest: Outcome(
                cells[n].digest, "ok" if ok[n] else "failed", "" if ok[n] else "=no", records[n] if ok[n] else {},
                float(number), str(number), str(number)
            )
            for n in sequence
        }  # fmt: skip
        folder = tmp_path_factory.mktemp("tables")
        write_tables(design, found, folder)
        folders.append(folder)
    for name in ("table.csv", "table.parquet"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert (folders[0] / "timings.csv").read_bytes() != (folders[1] / "timings.csv").read_bytes()
    table = pq.read_table(folders[0] / "table.parquet")
    assert table.num_rows == 6
    assert table.column("dimension").to_pylist() == [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]


def test_another_sweep_is_not_continued(tmp_path: Path) -> None:
    """A change of the design, of a fact file or of a version is named; one of pictures or title does not matter."""
    cells = cells_of(3)
    wanted = purpose(design_of_cells(cells))
    check_same(wanted, wanted)
    titled = SPEC.model_copy(update={"title": "another"})
    check_same(purpose(design_of_cells(cells, titled)), wanted)
    other = Spec(**{**SPEC.model_dump(by_alias=True), "seeds": 5})
    with pytest.raises(StoreError, match=r"seeds: 4 then, 5 now"):
        check_same(purpose(design_of_cells(cells, other)), wanted)
    facts = Design(SPEC, cells, ("dimension",), {"facts.csv": "ab"})
    with pytest.raises(StoreError, match=r"facts\.facts\.csv: nothing then, ab now"):
        check_same(purpose(facts), wanted)
    old = {**wanted, "versions": {**wanted["versions"], "numpy": "1.0"}}
    with pytest.raises(StoreError, match=r"versions\.numpy: 1\.0 then, .* now"):
        check_same(wanted, old)
    with pytest.raises(StoreError, match=r"cells\.count: 3 then, 2 now"):
        check_same(purpose(design_of_cells(cells[:2])), wanted)


def test_cells_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """With the numbers and what to change, before anything runs."""
    cells = (Cell("separation", {"pairs": 100, "vocabulary": 50_000}, 0),)
    with pytest.raises(SettingsError, match=r"3 workers need about .* GiB together.*fewer --workers"):
        check_memory(Design(SPEC, cells, ("pairs", "vocabulary")), 3, 4 * 2.0**30)
    check_memory(design_of_cells(cells_of(3)), 2, 4 * 2.0**30)

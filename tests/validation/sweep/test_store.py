"""Cells on disk: whole or not at all, whatever interrupts a writing; and what is not whole is done again."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from validation.sweep import store as store_module
from validation.sweep.cell import Cell, Outcome
from validation.sweep.store import CELLS, Store, StoreError, unfinished, write_whole

CELL = Cell("separation", {"pairs": 2, "dimension": 1e4}, 3)
OTHER = replace(CELL, seed=4)
OUTCOME = Outcome(
    CELL.digest, "ok", "", {"measured": 1e-13, "certified": None, "note": "=1+1", "good": True}, 0.1, "", ""
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A sweep that has begun."""
    found = Store(tmp_path / "out.unfinished")
    with found.driving():
        found.begin({"format": "x"})
    return found


def test_what_is_kept_comes_back(store: Store) -> None:
    """An outcome is read as it was written, numbers to the last bit."""
    store.keep(CELL, OUTCOME)
    assert store.finished((CELL, OTHER)) == {CELL.digest: OUTCOME}
    assert store.notes == []
    assert store.purpose() == {"format": "x"}


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_full_disk_leaves_what_was_there(step: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step the disk refuses: one clear message, the old cell whole, no draft left, and later it can go on."""
    store.keep(CELL, OUTCOME)

    def full(*arguments: Any, **options: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        if step == "open":
            patched.setattr(store_module, "open", full, raising=False)
        else:
            patched.setattr(store_module.os, step, full)
        for cell in (CELL, OTHER):
            with pytest.raises(StoreError, match=r"No space left on device; finished cells are kept.*--resume"):
                store.keep(cell, replace(OUTCOME, digest=cell.digest, message="new"))
    assert [path.name for path in (store.folder / CELLS).iterdir()] == [f"{CELL.digest}.json"]
    assert store.finished((CELL, OTHER)) == {CELL.digest: OUTCOME}
    store.keep(OTHER, replace(OUTCOME, digest=OTHER.digest))
    assert len(store.finished((CELL, OTHER))) == 2


class Killed(BaseException):
    """What no handler of ours catches, as a kill is caught by none."""


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_kill_while_writing_leaves_no_half_cell(step: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The draft that a kill leaves behind is not read and is removed."""

    def killed(*arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(store_module.os, step, killed)
        with pytest.raises(Killed):
            store.keep(CELL, OUTCOME)
    assert [path.name for path in (store.folder / CELLS).iterdir()] == [f".{CELL.digest}.json.draft"]
    assert store.finished((CELL,)) == {}
    assert list((store.folder / CELLS).iterdir()) == []
    assert store.notes == []


def damages(text: str) -> dict[str, str | bytes]:
    """What may be in a cell's file instead of what was written."""
    document = json.loads(text)
    return {
        "empty": "",
        "cut": text[: len(text) // 2],
        "not text": b"\xff\xfe\x00",
        "a list": "[]",
        "another number": text.replace("1e-13", "2e-13"),
        "another cell": text.replace('"pairs": 2', '"pairs": 3'),
        "no outcome": json.dumps({"cell": document["cell"], "check": document["check"]}),
        "deep": "[" * 100_000,
    }


@pytest.mark.parametrize("damage", list(damages('{"cell": 1, "check": 1}')))
def test_a_damaged_cell_is_removed_and_said(damage: str, store: Store) -> None:
    """Nothing but what `keep` wrote is taken for a finished cell."""
    store.keep(CELL, OUTCOME)
    path = store.folder / CELLS / f"{CELL.digest}.json"
    found = damages(path.read_text())[damage]
    path.write_bytes(found if isinstance(found, bytes) else found.encode())
    assert store.finished((CELL,)) == {}
    assert not path.exists()
    assert len(store.notes) == 1
    assert store.notes[0].endswith("damaged; removed, the cell is done again")


def test_foreign_files_do_not_count(store: Store) -> None:
    """A cell of another sweep and another file under the name of a cell are removed; what is no cell's stays."""
    store.keep(CELL, OUTCOME)
    store.keep(OTHER, replace(OUTCOME, digest=OTHER.digest))
    cells = store.folder / CELLS
    (cells / "notes.txt").write_text("mine")
    (cells / f"{'1' * 32}.json").mkdir()
    (cells / "x.draft").mkdir()
    (cells / "y.draft").write_text("mine")
    (cells / f".{'2' * 32}.json.draft").write_text("of a writing that was killed")
    (cells / f"{'0' * 32}.json").write_bytes((cells / f"{CELL.digest}.json").read_bytes())
    assert list(store.finished((CELL,))) == [CELL.digest]
    assert len(store.notes) == 2
    stays = {f"{'1' * 32}.json", "notes.txt", "x.draft", "y.draft"}
    assert {path.name for path in cells.iterdir()} == {f"{CELL.digest}.json", *stays}
    store.remove_cells((CELL,), store.folder)
    assert {path.name for path in cells.iterdir()} == stays


def test_a_folder_in_the_place_of_a_cell_is_said(store: Store) -> None:
    """It cannot be written over: which one, and what to do."""
    (store.folder / CELLS / f"{CELL.digest}.json").mkdir()
    with pytest.raises(StoreError, match="a folder, where a cell belongs; remove it"):
        store.finished((CELL,))


def test_one_process_drives(store: Store) -> None:
    """A second driver is refused while the first one holds the folder, and let in afterwards."""
    second = Store(store.folder)
    with store.driving(), pytest.raises(StoreError, match="another process drives"), second.driving():
        pass
    with second.driving():
        pass


def test_a_sweep_that_is_not_there_cannot_be_continued(tmp_path: Path) -> None:
    """Nothing, and a damaged purpose: one message each."""
    found = Store(tmp_path / "none.unfinished")
    with pytest.raises(StoreError, match="no unfinished sweep"):
        found.purpose()
    found.folder.mkdir()
    for text in ("{", "[]"):
        (found.folder / "unfinished.json").write_text(text)
        with pytest.raises(StoreError, match="is damaged"):
            found.purpose()


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unfinished sweep lies beside its folder, also for the folder that is just a dot."""
    assert unfinished(tmp_path / "a") == tmp_path / "a.unfinished"
    monkeypatch.chdir(tmp_path)
    assert unfinished(Path()) == tmp_path.with_name(f"{tmp_path.name}.unfinished")
    write_whole(tmp_path / "x", "ä\n")
    assert (tmp_path / "x").read_bytes() == "ä\n".encode()

"""An unfinished sweep on disk: its purpose, and a file for every finished cell, each there whole or not at all.

A cell is written under a temporary name, flushed to the disk and renamed, by the one process that drives the sweep. So
a sweep that is killed at any moment leaves whole cells alone behind, and what is finished is not done again.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from pydantic import TypeAdapter, ValidationError

from theory.errors import BadInput
from validation.sweep.cell import Cell, Outcome, digest_of

CELLS, PURPOSE, LOCK = "cells", "unfinished.json", "lock"
DRAFT = ".draft"
CELL_NAME = re.compile(r"[0-9a-f]{32}\.json")
DRAFT_NAME = re.compile(rf"\.[0-9a-f]{{32}}\.json{re.escape(DRAFT)}")
_OUTCOME = TypeAdapter(Outcome)


class StoreError(BadInput):
    """An unfinished sweep that cannot be written or continued; the message says why and what to do."""


def unfinished(output: Path) -> Path:
    """Where the sweep that will become `output` is kept while it is unfinished."""
    whole = output if output.name else output.resolve()  # "." has no name of its own
    return whole.with_name(f"{whole.name}.unfinished")


def write_whole(path: Path, text: str) -> None:
    """Make `path` hold `text`, in one step that outlasts a loss of power. Raises OSError, and then nothing changed."""
    draft = path.with_name(f".{path.name}{DRAFT}")
    try:
        with open(draft, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """The renaming itself, on the disk; not every system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@dataclass
class Store:
    """The folder of an unfinished sweep. `notes` are lines for a person about files that were not what they should be.

    One process at a time may drive it: `driving` takes hold of it.
    """

    folder: Path
    notes: list[str] = field(default_factory=list)

    @property
    def exists(self) -> bool:
        """Whether there is something to continue."""
        return (self.folder / PURPOSE).is_file()

    @property
    def kept(self) -> int:
        """How many cells are finished, as far as their names tell."""
        return sum(CELL_NAME.fullmatch(path.name) is not None for path in (self.folder / CELLS).glob("*"))

    @contextlib.contextmanager
    def driving(self) -> Iterator[None]:
        """Hold the folder for this process; let go by its end, whatever ends it. Raises StoreError where it is held."""
        try:
            self.folder.mkdir(exist_ok=True)
            file = open(self.folder / LOCK, "w", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise self._refused(error) from None
        with file:
            _hold(file, self.folder)
            yield

    def remove_cells(self, cells: tuple[Cell, ...], folder: Path) -> None:
        """Remove the files of cells where the sweep now lies; what somebody else put beside them stays."""
        for cell in cells:
            with contextlib.suppress(OSError):  # the sweep is whole by now, whatever is left beside it
                (folder / CELLS / f"{cell.digest}.json").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (folder / CELLS).rmdir()

    def begin(self, purpose: Mapping[str, Any]) -> None:
        """Start anew: nothing of an earlier sweep stays. Raises StoreError."""
        try:
            shutil.rmtree(self.folder / CELLS, ignore_errors=True)
            (self.folder / CELLS).mkdir()
            write_whole(self.folder / PURPOSE, json.dumps(purpose, ensure_ascii=False, indent=1) + "\n")
        except OSError as error:
            raise self._refused(error) from None

    def purpose(self) -> dict[str, Any]:
        """What `begin` wrote. Raises StoreError where it is missing or damaged."""
        path = self.folder / PURPOSE
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StoreError(f"--resume: no unfinished sweep at {self.folder}; start it without --resume") from None
        except (OSError, ValueError) as error:
            raise StoreError(f"--resume: {path} is damaged ({error}); remove {self.folder} and start again") from None
        if not isinstance(found, dict):
            raise StoreError(f"--resume: {path} is damaged; remove {self.folder} and start again")
        return found

    def keep(self, cell: Cell, outcome: Outcome) -> None:
        """Write a finished cell. Raises StoreError where the disk refuses; then the cell is not finished."""
        document = {"cell": cell.identity, "outcome": asdict(outcome)}
        # not sorted: the order of a record is that of its columns
        text = json.dumps(document | {"check": digest_of(document)}, ensure_ascii=False, allow_nan=False)
        try:
            write_whole(self._path(cell.digest), text + "\n")
        except OSError as error:
            raise self._refused(error) from None

    def finished(self, cells: tuple[Cell, ...]) -> dict[str, Outcome]:
        """The outcomes that are there, by digest; files that are damaged or no cell of this sweep are removed."""
        known = {cell.digest for cell in cells}
        found: dict[str, Outcome] = {}
        folder = self.folder / CELLS
        try:
            folder.mkdir(exist_ok=True)
            paths = sorted(folder.iterdir())
        except OSError as error:
            raise self._refused(error) from None
        for path in paths:
            if DRAFT_NAME.fullmatch(path.name) and path.is_file():  # of a writing that was killed
                self._remove(path)
            elif not CELL_NAME.fullmatch(path.name):  # somebody else's: none of our business
                continue
            elif path.is_dir():
                if path.stem in known:
                    raise StoreError(f"{path}: a folder, where a cell belongs; remove it and continue with --resume")
            elif (outcome := _read(path)) is None or outcome.digest not in known:
                why = "damaged" if outcome is None else "no cell of this sweep"
                self.notes.append(f"{path}: {why}; removed{', the cell is done again' if outcome is None else ''}")
                self._remove(path)
            else:
                found[outcome.digest] = outcome
        return found

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise self._refused(error) from None

    def _path(self, digest: str) -> Path:
        return self.folder / CELLS / f"{digest}.json"

    def _refused(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self.folder}: {error.strerror}; finished cells are kept: make room or make it writable, and continue "
            "with --resume"
        )


def _read(path: Path) -> Outcome | None:
    """The outcome in a file, None where it is not what `keep` wrote under that name."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        check = document.pop("check")
        if check != digest_of(document) or path.stem != digest_of(document["cell"])[:32]:
            return None
        outcome = _OUTCOME.validate_python(document["outcome"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError):
        return None
    return outcome if outcome.digest == path.stem else None


def _hold(file: IO[str], folder: Path) -> None:
    """A lock that the system lets go when its process ends. Raises StoreError where another process has it."""
    try:
        import fcntl
    except ImportError:  # not on this system
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(f"{folder}: another process drives this sweep; wait for it, or end it first") from None
    except OSError:  # a file system without locks
        return

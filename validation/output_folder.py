"""A folder of results that is made whole or not at all: filled under a temporary name beside it, then renamed."""

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from theory.errors import BadInput


class OutputError(BadInput):
    """An output folder that cannot be written; the message says why and what to do."""


_made: list[Path] = []


def completed(folder: Path) -> None:
    """Remember that a folder of results is whole, for what is said of an interruption later."""
    _made.append(folder)


def folders_made() -> list[Path]:
    """The folders that became complete since this was asked last."""
    made = list(_made)
    _made.clear()
    return made


def check_folder(folder: Path) -> None:
    """Refuse a folder that could not be written whole, before any work is done. Raises OutputError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"--output {folder}: exists and is not an empty folder; choose a new one")
    if not folder.absolute().parent.is_dir():
        raise OutputError(f"--output {folder}: the folder {folder.absolute().parent} does not exist; make it first")
    _draft_of(folder).rmdir()


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A draft to fill; the folder appears complete when the block ends, and not at all when it raises.

    Raises OutputError when the folder exists and is not empty, cannot be made, or the disk refuses.
    """
    check_folder(folder)
    draft = _draft_of(folder)
    try:
        yield draft
        draft.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        os.replace(draft, folder)
        completed(folder)
    except OSError as error:
        raise OutputError(f"--output {folder}: {error.strerror}; nothing was written") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_json(path: Path, document: dict[str, Any]) -> None:
    """One JSON object, readable, ending in a line break."""
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def write_csv(path: Path, rows: Iterable[dict[str, Any]], columns: Sequence[str] | None = None) -> None:
    """A table with its header; without `columns` those of the rows in order of first appearance."""
    rows = list(rows)
    names = list(dict.fromkeys(key for row in rows for key in row)) if columns is None else columns
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=names)
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value: Any) -> Any:
    """Words of a list in one cell, zero without a sign; a name that a spreadsheet would run gets an apostrophe."""
    if isinstance(value, list | tuple):
        value = "; ".join(map(str, value))
    if isinstance(value, float):
        return value + 0.0  # zero has no sign
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _draft_of(folder: Path) -> Path:
    """A new empty folder beside `folder`, to be filled and renamed. Raises OutputError where none can be made."""
    try:
        return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.absolute().parent))
    except OSError as error:
        raise OutputError(f"--output {folder}: {error.strerror}; choose a folder that can be written") from None

"""A cell of a sweep, a pure function of its settings and its seed, and what came of running it."""

import hashlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from theory.errors import BadInput
from validation.result import finite_json
from validation.sweep.kinds import KINDS

Record = dict[str, bool | int | float | str | None]
Status = Literal["ok", "failed"]


def canonical(document: Any) -> str:
    """JSON that is the same for equal documents."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def digest_of(document: Any) -> str:
    """SHA-256 of the canonical JSON, as hexadecimal digits."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Cell:
    """What is run: the kind, the settings that were given, and the seed.

    A file of facts belongs to a cell by its content: `facts_digest`. Where it lies, `facts`, does not.
    """

    kind: str
    settings: Mapping[str, bool | int | float | str]
    seed: int
    facts: Path | None = field(default=None, compare=False)
    facts_digest: str | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """All that the result depends on, JSON-ready."""
        settings = dict(self.settings)
        if self.facts_digest is not None:
            settings["facts"] = self.facts_digest
        return {"kind": self.kind, "settings": settings, "seed": self.seed}

    @cached_property
    def digest(self) -> str:
        """The name of the cell: 32 hexadecimal digits that follow from its identity."""
        return digest_of(self.identity)[:32]

    def describe(self) -> str:
        """The cell in a line for a person."""
        return ", ".join([*(f"{name} = {value}" for name, value in self.settings.items()), f"seed {self.seed}"])


@dataclass(frozen=True)
class Outcome:
    """What came of a cell: its record, or why there is none; and when, where and how long, which no result rests on."""

    digest: str
    status: Status
    message: str
    record: Record
    seconds: float
    started: str
    host: str


def run_cell(cell: Cell) -> Record:
    """The numbers and words of a cell, flat; a number that is not finite is None. Raises what the cell raises."""
    settings: dict[str, Any] = dict(cell.settings)
    if cell.facts is not None:
        try:
            found = file_digest(cell.facts)
        except OSError as error:
            raise BadInput(f"facts {cell.facts}: {error.strerror}") from None
        if found != cell.facts_digest:
            raise BadInput(f"facts {cell.facts}: the file is not what it was when the sweep began")
        settings["facts"] = cell.facts
    return finite_json(dict(KINDS[cell.kind].record(settings, cell.seed)))


def attempt(cell: Cell) -> Outcome:
    """Run a cell; whatever it raises is its message, and fatal to nothing.

    The process should have one thread (the pools see to it): sums of several round in another order.
    """
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), perf_counter()
    status: Status = "ok"
    message, record = "", Record()
    try:
        record = run_cell(cell)
    except BadInput as error:
        status, message = "failed", str(error)
    except Exception as error:
        status, message = "failed", f"{type(error).__name__}: {error}"
    host = f"{socket.gethostname()}:{os.getpid()}"
    return Outcome(cell.digest, status, message, record, perf_counter() - clock, started, host)

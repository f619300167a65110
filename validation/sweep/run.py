"""A whole sweep: what is finished is taken over, the rest is run, and everything is written into one folder."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from theory.counting import count_of
from theory.errors import BadInput
from validation.continuing import differences, refusal
from validation.machine import machine_memory
from validation.output_folder import check_folder, completed, write_json
from validation.result import finite_json, provenance
from validation.settings import SettingsError
from validation.sweep.cell import Cell, Outcome, file_digest
from validation.sweep.cluster import versions
from validation.sweep.design import Design
from validation.sweep.drive import Pool, drive
from validation.sweep.picture import PICTURES, draw_pictures
from validation.sweep.store import CELLS, LOCK, PURPOSE, Store, StoreError
from validation.sweep.table import Row, write_tables

FORMAT = "reversal-sweep/1"
MANIFEST = "manifest.json"
LIBRARIES_BYTES = 0.5 * 2**30  # torch, SymPy and their kin in each process: measured
Finished = Callable[[Outcome], None]


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep: its manifest, which names every file beside it, and the rows of its table."""

    manifest: Mapping[str, Any]
    rows: tuple[Row, ...]

    @property
    def failed(self) -> int:
        """Cells without a result."""
        return int(self.manifest["counts"]["failed"])


def purpose(design: Design) -> dict[str, Any]:
    """What results rest on and a continuation must share: the design, the fact files, and the versions."""
    spec = design.spec.model_dump(mode="json", by_alias=True, exclude={"picture", "title"})
    return {
        "format": FORMAT,
        "spec": spec,
        "facts": dict(design.facts),
        "versions": versions(),
        "cells": {"count": len(design.cells), "digest": design.digest},
    }


def check_memory(design: Design, workers: int, limit: float | None) -> None:
    """Refuse cells that would not fit side by side, before any runs. Raises SettingsError."""
    need = design.kind.memory
    points = {tuple(cell.settings.items()): cell for cell in design.cells}
    shapes: dict[tuple[Any, ...], float] = {}
    if need is not None:
        for cell in points.values():
            settings = dict(cell.settings) | ({} if cell.facts is None else {"facts": cell.facts})
            size = tuple(settings.get(name) for name in SIZES if name in settings)
            if size in shapes:
                continue
            try:
                shapes[size] = need(settings)
            except BadInput:  # the cell itself will say so
                shapes[size] = 0.0
    needed = workers * (LIBRARIES_BYTES + max(shapes.values(), default=0.0))
    allowed = machine_memory() if limit is None else limit
    if needed > allowed:
        raise SettingsError(
            f"{count_of(workers, 'worker needs', 'workers need')} about {needed / 2**30:.3g} GiB together, "
            f"{allowed / 2**30:.3g} GiB are allowed; "
            "choose fewer --workers or smaller cells, or raise --limit-memory"
        )


# Settings that the memory of a cell depends on; others are not looked at, for an estimate may take a second.
SIZES = (
    "facts", "task", "preset", "pairs", "vocabulary", "entity_tokens", "layers", "heads", "width", "batch", "model",
    "train_dimension", "train_pairs", "flow_pairs", "optimizer", "dimension", "parameters", "embeddings", "data",
)  # fmt: skip


def check_same(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Refuse to continue a sweep that was another one. Raises StoreError, which says how they differ."""
    differing = [
        f"{key.removeprefix('spec.')}: {then} then, {now} now" for key, then, now in differences(found, wanted)
    ]
    if len(differing) > 1:  # the cells follow from the rest
        differing = [line for line in differing if not line.startswith("cells.")] or differing
    if differing:
        raise StoreError(refusal("sweep", differing))


def take_over(store: Store, design: Design, output: Path, resume: bool) -> dict[str, Outcome]:
    """Begin a sweep or continue the unfinished one; returns the outcomes that are there. Raises StoreError."""
    check_folder(output)
    wanted = finite_json(purpose(design))
    if not resume:
        if store.exists:
            raise StoreError(
                f"--output {output}: an unfinished sweep lies in {store.folder}; continue with --resume, or remove it"
            )
        store.begin(wanted)
        return {}
    check_same(wanted, store.purpose())
    return store.finished(design.cells)


def run(
    design: Design, store: Store, done: Mapping[str, Outcome], pool: Pool, finished: Finished
) -> dict[str, Outcome]:
    """Run what is not `done`; every outcome is on the disk before `finished` hears of it. Raises StoreError."""
    outcomes = dict(done)

    def keep(cell: Cell, outcome: Outcome) -> None:
        store.keep(cell, outcome)
        outcomes[cell.digest] = outcome
        finished(outcome)

    # in an order that follows from no setting, so that the first cells tell how long the others will take
    left = sorted((cell for cell in design.cells if cell.digest not in done), key=lambda cell: cell.digest)
    drive(left, pool, keep)
    return outcomes


def write_results(
    design: Design, store: Store, outcomes: Mapping[str, Outcome], spec: Path, output: Path
) -> SweepResult:
    """Tables, pictures, the description and the manifest, beside the cells; then the folder becomes `output`.

    Raises StoreError where the disk refuses: then the sweep can be continued, with every cell finished.
    """
    folder = store.folder
    try:
        shutil.rmtree(folder / PICTURES, ignore_errors=True)  # of a writing that failed
        rows = write_tables(design, outcomes, folder)
        shutil.copyfile(spec, folder / "sweep.toml")
        notes = [*store.notes, *draw_pictures(design, rows, folder / PICTURES)]
        files = sorted(path for path in folder.rglob("*") if path.is_file() and _is_result(path, folder))
        manifest = _manifest(design, outcomes, rows, notes)
        manifest["files"] = {path.relative_to(folder).as_posix(): file_digest(path) for path in files}
        write_json(folder / MANIFEST, manifest)
        if output.exists():
            output.rmdir()
        os.replace(folder, output)
        completed(output)
    except OSError as error:
        raise StoreError(
            f"{folder}: {error.strerror}; every cell is kept: make room or make it writable, and continue with --resume"
        ) from None
    store.remove_cells(design.cells, output)  # the table holds them
    for name in (LOCK, PURPOSE):
        (output / name).unlink(missing_ok=True)
    return SweepResult(manifest, tuple(rows))


def _is_result(path: Path, folder: Path) -> bool:
    return path.relative_to(folder).parts[0] not in (CELLS, LOCK, PURPOSE, MANIFEST)


def _manifest(design: Design, outcomes: Mapping[str, Outcome], rows: list[Row], notes: list[str]) -> dict[str, Any]:
    """Everything about the sweep but its numbers."""
    failures = [
        {"row": number, "seed": cell.seed, "settings": dict(cell.settings), "message": outcomes[cell.digest].message}
        for number, cell in enumerate(design.cells, start=1)
        if outcomes[cell.digest].status == "failed"
    ]
    verdicts: dict[str, int] = {}
    for row in rows:
        if isinstance(row.get("verdict"), str):
            verdicts[row["verdict"]] = verdicts.get(row["verdict"], 0) + 1
    same = purpose(design)
    return finite_json(
        {
            "format": FORMAT,
            "title": design.spec.title,
            "settings": design.spec.model_dump(mode="json", by_alias=True),
            "facts": same["facts"],
            "versions": same["versions"],
            "cells": same["cells"],
            "counts": {"cells": len(design.cells), "ok": len(design.cells) - len(failures), "failed": len(failures)},
            "verdict": "some cells failed" if failures else "complete",
            "verdicts": verdicts,
            "failures": failures,
            "columns": list(rows[0]) if rows else [],
            "seconds": sum(outcome.seconds for outcome in outcomes.values()),
            "notes": [*notes, TIMINGS],
            "files": {},
            "provenance": provenance(design.spec.seed),
        }
    )


TIMINGS = (
    "table.csv and table.parquet hold no times: the same cells give the same bytes, in whatever order and on however "
    "many processes they ran; how long each took is in timings.csv"
)

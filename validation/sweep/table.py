"""The table of a sweep: one row a cell in the order of the design, the same bytes whatever order cells finished in.

Timings have a table of their own, since they differ from run to run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from validation.output_folder import write_csv
from validation.sweep.cell import Outcome
from validation.sweep.design import Design

Row = dict[str, Any]
LARGEST_INTEGER = 2**63 - 1


def rows_of(design: Design, outcomes: Mapping[str, Outcome]) -> list[Row]:
    """Settings that were given, seed, status, message, and then the values in order of first appearance.

    Every row has every column; what a cell does not say is None.
    """
    ordered = [(cell, outcomes[cell.digest]) for cell in design.cells]
    fixed = (*design.settings, "seed", "status", "message")
    values = [name for name in dict.fromkeys(n for _, o in ordered for n in o.record) if name not in fixed]
    return [
        {name: cell.settings.get(name) for name in design.settings}
        | {"seed": cell.seed, "status": outcome.status, "message": outcome.message}
        | {name: outcome.record.get(name) for name in values}
        for cell, outcome in ordered
    ]


def timings_of(design: Design, outcomes: Mapping[str, Outcome]) -> list[Row]:
    """When, where and how long each row of the table was worked on: seconds, the start in UTC, host and process."""
    return [
        {"row": row, "cell": cell.digest, "seconds": found.seconds, "started": found.started, "process": found.host}
        for row, cell in enumerate(design.cells, start=1)
        for found in (outcomes[cell.digest],)
    ]


def write_tables(design: Design, outcomes: Mapping[str, Outcome], folder: Path) -> list[Row]:
    """Write `table.csv`, `table.parquet` and `timings.csv`; returns the rows of the table. Raises OSError."""
    rows = rows_of(design, outcomes)
    columns = list(rows[0]) if rows else []
    write_csv(folder / "table.csv", [{name: _plain(value) for name, value in row.items()} for row in rows], columns)
    arrays = [_array([row[name] for row in rows]) for name in columns]
    pq.write_table(pa.Table.from_arrays(arrays, names=columns), folder / "table.parquet")
    write_csv(folder / "timings.csv", timings_of(design, outcomes))
    return rows


def _plain(value: Any) -> Any:
    """Truth values as in TOML and JSON."""
    return str(value).lower() if isinstance(value, bool) else value


def _array(values: Sequence[Any]) -> Any:
    """A column of one type: truth values, integers, floats (also where nothing is known), or else strings."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(abs(value) <= LARGEST_INTEGER for value in values if value is not None):
        return pa.array(values, pa.int64())
    if kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([None if value is None else str(_plain(value)) for value in values], pa.string())

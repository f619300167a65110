"""Pictures of a sweep: theory's lines beside or over the measured cells. Nothing is computed but order statistics.

A picture whose columns are not in the table is left out, with a note: the numbers are worth more than the picture.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Drawing

from validation.report.svg import svg_file
from validation.sweep.design import Design
from validation.sweep.line_picture import draw_lines
from validation.sweep.map_picture import draw_map
from validation.sweep.panel import Panel, label_of
from validation.sweep.spec import Picture
from validation.sweep.table import Row

PICTURES = "pictures"
DPI = 150
MOST_PANELS = 12


def draw_pictures(design: Design, rows: Sequence[Row], folder: Path) -> list[str]:
    """Write each picture of the sweep as SVG and PNG into `folder`; returns a note for each not drawn whole."""
    notes = []
    for name, picture in zip(design.spec.picture_names, design.spec.picture, strict=True):
        if problem := _problem(picture, rows):
            notes.append(f"picture {name} is left out: {problem}")
            continue
        panels: list[Panel] = []
        empty: list[Panel] = []
        for panel in panels_of(picture, rows):
            seen = any(np.isfinite(panel.numbers(column)).any() for column in picture.columns)
            (panels if seen else empty).append(panel)
        if empty:
            notes.append(f"picture {name} has no panel for {'; '.join(p.title for p in empty)}: no cell has a value")
        drawing = draw(picture, panels, design)
        folder.mkdir(exist_ok=True)
        # no dates and no version: the same table gives the same bytes
        (folder / f"{name}.svg").write_text(svg_file(drawing), encoding="utf-8", newline="\n")
        drawing.savefig(folder / f"{name}.png", dpi=DPI, metadata={"Software": None})
    return notes


def draw(picture: Picture, panels: Sequence[Panel], design: Design) -> Drawing:
    """One picture of one or more panels."""
    title = picture.title or design.spec.title
    return draw_lines(picture, panels, title) if picture.form == "lines" else draw_map(picture, panels, title)


def panels_of(picture: Picture, rows: Sequence[Row]) -> Iterator[Panel]:
    """The rows of each value of the facet, in order of appearance."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in picture.facet), []).append(row)
    for values, chosen in found.items():
        named = (f"{label_of(n, picture)} = {_word(v)}" for n, v in zip(picture.facet, values, strict=True))
        yield Panel(", ".join(named), tuple(chosen))


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else f"{value}"


def _problem(picture: Picture, rows: Sequence[Row]) -> str:
    """Why a picture cannot be drawn from this table, empty where it can."""
    columns = rows[0] if rows else {}
    missing = [name for name in picture.columns if name not in columns]
    if missing:
        return f"no column {', '.join(missing)}; the columns are {', '.join(columns)}"
    for name in (*((picture.x,) if picture.form == "lines" else (picture.x, picture.y)), *picture.columns):
        if any(isinstance(row[name], str) for row in rows):
            return f"the column {name} holds words, not numbers"
    first = picture.columns[0]
    if not any(row[first] is not None for row in rows):
        return f"no cell has a value of {first}"
    panels = len({tuple(row[name] for name in picture.facet) for row in rows})
    if panels > MOST_PANELS:
        return f"facet {', '.join(picture.facet)} would make {panels} panels, above {MOST_PANELS}"
    return ""

"""A report as a folder, whole or not at all: page, LaTeX, Markdown, JSON, PDF, and the figures with their numbers."""

import io
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from validation.output_folder import new_folder, write_csv, write_json
from validation.report import html, latex, markdown, pdf
from validation.report.document import Document, Figure
from validation.report.svg import svg_file
from validation.result import finite_json

FORMATS = ("html", "tex", "pdf", "json", "md")
TEXTS = {"html": "index.html", "tex": "report.tex", "md": "report.md"}
DPI = 150


def write_report(document: Document, data: dict[str, Any], folder: Path, formats: Sequence[str]) -> list[str]:
    """Write the `formats` of the report into a new `folder` that appears complete; returns lines for people.

    Always `figures/ID.svg`, `.png`, `.pdf` and `.csv`; by format `index.html`, `report.tex`, `report.pdf` (where a
    program for it is installed), `report.json` (`data`, and under "figures" every plotted number) and `report.md`. The
    same document gives the same bytes, but for `report.pdf`, whose maker may write the date into it.
    Raises ValueError on an unknown format and OutputError when the folder is not new or cannot be written.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise ValueError(f"formats {unknown}: expected some of {', '.join(FORMATS)}")
    notes = []
    texts = _texts(document, formats)
    with ExitStack() as stack:
        draft = stack.enter_context(new_folder(folder))
        # a browser prints the page while the figures are written
        printing = stack.enter_context(pdf.workshop(_sources(texts))) if "pdf" in formats else None
        (draft / "figures").mkdir()
        for figure in document.figures():
            write_figure(figure, draft / "figures")
        for suffix, name in TEXTS.items():
            if suffix in formats:
                _write_text(draft / name, texts[name])
        if "json" in formats:
            write_json(draft / "report.json", finite_json(data | {"figures": _figure_data(document)}))
        if printing is not None:
            notes.append(printing.finish(draft / "figures", draft / "report.pdf"))
    return notes


def _sources(texts: dict[str, str]) -> dict[str, str]:
    """What a PDF is made from."""
    return {name: texts[name] for name in ("index.html", "report.tex")}


def _texts(document: Document, formats: Sequence[str]) -> dict[str, str]:
    """The page, LaTeX and Markdown by file name, where they are asked for; a PDF is made from the first two."""
    renderers: dict[str, Callable[[], str]] = {
        "html": lambda: html.render(document),
        "tex": lambda: latex.render(document, _names(document, "pdf")),
        "md": lambda: markdown.render(document, _names(document, "svg")),
    }
    wanted = {*formats, *(("html", "tex") if "pdf" in formats else ())}
    return {TEXTS[suffix]: render() for suffix, render in renderers.items() if suffix in wanted}


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _names(document: Document, suffix: str) -> dict[str, str]:
    return {figure.id: f"figures/{figure.id}.{suffix}" for figure in document.figures()}


def write_figure(figure: Figure, folder: Path) -> None:
    """One figure as a light picture in three formats, and its numbers."""
    drawing = figure.drawing
    _write_text(folder / f"{figure.id}.svg", svg_file(drawing))
    # no dates and no version: the same drawing gives the same bytes
    for suffix, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
        drawn = io.BytesIO()  # on a full disk a backend that writes by itself dies of something else than that
        drawing.savefig(drawn, format=suffix, dpi=DPI, metadata=metadata)
        (folder / f"{figure.id}.{suffix}").write_bytes(drawn.getvalue())
    columns = figure.data.columns
    write_csv(folder / f"{figure.id}.csv", (dict(zip(columns, row, strict=True)) for row in figure.data.rows), columns)


def _figure_data(document: Document) -> dict[str, Any]:
    return {f.id: {"columns": f.data.columns, "rows": f.data.rows} for f in document.figures()}

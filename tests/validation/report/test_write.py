"""The folder of a report: all its files or none, the same bytes each time, tables safe for spreadsheets."""

import csv
import json
from pathlib import Path

import pytest

from tests.validation.report.example import HOSTILE, example
from validation.output_folder import OutputError
from validation.report import pdf
from validation.report.write import write_report

TEXTS = ("html", "tex", "json", "md")


def files(folder: Path) -> dict[str, bytes]:
    """Every file below the folder with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_same_document_same_bytes(tmp_path: Path) -> None:
    """Two reports of one document agree byte for byte and hold the files of their formats, figures and numbers."""
    for name in ("one", "two"):
        assert write_report(example(), {"verify": {"p": float("nan")}}, tmp_path / name, TEXTS) == []
    assert files(tmp_path / "one") == files(tmp_path / "two")
    figures = [f"figures/loss.{suffix}" for suffix in ("csv", "pdf", "png", "svg")]
    assert list(files(tmp_path / "one")) == [*figures, "index.html", "report.json", "report.md", "report.tex"]


def test_json_repeats_every_plotted_number(tmp_path: Path) -> None:
    """`report.json` holds the data that were passed and each figure's rows, with null for what is not finite."""
    write_report(example(), {"verify": {"p": float("nan"), "q": 1}}, tmp_path / "report", ["json"])
    found = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert found["verify"] == {"p": None, "q": 1}
    assert found["figures"]["loss"] == {"columns": ["name", "time", "loss"], "rows": [[n, 1.0, None] for n in HOSTILE]}
    assert not (tmp_path / "report" / "index.html").exists()


def test_csv_holds_no_formula(tmp_path: Path) -> None:
    """No cell of a figure's table begins as a formula would; every row has its three cells."""
    write_report(example(), {}, tmp_path / "report", [])
    with (tmp_path / "report" / "figures" / "loss.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["name", "time", "loss"]
    assert len(rows) == len(HOSTILE) + 1
    assert {len(row) for row in rows} == {3}
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_nothing_is_left_where_a_report_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error half-way leaves no folder and no draft; an unknown format and a used folder are refused."""

    def fail(workshop: pdf.Workshop, figures: Path, target: Path) -> str:
        raise RuntimeError(target)

    monkeypatch.setattr(pdf.Workshop, "finish", fail)
    with pytest.raises(RuntimeError):
        write_report(example(), {}, tmp_path / "report", ["html", "pdf"])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="docx"):
        write_report(example(), {}, tmp_path / "report", ["html", "docx"])
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(OutputError):
        write_report(example(), {}, tmp_path / "used", ["html"])


def program(folder: Path, name: str, script: str) -> None:
    """A stand-in for an installed program."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


PRINTS = """for word in "$@"; do
  case "$word" in --print-to-pdf=*) printf '%%PDF-page' > "${word#--print-to-pdf=}";; esac
done"""
COMPILES = "test -f report.tex && test -f figures/loss.pdf && printf '%%PDF-tex' > report.pdf"


@pytest.mark.parametrize(
    ("programs", "made", "line"),
    [
        ({"chromium": PRINTS}, b"%PDF-page", "report.pdf printed by chromium"),
        ({"chromium": "exit 3", "latexmk": COMPILES, "pdflatex": ""}, b"%PDF-tex", "report.pdf compiled by latexmk"),
        ({"chromium": "exit 0", "latexmk": COMPILES, "pdflatex": ""}, b"%PDF-tex", "report.pdf compiled by latexmk"),
        ({"google-chrome": PRINTS}, b"%PDF-page", "report.pdf printed by google-chrome"),
        (
            {"latexmk": "exit 12", "pdflatex": ""},
            None,
            "no report.pdf: Chromium is not installed; latexmk could not compile report.tex (exit status 12)",
        ),
        ({}, None, "no report.pdf: Chromium is not installed; latexmk with pdflatex is not installed"),
    ],
)
def test_pdf_is_made_by_what_is_installed(
    programs: dict[str, str], made: bytes | None, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The PDF comes from the page, else from LaTeX, and without both the report stands and says why there is none."""
    (tmp_path / "bin").mkdir()
    for name, script in programs.items():
        program(tmp_path / "bin", name, script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert write_report(example(), {}, tmp_path / "report", ["pdf"]) == [line]
    found = files(tmp_path / "report")
    assert found.get("report.pdf") == made
    assert set(found) - {"report.pdf"} == {f"figures/loss.{suffix}" for suffix in ("csv", "pdf", "png", "svg")}


def test_a_program_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that does not end is stopped after the limit, and the line says so."""
    program(tmp_path / "bin", "chromium", "exec /bin/sleep 60")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(pdf, "SECONDS", 1)
    (line,) = write_report(example(), {}, tmp_path / "report", ["pdf"])
    assert "chromium could not print the page within 1 s" in line

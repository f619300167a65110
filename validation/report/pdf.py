"""The PDF of a report: the page printed by Chromium, or the LaTeX file compiled, whichever is installed."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 300


def make(folder: Path) -> str:
    """Write `report.pdf` from `index.html` or `report.tex` of `folder`; a line that says from which, or why not."""
    reasons = []
    for way in (_print_page, _compile):
        done, line = way(folder)
        if done:
            return line
        reasons.append(line)
    return f"no report.pdf: {'; '.join(reasons)}"


def _print_page(folder: Path) -> tuple[bool, str]:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        return False, "Chromium is not installed"
    with TemporaryDirectory() as profile:
        command = [
            browser,
            "--headless=new",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            f"--user-data-dir={profile}",
            # Chromium refuses to run its sandbox as root; the page is our own and its policy lets nothing in
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            "--no-pdf-header-footer",
            f"--print-to-pdf={folder.absolute() / 'report.pdf'}",
            (folder.absolute() / "index.html").as_uri(),
        ]
        failure = _run(command, folder)
    if failure or not _is_pdf(folder / "report.pdf"):
        return False, f"{Path(browser).name} could not print the page{failure}"
    return True, f"report.pdf printed by {Path(browser).name}"


def _compile(folder: Path) -> tuple[bool, str]:
    if shutil.which("latexmk") is None or shutil.which("pdflatex") is None:
        return False, "latexmk with pdflatex is not installed"
    # no shell escape: nothing that the file says can start a program
    command = [
        "latexmk",
        "-norc",
        "-pdf",
        "-interaction=nonstopmode",
        "-halt-on-error",
        "-no-shell-escape",
        "report.tex",
    ]
    failure = _run(command, folder)
    if failure or not _is_pdf(folder / "report.pdf"):
        return False, f"latexmk could not compile report.tex{failure}"
    return True, "report.pdf compiled by latexmk"


def _run(command: list[str], folder: Path) -> str:
    """Empty when the command succeeded, else how it failed."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f" within {SECONDS} s"
    except OSError as error:
        return f" ({error.strerror})"
    return "" if done.returncode == 0 else f" (exit status {done.returncode})"


def _is_pdf(path: Path) -> bool:
    return path.is_file() and path.read_bytes()[:5] == b"%PDF-"

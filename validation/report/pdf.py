"""The PDF of a report: the page printed by Chromium, or the LaTeX file compiled, whichever is installed."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 300


class Workshop:
    """A folder of its own, where the page, the LaTeX file and what their programs leave behind may lie.

    The page is printed in a thread from the start; `finish` compiles the LaTeX file where that did not work.
    """

    def __init__(self, folder: Path, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        self._folder = folder
        self._pool = ThreadPoolExecutor(1)
        self._printed = self._pool.submit(_print_page, folder)
        self._pool.shutdown(wait=False)

    def finish(self, figures: Path, target: Path) -> str:
        """Write the PDF to `target`; a line that says from which it was made, or why there is none."""
        done, line = self._printed.result()
        reasons = [line]
        if not done:
            shutil.copytree(figures, self._folder / "figures")
            done, line = _compile(self._folder)
            reasons.append(line)
        if not done:
            return f"no report.pdf: {'; '.join(reasons)}"
        shutil.copyfile(self._folder / "report.pdf", target)
        return line


@contextmanager
def workshop(texts: Mapping[str, str]) -> Iterator[Workshop]:
    """Begin to make a PDF of `index.html` and `report.tex` (file name to text)."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        yield Workshop(Path(name), texts)


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
            # tags of every letter of a formula are four fifths of the file; the page is the form for screen readers
            "--disable-pdf-tagging",
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

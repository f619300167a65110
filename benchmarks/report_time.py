"""`reversal report`: seconds of each form, and its two costly habits beside the plain way with Matplotlib.

- Formulas: ours become MathML, which the browser sets; the peer is Matplotlib's mathtext, a picture (SVG) a formula.
  Only formulas that mathtext can read are compared.
- Figures: ours are drawn once, in colours that a style sheet changes for a dark page; the peer draws and saves each
  figure twice, once a colour scheme. Both are Matplotlib: what is saved is the second drawing and its layout.
- PDF: Chromium printing the page, which is what a report does first, beside latexmk on the report's own LaTeX.
There is no other program that makes this report: what finding its content takes stands without a ratio, in seconds on
the wall, as other processes take part in it.
"""

import io
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.mathtext import math_to_image

from benchmarks.findings import Absent, Cost, Findings
from benchmarks.rounds import in_turns, ratio_of, seconds_of
from theory.theorems import THEOREMS
from validation.report import html, pdf
from validation.report.build import build
from validation.report.document import Document, Equation, Figure, FigureData, Math, Section
from validation.report.figures import Curve, losses
from validation.report.mathml import mathml
from validation.report.svg import inline_svg, svg_file
from validation.report.write import write_report
from validation.report_run import run_report
from validation.report_settings import FORMATS, ReportSettings

# A small task and the theorem without draws of embeddings; every claim, derivation and figure is there.
PAIRS, VOCABULARY, THEOREM = 5, 20, "theorem-3"
MOST_FORMULAS = 60

# Of the document of a quick run, which derives nothing.
FORMULAS = (
    r"\frac{dS}{dt} = K_{\mathrm{in}} F R K_{\mathrm{out}}",
    r"R = \hat{B} - P",
    r"\log \left(1 + \left(m - 1\right) e^{- z}\right)",
    r"\frac{\eta}{M} \sum_{k=1}^{K} w_k",
)


def measure(quick: bool = False, tell: Callable[[str], None] = lambda _: None) -> Findings:
    """Costs of the report's parts and ratios to the plain ways. `quick` has a few equations and one figure only."""
    findings, rounds = Findings(), 1 if quick else 5
    if quick:
        document, data = _small_document(), {}
    else:
        tell("finding what a report says")
        document, data = _whole_document(findings)
    formulas = readable_formulas(document)[:MOST_FORMULAS]
    tell("formulas")
    seconds = in_turns(
        {"ours": lambda: [mathml(f) for f in formulas], "mathtext": lambda: [picture_of(f) for f in formulas]},
        rounds,
        prepare=mathml.cache_clear,
    )
    case = f"{len(formulas)} formulas of a report"
    peer = "Matplotlib mathtext to SVG"
    findings.ratios.append(ratio_of(seconds["ours"], seconds["mathtext"], case=case, ours="MathML", peer=peer))
    tell("figures")
    figures = list(document.figures())
    seconds = in_turns(
        {"ours": lambda: [drawn_once(f) for f in figures], "twice": lambda: [drawn_twice(f) for f in figures]},
        min(rounds, 3),
        warm=False,
    )
    case = f"{len(figures)} figure{'s' * (len(figures) > 1)} for a light and a dark page"
    peer = "Matplotlib, each drawn twice"
    findings.ratios.append(ratio_of(seconds["ours"], seconds["twice"], case=case, ours="drawn once", peer=peer))
    with TemporaryDirectory() as name:
        folder = Path(name)
        for form in ("html",) if quick else FORMATS:
            tell(f"writing {form}")
            write = lambda form=form: write_report(document, data, folder / form, (form,))  # noqa: E731
            findings.costs.append(
                Cost(f"report: {form}, with figures as SVG, PNG, PDF and CSV", seconds_of(write, time.perf_counter))
            )
        if not quick:
            tell("PDF in two ways")
            _pdf(document, folder, findings)
    return findings


def _whole_document(findings: Findings) -> tuple[Document, dict[str, object]]:
    """The report on a small task, and its data; what they took becomes costs."""
    settings = ReportSettings.checked("html", pairs=PAIRS, vocabulary=VOCABULARY, theorem=THEOREM)
    theorems = [theorem for theorem in THEOREMS if theorem.id == THEOREM]
    found: list[object] = []

    def run() -> None:
        found.append(run_report(settings, theorems, "benchmark", lambda _, __: None, lambda _: None))

    findings.costs.append(
        Cost(f"report, {PAIRS} pairs: derive, integrate, train, check, measure", seconds_of(run, time.perf_counter))
    )
    data = found[0]
    findings.costs.append(
        Cost("report: build the document", seconds_of(lambda: found.append(build(data)), time.perf_counter))
    )
    return found[1], data.as_dict()


def _small_document() -> Document:
    """A few equations and one figure."""
    times = np.geomspace(1.0, 1e4, 40)
    value = 3.0 / (1.0 + times)
    curve = Curve("training loss", "flow", 1, times, value, value, value)
    data = FigureData(("time", "loss"), tuple(zip(times.tolist(), value.tolist(), strict=True)))
    figure = Figure("loss", ("Loss.",), "A falling line.", data, lambda: losses([curve], 3.0))
    equations = tuple(Equation(f"equation-{i}", latex) for i, latex in enumerate(FORMULAS))
    return Document("Benchmark", "", (Section("all", "Equations and a figure", (*equations, figure)),))


def readable_formulas(document: Document) -> list[str]:
    """Every different formula of the document that both MathML and mathtext can hold, in reading order."""
    equations = [block.latex for block in document.blocks() if isinstance(block, Equation)]
    inlines = [piece.latex for piece in document.inlines() if isinstance(piece, Math)]
    return [f for f in dict.fromkeys(inlines + equations) if mathml(f) is not None and picture_of(f) is not None]


def picture_of(latex: str) -> str | None:
    """The formula as SVG by Matplotlib's mathtext, None where that does not know a command."""
    text = io.StringIO()
    try:
        math_to_image(f"${latex}$", text, format="svg")
    except ValueError:
        return None
    return text.getvalue()


def drawn_once(figure: Figure) -> str:
    """One drawing whose colours a page changes."""
    drawing = figure.draw()
    drawing.draw_without_rendering()
    drawing.set_layout_engine("none")
    return inline_svg(drawing, "x-", figure.alternative)


def drawn_twice(figure: Figure) -> tuple[str, str]:
    """A drawing a colour scheme; the second stands for the dark one, which costs the same."""
    first, second = (svg_file(figure.draw()) for _ in range(2))
    return first, second


def _pdf(document: Document, folder: Path, findings: Findings) -> None:
    """Both ways to a PDF, once each: they take long."""
    programs = [next((b for b in pdf.BROWSERS if shutil.which(b)), None), shutil.which("latexmk") and "latexmk"]
    if None in programs or shutil.which("pdflatex") is None:
        findings.absent.append(Absent("PDF by latexmk", "Chromium, or latexmk with pdflatex, is not installed"))
        return
    page, tex, figures = html.render(document), folder / "tex" / "report.tex", folder / "tex" / "figures"

    def printed() -> None:
        with pdf.workshop({"index.html": page}) as shop:
            shop.finish(figures, folder / "printed.pdf")

    def compiled() -> None:
        place = folder / "compiled"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(figures, place / "figures")
        shutil.copyfile(tex, place / "report.tex")
        command = ["latexmk", "-norc", "-pdf", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
        subprocess.run(command, cwd=place, capture_output=True, check=True)

    seconds = in_turns({"ours": printed, "latexmk": compiled}, 2, warm=False, clock=time.perf_counter)
    said = {"case": "PDF of a report", "ours": f"{programs[0]} prints the page", "peer": "latexmk on report.tex"}
    findings.ratios.append(ratio_of(seconds["ours"], seconds["latexmk"], **said))

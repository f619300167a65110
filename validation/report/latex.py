"""A report as a LaTeX file for pdflatex with a plain installation; its equations can be pasted into a paper.

The file is pure ASCII. Text is escaped character by character; of mathematics only what the MathML converter knows
whole is set, as a formula with an unknown command would stop the compilation, and is shown as code otherwise.
"""

import math
import re
from collections.abc import Callable, Mapping
from importlib.resources import files

from validation.report.document import (
    Badge,
    Block,
    Code,
    Document,
    Equation,
    Figure,
    Inline,
    Items,
    Math,
    Number,
    Paragraph,
    Prose,
    Reference,
    Section,
    Strong,
    Table,
)
from validation.report.equation_lines import LINE, aligned, widest_line, width
from validation.report.latex_characters import ascii_only, escape, escape_breakable
from validation.report.mathml import mathml
from validation.report.number import mantissa_and_exponent

HEADINGS = ("section", "subsection", "subsubsection", "paragraph", "subparagraph")
VERDICT_COLORS = frozenset(["holds", "fails", "undecided", "not applicable"])
# A table of thousands of rows is for the CSV files and the page; a paper shows its beginning.
SHOWN_ROWS = 200
PORTRAIT, LANDSCAPE = 100, 158  # characters of a row at \footnotesize between margins of 25 mm on A4
TIGHT = 0.75  # columns that need more than this share of a page leave too little for running text
LONGEST_WORD, WIDEST_FORMULA, WIDEST_TEXT = 14, 34, 90


def render(document: Document, figures: Mapping[str, str]) -> str:
    """The file; `figures` maps the id of every figure to its picture's file name, seen from the folder of the file."""
    preamble = files("validation.report").joinpath("templates", "preamble.tex").read_text(encoding="utf-8")
    title = f"\\title{{{escape(document.title)}\\\\\\large {escape(document.subtitle)}}}\n\\author{{}}\n\\date{{}}\n"
    setup = f"\\hypersetup{{pdftitle={{{ascii_only(document.title)}}}}}\n"
    body = "\n".join(_section(section, 0, figures) for section in document.sections)
    note = ""
    if r"\textsl{" in body or r"\texttt{U+" in body:
        note = (
            "\n\n{\\footnotesize Cyrillic letters are transliterated (ISO~9, slanted); characters that the "
            "fonts lack are named by their code points, as in \\texttt{U+1F600}.}\n"
        )
    return (
        f"{preamble}{setup}{title}\\begin{{document}}\n\\maketitle\n\\tableofcontents\n{note}\n{body}\n"
        "\\end{document}\n"
    )


def label(id: str) -> str:
    """An id as a LaTeX label, where letters, digits and hyphens are safe; others become their code point."""
    return re.sub(r"[^A-Za-z0-9-]", lambda match: f":{ord(match.group()):x}:", id)


# -- blocks --
def _section(section: Section, level: int, figures: Mapping[str, str]) -> str:
    heading = HEADINGS[min(level, len(HEADINGS) - 1)]
    title = f"\\texorpdfstring{{{escape(section.title)}}}{{{ascii_only(section.title)}}}"
    parts = [f"\\{heading}{{{title}}}\\label{{{label(section.id)}}}"]
    parts += [_block(block, figures) for block in section.blocks]
    parts += [_section(below, level + 1, figures) for below in section.sections]
    return "\n\n".join(parts)


def _block(block: Block, figures: Mapping[str, str]) -> str:
    match block:
        case Paragraph():
            return _prose(block.content)
        case Items():
            environment = "enumerate" if block.numbered else "itemize"
            items = "\n".join(rf"\item {_prose(item)}" for item in block.items)
            return f"\\begin{{{environment}}}\n{items}\n\\end{{{environment}}}" if items else ""
        case Equation():
            return _equation(block)
        case Table():
            return _table(block)
        case Figure():
            return _figure(block, figures[block.id])


def _equation(block: Equation) -> str:
    note = f"\n{_prose(block.note)}\n" if block.note else ""
    if not _settable(block.latex):
        return f"\\phantomsection\\label{{{label(block.id)}}}\n{_code(block.latex)}\n{note}"
    formula = aligned(" ".join(block.latex.split()))
    if widest_line(block.latex) > LINE:
        formula = f"\\fitted{{{formula}}}"
    return f"\\begin{{equation}}\\label{{{label(block.id)}}}\n{formula}\n\\end{{equation}}\n{note}"


def _figure(block: Figure, name: str) -> str:
    # one line of a comment: what a reader of the source sees instead of the picture
    alternative = escape(block.alternative)
    return (
        f"\\begin{{picturehere}}\n% {alternative}\n"
        f"\\drawing{{{name}}}\n"
        f"\\caption{{{_prose(block.caption)}}}\\label{{{label(block.id)}}}\n\\end{{picturehere}}"
    )


# -- tables --
def _table(block: Table) -> str:
    shown = block.rows[:SHOWN_ROWS]
    shares, wide = _column_shares(block, shown)
    columns = "".join(
        f"{'R' if column.numeric else 'L'}{{\\dimexpr {share:.4f}\\linewidth-2\\tabcolsep\\relax}}"
        for column, share in zip(block.columns, shares, strict=True)
    )
    head = " & ".join(rf"\textbf{{{_breakable(column.name)}}}" for column in block.columns)
    body = "\n".join(" & ".join(map(_cell, row)) + r" \\" for row in shown)
    rest = len(block.rows) - len(shown)
    caption = _prose(block.caption) + (f" (The first {len(shown)} of {len(block.rows)} rows.)" if rest else "")
    table = (
        f"{{\\footnotesize\n\\begin{{longtable}}{{@{{}}{columns}@{{}}}}\n"
        f"\\caption{{{caption}}}\\label{{{label(block.id)}}}\\\\\n\\toprule\n{head} \\\\\n\\midrule\n\\endfirsthead\n"
        f"\\toprule\n{head} \\\\\n\\midrule\n\\endhead\n\\bottomrule\n\\endfoot\n{body}\n\\end{{longtable}}}}"
    )
    return f"\\begin{{landscape}}\n{table}\n\\end{{landscape}}" if wide else table


def _column_shares(block: Table, rows: tuple[tuple[Prose, ...], ...]) -> tuple[list[float], bool]:
    """The share of the line that each column takes, and whether the table needs a page turned on its side.

    A column gets at least its longest word (a number whole); what is left goes to those with the longest texts.
    """
    texts = [[column.name, *(_plain(row[n]) for row in rows)] for n, column in enumerate(block.columns)]
    least = [
        max(len(w) if column.numeric else min(len(w), LONGEST_WORD) for text in words for w in text.split() or [""]) + 2
        for column, words in zip(block.columns, texts, strict=True)
    ]
    least = [
        max(
            low,
            *(min(width(piece.latex), WIDEST_FORMULA) for row in rows for piece in row[n] if isinstance(piece, Math)),
            0,
        )
        for n, low in enumerate(least)
    ]
    wished = [
        max(low, min(max(map(len, words)), WIDEST_TEXT) + 2) if not column.numeric else low
        for column, low, words in zip(block.columns, least, texts, strict=True)
    ]
    wide = sum(least) > TIGHT * PORTRAIT
    room = LANDSCAPE if wide else PORTRAIT
    if sum(wished) <= room:
        return [w / room for w in wished], wide
    spare, need = max(0, room - sum(least)), sum(wished) - sum(least)
    widths = [low + spare * (w - low) / need if need else low for low, w in zip(least, wished, strict=True)]
    return [w / max(room, sum(widths)) for w in widths], wide


def _plain(content: Prose) -> str:
    """What a cell shows, for its width."""
    return "".join(map(_plain_piece, content))


def _plain_piece(piece: Inline) -> str:
    match piece:
        case str():
            return piece
        case Math():
            return "x" * width(piece.latex)
        case Number():
            mantissa, exponent = mantissa_and_exponent(piece)
            return mantissa if exponent is None else f"{mantissa}x10-{'x' * math.ceil(len(str(exponent)) / 2)}"
        case Badge():
            return piece.word
        case Code() | Strong() | Reference():
            return piece.text


def _cell(content: Prose) -> str:
    return "".join(_inline(piece, _breakable) for piece in content)


# -- inline pieces --
def _prose(content: Prose) -> str:
    return "".join(_inline(piece, _wrapping) for piece in content)


def _inline(piece: Inline, text: Callable[[str], str]) -> str:
    match piece:
        case str():
            return text(piece)
        case Math():
            return f"${' '.join(piece.latex.split())}$" if _settable(piece.latex) else _code(piece.latex)
        case Code():
            return _code(piece.text)
        case Strong():
            return rf"\textbf{{{text(piece.text)}}}"
        case Badge():
            color = piece.word.replace(" ", "") if piece.word in VERDICT_COLORS else "known"
            return rf"\textcolor{{{color}}}{{\textbf{{{piece.word}}}}}"
        case Reference():
            return rf"\hyperref[{label(piece.target)}]{{{text(piece.text)}}}"
        case Number():
            return _number(piece)


def _number(number: Number) -> str:
    mantissa, exponent = mantissa_and_exponent(number)
    if exponent is not None:
        return rf"${mantissa}\times10^{{{exponent}}}$"
    if mantissa in ("", "nan"):
        return mantissa
    return "$" + mantissa.replace("∞", r"\infty") + "$"


def _code(text: str) -> str:
    return rf"\texttt{{{_breakable(text)}}}"


def _breakable(text: str) -> str:
    return escape_breakable(text, LONGEST_WORD)


def _wrapping(text: str) -> str:
    return escape_breakable(text, 2 * LONGEST_WORD)


def _settable(latex: str) -> bool:
    """Whether pdflatex knows every command, and nothing in the formula ends it early."""
    special = re.search("[%#$]", re.sub(r"\\.", "", latex))
    return latex.isascii() and not special and mathml(latex) is not None

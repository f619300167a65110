"""A report as Markdown with tables and dollar mathematics, as GitHub, GitLab, Pandoc and notebooks read it."""

import re
from collections.abc import Mapping

from validation.report.characters import has_right_to_left, visible
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
from validation.report.mathml import mathml
from validation.report.number import mantissa_and_exponent

SHOWN_ROWS = 200
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# An isolate: what is written from right to left leaves the order of the words around it alone.
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"


def render(document: Document, figures: Mapping[str, str]) -> str:
    """The text; `figures` maps the id of every figure to its picture's file name, seen from the folder of the text."""
    parts = [f"# {escape(document.title)}", escape(document.subtitle)]
    parts += [_section(section, 2, figures) for section in document.sections]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: str) -> str:
    """`text` as words of a line: neither markup nor HTML nor mathematics, a link or a cell's border."""
    safe = re.sub(" +", " ", visible(text))
    safe = re.sub("[&<>]", lambda match: _ENTITIES[match.group()], safe)
    safe = re.sub(r"[\\`*_\[\]~$|]", r"\\\g<0>", safe)
    # marks of lists and headings at the start; links without marks, and words that become pictures
    safe = re.sub(r"^( ?)([-+=#]|\d+(?=[.)]))", _at_start, safe)
    safe = re.sub(r":(?=//|[a-z0-9+-]+:)|(?<=www)\.", r"\\\g<0>", safe)
    return f"{_ISOLATE}{safe}{_END_ISOLATE}" if has_right_to_left(text) else safe


def _at_start(match: re.Match[str]) -> str:
    # a digit cannot be escaped: its character reference is no number of a list
    space, mark = match.groups()
    return f"{space}&#{ord(mark[0])};{mark[1:]}" if mark[0].isdigit() else f"{space}\\{mark}"


def _section(section: Section, level: int, figures: Mapping[str, str]) -> str:
    parts = [f"{_anchor(section.id)}\n\n{'#' * min(level, 6)} {escape(section.title)}"]
    parts += [_block(block, figures) for block in section.blocks]
    parts += [_section(below, level + 1, figures) for below in section.sections]
    return "\n\n".join(parts)


def _block(block: Block, figures: Mapping[str, str]) -> str:
    match block:
        case Paragraph():
            return _prose(block.content)
        case Items():
            marks = (f"{n}." for n in range(1, len(block.items) + 1)) if block.numbered else ["-"] * len(block.items)
            return "\n".join(f"{mark} {_prose(item)}" for mark, item in zip(marks, block.items, strict=True))
        case Equation():
            return _equation(block)
        case Table():
            return _table(block)
        case Figure():
            picture = f"![{escape(block.alternative)}]({figures[block.id]})"
            return f"{_anchor(block.id)}\n\n{picture}\n\n{_prose(block.caption)}"


def _equation(block: Equation) -> str:
    formula = _line(block.latex)
    shown = f"$$\n{formula}\n$$" if _settable(formula) else _code(formula)
    return "\n\n".join(filter(None, (_anchor(block.id), shown, _prose(block.note))))


def _table(block: Table) -> str:
    shown = block.rows[:SHOWN_ROWS]
    rest = len(block.rows) - len(shown)
    caption = _prose(block.caption) + (f" (The first {len(shown)} of {len(block.rows)} rows.)" if rest else "")
    lines = [
        _row([escape(column.name) for column in block.columns]),
        _row(["---:" if column.numeric else "---" for column in block.columns]),
        *(_row([_prose(cell, in_cell=True) for cell in row]) for row in shown),
    ]
    return f"{_anchor(block.id)}\n\n{caption}\n\n" + "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _prose(content: Prose, in_cell: bool = False) -> str:
    return "".join(_inline(piece, in_cell) for piece in content)


def _inline(piece: Inline, in_cell: bool) -> str:
    match piece:
        case str():
            return escape(piece)
        case Math():
            formula = _line(piece.latex)
            if not _settable(formula):
                return _code(formula, in_cell)
            return f"${_without_bars(formula) if in_cell else formula}$"
        case Code():
            return _code(piece.text, in_cell)
        case Strong():
            return f"**{escape(piece.text)}**"
        case Badge():
            return f"**{piece.word}**"
        case Reference():
            return f"[{escape(piece.text)}](#{piece.target})"
        case Number():
            mantissa, exponent = mantissa_and_exponent(piece)
            return mantissa if exponent is None else rf"{mantissa}e{exponent:+03d}"


def _code(text: str, in_cell: bool = False) -> str:
    """A code span between more backticks than stand in it anywhere."""
    shown = visible(text).replace("|", "\\|") if in_cell else visible(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    return f"{fence} {shown} {fence}" if "`" in shown else f"{fence}{shown}{fence}"


def _settable(formula: str) -> bool:
    """Whether nothing in the formula ends it early, and all of it is known."""
    return "$" not in formula and "`" not in formula and mathml(formula) is not None


def _line(latex: str) -> str:
    """The formula on one line; < would begin a tag of HTML."""
    return " ".join(latex.replace("<", r"\lt ").replace(">", r"\gt ").split())


def _without_bars(formula: str) -> str:
    """The formula for a cell of a table, which a bar would end."""
    return _line(formula.replace(r"\|", r"\Vert ").replace("|", r"\vert "))


def _anchor(id: str) -> str:
    return f'<a id="{id}"></a>'

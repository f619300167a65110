"""A report as one page of HTML that needs nothing else: no network, no file beside it.

Jinja escapes every string; only MathML and SVG, built here from trees of elements, are taken as markup. A
Content-Security-Policy names the page's one style sheet and one script by their hashes and forbids everything else.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from itertools import count

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from validation.report.characters import has_right_to_left, visible
from validation.report.document import (
    Badge,
    Code,
    Document,
    Equation,
    Figure,
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
from validation.report.equation_lines import aligned, widest_line
from validation.report.mathml import mathml
from validation.report.number import mantissa_and_exponent
from validation.report.svg import inline_svg

# A printed table is for reading: the page and the CSV files hold the rest.
PRINTED_ROWS = 200
LINE = 62  # characters of a formula across a printed page, where MathML is set wider than LaTeX sets it
_KINDS: tuple[type, ...] = (Math, Code, Strong, Badge, Reference, Number, Paragraph, Items, Equation, Table, Figure)


def render(document: Document) -> str:
    """The page, in UTF-8 when written. The same document gives the same text."""
    style, script = _resource("report.css"), _resource("report.js")
    return (
        _environment()
        .get_template("report.html")
        .render(
            document=document,
            labels=_labels(document),
            style=Markup(style),
            script=Markup(script),
            policy=content_security_policy(style, script),
            printed_rows=PRINTED_ROWS,
        )
    )


def content_security_policy(style: str, script: str) -> str:
    """Nothing may load or run but this style sheet, this script, and pictures that the page itself contains."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_sha256(style)}'; script-src '{_sha256(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _resource(name: str) -> str:
    return files("validation.report").joinpath("templates", name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("validation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests |= {kind.__name__.lower(): _is_a(kind) for kind in _KINDS}
    environment.filters |= {
        "visible": visible,
        "has_right_to_left": has_right_to_left,
        "number": _number,
        "mathml": _math,
        "tightness": _tightness,
        "picture": _picture,
        "sort_value": _sort_value,
    }
    return environment


def _is_a(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)


def _math(latex: str, block: bool = False) -> Markup | None:
    found = mathml(aligned(latex, LINE) if block else latex, block, latex)
    return None if found is None else Markup(found)


def _tightness(latex: str) -> str:
    """How much smaller a formula that cannot break is printed, as a class of the style sheet."""
    excess = widest_line(latex, LINE) / LINE
    return "" if excess <= 1 else "wide" if excess <= 1.4 else "wider"


def _number(number: Number) -> Markup:
    mantissa, exponent = (
        part if part is None else str(part).replace("-", "−") for part in mantissa_and_exponent(number)
    )
    if exponent is None:
        return Markup.escape(mantissa)
    return Markup('<span class="number">{} × 10<sup>{}</sup></span>').format(mantissa, exponent)


def _picture(figure: Figure) -> Markup:
    """The figure in the colours of the page, light or dark."""
    return Markup(inline_svg(figure.drawing, f"{figure.id}-", figure.alternative))


def _sort_value(cell: Prose) -> str:
    """The number that a cell sorts by, as JavaScript reads it; empty where the cell has none."""
    values = [piece.value for piece in cell if isinstance(piece, Number) and piece.value is not None]
    return str(float(values[0])).replace("inf", "Infinity") if values else ""


@dataclass(frozen=True)
class _Label:
    """How a part is headed: "2.1" of a section, "Table 3", or the (4) of an equation."""

    text: str
    level: int = 0


def _labels(document: Document) -> dict[str, _Label]:
    """The number of every section, equation, table and figure, in reading order, by id."""
    labels: dict[str, _Label] = {}

    def number(sections: tuple[Section, ...], above: str, level: int) -> None:
        for position, section in enumerate(sections, start=1):
            labels[section.id] = _Label(f"{above}{position}", level)
            number(section.sections, f"{above}{position}.", level + 1)

    number(document.sections, "", 2)
    for kind, pattern in ((Equation, "({})"), (Table, "Table {}"), (Figure, "Figure {}")):
        counter = count(1)
        for block in document.blocks():
            if isinstance(block, kind):
                labels[block.id] = _Label(pattern.format(next(counter)))
    return labels

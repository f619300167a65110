"""A Matplotlib drawing as SVG: the same bytes for the same drawing, and free of what a strict page refuses."""

import io
import re
from dataclasses import asdict
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.figure import Figure as Drawing

from numerics.picture import LIGHT

_XLINK = "{http://www.w3.org/1999/xlink}href"
# Colours that the page's style sheet names, so that one drawing serves a light page and a dark one.
_NAMED = {color: f"var(--picture-{name})" for name, color in asdict(LIGHT).items()}
# Matplotlib says these in a style sheet for every element; they are inherited, so the root may say them.
_LINES = {"stroke-linejoin": "round", "stroke-linecap": "butt"}


def svg_file(drawing: Drawing) -> str:
    """The drawing as a file of its own; no date and no random ids."""
    text = io.StringIO()
    with rc_context({"svg.hashsalt": "reversal", "svg.fonttype": "path"}):
        drawing.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def inline_svg(drawing: Drawing, prefix: str, alternative: str) -> str:
    """The drawing as an `svg` element of a page: a picture to screen readers, its ids begin with `prefix`.

    Styles become attributes and style sheets go, as a Content-Security-Policy forbids them and theirs hold page-wide.
    Colours of the light palette become variables that the page's style sheet sets for light and dark.
    """
    root = ElementTree.fromstring(svg_file(drawing))
    for parent in root.iter():
        parent.tag = parent.tag.rpartition("}")[2]
        parent.attrib = _attributes(parent.attrib, prefix)
        for child in list(parent):
            if child.tag.rpartition("}")[2] in ("style", "metadata"):
                parent.remove(child)
    root.attrib.update(_LINES, role="img", **{"aria-label": alternative})
    return ElementTree.tostring(root, encoding="unicode")


def _attributes(attributes: dict[str, str], prefix: str) -> dict[str, str]:
    """`style` taken apart, links in today's spelling, and every id and reference to one with its prefix."""
    found: dict[str, str] = {}
    for name, value in attributes.items():
        if name == "style":
            parts = (part.partition(":") for part in value.split(";") if part.strip())
            for property, _, setting in parts:
                found[property.strip()] = _NAMED.get(setting.strip(), _prefixed(setting.strip(), prefix))
        elif name == "id":
            found["id"] = f"{prefix}{value}"
        elif name == _XLINK:
            found["href"] = f"#{prefix}{value[1:]}" if value.startswith("#") else value
        else:
            found[name] = _prefixed(value, prefix)
    return found


def _prefixed(value: str, prefix: str) -> str:
    return re.sub(r"url\(#", f"url(#{prefix}", value)

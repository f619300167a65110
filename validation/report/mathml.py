"""LaTeX as presentation MathML that a browser sets itself; what the converter does not know is told, never guessed."""

import re
from functools import lru_cache
from html import unescape
from itertools import pairwise
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element

# Everything else that the converter may build (links, styles) has no place in a formula.
_ELEMENTS = frozenset(
    ["math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "msub", "msup", "msubsup", "munder", "mover", "munderover",
     "mfrac", "msqrt", "mroot", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose"]
)  # fmt: skip
_FORBIDDEN = ("href", "style", "class", "id", "on")
# What stands higher than a letter with indices.
_TALL = frozenset(["mfrac", "mtable", "munder", "munderover", "msqrt", "mroot"])
_LIMITS = frozenset(["∑", "∏", "⋃", "⋂", "max", "min", "sup", "inf", "lim", "argmax", "argmin"])
_UNDER = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}


@lru_cache(maxsize=4096)
def mathml(latex: str, block: bool = False, source: str | None = None) -> str | None:
    """The formula as a `math` element with its LaTeX as annotation; None where it cannot be converted whole.

    `source` is the annotation where `latex` was broken into lines for display.
    """
    bare = re.sub(r"\\.", "", latex)
    if bare.count("{") != bare.count("}"):
        return None
    try:
        # the same lines; the converter knows one of the two names
        root = convert_to_element(latex.replace("{aligned}", "{split}"), display="block" if block else "inline")
    except Exception:  # a malformed formula raises whatever the converter's parser trips over, IndexError among it
        return None
    for element in root.iter():
        element.text = unescape(element.text or "")
        if not _understood(element):
            return None
        _set_names_upright(element)
    for element in list(root.iter()):
        _space_names(element)
    for element in root.iter():
        _place_limits(element)
    for element in root.iter():
        _fit_brackets(element)
    _annotate(root, latex if source is None else source)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _understood(element: ElementTree.Element) -> bool:
    """False of a command that came through as text, and of elements and attributes that do more than set a formula."""
    if element.tag not in _ELEMENTS or any(name.lower().startswith(_FORBIDDEN) for name in element.attrib):
        return False
    return element.tag == "mtext" or not {"\\", "&"} & set(element.text or "")


def _set_names_upright(element: ElementTree.Element) -> None:
    """Names such as softmax are identifiers: as operators they would stand apart from their argument."""
    if element.tag == "mo" and (element.text or "").isalpha() and (element.text or "").isascii():
        element.tag = "mi"


def _space_names(element: ElementTree.Element) -> None:
    """A thin space between a name and the letter it is applied to, as in TeX; a bracket stands close."""
    for place, (name, argument) in reversed(list(enumerate(pairwise(element), 1))):
        word = name.text or ""
        if name.tag == "mi" and len(word) > 1 and word not in _LIMITS and argument.tag not in ("mo", "mspace", "mtext"):
            first = next(leaf for leaf in argument.iter() if not len(leaf))
            if first.tag != "mo":
                element.insert(place, ElementTree.Element("mspace", width="0.1667em"))


def _place_limits(element: ElementTree.Element) -> None:
    """Limits go under and over sums and maxima in a display, beside them in a line, as in TeX."""
    base = element[0] if len(element) else None
    if base is not None and base.text in _LIMITS and element.tag in (*_UNDER, *_UNDER.values()):
        element.tag = _UNDER.get(element.tag, element.tag)
        base.tag = "mo"
        base.set("movablelimits", "true")
        if base.text not in "∑∏⋃⋂":
            base.attrib.update(lspace="0", rspace="0.1667em")


def _fit_brackets(element: ElementTree.Element) -> None:
    """Brackets around a line of letters keep their size: with some fonts stretched ones stand apart from them."""
    if not any(inner.tag in _TALL for inner in element.iter()):
        for bracket in element.findall("mo[@fence='true']"):
            bracket.set("stretchy", "false")


def _annotate(root: ElementTree.Element, latex: str) -> None:
    """Wrap the children of `root` as MathML's pair of presentation and source."""
    semantics = ElementTree.Element("semantics")
    row = ElementTree.SubElement(semantics, "mrow")
    row.extend(list(root))
    annotation = ElementTree.SubElement(semantics, "annotation", encoding="application/x-tex")
    annotation.text = latex
    for child in list(root):
        root.remove(child)
    root.append(semantics)

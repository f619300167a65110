"""Characters of names that no form may pass on raw: controls, line breaks, marks that reorder the text around them."""

import re
import unicodedata

# Embeddings, overrides and isolates: one of them left open turns the order of everything that follows it.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_SPACES = re.compile(r"[\t\n\v\f\r\u0085\u2028\u2029]+")


def visible(text: str) -> str:
    """`text` on one line, with controls, surrogates and reordering marks written out as ⟨U+202E⟩."""
    return "".join(_code(c) if _hidden(c) else c for c in _SPACES.sub(" ", text))


def has_right_to_left(text: str) -> bool:
    """Whether a character of `text` belongs to a script that is written from right to left."""
    return any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text)


def _hidden(character: str) -> bool:
    return character in _REORDERING or unicodedata.category(character) in ("Cc", "Cs")


def _code(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"

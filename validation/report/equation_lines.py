r"""A long display equation as lines: broken before relations, sums and differences that stand in no bracket."""

import re
from dataclasses import dataclass

LINE = 70  # characters that fit in a line of an A4 page at ten points
_TOKEN = re.compile(r"\\(?:begin|end)\s*\{[^}]*\}|\\[A-Za-z]+\*?|\\.|[^\\]", re.DOTALL)
_OPENING = frozenset(["{", "(", "[", r"\left", r"\langle", r"\lfloor", r"\lceil", r"\{"])
_CLOSING = frozenset(["}", ")", "]", r"\right", r"\rangle", r"\rfloor", r"\rceil", r"\}"])
_RELATIONS = frozenset(
    ["=", "<", ">", r"\le", r"\leq", r"\ge", r"\geq", r"\ne", r"\neq", r"\approx", r"\equiv", r"\sim", r"\to",
     r"\Rightarrow", r"\Leftrightarrow", r"\iff", r"\implies"]
)  # fmt: skip
_SIGNS = frozenset(["+", "-"])
_SUMS = frozenset([r"\sum", r"\prod", r"\int", r"\max", r"\min", r"\sup", r"\inf", r"\lim", r"\log"])
# Commands that show nothing themselves; of the others only these are wider than a letter.
_SILENT = frozenset(
    [r"\left", r"\right", r"\displaystyle", r"\mathrm", r"\mathbf", r"\mathbb", r"\mathcal", r"\operatorname", r"\text",
     r"\limits", r"\,", r"\!", "&", "{", "}"]
)  # fmt: skip
_NAMES = frozenset([r"\log", r"\exp", r"\max", r"\min", r"\sup", r"\inf", r"\lim", r"\quad", r"\qquad"])
_SMALL = 0.7  # size of an index against a letter
_INDENT = r"&\quad "


@dataclass(frozen=True)
class _Piece:
    """A run of tokens at whose start a line may break; `relation` when a relation stands there."""

    latex: str
    relation: bool


def width(latex: str) -> int:
    """Roughly how many characters wide a formula is when set: a fraction as its wider half, indices small."""
    tokens = [token for token in _TOKEN.findall(latex) if not token.isspace()]
    wide, position = 0.0, 0
    while position < len(tokens):
        step, position = _next_width(tokens, position)
        wide += step
    return round(wide)


def _next_width(tokens: list[str], position: int) -> tuple[float, int]:
    """The width of the group or command at `position`, with its arguments and indices, and where it ends."""
    if position >= len(tokens):
        return 0.0, position
    token, after = tokens[position], position + 1
    if token == "{":
        wide = 0.0
        while after < len(tokens) and tokens[after] != "}":
            step, after = _next_width(tokens, after)
            wide += step
        return wide, after + 1
    if token in (r"\frac", r"\tfrac", r"\dfrac"):
        upper, after = _next_width(tokens, after)
        lower, after = _next_width(tokens, after)
        return max(upper, lower), after
    if token in ("_", "^"):
        wide, after = _next_width(tokens, after)
        other = 0.0
        if after < len(tokens) and tokens[after] in ("_", "^"):
            other, after = _next_width(tokens, after + 1)
            other *= _SMALL
        return max(_SMALL * wide, other), after
    return _token_width(token), after


def _token_width(token: str) -> float:
    if token in _SILENT or token.startswith((r"\begin", r"\end")):
        return 0.0
    if token in _NAMES:
        return len(token) - 1.0
    # relations and signs stand between spaces
    return 2.0 if token in _RELATIONS | _SIGNS else 1.0


def lines(latex: str, line: int = LINE) -> list[str]:
    """The formula in lines for `aligned`, each with its alignment mark; one that fits or cannot break is alone."""
    pieces = _pieces(latex)
    if width(latex) <= line or len(pieces) < 2:
        return [latex]
    first = next((n for n, piece in enumerate(pieces) if piece.relation and n), None)
    # relations stand under each other where the left side leaves room for one
    if first is None or width("".join(piece.latex for piece in pieces[: first + 1])) > line:
        found, rest, relations = ["&" + pieces[0].latex], pieces[1:], _INDENT
    else:
        left = "".join(piece.latex for piece in pieces[:first])
        found, rest, relations = [f"{left}&{pieces[first].latex}"], pieces[first + 1 :], "&"
    for piece in rest:
        if width(found[-1] + piece.latex) <= line:
            found[-1] += piece.latex
        else:
            # an empty group keeps the sign a binary one
            found.append(f"{relations}{piece.latex}" if piece.relation else f"{_INDENT}{{}}{piece.latex}")
    return [text.strip() for text in found]


def aligned(latex: str, line: int = LINE) -> str:
    """The formula as it is, or as an `aligned` environment of its lines."""
    rows = lines(latex, line)
    return rows[0] if len(rows) == 1 else "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def widest_line(latex: str, line: int = LINE) -> int:
    """The width of the widest of its lines, which may be more than `line` where nothing can break."""
    return max(map(width, lines(latex, line)))


def _pieces(latex: str) -> list[_Piece]:
    r"""The formula cut before every relation and sign outside brackets; whole when it has alignments of its own."""
    depth, start, relation = 0, 0, False
    # whether a term stands before, which a sign would join to the next; and whether an index is to come
    term, index = False, False
    pieces: list[_Piece] = []
    for match in _TOKEN.finditer(latex):
        token = match.group()
        if depth == 0 and token in ("&", r"\\"):
            return [_Piece(latex, False)]
        if depth == 0 and (token in _RELATIONS or (token in _SIGNS and term)):
            pieces.append(_Piece(latex[start : match.start()], relation))
            start, relation = match.start(), token in _RELATIONS
        if depth == 0 and not token.isspace():
            term = term if index or token in ("_", "^") else token not in _RELATIONS | _SIGNS | _SUMS
            index = token in ("_", "^")
        if token in _OPENING or token.startswith(r"\begin"):
            depth += 1
        elif token in _CLOSING or token.startswith(r"\end"):
            depth -= 1
    return [*pieces, _Piece(latex[start:], relation)]

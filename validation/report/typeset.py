"""SymPy's statements as LaTeX that reads like a paper's, and letters in sentences ("h_{k+1}", "eta") as mathematics."""

import re
from typing import Any

from sympy import Expr
from sympy.printing.latex import LatexPrinter

from theory.statement import Identity, Inequality
from validation.report.document import Inline, Math, Prose


class _Printer(LatexPrinter):
    """Presentation only: no rule of mathematics is applied."""

    def _print_transpose(self, expr: Expr) -> str:
        inner = expr.args[0]
        name = self._print(inner)
        return rf"{name}^{{\top}}" if inner.is_Symbol else rf"\left({name}\right)^{{\top}}"

    def _print_Indexed(self, expr: Any) -> str:
        index = ", ".join(self._print(i) for i in expr.indices)
        return rf"{self._print(expr.base)}_{{{index}}}"

    def _print_IndexedBase(self, expr: Any) -> str:
        return self._print_Symbol(expr.label) if expr.label.is_Symbol else str(expr.label)

    def _print_Symbol(self, expr: Any, style: str = "plain") -> str:
        name = str(expr.name)
        if name.endswith("'"):
            return self._print_Symbol(type(expr)(name[:-1]), style) + "'"
        if name == "fresh":  # the index of a sum that the layer norm brings in
            return "n'"
        if len(name) > 1 and name.isalpha() and name == self._plain(name):
            return rf"\mathrm{{{name}}}"
        return super()._print_Symbol(expr, style).replace(r"x^{T}_{q}", r"x_{q}^{\top}")

    def _plain(self, name: str) -> str:
        """How SymPy would write the name: Greek letters come out changed."""
        return str(super()._deal_with_super_sub(name))


def typeset(expr: Expr) -> str:
    """One expression as LaTeX."""
    return str(_Printer({"mul_symbol": None}).doprint(expr))


def statement_latex(statement: Identity | Inequality) -> str:
    """An identity or inequality as one LaTeX formula."""
    if isinstance(statement, Inequality):
        return rf"{typeset(statement.expr)} \ge 0"
    return f"{typeset(statement.lhs)} = {typeset(statement.rhs)}"


def is_trivial(statement: Identity | Inequality) -> bool:
    """Whether SymPy brought both sides to one expression already when they were written down."""
    return isinstance(statement, Identity) and statement.lhs == statement.rhs


# -- letters in sentences --
_GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "lambda"),
    *("mu", "rho", "sigma", "tau", "phi", "omega", "Gamma", "Delta", "Theta"),
)
_RELATIONS = {"<=": r"\le", ">=": r"\ge", "->": r"\to"}
_SCRIPT = r"[_^](?:\{[A-Za-z0-9+\-*, ]+\}|[A-Za-z0-9]+|\+)"
_LETTER = re.compile(
    rf"(?<![\w\\])(?:(?P<base>[A-Za-z]+)(?P<scripts>(?:{_SCRIPT})+)|(?P<greek>{'|'.join(_GREEK)})(?![\w-])"
    r"|(?<=\s)(?P<relation><=|>=|->)(?=\s))"
)


def sentence(text: str) -> Prose:
    """A sentence in plain text with its letters, subscripts and relations as mathematics."""
    pieces: list[Inline] = []
    end = 0
    for found in _LETTER.finditer(text):
        pieces += [text[end : found.start()], Math(_letter(found))]
        end = found.end()
    return tuple(piece for piece in (*pieces, text[end:]) if piece)


def _letter(found: re.Match[str]) -> str:
    if found["relation"]:
        return _RELATIONS[found["relation"]]
    if found["greek"]:
        return f"\\{found['greek']}"
    scripts = []
    for script in re.findall(_SCRIPT, found["scripts"]):
        inner = "\\top" if script == "^T" else script[1:].strip("{}")
        scripts.append(f"{script[0]}{{{inner}}}")
    return _base(found["base"]) + "".join(scripts)


def _base(name: str) -> str:
    if name.endswith("hat") and len(name) == 4:
        return rf"\hat{{{name[0]}}}"
    return f"\\{name}" if name in _GREEK else name if len(name) < 3 else rf"\mathrm{{{name}}}"


def capital(text: str) -> str:
    """With a capital letter, where the text starts with a word and not with a letter or a formula."""
    first = text.split(maxsplit=1)[0].rstrip(",:;") if text.split() else ""
    return text[:1].upper() + text[1:] if len(first) > 1 and first.isalpha() and first not in _GREEK else text


def full_stop(text: str) -> str:
    """With a full stop at its end, unless there is nothing or an end already."""
    return text if not text or text.endswith((".", "?")) else f"{text}."

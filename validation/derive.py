"""`reversal derive`: one law, or all of a model, alone: steps with rule, check and evidence, and what they end in."""

import difflib
from collections.abc import Sequence
from textwrap import wrap

from sympy import Basic, Eq, Ge, Integer, pretty, sstr

from theory.derivation import Derivation, Law, Step
from theory.errors import BadInput
from theory.laws import LAWS, derive_all
from theory.statement import Identity
from validation.report import markdown
from validation.report.derivations import Shown, derivation_section
from validation.report.document import (
    Badge,
    Block,
    Code,
    Document,
    Equation,
    Inline,
    Items,
    Math,
    Paragraph,
    Prose,
    Reference,
    Section,
    Strong,
)
from validation.report.equation_lines import lines
from validation.report.latex import label
from validation.report.latex_characters import escape

FORMATS = ("text", "tex", "md")
ALL = "all"
WIDTH = 110


class UnknownLaw(BadInput):
    """A name that is no law and no model; the message lists those that there are."""


def models() -> dict[str, list[int]]:
    """The models, and parts of the theory, by name: the file that derives them; and the numbers of their laws."""
    found: dict[str, list[int]] = {}
    for number, law in enumerate(LAWS):
        found.setdefault(_file(law), []).append(number)
    return found


def _file(law: Law) -> str:
    return law.derive.__module__.rpartition(".")[2].replace("_", "-")


def chosen(name: str) -> list[Derivation]:
    """The derivations of a model, the one of a law, or all. Raises UnknownLaw with the nearest name.

    A model that is called like one of its laws stands for all of them: they build on each other.
    """
    by_model = models()
    if name in by_model:
        return [LAWS[number].derive() for number in by_model[name]]
    laws = derive_all()
    found = [law for law in laws if name in (law.id, ALL)]
    if found:
        return found
    names = list(dict.fromkeys([*by_model, *(law.id for law in laws), ALL]))
    near = difflib.get_close_matches(name.lower(), names, n=1)
    raise UnknownLaw(
        f"{name}: no law or model of that name; {f'did you mean {near[0]}? ' if near else ''}expected a model "
        f"({', '.join(by_model)}), a law ({', '.join(law.id for law in laws)}), or {ALL}"
    )


def derive_text(derivations: Sequence[Derivation], form: str) -> str:
    """The derivations as `text` for a terminal, `tex` to paste into a paper, or `md`. Raises ValueError on others."""
    if form == "text":
        before: dict[tuple[str, str], str] = {}
        return "\n".join(_text(derivation, before) for derivation in derivations)
    shown: Shown = {}
    sections = tuple(derivation_section(derivation, shown) for derivation in derivations)
    if form == "md":
        title = derivations[0].title if len(derivations) == 1 else "Derivations"
        return markdown.render(Document(title, "", sections), {})
    if form == "tex":
        return "\n\n".join(map(_tex_section, sections)) + "\n"
    raise ValueError(f"form {form!r}: expected one of {', '.join(FORMATS)}")


# -- text --
def _text(derivation: Derivation, before: dict[tuple[str, str], str]) -> str:
    """Title, assumptions, numbered steps with SymPy's two-dimensional formulas; a step that stood `before` is named."""
    out = [f"{derivation.title} ({derivation.id}): {derivation.verdict}, {derivation.evidence}", derivation.reference]
    for assumption in derivation.assumptions:
        out += wrap(assumption, WIDTH, initial_indent="  assumes: ", subsequent_indent="           ")
    for number, step in enumerate(derivation.steps, 1):
        out += ["", *wrap(f"{number}. {step.rule}  [{step.check.verdict}, {step.check.evidence}]", WIDTH)]
        key = (step.rule, step.statement.latex)
        if key in before:
            out.append(f"     as in {before[key]}")
            continue
        before[key] = f"{derivation.id}, step {number}"
        out += ["", *(f"     {line}".rstrip() for line in _formula(step).splitlines())]
    if derivation.statement is not None:
        out += ["", f"the law, in LaTeX: {derivation.statement}"]
    return "\n".join(out) + "\n"


def _formula(step: Step) -> str:
    """In two dimensions where that fits: the relation, else side by side below each other, else in one dimension."""
    statement = step.statement
    identity = isinstance(statement, Identity)
    left, right = (statement.lhs, statement.rhs) if isinstance(statement, Identity) else (statement.expr, Integer(0))
    whole = _two_dimensional((Eq if identity else Ge)(left, right, evaluate=False))
    if whole is not None:
        return whole
    sign = "=" if identity else "≥"
    sides = (_two_dimensional(side) or "\n".join(wrap(sstr(side), WIDTH - 5)) for side in (left, right))
    return f"\n{sign}\n".join(sides)


def _two_dimensional(expr: Basic) -> str | None:
    text = str(pretty(expr, use_unicode=True, wrap_line=False))
    return text if max(map(len, text.splitlines())) <= WIDTH - 5 else None


# -- LaTeX without a preamble --
def _tex_section(section: Section) -> str:
    """A paragraph heading and the steps; needs amsmath and nothing else."""
    head = f"\\paragraph{{{escape(section.title)}}}\\label{{{label(section.id)}}}"
    return "\n\n".join([head, *map(_tex_block, section.blocks)])


def _tex_block(block: Block) -> str:
    match block:
        case Paragraph():
            return _tex_prose(block.content)
        case Items():
            return "\\begin{itemize}\n" + "\n".join(rf"\item {_tex_prose(i)}" for i in block.items) + "\n\\end{itemize}"
        case Equation():
            rows = lines(" ".join(block.latex.split()))
            formula = (
                rows[0]
                if rows == [rows[0].replace("&", "")]
                else "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"
            )
            equation = f"\\begin{{equation}}\\label{{{label(block.id)}}}\n{formula}\n\\end{{equation}}"
            return f"{_tex_prose(block.note)}\n{equation}"
        case _:
            raise TypeError(f"a derivation holds no {type(block).__name__}")


def _tex_prose(content: Prose) -> str:
    return "".join(map(_tex_inline, content))


def _tex_inline(piece: Inline) -> str:
    match piece:
        case str():
            return escape(piece)
        case Math():
            return f"${piece.latex}$"
        case Badge():
            return rf"(\emph{{{piece.word}}})"
        case Strong():
            return rf"\textbf{{{escape(piece.text)}}}"
        case Code():
            return rf"\texttt{{{escape(piece.text)}}}"
        case Reference():
            return rf"{escape(piece.text)}~\eqref{{{label(piece.target)}}}"
        case _:
            return str(piece.value)

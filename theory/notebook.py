"""How derivations, theorems and claims show themselves in a notebook: HTML with dollar mathematics, and LaTeX.

Text is escaped, a dollar sign in it is no mathematics; formulas are LaTeX for the notebook's own MathJax. Nothing is
computed that is not asked for: the links of a theorem are listed, and proved only where it was checked.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theory.claim import Claim, Evidence, Verdict
    from theory.derivation import Derivation
    from theory.theorem import CheckedTheorem, Theorem

# Dark on light and light on dark alike: the words are coloured, never the background.
COLOR = {"holds": "#2e8b57", "fails": "#d0342c", "undecided": "#b8860b", "not applicable": "#808080"}


# -- HTML --
def claim_html(claim: "Claim") -> str:
    """Title, verdict, statement, what it assumes, and the two numbers that were compared."""
    numbers = _compared(claim.measured, claim.bound, claim.standing)
    return (
        f"{_heading(claim.title, claim.verdict, claim.evidence)}{_formula(claim.statement)}"
        f"{_assumed(claim.assumptions)}{_paragraphs(claim.reference, numbers, claim.detail)}"
    )


def derivation_html(derivation: "Derivation") -> str:
    """Assumptions, and each step with its rule and how it is known; checks the steps."""
    steps = "".join(
        f"<li>{_text(step.rule)} {_known(step.check.verdict, step.check.evidence)}{_formula(step.statement.latex)}</li>"
        for step in derivation.steps
    )
    law = "" if derivation.statement is None else f"<p>The law:</p>{_formula(derivation.statement)}"
    return (
        f"{_heading(derivation.title, derivation.verdict, derivation.evidence)}{_paragraphs(derivation.reference)}"
        f"{_assumed(derivation.assumptions)}"
        f"<ol>{steps}</ol>{law}"
    )


def theorem_html(theorem: "Theorem") -> str:
    """Statement, assumptions, conclusion and the links of the proof, none of them checked."""
    assumptions = [(_text(a.id), _math(a.statement)) for a in theorem.assumptions]
    links = [(_text(link.argument), _math(link.statement)) for link in theorem.links]
    return (
        f"<p><strong>{_text(theorem.title)}</strong></p>{_paragraphs(theorem.reference)}{_formula(theorem.statement)}"
        f"{_table(('assumption', 'statement'), assumptions)}"
        f"<p>Conclusion:</p>{_formula(theorem.conclusion.statement)}{_table(('link', 'statement'), links)}"
    )


def checked_theorem_html(checked: "CheckedTheorem") -> str:
    """Verdict, statement, what each assumption required and found, the certificate, and how the links are known."""
    theorem, outcome, certificate = checked.theorem, checked.outcome, checked.certificate
    assumptions = [
        (_text(a.id), _math(a.statement), _text(f.required), _text(f.found), _known(f.verdict, f.evidence))
        for a, f in checked.findings
    ]
    links = [(_text(link.argument), _known(proof.verdict, proof.evidence)) for link, proof in checked.links]
    compared = _compared(outcome.measured, outcome.bound, outcome.standing)
    numbers = {
        "certified exponent": certificate.epsilon,
        "certified dimension": certificate.dimension,
    }
    known = [f"{name} {value:.6g}" for name, value in numbers.items() if value is not None]
    found = "; ".join([compared, *known] if compared else known)
    return (
        f"{_heading(theorem.title, checked.verdict, outcome.evidence)}{_paragraphs(theorem.reference)}"
        f"{_formula(theorem.statement)}{_paragraphs(found, outcome.detail)}"
        f"{_table(('assumption', 'statement', 'required', 'found', 'verdict'), assumptions)}"
        f"{_table(('link', 'known'), links)}"
    )


def _heading(title: str, verdict: "Verdict", evidence: "Evidence") -> str:
    return f"<p><strong>{_text(title)}</strong>: {_known(verdict, evidence)}</p>"


def _compared(measured: float | None, bound: float | None, standing: str) -> str:
    """The number measured, how it stands to its bound, and the bound; what there is of them."""
    words = (("measured", measured), ("bound", bound))
    return f" {standing} ".join(f"{word} {value:.6g}" for word, value in words if value is not None)


def _known(verdict: "Verdict", evidence: "Evidence") -> str:
    how = "" if verdict == "not applicable" else f" ({evidence})"
    return f'<span style="color: {COLOR[verdict]}">{verdict}</span>{how}'


def _assumed(assumptions: Iterable[str]) -> str:
    items = "".join(f"<li>{_text(assumption)}</li>" for assumption in assumptions)
    return f"<p>Assumes:</p><ul>{items}</ul>" if items else ""


def _paragraphs(*texts: str) -> str:
    return "".join(f"<p>{_text(text)}</p>" for text in texts if text)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML already; no table without rows."""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    columns = "".join(f'<th scope="col">{name}</th>' for name in head)
    return f"<table><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>" if body else ""


def _text(text: str) -> str:
    # MathJax looks for pairs of dollar signs in a text, and not inside of an element of its own
    return escape(text).replace("$", "<span>$</span>")


def _math(latex: str) -> str:
    return f"${escape(_one_line(latex))}$"


def _formula(latex: str) -> str:
    return f"<div>$$ {escape(_one_line(latex))} $$</div>"


# -- LaTeX --
def formula_latex(latex: str) -> str:
    """One formula as a notebook typesets it."""
    return rf"$\displaystyle {_one_line(latex)}$"


def derivation_latex(derivation: "Derivation") -> str:
    """The equations of the steps, numbered as the steps are, and the law."""
    rows = [rf"{_one_line(step.statement.latex)} \tag{{{n}}}" for n, step in enumerate(derivation.steps, 1)]
    if derivation.statement is not None:
        rows.append(_one_line(derivation.statement))
    return "\\begin{gather*}\n" + " \\\\\n".join(rows) + "\n\\end{gather*}"


def _one_line(latex: str) -> str:
    return " ".join(latex.split())

"""The derivations as sections: assumptions, each step as an equation with rule and check, and the law."""

import itertools
from collections.abc import Iterable, Iterator

from theory.claim import joint_verdict, weakest_evidence
from theory.derivation import Derivation, Step
from theory.laws import derive_all
from validation.report.document import (
    Badge,
    Block,
    Code,
    Column,
    Equation,
    Items,
    Math,
    Paragraph,
    Prose,
    Reference,
    Section,
    Strong,
    Table,
)
from validation.report.typeset import capital, full_stop, is_trivial, sentence, statement_latex, typeset

# Equations shown so far, by rule and LaTeX: a step that several laws share is shown once.
Shown = dict[tuple[str, str], str]

READING = (
    "Each step is checked where it stands: an identity by its normal form for every size, and on drawn instances; an "
    "inequality by signs and derivatives over its whole domain. Every checker must also reject false twins of its "
    "statement. In the derivations of single rows ",
    Math("s"),
    " is the number of targets and ",
    Math("r = m - s"),
    " that of the other tokens; ",
    Math(r"\omega"),
    " with an argument is the Wright omega function.",
)


def derivations_section(derivations: Iterable[Derivation] | None = None) -> Section:
    """Every derivation (by default all that there are), after a table of the laws."""
    chosen = list(derive_all() if derivations is None else derivations)
    shown: Shown = {}
    sections = tuple(derivation_section(derivation, shown) for derivation in chosen)
    return Section("derivations", "Derivations", (Paragraph(READING), laws_table(chosen)), sections)


def laws_table(derivations: Iterable[Derivation]) -> Table:
    """What is derived, in one table."""
    rows = tuple(
        (
            (Reference(derivation.title, _section_id(derivation)),),
            (Code(derivation.id),),
            (str(len(derivation.steps)),),
            (Badge(derivation.verdict),),
            (Badge(derivation.evidence),),
            (derivation.reference,),
        )
        for derivation in derivations
    )
    columns = (Column("law"), Column("id"), Column("steps", numeric=True), *map(Column, ("verdict", "evidence")))
    return Table("laws", ("The laws that are derived here.",), (*columns, Column("reference")), rows)


def derivation_section(derivation: Derivation, shown: Shown) -> Section:
    """One derivation; steps that stand in `shown` are referred to, the others are added to it."""
    blocks: list[Block] = [
        Paragraph((f"{derivation.reference}. ", Badge(derivation.verdict), " ", Badge(derivation.evidence))),
        Paragraph((Strong("Assumptions."),)),
        Items(tuple(sentence(assumption) for assumption in derivation.assumptions)),
    ]
    blocks += _steps(derivation, shown)
    if derivation.statement is not None:
        note = ("The law that follows. ", Badge(derivation.verdict), " ", Badge(derivation.evidence))
        blocks.append(Equation(f"law-{derivation.id}", derivation.statement, note))
    else:
        blocks.append(Paragraph(("The last equation is the law.",)))
    return Section(_section_id(derivation), derivation.title, tuple(blocks))


def _section_id(derivation: Derivation) -> str:
    return f"derivation-{derivation.id}"


def _steps(derivation: Derivation, shown: Shown) -> Iterator[Block]:
    """Every step; runs of steps that were shown before in one paragraph."""
    numbered = list(enumerate(derivation.steps, 1))
    for known, run in itertools.groupby(numbered, lambda pair: _key(pair[1]) in shown):
        if known:
            yield _repeated(list(run), shown)
            continue
        for number, step in run:
            shown[_key(step)] = f"step-{derivation.id}-{number}"
            yield _step(number, step, shown[_key(step)])


def _key(step: Step) -> tuple[str, str]:
    return step.rule, step.statement.latex


def _repeated(steps: list[tuple[int, Step]], shown: Shown) -> Paragraph:
    """Steps that stand above, each with a link to its equation."""
    first, last = steps[0][0], steps[-1][0]
    pieces: Prose = (Strong(f"Step {first}" if first == last else f"Steps {first} to {last}"), ", as above: ")
    for number, step in steps:
        rule = sentence(step.rule)
        where: Prose = () if is_trivial(step.statement) else (" (", Reference("equation", shown[_key(step)]), ")")
        pieces = (*pieces, *rule, *where, "." if number == last else "; ")
    known = joint_verdict([step.check.verdict for _, step in steps])
    evidence = weakest_evidence([step.check.evidence for _, step in steps])
    return Paragraph((*pieces, " ", Badge(known), " ", Badge(evidence)))


def _step(number: int, step: Step, id: str) -> Block:
    """The step as an equation; one that says a = a only in words."""
    heading: Prose = (Strong(f"Step {number}. "), *sentence(full_stop(capital(step.rule))))
    known: Prose = (" ", Badge(step.check.verdict), " ", Badge(step.check.evidence))
    if is_trivial(step.statement):
        side = Math(typeset(step.statement.lhs))  # type: ignore[union-attr]
        return Paragraph((*heading, " Written down from the definitions, both sides are ", side, ".", *known))
    detail = sentence(full_stop(capital(step.check.detail)))
    return Equation(id, statement_latex(step.statement), (*heading, *known, " ", *detail))

"""The theorems as sections: assumptions against what was found, conclusion, constants, links of the proof, coverage."""

import itertools
from collections.abc import Iterator

from theory.claim import Claim, joint_verdict, weakest_evidence
from theory.counting import count_of
from theory.laws import derive_all
from theory.theorem import CheckedTheorem, Finding, Link, LinkProof
from validation.check import CheckResult
from validation.check_present import compared_text, number_text
from validation.coverage import CoveredClaim
from validation.report.claims import claims_table, number, verdict_cells
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
from validation.report.typeset import capital, full_stop, sentence

SHOWN_ROWS = 12

# Links shown so far, by id and statement: a link that several proofs share is shown once.
Shown = dict[tuple[str, str], str]


def theorems_section(check: CheckResult) -> Section:
    """Every theorem of a check, what could not be proved, and what of the paper is covered.

    Links that are laws of their own are referred to by the ids of `derivations.derivations_section`.
    """
    shown: Shown = {(d.id, d.statement or d.conclusion.latex): f"derivation-{d.id}" for d in derive_all()}
    sections = [theorem_section(checked, shown) for checked in check.theorems]
    sections.append(Section("open", "What could not be proved", (_open(check),)))
    if check.coverage:
        sections.append(Section("coverage", "Coverage of the paper", (coverage_table(check.coverage),)))
    said = (
        "Each theorem is a program: its assumptions are checked on the task at hand, its proof is a chain of links "
        "each of which is proved on its own, and its conclusion is measured against the bound that it promises."
    )
    return Section("theorems", "Theorems", (Paragraph((said,)),), tuple(sections))


def theorem_section(checked: CheckedTheorem, shown: Shown) -> Section:
    """One theorem; links that stand in `shown` are referred to, the others are added to it."""
    theorem = checked.theorem
    blocks: list[Block] = [
        Paragraph((f"{theorem.reference}. ", Code(theorem.id), " ", Badge(checked.verdict))),
        Equation(f"statement-{theorem.id}", theorem.statement, ("The statement.",)),
    ]
    if checked.findings:
        blocks.append(_assumptions(checked))
    blocks += _conclusion(checked)
    if certificate := list(_constants(checked)):
        columns = (Column("constant"), Column("value", numeric=True))
        caption = ("Constants that are proved for this task.",)
        blocks.append(Table(f"certificate-{theorem.id}", caption, columns, tuple(certificate)))
    if checked.remains:
        blocks.append(_remains(theorem.id, checked.remains))
    return Section(f"theorem-{theorem.id}", theorem.title, (*blocks, *_proof(checked, shown)))


def _assumptions(checked: CheckedTheorem) -> Table:
    rows = tuple(
        (
            (Math(assumption.statement),),
            (finding.required,),
            _found(finding),
            number(finding.margin),
            *verdict_cells(finding.verdict, finding.evidence),
        )
        for assumption, finding in checked.findings
    )
    columns = (*map(Column, ("assumption", "required", "found")), Column("margin", numeric=True))
    caption = ("Assumptions: what the theorem requires against what was found.",)
    return Table(f"assumptions-{checked.theorem.id}", caption, (*columns, *map(Column, ("verdict", "evidence"))), rows)


def _found(finding: Finding) -> Prose:
    """What was found, the reason, and the rows of the file at fault."""
    said = finding.found + (f"; {finding.detail}" if finding.detail else "")
    if finding.rows:
        more = f" and {len(finding.rows) - SHOWN_ROWS} more" if len(finding.rows) > SHOWN_ROWS else ""
        said += f"; rows {', '.join(map(str, finding.rows[:SHOWN_ROWS]))}{more} of the file"
    return (said,)


def _conclusion(checked: CheckedTheorem) -> Iterator[Block]:
    outcome = checked.outcome
    said: list[str] = []
    if measured := compared_text(outcome):
        said.append(measured)
    elif outcome.bound is not None:
        said.append(f"bound {number_text(outcome.bound)}")
    if outcome.detail:
        said.append(outcome.detail)
    known: Prose = (Badge(outcome.verdict),)
    if outcome.verdict != "not applicable":
        known = (*known, " ", Badge(outcome.evidence))
    note = (Strong("Conclusion. "), *known, f" {full_stop(capital('; '.join(said)))}" if said else "")
    yield Equation(f"conclusion-{checked.theorem.id}", checked.theorem.conclusion.statement, note)


def _constants(checked: CheckedTheorem) -> Iterator[tuple[Prose, ...]]:
    certificate = checked.certificate
    named = {"exponent": certificate.epsilon, "certified dimension": certificate.dimension, **certificate.constants}
    for name, value in named.items():
        if value is not None:
            yield ((name,), (value,) if isinstance(value, str) else number(value))


def _remains(theorem: str, claims: tuple[Claim, ...]) -> Table:
    return claims_table(f"remains-{theorem}", ("What still holds here.",), claims)


def _proof(checked: CheckedTheorem, shown: Shown) -> Iterator[Block]:
    """Every link as an equation with its argument and proof; one that was shown before in words."""
    if not checked.links:
        yield Paragraph(("No proof in links: the conclusion rests on its measurement.",))
        return
    boxes = sum(proof.boxes or 0 for _, proof in checked.links)
    count = len(checked.links)
    said = count_of(count, "link") + (f", {count_of(boxes, 'box', 'boxes')} of ball arithmetic" if boxes else "")
    said += "; each is proved by itself, how they combine is argued in words."
    yield Paragraph((Strong("Proof. "), said))
    numbered = list(enumerate(checked.links, 1))
    for known, run in itertools.groupby(numbered, lambda item: _key(item[1][0]) in shown):
        if known:
            yield _repeated(list(run), shown)
            continue
        for place, (link, proof) in run:
            shown[_key(link)] = f"link-{checked.theorem.id}-{place}"
            heading: Prose = (Strong(f"Link {place}, {link.id}. "), *sentence(full_stop(capital(link.argument))))
            note: Prose = (*heading, " ", Badge(proof.verdict), " ", Badge(proof.evidence), " ", *_how(proof))
            yield Equation(shown[_key(link)], link.statement, note)


def _key(link: Link) -> tuple[str, str]:
    return link.id, link.statement


def _repeated(links: list[tuple[int, tuple[Link, LinkProof]]], shown: Shown) -> Paragraph:
    """Links that stand above, by name."""
    first, last = links[0][0], links[-1][0]
    pieces: Prose = (Strong(f"Link {first}" if first == last else f"Links {first} to {last}"), ", as above: ")
    for place, (link, _) in links:
        pieces = (*pieces, Reference(link.id, shown[_key(link)]), ". " if place == last else ", ")
    verdict = joint_verdict([proof.verdict for _, (_, proof) in links])
    evidence = weakest_evidence([proof.evidence for _, (_, proof) in links])
    return Paragraph((*pieces, Badge(verdict), " ", Badge(evidence)))


def _how(proof: LinkProof) -> Prose:
    """Detail, domain, boxes and precision, each once."""
    boxes = count_of(proof.boxes, "box", "boxes") if proof.boxes else ""
    bits = f"{proof.precision} bits" if proof.precision else ""
    domain = f"domain {proof.domain}" if proof.domain and proof.domain not in proof.detail else ""
    parts = [part for part in (proof.detail, domain, boxes, bits) if part]
    kept = [part for n, part in enumerate(parts) if not any(part in before for before in parts[:n])]
    return (full_stop(capital("; ".join(kept))),)


def _open(check: CheckResult) -> Items | Paragraph:
    """Links that are not proved, assumptions that are undecided or fail, conclusions that are open."""
    items: list[Prose] = []
    for checked in check.theorems:
        place = Reference(checked.theorem.title, f"theorem-{checked.theorem.id}")
        for assumption, finding in checked.findings:
            if finding.verdict in ("fails", "undecided"):
                said = f": assumption {assumption.id}, required {finding.required}, found {finding.found} "
                items.append((place, said, Badge(finding.verdict)))
        items += [(place, *_open_link(link, proof)) for link, proof in checked.links if proof.verdict != "holds"]
        if checked.outcome.verdict in ("fails", "undecided"):
            items.append((place, f": conclusion, {checked.outcome.detail} ", Badge(checked.outcome.verdict)))
    if not items:
        return Paragraph(("Every assumption holds here, every link is proved and every conclusion was decided.",))
    return Items(tuple(items))


def _open_link(link: Link, proof: LinkProof) -> Prose:
    return (f": link {link.id}, {proof.detail} ", Badge(proof.verdict))


def coverage_table(coverage: tuple[CoveredClaim, ...]) -> Table:
    """The claims of the paper, how each is checked, and what is missing where the paper is not precise."""
    rows = tuple(
        (
            (covered.paper.claim,),
            (covered.paper.where,),
            (covered.paper.how,),
            (", ".join(covered.paper.checked_by),),
            _verdict(covered),
            (covered.paper.missing,),
        )
        for covered in coverage
    )
    names = ("claim of the paper", "where", "how it is checked", "checked by", "verdict", "what the paper leaves open")
    caption = ("Claims of arXiv 2405.04669 in this project's words; verdicts are those of the checks run here.",)
    return Table("coverage-table", caption, tuple(map(Column, names)), rows)


def _verdict(covered: CoveredClaim) -> Prose:
    """The verdict of the checks that were run; words where none was or none is due."""
    if covered.paper.not_needed:
        return ("not needed",)
    return (Badge(covered.verdict),) if covered.verdict else ("not run here",)

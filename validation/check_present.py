"""A check of theorems for people: tables on the terminal, and a folder of files that is made whole or not at all."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from theory.claim import Claim
from theory.counting import count_of, numeral
from theory.theorem import CheckedTheorem, Finding, Outcome
from validation.check import CheckResult
from validation.output_folder import new_folder, write_csv, write_json
from validation.present import VERDICT_STYLE

PIPED_WIDTH = 130
SHOWN_ROWS = 12
THEOREM_COLUMNS = (
    *("theorem", "kind", "id", "statement", "required", "found", "margin", "measured", "bound"),
    *("verdict", "evidence", "rows", "detail"),
)
LINK_COLUMNS = (
    *("theorem", "number", "id", "statement", "argument", "verdict", "evidence"),
    *("domain", "boxes", "precision", "detail"),
)


def check_text(result: CheckResult, terminal: bool, proofs: bool) -> str:
    """Notes, a table for each theorem, coverage and the verdict; coloured and as wide as the terminal if it is one.

    `proofs` lists every link of every proof.
    """
    console = Console(force_terminal=terminal or None, width=None if terminal else PIPED_WIDTH, highlight=False)
    with console.capture() as captured:
        _print(result, console, proofs)
    # tables are padded to their width: no use in a file
    return captured.get() if terminal else "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _print(result: CheckResult, console: Console, proofs: bool) -> None:
    for kind, task in result.tasks.items():
        name = task.name if task.name == kind else f"{task.name} as {kind}"
        console.print(f"{name}: {task.sizes}", markup=False)
    for note in result.notes:
        console.print(Text(f"note: {note}"))
    shown: set[tuple[str, str]] | None = set() if proofs else None
    for checked in result.theorems:
        console.print()
        _print_theorem(checked, console, shown)
    console.print()
    if result.settings.everything:
        console.print(coverage_table(result))
    console.print(verdict_line(result))


def verdict_line(result: CheckResult) -> Text:
    """One line: the verdict and how many theorems there are of each."""
    verdicts = [theorem.verdict for theorem in result.theorems]
    words = {"holds": "hold", "fails": "fail", "undecided": "undecided", "not applicable": "not applicable here"}
    counts = ", ".join(f"{verdicts.count(v)} {words[v]}" for v in VERDICT_STYLE if v in verdicts)
    return Text(f"{count_of(len(verdicts), 'theorem')}: {counts}", style=VERDICT_STYLE[result.verdict])


# -- one theorem --
def _print_theorem(checked: CheckedTheorem, console: Console, proofs: set[tuple[str, str]] | None) -> None:
    """One theorem; `proofs` are the links shown so far, None where no link is to be shown."""
    theorem, verdict = checked.theorem, checked.verdict
    heading = Text.assemble((theorem.id, "bold"), ": ", (verdict, VERDICT_STYLE[verdict]))
    console.print(heading.append(f"\n{theorem.title} ({theorem.reference})"))
    console.print(theorem_table(checked))
    for line in _in_words(checked):
        console.print(line)
    if checked.remains:
        console.print("What still holds here:")
        console.print(remains_table(checked.remains))
    console.print(proof_line(checked))
    if proofs is not None:
        _print_links(checked, console, proofs)


def theorem_table(checked: CheckedTheorem) -> Table:
    """One row an assumption, and one for the conclusion: the bound that is promised against the number measured."""
    table = Table(expand=False)
    table.add_column("", no_wrap=True)
    table.add_column("required")
    table.add_column("found")
    table.add_column("margin", justify="right", no_wrap=True)
    table.add_column("verdict")
    table.add_column("evidence")
    for number, (assumption, finding) in enumerate(checked.findings, 1):
        table.add_row(
            Text(assumption.id),
            Text(finding.required),
            Text(finding.found),
            number_text(finding.margin),
            Text(finding.verdict, style=VERDICT_STYLE[finding.verdict]),
            "" if finding.verdict == "not applicable" else finding.evidence,
            end_section=number == len(checked.findings),
        )
    outcome = checked.outcome
    not_measured = "" if outcome.verdict == "not applicable" else "not measured"
    table.add_row(
        Text("conclusion", style="bold"),
        "" if outcome.bound is None else f"bound {number_text(outcome.bound)}",
        compared_text(outcome) or not_measured,
        "",
        Text(outcome.verdict, style=VERDICT_STYLE[outcome.verdict]),
        "" if outcome.verdict == "not applicable" else outcome.evidence,
    )
    return table


def _in_words(checked: CheckedTheorem) -> Iterator[Text]:
    """What the table has no room for: why an assumption does not hold, how the conclusion was judged, constants."""
    for assumption, finding in checked.findings:
        if finding.verdict in ("fails", "undecided"):
            style = VERDICT_STYLE[finding.verdict]
            says = "fails" if finding.verdict == "fails" else "is undecided"
            yield Text.assemble((f"{assumption.id} {says}: ", style), _why(finding))
    if checked.outcome.detail and not checked.failing:
        yield Text(f"conclusion: {checked.outcome.detail}")
    certificate = checked.certificate
    named = {"exponent": certificate.epsilon, "certified dimension": certificate.dimension}
    for title, values in (("certified", named), ("constants", certificate.constants)):
        known = {name: value for name, value in values.items() if value is not None}
        if known:
            yield Text(f"{title}: " + "; ".join(f"{name} {_constant(value)}" for name, value in known.items()))


def _why(finding: Finding) -> str:
    """Requirement, what was found, its reason, and the rows of the file at fault."""
    why = f"required {finding.required}, found {finding.found}"
    if finding.detail:
        why += f"; {finding.detail}"
    if finding.rows:
        more = f" and {len(finding.rows) - SHOWN_ROWS} more" if len(finding.rows) > SHOWN_ROWS else ""
        why += f"; rows {', '.join(map(str, finding.rows[:SHOWN_ROWS]))}{more} of the file"
    return why


def remains_table(claims: Iterable[Claim]) -> Table:
    """Claims that hold although the theorem does not apply."""
    table = Table(expand=False)
    for name in ("claim", "verdict", "evidence", "measured", "", "bound"):
        table.add_column(name, justify="right" if name in ("measured", "bound") else "left")
    for claim in claims:
        numbers = (number_text(claim.measured), claim.standing, number_text(claim.bound))
        verdict = Text(claim.verdict, style=VERDICT_STYLE[claim.verdict])
        table.add_row(Text(f"{claim.title}\n").append(claim.detail, style="dim"), verdict, claim.evidence, *numbers)
    return table


def proof_line(checked: CheckedTheorem) -> Text:
    """How many links there are, how each is known, and those that do not hold."""
    proofs = [proof for _, proof in checked.links]
    if not proofs:
        return Text("proof: no links; the conclusion rests on its measurement")
    kinds = [
        f"{sum(p.evidence == evidence for p in proofs)} {evidence}"
        for evidence in dict.fromkeys(p.evidence for p in proofs)
    ]
    boxes = sum(proof.boxes or 0 for proof in proofs)
    text = f"proof: {count_of(len(proofs), 'link')}: {', '.join(kinds)}"
    text += f" ({count_of(boxes, 'box', 'boxes')})" if boxes else ""
    open_links = [f"{link.id} ({proof.verdict})" for link, proof in checked.links if proof.verdict != "holds"]
    if open_links:
        return Text(f"{text}; not proved: {', '.join(open_links)}", style=VERDICT_STYLE["undecided"])
    return Text(f"{text}; each holds by itself, how they combine is argued in words (--proofs)")


def _print_links(checked: CheckedTheorem, console: Console, shown: set[tuple[str, str]]) -> None:
    """Every link in full; one that stands in `shown`, by id and statement, is only named."""
    for number, (link, proof) in enumerate(checked.links, 1):
        heading = Text.assemble((f"{number}. {link.id}: ", "bold"), (proof.verdict, VERDICT_STYLE[proof.verdict]))
        repeated = (link.id, link.statement) in shown
        console.print(Padding(heading.append(f" ({proof.evidence}){', as above' if repeated else ''}"), (0, 0, 0, 2)))
        if repeated:
            continue
        shown.add((link.id, link.statement))
        boxes = count_of(proof.boxes, "box", "boxes") if proof.boxes else ""
        bits = f"{proof.precision} bits" if proof.precision else ""
        where = "; ".join(part for part in (proof.domain, boxes, bits) if part and part not in proof.detail)
        lines = (link.statement, link.argument, where, proof.detail)
        console.print(Padding(Text("\n".join(line for line in lines if line)), (0, 0, 0, 5)))


# -- all of them --
def coverage_table(result: CheckResult) -> Table:
    """The claims of the paper, their checks, and the verdict of those that were run here."""
    title = "What of the paper is covered (arXiv 2405.04669); each verdict is that of the checks run here"
    table = Table(title=title, title_justify="left", expand=False)
    table.add_column("claim", ratio=3)
    table.add_column("checked by", ratio=2)
    table.add_column("verdict")
    for claim in result.coverage:
        paper = claim.paper
        text = Text(f"{paper.claim} ({paper.where})")
        if paper.missing:
            text.append(f"\nmissing: {paper.missing}", style="dim")
        by = [", ".join(dict.fromkeys((*paper.theorems, *paper.laws)))] if paper.theorems or paper.laws else []
        if paper.measured:
            by.append("reversal verify: " + ", ".join(f"{id}*" if id.endswith("-") else id for id in paper.measured))
        verdict = Text(claim.verdict, style=VERDICT_STYLE[claim.verdict]) if claim.verdict else Text("-", style="dim")
        table.add_row(text, Text("\n".join(by) or paper.how), verdict, end_section=True)
    return table


def compared_text(outcome: Outcome) -> str:
    """The number measured and how it stands to its bound, empty where nothing was measured."""
    if outcome.measured is None:
        return ""
    to_bound = "" if outcome.bound is None else f" {outcome.standing} bound {number_text(outcome.bound)}"
    return f"measured {number_text(outcome.measured)}{to_bound}"


def number_text(value: float | None) -> str:
    """A number for a person: four digits, whole numbers below a million in full; empty for None."""
    if value is None:
        return ""
    if abs(value) < 1e6 and value == int(value):
        return str(int(value))
    digits, _, power = numeral(value, ".4g").partition("e")
    return f"{digits}e{int(power)}" if power else digits


def _constant(value: float | int | str) -> str:
    return value if isinstance(value, str) else number_text(value)


# -- files --
def write_check_folder(result: CheckResult, document: dict[str, Any], folder: Path) -> None:
    """`check.json`, `theorems.csv` and `links.csv` in a new folder that appears complete.

    `document` is the result as JSON-ready fields. Raises OutputError when the folder exists and is not empty, or cannot
    be made.
    """
    with new_folder(folder) as draft:
        write_json(draft / "check.json", document)
        theorems = document["theorems"]
        write_csv(draft / "theorems.csv", itertools.chain.from_iterable(map(_theorem_rows, theorems)), THEOREM_COLUMNS)
        write_csv(draft / "links.csv", itertools.chain.from_iterable(map(_link_rows, theorems)), LINK_COLUMNS)


def _theorem_rows(theorem: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for assumption in theorem["assumptions"]:
        rows = " ".join(map(str, assumption["rows"]))
        yield {"theorem": theorem["id"], "kind": "assumption", **assumption, "rows": rows}
    yield {"theorem": theorem["id"], "kind": "conclusion", **theorem["conclusion"]}


def _link_rows(theorem: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number, link in enumerate(theorem["certificate"]["links"], 1):
        yield {"theorem": theorem["id"], "number": number, **link}

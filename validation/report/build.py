"""The document of a report, built from results: summary, setting, derivations, theorems, evidence, queries, how to."""

from collections.abc import Iterator
from typing import Any

from theory.claim import Verdict
from theory.counting import count_of
from theory.theorem import CheckedTheorem
from validation.present import headlines
from validation.report.claims import COLUMNS, claims_table, compared, verdict_cells
from validation.report.data import ReportData
from validation.report.derivations import derivations_section
from validation.report.document import (
    Badge,
    Block,
    Code,
    Column,
    Document,
    Items,
    Paragraph,
    Prose,
    Reference,
    Section,
    Table,
)
from validation.report.evidence import evidence_section, summary_figure
from validation.report.queries import queries_section
from validation.report.remedies import remedies_section
from validation.report.runs import runs_section
from validation.report.setting import setting_section
from validation.report.theorems import theorems_section
from validation.result import provenance

VERDICTS: tuple[Verdict, ...] = ("holds", "fails", "undecided", "not applicable")


def build(data: ReportData) -> Document:
    """The whole report. Verdicts of derivations are checked on first use, which takes some seconds."""
    sections = [_summary(data), setting_section(data), derivations_section()]
    if data.check is not None:
        sections.append(theorems_section(data.check))
    if data.verification is not None or data.measurements is not None:
        sections.append(evidence_section(data))
    if data.remedies is not None:
        sections.append(remedies_section(data.remedies))
    if data.runs:
        sections.append(runs_section(data.runs))
    if data.verification is not None:
        sections.append(queries_section(data.verification))
    sections.append(_reproduction(data))
    task = data.task
    sizes = (
        f"{count_of(len(task.train_context), 'trained pair')}, {count_of(task.trained_contexts, 'context')}, "
        f"{task.vocabulary_size:,} tokens"
    )
    built_in = task.name in data.tasks  # named after its kind: no file was given
    title = f"The reversal curse on {f'the built-in {task.name} task' if built_in else task.name}"
    return Document(title, f"{sizes}; verdict: {data.verdict}", tuple(sections))


def _summary(data: ReportData) -> Section:
    blocks: list[Block] = [Paragraph(_asked(data))]
    if data.verification is not None:
        lines = [*map(_full_stop, headlines(data.verification))]
        if lines:
            blocks.append(Items(tuple((line,) for line in lines)))
    if (figure := summary_figure(data)) is not None:
        blocks.append(figure)
    if data.verification is not None:
        blocks.append(claims_table("claims", _counted("Claims", data), data.verification.claims))
    if data.check is not None:
        rows = tuple(map(_theorem_row, data.check.theorems))
        columns = (Column("theorem"), *COLUMNS[1:-1])
        blocks.append(Table("theorem-table", _counted("Theorems", data), columns, rows))
    return Section("summary", "Summary", tuple(blocks))


def _asked(data: ReportData) -> Prose:
    """What was asked, in a sentence or two."""
    said = []
    if data.verification is not None:
        settings = data.verification.settings
        model = "both models" if settings.model == "all" else f"the {settings.model} model"
        said.append(
            f"The laws of {model} were derived, integrated, and set against real training by {settings.optimizer} "
            f"from {count_of(settings.seeds, 'seed')}"
        )
    if data.check is not None:
        count = len(data.check.theorems)
        said.append(f"{count_of(count, 'theorem was', 'theorems were')} checked with assumptions and proof")
    if data.remedies is not None:
        count = len(data.remedies.rows)
        said.append(f"{count_of(count, 'choice')} of loss, parameters, optimiser and data compared")
    if data.runs:
        count = len(data.runs)
        said.append(f"{count_of(count, 'finished run')} of multi-layer transformers included")
    named = ", ".join(f"{task.name} ({kind})" if task.name != kind else kind for kind, task in data.tasks.items())
    many = "s" if len(data.tasks) > 1 else ""
    return (f"{'; '.join(said)}. Task{many}: {named}. Everything that applies together: ", Badge(data.verdict), ".")


def _counted(what: str, data: ReportData) -> Prose:
    """How many there are of each verdict."""
    part: Any = data.verification if what == "Claims" else data.check
    verdicts = [one.verdict for one in (part.claims if what == "Claims" else part.theorems)]
    return (f"{what}: {', '.join(f'{verdicts.count(v)} {v}' for v in VERDICTS if v in verdicts)}.",)


def _theorem_row(checked: CheckedTheorem) -> tuple[Prose, ...]:
    outcome = checked.outcome
    title: Prose = (Reference(checked.theorem.title, f"theorem-{checked.theorem.id}"),)
    if checked.verdict != "holds" and outcome.detail:
        title = (*title, f": {outcome.detail}")
    return (title, *verdict_cells(checked.verdict, outcome.evidence), *compared(outcome))


def _full_stop(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


# -- reproduction --
def _reproduction(data: ReportData) -> Section:
    """The command line, what it stood for, and the versions that ran it."""
    origin = provenance(data.seed)
    rows: list[tuple[Prose, ...]] = [(("command",), (Code(data.command),))]
    if data.seconds is not None:
        rows.append((("time taken",), (f"{data.seconds:.0f} s",)))
    commit = origin["commit"] or "not a checkout"
    versions = {"version of this project": origin["version"], "commit": commit, "Python": origin["python"]}
    rows += [((name,), (Code(str(version)),)) for name, version in (*versions.items(), *origin["libraries"].items())]
    columns = (Column("what"), Column("value"))
    run = Table("run", ("Command, versions and time.",), columns, tuple(rows))
    said = (
        "The same command with the same seed on the same machine and number of threads gives the same numbers. Every "
        "number of this report stands in report.json, those of the pictures also in a CSV file each."
    )
    return Section("reproduction", "Reproduction", (Paragraph((said,)), run, *_settings(data)))


def _settings(data: ReportData) -> Iterator[Table]:
    parts = (("verify", data.verification), ("check", data.check))
    for name, part in ((name, part) for name, part in parts if part is not None):
        chosen = part.settings.model_dump(mode="json", by_alias=True)
        rows = tuple(((Code(key),), (_value(value),)) for key, value in chosen.items())
        caption = (f"Settings of {name}, with what was chosen from the task.",)
        yield Table(f"settings-{name}", caption, (Column("setting"), Column("value")), rows)


def _value(value: Any) -> str:
    return "not set" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

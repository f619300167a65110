"""`reversal remedies`: every choice measured on one task, several at once; checkers tried on false statements."""

from collections.abc import Callable
from math import inf, isfinite

import torch
from joblib import Parallel, delayed

from theory.claim import Claim
from theory.counting import count_of, duration, memory
from theory.errors import BadInput
from theory.facts import chain_task_from_facts, reversal_task_from_facts
from theory.laws import derive_all
from theory.task import Task, chain_of_thought_task, first_pairs, reversal_task
from theory.variants import variant
from validation.compare import check_twins
from validation.fact_file import read_facts
from validation.machine import available_cores, machine_now
from validation.remedies.choice import Choice
from validation.remedies.false_twins import twin_verdicts
from validation.remedies.measure import measure
from validation.remedies.memory import check_memory
from validation.remedies.reason import reason
from validation.remedies.result import RemediesResult, Row
from validation.remedies.settings import RemedySettings
from validation.remedies.time import TWINS_SECONDS, row_seconds, table_seconds
from validation.result import provenance
from validation.training import TrainingDiverged
from validation.verify import task_notes

# Binomial and Gaussian statements of one run share this chance of a false alarm.
FALSE_ALARM = 1e-6

Report = Callable[[str, float], None]


def load_task(settings: RemedySettings) -> tuple[Task, list[str]]:
    """The task that is asked for, cut to `train_pairs`, and notes. Raises FactFileError, TaskError or BadInput."""
    notes: list[str] = []
    if settings.facts is None:
        if settings.task == "chain-of-thought":
            task = chain_of_thought_task(settings.pairs, settings.vocabulary)
        else:
            task = reversal_task(settings.pairs, settings.held, settings.vocabulary)
    else:
        file = read_facts(settings.facts)
        build = chain_task_from_facts if settings.task == "chain-of-thought" else reversal_task_from_facts
        task = build(file.facts, settings.context or "entity", file.name)
        notes += file.notes
    notes += task_notes(task)
    part = first_pairs(task, settings.train_pairs)
    if part is not task:
        notes.append(
            f"measured on {len(part.train_context):,} of {len(task.train_context):,} trained pairs (--train-pairs), "
            "those around the first questions"
        )
    return part, notes


def run(
    settings: RemedySettings,
    tell: Report | None = None,
    workers: int = 1,
    announce: Callable[[str], None] | None = None,
    limit_bytes: float | None = None,
) -> RemediesResult:
    """Measure every choice, `workers` at a time; the numbers do not depend on how many. Raises BadInput, TooExpensive.

    Choices that do not fit the task (a bridge where relations are no part of contexts, say) are left out with a note,
    unless they were asked for by name; so are those whose training diverges, unless all do. More than `limit_bytes`,
    by default the machine's memory, are refused; `announce` hears what is expected.
    """
    task, notes = load_task(settings)
    choices, left_out = fitting(task, settings)
    notes += left_out
    expected = check_memory(task, choices, settings, workers, limit_bytes)
    if announce is not None:
        length = table_seconds(task, choices, settings, min(workers, available_cores())) * machine_now().slower
        announce(
            f"{count_of(len(choices), 'choice')}, {count_of(settings.seeds, 'seed')} side by side: about "
            f"{duration(length)} and {memory(expected)} of memory"
        )
    share = FALSE_ALARM / len(choices)
    rows: list[Row] = []
    diverged: list[str] = []

    lengths = {choice.slug: row_seconds(task, choice, settings) for choice in choices}
    whole = sum(lengths.values()) + TWINS_SECONDS

    def done(label: str) -> None:
        if tell is not None:
            tell(label, sum(lengths[row.choice.slug] for row in rows) / whole)

    done("training")
    jobs = (delayed(_row_or_divergence)(task, choice, settings, share) for choice in choices)
    for found in Parallel(n_jobs=min(workers, len(choices)), return_as="generator_unordered")(jobs):
        if isinstance(found, Row):
            rows.append(found)
            done(found.choice.label)
        else:
            diverged.append(found)
    if not rows:
        raise TrainingDiverged("\n".join(sorted(diverged)))
    notes += [f"left out: {line}" for line in sorted(diverged)]
    order = {choice.slug: number for number, choice in enumerate(choices)}
    rows.sort(key=lambda row: (*_place(row), order[row.choice.slug]))
    done("false statements")
    claims = (*_derived(choices), check_twins(twin_verdicts()))
    return RemediesResult(task, settings, tuple(rows), claims, tuple(notes), provenance(settings.seed))


def _place(row: Row) -> tuple[bool, float]:
    """By index, the largest first; an index of what was not learnt is noise, however large, and stands below."""
    known = isfinite(row.index.mean)
    return not (known and row.learnt), -row.index.mean if known else inf


def _row_or_divergence(task: Task, choice: Choice, settings: RemedySettings, false_alarm: float) -> Row | str:
    """The row, or why there is none."""
    try:
        return measured(task, choice, settings, false_alarm)
    except TrainingDiverged as error:
        return str(error)


def measured(task: Task, choice: Choice, settings: RemedySettings, false_alarm: float, judged: bool = True) -> Row:
    """`measure` on one thread: its numbers then are the same beside any number of other ones."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return measure(task, choice, settings, false_alarm, judged=judged)
    finally:
        torch.set_num_threads(threads)


def fitting(task: Task, settings: RemedySettings) -> tuple[list[Choice], list[str]]:
    """The choices that fit this task, and a note for each that does not. Raises BadInput for those asked for."""
    by_name = settings.data is not None
    kept, notes = [], []
    for choice in settings.choices():
        try:
            if choice.data != "implication":
                variant(task, choice.data, choice.share, settings.seed, choice.context)
        except BadInput as error:
            if by_name or choice == settings.choices()[0]:
                raise
            notes.append(f"left out: {choice.label} ({error})")
        else:
            kept.append(choice)
    return kept, notes


def _derived(choices: list[Choice]) -> list[Claim]:
    """The claims of the derivations that the rows rest on."""
    wanted = {reason(choice)[1] for choice in choices}
    return [derivation.claim() for derivation in derive_all() if derivation.id in wanted]

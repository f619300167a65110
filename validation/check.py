"""`reversal check`: every chosen theorem on the task at hand, its assumptions, its proof, its conclusion measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from theory.claim import Verdict, joint_verdict
from theory.counting import count_of, duration
from theory.setting import Measure, Setting
from theory.task import Task, TaskError
from theory.theorem import Assumption, Certificate, CheckedTheorem, Finding, Outcome, TaskKind, Theorem
from validation.check_settings import CheckSettings, select, unknown_theorem
from validation.coverage import CoveredClaim, cover
from validation.machine import machine_now
from validation.measurements import Key, Measurements
from validation.planned import Work, planned_work
from validation.result import finite_json, provenance
from validation.settings import SettingsError, VerifySettings
from validation.verify import LONG, load_task

FORMAT = "reversal-check/1"

LAWS_SECONDS = 6.0  # of the processor, for the derivations of the coverage table: measured

# Called with the id of the theorem that is being checked and how much of the whole is done, 0 to 1.
Report = Callable[[str, float], None]


@dataclass(frozen=True)
class CheckResult:
    """What one run found. `tasks` holds the task of each kind that could be built, `notes` are lines for a person."""

    settings: CheckSettings
    tasks: dict[TaskKind, Task]
    notes: tuple[str, ...]
    theorems: tuple[CheckedTheorem, ...]
    coverage: tuple[CoveredClaim, ...]

    @property
    def verdict(self) -> Verdict:
        """`holds` when every applicable theorem holds."""
        return joint_verdict([theorem.verdict for theorem in self.theorems])

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of `reversal check --json`; numbers that are not finite are None."""
        return cast(
            dict[str, Any],
            finite_json(
                {
                    "format": FORMAT,
                    "settings": self.settings.model_dump(mode="json", by_alias=True),
                    "provenance": provenance(self.settings.seed),
                    "verdict": self.verdict,
                    "task": {kind: _sizes(task) for kind, task in self.tasks.items()},
                    "notes": list(self.notes),
                    "theorems": [theorem.as_dict() for theorem in self.theorems],
                    "coverage": [claim.as_dict() for claim in self.coverage],
                }
            ),
        )


def _sizes(task: Task) -> dict[str, Any]:
    return {
        "name": task.name,
        "contexts": task.trained_contexts,
        "vocabulary": task.vocabulary_size,
        "train_pairs": len(task.train_context),
        "test_pairs": sum(len(q.answers) for q in task.queries),
        "conflicts": len(task.conflicts),
        "self_facts": task.self_facts,
        "trained_elsewhere": len(task.trained_elsewhere),
        "loss_floor": task.loss_floor,
    }


def chosen_theorems(settings: CheckSettings, built_in: Sequence[Theorem], own: Sequence[Theorem]) -> list[Theorem]:
    """The theorems that the settings name; without a name the user's own, or else all.

    Raises SettingsError where none has that name, or where a file of theorems is given of which none is chosen.
    """
    if settings.theorem is None:
        return list(own or built_in)
    theorems = {theorem.id: theorem for theorem in (*built_in, *own)}
    chosen = select(settings.theorem, theorems)
    if not chosen:
        raise SettingsError(f"--theorem {settings.theorem}: {unknown_theorem(settings.theorem, theorems)}")
    return [theorems[id] for id in chosen]


def check(
    settings: CheckSettings,
    theorems: Sequence[Theorem],
    measure: Measure,
    report: Report | None = None,
    announce: Callable[[str], None] | None = None,
) -> CheckResult:
    """Check each theorem on its task. Raises FactFileError or TaskError (bad input) where no task can be built.

    `report` hears of progress, `announce` gets one line before work that is expected to take more than LONG seconds.

    Where only some of the theorems' kinds of task can be built (a file without chains, say), the others are not
    applicable, with that reason.
    """
    tasks, notes, missing = _tasks(settings, [theorem.task for theorem in theorems])
    possible = [(t, _setting(settings, tasks[t.task], measure)) for t in theorems if t.task in tasks]
    works = planned_work(possible, measure) if isinstance(measure, Measurements) else [Work(1.0, {})] * len(possible)
    laws = LAWS_SECONDS if settings.everything else 0.0
    if announce is not None and (said := announcement(settings, works, laws, machine_now().slower)):
        announce(said)
    progress = CheckProgress(works, laws, report)
    if isinstance(measure, Measurements):
        measure.listen(progress.hear)
    checked = []
    for theorem in theorems:
        if theorem.task in tasks:
            progress.begin(theorem.id)
            checked.append(theorem.check(_setting(settings, tasks[theorem.task], measure)))
            progress.end()
        else:
            checked.append(_without_task(theorem, missing[theorem.task]))
    progress.begin("laws of the coverage table")
    verdicts = {theorem.theorem.id: theorem.verdict for theorem in checked}
    coverage = cover(verdicts, laws=settings.everything)
    if report is not None:
        report("done", 1.0)
    return CheckResult(settings, tasks, notes, tuple(checked), coverage)


def expected_seconds(settings: CheckSettings, theorems: Sequence[Theorem], measure: Measurements) -> float:
    """Seconds of the processor that `check` is expected to take. Raises FactFileError or TaskError as it does."""
    tasks, _, _ = _tasks(settings, [theorem.task for theorem in theorems]) if theorems else ({}, (), {})
    possible = [(t, _setting(settings, tasks[t.task], measure)) for t in theorems if t.task in tasks]
    works = planned_work(possible, measure)
    return sum(work.seconds for work in works) + (LAWS_SECONDS if settings.everything else 0.0)


class CheckProgress:
    """How much of the expected work is done, said to `report` with the theorem that is being checked."""

    def __init__(self, works: Sequence[Work], laws: float, report: Report | None) -> None:
        self.report = report
        self.total = max(sum(work.seconds for work in works) + laws, 1e-9)
        self._waiting = list(works)
        self._work = Work(0.0, {})
        self._stage, self._before, self._measured = "", 0.0, 0.0

    def begin(self, stage: str) -> None:
        """The next theorem, or what follows them."""
        self._stage = stage
        self._work = self._waiting.pop(0) if self._waiting else Work(0.0, {})
        self._measured = 0.0
        self._tell(0.0)

    def hear(self, key: Key, part: float) -> None:
        """Part of one measurement of this theorem is done."""
        seconds = self._work.measured.get(key, 0.0)
        self._tell(self._work.fixed + self._measured + part * seconds)
        if part >= 1.0:
            self._measured += seconds

    def end(self) -> None:
        """This theorem is checked."""
        self._before += self._work.seconds

    def _tell(self, seconds: float) -> None:
        if self.report is not None:
            self.report(self._stage, min((self._before + seconds) / self.total, 1.0))


def announcement(settings: CheckSettings, works: Sequence[Work], laws: float, slower: float) -> str:
    """How long this takes, what most of it goes into and how to make it shorter; nothing where it is not LONG.

    `slower` is how many times as long as expected work takes here.
    """
    expected = (sum(work.seconds for work in works) + laws) * slower
    if expected <= LONG:
        return ""
    said = f"this will take about {duration(expected)}"
    by_kind: dict[object, float] = {"proofs": laws + sum(work.fixed for work in works)}
    for work in works:
        for (kind, *_), seconds in work.measured.items():
            by_kind[kind] = by_kind.get(kind, 0.0) + seconds
    longest = max(by_kind, key=lambda kind: by_kind[kind])
    if longest == "draws":
        return (
            f"{said}, most of it {count_of(settings.draws, 'draw')} of embeddings; to make it shorter: fewer --draws, "
            "or one --theorem at a time"
        )
    if longest == "one-layer run":
        return f"{said}, most of it descent on the one-layer model; to make it shorter: a larger --learning-rate"
    return f"{said}; to make it shorter: one --theorem at a time, or fewer facts"


def _setting(settings: CheckSettings, task: Task, measure: Measure) -> Setting:
    names = settings.model_dump(exclude={"facts", "theorem", "theorem_file", "pairs", "vocabulary"})
    return Setting(task, measure, **names)


def _tasks(
    settings: CheckSettings, kinds: Sequence[TaskKind]
) -> tuple[dict[TaskKind, Task], tuple[str, ...], dict[TaskKind, str]]:
    """The task of each kind with the notes about them, and why a kind could not be built where another could."""
    tasks: dict[TaskKind, Task] = {}
    notes: list[str] = []
    missing: dict[TaskKind, str] = {}
    for kind in dict.fromkeys(kinds):
        try:
            tasks[kind], found = load_task(
                VerifySettings(
                    task=kind,
                    **settings.model_dump(include={"facts", "pairs", "vocabulary"} & settings.model_fields_set),
                )
            )
            notes += found
        except TaskError as reason:
            missing[kind] = str(reason)
    if not tasks:
        named = [reason if len(missing) == 1 else f"{kind} task: {reason}" for kind, reason in missing.items()]
        raise TaskError("\n".join(named))
    notes += [f"no {kind} task, whose theorems are not applicable: {reason}" for kind, reason in missing.items()]
    return tasks, tuple(dict.fromkeys(notes)), missing


def _without_task(theorem: Theorem, reason: str) -> CheckedTheorem:
    """The theorem where there is nothing that it could be about."""
    finding = Finding("fails", f"a {theorem.task} task", "none", detail=reason)
    assumption = Assumption("task", r"\text{a task of the theorem's kind}", lambda setting: finding)
    links = tuple((link, link.proof) for link in theorem.links)
    outcome = Outcome("not applicable", "symbolic", detail=reason)
    return CheckedTheorem(theorem, ((assumption, finding),), links, outcome, Certificate())

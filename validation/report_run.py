"""`reversal report`: verify, check and measure one task within minutes, whatever its size, and write the document.

Verification runs in a second process beside the checks and measurements of this one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Any

from theory.coherence import ScheduleKind
from theory.counting import count_of, duration
from theory.errors import BadInput
from theory.setting import NotMeasured, Setting
from theory.task import Task, first_pairs
from theory.theorem import Theorem
from validation.background import Report, background
from validation.check import check, expected_seconds
from validation.check_settings import CheckSettings
from validation.cost import Cost, check_cost, cost
from validation.experiments.result import RunResult
from validation.machine import Machine, available_cores, machine_now
from validation.measurements import Measurements
from validation.remedies.result import RemediesResult
from validation.remedies.run import fitting
from validation.remedies.run import load_task as load_remedies
from validation.remedies.run import run as run_remedies
from validation.remedies.settings import RemedySettings
from validation.remedies.time import table_seconds
from validation.report.build import build
from validation.report.data import ReportData
from validation.report.measure import measure
from validation.report.write import write_report
from validation.report_settings import ReportSettings
from validation.result import Verification
from validation.settings import VerifySettings
from validation.verify import LONG, load_task, verify

# Parts of a large file on which a report integrates and trains, unless it is asked for more: each some 20 seconds on
# one core. Embeddings of these parts are explicit, so both costs grow like the cube of the part.
FLOW_PAIRS = 256
TRAIN_PAIRS = 96
# Draws of embeddings are followed in full; of a large task as few as take this long for each schedule, or none.
DRAW_SECONDS = 15.0
# Choices of loss, space, optimiser and data are compared on a part that takes seconds; half of its pairs are asked.
REMEDY_PAIRS, REMEDY_DIMENSION, REMEDY_SEEDS = 16, 64, 3

# Seconds of the processor, measured: measurements for pictures, and the document in every form.
MEASURE_SECONDS, WRITE_SECONDS = 6.0, 30.0
SECONDS_PER_QUERY = 0.01  # rows of tables, in every form

WRITING = 0.9  # from here on the bar everything is found and the document is written


@dataclass(frozen=True)
class QuickMeasurements(Measurements):
    """Measurements that draw nothing which one schedule could not follow within `limit_seconds`."""

    limit_seconds: float = DRAW_SECONDS

    def refuse_separation(self, setting: Setting, dimension: float, kind: ScheduleKind) -> None:
        """As in Measurements, and where it would take longer."""
        super().refuse_separation(setting, dimension, kind)
        expected = self.separation_seconds(setting, kind)
        if expected > self.limit_seconds:
            raise NotMeasured(
                f"following {count_of(setting.draws, 'draw')} of embeddings of this size takes about "
                f"{duration(expected)}, more than the {duration(self.limit_seconds)} of a report (reversal check "
                "measures them)"
            )


@dataclass(frozen=True)
class Plan:
    """What is run: the settings of both halves with large files reduced, and a line for each reduction.

    `expected` is the cost of the verification on this `machine` as it is now.
    """

    verify: VerifySettings
    check: CheckSettings
    task: Task
    notes: tuple[str, ...]
    expected: Cost
    machine: Machine


def plan(settings: ReportSettings, limit_bytes: float | None = None) -> Plan:
    """Fit the work to the task; what was asked for by name is left as it is.

    Raises FactFileError, TaskError and TooExpensive (bad input).
    """
    task, _ = load_task(settings.verify)
    sizes = {
        name: size
        for name, size in (("train_pairs", TRAIN_PAIRS), ("flow_pairs", FLOW_PAIRS))
        if name not in settings.given and not (name == "flow_pairs" and settings.verify.model == "transformer")
    }
    smaller = settings.verify.model_copy(update=sizes)
    draws, notes = _draws(settings, task)
    trained = first_pairs(task, smaller.train_pairs)
    machine = machine_now()
    expected = cost(task, trained, smaller.resolve(task, trained), machine)
    check_cost(expected, smaller, limit_bytes)
    checked = settings.check.model_copy(update={"draws": draws})
    return Plan(smaller, checked, task, notes, expected, machine)


def report_cost(planned: Plan, beside: float, cores: int) -> Cost:
    """What the whole report takes: the longer of two halves that run side by side, and the writing after both.

    `beside` are the seconds of the processor of what runs beside the verification. On one core the halves take turns.
    """
    slower = planned.machine.slower
    halves = (planned.expected.seconds, slower * beside)
    rows = len(planned.task.train_context) + len(planned.task.queries)
    writing = slower * (WRITE_SECONDS + SECONDS_PER_QUERY * rows)
    return Cost((max(halves) if cores > 1 else sum(halves)) + writing, planned.expected.bytes)


def _draws(settings: ReportSettings, task: Task) -> tuple[int, tuple[str, ...]]:
    """As many draws as a report has time for, and what to say of it."""
    asked = settings.check.draws
    if "draws" in settings.given:
        return asked, ()
    one = Measurements().separation_seconds(Setting(task, Measurements(), draws=1), "flow")
    draws = min(asked, max(1, int(DRAW_SECONDS / one)))
    if draws == asked:
        return asked, ()
    if one > DRAW_SECONDS:
        note = f"certified a priori, not measured: a draw of this size takes some {ceil(one)} s (--draws measures them)"
        return asked, (f"theorems on drawn embeddings are {note}",)
    return draws, (
        f"theorems on drawn embeddings are measured on {count_of(draws, 'draw')}, not on {asked:,} (--draws)",
    )


def run_report(
    settings: ReportSettings,
    theorems: Sequence[Theorem],
    command: str,
    tell: Report,
    announce: Callable[[str], None],
    limit_bytes: float | None = None,
    runs: tuple[RunResult, ...] = (),
) -> ReportData:
    """Verify, check and measure; `runs` are included as they are. `announce` gets one line before long work (LONG)."""
    start = monotonic()
    planned = plan(settings, limit_bytes)
    measurements = Measurements(limit_bytes) if "draws" in settings.given else QuickMeasurements(limit_bytes)
    shares = beside_seconds(settings, planned, theorems, measurements)
    expected = report_cost(planned, sum(shares.values()), available_cores())
    if expected.seconds > LONG:
        announce(f"this report will take about {expected}")
    progress = TwoHalves(planned.expected.seconds, shares, planned.machine.slower)
    with background(_verify, planned.verify, limit_bytes) as beside:

        def part(name: str) -> Report:
            return lambda stage, done: tell(stage, WRITING * progress.done(name, done, beside.progress()[1]))

        checked = check(planned.check, theorems, measurements, part("check"))
        pictures = part("measure")
        measured = measure(planned.task, planned.check, lambda done: pictures("measuring for pictures", done))
        compared, said = compare_choices(settings, part("remedies"))
        verification = beside.result(lambda stage, done: tell(stage, WRITING * progress.done("end", 0.0, done)))
    verification = replace(verification, notes=(*verification.notes, *planned.notes, *said))
    return ReportData(verification, checked, command, monotonic() - start, measured, runs, compared)


class TwoHalves:
    """How much of the work before the writing is done: what is left is what is left of the half that ends later.

    `verification` are seconds by the clock, `beside` those of the processor, which take `slower` times as long.
    """

    def __init__(self, verification: float, beside: Mapping[str, float], slower: float) -> None:
        self._verification, self._beside = verification, slower * sum(beside.values())
        self._ends = dict(zip(beside, accumulate(slower * seconds for seconds in beside.values()), strict=True))
        self._seconds = {name: slower * seconds for name, seconds in beside.items()}

    def done(self, name: str, part: float, verified: float) -> float:
        """`part` of what is called `name` in this process is done (any other name: all), and `verified` of the rest."""
        left = self._beside - self._ends.get(name, self._beside) + self._seconds.get(name, 0.0) * (1.0 - part)
        whole = max(self._beside, self._verification)
        return 1.0 - max(left, self._verification * (1.0 - verified)) / whole if whole else 1.0


def beside_seconds(
    settings: ReportSettings, planned: Plan, theorems: Sequence[Theorem], measurements: Measurements
) -> dict[str, float]:
    """Seconds of the processor of each part that runs beside the verification, in order."""
    remedies, chosen = 0.0, remedy_options(settings)
    if chosen is not None:
        try:
            asked = RemedySettings.checked(**chosen)
            task, _ = load_remedies(asked)
            remedies = table_seconds(task, fitting(task, asked)[0], asked, 1)
        except BadInput:  # it is left out, and says why
            pass
    checked = expected_seconds(planned.check, theorems, measurements)
    return {"check": checked, "measure": MEASURE_SECONDS, "remedies": remedies}


def remedy_options(settings: ReportSettings) -> dict[str, Any] | None:
    """The settings of the choices that the report compares, None where it compares none."""
    if settings.remedies == "none":
        return None
    asked, given = settings.verify, settings.given
    chosen: dict[str, Any] = {"task": asked.task, "seed": asked.seed, "brief": settings.remedies == "brief"}
    if settings.remedies == "brief":
        chosen |= {"seeds": REMEDY_SEEDS, "dimension": REMEDY_DIMENSION, "train_pairs": REMEDY_PAIRS}
    chosen |= {"facts": asked.facts} if asked.facts is not None else {"pairs": max(asked.pairs, 2)}
    for name in ("vocabulary", "seeds", "context"):
        if name in given:
            chosen[name] = getattr(asked, name)
    if asked.task == "reversal" and "held_out" in given and asked.held_out:
        chosen["held_out"] = asked.held_out
    return chosen


def compare_choices(settings: ReportSettings, tell: Report) -> tuple[RemediesResult | None, tuple[str, ...]]:
    """The choices that the report compares, and a note where there are none: a task may ask nothing that follows."""
    chosen = remedy_options(settings)
    if chosen is None:
        return None, ()
    try:
        return run_remedies(RemedySettings.checked(**chosen), tell), ()
    except BadInput as error:
        return None, (f"choices of loss, parameters, optimiser and data are not compared: {error}",)


def _verify(settings: VerifySettings, limit_bytes: float | None, report: Report) -> Verification:
    """`verify`, in the order in which a background process gives its arguments."""
    return verify(settings, report, limit_bytes)


def write(data: ReportData, folder: Path, formats: Sequence[str], tell: Report) -> list[str]:
    """Build the document and write it into a new folder that appears complete; lines about what could not be made."""
    tell("building the document", WRITING)
    document = build(data)
    tell("writing", (1 + WRITING) / 2)
    contents: dict[str, Any] = data.as_dict() if "json" in formats else {}
    return write_report(document, contents, folder, formats)

"""`reversal report`: verify, check and measure one task within minutes, whatever its size, and write the document.

Verification runs in a second process beside the checks and measurements of this one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from validation.check import check
from validation.check_settings import CheckSettings
from validation.cost import Cost, check_cost, cost
from validation.experiments.result import RunResult
from validation.measurements import Measurements
from validation.remedies.result import RemediesResult
from validation.remedies.run import run as run_remedies
from validation.remedies.settings import RemedySettings
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

# Proofs, derivations, pictures and the PDF: measured on one core, with nothing that grows with the file.
FIXED_SECONDS = 45.0
SECONDS_PER_QUERY = 0.01  # rows of tables, in every form

# Where each part of the work of this process starts and ends on the bar; the verification beside it is the other half.
PARTS = {"check": (0.0, 0.6), "measure": (0.6, 0.8), "remedies": (0.8, 1.0)}
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
    """What is run: the settings of both halves with large files reduced, and a line for each reduction."""

    verify: VerifySettings
    check: CheckSettings
    task: Task
    notes: tuple[str, ...]
    expected: Cost


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
    expected = cost(task, trained, smaller.resolve(task, trained))
    check_cost(expected, smaller, limit_bytes)
    seconds = expected.seconds + FIXED_SECONDS + SECONDS_PER_QUERY * (len(task.train_context) + len(task.queries))
    checked = settings.check.model_copy(update={"draws": draws})
    return Plan(smaller, checked, task, notes, Cost(seconds, expected.bytes))


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
    if planned.expected.seconds > LONG:
        announce(f"this report will take about {planned.expected}")

    measurements = Measurements(limit_bytes) if "draws" in settings.given else QuickMeasurements(limit_bytes)
    with background(_verify, planned.verify, limit_bytes) as beside:

        def part(name: str) -> Report:
            first, last = PARTS[name]
            return lambda stage, done: tell(stage, WRITING * (first + (last - first) * done + beside.progress()[1]) / 2)

        checked = check(planned.check, theorems, measurements, part("check"))
        pictures = part("measure")
        measured = measure(planned.task, planned.check, lambda done: pictures("measuring for pictures", done))
        compared, said = compare_choices(settings, part("remedies"))
        verification = beside.result(lambda stage, done: tell(stage, WRITING * (1 + done) / 2))
    verification = replace(verification, notes=(*verification.notes, *planned.notes, *said))
    return ReportData(verification, checked, command, monotonic() - start, measured, runs, compared)


def compare_choices(settings: ReportSettings, tell: Report) -> tuple[RemediesResult | None, tuple[str, ...]]:
    """The choices that the report compares, and a note where there are none: a task may ask nothing that follows."""
    if settings.remedies == "none":
        return None, ()
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

"""Everything that a report is made of: what verify and check found, what was measured for pictures, and how it ran."""

from dataclasses import dataclass
from typing import Any

from theory.claim import Verdict, joint_verdict
from theory.task import Task
from validation.check import CheckResult
from validation.experiments.result import RunResult
from validation.remedies.result import RemediesResult
from validation.report.measure import ReportMeasurements
from validation.result import Verification, finite_json, provenance

FORMAT = "reversal-report/1"


@dataclass(frozen=True)
class ReportData:
    """Results to report on; at least one of `verification` and `check` is given, or ValueError is raised.

    `command` is the command line as it was typed, `seconds` the time that everything took (None: not told).
    """

    verification: Verification | None
    check: CheckResult | None
    command: str
    seconds: float | None = None
    measurements: ReportMeasurements | None = None
    runs: tuple[RunResult, ...] = ()
    remedies: RemediesResult | None = None

    def __post_init__(self) -> None:
        if self.verification is None and self.check is None:
            raise ValueError("a report needs a verification, a check of theorems, or both; got neither")

    @property
    def tasks(self) -> dict[str, Task]:
        """Every task that was looked at, by kind, that of the verification first."""
        found: dict[str, Task] = {}
        if self.verification is not None:
            found[self.verification.settings.task] = self.verification.task
        if self.check is not None:
            for kind, task in self.check.tasks.items():
                found.setdefault(kind, task)
        return found

    @property
    def task(self) -> Task:
        """The task that stands for the report: that of the verification, else the first that was checked."""
        return next(iter(self.tasks.values()))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know before reading numbers, each once."""
        found = [part.notes for part in (self.verification, self.check) if part is not None]
        return tuple(dict.fromkeys(note for notes in found for note in notes))

    @property
    def verdict(self) -> Verdict:
        """`holds` where everything that applies holds, runs included."""
        parts = (self.verification, self.check, self.remedies, *self.runs)
        return joint_verdict([part.verdict for part in parts if part is not None])

    @property
    def seed(self) -> int:
        """The first seed."""
        settings = (self.check if self.verification is None else self.verification).settings  # type: ignore[union-attr]
        return settings.seed

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of `report.json`: both results in full and every number of every picture.

        Losses over time stand in `verify.trajectories` and `verify.queries`, the other pictures' in `measurements`.
        """
        verify = None if self.verification is None else self.verification.as_dict()
        check = None if self.check is None else self.check.as_dict()
        measured = None if self.measurements is None else finite_json(self.measurements.as_dict())
        return {
            "format": FORMAT,
            "command": self.command,
            "seconds": self.seconds,
            "verdict": self.verdict,
            "provenance": provenance(self.seed),
            "verify": verify,
            "check": check,
            "measurements": measured,
            "runs": [result.as_dict() for result in self.runs],
            "remedies": None if self.remedies is None else self.remedies.as_dict(),
        }

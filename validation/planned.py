"""What a check will measure and how long it takes, found by asking theorems with measures that are noted, not made.

So every theorem says once, in its conclusion, what it measures; the same measurement of two theorems is made once and
counted once; and what is refused, or not reached because an assumption fails, is not counted at all.

Seconds are those of the processor on the core where the constants were measured (see `validation.machine`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from theory.coherence import Schedule
from theory.setting import NotMeasured, OneLayerRun, Separation, Setting
from theory.theorem import Theorem
from validation.check_settings import OPTIONS
from validation.measurements import LAW_SECONDS, Key, Measurements

# Of the proof of a link, on the average over all 37 links; each is proved once in a process.
LINK_SECONDS = 0.3
ASSUMPTION_SECONDS = 0.2  # of a theorem: constants are certified by bisection


@dataclass
class Planned:
    """Measures nothing: notes each measurement with its expected seconds, and refuses what the real one refuses."""

    real: Measurements
    seconds: dict[Key, float] = field(default_factory=dict)

    def _note(self, key: Key, seconds: float) -> NoReturn:
        if not self.real.made(key):
            self.seconds[key] = seconds
        raise NotMeasured("planned only")

    @property
    def false_alarm(self) -> float:
        """As in a real run."""
        return self.real.false_alarm

    def separation(self, setting: Setting, dimension: float, schedule: Schedule) -> Separation:
        """Draws, noted."""
        self.real.refuse_separation(setting, dimension, schedule.kind)
        key = self.real.separation_key(setting, dimension, schedule.kind)
        self._note(key, self.real.separation_seconds(setting, schedule.kind))

    def classical(self, setting: Setting, dimension: float) -> float:
        """Of the first draw; short."""
        raise NotMeasured("planned only")

    def one_layer(self, setting: Setting, visits: int) -> OneLayerRun:
        """A run, noted."""
        self.real.refuse_one_layer(setting, visits)
        self._note(self.real.one_layer_key(setting, visits), self.real.one_layer_seconds(setting, visits))

    def interpolation_residual(self, setting: Setting, optimizer: str) -> tuple[float, float]:
        """The law, noted; the first optimiser stands for all that follow."""
        self._note(("interpolation law",), LAW_SECONDS)

    def settled_loss(self, setting: Setting) -> tuple[float, float]:
        """A flow, noted."""
        self.real.refuse_large(setting.task)
        self._note(self.real.settled_key(setting), self.real.settled_seconds(setting))

    def failure_interval(self, failures: int, draws: int) -> tuple[float, float]:
        """As in a real run."""
        return self.real.failure_interval(failures, draws)


@dataclass(frozen=True)
class Work:
    """Seconds that a theorem is expected to take: of its assumptions and its links not proved yet, and by "
    "measurement."""

    fixed: float
    measured: Mapping[Key, float]

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.fixed + sum(self.measured.values())


def planned_work(theorems: Sequence[tuple[Theorem, Setting]], measure: Measurements) -> list[Work]:
    """The work of each theorem in its setting, less what those before it do already."""
    done: dict[Key, float] = {}
    proved: set[tuple[str, str]] = set()
    works = []
    for theorem, setting in theorems:
        found = Planned(measure)
        asked = Setting(**{**vars(setting), "measure": found})
        try:
            if theorem.id not in OPTIONS:  # a user's own: what its conclusion does is not to be done twice
                pass
            elif any(assumption.check(asked).verdict == "fails" for assumption in theorem.assumptions):
                theorem.remains(asked)
            else:
                theorem.conclusion.check(asked)
        except NotMeasured:
            pass
        links = {(link.id, link.statement) for link in theorem.links if "proof" not in vars(link)} - proved
        proved |= links
        new = {key: seconds for key, seconds in found.seconds.items() if key not in done}
        done |= new
        works.append(Work(ASSUMPTION_SECONDS + LINK_SECONDS * len(links), new))
    return works

"""A setting in which theorems are checked: the task, the numbers that a user chooses, and how things are measured."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from theory.coherence import CoherenceBounds, Schedule, ScheduleKind
from theory.errors import BadInput
from theory.exponent import Exponent
from theory.task import Task


class NotMeasured(Exception):
    """A measurement that cannot be made in this setting (too large, say); the message is the reason."""


@dataclass(frozen=True)
class Separation:
    """Draws of embeddings and starts at one dimension, each with its certificate and its measured exponent.

    `certified` holds the instance's certified exponent (infinite where none), `measured` the largest over all times of
    -log(L_rev(t)/L_rev(0)) / log(L(0)/L(t)), `first_order` -sum_a w_a / m of the worst query, what first-order theory
    gives for it at t -> 0; shapes (draws,).
    `reversal_loss` is L_rev where the loss first falls to the loss target (nan where it does not), and `target_loss` is
    a lower bound of L there. `measured_error`, `reversal_error` say by how much the solver or rounding may have raised
    the measured exponent and moved the reversal loss. `exponents` are the certificates in full, `bounds` what they rest
    on (but for the signs of the couplings), `span` says in words how far the runs went.
    """

    certified: np.ndarray
    measured: np.ndarray
    measured_error: np.ndarray
    first_order: np.ndarray
    reversal_loss: np.ndarray
    reversal_error: np.ndarray
    target_loss: np.ndarray
    exponents: tuple[Exponent, ...]
    bounds: tuple[CoherenceBounds, ...]
    span: str


@dataclass(frozen=True)
class OneLayerRun:
    """A run of SGD with batch size one on the one-layer transformer from zero.

    `visits` of every pair; `trained` the smallest probability of a trained pair at the end; over the epochs looked at,
    `unseen` the largest probability of a pair that was never trained, and `lowest` the smallest difference between the
    logit of a seen target and that of an unseen one of the same row. `gap`: smallest and largest
    (h_k - h(eta k)) M / eta over single-target rows at the end, which the sandwich puts within [0, 1]. `rounding`
    bounds what double precision may add to a logit, `gap_rounding` what it may add to a gap.
    """

    visits: int
    trained: float
    unseen: float
    gap: tuple[float, float]
    lowest: float
    rounding: float
    gap_rounding: float


class Measure(Protocol):
    """Instances and runs for a setting. Every method may raise NotMeasured."""

    @property
    def false_alarm(self) -> float:
        """The chance of a wrong alarm of one binomial statement."""

    def separation(self, setting: "Setting", dimension: float, schedule: Schedule) -> Separation:
        """Draw G and S(0) at `dimension`, certify, and follow the loss along `schedule`."""

    def classical(self, setting: "Setting", dimension: float) -> float:
        """The exponent of the first draw by eigenvalues and absolute values; infinite where that says nothing."""

    def one_layer(self, setting: "Setting", visits: int) -> OneLayerRun:
        """SGD on the one-layer transformer until every row was visited `visits` times."""

    def interpolation_residual(self, setting: "Setting", optimizer: str) -> tuple[float, float]:
        """Largest violation of the interpolation law under an optimiser, and the tolerance for rounding."""

    def settled_loss(self, setting: "Setting") -> tuple[float, float]:
        """The loss where training settles, and a bound on how far it still is from the end."""

    def failure_interval(self, failures: int, draws: int) -> tuple[float, float]:
        """An exact binomial interval of the failure probability, at the run's share of the false-alarm rate."""


class NoRuns:
    """A `Measure` that draws and runs nothing: what it leaves of a theorem is the proof, asked alone."""

    false_alarm = 0.0

    def separation(self, setting: "Setting", dimension: float, schedule: Schedule) -> Separation:
        """Raises NotMeasured, as every other run below does."""
        raise self._asked_alone

    def classical(self, setting: "Setting", dimension: float) -> float:
        """Raises NotMeasured."""
        raise self._asked_alone

    def one_layer(self, setting: "Setting", visits: int) -> OneLayerRun:
        """Raises NotMeasured."""
        raise self._asked_alone

    def interpolation_residual(self, setting: "Setting", optimizer: str) -> tuple[float, float]:
        """Raises NotMeasured."""
        raise self._asked_alone

    def settled_loss(self, setting: "Setting") -> tuple[float, float]:
        """Raises NotMeasured."""
        raise self._asked_alone

    def seconds(self, setting: "Setting", kind: ScheduleKind) -> float:
        """No time."""
        return 0.0

    def failure_interval(self, failures: int, draws: int) -> tuple[float, float]:
        """Nothing is known without a run."""
        return 0.0, 1.0

    @property
    def _asked_alone(self) -> NotMeasured:
        return NotMeasured("the proof is asked alone")


@dataclass(frozen=True)
class Setting:
    """A task and the numbers chosen for it; time is step size x steps, losses are in nats.

    `dimension` None asks for one that is certified. `loss_target` is c, `reversal_floor` C of Theorem 2 (None:
    log(m/2)). `learning_rate` None stands for that of `rate`. `steps` None runs as long as the theorem's constants say.
    `draws` instances start at `seed`.
    """

    task: Task
    measure: Measure
    dimension: float | None = None
    init_scale: float = 0.01
    epsilon: float = 0.1
    delta: float = 0.05
    loss_target: float = 0.01
    reversal_floor: float | None = None
    learning_rate: float | None = None
    steps: int | None = None
    draws: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        size = self.task.vocabulary_size
        if self.dimension is not None and self.dimension < size and self.dimension % 1:
            raise BadInput(
                f"--dimension {self.dimension:g}: below the vocabulary of {size} tokens expected a whole number, for "
                "the law of the Gram matrix exists for no other"
            )
        for name in ("epsilon", "delta"):
            if not 0 < getattr(self, name) < 1:
                raise BadInput(f"--{name} {getattr(self, name)}: expected a number above 0 and below 1")

    def rate(self, kind: ScheduleKind = "reshuffled") -> float:
        """The learning rate: the one that was asked for, else 1 for one pair a step and N/2 for full-batch descent.

        A visit then moves a row by one residual, or by half of one, in either case well within the certified steps.
        """
        if self.learning_rate is not None:
            return self.learning_rate
        return self.task.trained_contexts / 2 if kind == "gd" else 1.0

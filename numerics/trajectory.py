"""The one type that closed form, integrated flow, descent recursion and real training all return.

Time is step size x steps (for heavy-ball momentum beta, step size x steps / (1 - beta)); every quantity is
given on one grid of times, so that any two trajectories on the same grid can be subtracted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from numerics import plot
from theory.claim import Evidence

Source = Literal["closed form", "flow", "descent", "training"]


@dataclass(frozen=True)
class ErrorBound:
    """A bound on |Theta_computed(t) - Theta(t)|_F at each time, by convexity of the loss.

    `parameters` has shape (T,). `evidence` is `certified` where the defect was enclosed in balls, else
    `numerical`.
    """

    parameters: np.ndarray
    evidence: Evidence
    reason: str


@dataclass(frozen=True)
class Trajectory:
    """Losses and probabilities over time.

    Shapes, with T times, K trained pairs, Q queries: `time`, `loss`, `reversal_loss` (T,);
    `train_log_probability` (T, K), natural logarithm of p(target | context) for each trained pair in the
    order of the task; `query_log_probability` (T, Q), of the summed probability of each query's answers;
    `query_logit_change` (T, Q), the change since t = 0 of the answers' logit (mean over answers) less the
    mean of its row, computed from the change itself and not as a difference of two rounded logits.
    `answer_log_probability` (T, answers), where kept, is of each answer by itself, query by query.
    `trained_logit_change` (T, K) is the same for trained pairs. `logits` (N + other contexts, m), where
    kept, is the state at the last time.
    """

    source: Source
    model: str
    dimension: float | None
    time: np.ndarray
    loss: np.ndarray
    reversal_loss: np.ndarray
    train_log_probability: np.ndarray
    query_log_probability: np.ndarray
    trained_logit_change: np.ndarray
    query_logit_change: np.ndarray
    logits: np.ndarray | None = None
    error_bound: ErrorBound | None = None
    answer_log_probability: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = self.time.shape
        if len(shape) != 1 or self.loss.shape != shape or self.reversal_loss.shape != shape:
            raise ValueError(
                f"time, loss and reversal_loss must share one shape (T,), got {shape}, {self.loss.shape}, "
                f"{self.reversal_loss.shape}"
            )
        if (np.diff(self.time) <= 0).any():
            raise ValueError("times must increase strictly")
        for field in (
            "train_log_probability",
            "query_log_probability",
            "trained_logit_change",
            "query_logit_change",
        ):
            if getattr(self, field).shape[0] != shape[0]:
                raise ValueError(f"{field} must have one row per time ({shape[0]}), got {getattr(self, field).shape}")

    def _repr_png_(self) -> bytes:
        """For notebooks: see `numerics.plot`."""
        return plot.trajectory_png(self)


def log_spaced_times(final: float, points: int = 60, first: float = 1e-2) -> np.ndarray:
    """Zero, then `points` times from `first` to `final` evenly spaced in the logarithm."""
    if not final > first:
        raise ValueError(f"the final time must exceed {first}, got {final}")
    return np.concatenate([[0.0], np.geomspace(first, final, points)])


def mean_trajectory(trajectories: Sequence[Trajectory]) -> Trajectory:
    """The mean over seeds of every field of trajectories of one source, model, dimension and grid of times.

    Raises ValueError when they do not share these.
    """
    first = trajectories[0]
    for other in trajectories[1:]:
        same = (other.source, other.model, other.dimension) == (first.source, first.model, first.dimension)
        if not same or not np.array_equal(other.time, first.time):
            raise ValueError("only trajectories of one source, model, dimension and grid of times have a mean")

    def mean(name: str) -> np.ndarray:
        return np.mean([getattr(trajectory, name) for trajectory in trajectories], axis=0)

    def mean_of_kept(name: str) -> np.ndarray | None:
        return None if any(getattr(trajectory, name) is None for trajectory in trajectories) else mean(name)

    return replace(
        first,
        loss=mean("loss"),
        reversal_loss=mean("reversal_loss"),
        train_log_probability=mean("train_log_probability"),
        query_log_probability=mean("query_log_probability"),
        trained_logit_change=mean("trained_logit_change"),
        query_logit_change=mean("query_logit_change"),
        logits=mean_of_kept("logits"),
        answer_log_probability=mean_of_kept("answer_log_probability"),
        error_bound=None,
    )

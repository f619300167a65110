"""The exponent of Theorem 1 (arXiv 2405.04669) as measured along a trajectory of logits.

At each time, -log(L_rev(t)/L_rev(0)) / log(L(0)/L(t)): the theorem's eps must be at least this. Both logarithms are
taken from the change of the logits, so that effects of 1e-12 keep their digits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from numerics.observables import reversal_log_ratio, training_log_ratio
from theory.task import Task

BATCH = 1_000_000  # logits that are looked at together, some 8 MB an array


@dataclass(frozen=True)
class MeasuredExponent:
    """`largest` over all states of the exponent, minus infinity where the loss never fell.

    `at_target` is log(L_rev/L_rev(0)), the smaller of the two states around the first one with L <= the loss target;
    nan where the loss does not get there. `remaining` is L/L(0) at the last state.
    """

    largest: float
    at_target: float
    remaining: float


def measure_exponent(
    task: Task, initial_logits: np.ndarray, changes: Iterable[np.ndarray], log_target: float
) -> MeasuredExponent:
    """Follow S(0) + dS over the `changes` dS (contexts, m); `log_target` is log(loss target / L(0))."""
    fallen, reverse = _log_ratios(task, initial_logits, changes)
    exponents = -reverse[fallen > 0] / fallen[fallen > 0]
    reached = np.flatnonzero(-fallen <= log_target)
    around = np.append(0.0, reverse)[reached[0] : reached[0] + 2] if len(reached) else np.array([np.nan])
    largest = float(exponents.max(initial=-np.inf))
    return MeasuredExponent(largest, float(around.min()), float(np.exp(-fallen[-1])))


def _log_ratios(task: Task, initial_logits: np.ndarray, changes: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """log(L(0)/L) and log(L_rev/L_rev(0)) at every state, (T,) each, many small states at once."""
    together = max(BATCH // initial_logits.size, 1)
    waiting, fallen, reverse = iter(changes), [np.empty(0)], [np.empty(0)]
    while batch := list(islice(waiting, together)):
        stacked = np.stack(batch)
        fallen.append(-training_log_ratio(task, initial_logits, stacked))
        reverse.append(reversal_log_ratio(task, initial_logits, stacked))
    return np.concatenate(fallen), np.concatenate(reverse)

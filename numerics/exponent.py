"""The exponent of Theorem 1 (arXiv 2405.04669) as measured along a trajectory of logits.

At each time, -log(L_rev(t)/L_rev(0)) / log(L(0)/L(t)): the theorem's eps must be at least this. Both logarithms are
taken from the change of the logits, so that effects of 1e-12 keep their digits.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from numerics.observables import reversal_log_ratio, training_log_ratio
from theory.task import Task


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
    largest, at_target, before, fallen = -np.inf, np.nan, 0.0, 0.0
    for change in changes:
        fallen = -training_log_ratio(task, initial_logits, change)
        reverse = reversal_log_ratio(task, initial_logits, change)
        if fallen > 0:
            largest = max(largest, -reverse / fallen)
        if np.isnan(at_target) and -fallen <= log_target:
            at_target = min(before, reverse)
        before = reverse
    return MeasuredExponent(float(largest), float(at_target), float(np.exp(-fallen)))

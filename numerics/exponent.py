"""The exponent of Theorem 1 (arXiv 2405.04669) as measured along a trajectory of logits.

At each time, -log(L_rev(t)/L_rev(0)) / log(L(0)/L(t)): the theorem's eps must be at least this. Both logarithms are
taken from the change of the logits, so that effects of 1e-12 keep their digits.

A run knows its logits only up to an error. Where every logit of a trained row is off by at most T, log-odds are off by
at most 2T and so is log L, for |d log L_a / du_a| <= 1. An asked row moves as the combination w of trained rows
(interpolation law), so its logits are off by at most sum |w_a| T and log L_rev by twice that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from numerics.observables import reversal_log_ratio, training_log_ratio
from theory.task import Task

BATCH = 1_000_000  # logits that are looked at together, some 8 MB an array

# The change dS (contexts, m) of the logits since the start, and by how much a logit of a trained row may be off.
State = tuple[np.ndarray, float]


@dataclass(frozen=True)
class MeasuredExponent:
    """`largest` over all states of the exponent, minus infinity where the loss never fell.

    `surely` is the largest over all states of the least exponent that the errors of that state leave possible, at most
    `largest`. `at_target` is log(L_rev/L_rev(0)), the smaller of the two states around the first one with L <= the loss
    target, `target_error` what errors may have moved it by, and `target_fallen` an upper bound of log(L(0)/L) at both
    states; nan where the loss does not get there. `remaining` is L/L(0) at the last state.
    """

    largest: float
    surely: float
    at_target: float
    target_error: float
    target_fallen: float
    remaining: float


def measure_exponent(
    task: Task, initial_logits: np.ndarray, states: Iterable[State], log_target: float, asked_weight: float
) -> MeasuredExponent:
    """Follow S(0) + dS over the `states`; `log_target` is log(loss target / L(0)).

    `asked_weight` is the largest sum |w_a|. An infinite error, of a run that may be lost, leaves nothing that is sure.
    """
    fallen, reverse, error = _log_ratios(task, initial_logits, states)
    fallen_error, reverse_error = 2.0 * error, 2.0 * asked_weight * error
    falls = fallen > 0
    exponents = -reverse[falls] / fallen[falls]
    sure = np.isfinite(error) & (fallen > fallen_error)
    drop = (-reverse - reverse_error)[sure]  # the least by which log L_rev has fallen
    least = drop / (fallen[sure] + np.sign(drop) * fallen_error[sure])
    largest = float(exponents.max(initial=-np.inf))
    surely = float(least.max(initial=-np.inf))
    reached = np.flatnonzero(-fallen <= log_target)
    at_target = target_error = target_fallen = np.nan
    if len(reached):
        around = slice(reached[0], reached[0] + 2)  # of arrays that begin with the start itself
        at_target = float(np.append(0.0, reverse)[around].min())
        target_error = float(np.append(0.0, reverse_error)[around].max())
        target_fallen = float((fallen + fallen_error)[reached[0]])
    return MeasuredExponent(largest, surely, at_target, target_error, target_fallen, float(np.exp(-fallen[-1])))


def _log_ratios(
    task: Task, initial_logits: np.ndarray, states: Iterable[State]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log(L(0)/L), log(L_rev/L_rev(0)) and the logits' error at every state, (T,) each, many small states at once."""
    together = max(BATCH // initial_logits.size, 1)
    waiting, fallen, reverse, error = iter(states), [np.empty(0)], [np.empty(0)], [np.empty(0)]
    while batch := list(islice(waiting, together)):
        stacked = np.stack([change for change, _ in batch])
        fallen.append(-training_log_ratio(task, initial_logits, stacked))
        reverse.append(reversal_log_ratio(task, initial_logits, stacked))
        error.append(np.array([error_of for _, error_of in batch]))
    return np.concatenate(fallen), np.concatenate(reverse), np.concatenate(error)

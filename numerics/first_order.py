"""The law to first order in the coherence of the embeddings: decoupled rows put into the interpolation law.

An untrained context moves exactly by S_q(t) - S_q(0) = w_q^T (S_A(t) - S_A(0)), w_q = K_AA^+ K_Aq. With the
rows S_A taken as if G = I, the reversal loss errs by O(1/d + sigma/sqrt(d)) while its change is of order
1/sqrt(d).
"""

from collections.abc import Iterator

import numpy as np

from numerics.decoupled import decoupled_rows, row_patterns
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.observables import observe, trajectory_of
from numerics.trajectory import Trajectory
from theory.task import Task


def first_order_law(task: Task, gram: Gram, initial_logits: np.ndarray, time: np.ndarray) -> Trajectory:
    """The bilinear model's trajectory (arXiv 2405.04669) to first order in G - I at each time (T,).

    `initial_logits` (contexts, m). From a zero start rows are closed forms where their targets weigh the
    same, else they are integrated. Trained rows, and so queries of trained contexts, are the decoupled
    ones. Raises ValueError when a context has several tokens.
    """
    kernels = Kernels(task, gram)
    weights = kernels.interpolation_weights
    observations = []
    change = np.zeros_like(initial_logits)
    for trained in _trained_rows(task, initial_logits, time):
        change = np.concatenate([trained, weights.T @ trained])  # (other, N) x (N, m) -> (other, m)
        observations.append(observe(task, initial_logits, change))
    return trajectory_of(
        observations,
        source="closed form",
        model="bilinear",
        dimension=gram.dimension,
        time=time,
        logits=initial_logits + change,
    )


def _trained_rows(task: Task, initial_logits: np.ndarray, time: np.ndarray) -> Iterator[np.ndarray]:
    """S_A(t) - S_A(0) of the decoupled rows, (N, m), at each time."""
    patterns, pattern_of = row_patterns(task)
    closed = task.one_token_contexts and all(pattern.equal for pattern in patterns)
    if initial_logits[: task.trained_contexts].any() or not closed:
        yield from decoupled_rows(task, initial_logits, time)
        return
    seen = task.target_distribution.toarray() > 0
    for t in time:
        change = np.empty(seen.shape)
        for p, pattern in enumerate(patterns):
            rows = np.flatnonzero(pattern_of == p)
            levels = pattern.closed_form(task.context_weight[rows] * t)  # (rows, 2)
            change[rows] = np.where(seen[rows], levels[:, :1], levels[:, 1:])
        yield change

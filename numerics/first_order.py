"""The law to first order in the coherence of the embeddings: decoupled rows put into the interpolation law.

An untrained context moves exactly by S_q(t) - S_q(0) = w_q^T (S_A(t) - S_A(0)), w_q = K_AA^+ K_Aq. With the
rows S_A taken as if G = I, the reversal loss errs by O(1/d + sigma/sqrt(d)) while its change is of order
1/sqrt(d).
"""

from collections.abc import Iterator

import numpy as np

from numerics.decoupled import bounded_rows, row_patterns
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.observables import Observation, observe, trajectory_of
from numerics.started_rows import rows_from_start
from numerics.trajectory import ErrorBound, Trajectory
from theory.task import Task

INTEGRATED_REASON = "convexity of the loss row by row; quadrature of the defect of the rows that have no closed form"


def first_order_law(task: Task, gram: Gram, initial_logits: np.ndarray, time: np.ndarray) -> Trajectory:
    """The bilinear model's trajectory (arXiv 2405.04669) to first order in G - I at each time (T,).

    `initial_logits` (contexts, m). Rows are closed forms where `closed_form_rows` says so; the others are integrated,
    and only then there is an error bound, on those rows. Trained rows, and so queries of trained contexts, are the
    decoupled ones. Raises ValueError when a context has several tokens.
    """
    return law_and_reading(task, gram, initial_logits, time)[0]


def law_and_reading(
    task: Task, gram: Gram, initial_logits: np.ndarray, time: np.ndarray
) -> tuple[Trajectory, Trajectory]:
    """The law, and its trained rows taken for the coordinates C of the parameters Theta(0) + V_A^T C V.

    Those have the logits S(0) + K C K_out. Of all that can be read off C they lie nearest to the flow: they keep the
    coherence that the law leaves out of trained rows. Both carry the error bound of the rows that were integrated.
    """
    law, reading, bounds = [], [], []
    kernels = Kernels(task, gram)
    change = read = np.zeros_like(initial_logits)
    for change, bound in law_changes(task, gram, initial_logits, time):
        read = kernels.logit_change(change[: task.trained_contexts])
        law.append(observe(task, initial_logits, change))
        reading.append(observe(task, initial_logits, read))
        bounds.append(bound)
    exact = bool(closed_form_rows(task, initial_logits).all())
    error = None if exact else ErrorBound(np.array(bounds), "numerical", INTEGRATED_REASON)

    def trajectory(observations: list[Observation], last: np.ndarray) -> Trajectory:
        return trajectory_of(
            observations,
            source="closed form",
            model="bilinear",
            dimension=gram.dimension,
            time=time,
            logits=initial_logits + last,
            error_bound=error,
        )

    return trajectory(law, change), trajectory(reading, read)


def law_changes(
    task: Task, gram: Gram, initial_logits: np.ndarray, time: np.ndarray
) -> Iterator[tuple[np.ndarray, float]]:
    """S(t) - S(0) by the law, (contexts, m), at each time, and the bound on |error|_F of rows that were integrated."""
    weights = Kernels(task, gram).interpolation_weights
    for trained, bound in _trained_rows(task, initial_logits, time):
        yield np.concatenate([trained, weights.T @ trained]), bound  # (other, N) x (N, m) -> (other, m)


def closed_form_rows(task: Task, initial_logits: np.ndarray) -> np.ndarray:
    """Which trained rows have a closed form at G = I, (N,): one target, or a zero start and targets of one weight."""
    patterns, pattern_of = row_patterns(task)
    equal = np.array([pattern.equal for pattern in patterns])[pattern_of]
    return np.asarray(equal & ((task.target_count == 1) | _from_zero(task, initial_logits)))


def _from_zero(task: Task, initial_logits: np.ndarray) -> np.ndarray:
    """Which trained rows start at zero, (N,)."""
    return np.asarray(~initial_logits[: task.trained_contexts].any(axis=1))


def _trained_rows(task: Task, initial_logits: np.ndarray, time: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """S_A(t) - S_A(0) of the decoupled rows, (N, m), at each time, and the bound on the error of integrated ones."""
    closed, zero = closed_form_rows(task, initial_logits), _from_zero(task, initial_logits)
    if not task.one_token_contexts or not closed.all():
        integrated = bounded_rows(task, initial_logits, time)
    else:
        integrated = ((np.zeros((task.trained_contexts, task.vocabulary_size)), 0.0) for _ in time)
    started = np.flatnonzero(closed & ~zero)
    target = task.target_distribution.indices[task.target_distribution.indptr[started]]
    from_start = rows_from_start(
        initial_logits[: task.trained_contexts][started], target, np.outer(time, task.context_weight[started])
    )
    from_zero = _rows_from_zero(task, np.flatnonzero(closed & zero), time)
    for (change, bound), moved, risen in zip(integrated, from_start, from_zero, strict=True):
        change = change.copy()
        change[started], change[closed & zero] = moved, risen
        yield change, bound


def _rows_from_zero(task: Task, rows: np.ndarray, time: np.ndarray) -> Iterator[np.ndarray]:
    """The Wright omega law of `rows` (R,), whose targets weigh the same, as changes (R, m) at each time."""
    patterns, pattern_of = row_patterns(task)
    seen = task.target_distribution[rows].toarray() > 0
    for t in time:
        change = np.empty(seen.shape)
        for p, pattern in enumerate(patterns):
            here = np.flatnonzero(pattern_of[rows] == p)
            if here.size:
                levels = pattern.closed_form(task.context_weight[rows[here]] * t)  # (here, 2)
                change[here] = np.where(seen[here], levels[:, :1], levels[:, 1:])
        yield change

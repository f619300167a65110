"""The stiff solver, which files of several targets a context need, against rows that have a closed form.

It is measured on one small task whatever the file: the solver does not depend on it, and where targets of a row weigh
differently, or embeddings overlap, there is nothing exact to hold it against.
"""

import numpy as np

from numerics.decoupled import RowPattern, row_patterns
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.stiff import stiff_flow_pieces
from theory.claim import Claim, ClaimText
from theory.task import Statement, Task, build_task
from validation.compare import EPSILON, FROM_ZERO, PROJECT, judge

TOLERANCE = 1e-8
TIGHTER = 1e-2  # the share of it that the reference run has
END = 1e4  # late enough that a row of two targets relaxes a thousand times faster than it moves

STIFF_FLOW = ClaimText(
    "stiff-flow-is-closed-form",
    "The stiff solver agrees with the closed form of rows with one and with two targets",
    r"|S_{\varepsilon/100}(t) - S_{\text{closed form}}(t)| \le |S_{\varepsilon}(t) - S_{\varepsilon/100}(t)|, "
    r"\quad \varepsilon \text{ the tolerance of the solver}",
    PROJECT,
    (FROM_ZERO, "embeddings are orthonormal", "a hundredth of the tolerance at least halves the solver's error"),
)


def small_task() -> Task:
    """Four contexts, one of them with two targets."""
    statements = [Statement((a,), b, "->") for a, b in (("p", "q"), ("p", "r"), ("x", "y"), ("u", "v"))]
    return build_task("two targets", statements, [], vocabulary=10)


def solved(task: Task, time: np.ndarray, tolerance: float) -> np.ndarray:
    """S_A (N, m) of the decoupled flow from zero at each time (T,) > 0, by the stiff solver, (T, N, m)."""
    flow = LogitFlow(
        Kernels(task, Gram.identity(task.vocabulary_size)), np.zeros((len(task.contexts), task.vocabulary_size))
    )
    waiting, found = np.log1p(time).tolist(), []
    pieces = stiff_flow_pieces(flow, waiting[-1], relative_tolerance=tolerance, absolute_tolerance=1e-3 * tolerance)
    for piece in pieces:
        while waiting and waiting[0] <= piece.end:
            found.append(piece.value(waiting.pop(0)))
    return np.stack(found)


def exact(task: Task, time: np.ndarray) -> np.ndarray:
    """The same in closed form."""
    patterns, pattern_of = row_patterns(task)
    seen = task.target_distribution.toarray() > 0

    def row(pattern: RowPattern, weight: float, targets: np.ndarray) -> np.ndarray:
        levels = pattern.closed_form(weight * time)  # (T, 2)
        return np.where(targets, levels[:, :1], levels[:, 1:])

    rows = zip(pattern_of, task.context_weight, seen, strict=True)
    return np.stack([row(patterns[p], float(weight), targets) for p, weight, targets in rows], axis=1)


def stiff_claim() -> Claim:
    """The solver at its tolerance and at a hundredth of it, against the closed form."""
    task, time = small_task(), np.geomspace(1.0, END, 9)
    loose, tight = (solved(task, time, tolerance) for tolerance in (TOLERANCE, TIGHTER * TOLERANCE))
    return check_stiff(loose, tight, exact(task, time), time)


def check_stiff(loose: np.ndarray, tight: np.ndarray, closed_form: np.ndarray, time: np.ndarray) -> Claim:
    """Two runs of the solver and the closed form at each time, (T, N, m) each."""
    size = max(float(np.abs(closed_form).max()), 1.0)
    return judge(
        STIFF_FLOW,
        float(np.abs(tight - closed_form).max()),
        float(np.abs(loose - tight).max()) + 64 * EPSILON * size,
        f"a row of two targets and rows of one, 10 tokens, to t = {time[-1]:g}; tolerances {TOLERANCE:g} and "
        f"{TIGHTER * TOLERANCE:g}; bound: how far both runs are apart, and rounding",
    )

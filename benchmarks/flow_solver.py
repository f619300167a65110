"""A peer's solver in one setting, and the loosest tolerance at which its measured error is no larger than ours."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.flow_problem import FlowProblem
from benchmarks.rounds import seconds_of

# log10 of 1 / rtol: the loosest and tightest that are tried, the grid, and where the search begins.
LOOSEST, TIGHTEST, GRID, FIRST = 3.0, 13.0, 0.25, 9.0
# A solver that is so much slower than the fastest yet will not win, unless it may loosen by more than NEAR decades.
HOPELESS = 1.2
NEAR = 0.5


@dataclass(frozen=True)
class Solver:
    """`solve` takes a relative tolerance to logits (T, contexts, m); `setting` says how the peer was asked.

    `compile_seconds` is what the first call costs beyond the others.
    """

    peer: str
    setting: str
    solve: Callable[[float], np.ndarray]
    compile_seconds: float = 0.0


@dataclass(frozen=True)
class Tuned:
    """A solver at the loosest tolerance that meets the error that was asked for."""

    solver: Solver
    tolerance: float
    error: float
    seconds: float

    def run(self) -> np.ndarray:
        """Solve once."""
        return self.solver.solve(self.tolerance)

    def describe(self) -> str:
        """The peer, its setting and its tolerance in one line."""
        return f"{self.solver.peer}, {self.solver.setting}, rtol {self.tolerance:.0e}"


def tune(problem: FlowProblem, solvers: Iterable[Solver], error: float) -> Tuned | None:
    """The fastest solver whose measured error is at most `error`, at its loosest such tolerance; None if none is."""
    best: Tuned | None = None
    for solver in solvers:
        found = _loosest(problem, solver, error, HOPELESS * best.seconds if best else np.inf)
        if found is not None and (best is None or found.seconds < best.seconds):
            best = found
    return best


def _loosest(problem: FlowProblem, solver: Solver, error: float, limit: float) -> Tuned | None:
    """The loosest tolerance of the grid that meets `error`; None where none does, or none within `limit` seconds.

    Errors are about proportional to tolerances, so each one tried says where to look next, within what is bracketed.
    """
    too_loose, tight, found = LOOSEST - GRID, TIGHTEST + GRID, None
    digits, stride = FIRST, 1.0
    while tight - too_loose > GRID:
        answer: list[np.ndarray] = []
        seconds = seconds_of(lambda digits=digits, answer=answer: answer.append(solver.solve(10.0**-digits)))
        own = problem.error(answer[0])
        missing = stride * np.log10(own / error) if 0 < own < np.inf else 0.0
        if seconds > limit and missing > -NEAR:
            return None
        if own <= error:
            tight, found = digits, (10.0**-digits, own)
        else:
            too_loose = digits
        digits = float(np.clip(GRID * np.ceil((digits + missing) / GRID), too_loose + GRID, tight - GRID))
        stride *= 2.0  # where the error does not follow the tolerance, for other reasons bind, strides must grow
    if found is None:
        return None
    return Tuned(solver, *found, seconds_of(lambda: solver.solve(found[0])))

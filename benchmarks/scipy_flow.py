"""SciPy's solve_ivp as a peer: on Theta (d x d), in time and in log time, and on the coordinates in logit space."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.flow_problem import FlowProblem
from benchmarks.flow_solver import Solver

# LSODA's own dense Jacobian of Theta would hold d^4 numbers; with a diagonal one its Newton iteration still runs.
METHODS: dict[str, dict[str, Any]] = {"DOP853": {}, "RK45": {}, "LSODA": {"lband": 0, "uband": 0}}
# atol / rtol: SciPy's users leave both equal or set a smaller absolute one, as ours does.
ABSOLUTE_SHARES = (1.0, 1e-3)


def theta_solvers(problem: FlowProblem, quick: bool = False) -> Iterator[Solver]:
    """solve_ivp on dTheta/dt; ValueError where the problem has no Theta."""
    embeddings, start = problem.gram.embeddings, problem.theta
    if embeddings is None or start is None:
        raise ValueError("this problem has no embeddings: use FlowProblem.explicit")
    shape = start.shape
    features = problem.task.features @ embeddings  # (contexts, d)
    trained = features[: problem.shape[0]]

    def velocity(theta: np.ndarray) -> np.ndarray:
        residual = problem.residual((trained @ theta) @ embeddings.T)  # (N, d) x (d, d) x (d, m) -> (N, m)
        return trained.T @ ((problem.weight * residual) @ embeddings)  # (d, N) x (N, m) x (m, d) -> (d, d)

    def log_time_velocity(log_time: float, theta: np.ndarray) -> np.ndarray:
        return np.exp(log_time) * velocity(theta.reshape(shape)).ravel()

    def time_velocity(_: float, theta: np.ndarray) -> np.ndarray:
        return velocity(theta.reshape(shape)).ravel()

    clocks = {"log time": (log_time_velocity, problem.log_time), "time": (time_velocity, problem.time)}
    for (clock, (right_side, output)), method, share in product(clocks.items(), METHODS, ABSOLUTE_SHARES):
        if quick and (clock, method, share) != ("log time", "DOP853", 1e-3):
            continue

        def solve(rtol: float, right_side=right_side, output=output, method=method, share=share) -> np.ndarray:  # type: ignore[no-untyped-def]
            theta = _solve(right_side, start.ravel(), output, method, rtol, share)
            # (contexts, d) x (T, d, d) x (d, m)
            return features @ theta.reshape(-1, *shape) @ embeddings.T

        yield Solver("SciPy on Theta", f"{method}, {clock}, atol = {share:g} rtol", solve)


def logit_solvers(problem: FlowProblem, quick: bool = False) -> Iterator[Solver]:
    """solve_ivp on dC/dtau, the equations that ours integrates."""
    shape = problem.shape

    def right_side(log_time: float, coordinates: np.ndarray) -> np.ndarray:
        return problem.coordinate_velocity(log_time, coordinates.reshape(shape)).ravel()

    for method, share in product(METHODS, ABSOLUTE_SHARES):
        if quick and (method, share) != ("DOP853", 1e-3):
            continue

        def solve(rtol: float, method: str = method, share: float = share) -> np.ndarray:
            found = _solve(right_side, np.zeros(shape[0] * shape[1]), problem.log_time, method, rtol, share)
            return problem.logits_of_coordinates(found.reshape(-1, *shape))

        yield Solver("SciPy on logits", f"{method}, log time, atol = {share:g} rtol", solve)


def _solve(
    right_side: Any, start: np.ndarray, output: np.ndarray, method: str, rtol: float, share: float
) -> np.ndarray:
    """States at the times of output, (T', n); T' falls short of T where the solver gives up."""
    end = (0.0, output[-1])
    options = METHODS[method]
    return solve_ivp(right_side, end, start, method=method, t_eval=output, rtol=rtol, atol=share * rtol, **options).y.T

"""Stiff flows: variable-order BDF (CVODE of SUNDIALS), with exact Jacobians, one step at a time.

A row with several targets relaxes to an inner equilibrium at rate f_a p(1 - p), which in tau = log(1 + t)
is a rate proportional to 1 + t: explicit methods stop there. The Newton systems I - gamma J are solved by
GMRES with exact products J v; the preconditioner takes K_AA = I and K_out = I, so each row is a diagonal
less a rank-one matrix and is inverted by the Sherman-Morrison formula.
"""

from collections.abc import Callable, Iterator

import numpy as np
from sksundae.cvode import CVODE, CVODEJacTimes, CVODEPrecond, CVODEResult

from numerics.logit_flow import LogitFlow
from numerics.piecewise import IntegrationError, Piece
from theory.task import Task

# BDF's own interpolant has the order of the step, at most five.
BDF_DEGREE = 5

# Krylov vectors for GMRES: the preconditioned matrix differs from I by the coherence of the embeddings alone.
KRYLOV_DIMENSION = 40


# Up to this relaxation rate in tau, DOP853 (stable to about |rate x step| = 6) takes at most some hundred steps more
# and beats the hundreds of Newton-Krylov steps.
MILD_STIFFNESS = 300.0


def stiffness(task: Task, time: float) -> float:
    """(1 + t) max f_a over contexts with several targets: the rate in tau = log(1 + t) at which an inner equilibrium
    relaxes, up to a factor of order one. Zero for single-target tasks, whose flow is smooth in tau.
    """
    several = task.target_count > 1
    return (1.0 + time) * float(task.context_weight[several].max(initial=0.0))


def implicit_pieces(
    derivative: Callable[[float, np.ndarray], np.ndarray],
    jacobian: Callable[[float, np.ndarray], np.ndarray],
    initial: np.ndarray,
    end: float,
    *,
    relative_tolerance: float,
    absolute_tolerance: float,
) -> Iterator[Piece]:
    """Integrate a small dense system dy/dx = derivative(x, y), y (n,), from 0 to end, yielding each step.

    `jacobian(x, y)` is (n, n). Raises IntegrationError when CVODE gives up.
    """

    def fill_derivative(x: float, y: np.ndarray, out: np.ndarray) -> None:
        out[:] = derivative(x, y)
        _require_finite(x, out)

    def fill_jacobian(x: float, y: np.ndarray, _: np.ndarray, out: np.ndarray) -> None:
        out[:] = jacobian(x, y)

    solver = CVODE(
        fill_derivative,
        jacfn=fill_jacobian,
        linsolver="dense",
        rtol=relative_tolerance,
        atol=absolute_tolerance,
    )
    return _steps(solver, initial, end)


def stiff_flow_pieces(
    flow: LogitFlow, end: float, *, relative_tolerance: float, absolute_tolerance: float
) -> Iterator[Piece]:
    """Integrate the coordinates C (N, m) of the flow in tau = log(1 + t) from 0 to end, yielding each step.

    Raises IntegrationError when CVODE gives up.
    """
    newton = _NewtonSystem(flow)
    solver = CVODE(
        newton.derivative,
        linsolver="gmres",
        krylov_dim=KRYLOV_DIMENSION,
        jactimes=CVODEJacTimes(newton.set_state, newton.jacobian_product),
        precond=CVODEPrecond(newton.set_preconditioner, newton.precondition),
        rtol=relative_tolerance,
        atol=absolute_tolerance,
    )
    for piece in _steps(solver, np.zeros(flow.shape).ravel(), end):
        yield Piece(piece.start, piece.end, piece.coefficients.reshape(-1, *flow.shape))


class _NewtonSystem:
    """The callbacks of CVODE for one LogitFlow; they hold the softmax at the point of linearisation."""

    def __init__(self, flow: LogitFlow) -> None:
        self.flow = flow
        self.probability = np.empty(flow.shape)
        self.scale = 1.0  # 1 + t at the point of linearisation
        self.preconditioner_probability = np.empty(flow.shape)

    def derivative(self, log_time: float, state: np.ndarray, out: np.ndarray) -> None:
        out[:] = self.flow.log_time_velocity(log_time, state.reshape(self.flow.shape)).ravel()
        _require_finite(log_time, out)

    def set_state(self, log_time: float, state: np.ndarray, _: np.ndarray) -> None:
        self.probability = self.flow.trained_probability(state.reshape(self.flow.shape))
        self.scale = np.exp(log_time)

    def jacobian_product(self, _t: float, _y: np.ndarray, _yp: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
        direction = v.reshape(self.flow.shape)
        out[:] = self.scale * self.flow.velocity_change(self.probability, direction).ravel()

    def set_preconditioner(
        self, _t: float, state: np.ndarray, _yp: np.ndarray, reusable: int, renewed: list[int], _gamma: float
    ) -> None:
        renewed[0] = int(not reusable)
        if not reusable:
            self.preconditioner_probability = self.flow.trained_probability(state.reshape(self.flow.shape))

    def precondition(
        self,
        log_time: float,
        _y: np.ndarray,
        _yp: np.ndarray,
        right_side: np.ndarray,
        out: np.ndarray,
        gamma: float,
        _delta: float,
        _side: int,
    ) -> None:
        """(I + g (diag p - p p^T)) x = r for each row, g = gamma (1+t) f_a.

        With D = I + g diag p and y = D^-1 r, q = D^-1 p: x = y + g (p.y) q / (1 - g p.q). As p sums to one,
        1 - g p.q = sum_j p_j / (1 + g p_j), which has no cancellation.
        """
        p, r = self.preconditioner_probability, right_side.reshape(self.flow.shape)
        g = gamma * np.exp(log_time) * self.flow.weight  # (N, 1)
        damping = 1.0 + g * p
        y, q = r / damping, p / damping
        x = y + g * (p * y).sum(axis=1, keepdims=True) * q / q.sum(axis=1, keepdims=True)
        out[:] = x.ravel()


def _require_finite(point: float, derivative: np.ndarray) -> None:
    """Stop at a derivative that is nan: CVODE itself would halve its step without end."""
    if not np.isfinite(derivative).all():
        raise IntegrationError(f"the derivative is not finite at {point}")


def _steps(solver: CVODE, initial: np.ndarray, end: float) -> Iterator[Piece]:
    """Each internal step of CVODE as the polynomial that CVODE itself interpolates with."""
    solver.init_step(0.0, initial)
    start = 0.0

    def reach(point: float, method: str) -> CVODEResult:
        result = solver.step(point, method=method, tstop=end if method == "onestep" else None)
        if not result.success:
            raise IntegrationError(f"CVODE stopped at {start} of {end}: {result.message}")
        return result

    while start < end:
        reached = float(reach(end, "onestep").t)
        # the last point asked is the end of the step, where CVODE expects to be found by the next one
        yield Piece.through(lambda point: reach(point, "normal").y, start, reached, BDF_DEGREE)
        start = reached

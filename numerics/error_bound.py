"""How far a computed trajectory can be from the true one, by convexity, at any size.

Cross-entropy of logits that are linear in Theta is convex, so its gradient flow never moves two solutions
apart in the Frobenius norm. Hence an approximate trajectory is within |dTheta(0)|_F + integral of
|defect|_F + jumps of the true one, defect = dTheta/dt + grad L. In coordinates the defect is D = dC/dt - F
R(S(C)), of norm sqrt(tr(D^T K_AA D K_out)). (An argument of this project, not of arXiv 2405.04669.)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.piecewise import Piece
from numerics.trajectory import ErrorBound
from theory.claim import Evidence

# Gauss-Legendre points on each step: the defect of a step's polynomial of degree 7 vanishes about that often.
QUADRATURE_POINTS = 8

# Length in log(1 + t) of one quadrature panel for a trajectory given as a function of time.
PANEL = 0.25


class Defect(Protocol):
    """Measures of what a piecewise polynomial trajectory of C fails by, in the norm of the parameters."""

    @property
    def evidence(self) -> Evidence:
        """How strongly the measures bound."""
        ...

    @property
    def reason(self) -> str:
        """Why they do."""
        ...

    def jump(self, before: Piece | None, piece: Piece) -> float:
        """The norm of the discontinuity where `piece` begins; before the first piece stands C = 0."""
        ...

    def integral(self, piece: Piece) -> float:
        """The integral over the piece of |dC/dtau - (1 + t) F R(S(C))|, tau = log(1 + t)."""
        ...

    def evaluation(self, piece: Piece, time: float, coordinates: np.ndarray) -> float:
        """The norm of what rounding costs when the reported coordinates are evaluated at a requested time."""
        ...


@dataclass(frozen=True, eq=False)
class NumericalDefect:
    """The defect in floating point: Gauss-Legendre quadrature of its norm on every step."""

    flow: LogitFlow
    reason: str
    evidence: Evidence = "numerical"

    def jump(self, before: Piece | None, piece: Piece) -> float:
        start = np.zeros(self.flow.shape) if before is None else before.value(before.end)
        return self.flow.kernels.parameter_norm(piece.value(piece.start) - start)

    def integral(self, piece: Piece) -> float:
        def norm(log_time: float) -> float:
            velocity = self.flow.log_time_velocity(log_time, piece.value(log_time))
            return self.flow.kernels.parameter_norm(piece.derivative(log_time) - velocity)

        return quadrature(norm, piece.start, piece.end)

    def evaluation(self, piece: Piece, time: float, coordinates: np.ndarray) -> float:
        return 0.0  # of the order of rounding, which this evidence does not claim to cover


def bounded_states(
    pieces: Iterator[Piece], defect: Defect, time: np.ndarray, shape: tuple[int, ...]
) -> Iterator[tuple[np.ndarray, float]]:
    """The state at each time and the bound on its error, from pieces in tau = log(1 + t) that start at zero.

    `time` increases; the state is zero at t = 0. The whole defect of the step that holds a time is charged
    to it. Raises ValueError when the pieces end before the last time.
    """
    log_time = [float(np.log1p(t)) for t in time]
    done = 0
    if time[0] == 0.0:
        yield np.zeros(shape), 0.0
        done = 1
    error, before = 0.0, None
    if done == len(time):
        return
    for piece in pieces:
        # each sum is pushed up by one unit in the last place, so that a certified bound stays one
        error = np.nextafter(error + defect.jump(before, piece), np.inf)
        error = np.nextafter(error + defect.integral(piece), np.inf)
        while done < len(time) and log_time[done] <= piece.end:
            state = piece.value(log_time[done])
            yield state, float(np.nextafter(error + defect.evaluation(piece, time[done], state), np.inf))
            done += 1
        before = piece
    if done < len(time):
        raise ValueError(f"the trajectory ends before the time {time[done]}")


def defect_bound_of(
    flow: LogitFlow,
    coordinates: Callable[[float], np.ndarray],
    velocity: Callable[[float], np.ndarray],
    time: np.ndarray,
    reason: str,
) -> ErrorBound:
    """A bound on |Theta~(t) - Theta(t)|_F for any smooth C~(t), dC~/dt (N, m) given as functions of t.

    The closed form of the decoupled rows is such a trajectory: this bounds its distance from the flow at
    finite embedding dimension. `time` (T,) increases from 0 or later; C~(0) may differ from 0.
    """

    def norm(log_time: float) -> float:
        t = np.expm1(log_time)
        return np.exp(log_time) * flow.kernels.parameter_norm(velocity(t) - flow.velocity(coordinates(t)))

    ends = np.concatenate([[0.0], np.log1p(time)])
    error = [flow.kernels.parameter_norm(coordinates(0.0))]
    for start, end in pairwise(ends):
        panels = np.linspace(start, end, 1 + max(1, int(np.ceil((end - start) / PANEL))))
        error.append(error[-1] + sum(quadrature(norm, a, b) for a, b in pairwise(panels)))
    return ErrorBound(np.array(error[1:]), "numerical", reason)


def logit_error(kernels: Kernels, parameter_error: float) -> np.ndarray:
    """What an error of the parameters does to each logit at most, (contexts, m).

    An error X of Theta lies in the span of the trained contexts, so |dS_ij| <= |projection of phi_i on that
    span| |v_j| |X|_F: |phi_a V| for a trained row, sqrt(K_qA K_AA^+ K_Aq) for an untrained one, of order
    1/sqrt(d).
    """
    trained = np.sqrt(np.diag(kernels.trained_kernel))
    untrained = np.sqrt(np.maximum((kernels.cross_kernel * kernels.interpolation_weights).sum(axis=0), 0.0))
    length = np.sqrt(1.0 + np.diag(kernels.gram.excess))  # |v_j|, (m,)
    return parameter_error * np.outer(np.concatenate([trained, untrained]), length)


def quadrature(function: Callable[[float], float], start: float, end: float) -> float:
    """Gauss-Legendre quadrature of a scalar function."""
    node, weight = np.polynomial.legendre.leggauss(QUADRATURE_POINTS)
    middle, half = 0.5 * (start + end), 0.5 * (end - start)
    return float(half * sum(w * function(middle + half * x) for x, w in zip(node, weight, strict=True)))

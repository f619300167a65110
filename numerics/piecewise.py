"""Piecewise polynomial solutions of differential equations: what every solver here yields, step by step.

A solver's continuous solution is sampled at Chebyshev points of each step and becomes a polynomial with known
coefficients, which can be evaluated, differentiated and, in balls, enclosed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.integrate import DOP853

# The continuous extension of DOP853 is a polynomial of degree 7 on each step (Hairer, Norsett, Wanner, II.6).
DOP853_DEGREE = 7


class IntegrationError(RuntimeError):
    """The solver gave up: the message says where and why."""


@dataclass(frozen=True, eq=False)
class Piece:
    """y(x) = sum_k coefficients[k] s^k on start <= x <= end, s = (2x - start - end) / (end - start)."""

    start: float
    end: float
    coefficients: np.ndarray

    @staticmethod
    def through(function: Callable[[float], np.ndarray], start: float, end: float, degree: int) -> "Piece":
        """The polynomial through the function at the degree + 1 Chebyshev points of the step, ends
        included.
        """
        nodes, inverse = _chebyshev(degree)
        points = 0.5 * (start + end) + 0.5 * (end - start) * nodes
        points[0], points[-1] = start, end
        samples = np.stack([function(point) for point in points])
        return Piece(start, end, np.tensordot(inverse, samples, axes=1))

    def local(self, point: float) -> float:
        """s of x."""
        return (2.0 * point - self.start - self.end) / (self.end - self.start)

    def value(self, point: float) -> np.ndarray:
        """y at one point, the shape of a coefficient."""
        return np.tensordot(self.local(point) ** np.arange(self.degree + 1), self.coefficients, axes=1)

    def values(self, points: np.ndarray) -> np.ndarray:
        """y at many points (P,), shape (P, *state)."""
        local = (2.0 * points - self.start - self.end) / (self.end - self.start)
        return np.tensordot(np.vander(local, self.degree + 1, increasing=True), self.coefficients, axes=1)

    def derivative(self, point: float) -> np.ndarray:
        """dy/dx at one point."""
        power = np.arange(1, self.degree + 1)
        factor = power * self.local(point) ** (power - 1) * 2.0 / (self.end - self.start)
        return np.tensordot(factor, self.coefficients[1:], axes=1)

    @property
    def degree(self) -> int:
        """The degree of the polynomial."""
        return len(self.coefficients) - 1


@cache
def _chebyshev(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev points of the second kind in [-1, 1], and the matrix from samples there to powers of s."""
    nodes = -np.cos(np.pi * np.arange(degree + 1) / degree)
    return nodes, np.linalg.inv(np.vander(nodes, increasing=True))


def explicit_pieces(
    derivative: Callable[[float, np.ndarray], np.ndarray],
    initial: np.ndarray,
    end: float,
    *,
    relative_tolerance: float,
    absolute_tolerance: float,
) -> Iterator[Piece]:
    """Integrate dy/dx = derivative(x, y), y(0) = initial, to x = end by DOP853, yielding each step.

    y may have any shape. One step is held at a time. Raises IntegrationError when the step size underflows.
    """
    shape = initial.shape
    solver = DOP853(
        lambda x, y: derivative(x, y.reshape(shape)).ravel(),
        0.0,
        initial.ravel(),
        end,
        rtol=relative_tolerance,
        atol=absolute_tolerance,
    )
    while solver.status == "running":
        message = solver.step()
        if solver.status == "failed":
            raise IntegrationError(f"DOP853 stopped at {solver.t} of {end}: {message}")
        extension = solver.dense_output()
        piece = Piece.through(extension, solver.t_old, solver.t, DOP853_DEGREE)
        yield Piece(piece.start, piece.end, piece.coefficients.reshape(-1, *shape))

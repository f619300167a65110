"""Rigorous bounds on the extreme eigenvalues of G = I + E and of its trained block.

With Q the eigenvectors found in floats, E is similar to Q^T E Q up to how far Q is from orthogonal; both products are
taken in balls and Gershgorin's circles of the nearly diagonal result enclose the spectrum.
"""

from functools import reduce

import numpy as np
from flint import arb, arb_mat, ctx
from scipy.linalg import eigh

PRECISION = 64  # bits: products of doubles, far finer than the rounding of the eigenvectors themselves


def enclose_eigenvalues(excess: np.ndarray, trained: np.ndarray) -> tuple[arb, arb, arb]:
    """Lower bounds of lambda_min(G_AA) and lambda_min(G), upper bound of lambda_max(G), for E (m, m) symmetric.

    `trained` (N,) are the tokens of the trained contexts.
    """
    least, most = extreme_eigenvalues(excess)
    least_trained, _ = extreme_eigenvalues(excess[np.ix_(trained, trained)])
    return 1 + least_trained, 1 + least, 1 + most


def extreme_eigenvalues(symmetric: np.ndarray) -> tuple[arb, arb]:
    """A lower bound of the smallest and an upper bound of the largest eigenvalue of a symmetric matrix (n, n).

    Raises ValueError when the eigenvectors are too inexact to say anything.
    """
    with ctx.workprec(PRECISION):
        vectors = _matrix(eigh(symmetric)[1])
        transposed = vectors.transpose()
        turned = transposed * (_matrix(symmetric) * vectors)  # (n, n) x (n, n) x (n, n)
        product = transposed * vectors
        size = len(symmetric)
        # Q^T Q has its spectrum within 1 +- skew
        skew = _largest([_absolute_row(product, i) + abs(product[i, i] - 1) for i in range(size)])
        if not bool(skew < 1):
            raise ValueError("the eigenvectors are not orthogonal enough to enclose the eigenvalues")
        low = -_largest([_absolute_row(turned, i) - turned[i, i] for i in range(size)])
        high = _largest([turned[i, i] + _absolute_row(turned, i) for i in range(size)])
        # x = Q y: x^T E x / |x|^2 = y^T (Q^T E Q) y / y^T (Q^T Q) y
        return (
            (low / (1 - skew) if bool(low < 0) else low / (1 + skew)).lower(),
            (high / (1 - skew) if bool(high > 0) else high / (1 + skew)).upper(),
        )


def _matrix(array: np.ndarray) -> arb_mat:
    return arb_mat(array.shape[0], array.shape[1], array.ravel().tolist())


def _absolute_row(matrix: arb_mat, row: int) -> arb:
    """Sum of the absolute values of a row but for its diagonal entry."""
    return sum((abs(matrix[row, j]) for j in range(matrix.ncols()) if j != row), arb(0))


def _largest(balls: list[arb]) -> arb:
    """The upper end of the largest ball."""
    return reduce(arb.max, balls).upper()

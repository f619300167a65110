"""Closed form of the gradient flow of the squared loss on logits, by the eigenvalues of the two kernels.

With F^1/2 K_AA F^1/2 = U diag(alpha) U^T, K_out = W diag(beta) W^T and X = U^T F^1/2 (S_A - Bhat) W every entry decays
on its own, X_ij(t) = exp(-alpha_i beta_j t) X_ij(0) (`reversal derive squared-loss-closed-form`). Any dimension, any
time, contexts of several tokens, several targets, duplicated and dependent contexts (alpha = 0).
"""

from collections.abc import Iterator

import numpy as np
from scipy.linalg import eigh

from numerics.parameter_space import FreeSpace, State
from numerics.space_flow import absolute_tolerance, flow_pieces


def squared_loss_states(space: FreeSpace, time: np.ndarray) -> Iterator[State]:
    """The state (C, 1) at each time (T,), step size x steps."""
    task = space.task
    trained = slice(0, task.trained_contexts)
    root = np.sqrt(task.context_weight)[:, None]
    alpha, U = eigh(root * space.K_in[trained] * root.T)
    beta, W = eigh(space.K_out)
    distance = root * (space.initial_logits[trained] - task.target_distribution.toarray())
    start = U.T @ distance @ W
    # eigenvalues of positive semi-definite matrices: a negative one is the rounding of zero
    rate = np.maximum(alpha, 0.0)[:, None] * np.maximum(beta, 0.0)
    for t in time:
        # the integral of exp(-rate s) over 0..t, which is t where the rate is zero
        travelled = np.where(rate * t > 0.0, -np.expm1(-rate * t) / np.where(rate > 0.0, rate, 1.0), t)
        yield -root * (U @ (travelled * start) @ W.T), np.ones(())


def integrated_squared_loss(space: FreeSpace, time: float, tolerance: float) -> tuple[np.ndarray, float]:
    """C (N, m) of the integrated flow at one time > 0, and how far each entry may be from that of the exact flow.

    F^-1/2 C flows down a convex quadratic, where no two solutions part in the Frobenius norm, so the errors of all
    steps add up at most. A step is accepted with an error whose root mean square is one in units of atol + rtol |C|.
    """
    accepted, piece = 0.0, None
    for piece in flow_pieces(space, "squared", float(np.log1p(time)), tolerance=tolerance):
        ends = piece.values(np.array([piece.start, piece.end]))
        unit = absolute_tolerance(tolerance) + tolerance * float(np.abs(ends).max())
        accepted += float(np.sqrt(ends.shape[1])) * unit
    if piece is None:
        raise ValueError(f"the time must be positive, got {time}")
    weight = space.task.context_weight
    coordinates = piece.value(piece.end)[:-1].reshape(space.start[0].shape)
    return coordinates, float(np.sqrt(weight.max() / weight.min()) * accepted)

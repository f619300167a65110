"""Closed form of the gradient flow of the squared loss on logits, by the eigenvalues of the two kernels.

With F^1/2 K_AA F^1/2 = U diag(alpha) U^T, K_out = W diag(beta) W^T and X = U^T F^1/2 (S_A - Bhat) W every entry decays
on its own, X_ij(t) = exp(-alpha_i beta_j t) X_ij(0) (`reversal derive squared-loss-closed-form`). Any dimension, any
time, contexts of several tokens, several targets, duplicated and dependent contexts (alpha = 0).
"""

from collections.abc import Iterator

import numpy as np
from scipy.linalg import eigh

from numerics.parameter_space import FreeSpace, State


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

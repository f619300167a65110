"""The losses of the logits that are compared, by what the flow sees of them: R, the negative gradient in the logits.

Whatever the loss, dS/dt = K_in[:, A] F R K_out; only R differs (`reversal derive losses`): bhat - softmax(S) for the
cross-entropy, bhat - S for the squared loss on logits, bhat - sigmoid(S) for one-against-all logistic loss.
"""

from typing import Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.special import expit, softmax

from numerics.residual import residual

Loss = Literal["cross-entropy", "squared", "one-against-all"]
LOSSES: tuple[Loss, ...] = ("cross-entropy", "squared", "one-against-all")

# The largest second derivative of each loss in the logits of one row: a step of gradient descent on that row alone
# expands no distances up to 2 over this (up to 2 / curvature for a convex loss).
CURVATURE: dict[Loss, float] = {"cross-entropy": 0.5, "squared": 1.0, "one-against-all": 0.25}


def negative_gradient(loss: Loss, logits: np.ndarray, target_distribution: csr_array) -> np.ndarray:
    """R (N, m), from the logits of the trained rows (N, m) and bhat, sparse (N, m). ValueError on another loss."""
    match loss:
        case "cross-entropy":
            return residual(logits, target_distribution)
        case "squared":
            return target_distribution.toarray() - logits
        case "one-against-all":
            # bhat - sigmoid without the difference of two numbers near one: bhat sigmoid(-S) - (1 - bhat) sigmoid(S)
            share = target_distribution.toarray()
            return share * expit(-logits) - (1.0 - share) * expit(logits)
    raise ValueError(f"unknown loss {loss!r}: expected one of {', '.join(LOSSES)}")


def fitted_probabilities(loss: Loss, target_distribution: csr_array) -> np.ndarray:
    """softmax(S) where the loss of every row is least, (N, m): what training can reach at most. ValueError as above.

    Under the one-against-all loss sigmoid(S) = bhat, so e^S is in proportion to bhat / (1 - bhat).
    """
    share = target_distribution.toarray()
    match loss:
        case "cross-entropy":
            return share
        case "squared":
            return softmax(share, axis=1)
        case "one-against-all":
            odds = np.divide(share, 1.0 - share, out=np.zeros_like(share), where=share < 1.0)
            return np.where(share == 1.0, 1.0, odds / np.maximum(odds.sum(axis=1, keepdims=True), np.finfo(float).tiny))
    raise ValueError(f"unknown loss {loss!r}: expected one of {', '.join(LOSSES)}")


def one_hot_rows(targets: np.ndarray, vocabulary_size: int) -> csr_array:
    """bhat of single targets (B,), sparse (B, m)."""
    rows = np.arange(len(targets))
    return csr_array((np.ones(len(targets)), (rows, targets)), shape=(len(targets), vocabulary_size))

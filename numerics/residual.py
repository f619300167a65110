"""R = Bhat - P, the negative gradient of the cross-entropy with respect to the logits of each trained row.

Near the end of training every entry of R is tiny, and bhat - p would be a difference of two numbers near
each other. With u the total probability of the tokens that are never a target of the row and c the softmax
among its targets, R_b = bhat_b u + (1 - u)(bhat_b - c_b) on targets and R_j = -p_j elsewhere: for one
target R_b = u, a plain sum.
"""

import numpy as np
from scipy.sparse import csr_array


def row_softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax of each row, (R, m) -> (R, m)."""
    probability = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability /= probability.sum(axis=1, keepdims=True)
    return probability


def residual(logits: np.ndarray, target_distribution: csr_array) -> np.ndarray:
    """R = Bhat - softmax(logits), (N, m), each entry to full relative accuracy where a row has one target.

    `target_distribution` is Bhat, sparse (N, m), with at least one stored entry in every row.
    """
    if len(target_distribution.indices) == len(logits):  # at least one in every row, so exactly one
        answer = row_softmax(logits)
        target = np.arange(len(logits)), target_distribution.indices
        answer[target] = 0.0
        unseen = answer.sum(axis=1)
        np.negative(answer, out=answer)
        answer[target] = target_distribution.data * unseen
        return answer
    start = target_distribution.indptr[:-1]
    count = np.diff(target_distribution.indptr)
    row = np.repeat(np.arange(len(start)), count)
    column, share = target_distribution.indices, target_distribution.data

    answer = row_softmax(logits)
    seen = np.add.reduceat(answer[row, column], start)  # 1 - u, (N,)
    answer[row, column] = 0.0
    unseen = answer.sum(axis=1)  # u, (N,)

    target_logits = logits[row, column]
    weight = np.exp(target_logits - np.maximum.reduceat(target_logits, start)[row])
    among_targets = weight / np.add.reduceat(weight, start)[row]  # c
    np.negative(answer, out=answer)
    answer[row, column] = share * unseen[row] + seen[row] * (share - among_targets)
    return answer

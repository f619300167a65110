"""Adam in NumPy, on the parameters Theta themselves: the steps that real training under Adam must repeat.

Logits are S = X Theta Y^T, X (contexts, d) the features and Y (m, d) the token embeddings; both are the identity in
token space. Adam sees the entries of Theta, so no recursion in logit space describes it (arXiv 1412.6980, Algorithm 1):
m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2, Theta <- Theta - eta (m / (1 - b1^k)) / (sqrt(v / (1 - b2^k)) + e).
"""

import numpy as np

from numerics.residual import residual
from theory.task import Task

DECAY_MEAN, DECAY_SQUARE, EPSILON = 0.9, 0.999, 1e-8


def adam_parameters(
    task: Task, features: np.ndarray, tokens: np.ndarray, theta: np.ndarray, learning_rate: float, steps: int
) -> np.ndarray:
    """Theta (d, d) after `steps` full-batch steps of Adam on the cross-entropy from `theta`.

    `features` X (contexts, d), `tokens` Y (m, d). A step costs O(N d (m + d)).
    """
    theta, mean, square = theta.copy(), np.zeros_like(theta), np.zeros_like(theta)
    trained = features[: task.trained_contexts]
    weight = task.context_weight[:, None]
    for k in range(1, steps + 1):
        logits = trained @ theta @ tokens.T  # (N, d) x (d, d) x (d, m)
        ascent = weight * residual(logits, task.target_distribution)  # F R, (N, m)
        gradient = -trained.T @ (ascent @ tokens)  # (d, N) x (N, d)
        mean += (1.0 - DECAY_MEAN) * (gradient - mean)
        square += (1.0 - DECAY_SQUARE) * (gradient**2 - square)
        size = np.sqrt(square / (1.0 - DECAY_SQUARE**k)) + EPSILON
        theta -= learning_rate / (1.0 - DECAY_MEAN**k) * mean / size
    return theta

"""The gradient flow in coordinates: S(t) = S(0) + K_in[:, A] C(t) K_out, dC/dt = F R(S_A), C(0) = 0.

Exact for every size: Theta(t) - Theta(0) = V_A^T C V, and C (N, m) is all that moves (arXiv 2405.04669, the
dynamics behind Theorem 1, written for a general kernel). Time scale: t = step size x steps.
"""

from dataclasses import dataclass

import numpy as np

from numerics.kernels import Kernels
from numerics.residual import residual, row_softmax


@dataclass(frozen=True, eq=False)
class LogitFlow:
    """dC/dt = F R(S_A(0) + K_AA C K_out), `initial_logits` (contexts, m); ValueError on another shape."""

    kernels: Kernels
    initial_logits: np.ndarray

    def __post_init__(self) -> None:
        task = self.kernels.task
        expected = (len(task.contexts), task.vocabulary_size)
        if self.initial_logits.shape != expected:
            raise ValueError(f"expected initial logits (contexts, m) = {expected}, got {self.initial_logits.shape}")

    @property
    def shape(self) -> tuple[int, int]:
        """(N, m), the shape of the coordinates."""
        return self.kernels.task.trained_contexts, self.kernels.task.vocabulary_size

    @property
    def weight(self) -> np.ndarray:
        """f as a column (N, 1)."""
        return self.kernels.task.context_weight[:, None]

    def trained_logits(self, coordinates: np.ndarray) -> np.ndarray:
        """S_A = S_A(0) + K_AA C K_out, (N, m)."""
        return self.initial_logits[: self.shape[0]] + self.kernels.trained_logit_change(coordinates)

    def velocity(self, coordinates: np.ndarray) -> np.ndarray:
        """dC/dt = F R(S_A), (N, m)."""
        return self.weight * residual(self.trained_logits(coordinates), self.kernels.task.target_distribution)

    def log_time_velocity(self, log_time: float, coordinates: np.ndarray) -> np.ndarray:
        """dC/dtau = (1 + t) F R in tau = log(1 + t), in which a single-target flow is not stiff; (N, m)."""
        return np.exp(log_time) * self.velocity(coordinates)

    def trained_probability(self, coordinates: np.ndarray) -> np.ndarray:
        """P, the softmax of the trained rows, (N, m)."""
        return row_softmax(self.trained_logits(coordinates))

    def velocity_change(self, probability: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """The derivative of dC/dt along X: -F (diag p - p p^T) (K_AA X K_out) row by row, (N, m)."""
        logit_change = self.kernels.trained_logit_change(direction)
        mean = (probability * logit_change).sum(axis=1, keepdims=True)
        return -self.weight * probability * (logit_change - mean)

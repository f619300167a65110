"""The two kernels of the logit-space flow, K_in = Phi G Phi^T over contexts and K_out = G over tokens.

With G = I + E every product is split into the exact overlap of features, Phi Phi^T, and the coherence Phi E
Phi^T. A row that shares no token with a trained context has no overlap: its change is coherence alone, of
order 1/sqrt(d), and keeps full relative accuracy at any d because the two parts are never added before they
are applied.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import eigh, eigvalsh
from scipy.sparse import csr_array

from numerics.gram import Gram
from theory.task import Task


@dataclass(frozen=True, eq=False)
class Kernels:
    """K_in and K_out of one task and one Gram matrix. Raises ValueError when their vocabularies differ."""

    task: Task
    gram: Gram

    def __post_init__(self) -> None:
        if self.gram.vocabulary_size != self.task.vocabulary_size:
            raise ValueError(
                f"the Gram matrix is of {self.gram.vocabulary_size} tokens, "
                f"the task has {self.task.vocabulary_size}: draw it for the task's vocabulary"
            )

    @cached_property
    def overlap(self) -> csr_array:
        """Phi Phi_A^T, sparse (contexts, N): shared tokens, exact."""
        features = self.task.features
        return csr_array(features @ features[: self.task.trained_contexts].T)  # (contexts, m) x (m, N)

    @cached_property
    def coherence(self) -> np.ndarray | None:
        """Phi E Phi_A^T (contexts, N), None when G = I."""
        if self.gram.is_identity:
            return None
        trained = self.task.features[: self.task.trained_contexts]
        return self.task.features @ (trained @ self.gram.excess).T  # (contexts, m) x (m, N); E is symmetric

    @cached_property
    def trained_kernel(self) -> np.ndarray:
        """K_AA (N, N), the kernel between trained contexts."""
        return self._kernel(slice(0, self.task.trained_contexts))

    @cached_property
    def trained_to_tokens(self) -> np.ndarray:
        """Phi_A G (N, m), from trained contexts to single tokens."""
        features = self.task.features[: self.task.trained_contexts]
        return features.toarray() + features @ self.gram.excess

    @cached_property
    def cross_kernel(self) -> np.ndarray:
        """K_Aq (N, other contexts), the kernel from trained to untrained contexts."""
        return self._kernel(slice(self.task.trained_contexts, None)).T

    def logit_change(self, coordinates: np.ndarray) -> np.ndarray:
        """K_in[:, A] C K_out for C (N, m): the change of every context's logits, (contexts, m)."""
        if self.coherence is None:
            return self.overlap @ coordinates
        spread = coordinates + coordinates @ self.gram.excess  # C K_out, (N, m) x (m, m) -> (N, m)
        # (contexts, N) x (N, m) -> (contexts, m); an exact overlap row of zeros adds an exact zero
        return self.overlap @ spread + self.coherence @ spread

    def trained_logit_change(self, coordinates: np.ndarray) -> np.ndarray:
        """K_AA C K_out for coordinates C (N, m): the change of the trained rows, (N, m).

        Here, where every row has its own overlap, the two parts of K_AA may be one dense matrix: flows evaluate this
        thousands of times.
        """
        if self.coherence is None:
            return self._trained_overlap @ coordinates
        return self.trained_kernel @ (coordinates + coordinates @ self.gram.excess)

    @cached_property
    def _trained_overlap(self) -> csr_array:
        """Phi_A Phi_A^T, sliced once: slicing a sparse matrix costs as much as the product."""
        return csr_array(self.overlap[: self.task.trained_contexts])

    def row_change(self, context: int, coordinates: np.ndarray) -> np.ndarray:
        """K_in[context, A] C K_out: the change of one row, (m,), in O(N m + m^2)."""
        stored = slice(*self.overlap.indptr[context : context + 2])
        row = self.overlap.data[stored] @ coordinates[self.overlap.indices[stored]]  # (n,) x (n, m) -> (m,)
        if self.coherence is None:
            return row
        row = row + self.coherence[context] @ coordinates  # (N,) x (N, m) -> (m,)
        return row + row @ self.gram.excess  # (m,) x (m, m) -> (m,)

    def parameter_norm(self, coordinates: np.ndarray) -> float:
        """|V_A^T C V|_F = sqrt(tr(C^T K_AA C K_out)), the norm of the parameters with coordinates C."""
        square = np.vdot(coordinates, self.trained_logit_change(coordinates))
        return float(np.sqrt(max(square, 0.0)))  # K_AA and K_out are positive semi-definite up to rounding

    @cached_property
    def condition_number(self) -> float:
        """cond(K_AA), infinite when an eigenvalue is below N 2^-52 of the largest."""
        eigenvalue = eigvalsh(self.trained_kernel)
        if eigenvalue[0] <= self._cut_off(eigenvalue[-1]):
            return np.inf
        return float(eigenvalue[-1] / eigenvalue[0])

    def nonexpansive_step(self, full_batch: bool) -> float:
        """The largest step of gradient descent that never moves two parameters apart, from the loss's convexity.

        The cross-entropy of one row is convex with curvature at most 1/2 in its logits, so a full batch may step up to
        4 / (lambda_max(F^1/2 K_AA F^1/2) lambda_max(K_out)), a batch of one (weight K w_k) up to the smallest
        4 / (K w_k K_aa lambda_max(K_out)). Above it rounding may grow exponentially. Not for momentum.
        """
        task = self.task
        spread = 1.0 if self.gram.is_identity else 1.0 + float(eigvalsh(self.gram.excess)[-1])
        if full_batch:
            root = np.sqrt(task.context_weight)
            steepest = float(eigvalsh(root[:, None] * self.trained_kernel * root)[-1])
        else:
            length = np.diag(self.trained_kernel)[task.train_context]
            steepest = float((len(task.train_weight) * task.train_weight * length).max())
        return 4.0 / (steepest * spread)

    @cached_property
    def amplification(self) -> float:
        """What the pseudo-inverse multiplies rounding by: largest over smallest kept eigenvalue of K_AA."""
        eigenvalue = eigvalsh(self.trained_kernel)
        return float(eigenvalue[-1] / eigenvalue[eigenvalue > self._cut_off(eigenvalue[-1])][0])

    @cached_property
    def distance_from_span(self) -> np.ndarray:
        """|v_q - V_A^T w_q| for every untrained context: how far its feature lies outside the trained ones' span.

        Zero where the interpolation law holds for any parameters whatever, and so says nothing about an optimiser.
        """
        features = self.task.features[self.task.trained_contexts :].toarray()
        square = (features**2).sum(axis=1) + ((features @ self.gram.excess) * features).sum(axis=1)
        return np.sqrt(np.maximum(square - (self.interpolation_weights * self.cross_kernel).sum(axis=0), 0.0))

    @cached_property
    def interpolation_weights(self) -> np.ndarray:
        """W = K_AA^+ K_Aq (N, other contexts): S_q(t) - S_q(0) = W^T (S_A(t) - S_A(0)).

        Exact under gradient flow, GD, SGD in any order and momentum. Rounding is amplified by
        `amplification`. Eigenvalues below N 2^-52 of the largest count as zero.
        """
        value, vector = eigh(self.trained_kernel)
        kept = value > self._cut_off(value[-1])
        # (N, r) / (r,) x (r, N) x (N, other) -> (N, other)
        return (vector[:, kept] / value[kept]) @ (vector[:, kept].T @ self.cross_kernel)

    def _cut_off(self, largest: float) -> float:
        return self.task.trained_contexts * np.finfo(float).eps * largest

    def _kernel(self, rows: slice) -> np.ndarray:
        """K_in[rows, A], dense."""
        overlap = self.overlap[rows].toarray()
        return overlap if self.coherence is None else overlap + self.coherence[rows]

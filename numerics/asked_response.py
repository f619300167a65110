"""How trained rows answer to the embedding of an asked token: what fixed coordinates leave out of its row's mean.

Where q was trained as a target, the coordinates C depend on v_q through the logits of the token q in the trained rows.
Integrating by parts over v_q ~ N(0, I/d), the asked row has the mean (`reversal derive asked-embedding-mean`)

    E (S_qx(t) - S_qx(0)) = (1/d) E sum_a (u_a . grad) (S_ax(t) - S_ax(0)),    u_a = sum_b (G_AA^+)_ab v_b,

grad with respect to v_q; the part at fixed C is (1/d) sum_a C_aq G_ax. The rest, the response of C, is read off two
more runs of the same recursion, in which every trained row sees v_q moved by STEP along its own u_a: all questions that
ask for a target of the row are moved in the first run, all others in the second. Responses of one row to several
questions add up, so each of these questions gets its share; the mean over questions is that of their sum. Left out is
what rows answer through each other: each way costs a coupling, so it is smaller by N/d.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from numerics.parameter_space import EVERY, FreeSpace, Rows, State
from theory.opposites import Asked

# Of a difference quotient: it errs by STEP times a second derivative, and by 1e-16 / STEP for each rounded step.
STEP = 1e-6


@dataclass(frozen=True, eq=False)
class MovedSpace(FreeSpace):
    """A free Theta whose trained row a sees v_j + STEP u_a in place of v_j, where `moved` (N, m) says so."""

    moved: np.ndarray

    @cached_property
    def dual(self) -> np.ndarray:
        """G_AA^+, (N, N): the weights of the directions u_a, which every other trained row is blind to."""
        kernel = self.K_in[: self.task.trained_contexts]
        return np.linalg.pinv(kernel, rcond=len(kernel) * np.finfo(float).eps, hermitian=True)

    @cached_property
    def overlap(self) -> np.ndarray:
        """u_a . v_j, (N, m)."""
        return self.dual @ self.features_gram[: self.task.trained_contexts]

    @cached_property
    def initial_overlap(self) -> np.ndarray:
        """v_a^T Theta(0) u_a, (N, 1)."""
        trained = slice(0, self.task.trained_contexts)
        directions = self.dual @ self.task.features[trained].toarray()  # (N, N) x (N, m) -> (N, m)
        return np.asarray((directions * self.initial_logits[trained]).sum(axis=1, keepdims=True))

    def logits(self, state: State, rows: Rows = EVERY) -> np.ndarray:
        """S of some trained rows, v_a^T Theta v_j with Theta = rho Theta(0) + sum_ij C_ij v_i v_j^T, to first order."""
        coordinates, share = state
        moved, overlap = self.moved[rows], self.overlap[rows]
        pulled = self.K_in[rows] @ coordinates  # (rows, N) x (N, m) -> (rows, m)
        as_target = (pulled * moved).sum(axis=1, keepdims=True) * overlap
        as_token = moved * ((pulled * overlap).sum(axis=1, keepdims=True) + share * self.initial_overlap[rows])
        return super().logits(state, rows) + STEP * (as_target + as_token)


def mean_response(
    space: FreeSpace, asked: Sequence[Asked], coordinates: np.ndarray, run: Callable[[FreeSpace], State]
) -> np.ndarray:
    """What the response of C adds to the mean of each asked row, (Q, m).

    `run` gives the state (C, rho) in which training ends that starts in a space, `coordinates` C (N, m) is its end in
    `space` itself. Questions are contexts of one token that is part of no trained context. Raises ValueError for
    orthonormal embeddings, which are not drawn.
    """
    if space.gram.dimension is None:
        raise ValueError("orthonormal embeddings are not drawn, so nothing has a mean over them")
    trained = slice(0, space.task.trained_contexts)
    tokens = [space.task.contexts[q.context][0] for q in asked]
    response = np.zeros((len(asked), space.task.vocabulary_size))
    for moved in _moved_tokens(space, tokens):
        end, _ = run(MovedSpace(space.task, space.gram, space.initial_logits, moved))
        rows = space.K_in[trained] @ ((end - coordinates) / STEP) @ space.K_out  # (N, N) x (N, m) x (m, m) -> (N, m)
        shares = moved / np.maximum(moved.sum(axis=1, keepdims=True), 1)
        response += shares[:, tokens].T @ rows  # (Q, N) x (N, m) -> (Q, m)
    return response / space.gram.dimension


def _moved_tokens(space: FreeSpace, tokens: Sequence[int]) -> Iterator[np.ndarray]:
    """Boolean (N, m), twice: the asked tokens that are targets of a trained row, and those that are not."""
    shape = space.task.trained_contexts, space.task.vocabulary_size
    target, asked = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    target[space.task.train_context, space.task.train_target] = True
    asked[:, list(tokens)] = True
    return (part for part in (target & asked, ~target & asked) if part.any())

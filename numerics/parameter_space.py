"""The spaces in which the parameters of x^T Theta y move, each by its logits and by how a gradient moves it.

A space turns a state (a few arrays) into logits, and an ascent D = F R, the weighted negative gradient in the logits of
some trained rows, into the velocity of that state. Gradient flow, gradient descent, SGD, momentum and weight decay are
then written once, for every space (`numerics.space_flow`, `numerics.space_descent`). All but the trained embeddings see
the embeddings only through the two kernels, so they cost the same at every dimension.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.sparse import eye_array

from numerics.gram import Gram
from theory.task import Task

Parameters = Literal["free", "symmetric", "factorised", "trained-embeddings", "tied-embeddings"]
State = tuple[np.ndarray, ...]
Rows = slice | np.ndarray

EVERY = slice(None)


@dataclass(frozen=True, eq=False)
class ParameterSpace(ABC):
    """One space on one task. `start` is the state at t = 0; states are tuples of arrays of these shapes."""

    task: Task

    @property
    @abstractmethod
    def start(self) -> State:
        """The state at t = 0."""

    @abstractmethod
    def logits(self, state: State, rows: Rows = EVERY) -> np.ndarray:
        """S of some contexts, (rows, m)."""

    @abstractmethod
    def velocity(self, state: State, ascent: np.ndarray, rows: Rows) -> State:
        """-grad of a loss whose negative gradient in the logits of trained contexts, `rows`, is `ascent` (rows, m)."""

    def change(self, state: State) -> np.ndarray:
        """S - S(0), (contexts, m); spaces that can, give it without the difference of two logits."""
        return self.logits(state) - self.logits(self.start)


@dataclass(frozen=True, eq=False)
class _GramSpace(ParameterSpace):
    """A space that sees the embeddings through G alone."""

    gram: Gram

    @cached_property
    def features_gram(self) -> np.ndarray:
        """Phi G, (contexts, m): the kernel from contexts to tokens."""
        return self.task.features.toarray() + self.task.features @ self.gram.excess

    @cached_property
    def K_in(self) -> np.ndarray:
        """Phi G Phi_A^T, (contexts, N)."""
        return (self.task.features[: self.task.trained_contexts] @ self.features_gram.T).T

    @cached_property
    def K_out(self) -> np.ndarray:
        """G, (m, m)."""
        return np.eye(self.task.vocabulary_size) + self.gram.excess


@dataclass(frozen=True, eq=False)
class FreeSpace(_GramSpace):
    """Theta = rho Theta(0) + V_A^T C V, any d x d matrix: the paper's model (arXiv 2405.04669).

    State (C, rho), C (N, m); rho falls below one under weight decay alone. `initial_logits` S(0) is (contexts, m).
    """

    initial_logits: np.ndarray

    @property
    def start(self) -> State:
        """C = 0, rho = 1."""
        return np.zeros((self.task.trained_contexts, self.task.vocabulary_size)), np.ones(())

    def logits(self, state: State, rows: Rows = EVERY) -> np.ndarray:
        """S = rho S(0) + K_in C K_out."""
        coordinates, share = state
        return share * self.initial_logits[rows] + (self.K_in[rows] @ coordinates) @ self.K_out

    def velocity(self, state: State, ascent: np.ndarray, rows: Rows) -> State:
        """dC = D on the rows, and nothing else moves."""
        moved = np.zeros_like(state[0])
        moved[rows] = ascent
        return moved, np.zeros(())

    def change(self, state: State) -> np.ndarray:
        """K_in C K_out - (1 - rho) S(0)."""
        coordinates, share = state
        return (self.K_in @ coordinates) @ self.K_out - (1.0 - share) * self.initial_logits


@dataclass(frozen=True, eq=False)
class SymmetricSpace(_GramSpace):
    """Theta = (P + P^T)/2 = rho Theta(0) + V_A^T C V + V^T C^T V_A, always symmetric; P moves by gradient steps.

    State (C, rho) as in FreeSpace, dC/dt = F R / 2. `initial_logits` (contexts, m) are those of a symmetric Theta(0).
    """

    initial_logits: np.ndarray

    @property
    def start(self) -> State:
        """C = 0, rho = 1."""
        return np.zeros((self.task.trained_contexts, self.task.vocabulary_size)), np.ones(())

    @cached_property
    def trained_features_gram(self) -> np.ndarray:
        """Phi_A G, (N, m)."""
        return self.features_gram[: self.task.trained_contexts]

    def _moved(self, coordinates: np.ndarray, rows: Rows) -> np.ndarray:
        forward = (self.K_in[rows] @ coordinates) @ self.K_out
        # (rows, m) x (m, N) x (N, m) -> (rows, m)
        return forward + (self.features_gram[rows] @ coordinates.T) @ self.trained_features_gram

    def logits(self, state: State, rows: Rows = EVERY) -> np.ndarray:
        """S = rho S(0) + K_in C K_out + Phi G C^T Phi_A G."""
        return state[1] * self.initial_logits[rows] + self._moved(state[0], rows)

    def velocity(self, state: State, ascent: np.ndarray, rows: Rows) -> State:
        """dC = D/2 on the rows."""
        moved = np.zeros_like(state[0])
        moved[rows] = ascent / 2.0
        return moved, np.zeros(())

    def change(self, state: State) -> np.ndarray:
        """S - S(0) from the coordinates."""
        return self._moved(state[0], EVERY) - (1.0 - state[1]) * self.initial_logits


@dataclass(frozen=True, eq=False)
class FactorisedSpace(_GramSpace):
    """Theta = W_O W_V^T of width r (the output and value matrices of arXiv 2506.10887), in A = Phi V W_O, B = V W_V.

    State (A, B), A (contexts, r), B (m, r): S = A B^T, dA/dt = K_in F R B, dB/dt = K_out R^T F A_A.
    """

    initial_contexts: np.ndarray
    initial_tokens: np.ndarray

    @staticmethod
    def draw(task: Task, gram: Gram, width: int, scale: float, rng: np.random.Generator) -> "FactorisedSpace":
        """W_O and W_V with entries N(0, scale^2), given G, at any dimension: V W has the law of scale (I + L) Z."""
        contexts = task.features @ half_logits(gram, width, scale, rng)
        return FactorisedSpace(task, gram, contexts, half_logits(gram, width, scale, rng))

    @property
    def start(self) -> State:
        """A(0), B(0)."""
        return self.initial_contexts, self.initial_tokens

    def logits(self, state: State, rows: Rows = EVERY) -> np.ndarray:
        """S = A B^T."""
        return state[0][rows] @ state[1].T

    def velocity(self, state: State, ascent: np.ndarray, rows: Rows) -> State:
        """dA = K_in D B, dB = K_out D^T A: A_A are the rows that were seen."""
        contexts, tokens = state
        trained = np.arange(self.task.trained_contexts)[rows]
        moved_contexts = self.K_in[:, trained] @ (ascent @ tokens)
        return moved_contexts, self.K_out @ (ascent.T @ contexts[trained])


@dataclass(frozen=True, eq=False)
class EmbeddingSpace(ParameterSpace):
    """Theta and the embeddings all trained: logits Phi U Theta V^T; `tied`: one table, U = V.

    State (U, Theta, V), or (V, Theta) when tied; U, V (m, d), Theta (d, d). The embeddings themselves matter here, so
    the cost grows with d^2.
    """

    embeddings: np.ndarray
    theta: np.ndarray
    tied: bool

    @cached_property
    def phi(self) -> np.ndarray:
        """Phi, dense: indexing a sparse matrix would cost more than the products."""
        return self.task.features.toarray()

    @property
    def start(self) -> State:
        """U = V as drawn, and Theta(0)."""
        return (self.embeddings, self.theta) if self.tied else (self.embeddings, self.theta, self.embeddings)

    def logits(self, state: State, rows: Rows = EVERY) -> np.ndarray:
        """S = Phi U Theta V^T."""
        return (self.phi[rows] @ state[0]) @ state[1] @ self._out(state).T

    def _out(self, state: State) -> np.ndarray:
        """V."""
        return state[0] if self.tied else state[2]

    def velocity(self, state: State, ascent: np.ndarray, rows: Rows) -> State:
        """dU = Phi^T D V Theta^T, dTheta = (Phi U)^T D V, dV = D^T Phi U Theta."""
        phi = self.phi[: self.task.trained_contexts][rows]
        hidden, pulled = phi @ state[0], ascent @ self._out(state)  # (rows, d), (rows, d)
        moved_in = phi.T @ (pulled @ state[1].T)  # (m, rows) x (rows, d)
        moved_out = ascent.T @ (hidden @ state[1])  # (m, rows) x (rows, d)
        moved_theta = hidden.T @ pulled
        return (moved_in + moved_out, moved_theta) if self.tied else (moved_in, moved_theta, moved_out)


def half_logits(gram: Gram, width: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """V W (m, r) for W (d, r) with entries N(0, scale^2): given G = (I + L)(I + L)^T, the law of scale (I + L) Z."""
    if gram.embeddings is not None:
        return gram.embeddings @ (scale * rng.normal(size=(gram.embeddings.shape[1], width)))
    noise = scale * rng.normal(size=(gram.vocabulary_size, width))
    return noise if gram.factor_excess is None else noise + gram.factor_excess @ noise


def symmetric_logits(task: Task, gram: Gram, scale: float, rng: np.random.Generator) -> np.ndarray:
    """S(0) (contexts, m) of Theta(0) = (P + P^T)/2, P with entries N(0, scale^2), at any dimension."""
    whole = gram.initial_logits(eye_array(task.vocabulary_size, format="csr"), scale, rng)
    return task.features @ ((whole + whole.T) / 2.0)

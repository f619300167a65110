"""One gradient flow that ours and its peers integrate, in the plain arrays that a user of a solver would write.

Logit space: S(t) = S(0) + K_in[:, A] C(t) K_out with dC/dt = F R(S_A), C(0) = 0; C is (N, m).
Parameters: dTheta/dt = V_A^T F R(S_A) V with S = Phi V Theta V^T; Theta is (d, d).
Log time: tau = log(1 + t), d/dtau = (1 + t) d/dt. Times are step size x steps, errors those of the logits of every
context: the largest over contexts, tokens and times of output.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.integrate import solve_ivp

from numerics.flow import flow_states, logits_along, numerical_defect
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from theory.task import Task, reversal_task

# The tolerance at which `reversal` itself integrates.
OUR_TOLERANCE = 1e-9
REFERENCE_TOLERANCE = 1e-13  # a tenth of 1e-12, so that the reference itself is right to about 1e-12

FIRST_TIME, LAST_TIME, TIMES = 1.0, 1e6, 50
INIT_SCALE = 0.01


@dataclass(frozen=True, eq=False)
class FlowProblem:
    """A reversal task with its start; `theta` (d, d) and `gram.embeddings` exist where d is small enough for them."""

    task: Task
    gram: Gram
    initial_logits: np.ndarray
    time: np.ndarray
    theta: np.ndarray | None = None

    @classmethod
    def explicit(cls, pairs: int, vocabulary: int, dimension: int, seed: int = 0) -> "FlowProblem":
        """With embeddings V_i ~ N(0, I/d) and Theta_0 ~ N(0, INIT_SCALE^2) drawn outright."""
        task, rng = reversal_task(pairs, vocabulary=vocabulary), np.random.default_rng(seed)
        gram = Gram.explicit(rng.normal(size=(vocabulary, dimension)) / np.sqrt(dimension))
        theta = INIT_SCALE * rng.normal(size=(dimension, dimension))
        return cls(task, gram, gram.logits_of(task.features, theta), output_times(), theta)

    @classmethod
    def drawn(cls, pairs: int, vocabulary: int, dimension: float, seed: int = 0) -> "FlowProblem":
        """With a Gram matrix alone, at any dimension."""
        task, rng = reversal_task(pairs, vocabulary=vocabulary), np.random.default_rng(seed)
        gram = Gram.draw(vocabulary, dimension, rng)
        return cls(task, gram, gram.initial_logits(task.features, INIT_SCALE, rng), output_times())

    # -- arrays --
    @property
    def shape(self) -> tuple[int, int]:
        """(N, m), the shape of the coordinates."""
        return self.task.trained_contexts, self.task.vocabulary_size

    @property
    def log_time(self) -> np.ndarray:
        """tau at every time of output, (T,)."""
        return np.log1p(self.time)

    @property
    def weight(self) -> np.ndarray:
        """f as a column (N, 1)."""
        return self.task.context_weight[:, None]

    @property
    def target(self) -> np.ndarray:
        """The one target of each trained context, (N,)."""
        return self.task.train_target[np.argsort(self.task.train_context)]

    @cached_property
    def output_kernel(self) -> np.ndarray:
        """K_out = G, (m, m)."""
        return np.eye(self.shape[1]) + self.gram.excess

    @cached_property
    def context_kernel(self) -> np.ndarray:
        """K_in[:, A], (contexts, N)."""
        features = self.task.features.toarray()
        return features @ self.output_kernel @ features[: self.shape[0]].T

    def residual(self, logits: np.ndarray) -> np.ndarray:
        """R = Bhat - P of single-target rows (N, m), without the cancellation of 1 - p late in training."""
        row, target = np.arange(len(logits)), self.target
        probability = np.exp(logits - logits.max(axis=1, keepdims=True))
        probability /= probability.sum(axis=1, keepdims=True)
        probability[row, target] = 0.0
        unseen = probability.sum(axis=1)
        np.negative(probability, out=probability)
        probability[row, target] = unseen
        return probability

    def coordinate_velocity(self, log_time: float, coordinates: np.ndarray) -> np.ndarray:
        """dC/dtau, (N, m)."""
        trained = self.shape[0]
        # (N, m) + (N, N) x (N, m) x (m, m)
        logits = self.initial_logits[:trained] + self.context_kernel[:trained] @ coordinates @ self.output_kernel
        return np.exp(log_time) * self.weight * self.residual(logits)

    def logits_of_coordinates(self, coordinates: np.ndarray) -> np.ndarray:
        """Logits of every context from C (T, N, m), (T, contexts, m)."""
        # (contexts, N) x (T, N, m) x (m, m)
        return self.initial_logits + self.context_kernel @ coordinates @ self.output_kernel

    # -- the three answers that peers are set beside --
    def ours(self, relative_tolerance: float = OUR_TOLERANCE) -> np.ndarray:
        """Our logits (T, contexts, m), without an error bound."""
        return logits_along(self.task, self.gram, self.initial_logits, self.time, relative_tolerance)

    def ours_with_bound(self, relative_tolerance: float = OUR_TOLERANCE) -> tuple[np.ndarray, float]:
        """Our logits with the bound on the error of Theta at the last time."""
        flow = LogitFlow(Kernels(self.task, self.gram), self.initial_logits)
        states = list(flow_states(flow, self.time, numerical_defect(flow), relative_tolerance))
        return self.initial_logits + np.stack([flow.kernels.logit_change(c) for c, _ in states]), states[-1][1]

    @cached_property
    def reference(self) -> np.ndarray:
        """Logits (T, contexts, m) by SciPy's DOP853 at REFERENCE_TOLERANCE; no code of `numerics` takes part."""
        shape = self.shape
        found = solve_ivp(
            lambda x, c: self.coordinate_velocity(x, c.reshape(shape)).ravel(),
            (0.0, self.log_time[-1]),
            np.zeros(shape[0] * shape[1]),
            method="DOP853",
            t_eval=self.log_time,
            rtol=REFERENCE_TOLERANCE,
            atol=1e-3 * REFERENCE_TOLERANCE,
        )
        return self.logits_of_coordinates(found.y.T.reshape(-1, *shape))

    def error(self, logits: np.ndarray) -> float:
        """The largest distance of logits (T, contexts, m) to the reference; infinite where a solver gave up."""
        if logits.shape != self.reference.shape:
            return np.inf
        distance = float(np.abs(logits - self.reference).max())
        return distance if np.isfinite(distance) else np.inf


def output_times() -> np.ndarray:
    """Where every solver reports its state, (T,)."""
    return np.geomspace(FIRST_TIME, LAST_TIME, TIMES)

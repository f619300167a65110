"""Small tasks, and the same models written plainly in the space of the parameters, as an independent
reference.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from numerics.gram import Gram
from numerics.parameter_space import (
    EmbeddingSpace,
    FactorisedSpace,
    FreeSpace,
    Parameters,
    ParameterSpace,
    SymmetricSpace,
    symmetric_logits,
)
from theory.task import Statement, Task, build_task


@dataclass
class ParameterModel:
    """logits = Phi V Theta V^T with Theta (d, d) itself, gradients by loops over the training pairs."""

    task: Task
    embeddings: np.ndarray

    @property
    def inputs(self) -> np.ndarray:
        """Phi V, (contexts, d)."""
        return self.task.features.toarray() @ self.embeddings

    def logits(self, theta: np.ndarray) -> np.ndarray:
        return self.inputs @ theta @ self.embeddings.T

    def pair_gradient(self, theta: np.ndarray, k: int) -> np.ndarray:
        """d(-log p_k)/dTheta, (d, d)."""
        x = self.inputs[self.task.train_context[k]]
        p = np.exp(self.embeddings @ (theta.T @ x))
        p /= p.sum()
        p[self.task.train_target[k]] -= 1.0
        return np.outer(x, self.embeddings.T @ p)

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        return sum(w * self.pair_gradient(theta, k) for k, w in enumerate(self.task.train_weight))


@pytest.fixture
def parameter_model() -> Callable[[Task, np.ndarray], ParameterModel]:
    return ParameterModel


@pytest.fixture
def multi_target_task() -> Task:
    """Weighted facts: rows with one, two equal and three unequal targets; queries of untrained and trained
    contexts.
    """
    statements = [
        Statement(("a",), "x", "r", 1.0),
        Statement(("b",), "x", "r", 1.5),
        Statement(("b",), "y", "r", 1.5),
        Statement(("c",), "x", "r", 1.0),
        Statement(("c",), "y", "r", 2.0),
        Statement(("c",), "z", "r", 0.5),
        Statement(("x",), "b", "s", 1.0),
    ]
    queries = [
        Statement(("y",), "b", "s"),
        Statement(("y",), "c", "s"),
        Statement(("z",), "c", "s"),
        Statement(("a",), "z", "r"),
        Statement(("a",), "y", "r"),
    ]
    return build_task("multi", statements, queries, vocabulary=9)


@pytest.fixture
def pair_context_task() -> Task:
    """Contexts of entity and relation, which share features; single targets with unequal weights."""
    statements = [
        Statement(("a", "r"), "x", "r", 1.0),
        Statement(("b", "r"), "y", "r", 2.0),
        Statement(("a", "s"), "b", "s", 1.0),
    ]
    return build_task("pairs", statements, [Statement(("x", "r"), "a", "r")], vocabulary=8)


@pytest.fixture
def embeddings() -> Callable[[int, int, int], np.ndarray]:
    """Gaussian embeddings V (m, d), N(0, 1/d), from a seed."""

    def draw(vocabulary_size: int, dimension: int, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).normal(size=(vocabulary_size, dimension)) / np.sqrt(dimension)

    return draw


@pytest.fixture
def gram(embeddings: Callable[[int, int, int], np.ndarray]) -> Callable[[int, int, int], Gram]:
    return lambda size, dimension, seed: Gram.explicit(embeddings(size, dimension, seed))


@pytest.fixture
def space() -> Callable[..., ParameterSpace]:
    """A space of one kind on a task with drawn embeddings: space(kind, task, dimension, seed), factors of width 4."""

    def draw(kind: Parameters, task: Task, dimension: int, seed: int, scale: float = 0.5) -> ParameterSpace:
        rng = np.random.default_rng(seed)
        table = rng.normal(size=(task.vocabulary_size, dimension)) / np.sqrt(dimension)
        gram = Gram.explicit(table)
        match kind:
            case "free":
                return FreeSpace(task, gram, gram.initial_logits(task.features, scale, rng))
            case "symmetric":
                return SymmetricSpace(task, gram, symmetric_logits(task, gram, scale, rng))
            case "factorised":
                return FactorisedSpace.draw(task, gram, 4, scale, rng)
        theta = scale * rng.normal(size=(dimension, dimension))
        return EmbeddingSpace(task, table, theta, tied=kind == "tied-embeddings")

    return draw

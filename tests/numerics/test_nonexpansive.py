"""Steps up to the stated limit never move two parameters apart; steps beyond it can."""

import numpy as np
import pytest

from numerics.descent import DescentSettings, descend
from numerics.gram import Gram
from numerics.kernels import Kernels
from theory.task import Statement, Task, build_task


def weighted_task() -> Task:
    """Three contexts of unequal weight over six tokens, one of them with two targets."""
    pairs = [("a", "b", 3.0), ("b", "c", 1.0), ("c", "a", 1.0), ("c", "d", 2.0)]
    return build_task("weighted", [Statement((s,), t, "->", w) for s, t, w in pairs], [], vocabulary=6)


def draw_vectors(seed: int) -> np.ndarray:
    """Six embeddings in eight dimensions."""
    return np.random.default_rng(seed).normal(size=(6, 8)) / np.sqrt(8)


def distance_ratio(step: float, optimizer: str, seed: int, scale: float) -> float:
    """By which factor one step of descent changes the distance of two nearby parameter matrices."""
    task, vectors = weighted_task(), draw_vectors(seed)
    rng = np.random.default_rng([seed, 1])
    gram = Gram.explicit(vectors)
    trained = task.features[: task.trained_contexts] @ vectors
    theta = rng.normal(size=(8, 8)) * scale
    # a difference inside the span that steps can change: along the context that is visited first
    other = theta + 1e-6 * np.outer(trained[0], vectors[1] - vectors[4])

    def moved(start: np.ndarray) -> np.ndarray:
        settings = DescentSettings(optimizer, step, order="cyclic")
        logits = gram.logits_of(task.features, start)
        end = descend(task, gram, logits, settings, 1, np.array([0, 1])).logits
        change = end[: task.trained_contexts] - logits[: task.trained_contexts]
        # the step is V_A^T C V; C from the rows' change (V_A and V have full row rank)
        coordinates = np.linalg.solve(trained @ trained.T, change) @ np.linalg.inv(vectors @ vectors.T)
        return start + trained.T @ coordinates @ vectors

    return float(np.linalg.norm(moved(theta) - moved(other)) / np.linalg.norm(theta - other))


def limit(optimizer: str, seed: int) -> float:
    """The limit for the same draw of embeddings."""
    return Kernels(weighted_task(), Gram.explicit(draw_vectors(seed))).nonexpansive_step(optimizer == "gd")


@pytest.mark.parametrize("optimizer", ["gd", "sgd"])
@pytest.mark.parametrize("seed", range(8))
def test_steps_up_to_the_limit_do_not_expand(optimizer: str, seed: int) -> None:
    """At the limit and below, one step brings two nearby parameters no further apart (1e-6: rounding of the ratio)."""
    for part in (0.1, 0.5, 1.0):
        assert distance_ratio(part * limit(optimizer, seed), optimizer, seed, 0.3) <= 1 + 1e-6


@pytest.mark.parametrize("optimizer", ["gd", "sgd"])
def test_steps_far_beyond_the_limit_can_expand(optimizer: str) -> None:
    """The limit is not idle: at thirty times the limit some pair of parameters moves apart."""
    assert max(distance_ratio(30 * limit(optimizer, s), optimizer, s, 0.0) for s in range(8)) > 1


def test_limit_of_orthogonal_embeddings() -> None:
    """With G = I: 4 / max f_a for a full batch, 4 / max(K w_k) for a batch of one."""
    task = weighted_task()
    kernels = Kernels(task, Gram.identity(task.vocabulary_size))
    assert kernels.nonexpansive_step(True) == pytest.approx(4 / (3 / 7))
    assert kernels.nonexpansive_step(False) == pytest.approx(4 / (4 * 3 / 7))


def test_limit_counts_both_kernels() -> None:
    """Embeddings twice as long have a limit sixteen times smaller: |phi|^2 and |v|^2 both enter."""
    task, vectors = weighted_task(), draw_vectors(0)
    short, long = (Kernels(task, Gram.explicit(scale * vectors)) for scale in (1.0, 2.0))
    for full_batch in (True, False):
        assert long.nonexpansive_step(full_batch) == pytest.approx(short.nonexpansive_step(full_batch) / 16)

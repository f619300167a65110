"""Decoupled rows from any start: the closed form solves its equation, has its limits, equals the integrated rows."""

import mpmath
import numpy as np
import pytest

from numerics.decoupled import decoupled_rows, logit_gap
from numerics.started_rows import rows_from_start
from theory.task import chain_of_thought_task


@pytest.mark.parametrize("size", [2, 3, 22, 1000])
def test_from_zero_it_is_the_wright_omega_law(size):
    """From zero the target rises by z (m - 1)/m and others fall by z/m, to 1e-14 relative, for f t from 0 to 1e12."""
    theta = np.concatenate([[0.0], np.geomspace(1e-12, 1e12, 30)])
    gap = logit_gap(theta, 1, size)
    found = np.array([row[0] for row in rows_from_start(np.zeros((1, size)), np.array([1]), theta[:, None])])
    assert not found[0].any()
    np.testing.assert_allclose(found[:, 1], gap * (size - 1) / size, rtol=1e-14)
    np.testing.assert_allclose(found[:, 0], -gap / size, rtol=1e-14)


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_it_solves_its_equation_from_any_start(scale):
    """f t = sum_j log(1 + w e^(S_j)) + e^(S_b) int prod_j (1 + u e^(S_j)) du in 40 digits, to 1e-13 relative."""
    rng = np.random.default_rng(3)
    start, target = rng.normal(size=(3, 7)) * scale, np.array([0, 3, 6])
    theta = np.array([1e-6, 0.7, 40.0, 1e7])
    changes = list(rows_from_start(start, target, np.tile(theta[:, None], 3)))
    for change, time in zip(changes, theta, strict=True):
        for row, b in enumerate(target):
            with mpmath.workdps(40):
                assert abs(elapsed(start[row], int(b), change[row]) / mpmath.mpf(time) - 1) < 1e-13


def elapsed(start, target, change):
    """f t at which a row from `start` has moved by `change`, in the digits of the context."""
    others = [j for j in range(len(start)) if j != target]
    factor = [mpmath.exp(mpmath.mpf(float(start[j]))) for j in others]
    largest = max(others, key=lambda j: start[j])
    w = mpmath.expm1(-mpmath.mpf(float(change[largest]))) * mpmath.exp(-mpmath.mpf(float(start[largest])))
    points = [0, *(w * mpmath.mpf(10) ** -k for k in range(30, -1, -1))]
    integral = mpmath.quad(lambda u: mpmath.fprod(1 + u * e for e in factor), points)
    return mpmath.fsum(mpmath.log1p(w * e) for e in factor) + mpmath.exp(mpmath.mpf(float(start[target]))) * integral


def test_rows_keep_their_sum_and_their_limits():
    """Logits of a row keep their sum; at t = 0 nothing moves, at small t by f t (e_b - p); late p tends to one."""
    rng = np.random.default_rng(4)
    start, target = rng.normal(size=(5, 9)), rng.integers(9, size=5)
    theta = np.tile(np.array([0.0, 1e-9, 1e13])[:, None], 5)
    none, early, late = rows_from_start(start, target, theta)
    assert not none.any()
    p = np.exp(start) / np.exp(start).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(early, 1e-9 * (np.eye(9)[target] - p), rtol=1e-7)
    np.testing.assert_allclose(late.sum(axis=1), 0.0, atol=1e-12)
    end = start + late
    np.testing.assert_allclose(end[np.arange(5), target] - np.sort(end, axis=1)[:, -2] > 20, True)


def test_it_equals_the_integrated_rows():
    """At G = I it is the integration of the decoupled rows at tolerance 1e-12, from a random start, to 1e-9."""
    task = chain_of_thought_task(3, vocabulary=13)
    start = 0.7 * np.random.default_rng(5).normal(size=(len(task.contexts), 13))
    time = np.array([0.0, 1.0, 30.0, 1e4])
    rows, target = task.trained_contexts, task.target_distribution.indices
    exact = rows_from_start(start[:rows], target, np.outer(time, task.context_weight))
    for found, integrated in zip(exact, decoupled_rows(task, start, time, 1e-12), strict=True):
        np.testing.assert_allclose(found, integrated, rtol=0, atol=1e-9)


def test_rows_of_different_starts_are_their_own():
    """Each row is what it is alone, whatever stands beside it."""
    start = np.array([[0.0, 5.0, -3.0], [2.0, 0.0, 0.0], [-40.0, 1.0, 1.0]])
    target, theta = np.array([0, 1, 0]), np.array([[0.1, 3.0, 7.0], [5.0, 3.0, 90.0]])
    together = list(rows_from_start(start, target, theta))
    for row in range(3):
        alone = rows_from_start(start[[row]], target[[row]], theta[:, [row]])
        for found, expected in zip(together, alone, strict=True):
            np.testing.assert_allclose(found[row], expected[0], rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize(
    ("target", "time"),
    [
        ([0], [[1.0, 1.0]]),
        ([0, 1], [[1.0]]),
        ([0, 1], [[2.0, 2.0], [1.0, 1.0]]),
        ([0, 1], [[-1.0, 0.0]]),
        ([0, 1], [[np.nan, 0.0]]),
    ],
)
def test_impossible_times_are_refused(target, time):
    """Times that decrease, are negative or not finite, and shapes that do not fit, raise ValueError."""
    with pytest.raises(ValueError, match="times"):
        list(rows_from_start(np.zeros((2, 4)), np.array(target), np.array(time)))

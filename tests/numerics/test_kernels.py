"""The kernels are Phi G Phi^T and G, with coherence kept apart from overlap."""

import numpy as np
import pytest

from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.residual import residual, row_softmax
from theory.task import chain_of_thought_task, reversal_task

ROUNDING = 1e-13  # some 50 terms of order one, each rounded to 2^-53


def test_kernels_are_those_of_explicit_embeddings(pair_context_task, multi_target_task, embeddings):
    """K_in[:, A] C K_out, its rows and norm equal X X_A^T C V V^T and |X_A^T C V|_F, X = Phi V, shared
    features too.
    """
    for task in (pair_context_task, multi_target_task):
        size, rows = task.vocabulary_size, task.trained_contexts
        v = embeddings(size, 7, 20)
        kernels = Kernels(task, Gram.explicit(v))
        x = task.features.toarray() @ v
        c = np.random.default_rng(21).normal(size=(rows, size))
        change = x @ x[:rows].T @ c @ v @ v.T
        np.testing.assert_allclose(kernels.logit_change(c), change, rtol=0, atol=ROUNDING * np.abs(change).max())
        # the trained rows are summed in another order
        moved = kernels.trained_logit_change(c)
        np.testing.assert_allclose(moved, change[:rows], rtol=0, atol=ROUNDING * np.abs(change).max())
        for a in range(len(task.contexts)):
            np.testing.assert_allclose(
                kernels.row_change(a, c), change[a], rtol=0, atol=ROUNDING * np.abs(change).max()
            )
        norm = np.linalg.norm(x[:rows].T @ c @ v)
        assert kernels.parameter_norm(c) == pytest.approx(norm, rel=ROUNDING)
        np.testing.assert_allclose(kernels.trained_kernel, x[:rows] @ x[:rows].T, rtol=0, atol=ROUNDING)
        np.testing.assert_allclose(kernels.cross_kernel, x[:rows] @ x[rows:].T, rtol=0, atol=ROUNDING)


def test_identity_moves_trained_rows_alone():
    """With G = I and one-token contexts the change of trained rows is C itself, that of others an exact
    zero.
    """
    task = chain_of_thought_task(3)
    kernels = Kernels(task, Gram.identity(task.vocabulary_size))
    c = np.random.default_rng(22).normal(size=(task.trained_contexts, task.vocabulary_size))
    change = kernels.logit_change(c)
    np.testing.assert_array_equal(change[: task.trained_contexts], c)
    assert not change[task.trained_contexts :].any()
    np.testing.assert_array_equal(kernels.row_change(1, c), c[1])
    assert not kernels.interpolation_weights.any()


def test_untrained_rows_keep_relative_accuracy_at_huge_dimension():
    """At d = 1e30 an untrained row moves by E_qA C to 1e-13 of itself, though it is 1e-15 of the trained
    rows.
    """
    task = reversal_task(4, vocabulary=12)
    gram = Gram.draw(12, 1e30, np.random.default_rng(23))
    kernels = Kernels(task, gram)
    c = np.random.default_rng(24).normal(size=(task.trained_contexts, 12))
    tokens = [context[0] for context in task.contexts]
    expected = gram.excess[np.ix_(tokens[task.trained_contexts :], tokens[: task.trained_contexts])] @ c
    found = kernels.logit_change(c)[task.trained_contexts :]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * np.abs(expected).max())
    assert 0 < np.abs(expected).max() < 1e-12
    np.testing.assert_allclose(
        kernels.interpolation_weights.T @ c, expected, rtol=0, atol=1e-13 * np.abs(expected).max()
    )


@pytest.mark.parametrize("dimension", [3, 6, 40])
def test_interpolation_weights_are_the_pseudo_inverse(dimension, gram):
    """W = K_AA^+ K_Aq; K_AA W = K_Aq also where K_AA is singular (d < N)."""
    task = reversal_task(4, held_out=2, vocabulary=12)
    kernels = Kernels(task, gram(12, dimension, 25))
    within, cross = kernels.trained_kernel, kernels.cross_kernel
    # rounding times the condition number of the part that is kept
    value = np.linalg.eigvalsh(within)
    kept = value[value > 1e-12]
    tolerance = 1e-14 * kept.max() / kept.min()
    expected = np.linalg.pinv(within, rcond=1e-12, hermitian=True) @ cross
    np.testing.assert_allclose(kernels.interpolation_weights, expected, rtol=0, atol=10 * tolerance)
    np.testing.assert_allclose(within @ kernels.interpolation_weights, cross, rtol=0, atol=10 * tolerance)
    assert kernels.amplification == pytest.approx(kept.max() / kept.min(), rel=1e-9)
    if dimension < task.trained_contexts:
        assert kernels.condition_number == np.inf
    else:
        assert kernels.condition_number == pytest.approx(np.linalg.cond(within), rel=1e-9)


def test_near_singular_kernels_keep_small_weights():
    """Two embeddings equal to 1e-9 leave an eigenvalue below the cut-off; the weights stay small and still
    solve K_AA W = K_Aq to rounding.
    """
    task = reversal_task(3, vocabulary=9)
    v = np.random.default_rng(26).normal(size=(9, 30)) / np.sqrt(30)
    v[task.contexts[1][0]] = v[task.contexts[0][0]] * (1 + 1e-9)
    kernels = Kernels(task, Gram.explicit(v))
    assert kernels.condition_number > 1e8
    solved = kernels.trained_kernel @ kernels.interpolation_weights
    np.testing.assert_allclose(solved, kernels.cross_kernel, rtol=0, atol=1e-13)
    assert np.abs(kernels.interpolation_weights).max() < 2.0


def test_vocabularies_must_agree():
    """A Gram matrix of another vocabulary raises ValueError naming both sizes."""
    with pytest.raises(ValueError, match="8 tokens, the task has 9"):
        Kernels(reversal_task(3, vocabulary=9), Gram.identity(8))


def test_residual_is_targets_less_softmax(multi_target_task):
    """R = Bhat - P at moderate logits, and the rows of P sum to one."""
    task = multi_target_task
    logits = np.random.default_rng(27).normal(size=(task.trained_contexts, task.vocabulary_size))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(row_softmax(logits), p, rtol=1e-14)
    np.testing.assert_allclose(
        residual(logits, task.target_distribution), task.target_distribution.toarray() - p, rtol=0, atol=1e-15
    )


def test_residual_keeps_relative_accuracy_late_in_training():
    """A target ahead by 60 has residual (m-1) e^-60, not 1 - 1 = 0, and unseen tokens -e^-60; 1e-14
    relative.
    """
    task = reversal_task(3, vocabulary=9)
    logits = np.zeros((task.trained_contexts, 9))
    logits[task.train_context, task.train_target] = 60.0
    found = residual(logits, task.target_distribution)
    weight = np.exp(-60.0)
    expected = np.full(found.shape, -weight)
    expected[task.train_context, task.train_target] = 8 * weight
    np.testing.assert_allclose(found, expected / (1 + 8 * weight), rtol=1e-14)


def test_residual_survives_extreme_logits(multi_target_task):
    """Logits of +-1000 neither overflow nor give nan, and rows still sum to zero."""
    task = multi_target_task
    logits = 1000.0 * np.random.default_rng(28).choice([-1.0, 1.0], size=(task.trained_contexts, task.vocabulary_size))
    found = residual(logits, task.target_distribution)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 0.0, rtol=0, atol=1e-15 * task.vocabulary_size)

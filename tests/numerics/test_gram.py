"""Gram matrices of Gaussian embeddings have their exact law at any dimension, without cancellation.

Statistical tests: the null hypothesis is that the draws have the stated law; each is rejected with
probability below 1e-7 under it, and seeds are fixed.
"""

from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from scipy.stats import chi2, ks_2samp, kstest

from numerics.gram import Gram, _log_acceptance, chi_square_excess
from theory.task import reversal_task

FALSE_ALARM = 1e-7
SIX_SIGMA = 6.0  # two-sided normal tail 2e-9; estimates below are means of over 10^4 draws


@pytest.mark.parametrize(("dimension", "lost"), [(4.0, 0), (5.0, 3), (5.0, 4), (20.5, 7), (300.0, 40)])
def test_chi_square_excess_has_the_law_of_chi_square(dimension, lost):
    """d (1 + draw) is chi-square with d - lost degrees of freedom (Kolmogorov-Smirnov, 10^5 draws)."""
    rng = np.random.default_rng(10)
    draws = dimension * (1.0 + chi_square_excess(dimension, np.full(100_000, lost), rng))
    assert kstest(draws, chi2(dimension - lost).cdf).pvalue > FALSE_ALARM


def test_acceptance_is_the_log_ratio_of_densities():
    """9 y^2/2 + 1 - (1+y)^3 + 3 log(1+y) agrees with 80 digits to 1e-13 of itself, |y| from 1e-15 to 10."""
    y = np.concatenate([-np.geomspace(1e-15, 0.999, 40), np.geomspace(1e-15, 10.0, 40)])
    with mpmath.workdps(80):
        for x, found in zip(y, _log_acceptance(y), strict=True):
            x = mpmath.mpf(float(x))
            exact = mpmath.mpf(9) / 2 * x**2 + 1 - (1 + x) ** 3 + 3 * mpmath.log1p(x)
            assert abs(found / exact - 1) < 1e-13


@pytest.mark.parametrize("dimension", [1e3, 1e10, 1e30])
def test_moments_at_any_dimension(dimension):
    """chi^2_d/d - 1 has mean 0, variance 2/d and third moment 8/d^2, each within six standard errors."""
    count = 400_000
    draws = chi_square_excess(dimension, np.zeros(count), np.random.default_rng(11)) * np.sqrt(dimension / 2)
    skewness = np.sqrt(8.0 / dimension)
    assert abs(draws.mean()) < SIX_SIGMA / np.sqrt(count)
    assert abs((draws**2).mean() - 1.0) < SIX_SIGMA * np.sqrt(2.1 / count)
    assert abs((draws**3).mean() - skewness) < SIX_SIGMA * np.sqrt(16.0 / count)


def test_bartlett_draws_have_the_law_of_explicit_embeddings():
    """At d = 64 each entry and the determinant of G drawn by Bartlett agree with V V^T (two-sample KS)."""
    rng = np.random.default_rng(12)
    count, size, dimension = 6000, 3, 64
    drawn = [Gram.draw(size, dimension, rng) for _ in range(count)]
    assert all(gram.embeddings is None for gram in drawn)
    drawn = np.array([gram.excess for gram in drawn])
    v = rng.normal(size=(count, size, dimension)) / np.sqrt(dimension)
    explicit = v @ v.transpose(0, 2, 1) - np.eye(size)
    for i in range(size):
        for j in range(i + 1):
            assert ks_2samp(drawn[:, i, j], explicit[:, i, j]).pvalue > FALSE_ALARM, (i, j)
    determinants = [np.linalg.det(np.eye(size) + e) for e in (drawn, explicit)]
    assert ks_2samp(*determinants).pvalue > FALSE_ALARM


def test_dimension_1e30_has_excess_of_order_1e_minus_15():
    """At d = 1e30 off-diagonal entries of E have variance 1/d, diagonal ones 2/d: nothing was lost in I +
    E.
    """
    dimension, size = 1e30, 150
    excess = Gram.draw(size, dimension, np.random.default_rng(13)).excess * np.sqrt(dimension)
    off = excess[np.tril_indices(size, -1)]
    assert abs((off**2).mean() - 1.0) < SIX_SIGMA * np.sqrt(2.0 / len(off))
    assert abs(off.mean()) < SIX_SIGMA / np.sqrt(len(off))
    assert abs((np.diag(excess) ** 2).mean() - 2.0) < SIX_SIGMA * 2.0 * np.sqrt(2.0 / size)


@pytest.mark.parametrize("dimension", [10, 64, 100.5, 1e6, 1e30])
def test_drawn_matrix_is_symmetric_and_is_the_square_of_its_factor(dimension):
    """E is exactly symmetric and equals L + L^T + L L^T, L lower triangular (or V V^T - I)."""
    gram = Gram.draw(12, dimension, np.random.default_rng(14))
    np.testing.assert_array_equal(gram.excess, gram.excess.T)
    if gram.factor_excess is None:
        expected = gram.embeddings @ gram.embeddings.T - np.eye(12)
        assert gram.embeddings.shape == (12, dimension)
    else:
        factor = gram.factor_excess
        assert not np.triu(factor, 1).any()
        expected = factor + factor.T + factor @ factor.T
    np.testing.assert_allclose(gram.excess, expected, rtol=0, atol=1e-14 / np.sqrt(dimension))
    assert not gram.is_identity


@pytest.mark.parametrize("scale", [0.5, 1e-15])
def test_factor_diagonal_is_the_root_of_chi_square(scale, monkeypatch):
    """(1 + L_ii)^2 - 1 is the chi-square excess drawn for row i, to 1e-14 of itself however small."""
    drawn = scale * np.linspace(-1.0, 1.0, 6)
    asked = []
    monkeypatch.setattr("numerics.gram.chi_square_excess", lambda d, lost, rng: asked.append((d, lost)) or drawn)
    root = np.diag(Gram.draw(6, 1e6, np.random.default_rng(9)).factor_excess)
    np.testing.assert_allclose(root * (2.0 + root), drawn, rtol=1e-14)
    assert asked[0][0] == 1e6
    np.testing.assert_array_equal(asked[0][1], np.arange(6))  # row i has d - i degrees of freedom


def test_few_dimensions_make_a_singular_matrix():
    """At d = 3 < m = 8 the Gram matrix has rank three."""
    gram = Gram.draw(8, 3, np.random.default_rng(15))
    assert np.linalg.matrix_rank(np.eye(8) + gram.excess, tol=1e-10) == 3


def test_initial_logits_are_the_factor_times_noise():
    """S(0) = sigma Phi (I+L) Z (I+L)^T for the Z drawn, Phi V Theta_0 V^T where V exists, sigma Phi Z at G
    = I.
    """
    task = reversal_task(3, vocabulary=9)
    noise = np.random.default_rng(16).normal(size=(9, 9))
    rng = SimpleNamespace(normal=lambda size: noise[: size[0], : size[1]])
    phi = task.features.toarray()

    drawn = Gram.draw(9, 100.0, np.random.default_rng(17))
    factor = np.eye(9) + drawn.factor_excess
    expected = 0.3 * phi @ factor @ noise @ factor.T
    np.testing.assert_allclose(drawn.initial_logits(task.features, 0.3, rng), expected, rtol=0, atol=1e-14)

    v = Gram.draw(9, 4, np.random.default_rng(18))
    expected = 0.3 * phi @ v.embeddings @ noise[:4, :4] @ v.embeddings.T
    np.testing.assert_allclose(v.initial_logits(task.features, 0.3, rng), expected, rtol=0, atol=1e-14)

    np.testing.assert_allclose(
        Gram.identity(9).initial_logits(task.features, 0.3, rng), 0.3 * phi @ noise, rtol=0, atol=1e-15
    )


def test_impossible_gram_matrices_are_refused():
    """Dimensions below one, infinite or fractional below m and an asymmetric or nan E raise ValueError."""
    rng = np.random.default_rng(19)
    for dimension in (0.5, np.inf, np.nan, 7.5):
        with pytest.raises(ValueError, match="embedding dimension"):
            Gram.draw(8, dimension, rng)
    for excess in (np.triu(np.ones((3, 3))), np.full((3, 3), np.nan), np.zeros((2, 3))):
        with pytest.raises(ValueError, match="symmetric"):
            Gram(10.0, excess)
    with pytest.raises(ValueError, match="no dimension"):
        Gram(None, np.eye(3))
    task = reversal_task(3, vocabulary=9)
    with pytest.raises(ValueError, match="never drawn"):
        Gram.draw(9, 1e6, rng).logits_of(task.features, np.eye(9))
    with pytest.raises(ValueError, match="factor"):
        Gram(1e6, np.zeros((9, 9))).initial_logits(task.features, 1.0, rng)

"""The negative gradient of each loss against its own definition, and its digits where logits are large."""

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import logsumexp, softmax

from numerics.losses import CURVATURE, LOSSES, Loss, fitted_probabilities, negative_gradient, one_hot_rows

SIZE = 5
# what each loss is, of one row of logits and of the target's distribution
DEFINITION: dict[Loss, Callable[[np.ndarray, np.ndarray], float]] = {
    "cross-entropy": lambda s, b: float(-(b @ (s - logsumexp(s)))),
    "squared": lambda s, b: float(0.5 * ((s - b) ** 2).sum()),
    "one-against-all": lambda s, b: float((np.logaddexp(0.0, s) - b * s).sum()),
}
# central differences at 1e-5 of functions of order ten: 1e-10 from third derivatives below one, 1e-10 from rounding
STEP, STEP_ERROR = 1e-5, 1e-9


def distribution(rows: int, seed: int) -> np.ndarray:
    """Rows with one, two and three targets of unequal shares, (rows, SIZE)."""
    rng = np.random.default_rng(seed)
    share = np.zeros((rows, SIZE))
    for a in range(rows):
        targets = rng.choice(SIZE, 1 + a % 3, replace=False)
        share[a, targets] = rng.random(len(targets)) + 0.1
    return share / share.sum(axis=1, keepdims=True)


def differences(loss: Loss, logits: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Minus the derivative of the defined loss of one row in every logit, (SIZE,)."""
    value = DEFINITION[loss]
    steps = STEP * np.eye(SIZE)
    return np.array([(value(logits - e, share) - value(logits + e, share)) / (2 * STEP) for e in steps])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [0.0, 0.1, 3.0])
def test_negative_gradient_is_that_of_the_definition(loss: Loss, scale: float) -> None:
    """R equals central differences of the loss, for rows of one, two and three targets."""
    logits = scale * np.random.default_rng(1).normal(size=(6, SIZE))
    share = distribution(6, 2)
    found = negative_gradient(loss, logits, csr_array(share))
    expected = np.array([differences(loss, *row) for row in zip(logits, share, strict=True)])
    np.testing.assert_allclose(found, expected, rtol=0, atol=STEP_ERROR)


@pytest.mark.parametrize("loss", ["cross-entropy", "one-against-all"])
def test_large_logits_keep_their_digits(loss: Loss) -> None:
    """Rows that are almost learnt, 1 - p down to e^-600: every entry keeps its digits, none is a lost difference."""
    logits = np.array([[g, 0.0, -g / 2, 1.0, -3.0] for g in (20.0, 40.0, 300.0, 600.0)])
    found = negative_gradient(loss, logits, one_hot_rows(np.zeros(4, dtype=int), SIZE))
    with mpmath.workdps(400):
        for row, came in zip(logits.tolist(), found, strict=True):
            power = [mpmath.exp(x) for x in row]
            p = [x / (sum(power) if loss == "cross-entropy" else 1 + x) for x in power]
            expected = [float((j == 0) - p[j]) for j in range(SIZE)]
            # an exponential of 600 multiplies the rounding of its argument by 600
            np.testing.assert_allclose(came, expected, rtol=600 * np.finfo(float).eps)
            assert came[0] > 0


def test_the_squared_loss_pulls_to_the_distribution() -> None:
    """R is exactly bhat - S, and zero at the distribution itself."""
    share = distribution(3, 4)
    assert not negative_gradient("squared", share, csr_array(share)).any()
    np.testing.assert_array_equal(negative_gradient("squared", share - 1.0, csr_array(share)), share - (share - 1.0))


@pytest.mark.parametrize("loss", LOSSES)
def test_curvature_bounds_every_second_derivative_and_is_reached(loss: Loss) -> None:
    """No row has a larger second derivative than CURVATURE, and some row comes within a thousandth of it."""
    rng = np.random.default_rng(5)
    # (1/2, 1/2, 0, ...) is where a softmax bends most, 1/2 where a sigmoid does
    rows = [np.array([12.0, 12.0, 0.0, 0.0, 0.0]), np.zeros(SIZE), *rng.normal(scale=3.0, size=(40, SIZE))]
    share = one_hot_rows(np.zeros(1, dtype=int), SIZE)
    steepest = []
    for logits in rows:
        up, down = (
            np.array([negative_gradient(loss, (logits + sign * e)[None], share)[0] for e in STEP * np.eye(SIZE)])
            for sign in (1, -1)
        )
        steepest.append(np.linalg.eigvalsh((down - up) / (2 * STEP))[-1])
    assert max(steepest) <= CURVATURE[loss] + STEP_ERROR
    assert max(steepest) > 0.999 * CURVATURE[loss]


def test_shared_targets_share_the_gradient() -> None:
    """bhat of a row with two targets is the mean of its pairs' gradients: the loss is linear in the targets."""
    logits = np.random.default_rng(5).normal(size=(1, 4))
    for loss in LOSSES:
        both = negative_gradient(loss, logits, csr_array(np.array([[0.25, 0.75, 0.0, 0.0]])))
        first, second = (negative_gradient(loss, logits, one_hot_rows(np.array([t]), 4)) for t in (0, 1))
        np.testing.assert_allclose(both, 0.25 * first + 0.75 * second, rtol=0, atol=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
def test_fitted_probabilities_are_where_the_gradient_vanishes(loss: Loss) -> None:
    """Descent on the logits ends there, for targets of unequal shares; a sole one gets everything, but if squared."""
    share = csr_array(np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]]))
    logits = np.zeros((2, 3))
    for _ in range(2000):
        logits += negative_gradient(loss, logits, share)
    np.testing.assert_allclose(fitted_probabilities(loss, share), softmax(logits, axis=1), rtol=0, atol=1e-12)
    sole = fitted_probabilities(loss, one_hot_rows(np.array([1]), 3))
    assert sole[0, 1] == pytest.approx(np.e / (np.e + 2) if loss == "squared" else 1.0)
    assert sole.sum() == pytest.approx(1.0)


def test_one_hot_rows_are_single_targets() -> None:
    """One entry of one in each row, at the target, repeats included."""
    found = one_hot_rows(np.array([2, 0, 2]), 4)
    np.testing.assert_array_equal(found.toarray(), np.eye(4)[[2, 0, 2]])


def test_an_unknown_loss_is_refused() -> None:
    """The message names what came and what is expected."""
    with pytest.raises(ValueError, match="unknown loss 'hinge': expected one of cross-entropy, squared"):
        negative_gradient("hinge", np.zeros((1, 3)), one_hot_rows(np.zeros(1, dtype=int), 3))

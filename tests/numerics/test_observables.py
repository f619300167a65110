"""Losses and log-probabilities keep full relative accuracy, early, late and at huge embedding dimension."""

import mpmath
import numpy as np
import pytest

from numerics.observables import observe, reversal_log_ratio, trajectory_of
from theory.task import Statement, build_task, reversal_task

# A log-probability is read off logits of size 30, each rounded to 2^-53 of itself, over a sum of some ten
# terms.
LOGIT_ROUNDING = 30 * 10 * 2.0**-53


def exact_negative_log_probability(logits, answers):
    """-log of the summed softmax probability of the answers, in 60 digits."""
    with mpmath.workdps(60):
        weight = [mpmath.exp(mpmath.mpf(float(x))) for x in logits]
        return -mpmath.log(sum(weight[j] for j in answers) / sum(weight))


def test_observables_are_the_plain_formulas(multi_target_task):
    """At random logits every field equals its definition written with a naive softmax."""
    task = multi_target_task
    rng = np.random.default_rng(0)
    initial, change = rng.normal(size=(2, len(task.contexts), task.vocabulary_size))
    p = np.exp(initial + change)
    p /= p.sum(axis=1, keepdims=True)
    centred = change - change.mean(axis=1, keepdims=True)
    seen = observe(task, initial, change)

    log_p = np.log(p[task.train_context, task.train_target])
    query = [np.log(p[q.context, list(q.answers)].sum()) for q in task.queries]
    np.testing.assert_allclose(seen.train_log_probability, log_p, rtol=1e-13)
    np.testing.assert_allclose(seen.query_log_probability, query, rtol=1e-13)
    np.testing.assert_allclose(seen.loss, -(task.train_weight * log_p).sum(), rtol=1e-13)
    np.testing.assert_allclose(seen.reversal_loss, -np.mean(query), rtol=1e-13)
    np.testing.assert_allclose(
        seen.trained_logit_change, centred[task.train_context, task.train_target], rtol=0, atol=1e-14
    )
    np.testing.assert_allclose(
        seen.query_logit_change,
        [centred[q.context, list(q.answers)].mean() for q in task.queries],
        rtol=0,
        atol=1e-14,
    )


@pytest.mark.parametrize("gap", [0.0, 10.0, 30.0, 60.0])
def test_losses_near_zero_keep_relative_accuracy(gap):
    """With the right answers ahead by 60, -log p = 1e-26 agrees with 60-digit arithmetic to rounding of
    logits.
    """
    task = build_task(
        "two answers",
        [Statement(("a",), "x", "r")],
        [Statement(("x",), "a", "s"), Statement(("x",), "b", "s")],
        vocabulary=8,
    )
    logits = np.random.default_rng(1).normal(size=(2, 8))
    logits[0, task.train_target[0]] += gap
    logits[1, list(task.queries[0].answers)] += gap
    seen = observe(task, logits, np.zeros_like(logits))
    for found, row, answers in (
        (seen.loss, 0, [task.train_target[0]]),
        (seen.reversal_loss, 1, task.queries[0].answers),
    ):
        expected = exact_negative_log_probability(logits[row], answers)
        assert abs(found / expected - 1) < 2 * LOGIT_ROUNDING


@pytest.mark.parametrize("scale", [1e-14, 1e-10, 1e-3, 0.1, 0.49, 0.6, 5.0, 40.0])
def test_log_ratio_of_reversal_losses_has_the_accuracy_of_the_change(multi_target_task, scale):
    """log(L_rev(t)/L_rev(0)) agrees with 60-digit arithmetic to 1e-13 of the change, for changes of 1e-14
    to 40.
    """
    task = multi_target_task
    rng = np.random.default_rng(2)
    initial, change = rng.normal(size=(2, len(task.contexts), task.vocabulary_size))
    change *= scale / np.abs(change).max()
    with mpmath.workdps(60):

        def reversal_loss(share):
            total = mpmath.mpf(0)
            for q in task.queries:
                row = [
                    mpmath.mpf(float(x)) + share * mpmath.mpf(float(y))
                    for x, y in zip(initial[q.context], change[q.context], strict=True)
                ]
                weight = [mpmath.exp(x) for x in row]
                total -= mpmath.log(sum(weight[j] for j in q.answers) / sum(weight))
            return total

        expected = mpmath.log(reversal_loss(1) / reversal_loss(0))
        found = reversal_log_ratio(task, initial, change)
        assert abs(found - expected) < 1e-13 * min(scale, 1.0)


def test_log_ratio_of_a_vanishing_reversal_loss_is_accurate():
    """A reversal loss that falls to 1e-20 gives its logarithm to 1e-13, where 1 + gain/start would be
    rounding.
    """
    task = reversal_task(2, vocabulary=8)
    initial, change = np.zeros((2, len(task.contexts), 8))
    query = task.queries[0]
    change[query.context, query.answers[0]] = 48.0
    expected = np.log(np.log1p(7 * np.exp(-48.0)) / np.log(8.0))
    assert reversal_log_ratio(task, initial, change) == pytest.approx(expected, rel=1e-13)


def test_a_task_without_queries_has_no_reversal_loss():
    """Reversal loss and its ratio are nan, with shapes (0,), when nothing is held out."""
    task = reversal_task(2, held_out=0, vocabulary=7)
    zero = np.zeros((len(task.contexts), 7))
    seen = observe(task, zero, zero)
    assert np.isnan(seen.reversal_loss)
    assert seen.query_log_probability.shape == (0,)
    assert np.isnan(reversal_log_ratio(task, zero, zero))
    assert seen.loss == pytest.approx(np.log(7), rel=1e-15)


def test_wrong_shapes_are_refused():
    """Logits of another shape, and a count of observations unlike that of times, raise ValueError."""
    task = reversal_task(2, vocabulary=7)
    zero = np.zeros((len(task.contexts), 7))
    with pytest.raises(ValueError, match="contexts, m"):
        observe(task, zero, zero[1:])
    with pytest.raises(ValueError, match="contexts, m"):
        reversal_log_ratio(task, zero[1:], zero)
    with pytest.raises(ValueError, match="one observation per time"):
        trajectory_of([observe(task, zero, zero)], source="flow", model="m", dimension=None, time=np.arange(2.0))


def test_stacked_observations_keep_their_order():
    """The t-th entry of every field of a trajectory is that of the t-th observation."""
    task = reversal_task(2, vocabulary=7)
    rng = np.random.default_rng(3)
    changes = rng.normal(size=(3, len(task.contexts), 7))
    seen = [observe(task, np.zeros_like(c), c) for c in changes]
    stacked = trajectory_of(seen, source="descent", model="m", dimension=3.0, time=np.arange(3.0), logits=changes[-1])
    for field in (
        "loss",
        "reversal_loss",
        "train_log_probability",
        "query_log_probability",
        "trained_logit_change",
        "query_logit_change",
    ):
        for t in range(3):
            np.testing.assert_array_equal(getattr(stacked, field)[t], getattr(seen[t], field))
    assert (stacked.source, stacked.model, stacked.dimension) == ("descent", "m", 3.0)
    np.testing.assert_array_equal(stacked.logits, changes[-1])

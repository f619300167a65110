"""Decoupled rows: the Wright omega law, its integration, and the assembly by distinct rows agree."""

import mpmath
import numpy as np
import pytest

from numerics.decoupled import (
    RowPattern,
    closed_form,
    decoupled_flow,
    decoupled_rows,
    logit_gap,
    row_patterns,
)
from numerics.flow import integrate_flow
from numerics.gram import Gram
from numerics.trajectory import log_spaced_times
from theory.task import Statement, build_task, chain_of_thought_task, reversal_task


@pytest.mark.parametrize(("targets", "size"), [(1, 2), (1, 100), (1, 100_000), (3, 5), (7, 8), (50, 1000)])
def test_logit_gap_solves_its_implicit_equation(targets, size):
    """s (e^z - 1) + (m - s) z = m theta/s holds to 1e-13 relative in 50 digits, for theta from 1e-25 to
    1e13.
    """
    theta = np.concatenate([[0.0], np.geomspace(1e-25, 1e13, 77)])
    gap = logit_gap(theta, targets, size)
    assert gap[0] == 0.0
    with mpmath.workdps(50):
        for t, z in zip(theta[1:], gap[1:], strict=True):
            z = mpmath.mpf(float(z))
            left = targets * mpmath.expm1(z) + (size - targets) * z
            right = mpmath.mpf(size) * mpmath.mpf(float(t)) / targets
            # z is rounded at 2^-53 of itself, which e^z multiplies by z <= 60
            assert abs(left / right - 1) < 1e-13


def test_a_row_whose_targets_are_the_whole_vocabulary_stays():
    """s = m: the uniform distribution is the goal from the start, every logit stays zero."""
    assert not logit_gap(np.array([0.0, 1.0, 1e12]), 4, 4).any()
    levels = RowPattern((0.25,), (4,), 4).closed_form(np.array([1e6]))
    np.testing.assert_array_equal(levels, 0.0)
    np.testing.assert_allclose(RowPattern((0.25,), (4,), 4).log_probability(levels)[:, 0], -np.log(4), rtol=1e-15)


def test_closed_form_satisfies_the_row_equation():
    """d/dtheta of both levels, by central differences, is the velocity w - p of the row, for s = 1 and s =
    3.
    """
    for pattern in (RowPattern((1.0,), (1,), 10), RowPattern((1 / 3,), (3,), 10)):
        for theta in (0.3, 20.0):
            step = 1e-4 * theta
            below, levels, above = pattern.closed_form(theta + np.array([-step, 0.0, step]))
            np.testing.assert_allclose((above - below) / (2 * step), pattern.velocity(levels), rtol=1e-6)
            p = np.exp(levels) / (pattern.multiplicity @ np.exp(levels))
            weights = [pattern.weights[0], 0.0]
            np.testing.assert_allclose(pattern.velocity(levels), weights - p, rtol=0, atol=1e-15)
            assert pattern.multiplicity @ levels == pytest.approx(0.0, abs=1e-13)


def test_row_jacobian_is_the_derivative_of_the_velocity():
    """The Jacobian of a row of weights 1/7, 2/7 x 2, 2/7... equals central differences to 1e-8."""
    pattern = RowPattern((0.1, 0.3), (1, 3), 9)
    levels = np.array([0.3, 1.2, -0.8])
    h = 1e-5
    difference = [(pattern.velocity(levels + h * e) - pattern.velocity(levels - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(pattern.jacobian(levels), np.transpose(difference), rtol=0, atol=1e-9)


def test_integrated_rows_are_the_closed_form_within_their_bound():
    """Equal weights, to theta = 1e12: integration agrees with the closed form within its own error bound."""
    theta = log_spaced_times(1e12, 30)
    for pattern in (RowPattern((1.0,), (1,), 10), RowPattern((0.5,), (2,), 10)):
        levels, bound = pattern.integrate(theta, 1e-9)
        difference = levels - pattern.closed_form(theta)
        error = np.sqrt(difference**2 @ pattern.multiplicity)
        assert (error <= bound + 1e-14).all()
        assert bound.max() < 1e-5
        assert bound[0] == 0.0


def test_rows_of_unequal_weights_reach_their_distribution():
    """Weights 0.1 and 3 x 0.3 at theta = 1e9: p within 1e-8 of the weights, from the independent BDF
    integration.
    """
    pattern = RowPattern((0.1, 0.3), (1, 3), 9)
    levels, _ = pattern.integrate(np.array([1e9]), 1e-10)
    p = np.exp(pattern.log_probability(levels))[0]
    np.testing.assert_allclose(p[:2], [0.1, 0.3], rtol=1e-8)
    assert 0 < p[2] < 1e-8


def test_norm_of_levels_is_that_of_the_whole_row():
    """Levels counted with their multiplicity have the Euclidean norm of the row of m logits."""
    pattern = RowPattern((0.1, 0.3), (1, 3), 9)
    row = np.repeat([2.0, -1.0, 0.5], [1, 3, 5])
    assert pattern._norm(np.array([2.0, -1.0, 0.5])) == pytest.approx(np.linalg.norm(row), rel=1e-14)


def test_patterns_are_found(multi_target_task):
    """Rows with one target, two equal ones and weights 1:2:0.5 make three patterns."""
    patterns, pattern_of = row_patterns(multi_target_task)
    assert [p.counts for p in patterns] == [(1,), (2,), (1, 1, 1)]
    assert patterns[2].weights == pytest.approx((1 / 7, 2 / 7, 4 / 7))
    assert pattern_of.tolist() == [0, 1, 2, 0]
    assert [p.equal for p in patterns] == [True, True, False]


@pytest.mark.parametrize("solve", [closed_form, decoupled_flow])
def test_assembled_trajectory_is_the_full_integration(solve, multi_target_task):
    """Every field equals the flow of all N x m coordinates at G = I: weights, several targets, trained
    queries.
    """
    time = log_spaced_times(1e6, 12)
    for task in (multi_target_task, chain_of_thought_task(3, vocabulary=15), reversal_task(3, vocabulary=10)):
        start = np.zeros((len(task.contexts), task.vocabulary_size))
        full = integrate_flow(task, Gram.identity(task.vocabulary_size), start, time, relative_tolerance=1e-10)
        found = solve(task, time)
        for field in (
            "loss",
            "reversal_loss",
            "train_log_probability",
            "query_log_probability",
            "trained_logit_change",
            "query_logit_change",
        ):
            # BDF at 1e-10 holds some hundred steps to a hundred times that
            np.testing.assert_allclose(getattr(found, field), getattr(full, field), rtol=2e-8, atol=1e-9)
        assert (found.model, found.dimension) == ("transformer", None)
    assert found.source == ("closed form" if solve is closed_form else "flow")


def test_error_bounds_say_what_was_integrated(multi_target_task):
    """A closed form has no bound, unequal weights have one that says so, and bounds add up over rows."""
    time = np.array([0.0, 1e3])
    assert closed_form(reversal_task(3), time).error_bound is None
    assert "unequally" in closed_form(multi_target_task, time).error_bound.reason
    task = reversal_task(3, vocabulary=10)
    single = RowPattern((1.0,), (1,), 10).integrate(task.context_weight[0] * time, 1e-10)[1]
    # five rows of weight 1/5
    np.testing.assert_allclose(decoupled_flow(task, time).error_bound.parameters, np.sqrt(5) * single, rtol=1e-12)


def test_losses_at_1e12_keep_relative_accuracy():
    """At t = 1e12 the loss m (m-1)/... of 1 - p = (m-1)/(m f t) agrees with its asymptote to 1e-9."""
    task = reversal_task(3, vocabulary=10)
    loss = closed_form(task, np.array([1e12])).loss[0]
    f = task.context_weight[0]
    odds = 9.0 / (10.0 * f * 1e12)  # leading order; the next is log(t)/t smaller
    assert loss == pytest.approx(odds, rel=1e-9)


def test_many_facts_cost_their_distinct_rows():
    """20,000 facts take one call of the row law per pattern, and give every pair the same trajectory."""
    task = build_task(
        "many",
        [Statement((f"a{i}",), f"b{i}", "r") for i in range(20_000)],
        [Statement((f"b{i}",), f"a{i}", "r") for i in range(100)],
    )
    time = log_spaced_times(1e12, 10)
    with pytest.MonkeyPatch.context() as patch:
        asked = []
        law = RowPattern.closed_form
        patch.setattr(RowPattern, "closed_form", lambda self, theta: asked.append(theta.size) or law(self, theta))
        found = closed_form(task, time)
    assert asked == [len(time)]
    assert np.ptp(found.train_log_probability, axis=1).max() == 0.0
    np.testing.assert_allclose(found.reversal_loss, np.log(task.vocabulary_size), rtol=1e-15)
    gap = logit_gap(task.context_weight[0] * time, 1, task.vocabulary_size)
    np.testing.assert_allclose(found.loss, np.log1p((task.vocabulary_size - 1) * np.exp(-gap)), rtol=1e-12)


def test_rows_from_a_random_start_follow_the_flow_at_identity(multi_target_task):
    """decoupled_rows from S(0) != 0 equals the logits' change of the flow at G = I; the last row start
    matters.
    """
    time = np.array([0.0, 3.0, 500.0])
    for task in (multi_target_task, reversal_task(3, vocabulary=9)):
        start = np.random.default_rng(70).normal(size=(len(task.contexts), 9))
        *_, change = decoupled_rows(task, start, time)
        flow = integrate_flow(task, Gram.identity(9), start, time)
        np.testing.assert_allclose(
            change, flow.logits[: task.trained_contexts] - start[: task.trained_contexts], rtol=0, atol=1e-7
        )


def test_shared_features_are_refused(pair_context_task):
    """Contexts of two tokens share features: every decoupled law raises ValueError."""
    time = np.array([0.0, 1.0])
    start = np.zeros((len(pair_context_task.contexts), pair_context_task.vocabulary_size))
    for call in (
        lambda: closed_form(pair_context_task, time),
        lambda: decoupled_flow(pair_context_task, time),
        lambda: decoupled_rows(pair_context_task, start, time),
    ):
        with pytest.raises(ValueError, match="single token"):
            call()

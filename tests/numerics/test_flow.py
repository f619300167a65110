"""The logit-space flow is the gradient flow of the parameters, at any dimension, target count and time."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from numerics.decoupled import closed_form
from numerics.estimate import Estimate, TooLarge, estimate_flow
from numerics.flow import integrate_flow, logits_along
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.trajectory import log_spaced_times
from theory.task import Statement, build_task, chain_of_thought_task, reversal_task


@pytest.mark.parametrize("name", ["reversal", "multi_target_task", "pair_context_task"])
@pytest.mark.parametrize("dimension", [4, 25])
def test_flow_is_the_gradient_flow_of_theta(name, dimension, request, parameter_model, embeddings):
    """Logits to t = 200 equal those of dTheta/dt = -grad L integrated in Theta, d below and above m."""
    task = reversal_task(3, vocabulary=8) if name == "reversal" else request.getfixturevalue(name)
    v = embeddings(task.vocabulary_size, dimension, 40)
    model = parameter_model(task, v)
    theta_0 = 0.5 * np.random.default_rng(41).normal(size=(dimension, dimension))
    time = np.array([0.0, 0.5, 20.0, 200.0])
    exact = solve_ivp(
        lambda _, theta: -model.gradient(theta.reshape(dimension, dimension)).ravel(),
        (0.0, time[-1]),
        theta_0.ravel(),
        method="LSODA",
        t_eval=time,
        rtol=1e-9,
        atol=1e-11,
    )
    gram = Gram.explicit(v)
    for t, theta in zip(time[1:], exact.y.T[1:], strict=True):
        logits = model.logits(theta.reshape(dimension, dimension))
        flow = integrate_flow(
            task,
            gram,
            gram.logits_of(task.features, theta_0.reshape(dimension, dimension)),
            np.array([0.0, t]),
        )
        # 1000 times the reference's own tolerance: its rtol is a bound on one step, not on all
        np.testing.assert_allclose(flow.logits, logits, rtol=0, atol=1e-6)
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        loss = -task.train_weight @ np.log(p[task.train_context, task.train_target])
        assert flow.loss[-1] == pytest.approx(loss, abs=1e-6)
    assert (flow.source, flow.model, flow.dimension) == ("flow", "bilinear", dimension)


@pytest.mark.parametrize("final", [1e3, 1e12])
def test_flow_with_orthonormal_embeddings_is_the_closed_form(final, multi_target_task):
    """At G = I the integrated loss and logits agree with the Wright omega law to 1e-8, up to t = 1e12."""
    time = log_spaced_times(final, 20)
    for task in (reversal_task(3, vocabulary=10), chain_of_thought_task(2)):
        start = np.zeros((len(task.contexts), task.vocabulary_size))
        flow = integrate_flow(task, Gram.identity(task.vocabulary_size), start, time, relative_tolerance=1e-11)
        exact = closed_form(task, time)
        np.testing.assert_allclose(flow.loss, exact.loss, rtol=1e-8)
        np.testing.assert_allclose(flow.reversal_loss, exact.reversal_loss, rtol=1e-8)
        np.testing.assert_allclose(flow.trained_logit_change, exact.trained_logit_change, rtol=1e-8)
        np.testing.assert_allclose(flow.query_logit_change, exact.query_logit_change, rtol=1e-8)
        assert flow.model == "transformer"
        assert flow.dimension is None


def test_several_targets_reach_the_conditional_entropy(multi_target_task, gram):
    """At t = 1e12 the loss of a task with two and three targets a row is above its floor by less than
    1e-10.
    """
    task = multi_target_task
    for matrix in (Gram.identity(9), gram(9, 1000, 42)):
        flow = integrate_flow(task, matrix, np.zeros((len(task.contexts), 9)), log_spaced_times(1e12, 5))
        assert 0 < flow.loss[-1] - task.loss_floor < 1e-10
        assert (np.diff(flow.loss) < 0).all()
        assert flow.error_bound.evidence == "numerical"
        assert "several targets" in flow.error_bound.reason.lower()


def test_equal_embeddings_learn_nothing():
    """When all embeddings are equal every logit of a row moves alike, so the loss stays log m."""
    task = reversal_task(3, vocabulary=8)
    v = np.tile(np.array([[0.6, 0.8]]), (8, 1))
    flow = integrate_flow(task, Gram.explicit(v), np.zeros((len(task.contexts), 8)), np.array([0.0, 1.0, 1e3]))
    np.testing.assert_allclose(flow.loss, np.log(8), rtol=1e-14)
    np.testing.assert_allclose(flow.reversal_loss, np.log(8), rtol=1e-14)


def test_one_pair_follows_its_implicit_law():
    """One pair, m = 3, G = I: the logit gap z solves e^z - 1 + 2z = 3t, checked by substitution."""
    task = build_task("one", [Statement(("a",), "b", "r")], [Statement(("b",), "a", "r")])
    time = np.array([0.0, 0.1, 1.0, 50.0, 1e6])
    flow = integrate_flow(task, Gram.identity(3), np.zeros((2, 3)), time, relative_tolerance=1e-11)
    gap = 1.5 * flow.trained_logit_change[:, 0]
    np.testing.assert_allclose(np.expm1(gap) + 2 * gap, 3 * time, rtol=1e-8)
    np.testing.assert_allclose(flow.reversal_loss, np.log(3), rtol=1e-15)


def test_untrained_rows_obey_the_interpolation_law(multi_target_task, gram):
    """S_q(t) - S_q(0) = W^T (S_A(t) - S_A(0)) along the flow, to rounding times cond(K_AA)."""
    for task in (reversal_task(3, held_out=2, vocabulary=9), multi_target_task):
        kernels = Kernels(task, gram(9, 20, 43))
        start = np.random.default_rng(44).normal(size=(len(task.contexts), 9))
        flow = integrate_flow(task, kernels.gram, start, np.array([0.0, 100.0]))
        change = flow.logits - start
        rows = task.trained_contexts
        predicted = kernels.interpolation_weights.T @ change[:rows]
        tolerance = 1e-14 * kernels.condition_number * np.abs(change).max()
        np.testing.assert_allclose(change[rows:], predicted, rtol=0, atol=tolerance)
        assert np.abs(change[rows:]).max() > 1e-2


def test_trajectory_begins_at_the_initial_logits():
    """At t = 0 every change is an exact zero and the error bound is zero; a lone t = 0 is allowed."""
    task = reversal_task(2, vocabulary=7)
    start = np.random.default_rng(45).normal(size=(len(task.contexts), 7))
    flow = integrate_flow(task, Gram.identity(7), start, np.array([0.0]))
    assert not flow.trained_logit_change.any()
    assert not flow.query_logit_change.any()
    assert flow.error_bound.parameters.tolist() == [0.0]
    np.testing.assert_array_equal(flow.logits, start)


def test_logits_along_the_flow_end_where_it_ends(gram):
    """logits_along starts at S(0), and its entry at each time is the final state of the flow to that time."""
    task = reversal_task(2, vocabulary=7)
    matrix, start = gram(7, 15, 48), np.random.default_rng(49).normal(size=(len(task.contexts), 7))
    time = np.array([0.0, 1.0, 10.0])
    along = logits_along(task, matrix, start, time)
    np.testing.assert_array_equal(along[0], start)
    for t in (1, 2):
        ends = integrate_flow(task, matrix, start, time[: t + 1]).logits
        np.testing.assert_allclose(along[t], ends, rtol=0, atol=1e-7)


@pytest.mark.parametrize("time", [[], [-1.0, 1.0], [0.0, 0.0], [0.0, np.inf], [2.0, 1.0]])
def test_impossible_times_are_refused(time):
    """Empty, negative, repeated, infinite or falling times raise ValueError."""
    task = reversal_task(2, vocabulary=7)
    with pytest.raises(ValueError, match="times must be"):
        integrate_flow(task, Gram.identity(7), np.zeros((len(task.contexts), 7)), np.array(time))


def test_too_large_a_flow_is_refused_with_its_cost():
    """Above the byte limit TooLarge carries the estimate and says what to change, before any work."""
    task = reversal_task(3, vocabulary=8)
    with pytest.raises(TooLarge, match=r"GiB and .* s, above the limit of .*fewer contexts") as refusal:
        integrate_flow(task, Gram.identity(8), np.zeros((len(task.contexts), 8)), np.array([0.0, 1.0]), byte_limit=1e3)
    assert isinstance(refusal.value.estimate, Estimate)
    assert refusal.value.estimate.bytes > 1e3


def test_estimate_grows_with_the_problem(multi_target_task):
    """Bytes grow as N m and m^2, seconds as N m^2; several targets and coherence cost more."""
    small, large = reversal_task(10, vocabulary=100), reversal_task(20, vocabulary=200)
    cost_small, cost_large = estimate_flow(small, 1e6, coupled=True), estimate_flow(large, 1e6, coupled=True)
    assert 3.5 < cost_large.bytes / cost_small.bytes < 4.5
    assert cost_large.seconds > cost_small.seconds
    assert estimate_flow(small, 1e6, coupled=False).bytes < cost_small.bytes - 8 * 2 * 100**2
    assert estimate_flow(small, 1e6, coupled=False).seconds < cost_small.seconds
    single = reversal_task(2, vocabulary=9)
    assert (
        estimate_flow(multi_target_task, 1e6, coupled=True).seconds > estimate_flow(single, 1e6, coupled=True).seconds
    )

"""The first-order law errs by O(1/d) from a zero start and agrees with the flow at huge dimension."""

import numpy as np
import pytest

from numerics.decoupled import decoupled_rows
from numerics.first_order import first_order_law
from numerics.flow import integrate_flow
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.trajectory import log_spaced_times
from theory.task import Statement, build_task, reversal_task


def test_error_of_the_reversal_loss_is_of_order_one_over_d():
    """n = 10, m = 100, t to 1e5: mean error over three draws at d = 1e4, 1e5, 1e6 falls with slope -1 +-
    0.15.
    """
    task = reversal_task(10, vocabulary=100)
    start, time = np.zeros((len(task.contexts), 100)), log_spaced_times(1e5, 12)
    dimensions, errors = np.array([1e4, 1e5, 1e6]), []
    for d in dimensions:
        worst = []
        for seed in range(3):
            gram = Gram.draw(100, d, np.random.default_rng(80 + seed))
            gap = integrate_flow(task, gram, start, time).reversal_loss
            gap = gap - first_order_law(task, gram, start, time).reversal_loss
            worst.append(np.abs(gap).max())
        errors.append(np.mean(worst))
    # the same normals at each d scale exactly: what is left is the next order, 1/sqrt(d) <= 1 % at d = 1e4
    slope = np.polyfit(np.log(dimensions), np.log(errors), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.15)
    assert errors[-1] < 1e-4


def test_law_and_flow_agree_at_dimension_1e14():
    """n = 10, m = 100, d = 1e14, sigma = 0: losses agree to 1e-5, query changes to O(1/d), at every time."""
    task = reversal_task(10, vocabulary=100)
    gram = Gram.draw(100, 1e14, np.random.default_rng(90))
    start, time = np.zeros((len(task.contexts), 100)), log_spaced_times(1e6, 30)
    flow, law = integrate_flow(task, gram, start, time), first_order_law(task, gram, start, time)
    np.testing.assert_allclose(law.loss, flow.loss, rtol=1e-5)
    # what is left is of second order: N rows, each with a weight and a coherence of 1/sqrt(d) and a gap
    # below z
    second_order = task.trained_contexts * flow.trained_logit_change.max() / 1e14
    np.testing.assert_allclose(law.query_logit_change, flow.query_logit_change, rtol=0, atol=second_order)
    assert np.abs(flow.query_logit_change).max() > 1e-10
    assert (law.source, law.model, law.dimension) == ("closed form", "bilinear", 1e14)


def test_law_is_the_interpolation_of_decoupled_rows(multi_target_task, gram):
    """S_q = S_q(0) + W^T (decoupled change), from zero and from a random start, equal and unequal targets."""
    time = np.array([0.0, 40.0])
    weighted = [("a", "x", 1.0), ("b", "y", 3.0), ("c", "x", 0.5), ("c", "y", 0.5)]
    equal_targets = build_task(
        "weighted",
        [Statement((a,), b, "r", w) for a, b, w in weighted],
        [Statement(("x",), "a", "s")],
        vocabulary=9,
    )
    for task in (reversal_task(3, vocabulary=9), equal_targets, multi_target_task):
        kernels = Kernels(task, gram(9, 25, 91))
        for scale in (0.0, 0.7):
            start = scale * np.random.default_rng(92).normal(size=(len(task.contexts), 9))
            law = first_order_law(task, kernels.gram, start, time)
            *_, trained = decoupled_rows(task, start, time)
            expected = start + np.concatenate([trained, kernels.interpolation_weights.T @ trained])
            np.testing.assert_allclose(law.logits, expected, rtol=0, atol=1e-8)
            assert law.loss[0] == pytest.approx(integrate_flow(task, kernels.gram, start, time[:1]).loss[0])


def test_shared_features_are_refused(pair_context_task, gram):
    """Contexts of two tokens raise ValueError."""
    size = pair_context_task.vocabulary_size
    start = np.zeros((len(pair_context_task.contexts), size))
    with pytest.raises(ValueError, match="single token"):
        first_order_law(pair_context_task, gram(size, 20, 93), start, np.array([0.0, 1.0]))

"""How far the closed form, read at the asked embeddings, may be from the flow: a bound that holds, and sees no error
that it shares with what it bounds.
"""

import numpy as np
import pytest

from numerics.first_order import closed_form_rows, first_order_law, law_and_reading
from numerics.flow import integrate_flow
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.law_error import largest_stretch, loss_slope, reading_error
from numerics.logit_flow import LogitFlow
from theory.task import reversal_task


def instance(dimension, scale=0.3):
    """Four pairs, a Gram matrix and a start."""
    task = reversal_task(4, vocabulary=11)
    rng = np.random.default_rng(151)
    gram = Gram.draw(11, dimension, rng)
    return task, gram, gram.initial_logits(task.features, scale, rng)


@pytest.mark.parametrize("dimension", [30.0, 1e4, 1e10])
def test_the_reading_lies_within_its_bound(dimension):
    """|S_A read - S_A of the flow|_F stays below the bound at every time, and the losses below slope times bound."""
    task, gram, start = instance(dimension)
    for end in (0.1, 10.0, 300.0):
        time = np.array([0.0, end])
        flow, (_, reading) = integrate_flow(task, gram, start, time), law_and_reading(task, gram, start, time)
        error = reading_error(task, gram, start, time)
        error += largest_stretch(Kernels(task, gram)) * flow.error_bound.parameters
        distance = np.linalg.norm((reading.logits - flow.logits)[: task.trained_contexts])
        assert distance <= error[-1] + 1e-13
        slope = np.maximum(loss_slope(task, flow), loss_slope(task, reading))
        assert abs(reading.loss[-1] - flow.loss[-1]) <= slope[-1] * error[-1] + 1e-14


def test_the_reading_is_nearer_than_the_law():
    """At d = 1e4 the logits read off the closed form are ten times nearer to the flow than the law's trained rows."""
    task, gram, start = instance(1e4)
    time = np.array([0.0, 1.0])
    flow = integrate_flow(task, gram, start, time)
    law, reading = law_and_reading(task, gram, start, time)
    rows = slice(0, task.trained_contexts)
    far, near = (np.abs((t.logits - flow.logits)[rows]).max() for t in (law, reading))
    assert near < 0.1 * far
    np.testing.assert_array_equal(first_order_law(task, gram, start, time).logits, law.logits)


def test_the_bound_does_not_hide_an_error_of_the_right_hand_side(monkeypatch):
    """With dC/dt a thousandth too large the bound changes by a few thousandths, not by the error."""
    task, gram, start = instance(1e6)
    time = np.array([0.0, 1.0, 40.0])
    right = reading_error(task, gram, start, time)
    true = LogitFlow.velocity
    monkeypatch.setattr(LogitFlow, "velocity", lambda self, coordinates: 1.001 * true(self, coordinates))
    np.testing.assert_allclose(reading_error(task, gram, start, time), right, rtol=0.01)


def test_slope_is_at_least_that_of_the_loss(multi_target_task):
    """|F R|_F of the logits is at most the slope that follows from the probabilities, one target or several."""
    for task in (reversal_task(4, vocabulary=11), multi_target_task):
        size = task.vocabulary_size
        flow = integrate_flow(task, Gram.identity(size), np.zeros((len(task.contexts), size)), np.array([0.0, 30.0]))
        rows = flow.logits[: task.trained_contexts]
        p = np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
        slope = np.linalg.norm(task.context_weight[:, None] * (task.target_distribution.toarray() - p))
        assert slope <= loss_slope(task, flow)[-1]


def test_rows_with_a_closed_form_are_named(multi_target_task):
    """From zero rows of equal weights have one, from any other start those with one target alone."""
    shape = len(multi_target_task.contexts), multi_target_task.vocabulary_size
    assert closed_form_rows(multi_target_task, np.zeros(shape)).tolist() == [True, True, False, True]
    assert closed_form_rows(multi_target_task, np.ones(shape)).tolist() == [True, False, False, True]

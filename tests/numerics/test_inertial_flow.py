"""The flow of momentum: its limits, and the heavy ball as its discretisation of order one."""

import numpy as np
import pytest

from numerics.descent import DescentSettings, descend
from numerics.flow import flow_changes
from numerics.inertial_flow import (
    halved_momentum,
    inertial_changes,
    inertial_velocity,
    integrate_inertial_flow,
    relaxation_time,
)
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from theory.task import reversal_task


def last(changes):
    """The last of several changes."""
    *_, change = changes
    return change


def test_the_heavy_ball_tends_to_it_with_order_one(gram):
    """At beta = e^(-h/tau), halving h halves the distance at t = 6: measured orders within 0.1 of one."""
    task, tau = reversal_task(3, vocabulary=8), 2.0
    matrix, start = gram(8, 20, 131), np.zeros((len(task.contexts), 8))
    flow = start + last(inertial_changes(task, matrix, start, tau, np.array([6.0])))
    errors = []
    for h in (0.2, 0.1, 0.05):
        beta = float(np.exp(-h / tau))
        settings = DescentSettings("momentum", h * (1 - beta), beta, batch="full")
        assert relaxation_time(settings) == pytest.approx(tau)
        steps = round(6.0 / h)
        errors.append(np.abs(descend(task, matrix, start, settings, steps, np.array([steps])).logits - flow).max())
    np.testing.assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 1.0, rtol=0, atol=0.1)


def test_halving_keeps_the_relaxation_time():
    """Half the time of a step at sqrt(beta) has the same tau."""
    rate, beta = halved_momentum(0.1, 0.9)
    whole, half = DescentSettings("momentum", 0.1, 0.9), DescentSettings("momentum", rate, beta)
    assert half.time_step == pytest.approx(whole.time_step / 2)
    assert relaxation_time(half) == pytest.approx(relaxation_time(whole))
    assert beta == pytest.approx(np.sqrt(0.9))


def test_a_short_relaxation_is_the_gradient_flow(gram):
    """Its distance from the gradient flow at t = 5 falls with tau at order one."""
    task = reversal_task(3, vocabulary=8)
    matrix, start = gram(8, 20, 132), 0.1 * np.random.default_rng(133).normal(size=(len(reversal_task(3).contexts), 8))
    time = np.array([5.0])
    plain = last(flow_changes(task, matrix, start, time))
    distances = [np.abs(last(inertial_changes(task, matrix, start, tau, time)) - plain).max() for tau in (0.1, 0.05)]
    assert np.log2(distances[0] / distances[1]) == pytest.approx(1.0, abs=0.1)


def test_it_starts_from_rest(gram):
    """S - S(0) = K F R K_out t^2 / (2 tau) to leading order; the trajectory begins at S(0)."""
    task = reversal_task(2, vocabulary=6)
    matrix, start = gram(6, 20, 134), np.zeros((len(task.contexts), 6))
    flow = LogitFlow(Kernels(task, matrix), start)
    time, tau = 1e-4, 3.0
    leading = flow.kernels.logit_change(flow.velocity(np.zeros(flow.shape))) * time**2 / (2 * tau)
    found = integrate_inertial_flow(task, matrix, start, tau, np.array([0.0, time]))
    np.testing.assert_allclose(found.logits, leading, rtol=1e-3, atol=1e-14)
    assert found.loss[0] == pytest.approx(np.log(6))
    assert (found.source, found.model) == ("flow", "bilinear")


def test_velocity_is_the_two_term_equation(gram):
    """(dC/dt, dU/dt) = (U, (F R - U) / tau) at any state."""
    task = reversal_task(2, vocabulary=6)
    flow = LogitFlow(Kernels(task, gram(6, 20, 135)), np.zeros((len(task.contexts), 6)))
    state = np.random.default_rng(136).normal(size=(2, *flow.shape))
    moved, accelerated = inertial_velocity(flow, 2.5, state)
    np.testing.assert_array_equal(moved, state[1])
    np.testing.assert_allclose(2.5 * accelerated + state[1], flow.velocity(state[0]), rtol=0, atol=1e-14)


def test_impossible_settings_are_refused(gram):
    """No tau but that of momentum above zero; times must increase and tau be positive."""
    for settings in (DescentSettings("gd", 0.1), DescentSettings("momentum", 0.1, 0.0)):
        with pytest.raises(ValueError, match="relaxation"):
            relaxation_time(settings)
    task = reversal_task(2, vocabulary=6)
    for tau, time in ((0.0, [1.0]), (1.0, [2.0, 1.0]), (1.0, []), (1.0, [np.inf])):
        with pytest.raises(ValueError, match="tau"):
            list(inertial_changes(task, gram(6, 20, 137), np.zeros((len(task.contexts), 6)), tau, np.array(time)))

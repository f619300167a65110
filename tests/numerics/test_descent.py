"""Descent in coordinates is descent of the parameters, step by step, and tends to the flow with order one."""

import numpy as np
import pytest

from numerics.decoupled import logit_gap
from numerics.descent import DescentSettings, descend, initial_share, row_recursion
from numerics.flow import integrate_flow
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.order import ORDERS, visits
from theory.task import reversal_task

STEPS = 60
ROUNDING = 1e-12  # 60 steps of sums of order one


def parameter_descent(model, theta, settings, steps):
    """torch.optim.SGD written out on Theta (d, d)."""
    pairs = len(model.task.train_target)
    order = visits(settings.order, pairs, steps, settings.seed)
    velocity = np.zeros_like(theta)
    beta = settings.momentum if settings.optimizer == "momentum" else 0.0
    for k in range(steps):
        if settings.optimizer == "gd" or (settings.optimizer == "momentum" and settings.batch == "full"):
            g = model.gradient(theta)
        else:
            g = pairs * model.task.train_weight[order[k]] * model.pair_gradient(theta, order[k])
        g = g + settings.weight_decay * theta
        velocity = beta * velocity + g
        theta = theta - settings.learning_rate * velocity
    return theta


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
@pytest.mark.parametrize(
    ("optimizer", "batch", "order"),
    [
        ("gd", "one", "cyclic"),
        ("sgd", "one", "cyclic"),
        ("sgd", "one", "reshuffled"),
        ("sgd", "one", "replacement"),
        ("momentum", "one", "reshuffled"),
        ("momentum", "full", "cyclic"),
    ],
)
def test_descent_is_that_of_the_parameters(
    optimizer, batch, order, weight_decay, multi_target_task, pair_context_task, parameter_model, embeddings
):
    """After 60 steps all logits equal those of Theta descended in numpy, with weight decay, for every
    optimiser.
    """
    settings = DescentSettings(optimizer, 0.3, 0.8, weight_decay, batch, order, seed=5)
    for task in (multi_target_task, pair_context_task):
        v = embeddings(task.vocabulary_size, 6, 100)
        model, gram = parameter_model(task, v), Gram.explicit(v)
        theta = np.random.default_rng(101).normal(size=(6, 6))
        start = gram.logits_of(task.features, theta)
        found = descend(task, gram, start, settings, STEPS, np.array([0, STEPS]))
        expected = model.logits(parameter_descent(model, theta, settings, STEPS))
        np.testing.assert_allclose(found.logits, expected, rtol=0, atol=ROUNDING * np.abs(expected).max())
        assert found.time[-1] == pytest.approx(STEPS * 0.3 / (0.2 if optimizer == "momentum" else 1.0))
        assert (found.source, found.model, found.dimension) == ("descent", "bilinear", 6)


def test_recorded_steps_are_those_of_shorter_runs():
    """What is observed at step k is the end of a run of k steps; step 0 is the start."""
    task = reversal_task(3, vocabulary=8)
    start = np.random.default_rng(102).normal(size=(len(task.contexts), 8))
    settings = DescentSettings("sgd", 0.2, weight_decay=0.1, order="cyclic")
    record = np.array([0, 3, 10])
    long = descend(task, Gram.identity(8), start, settings, 12, record)
    for t, k in enumerate(record[1:], start=1):
        short = descend(task, Gram.identity(8), start, settings, k, np.array([k]))
        assert long.loss[t] == short.loss[0]
    assert not long.trained_logit_change[0].any()
    np.testing.assert_allclose(long.time, 0.2 * record, rtol=1e-15)


@pytest.mark.parametrize(("optimizer", "batch"), [("gd", "full"), ("momentum", "full")])
def test_descent_tends_to_the_flow_with_order_one(optimizer, batch, gram):
    """Halving the step size halves the distance to the flow at t = 8: measured orders within 0.1 of one."""
    task = reversal_task(3, vocabulary=8)
    matrix, start = gram(8, 20, 103), np.zeros((len(task.contexts), 8))
    flow = integrate_flow(task, matrix, start, np.array([0.0, 8.0])).logits
    errors = []
    for learning_rate in (0.02, 0.01, 0.005):
        settings = DescentSettings(optimizer, learning_rate, 0.5, batch=batch)
        steps = round(8.0 / settings.time_step)
        logits = descend(task, matrix, start, settings, steps, np.array([steps])).logits
        errors.append(np.abs(logits - flow).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 1.0, rtol=0, atol=0.1)


@pytest.mark.parametrize("optimizer", ["gd", "sgd", "momentum"])
def test_untrained_rows_obey_the_interpolation_law_with_weight_decay(optimizer, gram):
    """S_q(k) - rho_k S_q(0) = W^T (S_A(k) - rho_k S_A(0)) to rounding times cond(K_AA)."""
    task = reversal_task(3, held_out=2, vocabulary=8)
    kernels = Kernels(task, gram(8, 15, 104))
    start = np.random.default_rng(105).normal(size=(len(task.contexts), 8))
    settings = DescentSettings(optimizer, 0.2, weight_decay=0.03)
    logits = descend(task, kernels.gram, start, settings, STEPS, np.array([STEPS])).logits
    change, rows = logits - initial_share(settings, STEPS)[-1] * start, task.trained_contexts
    tolerance = 1e-13 * kernels.condition_number * np.abs(change).max()
    np.testing.assert_allclose(change[rows:], kernels.interpolation_weights.T @ change[:rows], rtol=0, atol=tolerance)
    assert np.abs(change[rows:]).max() > 1e-2


def test_initial_share_is_a_power_without_momentum():
    """rho_k = (1 - lr lambda)^k for gd and sgd, 1 without weight decay, and not that power under momentum."""
    power = (1 - 0.1 * 0.2) ** np.arange(21)
    for optimizer in ("gd", "sgd"):
        share = initial_share(DescentSettings(optimizer, 0.1, weight_decay=0.2), 20)
        np.testing.assert_allclose(share, power, rtol=1e-14)
    np.testing.assert_array_equal(initial_share(DescentSettings("momentum", 0.1), 20), 1.0)
    heavy = initial_share(DescentSettings("momentum", 0.1, 0.9, weight_decay=0.2), 3)
    # v: 0.2, then 0.9 v + 0.2 rho, by hand
    v1, r1 = 0.2, 0.98
    v2 = 0.9 * v1 + 0.2 * r1
    r2 = r1 - 0.1 * v2
    v3 = 0.9 * v2 + 0.2 * r2
    np.testing.assert_allclose(heavy, [1.0, r1, r2, r2 - 0.1 * v3], rtol=1e-15)


def test_sgd_of_one_row_is_the_scalar_recursion():
    """At G = I cyclic SGD gives h_k for every row: target (m-1) h, others -h, p_target and the reversal
    loss log m.
    """
    task = reversal_task(3, vocabulary=8)
    pairs, epochs = len(task.train_target), 40
    start = np.zeros((len(task.contexts), 8))
    settings = DescentSettings("sgd", 0.5, order="cyclic")
    found = descend(task, Gram.identity(8), start, settings, pairs * epochs, np.array([pairs * epochs]))
    h = row_recursion(8, 0.5, epochs)[-1]
    # K w_k = 1 for equal weights, so each visit takes a step of the learning rate
    np.testing.assert_allclose(found.trained_logit_change, 7 * h, rtol=1e-13)
    assert found.reversal_loss[0] == pytest.approx(np.log(8), rel=1e-15)
    assert found.loss[0] == pytest.approx(np.log1p(7 * np.exp(-8 * h)), rel=1e-12)
    assert found.model == "transformer"


@pytest.mark.parametrize("eta", [0.1, 1.0, 20.0])
def test_recursion_is_sandwiched_by_the_flow(eta):
    """0 <= h_k - h(eta k) <= eta/m for every k, the first step being eta/m exactly."""
    size = 20
    h = row_recursion(size, eta, 300)
    flow = logit_gap(eta * np.arange(301.0), 1, size) / size
    assert h[0] == 0.0
    assert h[1] == pytest.approx(eta / size, rel=1e-15)
    assert (h - flow >= -1e-15).all()
    assert (h - flow <= eta / size * (1 + 1e-12)).all()
    assert (h - flow).max() > 0


def test_orders_visit_what_they_promise():
    """Cyclic repeats 0..K-1, each reshuffled epoch is a permutation and differs, replacement repeats; seeds
    matter.
    """
    np.testing.assert_array_equal(visits("cyclic", 3, 7, 0), [0, 1, 2, 0, 1, 2, 0])
    epochs = visits("reshuffled", 10, 50, 1).reshape(5, 10)
    assert (np.sort(epochs, axis=1) == np.arange(10)).all()
    assert len({tuple(e) for e in epochs.tolist()}) == 5
    drawn = visits("replacement", 10, 10_000, 2)
    # each of ten counts is binomial with deviation 30: six of them
    assert (np.abs(np.bincount(drawn, minlength=10) - 1000) < 180).all()
    for order in ORDERS:
        np.testing.assert_array_equal(visits(order, 10, 25, 3), visits(order, 10, 25, 3))
        assert len(visits(order, 10, 25, 3)) == 25
    assert (visits("replacement", 10, 25, 3) != visits("replacement", 10, 25, 4)).any()
    with pytest.raises(ValueError, match="unknown order"):
        visits("sorted", 3, 3, 0)


@pytest.mark.parametrize(
    "bad",
    [
        {"optimizer": "adam"},
        {"learning_rate": 0.0},
        {"learning_rate": np.nan},
        {"momentum": 1.0},
        {"weight_decay": -1.0},
        {"batch": "half"},
        {"order": "sorted"},
    ],
)
def test_impossible_settings_are_refused(bad):
    """Each impossible field raises ValueError naming what was expected."""
    with pytest.raises(ValueError, match=r"expected|must"):
        DescentSettings(**{"optimizer": "sgd", "learning_rate": 0.1, **bad})


@pytest.mark.parametrize("record", [[], [0, 0], [-1], [11]])
def test_impossible_records_are_refused(record):
    """Recorded steps outside 0..steps, repeated or none raise ValueError."""
    task = reversal_task(2, vocabulary=7)
    with pytest.raises(ValueError, match="recorded steps"):
        descend(task, Gram.identity(7), np.zeros((len(task.contexts), 7)), DescentSettings("gd", 0.1), 10, record)

"""The convexity bound is never below the true error and is exact where the defect is known."""

import numpy as np
import pytest

from numerics.decoupled import logit_gap
from numerics.error_bound import NumericalDefect, bounded_states, defect_bound_of, logit_error, quadrature
from numerics.flow import flow_states, integrate_flow, numerical_defect
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.piecewise import Piece
from theory.task import reversal_task

TIME = np.array([0.0, 1.0, 30.0, 1000.0])


def reversal_flow(dimension, seed, scale=0.5):
    """A small single-target flow at finite dimension."""
    task = reversal_task(3, vocabulary=10)
    gram = Gram.draw(10, dimension, np.random.default_rng(seed))
    start = gram.initial_logits(task.features, scale, np.random.default_rng(seed + 1))
    return LogitFlow(Kernels(task, gram), start)


def states(flow, tolerance):
    return list(flow_states(flow, TIME, numerical_defect(flow), tolerance))


@pytest.mark.parametrize("tolerance", [1e-3, 1e-5, 1e-7])
def test_bound_covers_the_true_error_at_any_tolerance(tolerance):
    """|Theta - Theta_exact|_F, against a run at 1e-13, is below the bound, and the bound falls with the
    tolerance.
    """
    flow = reversal_flow(40, 50)
    for (c, bound), (exact, _) in zip(states(flow, tolerance), states(flow, 1e-13), strict=True):
        assert flow.kernels.parameter_norm(c - exact) <= bound
        assert bound < 1e4 * tolerance


def test_bound_covers_the_true_error_of_several_targets(multi_target_task, gram):
    """The BDF path's bound covers its error too, and exceeds the tolerance times 1e4 (1 + t) nowhere."""
    flow = LogitFlow(Kernels(multi_target_task, gram(9, 30, 51)), np.zeros((len(multi_target_task.contexts), 9)))
    for (c, bound), (exact, _), t in zip(states(flow, 1e-6), states(flow, 1e-11), TIME, strict=True):
        assert flow.kernels.parameter_norm(c - exact) <= bound
        assert bound < 1e-6 * 1e4 * (1 + t)


def test_defect_of_a_resting_trajectory_is_the_gradient():
    """C~ = C_0 constant: the bound is |C_0| + t |grad L|, exactly, as the defect is the gradient itself."""
    flow = reversal_flow(40, 52)
    rest = np.random.default_rng(53).normal(size=flow.shape)
    speed = flow.kernels.parameter_norm(flow.velocity(rest))
    bound = defect_bound_of(flow, lambda t: rest, lambda t: np.zeros_like(rest), TIME, "rest")
    # panels of 0.25 in log(1 + t) integrate e^tau to rounding
    np.testing.assert_allclose(bound.parameters, flow.kernels.parameter_norm(rest) + TIME * speed, rtol=1e-13)
    assert (bound.evidence, bound.reason) == ("numerical", "rest")


def test_pieces_of_a_resting_trajectory_pay_for_defect_and_jump():
    """Two constant pieces C_1, C_2: the bound at the end is |C_1| + |C_2 - C_1| + the integral of the
    gradients.
    """
    flow = reversal_flow(40, 54)
    first, second = np.random.default_rng(55).normal(size=(2, *flow.shape))
    pieces = [Piece(0.0, 1.0, first[None]), Piece(1.0, 2.0, second[None])]
    defect = NumericalDefect(flow, "")
    time = np.expm1([0.5, 2.0])
    (_, early), (_, late) = bounded_states(iter(pieces), defect, time, flow.shape)
    norm = flow.kernels.parameter_norm
    expected = norm(first) + np.expm1(1.0) * norm(flow.velocity(first))
    assert early == pytest.approx(expected, rel=1e-12)  # the whole first piece is charged
    expected += norm(second - first) + (np.exp(2.0) - np.exp(1.0)) * norm(flow.velocity(second))
    assert late == pytest.approx(expected, rel=1e-12)


def test_a_trajectory_that_ends_early_is_an_error():
    """Times beyond the last piece raise ValueError instead of being dropped."""
    flow = reversal_flow(40, 56)
    piece = Piece(0.0, 1.0, np.zeros((1, *flow.shape)))
    with pytest.raises(ValueError, match="ends before"):
        list(bounded_states(iter([piece]), NumericalDefect(flow, ""), np.array([0.0, 10.0]), flow.shape))


def test_closed_form_as_a_trajectory_at_finite_dimension():
    """The decoupled rows at d = 1e4 are within the bound of the flow, and the bound falls as 1/sqrt(d)."""
    task = reversal_task(3, vocabulary=10)
    rows = task.train_context
    seen = np.zeros((task.trained_contexts, 10))
    seen[rows, task.train_target] = 1.0
    f = task.context_weight[0]

    def coordinates(t):
        return logit_gap(np.array([f * t]), 1, 10) * (seen - 0.1)

    def velocity(t):
        gap = logit_gap(np.array([f * t]), 1, 10)
        return 10 * f / (np.exp(gap) + 9) * (seen - 0.1)

    bounds = []
    for dimension in (1e4, 1e6):
        flow = LogitFlow(
            Kernels(task, Gram.draw(10, dimension, np.random.default_rng(57))),
            np.zeros((len(task.contexts), 10)),
        )
        bound = defect_bound_of(flow, coordinates, velocity, TIME, "decoupled")
        for (c, _), t, allowed in zip(states(flow, 1e-10), TIME, bound.parameters, strict=True):
            assert flow.kernels.parameter_norm(c - coordinates(t)) <= allowed
        bounds.append(bound.parameters[-1])
    assert bounds[0] / bounds[1] == pytest.approx(10.0, rel=0.3)  # two different draws of G


def test_logit_error_is_a_sharp_bound(multi_target_task, pair_context_task, embeddings):
    """Errors X of Theta in the span of trained contexts move no logit by more, and some X of norm 1 attains
    it.
    """
    for task in (multi_target_task, pair_context_task):
        v = embeddings(task.vocabulary_size, 30, 58)
        x, rows = task.features.toarray() @ v, task.trained_contexts
        bound = logit_error(Kernels(task, Gram.explicit(v)), 2.0)
        basis = np.linalg.qr(x[:rows].T)[0]
        projected = x @ basis @ basis.T
        for i in range(len(task.contexts)):
            for j in range(task.vocabulary_size):
                worst = np.outer(projected[i], v[j])
                worst *= 2.0 / np.linalg.norm(worst)
                assert x[i] @ worst @ v[j] == pytest.approx(bound[i, j], rel=1e-10)
                assert (np.abs(x @ worst @ v.T) <= bound * (1 + 1e-12)).all()


def test_quadrature_is_exact_for_polynomials_of_degree_fifteen():
    """Eight Gauss-Legendre points integrate x^15 on [1, 2] to rounding and miss x^16 by little."""
    assert quadrature(lambda x: x**15, 1.0, 2.0) == pytest.approx((2.0**16 - 1) / 16, rel=1e-14)
    assert quadrature(lambda x: x**16, 1.0, 2.0) != (2.0**17 - 1) / 17


def test_integrated_flow_carries_its_bound():
    """The trajectory's error bound increases with time from zero and is called numerical, with its reason."""
    flow = reversal_flow(40, 59)
    bound = integrate_flow(flow.kernels.task, flow.kernels.gram, flow.initial_logits, TIME).error_bound
    assert bound.parameters[0] == 0.0
    assert (np.diff(bound.parameters) > 0).all()
    assert bound.evidence == "numerical"
    assert "convexity" in bound.reason

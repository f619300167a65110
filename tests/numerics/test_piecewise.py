"""Solvers yield their steps as polynomials that join, solve the equation and know their derivative."""

from itertools import pairwise

import numpy as np
import pytest

from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.piecewise import IntegrationError, Piece, explicit_pieces
from numerics.stiff import _NewtonSystem, implicit_pieces, stiff_flow_pieces


def test_piece_through_a_polynomial_is_that_polynomial():
    """Values and derivatives of a cubic in two components are reproduced to rounding off the centre."""
    cubic = np.polynomial.Polynomial([1.0, -2.0, 0.5, 3.0])
    piece = Piece.through(lambda x: np.array([cubic(x), -x]), 1.0, 3.0, 3)
    points = np.linspace(1.0, 3.0, 7)
    values = np.stack([cubic(points), -points], axis=1)
    np.testing.assert_allclose(piece.values(points), values, rtol=1e-13)
    for x, value in zip(points, values, strict=True):
        np.testing.assert_allclose(piece.value(x), value, rtol=1e-13)
        np.testing.assert_allclose(piece.derivative(x), [cubic.deriv()(x), -1.0], rtol=1e-12)
    assert piece.degree == 3


def test_explicit_pieces_join_and_solve_the_equation():
    """DOP853 on y' = i-rotation, state (2, 1): pieces tile [0, 5] without gaps and follow (cos, sin) to
    1e-9.
    """
    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    pieces = list(
        explicit_pieces(
            lambda _, y: rotation @ y,
            np.array([[1.0], [0.0]]),
            5.0,
            relative_tolerance=1e-11,
            absolute_tolerance=1e-13,
        )
    )
    assert pieces[0].start == 0.0
    assert pieces[-1].end == 5.0
    for before, after in pairwise(pieces):
        assert before.end == after.start
        np.testing.assert_allclose(before.value(before.end), after.value(after.start), rtol=0, atol=1e-13)
    for piece in pieces:
        middle = 0.5 * (piece.start + piece.end)
        np.testing.assert_allclose(piece.value(middle)[:, 0], [np.cos(middle), np.sin(middle)], rtol=0, atol=1e-9)


def test_a_solution_that_blows_up_is_an_error():
    """y' = y^2 from 1 has no solution to x = 2: IntegrationError says where the solver stopped."""
    with (
        pytest.raises(IntegrationError, match="DOP853 stopped at"),
        np.errstate(over="ignore", invalid="ignore"),
    ):
        list(explicit_pieces(lambda _, y: y * y, np.ones(1), 2.0, relative_tolerance=1e-8, absolute_tolerance=1e-10))


def test_implicit_pieces_follow_a_stiff_system():
    """y' = -1e8 (y - sin x) + cos x from 0 is sin x to 1e-7 on every step, in fewer than a thousand steps."""
    pieces = list(
        implicit_pieces(
            lambda x, y: -1e8 * (y - np.sin(x)) + np.cos(x),
            lambda x, y: np.array([[-1e8]]),
            np.zeros(1),
            3.0,
            relative_tolerance=1e-9,
            absolute_tolerance=1e-11,
        )
    )
    assert len(pieces) < 1000
    assert pieces[0].start == 0.0
    assert pieces[-1].end == 3.0
    for before, after in pairwise(pieces):
        assert before.end == after.start
    for piece in pieces:
        x = np.linspace(piece.start, piece.end, 5)
        np.testing.assert_allclose(piece.values(x)[:, 0], np.sin(x), rtol=0, atol=1e-7)


def test_implicit_solver_that_gives_up_is_an_error():
    """A derivative that turns into nan half way raises IntegrationError."""
    with pytest.raises(IntegrationError, match="not finite at"):
        list(
            implicit_pieces(
                lambda x, y: np.full(1, np.nan if x > 0.5 else 1.0),
                lambda x, y: np.zeros((1, 1)),
                np.zeros(1),
                1.0,
                relative_tolerance=1e-6,
                absolute_tolerance=1e-9,
            )
        )


def test_jacobian_products_are_derivatives_of_the_velocity(multi_target_task, gram):
    """(1 + t) dR/dC along a direction equals the central difference of the velocity, to its error h^2 =
    1e-8.
    """
    flow = LogitFlow(Kernels(multi_target_task, gram(9, 12, 30)), np.zeros((len(multi_target_task.contexts), 9)))
    rng = np.random.default_rng(31)
    state, direction = rng.normal(size=(2, *flow.shape))
    system = _NewtonSystem(flow)
    system.set_state(1.5, state.ravel(), state.ravel())
    product = np.empty(state.size)
    system.jacobian_product(1.5, state.ravel(), state.ravel(), direction.ravel(), product)
    h = 1e-4
    difference = (
        flow.log_time_velocity(1.5, state + h * direction) - flow.log_time_velocity(1.5, state - h * direction)
    ) / (2 * h)
    np.testing.assert_allclose(product.reshape(flow.shape), difference, rtol=0, atol=1e-6)


def test_preconditioner_inverts_the_newton_matrix_of_decoupled_rows(multi_target_task):
    """With G = I the preconditioner solves (I - gamma J) x = r exactly, at p near one and gamma (1+t) =
    1e10 too.
    """
    flow = LogitFlow(Kernels(multi_target_task, Gram.identity(9)), np.zeros((len(multi_target_task.contexts), 9)))
    rng = np.random.default_rng(32)
    for scale, log_time in ((1.0, 0.3), (20.0, 23.0)):
        state = scale * rng.normal(size=flow.shape)
        right = rng.normal(size=flow.shape)
        system = _NewtonSystem(flow)
        system.set_state(log_time, state.ravel(), state.ravel())
        renewed = [0]
        system.set_preconditioner(log_time, state.ravel(), state.ravel(), 0, renewed, 1.0)
        assert renewed == [1]
        x, product = np.empty(state.size), np.empty(state.size)
        system.precondition(log_time, state.ravel(), state.ravel(), right.ravel(), x, 0.7, 0.0, 1)
        system.jacobian_product(log_time, state.ravel(), state.ravel(), x, product)
        # terms of size gamma (1 + t) |x| cancel
        size = 1.0 + 0.7 * np.exp(log_time) * np.abs(x).max()
        np.testing.assert_allclose(x - 0.7 * product, right.ravel(), rtol=0, atol=1e-14 * size)
    system.set_preconditioner(log_time, np.zeros(state.size), state.ravel(), 1, renewed, 1.0)
    assert renewed == [0]
    assert system.preconditioner_probability.max() > 0.5  # a reusable one is not renewed


def test_preconditioning_keeps_the_stiff_solver_cheap(multi_target_task, gram):
    """At d = 1e4 and t = 1e9 a step costs fewer than six evaluations of the Jacobian product on average."""
    flow = LogitFlow(Kernels(multi_target_task, gram(9, 10_000, 33)), np.zeros((len(multi_target_task.contexts), 9)))
    calls = 0
    product = _NewtonSystem.jacobian_product

    def counted(self, log_time, state, velocity, direction, out):
        nonlocal calls
        calls += 1
        product(self, log_time, state, velocity, direction, out)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_NewtonSystem, "jacobian_product", counted)
        steps = sum(
            1 for _ in stiff_flow_pieces(flow, np.log1p(1e9), relative_tolerance=1e-7, absolute_tolerance=1e-10)
        )
    assert calls < 6 * steps

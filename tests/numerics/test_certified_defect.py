"""The certified bound encloses the numerical one, covers the true error, and refuses what it cannot
certify.
"""

import mpmath
import numpy as np
import pytest
from flint import arb, ctx

from numerics import certified_defect
from numerics.certified_defect import CertifiedDefect, _matrix, _mean_square, _positive_definite, _shifted
from numerics.error_bound import NumericalDefect
from numerics.flow import flow_pieces, flow_states, integrate_flow, numerical_defect
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.piecewise import Piece
from theory.task import reversal_task


@pytest.fixture(params=[40, 1e6])
def flow(request):
    """n = 3 pairs, m = 10, sigma = 0.3."""
    task = reversal_task(3, vocabulary=10)
    gram = Gram.draw(10, request.param, np.random.default_rng(60))
    return LogitFlow(Kernels(task, gram), gram.initial_logits(task.features, 0.3, np.random.default_rng(61)))


def test_certified_bound_is_small_and_covers_the_error(flow):
    """n = 3, m = 10, t = 1e3: certified below 1e-5, above the true error, within half again of the
    quadrature.
    """
    time = np.array([0.0, 0.1, 10.0, 1e3])
    certified = list(flow_states(flow, time, CertifiedDefect(flow), 1e-9))
    numerical = list(flow_states(flow, time, numerical_defect(flow), 1e-9))
    exact = list(flow_states(flow, time, numerical_defect(flow), 1e-13))
    for (c, bound), (same, estimate), (reference, slack) in zip(certified, numerical, exact, strict=True):
        np.testing.assert_array_equal(c, same)
        assert flow.kernels.parameter_norm(c - reference) <= bound + slack
        # the quadrature of |D| may exceed its integral by its own error, some percent where D changes sign
        assert 0.95 * estimate <= bound <= 1.5 * estimate + 1e-13
    assert certified[-1][1] < 1e-5
    assert certified[0][1] == 0.0


def test_certified_trajectory_says_so(flow):
    """integrate_flow(certified=True) returns the same losses with evidence `certified`."""
    arguments = (flow.kernels.task, flow.kernels.gram, flow.initial_logits, np.array([0.0, 10.0]))
    certified, plain = integrate_flow(*arguments, certified=True), integrate_flow(*arguments)
    np.testing.assert_array_equal(certified.loss, plain.loss)
    assert certified.error_bound.evidence == "certified"
    assert "balls" in certified.error_bound.reason


def test_wide_steps_are_halved_until_they_are_enclosed(flow):
    """One polynomial over a step of length 2 in log(1 + t) is enclosed within 30% above a fine quadrature."""
    pieces = list(flow_pieces(flow, 3.0, 1e-9))

    def solution(x):
        return next(p for p in pieces if p.start <= x <= p.end).value(x)

    wide = Piece.through(solution, 1.0, 3.0, 7)
    points, weights = np.polynomial.legendre.leggauss(200)
    fine = sum(
        w * flow.kernels.parameter_norm(wide.derivative(x) - flow.log_time_velocity(x, wide.value(x)))
        for x, w in zip(2.0 + points, weights, strict=True)
    )
    bound = CertifiedDefect(flow).integral(wide)
    assert fine * (1 - 1e-3) <= bound <= 1.3 * fine


def test_a_damaged_trajectory_is_charged(flow):
    """Shifting a step's polynomial by X raises the bound by the two jumps; a wrong report is charged as it
    is.
    """
    pieces = list(flow_pieces(flow, 1.0, 1e-9))
    shift = 1e-3 * np.random.default_rng(62).normal(size=flow.shape)
    middle = len(pieces) // 2
    before, piece = pieces[middle - 1], pieces[middle]
    damaged = Piece(piece.start, piece.end, piece.coefficients + shift * (np.arange(8) == 0)[:, None, None])
    defect = CertifiedDefect(flow)
    size = flow.kernels.parameter_norm(shift)
    assert defect.jump(before, damaged) == pytest.approx(size, rel=1e-9)
    assert defect.jump(before, piece) < 1e-14
    assert defect.jump(None, pieces[0]) < 1e-14
    assert defect.integral(damaged) > 10 * defect.integral(piece)
    time = float(np.expm1(0.5 * (piece.start + piece.end)))
    state = piece.value(float(np.log1p(time)))
    assert defect.evaluation(piece, time, state) < 1e-13
    assert defect.evaluation(piece, time, state + shift) == pytest.approx(size, rel=1e-9)


def test_rounding_of_the_logarithm_of_time_is_charged(flow):
    """The rounding of tau = log(1 + t) times the speed bound 2 (1 + t) max|phi V| max|v| is charged."""
    *_, piece = flow_pieces(flow, float(np.log1p(1e3)), 1e-9)
    lengths = np.sqrt(1 + np.diag(flow.kernels.gram.excess))
    contexts = np.sqrt(np.diag(flow.kernels.trained_kernel))
    for time in np.linspace(np.expm1(piece.start), 1e3, 9)[1:-1]:
        log_time = float(np.log1p(time))
        with mpmath.workdps(40):
            delay = float(abs(mpmath.log1p(mpmath.mpf(float(time))) - mpmath.mpf(log_time)))
        charge = 2 * (1 + time) * delay * lengths.max() * contexts.max()
        found = CertifiedDefect(flow).evaluation(piece, time, piece.value(log_time))
        # what evaluation in floating point costs beside it is a few units in the last place of the state
        assert charge <= found <= charge * (1 + 1e-9) + 1e-13


def test_certified_measures_agree_with_floating_point_ones(flow):
    """Jump and integral of the certified defect are those of the numerical one, up to Cauchy-Schwarz."""
    certified, numerical = CertifiedDefect(flow), NumericalDefect(flow, "")
    rng = np.random.default_rng(63)
    rough = Piece(0.0, 0.3, 0.1 * rng.normal(size=(3, *flow.shape)))
    other = Piece(0.3, 0.5, 0.1 * rng.normal(size=(5, *flow.shape)))
    assert certified.jump(None, rough) == pytest.approx(numerical.jump(None, rough), rel=1e-12)
    assert certified.jump(rough, other) == pytest.approx(numerical.jump(rough, other), rel=1e-12)
    for piece in (rough, other):
        estimate = numerical.integral(piece)
        assert estimate * (1 - 1e-3) <= certified.integral(piece) <= 1.3 * estimate


def test_a_gap_between_pieces_is_an_error(flow):
    """Pieces that do not join, or a first one that starts late, raise ValueError."""
    piece = Piece(0.5, 1.0, np.zeros((1, *flow.shape)))
    with pytest.raises(ValueError, match="does not end"):
        CertifiedDefect(flow).jump(None, piece)
    with pytest.raises(ValueError, match="does not end"):
        CertifiedDefect(flow).jump(Piece(0.0, 0.4, piece.coefficients), piece)


def test_what_cannot_be_certified_is_refused(multi_target_task, gram):
    """d < m (G singular) and rows of several targets raise ValueError."""
    task = reversal_task(3, vocabulary=10)
    with pytest.raises(ValueError, match="positive definite"):
        CertifiedDefect(LogitFlow(Kernels(task, gram(10, 4, 64)), np.zeros((len(task.contexts), 10))))
    with pytest.raises(ValueError, match="single-target"):
        CertifiedDefect(
            LogitFlow(Kernels(multi_target_task, gram(9, 40, 65)), np.zeros((len(multi_target_task.contexts), 9)))
        )


def test_positive_definiteness_is_decided_at_the_edge():
    """I + E with smallest eigenvalue 1e-9 is accepted, -1e-9 and exactly singular are not."""
    vector = np.ones(4) / 2
    projection = np.outer(vector, vector)
    assert _positive_definite(-(1 - 1e-9) * projection)
    assert not _positive_definite(-(1 + 1e-9) * projection)
    assert not _positive_definite(-projection)


def test_global_precision_of_balls_is_left_alone(flow, monkeypatch):
    """Certification restores the caller's precision and series length."""
    monkeypatch.setattr(ctx, "cap", 7)
    before = ctx.prec
    CertifiedDefect(flow).integral(next(flow_pieces(flow, 1.0, 1e-6)))
    assert (ctx.prec, ctx.cap) == (before, 7)


def test_taylor_shift_and_mean_square_are_exact_on_small_cases():
    """1 + 2s + 3s^2 at s = 1/2 + u/4, and sqrt(2 integral (1 + u)^2 du) = sqrt(16/3) with the plain norm."""
    scalars = [_matrix(np.array([[value]])) for value in (1.0, 2.0, 3.0)]
    shifted = _shifted(scalars, arb(0.5), arb(0.25))
    assert [float(b[0, 0]) for b in shifted] == [2.75, 1.25, 0.1875]
    ones = scalars[:1] * 2
    assert _mean_square(ones, ones) == pytest.approx(np.sqrt(16 / 3), rel=1e-14)
    assert _mean_square(ones, ones) >= np.sqrt(16 / 3)


def test_a_wrong_factor_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positive definite is what is left of G after a factor is, by dominance: an indefinite G with ones on its diagonal
    is not, whatever floating point says of its eigenvalues and factor.
    """
    indefinite = 2.0 * (np.ones((3, 3)) - np.eye(3))  # G has the eigenvalues 5, -1, -1
    monkeypatch.setattr(certified_defect, "eigvalsh", lambda *_, **__: np.array([0.5]))
    monkeypatch.setattr(certified_defect, "cholesky", lambda *_, **__: np.zeros((3, 3)))
    assert not certified_defect._positive_definite(indefinite)
    assert certified_defect._positive_definite(0.1 * indefinite)

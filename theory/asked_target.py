"""The law of a held-out logit whose question is itself a token of the output: what training on it as a target leaves.

With the asked token q among the targets, Theta(t) - Theta(0) has the further term sum_a v_a C_aq v_q^T, so that the
asked logit moves by v_q^T phi with

    phi = sum_a v_a (sum_j C_aj G_jx + C_aq v_q^T v_x),    j over the tokens other than q.

Two laws say what that is over the draw of v_q. The mean is that of the logit itself: C depends on v_q through the
trained rows' logits of the token q, and integration by parts keeps this dependence. The variance is that at fixed C:
of v_q^T phi over a draw of v_q with which the trained rows have not dealt.
"""

from functools import cache

import numpy as np
from sympy import Expr, IndexedBase, Integer, KroneckerDelta, Symbol, diff

from theory.asked_embedding import (
    ASSUMPTIONS,
    FULL,
    REFERENCE,
    C,
    Definitions,
    asked_logit,
    coupled,
    draw_asked,
    expected,
    fourth,
    linear_steps,
    parameters_change,
    polynomial,
    pull,
    second,
    u,
    v_q,
)
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import G, a, alpha, beta, d, delta, gamma, j, over_contexts, over_coordinates, over_tokens, v, x
from theory.statement import Identity, IndexedSums, Instance

IS_TARGET = "q is a token of the output, with the column C_q of coordinates, a letter of its own"
BY_PARTS = (
    ASSUMPTIONS[0],
    "v_q is drawn from N(0, I/d), and every other embedding and Theta(0) are given: expectation is over v_q alone",
    "integration by parts, E v_q[i] f(v_q) = E (df/dv_q[i])/d for every differentiable f of moderate growth; the "
    "letters mu are the moments of v_q",
    "C is differentiable in v_q: gradient flow, or finitely many steps along gradients of a smooth loss; the letters D "
    "and D_q are its derivatives, s a number along which v_q moves",
    "q is no trained context, and the answer x is not q",
    IS_TARGET,
)
HELD_FIXED = (
    *ASSUMPTIONS,
    IS_TARGET,
    "C is held fixed while v_q is drawn: its dependence on v_q, through the trained rows' logits of the token q, is no "
    "part of this variance",
)

z, C_q = IndexedBase("z"), IndexedBase("{C_q}")
D, D_q = IndexedBase("D"), IndexedBase("{D_q}")  # dC_aj/dv_q[i] and dC_aq/dv_q[i]
s = Symbol("s", real=True)
STAYS = Integer(0)


def pulled_target(coordinate: Expr) -> Expr:
    """z = sum_a C_aq v_a."""
    return over_contexts(C_q[a] * v[a, coordinate], a)


def target_change(row: Expr, column: Expr) -> Expr:
    """The part of Theta(t) - Theta(0) that has the asked token as target: sum_a v_a C_aq v_q^T."""
    return over_contexts(v[a, row] * C_q[a] * v_q[column], a)


TARGET: Definitions = {**FULL, z: pulled_target}


def draw_target(rng: np.random.Generator) -> Instance:
    """An asked token that was a target; its z, like its u, is any vector, and so are the derivatives of C."""
    return {
        **draw_asked(rng),
        C_q: rng.normal(size=2),
        z: rng.normal(size=3),
        D: rng.normal(size=(2, 4, 3)),
        D_q: rng.normal(size=(2, 3)),
    }


def _identity(lhs: Expr, rhs: Expr, definitions: Definitions = TARGET) -> Identity:
    return Identity(lhs, rhs, IndexedSums(definitions), draw_target)


# -- the mean, by parts --
def overlap(moved: Expr = STAYS) -> Expr:
    """v_q^T v_x, where v_q has moved by `moved` along the coordinate alpha."""
    return over_coordinates((v_q[beta] + moved * KroneckerDelta(alpha, beta)) * v[x, beta], beta)


def moving(moved: Expr = STAYS) -> Expr:
    """phi[alpha] = sum_a v_a[alpha] (sum_j C_aj G_jx + C_aq v_q^T v_x) after such a move, C by its derivatives."""
    others = over_tokens((C[a, j] + moved * D[a, j, alpha]) * G[j, x], j)
    return over_contexts(v[a, alpha] * (others + (C_q[a] + moved * D_q[a, alpha]) * overlap(moved)), a)


def divergence() -> Expr:
    """sum_alpha d phi[alpha] / d v_q[alpha]."""
    return over_coordinates(diff(moving(s), s).subs(s, 0), alpha)


def fixed_mean() -> Expr:
    """(1/d) sum_a C_aq G_ax: the mean of v_q^T phi while C is held fixed."""
    return over_contexts(C_q[a] * G[a, x], a) / d


def response() -> Expr:
    """(1/d) sum_a (sum_j (v_a . grad C_aj) G_jx + (v_a . grad C_aq) v_q^T v_x)."""
    others = over_tokens(over_coordinates(v[a, alpha] * D[a, j, alpha], alpha) * G[j, x], j)
    own = over_coordinates(v[a, alpha] * D_q[a, alpha], alpha) * over_coordinates(v_q[beta] * v[x, beta], beta)
    return over_contexts(others + own, a) / d


@cache
def derive_mean() -> Derivation:
    """E (S_qx(t) - S_qx(0)) = (1/d) E sum_a (C_aq G_ax + sum_j (v_a . grad C_aj) G_jx), j over all tokens."""
    second_by_parts = KroneckerDelta(alpha, beta) / d
    fourth_by_parts = (
        KroneckerDelta(alpha, beta) * second[gamma, delta]
        + KroneckerDelta(alpha, gamma) * second[beta, delta]
        + KroneckerDelta(alpha, delta) * second[beta, gamma]
    ) / d
    change = asked_logit(parameters_change) + asked_logit(target_change)
    return Derivation(
        "asked-embedding-mean",
        "Mean of a held-out logit whose question was a target",
        REFERENCE,
        BY_PARTS,
        statement=r"\operatorname{E} \left(S_{qx}(t) - S_{qx}(0)\right) = \frac{1}{d} \operatorname{E} \sum_a \left("
        r"C_{aq} G_{ax} + \sum_j \left(v_a \cdot \nabla_{v_q} C_{aj}\right) G_{jx}\right)",
        steps=(
            Step(
                "the asked logit moves by v_q^T phi, phi = sum_a v_a (sum_j C_aj G_jx + C_aq v_q^T v_x)",
                _identity(change, over_coordinates(v_q[alpha] * moving(), alpha)),
            ),
            Step("the second moment obeys integration by parts", _identity(second[alpha, beta], second_by_parts)),
            Step(
                "and so does the fourth, which is the third order in v_q of phi",
                _identity(fourth[alpha, beta, gamma, delta], fourth_by_parts),
            ),
            Step(
                "by parts the mean is that of div phi/d: what C holds at v_q, and how C responds to it",
                _identity(divergence() / d, fixed_mean() + response()),
            ),
        ),
    )


def mean_twins() -> list[FalseTwin]:
    """C held fixed, no mean, the dimension lost, a flipped sign, a response of the other targets or of q alone."""
    of, mean = "asked-embedding-mean", divergence() / d
    others = over_contexts(
        over_tokens(over_coordinates(v[a, alpha] * D[a, j, alpha], alpha) * G[j, x], j), a
    ) / d  # fmt: skip
    swapped = over_contexts(C[a, x] * G[a, x], a) / d
    return [
        FalseTwin(of, "coordinates held fixed", _identity(mean, fixed_mean())),
        FalseTwin(of, "no mean", _identity(mean, Integer(0))),
        FalseTwin(of, "lost dimension", _identity(mean, d * (fixed_mean() + response()))),
        FalseTwin(of, "flipped sign of the response", _identity(mean, fixed_mean() - response())),
        FalseTwin(of, "response of other targets alone", _identity(mean, fixed_mean() + others)),
        FalseTwin(of, "column of the answer", _identity(mean, swapped + response())),
    ]


# -- the variance at fixed coordinates --
def quadratic_weight(row: Expr, column: Expr) -> Expr:
    """z v_x^T: the matrix of the part that is quadratic in v_q."""
    return z[row] * v[x, column]


def _target_steps() -> tuple[Step, ...]:
    """The asked token as a target: a part that is quadratic in v_q."""
    return (
        *linear_steps()[:2],
        Step(
            "as a target the asked token adds a part that is quadratic in v_q, with z = sum_a C_aq v_a",
            _identity(asked_logit(target_change), polynomial(quadratic_weight(alpha, beta), alpha, beta)),
        ),
        Step(
            "at fixed C only that part has a mean, by E v_i v_k = delta_ik/d",
            _identity(
                expected(u[alpha], alpha) + expected(quadratic_weight(alpha, beta), alpha, beta),
                fixed_mean(),
            ),
        ),
    )


def second_moment_of_change() -> Expr:
    """E of (linear + quadratic part)^2 at fixed C, term by term."""
    quadratic = quadratic_weight(alpha, beta)
    return (
        expected(u[alpha] * u[beta], alpha, beta)
        + 2 * expected(u[gamma] * quadratic, gamma, alpha, beta)
        + expected(quadratic * quadratic_weight(gamma, delta), alpha, beta, gamma, delta)
    )


def target_variance() -> Expr:
    """c^T G_AA c/d + (C_q^T G_AA C_q G_xx + (sum_a C_aq G_ax)^2)/d^2."""
    return coupled(pull) / d + coupled(C_q) * G[x, x] / d**2 + fixed_mean() ** 2


@cache
def derive_target_variance() -> Derivation:
    """The variance at fixed C where q was trained as a target: that of the linear part and a term of order 1/d^2."""
    linear, quadratic = polynomial(u[alpha], alpha), polynomial(quadratic_weight(alpha, beta), alpha, beta)
    square = (
        polynomial(u[alpha] * u[beta], alpha, beta)
        + 2 * polynomial(u[gamma] * quadratic_weight(alpha, beta), gamma, alpha, beta)
        + polynomial(quadratic_weight(alpha, beta) * quadratic_weight(gamma, delta), alpha, beta, gamma, delta)
    )
    return Derivation(
        "asked-embedding-target-variance",
        "Variance, at fixed coordinates, of a held-out logit whose question was a target",
        REFERENCE,
        HELD_FIXED,
        statement=r"\operatorname{Var}_{v_q} \left(v_q^{\top} V_A^{\top} C\, V v_x\right) = "
        r"\frac{c^{\top} G_{AA}\, c}{d} + "
        r"\frac{C_q^{\top} G_{AA} C_q\, G_{xx} + \left(\sum_a C_{aq} G_{ax}\right)^2}{d^2} "
        r"\quad \text{with } C \text{ held fixed}, \quad c_a = \sum_{j \ne q} C_{aj} G_{jx}",
        steps=(
            *_target_steps(),
            Step(
                "the square of both parts, as sums over coordinates", _identity((linear + quadratic) ** 2, square, {})
            ),
            Step(
                "its expectation by Isserlis, less the square of the mean",
                _identity(second_moment_of_change() - fixed_mean() ** 2, target_variance()),
            ),
        ),
    )


def target_variance_twins() -> list[FalseTwin]:
    """The linear part alone, the mean left in, the pairing of the mean forgotten."""
    of = "asked-embedding-target-variance"
    truth = derive_target_variance().identity
    return [
        FalseTwin(of, "linear part alone", _identity(truth.lhs, coupled(pull) / d)),
        FalseTwin(of, "mean left in", _identity(second_moment_of_change(), target_variance())),
        FalseTwin(of, "pairing forgotten", _identity(truth.lhs, target_variance() - fixed_mean() ** 2)),
    ]


LAWS = (Law(derive_mean, mean_twins), Law(derive_target_variance, target_variance_twins))

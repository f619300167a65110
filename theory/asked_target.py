"""The law of a held-out logit whose question is itself a token of the output: the part that has a mean.

With the asked token q among the targets, Theta(t) - Theta(0) has the further term sum_a v_a C_aq v_q^T, and the asked
logit moves by v_q^T u (`asked_embedding`) and by v_q^T z v_q^T v_x, z = sum_a C_aq v_a, quadratic in v_q. That part
alone has a mean, z^T v_x/d, of order 1/d: all that training on b as a target leaves, on average, for b as a question.
"""

from functools import cache

import numpy as np
from sympy import Expr, IndexedBase, Integer

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
    linear_steps,
    polynomial,
    pull,
    u,
    v_q,
)
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import G, a, alpha, beta, d, delta, gamma, over_contexts, v, x
from theory.statement import Identity, IndexedSums, Instance

ALSO_TOKEN = (
    "q is a token of the output with the column C_q of coordinates, a letter of its own; C depends on v_q through the "
    "trained rows' logits of the token q, which is left out here"
)

z, C_q = IndexedBase("z"), IndexedBase("{C_q}")


def pulled_target(coordinate: Expr) -> Expr:
    """z = sum_a C_aq v_a."""
    return over_contexts(C_q[a] * v[a, coordinate], a)


def target_change(row: Expr, column: Expr) -> Expr:
    """The part of Theta(t) - Theta(0) that has the asked token as target: sum_a v_a C_aq v_q^T."""
    return over_contexts(v[a, row] * C_q[a] * v_q[column], a)


TARGET: Definitions = {**FULL, z: pulled_target}


def draw_target(rng: np.random.Generator) -> Instance:
    """An asked token that was a target; its z, like its u, is any vector."""
    return {**draw_asked(rng), C_q: rng.normal(size=2), z: rng.normal(size=3)}


def _identity(lhs: Expr, rhs: Expr, definitions: Definitions = TARGET) -> Identity:
    return Identity(lhs, rhs, IndexedSums(definitions), draw_target)


def quadratic_weight(row: Expr, column: Expr) -> Expr:
    """z v_x^T: the matrix of the part that is quadratic in v_q."""
    return z[row] * v[x, column]


def target_mean() -> Expr:
    """(1/d) sum_a C_aq G_ax."""
    return over_contexts(C_q[a] * G[a, x], a) / d


def _target_steps() -> tuple[Step, ...]:
    """The asked token as a target: a part that is quadratic in v_q."""
    return (
        *linear_steps()[:2],
        Step(
            "as a target the asked token adds a part that is quadratic in v_q, with z = sum_a C_aq v_a",
            _identity(asked_logit(target_change), polynomial(quadratic_weight(alpha, beta), alpha, beta)),
        ),
    )


def moved_mean() -> Expr:
    """E of the linear and of the quadratic part."""
    return expected(u[alpha], alpha) + expected(quadratic_weight(alpha, beta), alpha, beta)


@cache
def derive_mean() -> Derivation:
    """E (S_qx(t) - S_qx(0)) = (1/d) sum_a C_aq G_ax where q was trained as a target."""
    return Derivation(
        "asked-embedding-mean",
        "Mean of a held-out logit whose question was a target",
        REFERENCE,
        (*ASSUMPTIONS, ALSO_TOKEN),
        statement=r"\operatorname{E} \left(S_{qx}(t) - S_{qx}(0)\right) = \frac{1}{d} \sum_a C_{aq} G_{ax}",
        steps=(
            *_target_steps(),
            Step("only that part has a mean, by E v_i v_k = delta_ik/d", _identity(moved_mean(), target_mean())),
        ),
    )


def mean_twins() -> list[FalseTwin]:
    """No mean, the dimension lost, a flipped sign, the answer's column in place of the question's."""
    of = "asked-embedding-mean"
    swapped = over_contexts(C[a, x] * G[a, x], a) / d
    return [
        FalseTwin(of, "no mean", _identity(moved_mean(), Integer(0))),
        FalseTwin(of, "lost dimension", _identity(moved_mean(), d * target_mean())),
        FalseTwin(of, "flipped sign", _identity(moved_mean(), -target_mean())),
        FalseTwin(of, "column of the answer", _identity(moved_mean(), swapped)),
    ]


def second_moment_of_change() -> Expr:
    """E of (linear + quadratic part)^2, term by term."""
    quadratic = quadratic_weight(alpha, beta)
    return (
        expected(u[alpha] * u[beta], alpha, beta)
        + 2 * expected(u[gamma] * quadratic, gamma, alpha, beta)
        + expected(quadratic * quadratic_weight(gamma, delta), alpha, beta, gamma, delta)
    )


def target_variance() -> Expr:
    """c^T G_AA c/d + (C_q^T G_AA C_q G_xx + (sum_a C_aq G_ax)^2)/d^2."""
    return coupled(pull) / d + coupled(C_q) * G[x, x] / d**2 + target_mean() ** 2


@cache
def derive_target_variance() -> Derivation:
    """The variance where q was trained as a target: that of the linear part and a term of order 1/d^2."""
    linear, quadratic = polynomial(u[alpha], alpha), polynomial(quadratic_weight(alpha, beta), alpha, beta)
    square = (
        polynomial(u[alpha] * u[beta], alpha, beta)
        + 2 * polynomial(u[gamma] * quadratic_weight(alpha, beta), gamma, alpha, beta)
        + polynomial(quadratic_weight(alpha, beta) * quadratic_weight(gamma, delta), alpha, beta, gamma, delta)
    )
    return Derivation(
        "asked-embedding-target-variance",
        "Variance of a held-out logit whose question was a target",
        REFERENCE,
        (*ASSUMPTIONS, ALSO_TOKEN),
        statement=r"\operatorname{Var} \left(S_{qx}(t) - S_{qx}(0)\right) = \frac{c^{\top} G_{AA}\, c}{d} + "
        r"\frac{C_q^{\top} G_{AA} C_q\, G_{xx} + \left(\sum_a C_{aq} G_{ax}\right)^2}{d^2}",
        steps=(
            *_target_steps(),
            Step(
                "the square of both parts, as sums over coordinates", _identity((linear + quadratic) ** 2, square, {})
            ),
            Step(
                "its expectation by Isserlis, less the square of the mean",
                _identity(second_moment_of_change() - target_mean() ** 2, target_variance()),
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
        FalseTwin(of, "pairing forgotten", _identity(truth.lhs, target_variance() - target_mean() ** 2)),
    ]


LAWS = (Law(derive_mean, mean_twins), Law(derive_target_variance, target_variance_twins))

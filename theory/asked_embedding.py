"""The law of a held-out logit over the draw of the asked token's embedding, where that token is no answer of anything.

An untrained context q, a single token with embedding v_q ~ N(0, I/d), moves by v_q^T (Theta(t) - Theta(0)) v_x with
Theta(t) - Theta(0) = sum_a v_a (sum_j C_aj v_j)^T, j over the tokens of the output. Given the coordinates C and the
other embeddings that is v_q^T u with u = sum_a v_a c_a, c_a = sum_j C_aj G_jx: Gaussian with mean 0 and variance
|u|^2/d = c^T G_AA c/d. Where q is a token of the output too: `asked_target`.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from sympy import Expr, IndexedBase, Integer, KroneckerDelta, Mul, Symbol

from theory.bilinear import RANGES
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import (
    G,
    N,
    a,
    alpha,
    beta,
    d,
    gram,
    j,
    m,
    over_contexts,
    over_coordinates,
    over_tokens,
    v,
    x,
)
from theory.statement import Identity, IndexedSums, Instance

REFERENCE = "this project; the model of arXiv 2405.04669, Section 3"
ASSUMPTIONS = (
    RANGES[0],
    "v_q is drawn from N(0, I/d), so a linear function of it is Gaussian; the letters mu are the moments of its "
    "entries: odd ones vanish, the second is delta_ik/d, the fourth by Isserlis",
    "expectation, over v_q alone, is linear; C and every other embedding are held fixed",
    "q is no trained context, and the answer x is not q",
)
CONTEXT_ONLY = "q is no token of the output, so no logit that is trained contains v_q and C is independent of it"

Definitions = dict[IndexedBase, Callable[..., Expr]]
v_q, C = IndexedBase("{v_q}"), IndexedBase("C")  # braces: further indices follow the q
u, pull = IndexedBase("u"), IndexedBase("c")
first, second, third, fourth = (IndexedBase(rf"\mu^{{({order})}}") for order in (1, 2, 3, 4))
other = Symbol("e", integer=True)  # a second context


def token_pull(context: Expr) -> Expr:
    """c_a = sum_j C_aj G_jx."""
    return over_tokens(C[context, j] * G[j, x], j)


def moved_by(coordinate: Expr) -> Expr:
    """u = sum_a v_a c_a, coordinate by coordinate."""
    return over_contexts(v[a, coordinate] * pull[a], a)


def parameters_change(row: Expr, column: Expr) -> Expr:
    """Theta(t) - Theta(0) = sum_a v_a (sum_j C_aj v_j)^T over the output tokens other than q."""
    return over_contexts(v[a, row] * over_tokens(C[a, j] * v[j, column], j), a)


def asked_logit(change: Callable[[Expr, Expr], Expr]) -> Expr:
    """v_q^T (Theta(t) - Theta(0)) v_x."""
    return over_coordinates(v_q[alpha] * change(alpha, beta) * v[x, beta], alpha, beta)


# -- moments of a Gaussian vector with covariance I/d --
def first_moment(one: Expr) -> Expr:
    """E v_i = 0."""
    return Integer(0)


def second_moment(one: Expr, two: Expr) -> Expr:
    """E v_i v_k = delta_ik/d."""
    return KroneckerDelta(one, two) / d


def third_moment(one: Expr, two: Expr, three: Expr) -> Expr:
    """E v_i v_k v_l = 0."""
    return Integer(0)


def fourth_moment(one: Expr, two: Expr, three: Expr, four: Expr) -> Expr:
    """E v_i v_k v_l v_n, by Isserlis: the sum over the three pairings."""
    return (
        second_moment(one, two) * second_moment(three, four)
        + second_moment(one, three) * second_moment(two, four)
        + second_moment(one, four) * second_moment(two, three)
    )


MOMENTS: Definitions = {first: first_moment, second: second_moment, third: third_moment, fourth: fourth_moment}
FULL: Definitions = {**MOMENTS, u: moved_by, pull: token_pull, G: gram}


def polynomial(weight: Expr, *indices: Symbol) -> Expr:
    """The sum of v_q[i] v_q[k] ... weight over the coordinates `indices`."""
    return over_coordinates(Mul(*(v_q[index] for index in indices)) * weight, *indices)


def expected(weight: Expr, *indices: Symbol) -> Expr:
    """The expectation of `polynomial(weight, *indices)`: every product of entries of v_q becomes its moment."""
    moment = (first, second, third, fourth)[len(indices) - 1]
    return over_coordinates(moment[indices] * weight, *indices)


def draw_asked(rng: np.random.Generator) -> Instance:
    """N = 2 trained contexts among m = 4 tokens in d = 3 coordinates, an asked embedding, coordinates and an answer.

    Its u is any vector: what holds of that one before it is written out holds of any.
    """
    return {
        m: 4,
        d: 3,
        N: 2,
        x: int(rng.integers(4)),
        v: rng.normal(size=(4, 3)),
        v_q: rng.normal(size=3),
        C: rng.normal(size=(2, 4)),
        u: rng.normal(size=3),
    }


def _identity(lhs: Expr, rhs: Expr, definitions: Definitions = FULL) -> Identity:
    return Identity(lhs, rhs, IndexedSums(definitions), draw_asked)


def coupled(weights: IndexedBase) -> Expr:
    """w^T G_AA w for weights of the trained contexts."""
    return over_contexts(over_contexts(weights[a] * G[a, other] * weights[other], other), a)


def linear_steps() -> tuple[Step, ...]:
    """The part that is linear in v_q: v_q^T u, its mean and its variance."""
    return (
        Step(
            "the asked logit moves by v_q^T u, u = sum_a v_a sum_j C_aj G_jx",
            _identity(asked_logit(parameters_change), polynomial(u[alpha], alpha)),
        ),
        Step("it has mean zero", _identity(expected(u[alpha], alpha), Integer(0))),
        Step(
            "its square, as one sum over two coordinates",
            _identity(polynomial(u[alpha], alpha) ** 2, polynomial(u[alpha] * u[beta], alpha, beta), {}),
        ),
    )


@cache
def derive_variance() -> Derivation:
    """Given the rest, S_qx(t) - S_qx(0) is Gaussian with mean 0 and variance c^T G_AA c/d."""
    variance = expected(u[alpha] * u[beta], alpha, beta)
    return Derivation(
        "asked-embedding-variance",
        "Law of a held-out logit over the asked embedding",
        REFERENCE,
        (*ASSUMPTIONS, CONTEXT_ONLY),
        statement=r"S_{qx}(t) - S_{qx}(0) \sim \mathcal{N}\left(0, \frac{c^{\top} G_{AA}\, c}{d}\right), "
        r"\quad c_a = \sum_j C_{aj} G_{jx}",
        steps=(
            *linear_steps(),
            Step(
                "whose expectation is |u|^2/d",
                _identity(variance, over_coordinates(u[alpha] ** 2, alpha) / d, MOMENTS),
            ),
            Step("and |u|^2 = c^T G_AA c", _identity(variance, coupled(pull) / d)),
        ),
    )


def variance_twins() -> list[FalseTwin]:
    """The dimension lost, couplings between contexts lost, an answer that sees its own column only, a mean."""
    of = "asked-embedding-variance"
    truth = derive_variance().identity
    alone = over_contexts(over_contexts(C[a, x] * G[a, other] * C[other, x], other), a)
    return [
        FalseTwin(of, "lost dimension", _identity(truth.lhs, coupled(pull))),
        FalseTwin(of, "contexts without coupling", _identity(truth.lhs, over_contexts(pull[a] ** 2, a) / d)),
        FalseTwin(of, "tokens without coupling", _identity(truth.lhs, alone / d)),
        FalseTwin(of, "a mean", _identity(expected(u[alpha], alpha), over_coordinates(u[alpha], alpha) / d)),
    ]


LAWS = (Law(derive_variance, variance_twins),)

"""Other losses of the logits: each changes the residual and nothing else of the flow dS/dt = G[:,A] F R G.

A loss L = sum_a f_a l_a of the trained rows' logits enters the flow only by R_aj = -d l_a/d ell_aj, the residual. That
of cross-entropy is bhat - p (`bilinear`), of the squared loss bhat - ell, of one-against-all bhat - sigmoid(ell).
So the interpolation law, which asks only for steps V_A^T D V, holds for each of them, and an untrained row moves as the
same combination of the trained ones. What differs is where the trained rows go: the squared loss takes the logits of a
row to bhat, one-against-all those of its targets up and all others down without bound, each token by itself.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from sympy import Expr, IndexedBase, KroneckerDelta, Rational, diff, exp, log

from theory.bilinear import RANGES, derive_gradient, gradient, logit_rate
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.indexed import unfold
from theory.notation import (
    G,
    R,
    Theta,
    a,
    bhat,
    bilinear_logit,
    c,
    delta,
    draw_bilinear,
    ell,
    f,
    gamma,
    gram,
    j,
    m,
    over_contexts,
    over_coordinates,
    over_tokens,
    p,
    softmax,
    v,
    x,
)
from theory.statement import Identity, IndexedSums, Instance

REFERENCE = "this project; the model of arXiv 2405.04669, Section 3"
ASSUMPTIONS = (
    RANGES[0],
    "gradient flow dTheta/dt = -dL/dTheta; the embeddings are fixed",
)

Definitions = dict[IndexedBase, Callable[..., Expr]]
MODEL: Definitions = {ell: bilinear_logit, G: gram}

sigma = IndexedBase("sigma")


def sigmoid(context: Expr, token: Expr) -> Expr:
    """sigma = exp(ell) / (1 + exp(ell)), the probability of one token asked by itself."""
    return exp(ell[context, token]) / (1 + exp(ell[context, token]))


def squared_residual(context: Expr, token: Expr) -> Expr:
    """R = bhat - ell."""
    return bhat[context, token] - ell[context, token]


def one_against_all_residual(context: Expr, token: Expr) -> Expr:
    """R = bhat - sigmoid(ell)."""
    return bhat[context, token] - sigma[context, token]


def squared_row_loss(context: Expr) -> Expr:
    """(1/2) sum_j (ell_j - bhat_j)^2 of one row."""
    return Rational(1, 2) * over_tokens((ell[context, j] - bhat[context, j]) ** 2, j)


def one_against_all_row_loss(context: Expr) -> Expr:
    """sum_j log(1 + exp(ell_j)) - bhat_j ell_j of one row: a logistic regression for every token."""
    return over_tokens(log(1 + exp(ell[context, j])) - bhat[context, j] * ell[context, j], j)


def linear_row_loss(context: Expr) -> Expr:
    """-sum_j R_j ell_j with R held fixed: its differential is that of any row loss with dl/dell_j = -R_j."""
    return -over_tokens(R[context, j] * ell[context, j], j)


SQUARED: Definitions = {R: squared_residual}
ONE_AGAINST_ALL: Definitions = {R: one_against_all_residual, sigma: sigmoid}
ANY: Definitions = {}


def _identity(lhs: Expr, rhs: Expr, definitions: Definitions) -> Identity:
    return Identity(lhs, rhs, IndexedSums(definitions), draw_loss)


def draw_loss(rng: np.random.Generator) -> Instance:
    """A bilinear instance with a residual of its own, for the statements that leave the loss open."""
    instance = draw_bilinear(rng)
    return {**instance, R: rng.normal(size=(instance[m], instance[m]))}


def _flow_steps(row_loss: Callable[[Expr], Expr], residual: Definitions) -> tuple[Step, ...]:
    """From the loss of a row to the flow of the logits."""
    full = {**residual, **MODEL}
    total = unfold(over_contexts(f[a] * row_loss(a), a), MODEL)
    slope = diff(total, Theta[gamma, delta])
    moved = -over_coordinates(v[c, gamma] * slope * v[x, delta], gamma, delta)
    return (
        derive_gradient().steps[0],
        Step(
            "derivative of one row's loss in its logits: minus the residual",
            _identity(diff(row_loss(a), ell[a, x]), -R[a, x], residual),
        ),
        Step(
            "chain rule: the loss differentiated through every logit",
            _identity(slope, gradient(gamma, delta), full),
        ),
        Step(
            "logits move as v_c^T (dTheta/dt) v_x, and G = V V^T",
            _identity(moved, logit_rate(c, x), full),
        ),
    )


@cache
def derive_any_loss_flow() -> Derivation:
    """dS/dt = G[:,A] F R G for every differentiable loss, with R = -d l_a/d ell_aj."""
    return Derivation(
        "any-loss-flow",
        "Logit flow of any loss",
        REFERENCE,
        (
            *ASSUMPTIONS,
            "the loss is differentiable in the logits, R_aj is minus the derivative of row a; by the chain rule its "
            "gradient in Theta is that of the linear loss with R held fixed at the current logits",
        ),
        _flow_steps(linear_row_loss, ANY),
        statement=r"\frac{dS}{dt} = G_{:A} F R\, G, \quad R_{aj} = -\frac{\partial l_a}{\partial \ell_{aj}}",
    )


@cache
def derive_squared_loss_flow() -> Derivation:
    """The squared loss on logits: dS/dt = G[:,A] F R G with R = bhat - ell."""
    return Derivation(
        "squared-loss-flow",
        "Logit flow of the squared loss",
        REFERENCE,
        ASSUMPTIONS,
        _flow_steps(squared_row_loss, SQUARED),
        statement=r"\frac{dS}{dt} = G_{:A} F R\, G, \quad R = \hat{B} - S_A",
    )


@cache
def derive_one_against_all_flow() -> Derivation:
    """One-against-all logistic loss: dS/dt = G[:,A] F R G with R = bhat - sigmoid(ell)."""
    return Derivation(
        "one-against-all-flow",
        "Logit flow of the one-against-all logistic loss",
        REFERENCE,
        ASSUMPTIONS,
        _flow_steps(one_against_all_row_loss, ONE_AGAINST_ALL),
        statement=r"\frac{dS}{dt} = G_{:A} F R\, G, \quad R_{aj} = \hat{b}_{aj} - \frac{1}{1 + e^{-\ell_{aj}}}",
    )


def _coupling_twins(of: str, truth: Identity) -> list[FalseTwin]:
    """A flipped sign, and one Gram matrix forgotten on either side."""
    false = {
        "flipped sign": -logit_rate(c, x),
        "no coupling between targets": over_contexts(f[a] * G[c, a] * R[a, x], a),
        "no coupling between contexts": over_contexts(
            f[a] * KroneckerDelta(c, a) * over_tokens(R[a, j] * G[j, x], j), a
        ),
        "reverse direction": logit_rate(x, c),
    }
    return [FalseTwin(of, name, Identity(truth.lhs, rhs, truth.algebra, truth.draw)) for name, rhs in false.items()]


def any_loss_twins() -> list[FalseTwin]:
    """Those of the coupling."""
    return _coupling_twins("any-loss-flow", derive_any_loss_flow().identity)


def squared_loss_twins() -> list[FalseTwin]:
    """Those of the coupling; the residual of cross-entropy; a factor 2 from a loss without its 1/2."""
    of = "squared-loss-flow"
    row = diff(squared_row_loss(a), ell[a, x])
    return [
        *_coupling_twins(of, derive_squared_loss_flow().identity),
        FalseTwin(of, "softmax residual", _identity(row, p[a, x] - bhat[a, x], {p: softmax})),
        FalseTwin(of, "lost half", _identity(row, -2 * R[a, x], SQUARED)),
    ]


def one_against_all_twins() -> list[FalseTwin]:
    """Those of the coupling; the softmax, which sums over the row, in place of the sigmoid; sigma(-ell)."""
    of = "one-against-all-flow"
    row = diff(one_against_all_row_loss(a), ell[a, x])
    return [
        *_coupling_twins(of, derive_one_against_all_flow().identity),
        FalseTwin(of, "softmax residual", _identity(row, p[a, x] - bhat[a, x], {p: softmax})),
        FalseTwin(of, "sigmoid of minus the logit", _identity(row, 1 - sigma[a, x] - bhat[a, x], {sigma: sigmoid})),
    ]


LAWS = (
    Law(derive_any_loss_flow, any_loss_twins),
    Law(derive_squared_loss_flow, squared_loss_twins),
    Law(derive_one_against_all_flow, one_against_all_twins),
)

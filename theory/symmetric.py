"""Symmetric parameters, Theta = (P + P^T)/2: the reverse logit equals the forward one exactly, at every time.

Only P is trained; Theta, and with it S = V Theta V^T, is symmetric whatever the loss, data, embeddings and optimiser.
Training a -> b moves S_ab and S_ba = S_ab alike, so a logit has no curse. Probabilities normalise over different rows:
log p(a|b) - log p(b|a) = log Z_a - log Z_b, the partition functions of the two rows, and logits less their row mean
differ by the two means; neither difference is zero in general.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from sympy import Expr, IndexedBase, Rational, diff, exp, log, transpose

from theory.bilinear import RANGES
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import (
    Theta,
    alpha,
    beta,
    bilinear_logit,
    c,
    d,
    delta,
    draw_bilinear,
    ell,
    gamma,
    k,
    m,
    over_coordinates,
    over_tokens,
    p,
    softmax,
    x,
)
from theory.statement import Identity, IndexedSums, Instance
from theory.words import Words, matrix

REFERENCE = "this project; arXiv 2405.04669 names the space of parameters as a condition"
ASSUMPTIONS = (
    RANGES[0],
    "Theta = (P + P^T)/2 and P follows gradient flow of a differentiable loss; g = dL/dTheta as if all entries of "
    "Theta were free, so that dL = sum g dTheta (chain rule)",
)

Definitions = dict[IndexedBase, Callable[..., Expr]]
parameter, g = IndexedBase("P"), IndexedBase("g")

# matrices of every size: parameters, gradient (d x d), features V_A (N x d), V (m x d), shares, R and C (N x m)
P, P_rate, Theta_rate, g_matrix = map(matrix, ("P", "Pdot", "Thetadot", "g"))
V_A, V, F, R, C = map(matrix, ("V_A", "V", "F", "R", "C"))
half = Rational(1, 2)


def symmetrised(row: Expr, column: Expr) -> Expr:
    """Theta = (P + P^T)/2."""
    return half * (parameter[row, column] + parameter[column, row])


def mean_with_transpose(word: Expr) -> Expr:
    """(X + X^T)/2."""
    return half * (word + transpose(word))


SYMMETRIC: Definitions = {Theta: symmetrised}
LOGITS: Definitions = {**SYMMETRIC, ell: bilinear_logit}
WORDS = Words(symmetric=(F,))
# the flow of P and of Theta, and the gradient of a loss of the trained rows' logits
RATES = Words(rules={P_rate: -mean_with_transpose(g_matrix)}, symmetric=(F,))
TRAINED = Words(
    rules={
        Theta_rate: -mean_with_transpose(g_matrix),
        g_matrix: -transpose(V_A) * F * R * V,
    },
    symmetric=(F,),
)


def draw_parameters(rng: np.random.Generator) -> Instance:
    """A bilinear instance with parameters P that are not symmetric and a gradient g."""
    instance = draw_bilinear(rng)
    return {**instance, parameter: rng.normal(size=(instance[d],) * 2), g: rng.normal(size=(instance[d],) * 2)}


def draw_words(rng: np.random.Generator) -> Instance:
    """N = 2 trained contexts, m = 4 tokens, d = 3 coordinates; the rates are those of the flow."""
    trained, tokens = rng.normal(size=(2, 3)), rng.normal(size=(4, 3))
    shares, errors = np.diag(rng.dirichlet(np.ones(2))), rng.normal(size=(2, 4))
    gradient = -trained.T @ shares @ errors @ tokens
    rate = -(gradient + gradient.T) / 2
    return {
        P: rng.normal(size=(3, 3)),
        P_rate: rate,
        Theta_rate: rate,
        g_matrix: gradient,
        V_A: trained,
        V: tokens,
        F: shares,
        R: errors,
        C: rng.normal(size=(2, 4)),
    }


def _words(lhs: Expr, rhs: Expr, algebra: Words = WORDS) -> Identity:
    return Identity(lhs, rhs, algebra, draw_words)


def _sums(lhs: Expr, rhs: Expr, definitions: Definitions) -> Identity:
    return Identity(lhs, rhs, IndexedSums(definitions), draw_parameters)


def free_flow() -> Expr:
    """M = G[:,A] F R G, the logit flow of free parameters, with G = V V^T."""
    return V * transpose(V_A) * F * R * V * transpose(V)


@cache
def derive_symmetric_flow() -> Derivation:
    """dS/dt = (M + M^T)/2 with M = G[:,A] F R G, and the coordinates of Theta."""
    linear = over_coordinates(g[alpha, beta] * symmetrised(alpha, beta), alpha, beta)
    return Derivation(
        "symmetric-flow",
        "Gradient flow of symmetric parameters",
        REFERENCE,
        (*ASSUMPTIONS, "the loss is one of the trained rows' logits: g = -V_A^T F R V (law any-loss-flow)"),
        statement=r"\frac{dS}{dt} = \frac{M + M^{\top}}{2}, \quad M = G_{:A} F R\, G, \qquad "
        r"\Theta(t) - \Theta(0) = V_A^{\top} C V + V^{\top} C^{\top} V_A, \quad \frac{dC}{dt} = \frac{F R}{2}",
        steps=(
            Step(
                "chain rule: sum g dTheta differentiated in P is (g + g^T)/2",
                _sums(diff(linear, parameter[gamma, delta]), half * (g[gamma, delta] + g[delta, gamma]), {}),
            ),
            Step(
                "so dTheta/dt = (dP/dt + dP^T/dt)/2 with dP/dt = -(g + g^T)/2 is -(g + g^T)/2",
                _words(mean_with_transpose(P_rate), -mean_with_transpose(g_matrix), RATES),
            ),
            Step(
                "logits move as V (dTheta/dt) V^T, the mean of M and its transpose",
                _words(V * Theta_rate * transpose(V), mean_with_transpose(free_flow()), TRAINED),
            ),
            Step(
                "coordinates: V_A^T C V + V^T C^T V_A with dC/dt = F R/2 moves as Theta does",
                _words(
                    transpose(V_A) * (half * F * R) * V + transpose(V) * transpose(half * F * R) * V_A,
                    Theta_rate,
                    TRAINED,
                ),
            ),
        ),
    )


def symmetric_flow_twins() -> list[FalseTwin]:
    """The flow of free parameters, a lost half, the difference in place of the mean."""
    of = "symmetric-flow"
    moved = V * Theta_rate * transpose(V)
    flow = free_flow()
    return [
        FalseTwin(of, "free parameters", _words(moved, flow, TRAINED)),
        FalseTwin(of, "lost half", _words(moved, flow + transpose(flow), TRAINED)),
        FalseTwin(of, "difference in place of the mean", _words(moved, half * (flow - transpose(flow)), TRAINED)),
        FalseTwin(
            of,
            "coordinates at full speed",
            _words(
                transpose(V_A) * F * R * V + transpose(V) * transpose(F * R) * V_A,
                Theta_rate,
                TRAINED,
            ),
        ),
    ]


def log_partition(context: Expr) -> Expr:
    """log Z of one row."""
    return log(over_tokens(exp(ell[context, k]), k))


def row_mean(context: Expr) -> Expr:
    """The mean logit of one row."""
    return over_tokens(ell[context, k], k) / m


@cache
def derive_reverse_logit() -> Derivation:
    """S_ba(t) = S_ab(t) for every pair of tokens, every loss and every t; log-odds differ by log Z_a - log Z_b."""
    theta = mean_with_transpose(P)
    logits = V * theta * transpose(V)
    return Derivation(
        "symmetric-reverse-logit",
        "Symmetric parameters have no reversal curse in the logit",
        REFERENCE,
        (
            RANGES[0],
            "Theta = (P + P^T)/2, whatever moves P: any loss, any data, any optimiser",
            "both contexts are single tokens, so that one table V serves rows and columns",
        ),
        statement=r"S_{ba}(t) = S_{ab}(t), \qquad \log p_{ba} - \log p_{ab} = \log Z_a - \log Z_b",
        steps=(
            Step(
                "S = V (P + P^T)/2 V^T is symmetric for every P",
                _words(transpose(logits), logits),
            ),
            Step(
                "log p of either direction: logits cancel, partition functions of two rows remain",
                _sums(
                    (ell[x, c] - log_partition(x)) - (ell[c, x] - log_partition(c)),
                    log_partition(c) - log_partition(x),
                    LOGITS,
                ),
            ),
            Step(
                "entry by entry: the reverse logit is the forward one",
                _sums(ell[x, c], ell[c, x], LOGITS),
            ),
        ),
    )


def reverse_logit_twins() -> list[FalseTwin]:
    """Probabilities and centred logits need not agree; without symmetry neither do logits."""
    of = "symmetric-reverse-logit"
    return [
        FalseTwin(of, "equal probabilities", _sums(p[x, c], p[c, x], {**LOGITS, p: softmax})),
        FalseTwin(
            of,
            "equal logits less their row mean",
            _sums(ell[x, c] - row_mean(x), ell[c, x] - row_mean(c), LOGITS),
        ),
        FalseTwin(
            of,
            "free parameters",
            _sums(bilinear_logit(x, c), bilinear_logit(c, x), {}),
        ),
        FalseTwin(of, "opposite logits", _sums(ell[x, c], -ell[c, x], LOGITS)),
    ]


LAWS = (Law(derive_symmetric_flow, symmetric_flow_twins), Law(derive_reverse_logit, reverse_logit_twins))

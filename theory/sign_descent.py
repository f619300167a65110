"""Sign descent, Theta <- Theta - eta sign(dL/dTheta): Adam's limit without memory, and what it does to the curse.

Its steps leave the span V_A^T D V of gradients, so with embeddings that overlap the interpolation law fails: how an
untrained row moves does not follow from the trained ones. With one-hot embeddings (G = I: Y of the one-layer
transformer) every row of Theta is a context's own: an untrained row has gradient zero, sign(0) = 0, and never moves.
What matters is the space in which the optimiser takes its signs, and not the optimiser alone.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from sympy import Expr, IndexedBase, Integer, KroneckerDelta, Symbol, sign, sqrt, symbols

from theory.bilinear import RANGES
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import (
    N,
    R,
    Theta,
    a,
    alpha,
    beta,
    d,
    delta,
    f,
    gamma,
    j,
    m,
    over_contexts,
    over_coordinates,
    over_tokens,
    v,
    x,
)
from theory.statement import Identity, IndexedSums, Instance

REFERENCE = "this project; the one-layer model of arXiv 2405.04669, Section 4"
ASSUMPTIONS = (
    RANGES[0],
    "every token can be a context, with the share f_a of the training weight; the asked one, q, has none: "
    "f_a = s_a (1 - delta_aq)",
    "one-hot embeddings: d = m and v_i is the i-th unit vector, so that G = I",
    "any loss of the logits, by its residual R (law any-loss-flow); sign(0) = 0",
    "by induction over the steps the row of q never moves; Adam divides by sqrt(v) + epsilon with epsilon > 0, and its "
    "moments of an entry stay zero while the gradients do",
)

Definitions = dict[IndexedBase, Callable[..., Expr]]
q = Symbol("q", integer=True)
share, w = IndexedBase("s"), IndexedBase("w")
eta, epsilon = symbols("eta epsilon", positive=True)
first_decay, second_decay = symbols("beta_1 beta_2", positive=True)


def one_hot(token: Expr, coordinate: Expr) -> Expr:
    """v_i, the i-th unit vector."""
    return KroneckerDelta(token, coordinate)


def untrained_share(context: Expr) -> Expr:
    """f_a = s_a (1 - delta_aq): any shares, and none for q."""
    return share[context] * (1 - KroneckerDelta(context, q))


ONE_HOT: Definitions = {v: one_hot}
ASKED: Definitions = {**ONE_HOT, f: untrained_share}


def gradient(row: Expr, column: Expr) -> Expr:
    """dL/dTheta = -sum_a f_a v_a (sum_j R_aj v_j)^T over every token as context."""
    return -over_tokens(f[a] * v[a, row] * over_tokens(R[a, j] * v[j, column], j), a)


def signed(row: Expr, column: Expr) -> Expr:
    """Theta after one step of sign descent."""
    return Theta[row, column] - eta * sign(gradient(row, column))


def adam_step(row: Expr, column: Expr) -> Expr:
    """Theta after a step of Adam from moments that are zero, bias correction left out."""
    slope = gradient(row, column)
    first, second = (1 - first_decay) * slope, (1 - second_decay) * slope**2
    return Theta[row, column] - eta * first / (sqrt(second) + epsilon)


def draw_one_hot(rng: np.random.Generator) -> Instance:
    """m = 4 tokens with one-hot embeddings, shares, residuals and parameters; q is not the other free index."""
    asked, row = rng.permutation(4)[:2]
    return {
        m: 4,
        q: int(asked),
        gamma: int(row),
        delta: int(rng.integers(4)),
        x: int(rng.integers(4)),
        v: np.eye(4),
        f: rng.dirichlet(np.ones(4)),
        share: rng.dirichlet(np.ones(4)),
        R: rng.normal(size=(4, 4)),
        Theta: rng.normal(size=(4, 4)),
        eta: rng.uniform(0.1, 1.0),
        epsilon: rng.uniform(0.01, 0.1),
        first_decay: rng.uniform(0.5, 0.9),
        second_decay: rng.uniform(0.5, 0.9),
    }


def _identity(lhs: Expr, rhs: Expr, definitions: Definitions = ASKED) -> Identity:
    return Identity(lhs, rhs, IndexedSums(definitions), draw_one_hot)


@cache
def derive_one_hot() -> Derivation:
    """With one-hot embeddings an untrained row does not move under sign descent (nor under Adam)."""
    logit = over_tokens(over_tokens(v[q, alpha] * Theta[alpha, beta] * v[x, beta], beta), alpha)
    return Derivation(
        "sign-descent-one-hot",
        "Sign descent with one-hot embeddings keeps the curse",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"G = I, \; q \notin A \;\Rightarrow\; S_{qx}(k) = S_{qx}(0) \quad \text{for every step } k",
        steps=(
            Step(
                "with one-hot embeddings an entry of the gradient is that of its context, -f R",
                _identity(gradient(gamma, delta), -f[gamma] * R[gamma, delta], ONE_HOT),
            ),
            Step("so that of an untrained row is zero", _identity(gradient(q, x), Integer(0))),
            Step("one step of Adam from zero moments leaves it", _identity(adam_step(q, x), Theta[q, x])),
            Step("one step of sign descent leaves it", _identity(signed(q, x), Theta[q, x])),
            Step("and that row is the logits of q", _identity(logit, Theta[q, x])),
        ),
    )


# -- embeddings that overlap --
def moved_logit(context: Expr, function: Callable[[Expr], Expr]) -> Expr:
    """v_context^T function(g) v_x, `function` entry by entry: the move of a logit, divided by -eta."""
    slope = -over_contexts(f[a] * v[a, alpha] * over_tokens(R[a, j] * v[j, beta], j), a)
    return over_coordinates(v[context, alpha] * function(slope) * v[x, beta], alpha, beta)


def interpolated(function: Callable[[Expr], Expr]) -> Expr:
    """w_q^T times the moves of the trained rows."""
    trained = Symbol("e", integer=True)
    return over_contexts(w[trained] * moved_logit(trained, function), trained)


def draw_overlapping(rng: np.random.Generator) -> Instance:
    """m = 4 tokens in d = 3 coordinates, the first N = 2 trained as contexts, q = 3 not; its weights w_q."""
    tokens = rng.normal(size=(4, 3))
    return {
        m: 4,
        d: 3,
        N: 2,
        q: 3,
        x: int(rng.integers(4)),
        v: tokens,
        w: np.linalg.solve(tokens[:2] @ tokens[:2].T, tokens[:2] @ tokens[3]),
        f: rng.dirichlet(np.ones(2)),
        R: rng.normal(size=(2, 4)),
    }


def one_hot_twins() -> list[FalseTwin]:
    """The interpolation law and standing still with embeddings that overlap; a trained row that stands still."""
    of = "sign-descent-one-hot"
    overlapping = IndexedSums()
    return [
        FalseTwin(
            of,
            "interpolation law where embeddings overlap",
            Identity(moved_logit(q, sign), interpolated(sign), overlapping, draw_overlapping),
        ),
        FalseTwin(
            of,
            "untrained rows stand still where embeddings overlap",
            Identity(moved_logit(q, sign), Integer(0), overlapping, draw_overlapping),
        ),
        FalseTwin(of, "trained rows stand still", _identity(signed(gamma, delta), Theta[gamma, delta])),
        FalseTwin(
            of,
            "steps in proportion to the gradient",
            _identity(signed(gamma, delta), Theta[gamma, delta] - eta * gradient(gamma, delta)),
        ),
    ]


LAWS = (Law(derive_one_hot, one_hot_twins),)

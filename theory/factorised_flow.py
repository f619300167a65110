"""The factorised flow in logit space: two small tables, and the interpolation law for the rows of one of them.

With Theta = W_O W_V^T (`factorised`), a row of A = X W_O for every context (X their features) and one of B = V W_V for
every token, S = A B^T, and the flow sees the embeddings only through their Gram matrices:

    dA/dt = K_in[:,A] F R B,    dB/dt = K_out R^T F A_A.

An untrained context moves only through its couplings K_qA: the interpolation law holds for the rows of A. It fails for
the logits S_q = A_q B^T: what A_q holds besides w_q^T A_A, its random start, meets a table B that training has changed.
"""

from functools import cache

import numpy as np
from sympy import Expr, Integer, transpose

from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.factorised import ASSUMPTIONS, FLOW, REFERENCE, W_O, W_V, W_O_rate, W_V_rate, chain_steps, gradient
from theory.interpolation import ASSUMPTIONS as IN_THE_SPAN
from theory.interpolation import PROJECTED, V_A, D, V, derive_interpolation, draw_features, w, x_q
from theory.statement import Identity, Instance
from theory.words import Words, matrix

LOGITS = (
    "the loss is one of the trained rows' logits: g = -X_A^T F R V (law any-loss-flow)",
    "K_in = X X_A^T, with a column for each trained context, and K_out = V V^T; embeddings are fixed",
)

X, X_A, F, R, B, B0, K_in, K_out, A, A_A = map(matrix, ("X", "X_A", "F", "R", "B", "B_0", "K_in", "K_out", "A", "A_A"))
TABLES = Words(
    rules={
        **FLOW.rules,
        gradient: -transpose(X_A) * F * R * V,
        K_in: X * transpose(X_A),
        K_out: V * transpose(V),
        A: X * W_O,
        A_A: X_A * W_O,
        B: V * W_V,
    },
    symmetric=(F,),
)
# an asked context that is orthogonal to every trained one, as all are where G = I
ORTHOGONAL = Words(rules={x_q * transpose(V_A): Integer(0)})


def draw_tables(rng: np.random.Generator) -> Instance:
    """Five contexts, the first N = 2 trained, m = 4 tokens, d = 3 coordinates, width r = 2; rates of the flow."""
    features, tokens = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    first, second = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    shares, errors = np.diag(rng.dirichlet(np.ones(2))), rng.normal(size=(2, 4))
    trained = features[:2]
    slope = -trained.T @ shares @ errors @ tokens
    return {
        W_O: first,
        W_V: second,
        gradient: slope,
        W_O_rate: -slope @ second,
        W_V_rate: -slope.T @ first,
        X: features,
        X_A: trained,
        V: tokens,
        F: shares,
        R: errors,
        K_in: features @ trained.T,
        K_out: tokens @ tokens.T,
        A: features @ first,
        A_A: trained @ first,
        B: tokens @ second,
    }


def draw_span(rng: np.random.Generator) -> Instance:
    """The features of the interpolation law with a factor W_O of width 4, a change V_A^T D of it, tables B_0 and B."""
    first, later = rng.normal(size=(2, 5, 4))
    return {**draw_features(rng), W_O: rng.normal(size=(4, 4)), B0: first, B: later}


def draw_orthogonal(rng: np.random.Generator) -> Instance:
    """The same with the asked context orthogonal to the trained ones."""
    instance = draw_span(rng)
    across = np.eye(4) - np.linalg.pinv(instance[V_A], rcond=1e-10) @ instance[V_A]
    return {**instance, x_q: instance[x_q] @ across}


def _tables(lhs: Expr, rhs: Expr) -> Identity:
    return Identity(lhs, rhs, TABLES, draw_tables)


def _span(lhs: Expr, rhs: Expr) -> Identity:
    return Identity(lhs, rhs, PROJECTED, draw_span)


@cache
def derive_logit_flow() -> Derivation:
    """dA/dt = K_in[:,A] F R B and dB/dt = K_out R^T F A_A, closed in the two tables; S = A B^T."""
    return Derivation(
        "factorised-logit-flow",
        "Factorised flow in logit space",
        REFERENCE,
        (*ASSUMPTIONS, *LOGITS),
        statement=r"S = A B^{\top}, \quad \frac{dA}{dt} = K^{\text{in}}_{:A} F R\, B, "
        r"\quad \frac{dB}{dt} = K^{\text{out}} R^{\top} F A_A",
        steps=(
            *chain_steps(),
            Step("logits are A B^T", _tables(X * W_O * transpose(W_V) * transpose(V), A * transpose(B))),
            Step("the table of contexts", _tables(X * W_O_rate, K_in * F * R * B)),
            Step("the table of tokens", _tables(V * W_V_rate, K_out * transpose(R) * F * A_A)),
            Step(
                "so logits move by both",
                _tables(
                    X * (W_O_rate * transpose(W_V) + W_O * transpose(W_V_rate)) * transpose(V),
                    K_in * F * R * B * transpose(B) + A * transpose(A_A) * F * R * K_out,
                ),
            ),
        ),
    )


def logit_flow_twins() -> list[FalseTwin]:
    """The flow of a free Theta, only one factor moving, shares lost, tables swapped."""
    of = "factorised-logit-flow"
    moved = X * (W_O_rate * transpose(W_V) + W_O * transpose(W_V_rate)) * transpose(V)
    return [
        FalseTwin(of, "free parameters", _tables(moved, K_in * F * R * K_out)),
        FalseTwin(of, "one factor moves", _tables(moved, K_in * F * R * B * transpose(B))),
        FalseTwin(of, "shares lost", _tables(X * W_O_rate, K_in * R * B)),
        FalseTwin(of, "no coupling between tokens", _tables(V * W_V_rate, transpose(R) * F * A_A)),
    ]


def untrained_rows(table: Expr) -> Expr:
    """A_q - w_q^T A_A for a factor W_O."""
    return x_q * table - transpose(w) * V_A * table


@cache
def derive_interpolation_of_rows() -> Derivation:
    """A_q(t) - A_q(0) = w_q^T (A_A(t) - A_A(0)), and what that leaves of the logits."""
    change = transpose(V_A) * D
    moved = W_O + change
    return Derivation(
        "factorised-interpolation",
        "Interpolation law of the factorised model",
        REFERENCE,
        (
            "every step of the optimiser adds V_A^T D to W_O for some N x r matrix D (true of sums of gradients "
            "-g W_V with g = -V_A^T F R V, whatever the loss)",
            *IN_THE_SPAN[1:],
            "where G = I, an untrained context is orthogonal to every trained one",
        ),
        statement=r"A_q(t) - A_q(0) = w_q^{\top} \left(A_A(t) - A_A(0)\right), \qquad "
        r"S_q(t) - w_q^{\top} S_A(t) = \left(A_q(0) - w_q^{\top} A_A(0)\right) B(t)^{\top}",
        steps=(
            derive_interpolation().steps[0],
            Step(
                "a change V_A^T D of W_O moves the asked row of A as w_q^T times the trained rows",
                _span(x_q * change, transpose(w) * V_A * change),
            ),
            Step(
                "an untrained context that is orthogonal to all trained ones keeps its row of A",
                Identity(x_q * moved, x_q * W_O, ORTHOGONAL, draw_orthogonal),
            ),
            Step(
                "of the logits, what does not follow the trained rows is the start of A seen through the new B",
                _span(untrained_rows(moved) * transpose(B), untrained_rows(W_O) * transpose(B)),
            ),
        ),
    )


def interpolation_twins() -> list[FalseTwin]:
    """Weights without inverse, a row that keeps still though contexts overlap, and the law of a free Theta."""
    of = "factorised-interpolation"
    moved = W_O + transpose(V_A) * D
    return [
        FalseTwin(of, "flipped sign", _span(x_q * transpose(V_A) * D, -transpose(w) * V_A * transpose(V_A) * D)),
        FalseTwin(
            of,
            "weights without inverse",
            _span(x_q * transpose(V_A) * D, x_q * transpose(V_A) * V_A * transpose(V_A) * D),
        ),
        FalseTwin(of, "untrained rows keep still", _span(x_q * moved, x_q * W_O)),
        FalseTwin(
            of,
            "law of free parameters",
            _span(untrained_rows(moved) * transpose(B), untrained_rows(W_O) * transpose(B0)),
        ),
    ]


LAWS = (
    Law(derive_logit_flow, logit_flow_twins),
    Law(derive_interpolation_of_rows, interpolation_twins),
)

"""Embeddings that are trained as well: what gradient flow conserves, and the interpolation law that it breaks.

Logits S = U Theta V^T with U the table of contexts, V that of tokens, all three trained: neighbouring factors of the
product keep their balance, U^T U - Theta Theta^T and Theta^T Theta - V^T V, for any loss of the logits. With one table
for both sides (U = V, tied) only the sum survives, V^T V - Theta Theta^T - Theta^T Theta. The Gram matrices move now,
and a trained row moves by its own embedding too, so w_q of the start no longer gives the untrained rows.
"""

from functools import cache

import numpy as np
from sympy import Expr, IndexedBase, Integer, Symbol, diff, transpose

from theory.bilinear import RANGES
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import Theta as entry
from theory.notation import alpha, beta, c, d, delta, gamma, k, m, over_coordinates, over_tokens, x
from theory.notation import v as token_entry
from theory.statement import Identity, IndexedSums, Instance
from theory.words import Words, matrix

REFERENCE = "this project"
ASSUMPTIONS = (
    RANGES[0],
    "the loss is differentiable in the logits, M = -dL/dS (F R on the trained rows, zero on others), so dL = -sum M dS",
    "gradient flow of every table and of Theta at one speed",
)

# -- entries --
n = Symbol("n", integer=True)
context_entry, M_entry = IndexedBase("u"), IndexedBase("M")

# -- matrices of every size --
U, V, Theta, M, U_rate, V_rate, Theta_rate = map(matrix, ("U", "V", "Theta", "M", "Udot", "Vdot", "Thetadot"))
UNTIED = Words(
    rules={
        U_rate: M * V * transpose(Theta),
        V_rate: transpose(M) * U * Theta,
        Theta_rate: transpose(U) * M * V,
    }
)
TIED = Words(
    rules={
        V_rate: M * V * transpose(Theta) + transpose(M) * V * Theta,
        Theta_rate: transpose(V) * M * V,
    }
)
eta = Symbol("eta", positive=True)
# the trained rows of U, an asked row that is not trained, and weights w of the start
U_A, u_q, M_A, w = map(matrix, ("U_A", r"u_q^{\top}", "M_A", "w"))


def draw_entries(rng: np.random.Generator) -> Instance:
    """Tables of m = 4 contexts and tokens in d = 3 coordinates."""
    context, token = rng.permutation(4)[:2]
    row, column = rng.permutation(3)[:2]
    return {
        m: 4,
        d: 3,
        c: int(context),
        x: int(token),
        gamma: int(row),
        delta: int(column),
        context_entry: rng.normal(size=(4, 3)),
        token_entry: rng.normal(size=(4, 3)),
        entry: rng.normal(size=(3, 3)),
        M_entry: rng.normal(size=(4, 4)),
    }


def draw_untied(rng: np.random.Generator) -> Instance:
    """Five contexts, four tokens, d = 3; two contexts are trained; the rates are those of the flow."""
    first, second, theta = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
    pull = rng.normal(size=(5, 4))
    gram = first[:2] @ first[:2].T
    return {
        eta: rng.uniform(0.2, 1.0),
        U: first,
        V: second,
        Theta: theta,
        M: pull,
        U_rate: pull @ second @ theta.T,
        V_rate: pull.T @ first @ theta,
        Theta_rate: first.T @ pull @ second,
        U_A: first[:2],
        u_q: first[2:3],
        M_A: pull[:2],
        w: np.linalg.solve(gram, first[:2] @ first[2:3].T),
    }


def draw_tied(rng: np.random.Generator) -> Instance:
    """One table of four tokens in d = 3 coordinates, and the rates of the flow."""
    table, theta, pull = rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=(4, 4))
    return {
        eta: rng.uniform(0.2, 1.0),
        V: table,
        Theta: theta,
        M: pull,
        V_rate: pull @ table @ theta.T + pull.T @ table @ theta,
        Theta_rate: table.T @ pull @ table,
    }


def _untied(lhs: Expr, rhs: Expr) -> Identity:
    return Identity(lhs, rhs, UNTIED, draw_untied)


def _tied(lhs: Expr, rhs: Expr) -> Identity:
    return Identity(lhs, rhs, TIED, draw_tied)


def _entries(lhs: Expr, rhs: Expr) -> Identity:
    return Identity(lhs, rhs, IndexedSums(), draw_entries)


def inner_rate(table: Expr, rate: Expr) -> Expr:
    """d(Y^T Y)/dt = Y'^T Y + Y^T Y'."""
    return transpose(rate) * table + transpose(table) * rate


def outer_rate(table: Expr, rate: Expr) -> Expr:
    """d(Y Y^T)/dt = Y' Y^T + Y Y'^T."""
    return rate * transpose(table) + table * transpose(rate)


def context_balance(contexts: Expr, parameters: Expr) -> Expr:
    """U^T U - Theta Theta^T."""
    return transpose(contexts) * contexts - parameters * transpose(parameters)


def token_balance(parameters: Expr, tokens: Expr) -> Expr:
    """Theta^T Theta - V^T V."""
    return transpose(parameters) * parameters - transpose(tokens) * tokens


def tied_balance(table: Expr, parameters: Expr) -> Expr:
    """V^T V - Theta Theta^T - Theta^T Theta."""
    return context_balance(table, parameters) - transpose(parameters) * parameters


def _linear_loss(context: IndexedBase) -> Expr:
    """sum M S with M held fixed: minus its derivatives are those of any loss with dL/dS = -M."""
    logit = over_coordinates(context[k, alpha] * entry[alpha, beta] * token_entry[n, beta], alpha, beta)
    return over_tokens(over_tokens(M_entry[k, n] * logit, n), k)


def _through(table: IndexedBase, row: Expr, column: Expr) -> Expr:
    """(M V Theta^T)[row, column], with any table in the place of V."""
    return over_tokens(M_entry[row, n] * over_coordinates(entry[column, beta] * table[n, beta], beta), n)


def _back(table: IndexedBase, row: Expr, column: Expr) -> Expr:
    """(M^T U Theta)[row, column], with any table in the place of U."""
    return over_tokens(M_entry[k, row] * over_coordinates(table[k, alpha] * entry[alpha, column], alpha), k)


def _parameters(table: IndexedBase, row: Expr, column: Expr) -> Expr:
    """(U^T M V)[row, column], with any table in the place of U."""
    return over_tokens(over_tokens(M_entry[k, n] * table[k, row] * token_entry[n, column], n), k)


@cache
def derive_untied() -> Derivation:
    """U^T U - Theta Theta^T and Theta^T Theta - V^T V are conserved."""
    loss = _linear_loss(context_entry)
    return Derivation(
        "trained-embeddings-balance",
        "Balance of trained embeddings",
        REFERENCE,
        (*ASSUMPTIONS, "S = U Theta V^T, two tables"),
        statement=r"\frac{d}{dt} \left(U^{\top} U - \Theta \Theta^{\top}\right) = 0, "
        r"\quad \frac{d}{dt} \left(\Theta^{\top} \Theta - V^{\top} V\right) = 0",
        steps=(
            Step(
                "chain rule: the table of contexts moves by M V Theta^T",
                _entries(diff(loss, context_entry[c, gamma]), _through(token_entry, c, gamma)),
            ),
            Step(
                "Theta by U^T M V",
                _entries(diff(loss, entry[gamma, delta]), _parameters(context_entry, gamma, delta)),
            ),
            Step(
                "and the table of tokens by M^T U Theta",
                _entries(diff(loss, token_entry[x, delta]), _back(context_entry, x, delta)),
            ),
            Step(
                "contexts and Theta: the two halves of the balance move alike",
                _untied(inner_rate(U, U_rate) - outer_rate(Theta, Theta_rate), Integer(0)),
            ),
            Step(
                "one step of descent, eta times these rates, changes the first by eta^2 times that of the rates",
                _untied(
                    context_balance(U + eta * U_rate, Theta + eta * Theta_rate) - context_balance(U, Theta),
                    eta**2 * context_balance(U_rate, Theta_rate),
                ),
            ),
            Step(
                "and so it does the second",
                _untied(
                    token_balance(Theta + eta * Theta_rate, V + eta * V_rate) - token_balance(Theta, V),
                    eta**2 * token_balance(Theta_rate, V_rate),
                ),
            ),
            Step(
                "the two halves of the balance of Theta and tokens move alike in the flow",
                _untied(inner_rate(Theta, Theta_rate) - inner_rate(V, V_rate), Integer(0)),
            ),
        ),
    )


def logit_rate_of(row: Expr, row_rate: Expr) -> Expr:
    """d(u^T Theta V^T)/dt for rows u of the table of contexts, only the rows A being trained."""
    parameters, tokens = transpose(U_A) * M_A * V, transpose(M_A) * U_A * Theta
    return row_rate * Theta * transpose(V) + row * parameters * transpose(V) + row * Theta * transpose(tokens)


def untied_twins() -> list[FalseTwin]:
    """Factors on the wrong side, neighbours that are none, a sum, and the interpolation law of fixed embeddings."""
    of = "trained-embeddings-balance"
    plain = Words()
    asked, trained = logit_rate_of(u_q, Integer(0)), logit_rate_of(U_A, M_A * V * transpose(Theta))
    stepped = context_balance(U + eta * U_rate, Theta + eta * Theta_rate) - context_balance(U, Theta)
    return [
        FalseTwin(of, "kept by a step of descent", _untied(stepped, Integer(0))),
        FalseTwin(of, "wrong side", _untied(inner_rate(U, U_rate) - inner_rate(Theta, Theta_rate), Integer(0))),
        FalseTwin(of, "no neighbours", _untied(inner_rate(U, U_rate) - inner_rate(V, V_rate), Integer(0))),
        FalseTwin(of, "sum conserved", _untied(inner_rate(U, U_rate) + outer_rate(Theta, Theta_rate), Integer(0))),
        FalseTwin(of, "interpolation law", Identity(asked, transpose(w) * trained, plain, draw_untied)),
        FalseTwin(
            of,
            "untrained rows keep still",
            Identity(asked, u_q * transpose(U_A) * M_A * V * transpose(V), plain, draw_untied),
        ),
    ]


@cache
def derive_tied() -> Derivation:
    """V^T V - Theta Theta^T - Theta^T Theta is conserved where one table serves contexts and tokens."""
    loss = _linear_loss(token_entry)
    return Derivation(
        "tied-embeddings-balance",
        "Balance of tied embeddings",
        REFERENCE,
        (*ASSUMPTIONS, "S = V Theta V^T, one table"),
        statement=r"\frac{d}{dt} \left(V^{\top} V - \Theta \Theta^{\top} - \Theta^{\top} \Theta\right) = 0",
        steps=(
            Step(
                "chain rule: the one table moves by M V Theta^T + M^T V Theta, as context and as token",
                _entries(
                    diff(loss, token_entry[c, gamma]),
                    _through(token_entry, c, gamma) + _back(token_entry, c, gamma),
                ),
            ),
            Step(
                "Theta moves by V^T M V",
                _entries(diff(loss, entry[gamma, delta]), _parameters(token_entry, gamma, delta)),
            ),
            Step(
                "one step of descent, eta times these rates, changes the balance by eta^2 times that of the rates",
                _tied(
                    tied_balance(V + eta * V_rate, Theta + eta * Theta_rate) - tied_balance(V, Theta),
                    eta**2 * tied_balance(V_rate, Theta_rate),
                ),
            ),
            Step(
                "the table's V^T V moves as the two products of Theta together in the flow",
                _tied(
                    inner_rate(V, V_rate) - outer_rate(Theta, Theta_rate) - inner_rate(Theta, Theta_rate),
                    Integer(0),
                ),
            ),
        ),
    )


def tied_twins() -> list[FalseTwin]:
    """Either untied balance by itself, a flipped sign, and a table that moves as a context only."""
    of = "tied-embeddings-balance"
    table, left, right = inner_rate(V, V_rate), outer_rate(Theta, Theta_rate), inner_rate(Theta, Theta_rate)
    stepped = tied_balance(V + eta * V_rate, Theta + eta * Theta_rate) - tied_balance(V, Theta)
    return [
        FalseTwin(of, "first order in the step", _tied(stepped, eta * tied_balance(V_rate, Theta_rate))),
        FalseTwin(of, "as if untied", _tied(table - left, Integer(0))),
        FalseTwin(of, "as if only a table of tokens", _tied(table - right, Integer(0))),
        FalseTwin(of, "flipped sign", _tied(table - left + right, Integer(0))),
        FalseTwin(
            of,
            "moves as a context only",
            _entries(diff(_linear_loss(token_entry), token_entry[c, gamma]), _through(token_entry, c, gamma)),
        ),
    ]


LAWS = (Law(derive_untied, untied_twins), Law(derive_tied, tied_twins))

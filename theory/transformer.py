"""The one-layer transformer in token space: gradients of Y and Z, and its reduction to the bilinear flow.

Reparametrised as in Scan and Snap (arXiv 2305.16380): one-hot tokens, context positions t = 0..L-1 with rows X_t, the
query token attends to them with logits g_t = (X z)_t where z = Z^T x_query; b = softmax(g), u = X^T b,
LN(u) = u/|u|, logits Y^T LN(u). J = log p of the next token; gradient *ascent* on J is descent on the loss. `y` is the
one-hot next token (or any distribution over tokens).
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from sympy import Expr, IndexedBase, Integer, KroneckerDelta, Sum, Symbol, diff, exp, log, sqrt, symbols

from theory.bilinear import logit_rate
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import G, N, R, a, bhat, c, f, m, over_contexts, x
from theory.statement import Identity, IndexedSums, Instance

REFERENCE = "arXiv 2405.04669, Section 4; reparametrisation of arXiv 2305.16380"
RANGES = (
    "every index lies in the range of its axis: context positions 0..L-1, tokens 0..M-1",
    "y sums to one over the vocabulary; X has one-hot rows; u is not zero",
)

L = Symbol("L", integer=True, positive=True)  # number of context positions
i, q, j, k, n = symbols("i q j k n", integer=True)  # tokens (token axis of size m = M)
tau, sigma, rho = symbols("tau sigma rho", integer=True)  # context positions
first = Symbol("x_1", integer=True)  # the context token of a sequence of length three

X, Y, z, g = IndexedBase("X"), IndexedBase("Y"), IndexedBase("z"), IndexedBase("g")
y = IndexedBase("y", shape=(m,))
u, b, prob, normed = IndexedBase("u"), IndexedBase("b"), IndexedBase("p"), IndexedBase(r"\bar{u}")

Definitions = dict[IndexedBase, Callable[..., Expr]]


def over_positions(term: Expr, index: Symbol) -> Sum:
    """Sum over the context positions."""
    return Sum(term, (index, 0, L - 1))


def over_vocabulary(term: Expr, index: Symbol) -> Sum:
    """Sum over the M tokens."""
    return Sum(term, (index, 0, m - 1))


# -- the forward pass, letter by letter --
def attention_logit(position: Expr) -> Expr:
    """g_t = sum_i X_ti z_i."""
    return over_vocabulary(X[position, q] * z[q], q)


def attention(position: Expr) -> Expr:
    """b_t: softmax of the attention logits."""
    return exp(g[position]) / over_positions(exp(g[rho]), rho)


def pooled(token: Expr) -> Expr:
    """u_i = sum_t b_t X_ti."""
    return over_positions(b[sigma] * X[sigma, token], sigma)


def length() -> Expr:
    """|u|_2."""
    return sqrt(over_vocabulary(u[n] ** 2, n))


def layer_norm(token: Expr) -> Expr:
    """LN(u)_i = u_i / |u|_2."""
    return u[token] / length()


def logit(token: Expr) -> Expr:
    """The output logit sum_i Y_ij LN(u)_i."""
    return over_vocabulary(Y[i, token] * normed[i], i)


def probability(token: Expr) -> Expr:
    """Softmax of the output logits."""
    return exp(logit(token)) / over_vocabulary(exp(logit(k)), k)


def log_likelihood() -> Expr:
    """J = sum_j y_j log p_j = sum_j y_j logit_j - log sum_k exp(logit_k), as sum_j y_j = 1."""
    return over_vocabulary(y[j] * logit(j), j) - log(over_vocabulary(exp(logit(k)), k))


OUTPUT: Definitions = {prob: probability}
POOLED: Definitions = {normed: layer_norm}
ATTENDED: Definitions = {**POOLED, u: pooled}


def draw_sequence(rng: np.random.Generator) -> Instance:
    """A sequence of L = 3 context tokens over M = 4, with weights, a target distribution and free indices."""
    size, positions = 4, 3
    chosen = rng.permutation(size)  # distinct context tokens; the free indices n and q are two of them
    attended = rng.dirichlet(np.ones(positions))
    tokens = np.eye(size)[chosen[:positions]]
    pool = attended @ tokens
    return {
        m: size,
        L: positions,
        X: tokens,
        Y: rng.normal(size=(size, size)),
        z: rng.normal(size=size),
        g: rng.normal(size=positions),
        y: rng.dirichlet(np.ones(size)),
        u: pool,
        b: attended,
        prob: rng.dirichlet(np.ones(size)),
        normed: pool / np.linalg.norm(pool),
        n: int(chosen[0]),
        q: int(chosen[1]),
        tau: int(rng.integers(positions)),
        sigma: int(rng.integers(positions)),
        first: int(rng.integers(size)),
    }


def _identity(lhs: Expr, rhs: Expr, definitions: Definitions | None = None) -> Identity:
    return Identity(lhs, rhs, IndexedSums(definitions or {}, {y: 1}), draw_sequence)


def y_gradient(row: Expr, column: Expr) -> Expr:
    """dJ/dY = LN(u) (y - p)^T."""
    return normed[row] * (y[column] - prob[column])


@cache
def derive_y_gradient() -> Derivation:
    """dY/dt = eta_Y LN(X^T b)(x_{T+1} - p)^T."""
    return Derivation(
        "transformer-gradient-y",
        "Gradient of Y",
        REFERENCE,
        RANGES,
        (
            Step("an output logit is linear in Y", _identity(diff(logit(q), Y[n, q]), normed[n])),
            Step(
                "J differentiated through every logit, with sum_j y_j = 1",
                _identity(diff(log_likelihood(), Y[n, q]), y_gradient(n, q), OUTPUT),
            ),
        ),
    )


def y_gradient_twins() -> list[FalseTwin]:
    """A flipped sign, the lost softmax, LN dropped."""
    truth = derive_y_gradient().identity
    false = {
        "flipped sign": -y_gradient(n, q),
        "lost softmax": normed[n] * y[q],
        "transposed": y_gradient(q, n),
        "layer norm dropped": u[n] * (y[q] - prob[q]),
    }
    return [FalseTwin("transformer-gradient-y", name, _identity(truth.lhs, rhs, OUTPUT)) for name, rhs in false.items()]


def output_pull(token: Expr) -> Expr:
    """dJ/dLN(u)_i = sum_j Y_ij (y_j - p_j)."""
    return over_vocabulary(Y[token, j] * (y[j] - prob[j]), j)


def projection(row: Expr, column: Expr) -> Expr:
    """(I - uu^T/|u|^2) / |u|: the derivative of u/|u|."""
    return (KroneckerDelta(row, column) - u[row] * u[column] / length() ** 2) / length()


def attention_jacobian(position: Expr, other: Expr) -> Expr:
    """d b_t / d g_s = b_t (delta_ts - b_s)."""
    return b[position] * (KroneckerDelta(position, other) - b[other])


def z_gradient(token: Expr) -> Expr:
    """dJ/dz as the paper writes it: (y - p)^T Y^T (P_perp/|u|) X^T diag(b) X; no term in b b^T."""
    pulled = over_positions(projection(i, q) * X[tau, q] * b[tau] * X[tau, token], tau)
    return over_vocabulary(output_pull(i) * over_vocabulary(pulled, q), i)


def z_chain_rule(token: Expr) -> Expr:
    """dJ/dz by the chain rule through LN(u), u, b and g: every Jacobian written out."""
    inner = over_positions(attention_jacobian(tau, sigma) * X[sigma, token], sigma)
    pulled = over_positions(projection(i, q) * X[tau, q] * inner, tau)
    return over_vocabulary(output_pull(i) * over_vocabulary(pulled, q), i)


@cache
def derive_z_gradient() -> Derivation:
    """dZ/dt = eta_Z x_T (x_{T+1} - p)^T Y^T (P_perp/|X^T b|) X^T diag(b) X."""
    return Derivation(
        "transformer-gradient-z",
        "Gradient of Z, with the projection of the layer norm",
        REFERENCE,
        RANGES,
        (
            Step(
                "J differentiated in the normalised vector",
                _identity(diff(log_likelihood(), normed[n]), output_pull(n), OUTPUT),
            ),
            Step(
                "derivative of u/|u| is the projection off u over |u|",
                _identity(diff(layer_norm(n), u[q]), projection(n, q)),
            ),
            Step("u is linear in b", _identity(diff(pooled(n), b[tau]), X[tau, n])),
            Step(
                "derivative of the attention softmax",
                _identity(diff(attention(tau), g[sigma]), attention_jacobian(tau, sigma), {b: attention}),
            ),
            Step("attention logits are linear in z", _identity(diff(attention_logit(tau), z[n]), X[tau, n])),
            Step(
                "chain rule; the b b^T term drops out because the projection annihilates u = X^T b",
                _identity(z_chain_rule(n), z_gradient(n), ATTENDED),
            ),
        ),
        statement=r"\frac{dZ}{dt} = \eta_Z\, x_T (x_{T+1} - p)^{\top} Y^{\top} "
        r"\frac{P_{\perp}}{|X^{\top} b|_2} X^{\top} \operatorname{diag}(b) X",
    )


def z_gradient_twins() -> list[FalseTwin]:
    """The projection dropped, attention weights lost, a wrong power of |u|, a flipped sign."""
    truth = derive_z_gradient().identity

    def with_projection(project: Callable[[Expr, Expr], Expr], weight: Expr) -> Expr:
        pulled = over_positions(project(i, q) * X[tau, q] * weight * X[tau, n], tau)
        return over_vocabulary(output_pull(i) * over_vocabulary(pulled, q), i)

    false = {
        "dropped projection": with_projection(lambda row, column: KroneckerDelta(row, column) / length(), b[tau]),
        "lost attention weights": with_projection(projection, Integer(1)),
        "wrong power of the length": with_projection(lambda row, column: projection(row, column) / length(), b[tau]),
        "flipped sign": -z_gradient(n),
    }
    return [
        FalseTwin("transformer-gradient-z", name, _identity(truth.lhs, rhs, ATTENDED)) for name, rhs in false.items()
    ]


# -- sequences of length three: A R B, one context token --
def _one_position(expr: Expr) -> Expr:
    """One context position (L = 1) holding the token x_1."""
    one = IndexedSums(ATTENDED).unfold(expr).subs(L, 1)
    return IndexedSums({X: lambda position, token: KroneckerDelta(token, first), b: attention}).unfold(one).subs(L, 1)


@cache
def derive_z_stays_zero() -> Derivation:
    """dZ/dt = 0 for sequences A R B: one context token leaves nothing to attend to."""
    return Derivation(
        "z-stays-zero",
        "Z does not move on sequences of length three",
        REFERENCE,
        RANGES,
        (
            *derive_z_gradient().steps,
            Step(
                "one context position gets all the attention",
                _identity(attention(Integer(0)).subs(L, 1), Integer(1)),
            ),
            Step(
                "LN(u) is the context token itself",
                _identity(_one_position(normed[n]), KroneckerDelta(n, first)),
            ),
            Step(
                "dJ/dz = 0: the projection off x_1 annihilates x_1",
                _identity(_one_position(z_gradient(n)), Integer(0)),
            ),
        ),
    )


def z_stays_zero_twins() -> list[FalseTwin]:
    """Two context tokens do move Z; without the projection one token would."""
    moved = over_vocabulary(output_pull(i) * KroneckerDelta(i, first) * KroneckerDelta(n, first), i)
    return [
        FalseTwin("z-stays-zero", "several context tokens", _identity(z_gradient(n), Integer(0))),
        FalseTwin("z-stays-zero", "dropped projection", _identity(moved.subs(n, first), Integer(0))),
    ]


@cache
def derive_one_flow() -> Derivation:
    """On sequences A R B the rows of Y follow dS/dt = K F R K_out with both Gram matrices the identity."""
    identity_gram: Definitions = {G: lambda left, right: KroneckerDelta(left, right)}
    # sum over statements of f_a (row c of LN(u)) (bhat_a - p_a), LN(u) = x_a
    moved = over_contexts(f[a] * KroneckerDelta(c, a) * R[a, x], a)
    only_trained = f[c] * R[c, x]
    algebra = IndexedSums(identity_gram, {bhat: 1})
    return Derivation(
        "one-flow",
        "The one-layer transformer is the bilinear flow with G = I",
        REFERENCE,
        (*RANGES, "contexts are single tokens, numbered like them; c is one of the N trained, no other row is pulled"),
        (
            *derive_y_gradient().steps,
            *derive_z_stays_zero().steps[-2:],
            Step(
                "only the row of the context token moves, by f_c R_c",
                Identity(moved, only_trained, algebra, draw_one_flow),
            ),
            Step(
                "the bilinear flow with both Gram matrices the identity says the same",
                Identity(logit_rate(c, x), moved, algebra, draw_one_flow),
            ),
        ),
    )


def draw_one_flow(rng: np.random.Generator) -> Instance:
    """Residuals and shares of N = 2 contexts over M = 4 tokens, one of the contexts asked."""
    return {
        m: 4,
        N: 2,
        c: int(rng.integers(2)),
        x: int(rng.integers(4)),
        f: rng.dirichlet(np.ones(2)),
        R: rng.normal(size=(2, 4)),
    }


def one_flow_twins() -> list[FalseTwin]:
    """Shares lost; all rows moved."""
    algebra = IndexedSums({G: lambda left, right: KroneckerDelta(left, right)}, {bhat: 1})
    return [
        FalseTwin("one-flow", "lost share", Identity(logit_rate(c, x), R[c, x], algebra, draw_one_flow)),
        FalseTwin(
            "one-flow",
            "every row moves",
            Identity(logit_rate(c, x), over_contexts(f[a] * R[a, x], a), algebra, draw_one_flow),
        ),
    ]


LAWS = (
    Law(derive_y_gradient, y_gradient_twins),
    Law(derive_z_gradient, z_gradient_twins),
    Law(derive_z_stays_zero, z_stays_zero_twins),
    Law(derive_one_flow, one_flow_twins),
)

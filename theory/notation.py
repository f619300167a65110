"""The letters of the paper (arXiv 2405.04669), their meaning and shape: one table for derivations and reports."""

from dataclasses import dataclass

import numpy as np
from sympy import Expr, IndexedBase, Sum, Symbol, exp, symbols

from theory.statement import Instance

# Sizes
m, d, N = symbols("m d N", integer=True, positive=True)
# Free indices: a, c contexts; j, k, x tokens; alpha, beta, gamma, delta coordinates of an embedding
a, c, j, k, x = symbols("a c j k x", integer=True)
alpha, beta, gamma, delta = symbols("alpha beta gamma delta", integer=True)
t = Symbol("t", nonnegative=True)

v = IndexedBase("v")
Theta = IndexedBase("Theta")
f = IndexedBase("f")
bhat = IndexedBase(r"\hat{b}", shape=(N, m))
ell = IndexedBase("ell", shape=(m, m))  # a row for every token as context
p = IndexedBase("p")
R = IndexedBase("R")
G = IndexedBase("G")


@dataclass(frozen=True)
class Letter:
    """One letter: how the paper writes it (LaTeX), what it means, its shape or domain."""

    latex: str
    meaning: str
    shape: str


NOTATION: tuple[Letter, ...] = (
    Letter("m", "size of the vocabulary (M for the one-layer transformer)", "integer"),
    Letter("d", "dimension of the embeddings", "integer"),
    Letter("N", "number of distinct trained contexts, the set A", "integer"),
    Letter("v_i", "embedding of token i, drawn from N(0, I/d) and fixed", "m x d"),
    Letter(r"\Theta", "parameters of the bilinear model, logits x^T Theta y", "d x d"),
    Letter("f_a", "share of training weight on context a, summing to one", "N"),
    Letter(r"\hat{b}_{aj}", "empirical distribution of targets j given context a", "N x m"),
    Letter("p_{aj}", "softmax of the logits of row a", "N x m"),
    Letter("R_{aj}", "residual, bhat - p", "N x m"),
    Letter("S", "logits V Theta V^T; ell_{aj} one of them", "contexts x m"),
    Letter("G", "Gram matrix V V^T of the embeddings", "m x m"),
    Letter("w_q", "interpolation weights G_AA^+ G_Aq of an untrained context q", "N"),
    Letter("h", "the decoupled row: target logit (m-1) h, all others -h", "scalar"),
    Letter("t", "time, step size x steps", "scalar"),
    Letter(r"\eta", "step size", "scalar"),
    Letter("Y, Z", "one-layer transformer: value and attention matrices in token space", "M x M"),
)


# -- definitions that every derivation unfolds in the same way --
def over_tokens(term: Expr, index: Symbol) -> Sum:
    """Sum over the vocabulary."""
    return Sum(term, (index, 0, m - 1))


def over_contexts(term: Expr, index: Symbol) -> Sum:
    """Sum over the trained contexts, numbered first."""
    return Sum(term, (index, 0, N - 1))


def over_coordinates(term: Expr, *indices: Symbol) -> Sum:
    """Sum over the coordinates of an embedding, for each index."""
    return Sum(term, *((index, 0, d - 1) for index in indices))


def bilinear_logit(context: Expr, token: Expr) -> Expr:
    """ell = v_context^T Theta v_token."""
    return over_coordinates(v[context, alpha] * Theta[alpha, beta] * v[token, beta], alpha, beta)


def softmax(context: Expr, token: Expr) -> Expr:
    """p: the softmax of the logits of one row."""
    return exp(ell[context, token]) / over_tokens(exp(ell[context, k]), k)


def residual(context: Expr, token: Expr) -> Expr:
    """R = bhat - p."""
    return bhat[context, token] - p[context, token]


def gram(left: Expr, right: Expr) -> Expr:
    """G = V V^T."""
    return over_coordinates(v[left, alpha] * v[right, alpha], alpha)


def draw_bilinear(rng: np.random.Generator) -> Instance:
    """A small random bilinear instance: sizes, embeddings, parameters, weights, targets and one of each free index.

    The trained contexts are the tokens 0..N-1, so that one embedding matrix serves both; N < m.
    """
    sizes = {m: int(rng.integers(3, 5)), d: int(rng.integers(2, 4)), N: 2}
    targets = rng.dirichlet(np.ones(sizes[m]), size=sizes[m])
    # distinct pairs of free indices: with equal ones a transposed formula looks right
    row, column = rng.permutation(sizes[d])[:2]
    context, token = rng.permutation(sizes[m])[:2]
    return {
        **sizes,
        v: rng.normal(size=(sizes[m], sizes[d])),
        Theta: rng.normal(size=(sizes[d], sizes[d])),
        ell: rng.normal(size=(sizes[m], sizes[m])),
        f: rng.dirichlet(np.ones(sizes[m])),
        bhat: targets,
        a: int(rng.integers(sizes[N])),
        c: int(context),
        j: int(rng.integers(sizes[m])),
        x: int(token),
        gamma: int(row),
        delta: int(column),
    }

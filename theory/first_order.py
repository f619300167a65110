"""First order in the coherence of the embeddings: the reverse row is w_q^T times the decoupled rows.

Write G = I + epsilon E; for Gaussian embeddings the entries of epsilon E are of order 1/sqrt(d). At epsilon = 0 the
rows decouple (`decoupled_row`); the interpolation law then gives S_q(t) - S_q(0) up to epsilon squared, which is 1/d.
"""

from functools import cache

import numpy as np
from sympy import Expr, IndexedBase, Integer, KroneckerDelta, Symbol, expand, symbols, transpose

from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.interpolation import derive_interpolation
from theory.notation import N, a, j, over_contexts, over_tokens, x
from theory.statement import Identity, IndexedSums, Instance
from theory.words import Words, matrix

REFERENCE = "this project; the model of arXiv 2405.04669, Section 3"
ASSUMPTIONS = (
    "G = I + epsilon E with E symmetric, and I + epsilon E_AA invertible",
    "the residual R depends smoothly on the logits (softmax), so S_A(t) is smooth in epsilon on bounded times",
    "the asked context is not trained, so G_Aq = epsilon E_Aq",
)

epsilon = Symbol("epsilon", real=True)
E_AA, E_Aq, E, F, R0, R1, D0, D1 = map(matrix, ("E_AA", "E_Aq", "E", "F", "R_0", "R_1", "Delta_0", "Delta_1"))
WORDS = Words(symmetric=(E_AA, E))
w_series = epsilon * E_Aq - epsilon**2 * E_AA * E_Aq  # w_q up to epsilon squared


def draw_coherence(rng: np.random.Generator) -> Instance:
    """Random coherences (N = 2 contexts, m = 3 tokens) and residuals; epsilon is not small, so a wrong order shows."""
    trained, tokens = rng.normal(size=(2, 2)), rng.normal(size=(3, 3))
    return {
        epsilon: rng.uniform(0.5, 1.0),
        E_AA: trained + trained.T,
        E: tokens + tokens.T,
        E_Aq: rng.normal(size=(2, 1)),
        F: np.diag(rng.dirichlet(np.ones(2))),
        R0: rng.normal(size=(2, 3)),
        R1: rng.normal(size=(2, 3)),
        D0: rng.normal(size=(2, 3)),
        D1: rng.normal(size=(2, 3)),
    }


def coefficient(expr: Expr, order: int) -> Expr:
    """The coefficient of epsilon^order, for an expression that is a polynomial in epsilon."""
    return expand(WORDS.normal_form(expr)).coeff(epsilon, order)


def trained_rate(residual: Expr) -> Expr:
    """dS_A/dt = G_AA F R G with G = I + epsilon E."""
    return (F + epsilon * E_AA * F) * (residual + epsilon * residual * E)


@cache
def derive_first_order() -> Derivation:
    """S_q(t) = S_q(0) + epsilon E_qA (S_A(t) - S_A(0))|_decoupled + O(epsilon^2)."""
    weights_residual = w_series + epsilon * E_AA * w_series - epsilon * E_Aq
    moved = transpose(w_series) * (D0 + epsilon * D1)  # interpolation law, S_A(t) - S_A(0) = D0 + epsilon D1 + ...
    return Derivation(
        "first-order-law",
        "Reverse row to first order in the coherence",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"S_q(t) = S_q(0) + w_q^{\top} \left(S_A(t) - S_A(0)\right)_{\text{decoupled}} + O(1/d)"
        r" \quad \text{for every fixed } t",
        steps=(
            *derive_interpolation().steps,
            Step(
                "the series w = epsilon E_Aq - epsilon^2 E_AA E_Aq solves (I + epsilon E_AA) w = epsilon E_Aq"
                " up to epsilon^3",
                Identity(weights_residual, -(epsilon**3) * E_AA * E_AA * E_Aq, WORDS, draw_coherence),
            ),
            Step(
                "at epsilon = 0 every trained row follows its own equation dS_A/dt = F R",
                Identity(coefficient(trained_rate(R0 + epsilon * R1), 0), F * R0, WORDS, draw_coherence),
            ),
            Step(
                "the asked row does not move at order zero",
                Identity(coefficient(moved, 0), Integer(0), WORDS, draw_coherence),
            ),
            Step(
                "at order one it moves by E_qA times the change of the decoupled rows",
                Identity(coefficient(moved, 1), transpose(E_Aq) * D0, WORDS, draw_coherence),
            ),
        ),
    )


def first_order_twins() -> list[FalseTwin]:
    """A flipped sign, the second-order rows in place of the decoupled ones, and a weight series with a wrong term."""
    moved = transpose(w_series) * (D0 + epsilon * D1)
    wrong = epsilon * E_Aq + epsilon**2 * E_AA * E_Aq
    of = "first-order-law"
    return [
        FalseTwin(of, "flipped sign", Identity(coefficient(moved, 1), -transpose(E_Aq) * D0, WORDS, draw_coherence)),
        FalseTwin(of, "coupled rows", Identity(coefficient(moved, 1), transpose(E_Aq) * D1, WORDS, draw_coherence)),
        FalseTwin(
            of,
            "wrong sign in the weights",
            Identity(
                wrong + epsilon * E_AA * wrong,
                epsilon * E_Aq + epsilon**3 * E_AA * E_AA * E_Aq,
                WORDS,
                draw_coherence,
            ),
        ),
    ]


# -- the answer's logit, for single-target rows from zero start --
w, h, b = IndexedBase("w"), IndexedBase("h"), IndexedBase("b")
m_size = symbols("m", integer=True, positive=True)


def decoupled_change(context: Expr, token: Expr) -> Expr:
    """The decoupled row: (m - 1) h for the target, -h for every other token."""
    return (m_size * KroneckerDelta(token, b[context]) - 1) * h[context]


def draw_answer(rng: np.random.Generator) -> Instance:
    """Weights and rows of N = 2 contexts over m = 4 tokens; the asked answer x = 3 is no context's target."""
    return {
        m_size: 4,
        N: 2,
        x: 3,
        w: rng.normal(size=2),
        h: rng.uniform(0.1, 1.0, size=2),
        b: rng.integers(3, size=2),
    }


@cache
def derive_answer_logit() -> Derivation:
    """The answer's logit less its row mean moves by -sum_a w_a h_a when no trained context has it as target."""
    row = over_contexts(w[a] * decoupled_change(a, j), a)
    never_target = {KroneckerDelta(x, b[a]): Integer(0)}
    answer = over_contexts(w[a] * decoupled_change(a, x).xreplace(never_target), a)
    algebra = IndexedSums()
    return Derivation(
        "reverse-logit",
        "Logit of the held-out answer to first order",
        REFERENCE,
        (
            *ASSUMPTIONS,
            "every trained context has one target; zero start, so that decoupled rows are (m - 1) h and -h",
            "the answer is never a trained target",
        ),
        statement=r"S_{qx}(t) - S_{qx}(0) = -\sum_a w_a h_a(t) + O(1/d) \quad \text{for every fixed } t",
        steps=(
            *derive_first_order().steps,
            Step(
                "to first order the mean of the asked row does not move",
                Identity(over_tokens(row, j), Integer(0), algebra, draw_answer),
            ),
            Step(
                "and the answer moves by -sum_a w_a h_a",
                Identity(answer, -over_contexts(w[a] * h[a], a), algebra, draw_answer),
            ),
        ),
    )


def answer_logit_twins() -> list[FalseTwin]:
    """A flipped sign, the forward weight m - 1, and the lost interpolation weights."""
    truth = derive_answer_logit().identity
    false = {
        "flipped sign": over_contexts(w[a] * h[a], a),
        "as if it were the target": over_contexts(w[a] * (m_size - 1) * h[a], a),
        "lost interpolation weights": -over_contexts(h[a], a),
    }
    return [
        FalseTwin("reverse-logit", name, Identity(truth.lhs, rhs, IndexedSums(), draw_answer))
        for name, rhs in false.items()
    ]


LAWS = (Law(derive_first_order, first_order_twins), Law(derive_answer_logit, answer_logit_twins))

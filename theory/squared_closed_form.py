"""The squared loss in closed form: its flow is linear, and in the right coordinates every entry decays by itself.

With K = G_AA, K_out = G, F = H H (H the diagonal matrix of the square roots of the shares) and X = H (S_A - Bhat),

    dS_A/dt = K F (Bhat - S_A) K_out    becomes    dX/dt = -(H K H) X K_out.

H K H = U Alpha U^T and K_out = W Beta W^T are symmetric; in E = U^T X W entry (i, j) decays at the rate alpha_i beta_j.
The change of the parameters, Theta(t) - Theta(0) = V_A^T C V with dC/dt = F R, is Chat = U^T H^-1 C W in the same
coordinates, and gives every row, trained or not: S(t) = S(0) + G[:,A] C(t) G.
"""

from functools import cache

import numpy as np
from sympy import Expr, IndexedBase, Integer, KroneckerDelta, Symbol, diff, exp, limit, symbols, transpose

from theory.bilinear import RANGES
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import N, j, k, m, over_contexts, over_tokens
from theory.statement import Identity, IndexedSums, Instance, Scalars
from theory.words import Words, matrix

REFERENCE = "this project; the model of arXiv 2405.04669, Section 3"
ASSUMPTIONS = (
    RANGES[0],
    "squared loss of the logits: R = Bhat - S_A (law squared-loss-flow); every trained context has a share f_a > 0",
    "F = H H with H diagonal and J = H^-1; K = G_AA and K_out = G are symmetric",
    "H K H = U Alpha U^T and K_out = W Beta W^T with U, W orthogonal and Alpha, Beta diagonal (spectral theorem); the "
    "eigenvalues of Gram matrices are not negative",
    "C(0) = 0 and dC/dt = F R, so dS/dt = G[:,A] F R G gives S(t) = S(0) + G[:,A] C(t) G",
    "the flow is linear, so its solution is unique",
)

K, K_out, F, H, J, U, W, Alpha, Beta, S_A, S0, Bhat, Chat = map(
    matrix,
    ("K", "K_out", "F", "H", "J", "U", "W", "Alpha", "Beta", "S_A", "S_0", r"\hat{B}", r"\hat{C}"),
)
SYMMETRIC = (K, K_out, F, H, J, Alpha, Beta)
ROOT = Words(rules={F: H * H}, symmetric=SYMMETRIC)
# orthogonal U and W, the spectral decompositions, and J = H^-1
SPECTRAL = Words(
    rules={
        F: H * H,
        J * H: Integer(1),
        H * J: Integer(1),
        H * K * H: U * Alpha * transpose(U),
        K_out: W * Beta * transpose(W),
        transpose(U) * U: Integer(1),
        transpose(W) * W: Integer(1),
        U * transpose(U): Integer(1),
        W * transpose(W): Integer(1),
    },
    symmetric=SYMMETRIC,
)

i = Symbol("i", integer=True)
alpha_of, beta_of, entry = IndexedBase("alpha"), IndexedBase("beta"), IndexedBase("E")
time = Symbol("t", nonnegative=True)
alpha, beta, rate = symbols("alpha beta mu", positive=True)
start = Symbol("E_0", real=True)


def draw_flow(rng: np.random.Generator) -> Instance:
    """N = 3 trained contexts over m = 4 tokens in d = 5 dimensions, with unequal shares."""
    trained, tokens = rng.normal(size=(3, 5)), rng.normal(size=(4, 5))
    inner, outer = trained @ trained.T, tokens @ tokens.T
    shares = rng.dirichlet(np.ones(3)) * 0.7 + 0.1
    root = np.diag(np.sqrt(shares))
    alphas, left = np.linalg.eigh(root @ inner @ root)
    betas, right = np.linalg.eigh(outer)
    return {
        K: inner,
        K_out: outer,
        F: np.diag(shares),
        H: root,
        J: np.linalg.inv(root),
        U: left,
        W: right,
        Alpha: np.diag(alphas),
        Beta: np.diag(betas),
        S_A: rng.normal(size=(3, 4)),
        S0: rng.normal(size=(3, 4)),
        Bhat: rng.dirichlet(np.ones(4), size=3),
        Chat: rng.normal(size=(3, 4)),
    }


def draw_entries(rng: np.random.Generator) -> Instance:
    """One entry (i, j) of an N x m matrix and the eigenvalues on either side."""
    sizes = {N: 2, m: 3}
    return {
        **sizes,
        i: int(rng.integers(2)),
        j: int(rng.integers(3)),
        alpha_of: rng.uniform(0.1, 1.0, size=2),
        beta_of: rng.uniform(1.5, 3.0, size=3),
        entry: rng.normal(size=(2, 3)),
    }


def draw_decay(rng: np.random.Generator) -> Instance:
    """One entry at some time: two eigenvalues that are not equal, and where it started."""
    return {
        alpha: rng.uniform(0.1, 0.6),
        beta: rng.uniform(0.7, 1.5),
        rate: rng.uniform(0.1, 1.0),
        time: rng.uniform(0.5, 2.0),
        start: rng.uniform(0.5, 2.0),
    }


def _scalar(lhs: Expr, rhs: Expr) -> Identity:
    return Identity(lhs, rhs, Scalars(), draw_decay)


def _words(lhs: Expr, rhs: Expr, algebra: Words = SPECTRAL) -> Identity:
    return Identity(lhs, rhs, algebra, draw_flow)


def weighted_error(logits: Expr) -> Expr:
    """X = H (S_A - Bhat): what the loss measures, (1/2)|X|_F^2."""
    return H * (logits - Bhat)


def in_coordinates(error: Expr) -> Expr:
    """E = U^T X W."""
    return transpose(U) * error * W


def logit_rate() -> Expr:
    """dS_A/dt = K F R K_out with R = Bhat - S_A."""
    return K * F * (Bhat - S_A) * K_out


def decayed(at: Expr) -> Expr:
    """E_ij(t) = exp(-alpha_i beta_j t) E_ij(0)."""
    return exp(-alpha * beta * at) * start


def coordinate(at: Expr, product: Expr) -> Expr:
    """Chat_ij(t) = -(1 - exp(-mu t))/mu E_ij(0), mu = alpha_i beta_j; at mu = 0 its limit, -t E_ij(0)."""
    return -(1 - exp(-product * at)) / product * start


def _diagonal_product(row: Expr, column: Expr) -> Expr:
    """(Alpha E Beta)[row, column], summed over both inner indices."""
    left, right = Symbol("l", integer=True), k
    return over_tokens(
        over_contexts(KroneckerDelta(row, left) * alpha_of[left] * entry[left, right], left)
        * KroneckerDelta(right, column)
        * beta_of[column],
        right,
    )


@cache
def derive_closed_form() -> Derivation:
    """E_ij(t) = exp(-alpha_i beta_j t) E_ij(0), and the coordinates of Theta that give every row."""
    error, coordinates = weighted_error(S_A), H * U * Chat * transpose(W)
    return Derivation(
        "squared-loss-closed-form",
        "Closed form of the squared loss",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"S_A(t) = \hat{B} + F^{-1/2} U E(t) W^{\top}, \quad E_{ij}(t) = e^{-\alpha_i \beta_j t} E_{ij}(0), "
        r"\qquad S(t) = S(0) + G_{:A} C(t)\, G, \quad C = F^{1/2} U \hat{C} W^{\top}, "
        r"\quad \hat{C}_{ij}(t) = -\frac{1 - e^{-\alpha_i \beta_j t}}{\alpha_i \beta_j} E_{ij}(0)",
        steps=(
            Step(
                "X = H (S_A - Bhat) moves by -(H K H) X K_out",
                _words(H * logit_rate(), -(H * K * H) * error * K_out, ROOT),
            ),
            Step(
                "in the eigenvectors, E = U^T X W moves by -Alpha E Beta",
                _words(in_coordinates(-(H * K * H) * error * K_out), -Alpha * in_coordinates(error) * Beta),
            ),
            Step(
                "Alpha and Beta are diagonal, so entry (i, j) moves by -alpha_i beta_j E_ij",
                Identity(
                    -_diagonal_product(i, j),
                    -alpha_of[i] * beta_of[j] * entry[i, j],
                    IndexedSums(),
                    draw_entries,
                ),
            ),
            Step("each entry decays by itself", _scalar(diff(decayed(time), time), -alpha * beta * decayed(time))),
            Step("and starts where it should", _scalar(decayed(time).subs(time, 0), start)),
            Step(
                "the logits come back as S_A = Bhat + J U E W^T",
                _words(Bhat + J * U * in_coordinates(error) * transpose(W), S_A),
            ),
            Step(
                "coordinates Chat = U^T J C W: with dC/dt = F R they move by -E",
                _words(transpose(U) * J * (F * (Bhat - S_A)) * W, -in_coordinates(error)),
            ),
            Step(
                "S_A = S_0 + K C K_out in these coordinates: E = E_0 + Alpha Chat Beta",
                _words(
                    in_coordinates(weighted_error(S0 + K * coordinates * K_out)),
                    in_coordinates(weighted_error(S0)) + Alpha * Chat * Beta,
                ),
            ),
            Step(
                "their closed form moves by -E_ij(t)",
                _scalar(diff(coordinate(time, alpha * beta), time), -decayed(time)),
            ),
            Step("starts at zero", _scalar(coordinate(time, rate).subs(time, 0), Integer(0))),
            Step(
                "has the limit -t E_ij(0) where alpha_i beta_j = 0",
                _scalar(limit(coordinate(time, rate), rate, 0), -time * start),
            ),
            Step(
                "and agrees with the decaying entries",
                _scalar(start + alpha * beta * coordinate(time, alpha * beta), decayed(time)),
            ),
        ),
    )


def closed_form_twins() -> list[FalseTwin]:
    """Lost shares, a lost eigenvalue, growth, coordinates that are not divided, a limit of the wrong sign."""
    of = "squared-loss-closed-form"
    error = weighted_error(S_A)
    slope = diff(decayed(time), time)
    return [
        FalseTwin(of, "lost shares", _words(H * logit_rate(), -K * error * K_out, ROOT)),
        FalseTwin(
            of,
            "lost left eigenvalues",
            _words(in_coordinates(-(H * K * H) * error * K_out), -in_coordinates(error) * Beta),
        ),
        FalseTwin(of, "lost eigenvalue", _scalar(slope, -alpha * decayed(time))),
        FalseTwin(of, "growth", _scalar(slope, alpha * beta * decayed(time))),
        FalseTwin(of, "sum of the eigenvalues", _scalar(slope, -(alpha + beta) * decayed(time))),
        FalseTwin(
            of,
            "coordinates not divided",
            _scalar(diff(alpha * beta * coordinate(time, alpha * beta), time), -decayed(time)),
        ),
        FalseTwin(of, "limit of the wrong sign", _scalar(limit(coordinate(time, rate), rate, 0), time * start)),
    ]


LAWS = (Law(derive_closed_form, closed_form_twins),)

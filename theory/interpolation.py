"""The interpolation law: an untrained context moves only as a fixed combination of the trained ones.

For any loss of the logits and any optimiser whose steps stay in the span of gradients (gradient flow, GD, SGD in any
order, heavy-ball momentum; not Adam), with w_q = G_AA^+ G_Aq,

    S_q(k) - w_q^T S_A(k) = rho_k (S_q(0) - w_q^T S_A(0)),

where rho_k = 1 without weight decay. Words in noncommuting symbols stand for matrices of every size: V_A (N x d) the
trained contexts' features, V (m x d) the tokens', x_q^T (1 x d) the asked context's, D_k (N x m) any update of the
logits. Rank deficiency is covered: G_AA^+ is the pseudo-inverse and only its Penrose equations are used.
"""

from functools import cache

import numpy as np
from sympy import Expr, Integer, Pow, symbols, transpose

from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.statement import Identity, Instance
from theory.words import Words, matrix

REFERENCE = "this project; the model of arXiv 2405.04669, Section 3"
ASSUMPTIONS = (
    "every step of the optimiser adds V_A^T D V for some N x m matrix D (true of sums of gradients, whatever the loss)",
    "P = G_AA^+ satisfies the Penrose equation G_AA P G_AA = G_AA and is symmetric",
    "a real matrix B with B B^T = 0 is zero",
)

V_A, V, x_q, P, D, S0, Theta0, B = map(matrix, ("V_A", "V", "x_q^T", "P", "D", "S_0", "Theta_0", "B"))
eta, weight_decay, momentum = symbols("eta lambda beta", positive=True)
G_AA = V_A * transpose(V_A)
w = P * V_A * transpose(x_q)  # w_q = G_AA^+ G_Aq, N x 1
PENROSE = Words(rules={G_AA * P * G_AA: G_AA}, symmetric=(P,))
# the first step below, transposed, as a rewriting rule for the steps that follow it
PROJECTED = Words(rules={transpose(V_A) * P * G_AA: transpose(V_A)}, symmetric=(P,))


def draw_features(rng: np.random.Generator) -> Instance:
    """N = 3 trained contexts of rank 2 in d = 4 dimensions (so the pseudo-inverse matters), m = 4 tokens."""
    features = rng.normal(size=(3, 2)) @ rng.normal(size=(2, 4))
    return {
        V_A: features,
        V: rng.normal(size=(4, 4)),
        x_q: rng.normal(size=(1, 4)),
        # rank 2 of 3: singular values below 1e-10 of the largest are rounding of zero
        P: np.linalg.pinv(features @ features.T, rcond=1e-10, hermitian=True),
        D: rng.normal(size=(3, 4)),
        Theta0: rng.normal(size=(4, 4)),
        eta: rng.uniform(0.1, 1.0),
        weight_decay: rng.uniform(0.1, 1.0),
        momentum: rng.uniform(0.1, 0.9),
    }


def untrained_part(theta: Expr) -> Expr:
    """S_q - w_q^T S_A for parameters theta: what of the untrained row is not a combination of trained ones."""
    return x_q * theta * transpose(V) - transpose(w) * V_A * theta * transpose(V)


def _penrose_step() -> Step:
    gap = G_AA * P * V_A - V_A
    return Step(
        "(G_AA P V_A - V_A)(G_AA P V_A - V_A)^T = 0 by the Penrose equation, hence G_AA P V_A = V_A",
        Identity(gap * transpose(gap), Integer(0), PENROSE, draw_features),
    )


@cache
def derive_interpolation() -> Derivation:
    """S_q(t) - S_q(0) = w_q^T (S_A(t) - S_A(0)): steps in the span of gradients leave the untrained part alone."""
    change = transpose(V_A) * D * V
    return Derivation(
        "interpolation-law",
        "Interpolation law",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"S_q(t) - S_q(0) = w_q^{\top} \left(S_A(t) - S_A(0)\right), \quad w_q = G_{AA}^{+} G_{Aq}",
        steps=(
            _penrose_step(),
            Step(
                "a change V_A^T D V moves the asked row as w_q^T times the trained rows",
                Identity(
                    x_q * change * transpose(V),
                    transpose(w) * V_A * change * transpose(V),
                    PROJECTED,
                    draw_features,
                ),
            ),
            Step(
                "every step, and so any number of them, keeps S_q - w_q^T S_A",
                Identity(untrained_part(Theta0 + change), untrained_part(Theta0), PROJECTED, draw_features),
            ),
        ),
    )


def interpolation_twins() -> list[FalseTwin]:
    """Weights without the inverse, with the wrong sign, and steps outside the span (Adam's: any D' in R^{d x d})."""
    change = transpose(V_A) * D * V
    moved = x_q * change * transpose(V)
    trained = V_A * change * transpose(V)
    plain = Words()
    return [
        FalseTwin(
            "interpolation-law",
            "weights without inverse",
            Identity(moved, x_q * transpose(V_A) * trained, plain, draw_features),
        ),
        FalseTwin(
            "interpolation-law",
            "flipped sign",
            Identity(moved, -transpose(w) * trained, plain, draw_features),
        ),
        FalseTwin(
            "interpolation-law",
            "steps outside the span",
            Identity(x_q * Theta0 * transpose(V), transpose(w) * V_A * Theta0 * transpose(V), plain, draw_features),
        ),
        FalseTwin(
            "interpolation-law",
            "projection dropped",
            Identity(untrained_part(Theta0 + change), x_q * Theta0 * transpose(V), plain, draw_features),
        ),
    ]


@cache
def derive_weight_decay() -> Derivation:
    """One decayed step multiplies the untrained part by 1 - eta lambda; with momentum a two-term recursion does.

    PyTorch's SGD adds lambda Theta to the gradient; without momentum that is decoupled decay with eta lambda.
    velocity_{k+1} = beta velocity_k + gradient + lambda Theta_k, Theta_{k+1} = Theta_k - eta velocity_{k+1}.
    """
    change = transpose(V_A) * D * V
    decayed = (1 - eta * weight_decay) * Theta0 + change
    previous = B
    velocity = (previous - Theta0) / eta  # from Theta_k = Theta_{k-1} - eta velocity_k
    heavy_ball = Theta0 - eta * (momentum * velocity + weight_decay * Theta0) + change
    factor = 1 - eta * weight_decay
    return Derivation(
        "interpolation-law-weight-decay",
        "Interpolation law under weight decay",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"S_q(k) - w_q^{\top} S_A(k) = (1 - \eta\lambda)^k \left(S_q(0) - w_q^{\top} S_A(0)\right)",
        steps=(
            *derive_interpolation().steps,
            Step(
                "heavy-ball momentum beta: rho_{k+1} = (1 + beta - eta lambda) rho_k - beta rho_{k-1}",
                Identity(
                    untrained_part(heavy_ball),
                    (1 + momentum - eta * weight_decay) * untrained_part(Theta0) - momentum * untrained_part(previous),
                    PROJECTED,
                    draw_two_states,
                ),
            ),
            Step(
                "one decayed step: S_q - w_q^T S_A shrinks by the factor 1 - eta lambda",
                Identity(untrained_part(decayed), factor * untrained_part(Theta0), PROJECTED, draw_features),
            ),
        ),
    )


def draw_two_states(rng: np.random.Generator) -> Instance:
    """An instance with two successive states of the parameters, B the earlier one."""
    return {**draw_features(rng), B: rng.normal(size=(4, 4))}


def weight_decay_twins() -> list[FalseTwin]:
    """The factor lost, applied twice, and the plain power used under momentum."""
    truth = derive_weight_decay().identity
    factor = 1 - eta * weight_decay
    velocity = (B - Theta0) / eta
    heavy_ball = Theta0 - eta * (momentum * velocity + weight_decay * Theta0) + transpose(V_A) * D * V
    plain = Words()
    of = "interpolation-law-weight-decay"
    return [
        FalseTwin(of, "lost factor", Identity(truth.lhs, untrained_part(Theta0), plain, draw_features)),
        FalseTwin(
            of,
            "wrong power",
            Identity(truth.lhs, Pow(factor, 2) * untrained_part(Theta0), plain, draw_features),
        ),
        FalseTwin(
            of,
            "plain factor under momentum",
            Identity(untrained_part(heavy_ball), factor * untrained_part(Theta0), plain, draw_two_states),
        ),
    ]


LAWS = (Law(derive_interpolation, interpolation_twins), Law(derive_weight_decay, weight_decay_twins))

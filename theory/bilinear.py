"""The bilinear model logits x^T Theta y with fixed embeddings: its gradient and its flow in logit space.

Loss L = sum_a f_a sum_j bhat_aj (-log p_aj), gradient flow dTheta/dt = -grad L (arXiv 2405.04669, Section 3). Every
step holds for symbolic m, d and N. Trained contexts are single tokens here; contexts of several tokens enter by
replacing v_a with their normalised sum, which changes the letter and no step.
"""

from collections.abc import Callable
from functools import cache

from sympy import Expr, IndexedBase, KroneckerDelta, diff, log

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
    k,
    over_contexts,
    over_coordinates,
    over_tokens,
    p,
    residual,
    softmax,
    v,
    x,
)
from theory.statement import Identity, IndexedSums

REFERENCE = "arXiv 2405.04669, Section 3"
RANGES = (
    "every index lies in the range of its axis: contexts 0..N-1, tokens 0..m-1, coordinates 0..d-1",
    "bhat_a sums to one over the vocabulary for every trained context a",
)

# From the logits down to the parameters: what each folded letter stands for.
ROW: dict[IndexedBase, Callable[..., Expr]] = {R: residual, p: softmax}
FULL: dict[IndexedBase, Callable[..., Expr]] = {**ROW, ell: bilinear_logit, G: gram}


def _identity(lhs: Expr, rhs: Expr, definitions: dict[IndexedBase, Callable[..., Expr]]) -> Identity:
    return Identity(lhs, rhs, IndexedSums(definitions, {bhat: 1}), draw_bilinear)


def row_loss(context: Expr) -> Expr:
    """sum_j bhat_j (-log p_j) of one row, in its logits."""
    partition = over_tokens(softmax_numerator(context, k), k)
    return -over_tokens(bhat[context, j] * (ell[context, j] - log(partition)), j)


def softmax_numerator(context: Expr, token: Expr) -> Expr:
    """exp of a logit: the softmax before it is normalised."""
    return softmax(context, token).as_numer_denom()[0]


def loss() -> Expr:
    """The training loss sum_a f_a sum_j bhat_aj (-log p_aj), in the logits."""
    return over_contexts(f[a] * row_loss(a), a)


def gradient(row: Expr, column: Expr) -> Expr:
    """dL/dTheta[row, column] as the derivation states it: -sum_a f_a v_a (sum_j R_aj v_j)^T."""
    return -over_contexts(f[a] * v[a, row] * over_tokens(R[a, j] * v[j, column], j), a)


@cache
def derive_gradient() -> Derivation:
    """dL/dTheta = -sum_a f_a v_a (sum_j R_aj v_j)^T, with R = bhat - p."""
    return Derivation(
        "bilinear-gradient",
        "Gradient of the bilinear cross-entropy",
        REFERENCE,
        RANGES,
        (
            Step(
                "a logit is linear in Theta",
                _identity(diff(bilinear_logit(c, x), Theta[gamma, delta]), v[c, gamma] * v[x, delta], {}),
            ),
            Step(
                "derivative of the log-partition function is the softmax",
                _identity(diff(log(over_tokens(softmax_numerator(c, k), k)), ell[c, x]), p[c, x], ROW),
            ),
            Step(
                "derivative of one row's loss, with sum_j bhat_aj = 1",
                _identity(diff(row_loss(a), ell[a, x]), -R[a, x], ROW),
            ),
            Step(
                "chain rule: the loss differentiated through every logit",
                _identity(diff(unfold(loss(), FULL), Theta[gamma, delta]), gradient(gamma, delta), FULL),
            ),
        ),
    )


def gradient_twins() -> list[FalseTwin]:
    """A flipped sign, lost weights, and the transposed gradient (which would train B -> A)."""
    truth = derive_gradient().identity
    false = {
        "flipped sign": -gradient(gamma, delta),
        "lost training weights": -over_contexts(v[a, gamma] * over_tokens(R[a, j] * v[j, delta], j), a),
        "transposed": gradient(delta, gamma),
        "softmax in place of residual": over_contexts(f[a] * v[a, gamma] * over_tokens(p[a, j] * v[j, delta], j), a),
    }
    return [FalseTwin("bilinear-gradient", name, _identity(truth.lhs, rhs, FULL)) for name, rhs in false.items()]


def logit_rate(context: Expr, token: Expr) -> Expr:
    """dS/dt = G[:,A] F R G, entry by entry: the right-hand side that `numerics` integrates."""
    return over_contexts(f[a] * G[context, a] * over_tokens(R[a, j] * G[j, token], j), a)


@cache
def derive_logit_flow() -> Derivation:
    """dS/dt = G[:,A] F R G: gradient flow sees the embeddings only through their Gram matrix."""
    velocity = -diff(unfold(loss(), FULL), Theta[gamma, delta])
    moved = over_coordinates(v[c, gamma] * velocity * v[x, delta], gamma, delta)
    return Derivation(
        "logit-flow",
        "Gradient flow in logit space",
        REFERENCE + " (in logit space: this project)",
        RANGES,
        (
            *derive_gradient().steps,
            Step(
                "logits move as v_c^T (dTheta/dt) v_x, and G = V V^T",
                _identity(moved, logit_rate(c, x), FULL),
            ),
        ),
    )


def logit_flow_twins() -> list[FalseTwin]:
    """One Gram factor forgotten on either side, the reverse direction trained, and a flipped sign."""
    truth = derive_logit_flow().identity
    coupling = over_tokens(R[a, j] * G[j, x], j)
    false = {
        "flipped sign": -logit_rate(c, x),
        "no coupling between targets": over_contexts(f[a] * G[c, a] * R[a, x], a),
        "no coupling between contexts": over_contexts(f[a] * KroneckerDelta(c, a) * coupling, a),
        "reverse direction": logit_rate(x, c),
    }
    return [FalseTwin("logit-flow", name, _identity(truth.lhs, rhs, FULL)) for name, rhs in false.items()]


LAWS = (Law(derive_gradient, gradient_twins), Law(derive_logit_flow, logit_flow_twins))

"""Gradient flow with weight decay: what an untrained row holds of its own fades as e^{-lambda t}.

dTheta/dt = -g - lambda Theta, where -g = V_A^T D V for any loss of the trained rows' logits (D = F R). The part of an
asked row that does not follow the trained ones, S_q - w_q^T S_A, neither grows nor is learnt: it decays. Steps of
descent have the factor (1 - eta lambda)^k in the place of the exponential: `interpolation-law-weight-decay`.
"""

from functools import cache

import numpy as np
from sympy import Expr, Symbol, diff, exp, transpose

from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.interpolation import (
    ASSUMPTIONS,
    PROJECTED,
    REFERENCE,
    V_A,
    D,
    Theta0,
    V,
    derive_interpolation,
    draw_features,
    untrained_part,
    weight_decay,
)
from theory.statement import Identity, Instance, Scalars
from theory.words import matrix

Theta, C = matrix("Theta"), matrix("C")
time = Symbol("t", nonnegative=True)
start = Symbol("y_0", real=True)


def draw_decay(rng: np.random.Generator) -> Instance:
    """The features of the interpolation law, with parameters and coordinates at some time."""
    return {
        **draw_features(rng),
        Theta: rng.normal(size=(4, 4)),
        C: rng.normal(size=(3, 4)),
        time: rng.uniform(0.5, 2.0),
    }


def draw_scalar(rng: np.random.Generator) -> Instance:
    """One entry of the untrained part: where it started, the decay and the time."""
    return {start: rng.uniform(0.5, 2.0), weight_decay: rng.uniform(0.2, 1.0), time: rng.uniform(0.5, 2.0)}


def _words(lhs: Expr, rhs: Expr) -> Identity:
    return Identity(lhs, rhs, PROJECTED, draw_decay)


def _scalar(lhs: Expr, rhs: Expr) -> Identity:
    return Identity(lhs, rhs, Scalars(), draw_scalar)


def rate(theta: Expr) -> Expr:
    """dTheta/dt = V_A^T D V - lambda Theta."""
    return transpose(V_A) * D * V - weight_decay * theta


def decayed(at: Expr) -> Expr:
    """e^{-lambda t} y_0."""
    return exp(-weight_decay * at) * start


def parameters(at: Expr) -> Expr:
    """Theta = e^{-lambda t} Theta(0) + V_A^T C V."""
    return exp(-weight_decay * at) * Theta0 + transpose(V_A) * C * V


def parameters_rate(at: Expr, coordinates_rate: Expr) -> Expr:
    """Their derivative in time, where C moves by `coordinates_rate`."""
    return diff(exp(-weight_decay * at), at) * Theta0 + transpose(V_A) * coordinates_rate * V


@cache
def derive_weight_decay_flow() -> Derivation:
    """S_q(t) - w_q^T S_A(t) = e^{-lambda t} (S_q(0) - w_q^T S_A(0)), and the coordinates of Theta."""
    return Derivation(
        "weight-decay-flow",
        "Gradient flow with weight decay",
        REFERENCE,
        (
            "dTheta/dt = -g - lambda Theta with -g = V_A^T D V, D = F R for any loss of the trained rows' logits "
            "(law any-loss-flow); the embeddings are fixed and do not decay",
            *ASSUMPTIONS[1:],
            "the flow has one solution from each start (R is Lipschitz in the logits)",
        ),
        statement=r"S_q(t) - w_q^{\top} S_A(t) = e^{-\lambda t} \left(S_q(0) - w_q^{\top} S_A(0)\right), \qquad "
        r"\Theta(t) = e^{-\lambda t} \Theta(0) + V_A^{\top} C V, \quad \frac{dC}{dt} = F R - \lambda C",
        steps=(
            derive_interpolation().steps[0],
            Step(
                "the untrained part moves by -lambda times itself: the gradient has no share in it",
                _words(untrained_part(rate(Theta)), -weight_decay * untrained_part(Theta)),
            ),
            Step("which the exponential solves", _scalar(diff(decayed(time), time), -weight_decay * decayed(time))),
            Step("from the right start", _scalar(decayed(time).subs(time, 0), start)),
            Step(
                "coordinates: with dC/dt = D - lambda C, e^{-lambda t} Theta(0) + V_A^T C V moves as Theta does",
                _words(parameters_rate(time, D - weight_decay * C), rate(parameters(time))),
            ),
            Step(
                "and directly: of Theta in these coordinates only e^{-lambda t} Theta(0) is in the untrained part",
                _words(untrained_part(parameters(time)), exp(-weight_decay * time) * untrained_part(Theta0)),
            ),
        ),
    )


def weight_decay_twins() -> list[FalseTwin]:
    """No decay, twice the decay, growth, its first order in time, coordinates that do not decay."""
    of = "weight-decay-flow"
    left, right = untrained_part(parameters(time)), untrained_part(Theta0)
    return [
        FalseTwin(of, "no decay", _words(left, right)),
        FalseTwin(of, "twice the decay", _words(left, exp(-2 * weight_decay * time) * right)),
        FalseTwin(of, "growth", _words(left, exp(weight_decay * time) * right)),
        FalseTwin(of, "first order in time", _words(left, (1 - weight_decay * time) * right)),
        FalseTwin(of, "coordinates that do not decay", _words(parameters_rate(time, D), rate(parameters(time)))),
    ]


LAWS = (Law(derive_weight_decay_flow, weight_decay_twins),)

"""Factorised parameters, Theta = W_O W_V^T with factors d x r: the balance W_O^T W_O - W_V^T W_V.

Gradient flow conserves it, for any loss of Theta and any width r (see arXiv 2506.10887); one step of gradient descent
changes it in second order of the step, by a term that is written out. The flow in logit space: `factorised_flow`.
"""

from functools import cache

import numpy as np
from sympy import Expr, IndexedBase, Integer, Sum, Symbol, diff, symbols, transpose

from theory.bilinear import RANGES
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import alpha, beta, d, delta, gamma, over_coordinates
from theory.statement import Identity, IndexedSums, Instance
from theory.words import Words, matrix

REFERENCE = "this project; arXiv 2506.10887 for the factorised model"
ASSUMPTIONS = (
    RANGES[0],
    "Theta = W_O W_V^T, both factors trained; the loss is differentiable, g = dL/dTheta, so dL = sum g dTheta",
)

# -- entries, with a width r of any size --
r = Symbol("r", integer=True, positive=True)
i, k = symbols("i k", integer=True)
g, outer, inner = IndexedBase("g"), IndexedBase("W^O"), IndexedBase("W^V")

# -- matrices of every size, and the flow of the factors --
eta = Symbol("eta", positive=True)
W_O, W_V, W_O_rate, W_V_rate, gradient = map(matrix, ("W_O", "W_V", "Wdot_O", "Wdot_V", "g"))
FLOW = Words(rules={W_O_rate: -gradient * W_V, W_V_rate: -transpose(gradient) * W_O})


def draw_entries(rng: np.random.Generator) -> Instance:
    """Factors of width r = 2 in d = 3 coordinates."""
    return {
        d: 3,
        r: 2,
        gamma: int(rng.integers(3)),
        delta: int(rng.integers(3)),
        i: int(rng.integers(2)),
        g: rng.normal(size=(3, 3)),
        outer: rng.normal(size=(3, 2)),
        inner: rng.normal(size=(3, 2)),
    }


def draw_factors(rng: np.random.Generator) -> Instance:
    """Factors of width 2 in 3 coordinates, a gradient, the rates of the flow and a step that is not small."""
    first, second, slope = rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), rng.normal(size=(3, 3))
    return {
        eta: rng.uniform(0.2, 1.0),
        W_O: first,
        W_V: second,
        gradient: slope,
        W_O_rate: -slope @ second,
        W_V_rate: -slope.T @ first,
    }


def _balance(lhs: Expr, rhs: Expr, algebra: Words) -> Identity:
    return Identity(lhs, rhs, algebra, draw_factors)


def balance(first: Expr, second: Expr) -> Expr:
    """W_O^T W_O - W_V^T W_V."""
    return transpose(first) * first - transpose(second) * second


def balance_rate() -> Expr:
    """The derivative of the balance by the product rule."""
    return transpose(W_O_rate) * W_O + transpose(W_O) * W_O_rate - transpose(W_V_rate) * W_V - transpose(W_V) * W_V_rate


def descended() -> tuple[Expr, Expr]:
    """Both factors after one step of gradient descent."""
    return W_O - eta * gradient * W_V, W_V - eta * transpose(gradient) * W_O


def step_change() -> Expr:
    """By how much one step changes the balance: eta^2 (W_V^T g^T g W_V - W_O^T g g^T W_O)."""
    forward, backward = gradient * W_V, transpose(gradient) * W_O
    return eta**2 * (transpose(forward) * forward - transpose(backward) * backward)


def _over_width(term: Expr) -> Expr:
    return Sum(term, (k, 0, r - 1))


def chain_steps() -> tuple[Step, ...]:
    """The gradient of both factors, for any loss of Theta."""
    theta = _over_width(outer[alpha, k] * inner[beta, k])
    linear = over_coordinates(g[alpha, beta] * theta, alpha, beta)
    algebra = IndexedSums()
    return (
        Step(
            "chain rule: sum g dTheta differentiated in W_O is g W_V",
            Identity(
                diff(linear, outer[gamma, i]),
                over_coordinates(g[gamma, beta] * inner[beta, i], beta),
                algebra,
                draw_entries,
            ),
        ),
        Step(
            "and in W_V it is g^T W_O",
            Identity(
                diff(linear, inner[delta, i]),
                over_coordinates(g[alpha, delta] * outer[alpha, i], alpha),
                algebra,
                draw_entries,
            ),
        ),
    )


@cache
def derive_balance() -> Derivation:
    """W_O^T W_O - W_V^T W_V is conserved by gradient flow: any loss, any width."""
    return Derivation(
        "factorised-balance",
        "Balance of the factors",
        REFERENCE,
        (*ASSUMPTIONS, "gradient flow of both factors at one speed"),
        statement=r"\frac{d}{dt} \left(W_O^{\top} W_O - W_V^{\top} W_V\right) = 0",
        steps=(
            *chain_steps(),
            Step(
                "dW_O/dt = -g W_V and dW_V/dt = -g^T W_O: the two halves of the balance move alike",
                _balance(balance_rate(), Integer(0), FLOW),
            ),
        ),
    )


def balance_twins() -> list[FalseTwin]:
    """The sum of the halves, the balance of the wrong sides, factors that move at two speeds."""
    of = "factorised-balance"
    total = transpose(W_O_rate) * W_O + transpose(W_O) * W_O_rate + transpose(W_V_rate) * W_V
    sides = W_O_rate * transpose(W_O) + W_O * transpose(W_O_rate) - W_V_rate * transpose(W_V)
    twice = transpose(W_O_rate) * W_O + transpose(W_O) * W_O_rate
    return [
        FalseTwin(of, "sum conserved", _balance(total + transpose(W_V) * W_V_rate, Integer(0), FLOW)),
        FalseTwin(of, "wrong side", _balance(sides - W_V * transpose(W_V_rate), Integer(0), FLOW)),
        FalseTwin(of, "two speeds", _balance(balance_rate() + twice, Integer(0), FLOW)),
    ]


@cache
def derive_balance_step() -> Derivation:
    """One step of gradient descent changes the balance by a term of second order in the step, and by no other."""
    return Derivation(
        "factorised-balance-step",
        "Balance of the factors under gradient descent",
        REFERENCE,
        (*ASSUMPTIONS, "gradient descent of both factors with one step size eta, g taken where the step starts"),
        (
            *chain_steps(),
            Step(
                "both factors moved by -eta times their gradients",
                _balance(balance(*descended()) - balance(W_O, W_V), step_change(), Words()),
            ),
        ),
    )


def balance_step_twins() -> list[FalseTwin]:
    """Exact conservation, the first order, a flipped sign."""
    of = "factorised-balance-step"
    moved = balance(*descended()) - balance(W_O, W_V)
    return [
        FalseTwin(of, "conserved exactly", _balance(moved, Integer(0), Words())),
        FalseTwin(of, "first order in the step", _balance(moved, step_change() / eta, Words())),
        FalseTwin(of, "flipped sign", _balance(moved, -step_change(), Words())),
    ]


LAWS = (Law(derive_balance, balance_twins), Law(derive_balance_step, balance_step_twins))

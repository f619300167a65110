"""One single-target row under SGD with batch size one: its recursion, and how closely the flow follows it.

After k visits with step eta, h_{k+1} = h_k + eta phi(h_k), phi(h) = 1/(M - 1 + e^{M h}), from h_0 = 0. The flow
dh/dt = phi(h) at time eta k satisfies 0 <= h_k - h(eta k) <= eta/M for every k and every eta > 0: an order-one error
whose constant does not grow with time.
"""

from functools import cache

import numpy as np
from sympy import Expr, Integer, Symbol, exp, simplify, symbols

from theory.decoupled_row import implicit_integral, paper_form, r, s, share
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import m
from theory.statement import Identity, Inequality, Instance, Scalars

REFERENCE = "this project; one-layer transformer of arXiv 2405.04669, Section 4"
ASSUMPTIONS = (
    "rows do not overlap (G = I), and k counts the visits of this one",
    "one target, zero start, batch size one, no momentum, any step size eta > 0",
    "the comparison principle for scalar autonomous equations: larger states stay larger",
)

eta = Symbol("eta", positive=True)
h, y, u, z = symbols("h y u z", nonnegative=True)
DOMAIN = "h >= 0, every size M >= 1, every step size eta > 0"


def draw_recursion(rng: np.random.Generator) -> Instance:
    """A size, a step size and states of moderate size (exponentials stay below 1e9)."""
    return {
        m: int(rng.integers(2, 6)),
        eta: rng.uniform(0.1, 8.0),
        h: rng.uniform(0.0, 1.0),
        y: rng.uniform(0.0, 1.0),
        u: rng.uniform(0.0, 2.0),
        z: rng.uniform(0.0, 1.0),
    }


def phi(state: Expr) -> Expr:
    """Rate of the row at f = 1, from the decoupled row with one target."""
    return paper_form(state, Integer(1))


def clock(state: Expr) -> Expr:
    """g(h) = ((M-1) M h + e^{M h} - 1)/M: the flow reaches h at time g(h), by the implicit integral."""
    at = Symbol("at")
    return simplify(implicit_integral(m * state, at).subs({s: 1, r: m - 1, share: 1}) / m + at)


def _identity(lhs: Expr, rhs: Expr) -> Identity:
    return Identity(lhs, rhs, Scalars(), draw_recursion)


def _nonnegative(expr: Expr, variable: Symbol) -> Inequality:
    return Inequality(expr, variable, draw_recursion, DOMAIN)


def target_step(state: Expr) -> Expr:
    """The target's logit after one SGD step: S_b + eta (1 - p_b) at S_b = (M-1) h, S_j = -h."""
    weight = exp((m - 1) * state)
    return (m - 1) * state + eta * (1 - weight / (weight + (m - 1) * exp(-state)))


def other_step(state: Expr) -> Expr:
    """Any other logit after one SGD step: S_j - eta p_j."""
    weight = exp(-state)
    return -state - eta * weight / (exp((m - 1) * state) + (m - 1) * weight)


@cache
def derive_recursion() -> Derivation:
    """h_{k+1} = h_k + eta/(M-1+e^{M h_k}): one SGD step keeps the two levels."""
    following = h + eta * phi(h)
    return Derivation(
        "sgd-recursion",
        "SGD on one row",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"h_{k+1} = h_k + \frac{\eta}{M - 1 + e^{M h_k}}",
        steps=(
            Step("every other token moves to -h_{k+1}", _identity(other_step(h), -following)),
            Step("the target moves to (M-1) h_{k+1}", _identity(target_step(h), (m - 1) * following)),
        ),
    )


def recursion_twins() -> list[FalseTwin]:
    """A lost size, a flipped sign, the exponential of h alone."""
    false = {
        "exponent without M": h + eta / (m - 1 + exp(h)),
        "flipped sign": h - eta * phi(h),
        "lost vocabulary": h + eta / (1 + exp(m * h)),
    }
    return [
        FalseTwin("sgd-recursion", name, _identity(target_step(h), (m - 1) * following))
        for name, following in false.items()
    ]


def overshoot(step: Expr) -> Expr:
    """g(h + step) - g(h) - step/phi(h): how much more than `step/phi(h)` the flow needs for one Euler step."""
    return clock(h + step) - clock(h) - step / phi(h)


def undershoot(step: Expr) -> Expr:
    """step/phi(y + step) - (g(y + step) - g(y)): how much less the flow needs than at the slowest rate on the way."""
    return step / phi(y + step) - clock(y + step) + clock(y)


@cache
def derive_sandwich() -> Derivation:
    """0 <= h_k - h(eta k) <= eta/M, by induction over k with the flow's clock g, increasing and convex.

    Lower bound: an Euler step from h_k takes the flow at least eta of its time, so h_{k+1} >= flow(h_k, eta), and
    flow(h_k, eta) >= flow(h(eta k), eta). Upper bound: y_k = h_k - eta/M has y_1 = 0 and y_{k+1} = y_k +
    eta phi(y_k + eta/M), a step of length at most eta/M (phi decreases), which the flow makes in at most eta, so
    y_k <= h(eta (k-1)) <= h(eta k).
    """
    return Derivation(
        "sgd-sandwich",
        "SGD stays within eta/M of the flow",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"0 \le h_k - h(\eta k) \le \frac{\eta}{M} \quad \text{for every } k \ge 0,\ \eta > 0",
        steps=(
            *derive_recursion().steps,
            Step("the flow starts at h = 0: g(0) = 0", _identity(clock(Integer(0)), Integer(0))),
            Step("the flow reaches h at time g(h): g'(h) phi(h) = 1", _identity(clock(h).diff(h) * phi(h), Integer(1))),
            Step("the first visit: h_1 = eta phi(0) = eta/M", _identity(eta * phi(Integer(0)), eta / m)),
            Step("phi decreases", _nonnegative(-phi(h).diff(h), h)),
            Step("e^z - 1 - z >= 0", _nonnegative(exp(z) - 1 - z, z)),
            Step(
                "an Euler step of length u from h takes the flow longer than u/phi(h), by e^{Mh}(e^{Mu} - 1 - Mu)/M",
                _identity(overshoot(u), exp(m * h) * (exp(m * u) - 1 - m * u) / m),
            ),
            Step("hence h_{k+1} >= flow(h_k, eta), and 0 <= h_k - h(eta k)", _nonnegative(overshoot(u), u)),
            Step("z e^z - e^z + 1 >= 0", _nonnegative(z * exp(z) - exp(z) + 1, z)),
            Step(
                "a step of length u from y takes the flow less than u/phi(y + u), by e^{My}(Mu e^{Mu} - e^{Mu} + 1)/M",
                _identity(undershoot(u), exp(m * y) * (m * u * exp(m * u) - exp(m * u) + 1) / m),
            ),
            Step(
                "a step u = eta phi(y + eta/M) is at most eta/M, as phi(y + eta/M) <= phi(0) = 1/M",
                _nonnegative(eta / m - eta * phi(y), y),
            ),
            Step("hence y_{k+1} <= flow(y_k, eta), and h_k - h(eta k) <= eta/M", _nonnegative(undershoot(u), u)),
        ),
    )


def sandwich_twins() -> list[FalseTwin]:
    """Euler below the flow, the slow rate taken for the fast one, and elementary bounds with a wrong constant."""
    false = {
        "sides swapped below": -overshoot(u),
        "sides swapped above": -undershoot(u),
        "phi increases": phi(h).diff(h),
        "step at most eta over 2 M": eta / (2 * m) - eta * phi(y),
    }
    variables = {"sides swapped below": u, "sides swapped above": u, "phi increases": h}
    return [
        *(FalseTwin("sgd-sandwich", name, _nonnegative(expr, variables.get(name, y))) for name, expr in false.items()),
        FalseTwin(
            "sgd-sandwich",
            "exponential above a steeper line",
            _nonnegative(exp(z) - 1 - 2 * z, z),
        ),
    ]


LAWS = (Law(derive_recursion, recursion_twins), Law(derive_sandwich, sandwich_twins))

"""The decoupled row (G = I): its scalar equation, its integral, and its closed form by the Wright omega function.

A row of share f with s equally weighted targets among m tokens, started at zero, keeps two levels: z (m-s)/m on each
target and -z s/m on every other token. The paper's case is s = 1 with z = m h: target logit (m-1) h, all others -h.
"""

from functools import cache

import numpy as np
from sympy import Expr, Integer, Sum, Symbol, diff, exp, expand_log, limit, log, oo, simplify, symbols

from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import m
from theory.statement import Identity, Instance, Scalars
from theory.wright_omega import WrightOmega

REFERENCE = "this project (arXiv 2405.04669 gives the row equation's limit)"
ASSUMPTIONS = (
    "G = I: contexts and targets do not overlap",
    "zero start, s equally weighted targets, 1 <= s <= m - 1",
    "the row equation is Lipschitz on bounded times, so its solution is unique (Picard-Lindelof)",
)

s = Symbol("s", integer=True, positive=True)  # number of targets
r = Symbol("r", integer=True, positive=True)  # number of other tokens, m - s
share, time, z, omega = symbols("f t z omega", positive=True)
n = Symbol("n", integer=True)


def draw_row(rng: np.random.Generator) -> Instance:
    """A row with s targets among m = s + r tokens (r unlike s, lest log(r/s) vanish), a share, a state and a time."""
    targets = int(rng.integers(2, 5))
    return {
        s: targets,
        r: targets + int(rng.integers(1, 4)),
        share: rng.uniform(0.1, 1.0),
        z: rng.uniform(0.1, 3.0),
        time: rng.uniform(0.1, 5.0),
        omega: rng.uniform(0.2, 3.0),
    }


def _identity(lhs: Expr, rhs: Expr) -> Identity:
    return Identity(lhs, rhs, Scalars(), draw_row)


def target_logit(state: Expr) -> Expr:
    """The logit of each target, z (m-s)/m."""
    return state * r / (s + r)


def other_logit(state: Expr) -> Expr:
    """The logit of every other token, -z s/m."""
    return -state * s / (s + r)


def partition(state: Expr) -> Expr:
    """Sum of exp over the row, from its two levels."""
    return s * exp(target_logit(state)) + r * exp(other_logit(state))


def target_probability(state: Expr) -> Expr:
    """Softmax probability of one target."""
    return exp(target_logit(state)) / partition(state)


def other_probability(state: Expr) -> Expr:
    """Softmax probability of one other token."""
    return exp(other_logit(state)) / partition(state)


def row_rate(state: Expr, weight: Expr = share) -> Expr:
    """dz/dt = f (m/s) / (s e^z + m - s); for s = 1 and z = m h: dh/dt = f / (m - 1 + e^{m h})."""
    return weight * (s + r) / s / (s * exp(state) + r)


def implicit_integral(state: Expr, at: Expr) -> Expr:
    """s e^z + (m-s) z - s - f m t / s: zero along the solution."""
    return s * exp(state) + r * state - s - share * (s + r) * at / s


def omega_argument(at: Expr) -> Expr:
    """(f m t/s + s)/(m-s) - log((m-s)/s): the argument of the Wright omega function."""
    return (share * (s + r) * at / s + s) / r - log(r / s)


def closed_form(at: Expr) -> Expr:
    """z(t) = log w + log((m-s)/s) with w = omega(argument)."""
    return log(WrightOmega(omega_argument(at))) + log(r / s)


@cache
def derive_row_equation() -> Derivation:
    """The two-level ansatz solves dS/dt = f R, with dz/dt = f (m/s)/(s e^z + m - s)."""
    return Derivation(
        "decoupled-row",
        "Equation of the decoupled row",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"\frac{dz}{dt} = \frac{f\, m/s}{s e^{z} + m - s}, \quad z = m h \text{ for } s = 1",
        steps=(
            Step(
                "r equal terms of a sum",
                _identity(Sum(exp(other_logit(z)), (n, 1, r)).doit(), r * exp(other_logit(z))),
            ),
            Step(
                "probabilities of the row sum to one",
                _identity(s * target_probability(z) + r * other_probability(z), Integer(1)),
            ),
            Step("the row sum stays zero", _identity(s * target_logit(z) + r * other_logit(z), Integer(0))),
            Step(
                "other tokens: dS_j/dt = -f p_j moves -z s/m",
                _identity(diff(other_logit(z), z) * row_rate(z), -share * other_probability(z)),
            ),
            Step(
                "targets: dS_b/dt = f (1/s - p_b) moves z (m-s)/m",
                _identity(diff(target_logit(z), z) * row_rate(z), share * (1 / s - target_probability(z))),
            ),
        ),
    )


def row_equation_twins() -> list[FalseTwin]:
    """A lost size, a flipped sign, and the exponential of h in place of m h."""
    truth = derive_row_equation().identity
    false = {
        "flipped sign": share * (target_probability(z) - 1 / s),
        "one target assumed": share * (1 - target_probability(z)),
        "lost share": 1 / s - target_probability(z),
    }
    return [FalseTwin("decoupled-row", name, _identity(truth.lhs, rhs)) for name, rhs in false.items()]


@cache
def derive_row_integral() -> Derivation:
    """s e^z + (m-s) z = f m t/s + s along the solution: differentiate, and compare at t = 0."""
    return Derivation(
        "decoupled-row-integral",
        "Implicit integral of the decoupled row",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"s e^{z} + (m - s) z = \frac{f m t}{s} + s",
        steps=(
            *derive_row_equation().steps,
            Step(
                "at t = 0, z = 0 the integral is zero",
                _identity(implicit_integral(Integer(0), Integer(0)), Integer(0)),
            ),
            Step(
                "its derivative along dz/dt vanishes",
                _identity(
                    diff(implicit_integral(z, time), z) * row_rate(z) + diff(implicit_integral(z, time), time),
                    Integer(0),
                ),
            ),
        ),
    )


def row_integral_twins() -> list[FalseTwin]:
    """Integrals with a lost factor, a wrong power of s and a wrong sign do not stay constant."""

    def along(integral: Expr) -> Expr:
        return diff(integral, z) * row_rate(z) + diff(integral, time)

    false = {
        "lost factor m": s * exp(z) + r * z - s - share * time / s,
        "wrong power of s": s * exp(z) + r * z - s - share * (s + r) * time,
        "flipped sign": s * exp(z) - r * z - s - share * (s + r) * time / s,
    }
    return [FalseTwin("decoupled-row-integral", name, _identity(along(i), Integer(0))) for name, i in false.items()]


@cache
def derive_closed_form() -> Derivation:
    """z(t) = log w + log((m-s)/s), w = omega((f m t/s + s)/(m-s) - log((m-s)/s)), solves the row equation."""
    w = WrightOmega(omega_argument(time))
    # w + log w = argument is the definition of omega; used to replace log w
    by_definition = {log(w): omega_argument(time) - w}
    solved = implicit_integral(closed_form(time), time)
    slope = diff(closed_form(time), time).xreplace({w: omega})
    rate = row_rate(log(omega) + log(r / s))
    return Derivation(
        "closed-form",
        "Closed form of the decoupled row",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"z(t) = \ln \omega\left(\frac{f m t / s + s}{m - s} - \ln\frac{m-s}{s}\right) + \ln\frac{m-s}{s}",
        steps=(
            *derive_row_integral().steps,
            Step(
                "omega + log(omega) = its argument turns the implicit integral into an identity",
                _identity(solved.xreplace(by_definition), Integer(0)),
            ),
            Step(
                "directly: the derivative of the closed form is the row equation's right-hand side",
                _identity(slope, rate),
            ),
        ),
    )


def closed_form_twins() -> list[FalseTwin]:
    """The forgotten logarithm of the offset, a lost size in the argument, a flipped sign."""

    def implicit(argument: Expr, offset: Expr) -> Expr:
        return implicit_integral(log(WrightOmega(argument)) + offset, time)

    false = {
        "forgotten offset": implicit(omega_argument(time), Integer(0)),
        "lost start value": implicit(omega_argument(time) - s / r, log(r / s)),
        "flipped sign of the logarithm": implicit(omega_argument(time) + 2 * log(r / s), log(r / s)),
    }
    return [FalseTwin("closed-form", name, _identity(lhs, Integer(0))) for name, lhs in false.items()]


@cache
def derive_late_time() -> Derivation:
    """t (1 - s p_b) -> s (m-s) / (m f): the training loss of a row falls like 1/t."""
    # along the solution w = s e^z / r, and the implicit integral gives t as a function of w
    at = (r * omega + r * (log(omega) + log(r / s)) - s) * s / (share * (s + r))
    together = s * target_probability(log(omega) + log(r / s))
    return Derivation(
        "late-time",
        "Late times of the decoupled row",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"\lim_{t \to \infty} t\,(1 - s\,p_b) = \frac{s (m - s)}{m f}",
        steps=(
            *derive_closed_form().steps,
            Step(
                "the probability of all targets together is omega / (1 + omega)",
                _identity(together, omega / (1 + omega)),
            ),
            Step(
                "t as a function of omega, from the implicit integral",
                _identity(implicit_integral(log(omega) + log(r / s), at), Integer(0)),
            ),
            Step(
                "limit of t (1 - s p_b) as omega grows without bound",
                _identity(limit(expand_log(at * simplify(1 - together)), omega, oo), s * r / (share * (s + r))),
            ),
        ),
    )


def late_time_twins() -> list[FalseTwin]:
    """A limit without the size of the vocabulary, one of the wrong power."""
    truth = derive_late_time().identity
    false = {"lost vocabulary": 1 / share, "wrong power": truth.rhs**2}
    return [FalseTwin("late-time", name, _identity(truth.lhs, rhs)) for name, rhs in false.items()]


def paper_form(h: Expr, weight: Expr) -> Expr:
    """dh/dt for one target, z = m h: f / (m - 1 + e^{m h})."""
    one = row_rate(m * h, weight).subs({s: 1, r: m - 1})
    return simplify(one / m)


LAWS = (
    Law(derive_row_equation, row_equation_twins),
    Law(derive_row_integral, row_integral_twins),
    Law(derive_closed_form, closed_form_twins),
    Law(derive_late_time, late_time_twins),
)

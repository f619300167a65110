"""How many visits a row of the one-layer transformer needs until its target has probability 1 - a: certain integers.

One target among M tokens, zero start, SGD with batch size one and step eta. The flow needs the time
T = ((M-1) (ln((M-1) w) + w) - 1)/M to odds p/(1-p) = w = (1-a)/a. Descent is never behind the flow, so ceil(T/eta)
visits suffice. It is ahead by at most eta/M in h (the sandwich of `theory.sgd_row`), and by at most
(e^eta/2) ln((M-1)/(M a)) visits, so that fewer do not. "t of order N ln M/eta" of Theorems 3 and 4 is this with its
constants, for constant a; a visit is a step on this row, not any step.
"""

from functools import cache

import numpy as np
from sympy import Eq, Expr, Integer, Symbol, exp, factor, log, simplify, solve

from theory.decoupled_row import closed_form, omega_argument, r, s, share, target_probability
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import m
from theory.sgd_row import ASSUMPTIONS, clock, derive_sandwich, draw_recursion, eta, h, overshoot, phi, u, z
from theory.statement import Identity, Inequality, Instance, Scalars
from theory.wright_omega import WrightOmega

REFERENCE = "this project; the rate of Theorems 3 and 4 of arXiv 2405.04669"
DOMAIN = "h, u, z >= 0, every size M >= 1"

odds_reached = Symbol("w", positive=True)
visited = Symbol("k", nonnegative=True)


# -- the law, derived for every size --
@cache
def _probability_and_odds() -> tuple[Expr, Expr]:
    """p and p/(1 - p) at the letter h. Simplified here once: at long states that takes seconds."""
    p = simplify(target_probability(m * h).subs({s: 1, r: m - 1}))
    return p, simplify(p / (1 - p))


def probability(state: Expr) -> Expr:
    """p of the target at state h: e^{M h}/(M - 1 + e^{M h}), from the decoupled row with one target."""
    return _probability_and_odds()[0].subs(h, state)


def odds(state: Expr) -> Expr:
    """p/(1 - p) of the target at state h."""
    return _probability_and_odds()[1].subs(h, state)


@cache
def state_at_odds() -> Expr:
    """The state h at which p/(1 - p) = w, by solving p = w/(1 + w) for h."""
    (state,) = solve(Eq(probability(h), odds_reached / (1 + odds_reached)), h)
    return state


@cache
def time_until() -> Expr:
    """The flow time at which h has odds w."""
    return clock(state_at_odds())


@cache
def time_short() -> Expr:
    """The flow time at which h is still eta/M below the state with odds w; negative where that state is below zero."""
    return clock(state_at_odds() - eta / m)


@cache
def flow_log_odds_argument() -> Expr:
    """The argument of the Wright omega function at time eta k, for one target: omega of it is the flow's odds."""
    return omega_argument(visited).subs({s: 1, r: m - 1, share: eta})


def flow_state(visits: Expr) -> Expr:
    """h(eta k) in closed form: M h = log w + log(M - 1)."""
    return closed_form(visits).subs({s: 1, r: m - 1, share: eta}) / m


def draw_visits(rng: np.random.Generator) -> Instance:
    """The letters of the recursion, odds and a number of visits, both of order one."""
    return {**draw_recursion(rng), odds_reached: rng.uniform(0.5, 5.0), visited: rng.uniform(0.5, 5.0)}


def _identity(lhs: Expr, rhs: Expr) -> Identity:
    return Identity(lhs, rhs, Scalars(), draw_visits)


def _nonnegative(expr: Expr, variable: Symbol) -> Inequality:
    return Inequality(expr, variable, draw_visits, DOMAIN)


@cache
def derive_visits() -> Derivation:
    """p_k >= 1 - a once the flow has odds w = (1-a)/a, and p_k < 1 - a while the flow, eta/M ahead, has not.

    Both sides come from the sandwich; the upper one in the form h_k <= h(eta (k-1)) + eta/M for k >= 1 that its
    induction gives.
    """
    w, size = odds_reached, m
    needed = ((size - 1) * (log((size - 1) * w) + w) - 1) / size
    short = ((size - 1) * (log((size - 1) * w) - eta + w * exp(-eta)) - 1) / size
    omega = WrightOmega(flow_log_odds_argument())
    return Derivation(
        "visits",
        "Visits until the target has probability 1 - a",
        REFERENCE,
        (*ASSUMPTIONS, "0 < a < 1 - 1/M, so that the state with odds w = (1 - a)/a lies above the start"),
        statement=r"T(x) = \frac{(M-1)(x + e^{x}/(M-1)) - 1}{M}, \; x_a = \ln\frac{(M-1)(1-a)}{a}: \quad"
        r" k \ge \frac{T(x_a)}{\eta} \Rightarrow p_k \ge 1 - a, \quad"
        r" k < 1 + \frac{T(x_a - \eta)}{\eta} \Rightarrow p_k < 1 - a",
        steps=(
            *derive_sandwich().steps,
            Step("the odds p/(1-p) of the target are e^{M h}/(M - 1)", _identity(odds(h), exp(m * h) / (m - 1))),
            Step("p grows with h", _nonnegative(probability(h).diff(h), h)),
            Step("odds w are reached at h = ln((M-1) w)/M", _identity(odds(state_at_odds()), w)),
            Step("the flow is there at this time, by its clock", _identity(time_until(), needed)),
            Step("and eta/M below it at this one", _identity(time_short(), short)),
            Step("conversely the flow's odds at time eta k are omega", _identity(odds(flow_state(visited)), omega)),
            Step(
                "and eta/M above the flow they are e^eta omega",
                _identity(odds(flow_state(visited) + eta / m), exp(eta) * omega),
            ),
        ),
    )


def visits_twins() -> list[FalseTwin]:
    """A lost logarithm, a lost start, a shift of eta for one of eta/M, the inverse odds, p that falls."""
    steps = {step.rule: step.statement for step in derive_visits().steps}
    needed = steps["the flow is there at this time, by its clock"]
    short = steps["and eta/M below it at this one"]
    assert isinstance(needed, Identity)
    assert isinstance(short, Identity)
    w = odds_reached
    false: dict[str, Identity | Inequality] = {
        "lost logarithm": _identity(needed.lhs, ((m - 1) * w - 1) / m),
        "lost start value": _identity(needed.lhs, needed.rhs + 1 / m),
        "shift by eta": _identity(clock(state_at_odds() - eta), short.rhs),
        "odds of the other tokens": _identity(odds(state_at_odds()), 1 / w),
        "p falls with h": _nonnegative(-probability(h).diff(h), h),
        "rate for odds": _identity(odds(h), phi(h)),
    }
    return [FalseTwin("visits", name, statement) for name, statement in false.items()]


def gained(step: Expr) -> Expr:
    """X = (e^{M u} - 1) e^{M h} phi(h) >= 0: M - 1 + e^{M h} grows by the factor 1 + X in a step of length u."""
    return (exp(m * step) - 1) * exp(m * h) * phi(h)


def per_growth(length: Expr) -> Expr:
    """e^z/2: visits that a step with M u = z gains on the flow, for each unit by which -ln phi grows in it."""
    return exp(length) / 2


@cache
def head_start() -> Expr:
    """(e^eta/2) ln((M - 1) (1 + w)/M): by how many visits at most descent reaches odds w before the flow."""
    return per_growth(eta) * log(factor(phi(Integer(0)) / phi(state_at_odds())))


@cache
def derive_head_start() -> Derivation:
    """k visits with odds at or above w need k >= T/eta - (e^eta/2) ln((M-1)(1+w)/M), T the flow's time to w.

    Sum over the visits the flow time that each gains. From h a step, or the part of it that ends at the state asked
    for, has length u <= eta phi(h) <= eta/M and takes the flow at most eta + overshoot(u); and overshoot(u) is at most
    eta X/2 <= (eta/2) e^{M u} ln(1 + X) <= (eta/2) e^eta ln(1 + X), whose sum telescopes.
    """
    return Derivation(
        "visits-head-start",
        "How many visits descent is ahead of the flow",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"p_k \ge \frac{w}{1 + w} \;\Rightarrow\; k \ge \frac{T(w)}{\eta} - \frac{e^{\eta}}{2}"
        r" \ln\frac{(M-1)(1+w)}{M}, \quad T(w) = \frac{(M-1)(\ln((M-1) w) + w) - 1}{M}",
        steps=(
            *derive_visits().steps,
            Step("z (e^z + 1) >= 2 (e^z - 1)", _nonnegative(z * (exp(z) + 1) - 2 * (exp(z) - 1), z)),
            Step(
                "so the overshoot of a step u = (its eta) phi(h) is at most that eta times X/2",
                _identity(
                    u / phi(h) * gained(u) / 2 - overshoot(u),
                    exp(m * h) * (m * u * (exp(m * u) + 1) - 2 * (exp(m * u) - 1)) / (2 * m),
                ),
            ),
            Step("X <= e^{M u} - 1", _nonnegative(exp(m * u) - 1 - gained(u), u)),
            Step(
                "so X/2 <= (e^{M u}/2) X/(1 + X)",
                _nonnegative(per_growth(m * u) * gained(u) / (1 + gained(u)) - gained(u) / 2, u),
            ),
            Step("where X/(1 + X) <= ln(1 + X), with z = ln(1 + X)", _nonnegative(z - 1 + exp(-z), z)),
            Step("ln(1 + X) telescopes: it is the growth of -ln phi", _identity(phi(h) / phi(h + u), 1 + gained(u))),
            Step(
                "from 1/phi(0) = M to (M - 1) (1 + w) at odds w; every e^{M u} is at most e^eta",
                _identity(head_start(), exp(eta) / 2 * log((m - 1) * (1 + odds_reached) / m)),
            ),
        ),
    )


def head_start_twins() -> list[FalseTwin]:
    """Half the overshoot, a gain above that of all tokens, a logarithm without M, the tangent taken too steep."""
    of = "visits-head-start"
    return [
        FalseTwin(of, "half the overshoot", _nonnegative(u / phi(h) * gained(u) / 4 - overshoot(u), u), seed=1),
        FalseTwin(of, "gain above all", _nonnegative(gained(u) - exp(m * u) + 1, u)),
        FalseTwin(of, "tangent too steep", _nonnegative(z - 2 + 2 * exp(-z), z)),
        FalseTwin(of, "growth without X", _identity(phi(h) / phi(h + u), exp(m * u))),
        FalseTwin(of, "lost size", _identity(head_start(), per_growth(eta) * log(1 + odds_reached))),
    ]


LAWS = (Law(derive_visits, visits_twins), Law(derive_head_start, head_start_twins))

"""The largest step size for which the tokens that a row never names keep its smallest logits.

One row of the one-layer transformer from zero; every step (SGD, GD or a minibatch, no momentum) adds c (bhat - p) with
bhat the targets of the step and 0 <= c <= eta. The claim S_k >= S_j for every token k and every unseen token j survives
a step from gap z = S_k - S_j when (e^z - 1)/(e^z + M - 1) <= z/eta, so every eta up to

    eta*(M) = min over z > 0 of z (e^z + M - 1)/(e^z - 1),   a minimum of z + M z/(e^z - 1), convex in z,

is safe. For M >= 3 two steps break the ordering at any larger eta; at M = 2 there is no second target to break it with.
"""

from functools import cache

import numpy as np
from sympy import Expr, Integer, Symbol, diff, exp, limit, oo, simplify, solve, symbols

from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import m
from theory.sgd_row import eta
from theory.statement import Identity, Inequality, Instance, Scalars

REFERENCE = "this project; one-layer transformer of arXiv 2405.04669, Section 4"
ASSUMPTIONS = (
    "rows do not overlap (G = I), zero start",
    "each step adds c (bhat - p) to the row with 0 <= c <= eta, by plain steps without momentum",
    "token j is never a target of the row: its entry of every bhat is zero",
)
DOMAIN = "z >= 0, every size M >= 1, every c in [0, eta]"

z, gain, excess, weight, spare, target = symbols("z x excess c spare bhat", nonnegative=True)


# -- the law, derived for every size --
def ratio(gap: Expr) -> Expr:
    """z (e^z + M - 1)/(e^z - 1): the largest step that is safe at gap z > 0."""
    return gap * (exp(gap) + m - 1) / (exp(gap) - 1)


def slack(gap: Expr) -> Expr:
    """z (e^z + M - 1) - eta (e^z - 1): nonnegative where the step eta is safe at gap z, z = 0 included."""
    return gap * (exp(gap) + m - 1) - eta * (exp(gap) - 1)


def curvature(gap: Expr) -> Expr:
    """z (e^z + 1) - 2 (e^z - 1): the factor of the second derivative of z/(e^z - 1) that has its sign."""
    return gap * (exp(gap) + 1) - 2 * (exp(gap) - 1)


def slope(gap: Expr) -> Expr:
    """z e^z - e^z + 1: minus the derivative of z/(e^z - 1), times (e^z - 1)^2."""
    return gap * exp(gap) - exp(gap) + 1


@cache
def size_at() -> Expr:
    """M(z): the size whose ratio is stationary, and so smallest, at z."""
    (size,) = solve(diff(ratio(z), z), m)
    return simplify(size)


@cache
def step_at() -> Expr:
    """eta*(z): the ratio at its minimum, for the size M(z)."""
    return simplify(ratio(z).subs(m, size_at()))


def other_probability() -> Expr:
    """p_j = e^{S_j}/sum of e^S = 1/(M + x + excess), x = e^z - 1; the other M - 2 tokens add excess >= 0."""
    return 1 / (m + gain + excess)


def gap_after() -> Expr:
    """S_k - S_j after a step of size c, when x = e^z - 1: z + c (bhat_k - p_k) - c (0 - p_j)."""
    p = other_probability()
    return z + weight * (target - (1 + gain) * p) + weight * p


def draw_gap(rng: np.random.Generator) -> Instance:
    """A size, a gap, a step c with something to spare below eta, and a target weight."""
    return {
        m: int(rng.integers(2, 6)),
        z: rng.uniform(0.2, 3.0),
        gain: rng.uniform(0.1, 5.0),
        excess: rng.uniform(0.1, 3.0),
        weight: rng.uniform(0.1, 4.0),
        spare: rng.uniform(0.1, 2.0),
        target: rng.uniform(0.0, 1.0),
        eta: rng.uniform(0.5, 8.0),
    }


def _identity(lhs: Expr, rhs: Expr) -> Identity:
    return Identity(lhs, rhs, Scalars(), draw_gap)


def _nonnegative(expr: Expr, variable: Symbol) -> Inequality:
    return Inequality(expr, variable, draw_gap, DOMAIN)


@cache
def derive_ordering() -> Derivation:
    """S_k >= S_j at every step while eta <= eta*(M), with eta* in closed form along z.

    Induction over steps. All logits are at or above S_j, so p_j <= 1/(e^z + M - 1), and a step lowers the gap z by at
    most eta (e^z - 1)/(e^z + M - 1), which is at most z when eta <= ratio(z). The ratio is z + M z/(e^z - 1), convex,
    so it is smallest where its derivative vanishes. M(z) increases from 2, so every M > 2 has one such z; at M = 2 the
    infimum 2 is that of z -> 0.
    """
    bound = gain / (m + gain)
    return Derivation(
        "unseen-smallest",
        "Unseen targets keep the smallest logits of their row",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"\eta \le \eta^*(M) = \min_{z > 0} \frac{z (e^{z} + M - 1)}{e^{z} - 1} \;\Rightarrow\; "
        r"S_{ak} \ge S_{aj} \text{ at every step}, \quad M(z) = \frac{(e^{z} - 1)^2}{z e^{z} - e^{z} + 1},\; "
        r"\eta^*(M(z)) = \frac{z^2 e^{z}}{z e^{z} - e^{z} + 1}",
        steps=(
            Step("x = e^z - 1 is nonnegative", _nonnegative(exp(z) - 1, z)),
            Step(
                "a step of size c moves the gap by c bhat_k - c x p_j",
                _identity(gap_after(), z + weight * target - weight * gain * other_probability()),
            ),
            Step(
                "as no logit is below S_j, p_j <= 1/(M + x)", _nonnegative(1 / (m + gain) - other_probability(), excess)
            ),
            Step(
                "so with c <= eta = c + spare the gap falls by at most eta x/(M + x)",
                _nonnegative(gap_after() - z + (weight + spare) * bound, target),
            ),
            Step("x/(M + x) = z/ratio(z)", _identity(bound.subs(gain, exp(z) - 1), z / ratio(z))),
            Step(
                "the step eta is safe at z when slack = (e^z - 1) (ratio(z) - eta) >= 0",
                _identity(slack(z), (exp(z) - 1) * (ratio(z) - eta)),
            ),
            Step("ratio(z) = z + M z/(e^z - 1)", _identity(ratio(z), z + m * z / (exp(z) - 1))),
            Step(
                "its second derivative",
                _identity(diff(ratio(z), z, 2), m * exp(z) * curvature(z) / (exp(z) - 1) ** 3),
            ),
            Step("which is nonnegative: the ratio is convex", _nonnegative(curvature(z), z)),
            Step(
                "it is stationary at z for the size M(z)", _identity(diff(ratio(z), z).subs(m, size_at()), Integer(0))
            ),
            Step("M(z) in closed form", _identity(size_at(), 1 + exp(z) * (exp(z) - 1 - z) / slope(z))),
            Step(
                "M(z) increases",
                _identity(diff(size_at(), z), exp(z) * (exp(z) - 1) * curvature(z) / slope(z) ** 2),
            ),
            Step("from 2, its limit at z -> 0", _identity(limit(size_at(), z, 0), Integer(2))),
            Step("without bound", _identity(limit(1 / size_at(), z, oo), Integer(0))),
            Step("at z -> 0 eta* is 2 too", _identity(limit(step_at(), z, 0), Integer(2))),
            Step("eta* at M(z)", _identity(step_at(), z**2 * exp(z) / slope(z))),
        ),
    )


def ordering_twins() -> list[FalseTwin]:
    """A residual of the wrong sign, a lost token, twice the step, a lost power of z, a size that starts at 1."""
    of = "unseen-smallest"
    bound = gain / (m + gain)
    return [
        FalseTwin(of, "gap grows", _nonnegative(gap_after() - z - weight * target, target)),
        FalseTwin(of, "one token more", _nonnegative(1 / (m + 1 + gain) - other_probability(), excess)),
        FalseTwin(of, "half the step", _nonnegative(gap_after() - z + weight * bound / 2, target), seed=2),
        FalseTwin(of, "exponential squared", _identity(slack(z), (exp(2 * z) - 1) * (ratio(z) - eta))),
        FalseTwin(of, "concave", _nonnegative(-curvature(z), z)),
        FalseTwin(of, "lost power", _identity(step_at(), z * exp(z) / slope(z))),
        FalseTwin(of, "size less one", _identity(size_at(), exp(z) * (exp(z) - 1 - z) / slope(z))),
    ]


@cache
def derive_sharpness() -> Derivation:
    """For M >= 3 and any eta > eta*(M) two steps put a token that was a target below the unseen ones.

    Let ratio(z) < eta; such z lie in (0, eta). A batch whose share z/eta names k, in this row, moves the gap from zero
    to z; every token but k is still level with j. One full step on another target b then leaves the gap below zero.
    """
    level = exp(z) / (exp(z) + m - 1), 1 / (exp(z) + m - 1)  # p_k and p_j while all but k are level
    after = z - eta * level[0] + eta * level[1]
    return Derivation(
        "unseen-smallest-sharp",
        "Above the largest step two minibatches break the ordering",
        REFERENCE,
        (*ASSUMPTIONS[:2], "M >= 3: a target k, another target b and an unseen token j"),
        statement=r"M \ge 3,\; \eta > \eta^*(M) \;\Rightarrow\; S_{ak} < S_{aj} \text{ after a batch of share } "
        r"z/\eta \text{ on } k \text{ and a step on } b, \text{ for every } z \text{ with } "
        r"\frac{z (e^{z} + M - 1)}{e^{z} - 1} < \eta",
        steps=(
            Step("where the ratio is below eta, z is below eta", _identity(ratio(z) - z, m * z / (exp(z) - 1))),
            Step(
                "from zero, a step of size z on target k makes the gap z",
                _identity(gap_after().subs({target: 1, gain: 0, weight: z, z: 0}, simultaneous=True), z),
            ),
            Step(
                "the gap after a step of size eta on b: minus what is missing of a safe step",
                _identity(after, slack(z) * level[1]),
            ),
            Step("which has the sign of ratio - eta", _identity(slack(z), (exp(z) - 1) * (ratio(z) - eta))),
        ),
    )


def sharpness_twins() -> list[FalseTwin]:
    """A step on k itself in place of b, a first step that a uniform row would not make."""
    of = "unseen-smallest-sharp"
    again = gap_after().subs({target: 1, gain: exp(z) - 1, excess: 0, weight: eta})
    first = gap_after().subs({target: 1, gain: 0, weight: z, z: 0}, simultaneous=True)
    return [
        FalseTwin(of, "second step on k", _identity(again, slack(z) / (exp(z) + m - 1))),
        FalseTwin(of, "first step less 1/M", _identity(first, z * (1 - 1 / m))),
    ]


LAWS = (Law(derive_ordering, ordering_twins), Law(derive_sharpness, sharpness_twins))

"""The largest step size for which the tokens that a row never names keep its smallest logits.

One row of the one-layer transformer from zero; every step (SGD, GD or a minibatch, no momentum) adds c (bhat - p) with
bhat the targets of the step and 0 <= c <= eta. The claim S_k >= S_j for every token k and every unseen token j survives
a step from gap z = S_k - S_j when (e^z - 1)/(e^z + M - 1) <= z/eta, so every eta up to

    eta*(M) = min over z > 0 of z (e^z + M - 1)/(e^z - 1),   a minimum of z + M z/(e^z - 1), convex in z,

is safe. For M >= 3 two steps break the ordering at any larger eta; at M = 2 there is no second target to break it with.
"""

import numbers
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from math import ceil, floor
from typing import NamedTuple

import numpy as np
from flint import arb, ctx
from sympy import Expr, Integer, Rational, Symbol, diff, exp, expand, limit, oo, simplify, solve, symbols

from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.errors import BadInput
from theory.notation import m
from theory.proof import Outcome, Proof, prove
from theory.proof_domain import Domain
from theory.sgd_row import eta
from theory.statement import Identity, Inequality, Instance, Scalars
from theory.visits import ball_at, ball_of, exactness_problems, fraction, size_problems

REFERENCE = "this project; one-layer transformer of arXiv 2405.04669, Section 4"
ASSUMPTIONS = (
    "rows do not overlap (G = I), zero start",
    "each step adds c (bhat - p) to the row with 0 <= c <= eta, by plain steps without momentum",
    "token j is never a target of the row: its entry of every bhat is zero",
)
DOMAIN = "z >= 0, every size M >= 1, every c in [0, eta]"

DIGITS = (1, 12)

# Bits of the balls: eta* is wanted to some 15 digits, at a minimum where 64 bits of z leave an error of 128.
PRECISION = 192
HALVINGS = 64

z, gain, excess, weight, spare, target = symbols("z x excess c spare bhat", nonnegative=True)


class OrderingError(BadInput):
    """A size, step size or schedule that cannot be used."""


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


# -- certain bounds for one size --
@dataclass(frozen=True)
class StepBounds:
    """lower <= eta*(M) <= upper: the ordering is proved at `lower`; at `upper` the inequality fails at `witness`."""

    vocabulary_size: int
    lower: Fraction
    upper: Fraction
    witness: Fraction
    proof: Proof


def prove_step(vocabulary_size: int, learning_rate: Fraction | int | Rational) -> Outcome:
    """Whether slack(z) >= 0 over z in [0, oo) for one M and eta: a Proof, a Refutation or Unproved.

    What is proved is e^{-z} slack(z) = z + z (M-1) e^{-z} - eta + eta e^{-z} >= 0, whose parts stay bounded in the tail
    or grow there.
    """
    _check_size(vocabulary_size)
    step = _checked_step(learning_rate)
    instance = {m: Integer(vocabulary_size), eta: Rational(step.numerator, step.denominator)}
    return prove(expand(exp(-z) * slack(z).subs(instance)), Domain.of((z, 0, oo)))


@lru_cache(maxsize=None, typed=True)
def largest_step(vocabulary_size: int, digits: int = 7) -> StepBounds:
    """eta*(M) between two decimals 3 units of 10^-digits apart at most: proved at the lower, refuted at the upper.

    M from 2 to 1e9 and digits from 1 to 12, else OrderingError.
    """
    _check_size(vocabulary_size)
    if not isinstance(digits, numbers.Integral) or not DIGITS[0] <= digits <= DIGITS[1]:
        raise OrderingError(f"digits must be a whole number from {DIGITS[0]} to {DIGITS[1]}, got {digits!r}")
    unit = Fraction(1, 10**digits)
    if vocabulary_size == 2:  # ratio = z coth(z/2) = 2 + z^2/6 - ...: smallest, 2, in the limit z -> 0
        lower, witness, upper = Fraction(2), Fraction(1, 10**digits), 2 + unit
    else:
        witness = stationary_gap(vocabulary_size)
        smallest = _ball(ratio(z), vocabulary_size, witness)
        # half a unit of room on both sides, so that neither decimal is eta* itself
        lower = floor(fraction(smallest.lower()) / unit - Fraction(1, 2)) * unit
        upper = ceil(fraction(smallest.upper()) / unit + Fraction(1, 2)) * unit
    proof = prove_step(vocabulary_size, lower)
    if not isinstance(proof, Proof) or not breaks_at(vocabulary_size, upper, witness):
        raise ArithmeticError(
            f"bounds {lower} and {upper} of the step at M = {vocabulary_size} do not certify: {proof}"
        )
    return StepBounds(vocabulary_size, lower, upper, witness, proof)


def stationary_gap(vocabulary_size: int) -> Fraction:
    """z* with M(z*) = M for M >= 3, to 2^-60: bisection of M(z), which increases, on certain signs."""
    low, high = Fraction(1, 2), Fraction(32)  # M(1/2) < 3 and M(32) > 1e9
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _ball(size_at(), vocabulary_size, middle) < vocabulary_size:
            low = middle
        else:
            high = middle
    return low


def breaks_at(vocabulary_size: int, learning_rate: Fraction, gap: Fraction) -> bool:
    """Whether the step is certainly unsafe at this gap: the ball of the slack lies below zero."""
    return bool(_ball(slack(z), vocabulary_size, gap, learning_rate) < 0)


# -- schedules that break the ordering --
class Visit(NamedTuple):
    """A step of the row: the share `weight` of the batch that names `target` in it; the rest is of other rows."""

    target: int
    weight: Fraction


def breaking_schedule(vocabulary_size: int, learning_rate: Fraction | int | Rational) -> list[Visit] | None:
    """Two steps from zero after which target 0 lies below every token that no step names, at any eta > eta*(M).

    The first weight r/B, r of B examples on target 0, has the least B that enclosures certify. None for M = 2 (no
    other target exists) and where the step is not certainly above eta*(M). Raises OrderingError on bad input.
    """
    _check_size(vocabulary_size)
    step = _checked_step(learning_rate)
    if vocabulary_size == 2:
        return None
    least = stationary_gap(vocabulary_size)
    if not breaks_at(vocabulary_size, step, least):
        return None
    # the ratio is convex, so the gaps that break form an interval around `least`: find its ends from inside
    ends = []
    for outside in (Fraction(0), step):
        inside = least
        for _ in range(HALVINGS):
            middle = (inside + outside) / 2
            if breaks_at(vocabulary_size, step, middle):
                inside = middle
            else:
                outside = middle
        ends.append(inside / step)
    return [Visit(0, _simplest_between(*ends)), Visit(1, Fraction(1))]


def row_after(
    vocabulary_size: int, learning_rate: Fraction | int | Rational, schedule: list[Visit]
) -> tuple[dict[int, arb], arb]:
    """Balls of the logits of every target of the schedule, and of a token that it never names, from zero.

    S <- S + eta weight (e_target - p), with p the softmax over all M tokens. Raises OrderingError when the schedule
    names all M tokens or a weight lies outside [0, 1].
    """
    _check_size(vocabulary_size)
    step = _checked_step(learning_rate)
    targets = sorted({visit.target for visit in schedule})
    if len(targets) >= vocabulary_size or any(not 0 <= visit.weight <= 1 for visit in schedule):
        raise OrderingError(
            f"a schedule names fewer targets than the {vocabulary_size} tokens and has weights in [0, 1], "
            f"got targets {targets} and weights {[str(visit.weight) for visit in schedule]}"
        )
    with ctx.workprec(PRECISION):
        logits, unseen = {k: arb(0) for k in targets}, arb(0)
        for visit in schedule:
            size = ball_of(step * visit.weight)
            total = sum((s.exp() for s in logits.values()), (vocabulary_size - len(targets)) * unseen.exp())
            logits = {k: s + size * ((k == visit.target) - s.exp() / total) for k, s in logits.items()}
            unseen = unseen - size * unseen.exp() / total
    return logits, unseen


def _ball(tree: Expr, vocabulary_size: int, gap: Fraction, learning_rate: Fraction = Fraction(0)) -> arb:
    """The tree at one size, gap and step, to PRECISION bits."""
    with ctx.workprec(PRECISION):
        return ball_at(tree, {m: Fraction(vocabulary_size), z: gap, eta: learning_rate})


def _simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The fraction of least denominator in [low, high], 0 < low < high, by continued fractions."""
    whole = ceil(low)
    if whole <= high:
        return Fraction(whole)
    return floor(low) + 1 / _simplest_between(1 / (high - floor(low)), 1 / (low - floor(low)))


def _check_size(vocabulary_size: int) -> None:
    if problems := size_problems(vocabulary_size):
        raise OrderingError(problems[0])


def _checked_step(learning_rate: Fraction | int | Rational) -> Fraction:
    if problems := exactness_problems("learning rate", learning_rate):
        raise OrderingError(problems[0])
    if learning_rate <= 0:
        raise OrderingError(f"the learning rate must be positive, got {learning_rate}")
    return Fraction(learning_rate)


LAWS = (Law(derive_ordering, ordering_twins), Law(derive_sharpness, sharpness_twins))

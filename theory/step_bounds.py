"""Certain bounds on the largest step that keeps unseen logits the smallest of their row, and data that breaks it above.

The law is derived in `theory.ordering`; here it is proved, for one size at a time, at a step just below eta*(M) and
refuted just above.
"""

import numbers
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import NamedTuple

from flint import arb, ctx
from sympy import Expr, Integer, Rational, exp, expand, oo

from theory.checked_proof import prove_checked
from theory.errors import BadInput
from theory.exact import ball_at, ball_of, exactness_problems, fraction, size_problems
from theory.notation import m
from theory.ordering import ratio, size_at, slack, z
from theory.proof import Outcome, Proof
from theory.proof_domain import Domain
from theory.sgd_row import eta

DIGITS = (1, 12)

# Bits of the balls: eta* is wanted to some 15 digits, at a minimum where 64 bits of z leave an error of 128.
PRECISION = 192
HALVINGS = 64


class OrderingError(BadInput):
    """A size, step size or schedule that cannot be used."""


@dataclass(frozen=True)
class StepBounds:
    """lower <= eta*(M) <= upper: the ordering is proved at `lower`; at `upper` the inequality fails at `witness`."""

    vocabulary_size: int
    lower: Fraction
    upper: Fraction
    witness: Fraction
    proof: Proof


def prove_step(vocabulary_size: int, learning_rate: Fraction | int | Rational) -> Outcome:
    """Whether slack(z) >= 0 over z in [0, oo) for one M and eta: a Proof checked twice, a Refutation or Unproved.

    What is proved is e^{-z} slack(z) = z + z (M-1) e^{-z} - eta + eta e^{-z} >= 0, whose parts stay bounded in the tail
    or grow there.
    """
    _check_size(vocabulary_size)
    step = _checked_step(learning_rate)
    instance = {m: Integer(vocabulary_size), eta: Rational(step.numerator, step.denominator)}
    return prove_checked(expand(exp(-z) * slack(z).subs(instance)), Domain.of((z, 0, oo)))


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

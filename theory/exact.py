"""Exact numbers as users give them, and balls around expressions at exact numbers."""

import math
import numbers
from collections.abc import Mapping
from fractions import Fraction

from flint import arb, fmpq
from sympy import Expr, Rational, Symbol

from theory.enclosure import enclosure
from theory.proof_interval import Infinite, point

SIZES = (2, 10**9)
LONGEST = 10**1000  # numerators and denominators: no value here is then beyond the exponents of an enclosure


def size_problems(vocabulary_size: int) -> list[str]:
    """What is wrong with a vocabulary size; nothing for a whole number within SIZES."""
    if isinstance(vocabulary_size, int) and SIZES[0] <= vocabulary_size <= SIZES[1]:
        return []
    return [f"the vocabulary size M must be a whole number from {SIZES[0]} to {SIZES[1]}, got {vocabulary_size!r}"]


def exactness_problems(name: str, number: Fraction | int | Rational) -> list[str]:
    """What is wrong with a number that must be exact and of moderate length."""
    if not isinstance(number, numbers.Rational):
        return [f"the {name} must be an exact rational number such as Fraction(1, 10), got {number!r}"]
    exact = Fraction(number)
    if max(abs(exact.numerator), exact.denominator) > LONGEST:
        return [f"the {name} must be a fraction of at most 1000 digits above and below, got a longer one"]
    return []


def ball_at(tree: Expr, values: Mapping[Symbol, Fraction]) -> arb:
    """A ball around the tree's value at exact numbers, at the working precision; the whole line if nothing is known."""
    interval = enclosure(tree, {symbol: point(_rational(value)) for symbol, value in values.items()})
    if interval is None or isinstance(interval.low, Infinite) or isinstance(interval.high, Infinite):
        return arb(0, math.inf)
    return arb(interval.low).union(arb(interval.high))


def ball_of(number: Fraction) -> arb:
    """A ball around a rational number, at the working precision."""
    return arb(_rational(number))


def fraction(number: arb) -> Fraction:
    """A ball of radius zero as the dyadic rational that it is."""
    mantissa, exponent = number.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _rational(number: Fraction) -> fmpq:
    return fmpq(number.numerator, number.denominator)

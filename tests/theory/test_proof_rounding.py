"""Ends that outgrow the working precision are rounded outwards, in the prover's intervals and the second checker's."""

from collections.abc import Callable
from fractions import Fraction

import pytest
from flint import ctx, fmpq
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf
from sympy import Symbol, cosh, erf, erfc, exp, log, sinh, tanh

from theory.proof_interval import Infinite, Interval, add, mul, point, power, reciprocal
from theory.recheck_interval import MOST_BITS, Range, Ranges

BITS = 24
x = Symbol("x", real=True)

# far longer than any precision here, so that each is rounded; both signs, near one and far from it
longs = st.builds(
    lambda n, d, k: Fraction(n, d) * Fraction(2) ** k,
    st.one_of(st.integers(-(10**60), -(10**59)), st.integers(10**59, 10**60)),
    st.integers(10**59, 10**60),
    st.integers(-40, 40),
)


def long_point(value: Fraction) -> Interval:
    """The interval of one long number, as it is."""
    return point(fmpq(value.numerator, value.denominator))


def holds(interval: Interval, value: Fraction) -> bool:
    """Whether an interval encloses a value."""
    low, high = interval.low, interval.high
    assert not isinstance(low, Infinite)
    assert not isinstance(high, Infinite)
    return Fraction(int(low.p), int(low.q)) <= value <= Fraction(int(high.p), int(high.q))


@given(longs, longs)
def test_sums_products_powers_and_reciprocals_enclose(a: Fraction, b: Fraction) -> None:
    """At 24 bits the exact result of sums, products, powers and reciprocals of long numbers lies between the ends."""
    with ctx.workprec(BITS):
        left, right = long_point(a), long_point(b)
        found = [
            (add(left, right), a + b),
            (mul(left, right), a * b),
            (power(left, 3), a**3),
            (power(left, 2), a**2),
            (reciprocal(left), 1 / a),
        ]
    for interval, value in found:
        assert holds(interval, value)


@given(st.lists(longs, min_size=4, max_size=4))
def test_products_of_intervals_hold_every_product_of_ends(ends: list[Fraction]) -> None:
    """Whatever the signs, in the prover's arithmetic and in the second checker's."""
    (a, b), (c, d) = sorted(ends[:2]), sorted(ends[2:])
    with ctx.workprec(BITS):
        left, right = (Interval(long_point(low).low, long_point(high).high) for low, high in ((a, b), (c, d)))
        found = mul(left, right)
    again = Ranges(BITS).multiply(Range(a, b), Range(c, d))
    for value in (a * c, a * d, b * c, b * d):
        assert holds(found, value)
        assert again.low <= value <= again.high


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("exponent", [40_000, -40_000])
def test_numbers_beyond_writing_down_are_enclosed(sign: int, exponent: int) -> None:
    """Magnitudes above 2^16384 and below its inverse become ends on the far side of them."""
    value = sign * Fraction(10**60 + 1, 10**60) * Fraction(2) ** exponent
    with ctx.workprec(BITS):
        found = add(long_point(value), long_point(Fraction(0)))
    low, high = found.low, found.high
    assert isinstance(low, Infinite) or Fraction(int(low.p), int(low.q)) < value
    assert isinstance(high, Infinite) or Fraction(int(high.p), int(high.q)) > value
    assert not (isinstance(low, Infinite) and low.sign > 0)
    assert not (isinstance(high, Infinite) and high.sign < 0)


@given(longs, longs)
def test_the_second_checker_rounds_outwards(a: Fraction, b: Fraction) -> None:
    """The same of its sums, products, powers and reciprocals."""
    ranges = Ranges(BITS)
    left, right = Range(a, a), Range(b, b)
    found = [
        (ranges.add(left, right), a + b),
        (ranges.multiply(left, right), a * b),
        (ranges._powered(left, 3, 1), a**3),
        (ranges._inverse(left), 1 / a),
    ]
    for interval, value in found:
        assert interval.low <= value <= interval.high


@pytest.mark.parametrize("exponent", [2 * MOST_BITS, -2 * MOST_BITS])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_second_checker_encloses_what_is_beyond_writing_down(sign: int, exponent: int) -> None:
    """Magnitudes above 2^20000 and below its inverse lie strictly between their ends."""
    value = sign * Fraction(10**60 + 1, 10**60) * Fraction(2) ** exponent
    found = Ranges(BITS).add(Range(value, value), Range(Fraction(0), Fraction(0)))
    assert found.low < value < found.high


FUNCTIONS: list[tuple[Callable, Callable]] = [
    (exp, mp.exp),
    (sinh, mp.sinh),
    (cosh, mp.cosh),
    (tanh, mp.tanh),
    (erf, mp.erf),
    (erfc, mp.erfc),
    (log, mp.log),
    (lambda t: t ** (mp.mpf(0) + 0) if t is None else t ** Fraction(1, 3), lambda t: mp.root(t, 3)),
]


@pytest.mark.parametrize(("function", "value"), FUNCTIONS[:-1], ids=lambda f: getattr(f, "__name__", str(f)))
@given(size=st.fractions(Fraction(1, 50), 60, max_denominator=10**6), negative=st.booleans())
def test_functions_of_the_second_checker_enclose(
    function: Callable, value: Callable, size: Fraction, negative: bool
) -> None:
    """Between its two ends lies the value that mpmath computes with 200 digits, and the ends differ."""
    argument = -size if negative and function is not log else size
    found = Ranges(BITS).of(function(x), {x: Range(argument, argument)})
    with mp.workdps(4000 if function in (erf, erfc, tanh) else 200):
        true = value(mpf(argument.numerator) / argument.denominator)
        assert mpf(found.low.numerator) / found.low.denominator < true
        assert true < mpf(found.high.numerator) / found.high.denominator


@given(size=st.fractions(Fraction(1, 50), 60, max_denominator=10**6))
def test_roots_of_the_second_checker_enclose(size: Fraction) -> None:
    """The cube of the two ends of a cube root lie on both sides of the number, or both ends are exact."""
    found = Ranges(BITS)._powered(Range(size, size), 1, 3)
    low, high = Fraction(found.low), Fraction(found.high)
    assert low**3 < size < high**3 or low**3 == size == high**3

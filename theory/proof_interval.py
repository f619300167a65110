"""Intervals of the extended real line with open or closed ends, and their exact arithmetic.

An end is a rational (fmpq) or one of the two infinities; an open end is a value that is not attained. Sums and
products of rationals are exact until they outgrow the working precision (`flint.ctx.prec`), then rounded outwards.
Exact ends keep 1 - q in (0, 1] for q in [0, 1), where a rounded one would touch zero.

A closed infinite end stands for a limit: the box {+oo} encloses every limit of an expression as its variable grows.
Forms such as oo - oo or 0 * oo are Undefined then; over (-oo, oo), where the ends are never reached, they are not.
"""

from typing import NamedTuple

from flint import ctx, fmpq, fmpz


class Undefined(ArithmeticError):
    """An operation that is not certainly defined over the whole interval."""


class Infinite:
    """One of the two infinite ends; compare with `is`."""

    def __init__(self, sign: int) -> None:
        self.sign = sign

    def __repr__(self) -> str:
        return "oo" if self.sign > 0 else "-oo"


OO, MINUS_OO = Infinite(1), Infinite(-1)
End = fmpq | Infinite
ZERO, ONE = fmpq(0), fmpq(1)

# Exact ends longer than this many times the working precision are rounded: simple rationals never are.
EXACT_LENGTH = 4

# Magnitudes beyond 2^(+-LARGEST_EXPONENT) become infinite or zero ends, so that a sum of two stays a short number.
LARGEST_EXPONENT = 1 << 14


class Interval(NamedTuple):
    """The numbers between two ends; an infinite open end is unbounded, an infinite closed one a limit."""

    low: End
    high: End
    low_open: bool = False
    high_open: bool = False

    @property
    def is_point(self) -> bool:
        """Whether there is one value only, possibly an infinite limit."""
        return self.low is self.high or (not self.is_infinite and self.low == self.high)

    @property
    def is_infinite(self) -> bool:
        """Whether one end is infinite."""
        return isinstance(self.low, Infinite) or isinstance(self.high, Infinite)

    @property
    def is_limit(self) -> bool:
        """Whether an infinite end stands for a limit."""
        return (isinstance(self.low, Infinite) and not self.low_open) or (
            isinstance(self.high, Infinite) and not self.high_open
        )

    @property
    def opened(self) -> "Interval":
        """The interior."""
        return Interval(self.low, self.high, True, True)


def point(value: fmpq) -> Interval:
    """The interval of one number."""
    return Interval(value, value)


def sign(end: End) -> int:
    """-1, 0 or 1."""
    if isinstance(end, Infinite):
        return end.sign
    return int(end > 0) - int(end < 0)


def at_most(a: End, b: End) -> bool:
    """a <= b on the extended line."""
    if a is b or a is MINUS_OO or b is OO:
        return True
    if isinstance(a, Infinite) or isinstance(b, Infinite):
        return False
    return bool(a <= b)


def nonnegative(x: Interval) -> bool:
    """x >= 0 throughout."""
    return sign(x.low) >= 0


def positive(x: Interval) -> bool:
    """x > 0 throughout."""
    s = sign(x.low)
    return s > 0 or (s == 0 and x.low_open)


def negative(x: Interval) -> bool:
    """x < 0 throughout."""
    return positive(minus(x))


def contains_zero(x: Interval) -> bool:
    """Whether zero is not excluded."""
    return not (positive(x) or negative(x))


def minus(x: Interval) -> Interval:
    """-x."""
    return Interval(_negated(x.high), _negated(x.low), x.high_open, x.low_open)


def _negated(end: End) -> End:
    if isinstance(end, Infinite):
        return MINUS_OO if end is OO else OO
    return -end


def rounded(value: fmpq, is_open: bool, up: bool) -> tuple[End, bool]:
    """The number itself if it is short, else one of ctx.prec bits at or beyond it; an open end stays open."""
    if value.height_bits() <= EXACT_LENGTH * ctx.prec:
        return value, is_open
    numerator, denominator = value.p, value.q
    exponent = numerator.bit_length() - denominator.bit_length()
    if abs(exponent) > LARGEST_EXPONENT:
        return _clamped(value > 0, exponent > 0, is_open, up)
    shift = ctx.prec - exponent
    if shift >= 0:
        numerator = numerator << shift
    else:
        denominator = denominator << -shift
    whole = -(-numerator // denominator) if up else numerator // denominator
    return fmpq(whole, fmpz(1) << shift) if shift >= 0 else fmpq(whole << -shift), is_open


def _clamped(is_positive: bool, huge: bool, is_open: bool, up: bool) -> tuple[End, bool]:
    """An end beyond a number whose magnitude is above (huge) or below the representable ones."""
    sign_of, largest = (1 if is_positive else -1), fmpz(1) << LARGEST_EXPONENT
    if is_positive == up:  # outwards is away from zero
        infinite = OO if is_positive else MINUS_OO
        return (infinite, True) if huge else (fmpq(sign_of, largest), is_open)
    return (fmpq(sign_of * largest), is_open) if huge else (ZERO, True)


def add(x: Interval, y: Interval) -> Interval:
    """x + y."""
    low, low_open = _sum(x.low, x.low_open, y.low, y.low_open, up=False)
    high, high_open = _sum(x.high, x.high_open, y.high, y.high_open, up=True)
    return Interval(low, high, low_open, high_open)


def _sum(a: End, a_open: bool, b: End, b_open: bool, up: bool) -> tuple[End, bool]:
    if not isinstance(a, Infinite):
        if not isinstance(b, Infinite):
            return rounded(a + b, a_open or b_open, up)
        return b, b_open
    if not isinstance(b, Infinite):
        return a, a_open
    if a is b:
        return a, a_open and b_open
    if a_open == b_open:
        raise Undefined("oo - oo")
    return (b, False) if a_open else (a, False)  # a limit outweighs every value that is reached


def mul(x: Interval, y: Interval) -> Interval:
    """x * y."""
    if (x.is_limit and contains_zero(y)) or (y.is_limit and contains_zero(x)):
        raise Undefined("0 * oo")
    if sign(x.high) <= 0 and sign(x.low) < 0:
        return minus(mul(minus(x), y))
    if sign(y.high) <= 0 and sign(y.low) < 0:
        return minus(mul(x, minus(y)))
    if nonnegative(x):
        if nonnegative(y):
            return _corners(x.low, x.low_open, y.low, y.low_open, x.high, x.high_open, y.high, y.high_open)
        return _corners(x.high, x.high_open, y.low, y.low_open, x.high, x.high_open, y.high, y.high_open)
    if nonnegative(y):
        return mul(y, x)
    # both change sign: the least and the greatest of two products each
    one = _corners(x.low, x.low_open, y.high, y.high_open, x.low, x.low_open, y.low, y.low_open)
    two = _corners(x.high, x.high_open, y.low, y.low_open, x.high, x.high_open, y.high, y.high_open)
    return hull(one, two)


def _corners(a: End, ao: bool, b: End, bo: bool, c: End, co: bool, d: End, do: bool) -> Interval:
    """[a b, c d]."""
    low, low_open = _product(a, ao, b, bo, up=False)
    high, high_open = _product(c, co, d, do, up=True)
    return Interval(low, high, low_open, high_open)


def _product(a: End, a_open: bool, b: End, b_open: bool, up: bool) -> tuple[End, bool]:
    if isinstance(a, Infinite) or isinstance(b, Infinite):
        if not sign(a) or not sign(b):
            (zero_open, other, other_open) = (a_open, b, b_open) if not sign(a) else (b_open, a, a_open)
            # an open zero is the lower end of positive numbers here, and a limit outweighs it
            return (ZERO, zero_open) if other_open else (other, False)
        is_open = all(o for e, o in ((a, a_open), (b, b_open)) if isinstance(e, Infinite))
        return (OO if sign(a) == sign(b) else MINUS_OO), is_open
    is_open = (a_open or b_open) and not (a == 0 and not a_open) and not (b == 0 and not b_open)
    return rounded(a * b, is_open, up)


def hull(x: Interval, y: Interval) -> Interval:
    """The least interval that holds both."""
    low, low_open = (x.low, x.low_open) if at_most(x.low, y.low) else (y.low, y.low_open)
    high, high_open = (x.high, x.high_open) if at_most(y.high, x.high) else (y.high, y.high_open)
    if at_most(x.low, y.low) and at_most(y.low, x.low):
        low_open = x.low_open and y.low_open
    if at_most(x.high, y.high) and at_most(y.high, x.high):
        high_open = x.high_open and y.high_open
    return Interval(low, high, low_open, high_open)


def overlap(x: Interval, y: Interval) -> bool:
    """Whether the closures meet."""
    return at_most(x.low, y.high) and at_most(y.low, x.high)


def reciprocal(x: Interval) -> Interval:
    """1 / x. Raises Undefined when x is not certainly nonzero."""
    if negative(x):
        return minus(reciprocal(minus(x)))
    if not positive(x):
        raise Undefined("division by an interval that may hold zero")
    high, high_open = (OO, True) if sign(x.low) == 0 else _inverse(x.low, x.low_open, up=True)
    low, low_open = _inverse(x.high, x.high_open, up=False)
    return Interval(low, high, low_open, high_open)


def _inverse(end: End, is_open: bool, up: bool) -> tuple[End, bool]:
    return (ZERO, is_open) if isinstance(end, Infinite) else rounded(1 / end, is_open, up)


def power(x: Interval, n: int) -> Interval:
    """x^n for an integer n, negative ones included."""
    if n < 0:
        return reciprocal(power(x, -n))
    if n % 2 == 0 and not nonnegative(x):
        if sign(x.high) <= 0:
            return power(minus(x), n)
        largest = hull(Interval(ZERO, _negated(x.low), False, x.low_open), Interval(ZERO, x.high, False, x.high_open))
        return power(largest, n)
    low, low_open = (x.low, x.low_open) if isinstance(x.low, Infinite) else rounded(x.low**n, x.low_open, False)
    high, high_open = (x.high, x.high_open) if isinstance(x.high, Infinite) else rounded(x.high**n, x.high_open, True)
    return Interval(low, high, low_open, high_open)


def absolute(x: Interval) -> Interval:
    """|x|."""
    if nonnegative(x):
        return x
    if sign(x.high) <= 0:
        return minus(x)
    return hull(Interval(ZERO, _negated(x.low), False, x.low_open), Interval(ZERO, x.high, False, x.high_open))


def larger(x: Interval, y: Interval) -> Interval:
    """max(x, y)."""
    low, low_open = _upper_of(x.low, x.low_open, y.low, y.low_open)
    high, high_open = _upper_of(x.high, x.high_open, y.high, y.high_open)
    return Interval(low, high, low_open, high_open)


def _upper_of(a: End, a_open: bool, b: End, b_open: bool) -> tuple[End, bool]:
    """The larger of two ends; where they agree it counts as attained if either is."""
    if at_most(a, b) and at_most(b, a):
        return a, a_open and b_open
    return (b, b_open) if at_most(a, b) else (a, a_open)

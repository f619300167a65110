"""Ranges of expressions for the second checker: fractions at the ends, elementary functions from mpmath's intervals.

Written apart from `theory.enclosure`, on another library, so that one mistake would have to be made twice. A range
says of each end whether it is attained; an attained infinite end is a limit (see `theory.proof_interval`).
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache, reduce
from itertools import product
from math import inf
from typing import Any, NamedTuple

from mpmath.ctx_iv import MPIntervalContext
from sympy import (
    Abs,
    Add,
    E,
    Expr,
    Max,
    Min,
    Mul,
    Pow,
    Rational,
    Symbol,
    cosh,
    coth,
    erf,
    erfc,
    exp,
    log,
    pi,
    sinh,
    tanh,
)

Bound = Fraction | float  # a float only when infinite

# Numbers beyond 2^(+-MOST_BITS) become infinite or zero; exact fractions longer than LONG precisions are rounded.
MOST_BITS = 20_000
LONG = 6


def infinite(end: Bound) -> bool:
    """Whether an end is infinite: finite ends are fractions, of any size, and never floats."""
    return isinstance(end, float)


class NotDefined(ArithmeticError):
    """An expression that may be undefined somewhere on the box, or has no rule."""


class Range(NamedTuple):
    """All numbers from `low` to `high`, and whether each end is attained."""

    low: Bound
    high: Bound
    low_in: bool = True
    high_in: bool = True

    @property
    def at_infinity(self) -> bool:
        """Whether an infinite end is attained, that is, a limit."""
        return (infinite(self.low) and self.low_in) or (infinite(self.high) and self.high_in)

    def above(self, strict: bool) -> bool:
        """>= 0 throughout, or > 0."""
        return self.low > 0 or (self.low == 0 and not (strict and self.low_in))

    @property
    def has_zero(self) -> bool:
        """Whether zero is not excluded."""
        return not (self.above(True) or negated(self).above(True))


Variables = Mapping[Symbol, Range]


def negated(x: Range) -> Range:
    """-x."""
    return Range(-x.high, -x.low, x.high_in, x.low_in)


class Ranges:
    """Ranges at a working precision in bits."""

    def __init__(self, precision: int) -> None:
        self.precision = precision
        self.interval = MPIntervalContext()
        self.interval.prec = precision
        self.value = lru_cache(maxsize=1 << 15)(self._value)

    def of(self, expr: Expr, box: Variables, limit: bool = False) -> Range:
        """The range of an expression over a box, or of its limits towards the box. Raises NotDefined."""

        def go(e: Expr) -> Range:
            return self.of(e, box, limit)

        match expr:
            case Rational():
                return _one(Fraction(int(expr.p), int(expr.q)))
            case Symbol() if expr in box:
                return box[expr]
            case Add():
                return reduce(self.add, map(go, expr.args))
            case Mul() if limit and any(isinstance(a, log) and self._fades(a.args[0], expr, box) for a in expr.args):
                # u log(u) -> 0 as u -> 0; one pair only
                pair = next(a for a in expr.args if isinstance(a, log) and self._fades(a.args[0], expr, box))
                rest = [a for a in expr.args if a not in (pair, pair.args[0])]
                return reduce(self.multiply, map(go, rest), _one(Fraction(0)))
            case Mul():
                return reduce(self.multiply, map(go, expr.args))
            case exp():
                return self._rising("exp", go(expr.exp), 0, inf)  # a power of E has its exponent second
            case Pow() if expr.exp.is_Rational:
                return self._powered(go(expr.base), int(expr.exp.p), int(expr.exp.q))
            case Pow():
                return self._rising("exp", self.multiply(go(expr.exp), go(log(expr.base))), 0, inf)
            case log() if len(expr.args) == 1:
                argument = go(expr.args[0])
                if not argument.above(True):
                    raise NotDefined(f"logarithm of {expr.args[0]}")
                return self._rising("log", argument, -inf, inf)
            case erf():
                return self._rising("erf", go(expr.args[0]), -1, 1)
            case tanh():
                return self._rising("tanh", go(expr.args[0]), -1, 1)
            case sinh():
                return self._rising("sinh", go(expr.args[0]), -inf, inf)
            case erfc():
                return self._rising("erfc of minus", negated(go(expr.args[0])), 0, 2)
            case cosh():
                return self._rising("cosh", _size(go(expr.args[0])), 1, inf)
            case coth():
                return self._inverse(self._rising("tanh", go(expr.args[0]), -1, 1))
            case Abs():
                return _size(go(expr.args[0]))
            case Max():
                return reduce(_greater, map(go, expr.args))
            case Min():
                return negated(reduce(_greater, (negated(go(a)) for a in expr.args)))
            case _ if expr in (pi, E):
                low, high = self.value("pi" if expr == pi else "exp", Fraction(1))
                return Range(low, high)
        raise NotDefined(f"no rule for {expr}")

    def _fades(self, u: Expr, term: Expr, box: Variables) -> bool:
        """Whether u is a factor of the term and tends to zero."""
        return u in term.args and self.of(u, box, True) == _one(Fraction(0))

    # -- arithmetic --
    def add(self, x: Range, y: Range) -> Range:
        """x + y."""
        low, low_in = self._end_sum(x.low, x.low_in, y.low, y.low_in, False)
        high, high_in = self._end_sum(x.high, x.high_in, y.high, y.high_in, True)
        return Range(low, high, low_in, high_in)

    def _end_sum(self, a: Bound, a_in: bool, b: Bound, b_in: bool, up: bool) -> tuple[Bound, bool]:
        if not isinstance(a, float) and not isinstance(b, float):
            return self._short(a + b, a_in and b_in, up)
        if isinstance(a, float) and isinstance(b, float):
            if a == b:
                return a, a_in or b_in
            if a_in == b_in:
                raise NotDefined("oo - oo")
            return (a, True) if a_in else (b, True)
        return (a, a_in) if isinstance(a, float) else (b, b_in)

    def multiply(self, x: Range, y: Range) -> Range:
        """x * y."""
        if (x.at_infinity and y.has_zero) or (y.at_infinity and x.has_zero):
            raise NotDefined("0 * oo")
        corners = [
            self._corner(a, a_in, b, b_in)
            for (a, a_in), (b, b_in) in product(
                ((x.low, x.low_in), (x.high, x.high_in)), ((y.low, y.low_in), (y.high, y.high_in))
            )
        ]
        low, high = min(c for c, _ in corners), max(c for c, _ in corners)
        low_in, high_in = (any(c_in for c, c_in in corners if c == end) for end in (low, high))
        # zero is also attained where one range passes through it
        if low == 0 or high == 0:
            passes = any(r.low < 0 < r.high or (r.low == 0 and r.low_in) or (r.high == 0 and r.high_in) for r in (x, y))
            low_in, high_in = low_in or (low == 0 and passes), high_in or (high == 0 and passes)
        (low, low_in), (high, high_in) = self._short(low, low_in, False), self._short(high, high_in, True)
        return Range(low, high, low_in, high_in)

    @staticmethod
    def _corner(a: Bound, a_in: bool, b: Bound, b_in: bool) -> tuple[Bound, bool]:
        if a == 0 or b == 0:  # an infinite partner is a limit only where this zero is not attained
            if a == 0 and isinstance(b, float) and b_in:
                return b, True
            if b == 0 and isinstance(a, float) and a_in:
                return a, True
            return Fraction(0), (a == 0 and a_in) or (b == 0 and b_in)
        if isinstance(a, float) or isinstance(b, float):
            reached = (isinstance(a, float) and a_in) or (isinstance(b, float) and b_in)
            return (inf if (a > 0) == (b > 0) else -inf), reached
        return a * b, a_in and b_in

    def _inverse(self, x: Range) -> Range:
        if x.has_zero:
            raise NotDefined("division by zero")
        if x.high <= 0:
            return negated(self._inverse(negated(x)))
        high, high_in = (inf, False) if x.low == 0 else self._reciprocal(x.low, x.low_in, True)
        low, low_in = self._reciprocal(x.high, x.high_in, False)
        return Range(low, high, low_in, high_in)

    def _reciprocal(self, end: Bound, end_in: bool, up: bool) -> tuple[Bound, bool]:
        """One over a positive end; zero at infinity, attained as a limit where infinity is."""
        return (Fraction(0), end_in) if infinite(end) else self._short(1 / end, end_in, up)

    def _powered(self, x: Range, p: int, q: int) -> Range:
        """x^(p/q): the root first, then the power."""
        if q > 1:
            if not x.above(False):
                raise NotDefined("root of a negative number")
            (low, low_in), (high, high_in) = (self._rooted(*e, q) for e in ((*x[0::2], False), (*x[1::2], True)))
            x = Range(low, high, low_in, high_in)
        if p < 0:
            return self._inverse(self._powered(x, -p, 1))
        y = _size(x) if p % 2 == 0 else x
        low, low_in = (y.low**p, y.low_in) if infinite(y.low) else self._short(y.low**p, y.low_in, False)
        high, high_in = (y.high**p, y.high_in) if infinite(y.high) else self._short(y.high**p, y.high_in, True)
        return Range(low, high, low_in, high_in)

    def _rooted(self, end: Bound, end_in: bool, up: bool, q: int) -> tuple[Bound, bool]:
        if isinstance(end, float) or end == 0:
            return end, end_in
        low, high = self.value(f"root {q}", end)
        return (high if up else low), end_in

    def _short(self, end: Bound, end_in: bool, up: bool) -> tuple[Bound, bool]:
        """The end itself, or when long, a shorter one outside it."""
        if isinstance(end, float) or end.numerator.bit_length() + end.denominator.bit_length() <= LONG * self.precision:
            return end, end_in
        exponent = end.numerator.bit_length() - end.denominator.bit_length()
        if abs(exponent) > MOST_BITS:
            outwards = (end > 0) == up  # away from zero
            size: Bound = Fraction(2) ** (MOST_BITS if exponent > 0 else -MOST_BITS)
            if outwards:
                size, end_in = (inf, False) if exponent > 0 else (size, end_in)
            elif exponent < 0:
                size, end_in = Fraction(0), False
            return (size if end > 0 else -size), end_in
        scale = Fraction(2) ** (self.precision - exponent)
        scaled = end * scale
        whole = -((-scaled.numerator) // scaled.denominator) if up else scaled.numerator // scaled.denominator
        return whole / scale, end_in

    # -- functions --
    def _rising(self, name: str, x: Range, least: Bound, greatest: Bound) -> Range:
        """An increasing function with values between `least` and `greatest` at the ends of its domain."""

        def end(a: Bound, a_in: bool, up: bool) -> tuple[Bound, bool]:
            if isinstance(a, float):
                found = greatest if a > 0 else least
                return (found if infinite(found) else Fraction(found)), a_in
            if a == 0 and name == "log":
                return -inf, False
            low, high = self.value(name, a)
            found = high if up else low
            # inexact values are never zero, and a finite argument never gives infinity
            return found, a_in and not infinite(found) and (low == high or found != 0)

        low, low_in = end(x.low, x.low_in, False)
        high, high_in = end(x.high, x.high_in, True)
        # the function never reaches the ends of its own range, except in the limit
        if not x.at_infinity:
            low, low_in = (Fraction(least), False) if not infinite(least) and low < least else (low, low_in)
            high, high_in = (
                (Fraction(greatest), False) if not infinite(greatest) and high > greatest else (high, high_in)
            )
        return Range(low, high, low_in, high_in)

    def _value(self, name: str, a: Fraction) -> tuple[Bound, Bound]:
        """Lower and upper bound of a function at one fraction; equal only if exact."""
        if name in EXACT and a == EXACT[name][0]:
            return EXACT[name][1], EXACT[name][1]
        if name.startswith("root"):
            return self._root_bounds(a, int(name.split()[1]))
        if name == "pi":
            return self._ends(+self.interval.pi)
        if name in ("exp", "sinh", "cosh", "tanh") and abs(a) > MOST_BITS // 2:
            return _far_out(name, a)
        if name in ("erf", "erfc of minus"):
            below, above = self._erfc(-a if name == "erfc of minus" else a)
            return (below, above) if name == "erfc of minus" else (1 - above, 1 - below)
        x = self._enclosed(a)
        iv = self.interval
        functions: dict[str, Callable[[Any], Any]] = {
            "exp": iv.exp,
            "log": iv.log,
            "sinh": lambda t: (iv.exp(t) - iv.exp(-t)) / 2,
            "cosh": lambda t: (iv.exp(t) + iv.exp(-t)) / 2,
            "tanh": lambda t: (iv.exp(2 * t) - 1) / (iv.exp(2 * t) + 1),
        }
        return self._ends(functions[name](x))

    def _root_bounds(self, a: Fraction, q: int) -> tuple[Bound, Bound]:
        """The q-th root of a positive fraction, exact where numerator and denominator are powers."""
        low, high = self._ends(self.interval.exp(self.interval.log(self._enclosed(a)) / q))
        near = ((low + high) / 2).limit_denominator(a.denominator)
        return (near, near) if near**q == a else (low, high)

    def _erfc(self, x: Fraction) -> tuple[Fraction, Fraction]:
        """Bounds of erfc: a series of positive terms for erf, an elementary bound far out."""
        if x < 0:
            low, high = self._erfc(-x)
            return 2 - high, 2 - low
        if x == 0:
            return Fraction(1), Fraction(1)
        iv = MPIntervalContext()
        if x > 40:  # 2 / (x + sqrt(x^2 + 2)) < sqrt(pi) e^(x^2) erfc(x) <= 2 / (x + sqrt(x^2 + 4 / pi))
            if x > 100:
                return Fraction(0), Fraction(1, 2**10_000)  # e^(-x^2) < 2^(-x^2)
            iv.prec = self.precision + 32
            t = iv.mpf(x.numerator) / iv.mpf(x.denominator)
            scale = 2 * iv.exp(-t * t) / iv.sqrt(iv.pi)
            low = self._ends(scale / (t + iv.sqrt(t * t + 2)))[0]
            return low, self._ends(scale / (t + iv.sqrt(t * t + 4 / iv.pi)))[1]
        # 1 - erf(x) loses x^2 log2(e) bits
        iv.prec = self.precision + 64 + int(Fraction(3, 2) * x * x)
        t = iv.mpf(x.numerator) / iv.mpf(x.denominator)
        term, total, n = t, t, 0
        while 2 * n + 3 < 4 * x * x or term.b > total.a * iv.mpf(2) ** -iv.prec:
            term = term * 2 * t * t / (2 * n + 3)
            total, n = total + term, n + 1
        # the terms left out halve at least, so that their sum is between 0 and the last one
        erf_x = 2 / iv.sqrt(iv.pi) * iv.exp(-t * t) * (total + iv.mpf([0, 1]) * term)
        return self._ends(1 - erf_x)

    def _enclosed(self, a: Fraction) -> Any:
        return self.interval.mpf(a.numerator) / self.interval.mpf(a.denominator)

    @staticmethod
    def _ends(x: Any) -> tuple[Fraction, Fraction]:
        """The ends of an mpmath interval, exactly. Raises NotDefined unless both are finite."""
        found = []
        for is_negative, mantissa, exponent, _ in x._mpi_:
            if not mantissa and exponent:
                raise NotDefined("an elementary function overflows")
            found.append((-1 if is_negative else 1) * Fraction(mantissa) * Fraction(2) ** exponent)
        return found[0], found[1]


EXACT = {
    "exp": (0, Fraction(1)),
    "log": (1, Fraction(0)),
    "erf": (0, Fraction(0)),
    "erfc of minus": (0, Fraction(1)),
    "sinh": (0, Fraction(0)),
    "cosh": (0, Fraction(1)),
    "tanh": (0, Fraction(0)),
}


def _far_out(name: str, a: Fraction) -> tuple[Bound, Bound]:
    """Bounds where e^|a| is beyond writing down."""
    huge, tiny = Fraction(2) ** (MOST_BITS // 2 - 1), Fraction(1, 2 ** (MOST_BITS // 2))
    if name == "tanh":
        return (1 - tiny, Fraction(1)) if a > 0 else (Fraction(-1), tiny - 1)
    if name == "exp" and a < 0:
        return Fraction(0), tiny
    return (huge, inf) if a > 0 or name == "cosh" else (-inf, -huge)


def _one(value: Fraction) -> Range:
    return Range(value, value)


def _size(x: Range) -> Range:
    """|x|."""
    if x.low >= 0:
        return x
    if x.high <= 0:
        return negated(x)
    left, right = negated(x).high, x.high
    attained = (left >= right and x.low_in) or (right >= left and x.high_in)
    return Range(Fraction(0), max(left, right), True, attained)


def _greater(x: Range, y: Range) -> Range:
    """max(x, y)."""
    low, high = max(x.low, y.low), max(x.high, y.high)
    low_in = (x.low < low or x.low_in) and (y.low < low or y.low_in) if x.low != y.low else x.low_in and y.low_in
    return Range(low, high, low_in, (x.high == high and x.high_in) or (y.high == high and y.high_in))

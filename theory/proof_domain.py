"""Domains of inequalities: boxes with rational or infinite, open or closed ends, and how a box is cut in two."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from flint import fmpq
from sympy import Interval as Segment
from sympy import Rational, Symbol, oo

from theory.errors import BadInput
from theory.proof_interval import MINUS_OO, ONE, OO, ZERO, End, Infinite, Interval, at_most, sign

Box = Mapping[Symbol, Interval]


class DomainError(BadInput):
    """A domain that is none: ends that are inexact or out of order."""


class Side(NamedTuple):
    """One side of a box in a certificate: exact ends, None for an infinite one, and whether they belong to it."""

    low: Fraction | None
    high: Fraction | None
    low_open: bool
    high_open: bool


@dataclass(frozen=True)
class Domain:
    """A box: each symbol with the segment of the real line that it ranges over."""

    bounds: tuple[tuple[Symbol, Segment], ...]

    def __post_init__(self) -> None:
        names = [x.name for x, _ in self.bounds]
        if len(set(names)) != len(names) or not names:
            raise DomainError(f"a domain needs one or more symbols of different names, got {names}")
        for x, segment in self.bounds:
            if not isinstance(segment, Segment) or not all(_exact(end) for end in (segment.start, segment.end)):
                raise DomainError(f"the ends of {x} must be rationals in ascending order, or infinite: got {segment}")
            # SymPy simplifies by such an assumption when the expression is built, before any domain is known
            if (x.is_nonnegative and segment.start < 0) or (x.is_nonpositive and segment.end > 0):
                raise DomainError(f"{x} was declared of one sign, but its domain {segment} has both")

    @classmethod
    def of(cls, *bounds: tuple[Symbol, object, object] | tuple[Symbol, Segment]) -> "Domain":
        """Domain.of((z, 0, oo), (p, Interval.Lopen(0, 1))): closed ends, or a SymPy Interval for open ones.

        Raises DomainError unless every end is an integer, a Rational or infinite, in ascending order.
        """
        return cls(tuple((b[0], b[1] if len(b) == 2 else _segment(*b)) for b in bounds))

    def __str__(self) -> str:
        return ", ".join(f"{x} in {_words(segment)}" for x, segment in self.bounds)

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The variables in order."""
        return tuple(x for x, _ in self.bounds)

    @property
    def sides(self) -> tuple[Side, ...]:
        """The ends as plain fractions."""
        return tuple(Side(_end(s.start), _end(s.end), bool(s.left_open), bool(s.right_open)) for _, s in self.bounds)

    @property
    def real(self) -> dict[Symbol, Symbol]:
        """Every symbol as a real one without further assumptions: what is proved holds for all reals of the box."""
        return {x: Symbol(x.name, real=True) for x in self.symbols}

    @property
    def box(self) -> dict[Symbol, Interval]:
        """The box of the real symbols."""
        return {self.real[x]: _interval(side) for x, side in zip(self.symbols, self.sides, strict=True)}


def _exact(end: object) -> bool:
    return isinstance(end, Rational) or end in (oo, -oo)


def _segment(x: Symbol, low: Any, high: Any) -> Segment:
    ends = [Rational(e.numerator, e.denominator) if isinstance(e, int | Fraction) else e for e in (low, high)]
    if not all(_exact(e) for e in ends) or not ends[0] < ends[1]:
        raise DomainError(f"the ends of {x} must be rationals in ascending order, or infinite: got {low}, {high}")
    return Segment(*ends)


def _end(end: Rational) -> Fraction | None:
    return Fraction(int(end.p), int(end.q)) if end.is_finite else None


def _interval(side: Side) -> Interval:
    low = MINUS_OO if side.low is None else fmpq(side.low.numerator, side.low.denominator)
    high = OO if side.high is None else fmpq(side.high.numerator, side.high.denominator)
    return Interval(low, high, side.low_open, side.high_open)


def _words(segment: Segment) -> str:
    left, right = "(" if segment.left_open else "[", ")" if segment.right_open else "]"
    return f"{left}{segment.start}, {segment.end}{right}"


def side(x: Interval) -> Side:
    """An interval as plain fractions."""
    ends = [None if isinstance(e, Infinite) else Fraction(int(e.p), int(e.q)) for e in (x.low, x.high)]
    return Side(ends[0], ends[1], x.low_open, x.high_open)


def rational(end: fmpq) -> Rational:
    """A rational as SymPy has it."""
    return Rational(int(end.p), int(end.q))


def with_side(box: Box, x: Symbol, interval: Interval) -> dict[Symbol, Interval]:
    """The box with one side replaced."""
    return {**box, x: interval}


# -- cutting --------------------------------------------------------------------------------------------------
def halves(x: Interval) -> tuple[Interval, Interval]:
    """The interval cut in two closed parts at a simple rational, geometrically where it is long."""
    at = cut(x)
    return Interval(x.low, at, x.low_open, False), Interval(at, x.high, False, x.high_open)


@lru_cache(maxsize=1 << 14)
def cut(x: Interval) -> fmpq:
    """A simple rational well inside: powers of two towards infinity, else the simplest in the middle half."""
    low, high = x.low, x.high
    if isinstance(low, Infinite) and isinstance(high, Infinite):
        return ZERO
    if isinstance(high, Infinite):
        return ZERO if low < 0 else max(ONE, 2 * low)  # type: ignore[operator, return-value]
    if isinstance(low, Infinite):
        return ZERO if high > 0 else min(-ONE, 2 * high)
    if low > 0 and high > 8 * low:
        ratio = high / low
        return low * fmpq(1 << (int(ratio.p // ratio.q).bit_length() // 2))
    if high < 0 and low < 8 * high:
        return -cut(Interval(-high, -low))
    quarter = (high - low) / 4
    return simplest(low + quarter, high - quarter)


def simplest(low: fmpq, high: fmpq) -> fmpq:
    """The rational of least denominator (then least size) in [low, high]: Stern and Brocot's descent."""
    if low <= 0 <= high:
        return ZERO
    if high < 0:
        return -simplest(-high, -low)
    floor = low.p // low.q
    if floor == low:
        return low
    if floor + 1 <= high:
        return fmpq(floor + 1)
    return floor + 1 / simplest(1 / (high - floor), 1 / (low - floor))


def size(x: Interval) -> float:
    """The length of an interval after t -> t / (1 + |t|), which maps the line to (-1, 1); 0 for one point."""
    return _compact(x.high) - _compact(x.low)


def _compact(end: End) -> float:
    if isinstance(end, Infinite):
        return float(end.sign)
    t = end / (1 + abs(end))
    return int(t.p) / int(t.q)


def simplest_inside(x: Interval) -> fmpq | None:
    """The simplest rational of an interval, its own ends included when they belong to it."""
    if isinstance(x.low, Infinite):
        found = ZERO if isinstance(x.high, Infinite) else simplest(min(ZERO, x.high - 1), x.high)
    elif isinstance(x.high, Infinite):
        found = simplest(x.low, max(x.low + 1, ZERO))
    else:
        found = simplest(x.low, x.high)
    outside = (found == x.low and x.low_open) or (found == x.high and x.high_open)
    return None if outside else found


def probes(x: Interval) -> Iterator[fmpq]:
    """Rationals of an interval where a false statement is likely to show: its ends, near them, far out."""
    steps = [fmpq(1, 1 << k) for k in (0, 1, 3, 8, 20, 40, 60)]
    far = [fmpq(1 << k) for k in (1, 3, 6, 10, 20, 40, 64)]
    low, high = x.low, x.high
    candidates: list[fmpq] = []
    if not isinstance(low, Infinite):
        candidates += [low, *(low + s for s in steps)]
    if not isinstance(high, Infinite):
        candidates += [high, *(high - s for s in steps)]
    if isinstance(high, Infinite):
        candidates += [far_out for far_out in far] if isinstance(low, Infinite) else [low + f for f in far]
    if isinstance(low, Infinite):
        candidates += [-f for f in far] if isinstance(high, Infinite) else [high - f for f in far]
    candidates += [ZERO, ONE, -ONE, *steps, *(-s for s in steps)]
    for c in dict.fromkeys(candidates):
        below = at_most(c, low) and (c != low or x.low_open)
        above = at_most(high, c) and (c != high or x.high_open)
        if not below and not above and sign(c) is not None:
            yield c

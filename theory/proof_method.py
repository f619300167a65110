"""How the sign of an expression on one box is settled; a certificate is made of these.

Each says that `expr >= 0` (or > 0) on a box, for an expression that is certainly defined there, by

- Enclosed: the enclosure of the expression lies on the right side of zero;
- Product: the expression is a constant times powers of factors, each of one sign;
- Monotone: the slope in x has one sign on the open box, and the face at the end where the least value lies has the
  sign wanted; at an infinite end the face is the limit. By the mean value theorem;
- Tangent: at x = at(the others) the derivatives in x below an even order vanish identically, the derivative of that
  order is nonnegative on the hull of the box and these feet, and so is the expression at the feet. By Taylor's theorem;
- Convex: the Hessian is positive semidefinite on the box and the tangent plane at a point is nonnegative there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from sympy import Expr, Rational, Symbol


@dataclass(frozen=True)
class Enclosed:
    """The enclosure itself says so."""


@dataclass(frozen=True)
class SignedFactor:
    """base^power, with sign * base >= 0 (or > 0) by `method`; an even power that needs no sign has none."""

    base: Expr
    power: int
    sign: Literal[1, -1]
    method: "Method | None"


@dataclass(frozen=True)
class Product:
    """expr = coefficient * product of base^power."""

    coefficient: Rational
    factors: tuple[SignedFactor, ...]


@dataclass(frozen=True)
class Monotone:
    """The expression is least where x is at its `least` end; `slope` is d expr/dx, `face` the expression there.

    Where `face` is None it is the expression itself with x at that end, if need be in the limit.
    """

    x: Symbol
    least: Literal["low", "high"]
    slope: Expr
    slope_method: "Method"
    face: Expr | None
    face_method: "Method"


@dataclass(frozen=True)
class Tangent:
    """Least in x at x = at, to an even `order`; `derivative` is that of this order, `foot` the expression there."""

    x: Symbol
    at: Expr
    order: int
    derivative: Expr
    method: "Method"
    foot: Expr
    foot_method: "Method"


@dataclass(frozen=True)
class Convex:
    """Above its tangent plane at `point`; `hessian` holds the rows of second derivatives in the same order."""

    point: tuple[tuple[Symbol, Fraction], ...]
    hessian: tuple[tuple[Expr, ...], ...]


Method = Enclosed | Product | Monotone | Tangent | Convex


def parts(method: Method) -> Iterator[Method]:
    """The method and every one inside it."""
    yield method
    match method:
        case Product(factors=factors):
            for f in factors:
                if f.method is not None:
                    yield from parts(f.method)
        case Monotone():
            yield from parts(method.face_method)
            yield from parts(method.slope_method)
        case Tangent():
            yield from parts(method.method)
            yield from parts(method.foot_method)

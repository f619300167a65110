"""A second, independent check of a finished proof: every leaf again, and that the leaves cover the domain.

Nothing in the certificate is believed and nothing of the prover is used but the shape of its certificates: ranges come
from mpmath's intervals, derivatives from the rules below, identities from SymPy's expansion, coverage from fractions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import inf

from sympy import (
    Add,
    E,
    Expr,
    Mul,
    Pow,
    Rational,
    S,
    Symbol,
    cosh,
    coth,
    erf,
    erfc,
    exp,
    expand,
    fraction,
    log,
    nan,
    pi,
    sinh,
    sqrt,
    tanh,
    together,
    zoo,
)

from theory.deadline import check_time, too_large, within_limit
from theory.proof import Leaf, Proof
from theory.proof_domain import Side
from theory.proof_method import Convex, Enclosed, Method, Monotone, Product, Tangent
from theory.recheck_interval import Bound, NotDefined, Range, Ranges, infinite, negated

# Bits beyond those of the proof, so that rounding does not reject what the prover's own rounding let through.
EXTRA_BITS = 64
MOST_BITS = 4096

Box = dict[Symbol, Range]


class Rejected(Exception):
    """What is wrong with a certificate."""


def recheck(proof: Proof) -> str | None:
    """None if the certificate proves its statement, otherwise what is wrong with it.

    Raises OutOfTimeError where a time limit is set (`theory.deadline`) and has passed.
    """
    try:
        _recheck(proof)
    except Rejected as problem:
        return str(problem)
    return None


def _recheck(proof: Proof) -> None:
    """Raises Rejected."""
    expr, domain = proof.expr, proof.domain
    if not isinstance(expr, Expr) or not expr.free_symbols <= set(domain.symbols):
        raise Rejected("the statement has symbols outside its domain")
    if not isinstance(proof.precision, int) or not 0 < proof.precision <= MOST_BITS:
        raise Rejected(f"the precision {proof.precision} is not a number of bits")
    real = {x: Symbol(x.name, real=True) for x in domain.symbols}
    whole = tuple(_range(s) for s in domain.sides)
    boxes = [_leaf_box(leaf, len(whole)) for leaf in proof.boxes]
    if not covers(whole, boxes):
        raise Rejected(f"the boxes do not cover {domain}")
    checker = Checker(Ranges(proof.precision + EXTRA_BITS))
    statement = expr.xreplace(real)
    for number, (leaf, sides) in enumerate(zip(proof.boxes, boxes, strict=True), 1):
        try:
            checker.check(leaf.method, statement, dict(zip(real.values(), sides, strict=True)), bool(proof.strict))
        except (Rejected, NotDefined) as problem:
            raise Rejected(f"box {number} of {len(boxes)}: {problem}") from problem


def _leaf_box(leaf: Leaf, dimensions: int) -> tuple[Range, ...]:
    if len(leaf.sides) != dimensions:
        raise Rejected(f"a box has {len(leaf.sides)} sides in a domain of {dimensions} variables")
    return tuple(_range(s) for s in leaf.sides)


def _range(side: Side) -> Range:
    """A side as a range; infinite ends are never attained. Raises Rejected if it is not one."""
    if not all(e is None or isinstance(e, Fraction) for e in (side.low, side.high)):
        raise Rejected(f"the ends of {side} are not fractions")
    low: Bound = -inf if side.low is None else side.low
    high: Bound = inf if side.high is None else side.high
    if not low < high:
        raise Rejected(f"{side} is not a side of a box")
    return Range(low, high, not side.low_open and not infinite(low), not side.high_open and not infinite(high))


# -- coverage -------------------------------------------------------------------------------------------------
def covers(region: tuple[Range, ...], boxes: Sequence[tuple[Range, ...]]) -> bool:
    """Whether the boxes cover a region, where planes that cut no box in two lead down to single boxes."""
    if any(all(_inside(r, b) for r, b in zip(region, box, strict=True)) for box in boxes):
        return True
    found = _clear_plane(region, boxes)
    if found is None:
        return False
    axis, at = found
    left = (*region[:axis], region[axis]._replace(high=at, high_in=True), *region[axis + 1 :])
    right = (*region[:axis], region[axis]._replace(low=at, low_in=True), *region[axis + 1 :])
    return covers(left, [b for b in boxes if b[axis].low < at]) and covers(
        right, [b for b in boxes if b[axis].high > at]
    )


def _inside(inner: Range, outer: Range) -> bool:
    low = outer.low < inner.low or (outer.low == inner.low and (outer.low_in or not inner.low_in))
    high = outer.high > inner.high or (outer.high == inner.high and (outer.high_in or not inner.high_in))
    return low and high


def _clear_plane(region: tuple[Range, ...], boxes: Sequence[tuple[Range, ...]]) -> tuple[int, Fraction] | None:
    """An axis and a coordinate inside the region that lies inside no box, as near the median as there is."""
    best: tuple[int, int, Fraction] | None = None
    for axis, side in enumerate(region):
        spans = sorted((b[axis].low, b[axis].high) for b in boxes)
        reach: Bound = -inf
        for k, (before, after) in enumerate(pairwise(spans), 1):
            reach = max(reach, before[1])
            at = after[0]
            if isinstance(at, Fraction) and reach <= at and side.low < at < side.high:
                balance = abs(2 * k - len(spans))
                if best is None or balance < best[0]:
                    best = (balance, axis, at)
    return None if best is None else best[1:]


# -- methods --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Checker:
    """Checks methods one by one; every failure is a Rejected or NotDefined."""

    ranges: Ranges

    def check(self, method: Method, expr: Expr, box: Box, strict: bool) -> None:
        """Whether the method shows expr >= 0 (> 0 if strict) on the box."""
        check_time()
        found = self.ranges.of(expr, box)  # defined on the whole box
        match method:
            case Enclosed():
                if not found.above(strict):
                    raise Rejected(f"the range of {expr} is not {'above' if strict else 'at or above'} zero")
            case _ if any(side.at_infinity for side in box.values()):
                raise Rejected("a limit is settled by its range or not at all")
            case Product():
                self._product(method, expr, box, strict)
            case Monotone():
                self._monotone(method, expr, box, strict)
            case Tangent() if not strict:
                self._tangent(method, expr, box)
            case Convex():
                self._convex(method, expr, box, strict)
            case _:
                raise Rejected(f"{type(method).__name__} shows nothing here")

    def _product(self, method: Product, expr: Expr, box: Box, strict: bool) -> None:
        coefficient = method.coefficient
        if not isinstance(coefficient, Rational):
            raise Rejected(f"the coefficient {coefficient} is not rational")
        total, value = (1 if coefficient > 0 else -1), coefficient
        for f in method.factors:
            if not isinstance(f.power, int) or f.power == 0 or f.sign not in (1, -1):
                raise Rejected(f"{f.base}^{f.power} is not a factor of known sign")
            value = value * f.base**f.power
            total *= f.sign if f.power % 2 else 1
            nonzero = strict or f.power < 0
            if f.method is not None:
                self.check(f.method, f.sign * f.base, box, nonzero)
            elif f.power % 2 or nonzero:
                raise Rejected(f"the sign of the factor {f.base} is not shown")
            else:
                self.ranges.of(f.base, box)
        if (strict and coefficient == 0) or (coefficient != 0 and total < 0):
            raise Rejected("the signs of the factors multiply to the wrong sign")
        _require_equal(expr, value, "the product of the factors")

    def _monotone(self, method: Monotone, expr: Expr, box: Box, strict: bool) -> None:
        x = method.x
        if x not in box or method.least not in ("low", "high"):
            raise Rejected(f"no end of {x} to go to")
        side = box[x]
        upwards = method.least == "low"
        end, attained = (side.low, side.low_in) if upwards else (side.high, side.high_in)
        inner = {**box, x: Range(side.low, side.high, False, False)}
        slope = derivative(expr, x)
        self.ranges.of(slope, inner)
        _require_equal(method.slope, slope, f"the derivative in {x}")
        face = {**box, x: Range(end, end)}
        if method.face is None and isinstance(method.face_method, Enclosed):
            if not self.ranges.of(expr, face, limit=not attained).above(strict and attained):
                raise Rejected(f"the limit of {expr} at {x} = {end} is not shown to be above zero")
        elif method.face is None:
            self.check(method.face_method, expr, face, strict and attained)
        else:
            self.ranges.of(expr, face)  # defined there, and so continuous up to the face
            _require_equal(method.face, _at(expr, x, end), f"the expression on the face {x} = {end}")
            del face[x]
            self.check(method.face_method, method.face, face, strict and attained)
        self.check(method.slope_method, method.slope if upwards else -method.slope, inner, strict and not attained)

    def _tangent(self, method: Tangent, expr: Expr, box: Box) -> None:
        x, contact = method.x, method.at
        if x not in box or x in contact.free_symbols or method.order < 2 or method.order % 2:
            raise Rejected(f"{x} = {contact} is not a contact of even order")
        at = self.ranges.of(contact, box)
        side = box[x]
        low, high = min(at.low, side.low), max(at.high, side.high)
        wide = {**box, x: Range(low, high, not infinite(low), not infinite(high))}
        if not infinite(side.low) and not side.low_in and at.low > side.low:
            wide[x] = wide[x]._replace(low_in=False)
        if not infinite(side.high) and not side.high_in and at.high < side.high:
            wide[x] = wide[x]._replace(high_in=False)
        if at.low <= side.low and not at.low_in and not side.low_in:
            wide[x] = wide[x]._replace(low_in=False)
        if at.high >= side.high and not at.high_in and not side.high_in:
            wide[x] = wide[x]._replace(high_in=False)
        self.ranges.of(expr, wide)
        _require_equal(method.foot, _at(expr, x, contact), f"the expression at {x} = {contact}")
        self.check(method.foot_method, method.foot, {y: s for y, s in box.items() if y != x}, False)
        current = derivative(expr, x)
        for order in range(1, method.order):
            self.ranges.of(current, wide)
            _require_equal(_at(current, x, contact), S.Zero, f"derivative {order} in {x} at {contact} and zero")
            current = derivative(current, x)
        self.ranges.of(current, wide)
        _require_equal(method.derivative, current, f"derivative {method.order} in {x}")
        self.check(method.method, method.derivative, wide, False)

    def _convex(self, method: Convex, expr: Expr, box: Box, strict: bool) -> None:
        centre = dict(method.point)
        symbols = list(centre)
        if not {x for x in expr.free_symbols if box[x].low != box[x].high} <= set(symbols) <= set(box):
            raise Rejected("the point of the tangent plane misses a variable")
        if not all(_inside(Range(c, c), box[x]) for x, c in centre.items()):
            raise Rejected("the point of the tangent plane is outside the box")
        if len(method.hessian) != len(symbols) or any(len(row) != len(symbols) for row in method.hessian):
            raise Rejected("the Hessian has another size than the point")
        gradient = [derivative(expr, x) for x in symbols]
        for slope, row in zip(gradient, method.hessian, strict=True):
            self.ranges.of(slope, box)
            for y, entry in zip(symbols, row, strict=True):
                second = derivative(slope, y)
                self.ranges.of(second, box)
                _require_equal(entry, second, f"the second derivative in {y}")
        self._positive_definite([[self.ranges.of(entry, box) for entry in row] for row in method.hessian])
        here = {x: _rational(c) for x, c in centre.items()}
        plane = self._value(expr, here, box)
        for (x, c), slope in zip(centre.items(), gradient, strict=True):
            step = self.ranges.add(box[x], Range(-c, -c))
            plane = self.ranges.add(plane, self.ranges.multiply(self._value(slope, here, box), step))
        if not plane.above(strict):
            raise Rejected("the tangent plane is not shown to be above zero")

    def _value(self, expr: Expr, here: dict[Symbol, Rational], box: Box) -> Range:
        """The value at a point: 0 where that is an identity, else its range."""
        value = expr.xreplace(here)
        return Range(Fraction(0), Fraction(0)) if vanishes(value) else self.ranges.of(value, box)

    def _positive_definite(self, matrix: list[list[Range]]) -> None:
        """Every leading minor is positive, by cofactors."""
        for k in range(1, len(matrix) + 1):
            if not self._determinant([row[:k] for row in matrix[:k]]).above(True):
                raise Rejected(f"the leading minor of order {k} of the Hessian is not shown to be positive")

    def _determinant(self, rows: list[list[Range]]) -> Range:
        if len(rows) == 1:
            return rows[0][0]
        total = Range(Fraction(0), Fraction(0))
        for k, entry in enumerate(rows[0]):
            minor = self._determinant([[*row[:k], *row[k + 1 :]] for row in rows[1:]])
            term = self.ranges.multiply(entry, minor)
            total = self.ranges.add(total, negated(term) if k % 2 else term)
        return total


# -- algebra --------------------------------------------------------------------------------------------------
def _rational(value: Fraction) -> Rational:
    return Rational(value.numerator, value.denominator)


def _at(expr: Expr, x: Symbol, value: Expr | Fraction | float) -> Expr:
    """The expression with x replaced. Raises Rejected where that is undefined."""
    if isinstance(value, float):
        raise Rejected(f"no value at {x} = {value}")
    replaced = expr.xreplace({x: _rational(value) if isinstance(value, Fraction) else value})
    if replaced.has(nan, zoo, S.Infinity, S.NegativeInfinity):
        raise Rejected(f"{expr} is undefined at {x} = {value}")
    return replaced


def _require_equal(stored: Expr, own: Expr, what: str) -> None:
    if not isinstance(stored, Expr) or not same(stored, own):
        raise Rejected(f"{stored} is not {what}")


@lru_cache(maxsize=4096)
def same(a: Expr, b: Expr) -> bool:
    """Whether two expressions are identical by expansion over a common denominator."""
    return a == b or vanishes(a - b)


@lru_cache(maxsize=4096)
@within_limit
def vanishes(expr: Expr) -> bool:
    """Whether an expression is identically zero by expansion over a common denominator; False where that is too large.

    A value that excludes zero at one point settles the matter the other way, whatever the expansion would say.
    """
    symbols = sorted(expr.free_symbols, key=str)
    somewhere = {x: Range(Fraction(7 + k, 9 + k), Fraction(7 + k, 9 + k)) for k, x in enumerate(symbols)}
    try:
        if not Ranges(EXTRA_BITS).of(expr, somewhere).has_zero:
            return False
    except NotDefined:
        pass  # not a point of its domain
    if too_large(expr):
        return False
    powers = {e: exp(e.exp * log(e.base)) for e in expr.atoms(Pow) if e.exp.free_symbols and e.base != E}
    flat = expand((expr.rewrite(exp) if expr.has(sinh, cosh, tanh, coth) else expr).xreplace(powers))
    return flat == 0 or expand(fraction(together(flat))[0]) == 0


@lru_cache(maxsize=4096)
def derivative(expr: Expr, x: Symbol) -> Expr:
    """d expr/dx by the rules for sums, products, powers, elementary functions. Raises Rejected without a rule."""
    if x not in expr.free_symbols:
        return S.Zero
    match expr:
        case Symbol():
            return S.One
        case Add():
            return Add(*(derivative(a, x) for a in expr.args))
        case Mul():
            first, rest = expr.args[0], expr.func(*expr.args[1:])
            return derivative(first, x) * rest + first * derivative(rest, x)
        case exp():
            return expr * derivative(expr.exp, x)
        case Pow() if x not in expr.exp.free_symbols:
            return expr.exp * expr.base ** (expr.exp - 1) * derivative(expr.base, x)
        case Pow():
            return expr * derivative(expr.exp * log(expr.base), x)
    if type(expr) not in SLOPES:
        raise Rejected(f"no rule for the derivative of {expr}")
    inner = expr.args[0]
    return SLOPES[type(expr)](inner) * derivative(inner, x)


SLOPES = {
    log: lambda u: 1 / u,
    erf: lambda u: 2 * exp(-(u**2)) / sqrt(pi),
    erfc: lambda u: -2 * exp(-(u**2)) / sqrt(pi),
    sinh: cosh,
    cosh: sinh,
    tanh: lambda u: 1 - tanh(u) ** 2,
    coth: lambda u: 1 - coth(u) ** 2,
}

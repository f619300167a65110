"""Settling the sign of an expression on one box, without cutting it: the tactics behind the methods of a proof."""

from fractions import Fraction
from typing import Literal

from flint import fmpq
from sympy import Expr, Symbol

from theory.deadline import check_time
from theory.enclosure import enclosure
from theory.proof_contact import (
    HIGHEST_ORDER,
    contact_candidates,
    contact_order,
    derivative_enclosure,
    hessian_on,
    plane_is_above_zero,
    positive_semidefinite,
    slope_on,
)
from theory.proof_domain import Box, cut, rational, simplest_inside, with_side
from theory.proof_form import at, factored
from theory.proof_interval import (
    Interval,
    hull,
    minus,
    nonnegative,
    positive,
    sign,
)
from theory.proof_method import Convex, Enclosed, Method, Monotone, Product, SignedFactor, Tangent
from theory.proof_sample import below_zero, sampled_sign

# How many derivatives deep an argument may go: a contact of order k needs k.
DEEPEST = HIGHEST_ORDER


def settle(expr: Expr, box: Box, strict: bool, depth: int = DEEPEST) -> Method | None:
    """A method that proves expr >= 0 (> 0 if strict) on the box, or None. Works at `flint.ctx.prec` bits.

    Raises OutOfTimeError where a time limit is set (`theory.deadline`) and has passed.
    """
    check_time()
    value = enclosure(expr, box)
    if value is None:
        return None
    if positive(value) or (not strict and nonnegative(value)):
        return Enclosed()
    if any(side.is_limit for side in box.values()) or below_zero(expr, box):
        return None
    found = _product(expr, box, strict, depth) or _monotone(expr, box, strict, depth)
    if found is not None or depth == 0:
        return found
    return (None if strict else _tangent(expr, box, depth)) or _convex(expr, box, strict)


# -- factors --------------------------------------------------------------------------------------------------
def _product(expr: Expr, box: Box, strict: bool, depth: int) -> Product | None:
    """Every factor has one sign on the box."""
    coefficient, factors = factored(expr)
    if coefficient == 0:
        return None if strict else Product(coefficient, ())
    if len(factors) == 1 and factors[0].power == 1:  # the same expression in another form
        if factors[0].base in (expr, -expr) or depth == 0:
            return None
        depth -= 1
    total, settled = sign(fmpq(int(coefficient.p), int(coefficient.q))), []
    for base, power in factors:
        must_be_nonzero = strict or power < 0
        if power % 2 == 0 and not must_be_nonzero:
            if enclosure(base, box) is None:
                return None
            settled.append(SignedFactor(base, power, 1, None))
            continue
        guess = sampled_sign(base, box)
        if guess is None:
            return None
        total *= guess if power % 2 else 1
        settled.append(SignedFactor(base, power, guess, Enclosed()))
    if total < 0:
        return None
    for k, factor in enumerate(settled):
        if factor.method is not None:
            must_be_nonzero = strict or factor.power < 0
            method = settle(factor.sign * factor.base, box, must_be_nonzero, depth)
            if method is None:
                return None
            settled[k] = SignedFactor(factor.base, factor.power, factor.sign, method)
    return Product(coefficient, tuple(settled))


# -- slopes ---------------------------------------------------------------------------------------------------
def _monotone(expr: Expr, box: Box, strict: bool, depth: int) -> Monotone | None:
    """Reduce to the face where the expression is least, along any of its variables."""
    for x, side in box.items():
        if side.is_point or x not in expr.free_symbols:
            continue
        inner = with_side(box, x, side.opened)
        slope = slope_on(expr, x, inner)
        direction = None if slope is None else _direction(*slope, inner, depth)
        if slope is None or direction is None:
            continue
        found = _along(expr, x, box, slope[0], direction == 1, strict, depth)
        if found is not None:
            return found
    return None


def _direction(slope: Expr, value: Interval, box: Box, depth: int) -> Literal[1, -1] | None:
    """The sign of a slope: of its enclosure, else, while further derivatives are allowed, of its samples."""
    if nonnegative(value):
        return 1
    if nonnegative(minus(value)):
        return -1
    return sampled_sign(slope, box) if depth > 0 else None


def _along(expr: Expr, x: Symbol, box: Box, slope: Expr, increasing: bool, strict: bool, depth: int) -> Monotone | None:
    """The argument along x: the face first, since a slope is only worth more work where the face is a contact."""
    side = box[x]
    end, is_open = (side.low, side.low_open) if increasing else (side.high, side.high_open)
    touching = with_side(box, x, Interval(end, end))
    value = enclosure(expr, touching, limit=is_open)
    if value is None:
        return None
    # where the end does not belong to the box, a zero there is allowed if the slope is strict
    found = _on_face(expr, x, touching, value, strict and not is_open, depth)
    if found is None:
        return None
    face, face_method = found
    contact = side.is_infinite or not positive(value)
    # away from contacts cutting the box is cheaper than many derivatives
    deeper = max(depth - 1 if contact or len(box) == 1 else min(depth - 1, 1), 0)
    direction = 1 if increasing else -1
    slope_method = settle(direction * slope, with_side(box, x, side.opened), strict and is_open, deeper)
    if slope_method is None:
        return None
    return Monotone(x, "low" if increasing else "high", slope, slope_method, face, face_method)


def _on_face(
    expr: Expr, x: Symbol, face_box: Box, value: Interval, strict: bool, depth: int
) -> tuple[Expr | None, Method] | None:
    """The sign where x is at one end: of the expression there or in the limit, or of its value in the others."""
    if positive(value) or (not strict and nonnegative(value)):
        return None, Enclosed()
    if face_box[x].is_infinite or enclosure(expr, face_box) is None:
        return None
    face = at(expr, x, rational(face_box[x].low))  # type: ignore[arg-type]
    if face != 0 and (method := settle(expr, face_box, strict, depth)) is not None:
        return None, method
    others = {y: side for y, side in face_box.items() if y != x}
    if face is None or not others or (face != 0 and depth == 0):
        return None
    method = settle(face, others, strict, depth)
    return None if method is None else (face, method)


# -- contacts -------------------------------------------------------------------------------------------------
def _tangent(expr: Expr, box: Box, depth: int) -> Tangent | None:
    """A contact of even order at a simple rational or along the line where two variables agree."""
    for x, side in box.items():
        if side.is_point or x not in expr.free_symbols:
            continue
        for value, values in contact_candidates(expr, x, box):
            wide = with_side(box, x, hull(side, values))
            contact = contact_order(expr, x, value)
            if contact is None or any(derivative_enclosure(expr, x, wide, k) is None for k in range(contact[0] + 1)):
                continue
            method = settle(contact[1], wide, False, min(depth - 1, 2))
            foot = at(expr, x, value)
            if method is None or foot is None:
                continue
            foot_method = settle(foot, {y: s for y, s in box.items() if y != x}, False, depth - 1)
            if foot_method is not None:
                return Tangent(x, value, contact[0], contact[1], method, foot, foot_method)
    return None


# -- convexity ------------------------------------------------------------------------------------------------
def _convex(expr: Expr, box: Box, strict: bool) -> Convex | None:
    """Above a tangent plane that is nonnegative on the box, in two or more variables."""
    symbols = [x for x, side in box.items() if x in expr.free_symbols and not side.is_point]
    if len(symbols) < 2 or any(box[x].is_infinite for x in symbols):
        return None
    hessian = hessian_on(expr, symbols, box)
    if hessian is None or not positive_semidefinite([[value for _, value in row] for row in hessian]):
        return None
    simple = {x: c for x in symbols if (c := simplest_inside(box[x])) is not None}
    for centre in (simple, {x: cut(box[x]) for x in symbols}):
        if len(centre) == len(symbols) and plane_is_above_zero(expr, centre, box, strict):
            fractions = tuple((x, Fraction(int(c.p), int(c.q))) for x, c in centre.items())
            return Convex(fractions, tuple(tuple(form for form, _ in row) for row in hessian))
    return None

"""Where an expression may touch zero, and what is known of its derivatives there."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from flint import fmpq
from sympy import Expr, S, Symbol

from theory.enclosure import enclosure
from theory.proof_domain import Box, rational, simplest_inside, with_side
from theory.proof_form import at, derivative, stationary
from theory.proof_interval import (
    Interval,
    add,
    contains_zero,
    minus,
    mul,
    negative,
    nonnegative,
    overlap,
    point,
    positive,
    reciprocal,
)
from theory.proof_sample import samples

# The highest order of a contact that is looked for.
HIGHEST_ORDER = 6


def slope_on(expr: Expr, x: Symbol, box: Box) -> tuple[Expr, Interval] | None:
    """d expr/dx in factors and its enclosure, where the expression is certainly differentiable on the box."""
    slopes = derivative(expr, x)
    if slopes is None or enclosure(slopes[0], box) is None:
        return None
    value = enclosure(slopes[1], box)
    return None if value is None else (slopes[1], value)


def contact_candidates(expr: Expr, x: Symbol, box: Box) -> Iterator[tuple[Expr, Interval]]:
    """Values of x where the expression may be least, and their ranges: simple rationals, stationary points, symbols."""
    side, (_, sample) = box[x], islice(samples(box), 2)
    simple = simplest_inside(side)
    candidates = [] if simple is None else [rational(simple)]
    others = [y for y in box if y != x and y in expr.free_symbols]
    slopes = derivative(expr, x)
    if slopes is None:
        return
    for value in dict.fromkeys((*candidates, *stationary(expr, x), *others)):
        values, here = enclosure(value, box), enclosure(value, sample)
        if values is None or here is None or not overlap(values, side):
            continue
        foot = with_side(sample, x, here)
        slope, height = enclosure(slopes[0], foot), enclosure(expr, foot)
        if slope is not None and contains_zero(slope) and height is not None and not negative(height):
            yield value, values


@lru_cache(maxsize=1024)
def contact_order(expr: Expr, x: Symbol, value: Expr) -> tuple[int, Expr] | None:
    """The even order of the first derivative in x that does not vanish at x = value, and that derivative; or None."""
    current = expr
    for order in range(1, HIGHEST_ORDER + 1):
        slopes = derivative(current, x)
        if slopes is None:
            return None
        current = slopes[1]
        if at(current, x, value) != 0:
            return (order, current) if order % 2 == 0 else None
    return None


def derivative_enclosure(expr: Expr, x: Symbol, box: Box, order: int) -> Interval | None:
    """Enclosure of a derivative as SymPy writes it, to be sure that it exists on the box."""
    for _ in range(order):
        slopes = derivative(expr, x)
        if slopes is None:
            return None
        expr = slopes[0]
    return enclosure(expr, box)


# -- convexity --
def hessian_on(expr: Expr, symbols: list[Symbol], box: Box) -> list[list[tuple[Expr, Interval]]] | None:
    """Second derivatives in factors with their enclosures; the lower triangle mirrors the upper."""
    rows: list[list[tuple[Expr, Interval]]] = []
    for i, x in enumerate(symbols):
        first = slope_on(expr, x, box)
        slopes = derivative(expr, x)
        if first is None or slopes is None:
            return None
        row = [rows[j][i] for j in range(i)]
        for y in symbols[i:]:
            second = slope_on(slopes[0], y, box)
            if second is None:
                return None
            row.append(second)
        rows.append(row)
    return rows


def positive_semidefinite(rows: list[list[Interval]]) -> bool:
    """Whether every symmetric matrix of the enclosure has positive pivots, by elimination in intervals."""
    matrix = [list(row) for row in rows]
    for k in range(len(matrix)):
        if not positive(matrix[k][k]):
            return False
        for i in range(k + 1, len(matrix)):
            ratio = mul(matrix[i][k], reciprocal(matrix[k][k]))
            for j in range(k + 1, len(matrix)):
                matrix[i][j] = add(matrix[i][j], minus(mul(ratio, matrix[k][j])))
    return True


def plane_is_above_zero(expr: Expr, centre: dict[Symbol, fmpq], box: Box, strict: bool) -> bool:
    """f(c) + sum_i d_i f(c) (x_i - c_i) >= 0 on the box, values that vanish exactly taken as 0."""
    points = {x: rational(c) for x, c in centre.items()}
    plane = exact_value(expr, points, box)
    for x, c in centre.items():
        slopes = derivative(expr, x)
        slope = None if slopes is None else exact_value(slopes[0], points, box)
        if plane is None or slope is None:
            return False
        plane = add(plane, mul(slope, add(box[x], point(-c))))
    return plane is not None and (positive(plane) if strict else nonnegative(plane))


def exact_value(expr: Expr, points: dict[Symbol, Expr], box: Box) -> Interval | None:
    """The enclosure at an exact point of some variables, [0, 0] where the value vanishes identically."""
    for x, value in points.items():
        replaced = at(expr, x, value)
        if replaced is None:
            return None
        expr = replaced
    return point(fmpq(0)) if expr == S.Zero else enclosure(expr, box)

"""The second checker: forged, truncated and altered certificates are rejected, whatever they claim."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import inf

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import (
    Add,
    E,
    Expr,
    Integer,
    Interval,
    Mul,
    Pow,
    Rational,
    S,
    Symbol,
    cosh,
    coth,
    diff,
    erf,
    erfc,
    exp,
    log,
    oo,
    sinh,
    sqrt,
    tanh,
)

from theory.proof import Domain, Leaf, Proof, Refutation, prove
from theory.proof_domain import Side
from theory.proof_method import Convex, Enclosed, Method, Monotone, Product, SignedFactor, Tangent
from theory.recheck import Rejected, covers, derivative, recheck, same, vanishes
from theory.recheck_interval import Range, Ranges

X, Y = Symbol("x", real=True), Symbol("y", real=True)


def proved(expr: Expr, *bounds: tuple, strict: bool = False) -> Proof:
    outcome = prove(expr, Domain.of(*bounds), strict=strict)
    assert isinstance(outcome, Proof)
    assert recheck(outcome) is None
    return outcome


@pytest.fixture(scope="module")
def tail() -> Proof:
    """Several boxes, monotone with a limit at infinity."""
    return proved(exp(-(X**2) / 2) - erfc(X / sqrt(2)), (X, 0, oo))


@pytest.fixture(scope="module")
def plane() -> Proof:
    """Boxes in two variables."""
    proof = proved(sqrt(2 + X**2) + exp(X * Y) - 1 - Y / 3, (X, -1, 1), (Y, -1, 1))
    return proof


def one_leaf(expr: Expr, method: Method, *bounds: tuple, strict: bool = False) -> Proof:
    """A certificate written by hand: the whole domain by one method."""
    domain = Domain.of(*bounds)
    return Proof(expr, domain, strict, (Leaf(domain.sides, method),), 128)


# -- coverage -------------------------------------------------------------------------------------------------
def test_every_dropped_box_is_missed(tail: Proof) -> None:
    """Without any one of its boxes a certificate is rejected as not covering the domain."""
    for k in range(len(tail.boxes)):
        problem = recheck(replace(tail, boxes=tail.boxes[:k] + tail.boxes[k + 1 :]))
        assert problem is not None
        assert "cover" in problem


def test_every_shrunk_side_is_missed(tail: Proof) -> None:
    """A corner moved inwards by 1e-30, or an end that was closed called open, leaves a gap."""
    for k, leaf in enumerate(tail.boxes):
        (side,) = leaf.sides
        moved = [] if side.low is None else [side._replace(low=side.low + Fraction(1, 10**30))]
        moved += [side._replace(high=side.high - Fraction(1, 10**30))] if side.high is not None else []
        for other in moved:
            forged = (*tail.boxes[:k], Leaf((other,), leaf.method), *tail.boxes[k + 1 :])
            assert "cover" in str(recheck(replace(tail, boxes=forged)))


def test_a_missing_point_is_missed() -> None:
    """[0, 1) and (1, 2] do not cover [0, 2]; [0, 1) and [1, 2] do."""
    zero, one, two = map(Fraction, range(3))
    whole = (Range(zero, two),)
    assert not covers(whole, [(Range(zero, one, True, False),), (Range(one, two, False, True),)])
    assert covers(whole, [(Range(zero, one, True, True),), (Range(one, two),)])
    assert not covers(whole, [(Range(zero, two, False, True),)])
    assert not covers(whole, [(Range(zero, two, True, False),)])
    assert not covers((Range(zero, inf, True, False),), [(Range(zero, two),)])
    assert covers(
        (Range(zero, inf, False, False),), [(Range(zero, two, False, True),), (Range(two, inf, True, False),)]
    )


@given(data=st.data())
def test_coverage_of_random_cut_trees(data: st.DataObject) -> None:
    """The parts of a square cut at random cover it, and do not without any one of them."""
    parts = [(Range(Fraction(0), Fraction(1)), Range(Fraction(0), Fraction(1)))]
    for _ in range(data.draw(st.integers(1, 8))):
        box = parts.pop(data.draw(st.integers(0, len(parts) - 1)))
        axis = data.draw(st.integers(0, 1))
        side = box[axis]
        at = side.low + (side.high - side.low) * data.draw(st.fractions("1/9", "8/9"))
        for part in (Range(side.low, at), Range(at, side.high)):
            parts.append((part, box[1]) if axis == 0 else (box[0], part))
    square = (Range(Fraction(0), Fraction(1)), Range(Fraction(0), Fraction(1)))
    assert covers(square, parts)
    gone = data.draw(st.integers(0, len(parts) - 1))
    assert not covers(square, parts[:gone] + parts[gone + 1 :])


# -- altered statements ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "alter",
    [
        lambda p: replace(p, expr=-p.expr),
        lambda p: replace(p, expr=p.expr - Rational(1, 10**6)),
        lambda p: replace(p, expr=p.expr + X - X**2),
        lambda p: replace(p, expr=p.expr + Symbol("y")),
        lambda p: replace(p, domain=Domain.of((X, -1, oo))),
        lambda p: replace(p, domain=Domain.of((X, -oo, oo))),
        lambda p: replace(p, domain=Domain.of((X, 0, oo), (Y, 0, 1))),
        lambda p: replace(p, strict=True),
        lambda p: replace(p, precision=0),
        lambda p: replace(p, precision=10**9),
        lambda p: replace(p, boxes=()),
        lambda p: replace(p, boxes=tuple(Leaf(leaf.sides, Enclosed()) for leaf in p.boxes)),
        lambda p: replace(p, boxes=tuple(Leaf((), leaf.method) for leaf in p.boxes)),
        lambda p: replace(p, boxes=(Leaf((Side(Fraction(2), Fraction(1), False, False),), Enclosed()), *p.boxes)),
        lambda p: replace(p, boxes=(Leaf((Side(0.5, Fraction(1), False, False),), Enclosed()), *p.boxes)),
        lambda p: replace(p, boxes=tuple(Leaf(leaf.sides, "trust me") for leaf in p.boxes)),
    ],
)
def test_altered_certificates_are_rejected(tail: Proof, alter: Callable[[Proof], Proof]) -> None:
    """A certificate for another statement, domain, sign or precision, or with other methods, is rejected."""
    assert recheck(alter(tail)) is not None


# -- altered methods ------------------------------------------------------------------------------------------
def tangent_line() -> tuple[Expr, Monotone]:
    """e^x - 1 - x on [0, 1] by its slope."""
    return exp(X) - 1 - X, Monotone(X, "low", exp(X) - 1, Enclosed(), None, Enclosed())


@pytest.mark.parametrize(
    "change",
    [
        {"least": "high"},
        {"slope": exp(X)},
        {"slope": 2 * (exp(X) - 1)},
        {"slope": S.One},
        {"slope": None},
        {"slope_method": Product(Integer(1), ())},
        {"face": Integer(1)},
        {"face": X},
        {"x": Y},
        {"least": "middle"},
    ],
    ids=str,
)
def test_altered_slopes_are_rejected(change: dict) -> None:
    """Another slope, face, end or variable than those of the statement is rejected; the right ones are accepted."""
    expr, method = tangent_line()
    assert recheck(one_leaf(expr, method, (X, 0, 1))) is None
    assert recheck(one_leaf(expr, replace(method, **change), (X, 0, 1))) is not None


def test_a_monotone_argument_needs_its_sign_its_face_and_its_domain() -> None:
    """Rejected: a decreasing one called increasing, a negative face, a function undefined between, a strict contact."""
    down = Monotone(X, "low", -exp(X), Enclosed(), None, Enclosed())
    assert recheck(one_leaf(2 - exp(X), down, (X, 0, 1))) is not None
    below = Monotone(X, "low", exp(X), Enclosed(), None, Enclosed())
    assert recheck(one_leaf(exp(X) - 2, below, (X, 0, 1))) is not None
    pole = Monotone(X, "low", 1 / X**2, Enclosed(), None, Enclosed())
    assert recheck(one_leaf(2 - 1 / X, pole, (X, -1, 1))) is not None
    expr, method = tangent_line()
    assert recheck(one_leaf(expr, method, (X, 0, 1), strict=True)) is not None
    assert recheck(one_leaf(expr, method, (X, Interval.Lopen(0, 1)), strict=True)) is None


def test_a_limit_must_be_determinate_and_nonnegative() -> None:
    """e^-x is above its limit 0 at infinity, e^-x - 1/9 is not above its own, and x e^-x has none that follows."""
    slope = Monotone(X, "high", -exp(-X), Enclosed(), None, Enclosed())
    assert recheck(one_leaf(exp(-X), slope, (X, 0, oo))) is None
    assert recheck(one_leaf(exp(-X) - Rational(1, 9), slope, (X, 0, oo))) is not None
    fading = Monotone(X, "high", (1 - X) * exp(-X), Enclosed(), None, Enclosed())
    assert recheck(one_leaf(X * exp(-X), fading, (X, 2, oo))) is not None
    constant = Monotone(X, "high", S.Zero, Enclosed(), None, Enclosed())
    assert recheck(one_leaf(-exp(-X), constant, (X, 0, oo))) is not None


def test_a_zero_slope_on_an_open_end_is_not_strict() -> None:
    """A constant zero is not positive on (0, 1], although its face does not belong to the box."""
    constant = Monotone(X, "low", S.Zero, Enclosed(), None, Enclosed())
    zero = X - X**2 - X * (1 - X)
    assert recheck(one_leaf(zero, constant, (X, Interval.Lopen(0, 1)), strict=True)) is not None


SQUARE = Product(Integer(1), (SignedFactor(X - Y, 2, 1, None),))


@pytest.mark.parametrize(
    ("expr", "method", "strict"),
    [
        ((X - Y) ** 2, SQUARE, True),
        ((X - Y) ** 2, Product(Integer(-1), (SignedFactor(X - Y, 2, 1, None),)), False),
        ((X - Y) ** 2, Product(Integer(2), (SignedFactor(X - Y, 2, 1, None),)), False),
        ((X - Y) ** 3, Product(Integer(1), (SignedFactor(X - Y, 3, 1, None),)), False),
        ((X - Y) ** 3, Product(Integer(1), (SignedFactor(X - Y, 3, 1, Enclosed()),)), False),
        ((X - Y) ** 2, Product(Integer(1), (SignedFactor(X - Y, 2, 0, None),)), False),
        (-((X - Y) ** 2), SQUARE, False),
        ((X - Y) ** 4, SQUARE, False),
        (1 / (X - Y) ** 2, Product(Integer(1), (SignedFactor(X - Y, -2, 1, None),)), False),
        (-X - 1, Product(Integer(1), (SignedFactor(X + 1, 1, 1, Enclosed()),)), False),
        (-X - 1, Product(Integer(-1), (SignedFactor(X + 1, 1, 1, Enclosed()),)), False),
        (-X - 1, Product(Integer(1), (SignedFactor(-X - 1, 1, -1, Enclosed()),)), False),
        (-((X + 1) ** 2), Product(Integer(-1), (SignedFactor(-X - 1, 2, -1, Enclosed()),)), False),
        ((X - Y) ** 2, Product(Integer(0), ()), False),
        (X - X, Product(Integer(0), ()), True),
        ((X - Y) ** 2, Product(1.0, (SignedFactor(X - Y, 2, 1, None),)), False),
    ],
    ids=str,
)
def test_altered_products_are_rejected(expr: Expr, method: Product, strict: bool) -> None:
    """Wrong signs, powers, coefficients or products are rejected; a plain square is accepted."""
    bounds = (X, 0, 1), (Y, 0, 1)
    assert recheck(one_leaf((X - Y) ** 2, SQUARE, *bounds)) is None
    assert recheck(one_leaf(expr, method, *bounds, strict=strict)) is not None


CONTACT = Tangent(X, log(2), 2, exp(X), Enclosed(), S.Zero, Enclosed())


@pytest.mark.parametrize(
    ("expr", "method"),
    [
        (exp(X) - 2 - 2 * (X - log(2)), replace(CONTACT, at=log(3))),
        (exp(X) - 2 - 2 * (X - log(2)), replace(CONTACT, order=1)),
        (exp(X) - 2 - 2 * (X - log(2)), replace(CONTACT, order=0, derivative=exp(X))),
        (exp(X) - 2 - 2 * (X - log(2)), replace(CONTACT, order=4)),
        (exp(X) - 2 - 2 * (X - log(2)), replace(CONTACT, derivative=-exp(X))),
        (exp(X) - 2 - 2 * (X - log(2)), replace(CONTACT, at=X)),
        (-((X - log(2)) ** 2), Tangent(X, log(2), 2, Integer(2), Enclosed(), S.Zero, Enclosed())),
        (exp(X) - 2 - 2 * (X - log(2)) - Rational(1, 10**9), CONTACT),
        (exp(X) - 2 - 2 * (X - log(2)) - Rational(1, 10**9), replace(CONTACT, foot=-Rational(1, 10**9))),
        (exp(X) - 2 - 2 * (X - log(2)) - Rational(1, 10**9), replace(CONTACT, foot=Rational(1, 10**9))),
        (exp(X) - 2 - 3 * (X - log(2)), CONTACT),
        (exp(X) - 2 - 3 * (X - log(2)) + Rational(1, 2) * (X - log(2)) ** 2, CONTACT),
        ((X - log(2)) ** 3, Tangent(X, log(2), 2, 6 * (X - log(2)), Enclosed(), S.Zero, Enclosed())),
        (-((X - log(2)) ** 2), Tangent(X, log(2), 2, Integer(-2), Enclosed(), S.Zero, Enclosed())),
        ((X - log(2)) ** 3, Tangent(X, log(2), 3, Integer(6), Enclosed(), S.Zero, Enclosed())),
    ],
    ids=str,
)
def test_altered_contacts_are_rejected(expr: Expr, method: Tangent) -> None:
    """Another point, order or derivative, a contact that misses zero, or a slope there, is rejected."""
    assert recheck(one_leaf(exp(X) - 2 - 2 * (X - log(2)), CONTACT, (X, -1, 2))) is None
    assert recheck(one_leaf(expr, method, (X, -1, 2))) is not None
    assert recheck(one_leaf(exp(X) - 2 - 2 * (X - log(2)), CONTACT, (X, -1, 2), strict=True)) is not None


def test_a_contact_outside_the_box_needs_the_segment_between() -> None:
    """x^2 (3 - x) touches zero at 0 and is concave beyond 1: the contact says nothing on [2, 3]."""
    expr = X**2 * (3 - X)
    method = Tangent(X, Integer(0), 2, 6 - 6 * X, Enclosed(), S.Zero, Enclosed())
    assert recheck(one_leaf(expr, method, (X, -1, 1))) is None
    assert recheck(one_leaf(expr, method, (X, 2, 3))) is not None
    assert recheck(one_leaf(expr, method, (X, Rational(1, 2), 1))) is None  # convex from the contact to the box
    hidden = (X - 3) ** 2 * (1 - X) * -1  # touches at 3, convex from 7/3 on; negative below 1
    far = Tangent(X, Integer(3), 2, diff(hidden, X, 2), Enclosed(), S.Zero, Enclosed())
    assert recheck(one_leaf(hidden, far, (X, Rational(5, 2), 4))) is None
    assert recheck(one_leaf(hidden, far, (X, 0, Rational(1, 2)))) is not None


def test_a_contact_says_nothing_beyond_a_concave_part() -> None:
    """x^2 (x - 1)(x - 4) touches zero at 0 and is convex on [5/2, 3], where it is negative."""
    expr = X**4 - 5 * X**3 + 4 * X**2
    method = Tangent(X, Integer(0), 2, 8 + X * (12 * X - 30), Enclosed(), S.Zero, Enclosed())
    assert recheck(one_leaf(expr, method, (X, Rational(-1, 8), Rational(1, 8)))) is None
    assert recheck(one_leaf(expr, method, (X, Rational(5, 2), 3))) is not None


def test_a_tangent_plane_from_outside_the_box_says_nothing() -> None:
    """Convex on the square and negative at its middle, but with a horizontal tangent plane at height 4 over (3, 0)."""
    expr = X**2 - Rational(1, 2) - X**4 / 18 + Y**2
    rows = ((2 - 2 * X**2 / 3, S.Zero), (S.Zero, Integer(2)))
    far = Convex(((X, Fraction(3)), (Y, Fraction(0))), rows)
    assert recheck(one_leaf(expr, far, (X, -1, 1), (Y, -1, 1))) is not None
    near = Convex(((X, Fraction(0)), (Y, Fraction(0))), rows)
    assert recheck(one_leaf(expr + Rational(1, 2), near, (X, -1, 1), (Y, -1, 1))) is None


BOWL = X**2 - X * Y + Y**2
BOWL_ROWS = ((Integer(2), Integer(-1)), (Integer(-1), Integer(2)))


@pytest.mark.parametrize(
    ("expr", "point", "rows"),
    [
        (BOWL, {X: 0, Y: Fraction(1, 2)}, BOWL_ROWS),
        (BOWL, {X: 3, Y: 3}, BOWL_ROWS),
        (BOWL, {X: 0}, BOWL_ROWS),
        (BOWL, {X: 0, Y: 0}, BOWL_ROWS[:1]),
        (BOWL, {X: 0, Y: 0}, ((Integer(2), Integer(1)), (Integer(1), Integer(2)))),
        (BOWL - Rational(1, 10**12), {X: 0, Y: 0}, BOWL_ROWS),
        (BOWL + X / 10**12, {X: 0, Y: 0}, BOWL_ROWS),
        (X**2 + Y**2 - 3 * X * Y, {X: 0, Y: 0}, ((Integer(2), Integer(-3)), (Integer(-3), Integer(2)))),
        (X * Y, {X: 0, Y: 0}, ((Integer(0), Integer(1)), (Integer(1), Integer(0)))),
        (-(X**2) - Y**2, {X: 0, Y: 0}, ((Integer(-2), Integer(0)), (Integer(0), Integer(-2)))),
    ],
    ids=str,
)
def test_altered_tangent_planes_are_rejected(expr: Expr, point: dict, rows: tuple) -> None:
    """A point outside, a missing variable, another Hessian, an indefinite one or a plane below zero is rejected."""
    bounds = (X, -1, 1), (Y, -1, 1)
    right = Convex(((X, Fraction(0)), (Y, Fraction(0))), BOWL_ROWS)
    assert recheck(one_leaf(BOWL, right, *bounds)) is None
    assert recheck(one_leaf(BOWL, right, *bounds, strict=True)) is not None
    forged = Convex(tuple((x, Fraction(c)) for x, c in point.items()), rows)
    assert recheck(one_leaf(expr, forged, *bounds)) is not None


def test_every_leaf_is_checked(plane: Proof) -> None:
    """A single leaf whose method is replaced by a tangent plane of another statement spoils the proof."""
    wrong = Convex(((X, Fraction(5)), (Y, Fraction(5))), BOWL_ROWS)
    for k, leaf in enumerate(plane.boxes):
        forged = (*plane.boxes[:k], Leaf(leaf.sides, wrong), *plane.boxes[k + 1 :])
        assert recheck(replace(plane, boxes=forged)) is not None


# -- own algebra ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "f",
    [
        X**3 * Y,
        exp(X * Y),
        log(1 + X**2),
        sqrt(1 + X),
        X**Y,
        erf(X * Y),
        erfc(X) * X,
        tanh(X) * Y,
        coth(X),
        sinh(X) / (1 + X),
        cosh(X * Y) ** 2,
        1 / (1 + X) ** 3,
        exp(-(X**2)) * log(X),
    ],
    ids=str,
)
@pytest.mark.parametrize("x", [X, Y])
def test_own_derivative_agrees_with_sympy(f: Expr, x: Symbol) -> None:
    """The checker's differentiation rules give SymPy's derivative to 40 digits."""
    at = {X: Rational(3, 7), Y: Rational(5, 4)}
    ours, theirs = (e.subs(at).evalf(50) for e in (derivative(f, x), diff(f, x)))
    assert abs(ours - theirs) < Rational(1, 10**40)


def test_no_derivative_without_a_rule() -> None:
    """Abs has no derivative for the checker."""
    with pytest.raises(Rejected):
        derivative(abs(X), X)


def test_identities_are_told_from_near_misses() -> None:
    """Equal expressions are the same; those that differ by a billionth, or a sign, are not."""
    assert same((X + Y) ** 2, X**2 + 2 * X * Y + Y**2)
    assert same(exp(X) ** 2 / exp(X), exp(X))
    assert vanishes(tanh(X) - (exp(2 * X) - 1) / (exp(2 * X) + 1))
    assert not same((X + Y) ** 2, X**2 + 2 * X * Y + Y**2 + Rational(1, 10**9))
    assert not same(X - Y, Y - X)


@pytest.mark.parametrize("x", ["1/1000000", "1/3", "1", "7/2", "39", "41", "99"])
@pytest.mark.parametrize("sign", [1, -1])
def test_own_error_function(x: str, sign: int) -> None:
    """The checker's own erfc encloses mpmath's to 60 bits relatively, and to one part in x^2 far out."""
    value = sign * Fraction(x)
    found = Ranges(100).of(erfc(X), {X: Range(value, value)})
    with mpmath.workdps(100):
        exact = mpmath.erfc(mpmath.mpf(value.numerator) / value.denominator)
        low, high = (mpmath.mpf(e.numerator) / e.denominator for e in (found.low, found.high))
        assert low <= exact <= high
        assert high - low <= exact * (mpmath.mpf(2) ** -60 if value <= 40 else 2 / mpmath.mpf(1600))


def test_a_limit_at_infinity_is_exactly_zero() -> None:
    """A forged certificate that leans on 1/x -> 0 for 1/x + 2/(1 - x) - 5 >= 0, false at -10, is rejected."""
    x = Symbol("x", real=True)
    false = 1 / x + 2 / (1 - x) - 5
    domain = Domain.of((x, -oo, -3))
    slope = prove(diff(false, x), domain)
    assert isinstance(slope, Proof)
    forged = Monotone(x, "low", diff(false, x), slope.boxes[0].method, None, Enclosed())
    assert recheck(Proof(false, domain, False, (Leaf(domain.sides, forged),), 192)) is not None
    true = prove(1 / x - log(1 + 1 / x), Domain.of((x, Interval.Lopen(0, oo))))
    assert isinstance(true, Proof)
    assert recheck(true) is None


@pytest.mark.parametrize(
    "statement",
    [
        lambda z: z + log(100, 10, evaluate=False) - 4,
        lambda z: Add(z, Pow(E, log(2), evaluate=False), -3, evaluate=False),
        lambda z: Add(z, 25, Mul(-1, 3, 3, 3, log(3), evaluate=False), evaluate=False),
    ],
)
def test_unevaluated_parts_mean_what_they_say(statement: Callable[[Symbol], Expr]) -> None:
    """Statements that are false at z = 0 once their parts are evaluated are refuted, and no certificate passes."""
    z = Symbol("z", real=True)
    domain = Domain.of((z, 0, 1))
    assert isinstance(prove(statement(z), domain), Refutation)
    assert recheck(Proof(statement(z), domain, False, (Leaf(domain.sides, Enclosed()),), 192)) is not None


@pytest.mark.parametrize(
    ("expr", "low", "high"),
    [
        (lambda x: x, 0, 10**400),
        (lambda x: 1 / (1 + exp(x)), 0, 1000),
        (lambda x: log(exp(x**3) + 1) - 8, 2, 10),
        (lambda x: x * exp(20000), 0, 1),
        (lambda x: exp(x) * (x + 1) + x * exp(x**2) - 1, 0, 1000),
    ],
)
def test_large_numbers_are_verified_again(expr: Callable[[Symbol], Expr], low: int, high: int) -> None:
    """Values beyond floating point are proved and rechecked, without overflow."""
    x = Symbol("x", real=True)
    proof = prove(expr(x), Domain.of((x, low, high)))
    assert isinstance(proof, Proof)
    assert recheck(proof) is None

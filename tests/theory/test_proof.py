"""The prover: every true statement of the library proved, no false one; enclosures, limits, cuts and bad input."""

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import mpmath
import pytest
from flint import ctx, fmpq
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import (
    Abs,
    Expr,
    Float,
    Max,
    Min,
    Rational,
    S,
    Symbol,
    cosh,
    coth,
    erf,
    erfc,
    exp,
    gamma,
    lambdify,
    log,
    oo,
    pi,
    sinh,
    sqrt,
    tanh,
)
from sympy import Interval as Segment

from tests.theory.inequality_library import FALSE, TRUE, Statement
from theory.enclosure import EnclosureError, enclosure
from theory.errors import BadInput
from theory.proof import Domain, Proof, Refutation, Unproved, prove
from theory.proof_domain import DomainError, cut, halves, simplest, simplest_inside
from theory.proof_form import derivative, factored, is_zero, stationary
from theory.proof_interval import (
    MINUS_OO,
    OO,
    Infinite,
    Interval,
    Undefined,
    add,
    hull,
    mul,
    point,
    positive,
    power,
    reciprocal,
)
from theory.recheck import recheck
from theory.recheck_interval import NotDefined, Range, Ranges

X, Y = Symbol("x", real=True), Symbol("y", real=True)
ZERO, ONE = fmpq(0), fmpq(1)

# The library's hardest statement needs some 350 boxes; the prover's own limit would only make a failure slow.
MOST_BOXES = 800

REFERENCE_DIGITS = 120


def mp_value(expr: Expr, values: dict[Symbol, Fraction]) -> mpmath.mpf:
    """The expression by mpmath at REFERENCE_DIGITS digits."""
    with mpmath.workdps(REFERENCE_DIGITS):
        arguments = [mpmath.mpf(q.numerator) / q.denominator for q in values.values()]
        return mpmath.mpf(mp_function(expr, tuple(values))(*arguments))


@lru_cache(maxsize=256)
def mp_function(expr: Expr, symbols: tuple[Symbol, ...]) -> Callable[..., mpmath.mpf]:
    """The expression as a function of mpmath numbers."""
    return lambdify(symbols, expr, "mpmath")


# -- the library ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("statement", TRUE, ids=lambda s: s.name)
def test_true_statements_are_proved_and_rechecked(statement: Statement) -> None:
    """A true statement has a certificate, and the second checker accepts it."""
    outcome = prove(statement.expr, statement.domain, strict=statement.strict, most_boxes=MOST_BOXES)
    assert isinstance(outcome, Proof), outcome
    assert outcome.evidence == "certified"
    assert recheck(outcome) is None


@pytest.mark.parametrize("statement", FALSE, ids=lambda s: s.name)
def test_false_statements_are_not_proved(statement: Statement) -> None:
    """A false statement is refuted at a point of its domain where it is below zero, or left open: never proved."""
    outcome = prove(statement.expr, statement.domain, strict=statement.strict, most_boxes=MOST_BOXES)
    assert type(outcome).__name__ == statement.expected, outcome
    if isinstance(outcome, Refutation):
        assert all(outcome.witness[x] in segment for x, segment in statement.domain.bounds)
        value = mp_value(statement.expr, {x: Fraction(int(q.p), int(q.q)) for x, q in outcome.witness.items()})
        assert value < 0 or (statement.strict and value == 0)


def test_library_is_large() -> None:
    """The library has sixty statements of either kind and no name twice."""
    names = [s.name for s in TRUE + FALSE]
    assert min(len(TRUE), len(FALSE)) >= 60
    assert len(set(names)) == len(names)


# -- never a false one: random statements ---------------------------------------------------------------------
small = st.fractions(min_value=-3, max_value=3, max_denominator=4).map(lambda q: Rational(q.numerator, q.denominator))
TERMS = (X, X**2, X**3, X**4, exp(X), exp(-X), exp(X / 2), X * exp(-X), log(1 + X**2), sqrt(1 + X**2), tanh(X), erf(X))
PLANE_TERMS = (X, Y, X * Y, X**2, Y**2, exp(X), exp(-Y), exp(X * Y), X**2 * Y, X / (2 + Y**2))


@st.composite
def sums(draw: st.DrawFn, terms: tuple[Expr, ...]) -> Expr:
    """A random combination of two to four terms."""
    chosen = draw(st.lists(st.sampled_from(terms), min_size=2, max_size=4, unique=True))
    return S.Zero + sum(draw(small) * term for term in chosen)


def below(value: mpmath.mpf) -> Rational:
    """A rational at most 1e-30 below a value."""
    return Rational(int(mpmath.floor(value * mpmath.mpf(10) ** 30)), 10**30)


@given(f=sums(TERMS), gap=st.integers(6, 15), points=st.lists(st.fractions(-2, 2, max_denominator=50), min_size=9))
@settings(max_examples=25)
def test_no_statement_with_a_counterexample_is_proved(f: Expr, gap: int, points: list[Fraction]) -> None:
    """Shifted to lie below zero at its least sample, by as little as 1e-15, a sum of functions is never proved."""
    assume(f.free_symbols == {X})
    with mpmath.workdps(REFERENCE_DIGITS):
        least = min(mp_value(f, {X: q}) for q in points)
        shifted = f - below(least) - Rational(1, 10**gap)
    outcome = prove(shifted, Domain.of((X, -2, 2)), most_boxes=40)
    assert not isinstance(outcome, Proof)


@given(f=sums(PLANE_TERMS), points=st.lists(st.tuples(*[st.fractions(-1, 1, max_denominator=20)] * 2), min_size=9))
@settings(max_examples=15)
def test_no_statement_in_the_plane_with_a_counterexample_is_proved(
    f: Expr, points: list[tuple[Fraction, Fraction]]
) -> None:
    """The same in two variables."""
    assume(f.free_symbols == {X, Y})
    with mpmath.workdps(REFERENCE_DIGITS):
        least = min(mp_value(f, {X: p, Y: q}) for p, q in points)
        shifted = f - below(least) - Rational(1, 10**9)
    assert not isinstance(prove(shifted, Domain.of((X, -1, 1), (Y, -1, 1)), most_boxes=25), Proof)


@given(f=sums(TERMS), points=st.lists(st.fractions(-2, 2), min_size=5))
@settings(max_examples=15)
def test_shifted_above_zero_it_is_proved(f: Expr, points: list[Fraction]) -> None:
    """Lifted above a bound of its least value, a sum of functions is proved and the proof is accepted."""
    assume(f.free_symbols == {X})
    grid = [Fraction(k, 16) for k in range(-32, 33)]
    least = min(mp_value(f, {X: q}) for q in grid)
    # between grid points f falls by at most half a step times |f'|, and each of four terms has |3 f'| <= 3 * 32 here
    outcome = prove(f - below(least) + 4 * 3 * Rational(32, 32), Domain.of((X, -2, 2)))
    assert isinstance(outcome, Proof)
    assert recheck(outcome) is None
    assert all(mp_value(outcome.expr, {X: q}) >= 0 for q in points)


# -- enclosures -----------------------------------------------------------------------------------------------
FUNCTIONS = (
    exp(X),
    log(3 + X),
    sqrt(3 + X),
    (3 + X) ** Rational(2, 3),
    (3 + X) ** Rational(-1, 2),
    erf(X),
    erfc(X),
    tanh(X),
    sinh(X),
    cosh(X),
    coth(3 + X),
    X**2,
    X**3,
    (3 + X) ** -2,
    Abs(X),
    Max(X, Y),
    Min(X, Y**2),
    X * Y,
    X / (3 + Y),
    pi * X,
    exp(1) * Y,
    (3 + X) ** Y,
    X * log(3 + X),
    (3 + X) * log(3 + X),
    X - Y,
    erfc(20 * X),
    erf(30 * X),
    exp(-1000 * X),
    X**2 * exp(-Y),
)
near_two = st.fractions(-2, 2, max_denominator=10**6)


def as_end(q: Fraction) -> fmpq:
    return fmpq(q.numerator, q.denominator)


@pytest.mark.parametrize("f", FUNCTIONS, ids=str)
@given(ends=st.tuples(near_two, near_two, near_two, near_two), share=st.tuples(*[st.fractions(0, 1)] * 2))
@settings(max_examples=6)
def test_enclosures_hold_every_value(f: Expr, ends: tuple[Fraction, ...], share: tuple[Fraction, Fraction]) -> None:
    """Both walkers enclose the value at every point of a box."""
    sides = {X: sorted(ends[:2]), Y: sorted(ends[2:])}
    at = {x: a + s * (b - a) for (x, (a, b)), s in zip(sides.items(), share, strict=True)}
    value = mp_value(f, at)
    with ctx.workprec(128):
        first = enclosure(f, {x: Interval(as_end(a), as_end(b)) for x, (a, b) in sides.items()})
    second = Ranges(128).of(f, {x: Range(a, b) for x, (a, b) in sides.items()})
    assert first is not None
    low, high = (mp_end(e) for e in first[:2])
    with mpmath.workdps(2 * REFERENCE_DIGITS):
        rounding = (1 + abs(value)) * mpmath.mpf(10) ** (10 - REFERENCE_DIGITS)  # of the reference
        assert low - rounding <= value <= high + rounding
        assert mp_end(second.low) - rounding <= value <= mp_end(second.high) + rounding


def mp_end(end: object) -> mpmath.mpf:
    """An end of either walker in mpmath at its reference precision."""
    if isinstance(end, Infinite):
        return mpmath.inf * end.sign
    if isinstance(end, float):
        return mpmath.mpf(end)
    with mpmath.workdps(2 * REFERENCE_DIGITS):
        numerator, denominator = (end.p, end.q) if isinstance(end, fmpq) else (end.numerator, end.denominator)  # type: ignore[attr-defined]
        return mpmath.mpf(int(numerator)) / int(denominator)


@pytest.mark.parametrize("f", [f for f in FUNCTIONS if f.free_symbols == {X} and not f.has(Abs)], ids=str)
def test_enclosures_at_a_point_are_narrow(f: Expr) -> None:
    """At one rational the width is a few roundings, so that an enclosure is no empty statement."""
    at = Fraction(1, 3)
    with ctx.workprec(128):
        first = enclosure(f, {X: point(as_end(at))})
    second = Ranges(128).of(f, {X: Range(at, at)})
    scale = 1 + abs(mp_value(f, {X: at}))
    assert first is not None
    assert mp_end(first.high) - mp_end(first.low) <= scale * mpmath.mpf(2) ** -110
    assert mp_end(second.high) - mp_end(second.low) <= scale * mpmath.mpf(2) ** -110


UNDEFINED = [
    (log(X), Interval(ZERO, ONE)),
    (1 / X, Interval(-ONE, ONE)),
    (1 / X, Interval(ZERO, ONE)),
    (1 / X**2, Interval(-ONE, ZERO)),
    (sqrt(X), Interval(-ONE, ONE)),
    (X * log(X), Interval(ZERO, ONE)),
    (coth(X), Interval(-ONE, ONE)),
    (X**X, Interval(ZERO, ONE)),
    (1 / (X - X**2), Interval(ZERO, ONE, True, False)),
]


@pytest.mark.parametrize(("f", "side"), UNDEFINED, ids=str)
def test_undefined_somewhere_is_no_enclosure(f: Expr, side: Interval) -> None:
    """An expression that is undefined at one point of a box has no enclosure there, in either walker."""
    assert enclosure(f, {X: side}) is None
    low, high = (Fraction(int(e.p), int(e.q)) for e in side[:2])  # type: ignore[union-attr]
    with pytest.raises(NotDefined):
        Ranges(128).of(f, {X: Range(low, high, not side.low_open, not side.high_open)})


DEFINED = [
    (log(X), Interval(ZERO, ONE, True, False)),
    (log(1 - X), Interval(ZERO, ONE, False, True)),
    (1 / (1 - 3 * X), Interval(ZERO, fmpq(1, 3), False, True)),
    (1 / X, Interval(ZERO, OO, True, True)),
    (sqrt(X), Interval(ZERO, OO, False, True)),
    (coth(X), Interval(ZERO, OO, True, True)),
    (log(exp(X)), Interval(MINUS_OO, OO, True, True)),
    (1 / erfc(X), Interval(MINUS_OO, OO, True, True)),
]


@pytest.mark.parametrize(("f", "side"), DEFINED, ids=str)
def test_open_ends_may_be_singular(f: Expr, side: Interval) -> None:
    """An expression that is singular at an end which does not belong to the box is enclosed, in both walkers."""
    assert enclosure(f, {X: side}) is not None
    low, high = (
        float(e.sign) * float("inf") if isinstance(e, Infinite) else Fraction(int(e.p), int(e.q)) for e in side[:2]
    )
    Ranges(128).of(f, {X: Range(low, high, not side.low_open, not side.high_open)})


LIMITS = [
    (exp(-X), OO, ZERO),
    (exp(X), MINUS_OO, ZERO),
    (erfc(X) + 1 / X, OO, ZERO),
    (erf(X), MINUS_OO, -ONE),
    (tanh(X), OO, ONE),
    (coth(X), OO, ONE),
    (1 / log(X), OO, ZERO),
    (exp(-(X**2)) - exp(-X), OO, ZERO),
    (1 / sqrt(X), OO, ZERO),
]


@pytest.mark.parametrize(("f", "end", "expected"), LIMITS, ids=str)
def test_limits_at_infinity_are_exact(f: Expr, end: Infinite, expected: fmpq) -> None:
    """A limit that follows from the limits of the parts is that number exactly, in both walkers."""
    assert enclosure(f, {X: Interval(end, end)}) == point(expected)
    infinite = end.sign * float("inf")
    found = Ranges(128).of(f, {X: Range(infinite, infinite)})
    assert (found.low, found.high) == (int(expected.p), int(expected.p))


@pytest.mark.parametrize("f", [X - log(X), X * exp(-X), X / (1 + X), X - X**2, exp(X) - X], ids=str)
def test_indeterminate_limits_are_unknown(f: Expr) -> None:
    """oo - oo, 0 * oo and oo / oo are left open, in both walkers."""
    assert enclosure(f, {X: Interval(OO, OO)}) is None
    with pytest.raises(NotDefined):
        Ranges(128).of(f, {X: Range(float("inf"), float("inf"))})


def test_x_log_x_vanishes_only_in_the_limit() -> None:
    """x log x is undefined at 0 and tends to 0 there; x^2 times its reciprocal square does not."""
    at_zero = {X: point(ZERO)}
    assert enclosure(-X * log(X), at_zero) is None
    assert enclosure(-X * log(X), at_zero, limit=True) == point(ZERO)
    assert enclosure(log(X) / X, at_zero, limit=True) is None
    at_two = enclosure(X * log(X), {X: point(fmpq(2))}, limit=True)
    assert at_two is not None
    assert positive(at_two)
    assert Ranges(64).of(-3 * X * log(X), {X: Range(Fraction(0), Fraction(0))}, limit=True).high == 0
    with pytest.raises(NotDefined):
        Ranges(64).of(log(X) / X, {X: Range(Fraction(0), Fraction(0))}, limit=True)


# -- intervals ------------------------------------------------------------------------------------------------
def test_rationals_stay_exact_until_they_are_long() -> None:
    """1 - 3/3 is exactly zero; a long product is rounded outwards by less than one part in 2^(precision - 1)."""
    third = point(fmpq(1, 3))
    assert add(point(ONE), mul(point(fmpq(-3)), third)) == point(ZERO)
    with ctx.workprec(64):
        long = fmpq(10**200 + 1, 3**200)
        rounded = mul(point(long), point(-long))
        exact = -long * long
        assert rounded.low < exact < rounded.high  # type: ignore[operator]
        assert rounded.high - rounded.low < abs(exact) / 2**62  # type: ignore[operator]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (Interval(ZERO, ONE), Interval(ONE, OO, False, True), Interval(ZERO, OO, False, True)),
        (Interval(ZERO, ONE, True, True), Interval(ONE, fmpq(2)), Interval(ZERO, fmpq(2), True, True)),
        (Interval(ZERO, ONE, True, True), Interval(ZERO, fmpq(2)), Interval(ZERO, fmpq(2), False, True)),
        (Interval(-ONE, fmpq(2)), Interval(fmpq(-3), fmpq(5), True, True), Interval(fmpq(-6), fmpq(10), True, True)),
        (Interval(-ONE, fmpq(2)), Interval(fmpq(-7), fmpq(3)), Interval(fmpq(-14), fmpq(7))),
        (Interval(fmpq(-2), -ONE), Interval(fmpq(-7), fmpq(3), False, True), Interval(fmpq(-6), fmpq(14), True, False)),
    ],
)
def test_products_know_which_ends_are_attained(left: Interval, right: Interval, expected: Interval) -> None:
    """The product of two intervals has the ends of the set of products, open where no product attains them."""
    assert mul(left, right) == expected == mul(right, left)


def test_even_powers_and_reciprocals_respect_zero() -> None:
    """(-1, 2]^2 = [0, 4]; 1/(0, 2] = [1/2, oo); 1/[0, 2] is undefined."""
    assert power(Interval(-ONE, fmpq(2), True, False), 2) == Interval(ZERO, fmpq(4))
    assert reciprocal(Interval(ZERO, fmpq(2), True, False)) == Interval(fmpq(1, 2), OO, False, True)
    with pytest.raises(Undefined):
        reciprocal(Interval(ZERO, fmpq(2)))


def test_ends_that_agree_are_attained_if_one_is() -> None:
    """A limit outweighs values without bound, and a hull attains an end that either part attains."""
    assert add(Interval(OO, OO), Interval(ZERO, OO, False, True)) == Interval(OO, OO)
    assert hull(Interval(ZERO, ONE, True, True), Interval(ZERO, ONE)) == Interval(ZERO, ONE)


def test_roots_of_powers_are_exact() -> None:
    """sqrt(4/9) = 2/3 without rounding."""
    assert enclosure(sqrt(X), {X: point(fmpq(4, 9))}) == point(fmpq(2, 3))


def test_simple_rationals_in_intervals() -> None:
    """1 is the simplest in [1/2, 1]; 0 is that of [0, 1], but no point of (0, 1]."""
    assert simplest(fmpq(1, 2), ONE) == 1
    assert simplest_inside(Interval(ZERO, ONE)) == 0
    assert simplest_inside(Interval(ZERO, ONE, True, False)) is None


def test_tiny_numbers_stay_off_zero() -> None:
    """A positive number too small to write down is an open zero from below and positive from above."""
    with ctx.workprec(64):
        value = enclosure(exp(-exp(exp(X))), {X: point(fmpq(5))})
    assert value is not None
    assert value.low == 0
    assert positive(value)
    with ctx.workprec(64):
        assert positive(power(point(fmpq(1, 2**12000 + 1)), 2))
    assert 0 < value.high < fmpq(1, 2**1000)  # type: ignore[operator]


# -- cuts and forms -------------------------------------------------------------------------------------------
@given(ends=st.tuples(near_two, near_two))
def test_simplest_rational_is_inside_with_least_denominator(ends: tuple[Fraction, Fraction]) -> None:
    """No rational of smaller denominator lies in the interval."""
    low, high = sorted(ends)
    found = simplest(as_end(low), as_end(high))
    assert as_end(low) <= found <= as_end(high)
    smaller = range(1, min(int(found.q), 200))
    assert all(-((-low * q) // 1) > high * q for q in smaller)


@pytest.mark.parametrize(
    "side",
    [
        Interval(ZERO, OO, False, True),
        Interval(MINUS_OO, OO, True, True),
        Interval(MINUS_OO, fmpq(-7), True, False),
        Interval(fmpq(1, 1000), fmpq(1000)),
        Interval(fmpq(-1000), fmpq(-1, 10)),
        Interval(fmpq(-1, 3), fmpq(1, 7)),
        Interval(fmpq(5), OO, False, True),
        Interval(MINUS_OO, fmpq(7), True, True),
        Interval(ZERO, ONE, True, True),
    ],
)
def test_cuts_are_inside_and_halves_meet(side: Interval) -> None:
    """The halves of an interval meet in one point strictly inside it and keep its ends."""
    left, right = halves(side)
    assert left.high == right.low == cut(side)
    assert (left.high_open, right.low_open) == (False, False)
    assert (left.low, left.low_open, right.high, right.high_open) == (
        side.low,
        side.low_open,
        side.high,
        side.high_open,
    )
    assert isinstance(side.low, Infinite) or side.low < cut(side)
    assert isinstance(side.high, Infinite) or cut(side) < side.high


FORMS = [
    exp(2 * X) - 2 * exp(X) * Y + Y**2,
    X - 2 * sqrt(X) + 1,
    X / (1 + X) - 1 / (1 + Y),
    tanh(X) - Y,
    exp(X / 2) - exp(-X / 3),
    (1 + X) ** Y / (1 + X) - (1 + X) ** (Y - 1) + X,
    log(X) ** 2 - log(X),
    sqrt(pi) * X - pi * X**2,
    erfc(X) ** 2 - 4,
    S.Zero,
]


@pytest.mark.parametrize("f", FORMS, ids=str)
def test_factors_multiply_to_the_expression(f: Expr) -> None:
    """The factored form and the expression agree to 100 digits where both are defined."""
    at = {X: Fraction(5, 7), Y: Fraction(9, 4)}
    assert abs(mp_value(factored(f).expr - f, at)) < mpmath.mpf(10) ** -100


@pytest.mark.parametrize(
    "f",
    [
        exp(X + Y) - exp(X) * exp(Y),
        (sqrt(X) + 1) ** 2 - X - 2 * sqrt(X) - 1,
        sqrt(2) ** 2 - 2,
        1 / (1 + X) + X / (1 + X) - 1,
        tanh(X) - (exp(2 * X) - 1) / (exp(2 * X) + 1),
        (1 + X) ** (Y + 1) - (1 + X) * (1 + X) ** Y,
    ],
    ids=str,
)
def test_zero_is_recognised(f: Expr) -> None:
    """Identities of exponentials, roots and quotients are zero, and are not after adding a billionth."""
    assert is_zero(f)
    assert not is_zero(f + Rational(1, 10**9))


def test_stationary_points_are_exact() -> None:
    """e^x - 2x is stationary at log 2, e^x - xy at log y, x^3 - 6x at the square root of two."""
    assert log(2) in stationary(exp(X) - 2 * X, X)
    assert log(Y) in stationary(exp(X) - X * Y, X)
    assert sqrt(2) in stationary(X**3 - 6 * X, X)


def test_no_derivative_through_a_kink() -> None:
    """Abs, Max and Min have no derivative here."""
    assert derivative(Abs(X) + X, X) is None


# -- interface ------------------------------------------------------------------------------------------------
def test_domain_in_words() -> None:
    """A domain reads as its intervals, ends open or closed."""
    domain = Domain.of((X, 0, oo), (Y, Segment.Lopen(0, 1)))
    assert str(domain) == "x in [0, oo), y in (0, 1]"
    assert domain.symbols == (X, Y)
    assert Domain.of((X, Fraction(1, 3), 2)) == Domain.of((X, Rational(1, 3), Rational(2)))


@pytest.mark.parametrize(
    "bounds",
    [
        [(X, 1, 0)],
        [(X, 0.5, 1)],
        [(X, 0, Float(1))],
        [(X, 0, 0)],
        [(X, sqrt(2), 2)],
        [(X, 0, 1), (X, 0, 2)],
        [],
        [(X, 0, 1), (Symbol("x"), 0, 1)],
        [(X, Segment(0, sqrt(2)))],
    ],
    ids=str,
)
def test_bad_domains_are_refused(bounds: list[tuple[Symbol, object, object]]) -> None:
    """Ends that are inexact, irrational or out of order, and repeated names, are bad input."""
    with pytest.raises(DomainError):
        Domain.of(*bounds)


@pytest.mark.parametrize("f", [X + Float("0.5"), gamma(X), X + Y, exp(X * 0.1)], ids=str)
def test_inexact_or_unknown_expressions_are_refused(f: Expr) -> None:
    """Floats, functions without a rule and symbols without bounds are bad input, which is a ValueError."""
    with pytest.raises(EnclosureError, match=r"Rational|rule|bounds") as caught:
        prove(f, Domain.of((X, 1, 2)))
    assert isinstance(caught.value, BadInput)


def test_refutation_has_a_witness_in_the_given_symbols() -> None:
    """1 - z < 0 at its witness, which is named by the symbol that was given and evaluates to the value returned."""
    z = Symbol("z", positive=True)
    outcome = prove(1 - z, Domain.of((z, 0, oo)))
    assert isinstance(outcome, Refutation)
    assert outcome.value == (1 - outcome.witness[z],) * 2
    assert outcome.value[1] < 0


def test_unproved_says_why_and_where() -> None:
    """A statement beyond the methods names the limit that was reached and the smallest box that was left."""
    f = X**4 / 4 - 2 * sqrt(2) * X + 3  # touches zero at sqrt(2), where its slope has no root in closed form here
    outcome = prove(f, Domain.of((X, 0, oo)), most_boxes=20)
    assert isinstance(outcome, Unproved)
    assert "20 boxes" in outcome.reason
    assert outcome.boxes <= 21
    side = outcome.smallest[X]
    assert side.low is not None
    assert side.high is not None
    assert side.low < side.high


def test_assumptions_of_symbols_are_not_used() -> None:
    """A symbol called positive is still tried at zero when the domain says so."""
    z = Symbol("z", positive=True)
    assert isinstance(prove(z**3, Domain.of((z, 0, 1)), strict=True), Refutation)


def test_same_statement_same_proof() -> None:
    """The search is deterministic."""
    f, domain = exp(-(X**2) / 2) - erfc(X / sqrt(2)), Domain.of((X, 0, oo))
    first, second = prove(f, domain), prove(f, domain)
    assert isinstance(first, Proof)
    assert first == second
    assert len(first.boxes) > 1
    assert f"{len(first.boxes)} boxes" in first.describe()
    assert "x in [0, oo)" in first.describe()


def test_irrational_powers_are_enclosed() -> None:
    """x^pi >= x^3 on [1, 2] is proved, its opposite refuted."""
    x = Symbol("x", real=True)
    assert isinstance(prove(x**pi - x**3, Domain.of((x, 1, 2))), Proof)
    assert isinstance(prove(x**3 - x**pi, Domain.of((x, 1, 2))), Refutation)


def test_hopeless_statements_end() -> None:
    """A time limit, exponents out of range and deep nesting are answers, not hangs or crashes."""
    x = Symbol("x", real=True)
    late = prove(erf(x) - tanh(x), Domain.of((x, 0, oo)), most_seconds=1.0)
    assert isinstance(late, Unproved)
    assert "second" in late.reason or "boxes" in late.reason
    with pytest.raises(EnclosureError, match="out of range"):
        prove(x ** (10**9) + 1, Domain.of((x, 0, 2)))
    assert not isinstance(prove((1 + x) ** 60 - 60 * x - 2, Domain.of((x, -1, oo)), most_seconds=2.0), Proof)


def test_assumptions_must_fit_the_domain() -> None:
    """A symbol declared positive cannot range over negative numbers: SymPy has simplified by that already."""
    p = Symbol("p", positive=True)
    with pytest.raises(DomainError, match="one sign"):
        prove(p - sqrt(p**2), Domain.of((p, -1, 1)))

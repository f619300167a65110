"""Inequalities with known truth: what the prover must prove, and what it must never prove.

The true ones touch equality at an end, in the interior, along lines, at infinity or nowhere; the false ones are wrong
by a hair, in a corner, at one point, far out, or near a contact. A statement is `expr >= 0` (> 0 if strict).
"""

from dataclasses import dataclass
from typing import Any

from sympy import (
    Abs,
    Expr,
    Interval,
    Max,
    Min,
    Rational,
    cosh,
    coth,
    diff,
    erf,
    erfc,
    exp,
    log,
    oo,
    pi,
    sinh,
    sqrt,
    symbols,
    tanh,
)

from theory.proof import Domain

x, y, z, w, t, u, v = symbols("x y z w t u v")
a, b, c, p, q, m, M, D, h, s = symbols("a b c p q m M D h s")
R = Rational
TINY = R(1, 10**9)
POSITIVE, UNIT = Interval.open(0, oo), Interval(0, 1)
FROM_ZERO, FROM_ONE, LINE = Interval(0, oo), Interval(1, oo), Interval(-oo, oo)


@dataclass(frozen=True)
class Statement:
    """One statement; `expected` names the outcome a false one must have where it is refuted by a point."""

    name: str
    expr: Expr
    domain: Domain
    strict: bool = False
    expected: str = "Proof"


def true(name: str, expr: Expr, *bounds: Any, strict: bool = False) -> Statement:
    """A true statement."""
    return Statement(name, expr, Domain.of(*bounds), strict)


def false(name: str, expr: Expr, *bounds: Any, strict: bool = False, expected: str = "Refutation") -> Statement:
    """A false statement; `expected` is "Unproved" where no rational point violates it."""
    return Statement(name, expr, Domain.of(*bounds), strict, expected)


def softplus(e: Expr) -> Expr:
    """log(1 + e^x)."""
    return log(1 + exp(e))


TRUE: tuple[Statement, ...] = (
    # -- contact at an end --
    true("exponential above its tangent", exp(z) - 1 - z, (z, 0, oo)),
    true("exponential above its Taylor polynomial", exp(z) - 1 - z - z**2 / 2 - z**3 / 6, (z, 0, oo)),
    true("exponential below order four", 1 + z + z**2 / 2 + z**3 / 6 + z**4 - exp(z), (z, UNIT)),
    true("odds and logarithm", q / (1 - q) + log(1 - q), (q, Interval.Ropen(0, 1))),
    true("logarithm of a probability", -log(p) - (1 - p), (p, Interval.Lopen(0, 1))),
    true("logarithm below square root", sqrt(z) - log(1 + z), (z, 0, oo)),
    true("logarithm, third order", x - log(1 + x) - x**2 / 2 + x**3 / 3, (x, 0, oo)),
    true("logarithm, order two", log(1 + x) - x + x**2 / 2, (x, 0, oo)),
    true("Pade of the logarithm", log(1 + x) - 2 * x / (2 + x), (x, 0, oo)),
    true("Pade of the logarithm from above", x * (6 + x) / (6 + 4 * x) - log(1 + x), (x, 0, oo)),
    true("square root above its chord", sqrt(x) - x, (x, UNIT)),
    true("cube root above the chord", x ** R(1, 3) - x, (x, UNIT)),
    true("erf above the tail of its slope", 2 * x / sqrt(pi) - erf(x), (x, 0, oo)),
    true("hyperbolic sine above its argument", sinh(x) - x - x**3 / 6, (x, 0, oo)),
    true("hyperbolic tangent below its argument", x - tanh(x), (x, 0, oo)),
    true("z coth(z/2) >= 2", z * coth(z / 2) - 2, (z, POSITIVE)),
    true("growth of the decoupled row", z * (exp(z) + 2) / (exp(z) - 1) - R(5, 2), (z, POSITIVE)),
    true("growth near its least value", z * (exp(z) + 2) / (exp(z) - 1) - R(2745, 1000), (z, POSITIVE)),
    true("growth with a vocabulary of one hundred", z * (exp(z) + 99) / (exp(z) - 1) - 7, (z, POSITIVE)),
    true("x log x above its tangent", x * log(x) - x + 1, (x, POSITIVE)),
    true("logarithm at both ends", -x * log(x), (x, Interval.Lopen(0, 1))),
    true("slope of -log(1-y)/y", diff(-log(1 - y) / y, y), (y, Interval.open(0, 1))),
    true("strictly above the tangent off the contact", exp(z) - 1 - z, (z, POSITIVE), strict=True),
    true("strictly positive logarithm", -log(p), (p, Interval.open(0, 1)), strict=True),
    true("strict in the limit", 1 - tanh(x), (x, LINE), strict=True),
    # -- contact in the interior --
    true("exponential above its tangent on the line", exp(x) - 1 - x, (x, LINE)),
    true("logistic slope", R(1, 4) - exp(u) / (1 + exp(u)) ** 2, (u, LINE)),
    true("hyperbolic cosine", cosh(x) - 1 - x**2 / 2, (x, LINE)),
    true("hyperbolic cosine to order six", cosh(x) - 1 - x**2 / 2 - x**4 / 24, (x, LINE)),
    true("quartic with one contact", x**4 - 4 * x + 3, (x, LINE)),
    true("contact at one third", exp(3 * x - 1) - 3 * x + (3 * x - 1) ** 4, (x, LINE)),
    true("contact at log 2", exp(x) - 2 - 2 * (x - log(2)), (x, LINE)),
    true("contact at the square root of two", (x**2 - 2) ** 2, (x, LINE)),
    true("Gaussian above a parabola", exp(-(x**2)) - 1 + x**2, (x, LINE)),
    true("softplus above its tangent", softplus(x) - log(2) - x / 2, (x, LINE)),
    true("softplus below its parabola", log(2) + x / 2 + x**2 / 8 - softplus(x), (x, LINE)),
    true(
        "entropy above its parabola",
        -p * log(p) - (1 - p) * log(1 - p) - 4 * p * (1 - p) * log(2),
        (p, Interval.open(0, 1)),
    ),
    true("sixth order contact", x**6 - 6 * x + 5, (x, LINE)),
    # -- contact along lines and at points in several variables --
    true("arithmetic and geometric mean", (a + b) ** 2 - 4 * a * b, (a, 0, oo), (b, 0, oo)),
    true("relative entropy of two numbers", a - b - b * log(a / b), (a, POSITIVE), (b, POSITIVE)),
    true("Fenchel and Young", exp(x) + y * log(y) - y - x * y, (x, LINE), (y, POSITIVE)),
    true(
        "product of differences of exponentials",
        (1 + exp(u + w + D)) * (1 + exp(u)) - (1 + exp(u + w)) * (1 + exp(u + D)),
        (u, LINE),
        (w, 0, oo),
        (D, 0, oo),
    ),
    true("positive definite form", x**2 - x * y + y**2, (x, -1, 1), (y, -1, 1)),
    true("convex exponential sum", exp(x) + exp(y) - 2 - x - y, (x, -2, 2), (y, -2, 2)),
    true("saddle free contact", exp(x + y) - 1 - x - y + (x - y) ** 2, (x, -1, 1), (y, -1, 1)),
    true("exponential of a sum", exp(x + y) - 1 - x - y, (x, 0, oo), (y, 0, oo)),
    true(
        "Schur in three variables", a**2 + b**2 + c**2 - a * b - b * c - c * a + TINY, (a, UNIT), (b, 2, 3), (c, 4, 5)
    ),
    true("Bernoulli with an exponent", (1 + x) ** m - 1 - m * x, (x, 0, oo), (m, 1, oo)),
    true(
        "Cauchy in four variables",
        (a**2 + b**2) * (x**2 + y**2) - (a * x + b * y) ** 2,
        (a, LINE),
        (b, LINE),
        (x, LINE),
        (y, LINE),
    ),
    true("difference of logarithms", log(1 + a + b) - log(1 + a) - log(1 + b) + a * b, (a, 0, oo), (b, 0, oo)),
    true("sum of cubes", a**3 + b**3 + c**3 - 3 * a * b * c, (a, 0, oo), (b, 0, oo), (c, 0, oo)),
    true("semidefinite form", a**2 + b**2 + c**2 - a * b - b * c - c * a, (a, LINE), (b, LINE), (c, LINE)),
    true(
        "Pinsker's inequality of two coins",
        a * log(a / b) + (1 - a) * log((1 - a) / (1 - b)) - 2 * (a - b) ** 2,
        (a, Interval.open(0, 1)),
        (b, Interval.open(0, 1)),
    ),
    true("hypotenuse", sqrt(1 + x**2) - x, (x, -100, 100), strict=True),
    true("contact plane", x * (exp(y) - 1 - y), (x, 0, oo), (y, LINE)),
    true("four variables", exp(x + y) + exp(z + w) - 2 - x - y - z - w, (x, UNIT), (y, UNIT), (z, UNIT), (w, UNIT)),
    # -- contact at infinity --
    true("Gaussian above its tail", exp(-(t**2) / 2) - erfc(t / sqrt(2)), (t, 0, oo)),
    true("tail above zero", erfc(t), (t, LINE), strict=True),
    true("limit from above", (z + 2) / (z + 1) - 1, (z, 0, oo), strict=True),
    true("exponential decay against a power", 1 - exp(-z) * (1 + z), (z, 0, oo)),
    true("loss of a row", log(1 + (M - 1) * exp(-u)), (M, 2, oo), (u, -50, oo)),
    true("loss of a row, strictly", log(1 + (M - 1) * exp(-u)), (M, 2, oo), (u, -50, oo), strict=True),
    true("loss below its exponential", (M - 1) * exp(-u) - log(1 + (M - 1) * exp(-u)), (M, 2, oo), (u, LINE)),
    true("error function below one", 1 - erf(x), (x, LINE), strict=True),
    # -- no contact --
    true("margin of a billionth", exp(x) - 1 - x + TINY, (x, LINE), strict=True),
    true("margin of a billionth in the plane", x**2 + y**2 - x * y + TINY, (x, -1, 1), (y, -1, 1), strict=True),
    true("rational in two variables", 1 / (1 + x * y) - 1 + x * y, (x, 0, oo), (y, 0, oo)),
    true("probability of the target", 1 / (1 + (M - 1) * exp(-M * h)) - 1 / M, (M, 2, oo), (h, 0, oo)),
    true("the same with denominators cleared", exp(M * h) - 1, (M, 2, oo), (h, 0, oo)),
    true("square root of a sum", sqrt(a) + sqrt(b) - sqrt(a + b), (a, 0, oo), (b, 0, oo)),
    true("larger and smaller", Max(x, y) - Min(x, y) + TINY, (x, 0, 1), (y, 2, 3)),
    true("absolute value", Abs(x) + 1 - x / 2, (x, -4, 4)),
    true("far domain", z - 1000 * log(z), (z, 10**5, oo)),
    true("polynomial with large roots", (x - 1000) * (x - 1001) + 1, (x, LINE)),
    true("Motzkin's polynomial", x**4 * y**2 + x**2 * y**4 - 3 * x**2 * y**2 + 1, (x, 0, 2), (y, 0, 2)),
)

FALSE: tuple[Statement, ...] = (
    # -- direction swapped --
    false("tangent above exponential", 1 + z - exp(z), (z, 0, oo)),
    false("odds, swapped", -q / (1 - q) - log(1 - q), (q, Interval.Ropen(0, 1))),
    false("logarithm, swapped", log(p) + 1 - p, (p, Interval.Lopen(0, 1))),
    false("logistic slope, swapped", exp(u) / (1 + exp(u)) ** 2 - R(1, 4), (u, LINE)),
    false(
        "product of differences, swapped",
        (1 + exp(u + w)) * (1 + exp(u + D)) - (1 + exp(u + w + D)) * (1 + exp(u)),
        (u, LINE),
        (w, 0, oo),
        (D, 0, oo),
    ),
    false("z coth(z/2) <= 2", 2 - z * coth(z / 2), (z, POSITIVE)),
    false("Gaussian below its tail", erfc(t / sqrt(2)) - exp(-(t**2) / 2), (t, 0, oo)),
    false("mean inequality, swapped", 4 * a * b - (a + b) ** 2, (a, 0, oo), (b, 0, oo)),
    false("relative entropy, swapped", b - a + b * log(a / b), (a, POSITIVE), (b, POSITIVE)),
    false("Fenchel and Young, swapped", x * y + y - exp(x) - y * log(y), (x, LINE), (y, POSITIVE)),
    false("slope, swapped", -diff(-log(1 - y) / y, y), (y, Interval.open(0, 1))),
    false(
        "Cauchy, swapped",
        (a * x + b * y) ** 2 - (a**2 + b**2) * (x**2 + y**2),
        (a, LINE),
        (b, LINE),
        (x, LINE),
        (y, LINE),
    ),
    # -- a constant wrong by a billionth --
    false("logistic slope, constant", (1 - TINY) / 4 - exp(u) / (1 + exp(u)) ** 2, (u, LINE)),
    false("tangent, constant", exp(x) - 1 - x - TINY, (x, LINE)),
    false("tangent, slope", exp(x) - 1 - (1 + TINY) * x, (x, LINE)),
    false("tangent, slope at an end", exp(x) - 1 - (1 + TINY) * x, (x, 0, oo)),
    false("odds, factor", q / (1 - q) + (1 + TINY) * log(1 - q), (q, Interval.Ropen(0, 1))),
    false("z coth(z/2), constant", z * coth(z / 2) - 2 - TINY, (z, POSITIVE)),
    false("growth, eta too large", z * (exp(z) + 2) / (exp(z) - 1) - R(275, 100), (z, POSITIVE)),
    false("mean inequality, constant", (a + b) ** 2 - (4 + TINY) * a * b, (a, 0, oo), (b, 0, oo)),
    false("contact at log 2, constant", exp(x) - 2 - 2 * (x - log(2)) - TINY, (x, LINE)),
    false("softplus parabola, constant", log(2) + x / 2 + x**2 * (1 - TINY) / 8 - softplus(x), (x, LINE)),
    false("Gaussian tail, factor", exp(-(t**2) / 2) - (1 + TINY) * erfc(t / sqrt(2)), (t, 0, oo)),
    false("erf slope, factor", (1 - TINY) * 2 * x / sqrt(pi) - erf(x), (x, 0, oo)),
    false("cosh, factor", cosh(x) - 1 - (1 + TINY) * x**2 / 2, (x, LINE)),
    false("quartic, constant", x**4 - 4 * x + 3 - TINY, (x, LINE)),
    false("positive definite form, constant", x**2 - x * y + y**2 - TINY, (x, -1, 1), (y, -1, 1)),
    false("relative entropy, constant", a - b - b * log(a / b) - TINY, (a, POSITIVE), (b, POSITIVE)),
    false("Motzkin, constant", x**4 * y**2 + x**2 * y**4 - 3 * x**2 * y**2 + 1 - TINY, (x, -2, 2), (y, -2, 2)),
    # -- false in a tiny part of the domain --
    false("narrow dip", (x - R(1, 3)) ** 2 - TINY**2, (x, UNIT)),
    false("narrow dip beside a wide hill", (x - R(1, 7)) * (x - R(1, 7) - TINY) * exp(x), (x, UNIT)),
    false("corner of a square", x + y - TINY, (x, UNIT), (y, UNIT)),
    false("far corner of a square", 2 - TINY - x - y, (x, UNIT), (y, UNIT)),
    false("corner of a cube", x + y + z - TINY, (x, UNIT), (y, UNIT), (z, UNIT)),
    false("small disc in a square", (x - R(1, 3)) ** 2 + (y - R(2, 7)) ** 2 - TINY, (x, UNIT), (y, UNIT)),
    false("small disc with exponentials", exp(x) - 1 - x + exp(y) - 1 - y - TINY, (x, -1, 1), (y, -1, 1)),
    false("narrow valley along the diagonal", (x - y) ** 2 - TINY, (x, UNIT), (y, UNIT)),
    false("near an open end", log(p) + 20, (p, Interval.Lopen(0, 1))),
    false("near a pole", 10**9 - 1 / (1 - q), (q, Interval.Ropen(0, 1))),
    # -- false at an end --
    false("zero at the closed end", exp(z) - 1 - z, (z, 0, oo), strict=True),
    false("zero at the closed end of log", -log(p), (p, Interval.Lopen(0, 1)), strict=True),
    false("zero on a line", (a - b) ** 2, (a, 0, oo), (b, 0, oo), strict=True),
    false("zero in the interior", R(1, 4) - exp(u) / (1 + exp(u)) ** 2, (u, LINE), strict=True),
    false("only at the closed end", 1 - x - TINY, (x, UNIT)),
    false("only at one corner", 2 - x - y, (x, UNIT), (y, UNIT), strict=True),
    false("end point of a root", sqrt(x) - TINY, (x, UNIT)),
    # -- false far out --
    false("beyond a million", 10**6 - z, (z, 0, oo)),
    false("beyond a million, smoothly", 10**6 - sqrt(1 + z**2), (z, LINE)),
    false("logarithm beyond a large power", 100 - log(1 + z), (z, 0, oo), expected="Unproved"),
    false("limit below zero by a billionth", exp(-z) - TINY, (z, 0, oo)),
    false("limit below zero in one variable", exp(-z) + y - TINY, (z, 0, oo), (y, UNIT)),
    false("rational limit", 1 / (1 + z) - TINY, (z, 0, oo)),
    false("power beats another in the end", 1000 * z**2 - z**3 + 1, (z, 0, oo)),
    false("exponential beats a power in the end", z**8 + 10 - exp(z), (z, 0, oo)),
    false("for large m only", 10**6 - m + exp(-z), (m, 2, oo), (z, 0, oo)),
    false("decay below every power", z**3 * exp(-z) - R(1, 10**6), (z, 1, oo)),
    # -- false by a hair beside a contact --
    false("Taylor polynomial with too much", exp(z) - 1 - z - (1 + TINY) * z**2 / 2, (z, 0, oo)),
    false("Taylor polynomial on the wrong side", exp(x) - 1 - x - x**2 / 2, (x, -1, 1)),
    false("sign change of order four", x**4 - TINY**2 * x**2, (x, -1, 1)),
    false("sign change of order three", x**3, (x, -TINY, 1)),
    false("order five before order four", x**4 - 10**6 * x**5, (x, -1, 1)),
    false("constant below a contact", exp(z) - 1 - z - z**2 / 2 - R(1, 10**12), (z, 0, oo)),
    false("odd term beside an even one", x**2 + 10**9 * x**3, (x, -1, 1)),
    false("saddle", x * y, (x, -1, 1), (y, -1, 1)),
    false("indefinite form by a hair", x**2 - (2 + TINY) * x * y + y**2, (x, -1, 1), (y, -1, 1)),
    false("cosh to the wrong order", 1 + x**2 / 2 + x**4 / 24 - cosh(x), (x, -1, 1)),
    false("logarithm to the wrong order", x - x**2 / 2 - log(1 + x), (x, 0, 1)),
    false("entropy parabola", 4 * p * (1 - p) * log(2) + p * log(p) + (1 - p) * log(1 - p), (p, Interval.open(0, 1))),
    # -- true but for points where it is undefined --
    false("undefined at zero", 1 / x**2, (x, -1, 1), expected="Unproved"),
    false("logarithm of a square", log(x**2) + 100 * 10**9, (x, -1, 1), expected="Unproved"),
    false("root of a negative number", sqrt(x) + 1, (x, -1, 1), expected="Unproved"),
    false("removable but closed", (exp(z) - 1) / z, (z, 0, 1), expected="Unproved"),
)

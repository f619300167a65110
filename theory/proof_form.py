"""Forms of an expression that a proof works with: factors over a common denominator, derivatives, values on faces.

Exponentials and roots are polynomial generators here: with e^(z/2) = E every e^(kz/2) is a power of E, and with
sqrt(z) = R the symbol z is R^2. Other functions are generators of their own.
"""

from functools import lru_cache
from math import gcd, lcm
from typing import NamedTuple

from flint import fmpq
from sympy import (
    Dummy,
    Expr,
    Function,
    I,
    Pow,
    Rational,
    S,
    Symbol,
    cosh,
    coth,
    degree,
    diff,
    exp,
    expand,
    expand_power_exp,
    factor_list,
    fraction,
    horner,
    log,
    nan,
    pi,
    rem,
    roots,
    sinh,
    tanh,
    together,
    zoo,
)
from sympy.polys.polyerrors import PolynomialError

from theory.deadline import too_large, within_limit
from theory.enclosure import KINKED, enclosure
from theory.proof_interval import contains_zero, point

HYPERBOLIC = (sinh, cosh, tanh, coth)


class Factor(NamedTuple):
    """base^power in a product."""

    base: Expr
    power: int


class Factored(NamedTuple):
    """coefficient * product of factors."""

    coefficient: Rational
    factors: tuple[Factor, ...]

    @property
    def expr(self) -> Expr:
        """The product."""
        product = self.coefficient
        for base, power in self.factors:
            product *= base**power
        return product


class TooLargeError(ArithmeticError):
    """A polynomial that is too large to work with."""


@lru_cache(maxsize=4096)
@within_limit
def factored(expr: Expr) -> Factored:
    """The expression as a product of irreducible factors over its common denominator; itself where that fails."""
    try:
        numerator, denominator, meaning = _quotient(expr)
        parts = [factor_list(numerator), factor_list(denominator)]
    except (PolynomialError, TooLargeError):
        return Factored(S.One, (Factor(expr, 1),))
    if parts[0][0] == 0:
        return Factored(S.Zero, ())
    factors = [
        Factor(_nested(base).xreplace(meaning), int(power) * side)
        for (_, found), side in zip(parts, (1, -1), strict=True)
        for base, power in found
    ]
    return Factored(parts[0][0] / parts[1][0], tuple(f for f in factors if f.base != 1))


def _nested(base: Expr) -> Expr:
    """Horner's form, exponentials outermost: each generator is met less often, so enclosures are narrower."""
    generators = sorted(base.free_symbols, key=lambda g: (isinstance(g, Symbol) and not isinstance(g, Dummy), g.name))
    return horner(base, *generators) if base.is_polynomial(*generators) else base


def _quotient(expr: Expr) -> tuple[Expr, Expr, dict[Dummy, Expr]]:
    """Numerator and denominator, expanded, as polynomials in generators; and what the generators mean.

    Raises TooLargeError.
    """
    if too_large(expr):
        raise TooLargeError
    powers = {e for e in expr.atoms(Pow) if not e.exp.is_Rational and not isinstance(e, exp)}
    smooth = expr.xreplace({e: exp(expand(e.exp * log(e.base))) for e in powers})
    if smooth.has(*HYPERBOLIC):
        smooth = smooth.rewrite(exp)
    polynomial, meaning, relations = _generators(expand_power_exp(smooth))
    if too_large(polynomial):  # the powers of a generator are whole numbers only now
        raise TooLargeError
    numerator, denominator = map(expand, fraction(together(polynomial)))
    for root, relation in relations.items():  # R^n = base
        if numerator.is_polynomial(root) and denominator.is_polynomial(root):
            numerator, denominator = rem(numerator, relation, root), rem(denominator, relation, root)
    return expand(numerator), expand(denominator), meaning


def _generators(expr: Expr) -> tuple[Expr, dict[Dummy, Expr], dict[Dummy, Expr]]:
    """The expression as a rational function of generators, what each of them means, and R^n - base of the roots."""
    relations: dict[Dummy, Expr] = {}
    meaning: dict[Dummy, Expr] = {}
    replaced: dict[Expr, Expr] = {}

    exponents: dict[Expr, list[tuple[Expr, Rational]]] = {}
    for e in sorted(expr.atoms(exp), key=str):
        rational, base = e.args[0].as_coeff_Mul()
        exponents.setdefault(base, []).append((e, rational))
    for base, powers in exponents.items():
        unit = _common_unit([r for _, r in powers])
        generator = Dummy("E", positive=True)
        meaning[generator] = exp(unit * base)
        replaced |= {e: generator ** (r / unit) for e, r in powers}

    roots: dict[Expr, int] = {}
    for p in expr.atoms(Pow):
        if p.exp.is_Rational and not p.exp.is_Integer and not isinstance(p, exp):
            roots[p.base] = lcm(roots.get(p.base, 1), int(p.exp.q))
    for base, order in roots.items():
        generator = Dummy("R", positive=True)
        meaning[generator] = Pow(base, Rational(1, order))
        replaced |= {p: generator ** (p.exp * order) for p in expr.atoms(Pow) if p.base == base and p.exp.is_Rational}
        if isinstance(base, Symbol) or base == pi:
            replaced[base] = generator**order
        else:
            relations[generator] = generator**order - base

    for f in sorted(expr.atoms(Function), key=str):
        if f not in replaced:
            generator = Dummy("F", real=True)
            meaning[generator] = f
            replaced[f] = generator
    return _replace(expr, replaced), meaning, {g: _replace(r, replaced) for g, r in relations.items()}


def _replace(expr: Expr, replaced: dict[Expr, Expr]) -> Expr:
    """Replace the largest matching subtrees; arguments of a generator stay inside its meaning."""
    if expr in replaced:
        return replaced[expr]
    return expr.func(*(_replace(a, replaced) for a in expr.args)) if expr.args else expr


def _common_unit(rationals: list[Rational]) -> Rational:
    """The largest rational of which all are integer multiples."""
    denominator = lcm(*(int(r.q) for r in rationals))
    return Rational(gcd(*(int(r * denominator) for r in rationals)), denominator)


@lru_cache(maxsize=4096)
@within_limit
def is_zero(expr: Expr) -> bool:
    """Whether the expression is identically zero by the algebra of its generators; False where that is too large.

    Most are not, and a value at one point, if it is defined there, says so at once.
    """
    symbols = sorted(expr.free_symbols, key=str)
    value = enclosure(expr, {x: point(fmpq(3 * k + 4, 3 * k + 11)) for k, x in enumerate(symbols)})
    if value is not None and not contains_zero(value):
        return False
    try:
        return expr == 0 or (not too_large(expr) and expand(expr) == 0) or _quotient(expr)[0] == 0
    except TooLargeError:
        return False


@lru_cache(maxsize=4096)
@within_limit
def derivative(expr: Expr, x: Symbol) -> tuple[Expr, Expr] | None:
    """d expr/dx as SymPy writes it and as a product of factors; None through the kink of an Abs, Max or Min."""
    if expr.has(*KINKED):
        return None
    raw = diff(expr, x)
    return raw, factored(raw).expr


@lru_cache(maxsize=4096)
@within_limit
def at(expr: Expr, x: Symbol, value: Expr) -> Expr | None:
    """The expression with x replaced by an exact value, identically zero ones as 0; None where that is undefined."""
    replaced = expr.xreplace({x: value})
    if replaced.has(nan, zoo, S.Infinity, S.NegativeInfinity):
        return None
    return S.Zero if is_zero(replaced) else replaced


@lru_cache(maxsize=1024)
@within_limit
def stationary(expr: Expr, x: Symbol) -> tuple[Expr, ...]:
    """Values of x, exact and perhaps in the other symbols, at which a factor of d expr/dx vanishes: not all of them.

    Found where a factor is at most quadratic in x, in one exponential of x or in log(x), and has no other x.
    """
    slopes = derivative(expr, x)
    found: list[Expr] = []
    for base, power in factored(slopes[1]).factors if slopes else ():
        if power < 0 or x not in base.free_symbols:
            continue
        for g in [x, *sorted(base.atoms(exp, log), key=str)]:
            unknown = Dummy("g")
            replaced = base.xreplace({g: unknown})
            if x in replaced.free_symbols or not replaced.is_polynomial(unknown) or degree(replaced, unknown) > 2:
                continue
            values = roots(replaced, unknown)
            found += [_solved(g, x, v) for v in values]
    return tuple(dict.fromkeys(v for v in found if v is not None and not v.has(I, nan, zoo)))


def _solved(generator: Expr, x: Symbol, value: Expr) -> Expr | None:
    """The x at which x, exp(rx) or log(x) has a value."""
    if generator == x:
        return value
    rate = generator.args[0] / x
    if isinstance(generator, exp) and rate.is_Rational:
        return log(value) / rate
    return exp(value) if generator == log(x) else None

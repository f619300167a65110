"""How large an expression grows when it is expanded over a common denominator, estimated before that is done."""

from collections.abc import Mapping
from functools import lru_cache
from math import prod
from typing import NamedTuple

from sympy import Add, Expr, Function, Mul, Pow, Rational, cosh, coth, exp, sinh, tanh

# Estimates stop here: what is larger is out of reach, however much.
LARGEST = 10**9


class Size(NamedTuple):
    """At most so many terms above and below the line, each of a degree at most `degree` in all its generators."""

    numerator: int
    denominator: int
    degree: int

    @property
    def work(self) -> int:
        """Terms times degree: what algebra on them costs at least."""
        return min((self.numerator + self.denominator) * (1 + self.degree), LARGEST)


class _Fraction(NamedTuple):
    """Terms and degree of a numerator, and the powers that make up the denominator."""

    terms: int
    degree: int
    below: Mapping[Expr, int]


def size(expr: Expr) -> Size:
    """An upper bound of the size of the expression and of every argument of a function in it, the largest of all."""
    inner = [a for f in expr.atoms(Function, Pow) if not _is_power(f) for a in f.args]
    return max((_size(e) for e in (expr, *inner)), key=lambda s: s.work)


def _size(expr: Expr) -> Size:
    """The size with functions and roots as generators: no more terms than there are monomials of that degree."""
    found, generators = _fraction(expr), _generators(expr)
    below, degree = _product(found.below)
    return Size(
        min(found.terms, _multisets(found.degree, 1 + len(generators)), LARGEST),
        min(below, _multisets(degree, 1 + len(generators)), LARGEST),
        min(max(found.degree, degree), LARGEST),
    )


@lru_cache(maxsize=4096)
def _generators(expr: Expr) -> frozenset[Expr]:
    """Symbols, functions, roots and irrational numbers that stand outside of every other function or root."""
    if isinstance(expr, Add | Mul) or _is_power(expr):
        return frozenset().union(*map(_generators, expr.args))
    return frozenset() if expr.is_Rational else frozenset({expr})


@lru_cache(maxsize=4096)
def _fraction(expr: Expr) -> _Fraction:
    """The numerator over the denominator that the rules for sums, products and powers give, nothing cancelled."""
    if isinstance(expr, Add):
        parts = [_fraction(a) for a in expr.args]
        common: dict[Expr, int] = {}
        for part in parts:
            common |= {b: max(n, common.get(b, 0)) for b, n in part.below.items()}
        lifts = [_product({b: n - part.below.get(b, 0) for b, n in common.items()}) for part in parts]
        return _capped(
            sum(part.terms * terms for part, (terms, _) in zip(parts, lifts, strict=True)),
            max(part.degree + degree for part, (_, degree) in zip(parts, lifts, strict=True)),
            common,
        )
    if isinstance(expr, Mul):
        parts = [_fraction(a) for a in expr.args]
        below: dict[Expr, int] = {}
        for part in parts:
            below |= {b: n + below.get(b, 0) for b, n in part.below.items()}
        return _capped(prod(part.terms for part in parts), sum(part.degree for part in parts), below)
    if isinstance(expr, exp):
        return _Fraction(1, max(_length(a.as_coeff_Mul()[0]) for a in Add.make_args(expr.exp)), {})
    if isinstance(expr, sinh | cosh | tanh | coth):  # two exponentials, over two more
        return _Fraction(2, 2, {expr: 1})
    if _is_power(expr):
        base, times = _fraction(expr.base), abs(int(expr.exp))
        if expr.exp > 0:
            below = {b: n * times for b, n in base.below.items()}
            return _capped(_multisets(times, base.terms), times * base.degree, below)
        above, degree = _product({b: n * times for b, n in base.below.items()})
        return _capped(above, degree, {expr.base: times})
    if isinstance(expr, Pow) and expr.exp.is_Rational:
        return _Fraction(1, _length(expr.exp), {})
    return _Fraction(1, int(not expr.is_Rational), {})


def _product(powers: Mapping[Expr, int]) -> tuple[int, int]:
    """Terms and degree of a product of powers of numerators."""
    bases = [(_fraction(b), n) for b, n in powers.items() if n]
    return prod(_multisets(n, base.terms) for base, n in bases), sum(n * base.degree for base, n in bases)


def _is_power(expr: Expr) -> bool:
    return isinstance(expr, Pow) and bool(expr.exp.is_Integer)


def _length(number: Rational) -> int:
    """The degree of the generator's power that stands for a rational multiple or power."""
    return max(abs(int(number.p)), int(number.q)) if number.is_Rational else 1


def _multisets(times: int, terms: int) -> int:
    """The number of terms of (a sum of `terms` terms)^times: multisets of so many, LARGEST at most."""
    few, many = sorted((times, terms - 1))
    count = 1
    for k in range(1, few + 1):
        count = count * (many + k) // k
        if count >= LARGEST:
            return LARGEST
    return count


def _capped(terms: int, degree: int, below: Mapping[Expr, int]) -> _Fraction:
    return _Fraction(min(terms, LARGEST), min(degree, LARGEST), below)

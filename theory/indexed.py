"""A normal form for sums over indexed tensors of symbolic size, so that identities hold for every size at once.

SymPy differentiates Sum and IndexedBase expressions but does not decide whether two of them are equal. Here an
expression becomes a sum of terms, each a coefficient times *connected* sums: a sum over several indices is split
wherever its factors share no index, Kronecker deltas are collapsed, and bound indices get canonical names. Two
expressions that are equal by the rules of finite sums then become the same tree.

Collapsing sum_i delta_{ij} x_i = x_j needs j to lie in the range of i. Indices are typed by their range: every index
of one tensor axis runs over the same range, which is the assumption recorded by the derivations that use this file.
"""

from collections.abc import Callable, Mapping
from itertools import permutations

from sympy import (
    Add,
    Expr,
    Indexed,
    IndexedBase,
    Integer,
    KroneckerDelta,
    Mul,
    Pow,
    Sum,
    Symbol,
    exp,
    expand_mul,
)
from sympy.core.function import Application

Limit = tuple[Symbol, Expr, Expr]

_fresh_count = 0


def _fresh() -> Symbol:
    """A bound index that occurs nowhere else."""
    global _fresh_count
    _fresh_count += 1
    return Symbol(f"_fresh{_fresh_count}", integer=True)


def unfold(expr: Expr, definitions: Mapping[IndexedBase, Callable[..., Expr]]) -> Expr:
    """Replace every `base[indices]` by `definition(*indices)`, repeatedly, until no defined base is left.

    Definitions must not use the free indices of `expr`, whose names they would capture. Raises RecursionError when
    they are circular.
    """
    for _ in range(len(definitions) + 1):
        found = [x for x in expr.atoms(Indexed) if x.base in definitions]
        if not found:
            return expr
        expr = expr.xreplace({x: definitions[x.base](*x.indices) for x in found})
    raise RecursionError(f"circular definitions among {', '.join(str(base) for base in definitions)}")


def normal_form(expr: Expr, sums_to: Mapping[IndexedBase, Expr | int] | None = None) -> Expr:
    """The canonical form of `expr`. `sums_to` gives tensors whose sum over the last index is known (bhat: 1).

    Equal forms are equal expressions. The converse is not promised: a pair of equal expressions whose forms differ
    is left undecided by the checker, never called unequal.
    """
    return Add(*(_canonical_term(*term, sums_to or {}) for term in _terms(expr, sums_to or {})))


def _terms(expr: Expr, sums_to: Mapping[IndexedBase, Expr | int]) -> list[tuple[list[Expr], list[Limit]]]:
    """`expr` as a list of (factors, bound indices): the product of the factors summed over the indices."""
    if isinstance(expr, Add):
        return [term for part in expr.args for term in _terms(part, sums_to)]
    if isinstance(expr, Mul):
        terms: list[tuple[list[Expr], list[Limit]]] = [([], [])]
        for part in expr.args:
            inner = _terms(part, sums_to)
            terms = [(f + g, k + n) for f, k in terms for g, n in inner]
        return terms
    if isinstance(expr, Sum):
        renamed, limits = expr.function, []
        # the innermost limit comes first in SymPy; later limits must not depend on earlier ones here
        for index, low, high in expr.limits:
            fresh = _fresh()
            renamed = renamed.xreplace({index: fresh})
            limits.append((fresh, low, high))
        return [(f, k + limits) for f, k in _terms(renamed, sums_to)]
    if isinstance(expr, Pow):
        base, exponent = expr.as_base_exp()
        if exponent.is_Integer and 0 < exponent <= 8 and base.has(Sum, Add):
            # every copy of the base opens its sums with bound indices of its own
            return _terms(Mul(*[normal_form(base, sums_to)] * int(exponent), evaluate=False), sums_to)
        return [([Pow(normal_form(base, sums_to), exponent)], [])]
    if isinstance(expr, Application) and not isinstance(expr, KroneckerDelta):
        return [([expr.func(*(normal_form(a, sums_to) for a in expr.args))], [])]
    expanded = expand_mul(expr)
    if expanded != expr:
        return _terms(expanded, sums_to)
    return [([expr], [])]


def _canonical_term(factors: list[Expr], limits: list[Limit], sums_to: Mapping[IndexedBase, Expr | int]) -> Expr:
    factors, limits = _collapse_deltas(factors, limits)
    result: Expr = Integer(1)
    bound = {index: (index, low, high) for index, low, high in limits}
    pending = [part for f in Mul.make_args(Mul(*factors)) for part in _split_exponential(f)]
    free = [f for f in pending if not f.free_symbols & bound.keys()]
    pending = [f for f in pending if f.free_symbols & bound.keys()]
    result *= Mul(*free)
    while bound:
        seed = next(iter(bound))
        group, members = {seed}, []
        grown = True
        while grown:
            grown = False
            for f in list(pending):
                touched = f.free_symbols & bound.keys()
                if touched & group:
                    pending.remove(f)
                    members.append(f)
                    group |= touched
                    grown = True
        result *= _connected_sum(members, [bound.pop(i) for i in list(bound) if i in group], sums_to)
    return result


def _split_exponential(factor: Expr) -> list[Expr]:
    """exp(x + y) as [exp(x), exp(y)], so that independent sums inside one exponential come apart."""
    if isinstance(factor, exp) and isinstance(factor.args[0], Add):
        return [exp(part) for part in factor.args[0].args]
    return [factor]


def _collapse_deltas(factors: list[Expr], limits: list[Limit]) -> tuple[list[Expr], list[Limit]]:
    """Use up every Kronecker delta that carries a bound index (the other index lies in the same typed range)."""
    bound = {index for index, _, _ in limits}
    while True:
        for n, factor in enumerate(factors):
            base = factor.base if isinstance(factor, Pow) and factor.exp.is_positive else factor
            if isinstance(base, KroneckerDelta):
                i, j = base.args
                old, new = (i, j) if i in bound else (j, i)
                if old in bound:
                    factors = [f.xreplace({old: new}) for k, f in enumerate(factors) if k != n]
                    limits = [limit for limit in limits if limit[0] != old]
                    bound.discard(old)
                    break
        else:
            return factors, limits


def _connected_sum(factors: list[Expr], limits: list[Limit], sums_to: Mapping[IndexedBase, Expr | int]) -> Expr:
    """One connected sum with canonical index names; sums over a single value or of known value are evaluated."""
    for index, low, high in limits:
        if low == high:
            inner = Mul(*factors).xreplace({index: low})
            rest = [limit for limit in limits if limit[0] != index]
            return normal_form(Sum(inner, *rest) if rest else inner, sums_to)
    if not factors:
        ((_, low, high),) = limits
        return high - low + 1
    for n, factor in enumerate(factors):
        if isinstance(factor, Indexed) and factor.base in sums_to:
            last = factor.indices[-1]
            carried = [f for k, f in enumerate(factors) if k != n and last in f.free_symbols]
            if any(last == index for index, _, _ in limits) and not carried and last not in factor.indices[:-1]:
                rest = [limit for limit in limits if limit[0] != last]
                inner = Mul(sums_to[factor.base], *(f for k, f in enumerate(factors) if k != n))
                return normal_form(Sum(inner, *rest) if rest else inner, sums_to)
    body = Mul(*factors)
    # inner sums keep smaller depths, so that an outer canonical name never captures an inner bound index
    depth = 1 + max((_depth(s) for s in body.atoms(Sum)), default=0)
    limits = sorted(limits, key=lambda limit: str(limit[1:]))
    names = [Symbol(f"i{depth}_{n}", integer=True) for n in range(len(limits))]
    candidates = []
    for order in permutations(limits):
        if [str(limit[1:]) for limit in order] != [str(limit[1:]) for limit in limits]:
            continue
        rename = {limit[0]: name for limit, name in zip(order, names, strict=True)}
        candidates.append(body.xreplace(rename))
    best = min(candidates, key=lambda c: (c.count_ops(), str(c)))
    return Sum(best, *((name, low, high) for name, (_, low, high) in zip(names, limits, strict=True)))


def _depth(total: Sum) -> int:
    return 1 + max((_depth(s) for s in total.function.atoms(Sum)), default=0)

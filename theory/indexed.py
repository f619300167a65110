"""A normal form for sums over indexed tensors of symbolic size, so that identities hold for every size at once.

SymPy differentiates Sum and IndexedBase expressions but does not decide whether two of them are equal. Here an
expression becomes a sum of terms, each a coefficient times *connected* sums: a sum over several indices is split
wherever its factors share no index, Kronecker deltas are collapsed, and bound indices get canonical names. Two
expressions that are equal by the rules of finite sums then become the same tree.

Collapsing sum_i delta_{ij} x_i = x_j needs j to lie in the range of i. Indices are typed by their range: every index
of one tensor axis runs over the same range, which is the assumption recorded by the derivations that use this file.
So a delta is collapsed onto a free index (or an entry of a tensor of indices), or onto a bound one of the same range;
onto a number, an expression or an index of another range it is kept. Every range has low <= high + 1, the empty one
included, and quotients are taken where their denominators are not zero.
"""

from collections.abc import Callable, Mapping
from itertools import count, islice, permutations

from sympy import (
    Add,
    Dummy,
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
Ranges = Mapping[Expr, tuple[Expr, Expr]]
Totals = Mapping[IndexedBase, Expr | int]


def _fresh() -> Symbol:
    """A bound index that occurs nowhere else, whatever names an expression uses."""
    return Dummy("fresh", integer=True)


def unfold(expr: Expr, definitions: Mapping[IndexedBase, Callable[..., Expr]]) -> Expr:
    """Replace every `base[indices]` by `definition(*indices)`, repeatedly, until no defined base is left.

    Bound indices of a definition never capture the indices that it is given. Raises RecursionError when definitions are
    circular.
    """
    for _ in range(len(definitions) + 1):
        found = [x for x in expr.atoms(Indexed) if x.base in definitions]
        if not found:
            return expr
        expr = expr.xreplace({x: _written_out(definitions[x.base], x.indices) for x in found})
    raise RecursionError(f"circular definitions among {', '.join(str(base) for base in definitions)}")


def _written_out(definition: Callable[..., Expr], indices: tuple[Expr, ...]) -> Expr:
    """The definition at `indices`; those of its bound indices that bear the name of a given one are renamed first."""
    slots = [_fresh() for _ in indices]
    body = definition(*slots)
    given = {name for index in indices for name in index.free_symbols}
    clashing = {name for total in body.atoms(Sum) for name in total.variables} & given
    return body.xreplace({name: _fresh() for name in clashing}).xreplace(dict(zip(slots, indices, strict=True)))


def normal_form(expr: Expr, sums_to: Totals | None = None) -> Expr:
    """The canonical form of `expr`. `sums_to` gives tensors whose sum over the whole last axis is known (bhat: 1).

    Equal forms are equal expressions. The converse is not promised: a pair of equal expressions whose forms differ
    is left undecided by the checker, never called unequal. Raises ValueError where a range depends on the index of
    another sum, and where a tensor of `sums_to` has no shape to say how long its last axis is.
    """
    for base in sums_to or {}:
        if base.shape is None:
            raise ValueError(f"the length of the last axis of {base} is not known; give it a shape")
    return _form(expr, sums_to or {}, {})


def _form(expr: Expr, sums_to: Totals, outer: Ranges) -> Expr:
    """The canonical form inside the sums over `outer`, whose indices are free in `expr` but have a range."""
    return Add(*(_canonical_term(*term, sums_to, outer) for term in _terms(expr, sums_to, outer)))


def _terms(expr: Expr, sums_to: Totals, outer: Ranges) -> list[tuple[list[Expr], list[Limit]]]:
    """`expr` as a list of (factors, bound indices): the product of the factors summed over the indices."""
    if isinstance(expr, Add):
        return [term for part in expr.args for term in _terms(part, sums_to, outer)]
    if isinstance(expr, Mul):
        terms: list[tuple[list[Expr], list[Limit]]] = [([], [])]
        for part in expr.args:
            inner = _terms(part, sums_to, outer)
            terms = [(f + g, k + n) for f, k in terms for g, n in inner]
        return terms
    if isinstance(expr, Sum):
        renamed: Expr = expr.function
        limits: list[Limit] = []
        # the innermost limit comes first in SymPy, and its range may name the indices that follow
        for index, low, high in expr.limits:
            fresh = {index: _fresh()}
            renamed = renamed.xreplace(fresh)
            limits = [(inner, a.xreplace(fresh), b.xreplace(fresh)) for inner, a, b in limits]
            limits.append((fresh[index], low, high))
        within = {**outer, **{index: (low, high) for index, low, high in limits}}
        return [(f, k + limits) for f, k in _terms(renamed, sums_to, within)]
    if isinstance(expr, Pow):
        base, exponent = expr.as_base_exp()
        if exponent.is_Integer and 0 < exponent <= 8 and base.has(Sum, Add):
            # every copy of the base opens its sums with bound indices of its own
            return _terms(Mul(*[_form(base, sums_to, outer)] * int(exponent), evaluate=False), sums_to, outer)
        return [([Pow(_form(base, sums_to, outer), exponent)], [])]
    if isinstance(expr, Application) and not isinstance(expr, KroneckerDelta):
        return [([expr.func(*(_form(a, sums_to, outer) for a in expr.args))], [])]
    expanded = expand_mul(expr)
    if expanded != expr:
        return _terms(expanded, sums_to, outer)
    return [([expr], [])]


def _canonical_term(factors: list[Expr], limits: list[Limit], sums_to: Totals, outer: Ranges) -> Expr:
    indices = {index for index, _, _ in limits}
    if any((low.free_symbols | high.free_symbols) & indices for _, low, high in limits):
        raise ValueError("a range that depends on the index of another sum has no normal form here")
    single = {index: low for index, low, high in limits if low == high}
    factors, limits = [f.xreplace(single) for f in factors], [limit for limit in limits if limit[0] not in single]
    factors, limits = _collapse_deltas(factors, limits, outer)
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
        result *= _connected_sum(members, [bound.pop(i) for i in list(bound) if i in group], sums_to, outer)
    return result


def _split_exponential(factor: Expr) -> list[Expr]:
    """exp(x + y) as [exp(x), exp(y)], so that independent sums inside one exponential come apart."""
    if isinstance(factor, exp) and isinstance(factor.args[0], Add):
        return [exp(part) for part in factor.args[0].args]
    return [factor]


def _collapse_deltas(factors: list[Expr], limits: list[Limit], outer: Ranges) -> tuple[list[Expr], list[Limit]]:
    """Use up every Kronecker delta that ties a bound index to an index of the same typed range."""
    ranges = {index: (low, high) for index, low, high in limits}
    while True:
        for n, factor in enumerate(factors):
            base = factor.base if isinstance(factor, Pow) and factor.exp.is_positive else factor
            if isinstance(base, KroneckerDelta):
                i, j = base.args
                old, new = (i, j) if i in ranges else (j, i)
                if old in ranges and _same_range(old, new, {**outer, **ranges}):
                    factors = [f.xreplace({old: new}) for k, f in enumerate(factors) if k != n]
                    del ranges[old]
                    break
        else:
            return factors, [(index, low, high) for index, (low, high) in ranges.items()]


def _same_range(old: Symbol, new: Expr, ranges: Ranges) -> bool:
    """Whether `new` is an index of the range of the bound `old`: bound with the same one, or free and not a size.

    An entry of a tensor of indices (b_a, the target of context a) counts as free, unless `old` is one of its own.
    """
    if new in ranges:
        return ranges[new] == ranges[old]
    sizes = {size for end in ranges[old] for size in end.free_symbols}
    return isinstance(new, Symbol | Indexed) and new not in sizes and old not in new.free_symbols


def _connected_sum(factors: list[Expr], limits: list[Limit], sums_to: Totals, outer: Ranges) -> Expr:
    """One connected sum with canonical index names; sums of known value are evaluated."""
    if not factors:
        ((_, low, high),) = limits
        return high - low + 1
    for n, factor in enumerate(factors):
        if isinstance(factor, Indexed) and factor.base in sums_to:
            last, length = factor.indices[-1], factor.base.shape[-1]
            elsewhere = [*(f for k, f in enumerate(factors) if k != n), *factor.indices[:-1]]
            carried = any(last in f.free_symbols for f in elsewhere)
            if (last, 0, length - 1) in limits and not carried:
                rest = [limit for limit in limits if limit[0] != last]
                inner = Mul(sums_to[factor.base], *(f for k, f in enumerate(factors) if k != n))
                return _form(Sum(inner, *rest) if rest else inner, sums_to, outer)
    body = Mul(*factors)
    # inner sums keep smaller depths, and names that occur are skipped: a canonical name captures no index and is none's
    depth = 1 + max((_depth(s) for s in body.atoms(Sum)), default=0)
    limits = sorted(limits, key=lambda limit: str(limit[1:]))
    every_name = (Symbol(f"i{depth}_{n}", integer=True) for n in count())
    names = list(islice((name for name in every_name if name not in body.atoms(Symbol)), len(limits)))
    candidates = []
    for order in permutations(limits):
        if [limit[1:] for limit in order] != [limit[1:] for limit in limits]:
            continue
        rename = {limit[0]: name for limit, name in zip(order, names, strict=True)}
        candidates.append(body.xreplace(rename))
    best = min(candidates, key=lambda c: (c.count_ops(), str(c)))
    return Sum(best, *((name, low, high) for name, (_, low, high) in zip(names, limits, strict=True)))


def _depth(total: Sum) -> int:
    return 1 + max((_depth(s) for s in total.function.atoms(Sum)), default=0)

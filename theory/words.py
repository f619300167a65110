"""Identities between matrices of unstated size, as words in noncommuting symbols.

A matrix is a noncommutative SymPy symbol, `transpose` turns words around, and hypotheses on the matrices (a Penrose
equation, a symmetry) are rewriting rules on subwords. What holds for words holds for matrices of every size.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from sympy import Add, Expr, Float, Mul, Pow, Symbol, expand, transpose


def matrix(name: str) -> Symbol:
    """A matrix of unstated size."""
    return Symbol(name, commutative=False)


@dataclass(frozen=True)
class Words:
    """The algebra of words under `rules` (subword -> expression, applied until nothing changes).

    Rules must shorten words or remove symbols, so that rewriting ends; `symmetric` symbols equal their transpose.
    """

    rules: Mapping[Expr, Expr] = field(default_factory=dict)
    symmetric: tuple[Symbol, ...] = ()

    def normal_form(self, expr: Expr) -> Expr:
        """The expanded expression with every rule used up. Raises RecursionError if the rules do not end."""
        for _ in range(50):
            before = expr
            expr = expand(expr.doit())
            expr = expr.xreplace({transpose(s): s for s in self.symmetric})
            for subword, replacement in self.rules.items():
                expr = expand(expr.subs(subword, replacement))
            if expr == before:
                return expr
        raise RecursionError("the rewriting rules do not end; each must shorten a word or remove a symbol")

    def is_zero(self, expr: Expr) -> bool:
        """Whether the rules reduce the expression to zero."""
        return self.normal_form(expr) == 0

    def evaluate(self, expr: Expr, instance: Mapping[Symbol, np.ndarray | float]) -> np.ndarray:
        """The expression with arrays for the matrices and numbers for the scalars."""
        if expr.is_commutative:
            return float(expr.xreplace({s: Float(instance[s]) for s in expr.free_symbols}))  # type: ignore[return-value]
        if isinstance(expr, Add):
            return sum(self.evaluate(a, instance) for a in expr.args)  # type: ignore[return-value]
        if isinstance(expr, Mul):
            product: np.ndarray | float = 1.0
            for factor in expr.args:
                value = self.evaluate(factor, instance)
                product = product @ value if np.ndim(product) and np.ndim(value) else product * value
            return product  # type: ignore[return-value]
        if isinstance(expr, Pow) and expr.exp.is_Integer and expr.exp > 0:
            return self.evaluate(Mul(*[expr.base] * int(expr.exp), evaluate=False), instance)
        if isinstance(expr, transpose):
            return np.transpose(self.evaluate(expr.args[0], instance))
        return np.asarray(instance[expr])

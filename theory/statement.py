"""Statements that can be checked where they stand: identities and inequalities, each with its false twins in mind.

A check answers `holds` only with a proof for every size (normal form, or a symbolic argument over the whole domain),
`fails` only with a witness (a concrete instance that violates the statement), and `undecided` otherwise. `prove` and
`refute` are its two halves, each of which can be asked alone (see `theory.twin`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from sympy import (
    Dummy,
    Eq,
    Expr,
    Function,
    Ge,
    IndexedBase,
    Symbol,
    diff,
    exp,
    factor,
    fraction,
    latex,
    simplify,
    together,
)

from theory.claim import Evidence, Verdict
from theory.indexed import normal_form, unfold
from theory.lowering import evaluate
from theory.words import Words

Instance = Mapping[Any, Any]

# Two values computed in double precision from the same small instance (sums of at most a few hundred terms of order
# one) differ by rounding of some 1e-13; a false statement differs by far more on at least one of the instances drawn.
ROUNDING = 1e-9
WITNESS_DRAWS = 20
PROOF_DRAWS = 2


@dataclass(frozen=True)
class Check:
    """The answer of a checker: the verdict, how it is known, and the witness where the statement fails."""

    verdict: Verdict
    evidence: Evidence
    detail: str
    witness: Instance | None = None


class Algebra(Protocol):
    """The rules by which two sides of an identity are compared."""

    def is_zero(self, expr: Expr) -> bool:
        """Whether the rules prove the expression zero."""

    def evaluate(self, expr: Expr, instance: Instance) -> Any:
        """The value of the expression on one instance."""


@dataclass(frozen=True)
class IndexedSums:
    """Finite sums over indexed tensors; `definitions` are unfolded first, `sums_to` are normalised tensors."""

    definitions: Mapping[IndexedBase, Callable[..., Expr]] = field(default_factory=dict)
    sums_to: Mapping[IndexedBase, Expr | int] = field(default_factory=dict)

    def unfold(self, expr: Expr) -> Expr:
        """The expression with every defined letter written out."""
        return unfold(expr, self.definitions)

    def is_zero(self, expr: Expr) -> bool:
        """Whether the normal form is zero. Twice: naming the outer indices can reorder the inner ones."""
        form = normal_form(self.unfold(expr), self.sums_to)
        return form == 0 or normal_form(form, self.sums_to) == 0

    def evaluate(self, expr: Expr, instance: Instance) -> float:
        """The unfolded expression on arrays."""
        return evaluate(self.unfold(expr), instance)


@dataclass(frozen=True)
class Scalars:
    """Elementary functions of scalars with sign assumptions on their symbols."""

    def is_zero(self, expr: Expr) -> bool:
        """Whether SymPy simplifies the expression to zero."""
        return simplify(expr) == 0

    def evaluate(self, expr: Expr, instance: Instance) -> float:
        """The expression at numbers."""
        return evaluate(expr, instance)


@dataclass(frozen=True)
class Identity:
    """lhs = rhs by the rules of `algebra`; `draw(rng)` makes instances on which a false one can be caught."""

    lhs: Expr
    rhs: Expr
    algebra: IndexedSums | Scalars | Words
    draw: Callable[[np.random.Generator], Instance]

    @property
    def latex(self) -> str:
        """The identity as one LaTeX formula."""
        return latex(Eq(self.lhs, self.rhs, evaluate=False))

    def violation(self, instance: Instance) -> float:
        """How far apart the two sides are on one instance, relative to their size; above ROUNDING it is violated."""
        left, right = (np.asarray(self.algebra.evaluate(side, instance)) for side in (self.lhs, self.rhs))
        return float(np.max(np.abs(left - right)) / (1.0 + np.max(np.abs(left)) + np.max(np.abs(right))))

    def refute(self, seeds: Iterable[int]) -> Check | None:
        """`fails` with the first instance drawn from these seeds that violates the identity; None where none does."""
        for instance in _instances(self.draw, seeds):
            gap = self.violation(instance)
            if not gap <= ROUNDING:
                return Check("fails", "numerical", f"the sides differ by {gap:.2e} on the witness", instance)
        return None

    def prove(self) -> Check | None:
        """`holds` where the rules of the algebra prove it for every size, else None. No instance is looked at."""
        if self.algebra.is_zero(self.lhs - self.rhs):
            return Check("holds", "symbolic", "both sides have one normal form, for every size")
        return None

    def check(self) -> Check:
        """Find an instance that violates the identity, or prove it for every size.

        A few instances come first: they refute a false statement at once, and a rewriting rule that is not true of
        matrices would be caught there. More are tried where there is no proof.
        """
        return _checked(self, WITNESS_DRAWS)


@dataclass(frozen=True)
class Inequality:
    """expr >= 0 for every value that the assumptions of its symbols allow.

    `variable`, nonnegative, is the one along which derivatives are taken. `draw` makes instances inside the domain.
    """

    expr: Expr
    variable: Symbol
    draw: Callable[[np.random.Generator], Instance]
    domain: str

    @property
    def latex(self) -> str:
        """The inequality as one LaTeX formula."""
        return latex(Ge(self.expr, 0, evaluate=False))

    def violation(self, instance: Instance) -> float:
        """How far below zero the expression lies on one instance (negative where it holds)."""
        return -evaluate(self.expr, instance)

    def refute(self, seeds: Iterable[int]) -> Check | None:
        """`fails` with the first instance drawn from these seeds below zero; None where none is."""
        for instance in _instances(self.draw, seeds):
            below = self.violation(instance)
            if below > ROUNDING:
                return Check("fails", "numerical", f"the expression is {-below:.2e} on the witness", instance)
        return None

    def prove(self) -> Check | None:
        """`holds` where signs and monotonicity prove it over the whole domain, else None. No instance is looked at."""
        argument = prove_nonnegative(self.expr, self.variable)
        return None if argument is None else Check("holds", "symbolic", f"{argument}; domain: {self.domain}")

    def check(self) -> Check:
        """Find a violating instance, or prove the inequality over the whole domain by signs and monotonicity."""
        return _checked(self, 50 * WITNESS_DRAWS)


def _checked(statement: Identity | Inequality, draws: int) -> Check:
    """A few instances, then the proof, then the rest of so many instances."""
    undecided = Check("undecided", "numerical", f"no proof, and no witness among {draws} instances")
    return (
        statement.refute(range(PROOF_DRAWS))
        or statement.prove()
        or statement.refute(range(PROOF_DRAWS, draws))
        or undecided
    )


def _instances(draw: Callable[[np.random.Generator], Instance], seeds: Iterable[int]) -> Iterator[Instance]:
    """The instances of some seeds, one after another."""
    return (draw(np.random.default_rng(seed)) for seed in seeds)


def prove_nonnegative(expr: Expr, variable: Symbol, depth: int = 3) -> str | None:
    """An argument, in words, that expr >= 0 for variable >= 0, or None.

    The denominator must have a sign by the assumptions of its symbols; the numerator, a polynomial in symbols and
    exponentials and so differentiable everywhere, has one too, or is nonnegative at 0 with a nonnegative derivative.
    """
    if not variable.is_nonnegative:
        raise ValueError(f"{variable} must be declared nonnegative")
    # a positive integer n as 1 + n' with n' >= 0, so that SymPy sees the sign of n - 1
    shifted = {
        n: 1 + Dummy(f"{n}'", integer=True, nonnegative=True)
        for n in expr.free_symbols
        if n.is_integer and n.is_positive
    }
    numerator, denominator = fraction(factor(together(simplify(expr.xreplace(shifted)))))
    if denominator.is_negative:
        numerator, denominator = -numerator, -denominator
    if not denominator.is_positive or any(not isinstance(f, exp) for f in numerator.atoms(Function)):
        return None
    if numerator.is_nonnegative:
        return "every factor is nonnegative"
    if depth == 0 or not simplify(numerator.subs(variable, 0)).is_nonnegative:
        return None
    slope = prove_nonnegative(diff(numerator, variable), variable, depth - 1)
    return None if slope is None else f"nonnegative at {variable} = 0, and its derivative in {variable}: {slope}"

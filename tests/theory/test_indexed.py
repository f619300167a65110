"""The normal form of indexed sums equates what is equal and nothing else."""

import numpy as np
import pytest
from sympy import Expr, IndexedBase, KroneckerDelta, Sum, exp, sqrt, symbols

from theory.indexed import normal_form, unfold
from theory.lowering import evaluate

m, n = symbols("m n", integer=True, positive=True)
i, j, k, q = symbols("i j k q", integer=True)
x, y, A, b = IndexedBase("x"), IndexedBase("y"), IndexedBase("A"), IndexedBase("b")


def over(term: Expr, *indices: Expr) -> Sum:
    return Sum(term, *((index, 0, m - 1) for index in indices))


EQUAL = {
    "renamed bound index": (over(x[i], i), over(x[j], j)),
    "order of summation": (over(A[i, j] * y[i], i, j), over(over(A[i, j], j) * y[i], i)),
    "product of sums": (over(x[i], i) * over(y[i], i), over(x[i] * y[j], i, j)),
    "square of a sum": (over(x[i], i) ** 2, over(x[i] * x[j], i, j)),
    "linearity": (over(x[i] + 3 * y[i], i), over(x[i], i) + 3 * over(y[i], i)),
    "constant term": (over(x[q], i), m * x[q]),
    "collapsed delta": (over(KroneckerDelta(i, q) * A[i, j] * x[j], i, j), over(A[q, i] * x[i], i)),
    "delta between bound indices": (over(KroneckerDelta(i, j) * x[i] * y[j], i, j), over(x[i] * y[i], i)),
    "norm cancels": (over(x[i] ** 2, i) / sqrt(over(x[j] ** 2, j)), sqrt(over(x[k] ** 2, k))),
    "softmax sums to one": (over(exp(x[i]) / over(exp(x[j]), j), i), over(x[i], i) ** 0),
    "sum of one term": (Sum(x[i], (i, 0, 0)), x[0]),
    "exponential of a sum of sums": (over(exp(x[i] + over(y[j], j)), i), exp(over(y[j], j)) * over(exp(x[i]), i)),
    "trace of a product": (over(A[i, j] * A[j, i], i, j), over(A[k, q] * A[q, k], q, k)),
}

UNEQUAL = {
    "square of the sum, sum of the squares": (over(x[i], i) ** 2, over(x[i] ** 2, i)),
    "transposed matrix": (over(A[q, i] * x[i], i), over(A[i, q] * x[i], i)),
    "trace of A^2, norm of A": (over(A[i, j] * A[j, i], i, j), over(A[i, j] ** 2, i, j)),
    "other factor summed": (over(x[i] * y[j], i, j), over(x[i] * y[i], i)),
    "other delta": (over(KroneckerDelta(i, q) * A[i, j], i, j), over(KroneckerDelta(j, q) * A[i, j], i, j)),
    "shifted softmax": (over(exp(x[i]), i), over(exp(x[i] + x[q]), i)),
    "count of terms": (over(x[q], i), x[q]),
    "other range": (over(x[i], i), Sum(x[i], (i, 0, m - 2))),
}


def _instance() -> dict[Expr, object]:
    rng = np.random.default_rng(0)
    return {m: 3, q: 1, j: 2, x: rng.normal(size=3), y: rng.normal(size=3), A: rng.normal(size=(3, 3))}


@pytest.mark.parametrize("name", EQUAL)
def test_equal_sums_have_one_normal_form(name: str) -> None:
    """Both sides reduce to the same tree, and take the same value on arrays."""
    left, right = EQUAL[name]
    assert normal_form(left - right) == 0
    # ten terms of order one: rounding is far below 1e-12
    assert evaluate(left, _instance()) == pytest.approx(evaluate(right, _instance()), rel=1e-12)


@pytest.mark.parametrize("name", UNEQUAL)
def test_unequal_sums_have_different_normal_forms(name: str) -> None:
    """Neither the normal form nor the value on arrays takes one side for the other."""
    left, right = UNEQUAL[name]
    assert normal_form(left - right) != 0
    assert evaluate(left, _instance()) != pytest.approx(evaluate(right, _instance()), rel=1e-3)


@pytest.mark.parametrize("expr", [side for pair in (EQUAL | UNEQUAL).values() for side in pair], ids=str)
def test_normal_form_keeps_the_value(expr: Expr) -> None:
    """A normal form evaluates to what the expression evaluates to."""
    assert evaluate(normal_form(expr), _instance()) == pytest.approx(evaluate(expr, _instance()), rel=1e-12)


def test_known_row_sums_are_used_only_where_the_index_is_free_elsewhere() -> None:
    """sum_j b_ij = 1 is applied, sum_j b_ij x_j is not touched."""
    assert normal_form(over(b[q, j], j), {b: 1}) == 1
    assert normal_form(over(x[i] * b[i, j], i, j), {b: 1}) == normal_form(over(x[i], i))
    assert normal_form(over(b[q, j] * x[j], j), {b: 1}) == normal_form(over(b[q, j] * x[j], j))
    assert normal_form(over(b[j, j], j), {b: 1}) != 1


def test_unfold_writes_out_nested_definitions() -> None:
    """Definitions inside definitions are unfolded, each with its own indices."""
    written = unfold(x[q] * x[k], {x: lambda index: y[index] + 1, y: lambda index: A[index, index]})
    assert written == (A[q, q] + 1) * (A[k, k] + 1)


def test_circular_definitions_are_refused() -> None:
    """A letter defined by itself raises instead of running on."""
    with pytest.raises(RecursionError, match="circular"):
        unfold(x[q], {x: lambda index: x[index] + 1})

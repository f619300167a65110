"""The normal form of indexed sums equates what is equal and nothing else."""

import numpy as np
import pytest
from sympy import Expr, IndexedBase, KroneckerDelta, Sum, exp, sqrt, symbols

from theory.indexed import normal_form, unfold
from theory.lowering import evaluate

m, n = symbols("m n", integer=True, positive=True)
i, j, k, q = symbols("i j k q", integer=True)
x, y, A, b = IndexedBase("x"), IndexedBase("y"), IndexedBase("A"), IndexedBase("b", shape=(n, m))
t = IndexedBase("t")  # a tensor of indices
canonical = symbols("i1_0", integer=True)


def over(term: Expr, *indices: Expr) -> Sum:
    return Sum(term, *((index, 0, m - 1) for index in indices))


EQUAL = {
    "renamed bound index": (over(x[i], i), over(x[j], j)),
    "order of summation": (over(A[i, j] * y[i], i, j), over(over(A[i, j], j) * y[i], i)),
    "product of sums": (over(x[i], i) * over(y[i], i), over(x[i] * y[j], i, j)),
    "square of a sum": (over(x[i], i) ** 2, over(x[i] * x[j], i, j)),
    "cube of a sum": (over(x[i], i) ** 3, over(x[i] * x[j] * x[k], i, j, k)),
    "cube of a difference": ((x[q] - 2) ** 3, x[q] ** 3 - 6 * x[q] ** 2 + 12 * x[q] - 8),
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
    "exchanged ranges": (Sum(A[i, j], (i, 0, m - 1), (j, 0, n - 1)), Sum(A[i, j], (i, 0, n - 1), (j, 0, m - 1))),
    "delta between ranges": (Sum(KroneckerDelta(i, j) * y[j], (i, 0, m - 2), (j, 0, m - 1)), over(y[j], j)),
    "delta between ranges in a square": (
        over(Sum(KroneckerDelta(i, k), (i, 0, m - 2)) ** 2, k),
        over(KroneckerDelta(k, k), k),
    ),
    "delta onto a number": (Sum(KroneckerDelta(i, 2) * x[2], (i, 0, m - 2)), x[2]),
    "delta onto an expression": (over(KroneckerDelta(i, 2 * j) * x[0], i, j), m * x[0]),
    "delta onto a size": (over(KroneckerDelta(i, m) * x[0], i), x[0]),
    "delta onto the index's own entry": (over(KroneckerDelta(i, t[i]), i), over(x[0] ** 0, i)),
    "delta in the only term": (Sum(KroneckerDelta(i, q), (i, 0, 0)), x[0] ** 0),
    "free index with a canonical name": (over(A[canonical, j], j), over(A[j, j], j)),
}


def _instance() -> dict[Expr, object]:
    rng = np.random.default_rng(0)
    fixed = {m: 3, n: 2, q: 1, j: 2, canonical: 0, t: np.array([1, 1, 0])}
    return {**fixed, x: rng.normal(size=3), y: rng.normal(size=3), A: rng.normal(size=(3, 3))}


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
    assert normal_form(over(b[j + 1, j], j), {b: 1}) != 1
    assert normal_form(Sum(b[q, j], (j, 0, m - 2)), {b: 1}) != 1
    assert normal_form(Sum(b[q, j], (j, 1, m - 1)), {b: 1}) != 1


def test_a_divided_delta_is_not_collapsed() -> None:
    """1/delta has no value off the diagonal: no entry of the sum stands for it."""
    assert normal_form(over(x[i] / KroneckerDelta(i, q), i)) != x[q]


def test_known_sums_need_the_length_of_the_axis() -> None:
    """Without a shape nothing says which sum is the whole one, and the normal form refuses."""
    with pytest.raises(ValueError, match="give it a shape"):
        normal_form(over(x[j], j), {x: 0})


@pytest.mark.parametrize(
    "expr", [Sum(x[i], (i, 0, j), (j, 0, m - 1)), over(Sum(x[i], (i, 0, j)), j)], ids=["one sum", "nested sums"]
)
def test_ranges_that_depend_on_an_index_are_refused(expr: Expr) -> None:
    """A triangular sum raises instead of becoming a product of two sums."""
    with pytest.raises(ValueError, match="depends on the index of another sum"):
        normal_form(expr)


def test_shadowed_indices_stay_apart() -> None:
    """An inner sum over an index of the same name is a factor of its own, not the square of one index."""
    shadowed = over(x[i] * over(y[i], i), i)
    assert normal_form(shadowed - over(x[i], i) * over(y[i], i)) == 0
    assert normal_form(shadowed - over(x[i] * y[i], i)) != 0


def test_unfold_writes_out_nested_definitions() -> None:
    """Definitions inside definitions are unfolded, each with its own indices."""
    written = unfold(x[q] * x[k], {x: lambda index: y[index] + 1, y: lambda index: A[index, index]})
    assert written == (A[q, q] + 1) * (A[k, k] + 1)


def test_unfold_captures_no_index() -> None:
    """A definition that sums over k, asked at k, keeps the two apart."""
    written = unfold(x[k], {x: lambda index: over(A[index, k], k)})
    assert normal_form(written - over(A[k, j], j)) == 0
    assert normal_form(written - over(A[j, j], j)) != 0


def test_circular_definitions_are_refused() -> None:
    """A letter defined by itself raises instead of running on."""
    with pytest.raises(RecursionError, match="circular"):
        unfold(x[q], {x: lambda index: x[index] + 1})

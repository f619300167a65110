"""The time limit of symbolic work: kept inside SymPy, in any thread, at no cost to work of ordinary size."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sympy import Expr, Rational, Symbol, cosh, exp, expand, log, oo, sqrt

import theory.deadline as deadline
from tests.theory.inequality_library import TRUE
from theory.checked_proof import prove_checked
from theory.deadline import MOST_DEGREE, ORDINARY, OutOfTimeError, check_time, time_limit, too_large, within_limit
from theory.expression_size import LARGEST, Size, size
from theory.proof import Proof, Unproved, prove
from theory.proof_domain import Domain
from theory.proof_form import factored, is_zero
from theory.recheck import vanishes

X, Y, Z = (Symbol(name, real=True) for name in "xyz")

# over a common denominator a polynomial of degree 15 in three variables, which SymPy takes minutes to factor
FRACTIONS = sum(1 / (1 + X * k + Y * k**2 + Z) - 1 / (1 + 2 * X * k + Y * k**2 + Z) for k in range(1, 9))
CUBE = Domain.of((X, 0, 1), (Y, 0, 1), (Z, 0, 1))


class Clock:
    """A clock that is one second later every time it is read, and counts the readings."""

    def __init__(self) -> None:
        self.readings = 0

    def __call__(self) -> float:
        """The number of times it was read."""
        self.readings += 1
        return float(self.readings)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The limit's clock, by readings."""
    found = Clock()
    monkeypatch.setattr(deadline, "monotonic", found)
    return found


@contextmanager
def traced_by(hook: object) -> Iterator[None]:
    """Another trace hook, as of a debugger."""
    before = sys.gettrace()
    sys.settrace(hook)  # type: ignore[arg-type]
    try:
        yield
    finally:
        sys.settrace(before)


@within_limit
def expanded(expr: Expr) -> Expr:
    """A step that is SymPy's from beginning to end."""
    return expand(expr)


def big(step: int) -> Expr:
    """A power that expands to 816 terms, another one for each step, so that SymPy has no answer yet."""
    return (step + X + Y + Z) ** 15


def test_the_limit_is_kept_inside_a_step(clock: Clock) -> None:
    """A step of SymPy is left at the first call of a function after the limit, long before it would end."""
    assert size(big(2)).work > ORDINARY
    with time_limit(100), pytest.raises(OutOfTimeError):
        expanded(big(2))
    assert clock.readings == 102  # the first sets the limit, the last is beyond it
    with time_limit(10**9):
        assert len(expanded(big(2)).args) == 816
    assert clock.readings > 1000


def test_a_proof_ends_by_its_limit(clock: Clock) -> None:
    """What SymPy would take minutes for is Unproved after as many readings of the clock as the limit has seconds."""
    limit = 2000
    outcome = prove(FRACTIONS, CUBE, most_seconds=limit)
    assert isinstance(outcome, Unproved)
    assert outcome.reason == f"the limit of {limit} seconds"
    assert limit < clock.readings < 1.1 * limit


def test_the_limit_is_kept_in_any_thread(clock: Clock) -> None:
    """In a thread that is not the main one the limit is the same, and other threads have none."""
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(prove(FRACTIONS, CUBE, most_seconds=500)))
    with time_limit(10**9):
        thread.start()
        thread.join()
    assert isinstance(found[0], Unproved)
    assert clock.readings < 600


def forbidden(*_: object) -> None:
    """A trace hook that must not be called."""
    raise AssertionError


def test_ordinary_work_is_not_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step of these proofs of the library is large enough for the trace hook, which would double its time."""
    monkeypatch.setattr(deadline, "_watch", forbidden)
    for statement in TRUE[::3]:
        outcome = prove(statement.expr, statement.domain, strict=statement.strict, most_boxes=20)
        assert not isinstance(outcome, Unproved) or "seconds" not in outcome.reason


@pytest.mark.parametrize("ends", [True, False], ids=["that ends", "that is left"])
def test_another_hook_is_put_back(ends: bool) -> None:
    """The trace hook that stood before, of a debugger say, stands after a step, whether it ended or was left."""

    def hook(*_: object) -> None:
        return None

    with traced_by(hook), time_limit(10**9 if ends else 0.0):
        try:
            expanded(big(3 + ends))
        except OutOfTimeError:
            assert not ends
        assert sys.gettrace() is hook


def test_without_a_limit_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside every limit a step is what it would be without."""
    check_time()
    monkeypatch.setattr(deadline, "_watch", forbidden)
    assert len(expanded(big(5)).args) == 816


def test_an_inner_limit_cannot_outlast_an_outer_one(clock: Clock) -> None:
    """Limits inside each other end by the earliest."""
    with time_limit(10), time_limit(10**9), pytest.raises(OutOfTimeError):
        expanded(big(6))
    assert clock.readings < 20
    check_time()


def test_the_second_checker_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof that the second checker cannot finish in time backs nothing: it is Unproved, with that reason."""
    statement = TRUE[0]
    assert isinstance(prove_checked(statement.expr, statement.domain), Proof)
    monkeypatch.setattr("theory.recheck.check_time", lambda: (_ for _ in ()).throw(OutOfTimeError))
    outcome = prove_checked(statement.expr, statement.domain, most_seconds=7.0)
    assert isinstance(outcome, Unproved)
    assert outcome.reason == "the second checker objects: it is not done within 7 seconds"


# -- what is refused --
@pytest.mark.parametrize(
    "expr",
    [
        exp(999_999 * X) - exp(X) + X,  # a polynomial of degree 999,999 in e^x
        (1 + X) ** 9000 - 9000 * X,
        (1 + X + Y + Z) ** 200,
        log((1 + X + Y + Z) ** 200 + 1) + X,
        exp(X * Rational(1, 97))
        + exp(X * Rational(1, 89))
        + exp(X * Rational(1, 83)),  # of degree 8,633 in e^(x/716539)
    ],
    ids=str,
)
def test_calls_of_no_return_are_not_made(expr: Expr) -> None:
    """What could only be one long call is left as it is: no factors, and no identity."""
    assert factored(expr).expr == expr
    assert not is_zero(expr - expr.xreplace({X: X + 1}))
    assert not vanishes(expr - expr.xreplace({X: X + 1}))


@pytest.mark.parametrize("expr", [exp(999_999 * X) - exp(X), (1 + X) ** 9000 - 1 - 9000 * X], ids=["exp", "power"])
def test_huge_powers_end(expr: Expr) -> None:
    """Statements on which the factors alone would take hours are answered; nothing is measured here but that."""
    assert isinstance(prove(expr, Domain.of((X, 0, oo)), most_seconds=3.0, most_boxes=50), Proof | Unproved)


# -- sizes --
@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (X, Size(1, 1, 1)),
        (Rational(7, 3), Size(1, 1, 0)),
        ((1 + X + Y) ** 4, Size(15, 1, 4)),
        (1 / (1 + X) + 1 / (1 + Y), Size(3, 4, 2)),
        ((1 + X) ** -3, Size(1, 4, 3)),
        (exp(5 * X) + exp(X / 7), Size(2, 1, 7)),
        (sqrt(1 + X) * X, Size(1, 1, 3)),
        (cosh(X), Size(2, 2, 2)),
        (log((1 + X) ** 9), Size(10, 1, 9)),
        (sum(1 / (1 + k * X) for k in range(1, 13)), Size(12, 13, 12)),  # univariate: no more than one of each degree
        (1 / (1 + X) + 1 / (1 + X) ** 2, Size(2, 3, 2)),
        ((sqrt(2) + log(2) + X) ** 2, Size(6, 1, 4)),
        ((1 + X + Y + Z) ** (10**9), Size(LARGEST, 1, LARGEST)),
    ],
    ids=str,
)
def test_sizes_of_expressions(expr: Expr, expected: Size) -> None:
    """Terms above and below the line, counted as expansion would leave them at most, and the degree."""
    assert size(expr) == expected


@pytest.mark.parametrize("expr", [(1 + X * Y + Z) ** 5 * (X - Z) ** 3, (X + 2) ** 7 + (Y + X) ** 6], ids=str)
def test_sizes_are_upper_bounds(expr: Expr) -> None:
    """An expansion has no more terms than were estimated."""
    assert len(expand(expr).args) <= size(expr).numerator


def test_degrees_alone_can_be_too_large() -> None:
    """Two terms of a degree that C would take minutes over are too large."""
    assert not too_large(X**MOST_DEGREE - 1)
    assert too_large(X ** (MOST_DEGREE + 1) - 1)

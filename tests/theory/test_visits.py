"""Certain numbers of visits against the exact recursion, in 60 digits, and against the flow's closed form."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mpmath import mp, mpf
from sympy import Rational

from theory.errors import BadInput
from theory.statement import ROUNDING
from theory.visit_bounds import VisitsError, probability_after, visits_until
from theory.visits import LAWS

TWINS = {twin.id: twin for law in LAWS for twin in law.twins()}
SIZES = st.one_of(st.integers(2, 40), st.integers(2, 10**9))


@pytest.fixture(scope="module", autouse=True)
def sixty_digits() -> Iterator[None]:
    """The recursion in x = M h loses some bits a step; over 400 steps 60 digits leave 50 and more."""
    with mp.workdps(60):
        yield


def number(fraction: Fraction) -> mpf:
    return mpf(fraction.numerator) / fraction.denominator


def probabilities(size: int, step: Fraction) -> Iterator[mpf]:
    """p_0, p_1, ...: x = M h moves by M eta/(M - 1 + e^x), and p = 1/(1 + (M - 1) e^-x)."""
    x = mpf(0)
    while True:
        yield 1 / (1 + (size - 1) * mp.exp(-x))
        x += size * number(step) / (size - 1 + mp.exp(x))


def flow_odds(size: int, time: mpf) -> mpf:
    """p/(1 - p) of the flow: with x = M h, (M - 1) x + e^x = M t + 1, so odds + ln(odds) = known."""
    argument = (size * time + 1) / (size - 1) - mp.log(size - 1)
    return mp.lambertw(mp.exp(argument)).real


def head_start(size: int, step: Fraction, share: Fraction) -> mpf:
    return mp.exp(number(step)) / 2 * mp.log((size - 1) / (size * number(share)))


@st.composite
def rows(draw: st.DrawFn) -> tuple[int, Fraction, Fraction]:
    """A size, a step and a share 1 - p above the start's that the flow reaches in 0.2 to 300 steps."""
    size = draw(SIZES)
    logit = Fraction(draw(st.integers(1, 4000)), 200)  # ln((M - 1) w), from 0.005 to 20
    w = mp.exp(number(logit)) / (size - 1)
    share = Fraction(int(mp.floor(10**30 / (1 + w))), 10**30)
    time = ((size - 1) * (number(logit) + w) - 1) / size
    step = Fraction(int(time / draw(st.floats(0.2, 300.0)) * 10**12), 10**12)
    return size, min(max(step, Fraction(1, 10**6)), Fraction(10**6)), share


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.derive().id)
def test_laws_are_symbolic(law: object) -> None:
    """Every step of both laws is proved for all sizes."""
    derivation = law.derive()  # type: ignore[attr-defined]
    assert {(s.rule, s.check.verdict, s.check.evidence) for s in derivation.steps} == {
        (s.rule, "holds", "symbolic") for s in derivation.steps
    }


@pytest.mark.parametrize("twin", TWINS)
def test_false_twins_fail(twin: str) -> None:
    """The checker calls each twin false, and the stored instance violates it."""
    statement, seed = TWINS[twin].statement, TWINS[twin].seed
    assert statement.check().verdict == "fails"
    assert statement.violation(statement.draw(np.random.default_rng(seed))) > ROUNDING


@given(row=rows())
def test_first_passage_lies_between(row: tuple[int, Fraction, Fraction]) -> None:
    """The exact recursion first has p >= 1 - a after more than `certified_too_few` visits, by `certified_enough`."""
    size, step, share = row
    bounds = visits_until(size, step, share)
    threshold = 1 - number(share)
    first = next(k for k, p in enumerate(probabilities(size, step)) if p >= threshold)
    assert bounds.certified_too_few < first <= bounds.certified_enough


@given(row=rows())
def test_enough_is_the_least_that_the_flow_gives(row: tuple[int, Fraction, Fraction]) -> None:
    """The flow has odds (1 - a)/a at eta times `certified_enough`, and does not one visit earlier."""
    size, step, share = row
    enough = visits_until(size, step, share).certified_enough
    w = (1 - number(share)) / number(share)
    assert flow_odds(size, number(step) * enough) >= w > flow_odds(size, number(step) * (enough - 1))


@given(row=rows())
@example(row=(10, Fraction(30), Fraction(1, 10**6)))
@example(row=(10, Fraction(5), Fraction(1, 10**6)))
@example(row=(10**9, Fraction(10**6), Fraction(1, 2)))
def test_too_few_is_the_most_that_the_bounds_give(row: tuple[int, Fraction, Fraction]) -> None:
    """`certified_too_few` is excluded by the sandwich or by the head start, and one visit more by neither."""
    size, step, share = row
    w = (1 - number(share)) / number(share)
    time = ((size - 1) * (mp.log((size - 1) * w) + w) - 1) / size

    def excluded(k: int) -> bool:
        ahead = mp.exp(number(step)) * flow_odds(size, number(step) * (k - 1)) < w if k else True
        return bool(ahead or k < time / number(step) - head_start(size, step, share))

    few = visits_until(size, step, share).certified_too_few
    assert excluded(few)
    assert not excluded(few + 1)


@given(row=rows())
def test_the_two_are_close(row: tuple[int, Fraction, Fraction]) -> None:
    """They differ by at most 1/a + 1 visits and by at most (e^eta/2) ln(1/a) + 2."""
    size, step, share = row
    bounds = visits_until(size, step, share)
    gap = bounds.certified_enough - bounds.certified_too_few
    assert gap <= 1 / share + 1
    assert gap <= mp.exp(number(step)) / 2 * mp.log(1 / number(share)) + 2


@pytest.mark.parametrize(("size", "share"), [(3, Fraction(1, 100)), (50, Fraction(1, 20)), (1000, Fraction(1, 5))])
def test_small_steps_are_ahead_by_half_a_logarithm(size: int, share: Fraction) -> None:
    """At eta = 1/50 the first passage is within two visits of T/eta - ln((M-1)/(M a))/2: the constant is sharp."""
    step = Fraction(1, 50)
    bounds = visits_until(size, step, share)
    first = next(k for k, p in enumerate(probabilities(size, step)) if p >= 1 - number(share))
    assert 0 < first - bounds.certified_too_few <= 2


@given(row=rows(), visits=st.integers(0, 300))
def test_probability_is_enclosed(row: tuple[int, Fraction, Fraction], visits: int) -> None:
    """The exact probability after k visits lies within the bounds; the lower bound is the flow's own."""
    size, step, _ = row
    lower, upper = probability_after(size, step, visits)
    exact = next(p for k, p in enumerate(probabilities(size, step)) if k == visits)
    # 1e-50: rounding of the recursion in 60 digits; where both bounds coincide nothing else separates them
    assert number(lower) - mpf(10) ** -50 <= exact <= number(upper) + mpf(10) ** -50
    flow = flow_odds(size, number(step) * visits)
    assert 0 <= flow / (1 + flow) - number(lower) < mpf(10) ** -30 * (1 - number(lower)) + mpf(10) ** -50


@pytest.mark.parametrize("size", [2, 10, 10**6])
@pytest.mark.parametrize("step", [Fraction(1, 10), Fraction(30), Fraction(1000)])
def test_the_first_visit_is_exact(size: int, step: Fraction) -> None:
    """After one visit the upper bound is p_1 = 1/(1 + (M - 1) e^-eta) itself, after none both are 1/M."""
    upper = probability_after(size, step, 1)[1]
    exact = 1 / (1 + (size - 1) * mp.exp(-number(step)))
    # rounded upwards, at 128 bits; 1e-50 is the rounding of this test
    assert -(mpf(10) ** -50) <= number(upper) - exact < mpf(10) ** -30
    assert probability_after(size, step, 0) == (Fraction(1, size), Fraction(1, size))


@pytest.mark.parametrize("size", [2, 30, 500])
def test_the_upper_bound_is_sharp_for_small_steps(size: int) -> None:
    """At eta = 1/20 and 300 visits the upper bound leaves a tenth of the distance between flow and descent."""
    step, visits = Fraction(1, 20), 300
    lower, upper = (number(bound) for bound in probability_after(size, step, visits))
    exact = next(p for k, p in enumerate(probabilities(size, step)) if k == visits)
    assert upper - exact < (exact - lower) / 10


def test_extreme_sizes() -> None:
    """M = 1e9, eta = 1e-6, a = 1e-300: the ceiling of the flow's time over eta to its last of 306 digits."""
    bounds = visits_until(10**9, Fraction(1, 10**6), Fraction(1, 10**300))
    with mp.workdps(400):
        w = mpf(10) ** 300 - 1
        expected = mp.ceil(((10**9 - 1) * (mp.log((10**9 - 1) * w) + w) - 1) / 10**9 * 10**6)
        assert bounds.certified_enough == int(expected)
    lower, upper = probability_after(10**9, Fraction(10**6), 10**12)
    missing = 1 / (1 + flow_odds(10**9, mpf(10) ** 18))
    assert abs(number(1 - lower) / missing - 1) < mpf(10) ** -30
    assert lower < upper <= 1


def test_large_steps_need_one_visit() -> None:
    """At eta = 1e6 a row is done after its first visit, and not before it."""
    bounds = visits_until(100, Fraction(10**6), Fraction(1, 1000))
    assert (bounds.certified_too_few, bounds.certified_enough) == (0, 1)
    assert visits_until(100, 10**6, Rational(1, 1000)) == bounds


@pytest.mark.parametrize(
    ("size", "step", "share", "message"),
    [
        (1, Fraction(1), Fraction(1, 4), "from 2 to 1000000000, got 1"),
        (10**9 + 1, Fraction(1), Fraction(1, 4), "from 2 to 1000000000"),
        (5, Fraction(0), Fraction(1, 4), "learning rate must lie between"),
        (5, Fraction(1, 10**7), Fraction(1, 4), "learning rate must lie between"),
        (5, 2 * 10**6, Fraction(1, 4), "learning rate must lie between"),
        (5, 0.5, Fraction(1, 4), "learning rate must be an exact rational"),
        (5, Fraction(1), 0.25, "share must be an exact rational"),
        (5, Fraction(1), Fraction(4, 5), "between 0 and 1 - 1/M = 4/5"),
        (5, Fraction(1), Fraction(0), "between 0 and 1 - 1/M"),
        (5, Fraction(1), Fraction(1, 10**1001), "at most 1000 digits"),
        (1, 0.5, 0.25, "vocabulary size.*; the learning rate.*; the share"),
    ],
)
def test_bad_input_is_named(size: int, step: Fraction, share: Fraction, message: str) -> None:
    """A size, step or share outside its range is refused with its range and what came, all violations at once."""
    with pytest.raises(VisitsError, match=message) as caught:
        visits_until(size, step, share)
    assert isinstance(caught.value, BadInput)


def test_visits_are_counted_in_whole_numbers() -> None:
    """A negative or fractional number of visits is refused."""
    for visits in (-1, 1.5):
        with pytest.raises(VisitsError, match="visits must be a whole number"):
            probability_after(5, Fraction(1), visits)  # type: ignore[arg-type]

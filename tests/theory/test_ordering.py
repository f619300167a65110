"""The largest step that keeps unseen logits the smallest: closed form, certified bounds, and data that break it."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf
from scipy.optimize import minimize_scalar
from sympy import Rational, exp, oo, simplify

from theory.errors import BadInput
from theory.exact import fraction
from theory.ordering import LAWS
from theory.proof import Proof, Refutation, Unproved
from theory.proof_domain import Domain
from theory.statement import ROUNDING
from theory.step_bounds import (
    OrderingError,
    Visit,
    breaking_schedule,
    breaks_at,
    largest_step,
    prove_step,
    row_after,
    stationary_gap,
)

TWINS = {twin.id: twin for law in LAWS for twin in law.twins()}
SIZES = (2, 3, 10, 100, 10**9)


def number(value: Fraction) -> mpf:
    return mpf(value.numerator) / value.denominator


def gap(target: arb, unseen: arb) -> arb:
    with ctx.workprec(192):
        return target - unseen


def smallest_ratio(size: int) -> float:
    """min over z > 0 of z (e^z + M - 1)/(e^z - 1), by search."""
    found = minimize_scalar(lambda z: z * (1 + size / np.expm1(z)), bounds=(1e-6, 60.0), method="bounded")
    return float(found.fun)


def exact_logits(size: int, step: Fraction, schedule: list[Visit]) -> list[mpf]:
    """The row in 60 digits, all M logits kept: S <- S + eta weight (e_target - softmax S)."""
    with mp.workdps(60):
        logits = [mpf(0)] * size
        for target, weight in schedule:
            moved = number(step * weight)
            total = sum(mp.exp(s) for s in logits)
            logits = [s + moved * ((k == target) - mp.exp(s) / total) for k, s in enumerate(logits)]
        return logits


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


@pytest.mark.parametrize("size", SIZES)
def test_bounds_enclose_the_minimum(size: int) -> None:
    """lower <= min ratio <= upper, at most 3e-7 apart; the lower one is proved, the upper one fails at its witness."""
    bounds = largest_step(size)
    assert bounds.upper - bounds.lower <= Fraction(3, 10**7)
    # the search is off by its own tolerance in z, which enters squared, and by rounding near z = 0
    assert bounds.lower - 1e-9 <= smallest_ratio(size) <= bounds.upper + 1e-9
    assert breaks_at(size, bounds.upper, bounds.witness)
    assert not breaks_at(size, bounds.lower, bounds.witness)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_proved_is_the_slack(size: int) -> None:
    """The proof at the lower bound is of z (e^z + M - 1) >= eta (e^z - 1) times e^-z, on z in [0, oo)."""
    bounds = largest_step(size)
    assert isinstance(bounds.proof, Proof)
    (z,) = bounds.proof.expr.free_symbols
    lower = Rational(bounds.lower.numerator, bounds.lower.denominator)
    assert simplify(bounds.proof.expr * exp(z) - z * (exp(z) + size - 1) + lower * (exp(z) - 1)) == 0
    assert bounds.proof.domain == Domain.of((z, 0, oo))


@pytest.mark.parametrize(("size", "expected"), [(2, 2.0), (3, 2.75), (100, 7.46)])
def test_known_values(size: int, expected: float) -> None:
    """2 at M = 2, about 2.75 at M = 3 and 7.5 at M = 100."""
    assert largest_step(size).lower == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("digits", [1, 12])
def test_digits_set_the_distance(digits: int) -> None:
    """The bounds lie at most 3 units of the last digit apart, whether that is the first or the twelfth."""
    bounds = largest_step(100, digits)
    assert 0 < bounds.upper - bounds.lower <= Fraction(3, 10**digits)
    assert largest_step(100).lower - Fraction(2, 10**digits) <= bounds.lower <= largest_step(100).upper


@pytest.mark.parametrize("size", [2, 3, 100])
def test_steps_above_are_refuted(size: int) -> None:
    """At the upper bound, and at twice it, the prover answers with a gap at which the inequality fails."""
    upper = largest_step(size).upper
    for step in (upper, 2 * upper):
        outcome = prove_step(size, step)
        assert isinstance(outcome, Refutation)
        assert outcome.value[1] < 0
    assert isinstance(prove_step(size, upper / 2), Proof)


def test_a_step_is_proved_only_with_the_second_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step to whose proof the second checker objects is not proved, and a size gets no bounds from it."""
    monkeypatch.setattr("theory.checked_proof.recheck", lambda proof: "an objection")
    outcome = prove_step(5, 1)
    assert isinstance(outcome, Unproved)
    assert outcome.reason == "the second checker objects: an objection"
    with pytest.raises(ArithmeticError, match="an objection"):
        largest_step.__wrapped__(5)


@pytest.mark.parametrize("size", [3, 10, 10**9])
def test_stationary_gap_is_the_minimiser(size: int) -> None:
    """The ratio rises on both sides of z*, at a distance of 1e-4, and its slope vanishes there."""
    with mp.workdps(40):
        gap = number(stationary_gap(size))

        def ratio(z: mpf) -> mpf:
            return z * (1 + size / mp.expm1(z))

        assert ratio(gap) < min(ratio(gap - mpf(10) ** -4), ratio(gap + mpf(10) ** -4))
        assert abs(mp.diff(ratio, gap)) < mpf(2) ** -58  # z* is known to 32/2^64, the second derivative is below 1


@given(size=st.integers(3, 30), over=st.fractions(Fraction(1, 10**6), 8, max_denominator=10**6))
def test_schedules_break_above(size: int, over: Fraction) -> None:
    """Above the largest step the schedule ends with a target below the unseen tokens, in the exact recursion of all M.

    Until its last step every token is at or above them.
    """
    step = Fraction(round(1e9 * smallest_ratio(size)), 10**9) * (1 + over)
    schedule = breaking_schedule(size, step)
    assert schedule is not None
    assert all(0 < visit.weight <= 1 for visit in schedule)
    for visited in range(len(schedule)):
        logits = exact_logits(size, step, schedule[:visited])
        assert min(logits) == logits[-1]
    logits = exact_logits(size, step, schedule)
    assert logits[schedule[0].target] < logits[-1]
    balls, unseen = row_after(size, step, schedule)
    assert balls[schedule[0].target] < unseen
    # both are good to fifty digits of numbers below 1000
    with mp.workdps(60):
        for target, ball in balls.items():
            apart = gap(ball, unseen)
            assert abs(number(fraction(apart.mid())) - (logits[target] - logits[-1])) < mpf(10) ** -45
            assert apart.rad() < 1e-45


@pytest.mark.parametrize("size", SIZES)
def test_no_schedule_below(size: int) -> None:
    """At the lower bound, and with two tokens at any step, there is no schedule; at the upper one there is."""
    bounds = largest_step(size)
    assert breaking_schedule(size, bounds.lower) is None
    assert (breaking_schedule(size, bounds.upper) is None) == (size == 2)
    assert breaking_schedule(2, 1000) is None


@pytest.mark.parametrize(
    ("size", "over"), [(3, Fraction(101, 100)), (10, Fraction(101, 100)), (100, Fraction(1001, 1000))]
)
def test_the_batch_is_the_smallest(size: int, over: Fraction) -> None:
    """No smaller batch size B has a number of examples r < B for which the step r/B is followed by a violation."""
    step = largest_step(size).upper * over
    schedule = breaking_schedule(size, step)
    assert schedule is not None
    weight = schedule[0].weight
    assert breaks_at(size, step, step * weight)
    smaller = (Fraction(r, b) for b in range(2, weight.denominator) for r in range(1, b))
    assert not any(breaks_at(size, step, step * w) for w in smaller)


@given(data=st.data(), size=st.sampled_from([2, 3, 10, 100]))
def test_no_data_break_the_ordering_below(data: st.DataObject, size: int) -> None:
    """At the proved step and below, no drawn sequence of targets and batch shares puts a token below the unseen."""
    share = data.draw(st.sampled_from([Fraction(1), Fraction(99, 100), Fraction(1, 3)]))
    step = largest_step(size).lower * share
    weights = st.fractions(0, 1, max_denominator=50)
    targets = st.integers(0, min(size - 2, 2))
    schedule = data.draw(st.lists(st.builds(Visit, targets, weights), min_size=1, max_size=8))
    schedule.append(Visit(0, Fraction(1)))
    for visited in range(1, len(schedule) + 1):
        balls, unseen = row_after(size, step, schedule[:visited])
        assert all(gap(ball, unseen) > -1e-40 for ball in balls.values())  # rounding of tokens that never moved


@pytest.mark.parametrize("size", [3, 10, 100])
def test_the_bound_is_tight(size: int) -> None:
    """The schedule that breaks the upper bound leaves less than 1e-6 at the lower one: nothing was given away."""
    bounds = largest_step(size)
    schedule = breaking_schedule(size, bounds.upper)
    assert schedule is not None
    balls, unseen = row_after(size, bounds.lower, schedule)
    assert 0 < gap(balls[0], unseen) < 1e-6


def test_bad_input_is_named() -> None:
    """Sizes, steps, digits and schedules outside their ranges are refused with what was expected and what came."""
    for call, message in (
        (lambda: largest_step(1), "from 2 to 1000000000, got 1"),
        (lambda: largest_step(10**9 + 1), "from 2 to 1000000000"),
        (lambda: largest_step(3, 0), "digits must be a whole number from 1 to 12, got 0"),
        (lambda: largest_step(3, 13), "digits"),
        (lambda: prove_step(3, 2.5), "learning rate must be an exact rational"),  # type: ignore[arg-type]
        (lambda: prove_step(3, 0), "learning rate must be positive, got 0"),
        (lambda: breaking_schedule(1, 3), "vocabulary size"),
        (lambda: breaking_schedule(3, Fraction(-1)), "learning rate must be positive"),
        (lambda: row_after(2, 1, [Visit(0, Fraction(1)), Visit(1, Fraction(1))]), "fewer targets than the 2 tokens"),
        (lambda: row_after(3, 1, [Visit(0, Fraction(3, 2))]), "weights in"),
        (lambda: row_after(3, 1, [Visit(7, Fraction(1, 2)), Visit(0, Fraction(-1, 2))]), "weights in"),
    ):
        with pytest.raises(OrderingError, match=message) as caught:
            call()
        assert isinstance(caught.value, BadInput)


def test_no_step_is_lost_to_rounding() -> None:
    """The lower bound is within two units of the minimum, rounded down: no safe step is refused for want of digits."""
    for size in (3, 100):
        units = floor(smallest_ratio(size) * 10**7)
        assert units - 2 <= largest_step(size).lower * 10**7 <= units

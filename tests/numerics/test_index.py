"""The index: its definition, its digits where a row hardly moves, and its limits of nothing and of a copy."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from numerics.index import (
    Index,
    SeedIndices,
    answers_of,
    gains,
    index_of,
    log_odds,
    log_odds_gain,
    mean_of_known,
    ratios,
)
from theory.opposites import Asked

SIZE = 7


def naive(initial: np.ndarray, change: np.ndarray, answers: tuple[int, ...]) -> float:
    """The change of log p - log(1 - p), from the two probabilities."""

    def log_odds(logits: np.ndarray) -> float:
        p = softmax(logits)
        right = p[list(answers)].sum()
        return float(np.log(right) - np.log(np.delete(p, list(answers)).sum()))

    return log_odds(initial + change) - log_odds(initial)


def exact(initial: np.ndarray, change: np.ndarray, answers: tuple[int, ...]) -> float:
    """The same with sixty digits."""
    with mpmath.workdps(60):

        def log_odds(*rows: np.ndarray) -> mpmath.mpf:
            power = [mpmath.exp(sum(mpmath.mpf(float(x)) for x in entry)) for entry in zip(*rows, strict=True)]
            right = sum(power[x] for x in answers)
            return mpmath.log(right / (sum(power) - right))

        return float(log_odds(initial, change) - log_odds(initial))


ANSWERS = [(0,), (2, 5), (1, 3, 6)]


@pytest.mark.parametrize("answers", ANSWERS)
@pytest.mark.parametrize("size", [0.01, 0.4, 3.0, 40.0])
def test_gain_is_the_change_of_log_odds(answers: tuple[int, ...], size: float) -> None:
    """For changes from a hundredth to forty, one answer and several, the gain is that of the probabilities."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        initial, change = rng.normal(size=SIZE), size * rng.uniform(-1, 1, SIZE)
        found = log_odds_gain(initial, change, answers)
        # probabilities down to e^-80 keep their relative digits; two logarithms of up to 80 lose two
        assert found == pytest.approx(naive(initial, change, answers), rel=0, abs=1e-12)


@pytest.mark.parametrize("answers", ANSWERS)
@pytest.mark.parametrize("size", [1e-3, 1e-12, 1e-200])
def test_small_changes_keep_their_digits(answers: tuple[int, ...], size: float) -> None:
    """At changes of 1e-12 and below twelve digits are right; the difference of two log-odds has none left."""
    rng = np.random.default_rng(2)
    worst, lost = 0.0, 0.0
    for _ in range(20):
        initial, change = rng.normal(size=SIZE), size * rng.uniform(-1, 1, SIZE)
        found = log_odds_gain(initial, change, answers)
        # the first order, as sixty digits lose 1e-200 too
        p = softmax(initial)
        right = np.isin(np.arange(SIZE), answers)
        first = (p * change)[right].sum() / p[right].sum() - (p * change)[~right].sum() / p[~right].sum()
        expected = first if size < 1e-50 else exact(initial, change, answers)
        worst = max(worst, abs(found - expected) / size)
        lost = max(lost, abs(naive(initial, change, answers) - expected) / size)
    assert worst < 1e-14  # a sum of seven terms of relative error 1e-16 each
    assert lost > (1e-5 if size == 1e-12 else 0.0)


@given(
    logits=st.lists(st.floats(-5, 5), min_size=SIZE, max_size=SIZE),
    change=st.lists(st.floats(-600, 600), min_size=SIZE, max_size=SIZE),
    shift=st.floats(-100, 100),
)
def test_gain_is_finite_and_blind_to_a_shift_of_the_row(logits: list[float], change: list[float], shift: float) -> None:
    """Huge changes overflow nothing, a constant added to a row changes nothing, the rest of the tokens lose as much."""
    initial, moved = np.array(logits), np.array(change)
    found = log_odds_gain(initial, moved, (1, 4))
    # rounding of sums of up to 700, of which a few are taken
    assert log_odds_gain(initial, moved + shift, (1, 4)) == pytest.approx(found, rel=0, abs=1e-11)
    assert log_odds_gain(initial, moved, (0, 2, 3, 5, 6)) == pytest.approx(-found, rel=0, abs=1e-11)


# -- the index --


def copied(value: np.ndarray, target: int, answer: int) -> np.ndarray:
    """The same row with the places of two tokens exchanged."""
    row = value.copy()
    row[[target, answer]] = row[[answer, target]]
    return row


def test_a_copy_of_the_forward_row_has_index_one() -> None:
    """Row q that holds the premise's row, its answer in the place of the target: all three indices are one."""
    rng = np.random.default_rng(3)
    initial, change = rng.normal(size=(2, SIZE)), 4 * rng.normal(size=(2, SIZE))
    initial[1], change[1] = copied(initial[0], 2, 5), copied(change[0], 2, 5)
    found = gains([Asked(1, (5,), ((0, 2),), "q")], initial, change)
    # the same numbers summed in another order
    assert found.index().value == pytest.approx(1.0, rel=1e-14)
    assert found.logit_index().value == 1.0
    assert found.centred_logit_index().value == pytest.approx(1.0, rel=1e-14)


def test_a_row_that_does_not_move_has_index_zero() -> None:
    """An untouched row has index zero, in log-odds and in logits; centred logits say the same."""
    initial, change = np.zeros((2, SIZE)), np.zeros((2, SIZE))
    change[0, 2] = 3.0
    found = gains([Asked(1, (5,), ((0, 2),), "q")], initial, change)
    assert (found.index().value, found.logit_index().value, found.centred_logit_index().value) == (0.0, 0.0, 0.0)


def test_a_shift_of_the_asked_row_is_seen_by_its_logit_alone() -> None:
    """A constant added to every logit of row q moves the logit index and neither the index nor the centred one."""
    initial, change = np.zeros((2, SIZE)), np.zeros((2, SIZE))
    change[0, 2], change[1] = 4.0, 2.0
    found = gains([Asked(1, (5,), ((0, 2),), "q")], initial, change)
    assert found.index().value == pytest.approx(0.0, abs=1e-15)
    assert found.centred_logit_index().value == pytest.approx(0.0, abs=1e-15)
    assert found.logit_index().value == 0.5


def test_the_index_is_a_mean_of_quotients() -> None:
    """Each question has its answers' gain over the mean gain of its premises; the index is the mean over questions."""
    rng = np.random.default_rng(4)
    initial, change = rng.normal(size=(4, SIZE)), rng.normal(size=(4, SIZE))
    change[[0, 1, 1], [2, 3, 4]] += 6.0  # every premise gains
    asked = [Asked(2, (1, 6), ((0, 2), (1, 3)), "two"), Asked(3, (0,), ((1, 4),), "one")]
    found = gains(asked, initial, change)
    quotients = [
        naive(initial[2], change[2], (1, 6))
        / np.mean([naive(initial[0], change[0], (2,)), naive(initial[1], change[1], (3,))]),
        naive(initial[3], change[3], (0,)) / naive(initial[1], change[1], (4,)),
    ]
    # quotients of numbers of order one, none of them near zero
    np.testing.assert_allclose(found.answer / found.premise, quotients, rtol=1e-12)
    assert found.index().value == pytest.approx(np.mean(quotients), rel=1e-12)
    assert found.index(np.array([False, True])).value == pytest.approx(quotients[1], rel=1e-12)
    logits = [change[2, [1, 6]].mean() / np.mean([change[0, 2], change[1, 3]]), change[3, 0] / change[1, 4]]
    assert found.logit_index().value == pytest.approx(np.mean(logits), rel=1e-14)
    centred = change - change.mean(axis=1, keepdims=True)
    expected = [centred[2, [1, 6]].mean() / np.mean([centred[0, 2], centred[1, 3]]), centred[3, 0] / centred[1, 4]]
    assert found.centred_logit_index().value == pytest.approx(np.mean(expected), rel=1e-13)


def test_nothing_asked_has_no_index() -> None:
    """Without questions, and for none of several, the index is nan and nothing is warned of."""
    initial, change = np.zeros((2, SIZE)), np.eye(2, SIZE)
    assert np.isnan(gains([], initial, change).index().value)
    found = gains([Asked(1, (5,), ((0, 2),), "q")], initial, change)
    assert np.isnan(found.index(np.array([False])).value)


def test_questions_without_forward_gain_are_counted_and_left_out() -> None:
    """A premise that loses or gains nothing gives no ratio: the index is the mean of the others, and says how many."""
    forward, answer = np.array([2.0, 0.0, -1.0, 4.0]), np.array([1.0, 5.0, -2.0, -1.0])
    np.testing.assert_array_equal(ratios(answer, forward), [0.5, np.nan, np.nan, -0.25])
    assert index_of(answer, forward) == Index(0.125, 2, 2)
    nothing = index_of(answer[1:3], forward[1:3])
    assert np.isnan(nothing.value)
    assert (nothing.questions, nothing.without) == (0, 2)


def test_a_premise_that_loses_may_stand_beside_one_that_gains() -> None:
    """The forward gain is the mean over premises: 3 and -1 make 1, and the question has an index."""
    initial, change = np.zeros((3, 2)), np.array([[0.0, 3.0], [0.0, -1.0], [0.5, 0.0]])
    found = gains([Asked(2, (0,), ((0, 1), (1, 1)), "q")], initial, change)
    assert found.index().value == pytest.approx(0.5, rel=1e-14)
    assert (found.index().questions, found.index().without) == (1, 0)


def test_seeds_without_an_index_are_no_part_of_the_mean() -> None:
    """Over seeds the index is the mean of those that have one, and questions without forward gain add up."""
    found = SeedIndices((Index(0.5, 3, 0), Index(np.nan, 0, 3), Index(0.25, 1, 2)))
    assert found.mean == 0.375
    assert (found.questions, found.without) == (4, 5)
    assert np.isnan(mean_of_known([np.nan]))


def test_log_odds_keep_their_digits_near_certainty() -> None:
    """log p - log(1 - p) of log p = -1e-17 is 17 log 10, unless p is said to be known to a rounding only."""
    assert log_odds(np.array([-1e-17]))[0] == pytest.approx(17 * np.log(10), rel=1e-14)
    assert log_odds(np.array([-1e-17]), 1e-16)[0] == pytest.approx(16 * np.log(10), rel=1e-14)
    assert np.isfinite(log_odds(np.array([0.0])))[0]


# -- answers --


def test_answers_and_their_rivals() -> None:
    """p of right answers is summed; a rival is neither right nor trained in that row; first compares the two."""
    p = np.array([[0.05, 0.40, 0.10, 0.20, 0.25], [0.1, 0.1, 0.1, 0.3, 0.4]])
    trained = np.zeros((2, 5), dtype=bool)
    trained[0, 1] = True
    asked = [Asked(0, (0, 3), ((1, 0),), "two answers"), Asked(1, (0,), ((0, 1),), "one answer")]
    found = answers_of(asked, np.log(p), trained)
    np.testing.assert_allclose(found.probability, [0.25, 0.1], rtol=1e-14)
    np.testing.assert_allclose(found.rival, [0.25, 0.4], rtol=1e-14)
    assert found.first.tolist()[1] is False
    raised = np.array([[0.01, 0, 0, 0, 0], [0.5, 0, 0, 0, 0]])
    higher = answers_of(asked, np.log(p + raised), trained)
    assert higher.first.tolist() == [True, True]


def test_an_answer_without_rivals_is_first() -> None:
    """Where every other token is trained the best rival has probability zero."""
    trained = np.array([[False, True, True]])
    found = answers_of([Asked(0, (0,), ((0, 1),), "q")], np.array([[-50.0, 0.0, 0.0]]), trained)
    assert found.rival.tolist() == [0.0]
    assert found.first.tolist() == [True]

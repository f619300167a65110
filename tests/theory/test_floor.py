"""The exponent of a loss that falls to a floor: what is known of the losses from below may stand for them."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from flint import arb
from hypothesis import assume, given
from hypothesis import strategies as st

from numerics.gram import Gram
from numerics.instance_bounds import instance_bounds
from theory.coherence import CoherenceBounds, Schedule
from theory.signed_chain import exponent_to_floor, signed
from theory.task import reversal_task
from theory.theorems import lemmas

positive = st.floats(1e-3, 1e3)
# what a handful of logarithms in double precision may be off by, relative to numbers of order one
ROUNDING = 1e-12


@given(fall=positive, loss=positive, floor=positive, above=st.floats(1.0, 10.0), lifted=st.floats(1.0, 10.0))
def test_lower_bounds_of_the_losses_are_the_worst_case(
    fall: float, loss: float, floor: float, above: float, lifted: float
) -> None:
    """No loss at the start above `loss` and above its floor, and no floor above `floor`, gives a larger exponent."""
    bound = exponent_to_floor(arb(fall), arb(loss), arb(floor))
    true_floor = floor * lifted
    true_loss = max(loss, true_floor) * above
    assume(true_loss > true_floor * (1 + 1e-9))
    exact = fall * math.log(true_loss / true_floor) / (true_loss - true_floor)
    assert exact <= bound * (1 + 1e-6)  # near equal losses the quotient keeps seven digits


@given(
    fall=positive,
    loss=positive,
    share=st.floats(1e-3, 0.999),
    above=st.floats(1.0, 10.0),
    along=st.lists(st.floats(0.0, 3.0), min_size=1),
)
def test_no_loss_above_its_line_and_its_floor_falls_faster(
    fall: float, loss: float, share: float, above: float, along: list[float]
) -> None:
    """max(1 - A l/L, F/L) >= e^(-eps l) at every l, for every L above the bound of it that eps was found from."""
    floor = share * loss
    epsilon = exponent_to_floor(arb(fall), arb(loss), arb(floor))
    true = loss * above
    for part in along:
        gone = part * true / fall  # in units of what the line takes to zero
        assert max(1 - fall * gone / true, floor / true) >= math.exp(-epsilon * gone) - ROUNDING


@pytest.mark.parametrize("radius", [0.0, 2.0**-60, 2.0**-10, 0.25])
def test_a_loss_that_may_start_at_its_floor_has_the_exponent_of_the_limit(radius: float) -> None:
    """Where balls do not tell L from F, the exponent is at least that of every pair of numbers in them."""
    fall, loss, floor = 2.0, arb(1), arb(1, radius)
    bound = exponent_to_floor(arb(fall), loss, floor)
    least = 1.0 - radius
    worst = fall if least == 1 else fall * math.log(1 / least) / (1 - least)
    assert bound >= worst * (1 - ROUNDING)
    assert bound <= fall / least * (1 + 2.0**-25)  # radii of balls have 30 bits, rounded up a few times


@pytest.mark.parametrize("floor", [arb(0), arb(-1), arb(0, 1), arb("nan")], ids=str)
def test_without_a_floor_there_is_no_exponent(floor: arb) -> None:
    """A loss that may fall to zero has no exponent of this chain."""
    assert exponent_to_floor(arb(1), arb(1), floor) == math.inf


def drawn() -> CoherenceBounds:
    """A draw whose signed exponent is positive and finite."""
    task = reversal_task(5, vocabulary=30)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        gram = Gram.draw(30, 1e10, rng)
        bounds = instance_bounds(task, gram, gram.initial_logits(task.features, 0.01, rng))
        if 0 < signed(bounds, Schedule.flow()).epsilon < 1:
            return bounds
    raise AssertionError("no draw falls")


def test_the_chain_takes_a_lower_bound_of_the_loss() -> None:
    """A smaller loss at the start, nothing else changed, never lowers the exponent, down to and below the floor."""
    bounds = drawn()
    (query,) = bounds.queries
    found = [
        signed(replace(bounds, queries=[replace(query, loss=query.loss * share)]), Schedule.flow()).epsilon
        for share in np.linspace(1.0, 0.5, 26)
    ]
    assert all(math.isfinite(e) for e in found)
    assert all(later >= earlier for earlier, later in pairwise(found))


def test_the_chain_reads_the_floor_from_below() -> None:
    """A floor in a ball that holds the loss itself is read at its lower end: no exponent below that of the end."""
    bounds = drawn()
    (query,) = bounds.queries
    assert query.signed is not None
    exponents = []
    for floor in (query.loss * arb(1, 0.2), query.loss * arb(0.8)):
        coupling = replace(query.signed, floor=floor, weight_sum=arb(0))
        exponents.append(signed(replace(bounds, queries=[replace(query, signed=coupling)]), Schedule.flow()).epsilon)
    wide, end = exponents
    assert wide >= end * (1 - ROUNDING)


def test_the_links_say_so() -> None:
    """The two slopes are links of the signed chain, with the inequalities that give their signs, and all are proved."""
    needed = {
        lemmas.falls_with_loss,
        lemmas.falls_with_floor,
        lemmas.loss_above_complement,
        lemmas.loss_share_increases,
    }
    assert needed <= set(lemmas.SIGNED)
    assert {link.proof.verdict for link in needed} == {"holds"}

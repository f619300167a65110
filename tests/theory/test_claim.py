"""A claim's two numbers: what a reader is told of them is true of them."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.claim import ClaimText, Relation, standing
from theory.theorem import Outcome

TEXT = ClaimText("x", "X", "x", "")
NUMBERS = st.sampled_from([-1.0, 0.0, 1e-300, 1.0, 2.0, math.inf])


@given(NUMBERS, NUMBERS, st.sampled_from(["<=", ">=", ">", None]))
def test_the_standing_of_two_numbers_is_true_of_them(measured: float, bound: float, relation: Relation | None) -> None:
    """The sign between two numbers is the relation asked for exactly where they keep it, and is true of them always."""
    found = standing(measured, bound, relation)
    true = {
        "≤": measured <= bound,
        "≥": measured >= bound,
        "<": measured < bound,
        ">": measured > bound,
        "=": measured == bound,
    }
    assert true[found]
    if relation is not None:
        asked = {"<=": "≤", ">=": "≥", ">": ">"}[relation]
        assert (found == asked) == true[asked]


@pytest.mark.parametrize("numbers", [(None, 1.0), (1.0, None), (math.nan, 1.0), (1.0, math.nan)])
def test_one_number_stands_to_nothing(numbers: tuple[Any, Any]) -> None:
    """Without two numbers there is no sign between them."""
    assert standing(*numbers, "<=") == standing(*numbers) == ""


def test_a_claim_and_an_outcome_say_how_their_numbers_stand() -> None:
    """A claim that fails at its bound exactly, because it must lie above, does not look as if it held."""
    claim = TEXT.judged("fails", "numerical", 1.0, 1.0, relation=">")
    assert claim.standing == "≤"
    assert replace(claim, relation="<=").standing == "≤"
    assert claim.not_applicable("why").standing == ""
    assert Outcome("holds", "numerical", 2.0, 1.0).standing == ">"

"""Counts in messages."""

import pytest

from theory.counting import count_of


@pytest.mark.parametrize(
    ("counted", "text"),
    [
        (count_of(0, "row"), "0 rows"),
        (count_of(1, "row"), "1 row"),
        (count_of(7000, "row"), "7,000 rows"),
        (count_of(1, "query", "queries"), "1 query"),
        (count_of(2, "query", "queries"), "2 queries"),
    ],
)
def test_one_is_singular(counted: str, text: str) -> None:
    """One of a thing is singular, none and several are plural, and thousands are set apart."""
    assert counted == text

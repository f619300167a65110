"""Counts in messages."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.counting import count_of, numeral


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


@given(st.floats(allow_nan=False), st.sampled_from([".3g", ".4g", ".0f", ".2f", ".3f"]))
def test_no_zero_has_a_sign(value: float, form: str) -> None:
    """A number is shown as Python shows it, but what is shown as zero has no sign."""
    text = numeral(value, form)
    plain = format(value, form)
    assert text == (plain if float(plain) else plain.removeprefix("-"))
    assert not (text.startswith("-") and float(text) == 0)


@pytest.mark.parametrize(
    ("value", "form", "text"), [(-0.0, ".3g", "0"), (-0.0004, ".3f", "0.000"), (-2e-9, ".3g", "-2e-09")]
)
def test_what_rounds_to_zero_is_zero(value: float, form: str, text: str) -> None:
    """Neither minus zero nor a small negative number in fixed digits is shown as -0."""
    assert numeral(value, form) == text


VIEWS = (
    "validation/present.py",
    "validation/check_present.py",
    "validation/remedies/present.py",
    "validation/remedies/claims.py",
    "validation/experiments/present.py",
    "validation/report/number.py",
    "validation/report/evidence.py",
    "validation/report/remedies.py",
    "validation/report/runs.py",
)
FIXED = {"result.seconds", "half", "low", "high"}  # never negative, or shown to significant digits


@pytest.mark.parametrize("view", VIEWS)
def test_views_format_numbers_by_one_function(view: str) -> None:
    """No table or sentence for people rounds a number by itself: `numeral` does, so that none shows -0."""
    tree = ast.parse((Path(__file__).parent.parent.parent / view).read_text(encoding="utf-8"))
    found = [
        f"{view}:{node.lineno}: {ast.unparse(node.value)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.FormattedValue)
        and node.format_spec is not None
        and ast.unparse(node.format_spec).strip("f'\"").endswith(("f", "g"))
        and ast.unparse(node.format_spec) != "f'g'"
        and ast.unparse(node.value) not in FIXED
    ]
    assert not found, "\n".join(found)

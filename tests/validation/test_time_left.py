"""The time left on the bar, from the parts that are done."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.commands.shared import LEAST_PART, TimeLeft


@given(first=st.floats(0, 0.9), part=st.floats(0, 1), whole=st.floats(1, 1e6))
def test_work_at_an_even_pace_ends_when_it_is_said(first: float, part: float, whole: float) -> None:
    """Where parts take time in proportion, what is left is right, from wherever a continued run starts."""
    clock = [0.0]
    left = TimeLeft(lambda: clock[0])
    assert left.seconds is None
    left.tell(first)
    assert left.seconds is None
    done = first + (1 - first) * part
    clock[0] = whole * (done - first)
    left.tell(done)
    if done - first < LEAST_PART:
        assert left.seconds is None
        return
    assert left.seconds == pytest.approx(whole * (1 - done), rel=1e-9, abs=1e-6)
    clock[0] += whole
    assert left.seconds == 0.0


def test_nothing_is_said_before_something_is_known() -> None:
    """The bar shows no time before a part is done, and then a length in words."""
    clock = [0.0]
    left = TimeLeft(lambda: clock[0])
    left.tell(0.0)
    clock[0] = 500.0
    assert str(left) == ""
    left.tell(0.5)
    assert str(left) == "about 8 minutes left"

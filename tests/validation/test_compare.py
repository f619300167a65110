"""One way to judge a number against a bound."""

import numpy as np
import pytest

from theory.claim import ClaimText, Evidence
from validation.compare import judge

TEXT = ClaimText("id", "title", "a \\le b", "this project")


@pytest.mark.parametrize("bound", [1e-300, 1.0, 3e8])
def test_a_bound_is_kept_to_the_last_digit(bound: float) -> None:
    """At its bound a number holds and one unit in the last place above it fails; with `above` it must exceed it."""
    over = float(np.nextafter(bound, np.inf))
    assert judge(TEXT, bound, bound, "").verdict == "holds"
    assert judge(TEXT, over, bound, "").verdict == "fails"
    assert judge(TEXT, bound, bound, "", above=True).verdict == "fails"
    assert judge(TEXT, over, bound, "", above=True).verdict == "holds"


@pytest.mark.parametrize("evidence", ["symbolic", "certified", "numerical", "sampled"])
def test_a_number_refutes_as_a_number(evidence: Evidence) -> None:
    """A measured violation of a proved bound is numerical, not a proof; what holds keeps the word of its bound."""
    assert judge(TEXT, 1.0, 2.0, "", evidence=evidence).evidence == evidence
    weaker = evidence if evidence in ("numerical", "sampled") else "numerical"
    assert judge(TEXT, 2.0, 1.0, "", evidence=evidence).evidence == weaker
    assert judge(TEXT, np.nan, 1.0, "", evidence=evidence).evidence == weaker

"""Claims about runs: each can hold, each rejects its false twins, and none is judged before training has ended."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from validation.experiments import claims
from validation.experiments.claims import claims_of
from validation.experiments.false_twins import TWINS, witness
from validation.twin import NumericalTwin


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.id)
def test_every_false_twin_is_rejected(twin: NumericalTwin) -> None:
    """The claim's own checker answers `fails` for measures that violate it."""
    claim = twin.check()
    assert twin.verdict().refused
    assert claim.id.startswith(twin.of)
    assert claim.verdict == "fails"
    assert claim.measured is not None


def test_every_claim_has_a_twin() -> None:
    """Each kind of claim that a run can make stands beside a false one."""
    made = {c.id.rsplit("-", 1)[0] for task in ("reversal", "related") for c in claims_of(task, [witness(0.0, 9.0, 0)])}  # type: ignore[arg-type]
    assert made == {twin.of for twin in TWINS}


def test_a_cursed_run_holds() -> None:
    """Learnt forwards, worse than guessing backwards, nothing right: three claims hold, with both numbers each."""
    found = claims_of("reversal", [witness(0.01, 9.0, 0)])
    assert [c.verdict for c in found] == ["holds"] * 3
    assert [c.evidence for c in found] == ["numerical", "numerical", "sampled"]
    assert all(c.measured is not None and c.bound is not None for c in found)


def test_the_control_is_held_to_the_guess_of_its_sort() -> None:
    """With every held-out answer an answer of some sentence, the level is that of the right sort, not of all tokens."""
    control = replace(witness(0.0, 3.5, 0), name="control", trained_elsewhere=True)
    (_, plain, _), (_, beside, _) = (claims_of("reversal", [c]) for c in (witness(0.0, 3.5, 0), control))
    assert (plain.verdict, beside.verdict) == ("fails", "holds")


def test_nothing_is_claimed_of_held_out_answers_before_trained_ones_are_learnt() -> None:
    """An untrained run fails its first claim, and the others do not apply."""
    found = claims_of("chain-of-thought", [witness(4.4, 4.4, 0)])
    assert [c.verdict for c in found] == ["fails", "not applicable", "not applicable"]
    assert "--epochs" in found[1].detail


def test_one_seed_is_enough_to_fail() -> None:
    """A loss claim is about every seed, not about their mean."""
    mixed = replace(witness(0.0, 9.0, 0), test_nll=[[9.0, 4.0]])
    assert mixed.final("test_nll").mean() > 4.382
    assert claims.held_out_not_learnt(mixed, 4.382).verdict == "fails"


def test_the_count_is_the_binomial_quantile() -> None:
    """More right answers than the bound have a probability below the false-alarm rate under guessing, and the bound
    itself does not."""
    claim = claims.held_out_not_answered(witness(0.0, 9.0, 0))
    assert claim.bound is not None
    guess = np.exp(-2.996)
    assert binom.sf(claim.bound, 20, guess) <= claims.FALSE_ALARM < binom.sf(claim.bound - 1, 20, guess)


def test_the_floor_is_taken_off() -> None:
    """A file with conflicts cannot be learnt below its conditional entropy."""
    assert claims.trained_learnt(replace(witness(0.7, 9.0, 0), floor=0.69)).verdict == "holds"


def test_too_few_questions_claim_nothing() -> None:
    """Where even every answer right could be chance, the count does not apply, and says how many there are."""
    claim = claims.held_out_not_answered(
        replace(witness(0.0, 9.0, 10), questions=2, right=[2, 2], guess_probability=0.5)
    )
    assert claim.verdict == "not applicable"
    assert "4 questions are too few" in claim.detail


def test_a_relation_that_nothing_trains_claims_nothing() -> None:
    """Asked by a token that no row trains, neither loss nor count says anything; training itself still does."""
    asked = replace(witness(0.0, 9.0, 0), never_trained=["capital⁻¹"])
    found = claims_of("reversal", [asked])
    assert [c.verdict for c in found] == ["holds", "not applicable", "not applicable"]
    assert "no row trains capital⁻¹" in found[1].detail


def test_every_end_of_a_chain_is_a_trained_answer() -> None:
    """So chains are held to the guess among the answers of their relation, as the control is."""
    assert claims_of("chain-of-thought", [replace(witness(0.0, 3.5, 0), trained_elsewhere=True)])[1].bound == 2.996

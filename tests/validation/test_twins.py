"""The claim `false-twins` tests the provers: it fails if one of them says yes, or if a witness violates nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import pytest

from tests.theory.test_twin import no_instance_violates, provers_say_yes
from theory.claim import Claim, Verdict
from theory.coherence import CoherenceBounds
from theory.laws import false_twins
from theory.setting import NoRuns
from theory.theorem import Outcome
from theory.theorems import separation
from theory.theorems.false import FalseTheorem, false_theorems
from theory.theorems.outcome import Seen, proved_outcome
from theory.twin import TwinVerdict
from validation import false_twins as runs
from validation import verify
from validation.compare import check_twins
from validation.experiments import false_twins as experiments
from validation.measurements import Measurements
from validation.remedies import false_twins as remedies
from validation.twin import NumericalTwin

NUMERICAL = (*runs.TWINS, *remedies.TWINS, *experiments.TWINS)


@cache
def answer(twin: NumericalTwin) -> Claim:
    """What the checker of a twin about runs answers; the runs are made once."""
    return twin.check()


# -- laws --
@pytest.mark.parametrize("broken", [provers_say_yes, no_instance_violates], ids=lambda f: f.__name__)
def test_the_claim_fails_where_laws_are_judged_by_half(
    broken: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With provers that say yes, or instances that violate nothing, `false-twins` fails by every twin of a law."""
    twins = false_twins()[::4]
    monkeypatch.setattr(verify, "false_twins", lambda: twins)
    monkeypatch.setattr(verify, "TWINS", ())
    broken(monkeypatch)
    claim = check_twins(verify.twin_verdicts.__wrapped__())
    assert claim.verdict == "fails"
    assert claim.measured == len(twins)


def test_one_twin_that_is_proved_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """One prover that says yes of one twin turns the claim, which names the twin and what is wrong with it."""
    twins = false_twins()[:6]
    monkeypatch.setattr(verify, "false_twins", lambda: twins)
    monkeypatch.setattr(verify, "TWINS", ())
    assert check_twins(verify.twin_verdicts.__wrapped__()).verdict == "holds"
    true = type(twins[0].statement)
    honest = true.prove
    monkeypatch.setattr(true, "prove", lambda self: True if self is twins[0].statement else honest(self))
    claim = check_twins(verify.twin_verdicts.__wrapped__())
    assert claim.verdict == "fails"
    assert claim.measured == 1
    assert f"not: {twins[0].id} (it is proved)" in claim.detail


# -- runs --
@pytest.mark.parametrize("twin", NUMERICAL, ids=lambda twin: twin.id)
def test_every_twin_about_runs_is_refused_by_its_numbers(twin: NumericalTwin) -> None:
    """The checker answers `fails`, and the numbers that it shows are why: what it measured lies beyond the bound."""
    assert replace(twin, check=lambda: answer(twin)).verdict().refused


@pytest.mark.parametrize("said", ["holds", "undecided", "not applicable"])
def test_a_checker_that_never_fails_is_found_out(said: Verdict) -> None:
    """With every checker replaced by one that says anything else no twin about runs is refused, and the claim fails."""
    deaf = [replace(twin, check=lambda twin=twin: replace(answer(twin), verdict=said)) for twin in experiments.TWINS]
    verdicts = [twin.verdict() for twin in deaf]
    assert not any(verdict.refused for verdict in verdicts)
    assert {verdict.proved for verdict in verdicts} == {said == "holds"}
    assert check_twins(verdicts).verdict == "fails"


# -- theorems --
def gullible(proved: object, reached: bool, bound: float | None, run: Callable[[], Seen]) -> Outcome:
    """A proof that reaches whatever is concluded."""
    return proved_outcome("symbolic", True, bound, run)


def alone(false: FalseTheorem) -> TwinVerdict:
    """The verdict where no run is made: nothing is violated, and what is proved is proved by the theorem alone."""
    return false.verdict(NoRuns())


BY_PROOF = [f for f in false_theorems() if not f.of.startswith(("theorem-1", "theorem-2", "intransitivity"))]
BY_CERTIFICATE = [
    f for f in false_theorems() if f.of.startswith(("theorem-1", "theorem-2")) and f.title != "swapped inequality"
]


@pytest.mark.parametrize("false", false_theorems(), ids=lambda f: f.id)
def test_no_proof_reaches_a_false_theorem(false: FalseTheorem) -> None:
    """With no run to overrule it the proof of a theorem, asked alone, does not give its false neighbour."""
    found = alone(false)
    assert (found.violated, found.proved, found.refused) == (False, False, False)


@pytest.mark.parametrize("false", BY_PROOF, ids=lambda f: f.id)
def test_a_proof_that_reaches_everything_is_found_out(false: FalseTheorem, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the proof said to reach every conclusion the false theorem is proved, whatever its runs would show."""
    for module in ("laws", "one_layer"):
        monkeypatch.setattr(f"theory.theorems.{module}.proved_outcome", gullible)
    assert alone(false).proved


@pytest.fixture
def bisected_afresh() -> Iterator[None]:
    """Dimensions that are found while every exponent is small enough are forgotten afterwards."""
    separation.bisected.cache_clear()
    yield
    separation.bisected.cache_clear()


@pytest.mark.usefixtures("bisected_afresh")
@pytest.mark.parametrize("false", BY_CERTIFICATE, ids=lambda f: f.id)
def test_a_certificate_of_everything_is_found_out(false: FalseTheorem, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every exponent certified to be small enough the false theorem is proved, whatever its runs would show."""

    def anything(self: object, bounds: CoherenceBounds) -> float:
        return float("inf")

    witness = false.witness(NoRuns())  # at a dimension that is chosen by the true certificate
    monkeypatch.setattr("theory.theorems.separation.AtMost.__call__", anything)
    monkeypatch.setattr("theory.theorems.lower_bound.FloorKept.__call__", anything)
    assert replace(false, witness=lambda measure: replace(witness, measure=measure)).verdict(NoRuns()).proved


def test_theorems_are_refused_by_runs_and_proof_together() -> None:
    """The verdict on a false theorem of the one-layer model: its runs violate it and its proof does not reach it."""
    (false,) = (f for f in BY_PROOF if f.of == "sgd-sandwich")
    assert false.verdict(Measurements()).refused

"""Theorems 1 and 2 and intransitivity as programs: runs overrule proofs, which are those of the dimension asked."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from theory.coherence import Schedule, ScheduleKind
from theory.separation import certify, guaranteed_loss
from theory.setting import NotMeasured, Separation, Setting
from theory.tails import TaskShape, a_priori_bounds, bisect_dimension
from theory.task import chain_of_thought_task, reversal_task
from theory.theorem import Outcome, Theorem
from theory.theorems.lower_bound import LOWER_BOUND
from theory.theorems.separation import SEPARATION, AtMost, exponent_outcome
from validation.measurements import Measurements

THEOREMS = {theorem.id: theorem for theorem in (*SEPARATION, *LOWER_BOUND)}
DIMENSION = 1e9
DRAWS = 20

Change = Callable[[Separation], Separation]


@dataclass(frozen=True)
class Forged(Measurements):
    """Real draws, of which `change` alters what was measured."""

    change: Change = lambda drawn: drawn

    def separation(self, setting: Setting, dimension: float, schedule: Schedule) -> Separation:
        """The draws, altered."""
        return self.change(real(setting.task.name, dimension, schedule.kind))


@cache
def real(name: str, dimension: float, kind: ScheduleKind) -> Separation:
    """The draws of one task and schedule as they are."""
    setting = setting_of(name, Measurements())
    rate = 0.0 if kind == "flow" else setting.rate(kind)
    schedule = Schedule.flow() if kind == "flow" else Schedule.descent(kind, rate, setting.task.trained_contexts)
    return setting.measure.separation(setting, dimension, schedule)


def setting_of(name: str, measure: Measurements, **numbers: float) -> Setting:
    """Three pairs or chains at a dimension where everything is certified."""
    task = reversal_task(3, vocabulary=10) if name == "reversal" else chain_of_thought_task(3, 12)
    assert task.name == name
    given = {"dimension": DIMENSION, "draws": DRAWS, "loss_target": 0.5, "steps": 200, **numbers}
    return Setting(task, measure, **given)  # type: ignore[arg-type]


def concluded(theorem: Theorem, change: Change, **numbers: float) -> Outcome:
    """The conclusion of a theorem about altered draws."""
    return theorem.conclusion.check(setting_of(theorem.task, Forged(change=change), **numbers))


def altered(field: str, values: Callable[[Separation], np.ndarray], draws: slice) -> Change:
    """The draws with one measured number of some of them replaced."""

    def change(drawn: Separation) -> Separation:
        array = getattr(drawn, field).copy()
        array[draws] = values(drawn)[draws]
        return replace(drawn, **{field: array})

    return change


def least_losses(drawn: Separation) -> np.ndarray:
    """What each draw's certificate guarantees of L_rev at the loss target."""
    each = zip(drawn.bounds, drawn.certified, drawn.target_loss, strict=True)
    return np.array([guaranteed_loss(bounds, float(e), float(loss)) for bounds, e, loss in each])


@pytest.mark.parametrize("id", THEOREMS)
def test_real_draws_lie_within_their_certificates(id: str) -> None:
    """With the runs as they are, everything is certified and nothing lies beyond its certificate."""
    outcome = concluded(THEOREMS[id], lambda drawn: drawn)
    assert (outcome.verdict, outcome.evidence) == ("holds", "certified"), outcome.detail
    assert f"{DRAWS} of {DRAWS} draws are certified" in outcome.detail


@pytest.mark.parametrize("draws", [slice(7, 8), slice(0, 8)], ids=["one draw", "eight draws"])
@pytest.mark.parametrize("id", THEOREMS)
def test_a_draw_beyond_its_own_certificate_refutes(id: str, draws: slice) -> None:
    """One exponent beyond its draw's certificate by more than the run's error is `fails`, though far below eps."""
    error = 1e-9

    def beyond(factor: float) -> Change:
        def change(drawn: Separation) -> Separation:
            known = replace(drawn, measured_error=np.full(DRAWS, error))
            return altered("measured", lambda d: d.certified + factor * error, draws)(known)

        return change

    outcome = concluded(THEOREMS[id], beyond(1.01))
    assert (outcome.verdict, outcome.evidence) == ("fails", "numerical")
    assert f"the draw of seed {draws.start} lies beyond its own certificate" in outcome.detail
    assert ("and 7 more draws" in outcome.detail) == (draws.start == 0)
    assert concluded(THEOREMS[id], beyond(0.99)).verdict == "holds"


@pytest.mark.parametrize("id", THEOREMS)
def test_a_reversal_loss_below_what_is_guaranteed_refutes(id: str) -> None:
    """One L_rev below L_rev(0) (c/L(0))^eps of its draw by more than the run's error is `fails`, though above C."""
    error = 1e-7

    def below(factor: float) -> Change:
        def change(drawn: Separation) -> Separation:
            known = replace(drawn, reversal_error=np.full(DRAWS, error))
            return altered("reversal_loss", lambda d: least_losses(d) - factor * error, slice(3, 4))(known)

        return change

    outcome = concluded(THEOREMS[id], below(1.01))
    assert (outcome.verdict, outcome.evidence) == ("fails", "numerical")
    assert outcome.detail.startswith("the draw of seed 3 lies beyond its own certificate: L_rev = ")
    assert concluded(THEOREMS[id], below(0.99)).verdict == "holds"


def test_a_false_twin_is_not_excused_by_certificates() -> None:
    """The swapped inequality is judged by its runs alone: neither do certificates prove it, nor refute its draws."""
    setting = setting_of("reversal", Forged(change=altered("measured", lambda d: d.certified + 1e-3, slice(0, 1))))
    outcome = exponent_outcome(setting, "flow", swapped=True)
    assert (outcome.verdict, outcome.evidence) == ("fails", "sampled")
    assert "beyond its own certificate" not in outcome.detail
    kept = exponent_outcome(
        setting_of("reversal", Forged(change=altered("measured", lambda d: np.ones(DRAWS), slice(0, DRAWS)))),
        "flow",
        swapped=True,
    )
    assert kept.verdict == "undecided"  # the true theorem's certificates are no proof of it


def test_what_is_certified_in_advance_must_show_in_the_draws() -> None:
    """Where most draws have no certificate, the promise that at least 1 - delta of them have one is not believed."""
    outcome = concluded(SEPARATION[0], altered("certified", lambda d: np.full(DRAWS, np.inf), slice(0, 15)))
    assert (outcome.verdict, outcome.evidence) == ("undecided", "sampled")
    assert "5 of 20 draws are certified" in outcome.detail
    assert "promises" in outcome.detail


def test_without_a_run_the_certificate_stands_alone() -> None:
    """Nothing measured: a certified exponent holds, a false twin of it is undecided."""

    def refuse(drawn: Separation) -> Separation:
        raise NotMeasured("too large")

    setting = setting_of("reversal", Forged(change=refuse))
    assert exponent_outcome(setting, "flow").verdict == "holds"
    assert exponent_outcome(setting, "flow", swapped=True).verdict == "undecided"


@pytest.mark.parametrize("id", ["theorem-1", "theorem-2"])
def test_one_draw_is_not_read_as_a_probability(id: str) -> None:
    """The interval of a few draws is given where it says something; one draw says how many runs would, and they do."""
    said = THEOREMS[id].conclusion.check(setting_of("reversal", Measurements(), draws=1)).detail
    assert "probability" not in said
    assert ": 0 of 1 run violates it, too few to tell how often that happens (" in said
    assert "; 1 of 1 draw is certified; " in said
    enough = int(said.partition("that happens (")[2].partition(" runs")[0].replace(",", ""))
    assert Measurements().failure_interval(0, enough)[1] <= 0.05 < Measurements().failure_interval(0, enough - 1)[1]
    said = THEOREMS[id].conclusion.check(setting_of("reversal", Measurements(), draws=20)).detail
    assert ": 0 of 20 runs violate it, so it fails with probability 0 to 0.5" in said


def test_guaranteed_loss_by_hand() -> None:
    """L_rev(0) (l/L(0))^eps: the start at l = L(0) or above, nothing without an exponent, nan where l is."""
    bounds = real("reversal", DIMENSION, "flow").bounds[0]
    start = float(bounds.queries[0].loss)
    first = float((-bounds.log_odds[0]).exp().log1p())
    assert guaranteed_loss(bounds, 0.25, first / 16) == pytest.approx(start / 2, rel=1e-12)
    assert guaranteed_loss(bounds, 0.25, 2 * first) == pytest.approx(start, rel=1e-12)
    assert guaranteed_loss(bounds, 0.0, first / 16) == pytest.approx(start, rel=1e-12)
    assert guaranteed_loss(bounds, np.inf, first / 16) == 0.0
    assert np.isnan(guaranteed_loss(bounds, 0.25, np.nan))


# -- the dimension of the setting itself --
RAGGED = {"init_scale": 0.0, "delta": 0.5, "epsilon": 0.1, "learning_rate": 2.0, "draws": 1, "steps": 5}


def large_dimension(dimension: float | None) -> tuple[str, float | None, str]:
    """Verdict, margin and detail of that assumption for SGD at rate 2 on 3 pairs and 8 tokens, and the conclusion's."""
    theorem = THEOREMS["theorem-1-sgd"]
    setting = Setting(reversal_task(3, vocabulary=8), Measurements(), dimension=dimension, **RAGGED)  # type: ignore[arg-type]
    finding = {a.id: a.check(setting) for a in theorem.assumptions}["large-dimension"]
    outcome = theorem.conclusion.check(setting)
    assert (outcome.evidence == "certified") == (finding.verdict == "holds")
    return finding.verdict, finding.margin, finding.detail


def test_a_dimension_above_a_certified_one_is_certified_itself() -> None:
    """874,991 is certified and the larger 875,017 is not: the finding and the conclusion say so of each."""
    verdict, margin, detail = large_dimension(874_991)
    assert (verdict, margin, detail) == ("holds", pytest.approx(0.1 - 0.0105, abs=1e-4), "")
    verdict, margin, detail = large_dimension(875_017)
    assert (verdict, margin) == ("undecided", None)  # no exponent at all, for the region is not kept
    assert detail.endswith("a smaller dimension: the certificate is not monotone in d")
    verdict, margin, detail = large_dimension(None)
    assert verdict == "holds"
    assert detail == "no dimension was given: this one was found by bisection"


def test_verdicts_near_a_certified_dimension_are_those_of_the_certificate() -> None:
    """At 80 dimensions around the bisected one `holds` occurs exactly where d is certified."""
    shape = TaskShape.of(reversal_task(3, vocabulary=8))
    schedule = Schedule.descent("reshuffled", 2.0, shape.contexts)
    found = bisect_dimension(shape, AtMost(0.1), 0.5, 0.0, schedule).dimension
    assert found is not None
    theorem, seen = THEOREMS["theorem-1-sgd"], set()
    for dimension in range(found - 40, found + 40):
        exponent = certify(a_priori_bounds(shape, dimension, 0.5, 0.0), schedule).epsilon
        setting = Setting(reversal_task(3, vocabulary=8), Measurements(), dimension=dimension, **RAGGED)  # type: ignore[arg-type]
        finding = {a.id: a.check(setting) for a in theorem.assumptions}["large-dimension"]
        assert (finding.verdict == "holds") == (exponent <= 0.1)
        assert finding.margin == (pytest.approx(0.1 - exponent, abs=1e-15) if np.isfinite(exponent) else None)
        seen.add(finding.verdict)
    assert seen == {"holds", "undecided"}


@pytest.mark.parametrize("scale", [0.0, 0.01])
def test_a_bisected_dimension_is_a_double_that_is_certified(scale: float) -> None:
    """Also beyond 2^53, where not every whole number is a double, the dimension that is used is the certified one."""
    shape = TaskShape.of(reversal_task(3, vocabulary=8))
    epsilon = 1e-11 if scale == 0.0 else 0.1
    found = bisect_dimension(shape, AtMost(epsilon), 0.5, scale, Schedule.flow())
    assert found.dimension is not None
    assert int(float(found.dimension)) == found.dimension
    assert (found.dimension > 2**53) == (scale == 0.0)
    again = certify(a_priori_bounds(shape, found.dimension, 0.5, scale), Schedule.flow())
    assert again.epsilon == found.exponent.epsilon <= epsilon
    below = int(np.nextafter(float(found.dimension), 0.0)) if scale == 0.0 else found.dimension - 1
    assert certify(a_priori_bounds(shape, below, 0.5, scale), Schedule.flow()).epsilon > epsilon

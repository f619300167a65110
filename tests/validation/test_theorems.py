"""The theorems as objects: what they say of good, broken and false settings."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp

from theory.coherence import Schedule
from theory.facts import Fact, reversal_task_from_facts
from theory.setting import NotMeasured, Setting
from theory.task import Statement, Task, build_task, chain_of_thought_task, reversal_task
from theory.theorem import CheckedTheorem, Theorem
from theory.theorems import THEOREMS
from theory.theorems.false import FalseTheorem, false_theorems
from theory.theorems.lower_bound import LOWER_BOUND
from theory.theorems.separation import SEPARATION
from validation.fact_file import read_facts
from validation.measurements import Measurements

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BY_ID = {theorem.id: theorem for theorem in THEOREMS}
MEASURE = Measurements()


def setting(theorem: Theorem, **numbers: object) -> Setting:
    """A small built-in task of the theorem's kind with few draws."""
    task = reversal_task(4, vocabulary=20) if theorem.task == "reversal" else chain_of_thought_task(3, 20)
    return Setting(task, MEASURE, **{"draws": 4, **numbers})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def capitals() -> Task:
    """Countries with several capitals among others."""
    return reversal_task_from_facts(read_facts(EXAMPLES / "capitals.csv").facts)


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.id)
def test_every_theorem_holds_on_its_built_in_task(theorem: Theorem) -> None:
    """All assumptions hold at the certified dimension, all links are proved, and the conclusion holds."""
    checked = theorem.check(setting(theorem))
    assert checked.verdict == "holds", checked.outcome
    assert all(finding.verdict == "holds" for _, finding in checked.findings)
    assert all(proof.evidence in ("symbolic", "certified") for _, proof in checked.links)
    assert checked.links
    assert all(finding.margin is None or finding.margin >= 0 for _, finding in checked.findings)


@pytest.mark.parametrize("false", false_theorems(), ids=lambda f: f.id)
def test_every_false_theorem_is_refused(false: FalseTheorem) -> None:
    """The runs of its witness violate it, and its proof, asked alone, does not reach it."""
    found = false.verdict(MEASURE)
    assert found.refused, found
    checked = false.theorem.check(false.witness(MEASURE))
    assert checked.outcome.evidence in ("numerical", "sampled")  # a run refutes, a proof does not


def test_every_theorem_has_a_false_twin() -> None:
    """A checker that cannot reject is not a checker."""
    assert {theorem.id for theorem in THEOREMS} == {false.of for false in false_theorems()}


@pytest.mark.parametrize("id", ["theorem-1", "theorem-1-gd", "theorem-1-sgd", "theorem-2", "theorem-3", "sgd-sandwich"])
def test_single_target_theorems_do_not_apply_to_capitals(id: str, capitals: Task) -> None:
    """`not applicable`, with exactly the rows whose subject occurs with another object too, and what still holds."""
    checked = BY_ID[id].check(Setting(capitals, MEASURE, draws=2))
    assert checked.verdict == "not applicable"
    finding = dict((a.id, f) for a, f in checked.findings)["single-target"]
    facts = read_facts(EXAMPLES / "capitals.csv").facts
    objects: dict[str, set[str]] = {}
    for fact in facts:
        for a, b, trained in (
            (fact.subject, fact.object, fact.direction != "backward"),
            (fact.object, fact.subject, fact.direction != "forward"),
        ):
            if trained:
                objects.setdefault(a, set()).add(b)
    expected = {
        fact.row
        for fact in facts
        if (fact.direction != "backward" and len(objects[fact.subject]) > 1)
        or (fact.direction != "forward" and len(objects[fact.object]) > 1)
    }
    assert set(finding.rows) == expected
    assert finding.margin is not None
    assert finding.margin < 0
    remains = {claim.id: claim for claim in checked.remains}
    assert remains["interpolation-law"].verdict == "holds"
    floor = remains["loss-floor"]
    assert floor.verdict == "holds"
    assert floor.measured == pytest.approx(capitals.loss_floor, abs=1e-6)
    assert floor.bound == capitals.loss_floor


def test_laws_for_any_data_apply_to_capitals(capitals: Task) -> None:
    """Interpolation law and unseen targets need no single targets."""
    for id in ("interpolation-law", "unseen-target-bound"):
        assert BY_ID[id].check(Setting(capitals, MEASURE, epsilon=0.5)).verdict == "holds"


@pytest.mark.parametrize("dimension", [1e7, 1e12, 1e20])
def test_theorem_1_at_any_dimension_where_it_applies(dimension: float) -> None:
    """Certified before anything is drawn, and the measured exponent is below the certified one of its own draw."""
    checked = BY_ID["theorem-1"].check(setting(BY_ID["theorem-1"], dimension=dimension))
    assert checked.verdict == "holds"
    assert checked.outcome.evidence == "certified"
    drawn = MEASURE.separation(setting(BY_ID["theorem-1"], dimension=dimension), dimension, Schedule.flow())
    assert (drawn.measured <= drawn.certified).all()
    assert checked.certificate.epsilon is not None
    assert drawn.certified.max() <= checked.certificate.epsilon


def test_below_the_certified_dimension_draws_can_decide() -> None:
    """Where the a-priori bound is too weak, enough certified draws make the statement hold, as sampled."""
    theorem = BY_ID["theorem-1"]
    task, delta = reversal_task(2, vocabulary=10), 0.15
    enough = theorem.check(Setting(task, MEASURE, delta=delta, draws=1)).certificate.dimension
    assert enough is not None
    few, many = (
        theorem.check(Setting(task, MEASURE, delta=delta, dimension=enough * 0.9, draws=draws)) for draws in (4, 110)
    )
    assert few.verdict == "undecided"
    assert (many.verdict, many.outcome.evidence) == ("holds", "sampled")
    finding = dict((a.id, f) for a, f in many.findings)["large-dimension"]
    assert finding.verdict == "undecided"
    assert many.certificate.epsilon is not None
    assert finding.margin == pytest.approx(0.1 - many.certificate.epsilon)
    assert finding.margin < 0


def test_reversal_floor_above_the_allowed_one_does_not_apply() -> None:
    """C > log(m/2) breaks Theorem 2's assumption, by the margin."""
    checked = BY_ID["theorem-2"].check(setting(BY_ID["theorem-2"], reversal_floor=2.9))
    assert checked.verdict == "not applicable"
    assert [a.id for a, _ in checked.failing] == ["reversal-floor"]
    assert checked.failing[0][1].margin == pytest.approx(math.log(10) - 2.9)


def test_unequal_weights_do_not_apply() -> None:
    """Shares other than 1/N break Theorem 1, and the rows are those of the odd pair."""
    task = reversal_task(3)
    weight = np.where(np.arange(5) == 2, 2.0, 1.0)
    uneven = dataclasses.replace(
        task, train_weight=weight / weight.sum(), train_rows=tuple((row,) for row in range(2, 7))
    )
    checked = BY_ID["theorem-1"].check(Setting(uneven, MEASURE))
    assert checked.verdict == "not applicable"
    assert checked.failing[0][1].rows == (4,)
    assert checked.failing[0][1].margin == pytest.approx(-1.0)


def test_too_large_tasks_are_certified_and_not_measured() -> None:
    """Where no instance fits into memory the a-priori certificate stands, and the outcome says why nothing was run."""
    small = Measurements(limit_bytes=1000.0)
    theorem = BY_ID["theorem-1"]
    checked = theorem.check(dataclasses.replace(setting(theorem), measure=small))
    assert checked.verdict == "holds"
    assert checked.outcome.measured is None
    assert "not measured" in checked.outcome.detail
    with pytest.raises(NotMeasured, match="GiB"):
        small.separation(setting(theorem), 1e8, Schedule.flow())


def test_draws_are_made_once_and_repeat() -> None:
    """The same setting gives the same draws, bit for bit, in a fresh measurement."""
    theorem = BY_ID["theorem-1"]
    first, second = (Measurements().separation(setting(theorem), 1e8, Schedule.flow()) for _ in range(2))
    assert np.array_equal(first.measured, second.measured)
    assert np.array_equal(first.certified, second.certified)
    assert MEASURE.separation(setting(theorem), 1e8, Schedule.flow()).measured.tolist() == first.measured.tolist()


def test_exact_binomial_interval() -> None:
    """No failure in n draws leaves 1 - (alpha/2)^(1/n), as Clopper and Pearson have it, alpha a share of 1e-6."""
    low, high = MEASURE.failure_interval(0, 50)
    assert low == 0.0
    assert high == pytest.approx(1 - (1e-6 / 14 / 2) ** (1 / 50), rel=1e-9)


def test_the_false_alarm_rate_is_split_over_all_binomial_statements() -> None:
    """Two for every theorem about draws: those that violate it, and those that are not certified."""
    assert 2 * len((*SEPARATION, *LOWER_BOUND)) * MEASURE.false_alarm == pytest.approx(1e-6)


@pytest.mark.parametrize("id", ["theorem-2", "theorem-2-gd", "theorem-2-sgd"])
def test_runs_reach_the_loss_target(id: str) -> None:
    """Every run is long enough for Theorem 2 to have something to say, unless steps are given; those may be too few."""
    theorem = BY_ID[id]
    outcome = theorem.check(setting(theorem)).outcome
    assert outcome.measured is not None
    assert "get there" not in outcome.detail
    if id != "theorem-2":
        short = theorem.check(setting(theorem, steps=8)).outcome
        assert (short.verdict, short.measured) == ("holds", None)  # by the proof alone
        assert "only 0 of 4 runs get there" in short.detail


@pytest.mark.parametrize("number", ["1", "2"])
def test_finite_steps_ask_for_one_answer(number: str) -> None:
    """A question with two right answers: the flow has a bound for it, and descent does not apply, with its rows."""
    facts = [Fact("Ann", "parent", "Eve", "forward", 1.0, row=2), Fact("Bo", "parent", "Eve", "forward", 1.0, row=3)]
    # with two answers L_rev starts at log(m/2), the usual C, or a little below it
    two_answers = Setting(reversal_task_from_facts(facts), MEASURE, reversal_floor=0.5, draws=1)
    flow = BY_ID[f"theorem-{number}"].check(two_answers)
    assert flow.verdict == "holds"
    for kind in ("gd", "sgd"):
        checked = BY_ID[f"theorem-{number}-{kind}"].check(two_answers)
        assert checked.verdict == "not applicable"
        ((assumption, finding),) = checked.failing
        assert (assumption.id, finding.rows) == ("one-answer", (2, 3))


@pytest.mark.parametrize("size", [2, 7, 40])
@pytest.mark.parametrize("rate", ["0.001", "0.7", "30"])
def test_gaps_of_the_sandwich_are_measured_within_their_rounding(size: int, rate: str) -> None:
    """(h_k - h(eta k)) M/eta of a run in double precision against forty digits."""
    task = build_task("one row", [Statement(("A",), "B", "A")], [], vocabulary=size)
    visits = 25
    run = MEASURE.one_layer(Setting(task, MEASURE, learning_rate=float(rate)), visits)
    with mp.workdps(40):
        eta, h = mp.mpf(float(rate)), mp.mpf(0)
        for _ in range(visits):
            h += eta / (size - 1 + mp.exp(size * h))
        low, high = mp.mpf(0), h
        for _ in range(140):  # g(x) = eta k, the flow's clock (theory.sgd_row), which increases
            x = (low + high) / 2
            late = ((size - 1) * size * x + mp.expm1(size * x)) / size > eta * visits
            low, high = (low, x) if late else (x, high)
        exact = (h - low) * size / eta
        for gap in run.gap:
            assert abs(gap - exact) <= run.gap_rounding
    assert run.gap_rounding < 1e-8


def test_json_of_a_checked_theorem_has_the_agreed_fields() -> None:
    """Ids, statements, verdicts and links, JSON-ready."""
    checked: CheckedTheorem = BY_ID["theorem-3"].check(setting(BY_ID["theorem-3"]))
    fields = checked.as_dict()
    assert set(fields) == {
        "id",
        "title",
        "reference",
        "statement",
        "verdict",
        "assumptions",
        "conclusion",
        "certificate",
        "remains",
    }
    assert set(fields["certificate"]) == {"epsilon", "dimension", "constants", "links"}
    assert {"id", "statement", "evidence", "domain", "boxes"} <= set(fields["certificate"]["links"][0])


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.id)
def test_statements_are_plain_latex(theorem: Theorem) -> None:
    """No control character has crept into a statement, and braces balance."""
    statements = [theorem.statement, theorem.conclusion.statement, *(a.statement for a in theorem.assumptions)]
    for text in (*statements, *(link.statement for link in theorem.links)):
        assert text.isprintable(), text
        assert text.count("{") == text.count("}"), text

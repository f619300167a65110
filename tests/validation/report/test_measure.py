"""What is measured for pictures: parts of fixed size, and numbers that agree with theory."""

import numpy as np
import pytest

from theory.facts import Fact, chain_task_from_facts, reversal_task_from_facts
from theory.task import Task, chain_of_thought_task, reversal_task
from validation.check_settings import CheckSettings
from validation.report.measure import (
    ReportMeasurements,
    exponents_by_dimension,
    interpolation_residuals,
    measure,
)
from validation.report.part import OPPOSITES, opposite_pairs, opposites_part

TOLD: list[float] = []


def _named(task: Task) -> set[tuple[str, str, str, str]]:
    return {
        (task.context_name(a), task.tokens[b], task.context_name(c), task.tokens[x])
        for (a, b), (c, x) in opposite_pairs(task)
    }


@pytest.fixture(scope="module")
def measured() -> ReportMeasurements:
    """Everything for a task of two facts, one of them held out in reverse."""
    return measure(reversal_task(2), CheckSettings(delta=0.2, init_scale=0.02, seed=3), TOLD.append)


def test_a_fact_and_its_reversal_are_one_pair() -> None:
    """Each fact gives one pair, whether its reversal is trained or asked."""
    assert _named(reversal_task(2)) == {("A1", "B1", "B1", "A1"), ("A2", "B2", "B2", "A2")}


def test_a_chain_is_paired_with_its_first_link() -> None:
    """A_i -> B_i is paired with A_i ~> C_i, and not with the chains of others."""
    assert ("A1", "B1", "A1", "C1") in _named(chain_of_thought_task(2))
    assert ("A1", "B1", "A2", "C2") not in _named(chain_of_thought_task(2))
    facts = [Fact("a", "r", "b"), Fact("a", "r", "e"), Fact("b", "r", "c")]
    chains = {pair for pair in _named(chain_task_from_facts(facts)) if pair[2] == "a"}
    assert chains == {("a", "b", "a", "c")}


def test_the_inverse_relation_asks_back() -> None:
    """Where contexts hold their relation, a reversal is asked by the inverse relation and no other."""
    facts = [Fact("a", "r", "b"), Fact("a", "s", "b", "backward")]
    found = _named(reversal_task_from_facts(facts, "entity+relation"))
    assert found == {("a + r", "b", "b + r⁻¹", "a"), ("b + s⁻¹", "a", "a + s", "b")}


def test_a_fact_about_itself_has_no_opposite() -> None:
    """A fact whose subject is its object is in no pair."""
    assert not _named(reversal_task_from_facts([Fact("a", "r", "a")]))


def test_the_part_does_not_grow_with_the_task() -> None:
    """Of 400 pairs and 9,000 tokens at most 3 trained pairs a kept fact remain, with both kinds of opposites."""
    part = opposites_part(reversal_task(300, 200, 9_000))
    trained = set(zip(part.train_context.tolist(), part.train_target.tolist(), strict=True))
    kinds = [other in trained for _, other in opposite_pairs(part)]
    assert (kinds.count(True), kinds.count(False)) == (OPPOSITES, OPPOSITES)
    assert part.vocabulary_size <= 4 * OPPOSITES + 2


def test_the_part_of_chains_asks_chains() -> None:
    """The part of a task of chains holds both links of a chain and asks it."""
    part = opposites_part(chain_of_thought_task(50))
    assert part.queries
    assert ("A1", "B1", "A1", "C1") in _named(part)


def test_weights_separate_trained_from_held_out(measured: ReportMeasurements) -> None:
    """Trained pairs gain more than 2 in training and along the flow; the held-out answer moves less than a fifth."""
    weights = measured.weights
    for moved in (weights.training, weights.flow):
        assert moved[weights.trained].min() > 2.0
        assert np.abs(moved[weights.asked]).max() < 0.2 * moved[weights.trained].min()
        np.testing.assert_allclose(moved.sum(axis=1), 0.0, atol=1e-9)
    by_context = {pair.context: pair for pair in weights.pairs}
    assert (by_context["A1"].trained, by_context["A2"].trained) == (False, True)
    task = weights.task
    place = task.contexts.index((task.tokens.index("A1"),)), task.tokens.index("B1")
    back = task.contexts.index((task.tokens.index("B1"),)), task.tokens.index("A1")
    pair = by_context["A1"]
    found = (pair.forward, pair.other, pair.forward_flow, pair.other_flow)
    assert found == (weights.training[place], weights.training[back], weights.flow[place], weights.flow[back])


def test_only_adam_breaks_the_law(measured: ReportMeasurements) -> None:
    """Every optimiser but Adam stays within rounding of the interpolation law."""
    assert {r.optimizer for r in measured.residuals if r.residual > r.tolerance} == {"adam"}
    assert len(measured.residuals) == 6


def test_a_task_that_asks_nothing_untrained_has_no_residuals() -> None:
    """Where every context is trained the law says nothing."""
    assert not list(interpolation_residuals(reversal_task(2, 0), 0))


def test_exponents_are_ordered(measured: ReportMeasurements) -> None:
    """At every dimension from 1e7 on: measured < certified by draw < certified in advance < by eigenvalues."""
    assert [e.dimension for e in measured.exponents] == [10.0**k for k in (5, 6, 7, 8, 10, 12, 14, 16, 18, 20)]
    for found in measured.exponents:
        if found.dimension >= 1e7:
            assert all(m < c for m, c in zip(found.measured, found.certified, strict=True))
            assert max(found.certified) < found.a_priori < found.classical
    # both ends lie where exponents fall like 1/sqrt(d), up to terms of relative order 1/sqrt(d) = 1e-5
    early, late = measured.exponents[4], measured.exponents[-1]
    assert early.measured[0] / late.measured[0] == pytest.approx(1e5, rel=1e-3)
    assert (measured.delta, measured.init_scale, measured.exponent_pairs) == (0.2, 0.02, 3)


def test_a_smaller_failure_probability_costs_a_larger_exponent() -> None:
    """What is certified in advance depends on delta, what is certified of a draw does not."""
    task = reversal_task(2)
    few, many = (exponents_by_dimension(task, 0.01, delta, 0, (1e10,))[0] for delta in (0.01, 0.5))
    assert few.a_priori > 1.1 * many.a_priori
    assert few.certified == many.certified


def test_progress_ends_at_one(measured: ReportMeasurements) -> None:
    """Progress is told from 0 to 1 and never falls."""
    assert measured
    assert (TOLD[0], TOLD[-1], TOLD) == (0.0, 1.0, sorted(TOLD))

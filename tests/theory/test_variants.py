"""Each variant trains what it says, by name, keeps every statement of the task, and goes on asking its questions."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from theory.errors import BadInput
from theory.facts import Fact, chain_task_from_facts, reversal_task_from_facts
from theory.opposites import asked_of
from theory.task import Statement as S
from theory.task import Task, build_task, chain_of_thought_task, reversal_task
from theory.variants import Data, Variant, implication, questions_of, statements_of, variant, with_relation
from validation.strategies import tasks

Pair = tuple[str, str]
FAMILY = [
    Fact("Ann", "parent", "Bo"),
    Fact("Cy", "parent", "Bo", weight=2.0),
    Fact("Di", "friend", "Ed"),
    Fact("Fay", "friend", "Gus", "both"),
]


def trained(task: Task) -> set[Pair]:
    """Trained pairs, (context, target) by name."""
    pairs = zip(task.train_context.tolist(), task.train_target.tolist(), strict=True)
    return {(task.context_name(a), task.tokens[b]) for a, b in pairs}


def added(task: Task, changed: Variant) -> set[Pair]:
    """What a variant trains beyond its task."""
    assert trained(task) <= trained(changed.task)
    return trained(changed.task) - trained(task)


def shares(task: Task) -> dict[Pair, float]:
    """The share of the training weight of each trained pair."""
    pairs = zip(task.train_context.tolist(), task.train_target.tolist(), task.train_weight.tolist(), strict=True)
    return {(task.context_name(a), task.tokens[b]): w for a, b, w in pairs}


def asked_names(changed: Variant) -> list[str]:
    """The questions by name."""
    return [q.name for q in changed.asked]


# -- each variant by name --


def test_plain_is_the_task_itself() -> None:
    """Nothing is added; shares of weight, unused tokens and questions stay."""
    task = reversal_task_from_facts(FAMILY)
    found = variant(task, "plain")
    assert added(task, found) == set()
    assert shares(found.task) == pytest.approx(shares(task), rel=1e-14)  # normalised once more
    assert set(found.task.tokens) == set(task.tokens)
    assert asked_names(found) == [q.name for q in asked_of(task)]
    assert variant(reversal_task(2, 1, 30), "plain").task.vocabulary_size == 30


def test_both_directions_trains_a_share_and_asks_the_rest() -> None:
    """Of six questions two are trained at a share of a third, the other four are asked, and none is both."""
    task = reversal_task(8, 6)
    found = variant(task, "both-directions", share=1 / 3)
    everything = {(f"B{i}", f"A{i}") for i in range(1, 7)}
    taught = added(task, found)
    assert len(taught) == 2
    assert taught < everything
    assert asked_names(found) == [f"{b} → {a}" for b, a in sorted(everything - taught)]
    assert not any(q.taught for q in found.asked)


def test_reversed_copies_are_asked_too() -> None:
    """The same share is trained, all six questions are asked, and exactly the trained ones are called taught."""
    task = reversal_task(8, 6)
    found = variant(task, "reversed-copies", share=1 / 3)
    taught = added(task, found)
    assert taught == added(task, variant(task, "both-directions", share=1 / 3))
    assert asked_names(found) == [f"B{i} → A{i}" for i in range(1, 7)]
    assert {q.name for q in found.asked if q.taught} == {f"{b} → {a}" for b, a in taught}
    assert all(q.taught for q in variant(task, "reversed-copies", share=1.0).asked)


def test_the_share_is_drawn_with_the_seed() -> None:
    """One seed draws the same questions every time, ten seeds do not all draw the same."""
    task = reversal_task(12, 12)
    draws = [frozenset(added(task, variant(task, "reversed-copies", 0.5, seed))) for seed in range(10)]
    assert draws[3] == added(task, variant(task, "reversed-copies", 0.5, 3))
    assert {len(draw) for draw in draws} == {6}
    assert len(set(draws)) > 1


def test_one_taught_answer_makes_a_question_taught() -> None:
    """Bo has two right answers; where one of them is trained the question is taught, and not asked elsewhere."""
    task = reversal_task_from_facts(FAMILY)
    for seed in range(8):
        copies = variant(task, "reversed-copies", 1 / 3, seed)
        (taught,) = added(task, copies)
        assert [q.name for q in copies.asked if q.taught] == ["Ed → Di" if taught == ("Ed", "Di") else "Bo → Ann | Cy"]
        assert asked_names(variant(task, "both-directions", 1 / 3, seed)) == [
            "Bo → Ann | Cy" if taught == ("Ed", "Di") else "Ed → Di"
        ]


def test_control_trains_every_answer_from_a_new_entity() -> None:
    """Each right answer is the target of one new entity, which nothing else mentions."""
    task = reversal_task(4, 2)
    found = variant(task, "control")
    assert added(task, found) == {("control1", "A1"), ("control2", "A2")}
    assert set(found.task.tokens) - set(task.tokens) == {"control1", "control2"}
    assert asked_names(found) == ["B1 → A1", "B2 → A2"]


def test_control_keeps_the_relation_of_the_question() -> None:
    """Where contexts hold a relation, the new entity is asked by the same one."""
    task = reversal_task_from_facts(FAMILY, "entity+relation")
    assert added(task, variant(task, "control")) == {
        ("control1 + parent⁻¹", "Ann"),
        ("control2 + parent⁻¹", "Cy"),
        ("control3 + friend⁻¹", "Di"),
    }


def test_identity_bridge_names_every_entity_of_a_question() -> None:
    """Each entity that is asked about or for is its own name: as a context alone, or with a relation of its own."""
    task = reversal_task_from_facts(FAMILY)
    asked_about = ["Ann", "Bo", "Cy", "Di", "Ed"]
    assert added(task, variant(task, "identity-bridge")) == {(e, e) for e in asked_about}
    related = reversal_task_from_facts(FAMILY, "entity+relation")
    assert added(related, variant(related, "identity-bridge")) == {(f"{e} + =", e) for e in asked_about}


def test_the_bridge_as_implication_asks_as_the_question_does() -> None:
    """For [b, r'] -> a that follows from [a, r] -> b: [a, r'] -> a and [b, r] -> b, nothing for trained inverses."""
    task = reversal_task_from_facts([*FAMILY[:1], *FAMILY[2:]], "entity+relation")
    found = variant(task, "identity-bridge-as-implication")
    assert added(task, found) == {
        ("Ann + parent⁻¹", "Ann"),
        ("Bo + parent", "Bo"),
        ("Di + friend⁻¹", "Di"),
        ("Ed + friend", "Ed"),
    }
    assert asked_names(found) == ["Bo + parent⁻¹ → Ann", "Ed + friend⁻¹ → Di"]


def test_the_relation_can_be_put_into_contexts() -> None:
    """entity+relation makes pairs of single tokens in all that is trained, asked and added, and leaves pairs alone."""
    found = variant(reversal_task(3, 2), "control", context="entity+relation")
    assert trained(found.task) == {
        ("A1 + ->", "B1"),
        ("A2 + ->", "B2"),
        ("A3 + ->", "B3"),
        ("B3 + <-", "A3"),
        ("control1 + <-", "A1"),
        ("control2 + <-", "A2"),
    }
    assert asked_names(found) == ["B1 + <- → A1", "B2 + <- → A2"]
    task = reversal_task_from_facts(FAMILY, "entity+relation")
    assert added(task, variant(task, "plain", context="entity+relation")) == set()


def test_a_chain_has_its_variants_too() -> None:
    """Chains are taught, controlled and bridged as reversals are."""
    task = chain_of_thought_task(2)
    assert added(task, variant(task, "reversed-copies", 1.0)) == {("A1", "C1"), ("A2", "C2")}
    assert added(task, variant(task, "control")) == {("control1", "C1"), ("control2", "C2")}
    assert added(task, variant(task, "identity-bridge")) == {(e, e) for e in ("A1", "C1", "A2", "C2")}


# -- weights --


@pytest.mark.parametrize("data", ["reversed-copies", "control", "identity-bridge"])
def test_what_is_added_weighs_the_mean_of_what_was_there(data: Data) -> None:
    """Old shares keep their ratios, each new statement has the mean of the old ones, and all sum to one."""
    task = reversal_task_from_facts(FAMILY)
    before, found = shares(task), variant(task, data)
    after, new = shares(found.task), added(task, found)
    ratio = {pair: after[pair] / share for pair, share in before.items()}
    # quotients of three normalisations: a few roundings
    assert ratio == pytest.approx(dict.fromkeys(before, next(iter(ratio.values()))), rel=1e-14)
    mean = np.mean([after[pair] for pair in before])
    assert {pair: after[pair] for pair in new} == pytest.approx(dict.fromkeys(new, mean), rel=1e-14)
    assert sum(after.values()) == pytest.approx(1.0, rel=1e-14)


def test_a_bridge_adds_to_a_self_fact_that_is_there() -> None:
    """A file that trains Ann -> Ann already has that pair heavier by the mean weight, not a second one."""
    task = reversal_task_from_facts([Fact("Ann", "is", "Ann"), Fact("Ann", "parent", "Bo")])
    found = variant(task, "identity-bridge")
    assert added(task, found) == {("Bo", "Bo")}
    assert shares(found.task) == pytest.approx(
        {("Ann", "Ann"): 0.5, ("Ann", "Bo"): 0.25, ("Bo", "Bo"): 0.25}, rel=1e-14
    )


# -- names that are taken --


def test_a_new_entity_is_new() -> None:
    """Entities and relations of the user's that are called control1 and = are nobody else's."""
    task = reversal_task_from_facts([Fact("control1", "=", "="), Fact("x", "=", "control3")], "entity+relation")
    control = variant(task, "control")
    assert added(task, control) == {("control2 + =⁻¹", "control1"), ("control4 + =⁻¹", "x")}
    assert added(task, variant(task, "identity-bridge")) == {
        (f"{e} + =1", e) for e in ("control1", "=", "x", "control3")
    }
    # a bridge through the user's own relation would give (control1, =) two answers
    assert variant(task, "identity-bridge").task.single_target


# -- what is refused --


@pytest.mark.parametrize("share", [0.0, 0.05, 1.0, 0.9])
def test_a_share_must_leave_something_to_train_and_to_ask(share: float) -> None:
    """Of four questions both-directions trains one to three; the message names the share and the counts."""
    with pytest.raises(BadInput, match=rf"--share {share:g}: of 4 questions this trains \d; expected at least one"):
        variant(reversal_task(5, 4), "both-directions", share)


def test_a_question_must_be_left_whole() -> None:
    """Two answers of one question: training either leaves no question to ask, whichever is drawn."""
    task = reversal_task_from_facts(FAMILY[:2])
    for seed in range(4):
        with pytest.raises(BadInput, match="every question has an answer that this trains"):
            variant(task, "both-directions", 0.5, seed)
        assert asked_names(variant(task, "reversed-copies", 0.5, seed)) == ["Bo → Ann | Cy"]


def test_a_task_that_asks_nothing_is_refused() -> None:
    """Without a question that follows from a trained pair there is no index; the message names the task."""
    for task in (reversal_task(2, 0), build_task("odd", [S(("a",), "b", "r")], [S(("c",), "d", "r")])):
        for data in set(get_args(Data)) - {"implication"}:
            with pytest.raises(BadInput, match=f"{task.name}: asks nothing that follows"):
                variant(task, data)


def test_the_bridge_as_implication_needs_relations_and_reversals() -> None:
    """Single tokens do not tell relations apart, and a chain reverses no fact: both are refused with a reason."""
    with pytest.raises(BadInput, match=r"give --context entity\+relation"):
        variant(reversal_task(3, 2), "identity-bridge-as-implication")
    chains = chain_task_from_facts([Fact("a", "r", "b"), Fact("b", "s", "c")], "entity+relation")
    with pytest.raises(BadInput, match="no question of facts reverses a trained fact"):
        variant(chains, "identity-bridge-as-implication")


def test_implication_is_no_variant_of_a_file() -> None:
    """The two-relation task is built, not made from another; asking for it as a variant says so."""
    with pytest.raises(BadInput, match="--data implication: not a variant"):
        variant(reversal_task(3, 2), "implication")


# -- the two-relation task --


def test_implication_teaches_some_subjects_and_asks_the_others() -> None:
    """Every subject has s r1 -> b_i, the first two s r2 -> c_i, the third is asked r2 because of its own r1."""
    found = implication(facts=2, taught_subjects=2, asked_subjects=1)
    subjects = [(i, k) for i in (1, 2) for k in (1, 2, 3)]
    know = {(f"s{i}.{k} + r1", f"b{i}") for i, k in subjects}
    implied = {(f"s{i}.{k} + r2", f"c{i}") for i, k in subjects if k < 3}
    assert trained(found.task) == know | implied
    assert asked_names(found) == ["s1.3 + r2 → c1", "s2.3 + r2 → c2"]
    for i, q in enumerate(found.asked, start=1):
        (premise,) = q.premises
        assert (found.task.context_name(premise[0]), found.task.tokens[premise[1]]) == (f"s{i}.3 + r1", f"b{i}")
        assert not q.taught
    np.testing.assert_allclose(found.task.train_weight, 1 / 10, rtol=1e-15)


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_implication_needs_every_kind(sizes: tuple[int, int, int]) -> None:
    """A size below one is refused."""
    with pytest.raises(BadInput, match="at least one fact, one taught and one asked subject"):
        implication(*sizes)


# -- for any task --


def drawn_variant(task: Task, data: Data, share: float, seed: int, relation: bool) -> Variant:
    """The variant, where there is one."""
    try:
        return variant(task, data, share, seed, "entity+relation" if relation else None)
    except BadInput:
        assume(False)
        raise


KINDS = st.sampled_from([data for data in get_args(Data) if data != "implication"])


@given(task=tasks, data=KINDS, share=st.floats(0.0, 1.0), seed=st.integers(0, 99), relation=st.booleans())
def test_no_variant_loses_a_statement(task: Task, data: Data, share: float, seed: int, relation: bool) -> None:
    """Every statement of the task is trained by every variant, with its relation in the context where asked for."""
    found = drawn_variant(task, data, share, seed, relation)
    statements = statements_of(task)
    if relation and task.one_token_contexts:
        statements = list(map(with_relation, statements))
    assert {(" + ".join(s.context), s.target) for s in statements} <= trained(found.task)
    assert set(task.tokens) <= set(found.task.tokens)


@given(task=tasks, data=KINDS, share=st.floats(0.0, 1.0), seed=st.integers(0, 99), relation=st.booleans())
def test_questions_keep_premises_and_know_what_was_taught(
    task: Task, data: Data, share: float, seed: int, relation: bool
) -> None:
    """Premises are trained, `taught` says whether an answer is, and nothing is asked that the task did not ask."""
    found = drawn_variant(task, data, share, seed, relation)
    seen = found.trained_pairs()
    assert seen.sum() == len(found.task.train_context)
    questions = questions_of(task)
    if relation and task.one_token_contexts:
        questions = list(map(with_relation, questions))
    known = {(" + ".join(q.context), q.target) for q in questions}
    asked = {(found.task.context_name(q.context), found.task.tokens[x]) for q in found.asked for x in q.answers}
    assert asked <= known
    assert asked == known or data == "both-directions"
    for q in found.asked:
        assert q.premises
        assert all(seen[pair] for pair in q.premises)
        assert q.taught == any(seen[q.context, x] for x in q.answers)
    assert not any(q.taught for q in found.asked) or data == "reversed-copies"

"""What is asked, and from which trained pairs it would follow: reversals from one pair, chains from two links."""

from hypothesis import given

from theory.facts import Fact, chain_task_from_facts, reversal_task_from_facts
from theory.opposites import Asked, asked_of
from theory.task import Statement as S
from theory.task import Task, build_task, chain_of_thought_task, reversal_task
from validation.strategies import tasks


def premises_by_name(task: Task, asked: Asked) -> set[tuple[str, str]]:
    """The premises of a question as a person reads them."""
    return {(task.context_name(a), task.tokens[b]) for a, b in asked.premises}


def answers_by_name(task: Task, asked: Asked) -> set[str]:
    """The right answers of a question."""
    return {task.tokens[x] for x in asked.answers}


def test_a_reversal_follows_from_the_pair_trained_the_other_way() -> None:
    """Each held-out B_i asks for A_i and has the one premise A_i -> B_i; pairs trained both ways are not asked."""
    task = reversal_task(3, 2)
    asked = asked_of(task)
    assert [q.name for q in asked] == ["B1 → A1", "B2 → A2"]
    assert [premises_by_name(task, q) for q in asked] == [{("A1", "B1")}, {("A2", "B2")}]
    assert [task.context_name(q.context) for q in asked] == ["B1", "B2"]
    assert not any(q.taught for q in asked)


def test_a_chain_follows_from_its_two_links() -> None:
    """A_i ~> C_i has the premises A_i -> B_i and B_i -> C_i, and no other."""
    task = chain_of_thought_task(2)
    asked = asked_of(task)
    assert [q.name for q in asked] == ["A1 → C1", "A2 → C2"]
    for i, q in enumerate(asked, start=1):
        assert premises_by_name(task, q) == {(f"A{i}", f"B{i}"), (f"B{i}", f"C{i}")}


def test_a_chain_of_two_middles_has_four_links() -> None:
    """Where two middles lead to the same end, all four links are premises, each once."""
    links = [("a", "b"), ("b", "z"), ("a", "c"), ("c", "z")]
    task = build_task("diamond", [S((x,), y, "r") for x, y in links], [S(("a",), "z", "rr")])
    (asked,) = asked_of(task)
    assert premises_by_name(task, asked) == set(links)
    assert len(asked.premises) == 4


def test_a_reversal_that_is_trained_counts_alone() -> None:
    """Where both a -> b and a chain b -> x -> a are trained, the question b ? a follows from the first alone."""
    links = [("a", "b"), ("b", "x"), ("x", "a")]
    task = build_task("loop", [S((x,), y, "r") for x, y in links], [S(("b",), "a", "s")])
    (asked,) = asked_of(task)
    assert premises_by_name(task, asked) == {("a", "b")}


def test_several_answers_make_one_question() -> None:
    """Two subjects of one object are two answers of one question, with a premise for each."""
    task = reversal_task_from_facts([Fact("Ann", "parent", "Bo"), Fact("Cy", "parent", "Bo")])
    (asked,) = asked_of(task)
    assert asked.name == "Bo → Ann | Cy"
    assert answers_by_name(task, asked) == {"Ann", "Cy"}
    assert premises_by_name(task, asked) == {("Ann", "Bo"), ("Cy", "Bo")}


def test_contexts_of_entity_and_relation_ask_by_the_inverse() -> None:
    """(Bo, parent⁻¹) asks for Ann because (Ann, parent) -> Bo is trained; chains lead on from the entity."""
    facts = [Fact("Ann", "parent", "Bo"), Fact("Bo", "friend", "Cy")]
    task = reversal_task_from_facts(facts, "entity+relation")
    assert [(q.name, premises_by_name(task, q)) for q in asked_of(task)] == [
        ("Bo + parent⁻¹ → Ann", {("Ann + parent", "Bo")}),
        ("Cy + friend⁻¹ → Bo", {("Bo + friend", "Cy")}),
    ]
    chain = chain_task_from_facts(facts, "entity+relation")
    (asked,) = asked_of(chain)
    assert asked.name == "Ann + parent then friend → Cy"
    assert premises_by_name(chain, asked) == {("Ann + parent", "Bo"), ("Bo + friend", "Cy")}


def test_a_self_fact_is_neither_asked_nor_a_link() -> None:
    """Ann -> Ann asks nothing, and a chain a -> b does not pass through a -> a."""
    facts = [Fact("Ann", "knows", "Ann"), Fact("Ann", "parent", "Bo"), Fact("Bo", "parent", "Cy")]
    assert [q.name for q in asked_of(reversal_task_from_facts(facts))] == ["Bo → Ann", "Cy → Bo"]
    task = chain_task_from_facts(facts)
    (asked,) = asked_of(task)
    assert premises_by_name(task, asked) == {("Ann", "Bo"), ("Bo", "Cy")}
    around = [S(("a", "r"), "a", "r"), S(("a", "s"), "c", "s")]
    assert asked_of(build_task("around", around, [S(("a", "r then s"), "c", "r then s")])) == ()


def test_what_follows_from_nothing_is_not_asked() -> None:
    """A query, or one answer of it, that no trained pair implies has no index and is left out."""
    trained = [S(("a",), "b", "r"), S(("c",), "d", "r")]
    assert asked_of(build_task("nothing", trained, [S(("d",), "a", "r")])) == ()
    task = build_task("half", trained, [S(("b",), "a", "r"), S(("b",), "c", "r")])
    (asked,) = asked_of(task)
    assert asked.name == "b → a"
    assert answers_by_name(task, asked) == {"a"}


@given(task=tasks)
def test_premises_are_trained_and_answers_are_not(task: Task) -> None:
    """For any task: premises are trained pairs, answers are held-out answers of their query, in the queries' order."""
    trained = set(zip(task.train_context.tolist(), task.train_target.tolist(), strict=True))
    answers = {q.context: set(q.answers) for q in task.queries}
    asked = asked_of(task)
    assert [q.context for q in asked] == [q.context for q in task.queries if q.context in {x.context for x in asked}]
    for q in asked:
        assert q.premises
        assert trained.issuperset(q.premises)
        assert answers[q.context].issuperset(q.answers)
        assert not any((q.context, x) in trained for x in q.answers)


@given(task=tasks)
def test_every_question_of_a_task_follows(task: Task) -> None:
    """Tasks built from facts ask only what their facts imply: no query is left without premises."""
    assert [(q.context, q.answers) for q in asked_of(task)] == [(q.context, q.answers) for q in task.queries]

"""Facts: which statements they train and ask, by direction and kind of context; chains; relation tokens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import facts as facts_module
from theory.facts import (
    ContextKind,
    Direction,
    Fact,
    chain_task_from_facts,
    inverse,
    reversal_task_from_facts,
    trained_statements,
)
from theory.task import Statement, Task, TaskError

FORWARD = Statement(("Tom",), "Mary", "mother", 2.0, 5)
BACKWARD = Statement(("Mary",), "Tom", "mother⁻¹", 2.0, 5)


def asked(task: Task) -> set[tuple[str, str, str, int | None]]:
    """(context, answer, relation, row) of every answer of every query."""
    return {
        (task.context_name(query.context), task.tokens[answer], relation, row)
        for query in task.queries
        for answer, relation, row in zip(query.answers, query.relations, query.rows, strict=True)
    }


def trained(task: Task) -> set[tuple[str, str]]:
    columns = zip(task.train_context, task.train_target, strict=True)
    return {(task.context_name(a), task.tokens[b]) for a, b in columns}


# -- statements ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("direction", "expected"),
    [("forward", [FORWARD]), ("backward", [BACKWARD]), ("both", [FORWARD, BACKWARD])],
)
def test_directions(direction: Direction, expected: list[Statement]) -> None:
    """A fact trains the statements that its direction names, each with its weight and row."""
    assert list(trained_statements([Fact("Tom", "mother", "Mary", direction, 2.0, 5)])) == expected


def test_relation_in_the_context() -> None:
    """By entity+relation, (subject, relation) names the object and (object, inverse) the subject."""
    statements = trained_statements([Fact("Tom", "mother", "Mary", "both")], "entity+relation")
    assert list(statements) == [
        Statement(("Tom", "mother"), "Mary", "mother"),
        Statement(("Mary", inverse("mother")), "Tom", inverse("mother")),
    ]


@pytest.mark.parametrize(
    ("direction", "context", "count"),
    [
        ("forward", "entity", 1),
        ("backward", "entity", 1),
        ("both", "entity", 1),
        ("both", "entity+relation", 2),
    ],
)
def test_self_facts_are_trained_but_not_asked(direction: Direction, context: ContextKind, count: int) -> None:
    """Singapore, capital of itself, is trained once by entity in any direction, and is counted, not asked."""
    singapore = Fact("Singapore", "capital", "Singapore", direction)
    assert len(list(trained_statements([singapore], context))) == count
    task = reversal_task_from_facts([singapore, Fact("Kenya", "capital", "Nairobi", row=3)], context)
    assert task.self_facts == 1
    assert {answer for _, answer, _, _ in asked(task)} == {"Kenya"}
    assert task.trained_elsewhere == ()  # nor listed among the pairs that another row trains
    # by entity the self-fact weighs as much as the other fact, not twice as much
    assert task.train_weight.min() == pytest.approx(1 / (count + 1), rel=1e-15)


# -- the reversal task ---------------------------------------------------------------------------------------
def test_reversal_queries() -> None:
    """The direction that a fact does not name is asked, with its row; one in both asks nothing."""
    task = reversal_task_from_facts(
        [
            Fact("a", "r", "b", "forward", row=2),
            Fact("c", "r", "d", "backward", row=3),
            Fact("e", "s", "f", "both", row=4),
        ],
        name="letters",
    )
    assert trained(task) == {("a", "b"), ("d", "c"), ("e", "f"), ("f", "e")}
    assert asked(task) == {("b", "a", "r⁻¹", 2), ("c", "d", "r", 3)}
    assert task.name == "letters"
    assert (task.self_facts, task.trained_elsewhere) == (0, ())


def test_reversal_query_with_relation_in_the_context() -> None:
    """With the context entity+relation the held-out question carries the inverse relation in its context."""
    task = reversal_task_from_facts([Fact("a", "r", "b", row=2)], "entity+relation")
    assert trained(task) == {("a + r", "b")}
    assert asked(task) == {("b + r⁻¹", "a", "r⁻¹", 2)}


def test_pair_trained_by_another_row_is_no_query() -> None:
    """Spouses given both ways leave no question by entity; by entity+relation both are asked."""
    spouses = [Fact("Ann", "spouse", "Bob", row=2), Fact("Bob", "spouse", "Ann", row=3)]
    task = reversal_task_from_facts(spouses)
    assert task.queries == ()
    assert [s.row for s in task.trained_elsewhere] == [2, 3]
    assert len(reversal_task_from_facts(spouses, "entity+relation").queries) == 2


def test_several_right_answers_make_one_query() -> None:
    """Two children trained towards one mother are two answers of the question that the mother is asked."""
    task = reversal_task_from_facts([Fact("x", "mother", "m", row=2), Fact("y", "mother", "m", row=3)])
    (query,) = task.queries
    assert [task.tokens[answer] for answer in query.answers] == ["x", "y"]
    assert query.rows == (2, 3)


def test_no_facts() -> None:
    """No facts make no task."""
    with pytest.raises(TaskError, match="trains nothing"):
        reversal_task_from_facts([])


@pytest.mark.parametrize("context", ["entity", "entity+relation"])
def test_vocabulary_of_facts(context: ContextKind) -> None:
    """Both readings of every relation are tokens, in a context or not; the commonest relation comes first."""
    facts = [Fact("a", "rare", "b"), Fact("c", "common", "d"), Fact("e", "common", "f")]
    tokens = reversal_task_from_facts(facts, context).tokens
    assert sorted(tokens) == sorted(["a", "b", "c", "d", "e", "f", "rare", "rare⁻¹", "common", "common⁻¹"])
    assert facts_module._relation_tokens(facts) == ["common", "common⁻¹", "rare", "rare⁻¹"]


# -- chains --------------------------------------------------------------------------------------------------
def test_chain_queries() -> None:
    """Trained a -> b and b -> c ask a ~> c, with a relation of both steps and the row of b -> c."""
    task = chain_task_from_facts([Fact("a", "r", "b", row=2), Fact("b", "s", "c", row=3)], name="chain")
    assert asked(task) == {("a", "c", "r then s", 3)}
    assert trained(task) == {("a", "b"), ("b", "c")}
    assert (task.name, task.self_facts) == ("chain", 0)
    assert {"r⁻¹", "s⁻¹"} <= set(task.tokens)


def test_chain_query_with_relation_in_the_context() -> None:
    """With the context entity+relation the question carries both relations in its context."""
    facts = [Fact("a", "r", "b", row=2), Fact("b", "s", "c", row=3)]
    assert asked(chain_task_from_facts(facts, "entity+relation")) == {("a + r then s", "c", "r then s", 3)}


def test_chains_follow_the_trained_direction() -> None:
    """A fact trained backward is a step from object to subject, and no step the other way."""
    facts = [Fact("a", "r", "b", row=2), Fact("c", "s", "b", "backward", row=3)]
    assert asked(chain_task_from_facts(facts)) == {("a", "c", "r then s⁻¹", 3)}
    with pytest.raises(TaskError, match="no chain to ask"):
        chain_task_from_facts([Fact("a", "r", "b"), Fact("b", "s", "c", "backward")])


@pytest.mark.parametrize("context", ["entity", "entity+relation"])
def test_trained_shortcut_is_not_asked(context: ContextKind) -> None:
    """Where some row trains a -> c, by any relation, a ~> c is not asked; the other chain still is."""
    facts = [Fact("a", "r", "b"), Fact("b", "r", "c"), Fact("b", "r", "d"), Fact("a", "s", "c")]
    assert {answer for _, answer, _, _ in asked(chain_task_from_facts(facts, context))} == {"d"}


@pytest.mark.parametrize(
    "facts",
    [
        [Fact("a", "r", "b"), Fact("b", "r", "a")],
        [Fact("a", "r", "b", "both")],
        [Fact("a", "r", "a"), Fact("a", "r", "b")],
        [Fact("a", "r", "b"), Fact("b", "r", "b")],
        [Fact("a", "r", "b"), Fact("c", "r", "d")],
        [],
    ],
)
def test_no_chain(facts: list[Fact]) -> None:
    """There and back, a step from a token to itself and steps that do not meet are no chains."""
    with pytest.raises(TaskError, match=r"letters: no chain to ask; need rows a -> b and b -> c"):
        chain_task_from_facts(facts, name="letters")


def test_chain_task_counts_self_facts() -> None:
    """A self-fact beside a chain is trained and counted."""
    task = chain_task_from_facts([Fact("a", "r", "b"), Fact("b", "r", "c"), Fact("d", "r", "d")])
    assert task.self_facts == 1
    assert ("d", "d") in trained(task)


def test_too_many_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with one chain more than the limit is refused with both numbers; one with as many is not."""
    star = [Fact(f"in{i}", "r", "hub") for i in range(30)] + [Fact("hub", "r", f"out{i}") for i in range(40)]
    monkeypatch.setattr(facts_module, "MOST_CHAIN_QUERIES", 1200)
    assert len(asked(chain_task_from_facts(star))) == 1200
    monkeypatch.setattr(facts_module, "MOST_CHAIN_QUERIES", 1199)
    with pytest.raises(TaskError, match="letters: its rows form 1,200 chains a -> b -> c, more than 1,199"):
        chain_task_from_facts(star, name="letters")


# -- properties ----------------------------------------------------------------------------------------------
NAMES = st.sampled_from("abcd")
FACTS = st.lists(
    st.builds(Fact, NAMES, st.sampled_from("rs"), NAMES, st.sampled_from(["forward", "backward", "both"])),
    min_size=1,
    max_size=10,
)


@settings(deadline=None)
@given(FACTS)
def test_reversal_task_is_the_definition(facts: list[Fact]) -> None:
    """By entity, the pairs stated in some direction and trained by no row are asked, self-facts apart."""
    given_pairs = {(f.subject, f.object) for f in facts if f.direction != "backward"}
    given_pairs |= {(f.object, f.subject) for f in facts if f.direction != "forward"}
    stated = {pair for f in facts for pair in [(f.subject, f.object), (f.object, f.subject)]}
    task = reversal_task_from_facts(facts)
    assert trained(task) == given_pairs
    assert {(a, b) for a, b, _, _ in asked(task)} == {(a, b) for a, b in stated - given_pairs if a != b}
    assert task.self_facts == sum(f.subject == f.object for f in facts)


@settings(deadline=None)
@given(FACTS)
def test_chain_task_is_the_definition(facts: list[Fact]) -> None:
    """By entity, a ~> c is asked if and only if a, b, c differ, a -> b -> c is trained and a -> c is not."""
    given_pairs = {(f.subject, f.object) for f in facts if f.direction != "backward"}
    given_pairs |= {(f.object, f.subject) for f in facts if f.direction != "forward"}
    chains = {(a, c) for a, b in given_pairs for b2, c in given_pairs if b == b2 and len({a, b, c}) == 3} - given_pairs
    if chains:
        assert {(a, c) for a, c, _, _ in asked(chain_task_from_facts(facts))} == chains
    else:
        with pytest.raises(TaskError, match="no chain to ask"):
            chain_task_from_facts(facts)

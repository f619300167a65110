"""Facts (subject, relation, object) with the directions they are trained in, and the tasks they make."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from theory.task import Statement, Task, TaskError, build_task

Direction = Literal["forward", "backward", "both"]
ContextKind = Literal["entity", "entity+relation"]
DIRECTIONS: tuple[str, ...] = ("forward", "backward", "both")

# Held-out chains are a join of the file with itself; above this many the join, not the file, is the cost.
MOST_CHAIN_QUERIES = 5_000_000


@dataclass(frozen=True)
class Fact:
    """One fact and the direction it is trained in. `row` is its physical line in the file (header: 1)."""

    subject: str
    relation: str
    object: str
    direction: Direction = "forward"
    weight: float = 1.0
    row: int | None = None


def inverse(relation: str) -> str:
    """The name of the relation token that asks from object to subject."""
    return f"{relation}⁻¹"


def _statements(fact: Fact, context: ContextKind) -> tuple[Statement, Statement]:
    """The fact read forwards and backwards."""

    def statement(source: str, relation: str, target: str) -> Statement:
        names = (source,) if context == "entity" else (source, relation)
        return Statement(names, target, relation, fact.weight, fact.row)

    return (
        statement(fact.subject, fact.relation, fact.object),
        statement(fact.object, inverse(fact.relation), fact.subject),
    )


def trained_statements(facts: Sequence[Fact], context: ContextKind = "entity") -> Iterator[Statement]:
    """The statements in the directions that the facts name."""
    for fact in facts:
        forward, backward = _statements(fact, context)
        if fact.direction != "backward":
            yield forward
        # a self-fact asked by entity reads the same both ways: one statement, not two
        same = (forward.context, forward.target) == (backward.context, backward.target)
        if fact.direction == "backward" or (fact.direction == "both" and not same):
            yield backward


def reversal_task_from_facts(facts: Sequence[Fact], context: ContextKind = "entity", name: str = "facts") -> Task:
    """Train each fact in its named directions and ask the other ones.

    A fact whose subject is its object is trained but is no query; it is counted in `Task.self_facts`.
    """
    queries = []
    for fact in facts:
        if fact.subject == fact.object or fact.direction == "both":
            continue
        forward, backward = _statements(fact, context)
        queries.append(backward if fact.direction == "forward" else forward)
    return build_task(
        name,
        trained_statements(facts, context),
        queries,
        extra_tokens=_relation_tokens(facts),
        self_facts=sum(f.subject == f.object for f in facts),
    )


def chain_task_from_facts(facts: Sequence[Fact], context: ContextKind = "entity", name: str = "facts") -> Task:
    """Train each fact in its named directions; ask a ~> c for trained a -> b -> c where no row trains a -> c.

    Raises TaskError when the file holds no chain, or more than MOST_CHAIN_QUERIES of them.
    """
    statements = list(trained_statements(facts, context))
    following: dict[str, list[Statement]] = defaultdict(list)
    for s in statements:
        following[s.context[0]].append(s)
    count = sum(len(following.get(s.target, ())) for s in statements)
    if count > MOST_CHAIN_QUERIES:
        raise TaskError(
            f"{name}: its rows form {count:,} chains a -> b -> c, more than {MOST_CHAIN_QUERIES:,}; "
            "ask fewer relations at a time"
        )
    pairs = {(s.context[0], s.target) for s in statements}
    queries = []
    for first in statements:
        source = first.context[0]
        for second in following.get(first.target, ()):
            # a chain through a self-fact ends where its row already leads, and so counts as trained
            if second.target == source or (source, second.target) in pairs:
                continue
            relation = f"{first.relation} then {second.relation}"
            names = (source,) if context == "entity" else (source, relation)
            queries.append(Statement(names, second.target, relation, row=second.row))
    if not queries:
        raise TaskError(f"{name}: no chain to ask; need rows a -> b and b -> c with a -> c not trained")
    return build_task(
        name,
        statements,
        queries,
        extra_tokens=_relation_tokens(facts),
        self_facts=sum(f.subject == f.object for f in facts),
    )


def _relation_tokens(facts: Sequence[Fact]) -> list[str]:
    """Both readings of every relation, most frequent first: part of the vocabulary, attended or not."""
    counted = Counter(f.relation for f in facts)
    return [text for relation, _ in counted.most_common() for text in (relation, inverse(relation))]

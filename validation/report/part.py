"""Small parts of a task that show both directions of a few facts, whatever the size of the file."""

import itertools
from collections.abc import Iterator

from theory.facts import inverse
from theory.task import BACKWARD, FORWARD, Statement, Task, build_task, first_pairs

OPPOSITES = 6  # facts with the other direction held out, and as many with both trained
PAIRS = 12  # where no fact has an other direction
MOST_TRIED = 20_000  # pairs looked at for either kind

Cell = tuple[int, int]  # a context and a token
Opposite = tuple[Cell, Cell]


def opposite_pairs(task: Task) -> Iterator[Opposite]:
    """Each trained pair (context, target) with its reversal, once a fact; and with the held-out chains it starts.

    A reversal has the target as its context and leads back, by the inverse relation where contexts hold their relation;
    a chain has the same first token and leads on. The other pair may be trained, asked or neither.
    """
    number = {context: a for a, context in enumerate(task.contexts)}
    token = {name: x for x, name in enumerate(task.tokens)}
    chains: dict[int, list[Cell]] = {}
    for query in task.queries:
        chains.setdefault(task.contexts[query.context][0], []).extend((query.context, x) for x in query.answers)
    seen: set[tuple[Cell, Cell]] = set()
    for a, b, relation in zip(task.train_context, task.train_target, task.train_relation, strict=True):
        pair, first = (int(a), int(b)), task.contexts[a][0]
        asks_back = token.get(_inverse(task.tokens[relation]), -1)
        other = number.get((int(b), *(asks_back for _ in task.contexts[a][1:])))
        if other is not None and first != b and ((other, first), pair) not in seen:
            seen.add((pair, (other, first)))
            yield pair, (other, first)
        for cell in chains.get(first, ()):
            if cell[1] != b and _leads(task, int(b), cell[1]):
                yield pair, cell


def _leads(task: Task, token: int, target: int) -> bool:
    """Whether a trained pair leads from the token to the target."""
    leaving, _ = task.pairs_by_token
    return any(task.train_target[k] == target for k in leaving.get(token, ()))


def opposites_part(task: Task) -> Task:
    """A few facts of the task with both of their directions, held-out and trained ones in turn, and the chains' links.

    A part of the first pairs where no pair has an opposite.
    """
    number = {
        pair: k for k, pair in enumerate(zip(task.train_context.tolist(), task.train_target.tolist(), strict=True))
    }
    chosen: dict[int, None] = {}
    count = {True: 0, False: 0}
    for pair, other in itertools.islice(opposite_pairs(task), MOST_TRIED):
        trained = other in number
        if count[trained] == OPPOSITES:
            continue
        count[trained] += 1
        chosen.update(dict.fromkeys(number[p] for p in (pair, other) if p in number))
        if not trained:  # the rest of a chain
            leaving, _ = task.pairs_by_token
            chosen.update(dict.fromkeys(k for k in leaving.get(pair[1], ()) if task.train_target[k] == other[1]))
        if min(count.values()) == OPPOSITES:
            break
    return _part(task, sorted(chosen)) if chosen else without_unused(first_pairs(task, PAIRS))


def _inverse(relation: str) -> str:
    """The relation that asks back."""
    if relation in (FORWARD, BACKWARD):
        return BACKWARD if relation == FORWARD else FORWARD
    mark = inverse("")
    return relation.removesuffix(mark) if relation.endswith(mark) else inverse(relation)


def without_unused(task: Task) -> Task:
    """The same statements and queries over the tokens that occur: a padded vocabulary costs time and shows nothing."""
    return _part(task, list(range(len(task.train_context))))


def _part(task: Task, pairs: list[int]) -> Task:
    """The task of some trained pairs and of the queries about their tokens, over those tokens and their relations."""

    def statement(context: int, target: int, relation: str, weight: float = 1.0) -> Statement:
        names = tuple(task.tokens[t] for t in task.contexts[context])
        return Statement(names, task.tokens[target], relation, weight)

    weight = task.train_weight / task.train_weight[pairs].sum()
    trained = [
        statement(
            int(task.train_context[k]),
            int(task.train_target[k]),
            task.tokens[task.train_relation[k]],
            float(weight[k]),
        )
        for k in pairs
    ]
    relations = {name for s in trained for name in (s.relation, _inverse(s.relation)) if name in task.tokens}
    known = {name for s in trained for name in (*s.context, s.target)} | relations
    asked = [statement(q.context, x, r) for q in task.queries for x, r in zip(q.answers, q.relations, strict=True)]
    kept = [s for s in asked if (known | {s.relation}).issuperset((*s.context, s.target))]
    return build_task(task.name, trained, kept, extra_tokens=sorted(relations))

"""What is asked of a task together with the trained pairs that it would follow from: the pairs behind every index.

A reversal (b asks for a) follows from the pair that was trained in the other direction, a -> b; a chain (a ~> c) from
its two links. Queries for which no such pair is trained have no index.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from theory.task import Query, Task


@dataclass(frozen=True)
class Asked:
    """One question in token numbers: its context, its right answers, and its premises, trained (context, target) pairs.

    `taught`: the answer was trained after all (a reversed copy of the fact was added). `name` says it for a person.
    """

    context: int
    answers: tuple[int, ...]
    premises: tuple[tuple[int, int], ...]
    name: str
    taught: bool = False


def asked_of(task: Task) -> tuple[Asked, ...]:
    """The queries of a task that have premises, in order."""
    first_token: dict[int, list[int]] = {}
    for a in range(task.trained_contexts):
        first_token.setdefault(task.contexts[a][0], []).append(a)
    targets: dict[int, set[int]] = {}
    for a, b in zip(task.train_context.tolist(), task.train_target.tolist(), strict=True):
        targets.setdefault(a, set()).add(b)

    def pairs(source: int, target: int) -> Iterator[tuple[int, int]]:
        """Trained pairs from a context that starts with a token to another token."""
        return ((a, target) for a in first_token.get(source, ()) if target in targets[a])

    def premises(query: Query, answer: int) -> Iterator[tuple[int, int]]:
        source = task.contexts[query.context][0]
        reverse = list(pairs(answer, source))
        if reverse:
            yield from reverse
            return
        for a in first_token.get(source, ()):
            for middle in sorted(targets[a]):
                last = list(pairs(middle, answer))
                if last and middle != source:
                    yield (a, middle)
                    yield from last

    found = []
    for query in task.queries:
        by_answer = {x: tuple(dict.fromkeys(premises(query, x))) for x in query.answers}
        answers = tuple(x for x, why in by_answer.items() if why)
        if answers:
            because = tuple(dict.fromkeys(pair for x in answers for pair in by_answer[x]))
            names = " | ".join(task.tokens[x] for x in answers)
            found.append(Asked(query.context, answers, because, f"{task.context_name(query.context)} → {names}"))
    return tuple(found)

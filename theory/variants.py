"""What can be done to the data of a task: each variant trains other statements and keeps asking the same questions.

- `both-directions`: a share of the questions is trained, the others are asked (inverse structure taught elsewhere).
- `reversed-copies`: the reversed copy of a share of the facts is trained, all questions are asked (arXiv 2403.13799).
- `control`: every right answer is also the answer of another trained statement, from a new entity.
- `identity-bridge`: every entity is its own name, with a relation of its own (A is the name of A; arXiv 2602.02470).
- `identity-bridge-as-implication`: the published form that asks as the question does: [a, r'] -> a and [b, r] -> b,
  r' the relation of the question and r that of the fact; the question is then one of arXiv 2506.10887's implications.
- `implication`: that task itself, which has no file of facts behind it (`implication`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Literal

import numpy as np

from theory.counting import count_of
from theory.errors import BadInput
from theory.facts import ContextKind
from theory.opposites import Asked, asked_of
from theory.task import Statement, Task, build_task

Data = Literal[
    "plain",
    "both-directions",
    "reversed-copies",
    "control",
    "identity-bridge",
    "identity-bridge-as-implication",
    "implication",
]
NAME_RELATION = "="  # of an entity with itself, numbered where the task knows that name already


@dataclass(frozen=True)
class Variant:
    """A task and what is asked of it; a question that was `taught` is trained, and asked nevertheless."""

    task: Task
    asked: tuple[Asked, ...]

    def trained_pairs(self) -> np.ndarray:
        """Boolean (contexts, m): the pairs that are trained."""
        trained = np.zeros((len(self.task.contexts), self.task.vocabulary_size), dtype=bool)
        trained[self.task.train_context, self.task.train_target] = True
        return trained


def variant(task: Task, data: Data, share: float = 0.5, seed: int = 0, context: ContextKind | None = None) -> Variant:
    """The variant of a task; `share` of the questions is trained where the data say so, drawn with `seed`.

    `context` entity+relation appends the relation to every context of one token. Raises BadInput where a share leaves
    nothing to train or to ask, and where a bridge has no questions to bridge.
    """
    statements, questions = statements_of(task), questions_of(task)
    if context == "entity+relation" and task.one_token_contexts:
        statements, questions = list(map(with_relation, statements)), list(map(with_relation, questions))
    if not asked_of(task):
        raise BadInput(f"{task.name}: asks nothing that follows from a trained pair, so there is no index to measure")
    taught: list[Statement] = []
    new: list[Statement] = []
    match data:
        case "plain":
            pass
        case "both-directions" | "reversed-copies":
            chosen = round(share * len(questions))
            if not 0 < chosen < len(questions) + (data == "reversed-copies"):
                raise BadInput(
                    f"--share {share:g}: of {count_of(len(questions), 'question')} this trains {chosen}; expected at "
                    "least one, and one that is left to ask"
                )
            order = np.random.default_rng([seed, len(questions)]).permutation(len(questions))
            taught = [questions[k] for k in sorted(order[:chosen])]
        case "control":
            subjects = islice(_new_names(task, "control", 1), len(questions))
            new = [replace(q, context=(s, *q.context[1:])) for q, s in zip(questions, subjects, strict=True)]
        case "identity-bridge":
            entities = dict.fromkeys(name for q in questions for name in (q.target, q.context[0]))
            pair = any(len(q.context) > 1 for q in questions)
            names = next(_new_names(task, NAME_RELATION))
            new = [Statement((e, names) if pair else (e,), e, names) for e in entities]
        case "identity-bridge-as-implication":
            new = list(_implication_bridge(statements, questions))
            if not new:
                raise BadInput(f"--data {data}: no question of {task.name} reverses a trained fact, so none is bridged")
        case _:
            raise BadInput(f"--data {data}: not a variant of a task")
    weight = float(np.mean([s.weight for s in statements]))  # what is added weighs as much as what was there
    added = [replace(s, weight=weight, row=None) for s in (*taught, *new)]
    built = build_task(task.name, [*statements, *added], questions, extra_tokens=task.tokens)
    asked = tuple(q for q in _asked(built, statements, questions) if not (q.taught and data == "both-directions"))
    if not asked:
        raise BadInput(f"--share {share:g}: every question has an answer that this trains; expected one to ask")
    return Variant(built, asked)


def statements_of(task: Task) -> list[Statement]:
    """What a task trains, by name."""
    return [
        Statement(tuple(task.tokens[t] for t in task.contexts[a]), task.tokens[b], task.tokens[r], float(w))
        for a, b, r, w in zip(
            task.train_context.tolist(),
            task.train_target.tolist(),
            task.train_relation.tolist(),
            task.train_weight.tolist(),
            strict=True,
        )
    ]


def questions_of(task: Task) -> list[Statement]:
    """What a task asks and something trained implies, by name: one statement an answer."""
    followed = {(q.context, x) for q in asked_of(task) for x in q.answers}
    return [
        Statement(tuple(task.tokens[t] for t in task.contexts[q.context]), task.tokens[x], relation)
        for q in task.queries
        for x, relation in zip(q.answers, q.relations, strict=True)
        if (q.context, x) in followed
    ]


def with_relation(statement: Statement) -> Statement:
    """The statement with its relation as the second token of its context."""
    return replace(statement, context=(*statement.context, statement.relation))


def implication(facts: int = 4, taught_subjects: int = 3, asked_subjects: int = 3) -> Variant:
    """The two-relation task of arXiv 2506.10887: s r1 -> b_i for all subjects, s r2 -> c_i for the taught ones; ask r2.

    Every fact i has `taught_subjects` + `asked_subjects` subjects; contexts are (subject, relation). The premise of
    s r2 -> c_i is s r1 -> b_i. Raises BadInput on sizes below one.
    """
    if min(facts, taught_subjects, asked_subjects) < 1:
        raise BadInput("the implication task needs at least one fact, one taught and one asked subject")
    first, second = "r1", "r2"
    know: list[Statement] = []
    implied: list[Statement] = []
    asked: list[Statement] = []
    for i in range(1, facts + 1):
        for k in range(1, taught_subjects + asked_subjects + 1):
            subject = f"s{i}.{k}"
            know.append(Statement((subject, first), f"b{i}", first))
            (implied if k <= taught_subjects else asked).append(Statement((subject, second), f"c{i}", second))
    task = build_task("implication", [*know, *implied], asked)
    number = {context: a for a, context in enumerate(task.contexts)}
    token = {name: x for x, name in enumerate(task.tokens)}

    def pair(statement: Statement) -> tuple[int, int]:
        return number[tuple(token[n] for n in statement.context)], token[statement.target]

    knows = {s.context[0]: pair(s) for s in know}
    return Variant(
        task,
        tuple(
            Asked(pair(s)[0], (token[s.target],), (knows[s.context[0]],), f"{' + '.join(s.context)} → {s.target}")
            for s in asked
        ),
    )


def _implication_bridge(statements: Sequence[Statement], questions: Sequence[Statement]) -> Iterator[Statement]:
    """[a, r'] -> a and [b, r] -> b for every question [b, r'] -> a that follows from [a, r] -> b."""
    if any(len(q.context) < 2 for q in questions):
        raise BadInput(
            "--data identity-bridge-as-implication: its statements tell the relations apart, so the relation must be a "
            "part of the context; give --context entity+relation"
        )
    relations = {(s.context[0], s.target): s.relation for s in statements}
    for q in questions:
        a, b = q.target, q.context[0]
        if (a, b) in relations:
            yield Statement((a, q.relation), a, q.relation)
            yield Statement((b, relations[a, b]), b, relations[a, b])


def _new_names(task: Task, stem: str, first: int = 0) -> Iterator[str]:
    """Names that the task does not know: the stem with a number, and without one in place of zero."""
    return (name for n in count(first) if (name := f"{stem}{n or ''}") not in task.tokens)


def _asked(built: Task, statements: Sequence[Statement], questions: Sequence[Statement]) -> tuple[Asked, ...]:
    """The questions with the premises that they had before anything was added, in the numbers of the built task."""
    before = build_task(built.name, statements, questions)
    token = {name: x for x, name in enumerate(built.tokens)}
    number = {context: a for a, context in enumerate(built.contexts)}

    def context(a: int) -> int:
        return number[tuple(token[before.tokens[t]] for t in before.contexts[a])]

    trained = set(zip(built.train_context.tolist(), built.train_target.tolist(), strict=True))
    found = []
    for q in asked_of(before):
        answers = tuple(token[before.tokens[x]] for x in q.answers)
        premises = tuple((context(a), token[before.tokens[b]]) for a, b in q.premises)
        taught = any((context(q.context), x) in trained for x in answers)
        found.append(Asked(context(q.context), answers, premises, q.name, taught))
    return tuple(found)

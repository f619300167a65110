"""The corpus of a file of facts: each trained statement is a sentence of subject, relation and object.

One token for each distinct string, and one for each relation and for its inverse, which asks from object to subject.
"""

from collections.abc import Sequence

import numpy as np

from theory.counting import count_of
from theory.facts import Fact, chain_task_from_facts, inverse, reversal_task_from_facts
from theory.task import CHAIN, Task
from validation.experiments.corpora import TRAINED_SHARE
from validation.experiments.corpus import RELATION, UNUSED, Corpus, CorpusError, Panel, assemble

ENTITY = "entity"
SHOWN = 20
Pair = tuple[int, int]
Sentence = tuple[int, int, int]


def _kinds(task: Task, relations: set[int], facts: Sequence[Fact]) -> list[str]:
    """Of the task's tokens: entities, and relations, those among them that no sentence uses."""
    entities = {name for fact in facts for name in (fact.subject, fact.object)}
    return [
        ENTITY if name in entities and number not in relations else RELATION for number, name in enumerate(task.tokens)
    ]


def _readings(task: Task, facts: Sequence[Fact]) -> dict[Sentence, Sentence]:
    """For each reading of a fact that is not trained, the one that is."""
    number = {name: n for n, name in enumerate(task.tokens)}
    found = {}
    for fact in facts:
        forward = number[fact.subject], number[fact.relation], number[fact.object]
        backward = number[fact.object], number[inverse(fact.relation)], number[fact.subject]
        if fact.direction == "forward":
            found[backward] = forward
        elif fact.direction == "backward":
            found[forward] = backward
    return found


def _padded(task: Task, unused: int) -> tuple[str, ...]:
    """The task's tokens with as many unused ones behind them."""
    return (*task.tokens, *(f"unused{i + 1}" for i in range(unused)))


def reversal_fact_corpus(facts: Sequence[Fact], name: str, control: bool) -> Corpus:
    """Each fact trained in its named directions, the other ones asked; the same for every seed.

    Self-facts and pairs that another row trains are no queries (see `theory.facts`). With `control` the vocabulary has
    an unused token for each held-out statement. Raises CorpusError where nothing is held out.
    """
    task = reversal_task_from_facts(facts, "entity+relation", name)
    train = [_sentence(task, int(a), int(b)) for a, b in zip(task.train_context, task.train_target, strict=True)]
    asked = [(q.context, x) for q in task.queries for x in q.answers]
    if not asked:
        raise CorpusError(f"{name}: every stated direction is trained, so nothing is held out to ask")
    test = [_sentence(task, a, b) for a, b in asked]
    # a prompt that is trained with another answer teaches that the held-out one is wrong: no question
    prompts = {s[:2] for s in train}
    test = [s for s in test if s[:2] not in prompts]
    contradicted = len(asked) - len(test)
    if not test:
        raise CorpusError(f"{name}: every held-out question is trained with other answers, so nothing is left to ask")
    relations = {s[1] for s in (*train, *test)}
    place, trained_reading = {s: n for n, s in enumerate(train)}, _readings(task, facts)
    premises = [(place[trained_reading[s]],) for s in test]
    never = sorted({s[1] for s in test} - {s[1] for s in train})
    names = tuple(task.tokens[relation] for relation in never)
    notes = [f"no row trains {n}, which held-out questions ask by: a model cannot know this token" for n in names]
    if contradicted:
        notes.append(
            f"{count_of(contradicted, 'held-out answer is', 'held-out answers are')} not asked: "
            f"{'its question is' if contradicted == 1 else 'their questions are'} trained with other answers"
        )
    unused = len(test) if control else 0
    tokens, kinds = _padded(task, unused), _kinds(task, relations, facts) + [UNUSED] * unused
    panels = tuple(_panels(task, train, test))
    return assemble(name, tokens, kinds, train, test, 1, premises, panels, task.train_weight, tuple(notes), names)


def chain_fact_corpus(facts: Sequence[Fact], name: str, seed: int) -> Corpus:
    """Rows a -> b and b -> c as they are trained, and a ~> c for 70 % of the chains; the others are asked.

    A file rarely says a ~> c; without a trained share the token ~> would mean nothing. Which chains are asked is drawn
    from `seed`, by first entity, so that each question has all of its answers held out. Raises CorpusError where
    fewer than two first entities have chains.
    """
    task = chain_task_from_facts(facts, "entity+relation", name)
    tokens = (*task.tokens, CHAIN)
    chain = len(task.tokens)
    rows = [_sentence(task, int(a), int(b)) for a, b in zip(task.train_context, task.train_target, strict=True)]
    following: dict[int, list[int]] = {}
    for n, (first, _, _) in enumerate(rows):
        following.setdefault(first, []).append(n)
    stated = {(s[0], s[2]) for s in rows}
    links: dict[Pair, Pair] = {}
    for n, (first, _, middle) in enumerate(rows):
        for after in following.get(middle, ()):
            end = rows[after][2]
            if end != first and (first, end) not in stated:
                links.setdefault((first, end), (n, after))
    starts = sorted({first for first, _ in links})
    trained = set(np.random.default_rng([seed, 4]).permutation(starts)[: round(TRAINED_SHARE * len(starts))].tolist())
    if len(trained) in (0, len(starts)):
        raise CorpusError(
            f"{name}: chains start at {count_of(len(starts), 'entity', 'entities')}; some must be trained and some "
            "asked"
        )
    test = [(first, chain, end) for first, end in links if first not in trained]
    asked = {(s[0], s[2]) for s in test}
    # c ~> a would give away that a ~> c, where rows are trained both ways
    conclusions = [(first, chain, end) for first, end in links if first in trained and (end, first) not in asked]
    if not conclusions:
        raise CorpusError(f"{name}: every chain that could be trained is the reversal of one that is asked")
    premises = [links[first, end] for first, _, end in test]
    weight = np.concatenate([task.train_weight, np.full(len(conclusions), task.train_weight.mean())])
    relations = {s[1] for s in (*rows, *test)}
    kinds = [*_kinds(task, relations, facts), RELATION]
    notes = (
        f"{len(conclusions):,} of {count_of(len(links), 'chain')} of the file "
        f"{'is' if len(conclusions) == 1 else 'are'} trained as {CHAIN}, the others are asked",
    )
    return assemble(name, tokens, kinds, rows + conclusions, test, 1, premises, (), weight, notes)


def _sentence(task: Task, context: int, target: int) -> Sentence:
    """Subject, relation, object in token numbers."""
    subject, relation = task.contexts[context]
    return subject, relation, target


def _panels(task: Task, train: list[Sentence], test: list[Sentence]) -> list[Panel]:
    """The two relation tokens most often asked by, some facts trained that way and some not."""
    asked = [s[1] for s in test]
    found = []
    for relation in sorted(set(asked), key=lambda r: -asked.count(r))[:2]:
        trained = [s for s in train if s[1] == relation][:SHOWN]
        held_out = [s for s in test if s[1] == relation][:SHOWN]
        shown = np.array(trained + held_out)
        seen = np.arange(len(shown)) < len(trained)
        found.append(Panel(f"object after {task.tokens[relation]}", shown[:, :2], shown[:, 2:], seen))
    return found

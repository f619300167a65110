"""What a guess is worth that knows the relation of a question and nothing of its subject.

Two guesses compete: uniform among all answers of the relation, held-out ones included, and the trained answers of the
relation as often as they are trained. A model that has learnt the sort of an answer, or that one answer is frequent,
does no better than these without having learnt the fact.
"""

from collections import Counter, defaultdict

import numpy as np

from validation.experiments.corpus import Corpus

Tokens = tuple[int, ...]


def guesses(corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """For each question the probability of a right guess, drawn and by always giving the most frequent answer.

    Both (questions,): `drawn` the better of the two guesses above, for losses; `best` at least that, and one where the
    answer that is trained most often with the relation is right, for counts.
    """
    k = corpus.answer_length
    trained: dict[int, Counter[Tokens]] = defaultdict(Counter)
    candidates: dict[int, set[Tokens]] = defaultdict(set)
    for sentence, weight in zip(corpus.train, corpus.weight, strict=True):
        relation, answer = int(sentence[-k - 1]), tuple(sentence[-k:].tolist())
        trained[relation][answer] += weight
        candidates[relation].add(answer)
    right: dict[int, set[Tokens]] = defaultdict(set)
    relation_of: dict[int, int] = {}
    for sentence, question in zip(corpus.test, corpus.question.tolist(), strict=True):
        relation_of[question] = int(sentence[-k - 1])
        right[question].add(tuple(sentence[-k:].tolist()))
        candidates[relation_of[question]].add(tuple(sentence[-k:].tolist()))
    drawn, best = np.empty(len(right)), np.empty(len(right))
    for question, answers in right.items():
        relation = relation_of[question]
        of_relation = trained[relation]
        uniform = len(answers) / len(candidates[relation])
        as_trained = sum(of_relation[a] for a in answers) / of_relation.total() if of_relation else 0.0
        drawn[question] = max(uniform, as_trained)
        modal = bool(of_relation) and of_relation.most_common(1)[0][0] in answers
        best[question] = 1.0 if modal else drawn[question]
    return drawn, best

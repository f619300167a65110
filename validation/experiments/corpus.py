"""A corpus: sentences of one length to train on, held-out sentences to ask, and what is needed to judge the answers.

Conventions:
- A sentence is a prompt and its answer, the last `answer_length` tokens; the relation token is part of the prompt.
- K training sentences, Q held-out ones, sentences of T tokens, a vocabulary of m tokens.
- Held-out sentences with one prompt have several right answers: they share a number in `question`, and the score of
  the question is -log of their summed probability.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from theory.counting import count_of
from theory.errors import BadInput

RELATION, UNUSED, CONTROL = "relation", "unused", "control"


class CorpusError(BadInput):
    """A corpus that cannot be built; the message says what was expected, what came and what to do."""


@dataclass(frozen=True, eq=False)
class Panel:
    """Prompts and candidate answers, n each, number i belonging together; `seen` (n,) where that pair was trained.

    Prompts (n, T - answer length) end in the relation token: asked without it, a model answers another question.
    """

    title: str
    prompts: np.ndarray
    answers: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True, eq=False)
class Corpus:
    """Sentences in token numbers, `train` (K, T) and `test` (Q, T).

    `kinds` (m,) names the sort of each token (A, B, relation, ...); `weight` (K,) has mean one; `question` (Q,) numbers
    the prompts of `test` from 0; `premises` (Q, P) are the training sentences that state a held-out fact otherwise: its
    reversal, or the links of its chain; `never_trained` the relations that questions ask by and no sentence trains.
    Raises CorpusError where nothing is trained, ValueError on wrong shapes.
    """

    name: str
    tokens: tuple[str, ...]
    kinds: np.ndarray
    train: np.ndarray
    test: np.ndarray
    answer_length: int
    premises: np.ndarray
    panels: tuple[Panel, ...]
    weight: np.ndarray
    question: np.ndarray
    notes: tuple[str, ...] = ()
    never_trained: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.train):
            raise CorpusError(f"{self.name}: nothing is trained; give at least one statement to train on")
        if self.train.shape[1] != self.test.shape[1] or not 0 < self.answer_length < self.train.shape[1]:
            raise ValueError("training and held-out sentences must have one length, longer than the answer")
        if len(self.premises) != len(self.test) or len(self.question) != len(self.test):
            raise ValueError("premises and questions must have one row for each held-out sentence")
        if self.weight.shape != (len(self.train),) or not np.isclose(self.weight.mean(), 1.0):
            raise ValueError("weights must have one entry for each training sentence, with mean one")

    @property
    def vocabulary_size(self) -> int:
        """m, relation tokens and unused ones included."""
        return len(self.tokens)

    @cached_property
    def floor(self) -> float:
        """The conditional entropy of the answers given their prompts, over training sentences by weight."""
        prompts: dict[bytes, list[int]] = {}
        for n, sentence in enumerate(self.train):
            prompts.setdefault(sentence[: -self.answer_length].tobytes(), []).append(n)
        nll = np.zeros(len(self.train))
        for numbers in prompts.values():
            share = self.weight[numbers] / self.weight[numbers].sum()
            nll[numbers] = -np.log(share)
        return float((self.weight * nll).mean())

    @property
    def length(self) -> int:
        """T, tokens of a sentence."""
        return int(self.train.shape[1])

    @property
    def answer_kind(self) -> np.ndarray:
        """Boolean (Q, answer length, m): the tokens of the same sort as the right answer's token in that place."""
        answers = self.test[:, -self.answer_length :]
        return np.asarray(self.kinds[answers][..., None] == self.kinds)

    @property
    def trained_elsewhere(self) -> bool:
        """Whether some held-out answer is also the answer of a training sentence."""
        trained, held_out = (
            {tuple(s[-self.answer_length :].tolist()) for s in part} for part in (self.train, self.test)
        )
        return not trained.isdisjoint(held_out)

    @property
    def kind_numbers(self) -> np.ndarray:
        """The sort of each token as a number, (m,)."""
        return np.asarray(np.unique(self.kinds, return_inverse=True)[1])

    @property
    def digest(self) -> str:
        """A fingerprint of everything that training and scoring read."""
        found = hashlib.sha256(repr((self.tokens, self.answer_length)).encode())
        for array in (self.train, self.test, self.weight, self.question):
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def sentence(self, tokens: np.ndarray) -> str:
        """A sentence as a person reads it."""
        return " ".join(self.tokens[t] for t in tokens)


def assemble(
    name: str,
    tokens: tuple[str, ...],
    kinds: list[str],
    train: Sequence[tuple[int, ...]],
    test: Sequence[tuple[int, ...]],
    answer_length: int,
    premises: Sequence[tuple[int, ...]],
    panels: tuple[Panel, ...] = (),
    weight: np.ndarray | None = None,
    notes: tuple[str, ...] = (),
    never_trained: tuple[str, ...] = (),
) -> Corpus:
    """A corpus from lists of sentences; held-out sentences with one prompt become one question."""
    length = len((*train, *test, ())[0])
    numbers: dict[tuple[int, ...], int] = {}
    question = [numbers.setdefault(s[: length - answer_length], len(numbers)) for s in test]
    most = max((len(p) for p in premises), default=0)
    if any(len(p) != most for p in premises):
        raise ValueError("every held-out sentence must have the same number of premises")
    return Corpus(
        name,
        tokens,
        np.array(kinds),
        np.array(train, dtype=np.int64).reshape(len(train), length),
        np.array(test, dtype=np.int64).reshape(len(test), length),
        answer_length,
        np.array(premises, dtype=np.int64).reshape(len(test), most),
        panels,
        np.ones(len(train)) if weight is None else weight / weight.mean(),
        np.array(question, dtype=np.int64),
        notes,
        never_trained,
    )


def with_control(corpus: Corpus, rng: np.random.Generator) -> Corpus:
    """The corpus with extra sentences in which every held-out answer is also a trained answer of the same relation.

    In the plain reversal task a held-out answer is never the answer of any training sentence, so that it is only ever
    pushed down as an answer, and a loss above log V says nothing about reversal alone. Each extra prompt is a new
    entity of unused tokens.
    Raises CorpusError where too few tokens are unused.
    """
    k = corpus.answer_length
    free = np.flatnonzero(corpus.kinds == UNUSED)
    subject_length = corpus.length - k - 1
    needed = len(corpus.test) * subject_length
    if len(free) < needed:
        raise CorpusError(
            f"the control needs {count_of(needed, 'unused token')} for new entities, the vocabulary has {len(free)}; "
            "give a larger --vocabulary, or --no-control"
        )
    subjects = rng.permutation(free)[:needed].reshape(len(corpus.test), subject_length)
    extra = np.concatenate([subjects, corpus.test[:, subject_length:]], axis=1)
    kinds = corpus.kinds.copy()
    kinds[subjects] = CONTROL
    return replace(
        corpus,
        name=f"{corpus.name} with control",
        kinds=kinds,
        train=np.concatenate([corpus.train, extra]),
        weight=np.ones(len(corpus.train) + len(extra)) if (corpus.weight == 1).all() else _extended(corpus, len(extra)),
    )


def _extended(corpus: Corpus, count: int) -> np.ndarray:
    """The weights with as many ones behind them, scaled to mean one again."""
    weight = np.concatenate([corpus.weight, np.ones(count)])
    return np.asarray(weight / weight.mean())

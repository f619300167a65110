"""What is read off a transformer in eval mode: probabilities of whole answers, ranks, masses, and what was gained.

Shapes: S seeds, Q sentences, k tokens of an answer, m tokens of the vocabulary. Log-probabilities are natural and in
double precision; an answer's is the sum over its tokens, each given the right ones before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import logsumexp
from torch import Tensor
from torch.nn import functional

from numerics.index import Index, index_of, log_odds
from validation.experiments.corpus import Corpus, Panel
from validation.experiments.model import Transformer

LOGITS_AT_ONCE = 4_000_000  # of all seeds: bounds memory
Odds = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Scores:
    """By token of the answer, (S, Q, k): `log_probability`, `rank` (1 is best), `mass` on tokens of the right sort."""

    log_probability: np.ndarray
    rank: np.ndarray
    mass: np.ndarray

    @property
    def whole(self) -> np.ndarray:
        """log p of the whole answer, (S, Q)."""
        return np.asarray(self.log_probability.sum(axis=-1))

    @property
    def right(self) -> np.ndarray:
        """Whether every token of the answer is the likeliest one, (S, Q)."""
        return np.asarray((self.rank == 1).all(axis=-1))


@torch.no_grad()
def score(model: Transformer, sentences: np.ndarray, answer_length: int, kinds: np.ndarray | None) -> Scores:
    """Score the answers of sentences (S, Q, T); `kinds` (S, m) numbers the sorts of tokens, for the mass."""
    was_training = model.training
    model.train(False)
    seeds, count, _ = sentences.shape
    device = model.embedding.device
    together = max(LOGITS_AT_ONCE // (seeds * answer_length * model.shape.vocabulary), 1)
    found: list[tuple[np.ndarray, ...]] = []
    for first in range(0, count, together):
        part = torch.as_tensor(sentences[:, first : first + together], device=device)
        log_p = functional.log_softmax(model(part[:, :, :-1], answer_length).double(), dim=-1)  # (S, B, k, m)
        own = log_p.gather(-1, part[:, :, -answer_length:, None])  # (S, B, k, 1)
        # a tie counts against the answer, so that equal logits are no right answer
        rank = (log_p >= own).sum(-1)
        mass = torch.zeros_like(own[..., 0])
        if kinds is not None:
            kind = torch.as_tensor(kinds, device=device)
            of_answer = kind.gather(1, part[:, :, -answer_length:].flatten(1)).view(mass.shape)  # (S, B, k)
            mass = (log_p.exp() * (of_answer[..., None] == kind[:, None, None])).sum(-1)
        found.append(tuple(x.cpu().numpy() for x in (own[..., 0], rank, mass)))
    model.train(was_training)
    empty = np.empty((seeds, 0, answer_length))
    parts = zip(*found, strict=True) if found else ((empty,), (empty,), (empty,))
    return Scores(*(np.concatenate(part, axis=1) for part in parts))


def by_question(values: np.ndarray, question: np.ndarray) -> np.ndarray:
    """log p of any right answer of each question, (S, Q) -> (S, questions)."""
    count = int(question.max(initial=-1)) + 1
    if count == values.shape[1]:
        return values[:, np.argsort(question)]
    return np.stack([logsumexp(values[:, question == q], axis=1) for q in range(count)], axis=1)


def any_right(right: np.ndarray, question: np.ndarray) -> np.ndarray:
    """Whether one of the right answers of each question comes first, (S, Q) -> (S, questions)."""
    count = int(question.max(initial=-1)) + 1
    return np.stack([right[:, question == q].any(axis=1) for q in range(count)], axis=1)


def sentence_odds(log_probability: np.ndarray) -> np.ndarray:
    """log p - log(1 - p) of sentences; p is kept off 1 by the rounding of a double."""
    return log_odds(log_probability, np.finfo(float).eps)


def sentence_indices(start: Odds, end: Odds, corpora: Sequence[Corpus]) -> list[Index]:
    """The index of each seed, from the log-odds of trained (S, K) and held-out (S, Q) sentences at two evaluations.

    The answers of one question add their probabilities. Its premises are those of all of them: for a reversal the fact
    in its trained direction, for a chain its two links.
    """
    found = []
    for s, corpus in enumerate(corpora):
        questions = range(int(corpus.question.max(initial=-1)) + 1 if corpus.premises.shape[1] else 0)
        (train_start, test_start), (train_end, test_end) = ((train[s], test[s]) for train, test in (start, end))
        own = [corpus.question == q for q in questions]
        answer = [_summed_odds(test_end[o]) - _summed_odds(test_start[o]) for o in own]
        forward = [(train_end - train_start)[np.unique(corpus.premises[o])].mean() for o in own]
        found.append(index_of(np.array(answer), np.array(forward)))
    return found


def _summed_odds(odds: np.ndarray) -> float:
    """The log-odds of the sum of the probabilities whose log-odds are given, (answers,)."""
    if len(odds) == 1:
        return float(odds[0])
    return float(sentence_odds(logsumexp(-np.logaddexp(0.0, -odds))))


def panel_matrix(model: Transformer, panel: Panel, seed: int) -> np.ndarray:
    """log p of each candidate answer after each prompt for one of the seeds, (n, n), asked with the relation token."""
    n, k = panel.answers.shape
    prompts = np.repeat(panel.prompts, n, axis=0)  # (n, T - k) -> (n n, T - k)
    sentences = np.concatenate([prompts, np.tile(panel.answers, (n, 1))], axis=1)
    # the model takes all seeds at once: the others see the same sentences
    everywhere = np.broadcast_to(sentences, (model.embedding.shape[0], *sentences.shape))
    return score(model, everywhere.copy(), k, None).whole[seed].reshape(n, n)


def cosine_matrix(model: Transformer, panel: Panel, seed: int) -> np.ndarray | None:
    """Cosines between embeddings of the panel's subjects and those of its answers, (n, n); None for long entities."""
    if panel.answers.shape[1] > 1 or panel.prompts.shape[1] != 2:
        return None
    table: Tensor = functional.normalize(model.embedding[seed].detach().double(), dim=-1)
    return np.asarray((table[panel.prompts[:, 0]] @ table[panel.answers[:, 0]].T).cpu().numpy())

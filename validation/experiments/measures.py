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

from validation.experiments.corpus import Corpus, Panel
from validation.experiments.model import Transformer

LOGITS_AT_ONCE = 4_000_000  # of all seeds: bounds memory
# Below this many nats of log-odds gained by what was trained, a quotient with it says nothing.
SMALLEST_GAIN = 1.0


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


def log_odds(log_probability: np.ndarray) -> np.ndarray:
    """log p - log(1 - p); p is kept off 1 by the rounding of a double."""
    return np.asarray(log_probability - np.log(np.maximum(-np.expm1(log_probability), np.finfo(float).eps)))


def gain_index(test: np.ndarray, train: np.ndarray, corpora: Sequence[Corpus]) -> np.ndarray:
    """Mean over held-out sentences of log-odds gained by them over log-odds gained by their premises, (S,).

    `test` (S, Q) and `train` (S, K) are log-odds gained since the start. The premise of a reversal is the fact in its
    trained direction; those of a chain are its two links, of which the mean counts. nan until every premise has gained
    SMALLEST_GAIN, and where there are none.
    """
    found = np.full(len(test), np.nan)
    for s, corpus in enumerate(corpora):
        if corpus.premises.shape[1]:
            premise = train[s][corpus.premises].mean(axis=1)  # (K,) -> (Q, P) -> (Q,)
            if premise.min() > SMALLEST_GAIN:
                found[s] = (test[s] / premise).mean()
    return found


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

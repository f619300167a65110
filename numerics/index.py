"""The index of a set of questions: how much of what was learnt forwards is answered backwards; 0 cursed, 1 lifted.

For each question, (log-odds gained by its right answers) / (mean log-odds gained by its premises), log-odds = log p -
log(1 - p); the index is the mean over questions. Gains are taken from the change of the logits, so that they keep their
digits where an untrained row moves by 1e-10 only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, logsumexp

from numerics.observables import log_mean_exp
from theory.opposites import Asked


@dataclass(frozen=True)
class Gains:
    """Of Q questions at one state: log-odds gained by answers and by premises, and the same of logits, each (Q,).

    `logit` is the change of the answer's logit as it is, `premise_logit` that of its premises; `centred_logit` and
    `centred_premise_logit` take the mean of the row from each, as a softmax does not see it.
    """

    answer: np.ndarray
    premise: np.ndarray
    logit: np.ndarray
    premise_logit: np.ndarray
    centred_logit: np.ndarray
    centred_premise_logit: np.ndarray

    def index(self, of: np.ndarray | slice = slice(None)) -> float:
        """The mean of answer over premise, for the questions `of`; nan where there are none."""
        return _mean_ratio(self.answer[of], self.premise[of])

    def logit_index(self, of: np.ndarray | slice = slice(None)) -> float:
        """The same of logits as they are: one exactly for a symmetric Theta."""
        return _mean_ratio(self.logit[of], self.premise_logit[of])

    def centred_logit_index(self, of: np.ndarray | slice = slice(None)) -> float:
        """The same of logits less the mean of their row."""
        return _mean_ratio(self.centred_logit[of], self.centred_premise_logit[of])


def gains(asked: Sequence[Asked], initial_logits: np.ndarray, change: np.ndarray) -> Gains:
    """Gains of every question from S(0) and S - S(0), both (contexts, m)."""
    centred = change - change.mean(axis=1, keepdims=True)

    def answers(matrix: np.ndarray) -> np.ndarray:
        return np.array([matrix[q.context, list(q.answers)].mean() for q in asked])

    def premises(matrix: np.ndarray) -> np.ndarray:
        return np.array([np.mean([matrix[a, b] for a, b in q.premises]) for q in asked])

    return Gains(
        answer=np.array([log_odds_gain(initial_logits[q.context], change[q.context], q.answers) for q in asked]),
        premise=np.array(
            [np.mean([log_odds_gain(initial_logits[a], change[a], (b,)) for a, b in q.premises]) for q in asked]
        ),
        logit=answers(change),
        premise_logit=premises(change),
        centred_logit=answers(centred),
        centred_premise_logit=premises(centred),
    )


def log_odds_gain(initial: np.ndarray, change: np.ndarray, answers: Sequence[int]) -> float:
    """The change of log p - log(1 - p) of the summed probability of `answers` in one row (m,), accurate when small."""
    right = np.zeros(len(initial), dtype=bool)
    right[list(answers)] = True
    among = log_mean_exp(np.where(right, initial, -np.inf)[None], change[None])
    others = log_mean_exp(np.where(right, -np.inf, initial)[None], change[None])
    return float((among - others)[0])


@dataclass(frozen=True)
class Answers:
    """How each of Q questions is answered at one state: p of the right answers, and of the best rival, each (Q,).

    A rival is a token that no statement trains for that context and that is not right; `first` says whether a right
    answer is the likeliest of all tokens that were never trained there.
    """

    probability: np.ndarray
    rival: np.ndarray
    first: np.ndarray


def answers_of(asked: Sequence[Asked], logits: np.ndarray, trained: np.ndarray) -> Answers:
    """Read the answers off S (contexts, m); `trained` (contexts, m) is true where a pair is trained."""
    log_probability = log_softmax(logits, axis=1)
    right, rival = np.empty(len(asked)), np.empty(len(asked))
    for n, q in enumerate(asked):
        row = log_probability[q.context]
        others = ~trained[q.context]
        others[list(q.answers)] = False
        right[n] = logsumexp(row[list(q.answers)])
        rival[n] = row[others].max(initial=-np.inf)
    return Answers(np.exp(right), np.exp(rival), right > rival)


def _mean_ratio(upper: np.ndarray, lower: np.ndarray) -> float:
    if not len(upper):
        return float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):  # of premises that gained nothing there is no index
        return float(np.mean(upper / lower))

"""The index: how much of what was learnt forwards is answered backwards; 0 cursed, 1 lifted. The one implementation.

For each question, (log-odds gained by its right answers) / (log-odds gained forwards), log-odds = log p - log(1 - p), p
the summed probability where several answers are right. What is gained forwards is the mean over the premises of the
question: the fact in its trained direction for a reversal, both links for a chain, those of all answers and of all
middles where there are several. The index is the mean of these ratios. A question that has no forward gain, zero or
less, has no ratio: it is left out of the mean, and counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, logsumexp

from numerics.observables import log_mean_exp
from numerics.trajectory import Trajectory
from theory.opposites import Asked, asked_of
from theory.task import Task


@dataclass(frozen=True)
class Index:
    """The mean of the ratios, nan where there are none; how many questions have one, and how many have none."""

    value: float
    questions: int
    without: int


def ratios(answer: np.ndarray, forward: np.ndarray) -> np.ndarray:
    """Answer over forward gain of each question, (Q,); nan where the forward gain is not positive."""
    gained = forward > 0.0
    return np.where(gained, answer / np.where(gained, forward, 1.0), np.nan)


def index_of(answer: np.ndarray, forward: np.ndarray) -> Index:
    """The index of Q questions from what their answers and their premises gained, both (Q,)."""
    found = ratios(answer, forward)
    known = np.isfinite(found)
    return Index(mean_of_known(found), int(known.sum()), int((~known).sum()))


def mean_of_known(values: Iterable[float]) -> float:
    """The mean of the values that are numbers, nan where none is: over seeds of which some may have no index."""
    known = [x for x in values if np.isfinite(x)]
    return float(np.mean(known)) if known else float("nan")


@dataclass(frozen=True)
class SeedIndices:
    """The index of each seed, and what is said of all of them together."""

    by_seed: tuple[Index, ...]

    @property
    def mean(self) -> float:
        """The mean over the seeds that have an index."""
        return mean_of_known(index.value for index in self.by_seed)

    @property
    def questions(self) -> int:
        """How many questions have a ratio, over all seeds."""
        return sum(index.questions for index in self.by_seed)

    @property
    def without(self) -> int:
        """How many have none, as nothing was gained forwards."""
        return sum(index.without for index in self.by_seed)


def log_odds(log_probability: np.ndarray, resolution: float = np.finfo(float).tiny) -> np.ndarray:
    """log p - log(1 - p) of log p; 1 - p is taken for no smaller than `resolution`, that of log p near zero."""
    return np.asarray(log_probability - np.log(np.maximum(-np.expm1(log_probability), resolution)))


def seed_indices(task: Task, trajectories: Sequence[Trajectory]) -> SeedIndices:
    """The index at the last time of each trajectory of the task, by what was gained since its first time."""
    asked = asked_of(task)
    number = {
        pair: k for k, pair in enumerate(zip(task.train_context.tolist(), task.train_target.tolist(), strict=True))
    }
    premises = [[number[pair] for pair in q.premises] for q in asked]
    query = {q.context: k for k, q in enumerate(task.queries)}
    place = {pair: k for k, pair in enumerate((q.context, x) for q in task.queries for x in q.answers)}

    def asked_odds(trajectory: Trajectory, time: int) -> np.ndarray:
        odds, alone = log_odds(trajectory.query_log_probability[time]), trajectory.answer_log_probability
        found = odds[[query[q.context] for q in asked]]
        for n, q in enumerate(asked):
            if q.answers != task.queries[query[q.context]].answers:  # some right answers follow from nothing
                if alone is None:
                    raise ValueError("the answers of a query do not all follow: their own probabilities are needed")
                found[n] = log_odds(logsumexp(alone[time, [place[q.context, x] for x in q.answers]]))
        return found

    def of_seed(trajectory: Trajectory) -> Index:
        trained = log_odds(trajectory.train_log_probability[-1]) - log_odds(trajectory.train_log_probability[0])
        answer = asked_odds(trajectory, -1) - asked_odds(trajectory, 0)
        return index_of(answer, np.array([trained[pairs].mean() for pairs in premises]))

    return SeedIndices(tuple(map(of_seed, trajectories)))


@dataclass(frozen=True)
class Gains:
    """Of Q questions at one state: log-odds gained by answers and by premises, and the same of logits, each (Q,).

    Taken from the change of the logits, so that they keep their digits where an untrained row moves by 1e-10 only.
    `logit` is the change of the answer's logit as it is, `premise_logit` that of its premises; `centred_logit` and
    `centred_premise_logit` take the mean of the row from each, as a softmax does not see it.
    """

    answer: np.ndarray
    premise: np.ndarray
    logit: np.ndarray
    premise_logit: np.ndarray
    centred_logit: np.ndarray
    centred_premise_logit: np.ndarray

    @property
    def ratios(self) -> np.ndarray:
        """Answer over premise of each question, (Q,)."""
        return ratios(self.answer, self.premise)

    def index(self, of: np.ndarray | slice = slice(None)) -> Index:
        """The index of the questions `of`."""
        return index_of(self.answer[of], self.premise[of])

    def logit_index(self, of: np.ndarray | slice = slice(None)) -> Index:
        """The same of logits as they are: one exactly for a symmetric Theta."""
        return index_of(self.logit[of], self.premise_logit[of])

    def centred_logit_index(self, of: np.ndarray | slice = slice(None)) -> Index:
        """The same of logits less the mean of their row."""
        return index_of(self.centred_logit[of], self.centred_premise_logit[of])


def gains(asked: Sequence[Asked], initial_logits: np.ndarray, change: np.ndarray) -> Gains:
    """Gains of every question from S(0) and S - S(0), both (contexts, m)."""
    centred = change - change.mean(axis=1, keepdims=True)

    def answers(matrix: np.ndarray) -> np.ndarray:
        return np.array([matrix[q.context, list(q.answers)].mean() for q in asked])

    def premises(matrix: np.ndarray) -> np.ndarray:
        return np.array([np.mean([matrix[a, b] for a, b in q.premises]) for q in asked])

    return Gains(
        answer=np.array([log_odds_gain(initial_logits[q.context], change[q.context], q.answers) for q in asked]),
        premise=np.array([forward_gain(q, initial_logits, change) for q in asked]),
        logit=answers(change),
        premise_logit=premises(change),
        centred_logit=answers(centred),
        centred_premise_logit=premises(centred),
    )


def forward_gain(question: Asked, initial_logits: np.ndarray, change: np.ndarray) -> float:
    """The mean log-odds gained by the premises of a question."""
    gained = [log_odds_gain(initial_logits[a], change[a], (b,)) for a, b in question.premises]
    return float(np.mean(gained))


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

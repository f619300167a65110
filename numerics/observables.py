"""What is read off a state of the model: losses, log-probabilities and logit changes, to full accuracy.

Two subtractions would lose everything that this project tests, and both are avoided here:
- late in training 1 - p is 1e-12, so -log p is taken from the complement, log(1 + sum over the other tokens);
- at a huge embedding dimension an untrained row moves by 1e-10: ratios of losses come from the change itself.
Logits are rows over the vocabulary, shape (contexts, m), contexts in the order of the task.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, softmax

from numerics.trajectory import ErrorBound, Source, Trajectory
from theory.task import Task

# Below this change of every logit log1p and expm1 are used; above it a difference loses at most one digit.
SMALL_CHANGE = 0.5


@dataclass(frozen=True)
class Observation:
    """One time of a Trajectory: the fields of trained pairs have shape (K,), those of queries (Q,).

    `answer_log_probability` is of each answer by itself, query by query, (answers,).
    """

    loss: float
    reversal_loss: float
    train_log_probability: np.ndarray
    query_log_probability: np.ndarray
    trained_logit_change: np.ndarray
    query_logit_change: np.ndarray
    answer_log_probability: np.ndarray


def observe(task: Task, initial_logits: np.ndarray, logit_change: np.ndarray) -> Observation:
    """Losses (nats), log-probabilities and centred logit changes of the state S(0) + dS.

    `initial_logits` S(0) and `logit_change` dS have shape (contexts, m). The loss is sum_k w_k (-log p_k);
    the reversal loss is the plain mean over queries, nan when the task asks nothing. Raises ValueError on
    another shape.
    """
    _check_shape(task, initial_logits, logit_change)
    train_rows, train_answers = task.train_context, _one_hot(task)
    query_rows, query_answers = _asked(task)
    nll_train = _negative_log_probability((initial_logits[train_rows] + logit_change[train_rows]), train_answers)
    asked_logits = initial_logits[query_rows] + logit_change[query_rows]
    nll_query = _negative_log_probability(asked_logits, query_answers)
    each = np.array([(n, x) for n, q in enumerate(task.queries) for x in q.answers], dtype=np.int64).reshape(-1, 2).T
    return Observation(
        loss=float(task.train_weight @ nll_train),
        reversal_loss=float(nll_query.mean()) if len(nll_query) else np.nan,
        train_log_probability=-nll_train,
        query_log_probability=-nll_query,
        trained_logit_change=_centred_change(logit_change[train_rows], train_answers),
        query_logit_change=_centred_change(logit_change[query_rows], query_answers),
        answer_log_probability=(asked_logits - logsumexp(asked_logits, axis=1, keepdims=True))[*each],
    )


def trajectory_of(
    observations: Sequence[Observation],
    *,
    source: Source,
    model: str,
    dimension: float | None,
    time: np.ndarray,
    logits: np.ndarray | None = None,
    error_bound: ErrorBound | None = None,
) -> Trajectory:
    """Stack one observation per time (`time` is step size x steps) into a Trajectory.

    `logits` (contexts, m) is the state at the last time. Raises ValueError when the counts differ.
    """
    if len(observations) != len(time):
        raise ValueError(f"expected one observation per time ({len(time)}), got {len(observations)}")
    return Trajectory(
        source=source,
        model=model,
        dimension=dimension,
        time=np.asarray(time, dtype=float),
        loss=np.array([o.loss for o in observations]),
        reversal_loss=np.array([o.reversal_loss for o in observations]),
        train_log_probability=np.stack([o.train_log_probability for o in observations]),
        query_log_probability=np.stack([o.query_log_probability for o in observations]),
        trained_logit_change=np.stack([o.trained_logit_change for o in observations]),
        query_logit_change=np.stack([o.query_logit_change for o in observations]),
        logits=logits,
        error_bound=error_bound,
        answer_log_probability=np.stack([o.answer_log_probability for o in observations]),
    )


def reversal_log_ratio(task: Task, initial_logits: np.ndarray, logit_change: np.ndarray) -> np.ndarray:
    """log(L_rev(t) / L_rev(0)), the left side of Theorem 1 (arXiv 2405.04669), from dS = S(t) - S(0).

    Relative accuracy is that of dS however small it is: with L_rev = mean of -log p,
    -log p(t) + log p(0) = log E_{p(0)}[e^dS] - log E_{p(0) given an answer}[e^dS], each a log1p of an average
    of expm1. nan when the task asks nothing. Shapes as in `observe`; changes at several times at once,
    (..., contexts, m), give as many ratios, (...,).
    """
    _check_shape(task, initial_logits, logit_change)
    rows, answers = _asked(task)
    if not len(rows):
        return np.full(logit_change.shape[:-2], np.nan)
    weight = np.full(len(rows), 1.0 / len(rows))
    return _log_ratio(initial_logits[rows], logit_change[..., rows, :], answers, weight)


def training_log_ratio(task: Task, initial_logits: np.ndarray, logit_change: np.ndarray) -> np.ndarray:
    """log(L(t) / L(0)) of the training loss, to the same accuracy and of the same shapes as `reversal_log_ratio`."""
    _check_shape(task, initial_logits, logit_change)
    rows = task.train_context
    return _log_ratio(initial_logits[rows], logit_change[..., rows, :], _one_hot(task), task.train_weight)


def _log_ratio(
    initial_logits: np.ndarray, logit_change: np.ndarray, answers: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """log of the weighted mean loss over rows at the end over that at the start, (...,).

    Initial logits and answers (R, m), changes (..., R, m), weight (R,).
    """
    start = weight @ _negative_log_probability(initial_logits, answers)
    gain = (
        log_mean_exp(initial_logits, logit_change)
        - log_mean_exp(np.where(answers, initial_logits, -np.inf), logit_change)
    ) @ weight
    near = np.abs(gain) < SMALL_CHANGE * start
    if near.all():
        return np.log1p(gain / start)
    end = _negative_log_probability(initial_logits + logit_change, answers) @ weight
    return np.where(near, np.log1p(np.where(near, gain, 0.0) / start), np.log(end / start))


def _check_shape(task: Task, initial_logits: np.ndarray, logit_change: np.ndarray) -> None:
    expected = (len(task.contexts), task.vocabulary_size)
    if initial_logits.shape != expected or logit_change.shape[-2:] != expected:
        raise ValueError(
            f"expected logits of shape (contexts, m) = {expected}, got {initial_logits.shape} and {logit_change.shape}"
        )


def _one_hot(task: Task) -> np.ndarray:
    """Boolean (K, m): the target of each trained pair."""
    return task.train_target[:, None] == np.arange(task.vocabulary_size)


def _asked(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """The context of each query (Q,) and its right answers, boolean (Q, m)."""
    rows = np.array([query.context for query in task.queries], dtype=np.int64)
    answers = np.zeros((len(rows), task.vocabulary_size), dtype=bool)
    for q, query in enumerate(task.queries):
        answers[q, list(query.answers)] = True
    return rows, answers


def _negative_log_probability(logits: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """-log of the summed probability of each row's answers, log(1 + e^(lse others - lse answers)).

    Logits (..., R, m), answers (R, m) -> (..., R).
    """
    right = logsumexp(np.where(answers, logits, -np.inf), axis=-1)
    wrong = logsumexp(np.where(answers, -np.inf, logits), axis=-1)
    return np.logaddexp(0.0, wrong - right)


def _centred_change(logit_change: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Mean of the change over each row's answers less the mean over the row; (R, m) -> (R,)."""
    answer = np.where(answers, logit_change, 0.0).sum(axis=1) / answers.sum(axis=1)
    return answer - logit_change.mean(axis=1)


def log_mean_exp(initial_logits: np.ndarray, logit_change: np.ndarray) -> np.ndarray:
    """log sum_j p_j e^(d_j) with p = softmax of the initial logits, row by row; (..., R, m) -> (..., R)."""
    occurs = initial_logits > -np.inf
    change = np.where(occurs, logit_change, 0.0)
    large = np.abs(change).max(axis=-1, keepdims=True) > SMALL_CHANGE
    small_change = np.where(large, 0.0, change)  # no overflow in the branch that is not taken
    probability = softmax(initial_logits, axis=-1)
    near = np.log1p((probability * np.expm1(small_change)).sum(axis=-1))
    far = logsumexp(initial_logits + change, axis=-1) - logsumexp(initial_logits, axis=-1)
    return np.where(large[..., 0], far, near)

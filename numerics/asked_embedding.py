"""The index of a free Theta before it is measured: the law of a held-out answer over the draw of the asked embedding.

An untrained one-token context q enters only by its embedding v_q ~ N(0, I/d): S_qx(t) - S_qx(0) = v_q^T u_x, with
u_x = sum_a v_a sum_j C_aj G_jx built from all the others. So, the others given, the row is Gaussian. Its answer gains
in log-odds a Gaussian whose variance is known, and whose mean has two parts of order 1/d: the term in which v_q meets
itself, as the target of its own premise, and what a softmax loses to the spread of its row, log mean_j exp(var_j / 2)
(`reversal derive asked-embedding-variance`, `asked-embedding-mean`).

C is taken from the integrated flow; that it depends on v_q too, through couplings of order 1/sqrt(d), is neglected.
Weight decay takes a share 1 - rho of the initial logits of every row: what an asked row loses so is known beforehand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from numerics.index import log_odds_gain
from numerics.kernels import Kernels
from theory.opposites import Asked

# The law takes the tokens of an asked row for equally likely at the start. With logits up to 0.5, entries of Theta of
# some 0.15, its variance is right to about a tenth; with entries of one the true one is nearly twice as large.
NEAR_ZERO = 0.5


@dataclass(frozen=True)
class PredictedIndex:
    """The law of answer over premise of Q questions of one draw: means and standard deviations, (Q,)."""

    mean: np.ndarray
    deviation: np.ndarray


def predicted_index(
    kernels: Kernels, asked: Sequence[Asked], initial_logits: np.ndarray, coordinates: np.ndarray, share: float = 1.0
) -> PredictedIndex | None:
    """The law of answer over premise for each question at coordinates C (N, m); None where it does not apply.

    It applies where every question is a context of one token that is part of no trained context, its initial logits are
    near zero, and the embeddings are drawn. Premises are trained rows: their gain is taken as it is. `share` rho is
    what weight decay left of the initial logits.
    """
    task, gram = kernels.task, kernels.gram
    trained_tokens = {t for a in range(task.trained_contexts) for t in task.contexts[a]}
    alone = all(len(task.contexts[q.context]) == 1 and task.contexts[q.context][0] not in trained_tokens for q in asked)
    if gram.dimension is None or not alone or not asked:
        return None
    if max(np.abs(initial_logits[q.context]).max() for q in asked) > NEAR_ZERO:
        return None
    decayed = (1.0 - share) * initial_logits
    change = kernels.logit_change(coordinates) - decayed
    m, d = task.vocabulary_size, gram.dimension
    spread = coordinates + coordinates @ gram.excess  # C G, (N, m)
    means, deviations = [], []
    for q in asked:
        token, right = task.contexts[q.context][0], list(q.answers)
        others = np.setdiff1d(np.arange(m), right)
        own = coordinates[:, token]  # C_aq: the terms in which v_q meets itself
        met = gram.excess[token] + (np.arange(m) == token)  # G_qx
        # S_qx = v_q^T sum_a v_a linear_ax + (v_q^T sum_a v_a C_aq) (v_q^T v_x), with |v_q|^2 = 1 for the token itself
        linear = spread - own[:, None] * met
        linear[:, token] += own
        contrast = np.zeros(m)
        contrast[right], contrast[others] = 1.0 / len(right), -1.0 / len(others)
        elsewhere = np.where(np.arange(m) == token, 0.0, contrast)
        square = (own @ kernels.trained_kernel @ own) * (elsewhere @ elsewhere + elsewhere @ gram.excess @ elsewhere)
        variance = _variance(kernels, linear @ contrast) / d + square / d**2
        meeting = float(own @ kernels.trained_to_tokens @ elsewhere) / d
        lost = _spread_of_row(kernels, linear[:, others]) - _spread_of_row(kernels, linear[:, right])
        premise = np.mean([log_odds_gain(initial_logits[a], change[a], (b,)) for a, b in q.premises])
        start = log_odds_gain(initial_logits[q.context], -decayed[q.context], q.answers)
        means.append((start + meeting - lost) / premise)
        deviations.append(np.sqrt(variance) / abs(premise))
    return PredictedIndex(np.array(means), np.array(deviations))


def _variance(kernels: Kernels, coefficients: np.ndarray) -> np.ndarray:
    """|sum_a v_a c_a|^2 for coefficients (N, ...) -> (...): d times the variance of v_q^T u."""
    return np.maximum(np.einsum("a...,a...->...", coefficients, kernels.trained_kernel @ coefficients), 0.0)


def _spread_of_row(kernels: Kernels, linear: np.ndarray) -> float:
    """log mean_j exp(var_j / 2), var_j the variance of logit j about the mean of these logits; zero for one alone."""
    variance = _variance(kernels, linear - linear.mean(axis=1, keepdims=True)) / kernels.gram.dimension
    return float(logsumexp(variance / 2.0) - np.log(len(variance)))

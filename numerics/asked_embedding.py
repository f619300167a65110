"""The index of a free Theta before it is measured: the law of a held-out answer over the draw of the asked embedding.

An untrained one-token context q enters only by its embedding v_q ~ N(0, I/d): S_qx(t) - S_qx(0) = v_q^T u_x, with
u_x = sum_a v_a sum_j C_aj G_jx built from all the others, and, in the terms where q is itself a trained target, from
v_q once more (`reversal derive asked-embedding-variance`, `asked-embedding-mean`). Everything is a function of the
overlaps g = V v_q, which are N(0, G/d) given the others: the row is drawn by drawing g, and what its answer gains in
log-odds has a mean and a deviation over these draws. To first order in the row the deviation is the derived one; the
mean also holds what a softmax loses to the spread of its row.

C is that of the run's own recursion or flow. It depends on v_q too, where q is a trained target: that changes the mean
by as much as the term in which v_q meets itself at most, and this is said beside it (where every residual vanishes, as
under the squared loss, it undoes that term).
Weight decay takes a share 1 - rho of the initial logits of every row: what an asked row loses so is known beforehand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from numerics.gram import Gram
from numerics.index import log_odds_gain
from numerics.kernels import Kernels
from numerics.observables import log_mean_exp
from theory.opposites import Asked

# The initial logits of an asked row tell of its embedding too: the law takes them for small, entries of Theta to 0.15.
NEAR_ZERO = 0.5
DRAWS = 512  # of the asked embedding, always the same: the mean errs by a twentieth of a deviation


@dataclass(frozen=True)
class PredictedIndex:
    """The law of answer over premise of Q questions of one draw: means and standard deviations, (Q,).

    `neglected` is how far each mean may be off, (Q,), as the coordinates depend on the asked embedding themselves.
    """

    mean: np.ndarray
    deviation: np.ndarray
    neglected: np.ndarray


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
    overlaps, lengths = _draws(gram, np.random.default_rng(0))
    means, deviations, neglected = [], [], []
    for q in asked:
        moved = _asked_rows(kernels, coordinates, task.contexts[q.context][0], overlaps, lengths) - decayed[q.context]
        gain = _log_odds_gains(initial_logits[q.context], moved, q.answers)
        premise = float(np.mean([log_odds_gain(initial_logits[a], change[a], (b,)) for a, b in q.premises]))
        means.append(gain.mean() / premise)
        # the sampling error of the mean is a part of what is not known
        deviations.append(gain.std(ddof=1) * np.sqrt(1.0 + 1.0 / DRAWS) / abs(premise))
        neglected.append(abs(_meeting(kernels, coordinates, task.contexts[q.context][0], q.answers) / premise))
    return PredictedIndex(np.array(means), np.array(deviations), np.array(neglected))


def _meeting(kernels: Kernels, coordinates: np.ndarray, token: int, answers: Sequence[int]) -> float:
    """The mean of v_q^T (sum_a v_a C_aq) v_q^T (v_answers - v_others), (1/d) sum_a C_aq (G_a,answers - G_a,others)."""
    assert kernels.gram.dimension is not None
    others = np.setdiff1d(np.arange(coordinates.shape[1]), [*answers, token])
    overlap = kernels.trained_to_tokens
    contrast = overlap[:, list(answers)].mean(axis=1) - overlap[:, others].sum(axis=1) / (coordinates.shape[1] - 1)
    return float(coordinates[:, token] @ contrast) / kernels.gram.dimension


def _draws(gram: Gram, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws of g = V v_q, (DRAWS, m), normal with covariance G/d, and of |v_q|^2, (DRAWS,), for v_q ~ N(0, I/d)."""
    assert gram.dimension is not None
    scale = gram.dimension**-0.5
    if gram.embeddings is not None:
        drawn = rng.normal(scale=scale, size=(DRAWS, gram.embeddings.shape[1]))
        return drawn @ gram.embeddings.T, (drawn**2).sum(axis=1)
    # V = (I + L) Q with orthonormal rows Q: Q v_q is normal, and of v_q the d - m other directions are left
    seen = rng.normal(scale=scale, size=(DRAWS, gram.vocabulary_size))
    others = max(gram.dimension - gram.vocabulary_size, 0.0)
    unseen = rng.chisquare(others, DRAWS) / gram.dimension if others else 0.0
    overlaps = seen if gram.factor_excess is None else seen + seen @ gram.factor_excess.T
    return overlaps, (seen**2).sum(axis=1) + unseen


def _asked_rows(
    kernels: Kernels, coordinates: np.ndarray, token: int, overlaps: np.ndarray, lengths: np.ndarray
) -> np.ndarray:
    """S_q(t) - S_q(0) for each draw of v_q, (DRAWS, m): K_qA C G, in which every G_q. is the drawn overlap."""
    g = overlaps.copy()
    g[:, token] = lengths
    features = kernels.task.features[: kernels.task.trained_contexts]
    pulled = (features @ g.T).T @ coordinates  # (DRAWS, N) x (N, m) -> (DRAWS, m)
    others = pulled.copy()
    others[:, token] = 0.0
    rows = others + others @ kernels.gram.excess + pulled[:, [token]] * g
    rows[:, token] = (pulled * g).sum(axis=1)
    return rows


def _log_odds_gains(initial: np.ndarray, change: np.ndarray, answers: Sequence[int]) -> np.ndarray:
    """`log_odds_gain` of many changes (DRAWS, m) of one row (m,)."""
    right = np.zeros(len(initial), dtype=bool)
    right[list(answers)] = True
    moved = change[:, None, :]
    gained = [log_mean_exp(np.where(kept, initial, -np.inf)[None], moved) for kept in (right, ~right)]
    return (gained[0] - gained[1])[:, 0]

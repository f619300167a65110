"""The index of a free Theta before it is measured: the law of a held-out answer over the draw of the asked embedding.

An untrained one-token context q enters by its embedding v_q ~ N(0, I/d). At fixed coordinates C its row is a function
of the overlaps g = V v_q, N(0, G/d) given the other embeddings (`reversal derive asked-embedding-target-variance`): it
is drawn by drawing g, and what its answer gains in log-odds has a mean and a deviation over these draws. The mean also
holds what a softmax loses to the spread of its row.

C depends on v_q too where q is a trained target, which changes the mean by a term of the same order 1/d
(`reversal derive asked-embedding-mean`). `numerics.asked_response` computes it from runs at moved embeddings, and the
draws are shifted by it. Weight decay takes a share 1 - rho of the initial logits of every row: what an asked row loses
so is known beforehand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from numerics.gram import Gram
from numerics.index import forward_gain
from numerics.kernels import Kernels
from numerics.observables import log_mean_exp
from theory.opposites import Asked

# The initial logits of an asked row tell of its embedding too: the law takes them for small, entries of Theta to 0.15.
NEAR_ZERO = 0.5
# Of the asked embedding, in pairs v_q and -v_q: what is linear in v_q leaves no error in the mean.
DRAWS = 512


@dataclass(frozen=True)
class PredictedIndex:
    """The law of answer over premise of the Q questions of one draw that have forward gain: each (Q,).

    `mean` and `deviation` are of the ratio, `premise` is the gain that its answer is divided by. `neglected` is how far
    each mean may be off: what is smaller than its parts by another m/d, and a response beyond what it responds to
    (steps so large that they expand distances). That the premise depends on v_q is not in it.
    """

    mean: np.ndarray
    deviation: np.ndarray
    premise: np.ndarray
    neglected: np.ndarray


def predicted_index(
    kernels: Kernels,
    asked: Sequence[Asked],
    initial_logits: np.ndarray,
    coordinates: np.ndarray,
    response: np.ndarray,
    rng: np.random.Generator,
    share: float = 1.0,
) -> PredictedIndex | None:
    """The law of answer over premise for each question at coordinates C (N, m); None where it does not apply.

    Premises are trained rows: their gain is taken as it is, and where it is not positive there is no index. `response`
    (Q, m) is what the dependence of C on v_q adds to the mean of each asked row (`asked_response`). `share` rho is what
    weight decay left of the initial logits.
    """
    if not law_applies(kernels, asked, initial_logits):
        return None
    assert kernels.gram.dimension is not None
    coupling = kernels.task.vocabulary_size / kernels.gram.dimension
    decayed = (1.0 - share) * initial_logits
    change = kernels.logit_change(coordinates) - decayed
    found = []
    for q, added in zip(asked, response, strict=True):
        premise = forward_gain(q, initial_logits, change)
        if premise <= 0.0:
            continue
        token, right = kernels.task.contexts[q.context][0], list(q.answers)
        # draws of this question alone, so that what its mean errs by is independent of other questions
        moved = _asked_rows(kernels, coordinates, token, *_draws(kernels.gram, rng)) - decayed[q.context]
        gain = _log_odds_gains(initial_logits[q.context], moved + added, right)
        of_pairs = gain.reshape(2, -1).mean(axis=0)  # v_q and -v_q
        mean = of_pairs.mean()
        deviation = np.sqrt(gain.var(ddof=1) + of_pairs.var(ddof=1) / len(of_pairs))
        fixed, answered = _contrast(moved.mean(axis=0), right), _contrast(added, right)
        parts = abs(fixed) + abs(answered) + abs(mean - fixed - answered)
        neglected = coupling * parts + max(abs(answered) - abs(fixed), 0.0)
        found.append((mean / premise, deviation / premise, premise, neglected / premise))
    return PredictedIndex(*np.array(found).T) if found else None


def law_applies(kernels: Kernels, asked: Sequence[Asked], initial_logits: np.ndarray) -> bool:
    """Whether every question is a context of one drawn token that is part of no trained context, from near zero."""
    task = kernels.task
    trained_tokens = {t for a in range(task.trained_contexts) for t in task.contexts[a]}
    alone = all(len(task.contexts[q.context]) == 1 and task.contexts[q.context][0] not in trained_tokens for q in asked)
    if kernels.gram.dimension is None or not alone or not asked:
        return False
    return bool(max(np.abs(initial_logits[q.context]).max() for q in asked) <= NEAR_ZERO)


def _contrast(row: np.ndarray, right: Sequence[int]) -> float:
    """The mean over the answers less that over all other tokens of a row (m,): its gain in log-odds to first order."""
    others = np.setdiff1d(np.arange(len(row)), right)
    return float(row[list(right)].mean() - row[others].mean())


def _draws(gram: Gram, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws of g = V v_q, (DRAWS, m), normal with covariance G/d, and of |v_q|^2, (DRAWS,), for v_q ~ N(0, I/d).

    The second half of them are those of -v_q.
    """
    assert gram.dimension is not None
    scale, pairs = gram.dimension**-0.5, DRAWS // 2
    if gram.embeddings is not None:
        drawn = rng.normal(scale=scale, size=(pairs, gram.embeddings.shape[1]))
        overlaps, lengths = drawn @ gram.embeddings.T, (drawn**2).sum(axis=1)
    else:
        # V = (I + L) Q with orthonormal rows Q: Q v_q is normal, and of v_q the d - m other directions are left
        seen = rng.normal(scale=scale, size=(pairs, gram.vocabulary_size))
        others = max(gram.dimension - gram.vocabulary_size, 0.0)
        unseen = rng.chisquare(others, pairs) / gram.dimension if others else 0.0
        overlaps = seen if gram.factor_excess is None else seen + seen @ gram.factor_excess.T
        lengths = (seen**2).sum(axis=1) + unseen
    return np.concatenate([overlaps, -overlaps]), np.concatenate([lengths, lengths])


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

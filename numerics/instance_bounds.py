"""Bounds about one instance, a stored Gram matrix G = I + E and start S(0), as the chains of Theorem 1 need them.

G, S(0) are taken as stored, so maxima and differences of their entries are exact; sums, exponentials and products are
enclosed in balls or padded by a bound on their rounding. Each context must be a single token, each row single-target.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from flint import arb

from numerics.eigenvalue_enclosure import enclose_eigenvalues
from numerics.gram import Gram
from theory.coherence import CoherenceBounds, QueryBounds, SignedCoupling
from theory.task import Query, Task

UNIT_ROUNDING = 2.0**-53


def instance_bounds(
    task: Task, gram: Gram, initial_logits: np.ndarray, *, eigenvalues: bool = False
) -> CoherenceBounds:
    """Bounds for the task's rows and queries from G (m, m) and S(0) (contexts, m), in the order of the task.

    `eigenvalues` encloses those of G and G_AA too, at O(m^3) in balls. Raises ValueError on a row with several targets
    or a context of several tokens, and where the rows' shares of the training weight differ.
    """
    if not (task.single_target and task.one_token_contexts and task.equal_shares):
        raise ValueError("bounds are for single-target rows of equal share whose contexts are single tokens")
    excess = gram.excess
    token = np.array([context[0] for context in task.contexts])
    trained = token[: task.trained_contexts]
    target = np.empty(task.trained_contexts, dtype=np.int64)
    target[task.train_context] = task.train_target
    coupling = np.array(excess[np.ix_(trained, trained)])
    np.fill_diagonal(coupling, 0.0)
    row_sums = np.abs(coupling).sum(axis=1)
    same = np.abs(np.where(target[:, None] == target, coupling, 0.0)).sum(axis=1)
    by_target = np.zeros((len(trained), task.vocabulary_size))
    np.add.at(by_target.T, target, np.abs(coupling).T)  # (a, b): sum over the rows a' with target b
    rows = [_log_odds(row, b) for row, b in zip(initial_logits[: len(trained)].tolist(), target.tolist(), strict=True)]
    bounds = CoherenceBounds(
        contexts=len(trained),
        vocabulary=task.vocabulary_size,
        coherence=arb(float(np.abs(excess).max())),
        row_sum=_padded(row_sums.max(), len(trained)),
        same_target_sum=_padded(same.max(), len(trained)),
        target_sum=_padded(by_target.max(), len(trained)),
        logit_range=arb(
            max(_range(row, b) for row, b in zip(initial_logits[: len(trained)], target.tolist(), strict=True))
        ),
        log_odds=(_least(rows), -_least([-u for u in rows])),
        queries=(),
        eigenvalues=enclose_eigenvalues(excess, trained) if eigenvalues else None,
    )
    queries = tuple(_queries(task, excess, initial_logits, token, target, bounds))
    return CoherenceBounds(**{**vars(bounds), "queries": queries})


def _padded(total: float, terms: int) -> arb:
    """An upper bound on a sum of `terms` nonnegative numbers from the same sum in floats."""
    return arb(float(total)) * (1 + 2 * terms * UNIT_ROUNDING)


def _least(balls: list[arb]) -> arb:
    """A ball no point of which is above the smallest point of any of the balls."""
    return min((ball.lower() for ball in balls), key=float)


def _range(logits: np.ndarray, target: int) -> float:
    """Range of a row over the tokens other than the target, rounded up."""
    others = np.delete(logits, target)
    return float(np.nextafter(others.max() - others.min(), np.inf)) if others.size and np.ptp(others) else 0.0


def _log_odds(logits: list[float], target: int) -> arb:
    """u = -log sum_{k != b} e^(S_k - S_b)."""
    first = arb(logits[target])
    equal = Counter(logits)  # a zero start needs one exponential, not m
    equal[logits[target]] -= 1
    return -sum((count * (arb(logit) - first).exp() for logit, count in equal.items()), arb(0)).log()


def _queries(
    task: Task,
    excess: np.ndarray,
    initial_logits: np.ndarray,
    token: np.ndarray,
    target: np.ndarray,
    bounds: CoherenceBounds,
) -> Iterator[QueryBounds]:
    targets = Counter(target.tolist())
    free = task.vocabulary_size - len(targets)
    for query in task.queries:
        row = initial_logits[query.context]
        answer = query.answers[0]
        probability, loss = _start(row.tolist(), query)
        coupling = np.array(excess[token[query.context], token[: len(target)]])
        others = coupling.copy()
        own = query.context < len(target)
        if own:
            others[query.context] = 0.0
            coupling[query.context] += 1.0
        size = np.abs(others)
        signed = _signed(excess, coupling, target, row, answer, probability, bounds, own)
        yield QueryBounds(
            trained=own,
            answers=len(query.answers),
            loss=loss,
            largest=max((p.upper() for p in probability), key=float),
            smallest=_least(probability),
            one_norm=_padded(size.sum(), len(size)),
            two_norm=_padded(float(np.sqrt((size**2).sum())), len(size) + 4),
            largest_coupling=arb(float(size.max())),
            answer_targets=targets[answer],
            free_tokens=0 if targets[answer] else free,
            signed=signed if len(query.answers) == 1 else None,
        )


def _start(logits: list[float], query: Query) -> tuple[list[arb], arb]:
    """Probabilities of every token and the query's loss at the start, in balls."""
    exponential = {logit: (arb(logit) - logits[0]).exp() for logit in set(logits)}
    total = sum((exponential[logit] for logit in logits), arb(0))
    answers = sum((exponential[logits[x]] for x in query.answers), arb(0))
    share = {logit: e / total for logit, e in exponential.items()}
    return [share[logit] for logit in logits], -(answers / total).log().upper()


def _signed(
    excess: np.ndarray,
    coupling: np.ndarray,
    target: np.ndarray,
    row: np.ndarray,
    answer: int,
    probability: list[arb],
    bounds: CoherenceBounds,
    own: bool,
) -> SignedCoupling:
    """Signs and sizes of every row's pull on one query; `coupling` (N,) holds G_qa, 1 + E_qq for its own row."""
    m = len(probability)
    mu = float(bounds.coherence)
    force = np.array([float(p) for p in probability])
    force[answer] -= 1.0
    felt = force + excess @ force  # G v, (m, m) x (m,) -> (m,)
    # Each entry: v to 2^-52, the product's sums of m terms of at most mu to m 2^-53, and mu m 2^-52 from v; then the
    # mean over m - 1 entries, of at most 2 + 2 m mu in absolute sum, rounds once a term.
    rounding = arb(4 * (m + 16) * 2 * UNIT_ROUNDING * (1 + m * mu))
    mean = (felt.sum() - felt[target]) / (m - 1)
    spread = _padded(np.abs(felt - np.median(felt)).sum(), m) + m * rounding
    weight_sum, raising = _interpolation(coupling, target, answer, bounds, own)
    start = sum(((arb(float(row[k])) - float(row[answer])).exp() for k in raising), arb(0))
    return SignedCoupling(
        coupling=coupling,
        centre=felt[target] - mean,
        spread=spread / (m - 1),
        rounding=rounding,
        floor=start.log().lower() if raising else arb(0),
        weight_sum=weight_sum,
    )


def _interpolation(
    coupling: np.ndarray, target: np.ndarray, answer: int, bounds: CoherenceBounds, own: bool
) -> tuple[arb, list[int]]:
    """sum |w_a| and the tokens that no row ever pulls below the answer; no such token where that is not certain.

    w = G_AA^-1 G_Aq differs from G_Aq in each entry by at most rho max|G_qa| / (1 - rho), rho the largest absolute row
    sum of G_AA - I. A row with w_a > 0 raises its own target above the others, and one with w_a < 0 lowers it.
    """
    whole = bounds.row_sum + bounds.coherence
    if own or not bool(whole < 1):
        return arb(0), []
    largest = arb(float(np.abs(coupling).max()))
    margin = float((whole * largest / (1 - whole)).upper())
    rises, falls = coupling > margin, coupling < -margin
    if not falls[target == answer].all():
        return arb(0), []
    lowered = set(target[~rises].tolist())
    raising = [k for k in range(bounds.vocabulary) if k == answer or k not in lowered]
    return _padded(np.abs(coupling).sum(), len(coupling)) / (1 - whole), raising

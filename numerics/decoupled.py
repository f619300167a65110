"""The decoupled limit G = I with one-token contexts: every row is on its own and has few distinct levels.

A row of weight f depends on time only through theta = f t. From a zero start all its targets of one weight
share a logit, and so do its m - s unseen tokens: 100,000 facts cost what their distinct patterns of weights
cost, plus an assembly that is linear in facts and times. No array of contexts x vocabulary is ever made.

s equally weighted targets (s = 1 is the single-target row of arXiv 2405.04669): with z the target's logit
less an unseen token's, dz/dtheta = (m/s) / (s e^z + m - s), so s (e^z - 1) + (m - s) z = m theta / s.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import wrightomega

from numerics.error_bound import quadrature
from numerics.flow import flow_states, numerical_defect
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.piecewise import Piece, explicit_pieces
from numerics.stiff import implicit_pieces
from numerics.trajectory import ErrorBound, Source, Trajectory
from theory.task import Task

# Rows with unequal weights have no closed form; they are integrated to the accuracy that doubles allow.
TIGHT_TOLERANCE = 1e-12

FLOW_REASON = "convexity of the loss row by row; quadrature of the defect of every step of each distinct row"
UNEQUAL_REASON = (
    "rows with unequally weighted targets have no closed form: they were integrated (BDF), and the bound is "
    "the quadrature of their defect, which grows like t times the tolerance; all other rows are closed forms"
)


def logit_gap(scaled_time: np.ndarray, targets: int, vocabulary_size: int) -> np.ndarray:
    """z(theta): the logit of each of s equal targets less that of an unseen token; theta = f t >= 0.

    z = log w + log((m - s)/s), w = omega(c/(m - s) - log((m - s)/s)), c = m theta/s + s, omega the Wright
    function. For small theta that is a difference of two numbers near each other, so two steps of Newton's
    method on s expm1(z) + (m - s) z = m theta/s restore every digit.
    """
    s, unseen = targets, vocabulary_size - targets
    if unseen == 0:
        return np.zeros_like(scaled_time)
    right = vocabulary_size * scaled_time / s
    log_ratio = np.log(unseen / s)
    gap = np.log(wrightomega((right + s) / unseen - log_ratio)) + log_ratio
    for _ in range(2):
        gap = gap - (s * np.expm1(gap) + unseen * gap - right) / (s * np.exp(gap) + unseen)
    return gap


@dataclass(frozen=True)
class RowPattern:
    """The law of a row up to its weight f: distinct target weights, ascending, and the targets of each."""

    weights: tuple[float, ...]
    counts: tuple[int, ...]
    vocabulary_size: int

    @property
    def equal(self) -> bool:
        """Whether all targets of the row weigh the same: the closed form applies."""
        return len(self.weights) == 1

    @property
    def multiplicity(self) -> np.ndarray:
        """How many tokens share each level, (L + 1,): the distinct targets, then the unseen tokens."""
        return np.array([*self.counts, self.vocabulary_size - sum(self.counts)], dtype=float)

    def closed_form(self, scaled_time: np.ndarray) -> np.ndarray:
        """Logits z (m-s)/m of the targets (L = 1 level) and -z s/m of unseen tokens at each theta, (P, 2)."""
        s, m = self.counts[0], self.vocabulary_size
        gap = logit_gap(scaled_time, s, m)
        return np.stack([gap * ((m - s) / m), -gap * (s / m)], axis=1)

    def velocity(self, levels: np.ndarray) -> np.ndarray:
        """dx/dtheta = w - p at each level (L + 1,), in the accurate form of `numerics.residual`."""
        multiplicity = self.multiplicity
        mass = multiplicity * np.exp(levels - levels.max())
        mass /= mass.sum()
        seen = mass[:-1].sum()
        weights = np.array(self.weights)
        among_targets = mass[:-1] / seen / multiplicity[:-1]
        target = weights * mass[-1] + seen * (weights - among_targets)
        unseen = -mass[-1] / multiplicity[-1] if multiplicity[-1] else 0.0
        return np.append(target, unseen)

    def jacobian(self, levels: np.ndarray) -> np.ndarray:
        """d(velocity)_i / dx_j = -p_i (delta_ij - n_j p_j), (L + 1, L + 1)."""
        multiplicity = self.multiplicity
        probability = np.exp(levels - levels.max())
        probability /= multiplicity @ probability
        return np.outer(probability, multiplicity * probability) - np.diag(probability)

    def log_probability(self, levels: np.ndarray) -> np.ndarray:
        """log p of one token of each level, (P, L + 1), from the complement: accurate for p near 1."""
        multiplicity = self.multiplicity
        logarithm = np.empty_like(levels)
        for i in range(levels.shape[1]):
            others = np.delete(np.arange(levels.shape[1]), i)
            own = max(multiplicity[i], 1.0)  # an unseen level without tokens is never read
            odds = np.exp(levels[:, others] - levels[:, [i]]) @ (multiplicity[others] / own)
            logarithm[:, i] = -np.log(own) - np.log1p(odds)
        return logarithm

    def integrate(self, scaled_time: np.ndarray, relative_tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        """Levels (P, L + 1) at each theta (P,) by integration alone, and the bound on the row's error,
        (P,).
        """
        log_time = np.log1p(scaled_time)
        levels = np.zeros((len(scaled_time), len(self.weights) + 1))
        bound = np.zeros(len(scaled_time))
        error, reached = 0.0, np.zeros(levels.shape[1])
        for piece in self._pieces(float(log_time.max(initial=0.0)), relative_tolerance):
            error += self._norm(piece.value(piece.start) - reached) + self._defect(piece)
            reached = piece.value(piece.end)
            inside = (log_time > piece.start) & (log_time <= piece.end)
            levels[inside] = piece.values(log_time[inside])
            bound[inside] = error
        return levels, bound

    def _pieces(self, end: float, relative_tolerance: float) -> Iterator[Piece]:
        tolerances = {
            "relative_tolerance": relative_tolerance,
            "absolute_tolerance": 1e-3 * relative_tolerance,
        }
        initial = np.zeros(len(self.weights) + 1)
        if end == 0.0:
            return iter(())

        def derivative(log_time: float, levels: np.ndarray) -> np.ndarray:
            return np.exp(log_time) * self.velocity(levels)

        def jacobian(log_time: float, levels: np.ndarray) -> np.ndarray:
            return np.exp(log_time) * self.jacobian(levels)

        if self.equal:
            return explicit_pieces(derivative, initial, end, **tolerances)
        return implicit_pieces(derivative, jacobian, initial, end, **tolerances)

    def _norm(self, levels: np.ndarray) -> float:
        """The Euclidean norm of the whole row."""
        return float(np.sqrt(self.multiplicity @ levels**2))

    def _defect(self, piece: Piece) -> float:
        return quadrature(
            lambda x: self._norm(piece.derivative(x) - np.exp(x) * self.velocity(piece.value(x))),
            piece.start,
            piece.end,
        )


Solver = Callable[[RowPattern, np.ndarray], tuple[np.ndarray, np.ndarray]]


def closed_form(task: Task, time: np.ndarray) -> Trajectory:
    """The trajectory of the decoupled rows from zero start at each time (T,), to t = 1e12 and beyond.

    Rows with unequally weighted targets are integrated, and only then there is an error bound, which says so.
    Raises ValueError when a context has several tokens, for then rows share features.
    """

    def solve(pattern: RowPattern, scaled_time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if pattern.equal:
            return pattern.closed_form(scaled_time), np.zeros(len(scaled_time))
        return pattern.integrate(scaled_time, TIGHT_TOLERANCE)

    exact = all(pattern.equal for pattern in row_patterns(task)[0])
    return _assemble(task, time, solve, "closed form", None if exact else UNEQUAL_REASON)


def decoupled_flow(task: Task, time: np.ndarray, relative_tolerance: float = 1e-10) -> Trajectory:
    """The same trajectory by integration of every distinct row, closed forms unused, with an error bound.

    Raises ValueError when a context has several tokens.
    """
    return _assemble(
        task, time, lambda pattern, theta: pattern.integrate(theta, relative_tolerance), "flow", FLOW_REASON
    )


def decoupled_rows(
    task: Task, initial_logits: np.ndarray, time: np.ndarray, relative_tolerance: float = 1e-10
) -> Iterator[np.ndarray]:
    """S_A(t) - S_A(0) (N, m) at each time (T,) when G = I and S_A(0) = the first N rows of `initial_logits`.

    `initial_logits` has shape (contexts, m) and may be anything; every entry is integrated. Raises
    ValueError when a context has several tokens.
    """
    return (change for change, _ in bounded_rows(task, initial_logits, time, relative_tolerance))


def bounded_rows(
    task: Task, initial_logits: np.ndarray, time: np.ndarray, relative_tolerance: float = 1e-10
) -> Iterator[tuple[np.ndarray, float]]:
    """`decoupled_rows`, each with the bound on the Frobenius norm of its error."""
    _require_one_token(task)
    flow = LogitFlow(Kernels(task, Gram.identity(task.vocabulary_size)), initial_logits)
    # K_AA = I: the coordinates are the change
    return flow_states(flow, time, numerical_defect(flow), relative_tolerance)


def row_patterns(task: Task) -> tuple[list[RowPattern], np.ndarray]:
    """The distinct patterns of target weights, and the pattern of each trained context, (N,)."""
    distribution = task.target_distribution
    number: dict[tuple[float, ...], int] = {}
    pattern_of = np.array(
        [
            number.setdefault(tuple(sorted(distribution.data[start:end].tolist())), len(number))
            for start, end in zip(distribution.indptr[:-1], distribution.indptr[1:], strict=True)
        ]
    )
    patterns = []
    for weights in number:
        distinct, counts = np.unique(weights, return_counts=True)
        patterns.append(RowPattern(tuple(distinct.tolist()), tuple(counts.tolist()), task.vocabulary_size))
    return patterns, pattern_of


def _require_one_token(task: Task) -> None:
    if not task.one_token_contexts:
        raise ValueError(
            "rows are decoupled only when every context is a single token; this task has contexts of "
            "several: integrate the flow instead"
        )


def _assemble(task: Task, time: np.ndarray, solve: Solver, source: Source, reason: str | None) -> Trajectory:
    """Solve each distinct row (pattern, f) once and hand its levels out to pairs and queries."""
    _require_one_token(task)
    steps = len(time)
    trained_log_p, trained_change = (np.empty((steps, len(task.train_target))) for _ in range(2))
    answers = np.array([len(query.answers) for query in task.queries], dtype=float)
    asked = np.array([query.context for query in task.queries], dtype=np.int64)
    # an untrained context stays at the uniform distribution
    query_log_p = np.tile(np.log(answers / task.vocabulary_size), (steps, 1))
    query_change = np.zeros((steps, len(asked)))
    error_square = np.zeros(steps)

    patterns, pattern_of = row_patterns(task)
    share = task.train_weight / task.context_weight[task.train_context]
    for p, pattern in enumerate(patterns):
        rows = np.flatnonzero(pattern_of == p)
        weight, signature = np.unique(task.context_weight[rows], return_inverse=True)
        position = np.full(task.trained_contexts, -1)
        position[rows] = signature
        levels, bound = solve(pattern, np.outer(weight, time).ravel())  # (F, T) -> (F T,)
        log_p = pattern.log_probability(levels).reshape(len(weight), steps, -1)  # (F, T, L + 1)
        levels = levels.reshape(log_p.shape)
        error_square += np.bincount(signature) @ bound.reshape(len(weight), steps) ** 2

        pairs = np.flatnonzero(pattern_of[task.train_context] == p)
        level = np.searchsorted(pattern.weights, share[pairs])
        at = position[task.train_context[pairs]]
        trained_log_p[:, pairs] = log_p[at, :, level].T
        trained_change[:, pairs] = levels[at, :, level].T  # the mean of a row stays zero

        trained_queries = np.flatnonzero(asked < task.trained_contexts)
        here = trained_queries[pattern_of[asked[trained_queries]] == p]
        query_log_p[:, here] = log_p[position[asked[here]], :, -1].T + np.log(answers[here])
        query_change[:, here] = levels[position[asked[here]], :, -1].T

    return Trajectory(
        source=source,
        model="transformer",
        dimension=None,
        time=np.asarray(time, dtype=float),
        loss=-trained_log_p @ task.train_weight,
        reversal_loss=-query_log_p.mean(axis=1) if len(asked) else np.full(steps, np.nan),
        train_log_probability=trained_log_p,
        query_log_probability=query_log_p,
        trained_logit_change=trained_change,
        query_logit_change=query_change,
        error_bound=None if reason is None else ErrorBound(np.sqrt(error_square), "numerical", reason),
        # the answers of one query are all unseen, and so have one level
        answer_log_probability=np.repeat(query_log_p - np.log(answers), answers.astype(int), axis=1),
    )

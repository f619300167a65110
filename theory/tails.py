"""Bounds on coherence and start that hold with probability 1 - delta before anything is drawn; the dimension they ask.

Embeddings v_i ~ N(0, I/d) independent, Theta(0) ~ N(0, sigma^2) entrywise. Four tail bounds do everything:

- chi-square: P(chi^2_k >= k (1 + x)) and P(chi^2_k <= k (1 - x)) are at most e^(-k (x - log(1 + x)) / 2); the upper
  tail of few degrees exactly, by the incomplete gamma function;
- a normal variable: P(|Z| > y) = erfc(y / sqrt 2), exact;
- a sum of k absolute normal variables: P(sum |Z| > k sqrt(2/pi) + sqrt(k) z) <= e^(-z^2 / 2);
- the union bound over all events of one kind.

Conditionally on v_a the inner products v_a . v_b with the other tokens are |v_a| / sqrt(d) times independent normal
variables; conditionally on V an entry of S(0) is sigma |v_i| |v_j| times one.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from flint import arb

from theory.coherence import CoherenceBounds, QueryBounds, Schedule
from theory.exponent import Exponent
from theory.separation import certify
from theory.task import Task

LARGEST_DIMENSION = 10**30
MOST_EXACT_DEGREES = 10_000
BISECTIONS = 60  # of the argument of a tail, in floats: what comes out is checked in balls


@dataclass(frozen=True)
class Event:
    """One kind of event that is excluded: its share of delta, how many there are, and the deviation that is allowed."""

    name: str
    statement: str
    share: float
    count: int
    deviation: float


# How delta is split. The norm of G_qA decides the dimension, so it gets the most.
SHARES = {"lengths": 0.1, "products": 0.1, "row sums": 0.1, "query norms": 0.4, "query sums": 0.1, "start": 0.2}


@dataclass(frozen=True)
class QueryShape:
    """A query as far as its law goes: trained context or not, right answers, rows that have its answer as target."""

    trained: bool
    answers: int
    answer_targets: int


@dataclass(frozen=True)
class TaskShape:
    """What the law of an instance depends on: N, m, how many rows share a target, the kinds and contexts of queries."""

    contexts: int
    vocabulary: int
    same_target: int
    targets: int
    queries: tuple[QueryShape, ...]
    untrained_contexts: int

    @staticmethod
    def of(task: Task) -> "TaskShape":
        """The shape of a task with single targets, equal shares and one-token contexts. Raises ValueError otherwise."""
        if not (task.single_target and task.one_token_contexts and task.equal_shares):
            raise ValueError("a-priori bounds are for single-target rows of equal share with one-token contexts")
        targets = Counter(task.train_target.tolist())
        kinds = {
            QueryShape(q.context < task.trained_contexts, len(q.answers), max(targets[x] for x in q.answers))
            for q in task.queries
        }
        return TaskShape(
            contexts=task.trained_contexts,
            vocabulary=task.vocabulary_size,
            same_target=max(targets.values()) - 1,
            targets=len(targets),
            queries=tuple(sorted(kinds, key=lambda k: (k.trained, k.answers, k.answer_targets))),
            untrained_contexts=len({q.context for q in task.queries if q.context >= task.trained_contexts}),
        )


def chi_square_tail(degrees: int, x: arb) -> arb:
    """e^(-k (x - log(1 + x)) / 2), above P(chi^2_k >= k (1 + x)) and P(chi^2_k <= k (1 - x)) for x >= 0."""
    return (-(x - x.log1p()) * degrees / 2).exp()


def chi_square_upper_tail(degrees: int, x: arb) -> arb:
    """P(chi^2_k >= k (1 + x)) by the incomplete gamma function, exact; the bound above from 10^4 degrees on."""
    if degrees > MOST_EXACT_DEGREES:
        return chi_square_tail(degrees, x)
    return (degrees * (1 + x) / 2).gamma_upper(arb(degrees) / 2, regularized=1)


def normal_tail(y: arb) -> arb:
    """P(|Z| > y) of a standard normal variable."""
    return (y / arb(2).sqrt()).erfc()


def absolute_sum_tail(z: arb) -> arb:
    """e^(-z^2/2), above P(sum of k |Z_i| > k sqrt(2/pi) + sqrt(k) z)."""
    return (-(z**2) / 2).exp()


def deviation_for(tail: Callable[[arb], arb], probability: float) -> float:
    """A deviation at which the decreasing `tail` is certainly at most `probability`, near the smallest such.

    Raises ArithmeticError for a tail that never falls so low.
    """
    low, high = 0.0, 1.0
    while not bool(tail(arb(high)) <= arb(probability)):
        low, high = high, 2 * high
        if math.isinf(high):
            raise ArithmeticError(f"this tail never falls to {probability:g}")
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if bool(tail(arb(middle)) <= arb(probability)):
            high = middle
        else:
            low = middle
    return high


def events(shape: TaskShape, dimension: int, delta: float) -> tuple[Event, ...]:
    """The six kinds of events, each with its share of delta and the deviation beyond which it would lie.

    Raises ValueError unless 0 < delta < 1 and the dimension is at least 1.
    """
    if not 0 < delta < 1:
        raise ValueError(f"delta must lie between 0 and 1, got {delta}")
    if dimension < 1:
        raise ValueError(f"embeddings have at least one dimension, got {dimension}")
    n, m = shape.contexts, shape.vocabulary
    asked = max(len(shape.queries) and shape.untrained_contexts, 0)
    norms = asked + (n if any(q.trained for q in shape.queries) else 0)
    kinds: tuple[tuple[str, str, int, Callable[[arb], arb]], ...] = (
        (
            "lengths",
            r"\left||v_i|^2 - 1\right| > x",
            2 * m,
            lambda x: chi_square_tail(dimension, x),
        ),
        ("products", r"|v_i \cdot v_j| > |v_i| y / \sqrt{d}", m * (m - 1) // 2, normal_tail),
        (
            "row sums",
            r"\sum_{a' \ne a} |G_{aa'}| > |v_a| ((N-1) \sqrt{2/\pi} + \sqrt{N-1}\, z) / \sqrt{d}",
            n,
            absolute_sum_tail,
        ),
        ("query norms", r"|G_{qA}|^2 > |v_q|^2 N (1 + x) / d", norms, lambda x: chi_square_upper_tail(n, x)),
        (
            "query sums",
            r"\sum_a |G_{qa}| > |v_q| (N \sqrt{2/\pi} + \sqrt{N}\, z) / \sqrt{d}",
            asked,
            absolute_sum_tail,
        ),
        ("start", r"|S_{ij}(0)| > \sigma |v_i| |v_j| y", (n + asked) * m, normal_tail),
    )
    found = []
    for name, statement, count, tail in kinds:
        share = delta * SHARES[name] * (1 - 1e-15)  # the six, rounded, add up to no more than delta
        deviation = deviation_for(lambda x, t=tail, c=count: c * t(x), share) if count else 0.0  # type: ignore[misc]
        found.append(Event(name, statement, share, count, deviation))
    return tuple(found)


def a_priori_bounds(shape: TaskShape, dimension: int, delta: float, init_scale: float) -> CoherenceBounds:
    """Bounds that hold with probability at least 1 - delta at embedding dimension d and initial scale sigma."""
    by_name = {event.name: arb(event.deviation) for event in events(shape, dimension, delta)}
    n, m = shape.contexts, shape.vocabulary
    length = 1 + by_name["lengths"]
    unit = (length / dimension).sqrt()  # |v| / sqrt(d) at most
    mean = (2 / arb.pi()).sqrt()
    coherence = (unit * by_name["products"]).max(by_name["lengths"])
    row_sum = unit * ((n - 1) * mean + arb(n - 1).sqrt() * by_name["row sums"])
    start = arb(init_scale) * length * by_name["start"]
    largest, smallest = (1 / (1 + (m - 1) * (sign * 2 * start).exp()) for sign in (-1, 1))
    base = CoherenceBounds(
        contexts=n,
        vocabulary=m,
        coherence=coherence,
        row_sum=row_sum,
        same_target_sum=shape.same_target * coherence,
        target_sum=(shape.same_target + 1) * coherence,
        logit_range=2 * start,
        log_odds=(-arb(m - 1).log() - 2 * start, -arb(m - 1).log() + 2 * start),
        queries=(),
    )
    norm = unit * (n * (1 + by_name["query norms"])).sqrt()
    total = unit * (n * mean + arb(n).sqrt() * by_name["query sums"])
    queries = tuple(
        QueryBounds(
            trained=q.trained,
            answers=q.answers,
            loss=((m - q.answers) * (-2 * start).exp() / q.answers).log1p(),
            largest=largest,
            smallest=smallest,
            one_norm=row_sum if q.trained else total,
            two_norm=norm,
            largest_coupling=coherence,
            answer_targets=q.answer_targets,
            free_tokens=0 if q.answer_targets else m - shape.targets,
        )
        for q in shape.queries
    )
    return replace(base, queries=queries)


@dataclass(frozen=True)
class CertifiedDimension:
    """A dimension at which the exponent is certified for probability 1 - delta, None where none was found.

    `exponent` is the certificate at that very dimension (at the largest one tried where none was enough), `allowed`
    what it must not exceed, `events` the shares of delta.
    """

    dimension: int | None
    exponent: Exponent
    allowed: float
    events: tuple[Event, ...]


# How large the exponent may be, given the bounds on the start: a constant for Theorem 1, of the losses for Theorem 2.
Allowed = Callable[[CoherenceBounds], float]


def bisect_dimension(
    shape: TaskShape, allowed: Allowed, delta: float, init_scale: float, schedule: Schedule
) -> CertifiedDimension:
    """A certified d up to 10^30, found by bisection: the double below it is not certified.

    It need not be the smallest, nor is every larger d certified: tails and regions are found to a few digits, so the
    exponent is no monotone function of d in the last of them. Only dimensions that a double holds exactly are tried.
    """

    def tried(dimension: int) -> CertifiedDimension:
        bounds = a_priori_bounds(shape, dimension, delta, init_scale)
        exponent, limit = certify(bounds, schedule), allowed(bounds)
        enough = exponent.epsilon <= limit
        return CertifiedDimension(dimension if enough else None, exponent, limit, events(shape, dimension, delta))

    low, high = 0, int(float(LARGEST_DIMENSION))
    best = tried(high)
    if best.dimension is None:
        return best
    while True:
        # halve the exponent of d first, then d itself
        middle = int(float(math.isqrt(max(low, 1) * high) if high > 4 * max(low, 1) else (low + high) // 2))
        if not low < middle < high:
            return best
        found = tried(middle)
        if found.dimension is None:
            low = middle
        else:
            high, best = middle, found

"""A task: weighted training statements (context -> target) and held-out queries over one vocabulary.

Conventions used everywhere in this project:
- m is the size of the vocabulary, N the number of distinct trained contexts (the set A of the proofs).
- Contexts are numbered with the N trained ones first; a context is a tuple of token numbers whose features
  are averaged and normalised, phi = (sum of its tokens' one-hot vectors) / sqrt(number of tokens).
- f (`context_weight`) sums to one over trained contexts, each row of bhat (`target_distribution`) to one.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from theory.counting import count_of
from theory.errors import BadInput

# What a share of weight is rounded by besides the sum of its statements: the decimal of the file, the quotient.
ROUNDINGS = 3


class TaskError(BadInput):
    """A task that cannot be built: the message says what was expected, what came and what to do."""


@dataclass(frozen=True)
class Statement:
    """One directed statement as it is given: a context, the target it names, and where it came from."""

    context: tuple[str, ...]
    target: str
    relation: str
    weight: float = 1.0
    row: int | None = None


@dataclass(frozen=True)
class Query:
    """A held-out question: the right answers of one context that no statement trains.

    `answers`, `relations` and `rows` run in parallel; the score of the query is -log of the summed
    probability of its answers. `row` is the physical line of the fact file, None for a built-in task.
    """

    context: int
    answers: tuple[int, ...]
    relations: tuple[str, ...]
    rows: tuple[int | None, ...]


@dataclass(frozen=True)
class Task:
    """Training statements and queries in token numbers.

    Shapes: `train_context`, `train_target`, `train_relation`, `train_weight` (K,) for K distinct trained
    pairs; `train_rows` one tuple of file rows per pair. Weights sum to one.
    """

    name: str
    tokens: tuple[str, ...]
    contexts: tuple[tuple[int, ...], ...]
    train_context: np.ndarray
    train_target: np.ndarray
    train_relation: np.ndarray
    train_weight: np.ndarray
    train_rows: tuple[tuple[int, ...], ...]
    queries: tuple[Query, ...]
    trained_elsewhere: tuple[Statement, ...] = ()  # asked for, but another statement trains the pair
    self_facts: int = 0  # facts whose subject is their object: trained, but no query

    def __post_init__(self) -> None:
        if not len(self.train_context):
            raise TaskError(f"task {self.name!r} trains nothing: give at least one statement to train on")
        if not (self.train_weight > 0).all() or not abs(self.train_weight.sum() - 1.0) <= 1e-9:  # nan fails
            raise TaskError(f"task {self.name!r}: training weights must be positive and sum to 1")
        trained = np.unique(self.train_context)
        if not np.array_equal(trained, np.arange(len(trained))):
            raise TaskError(f"task {self.name!r}: trained contexts must be numbered first, 0..N-1")

    # -- sizes --
    @property
    def vocabulary_size(self) -> int:
        """m, the number of tokens (entities, relation tokens and unused ones)."""
        return len(self.tokens)

    @cached_property
    def trained_contexts(self) -> int:
        """N, the number of distinct trained contexts."""
        return int(self.train_context.max()) + 1

    # -- training distribution --
    @cached_property
    def context_weight(self) -> np.ndarray:
        """f, shape (N,): the share of training weight on each trained context; sums to one."""
        return np.bincount(self.train_context, weights=self.train_weight, minlength=self.trained_contexts)

    @cached_property
    def target_distribution(self) -> csr_array:
        """bhat, sparse (N, m): the empirical distribution of targets given each trained context."""
        share = self.train_weight / self.context_weight[self.train_context]
        shape = (self.trained_contexts, self.vocabulary_size)
        return csr_array((share, (self.train_context, self.train_target)), shape=shape)

    @cached_property
    def pairs_by_token(self) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
        """The trained pairs that leave each token (it is in their context) and that arrive at it (their target)."""
        leaving: dict[int, list[int]] = {}
        arriving: dict[int, list[int]] = {}
        for k, (a, b) in enumerate(zip(self.train_context.tolist(), self.train_target.tolist(), strict=True)):
            for token in self.contexts[a]:
                leaving.setdefault(token, []).append(k)
            arriving.setdefault(b, []).append(k)
        return leaving, arriving

    @cached_property
    def target_count(self) -> np.ndarray:
        """Shape (N,): how many distinct targets each trained context has."""
        return np.bincount(self.train_context, minlength=self.trained_contexts)

    @property
    def single_target(self) -> bool:
        """Whether every trained context has one target: the assumption of the paper's theorems."""
        return bool((self.target_count == 1).all())

    @cached_property
    def share_rounding(self) -> float:
        """How far apart equal shares of weight may be, relative to their size: a rounding for each statement summed."""
        statements = np.array([max(len(rows), 1) for rows in self.train_rows])
        most = np.bincount(self.train_context, weights=statements).max()
        return float(np.finfo(float).eps * (ROUNDINGS + most))

    @cached_property
    def uneven_contexts(self) -> np.ndarray:
        """The trained contexts whose share of the weight is not the commonest one; empty where all are 1/N."""
        share = self.context_weight
        rising = np.sort(share)
        group = np.cumsum(np.diff(rising, prepend=rising[0]) > self.share_rounding * rising)
        usual = np.median(rising[group == np.bincount(group).argmax()])
        return np.flatnonzero(np.abs(share - usual) > self.share_rounding * usual)

    @property
    def equal_shares(self) -> bool:
        """Whether every trained context has the same share 1/N of the weight, up to rounding."""
        return not len(self.uneven_contexts)

    @property
    def heaviest_visit(self) -> float:
        """K max_k w_k, how far a unit step of batch one moves a row at most, per unit of residual; even pairs: 1."""
        lightest, heaviest = float(self.train_weight.min()), float(self.train_weight.max())
        even = heaviest - lightest <= self.share_rounding * heaviest  # then their sum is one but for rounding
        return 1.0 if even else len(self.train_weight) * heaviest

    @cached_property
    def conflicts(self) -> dict[int, list[tuple[int, tuple[int, ...]]]]:
        """Trained contexts with several targets: context -> [(target, file rows), ...]."""
        several = set(np.flatnonzero(self.target_count > 1).tolist())
        found: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        for k in np.flatnonzero(np.isin(self.train_context, list(several))):
            found.setdefault(int(self.train_context[k]), []).append((int(self.train_target[k]), self.train_rows[k]))
        return found

    @cached_property
    def loss_floor(self) -> float:
        """The conditional entropy sum_a f_a H(bhat(a)), in nats: no parameters reach a smaller loss."""
        share = self.train_weight / self.context_weight[self.train_context]
        return float((self.train_weight * -np.log(share)).sum())

    # -- features --
    @cached_property
    def features(self) -> csr_array:
        """Phi, sparse (contexts, m): each context's tokens with weight 1/sqrt(number of tokens)."""
        length = np.array([len(c) for c in self.contexts])
        row = np.repeat(np.arange(len(self.contexts)), length)
        column = np.concatenate([np.asarray(c, dtype=np.int64) for c in self.contexts])
        value = np.repeat(1.0 / np.sqrt(length), length)
        return csr_array((value, (row, column)), shape=(len(self.contexts), self.vocabulary_size))

    @property
    def one_token_contexts(self) -> bool:
        """Whether every context is a single token, as in the paper's models (features are orthonormal)."""
        return all(len(c) == 1 for c in self.contexts)

    # -- names --
    def context_name(self, context: int) -> str:
        """The context's tokens as a person reads them."""
        return " + ".join(self.tokens[t] for t in self.contexts[context])

    @property
    def asked_answers(self) -> int:
        """Held-out answers; a question may have several, which are right together."""
        return sum(len(query.answers) for query in self.queries)

    @property
    def sizes(self) -> str:
        """How large the task is, for people."""
        asked = count_of(self.asked_answers, "held-out answer")
        if self.asked_answers != len(self.queries):
            asked += f" to {count_of(len(self.queries), 'question')}"
        return (
            f"{count_of(len(self.train_context), 'trained pair')}, {count_of(self.trained_contexts, 'context')}, "
            f"{asked}, {count_of(self.vocabulary_size, 'token')}"
        )

    def unseen_targets(self) -> np.ndarray:
        """Boolean (N, m): tokens that are never a target of the trained context (dense: small tasks only)."""
        return self.target_distribution.toarray() == 0


def build_task(
    name: str,
    statements: Iterable[Statement],
    queries: Iterable[Statement],
    *,
    vocabulary: int | None = None,
    extra_tokens: Iterable[str] = (),
    self_facts: int = 0,
) -> Task:
    """Number tokens and contexts (trained first), merge repeated pairs, and group queries by context.

    `queries` are statements in the direction that is asked; one that some statement trains is no query and is
    listed in `Task.trained_elsewhere`. `vocabulary` pads with unused tokens up to that size.

    Raises TaskError when nothing is trained or the vocabulary is smaller than the tokens that occur.
    """
    token_number: dict[str, int] = {}
    context_number: dict[tuple[int, ...], int] = {}

    def token(text: str) -> int:
        return token_number.setdefault(text, len(token_number))

    def context(names: tuple[str, ...]) -> int:
        return context_number.setdefault(tuple(token(n) for n in names), len(context_number))

    pairs: dict[tuple[int, int], list[Statement]] = {}
    for s in statements:
        pairs.setdefault((context(s.context), token(s.target)), []).append(s)
    if not pairs:
        raise TaskError(f"task {name!r} trains nothing: give at least one statement to train on")

    asked: dict[int, dict[int, Statement]] = {}
    trained_elsewhere = []
    for s in queries:
        pair = (context(s.context), token(s.target))
        if pair in pairs:
            trained_elsewhere.append(s)
        else:
            asked.setdefault(pair[0], {}).setdefault(pair[1], s)

    relation = [token(group[0].relation) for group in pairs.values()]
    for text in extra_tokens:
        token(text)
    if vocabulary is not None:
        if vocabulary < len(token_number):
            used = len(token_number)
            raise TaskError(
                f"a vocabulary of {vocabulary} tokens is too small for this task: it uses {used} "
                f"(entities and relation tokens); give --vocabulary {used} or more"
            )
        unused = (f"unused{i}" for i in range(vocabulary))
        while len(token_number) < vocabulary:
            token(next(unused))

    weight = np.array([sum(s.weight for s in group) for group in pairs.values()], dtype=float)
    with np.errstate(over="ignore", invalid="ignore"):  # Task refuses shares that are not positive numbers
        share = weight / weight.sum()
    return Task(
        name=name,
        tokens=tuple(token_number),
        contexts=tuple(context_number),
        train_context=np.array([a for a, _ in pairs], dtype=np.int64),
        train_target=np.array([b for _, b in pairs], dtype=np.int64),
        train_relation=np.array(relation, dtype=np.int64),
        train_weight=share,
        train_rows=tuple(tuple(s.row for s in group if s.row is not None) for group in pairs.values()),
        queries=tuple(
            Query(
                context=a,
                answers=tuple(answers),
                relations=tuple(s.relation for s in answers.values()),
                rows=tuple(s.row for s in answers.values()),
            )
            for a, answers in asked.items()
        ),
        trained_elsewhere=tuple(trained_elsewhere),
        self_facts=self_facts,
    )


def first_pairs(task: Task, pairs: int) -> Task:
    """A small task from `pairs` trained pairs of `task` and the queries about their tokens.

    Half of the pairs are those around the first queries, so that something is left to ask; the rest are the first of
    the task. The vocabulary shrinks to the tokens that still occur and the relation tokens. The whole task is
    returned when it is small enough already.
    """
    if len(task.train_context) <= pairs:
        return task
    around = itertools.chain.from_iterable(_pairs_around(task, q) for q in task.queries)
    half = list(itertools.islice(dict.fromkeys(itertools.islice(around, 4 * pairs)), pairs // 2))
    chosen = sorted(itertools.islice(dict.fromkeys([*half, *range(2 * pairs)]), pairs))
    statements = [
        Statement(
            tuple(task.tokens[t] for t in task.contexts[task.train_context[k]]),
            task.tokens[task.train_target[k]],
            task.tokens[task.train_relation[k]],
            float(task.train_weight[k]),
        )
        for k in chosen
    ]
    known = {name for s in statements for name in (*s.context, s.target)}
    queries = [
        Statement(tuple(task.tokens[t] for t in task.contexts[q.context]), task.tokens[answer], relation)
        for q in task.queries
        for answer, relation in zip(q.answers, q.relations, strict=True)
    ]
    kept = [s for s in queries if known.issuperset((*s.context, s.target))]
    relations = dict.fromkeys(s.relation for s in statements)
    return build_task(f"{task.name} (first {count_of(pairs, 'pair')})", statements, kept, extra_tokens=relations)


def _pairs_around(task: Task, query: Query) -> Iterator[int]:
    """Trained pairs reached from the query's context, along statements first and against them second."""
    waiting, seen = list(task.contexts[query.context]), set()
    while waiting:
        token = waiting.pop(0)
        if token in seen:
            continue
        seen.add(token)
        leaving, arriving = task.pairs_by_token
        for k in (*leaving.get(token, ()), *arriving.get(token, ())):
            yield k
            waiting += [int(task.train_target[k]), *task.contexts[task.train_context[k]]]


FORWARD, BACKWARD, CHAIN = "->", "<-", "~>"


def reversal_task(pairs: int, held_out: int = 1, vocabulary: int | None = None) -> Task:
    """The paper's reversal task: x_i -> y_i for every i, y_i <- x_i for all but the first `held_out` pairs.

    The held-out queries are y_i <- x_i for i <= held_out. The vocabulary holds 2 * pairs entities and the two
    relation tokens, padded with unused tokens up to `vocabulary`. Raises TaskError on impossible sizes.
    """
    if pairs < 1 or not 0 <= held_out <= pairs:
        raise TaskError(f"need at least one pair and 0 <= held-out <= pairs, got pairs={pairs}, held-out={held_out}")
    forward = [Statement((f"A{i}",), f"B{i}", FORWARD) for i in range(1, pairs + 1)]
    backward = [Statement((f"B{i}",), f"A{i}", BACKWARD) for i in range(1, pairs + 1)]
    return build_task(
        "reversal",
        forward + backward[held_out:],
        backward[:held_out],
        vocabulary=vocabulary,
        extra_tokens=(FORWARD, BACKWARD),
    )


def chain_of_thought_task(chains: int, vocabulary: int | None = None) -> Task:
    """The paper's chain-of-thought task: train A_i -> B_i and B_i -> C_i for every i, ask A_i ~> C_i.

    The vocabulary holds 3 * chains entities and two relation tokens, padded up to `vocabulary`.
    """
    if chains < 1:
        raise TaskError(f"need at least one chain, got {chains}")
    first = [Statement((f"A{i}",), f"B{i}", FORWARD) for i in range(1, chains + 1)]
    second = [Statement((f"B{i}",), f"C{i}", FORWARD) for i in range(1, chains + 1)]
    asked = [Statement((f"A{i}",), f"C{i}", CHAIN) for i in range(1, chains + 1)]
    return build_task("chain-of-thought", first + second, asked, vocabulary=vocabulary, extra_tokens=(FORWARD, CHAIN))

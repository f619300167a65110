"""The built-in corpora, sized as in Section 5 and appendix E of arXiv 2405.04669, each drawn from a seed.

Reversal and chain of thought: V/4 entities a side, of one to three tokens; 70 % of the pairs are trained both ways
(chains: with their conclusion), halves rounded to even. In context: the premise stands in the prompt. Related tokens:
the three entities of a chain share their index token.
"""

from collections.abc import Callable, Sequence

import numpy as np

from theory.counting import count_of
from theory.task import BACKWARD, CHAIN, FORWARD
from validation.experiments.corpus import RELATION, UNUSED, Corpus, CorpusError, Panel, assemble

TRAINED_SHARE = 0.7  # of the pairs both ways, of the chains with their conclusion
SHOWN = 20  # pairs of a panel, seen and unseen each
EQUIVALENT = "<=>"
TRIPLES_TRAINED, TRIPLES_HELD_OUT = 100, 50  # entities of three tokens: so many pairs, as in the paper

Sentence = tuple[int, ...]
Entities = list[Sentence]


def sizes(vocabulary: int, entity_tokens: int) -> tuple[int, int]:
    """How many pairs (or chains) there are, and how many of them are trained in full."""
    if entity_tokens == 3:
        return TRIPLES_TRAINED + TRIPLES_HELD_OUT, TRIPLES_TRAINED
    side = vocabulary // 4
    pairs = side if entity_tokens == 1 else min(side**entity_tokens, vocabulary // 2)
    return pairs, round(TRAINED_SHARE * pairs)  # Python rounds halves to even


class _Vocabulary:
    """Tokens in blocks, one a sort, padded with unused tokens up to the size."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.kinds: list[str] = []

    def block(self, kind: str, count: int, name: Callable[[int], str] | None = None) -> np.ndarray:
        """So many new tokens of a sort; their numbers."""
        first = len(self.tokens)
        self.tokens += [f"{kind}{i + 1}" if name is None else name(i) for i in range(count)]
        self.kinds += [kind] * count
        return np.arange(first, first + count)

    def relations(self, *names: str) -> list[int]:
        """One token for each relation."""
        return [int(n) for n in self.block(RELATION, len(names), lambda i: names[i])]

    def pad(self, size: int) -> None:
        """Unused tokens up to `size`, relation tokens not counted."""
        used = sum(kind != RELATION for kind in self.kinds)
        if used > size:
            raise CorpusError(f"--vocabulary {size}: this task uses {used} tokens; give {used} or more")
        self.block(UNUSED, size - used)


def _entities(block: np.ndarray, count: int, length: int, rng: np.random.Generator) -> Entities:
    """So many different entities of `length` tokens of a block. Raises CorpusError where there are too few."""
    if len(block) ** length < count:
        raise CorpusError(
            f"{count:,} entities of {count_of(length, 'token')} need more than the {count_of(len(block), 'token')} of "
            "a side; give a larger --vocabulary"
        )
    if length == 1:
        return [(int(t),) for t in rng.permutation(block)[:count]]
    found: dict[Sentence, None] = {}
    while len(found) < count:
        found[tuple(int(t) for t in rng.choice(block, length))] = None
    return list(found)


def _panel(
    title: str, prompts: Sequence[Sentence], relation: int, answers: Sequence[Sentence], seen: np.ndarray
) -> Panel:
    """The first SHOWN seen and unseen pairs."""
    chosen = np.concatenate([np.flatnonzero(seen)[:SHOWN], np.flatnonzero(~seen)[:SHOWN]])
    return Panel(
        title,
        np.array([(*prompts[i], relation) for i in chosen]),
        np.array([answers[i] for i in chosen]),
        seen[chosen],
    )


def reversal_corpus(vocabulary: int, entity_tokens: int, seed: int) -> Corpus:
    """A -> B and B <- A: most pairs both ways, the rest one way drawn at random; their other way is asked."""
    rng = np.random.default_rng([seed, 0])
    words = _Vocabulary()
    side_a, side_b = words.block("A", vocabulary // 4), words.block("B", vocabulary // 4)
    words.pad(vocabulary)
    forward, backward = words.relations(FORWARD, BACKWARD)
    pairs, both = sizes(vocabulary, entity_tokens)
    a, b = (_entities(side, pairs, entity_tokens, rng) for side in (side_a, side_b))
    ways = [[(*a[i], forward, *b[i]), (*b[i], backward, *a[i])] for i in range(pairs)]
    train = [sentence for way in ways[:both] for sentence in way]
    test: list[Sentence] = []
    premises: list[Sentence] = []
    trained = np.ones((2, pairs), dtype=bool)
    for i in range(both, pairs):
        asked = int(rng.integers(2))
        premises.append((len(train),))
        train.append(ways[i][1 - asked])
        test.append(ways[i][asked])
        trained[asked, i] = False
    panels = (
        _panel("B after A ->", a, forward, b, trained[0]),
        _panel("A after B <-", b, backward, a, trained[1]),
    )
    return assemble("reversal", tuple(words.tokens), words.kinds, train, test, entity_tokens, premises, panels)


def chain_corpus(vocabulary: int, entity_tokens: int, seed: int) -> Corpus:
    """A -> B and B -> C for every chain, A ~> C for most; A ~> C of the rest is asked."""
    rng = np.random.default_rng([seed, 1])
    words = _Vocabulary()
    sides = [words.block(kind, vocabulary // 4) for kind in "ABC"]
    words.pad(vocabulary)
    forward, chain = words.relations(FORWARD, CHAIN)
    chains, whole = sizes(vocabulary, entity_tokens)
    a, b, c = (_entities(side, chains, entity_tokens, rng) for side in sides)
    train = [(*a[i], forward, *b[i]) for i in range(chains)] + [(*b[i], forward, *c[i]) for i in range(chains)]
    train += [(*a[i], chain, *c[i]) for i in range(whole)]
    test = [(*a[i], chain, *c[i]) for i in range(whole, chains)]
    premises = [(i, chains + i) for i in range(whole, chains)]
    every, concluded = np.ones(chains, dtype=bool), np.arange(chains) < whole
    panels = (
        _panel("B after A ->", a, forward, b, every),
        _panel("C after B ->", b, forward, c, every),
        _panel("C after A ~>", a, chain, c, concluded),
    )
    return assemble("chain-of-thought", tuple(words.tokens), words.kinds, train, test, entity_tokens, premises, panels)


def in_context_corpus(vocabulary: int, seed: int) -> Corpus:
    """x -> y <=> y <- x: the fact stands before its reversal, so that the answer x is in the prompt."""
    rng = np.random.default_rng([seed, 2])
    words = _Vocabulary()
    x, y = words.block("x", vocabulary // 4), words.block("y", vocabulary // 40)
    if len(x) * len(y) < 4:
        raise CorpusError(f"--vocabulary {vocabulary}: the in-context task needs 40 tokens or more")
    words.pad(vocabulary)
    forward, same, backward = words.relations(FORWARD, EQUIVALENT, BACKWARD)
    sentences = [(int(s), forward, int(t), same, int(t), backward, int(s)) for s in x for t in y]
    order = rng.permutation(len(sentences))
    trained = round(TRAINED_SHARE * len(sentences))
    train, test = ([sentences[i] for i in part] for part in (order[:trained], order[trained:]))
    return assemble("in-context", tuple(words.tokens), words.kinds, train, test, 1, [()] * len(test))


def related_corpus(vocabulary: int, seed: int) -> Corpus:
    """x i -> y i, y i -> z i, x i ~> z i: the entities of a chain share the token i, so the conclusion can be learnt.

    3 V/4 index tokens, 5 V/16 chains, a fifth of them without their conclusion: 700 and 50 sentences at V = 800.
    """
    rng = np.random.default_rng([seed, 3])
    words = _Vocabulary()
    letters = words.block("letter", 3, lambda i: "xyz"[i]).tolist()
    index = words.block("index", 3 * vocabulary // 4, lambda i: str(i + 1))
    words.pad(vocabulary)
    forward, chain = words.relations(FORWARD, CHAIN)
    chains = 5 * vocabulary // 16
    whole = chains - chains // 5
    if whole == chains:
        raise CorpusError(f"--vocabulary {vocabulary}: the related-token task needs 16 tokens or more")
    chosen = rng.permutation(index)[:chains].tolist()
    x, y, z = ([(int(letter), int(i)) for i in chosen] for letter in letters)
    train = [(*x[n], forward, *y[n]) for n in range(chains)] + [(*y[n], forward, *z[n]) for n in range(chains)]
    train += [(*x[n], chain, *z[n]) for n in range(whole)]
    test = [(*x[n], chain, *z[n]) for n in range(whole, chains)]
    premises = [(n, chains + n) for n in range(whole, chains)]
    panels = (_panel("z i after x i ~>", x, chain, z, np.arange(chains) < whole),)
    return assemble("related", tuple(words.tokens), words.kinds, train, test, 2, premises, panels)

"""The built-in corpora: their sizes are the paper's, nothing held out is trained, and the control is one."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.task import BACKWARD, CHAIN, FORWARD
from validation.experiments.corpora import (
    chain_corpus,
    in_context_corpus,
    related_corpus,
    reversal_corpus,
)
from validation.experiments.corpus import CONTROL, RELATION, UNUSED, Corpus, CorpusError, assemble, with_control

BUILDERS: dict[str, Callable[[int], Corpus]] = {
    "reversal": lambda seed: reversal_corpus(80, 1, seed),
    "reversal, two tokens": lambda seed: reversal_corpus(80, 2, seed),
    "reversal, three tokens": lambda seed: reversal_corpus(800, 3, seed),
    "chain": lambda seed: chain_corpus(80, 1, seed),
    "chain, two tokens": lambda seed: chain_corpus(80, 2, seed),
    "chain, three tokens": lambda seed: chain_corpus(800, 3, seed),
    "in context": lambda seed: in_context_corpus(80, seed),
    "related": lambda seed: related_corpus(80, seed),
}
EVERY = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
REVERSALS = pytest.mark.parametrize("build", list(BUILDERS.values())[:3], ids=list(BUILDERS)[:3])
CHAINS = pytest.mark.parametrize("build", list(BUILDERS.values())[3:6], ids=list(BUILDERS)[3:6])


def rows(sentences: np.ndarray) -> list[tuple[int, ...]]:
    return [tuple(row) for row in sentences.tolist()]


def parts(corpus: Corpus, sentence: tuple[int, ...]) -> tuple[tuple[int, ...], str, tuple[int, ...]]:
    """Subject, relation and answer of a sentence in which the relation stands once."""
    k = corpus.answer_length
    return sentence[: -k - 1], corpus.tokens[sentence[-k - 1]], sentence[-k:]


def answers(corpus: Corpus, sentences: np.ndarray) -> set[tuple[int, ...]]:
    """Relation and answer of each sentence."""
    return set(rows(sentences[:, -corpus.answer_length - 1 :]))


# -- sizes --


@pytest.mark.parametrize(
    ("build", "vocabulary", "entity_tokens", "train", "test"),
    [
        (reversal_corpus, 20, 1, 9, 1),
        (reversal_corpus, 50, 1, 20, 4),
        (reversal_corpus, 60, 1, 25, 5),  # 70 % of 15 pairs: 10.5, rounded to even
        (reversal_corpus, 200, 1, 85, 15),
        (reversal_corpus, 800, 1, 340, 60),
        (reversal_corpus, 2000, 1, 850, 150),
        (reversal_corpus, 800, 2, 680, 120),
        (reversal_corpus, 800, 3, 250, 50),
        (chain_corpus, 20, 1, 14, 1),
        (chain_corpus, 50, 1, 32, 4),
        (chain_corpus, 200, 1, 135, 15),
        (chain_corpus, 800, 1, 540, 60),
        (chain_corpus, 2000, 1, 1350, 150),
        (chain_corpus, 800, 3, 400, 50),
    ],
)
def test_corpora_have_the_sizes_of_the_paper(
    build: Callable[[int, int, int], Corpus], vocabulary: int, entity_tokens: int, train: int, test: int
) -> None:
    """So many sentences are trained and held out, all different, over V tokens and two relations."""
    corpus = build(vocabulary, entity_tokens, 3)
    assert (len(corpus.train), len(corpus.test)) == (train, test)
    assert len(set(rows(corpus.train)) | set(rows(corpus.test))) == train + test
    assert corpus.vocabulary_size == len(set(corpus.tokens)) == vocabulary + 2
    assert (corpus.length, corpus.answer_length) == (2 * entity_tokens + 1, entity_tokens)


@pytest.mark.parametrize(
    ("corpus", "train", "test", "length", "tokens"),
    [(in_context_corpus(400, 0), 700, 300, 7, 403), (related_corpus(800, 0), 700, 50, 5, 802)],
    ids=["in context", "related"],
)
def test_in_context_and_related_corpora_have_the_sizes_of_the_paper(
    corpus: Corpus, train: int, test: int, length: int, tokens: int
) -> None:
    """700 sentences are trained, 300 or 50 asked, all different."""
    assert (len(corpus.train), len(corpus.test)) == (train, test)
    assert len(set(rows(corpus.train)) | set(rows(corpus.test))) == train + test
    assert (corpus.length, corpus.vocabulary_size) == (length, tokens)


# -- what the sentences say --


@EVERY
def test_nothing_held_out_is_trained(build: Callable[[int], Corpus]) -> None:
    """No held-out sentence is a training sentence, and every prompt is a question of its own."""
    corpus = build(0)
    assert not set(rows(corpus.train)) & set(rows(corpus.test))
    assert len(set(rows(corpus.test[:, : -corpus.answer_length]))) == len(corpus.test)
    assert corpus.question.tolist() == list(range(len(corpus.test)))
    assert (corpus.weight == 1).all()


@REVERSALS
def test_premises_of_a_reversal_are_its_other_reading(build: Callable[[int], Corpus]) -> None:
    """The one premise of x R y is y R' x, with -> and <- exchanged; both ways are asked."""
    corpus = build(0)
    asked = set()
    for sentence, (premise,) in zip(rows(corpus.test), corpus.premises.tolist(), strict=True):
        subject, relation, answer = parts(corpus, sentence)
        assert parts(corpus, rows(corpus.train)[premise]) == (
            answer,
            {FORWARD: BACKWARD, BACKWARD: FORWARD}[relation],
            subject,
        )
        asked.add(relation)
    assert asked == {FORWARD, BACKWARD}


@CHAINS
def test_premises_of_a_chain_are_its_links(build: Callable[[int], Corpus]) -> None:
    """The premises of A ~> C are A -> B and B -> C with one B, and other chains are trained with their conclusion."""
    corpus = build(0)
    train = [parts(corpus, sentence) for sentence in rows(corpus.train)]
    for sentence, (first, second) in zip(rows(corpus.test), corpus.premises.tolist(), strict=True):
        subject, relation, answer = parts(corpus, sentence)
        middle = train[first][2]
        assert relation == CHAIN
        assert train[first] == (subject, FORWARD, middle)
        assert train[second] == (middle, FORWARD, answer)
    following = {subject: answer for subject, relation, answer in train if relation == FORWARD}
    concluded = [(subject, answer) for subject, relation, answer in train if relation == CHAIN]
    assert len(concluded) > len(corpus.test)
    assert all(following[following[subject]] == answer for subject, answer in concluded)


def test_premises_of_related_tokens_share_the_index() -> None:
    """Every sentence relates x i to y i, y i to z i or x i to z i; the premises of x i ~> z i are its two links."""
    corpus = related_corpus(80, 0)
    names = [corpus.sentence(sentence).split() for sentence in corpus.train]
    ways = {("x", FORWARD, "y"), ("y", FORWARD, "z"), ("x", CHAIN, "z")}
    assert {(n[0], n[2], n[3]) for n in names} == ways
    assert all(n[1] == n[4] for n in names)
    for sentence, (first, second) in zip(corpus.test, corpus.premises, strict=True):
        letter, index, relation, last, same = corpus.sentence(sentence).split()
        assert (letter, relation, last, same) == ("x", CHAIN, "z", index)
        assert names[first] == ["x", index, FORWARD, "y", index]
        assert names[second] == ["y", index, FORWARD, "z", index]


def test_in_context_sentences_state_the_fact_before_its_reversal() -> None:
    """Every sentence is x -> y <=> y <- x over all pairs (x, y), so that its answer is its first token."""
    corpus = in_context_corpus(80, 0)
    names = [corpus.sentence(s).split() for s in (*corpus.train, *corpus.test)]
    assert all(n == [n[0], FORWARD, n[2], "<=>", n[2], BACKWARD, n[0]] for n in names)
    assert {(n[0], n[2]) for n in names} == {(f"x{i}", f"y{j}") for i in range(1, 21) for j in (1, 2)}
    assert corpus.premises.shape == (len(corpus.test), 0)


@EVERY
def test_prompts_end_in_a_relation(build: Callable[[int], Corpus]) -> None:
    """The token before each answer is a relation, in sentences and in panels, and no answer holds one."""
    corpus = build(0)
    k = corpus.answer_length
    for sentences in (corpus.train, corpus.test):
        assert (corpus.kinds[sentences[:, -k - 1]] == RELATION).all()
        assert not (corpus.kinds[sentences[:, -k:]] == RELATION).any()
    for panel in corpus.panels:
        assert (corpus.kinds[panel.prompts[:, -1]] == RELATION).all()
        assert panel.prompts.shape[1] + panel.answers.shape[1] == corpus.length


@EVERY
def test_panels_know_what_is_trained(build: Callable[[int], Corpus]) -> None:
    """Pair by pair, `seen` says whether the panel's sentence is trained; if not, it is held out."""
    corpus = build(0)
    trained, held_out = set(rows(corpus.train)), set(rows(corpus.test))
    shown = 0
    for panel in corpus.panels:
        sentences = rows(np.concatenate([panel.prompts, panel.answers], axis=1))
        assert [s in trained for s in sentences] == panel.seen.tolist()
        assert [s in held_out for s in sentences] == (~panel.seen).tolist()
        assert len(set(sentences)) == len(sentences)
        shown += len(sentences)
    assert (shown > 0) == (corpus.name != "in-context")


@EVERY
def test_right_kinds_are_those_of_the_answers(build: Callable[[int], Corpus]) -> None:
    """`answer_kind` marks the answer's own token and all of its sort, no relation and no unused token."""
    corpus = build(0)
    assert corpus.answer_kind.shape == (len(corpus.test), corpus.answer_length, corpus.vocabulary_size)
    for sentence, marked in zip(corpus.test, corpus.answer_kind, strict=True):
        for token, of_token in zip(sentence[-corpus.answer_length :], marked, strict=True):
            assert of_token[token]
            assert set(corpus.kinds[of_token]) == {corpus.kinds[token]}
            assert of_token.sum() == (corpus.kinds == corpus.kinds[token]).sum()
    assert not corpus.answer_kind[:, :, np.isin(corpus.kinds, [RELATION, UNUSED])].any()


# -- seeds --


@EVERY
def test_a_seed_is_one_corpus(build: Callable[[int], Corpus]) -> None:
    """The same seed gives the same sentences, another seed others of the same number."""
    one, again, other = build(5), build(5), build(6)
    for name in ("train", "test", "premises", "question"):
        assert np.array_equal(getattr(one, name), getattr(again, name))
        assert getattr(one, name).shape == getattr(other, name).shape
    assert one.tokens == again.tokens == other.tokens
    assert set(rows(one.test)) != set(rows(other.test))
    assert set(rows(one.train)) != set(rows(other.train))


# -- the control --


@REVERSALS
def test_the_control_trains_every_held_out_answer(build: Callable[[int], Corpus]) -> None:
    """A held-out answer is no trained answer of its relation in the plain corpus, and is one in the control."""
    plain = build(0)
    control = with_control(plain, np.random.default_rng(0))
    asked = answers(plain, plain.test)
    assert not asked & answers(plain, plain.train)
    assert asked <= answers(control, control.train)
    assert np.array_equal(control.test, plain.test)
    assert not set(rows(control.test)) & set(rows(control.train))


@REVERSALS
def test_the_control_adds_new_subjects_and_nothing_else(build: Callable[[int], Corpus]) -> None:
    """One sentence is added for each held-out one; its subject is of tokens that no other sentence uses."""
    plain = build(0)
    control = with_control(plain, np.random.default_rng(0))
    k, trained = plain.answer_length, len(plain.train)
    extra = control.train[trained:]
    subjects = extra[:, : -k - 1]
    assert np.array_equal(control.train[:trained], plain.train)
    assert len(extra) == len(plain.test)
    assert len(np.unique(subjects)) == subjects.size  # no token twice
    assert not np.isin(subjects, plain.train).any()
    assert not np.isin(subjects, plain.test).any()
    assert (control.kinds == CONTROL).sum() == subjects.size
    assert set(control.kinds[subjects.ravel()]) == {CONTROL}
    assert (control.weight == 1).all()
    assert control.vocabulary_size == plain.vocabulary_size


def test_the_control_says_how_many_tokens_are_missing() -> None:
    """Fifty entities of three tokens need 150 unused ones; of 100 tokens only half are unused."""
    corpus = reversal_corpus(100, 3, 0)
    with pytest.raises(CorpusError, match=r"needs 150 unused tokens .* has 50; give a larger --vocabulary"):
        with_control(corpus, np.random.default_rng(0))


def test_the_control_keeps_unequal_weights_in_proportion() -> None:
    """Weights keep their ratios under the control, an added sentence has the mean of the others, the mean is one."""
    tokens, kinds = ("a", "r", "b", "c", "u", "v"), ["A", RELATION, "B", "B", UNUSED, UNUSED]
    train, test = [(0, 1, 2), (2, 1, 3)], [(3, 1, 0)]
    corpus = assemble("weighted", tokens, kinds, train, test, 1, [(0,)], weight=np.array([1.0, 3.0]))
    np.testing.assert_allclose(corpus.weight, [0.5, 1.5], rtol=1e-15)
    control = with_control(corpus, np.random.default_rng(0))
    np.testing.assert_allclose(control.weight, [0.5, 1.5, 1.0], rtol=1e-15)


# -- refusals --


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: in_context_corpus(39, 0), "--vocabulary 39: the in-context task needs 40 tokens or more"),
        (lambda: related_corpus(15, 0), "--vocabulary 15: the related-token task needs 16 tokens or more"),
        (lambda: reversal_corpus(20, 3, 0), "150 entities of 3 tokens need more than the 5 .*larger --vocabulary"),
        (lambda: chain_corpus(23, 3, 0), "150 entities of 3 tokens need more than the 5 .*larger --vocabulary"),
        (lambda: reversal_corpus(3, 1, 0), "nothing is trained; give at least one statement"),
    ],
)
def test_a_vocabulary_that_is_too_small_is_named(build: Callable[[], Corpus], message: str) -> None:
    """The message says what was given, what the task needs and what to change."""
    with pytest.raises(CorpusError, match=message):
        build()


@pytest.mark.parametrize("build", [reversal_corpus, chain_corpus])
def test_the_smallest_vocabularies_have_something_to_ask(build: Callable[[int, int, int], Corpus]) -> None:
    """Eight tokens, the fewest that settings allow, still hold one question; three-token entities need 24."""
    assert len(build(8, 1, 0).test) == 1
    assert len(build(24, 3, 0).test) == 50


def test_the_thresholds_of_fixed_forms_are_sharp() -> None:
    """The vocabularies that the messages name are large enough."""
    assert len(in_context_corpus(40, 0).test) == 3
    assert len(related_corpus(16, 0).test) == 1


def test_wrong_shapes_are_refused() -> None:
    """Answers as long as the sentence, uneven premises and weights of another mean are ValueErrors."""
    tokens, kinds = ("a", "r", "b"), ["A", RELATION, "B"]
    for k in (0, 3):
        with pytest.raises(ValueError, match="longer than the answer"):
            assemble("x", tokens, kinds, [(0, 1, 2)], [(2, 1, 0)], k, [(0,)])
    with pytest.raises(ValueError, match="same number of premises"):
        assemble("x", tokens, kinds, [(0, 1, 2)], [(2, 1, 0), (0, 1, 0)], 1, [(0,), ()])
    corpus = assemble("x", tokens, kinds, [(0, 1, 2)], [(2, 1, 0)], 1, [(0,)])
    fields = {name: getattr(corpus, name) for name in Corpus.__dataclass_fields__}
    for weight in (np.array([2.0]), np.ones(2)):
        with pytest.raises(ValueError, match="with mean one"):
            Corpus(**{**fields, "weight": weight})


@given(
    vocabulary=st.integers(8, 400),
    entity_tokens=st.integers(1, 3),
    seed=st.integers(0, 2**31),
    task=st.sampled_from(["reversal", "chain", "in-context", "related"]),
)
def test_any_vocabulary_gives_a_corpus_or_says_why_not(
    vocabulary: int, entity_tokens: int, seed: int, task: str
) -> None:
    """From 8 to 400 tokens every task is a whole corpus with questions, or a CorpusError that names the vocabulary."""
    build = {
        "reversal": lambda: reversal_corpus(vocabulary, entity_tokens, seed),
        "chain": lambda: chain_corpus(vocabulary, entity_tokens, seed),
        "in-context": lambda: in_context_corpus(vocabulary, seed),
        "related": lambda: related_corpus(vocabulary, seed),
    }[task]
    large_enough = {
        "reversal": entity_tokens < 3 or vocabulary >= 24,
        "chain": entity_tokens < 3 or vocabulary >= 24,
        "in-context": vocabulary >= 40,
        "related": vocabulary >= 16,
    }[task]
    if not large_enough:
        with pytest.raises(CorpusError, match="--vocabulary"):
            build()
        return
    corpus = build()
    assert len(corpus.test) > 0
    assert not set(rows(corpus.train)) & set(rows(corpus.test))
    assert corpus.vocabulary_size - (corpus.kinds == RELATION).sum() == vocabulary
    if task == "reversal" and entity_tokens < 3:
        control = with_control(corpus, np.random.default_rng(seed))
        assert answers(control, control.test) <= answers(control, control.train)

"""What is read off a model against plain numpy in double precision, and made-up numbers with known answers."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

import validation.experiments.measures as measures
from numerics.index import Index
from theory.facts import Fact
from validation.experiments.corpora import chain_corpus, in_context_corpus, related_corpus, reversal_corpus
from validation.experiments.corpus import Corpus, Panel
from validation.experiments.fact_corpus import reversal_fact_corpus
from validation.experiments.measures import (
    any_right,
    by_question,
    cosine_matrix,
    panel_matrix,
    score,
    sentence_indices,
    sentence_odds,
)
from validation.experiments.model import Shape, Transformer

# Logits of O(1) in single precision, of one model in two batches: a few units of 6e-8 times the width.
ROUNDING = 1e-5


def drawn(vocabulary: int, length: int, seeds: int = 2, **more: Any) -> Transformer:
    """A model with weights large enough that answers differ."""
    model = Transformer(Shape(vocabulary, length, layers=2, heads=2, width=8, **more), range(seeds))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def of_corpora(corpora: list[Corpus], **more: Any) -> Transformer:
    return drawn(corpora[0].vocabulary_size, corpora[0].length - 1, len(corpora), **more)


def numpy_logits(model: Transformer, sentences: np.ndarray) -> np.ndarray:
    """Logits of every next token, (S, Q, T - 1, m) in double precision, of a model in eval mode."""
    fed = torch.from_numpy(sentences[:, :, :-1])
    return model(fed, fed.shape[-1]).detach().double().numpy()


def shuffled(seeds: int, count: int, length: int, vocabulary: int) -> np.ndarray:
    return np.random.default_rng(1).integers(vocabulary, size=(seeds, count, length))


# -- scores --


@pytest.mark.parametrize("k", [1, 2, 3])
def test_scores_are_those_of_a_softmax_in_double_precision(k: int) -> None:
    """log p, rank and mass of each answer token follow from the logits before it, token by token in numpy."""
    model, m = drawn(9, 4), 9
    sentences = shuffled(2, 7, 5, m)
    kind = np.random.default_rng(2).integers(3, size=(2, m))
    found = score(model, sentences, k, kind)
    log_p = log_softmax(numpy_logits(model, sentences), axis=-1)
    for s, q, j in np.ndindex(2, 7, k):
        place = 5 - k + j  # of the token in its sentence; the logits of the place before predict it
        of_token, token = log_p[s, q, place - 1], sentences[s, q, place]
        assert found.log_probability[s, q, j] == pytest.approx(of_token[token], abs=ROUNDING)
        assert found.mass[s, q, j] == pytest.approx(np.exp(of_token[kind[s] == kind[s, token]]).sum(), abs=ROUNDING)
        assert found.rank[s, q, j] == 1 + (np.delete(of_token, token) > of_token[token]).sum()
    np.testing.assert_allclose(found.whole, found.log_probability.sum(axis=-1), atol=1e-14)
    assert np.array_equal(found.right, (found.rank == 1).all(axis=-1))
    assert found.log_probability.dtype == np.float64


def test_probabilities_of_all_answers_sum_to_one() -> None:
    """Over every answer of two tokens after one prompt, the probabilities of whole answers sum to one."""
    model, m = drawn(5, 3), 5
    answers = np.stack(np.meshgrid(np.arange(m), np.arange(m)), axis=-1).reshape(-1, 2)
    sentences = np.concatenate([np.full((m * m, 2), 3), answers], axis=1)
    whole = score(model, np.stack([sentences, sentences]), 2, None).whole
    # the sum is exact up to the rounding of logits in two batches of unlike place
    np.testing.assert_allclose(np.exp(whole).sum(axis=1), 1.0, atol=ROUNDING)


def test_a_tie_is_no_right_answer() -> None:
    """Where all logits are equal every rank is m, and an answer that shares the first place with another has rank 2."""
    model = drawn(6, 2, seeds=1)
    sentences = shuffled(1, 5, 3, 6)
    with torch.no_grad():
        model.head.zero_()
    found = score(model, sentences, 1, None)
    assert (found.rank == 6).all()
    assert not found.right.any()
    np.testing.assert_allclose(found.log_probability, -np.log(6), rtol=1e-15)
    with torch.no_grad():
        model.head[0, :, [2, 4]] = 1.0
        model.norm.weight.zero_()
        model.norm.bias.fill_(1.0)
    tied = score(model, np.array([[[0, 1, 2], [0, 1, 4], [0, 1, 3]]]), 1, None)
    assert tied.rank.ravel().tolist() == [2, 2, 6]
    with torch.no_grad():
        model.head[0, :, 2] += 1e-3
    assert score(model, np.array([[[0, 1, 2], [0, 1, 4]]]), 1, None).rank.ravel().tolist() == [1, 2]


def test_scores_of_many_sentences_are_those_of_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cutting the sentences into pieces of two, two, two and one changes no score, and no sentences give no scores."""
    model, sentences = drawn(9, 4), shuffled(2, 7, 5, 9)
    kind = np.random.default_rng(2).integers(3, size=(2, 9))
    whole = score(model, sentences, 2, kind)
    monkeypatch.setattr(measures, "LOGITS_AT_ONCE", 2 * 2 * 2 * 9)
    cut = score(model, sentences, 2, kind)
    np.testing.assert_allclose(cut.log_probability, whole.log_probability, atol=ROUNDING)
    np.testing.assert_allclose(cut.mass, whole.mass, atol=ROUNDING)
    assert np.array_equal(cut.rank, whole.rank)
    assert score(model, sentences[:, :0], 2, None).whole.shape == (2, 0)


def test_scores_are_of_eval_mode_and_leave_the_mode_as_it_was() -> None:
    """A model with dropout 0.5 in train mode scores twice alike, as one without dropout, and is in train mode after."""
    model, plain, sentences = drawn(9, 4, dropout=0.5), drawn(9, 4), shuffled(2, 7, 5, 9)
    model.train()
    one, other = (score(model, sentences, 2, None) for _ in range(2))
    assert np.array_equal(one.log_probability, other.log_probability)
    np.testing.assert_allclose(one.log_probability, score(plain, sentences, 2, None).log_probability, atol=ROUNDING)
    assert model.training
    assert all(block.training for block in model.blocks)
    model.eval()
    score(model, sentences, 2, None)
    assert not model.training


# -- questions --


@given(data=st.data(), seeds=st.integers(1, 3), count=st.integers(1, 6))
def test_answers_of_a_question_add_their_probabilities(data: st.DataObject, seeds: int, count: int) -> None:
    """p of a question is the sum of p over its right answers, and it is right where one of them is, in any order."""
    drawn_numbers = data.draw(st.lists(st.integers(0, count - 1), min_size=count, max_size=count))
    question = np.unique(drawn_numbers, return_inverse=True)[1]
    log_p = np.array(data.draw(st.lists(st.floats(-30, 0), min_size=seeds * count, max_size=seeds * count)))
    right = np.array(data.draw(st.lists(st.booleans(), min_size=seeds * count, max_size=seeds * count)))
    log_p, right = log_p.reshape(seeds, count), right.reshape(seeds, count)
    summed, any_of = by_question(log_p, question), any_right(right, question)
    questions = question.max() + 1
    assert summed.shape == any_of.shape == (seeds, questions)
    for s, q in np.ndindex(seeds, questions):
        own = [i for i in range(count) if question[i] == q]
        # a sum of up to six doubles, in logarithms
        assert summed[s, q] == pytest.approx(np.log(sum(np.exp(log_p[s, i]) for i in own)), abs=1e-14)
        assert any_of[s, q] == any(right[s, i] for i in own)


def test_questions_are_in_the_order_of_their_numbers() -> None:
    """Where every question has one answer, its value goes to the place of its number."""
    question = np.array([2, 0, 1])
    np.testing.assert_array_equal(by_question(np.array([[-1.0, -2.0, -3.0]]), question), [[-2.0, -3.0, -1.0]])
    np.testing.assert_array_equal(any_right(np.array([[True, False, False]]), question), [[False, False, True]])


# -- gains --


def test_log_odds_are_finite_near_certainty() -> None:
    """log p - log(1 - p) to double precision, with log(1 - p) from log p itself; at p = 1 the bound of a double."""
    p = np.array([1e-300, 1e-9, 0.2, 0.5, 0.9])
    np.testing.assert_allclose(sentence_odds(np.log(p)), np.log(p) - np.log1p(-p), rtol=1e-14, atol=1e-15)
    # where p rounds to 1 - 1e-12, its logarithm still tells how far it is
    assert sentence_odds(np.array([-1e-12]))[0] == pytest.approx(12 * np.log(10), abs=1e-9)
    certain = sentence_odds(np.array([0.0, -1e-20, 1e-17]))  # the last as rounding leaves it
    np.testing.assert_allclose(certain, -np.log(np.finfo(float).eps), rtol=1e-15)
    increasing = sentence_odds(-np.geomspace(30, 1e-15, 50))
    assert (np.diff(increasing) > 0).all()


def gained(train: np.ndarray, test: np.ndarray, corpora: list[Corpus]) -> list[Index]:
    """The indices of log-odds gained by trained (S, K) and held-out (S, Q) sentences since log-odds of zero."""
    return sentence_indices((0.0 * train, 0.0 * test), (train, test), corpora)


@pytest.mark.parametrize("corpus", [reversal_corpus(50, 1, 0), chain_corpus(50, 1, 0), related_corpus(40, 0)])
def test_the_index_is_the_mean_of_ratios(corpus: Corpus) -> None:
    """For each seed: the mean over held-out sentences of their gain over the mean gain of their premises."""
    rng = np.random.default_rng(3)
    train = rng.uniform(2, 9, (2, len(corpus.train)))
    test = rng.normal(size=(2, len(corpus.test)))
    expected = []
    for s in range(2):
        ratios = [
            test[s, q] / (sum(train[s, p] for p in premises) / len(premises))
            for q, premises in enumerate(corpus.premises)
        ]
        expected.append(sum(ratios) / len(ratios))
    found = gained(train, test, [corpus, corpus])
    np.testing.assert_allclose([index.value for index in found], expected, rtol=1e-13)
    assert [(index.questions, index.without) for index in found] == 2 * [(len(corpus.test), 0)]


def test_the_index_of_equal_gains_is_one() -> None:
    """Held-out sentences that gain what their premises gain have index 1, those that gain nothing 0, per seed."""
    corpus = reversal_corpus(50, 1, 0)
    train = np.random.default_rng(3).uniform(2, 9, (2, len(corpus.train)))
    test = np.stack([train[0][corpus.premises[:, 0]], np.zeros(len(corpus.test))])
    found = gained(train, test, [corpus, corpus])
    np.testing.assert_allclose([index.value for index in found], [1.0, 0.0], atol=1e-15)


def test_several_answers_are_one_question_of_the_index() -> None:
    """p of two right answers is summed and premises of both count: 0.2 + 0.3 to 0.4 + 0.5 over 3 and 5 is log 9 / 4."""
    facts = [Fact("Ann", "parent", "Bo"), Fact("Cy", "parent", "Bo")]
    corpus = reversal_fact_corpus(facts, "children", control=False)
    assert corpus.question.tolist() == [0, 0]
    start, end = (sentence_odds(np.log([p])) for p in ([0.2, 0.3], [0.4, 0.5]))
    train = np.array([[3.0, 5.0]])
    (found,) = sentence_indices((0.0 * train, start), (train, end), [corpus])
    assert found.value == pytest.approx(np.log(9.0) / 4.0, rel=1e-14)
    assert (found.questions, found.without) == (1, 0)


def test_questions_without_forward_gain_are_counted_and_left_out() -> None:
    """Premises that lost or gained nothing give no ratio; where all are so, or there are none, the index is nan."""
    corpus = reversal_corpus(50, 1, 0)
    count = len(corpus.test)
    train = np.repeat(np.array([0.0, -5.0, 1e-3, 2.0])[:, None], len(corpus.train), axis=1)
    train[3, corpus.premises[0, 0]], train[3, corpus.premises[1, 0]] = 0.0, -3.0
    found = gained(train, np.ones((4, count)), [corpus] * 4)
    assert [index.without for index in found] == [count, count, 0, 2]
    np.testing.assert_allclose([index.value for index in found], [np.nan, np.nan, 1e3, 0.5], rtol=1e-13)
    alone = in_context_corpus(80, 0)
    (nothing,) = gained(5 * np.ones((1, len(alone.train))), np.ones((1, len(alone.test))), [alone])
    assert np.isnan(nothing.value)
    assert (nothing.questions, nothing.without) == (0, 0)


# -- panels --


@pytest.mark.parametrize("tokens", [1, 2])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_panel_asks_every_answer_of_every_prompt(seed: int, tokens: int) -> None:
    """Entry (i, j) is log p of answer j after prompt i, for the seed that is asked; the diagonal is of true pairs."""
    corpora = [reversal_corpus(24, tokens, s) for s in range(2)]
    model = of_corpora(corpora)
    for panel in corpora[0].panels:
        matrix = panel_matrix(model, panel, seed)
        n = len(panel.seen)
        assert matrix.shape == (n, n)
        places = [(i, j) for i in range(n) for j in range(n)]
        sentences = np.array([[*panel.prompts[i], *panel.answers[j]] for i, j in places])
        log_p = log_softmax(numpy_logits(model, np.stack([sentences, sentences]))[seed], axis=-1)
        for (i, j), sentence, of_sentence in zip(places, sentences, log_p, strict=True):
            expected = sum(of_sentence[t - 1, sentence[t]] for t in range(len(sentence) - tokens, len(sentence)))
            assert matrix[i, j] == pytest.approx(expected, abs=ROUNDING)
        pairs = np.concatenate([panel.prompts, panel.answers], axis=1)
        whole = score(model, np.stack([pairs, pairs]), tokens, None).whole
        np.testing.assert_allclose(matrix.diagonal(), whole[seed], atol=ROUNDING)
        assert not np.allclose(matrix, matrix.T)


def test_cosines_are_those_of_subject_and_answer() -> None:
    """Entry (i, j) is the cosine of subject i's and answer j's embeddings, within [-1, 1] and 1 for one token."""
    corpora = [reversal_corpus(24, 1, s) for s in range(2)]
    model = of_corpora(corpora)
    for seed in range(2):
        table = model.embedding[seed].detach().double().numpy()
        for panel in corpora[0].panels:
            matrix = cosine_matrix(model, panel, seed)
            assert matrix is not None
            assert np.abs(matrix).max() <= 1 + 1e-15
            for (i, j), cosine in np.ndenumerate(matrix):
                one, other = table[panel.prompts[i, 0]], table[panel.answers[j, 0]]
                assert cosine == pytest.approx(one @ other / np.linalg.norm(one) / np.linalg.norm(other), abs=1e-14)
    prompts = corpora[0].panels[0].prompts
    itself = Panel("itself", prompts, prompts[:, :1], np.ones(len(prompts), dtype=bool))
    np.testing.assert_allclose(np.diagonal(cosine_matrix(model, itself, 0)), 1.0, atol=1e-14)


@pytest.mark.parametrize("corpus", [reversal_corpus(24, 2, 0), related_corpus(24, 0)], ids=["two tokens", "related"])
def test_long_entities_have_no_cosine(corpus: Corpus) -> None:
    """Entities of several tokens have no embedding of their own: None."""
    assert corpus.panels
    assert all(cosine_matrix(of_corpora([corpus]), panel, 0) is None for panel in corpus.panels)

"""What a guess is worth that knows the relation alone: by hand on small files, and on the built-in corpora."""

import numpy as np
import pytest

from theory.facts import Fact
from validation.experiments.corpora import chain_corpus, reversal_corpus
from validation.experiments.corpus import with_control
from validation.experiments.fact_corpus import reversal_fact_corpus
from validation.experiments.guess import guesses


@pytest.mark.parametrize(("entity_tokens", "entities"), [(1, 200), (2, 400), (3, 150)])
def test_entities_are_guessed_whole(entity_tokens: int, entities: int) -> None:
    """In the built-in tasks a guess among the entities of a side is right once in as many, however long they are."""
    plain = reversal_corpus(800, entity_tokens, 0)
    for corpus in (plain, with_control(plain, np.random.default_rng(0)), chain_corpus(800, entity_tokens, 0)):
        drawn, best = guesses(corpus)
        np.testing.assert_allclose(drawn, 1 / entities, rtol=1e-12)
        assert np.array_equal(best, drawn)
        assert corpus.trained_elsewhere == (corpus is not plain)


def test_a_frequent_answer_is_a_good_guess() -> None:
    """Of ten rows trained both ways eight say f: asked for the inverse of a row with f, f is the best guess."""
    both = [Fact(f"p{i}", "gender", "f" if i < 8 else "m", "both") for i in range(10)]
    asked = [Fact("q1", "gender", "f", "backward"), Fact("q2", "gender", "m", "backward")]
    drawn, best = guesses(reversal_fact_corpus([*both, *asked], "f", control=False))
    np.testing.assert_allclose(drawn, [0.8, 0.5], rtol=1e-12)  # the second: one of two answers of the relation
    assert best.tolist() == [1.0, 0.5]


def test_several_right_answers_are_easier_to_guess() -> None:
    """A team with three of six players is guessed three times as often as one answer alone."""
    rows = [Fact(f"p{i}", "team", "t" if i < 3 else f"u{i}") for i in range(6)]
    corpus = reversal_fact_corpus(rows, "f", control=True)
    drawn, _ = guesses(corpus)
    assert drawn[0] == pytest.approx(3 / 6)
    assert np.allclose(drawn[1:], 1 / 6)
    control, _ = guesses(with_control(corpus, np.random.default_rng(0)))
    np.testing.assert_allclose(control, drawn, rtol=1e-12)


def test_what_cannot_be_asked_is_not_asked() -> None:
    """A question that is trained with another answer is dropped with a note, and an untrained relation is named."""
    rows = [Fact("a", "r", "b", "both"), Fact("c", "r", "b"), Fact("d", "s", "e")]
    corpus = reversal_fact_corpus(rows, "f", control=False)
    assert [corpus.sentence(s) for s in corpus.test] == ["e s⁻¹ d"]
    assert corpus.never_trained == ("s⁻¹",)
    assert "1 held-out answer is not asked" in corpus.notes[1]

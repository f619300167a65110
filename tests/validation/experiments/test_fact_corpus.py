"""Corpora of fact lists: directions, inverse relations, questions with several answers, chains and their split."""

from pathlib import Path

import numpy as np
import pytest

from theory.errors import BadInput
from theory.facts import Fact, inverse
from theory.task import CHAIN
from validation.experiments.corpus import CONTROL, RELATION, UNUSED, Corpus, CorpusError, with_control
from validation.experiments.corpus_of import build_corpora
from validation.experiments.fact_corpus import ENTITY, chain_fact_corpus, reversal_fact_corpus
from validation.experiments.settings import TrainSettings

PARENT, FRIEND = inverse("parent"), inverse("friend")
FAMILY = [
    Fact("ann", "parent", "bob"),
    Fact("ann", "parent", "carl", weight=3.0),
    Fact("eve", "parent", "bob"),
    Fact("bob", "parent", "dave", "both"),
    Fact("carl", "friend", "ann", "backward"),
    Fact("dave", "friend", "carl", weight=0.5),
    Fact("ann", "friend", "bob"),  # the pair of another row, in another relation
    Fact("ann", "friend", "ann"),
]


def trained(corpus: Corpus) -> list[str]:
    return [corpus.sentence(s) for s in corpus.train]


def asked(corpus: Corpus) -> list[str]:
    return [corpus.sentence(s) for s in corpus.test]


def premises(corpus: Corpus) -> list[tuple[str, ...]]:
    """The premises of each held-out sentence, read out."""
    return [tuple(corpus.sentence(corpus.train[p]) for p in row) for row in corpus.premises]


# -- reversal --


def test_facts_are_trained_in_their_directions() -> None:
    """Forward rows are trained with the relation, backward ones with its inverse, both with both; the rest is asked."""
    corpus = reversal_fact_corpus(FAMILY, "family", control=False)
    assert trained(corpus) == [
        "ann parent bob",
        "ann parent carl",
        "eve parent bob",
        "bob parent dave",
        f"dave {PARENT} bob",
        f"ann {FRIEND} carl",
        "dave friend carl",
        "ann friend bob",
        "ann friend ann",
    ]
    assert sorted(asked(corpus)) == sorted(
        [
            f"bob {PARENT} ann",
            f"carl {PARENT} ann",
            f"bob {PARENT} eve",
            "carl friend ann",
            f"carl {FRIEND} dave",
            f"bob {FRIEND} ann",
        ]
    )
    assert (corpus.length, corpus.answer_length) == (3, 1)


def test_the_premise_of_a_held_out_reading_is_the_trained_one() -> None:
    """Each held-out reading has the other reading of its own row as premise, though two rows relate one pair."""
    corpus = reversal_fact_corpus(FAMILY, "family", control=False)
    told = dict(zip(asked(corpus), premises(corpus), strict=True))
    assert told == {
        f"bob {PARENT} ann": ("ann parent bob",),
        f"carl {PARENT} ann": ("ann parent carl",),
        f"bob {PARENT} eve": ("eve parent bob",),
        "carl friend ann": (f"ann {FRIEND} carl",),
        f"carl {FRIEND} dave": ("dave friend carl",),
        f"bob {FRIEND} ann": ("ann friend bob",),
    }


def test_right_answers_of_one_prompt_share_a_question() -> None:
    """Held-out sentences have one question number exactly where they have one prompt; numbers run from 0."""
    corpus = reversal_fact_corpus(FAMILY, "family", control=False)
    prompts = [tuple(s[:-1]) for s in corpus.test.tolist()]
    for i, one in enumerate(prompts):
        for j, other in enumerate(prompts):
            assert (corpus.question[i] == corpus.question[j]) == (one == other)
    assert set(corpus.question.tolist()) == set(range(5))
    both = [s for s, q in zip(asked(corpus), corpus.question, strict=True) if (corpus.question == q).sum() == 2]
    assert sorted(both) == [f"bob {PARENT} ann", f"bob {PARENT} eve"]


def test_a_self_fact_is_trained_and_never_asked() -> None:
    """A row whose subject is its object is a training sentence, is no question, and alone leaves nothing to ask."""
    corpus = reversal_fact_corpus(FAMILY, "family", control=False)
    assert "ann friend ann" in trained(corpus)
    assert f"ann {FRIEND} ann" not in asked(corpus)
    with pytest.raises(CorpusError, match="nothing is held out"):
        reversal_fact_corpus([Fact("ann", "friend", "ann")], "alone", control=False)


def test_weights_are_in_proportion_with_mean_one() -> None:
    """A sentence weighs as its row does, all of them one on average, for both readings of a row as well."""
    corpus = reversal_fact_corpus(FAMILY, "family", control=False)
    given = np.array([1, 3, 1, 1, 1, 1, 0.5, 1, 1])
    # a sum and two quotients of doubles
    np.testing.assert_allclose(corpus.weight, given / given.mean(), rtol=1e-14)


def test_tokens_are_entities_or_relations() -> None:
    """Subjects and objects are entities; relations and inverses are relations, those that nothing uses among them."""
    corpus = reversal_fact_corpus([*FAMILY, Fact("ann", "self", "ann")], "family", control=False)
    kinds = dict(zip(corpus.tokens, corpus.kinds.tolist(), strict=True))
    assert {t for t, kind in kinds.items() if kind == ENTITY} == {"ann", "bob", "carl", "dave", "eve"}
    assert {t for t, kind in kinds.items() if kind == RELATION} == {
        "parent",
        "friend",
        "self",
        PARENT,
        FRIEND,
        inverse("self"),
    }
    assert corpus.answer_kind.sum(axis=-1).tolist() == [[5]] * len(corpus.test)


def test_an_inverse_that_no_row_trains_is_noted() -> None:
    """A relation token that is only asked by has a note with its name; one that some row trains has none."""
    corpus = reversal_fact_corpus([Fact("a", "r", "b"), Fact("c", "s", "d"), Fact("e", "s", "f", "both")], "f", False)
    assert len(corpus.notes) == 1
    assert corpus.notes[0].startswith(f"no row trains {inverse('r')},")
    assert reversal_fact_corpus([Fact("a", "r", "b"), Fact("e", "r", "f", "both")], "f", False).notes == ()


def test_the_control_has_a_new_token_for_each_held_out_sentence() -> None:
    """With control as many unused tokens are added, and every held-out answer is then trained after its relation."""
    plain = reversal_fact_corpus(FAMILY, "family", control=False)
    padded = reversal_fact_corpus(FAMILY, "family", control=True)
    assert not (plain.kinds == UNUSED).any()
    assert padded.tokens[: len(plain.tokens)] == plain.tokens
    assert (padded.kinds == UNUSED).sum() == len(plain.test) == padded.vocabulary_size - plain.vocabulary_size
    assert np.array_equal(padded.train, plain.train)
    control = with_control(padded, np.random.default_rng(0))
    assert (control.kinds == CONTROL).sum() == len(plain.test)
    extra = control.train[len(plain.train) :]
    assert np.array_equal(extra[:, 1:], plain.test[:, 1:])
    assert control.weight.mean() == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_allclose(control.weight[: len(plain.train)] / control.weight[0], plain.weight / plain.weight[0])


def test_panels_of_facts_know_what_is_trained() -> None:
    """A panel asks by one relation token, and `seen` says pair by pair whether that sentence is trained."""
    corpus = reversal_fact_corpus(FAMILY, "family", control=False)
    sentences = set(trained(corpus))
    assert [panel.title for panel in corpus.panels] == [f"object after {PARENT}", f"object after {FRIEND}"]
    for panel in corpus.panels:
        whole = [corpus.sentence(s) for s in np.concatenate([panel.prompts, panel.answers], axis=1)]
        assert [s in sentences for s in whole] == panel.seen.tolist()
        assert panel.seen.any()
        assert not panel.seen.all()


def test_the_floor_counts_the_answers_of_each_prompt() -> None:
    """Without weights the floor is the mean log number of trained answers of a sentence's prompt; 0 where it is one.

    With weights it is the weighted mean of -log of the shares, below which no weighted loss can fall.
    """
    rows = [Fact("a", "r", "b"), Fact("a", "r", "c"), Fact("a", "r", "d"), Fact("e", "r", "f")]
    corpus = reversal_fact_corpus(rows, "f", control=False)
    assert corpus.floor == pytest.approx(3 * np.log(3) / 4, abs=1e-14)
    assert reversal_fact_corpus(rows[2:], "f", control=False).floor == 0
    uneven = [Fact("a", "r", "b", weight=3.0), Fact("a", "r", "c"), Fact("e", "r", "f", weight=4.0)]
    expected = -(3 * np.log(3 / 4) + np.log(1 / 4)) / 8
    assert reversal_fact_corpus(uneven, "f", control=False).floor == pytest.approx(expected, abs=1e-14)


def test_nothing_held_out_is_an_error() -> None:
    """Rows trained both ways, each alone or as two rows, leave nothing to ask: CorpusError with the file's name."""
    for rows in ([Fact("a", "r", "b", "both")], [Fact("a", "r", "b"), Fact("a", "r", "b", "backward")]):
        with pytest.raises(CorpusError, match="file: every stated direction is trained, so nothing is held out"):
            reversal_fact_corpus(rows, "file", control=False)


# -- chains --

CHAINED = [row for i in range(10) for row in (Fact(f"a{i}", "r", f"b{i}"), Fact(f"b{i}", "s", f"c{i}", weight=2.0))]
# a1 has three chains, one of them through b2; its answers stand or fall together
FORKED = [*CHAINED, Fact("a1", "r", "b2"), Fact("b1", "s", "d")]


def ends(corpus: Corpus, sentences: np.ndarray) -> dict[str, set[str]]:
    """Last entities by first one, of the sentences with ~>."""
    found: dict[str, set[str]] = {}
    for first, relation, last in (corpus.sentence(s).split() for s in sentences):
        if relation == CHAIN:
            found.setdefault(first, set()).add(last)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_seventy_per_cent_of_first_entities_have_trained_conclusions(seed: int) -> None:
    """Of ten first entities seven have all of their chains trained as ~> and three have all of them asked."""
    corpus = chain_fact_corpus(FORKED, "chains", seed)
    concluded, held_out = ends(corpus, corpus.train), ends(corpus, corpus.test)
    assert (len(concluded), len(held_out)) == (7, 3)
    expected = {f"a{i}": {f"c{i}"} for i in range(10)} | {"a1": {"c1", "c2", "d"}}
    assert concluded | held_out == expected
    assert trained(corpus)[: len(FORKED)] == [f"{f.subject} {f.relation} {f.object}" for f in FORKED]
    assert corpus.notes == (
        f"{sum(map(len, concluded.values()))} of 12 chains of the file are trained as ~>, the others are asked",
    )


def test_no_question_has_an_answer_that_is_trained() -> None:
    """Whatever the seed, no trained ~> sentence has the prompt of a question, and its answers share a number."""
    forked = 0
    for seed in range(20):
        corpus = chain_fact_corpus(FORKED, "chains", seed)
        prompts = {tuple(s[:2]) for s in corpus.test.tolist()}
        assert not prompts & {tuple(s[:2]) for s in corpus.train.tolist()}
        assert len(set(corpus.question.tolist())) == len(prompts) == 3
        forked += len(corpus.test) == 5
    assert 0 < forked < 20  # the entity with three chains is asked at some seeds and trained at others


def test_the_split_of_chains_is_the_seeds() -> None:
    """The same seed asks the same chains, and among four seeds some ask others."""
    same = [asked(chain_fact_corpus(FORKED, "chains", 1)) for _ in range(2)]
    assert same[0] == same[1]
    assert len({tuple(asked(chain_fact_corpus(FORKED, "chains", seed))) for seed in range(4)}) > 1


def test_premises_of_a_fact_chain_are_its_links() -> None:
    """The premises of a ~> c are a trained a -> b and a trained b -> c with the same b, a backward row among them."""
    rows = [*FORKED, Fact("x", "r", "y"), Fact("z", "s", "y", "backward")]
    seen_backward = False
    for seed in range(20):
        corpus = chain_fact_corpus(rows, "chains", seed)
        assert premises(corpus)
        for sentence, (one, two) in zip(asked(corpus), premises(corpus), strict=True):
            first, _, last = sentence.split()
            assert one.split()[0] == first
            assert one.split()[2] == two.split()[0]
            assert two.split()[2] == last
            assert CHAIN not in (one.split()[1], two.split()[1])
            seen_backward |= two == f"y {inverse('s')} z"
    assert seen_backward


def test_chains_that_rows_conclude_or_that_return_are_no_questions() -> None:
    """a -> b -> c is neither asked nor trained as ~> where a row states a -> c, and b -> a -> b never is."""
    rows = [*CHAINED, Fact("a0", "t", "c0"), Fact("b1", "back", "a1")]
    for seed in range(4):
        corpus = chain_fact_corpus(rows, "chains", seed)
        found = ends(corpus, corpus.train) | ends(corpus, corpus.test)
        assert "a0" not in found
        assert found["a1"] == {"c1"}
        assert "b1" not in found


def test_weights_and_kinds_of_chains() -> None:
    """Rows weigh in proportion, conclusions the mean of the rows, the mean is one; no relation counts as an entity."""
    corpus = chain_fact_corpus(CHAINED, "chains", 0)
    given = np.array([f.weight for f in CHAINED] + [1.5] * 7)
    np.testing.assert_allclose(corpus.weight, given / given.mean(), rtol=1e-14)
    entities = {corpus.tokens[t] for t in np.flatnonzero(corpus.kinds == ENTITY)}
    assert entities == {f"{letter}{i}" for letter in "abc" for i in range(10)}
    assert set(corpus.kinds.tolist()) == {ENTITY, RELATION}
    assert corpus.tokens[-1] == CHAIN
    assert corpus.answer_kind.sum(axis=-1).tolist() == [[30]] * 3


def test_chains_of_one_first_entity_cannot_be_split() -> None:
    """One first entity is too few to train some and ask some, no chain at all is none; both errors name the file."""
    with pytest.raises(CorpusError, match="file: chains start at 1 entity; some must be trained and some asked"):
        chain_fact_corpus(CHAINED[:2], "file", 0)
    with pytest.raises(BadInput, match="file: no chain to ask"):
        chain_fact_corpus(CHAINED[:1], "file", 0)
    assert len(chain_fact_corpus(CHAINED[:4], "file", 0).test) == 1


# -- from settings --


def write_facts(folder: Path) -> Path:
    file = folder / "family.csv"
    lines = [f"{f.subject},{f.relation},{f.object},{f.direction},{f.weight}" for f in FAMILY]
    file.write_text("\n".join(["subject,relation,object,direction,weight", *lines]), encoding="utf-8")
    return file


def test_a_fact_file_has_one_corpus_a_seed(tmp_path: Path) -> None:
    """A file gives plain and control corpora of one size; the plain ones are equal, the new subjects are drawn."""
    settings = TrainSettings.checked("smoke", facts=write_facts(tmp_path), seeds=3)
    found = build_corpora(settings)
    assert list(found) == ["plain", "control"]
    assert [len(corpora) for corpora in found.values()] == [3, 3]
    assert all(np.array_equal(c.train, found["plain"][0].train) for c in found["plain"])
    assert trained(found["plain"][0])[:9] == trained(reversal_fact_corpus(FAMILY, "family.csv", control=True))
    extra = {c.train[len(FAMILY) + 1 :].tobytes() for c in found["control"]}
    assert len(extra) > 1
    assert all(c.train.shape == found["control"][0].train.shape for c in found["control"])


@pytest.mark.parametrize("task", ["reversal", "chain-of-thought", "in-context", "related"])
def test_built_in_corpora_follow_the_seeds(task: str) -> None:
    """Each seed has a corpus of its own, and only the reversal task has a control unless it is refused."""
    settings = TrainSettings.checked("smoke", task=task, seeds=2, seed=7)
    found = build_corpora(settings)
    assert list(found) == (["plain", "control"] if task == "reversal" else ["plain"])
    assert not np.array_equal(found["plain"][0].train, found["plain"][1].train)
    later = build_corpora(TrainSettings.checked("smoke", task=task, seeds=1, seed=8))
    assert np.array_equal(found["plain"][1].train, later["plain"][0].train)
    assert list(build_corpora(settings.model_copy(update={"control": False}))) == ["plain"]

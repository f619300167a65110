"""One index: verify, its JSON and headline, remedies, train and a sweep give the same number for the same data.

The expected number is computed by hand, from probabilities alone.
"""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.special import log_softmax

import validation.verify
from numerics.index import gains, log_odds
from numerics.observables import observe, trajectory_of
from numerics.trajectory import Trajectory
from tests.validation.remedies.example import made_result, made_row
from theory.facts import Fact, reversal_task_from_facts
from theory.opposites import asked_of
from theory.task import Statement, Task, build_task
from validation.experiments.fact_corpus import reversal_fact_corpus
from validation.experiments.measures import sentence_indices, sentence_odds
from validation.present import headlines
from validation.remedies.choice import Choice
from validation.remedies.present import index_text, record
from validation.report.remedies import remedies_table
from validation.result import SeededTrajectory, Verification
from validation.settings import VerifySettings
from validation.sweep.records import verify_record

# Two children of one parent make one question of two answers; the last fact is unlearnt by the first seed.
FACTS = [
    Fact("Ann", "child of", "Eve"),
    Fact("Bo", "child of", "Eve"),
    *(Fact(f"s{i}", "child of", f"o{i}") for i in "12"),
]
LOST = "s2"


def logits_of(task: Task, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """S(0) and S - S(0), in which trained pairs gain but one of the first seed."""
    rng = np.random.default_rng(seed)
    initial = rng.normal(size=(len(task.contexts), task.vocabulary_size))
    change = rng.normal(size=initial.shape)
    change[task.train_context, task.train_target] += 7.0
    if seed == 0:
        a = next(a for a in range(task.trained_contexts) if task.context_name(a) == LOST)
        change[a, task.train_target[task.train_context == a]] = -9.0
    return initial, change


def by_hand(task: Task, seed: int) -> tuple[float, int]:
    """The mean of the ratios, and how many questions have none."""
    initial, change = logits_of(task, seed)

    def gained(context: str, answers: Sequence[str]) -> float:
        a = [task.context_name(c) for c in range(len(task.contexts))].index(context)
        odds = []
        for logits in (initial, initial + change):
            weight = {name: math.exp(x) for name, x in zip(task.tokens, logits[a], strict=True)}
            right = sum(weight[x] for x in answers)
            odds.append(math.log(right / (sum(weight.values()) - right)))
        return odds[1] - odds[0]

    found, without = [], 0
    for parent in dict.fromkeys(fact.object for fact in FACTS):
        children = [fact.subject for fact in FACTS if fact.object == parent]
        forward = sum(gained(child, [parent]) for child in children) / len(children)
        if forward > 0:
            found.append(gained(parent, children) / forward)
        else:
            without += 1
    return sum(found) / len(found), without


def trajectory(task: Task, seed: int) -> Trajectory:
    """The run that ends there, as verify keeps it."""
    initial, change = logits_of(task, seed)
    observations = [observe(task, initial, share * change) for share in (0.0, 0.5, 1.0)]
    time = np.array([0.0, 1.0, 2.0])
    return trajectory_of(observations, source="training", model="bilinear", dimension=8.0, time=time)


@pytest.fixture(name="task")
def _task() -> Task:
    return reversal_task_from_facts(FACTS)


def test_an_answer_that_follows_from_nothing_is_left_out_everywhere() -> None:
    """Of two right answers one has no premise, as in a part of a file: trajectory and gains ask for the other alone."""
    trained = [Statement(("a",), "b", "r"), Statement(("c",), "d", "r")]
    task = build_task("half", trained, [Statement(("b",), "a", "r"), Statement(("b",), "c", "r")])
    initial, change = logits_of(task, 1)
    expected = gains(asked_of(task), initial, change).index()
    seeded = SeededTrajectory(task, (1,), (trajectory(task, 1),))
    assert seeded.index.mean == pytest.approx(expected.value, rel=1e-12)
    whole = log_odds(seeded.mean.query_log_probability)
    assert abs(whole[-1, 0] - whole[0, 0] - expected.value * gains(asked_of(task), initial, change).premise[0]) > 0.1


@pytest.fixture(name="verification")
def _verification(task: Task) -> Verification:
    seeded = SeededTrajectory(task, (0, 1), (trajectory(task, 0), trajectory(task, 1)))
    return Verification(task, VerifySettings(seeds=2), (), (seeded,))


def test_the_data_have_a_question_without_forward_gain(task: Task) -> None:
    """The first seed has one of three, the second none; the indices differ."""
    (first, without), (second, none) = by_hand(task, 0), by_hand(task, 1)
    assert (without, none) == (1, 0)
    assert abs(first - second) > 0.01


def test_verify_gives_the_index_by_hand(task: Task, verification: Verification) -> None:
    """JSON, headline and by-seed values of verify are the mean of ratios; what has none is counted and said."""
    expected = [by_hand(task, seed)[0] for seed in (0, 1)]
    (found,) = verification.as_dict()["trajectories"]
    # differences of log-odds of order ten, in double precision
    assert [seed["index"] for seed in found["by_seed"]] == pytest.approx(expected, rel=1e-12)
    assert found["index"] == pytest.approx(np.mean(expected), rel=1e-12)
    assert found["without_forward_gain"] == 1
    (line,) = headlines(verification)
    assert line.endswith(f"index {np.mean(expected):.3f} (0 cursed, 1 lifted), 1 of 6 without forward gain")


def test_remedies_give_the_index_by_hand(task: Task) -> None:
    """The gains that a table of choices reads off the logits have the same index."""
    for seed in (0, 1):
        expected, without = by_hand(task, seed)
        found = gains(asked_of(task), *logits_of(task, seed)).index()
        assert found.value == pytest.approx(expected, rel=1e-12)
        assert found.without == without


def test_train_gives_the_index_by_hand(task: Task) -> None:
    """Sentences of the same facts with the same probabilities have the same index."""
    corpus = reversal_fact_corpus(FACTS, "parents", control=False)
    context = {task.context_name(a): a for a in range(len(task.contexts))}
    token = {name: x for x, name in enumerate(task.tokens)}

    def odds(sentences: np.ndarray, logits: np.ndarray) -> np.ndarray:
        log_p = log_softmax(logits, axis=1)
        names = [(corpus.tokens[s[0]], corpus.tokens[s[-1]]) for s in sentences]
        return sentence_odds(np.array([[log_p[context[subject], token[answer]] for subject, answer in names]]))

    for seed in (0, 1):
        initial, change = logits_of(task, seed)
        start, end = ((odds(corpus.train, logits), odds(corpus.test, logits)) for logits in (initial, initial + change))
        (found,) = sentence_indices(start, end, [corpus])
        expected, without = by_hand(task, seed)
        assert found.value == pytest.approx(expected, rel=1e-12)
        assert found.without == without


def test_a_sweep_records_the_index_of_verify(verification: Verification, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record of a cell has the number and the count of the run that it made."""
    monkeypatch.setattr(validation.verify, "verify", lambda settings: verification)
    found = verify_record({}, 0)
    assert found["real_bilinear_training_index"] == verification.trajectories[0].index.mean
    assert found["real_bilinear_training_without_forward_gain"] == 1


def test_a_row_of_remedies_says_what_has_no_index() -> None:
    """Table, CSV, JSON and report of a table of choices count the questions that have no index; none is not said."""
    row, whole = made_row(Choice(), without_forward_gain=3), made_row(Choice())
    assert index_text(row).splitlines()[1] == "3 of 4 without forward gain"
    assert record(row)["without_forward_gain"] == row.as_dict()["without_forward_gain"] == 3
    assert "without forward gain" not in index_text(whole)
    shown, plain = (str(remedies_table(made_result((r,))).rows) for r in (row, whole))
    assert ", 3 of 4 without forward gain" in shown
    assert "without forward gain" not in plain

"""Training side by side: losses and steps written out, every sentence once an epoch, and runs that continue exactly."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import Tensor

from theory.facts import Fact
from validation.experiments.checkpoint import (
    STATE,
    Checkpoint,
    CheckpointError,
    restore,
    tensors_of,
    unfinished,
)
from validation.experiments.corpora import reversal_corpus
from validation.experiments.corpus import Corpus
from validation.experiments.corpus_of import PLAIN, build_corpora
from validation.experiments.fact_corpus import reversal_fact_corpus
from validation.experiments.measures import Scores, sentence_indices, sentence_odds
from validation.experiments.settings import TrainSettings
from validation.experiments.trainer import EVALUATIONS, Diverged, Trainer, evaluation_epochs

CPU = torch.device("cpu")
# Logits of O(1) in single precision: a few units of 6e-8 times the width.
ROUNDING = 1e-5

WEIGHTED = [
    Fact("ann", "parent", "zoe", "both"),
    Fact("ann", "parent", "carl", weight=3.0),
    Fact("eve", "parent", "bob", weight=0.5),
    Fact("dave", "friend", "carl"),
    Fact("carl", "friend", "eve", "both"),
    Fact("dora", "parent", "bob"),
]


def trainer_of(corpora: list[Corpus] | None = None, **given: object) -> Trainer:
    """Two small models on the plain reversal corpus, or on the corpora given."""
    settings = TrainSettings.checked("smoke", **{"seeds": 2, "batch": 4, **given})
    return Trainer(settings, corpora or build_corpora(settings)["plain"], CPU)


def weighted(**given: object) -> Trainer:
    """Two small models on weighted facts, with two answers to a trained prompt and two to an asked one."""
    return trainer_of([reversal_fact_corpus(WEIGHTED, "facts", control=False)] * 2, **given)


def loosened(trainer: Trainer) -> Trainer:
    """The trainer with weights of O(1): at the start every answer is nearly as likely as any other."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return trainer


def parameters(trainer: Trainer) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in trainer.model.named_parameters()}


def epochs(trainer: Trainer, count: int) -> Trainer:
    """So many more epochs, evaluated at the start and after each."""
    if trainer.epoch == 0:
        trainer.evaluate()
    for _ in range(count):
        trainer.run_epoch()
        trainer.evaluate()
    return trainer


# -- loss and steps --


def nll(trainer: Trainer, seed: int, sentence: np.ndarray) -> np.ndarray:
    """-log p of each token but the first, in double precision from one model's logits."""
    fed = torch.from_numpy(sentence[:-1]).expand(len(trainer.corpora), 1, -1)
    logits = trainer.model(fed, len(sentence) - 1)[seed, 0].detach().double().numpy()
    return -log_softmax(logits, axis=-1)[range(len(sentence) - 1), sentence[1:]]


@pytest.mark.parametrize("loss", ["answer", "sequence"])
@pytest.mark.parametrize("entity_tokens", [1, 2])
def test_the_loss_is_the_mean_over_sentences_and_tokens(loss: str, entity_tokens: int) -> None:
    """A batch costs, summed over seeds, the mean over its sentences of the mean of -log p over predicted tokens."""
    trainer = loosened(trainer_of(loss=loss, entity_tokens=entity_tokens))
    batch = torch.tensor([[3, 0, 5], [1, 1, 2]])
    first = -entity_tokens if loss == "answer" else 0
    expected = sum(
        nll(trainer, s, trainer.corpora[s].train[n])[first:].mean() / 3 for s in range(2) for n in batch[s].tolist()
    )
    assert trainer.loss(batch).item() == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("loss", ["answer", "sequence"])
def test_sentences_count_by_their_weight(loss: str) -> None:
    """A batch costs the mean over its sentences of weight times -log p, weights being those of rows over their mean."""
    trainer = loosened(weighted(loss=loss))
    corpus = trainer.corpora[0]
    rows = {"ann parent carl": 3.0, "eve parent bob": 0.5}  # the others weigh 1; eight sentences weigh 9.5
    weight = [rows.get(corpus.sentence(sentence), 1.0) / (9.5 / 8) for sentence in corpus.train]
    for batch in ([0, 1, 2, 3, 4, 5, 6, 7], [2, 3], [3]):
        expected = sum(
            weight[n] * nll(trainer, s, corpus.train[n])[-1 if loss == "answer" else 0 :].mean() / len(batch)
            for s in range(2)
            for n in batch
        )
        assert trainer.loss(torch.tensor([batch, batch])).item() == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("batch", [4, 5, 17, 100])
def test_every_epoch_visits_every_sentence_once(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batches of an epoch hold every sentence of every seed once, in an order of the seed's and the epoch's own."""
    trainer = trainer_of(batch=batch)
    count = len(trainer.corpora[0].train)
    visited: list[list[Tensor]] = []
    original = Trainer.batches

    def spied(self: Trainer) -> list[Tensor]:
        visited.append(list(original(self)))
        return visited[-1]

    monkeypatch.setattr(Trainer, "batches", spied)
    for _ in range(3):
        trainer.run_epoch()
    assert trainer.epoch == len(visited) == 3
    assert count == 17
    orders = [torch.cat(of_epoch, dim=1) for of_epoch in visited]
    for of_epoch, order in zip(visited, orders, strict=True):
        assert len(of_epoch) == trainer.steps_per_epoch() == math.ceil(count / batch)
        assert [b.shape[1] for b in of_epoch[:-1]] == [batch] * (len(of_epoch) - 1)
        assert order.sort(dim=1).values.tolist() == [list(range(count))] * 2
        assert not torch.equal(order[0], order[1])
    assert not torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[1], orders[2])


@pytest.mark.parametrize("tied", [False, True])
def test_a_step_of_sgd_is_a_step_along_the_gradient(tied: bool) -> None:
    """A full batch of one epoch changes each parameter by -rate (gradient + decay parameter), and frozen ones not."""
    rate, decay = 0.3, 0.05
    for frozen in (False, True):
        trainer = loosened(
            weighted(
                optimizer="sgd",
                learning_rate=rate,
                weight_decay=decay,
                batch=100,
                tied=tied,
                frozen_embeddings=frozen,
            )
        )
        before = parameters(trainer)
        trainer.loss(torch.arange(len(trainer.corpora[0].train)).expand(2, -1)).backward()
        slope = {name: p.grad.clone() for name, p in trainer.model.named_parameters() if p.grad is not None}
        trainer.run_epoch()
        assert ("embedding" in slope) == (not frozen)
        for name, parameter in parameters(trainer).items():
            if name in slope:
                expected = before[name] - rate * (slope[name] + decay * before[name])
                # the gradient sums its sentences in another order
                torch.testing.assert_close(parameter, expected, rtol=0, atol=ROUNDING)
                assert not torch.equal(parameter, before[name])
            else:
                assert torch.equal(parameter, before[name])


def test_a_step_of_adamw_decays_the_weights_apart() -> None:
    """From no history AdamW moves by rate sign(gradient) after the weights shrank by 1 - rate decay."""
    rate, decay = 0.1, 0.5
    trainer = loosened(weighted(learning_rate=rate, weight_decay=decay, batch=100))
    before = parameters(trainer)
    trainer.loss(torch.arange(len(trainer.corpora[0].train)).expand(2, -1)).backward()
    slope = {name: p.grad.clone() for name, p in trainer.model.named_parameters()}
    trainer.run_epoch()
    for name, parameter in parameters(trainer).items():
        expected = (1 - rate * decay) * before[name] - rate * slope[name].sign()
        # where the gradient is far from Adam's epsilon 1e-8, g / (|g| + 1e-8) is its sign to 1e-4
        clear = slope[name].abs() > 1e-4
        torch.testing.assert_close(parameter[clear], expected[clear], rtol=0, atol=1e-4 * rate + ROUNDING)
        assert clear.any() or name.endswith("key_value.bias")


def logits_after(trainer: Trainer) -> Tensor:
    trainer.model.eval()
    fed = torch.from_numpy(trainer.train_sentences[:, :, :-1])
    return trainer.model(fed, 1).detach()


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 0.3), ("adamw", 0.01)])
@pytest.mark.parametrize("positions", ["absolute", "rotary"])
def test_seeds_together_equal_each_alone(positions: str, optimizer: str, rate: float) -> None:
    """After an epoch in small batches each seed says what it says when it is trained alone, to single precision.

    Logits, not weights: Adam moves the biases of keys, whose gradient is zero up to rounding, by that rounding's sign,
    and no logit depends on them.
    """
    given = {"optimizer": optimizer, "learning_rate": rate, "positions": positions, "layers": 2}
    together = trainer_of(**given)
    start = logits_after(together)
    epochs(together, 1)
    moved = logits_after(together)
    assert (moved - start).abs().max() > 0.05
    for s in range(2):
        alone = epochs(trainer_of(**{**given, "seeds": 1, "seed": s}), 1)
        # five steps from logits of O(0.1); Adam divides gradients by their size, and so enlarges their rounding
        torch.testing.assert_close(logits_after(alone)[0], moved[s], rtol=0, atol=20 * ROUNDING)
        assert alone.history.train_nll[-1][0] == pytest.approx(together.history.train_nll[-1][s], abs=20 * ROUNDING)


# -- evaluation --


@pytest.mark.parametrize("count", [1, 2, 3, 10, 100, 3000, 10_000_000])
def test_evaluations_run_from_the_start_to_the_end(count: int) -> None:
    """Epochs of evaluation increase from 0 to the last, about EVALUATIONS of them, denser at the beginning."""
    grid = evaluation_epochs(count)
    assert grid[0] == 0
    assert grid[-1] == count
    assert grid == sorted(set(grid))
    assert all(isinstance(epoch, int) for epoch in grid)
    assert len(grid) <= EVALUATIONS + 2
    if count <= 3:
        assert grid == list(range(count + 1))
    if count >= 100:
        assert len(grid) >= EVALUATIONS * 0.75
        assert np.median(grid) < count / 2


def made_up(sentences: np.ndarray, rng: np.random.Generator, likelier: float) -> Scores:
    """Scores of one answer token each: half of the ranks are 1."""
    shape = (*sentences.shape[:2], 1)
    return Scores(rng.uniform(-8 + likelier, -7 + likelier, shape), rng.integers(1, 3, shape), rng.random(shape))


@pytest.mark.parametrize("make", [trainer_of, weighted], ids=["built-in", "facts"])
def test_the_history_is_that_of_the_scores(make: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each entry of an evaluation is the mean of the scores that it is said to be, answers of a question together."""
    trainer, rng = make(), np.random.default_rng(0)
    at = [
        (made_up(trainer.train_sentences, rng, 2.0 * n), made_up(trainer.test_sentences, rng, 1.0 * n)) for n in (0, 1)
    ]
    given = iter(at)
    monkeypatch.setattr(Trainer, "scores", lambda self: next(given))
    trainer.evaluate()
    trainer.epoch = 5
    trainer.evaluate()
    train, test = at[1]
    history = trainer.history
    assert history.epoch == [0, 5]
    assert (make is weighted) == (trainer.corpora[0].question.max() + 1 < len(trainer.corpora[0].test))
    for s, corpus in enumerate(trainer.corpora):
        questions = [corpus.question == q for q in range(corpus.question.max() + 1)]
        of_questions = [-np.log(np.exp(test.whole[s, own]).sum()) for own in questions]
        # means of a few dozen doubles
        assert history.train_nll[1][s] == pytest.approx(-(corpus.weight * train.whole[s]).mean(), abs=1e-13)
        assert history.test_nll[1][s] == pytest.approx(np.mean(of_questions), abs=1e-13)
        assert history.top_1[1][s] == pytest.approx(np.mean([test.right[s, own].any() for own in questions]))
        assert history.train_top_1[1][s] == pytest.approx(train.right[s].mean())
        assert history.rank[1][s] == pytest.approx(test.rank[s].mean())
        assert history.mass[1][s] == pytest.approx(test.mass[s].mean())
    (first, asked), (last, answered) = ([sentence_odds(scores.whole) for scores in pair] for pair in at)
    expected = sentence_indices((first, asked), (last, answered), trainer.corpora)
    np.testing.assert_array_equal(history.index[1], [index.value for index in expected])
    assert np.isfinite(history.index[1]).all()
    assert np.isnan(history.index[0]).all()  # nothing is gained at the start
    assert history.array("rank").shape == (2, 2)


def test_scores_are_of_trained_and_of_held_out_sentences() -> None:
    """The first scores are those of `train`, the second those of `test` with the mass on tokens of the right sort."""
    trainer = loosened(trainer_of(entity_tokens=2))
    train, test = trainer.scores()
    for s, corpus in enumerate(trainer.corpora):
        for scores, sentences in ((train, corpus.train), (test, corpus.test)):
            expected = [-nll(trainer, s, sentence)[-2:] for sentence in sentences]
            np.testing.assert_allclose(scores.log_probability[s], expected, atol=ROUNDING)
        fed = torch.from_numpy(corpus.test[:, :-1]).expand(2, -1, -1)
        p = trainer.model(fed, 2)[s].detach().double().softmax(-1).numpy()
        np.testing.assert_allclose(test.mass[s], (p * corpus.answer_kind).sum(axis=-1), atol=ROUNDING)


def test_training_learns_the_training_sentences() -> None:
    """After sixty epochs every training sentence is answered right, and what is held out is not."""
    trainer = trainer_of(epochs=60, learning_rate=0.01)
    trainer.evaluate()
    for _ in range(60):
        trainer.run_epoch()
    trainer.evaluate()
    assert trainer.history.train_top_1[-1] == [1.0, 1.0]
    assert max(trainer.history.train_nll[-1]) < 0.2
    assert min(trainer.history.train_nll[0]) == pytest.approx(np.log(42), abs=0.1)
    assert min(trainer.history.test_nll[-1]) > np.log(42)
    assert np.isfinite(trainer.history.index[-1]).all()


def test_divergence_names_the_learning_rate() -> None:
    """A loss that overflows raises Diverged with the epoch and the option to change."""
    trainer = trainer_of(optimizer="sgd", learning_rate=1e3)
    with pytest.raises(Diverged, match=r"no longer a finite number at epoch \d+; lower --learning-rate 1000$"):
        epochs(trainer, 30)
    assert 0 < trainer.epoch <= 30
    assert trainer.history.epoch == list(range(trainer.epoch))  # the evaluation that failed left no entry


def test_corpora_of_two_sizes_are_refused() -> None:
    """All seeds train on corpora of one size."""
    with pytest.raises(ValueError, match="one size"):
        trainer_of([reversal_corpus(40, 1, 0), reversal_corpus(44, 1, 1)])


# -- checkpoints --


def kept(trainer: Trainer, folder: Path) -> Checkpoint:
    """The trainer's state on disk."""
    checkpoint = Checkpoint(folder)
    state = {"condition": "plain", "epoch": trainer.epoch, "trainer": trainer.state()}
    checkpoint.write(state, tensors_of(trainer.model, trainer.optimizer))
    return checkpoint


def continued(checkpoint: Checkpoint, **given: object) -> Trainer:
    """A new trainer with the state on disk."""
    trainer = trainer_of(**given)
    state, tensors = checkpoint.read()
    trainer.load_state(state["trainer"])
    restore(trainer.model, trainer.optimizer, tensors)
    return trainer


def same(one: Trainer, other: Trainer) -> bool:
    """Whether parameters, optimiser and history are the same to the last bit."""
    mine, theirs = (tensors_of(t.model, t.optimizer) for t in (one, other))
    tensors = mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)
    return tensors and json.dumps(one.state()) == json.dumps(other.state())  # nan is written as itself


@pytest.mark.parametrize(
    "given",
    [
        {"optimizer": "adamw"},
        {"optimizer": "sgd", "learning_rate": 0.1},
        {"optimizer": "adamw", "dropout": 0.2},
        {"optimizer": "sgd", "learning_rate": 0.1, "dropout": 0.2},
        {"optimizer": "adamw", "tied": True, "positions": "rotary"},
        {"optimizer": "adamw", "frozen_embeddings": True},
    ],
    ids=lambda given: ", ".join(f"{value}" for value in given.values()),
)
def test_a_continued_run_is_the_same_run(given: dict[str, object], tmp_path: Path) -> None:
    """Three epochs at once, and one and two with a checkpoint between them, end in the same bits and one history."""
    whole = epochs(trainer_of(**given), 3)
    checkpoint = kept(epochs(trainer_of(**given), 1), tmp_path / "run")
    torch.rand(7)  # whatever was drawn elsewhere
    resumed = continued(checkpoint, **given)
    assert resumed.epoch == 1
    assert not same(whole, resumed)
    assert same(whole, epochs(resumed, 2))
    assert whole.history.epoch == [0, 1, 2, 3]


def test_epochs_leave_the_state_of_random_numbers() -> None:
    """An epoch with dropout draws from its own generator and leaves torch's as it was."""
    trainer = trainer_of(dropout=0.2)
    before = torch.random.get_rng_state()
    trainer.run_epoch()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_dropout_is_drawn_anew_in_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator of dropout starts each epoch from a number of its own, which follows from seed and epoch alone."""
    started: list[int] = []
    original = Trainer.loss

    def spied(self: Trainer, batch: Tensor) -> Tensor:
        started.append(torch.initial_seed())
        return original(self, batch)

    monkeypatch.setattr(Trainer, "loss", spied)
    one, again, other, plain = (trainer_of(dropout=d, seed=s) for d, s in ((0.2, 0), (0.2, 0), (0.2, 9), (0.0, 0)))
    for trainer in (one, again, other, plain):
        trainer.run_epoch()
        trainer.run_epoch()
    starts = [set(started[n : n + 5]) for n in range(0, len(started), 5)]  # five batches an epoch
    assert [len(s) for s in starts] == [1] * 8
    assert starts[:2] == starts[2:4]
    assert len(set.union(*starts[:2], *starts[4:6])) == 4
    assert same(one, again)
    assert not same(one, plain)


def test_only_the_last_checkpoint_is_kept(tmp_path: Path) -> None:
    """Each checkpoint replaces the one before: one file of tensors, one of state, and the last is read."""
    folder = tmp_path / "run"
    trainer = epochs(trainer_of(), 1)
    kept(trainer, folder)
    checkpoint = kept(epochs(trainer, 1), folder)
    assert len(list(folder.iterdir())) == 2
    assert checkpoint.read()[0]["epoch"] == 2
    assert same(continued(checkpoint), trainer)


@pytest.mark.parametrize("failing", [STATE, ".safetensors"])
def test_an_interrupted_checkpoint_leaves_the_earlier_one(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where writing stops before a file takes its place, the checkpoint of the epoch before is still whole."""
    folder = tmp_path / "run"
    trainer = epochs(trainer_of(), 1)
    kept(trainer, folder)
    replace = os.replace

    def interrupted(source: Path, target: Path) -> None:
        if str(target).endswith(failing):
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kept(epochs(trainer, 1), folder)
    earlier = continued(Checkpoint(folder))
    assert earlier.epoch == 1
    assert same(epochs(earlier, 1), trainer)
    kept(trainer, folder)  # and the next one is written over what was left
    assert same(continued(Checkpoint(folder)), trainer)


def damage(folder: Path, how: str) -> None:
    """Spoil one of the two files."""
    tensors = next(folder.glob("*.safetensors"))
    match how:
        case "cut state":
            (folder / STATE).write_text((folder / STATE).read_text(encoding="utf-8")[:40], encoding="utf-8")
        case "state of another form":
            (folder / STATE).write_text("[]", encoding="utf-8")
        case "state that is no text":
            (folder / STATE).write_bytes(b"\xff\xfe\xff")
        case "cut tensors":
            tensors.write_bytes(tensors.read_bytes()[:100])
        case "empty tensors":
            tensors.write_bytes(b"")
        case "no tensors":
            tensors.unlink()


@pytest.mark.parametrize(
    "how",
    ["cut state", "state of another form", "state that is no text", "cut tensors", "empty tensors", "no tensors"],
)
def test_a_damaged_checkpoint_is_named(how: str, tmp_path: Path) -> None:
    """A cut, foreign or missing file of a checkpoint is a CheckpointError that says it is damaged and where."""
    folder = tmp_path / "run"
    checkpoint = kept(trainer_of(), folder)
    checkpoint.read()
    damage(folder, how)
    with pytest.raises(CheckpointError, match=r"--resume: the checkpoint at .*run is damaged: "):
        checkpoint.read()


def test_an_absent_checkpoint_is_named(tmp_path: Path) -> None:
    """Without a run to continue the message says so and what to do; the unfinished run lies beside its output."""
    folder = unfinished(tmp_path / "out")
    assert folder == tmp_path / "out.unfinished"
    with pytest.raises(CheckpointError, match=r"no unfinished run at .*out\.unfinished .*start it without --resume"):
        Checkpoint(folder).read()


def test_final_weights_are_kept_beside_the_state(tmp_path: Path) -> None:
    """Weights of a finished condition are read back bit by bit, survive later checkpoints, and are missed by name."""
    trainer, folder = trainer_of(), tmp_path / "run"
    weights = parameters(trainer)
    Checkpoint(folder).write_weights("plain", weights)
    kept(epochs(trainer, 1), folder)
    found = kept(epochs(trainer, 1), folder).read_weights("plain")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], weights[name]) for name in weights)
    with pytest.raises(CheckpointError, match="is damaged"):
        Checkpoint(folder).read_weights("control")


# -- precision and compilation --


@pytest.mark.parametrize("positions", ["absolute", "rotary"])
def test_half_precision_trains(positions: str) -> None:
    """Under autocast to bfloat16 an epoch lowers the loss, about as far as in single precision."""
    fallen = []
    for half in (False, True):
        settings = TrainSettings.checked("smoke", positions=positions, bf16=half)  # a GPU's option; it runs here too
        trainer = Trainer(settings, build_corpora(settings)[PLAIN], torch.device("cpu"))
        trainer.evaluate()
        for _ in range(4):
            trainer.run_epoch()
        trainer.evaluate()
        fallen.append(float(np.mean(trainer.history.train_nll[0]) - np.mean(trainer.history.train_nll[1])))
    assert fallen[0] > 0.02
    # bfloat16 has eight bits: steps of Adam differ by some per cent
    assert fallen[1] == pytest.approx(fallen[0], rel=0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from inside torch's compiler
def test_a_compiled_model_is_the_same_model() -> None:
    """Compiled or not, an epoch ends at the same parameters, up to rounding that Adam's first steps amplify."""
    ends = []
    for compiled in (False, True):
        settings = TrainSettings.checked("smoke", compile=compiled)
        trainer = Trainer(settings, build_corpora(settings)[PLAIN], torch.device("cpu"))
        trainer.run_epoch()
        ends.append([p.detach().clone() for p in trainer.model.parameters()])
    for one, other in zip(*ends, strict=True):
        # a gradient near zero may change its sign, and the first steps of Adam have the size of the learning rate
        torch.testing.assert_close(one, other, rtol=0, atol=6e-3)
        assert (one - other).abs().mean() < 1e-5

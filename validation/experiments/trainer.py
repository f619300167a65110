"""Training of S transformers side by side, one corpus each, by torch's own optimisers; evaluated on a grid of epochs.

Every epoch visits each training sentence once, in an order drawn from the seed and the number of the epoch, in batches
whose last may be smaller. The loss of a batch is the mean over its sentences of their weight times the mean of -log p
over the answer's tokens (or over all tokens but the first); losses of seeds are added, as they share no parameter.
So an epoch depends on nothing but the parameters, the optimiser's state and its number, and a run can be continued
exactly.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from numerics.index import Index
from theory.errors import BadInput
from validation.experiments.corpus import Corpus
from validation.experiments.measures import Odds, Scores, any_right, by_question, score, sentence_indices, sentence_odds
from validation.experiments.model import Shape, Transformer
from validation.experiments.settings import TrainSettings

EVALUATIONS = 40


class Diverged(BadInput):
    """A loss that is no longer a finite number."""


@dataclass
class History:
    """Measures at each evaluation: `epoch` (E,), the others one list of S values for each evaluation.

    `train_nll` (by weight) and `test_nll` -log p of whole answers, `top_1` the share of held-out questions whose
    likeliest answer is right, `train_top_1` that of trained sentences, `rank` and `mass` means over held-out answer
    tokens, `index` of held-out questions since the first evaluation (nan: nothing was gained forwards).
    """

    epoch: list[int] = field(default_factory=list)
    train_nll: list[list[float]] = field(default_factory=list)
    test_nll: list[list[float]] = field(default_factory=list)
    top_1: list[list[float]] = field(default_factory=list)
    train_top_1: list[list[float]] = field(default_factory=list)
    rank: list[list[float]] = field(default_factory=list)
    mass: list[list[float]] = field(default_factory=list)
    index: list[list[float]] = field(default_factory=list)

    def array(self, name: str) -> np.ndarray:
        """One measure, (E, S)."""
        return np.array(getattr(self, name))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready but for nan."""
        return asdict(self)


def evaluation_epochs(epochs: int) -> list[int]:
    """Zero, the last, and some EVALUATIONS between, denser at the beginning."""
    early = np.geomspace(1, epochs, EVALUATIONS // 2)
    even = np.linspace(0, epochs, EVALUATIONS // 2 + 1)
    return sorted({0, epochs, *np.round(early).astype(int).tolist(), *np.round(even).astype(int).tolist()})


class Trainer:
    """S models on S corpora of one size; `epoch` counts those that are done.

    Raises ValueError where the corpora differ in shape.
    """

    def __init__(self, settings: TrainSettings, corpora: list[Corpus], device: torch.device) -> None:
        first = corpora[0]
        if any((c.train.shape, c.test.shape) != (first.train.shape, first.test.shape) for c in corpora):
            raise ValueError("corpora of all seeds must have one size")
        self.settings, self.corpora, self.device, self.epoch = settings, corpora, device, 0
        self.history = History()
        self.model = Transformer(shape_of(settings, first), settings.seed_numbers).to(device)
        self.optimizer = optimizer_of(settings, self.model, device)
        self._run: Callable[[Tensor, int], Tensor] = torch.compile(self.model) if settings.compile else self.model
        self.train_sentences = np.stack([c.train for c in corpora])  # (S, K, T)
        self.test_sentences = np.stack([c.test for c in corpora])  # (S, Q, T)
        self._train = torch.as_tensor(self.train_sentences, device=device)
        self._weight = torch.as_tensor(np.stack([c.weight for c in corpora]), dtype=torch.float32, device=device)
        self._kinds = np.stack([c.kind_numbers for c in corpora])  # (S, m)
        self._at_start: Odds | None = None  # of trained and of held-out sentences

    # -- training --
    def steps_per_epoch(self) -> int:
        """Batches of an epoch, the last one smaller where the batch does not divide the sentences."""
        return -(-self._train.shape[1] // self.settings.batch)

    def run_epoch(self) -> None:
        """Visit every training sentence once."""
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            # dropout of this epoch, whatever was drawn before
            torch.manual_seed(int(np.random.default_rng([self.settings.seed, 7, self.epoch]).integers(2**62)))
            self.model.train()
            for batch in self.batches():
                self.optimizer.zero_grad(set_to_none=True)
                self.loss(batch).backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
        self.epoch += 1

    def batches(self) -> Iterator[Tensor]:
        """Numbers of the sentences of this epoch's batches, (S, B) each."""
        orders = [
            np.random.default_rng([seed, 6, self.epoch]).permutation(self._train.shape[1])
            for seed in self.settings.seed_numbers
        ]
        order = torch.as_tensor(np.stack(orders), device=self.device)
        yield from torch.split(order, self.settings.batch, dim=1)

    def loss(self, batch: Tensor) -> Tensor:
        """The loss of sentences by number, (S, B), summed over seeds."""
        seeds = torch.arange(len(batch), device=self.device)[:, None]
        sentences = self._train[seeds, batch]  # (S, B, T)
        last = self.corpora[0].answer_length if self.settings.loss == "answer" else sentences.shape[-1] - 1
        with self._precision():
            # the last token is predicted and never fed
            logits = self._run(sentences[:, :, :-1], last)
        targets = sentences[:, :, -last:]
        nll = functional.cross_entropy(logits.float().flatten(0, 2), targets.flatten(), reduction="none")
        return (nll.view(targets.shape).mean(-1) * self._weight[seeds, batch]).mean(1).sum()

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.settings.bf16 else nullcontext()

    # -- evaluation --
    def scores(self) -> tuple[Scores, Scores]:
        """Of trained and of held-out sentences, in eval mode."""
        k = self.corpora[0].answer_length
        return score(self.model, self.train_sentences, k, None), score(self.model, self.test_sentences, k, self._kinds)

    def evaluate(self) -> None:
        """Add the measures of this epoch to the history. Raises Diverged where they are no numbers."""
        train, test = self.scores()
        if not (np.isfinite(train.whole).all() and np.isfinite(test.whole).all()):
            raise Diverged(
                f"the loss is no longer a finite number at epoch {self.epoch}; lower --learning-rate "
                f"{self.settings.learning_rate:g}"
            )
        question = [c.question for c in self.corpora]
        questions = [by_question(test.whole[s : s + 1], q)[0] for s, q in enumerate(question)]
        right = [any_right(test.right[s : s + 1], q)[0] for s, q in enumerate(question)]
        index = self.indices(train, test)
        history = self.history
        history.epoch.append(self.epoch)
        weight = np.stack([c.weight for c in self.corpora])
        history.train_nll.append((-(weight * train.whole).mean(axis=1)).tolist())
        history.test_nll.append([float(-q.mean()) for q in questions])
        history.top_1.append([float(r.mean()) for r in right])
        history.train_top_1.append(train.right.mean(axis=1).tolist())
        history.rank.append(test.rank.mean(axis=(1, 2)).tolist())
        history.mass.append(test.mass.mean(axis=(1, 2)).tolist())
        history.index.append([of_seed.value for of_seed in index])

    def indices(self, train: Scores, test: Scores) -> list[Index]:
        """The index of each seed, by what was gained since the first evaluation."""
        odds = sentence_odds(train.whole), sentence_odds(test.whole)
        if self._at_start is None:
            self._at_start = odds
        return sentence_indices(self._at_start, odds, self.corpora)

    # -- checkpoints --
    def state(self) -> dict[str, Any]:
        """What a checkpoint holds besides tensors."""
        start = None if self._at_start is None else [x.tolist() for x in self._at_start]
        return {"epoch": self.epoch, "history": self.history.as_dict(), "start": start}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken; tensors are restored apart (see `checkpoint.restore`)."""
        self.epoch, self.history = int(state["epoch"]), History(**state["history"])
        start = state["start"]
        self._at_start = None if start is None else (np.array(start[0]), np.array(start[1]))


def shape_of(settings: TrainSettings, corpus: Corpus) -> Shape:
    """The model of the settings for sentences of the corpus; the last token is never fed."""
    return Shape(
        vocabulary=corpus.vocabulary_size,
        length=corpus.length - 1,
        layers=settings.layers,
        heads=settings.heads,
        width=settings.width,
        positions=settings.positions,
        tied=settings.tied,
        frozen=settings.frozen_embeddings,
        dropout=settings.dropout,
    )


def optimizer_of(settings: TrainSettings, model: Transformer, device: torch.device) -> torch.optim.Optimizer:
    """AdamW or plain SGD on every trained parameter, all with the same weight decay."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
    return torch.optim.SGD(parameters, lr=rate, weight_decay=decay, foreach=True)

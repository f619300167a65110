"""How fast `reversal train` trains: sentences per second against the plain loop over transformers' GPT2LMHeadModel.

    python benchmarks/training_speed.py [--json]

What is compared: the reversal corpus, one model shape, one batch size, one optimiser (torch's fused AdamW), one CPU
thread.
- The peer: one GPT2LMHeadModel in the loop its documentation teaches: zero_grad, model(input_ids, labels).loss,
  backward, step. It is fed whole sentences. For the answer loss every label but the answer's is -100; for the sequence
  loss the labels are the sentence. It keeps no cache of keys and values, which training would only fill in vain, and
  takes the attention kernel that transformers chooses (its other one is slower at this size).
- Ours: epochs of `Trainer`, drawing of the order included, once with one seed and once with all seeds side by side,
  where the sentences of all seeds count. Evaluations are no part of it.

Ratios are taken within one run, and within each of its rounds, in which the competitors take turns: the speed of a
machine that others use too changes by more than what is measured here, from run to run and from minute to minute, but
hits neighbours alike. What is printed are medians over the rounds, and the smallest and largest ratio of a round.

Targets of the project, with ten seeds side by side: at least 2.5 times the peer for the answer loss, at least 1.5 times
for the sequence loss. Exit code 1 where one is missed.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
import transformers
from rich.console import Console
from rich.table import Table
from torch import Tensor

from theory import __version__
from validation.experiments.allocator import keep_freed_memory
from validation.experiments.corpus import Corpus
from validation.experiments.corpus_of import PLAIN, build_corpora
from validation.experiments.settings import Loss, TrainSettings
from validation.experiments.trainer import Trainer

TARGETS: dict[Loss, float] = {"answer": 2.5, "sequence": 1.5}
PEER, ALONE, TOGETHER = "transformers", "one seed", "seeds side by side"
IGNORED = -100  # the label of a token whose prediction is not judged

SETTINGS = TrainSettings(
    task="reversal",
    vocabulary=800,
    control=False,
    layers=2,
    heads=4,
    width=96,
    positions="absolute",
    tied=False,
    dropout=0.0,
    optimizer="adamw",
    learning_rate=1e-3,
    weight_decay=0.01,
    batch=64,
    seeds=10,
    device="cpu",
)


class Peer:
    """GPT2LMHeadModel of the settings' shape on one corpus."""

    def __init__(self, settings: TrainSettings, corpus: Corpus) -> None:
        torch.manual_seed(settings.seed)
        config = transformers.GPT2Config(
            vocab_size=corpus.vocabulary_size,
            n_positions=corpus.length,
            n_embd=settings.width,
            n_layer=settings.layers,
            n_head=settings.heads,
            resid_pdrop=settings.dropout,
            embd_pdrop=settings.dropout,
            attn_pdrop=settings.dropout,
            tie_word_embeddings=settings.tied,
            use_cache=False,
            # the defaults lie outside this vocabulary
            bos_token_id=0,
            eos_token_id=0,
        )
        self.model = transformers.GPT2LMHeadModel(config)
        self.model.loss_type = "ForCausalLM"  # what it falls back to, without the warning
        self.model.train()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        self.batch = settings.batch
        self.sentences = torch.as_tensor(corpus.train)
        self.labels = self.sentences.clone()
        if settings.loss == "answer":
            self.labels[:, : -corpus.answer_length] = IGNORED

    def run_epoch(self) -> None:
        """Visit every training sentence once."""
        for batch in torch.randperm(len(self.sentences)).split(self.batch):
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(batch).backward()
            self.optimizer.step()

    def loss(self, batch: Tensor) -> Tensor:
        """The loss of sentences by number, (B,)."""
        loss: Tensor = self.model(input_ids=self.sentences[batch], labels=self.labels[batch]).loss
        return loss


def measure(
    settings: TrainSettings = SETTINGS,
    rounds: int = 25,
    epochs: int = 3,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Medians over the rounds, JSON-ready; in each round every competitor runs so many epochs, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    keep_freed_memory()  # as reversal train does; it holds for the whole process, so the peer has it too
    try:
        with torch.random.fork_rng(devices=[]):
            rates = {loss: _rates(settings.model_copy(update={"loss": loss}), rounds, epochs, tell) for loss in TARGETS}
    finally:
        torch.set_num_threads(threads)
    results = {loss: _summary(rates[loss], target) for loss, target in TARGETS.items()}
    return {
        "benchmark": "training_speed",
        "unit": "training sentences per second",
        "losses": results,
        "met": all(result["met"] for result in results.values()),
        "rounds": rounds,
        "epochs_a_round": epochs,
        "threads": 1,
        "settings": settings.model_dump(mode="json", exclude={"loss", "epochs"}),
        "versions": {
            "reversal-curse-verifier": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }


def _rates(settings: TrainSettings, rounds: int, epochs: int, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """Sentences per second of each competitor, one number a round."""
    corpora, cpu = build_corpora(settings)[PLAIN], torch.device("cpu")
    sentences = len(corpora[0].train)
    one = settings.model_copy(update={"seeds": 1})
    competitors: dict[str, tuple[Callable[[], None], int]] = {
        PEER: (Peer(settings, corpora[0]).run_epoch, sentences),
        ALONE: (Trainer(one, corpora[:1], cpu).run_epoch, sentences),
        TOGETHER: (Trainer(settings, corpora, cpu).run_epoch, sentences * settings.seeds),
    }
    for run_epoch, _ in competitors.values():  # the first steps make the optimiser's state and fill caches
        run_epoch()
    rates: dict[str, list[float]] = {name: [] for name in competitors}
    for number in range(rounds):
        tell(f"{settings.loss} loss, round {number + 1} of {rounds}")
        for name, (run_epoch, count) in competitors.items():
            begun = time.perf_counter()
            for _ in range(epochs):
                run_epoch()
            rates[name].append(epochs * count / (time.perf_counter() - begun))
    return rates


def _summary(rates: dict[str, list[float]], target: float) -> dict[str, Any]:
    ratios = {
        name: [ours / peer for ours, peer in zip(rates[name], rates[PEER], strict=True)] for name in (ALONE, TOGETHER)
    }
    return {
        "sentences_per_second": {name: median(values) for name, values in rates.items()},
        "ratio": {name: median(values) for name, values in ratios.items()},
        "ratio_range": {name: [min(values), max(values)] for name, values in ratios.items()},
        "target": target,
        "met": median(ratios[TOGETHER]) >= target,
    }


def table(result: dict[str, Any]) -> Table:
    """The medians, a row for each competitor and loss."""
    seeds, versions = result["settings"]["seeds"], result["versions"]
    names = {PEER: PEER, ALONE: "ours, 1 seed", TOGETHER: f"ours, {seeds} seeds"}
    found = Table(
        title=f"Training on one thread, torch {versions['torch']}, transformers {versions['transformers']}",
        caption=f"medians of {result['rounds']} rounds; sentences of all seeds counted",
    )
    for heading in ("loss", "competitor", "sentences/s", "ratio", "of rounds", "target"):
        found.add_column(heading, justify="left" if heading in ("loss", "competitor") else "right")
    for loss, numbers in result["losses"].items():
        for name, rate in numbers["sentences_per_second"].items():
            cells = ["", "", ""]
            if name != PEER:
                low, high = numbers["ratio_range"][name]
                cells[:2] = [f"{numbers['ratio'][name]:.2f}", f"{low:.2f}-{high:.2f}"]
            if name == TOGETHER:
                cells[2] = f">= {numbers['target']:g} {'met' if numbers['met'] else 'missed'}"
            found.add_row(loss, names[name], f"{rate:,.0f}", *cells, end_section=name == TOGETHER)
    return found


def main() -> int:
    """Measure and print; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Training sentences per second against the plain transformers loop.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    as_json = parser.parse_args().json
    with Console(stderr=True).status("warming up") as status:
        result = measure(tell=status.update)
    if as_json:
        print(json.dumps(result, allow_nan=False))
    else:
        Console().print(table(result))
    return 0 if result["met"] else 1


if __name__ == "__main__":
    sys.exit(main())

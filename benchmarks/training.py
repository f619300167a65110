"""Real training: all seeds side by side (`validation.training.train`) beside the plain PyTorch loop, seed by seed.

Both do the same steps from the same starts, so that the logits agree to rounding, and the largest difference is told.
The multi-layer transformers of `reversal train` stand beside transformers' GPT2LMHeadModel (see
`benchmarks.training_speed`): seconds are those of 1,000 training sentences, those of all seeds counted.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch

from benchmarks.findings import Findings, Ratio, absent
from benchmarks.one_thread import one_torch_thread
from benchmarks.plain_loop import bilinear, one_layer_transformer
from benchmarks.rounds import in_turns, ratio_of
from theory.task import Task, reversal_task
from validation.networks import BilinearNetwork, OneLayerTransformer
from validation.training import TrainingSettings, train

PEER = "PyTorch loop, a seed at a time"
INIT_SCALE = 0.01
LEARNING_RATE = 0.5
SENTENCES = 1000
# Sums in another order: each step may round by a few units in the last place of the logits.
ROUNDING_PER_STEP = 16 * float(np.finfo(float).eps)


class DisagreementError(RuntimeError):
    """Ours and the peer did the same steps and came to different logits."""


def measure(quick: bool = False, tell: Callable[[str], None] = lambda _: None) -> Findings:
    """The bilinear model and the one-layer transformer beside the plain loop, and the multi-layer benchmark."""
    findings = Findings()
    pairs, m, dimension = (3, 12, 16) if quick else (10, 100, 100)
    steps, seeds, rounds = (20, 3, 1) if quick else (200, 10, 4)
    task = reversal_task(pairs, vocabulary=m)
    one_pair = TrainingSettings("sgd", LEARNING_RATE, steps, "one", "reshuffled")
    full = TrainingSettings("gd", LEARNING_RATE, steps, "full")
    with one_torch_thread():
        for count in (seeds,) if quick else (1, seeds):
            for settings, batch in ((one_pair, "one pair a step"), (full, "full batch")):
                said = f"{batch}, {count} seed{'s' if count > 1 else ''}"
                tell(f"bilinear model, {said}")
                runs = bilinear_runs(task, dimension, settings, range(count))
                case = f"bilinear, m = {m}, d = {dimension}: {said}"
                findings.ratios.append(_compared(case, runs, settings, rounds))
                tell(f"one-layer transformer, {said}")
                runs = transformer_runs(task, settings, range(count))
                findings.ratios.append(_compared(f"one layer, m = {m}: {said}", runs, settings, rounds))
    tell("multi-layer transformers")
    try:
        speed = import_module("benchmarks.training_speed")
    except ImportError as error:
        findings.absent.append(absent("transformers' GPT2LMHeadModel", error))
        return findings
    findings.ratios += _multi_layer(speed, quick)
    return findings


Runs = tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]


def bilinear_runs(task: Task, dimension: int, settings: TrainingSettings, seeds: range) -> Runs:
    """Ours and the peer's training of the bilinear model, each to final logits (S, contexts, m)."""
    start = BilinearNetwork.gaussian(task, dimension, INIT_SCALE, seeds)
    embeddings, theta = start.embeddings.value(), start.theta.value()

    def ours() -> np.ndarray:
        network = BilinearNetwork(task, embeddings, theta)
        return train(network, task, settings, seeds, np.array([settings.steps])).final_logits

    def plain() -> np.ndarray:
        logits = [bilinear(task, embeddings[i], theta[i], settings, seed) for i, seed in enumerate(seeds)]
        return torch.stack(logits).numpy()

    return ours, plain


def transformer_runs(task: Task, settings: TrainingSettings, seeds: range) -> Runs:
    """Ours and the peer's training of the one-layer transformer from zero, each to final logits (S, contexts, m)."""

    def ours() -> np.ndarray:
        network = OneLayerTransformer(task, len(seeds))
        return train(network, task, settings, seeds, np.array([settings.steps])).final_logits

    def plain() -> np.ndarray:
        return torch.stack([one_layer_transformer(task, settings, seed) for seed in seeds]).numpy()

    return ours, plain


def _compared(case: str, runs: Runs, settings: TrainingSettings, rounds: int) -> Ratio:
    """The ratio, once both came to the same logits. Raises DisagreementError."""
    ours, plain = runs
    mine, theirs = ours(), plain()
    difference = float(np.abs(mine - theirs).max())
    allowed = ROUNDING_PER_STEP * settings.steps * max(1.0, float(np.abs(theirs).max()))
    if not difference <= allowed:
        raise DisagreementError(f"{case}: logits differ by {difference:.2g}, rounding allows {allowed:.2g}")
    seconds = in_turns({"ours": ours, PEER: plain}, rounds)
    return ratio_of(
        seconds["ours"], seconds[PEER], case=case, ours="seeds side by side", peer=PEER, difference=difference
    )


def _multi_layer(speed: Any, quick: bool) -> list[Ratio]:
    """The rows of `benchmarks.training_speed`, in seconds of SENTENCES sentences."""
    settings = speed.SETTINGS
    if quick:
        settings = type(settings).checked("smoke", control=False, device="cpu")
    found = partial(speed.measure, settings)(rounds=1 if quick else 3, epochs=1)
    ratios = []
    for loss, numbers in found["losses"].items():
        seconds = {name: SENTENCES / rate for name, rate in numbers["sentences_per_second"].items()}
        for name, ratio in numbers["ratio"].items():
            lowest, highest = numbers["ratio_range"][name]
            ratios.append(
                Ratio(
                    case=f"{settings.layers} layers of {settings.width}, {loss} loss, {SENTENCES} sentences",
                    ours=name if name == speed.ALONE else f"{settings.seeds} {name}",
                    peer="transformers GPT2LMHeadModel",
                    our_seconds=seconds[name],
                    peer_seconds=seconds[speed.PEER],
                    ratio=ratio,
                    lowest=lowest,
                    highest=highest,
                    rounds=found["rounds"],
                )
            )
    return ratios

"""What a training run will cost, said before it starts: an explicit model at rates that are timed on the spot."""

import time as clock
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import torch

from theory.task import Task, reversal_task
from validation.networks import BilinearNetwork, Network, OneLayerAttention, OneLayerTransformer
from validation.training import TrainingSettings, threads_for, train

NetworkKind = Literal["bilinear", "transformer", "attention"]


class TrainingEstimate(NamedTuple):
    """Of a run to come: `seconds` of its steps and its peak `bytes`, beside torch itself and kept logits."""

    seconds: float
    bytes: int


def estimate_training(
    task: Task, kind: NetworkKind, dimension: int | None, settings: TrainingSettings, seeds: int
) -> TrainingEstimate:
    """An explicit model of a step's multiplications and memory passes, at rates timed here in 0.2 s or so.

    `dimension` is d, None for `transformer`. `attention` is counted with W_V, W_Q and W_K trained and
    U not. No parameter is allocated, so that a run too large for the machine can be refused. Recording is not
    counted. On two busy cores runs took 0.8 to 5 times these seconds and 0.3 to 1.5 times these bytes.
    """
    m, contexts = task.vocabulary_size, len(task.contexts)
    batch = task.trained_contexts if settings.batch == "full" else 1
    width, d = (m, 0) if dimension is None else (dimension, dimension)
    matrices = {"bilinear": 1, "transformer": 2, "attention": 3}[kind]
    buffers = {"momentum": 1, "adam": 2, "adamw": 2}.get(settings.optimizer, 0)  # of the optimiser
    sparse = kind == "transformer" and settings.sparse_steps

    trained = 8 * seeds * matrices * width**2
    embedded = 8 * seeds * (m + contexts) * d
    activations = 8 * seeds * batch * (8 * m + 6 * d)
    logits = 4 * 8 * seeds * contexts * m
    visited = 4 * seeds * settings.steps if settings.batch == "one" else 0
    copies = 2 + (0 if sparse else buffers)  # parameters, with their gradients or what they were copied from

    # What a dense gradient costs, in sweeps: one example's batched outer product runs at a quarter
    # of the speed, and matrices above 32 MiB get fresh pages from the system at every step (both measured).
    gradient = 10 if 8 * width**2 > 2**25 else 4 if batch == 1 else 1
    # the optimiser sweeps gradient, parameters and buffers in place; the forward pass reads the parameters
    in_place = {"momentum": 8, "adam": 7, "adamw": 7}.get(settings.optimizer, 3)
    passes = 0 if sparse else 1 + gradient + in_place
    swept = 4 * activations + 16 * seeds * m * d + passes * trained
    # forward and one gradient for each matrix and the m x d embeddings; one example is a sweep, no product
    multiplied = 4 * seeds * batch * d * (matrices * d + m) if batch > 1 else 0
    with threads_for((trained + embedded) // 8):
        step = _step_overhead(kind, settings) + swept / _sweep_rate(copies * trained + activations)
        seconds = settings.steps * (step + multiplied / _multiply_rate())
    return TrainingEstimate(seconds, copies * trained + embedded + activations + logits + visited)


def _best_time(action: Callable[[], object], repeats: int = 4) -> float:
    """Seconds of the fastest of a few calls: other load on the machine only slows."""
    times = []
    for _ in range(repeats):
        start = clock.perf_counter()
        action()
        times.append(clock.perf_counter() - start)
    return min(times)


def _multiply_rate() -> float:
    """Floating-point operations a second of a 256 x 512 x 512 product."""
    left, right = torch.ones(256, 512, dtype=torch.float64), torch.ones(512, 512, dtype=torch.float64)
    return 2 * left.numel() * 512 / _best_time(lambda: left @ right)


def _sweep_rate(working_set: int) -> float:
    """Bytes a second read and written in place, over a working set of that many bytes."""
    # below 64 KiB calls dominate, which are counted apart; beyond 256 MiB caches no longer matter
    swept = torch.ones(min(max(working_set, 2**16), 2**28) // 8, dtype=torch.float64)
    return 2 * swept.nbytes / _best_time(lambda: swept.add_(1))


def _step_overhead(kind: NetworkKind, settings: TrainingSettings) -> float:
    """Seconds of one step on the smallest task: the cost of calls, whatever the size."""
    task = reversal_task(1, held_out=0)
    brief = replace(settings, steps=20)
    embeddings, weight = torch.zeros(1, task.vocabulary_size, 1), torch.zeros(1, 1, 1)
    network: Network
    match kind:
        case "bilinear":
            network = BilinearNetwork(task, embeddings, weight)
        case "transformer":
            network = OneLayerTransformer(task, seeds=1)
        case "attention":
            network = OneLayerAttention(task, embeddings, weight, weight, weight, {"W_V", "W_Q", "W_K"})
    return _best_time(lambda: train(network, task, brief, [0], np.array([brief.steps]))) / brief.steps

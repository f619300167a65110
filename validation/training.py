"""Real training: torch optimisers on the networks' own parameters, all seeds at once, on one grid of times.

Conventions:
- Time is learning rate x steps, and for heavy-ball momentum beta, learning rate x steps / (1 - beta).
- The loss is sum_k w_k (-log p(b_k|a_k)) over the K trained pairs (natural logarithm), or another loss of their
  logits. A full batch is that sum; a batch of one visits pair k with weight K w_k, so that the mean over uniform
  visits is the same loss.
- What is differentiated is summed over seeds: seeds share no parameter, so each gradient is its seed's own.
"""

import time as clock
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from numerics.losses import LOSSES, Loss
from numerics.observables import observe, trajectory_of
from numerics.optimizer import Optimizer
from numerics.order import ORDERS, Order, visits
from numerics.trajectory import Trajectory
from theory.errors import BadInput
from theory.task import Task
from validation.losses import pair_losses, row_potential
from validation.networks import Network
from validation.optimizers import decay, torch_optimizer

Batch = Literal["full", "one"]
Progress = Callable[[int, int], None]

PROGRESS_INTERVAL = 0.05  # seconds between two calls of a progress callback
CHUNK = 4096  # steps whose examples are looked up at once: bounds memory, costs nothing a step
# Below 1 MiB of weights a second thread gains nothing and on a busy machine costs 10 to 100 times the step.
FEWEST_WEIGHTS_FOR_THREADS = 2**17


class TrainingDiverged(BadInput):
    """Logits that are no longer finite numbers."""


@dataclass(frozen=True)
class TrainingSettings:
    """How to descend. `gd` is full-batch descent without momentum, `sgd` visits one pair a step in `order`.

    `momentum` is the beta of heavy-ball momentum and means nothing to the other optimisers. `weight_decay`
    times the parameters is added to the gradient, except under `adamw` and where it is `decoupled`: then the
    parameters shrink by 1 - learning_rate weight_decay before each step. Raises ValueError that names every
    violation.
    """

    optimizer: Optimizer
    learning_rate: float
    steps: int
    batch: Batch
    order: Order = "cyclic"
    momentum: float = 0.9
    weight_decay: float = 0.0
    decoupled: bool = False
    loss: Loss = "cross-entropy"

    def __post_init__(self) -> None:
        choices = (
            ("optimizer", get_args(Optimizer)),
            ("batch", get_args(Batch)),
            ("order", ORDERS),
            ("loss", LOSSES),
        )
        problems = [
            f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}"
            for name, allowed in choices
            if getattr(self, name) not in allowed
        ]
        required = {"gd": "full", "sgd": "one"}.get(self.optimizer, self.batch)
        if self.batch != required:
            problems.append(f"optimizer {self.optimizer!r} needs batch {required!r}, got {self.batch!r}")
        if not 0 < self.learning_rate < np.inf:
            problems.append(f"learning_rate must be positive and finite, got {self.learning_rate}")
        if self.steps < 1:
            problems.append(f"steps must be at least 1, got {self.steps}")
        if not 0 <= self.momentum < 1:
            problems.append(f"momentum must be in [0, 1), got {self.momentum}")
        if not 0 <= self.weight_decay < np.inf:
            problems.append(f"weight_decay must be finite and not negative, got {self.weight_decay}")
        if self.weight_decay and not self.decoupled and self.optimizer == "sign":
            problems.append("sign descent takes weight decay only decoupled")
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def time_per_step(self) -> float:
        """The flow time of one step."""
        return self.learning_rate / (1 - self.momentum if self.optimizer == "momentum" else 1)

    @property
    def sparse_steps(self) -> bool:
        """Whether a step moves only the rows it visits: momentum, weight decay and Adam move all of them."""
        return self.optimizer == "sgd" and self.weight_decay == 0

    def torch_optimizer(self, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimiser of these settings, without the weight decay that is decoupled by hand."""
        by_hand = self.decoupled and self.optimizer != "adamw"
        return torch_optimizer(
            self.optimizer, parameters, self.learning_rate, self.momentum, 0.0 if by_hand else self.weight_decay
        )

    @property
    def shrinking(self) -> float:
        """The share that decoupled weight decay takes by hand before each step; adamw does it itself."""
        by_hand = self.decoupled and self.optimizer != "adamw"
        return self.learning_rate * self.weight_decay if by_hand else 0.0


@dataclass(frozen=True)
class TrainingRun:
    """What a run leaves behind, for S seeds and R recorded steps.

    `time` (R,); logits (S, contexts, m); `logits_recorded` (R, S, contexts, m) when kept. Where tracked,
    `largest_unseen_probability` (S,) is the largest p(j|a) over tokens j that are no target of context a: at
    every step (before it) for the visited contexts, at the recorded steps for all contexts, trained or asked.
    """

    trajectories: list[Trajectory]
    time: np.ndarray
    initial_logits: np.ndarray
    final_logits: np.ndarray
    logits_recorded: np.ndarray | None = None
    largest_unseen_probability: np.ndarray | None = None

    def unseen_maximum(self) -> float:
        """The largest probability over seeds of a token never trained in its row. Raises ValueError if not tracked."""
        if self.largest_unseen_probability is None:
            raise ValueError("this run did not track unseen targets: train(..., track_unseen=True)")
        return float(self.largest_unseen_probability.max())


def train(
    network: Network,
    task: Task,
    settings: TrainingSettings,
    seeds: Sequence[int],
    record: np.ndarray,
    *,
    keep_logits: bool = False,
    track_unseen: bool = False,
    progress: Progress | None = None,
) -> TrainingRun:
    """Train the network in place and record its state after each of the step numbers in `record`.

    `seeds` (one per instance of the network) give the orders of visits. `record` increases strictly within
    0..settings.steps. `progress(done, total)` is called at most every 50 ms. Raises ValueError when network,
    seeds or record do not fit, TrainingDiverged when logits to be recorded are not finite.
    """
    record = _checked_record(record, settings.steps)
    _check_fit(network, task, seeds)
    unseen = _UnseenProbability(task, network) if track_unseen else None
    descent = _full_batch_descent if settings.batch == "full" else _single_pair_descent
    initial_logits = network.context_logits().numpy()
    observations, kept = [], []
    to_record = set(record.tolist())
    reported = clock.monotonic()
    with threads_for(sum(parameter.numel() for parameter in network.parameters())):
        for done in descent(network, task, settings, seeds, unseen):
            if done in to_record:
                logits = _finite_logits(network, settings, done)
                changes = logits - initial_logits
                observations.append([observe(task, s, ds) for s, ds in zip(initial_logits, changes, strict=True)])
                if keep_logits:
                    kept.append(logits)
                if unseen is not None:
                    unseen.update(network.every_context(), torch.from_numpy(logits))
            if progress is not None and clock.monotonic() - reported > PROGRESS_INTERVAL:
                progress(done, settings.steps)
                reported = clock.monotonic()
        final_logits = _finite_logits(network, settings, settings.steps)
    time = settings.time_per_step * record
    return TrainingRun(
        trajectories=[
            trajectory_of(
                of_seed,
                source="training",
                model=network.model,
                dimension=network.dimension,
                time=time,
                logits=logits if record[-1] == settings.steps else None,
            )
            for of_seed, logits in zip(zip(*observations, strict=True), final_logits, strict=True)
        ],
        time=time,
        initial_logits=initial_logits,
        final_logits=final_logits,
        logits_recorded=np.stack(kept) if keep_logits else None,
        largest_unseen_probability=unseen.largest.numpy() if unseen is not None else None,
    )


@contextmanager
def threads_for(weights: int) -> Iterator[None]:
    """One thread for small networks, the threads that are set for others."""
    threads = torch.get_num_threads()
    if weights < FEWEST_WEIGHTS_FOR_THREADS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


# -- descent: generators that take one step at a time and yield how many are done, first 0 --


def _full_batch_descent(
    network: Network,
    task: Task,
    settings: TrainingSettings,
    seeds: Sequence[int],
    unseen: "_UnseenProbability | None",
) -> Iterator[int]:
    """Every step descends the weighted loss over all pairs; one forward pass over the N trained contexts."""
    contexts = torch.arange(task.trained_contexts).expand(len(seeds), -1)  # (S, N)
    context = torch.from_numpy(task.train_context)
    pair = torch.from_numpy(task.train_context * task.vocabulary_size + task.train_target)  # (K,) into N x m
    weight = torch.from_numpy(task.train_weight)
    stepper = _Stepper(network, settings)
    yield 0
    for done in range(1, settings.steps + 1):
        logits = network(contexts)  # (S, N, m)
        losses = pair_losses(settings.loss, logits, pair, context)  # (S, K)
        stepper.step((losses @ weight).sum())  # (S, K) x (K,) -> (S,), summed over seeds
        if unseen is not None:
            unseen.update(contexts, logits.detach())
        yield done


def _single_pair_descent(
    network: Network,
    task: Task,
    settings: TrainingSettings,
    seeds: Sequence[int],
    unseen: "_UnseenProbability | None",
) -> Iterator[int]:
    """Every step descends K w_k (-log p_k) for the one pair k that each seed's order visits."""
    pairs = len(task.train_weight)
    order = np.stack([visits(settings.order, pairs, settings.steps, s).astype(np.int32) for s in seeds], axis=1)
    context, target = torch.from_numpy(task.train_context), torch.from_numpy(task.train_target)
    weight = torch.from_numpy(pairs * task.train_weight)
    stepper = _Stepper(network, settings)
    done = 0
    yield done
    for start in range(0, settings.steps, CHUNK):
        k = torch.from_numpy(order[start : start + CHUNK]).long()  # (chunk, S)
        for a, b, scale in zip(context[k].unbind(), target[k].unbind(), weight[k].unbind(), strict=True):
            logits = network(a[:, None])[:, 0]  # (S, m)
            loss = row_potential(settings.loss, logits) - logits.gather(1, b[:, None])[:, 0]  # (S,)
            stepper.step(loss @ scale)  # (S,) x (S,): summed over seeds
            if unseen is not None:
                unseen.update(a[:, None], logits.detach()[:, None])
            done += 1
            yield done


class _Stepper:
    """The optimiser of the network's trainable parameters; gradients are sparse where the step allows it."""

    def __init__(self, network: Network, settings: TrainingSettings) -> None:
        network.sparse_gradients = settings.sparse_steps
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = settings.torch_optimizer(self.parameters)
        self.shrinking = settings.shrinking

    def step(self, loss: Tensor) -> None:
        """Differentiate, shrink where weight decay is decoupled, and step."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.shrinking:
            decay(self.parameters, self.shrinking)
        self.optimizer.step()


class _UnseenProbability:
    """The running maximum, per seed, of p(j|a) over tokens j that are never a target of context a."""

    def __init__(self, task: Task, network: Network) -> None:
        seen = np.zeros((network.context_count, network.vocabulary_size), dtype=bool)
        seen[task.train_context, task.train_target] = True
        self.seen = torch.from_numpy(seen)
        self.largest = torch.zeros(network.seeds, dtype=torch.float64)

    def update(self, contexts: Tensor, logits: Tensor) -> None:
        """Contexts (S, B) with their logits (S, B, m)."""
        probability = torch.softmax(logits, dim=-1).masked_fill_(self.seen[contexts], 0.0)
        torch.maximum(self.largest, probability.amax(dim=(1, 2)), out=self.largest)


# -- checks --


def _checked_record(record: np.ndarray, steps: int) -> np.ndarray:
    record = np.asarray(record)
    if record.ndim != 1 or not len(record) or not np.issubdtype(record.dtype, np.integer):
        raise ValueError(f"record must be a 1-D array of step numbers, got shape {record.shape} of {record.dtype}")
    if record[0] < 0 or record[-1] > steps or (np.diff(record) <= 0).any():
        raise ValueError(f"record must increase strictly within 0..{steps}, got {record[0]}..{record[-1]}")
    return record


def _check_fit(network: Network, task: Task, seeds: Sequence[int]) -> None:
    came = (network.seeds, network.context_count, network.vocabulary_size)
    expected = (len(seeds), len(task.contexts), task.vocabulary_size)
    if came != expected:
        raise ValueError(f"expected a network of (seeds, contexts, tokens) = {expected}, got one of {came}")


def _finite_logits(network: Network, settings: TrainingSettings, done: int) -> np.ndarray:
    """Logits of every context, (S, contexts, m); raises TrainingDiverged when one is not finite."""
    logits: np.ndarray = network.context_logits().numpy()
    if not np.isfinite(logits).all():
        raise TrainingDiverged(
            f"{settings.optimizer} at learning rate {settings.learning_rate} gave logits that are not finite "
            f"by step {done}; use a smaller learning rate"
        )
    return logits

"""One choice in real training: S instances side by side, with the spaces in which they started."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from numerics.gram import Gram
from numerics.index import Gains, gains
from numerics.kernels import Kernels
from numerics.losses import CURVATURE
from numerics.parameter_space import ParameterSpace, State
from numerics.space_descent import last_state
from theory.task import Task
from theory.variants import Variant
from validation.losses import pair_losses
from validation.networks import EmbeddedNetwork
from validation.parameter_networks import balance_of, draw_network, grams_of, space_of
from validation.real_runs import descent_settings
from validation.remedies.choice import Choice
from validation.training import TrainingDiverged, TrainingSettings, train

Tell = Callable[[float], None]


@dataclass(frozen=True)
class Trained:
    """S instances of one choice before and after real training; spaces are those of their starts.

    Logits are (S, contexts, m).
    """

    choice: Choice
    variant: Variant
    network: EmbeddedNetwork
    schedule: TrainingSettings
    seeds: range
    grams: Sequence[Gram]
    spaces: Sequence[ParameterSpace]
    initial: np.ndarray
    final: np.ndarray
    balance_before: np.ndarray | None  # what the flow of a product of matrices conserves, see `balance_of`
    balance_after: np.ndarray | None

    @property
    def task(self) -> Task:
        """The task that was trained."""
        return self.variant.task

    def gains(self) -> list[Gains]:
        """Of every seed."""
        pairs = zip(self.initial, self.final, strict=True)
        return [gains(self.variant.asked, start, end - start) for start, end in pairs]

    @property
    def end(self) -> float:
        """The flow time at which training stops."""
        return self.schedule.time_per_step * self.schedule.steps

    @property
    def kernels(self) -> list[Kernels]:
        """K_in and K_out of every seed."""
        return [Kernels(self.task, gram) for gram in self.grams]

    @property
    def nonexpansive(self) -> bool:
        """Whether no step moves two parameters apart: small ones, without momentum, where the loss is convex."""
        how = self.schedule
        if self.choice.parameters not in ("free", "symmetric") or how.optimizer not in ("gd", "sgd"):
            return False
        flattest = CURVATURE["cross-entropy"] / CURVATURE[how.loss]
        largest = min(k.nonexpansive_step(how.batch == "full") for k in self.kernels) * flattest
        return how.learning_rate * (1.0 / largest + how.weight_decay / 2.0) <= 1.0

    def state(self, seed: int, space: ParameterSpace | None = None) -> State:
        """The state where the recursion of instance `seed` ends, started in `space` if it is given."""
        settings = descent_settings(self.schedule, self.seeds[seed])
        return last_state(space or self.spaces[seed], self.schedule.loss, settings, self.schedule.steps)

    def recursion_logits(self, seed: int, space: ParameterSpace | None = None) -> np.ndarray:
        """Its logits (contexts, m)."""
        return (space or self.spaces[seed]).logits(self.state(seed, space))


@dataclass(frozen=True)
class Drawn:
    """S instances of one choice before they are trained."""

    choice: Choice
    variant: Variant
    network: EmbeddedNetwork
    seeds: range
    grams: Sequence[Gram]

    @property
    def kernels(self) -> list[Kernels]:
        """K_in and K_out of every seed."""
        return [Kernels(self.variant.task, gram) for gram in self.grams]


def draw_choice(data: Variant, choice: Choice, dimension: int, seeds: range) -> Drawn:
    """An instance for each seed."""
    orthonormal = choice.embeddings == "orthonormal"
    size = None if orthonormal else dimension
    width = choice.width or (data.task.vocabulary_size if orthonormal else dimension)
    network = draw_network(data.task, choice.parameters, size, width, choice.scale, seeds)
    return Drawn(choice, data, network, seeds, grams_of(network, orthonormal))


def run_choice(drawn: Drawn, steps: TrainingSettings, tell: Tell = lambda done: None) -> Trained:
    """Train all instances side by side. Raises TrainingDiverged, naming the choice."""
    network, grams = drawn.network, drawn.grams
    spaces = [space_of(network, n, gram) for n, gram in enumerate(grams)]
    before = balance_of(network)
    try:
        run = train(
            network,
            drawn.variant.task,
            steps,
            drawn.seeds,
            np.array([0, steps.steps]),
            progress=lambda done, total: tell(done / total),
        )
    except TrainingDiverged as error:
        raise TrainingDiverged(f"{drawn.choice.label}: {error}") from None
    return Trained(
        drawn.choice,
        drawn.variant,
        network,
        steps,
        drawn.seeds,
        grams,
        spaces,
        run.initial_logits,
        run.final_logits,
        before,
        balance_of(network),
    )


def require_descent(trained: Trained) -> None:
    """Raise TrainingDiverged where a seed ends with a larger loss than it began with: its index would mean nothing.

    Steps that expand nothing cannot diverge. One fact at a time they may end in the noise around a fit that so few
    dimensions do not reach: then the pairs are not learnt, and the row says that.
    """
    if trained.nonexpansive:
        return
    task, loss = trained.task, trained.schedule.loss
    pair = torch.from_numpy(task.train_context * task.vocabulary_size + task.train_target)
    context, weight = torch.from_numpy(task.train_context), torch.from_numpy(task.train_weight)

    def losses(logits: np.ndarray) -> np.ndarray:
        trained_rows = torch.from_numpy(logits[:, : task.trained_contexts])
        return (pair_losses(loss, trained_rows, pair, context) @ weight).numpy()

    before, after = losses(trained.initial), losses(trained.final)
    if not (after <= before).all():
        raise TrainingDiverged(
            f"{trained.choice.label}: training at step size {trained.schedule.learning_rate:.3g} raised the loss by "
            f"{(after - before).max():.3g}; give a smaller --learning-rate"
            + " or --weight-decay"
            * bool(trained.choice.weight_decay)
        )

"""Real training against an exact replay of its own steps: same visits, same step sizes, other code.

Gradient descent, SGD and momentum are replayed in logit space (`numerics.descent`), which knows neither parameters nor
autograd; Adam on the parameters, with the gradient written out (`numerics.adam`). What is left is rounding.
"""

from collections.abc import Sequence

import numpy as np

from numerics.adam import adam_parameters
from numerics.kernels import Kernels
from theory.claim import Claim, ClaimText
from theory.counting import count_of
from theory.task import Task
from validation.compare import PROJECT, check_descent, rounding_tolerance
from validation.networks import BilinearNetwork, Network, OneLayerTransformer
from validation.training import TrainingSettings

PERTURBATION = 1e-8  # of the start: far above rounding, far below what bends the steps of Adam
MOST_EXPANSION = 1e5  # of that distance: above it what becomes of rounding is no multiple of it any more


def too_large_steps(settings: TrainingSettings, kernels: Sequence[Kernels]) -> str | None:
    """Why rounding may grow from step to step and no replay is exact, or None."""
    limit = min(k.nonexpansive_step(settings.batch == "full") for k in kernels)
    if settings.time_per_step <= limit:
        return None
    return (
        f"steps of {settings.time_per_step:.3g} exceed {limit:.3g}, above which descent may expand and rounding with it"
    )


def adam_text(name: str) -> ClaimText:
    """Training under Adam against its replay; `name` is that of the run."""
    return ClaimText(
        f"training-is-adam-{name}".replace(" ", "-"),
        f"Real training repeats the steps of Adam on its parameters ({name})",
        r"S^{\text{torch}}_k = X \Theta^{\text{Adam}}_k Y^{\top}",
        f"{PROJECT}; Adam: arXiv 1412.6980, Algorithm 1",
        ("Adam does not expand distances so far that rounding decides where it ends",),
    )


class AdamReplay:
    """The start of every seed of a network that Adam is about to train in place: build it before training."""

    def __init__(self, network: Network, task: Task) -> None:
        self.task, self.dimension = task, network.dimension
        match network:
            case BilinearNetwork():
                features, tokens = network.features.value().numpy(), network.embeddings.value().numpy()
                theta = network.theta.value().numpy()
            case OneLayerTransformer():
                theta = network.Y.value().numpy()
                tokens = np.broadcast_to(np.eye(task.vocabulary_size), theta.shape)
                features = np.broadcast_to(task.features.toarray(), (len(theta), *task.features.shape))
            case _:
                raise TypeError(f"no replay of Adam is known for {type(network).__name__}")
        self.features, self.tokens, self.theta = features, tokens, theta

    def logits(self, seed: int, settings: TrainingSettings, moved: np.ndarray | float = 0.0) -> np.ndarray:
        """Logits (contexts, m) of instance `seed` after all steps, from its start plus `moved`."""
        features, tokens = self.features[seed], self.tokens[seed]
        start = self.theta[seed] + moved
        theta = adam_parameters(self.task, features, tokens, start, settings.learning_rate, settings.steps)
        return features @ theta @ tokens.T  # (contexts, d) x (d, d) x (d, m)

    def expansion(self, settings: TrainingSettings, near: np.ndarray) -> float:
        """How many times further from `near`, its logits, the first seed ends when its start is moved a little.

        At least one.
        """
        signs = np.random.default_rng([self.theta.shape[-1], 11]).choice([-1.0, 1.0], size=self.theta.shape[1:])
        moved = PERTURBATION * signs
        before = np.abs(self.features[0] @ moved @ self.tokens[0].T).max()
        after = np.abs(self.logits(0, settings, moved) - near).max()
        return max(1.0, float(after / before))


def adam_claim(
    replay: AdamReplay, settings: TrainingSettings, final: np.ndarray, kernels: Sequence[Kernels], name: str
) -> Claim:
    """The final logits (S, contexts, m) of real training under Adam against the replay of every seed."""
    replayed = np.stack([replay.logits(seed, settings) for seed in range(len(final))])
    expansion = replay.expansion(settings, replayed[0])
    rounding = rounding_tolerance(settings.steps, replay.dimension, kernels, float(np.abs(final).max()))
    if expansion > MOST_EXPANSION:
        distance = float(np.abs(final - replayed).max())
        return adam_text(name).not_applicable(
            f"two starts {PERTURBATION:g} apart end {expansion:.0e} times further apart, so rounding decides where "
            f"this ends: the steps are too large; measured: logits differ by {distance:.3g}"
        )
    what = f"{count_of(settings.steps, 'step')}, {count_of(len(final), 'seed')}; distances grow {expansion:.3g} times"
    return check_descent(final, replayed, expansion * rounding, adam_text(name), what)

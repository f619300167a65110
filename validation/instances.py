"""One model on one task, an instance per seed: the torch network, its Gram matrices and its initial logits.

Both models of the paper are one flow, dS/dt = K_in[:, A] F R K_out; an instance is all that tells them apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from numerics.gram import Gram
from numerics.kernels import Kernels
from theory.task import Task
from validation.networks import BilinearNetwork, Network, OneLayerAttention, OneLayerTransformer


@dataclass(frozen=True)
class Instances:
    """Networks and Gram matrices of S seeds. `network` is at its start: training changes it in place."""

    task: Task
    network: Network
    grams: tuple[Gram, ...]
    seeds: tuple[int, ...]

    @property
    def model(self) -> str:
        """The model's name in trajectories and claims."""
        return self.network.model

    def kernels(self) -> list[Kernels]:
        """K_in and K_out of every seed."""
        return [Kernels(self.task, gram) for gram in self.grams]


def bilinear_instances(task: Task, dimension: int, init_scale: float, seeds: Sequence[int]) -> Instances:
    """Theta (d x d) with explicit embeddings V_i ~ N(0, I/d), a draw per seed."""
    network = BilinearNetwork.gaussian(task, dimension, init_scale, seeds)
    grams = tuple(Gram.explicit(v) for v in network.embeddings.value().numpy())
    return Instances(task, network, grams, tuple(seeds))


def transformer_instances(task: Task, seeds: Sequence[int]) -> Instances:
    """The one-layer transformer in Y and Z from zero: G = I for every seed.

    Contexts of several tokens get fixed uniform attention, which is what makes K_in = Phi Phi^T theirs.
    """
    network = OneLayerTransformer(task, len(seeds), fixed_attention=not task.one_token_contexts)
    grams = tuple(Gram.identity(task.vocabulary_size) for _ in seeds)
    return Instances(task, network, grams, tuple(seeds))


def attention_instances(
    task: Task, dimension: int, seeds: Sequence[int], trainable: Sequence[str] = ("W_V",)
) -> Instances:
    """The one-layer transformer with real W_Q, W_K, W_V and embeddings U_i ~ N(0, I/d); Gram matrices U U^T.

    W_V starts at zero. With several tokens a context W_Q starts at zero too, which keeps attention uniform while only
    W_V is trained.
    """
    rng = [np.random.default_rng([s, dimension]) for s in seeds]
    embeddings = np.stack([r.normal(scale=dimension**-0.5, size=(task.vocabulary_size, dimension)) for r in rng])
    square = (len(seeds), dimension, dimension)
    scale = 1.0 if task.one_token_contexts else 0.0
    query, key = (np.stack([r.normal(scale=scale, size=square[1:]) for r in rng]) for _ in range(2))
    network = OneLayerAttention(task, embeddings, np.zeros(square), query, key, trainable)
    return Instances(task, network, tuple(Gram.explicit(u) for u in embeddings), tuple(seeds))

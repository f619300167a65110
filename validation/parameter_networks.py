"""x^T Theta y in torch with Theta symmetric, factorised, or trained together with its embeddings; float64, many seeds.

Each is the network of one space of `numerics.parameter_space`, and `space_of` reads that space off its parameters.
Conventions as in `validation.networks`: a leading axis over S seeds, contexts (S, B) to logits (S, B, m).
"""

import numpy as np
import torch
from torch import Tensor

from numerics.balance import balance
from numerics.gram import Gram
from numerics.parameter_space import (
    EmbeddingSpace,
    FactorisedSpace,
    FreeSpace,
    Parameters,
    ParameterSpace,
    SymmetricSpace,
)
from theory.task import Task
from validation.networks import BilinearNetwork, EmbeddedNetwork, SeedMatrices


class SymmetricNetwork(EmbeddedNetwork):
    """Theta = (P + P^T)/2, P (S, d, d) trained."""

    def __init__(self, task: Task, embeddings: Tensor, unsymmetrised: Tensor) -> None:
        super().__init__(task, embeddings)
        self.P = SeedMatrices(unsymmetrised)

    def forward(self, contexts: Tensor) -> Tensor:
        x = self.features.rows(contexts)  # (S, B, d)
        hidden = (self.P.multiply(x) + self.P.multiply_transposed(x)) / 2
        return self.embeddings.multiply_transposed(hidden)  # (S, B, d) x (S, d, m) -> (S, B, m)


class FactorisedNetwork(EmbeddedNetwork):
    """Theta = W_O W_V^T, both (S, d, r) and trained: output and value matrices of arXiv 2506.10887."""

    def __init__(self, task: Task, embeddings: Tensor, output: Tensor, value: Tensor) -> None:
        super().__init__(task, embeddings)
        self.W_O, self.W_V = SeedMatrices(output), SeedMatrices(value)

    def forward(self, contexts: Tensor) -> Tensor:
        hidden = self.W_O.multiply(self.features.rows(contexts))  # (S, B, d) x (S, d, r) -> (S, B, r)
        return self.embeddings.multiply_transposed(self.W_V.multiply_transposed(hidden))

    def factors(self) -> tuple[np.ndarray, ...]:
        """W_O and W_V, (S, d, r) each."""
        return self.W_O.value().numpy(), self.W_V.value().numpy()


class EmbeddingNetwork(EmbeddedNetwork):
    """Logits Phi U Theta V^T with Theta (S, d, d) and the tables U, V (S, m, d) trained; one table where `tied`."""

    phi: Tensor

    def __init__(self, task: Task, embeddings: Tensor, theta: Tensor, tied: bool) -> None:
        super().__init__(task, embeddings)
        self.tied = tied
        self.register_buffer("phi", torch.from_numpy(task.features.toarray()))  # (contexts, m)
        self.U = SeedMatrices(embeddings)
        self.V = self.U if tied else SeedMatrices(embeddings)
        self.theta = SeedMatrices(theta)

    def forward(self, contexts: Tensor) -> Tensor:
        x = self.U.multiply(self.phi[contexts])  # (S, B, m) x (S, m, d) -> (S, B, d)
        return self.V.multiply_transposed(self.theta.multiply(x))

    def factors(self) -> tuple[np.ndarray, ...]:
        """U, Theta and V, or V and Theta where they are tied; (S, ...) each."""
        table, theta = self.U.value().numpy(), self.theta.value().numpy()
        return (table, theta) if self.tied else (table, theta, self.V.value().numpy())


def draw_network(
    task: Task, parameters: Parameters, dimension: int | None, width: int, scale: float, seeds: range
) -> EmbeddedNetwork:
    """Embeddings N(0, I/d), or orthonormal where `dimension` is None (d = m), and parameters N(0, scale^2) entrywise.

    `width` is that of a factorised Theta. Each seed has its own generator: an instance is the same whichever seeds run
    beside it.
    """
    m = task.vocabulary_size
    d = m if dimension is None else dimension
    rngs = [np.random.default_rng([s, 6]) for s in seeds]

    def drawn(*shape: int, scale: float) -> Tensor:
        return torch.from_numpy(np.stack([rng.normal(scale=scale, size=shape) for rng in rngs]))

    embeddings = torch.eye(m, dtype=torch.float64).expand(len(seeds), -1, -1).clone()
    if dimension is not None:
        embeddings = drawn(m, d, scale=d**-0.5)
    match parameters:
        case "free":
            return BilinearNetwork(task, embeddings, drawn(d, d, scale=scale))
        case "symmetric":
            return SymmetricNetwork(task, embeddings, drawn(d, d, scale=scale))
        case "factorised":
            return FactorisedNetwork(task, embeddings, drawn(d, width, scale=scale), drawn(d, width, scale=scale))
        case "trained-embeddings" | "tied-embeddings":
            return EmbeddingNetwork(task, embeddings, drawn(d, d, scale=scale), parameters == "tied-embeddings")
    raise ValueError(f"unknown parameter space {parameters!r}")


def grams_of(network: EmbeddedNetwork, orthonormal: bool) -> list[Gram]:
    """The Gram matrix of every seed."""
    if orthonormal:
        return [Gram.identity(network.vocabulary_size)] * network.seeds
    return [Gram.explicit(v) for v in network.embeddings.value().numpy()]


def space_of(network: EmbeddedNetwork, seed: int, gram: Gram) -> ParameterSpace:
    """The space of instance number `seed`, starting where its parameters are. Raises TypeError on another network."""
    match network:
        case BilinearNetwork():
            return FreeSpace(network.task, gram, network.context_logits()[seed].numpy())
        case SymmetricNetwork():
            return SymmetricSpace(network.task, gram, network.context_logits()[seed].numpy())
        case FactorisedNetwork():
            contexts = network.features.value()[seed].numpy() @ network.W_O.value()[seed].numpy()
            tokens = network.embeddings.value()[seed].numpy() @ network.W_V.value()[seed].numpy()
            return FactorisedSpace(network.task, gram, contexts, tokens)
        case EmbeddingNetwork():
            table, theta = network.U.value()[seed].numpy(), network.theta.value()[seed].numpy()
            return EmbeddingSpace(network.task, table, theta, network.tied)
    raise TypeError(f"no parameter space belongs to {type(network).__name__}")


def balance_of(network: EmbeddedNetwork) -> np.ndarray | None:
    """What the flow of the network's factors conserves, (S, balances, n, n); None where it is no product."""
    if not isinstance(network, FactorisedNetwork | EmbeddingNetwork):
        return None
    return balance(*network.factors(), tied=isinstance(network, EmbeddingNetwork) and network.tied)

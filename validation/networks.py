"""The networks of the paper (arXiv 2405.04669) in torch, float64, with gradients by autograd alone.

Conventions:
- Every parameter carries a leading axis over S seeds: S instances train in one forward pass and never mix.
- A forward pass takes context numbers of the task, shape (S, B), to logits over the m tokens, (S, B, m).
- A sequence is the context's tokens x_1..x_L followed by the query x_{L+1}, the relation token, which attends
  to the context and is not attended to itself. X (L x m) stacks the one-hot context tokens.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from theory.task import Task

# Parameters are cut into tensors of about this size (at least one seed each): dense gradients are allocated
# afresh at every step, and blocks above 32 MiB go back to the system each time (measured: 4 x slower).
PIECE_BYTES = 8 * 2**20


class SeedMatrices(nn.Module):
    """One matrix a seed, (S, rows, columns), held as 2-D parameters that stack a few seeds each."""

    first_row: Tensor

    def __init__(self, matrices: Tensor, trainable: bool = True) -> None:
        super().__init__()
        self.seeds, self.row_count, self.column_count = matrices.shape
        self.seeds_per_piece = max(1, PIECE_BYTES // (8 * self.row_count * self.column_count))
        self.pieces = nn.ParameterList(
            nn.Parameter(piece.reshape(-1, self.column_count).clone(), requires_grad=trainable)
            for piece in torch.split(matrices, self.seeds_per_piece)
        )
        within_piece = torch.arange(self.seeds) % self.seeds_per_piece
        self.register_buffer("first_row", self.row_count * within_piece[:, None])  # (S, 1)

    def value(self) -> Tensor:
        """A copy of the matrices, (S, rows, columns), outside autograd."""
        stacked = torch.cat([piece.detach() for piece in self.pieces])
        return stacked.view(self.seeds, self.row_count, self.column_count)

    def rows(self, numbers: Tensor, sparse: bool = False) -> Tensor:
        """Rows by number, (S, B) -> (S, B, columns); `sparse` asks autograd for a sparse gradient."""
        by_piece = zip(torch.split(numbers + self.first_row, self.seeds_per_piece), self.pieces, strict=True)
        return torch.cat([functional.embedding(row, piece, sparse=sparse) for row, piece in by_piece])

    def multiply(self, x: Tensor) -> Tensor:
        """x times the matrix of its seed."""
        # (S, B, rows) x (S, rows, columns) -> (S, B, columns)
        return torch.cat([part @ matrices for part, matrices in self._with_matrices(x)])

    def multiply_transposed(self, x: Tensor) -> Tensor:
        """x times the transposed matrix of its seed."""
        # (S, B, columns) x (S, columns, rows) -> (S, B, rows)
        return torch.cat([part @ matrices.transpose(1, 2) for part, matrices in self._with_matrices(x)])

    def _with_matrices(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """The seeds of x (S, ...) piece by piece, each with its matrices (seeds, rows, columns)."""
        matrices = (piece.view(-1, self.row_count, self.column_count) for piece in self.pieces)
        return zip(torch.split(x, self.seeds_per_piece), matrices, strict=True)


class Network(nn.Module, ABC):
    """S instances of one model on one task. `dimension` is None where the model has no embeddings."""

    model: str
    dimension: int | None

    def __init__(self, task: Task, seeds: int) -> None:
        super().__init__()
        self.seeds = seeds
        self.context_count = len(task.contexts)
        self.vocabulary_size = task.vocabulary_size
        # Plain SGD may set this: row gathers then return sparse gradients, where the model has any.
        self.sparse_gradients = False

    @abstractmethod
    def forward(self, contexts: Tensor) -> Tensor:
        """Logits of the contexts, (S, B) -> (S, B, m)."""

    @torch.no_grad()
    def context_logits(self) -> Tensor:
        """Logits of every context of the task, (S, contexts, m), outside autograd."""
        logits: Tensor = self(self.every_context())
        return logits

    def every_context(self) -> Tensor:
        """The context numbers of the task for each seed, (S, contexts)."""
        return torch.arange(self.context_count).expand(self.seeds, -1)


class EmbeddedNetwork(Network):
    """A network on fixed embeddings V (S, m, d) of the tokens, its contexts the features x = phi V.

    Raises ValueError when the shape does not fit the task.
    """

    model = "bilinear"
    dimension: int

    def __init__(self, task: Task, embeddings: np.ndarray | Tensor) -> None:
        embeddings = _as_float64(embeddings)
        seeds, dimension = _shape_of_embeddings(task, embeddings)
        super().__init__(task, seeds)
        self.task = task
        self.dimension = dimension
        self.embeddings = SeedMatrices(embeddings, trainable=False)
        features = np.stack([task.features @ v.numpy() for v in embeddings])  # (contexts, m) x (m, d), each seed
        self.features = SeedMatrices(torch.from_numpy(features), trainable=False)


class BilinearNetwork(EmbeddedNetwork):
    """Logits x^T Theta v_j with fixed embeddings (arXiv 2405.04669, Section 3); x is the feature phi V.

    `embeddings` V (S, m, d) and the initial `theta` (S, d, d) may be arrays or tensors; both are copied.
    Raises ValueError when a shape does not fit the task.
    """

    def __init__(self, task: Task, embeddings: np.ndarray | Tensor, theta: np.ndarray | Tensor) -> None:
        super().__init__(task, embeddings)
        theta = _as_float64(theta)
        _require_shape("theta", theta, (self.seeds, self.dimension, self.dimension))
        self.theta = SeedMatrices(theta)

    @classmethod
    def gaussian(cls, task: Task, dimension: int, init_scale: float, seeds: Sequence[int]) -> "BilinearNetwork":
        """V_i ~ N(0, I/d) and Theta_0 ~ N(0, init_scale^2) entrywise.

        Each seed has its own generator: an instance is the same whichever seeds run beside it.
        """
        embeddings = np.empty((len(seeds), task.vocabulary_size, dimension))
        theta = np.empty((len(seeds), dimension, dimension))
        for seed, v, theta_0 in zip(seeds, embeddings, theta, strict=True):
            rng = np.random.default_rng(seed)
            v[:] = rng.normal(scale=dimension**-0.5, size=v.shape)
            theta_0[:] = rng.normal(scale=init_scale, size=theta_0.shape)
        return cls(task, embeddings, theta)

    def forward(self, contexts: Tensor) -> Tensor:
        hidden = self.theta.multiply(self.features.rows(contexts))  # (S, B, d) x (S, d, d) -> (S, B, d)
        return self.embeddings.multiply_transposed(hidden)  # (S, B, d) x (S, d, m) -> (S, B, m)


class _AttentionNetwork(Network):
    """What the one-layer models share: the sequences of the task, and LN(u) = u / |u|_2 of u = X^T b.

    Raises ValueError unless every context has the same number of tokens.
    """

    tokens: Tensor
    query: Tensor
    overlap: Tensor

    def __init__(self, task: Task, seeds: int) -> None:
        super().__init__(task, seeds)
        lengths = sorted({len(context) for context in task.contexts})
        if len(lengths) > 1:
            raise ValueError(f"a one-layer transformer needs contexts of one length, got lengths {lengths}")
        tokens = torch.tensor(task.contexts)
        same = tokens[:, :, None] == tokens[:, None, :]
        self.register_buffer("tokens", tokens)  # (contexts, L)
        self.register_buffer("query", torch.from_numpy(query_tokens(task)))  # (contexts,)
        self.register_buffer("overlap", same.to(torch.float64))  # X X^T, (contexts, L, L)

    def normalised(self, scores: Tensor, contexts: Tensor) -> Tensor:
        """Coefficients of LN(X^T b) on the context tokens, (S, B, L), for b = softmax of `scores`."""
        b = torch.softmax(scores, dim=-1)
        # |X^T b|^2 = b^T X X^T b: (S, B, 1, L) x (S, B, L, L) x (S, B, L, 1) -> (S, B, 1, 1)
        square = b[..., None, :] @ self.overlap[contexts] @ b[..., None]
        return b / square[..., 0].sqrt()


class OneLayerTransformer(_AttentionNetwork):
    """The reparametrised one-layer transformer from zero: logits Y^T LN(X^T b), b = softmax Z[x_{L+1}, x_t].

    arXiv 2405.04669, Section 4, after Tian et al. (arXiv 2305.16380); Y and Z are m x m, LN(v) = v/|v|_2.
    `fixed_attention` keeps Z = 0, that is uniform attention. `seeds` is how many instances.
    """

    model = "transformer"
    dimension = None

    def __init__(self, task: Task, seeds: int, fixed_attention: bool = False) -> None:
        super().__init__(task, seeds)
        zeros = torch.zeros(seeds, task.vocabulary_size, task.vocabulary_size, dtype=torch.float64)
        self.Y = SeedMatrices(zeros)
        self.Z = SeedMatrices(zeros, trainable=not fixed_attention)

    def forward(self, contexts: Tensor) -> Tensor:
        tokens = self.tokens[contexts]  # (S, B, L)
        query_rows = self.Z.rows(self.query[contexts], self.sparse_gradients)  # (S, B, m)
        coefficient = self.normalised(query_rows.gather(-1, tokens), contexts)
        rows = self.Y.rows(tokens.flatten(1), self.sparse_gradients).view(*tokens.shape, -1)
        return (coefficient[..., None] * rows).sum(dim=2)  # (S, B, L, 1) * (S, B, L, m) -> (S, B, m)


ATTENTION_WEIGHTS = ("U", "W_V", "W_Q", "W_K")


class OneLayerAttention(_AttentionNetwork):
    """The same with real weights: Y = U W_V^T U^T and Z = U W_Q W_K^T U^T / sqrt(d) (arXiv 2305.16380).

    `embeddings` U (S, m, d); `value`, `query`, `key` are W_V, W_Q, W_K (S, d, d); `trainable` names the
    weights that learn. No m x m matrix is formed. Raises ValueError on a wrong shape or an unknown name.
    """

    model = "attention"

    def __init__(
        self,
        task: Task,
        embeddings: np.ndarray | Tensor,
        value: np.ndarray | Tensor,
        query: np.ndarray | Tensor,
        key: np.ndarray | Tensor,
        trainable: Collection[str],
    ) -> None:
        unknown = sorted(set(trainable) - set(ATTENTION_WEIGHTS))
        if unknown or not trainable:
            expected = ", ".join(ATTENTION_WEIGHTS)
            raise ValueError(f"trainable weights must be some of {expected}, got {unknown or 'none'}")
        embeddings, value, query, key = map(_as_float64, (embeddings, value, query, key))
        seeds, dimension = _shape_of_embeddings(task, embeddings)
        for name, weight in (("W_V", value), ("W_Q", query), ("W_K", key)):
            _require_shape(name, weight, (seeds, dimension, dimension))
        super().__init__(task, seeds)
        self.dimension: int = dimension
        self.U = SeedMatrices(embeddings, trainable="U" in trainable)
        self.W_V = SeedMatrices(value, trainable="W_V" in trainable)
        self.W_Q = SeedMatrices(query, trainable="W_Q" in trainable)
        self.W_K = SeedMatrices(key, trainable="W_K" in trainable)
        self.fixed_scores: SeedMatrices | None = None
        if set(trainable) == {"W_V"}:  # the scores never change: read W_Q and W_K once, not at every step
            self.fixed_scores = SeedMatrices(self._scores(self.every_context()).detach(), trainable=False)

    def _scores(self, contexts: Tensor) -> Tensor:
        """Z[x_{L+1}, x_t] for the context's tokens, (S, B) -> (S, B, L)."""
        tokens = self.tokens[contexts]  # (S, B, L)
        query = self.W_Q.multiply(self.U.rows(self.query[contexts]))  # (S, B, d)
        key = self.W_K.multiply(self.U.rows(tokens.flatten(1))).view(*tokens.shape, -1)  # (S, B, L, d)
        return (query[:, :, None, :] * key).sum(dim=-1) / self.dimension**0.5

    def forward(self, contexts: Tensor) -> Tensor:
        tokens = self.tokens[contexts]  # (S, B, L)
        scores = self._scores(contexts) if self.fixed_scores is None else self.fixed_scores.rows(contexts)
        embedded = self.U.rows(tokens.flatten(1)).view(*tokens.shape, -1)  # (S, B, L, d)
        x = (self.normalised(scores, contexts)[..., None] * embedded).sum(dim=2)  # U^T LN(X^T b), (S, B, d)
        # (S, B, d) x (S, d, d) x (S, d, m) -> (S, B, m)
        return self.U.multiply_transposed(self.W_V.multiply_transposed(x))


def query_tokens(task: Task) -> np.ndarray:
    """The relation token that ends each context's sequence, (contexts,).

    A context of several tokens ends in its relation. A context of one token takes the relation of its first
    statement, or of its query; attention over one token is 1 whichever it is, so a relation outside the
    vocabulary is replaced by the context's own token.
    """
    number = {token: i for i, token in enumerate(task.tokens)}
    query = np.array([context[-1] for context in task.contexts], dtype=np.int64)
    if task.one_token_contexts:
        for asked in task.queries:
            query[asked.context] = number.get(asked.relations[0], query[asked.context])
        # reversed, so that the first statement of a context has the last word
        query[task.train_context[::-1]] = task.train_relation[::-1]
    return query


def _as_float64(matrices: np.ndarray | Tensor) -> Tensor:
    return torch.as_tensor(matrices, dtype=torch.float64)


def _shape_of_embeddings(task: Task, embeddings: Tensor) -> tuple[int, int]:
    """(S, d) of embeddings (S, m, d), or ValueError."""
    if embeddings.ndim != 3 or embeddings.shape[1] != task.vocabulary_size:
        expected = f"(seeds, {task.vocabulary_size}, dimension)"
        raise ValueError(f"embeddings must have shape {expected}, got {tuple(embeddings.shape)}")
    return embeddings.shape[0], embeddings.shape[2]


def _require_shape(name: str, matrices: Tensor, expected: tuple[int, int, int]) -> None:
    if tuple(matrices.shape) != expected:
        raise ValueError(f"{name} must have shape (seeds, d, d) = {expected}, got {tuple(matrices.shape)}")

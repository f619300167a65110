"""The plain PyTorch loop that a user would write for the paper's two models: one seed after another, autograd, SGD.

The same starts, orders of visits and steps as `validation.training.train`; the equations are those of arXiv 2405.04669,
Sections 3 and 4, one example (or one full batch) at a time.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from numerics.order import visits
from theory.task import Task
from validation.networks import query_tokens
from validation.training import TrainingSettings

# Logits (B, m) of contexts by number (B,).
Forward = Callable[[Tensor], Tensor]


def bilinear(task: Task, embeddings: Tensor, theta: Tensor, settings: TrainingSettings, seed: int) -> Tensor:
    """Train Theta (d, d) under fixed embeddings V (m, d); the final logits of every context, (contexts, m)."""
    features = torch.from_numpy(task.features @ embeddings.numpy())  # (contexts, d)
    weight = nn.Parameter(theta.clone())
    return _train(task, lambda a: features[a] @ weight @ embeddings.T, [weight], settings, seed)


def one_layer_transformer(task: Task, settings: TrainingSettings, seed: int) -> Tensor:
    """Train Y and Z (m, m) from zero: logits Y^T LN(X^T b), b = softmax(Z[x_{L+1}, x_t]); (contexts, m)."""
    m = task.vocabulary_size
    tokens, query = torch.tensor(task.contexts), torch.from_numpy(query_tokens(task))
    one_hot = torch.eye(m, dtype=torch.float64)
    y, z = (nn.Parameter(torch.zeros(m, m, dtype=torch.float64)) for _ in range(2))

    def forward(a: Tensor) -> Tensor:
        x = one_hot[tokens[a]]  # (B, L, m)
        b = torch.softmax(z[query[a]].gather(1, tokens[a]), dim=1)  # (B, L)
        u = (b[:, :, None] * x).sum(dim=1)  # X^T b, (B, m)
        return functional.normalize(u, dim=1) @ y  # (B, m) x (m, m)

    return _train(task, forward, [y, z], settings, seed)


def _train(
    task: Task, forward: Forward, parameters: list[nn.Parameter], settings: TrainingSettings, seed: int
) -> Tensor:
    """Descend as the settings say; logits of every context at the end."""
    optimizer = torch.optim.SGD(parameters, lr=settings.learning_rate)
    context, target = torch.from_numpy(task.train_context), torch.from_numpy(task.train_target)
    weight, pairs = torch.from_numpy(task.train_weight), len(task.train_weight)
    every = torch.arange(pairs)
    one_each = visits(settings.order, pairs, settings.steps, seed) if settings.batch == "one" else None
    for step in range(settings.steps):
        # a batch of one visits pair k with weight K w_k
        k, scale = (every, 1.0) if one_each is None else (every[one_each[step], None], pairs)
        optimizer.zero_grad()
        loss = functional.cross_entropy(forward(context[k]), target[k], reduction="none") @ weight[k] * scale
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return forward(torch.arange(len(task.contexts)))

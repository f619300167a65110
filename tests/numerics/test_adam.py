"""Adam in NumPy: its first step by hand, and torch's own steps on the same loss."""

import numpy as np
import torch

from numerics.adam import EPSILON, adam_parameters
from theory.task import reversal_task


def instance(task, dimension):
    """Features (contexts, d), tokens (m, d) and Theta (d, d)."""
    rng = np.random.default_rng(141)
    tokens = rng.normal(scale=dimension**-0.5, size=(task.vocabulary_size, dimension))
    return task.features @ tokens, tokens, 0.3 * rng.normal(size=(dimension, dimension))


def test_first_step_is_the_sign_of_the_gradient():
    """From zero moments Theta moves by eta g / (|g| + e) in every entry."""
    task = reversal_task(3, vocabulary=8)
    features, tokens, theta = instance(task, 5)
    trained = features[: task.trained_contexts]
    logits = trained @ theta @ tokens.T
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gradient = trained.T @ (task.context_weight[:, None] * (p - task.target_distribution.toarray())) @ tokens
    moved = adam_parameters(task, features, tokens, theta, 0.02, 1) - theta
    np.testing.assert_allclose(moved, -0.02 * gradient / (np.abs(gradient) + EPSILON), rtol=1e-9)


def test_it_takes_the_steps_of_torch():
    """Fifty steps of torch.optim.Adam on the same loss end at the same parameters to 1e-12; the start stays."""
    task = reversal_task(3, vocabulary=8)
    features, tokens, theta = instance(task, 5)
    kept = theta.copy()
    parameter = torch.nn.Parameter(torch.from_numpy(theta.copy()))
    optimizer = torch.optim.Adam([parameter], lr=0.02)
    x, y = torch.from_numpy(features[: task.trained_contexts]), torch.from_numpy(tokens)
    weight = torch.from_numpy(task.context_weight)
    target = torch.from_numpy(task.target_distribution.toarray())
    for _ in range(50):
        optimizer.zero_grad()
        (-(target * torch.log_softmax(x @ parameter @ y.T, dim=1)).sum(dim=1) @ weight).backward()
        optimizer.step()
    found = adam_parameters(task, features, tokens, theta, 0.02, 50)
    np.testing.assert_allclose(found, parameter.detach().numpy(), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(theta, kept)

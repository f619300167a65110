"""The networks of the parameter spaces: logits written out in numpy, the spaces read off them, and what is drawn."""

from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from numerics.balance import balance_drift
from numerics.descent import DescentSettings
from numerics.gram import Gram
from numerics.losses import LOSSES, Loss
from numerics.parameter_space import EmbeddingSpace, FactorisedSpace, FreeSpace, Parameters, SymmetricSpace
from theory.task import Statement as S
from theory.task import Task, build_task, reversal_task
from validation.networks import BilinearNetwork, EmbeddedNetwork, SeedMatrices
from validation.parameter_networks import (
    EmbeddingNetwork,
    FactorisedNetwork,
    SymmetricNetwork,
    balance_of,
    draw_network,
    grams_of,
    space_of,
)
from validation.training import TrainingSettings, train

KINDS = get_args(Parameters)
ROUNDING = 1e-12  # sums of at most a hundred products of order one in float64
SEEDS = range(3, 6)
WIDTH = 4


def small_tasks() -> list[Task]:
    """Single tokens; contexts of two tokens, one of them repeated, with two targets; and contexts of both lengths."""
    pairs = [S(("a", "r"), "b", "r"), S(("a", "r"), "c", "r", 3.0), S(("r", "r"), "a", "r", 2.0)]
    mixed = [S(("a",), "b", "r"), S(("b", "r", "a"), "c", "r")]
    return [
        reversal_task(2, 1),
        build_task("pairs", pairs, [S(("b", "r"), "a", "r")], vocabulary=6),
        build_task("mixed", mixed, [S(("c",), "a", "r")]),
    ]


TASKS = pytest.mark.parametrize("task", small_tasks(), ids=lambda task: task.name)
DIMENSIONS = pytest.mark.parametrize("dimension", [None, 3, 20], ids=["one-hot", "d=3", "d=20"])


def parameters_of(network: EmbeddedNetwork) -> dict[str, Tensor]:
    """The trained matrices by name, (S, rows, columns)."""
    names = {
        BilinearNetwork: ("theta",),
        SymmetricNetwork: ("P",),
        FactorisedNetwork: ("W_O", "W_V"),
        EmbeddingNetwork: ("U", "theta", "V"),
    }
    return {name: getattr(network, name).value() for name in names[type(network)]}


def written(network: EmbeddedNetwork, seed: int) -> np.ndarray:
    """Logits of one seed from its matrices, by numpy."""
    p = {name: value[seed].numpy() for name, value in parameters_of(network).items()}
    V, phi = network.embeddings.value()[seed].numpy(), network.task.features.toarray()
    match network:
        case BilinearNetwork():
            return phi @ V @ p["theta"] @ V.T
        case SymmetricNetwork():
            return phi @ V @ (p["P"] + p["P"].T) @ V.T / 2
        case FactorisedNetwork():
            return phi @ V @ p["W_O"] @ p["W_V"].T @ V.T
    return phi @ p["U"] @ p["theta"] @ p["V"].T


@TASKS
@DIMENSIONS
@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_the_formula_and_those_of_the_space(kind: Parameters, dimension: int | None, task: Task) -> None:
    """Every seed's logits at the start are its matrices written out, and the same in the space read off the network."""
    network = draw_network(task, kind, dimension, WIDTH, 0.7, SEEDS)
    logits = network.context_logits().numpy()
    expected_space = {"free": FreeSpace, "symmetric": SymmetricSpace, "factorised": FactorisedSpace}
    for s, gram in enumerate(grams_of(network, dimension is None)):
        np.testing.assert_allclose(logits[s], written(network, s), rtol=0, atol=ROUNDING)
        space = space_of(network, s, gram)
        assert type(space) is expected_space.get(kind, EmbeddingSpace)
        np.testing.assert_allclose(space.logits(space.start), logits[s], rtol=0, atol=ROUNDING)
    assert np.abs(logits[0] - logits[1]).max() > 0.1


@TASKS
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_one_step_of_torch_is_the_velocity_of_the_space(kind: Parameters, loss: Loss, task: Task) -> None:
    """Autograd of a full batch moves the parameters, and so the logits, as the space says."""
    network = draw_network(task, kind, 6, WIDTH, 0.5, SEEDS)
    spaces = [space_of(network, s, gram) for s, gram in enumerate(grams_of(network, False))]
    step = 0.2
    run = train(network, task, TrainingSettings("gd", step, 1, "full", loss=loss), SEEDS, np.array([1]))
    for s, space in enumerate(spaces):
        share = task.target_distribution.toarray()
        trained = space.logits(space.start)[: task.trained_contexts]
        by_hand = {
            "cross-entropy": np.exp(trained) / np.exp(trained).sum(axis=1, keepdims=True),
            "squared": trained,
            "one-against-all": 1 / (1 + np.exp(-trained)),
        }[loss]
        ascent = task.context_weight[:, None] * (share - by_hand)
        velocity = space.velocity(space.start, ascent, slice(None))
        moved = tuple(x + step * v for x, v in zip(space.start, velocity, strict=True))
        np.testing.assert_allclose(run.final_logits[s], space.logits(moved), rtol=0, atol=ROUNDING)
        assert np.abs(run.final_logits[s] - run.initial_logits[s]).max() > 1e-3


# -- what is drawn --


@pytest.mark.parametrize("kind", KINDS)
def test_an_instance_does_not_depend_on_its_company(kind: Parameters) -> None:
    """Seed 4 alone and seed 4 among others start from the same bytes, and other seeds from other ones."""
    task = reversal_task(2, 1)
    alone, among = (draw_network(task, kind, 5, WIDTH, 0.1, seeds) for seeds in (range(4, 5), SEEDS))
    held = {"embeddings": (alone.embeddings.value(), among.embeddings.value())}
    held |= {name: (value, parameters_of(among)[name]) for name, value in parameters_of(alone).items()}
    for one, several in held.values():
        assert torch.equal(one[0], several[1])
        assert not torch.equal(several[0], several[1])


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_the_space_is_trained(kind: Parameters) -> None:
    """Trainable matrices are those of the space, of the shapes it says: embeddings only where they are trained."""
    task, seeds = reversal_task(2, 1), len(SEEDS)
    m, d = task.vocabulary_size, 5
    network = draw_network(task, kind, d, WIDTH, 0.1, SEEDS)
    shapes = {
        "free": [(d, d)],
        "symmetric": [(d, d)],
        "factorised": [(d, WIDTH), (d, WIDTH)],
        "trained-embeddings": [(m, d), (d, d), (m, d)],
        "tied-embeddings": [(m, d), (d, d)],
    }[kind]
    trainable = [p for p in network.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trainable) == seeds * sum(rows * columns for rows, columns in shapes)
    if isinstance(network, EmbeddingNetwork):
        assert (network.V is network.U) == (kind == "tied-embeddings")
        assert torch.equal(network.U.value(), network.embeddings.value())
        assert torch.equal(network.V.value(), network.embeddings.value())


def test_entries_have_the_stated_spread() -> None:
    """|v_i|^2 averages one and matrices have standard deviation `scale`, within six standard errors."""
    task = reversal_task(10, 1, 60)
    for kind in KINDS:
        network = draw_network(task, kind, 40, 30, 0.02, range(4))
        drawn = {"embeddings": network.embeddings.value(), **parameters_of(network)}
        for name, value in drawn.items():
            variance = 1 / 40 if name in ("embeddings", "U", "V") else 4e-4
            x = value.numpy().ravel()
            assert abs(x.var() / variance - 1) < 6 * np.sqrt(2 / x.size), (kind, name)
            assert abs(x.mean()) < 6 * np.sqrt(variance / x.size), (kind, name)


def test_one_hot_tokens_are_the_identity() -> None:
    """Without a dimension embeddings are the unit vectors, d = m, and the Gram matrix is exactly the identity."""
    task = reversal_task(2, 1)
    network = draw_network(task, "free", None, WIDTH, 0.1, SEEDS)
    assert network.dimension == task.vocabulary_size
    assert torch.equal(network.embeddings.value(), torch.eye(6, dtype=torch.float64).expand(3, 6, 6))
    assert [gram.is_identity for gram in grams_of(network, True)] == [True] * 3
    for gram in grams_of(network, False):
        assert not gram.excess.any()


# -- what is conserved --


@pytest.mark.parametrize(("kind", "size"), [("factorised", WIDTH), ("trained-embeddings", 5), ("tied-embeddings", 5)])
def test_balance_is_the_conserved_matrix(kind: Parameters, size: int) -> None:
    """By the formula of its space; real steps of descent move it by the squares of the steps, and by nothing else."""
    task = reversal_task(2, 1)
    network = draw_network(task, kind, 5, WIDTH, 0.5, SEEDS)
    p = {name: value.numpy() for name, value in parameters_of(network).items()}
    before = balance_of(network)
    assert before is not None
    assert before.shape == (3, 2 if kind == "trained-embeddings" else 1, size, size)
    for s in range(3):
        if kind == "factorised":
            expected = [p["W_O"][s].T @ p["W_O"][s] - p["W_V"][s].T @ p["W_V"][s]]
        elif kind == "tied-embeddings":
            theta = p["theta"][s]
            expected = [p["U"][s].T @ p["U"][s] - theta @ theta.T - theta.T @ theta]
        else:
            theta = p["theta"][s]
            expected = [p["U"][s].T @ p["U"][s] - theta @ theta.T, theta.T @ theta - p["V"][s].T @ p["V"][s]]
        np.testing.assert_allclose(before[s], expected, rtol=0, atol=ROUNDING)
    spaces = [space_of(network, n, gram) for n, gram in enumerate(grams_of(network, False))]
    train(network, task, TrainingSettings("gd", 0.1, 7, "full"), SEEDS, np.array([7]))
    moved = balance_of(network) - before  # type: ignore[operator]
    assert np.abs(moved).max() > 1e-3
    how = DescentSettings("gd", 0.1)
    predicted = [balance_drift(space, "cross-entropy", how, 7) for space in spaces]
    np.testing.assert_allclose(moved, predicted, rtol=0, atol=ROUNDING)


def test_other_networks_and_other_steps_have_no_balance() -> None:
    """A matrix conserves nothing of the kind; momentum, decay and single pairs have a first order, and are refused."""
    task = reversal_task(2, 1)
    network = draw_network(task, "free", 5, WIDTH, 0.5, SEEDS)
    assert balance_of(network) is None
    space = space_of(network, 0, grams_of(network, False)[0])
    with pytest.raises(ValueError, match="FreeSpace conserves no balance"):
        balance_drift(space, "cross-entropy", DescentSettings("gd", 0.1), 1)
    for how in (
        DescentSettings("sgd", 0.1),
        DescentSettings("momentum", 0.1),
        DescentSettings("gd", 0.1, weight_decay=1),
    ):
        with pytest.raises(ValueError, match="plain full-batch descent only"):
            balance_drift(space, "cross-entropy", how, 1)


# -- what is refused --


def test_unknown_spaces_and_foreign_networks_are_refused() -> None:
    """An unknown name, a network that belongs to no space, embeddings of another vocabulary: each says which."""
    task = reversal_task(2, 1)
    with pytest.raises(ValueError, match="unknown parameter space 'low-rank'"):
        draw_network(task, "low-rank", 5, WIDTH, 0.1, SEEDS)  # type: ignore[arg-type]

    class Foreign(EmbeddedNetwork):
        """Embeddings without parameters."""

        def forward(self, contexts: Tensor) -> Tensor:
            return contexts

    embeddings = torch.zeros(1, task.vocabulary_size, 3)
    with pytest.raises(TypeError, match="no parameter space belongs to Foreign"):
        space_of(Foreign(task, embeddings), 0, Gram.identity(task.vocabulary_size))
    with pytest.raises(ValueError, match="embeddings must have shape"):
        SymmetricNetwork(task, torch.zeros(1, task.vocabulary_size + 1, 3), torch.zeros(1, 3, 3))
    with pytest.raises(ValueError, match="theta must have shape"):
        BilinearNetwork(task, embeddings, torch.zeros(1, 3, 4))
    assert isinstance(Foreign(task, embeddings).features, SeedMatrices)

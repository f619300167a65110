"""The torch networks against plain numpy: forward passes, autograd, and what one step does to logits."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from theory.facts import Fact, reversal_task_from_facts
from theory.task import Statement as S
from theory.task import Task, build_task, reversal_task
from validation.networks import (
    BilinearNetwork,
    OneLayerAttention,
    OneLayerTransformer,
    SeedMatrices,
    query_tokens,
)

# Sums of at most a hundred O(1) products in float64: 100 * 2.2e-16, times 50 for three-fold products.
ROUNDING = 1e-12

FACTS = [
    Fact("ann", "parent", "bob"),
    Fact("ann", "parent", "carl", weight=3.0),
    Fact("bob", "parent", "dave", "both"),
    Fact("carl", "friend", "ann", "backward"),
    Fact("dave", "friend", "carl", weight=0.5),
]


def small_tasks() -> list[Task]:
    """Single-target, weighted multi-target, and two-token contexts (one of them a repeated token)."""
    repeated = [S(("a", "r"), "b", "r"), S(("r", "r"), "a", "r", 2.0)]
    return [
        reversal_task(3, vocabulary=10),
        reversal_task_from_facts(FACTS),
        reversal_task_from_facts(FACTS, "entity+relation"),
        build_task("repeated token", repeated, [S(("b", "r"), "a", "r")], vocabulary=6),
    ]


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def bilinear(task: Task, seeds: int = 2, dimension: int = 5) -> BilinearNetwork:
    return BilinearNetwork.gaussian(task, dimension, 0.7, range(seeds))


def attention(task: Task, trainable: set[str], seeds: int = 2, dimension: int = 5) -> OneLayerAttention:
    m, d = task.vocabulary_size, dimension
    weights = [drawn(k, seeds, d, d) for k in (2, 3, 4)]
    return OneLayerAttention(task, drawn(1, seeds, m, d), *weights, trainable)


def every_context(network: torch.nn.Module, task: Task) -> torch.Tensor:
    return torch.arange(len(task.contexts)).expand(network.seeds, -1)


def full_loss(network: torch.nn.Module, task: Task) -> torch.Tensor:
    """sum_k w_k (-log p_k), summed over seeds, written out with torch's log_softmax."""
    log_probability = torch.log_softmax(network(every_context(network, task)), dim=-1)
    picked = log_probability[:, torch.from_numpy(task.train_context), torch.from_numpy(task.train_target)]
    return -(picked @ torch.from_numpy(task.train_weight)).sum()


def residual(task: Task, logits: np.ndarray) -> np.ndarray:
    """F R with R = Bhat - P over the trained contexts, (N, m)."""
    p = softmax(logits[: task.trained_contexts], axis=1)
    return task.context_weight[:, None] * (task.target_distribution.toarray() - p)


def one_layer_logits(task: Task, Y: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Y^T LN(X^T b), b = softmax_t x_{L+1}^T Z x_t, with one-hot vectors, a context at a time."""
    one_hot = np.eye(task.vocabulary_size)
    rows = []
    for context, query in zip(task.contexts, query_tokens(task), strict=True):
        X = one_hot[list(context)]  # (L, m)
        u = X.T @ softmax(X @ Z.T @ one_hot[query])
        rows.append(Y.T @ (u / np.linalg.norm(u)))
    return np.stack(rows)


# -- forward passes --


@pytest.mark.parametrize("task", small_tasks(), ids=lambda task: task.name)
def test_bilinear_logits_are_phi_v_theta_v(task: Task) -> None:
    """The bilinear logits are (phi V) Theta V^T for every seed, whatever the contexts."""
    network = bilinear(task)
    logits = network.context_logits().numpy()
    for s in range(2):
        V, theta = network.embeddings.value()[s].numpy(), network.theta.value()[s].numpy()
        np.testing.assert_allclose(logits[s], task.features.toarray() @ V @ theta @ V.T, atol=ROUNDING)


@pytest.mark.parametrize("task", small_tasks(), ids=lambda task: task.name)
def test_one_layer_logits_are_those_of_the_formula(task: Task) -> None:
    """Y^T LN(X^T softmax(Z)) from one-hot vectors equals the network that never forms them."""
    network = OneLayerTransformer(task, seeds=2)
    m = task.vocabulary_size
    Y, Z = drawn(5, 2, m, m), drawn(6, 2, m, m)
    network.Y, network.Z = SeedMatrices(torch.from_numpy(Y)), SeedMatrices(torch.from_numpy(Z))
    for network.sparse_gradients in (False, True):
        logits = network.context_logits().numpy()
        for s in range(2):
            np.testing.assert_allclose(logits[s], one_layer_logits(task, Y[s], Z[s]), atol=ROUNDING)


@pytest.mark.parametrize("trainable", [{"W_V"}, {"W_V", "W_Q"}, {"U"}])
@pytest.mark.parametrize("task", small_tasks(), ids=lambda task: task.name)
def test_attention_is_the_one_layer_model_with_products_for_y_and_z(task: Task, trainable: set[str]) -> None:
    """With Y = U W_V^T U^T and Z = U W_Q W_K^T U^T / sqrt(d), real weights give the same logits."""
    network = attention(task, trainable)
    logits = network.context_logits().numpy()
    for s in range(2):
        U, W_V, W_Q, W_K = (w.value()[s].numpy() for w in (network.U, network.W_V, network.W_Q, network.W_K))
        Y, Z = U @ W_V.T @ U.T, U @ W_Q @ W_K.T @ U.T / np.sqrt(5)
        # Y reaches 1e2 here, so rounding does too
        np.testing.assert_allclose(logits[s], one_layer_logits(task, Y, Z), atol=100 * ROUNDING)


def test_query_tokens_are_relations() -> None:
    """The query is the relation: of the first statement, of the asked query, or the last token of two."""
    task = reversal_task(2)
    names = [(task.context_name(c), task.tokens[q]) for c, q in enumerate(query_tokens(task))]
    assert names == [("A1", "->"), ("A2", "->"), ("B2", "<-"), ("B1", "<-")]
    two = [S(("a",), "b", "r1"), S(("a",), "c", "r2")]
    task = build_task("two relations", two, [S(("c",), "a", "nowhere")], extra_tokens=["r1", "r2"])
    assert [task.tokens[q] for q in query_tokens(task)] == ["r1", "c"]
    task = reversal_task_from_facts(FACTS, "entity+relation")
    assert [q for q in query_tokens(task)] == [context[1] for context in task.contexts]


# -- autograd --


@pytest.mark.parametrize("task", small_tasks(), ids=lambda task: task.name)
def test_bilinear_gradient_is_minus_va_f_r_v(task: Task) -> None:
    """Autograd of the loss by Theta is -V_A^T F R V, seed by seed (V_A: features of trained contexts)."""
    network = bilinear(task)
    full_loss(network, task).backward()
    gradient = torch.cat([p.grad for p in network.theta.pieces]).view(2, 5, 5).numpy()
    logits = network.context_logits().numpy()
    for s in range(2):
        V = network.embeddings.value()[s].numpy()
        V_A = (task.features @ V)[: task.trained_contexts]
        np.testing.assert_allclose(gradient[s], -V_A.T @ residual(task, logits[s]) @ V, atol=ROUNDING)


@pytest.mark.parametrize("task", small_tasks()[:3], ids=lambda task: task.name)
@pytest.mark.parametrize("model", ["bilinear", "transformer", "attention"])
def test_one_descent_step_moves_logits_by_the_kernels(model: str, task: Task) -> None:
    """One full-batch step changes the logits by lr K_in[:, A] F R K_out exactly, in all three models.

    Bilinear and W_V alone: K_in = phi G phi^T, K_out = G. One layer with fixed attention: phi phi^T and I.
    """
    rate, phi, m = 0.3, task.features.toarray(), task.vocabulary_size
    if model == "bilinear":
        network = bilinear(task)
        grams = [V @ V.T for V in network.embeddings.value().numpy()]
    elif model == "attention":
        network = attention(task, {"W_V"})
        network.fixed_scores = SeedMatrices(torch.zeros_like(network.fixed_scores.value()), trainable=False)
        grams = [U @ U.T for U in network.U.value().numpy()]
    else:
        network = OneLayerTransformer(task, seeds=2, fixed_attention=True)
        grams = [np.eye(m)] * 2
    before = network.context_logits().numpy()
    full_loss(network, task).backward()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter -= rate * parameter.grad
    change = network.context_logits().numpy() - before
    for s, G in enumerate(grams):
        K_in = phi @ G @ phi.T
        expected = rate * K_in[:, : task.trained_contexts] @ residual(task, before[s]) @ G
        scale = max(1.0, np.abs(before[s]).max())  # the difference of two logits of that size
        np.testing.assert_allclose(change[s], expected, atol=100 * ROUNDING * scale)


@pytest.mark.parametrize("seed", range(3))
def test_attention_gradients_are_those_of_finite_differences(seed: int) -> None:
    """Z and Y learn by the gradient of the stated loss: central differences along random directions agree."""
    task = small_tasks()[2]
    m = task.vocabulary_size
    Y, Z = drawn(seed, 1, m, m), drawn(seed + 10, 1, m, m)
    network = OneLayerTransformer(task, seeds=1)
    network.Y, network.Z = SeedMatrices(torch.from_numpy(Y)), SeedMatrices(torch.from_numpy(Z))
    full_loss(network, task).backward()
    dY, dZ = drawn(seed + 20, m, m), drawn(seed + 30, m, m)

    def loss(step: float) -> float:
        logits = one_layer_logits(task, Y[0] + step * dY, Z[0] + step * dZ)
        log_probability = log_softmax(logits, axis=1)[task.train_context, task.train_target]
        return -float(task.train_weight @ log_probability)

    step = 1e-5  # truncation step^2 = 1e-10 times third derivatives, rounding 1e-16 / step = 1e-11
    slope = (loss(step) - loss(-step)) / (2 * step)
    autograd = (network.Y.pieces[0].grad.numpy() * dY).sum() + (network.Z.pieces[0].grad.numpy() * dZ).sum()
    assert np.abs(network.Z.pieces[0].grad.numpy()).max() > 1e-3
    assert autograd == pytest.approx(slope, abs=1e-7)


# -- instances --


def test_an_instance_does_not_depend_on_its_company() -> None:
    """Seed 7 alone and seed 7 among others start from the same bytes, and other seeds from other ones."""
    task = reversal_task(2)
    alone = BilinearNetwork.gaussian(task, 6, 0.1, [7])
    among = BilinearNetwork.gaussian(task, 6, 0.1, [3, 7, 5])
    for name in ("embeddings", "theta"):
        assert torch.equal(getattr(alone, name).value()[0], getattr(among, name).value()[1])
        assert not torch.equal(getattr(among, name).value()[0], getattr(among, name).value()[1])


def test_gaussian_instances_have_the_stated_variances() -> None:
    """|V_i|^2 averages 1 and Theta_0 has variance init_scale^2, within six standard errors."""
    task = reversal_task(20, vocabulary=60)
    network = BilinearNetwork.gaussian(task, 40, 0.01, range(4))
    for values, variance in ((network.embeddings.value(), 1 / 40), (network.theta.value(), 1e-4)):
        x = values.numpy().ravel()
        assert abs(x.var() / variance - 1) < 6 * np.sqrt(2 / x.size)
        assert abs(x.mean()) < 6 * np.sqrt(variance / x.size)


def test_pieces_of_several_sizes_hold_the_same_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cutting five seeds into pieces of two, two and one changes no product, row or gradient."""
    matrices, x = torch.from_numpy(drawn(0, 5, 4, 3)), torch.from_numpy(drawn(1, 5, 2, 4))
    numbers = torch.tensor([[0, 3], [1, 1], [2, 0], [3, 2], [0, 1]])

    def outcome(trainable: bool = True) -> list[torch.Tensor]:
        held = SeedMatrices(matrices, trainable)
        product, rows = held.multiply(x), held.rows(numbers)
        back = held.multiply_transposed(product)
        (product.sum() + (rows**2).sum() + (back**2).sum()).backward()
        gradient = torch.cat([piece.grad for piece in held.pieces])
        return [torch.tensor([len(held.pieces)]), held.value(), product, rows, back, gradient]

    whole = outcome()
    monkeypatch.setattr("validation.networks.PIECE_BYTES", 2 * 8 * 4 * 3)
    cut = outcome()
    assert [whole[0].item(), cut[0].item()] == [1, 3]
    assert torch.equal(cut[1], matrices)
    for one, other in zip(whole[2:], cut[2:], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(
        cut[3].detach().numpy(), [[matrices[s, n].numpy() for n in numbers[s]] for s in range(5)]
    )


def test_wrong_inputs_are_refused_by_name() -> None:
    """Another vocabulary, a Theta of another shape, unknown weights, mixed lengths: each is a ValueError."""
    task = reversal_task(2)
    m = task.vocabulary_size
    with pytest.raises(ValueError, match="embeddings must have shape"):
        BilinearNetwork(task, np.zeros((1, m + 1, 3)), np.zeros((1, 3, 3)))
    with pytest.raises(ValueError, match="theta must have shape"):
        BilinearNetwork(task, np.zeros((2, m, 3)), np.zeros((1, 3, 3)))
    weight = np.zeros((1, 3, 3))
    with pytest.raises(ValueError, match="W_O"):
        OneLayerAttention(task, np.zeros((1, m, 3)), weight, weight, weight, {"W_V", "W_O"})
    with pytest.raises(ValueError, match="W_K must have shape"):
        OneLayerAttention(task, np.zeros((1, m, 3)), weight, weight, np.zeros((1, 2, 3)), {"W_V"})
    mixed = build_task("mixed", [S(("a",), "b", "r"), S(("a", "r"), "b", "r")], [])
    with pytest.raises(ValueError, match=r"one length, got lengths \[1, 2\]"):
        OneLayerTransformer(mixed, seeds=1)

"""Losses in torch against numpy, optimisers against loops by hand, and settings that make no sense."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from numerics.losses import LOSSES, Loss, negative_gradient, one_hot_rows
from numerics.order import visits
from theory.task import Statement as S
from theory.task import Task, build_task, reversal_task
from validation.losses import pair_losses, row_potential
from validation.networks import BilinearNetwork
from validation.optimizers import SignDescent
from validation.training import TrainingSettings, train

SEEDS = [0, 1]
STEPS = 12
ROUNDING = 1e-12  # a dozen steps of sums of order ten


def weighted_task() -> Task:
    """A context with two targets and unequal weights."""
    rows = [("a", "b", 1.0), ("c", "a", 2.0), ("a", "d", 3.0), ("d", "c", 0.5)]
    return build_task("weighted", [S((x,), y, "->", w) for x, y, w in rows], [], vocabulary=7)


# -- losses --


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0])
def test_autograd_of_a_row_is_the_negative_gradient(loss: Loss, scale: float) -> None:
    """d(psi - S_target)/dS equals -R of numerics.losses for one target, from zero logits to large ones."""
    logits = torch.from_numpy(scale * np.random.default_rng(1).normal(size=(5, 6))).requires_grad_()
    target = torch.tensor([0, 3, 5, 3, 1])
    (row_potential(loss, logits) - logits.gather(1, target[:, None])[:, 0]).sum().backward()
    expected = negative_gradient(loss, logits.detach().numpy(), one_hot_rows(target.numpy(), 6))
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), -expected, rtol=0, atol=1e-14 * max(1.0, scale))


@pytest.mark.parametrize("loss", LOSSES)
def test_autograd_of_weighted_pairs_is_f_r(loss: Loss) -> None:
    """The weighted sum over pairs has the gradient -F R, several targets in a row and several seeds included."""
    task = weighted_task()
    m = task.vocabulary_size
    logits = torch.from_numpy(np.random.default_rng(2).normal(size=(2, task.trained_contexts, m))).requires_grad_()
    context, target = torch.from_numpy(task.train_context), torch.from_numpy(task.train_target)
    losses = pair_losses(loss, logits, context * m + target, context)
    assert losses.shape == (2, len(task.train_weight))
    (losses @ torch.from_numpy(task.train_weight)).sum().backward()
    assert logits.grad is not None
    for s in range(2):
        R = negative_gradient(loss, logits.detach().numpy()[s], task.target_distribution)
        np.testing.assert_allclose(logits.grad.numpy()[s], -task.context_weight[:, None] * R, rtol=0, atol=1e-14)


def test_pair_losses_have_their_values() -> None:
    """-log p, half the squared distance less half, and a logistic regression for every token."""
    s = torch.from_numpy(np.random.default_rng(3).normal(size=(1, 1, 4)))
    row = s[0, 0].numpy()
    one = torch.zeros(1, dtype=torch.long)
    found = {loss: float(pair_losses(loss, s, torch.tensor([2]), one)) for loss in LOSSES}
    sign = np.array([-1.0, -1.0, 1.0, -1.0])
    assert found["cross-entropy"] == pytest.approx(float(np.log(np.exp(row).sum()) - row[2]), rel=1e-14)
    assert found["squared"] == pytest.approx(0.5 * float(((row - np.eye(4)[2]) ** 2).sum()) - 0.5, rel=1e-14)
    assert found["one-against-all"] == pytest.approx(float(np.log1p(np.exp(-sign * row)).sum()), rel=1e-14)


def test_softplus_keeps_its_digits_far_out() -> None:
    """From -100 to 100 the potential is log(1 + e^S) to rounding: no cut-off shows."""
    logits = np.linspace(-100.0, 100.0, 401)[:, None]
    found = row_potential("one-against-all", torch.from_numpy(logits)).numpy()
    np.testing.assert_allclose(found, np.logaddexp(0.0, logits[:, 0]), rtol=4 * np.finfo(float).eps)


def test_an_unknown_loss_is_refused() -> None:
    """Torch's side names it too."""
    with pytest.raises(ValueError, match="unknown loss 'hinge'"):
        row_potential("hinge", torch.zeros(1, 3))


# -- optimisers --


def by_hand(task: Task, how: TrainingSettings, seed: int, network: BilinearNetwork) -> Tensor:
    """Theta of one seed after the settings' steps: gradients by autograd of torch's cross-entropy, updates in full."""
    number = SEEDS.index(seed)
    features = torch.from_numpy(task.features.toarray()) @ network.embeddings.value()[number]
    V, theta = network.embeddings.value()[number], network.theta.value()[number]
    velocity = torch.zeros_like(theta)
    context, target = torch.from_numpy(task.train_context), torch.from_numpy(task.train_target)
    weight = torch.from_numpy(task.train_weight)
    beta = how.momentum if how.optimizer == "momentum" else 0.0
    for k in visits(how.order, len(weight), how.steps, seed):
        theta = theta.clone().requires_grad_()
        losses = torch.nn.functional.cross_entropy(features[context] @ theta @ V.T, target, reduction="none")
        loss = losses @ weight if how.batch == "full" else len(weight) * weight[k] * losses[k]
        (gradient,) = torch.autograd.grad(loss, theta)
        theta = theta.detach()
        if how.weight_decay and not how.decoupled:
            gradient = gradient + how.weight_decay * theta
        velocity = beta * velocity + gradient
        moved = velocity.sign() if how.optimizer == "sign" else velocity
        kept = 1 - how.learning_rate * how.weight_decay if how.decoupled else 1.0
        theta = kept * theta - how.learning_rate * moved
    return theta


SPAN_AND_SIGN = [("gd", "full"), ("sgd", "one"), ("momentum", "full"), ("momentum", "one"), ("sign", "full")]
EVERY_DECAY = [
    (optimizer, batch, decay, decoupled)
    for optimizer, batch in SPAN_AND_SIGN
    for decay, decoupled in ((0.0, False), (0.3, False), (0.3, True))
    if (optimizer, decay, decoupled) != ("sign", 0.3, False)  # which is refused
]


@pytest.mark.parametrize(("optimizer", "batch", "decay", "decoupled"), EVERY_DECAY)
def test_training_is_the_update_by_hand(optimizer: str, batch: str, decay: float, decoupled: bool) -> None:
    """A dozen steps end at the same Theta as the update written out, decay coupled or decoupled."""
    task = weighted_task()
    how = TrainingSettings(
        optimizer, 0.2, STEPS, batch, order="reshuffled", momentum=0.8, weight_decay=decay, decoupled=decoupled
    )  # type: ignore[arg-type]
    network = BilinearNetwork.gaussian(task, 4, 0.5, SEEDS)
    expected = [by_hand(task, how, seed, network) for seed in SEEDS]
    train(network, task, how, SEEDS, np.array([STEPS]))
    for found, wanted in zip(network.theta.value(), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=ROUNDING)


def final_theta(how: TrainingSettings) -> Tensor:
    """Theta of both seeds after a run on the weighted task."""
    network = BilinearNetwork.gaussian(weighted_task(), 4, 0.5, SEEDS)
    train(network, weighted_task(), how, SEEDS, np.array([how.steps]))
    return network.theta.value()


def test_adam_with_decoupled_decay_is_adamw() -> None:
    """adamw decays by itself, whatever `decoupled` says, and adam decoupled by hand ends at the same Theta."""
    adamw = TrainingSettings("adamw", 0.1, STEPS, "full", weight_decay=0.3)
    torch.testing.assert_close(final_theta(replace(adamw, decoupled=True)), final_theta(adamw), rtol=0, atol=0)
    by_hand_decayed = final_theta(replace(adamw, optimizer="adam", decoupled=True))
    torch.testing.assert_close(by_hand_decayed, final_theta(adamw), rtol=0, atol=ROUNDING)
    coupled = final_theta(replace(adamw, optimizer="adam"))
    assert (coupled - by_hand_decayed).abs().max() > 1e-2


def test_only_decay_by_hand_shrinks() -> None:
    """The share taken before a step is lr x decay where it is decoupled, zero where torch or the gradient does it."""
    decayed = TrainingSettings("sgd", 0.2, 1, "one", weight_decay=0.5)
    assert decayed.shrinking == 0.0
    assert replace(decayed, decoupled=True).shrinking == pytest.approx(0.1)
    assert replace(decayed, optimizer="adamw", decoupled=True).shrinking == 0.0
    optimizer = replace(decayed, decoupled=True).torch_optimizer([torch.nn.Parameter(torch.zeros(2))])
    assert optimizer.param_groups[0]["weight_decay"] == 0.0


def test_sign_descent_moves_by_the_step_or_not_at_all() -> None:
    """Every entry moves by lr against its gradient's sign; a gradient of zero or none at all moves nothing."""
    moved, still = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0])), torch.nn.Parameter(torch.ones(2))
    moved.grad = torch.tensor([1e-30, -7.0, 0.0])
    SignDescent([moved, still], 0.25).step()
    assert moved.tolist() == [0.75, 2.25, 3.0]
    assert still.tolist() == [1.0, 1.0]


def test_untrained_rows_stay_under_sign_descent_on_one_hot_tokens() -> None:
    """With V = I a row of Theta that no pair trains has no gradient: it keeps its bytes, trained rows do not."""
    task = reversal_task(3, 2)
    m = task.vocabulary_size
    theta = np.random.default_rng(4).normal(size=(1, m, m))
    network = BilinearNetwork(task, np.eye(m)[None], theta)
    train(network, task, TrainingSettings("sign", 0.1, 20, "full"), [0], np.array([20]))
    rows = [task.contexts[a][0] for a in range(task.trained_contexts)]
    others = np.setdiff1d(np.arange(m), rows)
    found = network.theta.value().numpy()[0]
    np.testing.assert_array_equal(found[others], theta[0, others])
    assert (np.abs(found[rows] - theta[0, rows]).max(axis=1) > 0.1).all()


# -- settings --


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"loss": "hinge"}, "loss must be one of cross-entropy, squared, one-against-all, got 'hinge'"),
        ({"optimizer": "lion"}, "optimizer must be one of gd, sgd, momentum, adam, adamw, sign, got 'lion'"),
        ({"optimizer": "sign", "weight_decay": 0.1}, "sign descent takes weight decay only decoupled"),
        ({"optimizer": "gd", "batch": "one"}, "optimizer 'gd' needs batch 'full'"),
        ({"weight_decay": -0.1}, "weight_decay must be finite and not negative, got -0.1"),
    ],
)
def test_settings_without_sense_are_refused(changed: dict[str, object], named: str) -> None:
    """Each impossible setting is named with what was expected."""
    with pytest.raises(ValueError, match=named):
        TrainingSettings(**{"optimizer": "adam", "learning_rate": 0.1, "steps": 5, "batch": "full", **changed})  # type: ignore[arg-type]


def test_every_problem_of_settings_is_named_at_once() -> None:
    """Two impossible settings are two complaints in one error."""
    with pytest.raises(ValueError, match=r"loss must be one of.*; learning_rate must be positive"):
        TrainingSettings("gd", 0.0, 5, "full", loss="hinge")  # type: ignore[arg-type]


def test_sign_descent_may_decay_decoupled() -> None:
    """What the refusal asks for is accepted."""
    assert TrainingSettings("sign", 0.1, 5, "full", weight_decay=0.1, decoupled=True).shrinking == pytest.approx(0.01)

"""Every space against its own parameters: gradients by central differences of the loss, logits written out plainly.

Nothing of a space makes what it is compared with: the parameters are matrices, and the loss is a function of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import logsumexp

from numerics.gram import Gram
from numerics.losses import LOSSES, Loss, negative_gradient
from numerics.parameter_space import (
    EVERY,
    EmbeddingSpace,
    FactorisedSpace,
    FreeSpace,
    ParameterSpace,
    State,
    SymmetricSpace,
    half_logits,
    symmetric_logits,
)
from theory.task import Statement, Task, build_task

DIMENSION, WIDTH = 3, 2
# central differences at 1e-5 of a loss of order ten are right to 1e-9; a logit is a sum of some ten of them
STEP, STEP_ERROR = 1e-5, 1e-7
ROUNDING = 1e-13  # sums of some tens of products of order ten
Parameters = list[np.ndarray]


@dataclass
class Written:
    """A model as matrices: logits as a function of them, its space, and the state of that space at these matrices."""

    task: Task
    parameters: Parameters
    logits: Callable[[Parameters], np.ndarray]
    space: ParameterSpace
    state: State

    def loss(self, loss: Loss, parameters: Parameters) -> float:
        """sum_a f_a loss_a over the trained contexts."""
        s = self.logits(parameters)[: self.task.trained_contexts]
        b = self.task.target_distribution.toarray()
        match loss:
            case "cross-entropy":
                rows = logsumexp(s, axis=1) - (b * s).sum(axis=1)
            case "squared":
                rows = 0.5 * ((s - b) ** 2).sum(axis=1)
            case _:
                rows = (np.logaddexp(0.0, s) - b * s).sum(axis=1)
        return float(self.task.context_weight @ rows)

    def downhill(self, loss: Loss) -> Parameters:
        """Minus the gradient in every entry of every matrix, by central differences."""
        moved = []
        for number, matrix in enumerate(self.parameters):
            down = np.zeros_like(matrix)
            for entry in np.ndindex(matrix.shape):
                values = []
                for sign in (1, -1):
                    shifted = [x.copy() for x in self.parameters]
                    shifted[number][entry] += sign * STEP
                    values.append(self.loss(loss, shifted))
                down[entry] = (values[1] - values[0]) / (2 * STEP)
            moved.append(down)
        return moved


def written(kind: str, task: Task, seed: int) -> Written:
    """A model of one kind at drawn parameters, away from its start."""
    rng = np.random.default_rng(seed)
    m, d = task.vocabulary_size, DIMENSION
    V, phi = rng.normal(size=(m, d)) / np.sqrt(d), task.features.toarray()
    gram, x = Gram.explicit(V), phi @ V
    theta, moved = rng.normal(size=(d, d)), rng.normal(size=(task.trained_contexts, m))
    share, trained = 0.7, x[: task.trained_contexts]
    match kind:
        case "free":
            space: ParameterSpace = FreeSpace(task, gram, x @ theta @ V.T)
            here = [share * theta + trained.T @ moved @ V]
            return Written(task, here, lambda p: x @ p[0] @ V.T, space, (moved, np.array(share)))
        case "symmetric":
            start = (theta + theta.T) / 2
            space = SymmetricSpace(task, gram, x @ start @ V.T)
            P = share * start + trained.T @ moved @ V + V.T @ moved.T @ trained
            # Theta = (P + P^T)/2 of any P with this symmetric part: the skew part is never seen
            P = P + (theta - theta.T)
            return Written(task, [P], lambda p: x @ (p[0] + p[0].T) @ V.T / 2, space, (moved, np.array(share)))
        case "factorised":
            W_O, W_V = rng.normal(size=(d, WIDTH)), rng.normal(size=(d, WIDTH))
            space = FactorisedSpace(task, gram, 0.1 * x @ W_O, 0.1 * V @ W_V)
            return Written(task, [W_O, W_V], lambda p: x @ p[0] @ p[1].T @ V.T, space, (x @ W_O, V @ W_V))
        case "trained-embeddings":
            U = rng.normal(size=(m, d))
            space = EmbeddingSpace(task, V, theta, tied=False)
            return Written(task, [U, theta, V], lambda p: phi @ p[0] @ p[1] @ p[2].T, space, (U, theta, V))
        case _:
            space = EmbeddingSpace(task, 2 * V, theta, tied=True)
            return Written(task, [V, theta], lambda p: phi @ p[0] @ p[1] @ p[0].T, space, (V, theta))


KINDS = ("free", "symmetric", "factorised", "trained-embeddings", "tied-embeddings")


def repeated_task() -> Task:
    """Contexts that share tokens, one of them the same token twice, two targets in one row, unequal weights."""
    statements = [
        Statement(("a", "r"), "b", "r", 1.0),
        Statement(("a", "r"), "c", "r", 0.5),
        Statement(("b", "r"), "a", "r", 2.0),
        Statement(("r", "r"), "c", "r", 1.0),
    ]
    return build_task("repeated", statements, [Statement(("c", "r"), "a", "r")])


@pytest.fixture(params=["one token", "pairs", "repeated"])
def task(request: pytest.FixtureRequest, multi_target_task: Task, pair_context_task: Task) -> Task:
    return {"one token": multi_target_task, "pairs": pair_context_task, "repeated": repeated_task()}[request.param]


def ascent_of(model: Written, loss: Loss) -> np.ndarray:
    """F R at the model's state, (N, m)."""
    trained = model.space.logits(model.state, slice(0, model.task.trained_contexts))
    return model.task.context_weight[:, None] * negative_gradient(loss, trained, model.task.target_distribution)


def shifted(state: State, velocity: State, step: float) -> State:
    return tuple(x + step * v for x, v in zip(state, velocity, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_the_matrices(kind: str, task: Task) -> None:
    """At any state the logits of the space are those of its parameters written out, whole and row by row."""
    model = written(kind, task, 7)
    expected = model.logits(model.parameters)
    np.testing.assert_allclose(model.space.logits(model.state), expected, rtol=0, atol=ROUNDING * 10)
    rows = np.array([1, 0])
    np.testing.assert_allclose(model.space.logits(model.state, rows), expected[rows], rtol=0, atol=ROUNDING * 10)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_velocity_is_minus_the_gradient(kind: str, loss: Loss, task: Task) -> None:
    """Along the velocity of the state every logit moves as along minus the gradient of the loss in the parameters."""
    model = written(kind, task, 8)
    down = model.downhill(loss)
    velocity = model.space.velocity(model.state, ascent_of(model, loss), EVERY)
    assert [v.shape for v in velocity] == [x.shape for x in model.space.start]

    def slope(logits: Callable[[float], np.ndarray]) -> np.ndarray:
        return (logits(STEP) - logits(-STEP)) / (2 * STEP)

    expected = slope(lambda h: model.logits([p + h * g for p, g in zip(model.parameters, down, strict=True)]))
    found = slope(lambda h: model.space.logits(shifted(model.state, velocity, h)))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=STEP_ERROR * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_sees_some_rows_moves_for_them_alone(kind: str, task: Task) -> None:
    """The velocity of one row, or of two in another order, is that of an ascent which is zero on all other rows."""
    model = written(kind, task, 9)
    ascent = ascent_of(model, "cross-entropy")
    for rows in (np.array([1]), np.array([2, 0])):
        alone = np.zeros_like(ascent)
        alone[rows] = ascent[rows]
        expected = model.space.velocity(model.state, alone, EVERY)
        for came, wanted in zip(model.space.velocity(model.state, ascent[rows], rows), expected, strict=True):
            np.testing.assert_allclose(came, wanted, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("kind", KINDS)
def test_change_is_the_difference_of_logits(kind: str, task: Task) -> None:
    """change() equals S - S(0), and is zero at the start."""
    model = written(kind, task, 10)
    space = model.space
    expected = space.logits(model.state) - space.logits(space.start)
    np.testing.assert_allclose(space.change(model.state), expected, rtol=0, atol=ROUNDING * 10)
    assert not space.change(space.start).any()


@pytest.mark.parametrize("kind", ["free", "symmetric"])
def test_change_keeps_its_digits_when_it_is_small(kind: str, task: Task) -> None:
    """A change of 1e-14 beside logits of order one keeps twelve digits; the difference of logits has lost them all."""
    model = written(kind, task, 11)
    moved, _ = model.state
    whole = model.space.change((moved, np.ones(())))
    small = model.space.change((1e-14 * moved, np.ones(())))
    # sums of products of either sign: rounding is relative to the largest
    np.testing.assert_allclose(small, 1e-14 * whole, rtol=0, atol=1e-14 * 1e-12 * np.abs(whole).max())
    lost = model.space.logits((1e-14 * moved, np.ones(()))) - model.space.initial_logits  # type: ignore[attr-defined]
    assert np.abs(lost - small).max() > 1e-3 * np.abs(small).max()


# -- what is drawn --

DRAWS = 4000


def grams() -> list[Gram]:
    """Explicit embeddings with d < m, Bartlett's decomposition, and the identity."""
    rng = np.random.default_rng(12)
    explicit = Gram.explicit(rng.normal(size=(5, 3)) / np.sqrt(3))
    return [explicit, Gram.draw(5, 6.5, rng), Gram.identity(5)]


def whole(gram: Gram) -> np.ndarray:
    """G, (m, m)."""
    return np.eye(gram.vocabulary_size) + gram.excess


def assert_covariance(draws: np.ndarray, expected: np.ndarray) -> None:
    """The second moments of draws (n, k) of mean zero are `expected` (k, k), within six standard errors each.

    The product of two normal variables of covariance c and variances a, b has variance a b + c^2.
    """
    found = draws.T @ draws / len(draws)
    variance = np.diag(expected)
    error = np.sqrt((np.outer(variance, variance) + expected**2) / len(draws))
    assert (np.abs(found - expected) <= 6 * error + 1e-12).all(), (found, expected)


@pytest.mark.parametrize("gram", grams(), ids=["explicit", "bartlett", "identity"])
def test_half_logits_have_the_covariance_of_the_embeddings(gram: Gram) -> None:
    """Columns of V W, W of entries N(0, scale^2), are independent draws of covariance scale^2 G given G."""
    drawn = half_logits(gram, DRAWS, 0.3, np.random.default_rng(13))
    assert drawn.shape == (5, DRAWS)
    assert_covariance(drawn.T, 0.09 * whole(gram))


@pytest.mark.parametrize("gram", grams(), ids=["explicit", "bartlett", "identity"])
def test_factors_are_drawn_apart(gram: Gram) -> None:
    """A(0) = Phi V W_O and B(0) = V W_V: covariances scale^2 Phi G Phi^T and scale^2 G, none between them."""
    statements = [Statement(("a", "r"), "b", "r"), Statement(("r", "r"), "c", "r")]
    task = build_task("pairs", statements, [], vocabulary=5)
    space = FactorisedSpace.draw(task, gram, DRAWS, 2.0, np.random.default_rng(14))
    contexts, tokens = space.start
    phi = np.vstack([task.features.toarray(), np.zeros((5, 5))])  # (contexts + m, m)
    phi_tokens = np.vstack([np.zeros((len(task.contexts), 5)), np.eye(5)])
    expected = 4.0 * (phi @ whole(gram) @ phi.T + phi_tokens @ whole(gram) @ phi_tokens.T)
    assert_covariance(np.hstack([contexts.T, tokens.T]), expected)


@pytest.mark.parametrize("gram", grams(), ids=["explicit", "bartlett", "identity"])
def test_symmetric_starts_are_symmetric_with_the_right_spread(gram: Gram) -> None:
    """V Theta V^T, Theta = (P + P^T)/2, is symmetric, and S_ij, S_kl covary by scale^2 (G_ik G_jl + G_il G_jk) / 2."""
    task = build_task("all", [Statement((name,), "a", "a") for name in "abcde"], [])
    rng = np.random.default_rng(15)
    drawn = np.array([symmetric_logits(task, gram, 0.5, rng) for _ in range(DRAWS)])
    np.testing.assert_array_equal(drawn, drawn.transpose(0, 2, 1))
    G = whole(gram)
    expected = (np.einsum("ik,jl->ijkl", G, G) + np.einsum("il,jk->ijkl", G, G)) / 2
    assert_covariance(drawn.reshape(DRAWS, 25), 0.25 * expected.reshape(25, 25))

"""The response of trained coordinates to an asked embedding: against whole runs at moved embeddings, and in the mean.

The exact references train the bilinear model again after every change of v_q, with nothing left out.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from numerics.asked_response import mean_response
from numerics.descent import DescentSettings
from numerics.gram import Gram
from numerics.losses import LOSSES, Loss
from numerics.parameter_space import FreeSpace, State
from numerics.space_descent import last_state
from numerics.squared_loss import squared_loss_states
from theory.opposites import Asked, asked_of
from theory.task import Statement, Task, build_task, reversal_task

SIGMAS = 5.0  # two-sided 6e-7 a comparison
Run = Callable[[FreeSpace], State]


def one_pair(tokens: int) -> tuple[Task, Asked]:
    """x -> q among so many tokens, and the question that q asks."""
    unused = (f"unused{i}" for i in range(tokens - 3))
    task = build_task("one", [Statement(("x",), "q", "r")], [Statement(("q",), "x", "r")], extra_tokens=unused)
    assert task.vocabulary_size == tokens
    (asked,) = asked_of(task)
    return task, asked


def drawn(task: Task, dimension: int, seed: int, scale: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (m, d) and Theta(0) (d, d)."""
    rng = np.random.default_rng([seed, dimension])
    embeddings = rng.normal(size=(task.vocabulary_size, dimension)) / np.sqrt(dimension)
    return embeddings, scale * rng.normal(size=(dimension, dimension))


def space_of(task: Task, embeddings: np.ndarray, theta: np.ndarray) -> FreeSpace:
    gram = Gram.explicit(embeddings)
    return FreeSpace(task, gram, gram.logits_of(task.features, theta))


def descent(loss: Loss, **more: object) -> Run:
    """Full batches with t / N = 20, unless `more` says otherwise."""
    settings = DescentSettings(**{"optimizer": "gd", "learning_rate": 0.3, **more})  # type: ignore[arg-type]
    return partial(last_state, loss=loss, settings=settings, steps=round(20.0 / settings.learning_rate))


RUNS = {
    **{loss: descent(loss) for loss in LOSSES},
    "weight decay": descent("cross-entropy", weight_decay=0.01, decoupled=True),
    "momentum": descent("cross-entropy", optimizer="momentum", learning_rate=0.1, momentum=0.5),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_the_response_of_one_row_is_that_of_whole_runs(run: Run) -> None:
    """With one trained row the response is the derivative of its change along v_x / |v_x|^2, from runs at moved v_q.

    Theta(0) is not zero, so that its part in the logit of q is seen.
    """
    task, asked = one_pair(6)
    embeddings, theta = drawn(task, 40, seed=1, scale=0.2)
    (q,), (x,) = task.contexts[asked.context], asked.answers
    space, step = space_of(task, embeddings, theta), 1e-5

    def coordinates(sign: float) -> np.ndarray:
        moved = embeddings.copy()
        moved[q] += sign * step * embeddings[x] / (embeddings[x] @ embeddings[x])
        return run(space_of(task, moved, theta))[0]

    derivative = (coordinates(1.0) - coordinates(-1.0)) / (2.0 * step)
    expected = space.K_in[:1] @ derivative @ space.K_out / 40
    found = mean_response(space, [asked], run(space)[0], run)
    assert np.abs(found).max() > 1e-3
    # both quotients err by a step times a second derivative, 1e-6 and 1e-10 relative, and by rounding over the step
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_questions_share_the_response_of_a_row() -> None:
    """Where rows do not feel each other the mean of the response over questions is that of what each has alone."""
    task = reversal_task(4, 3)
    gram = Gram.draw(task.vocabulary_size, 1e12, np.random.default_rng(2))  # couplings of 1e-6
    space = FreeSpace(task, gram, np.zeros((len(task.contexts), task.vocabulary_size)))
    run, asked = descent("cross-entropy"), asked_of(task)
    coordinates = run(space)[0]
    together = mean_response(space, asked, coordinates, run)
    alone = np.concatenate([mean_response(space, [q], coordinates, run) for q in asked])
    assert together.shape == alone.shape == (3, task.vocabulary_size)
    # linear in the move, which is a millionth, and in couplings
    np.testing.assert_allclose(together.mean(axis=0), alone.mean(axis=0), rtol=0, atol=1e-5 * np.abs(alone).max())


@pytest.mark.parametrize("tokens", [3, 5, 10])
def test_the_mean_of_exact_runs_is_that_by_parts_and_not_that_at_fixed_coordinates(tokens: int) -> None:
    """One pair x -> q from zero, d = 400: E d (S_qx(t) - S_qx(0)) is E C_xq G_xx with the response, and not without.

    Runs at v_q and at -v_q are averaged, and c (d (v_q^T v_x)^2 - G_xx), of mean zero, is taken off: what is left
    errs by a few per cent. Null hypothesis: the law's mean, within five standard errors.
    """
    task, asked = one_pair(tokens)
    (q,), (x,), run, draws, d = task.contexts[asked.context], asked.answers, descent("cross-entropy"), 100, 400
    moved, at_fixed, responses, control = (np.empty(draws) for _ in range(4))
    for seed in range(draws):
        embeddings, theta = drawn(task, d, seed)
        at = []
        for sign in (1.0, -1.0):
            turned = embeddings.copy()
            turned[q] *= sign
            space = space_of(task, turned, theta)
            state = run(space)
            at.append(space.change(state)[asked.context, x])
        length = float(space.K_out[x, x])
        moved[seed] = d * np.mean(at)
        at_fixed[seed] = state[0][0, q] * length
        responses[seed] = d * mean_response(space, [asked], state[0], run)[0, x]
        control[seed] = d * float(embeddings[q] @ embeddings[x]) ** 2 - length
    by_parts = at_fixed + responses
    left = moved - by_parts - by_parts.mean() * control

    def error(values: np.ndarray) -> float:
        return float(values.mean() / (values.std(ddof=1) / np.sqrt(draws)))

    assert abs(error(left)) < SIGMAS, error(left)
    assert error(left + responses) < -SIGMAS, error(left + responses)


def test_the_squared_loss_undoes_the_mean_at_fixed_coordinates() -> None:
    """At t -> infinity under the squared loss the asked logit has not moved, where fixed C says 1/d of its mean.

    By the interpolation law S_q(t) - S_q(0) = w_q^T (Bhat - S_A(0)), and x was never a target.
    """
    task, asked = one_pair(5)
    (q,), (x,), d = task.contexts[asked.context], asked.answers, 400
    space = space_of(task, *drawn(task, d, seed=3))

    def run(of: FreeSpace) -> State:
        return next(squared_loss_states(of, np.array([1e3])))

    coordinates = run(space)[0]
    fixed = float(coordinates[0, q] * space.K_out[x, x]) / d
    assert fixed > 0.5 / d
    assert abs(space.change((coordinates, np.ones(())))[asked.context, x]) < 1e-12

    def slowly(of: FreeSpace) -> State:  # the closed form knows G alone; steps see the moved row
        return descent("squared", learning_rate=0.5)(of)

    response = mean_response(space, [asked], slowly(space)[0], slowly)[0, x]
    # e^-20 of the way is left at t = 20
    assert fixed + response == pytest.approx(0.0, abs=1e-4 / d)


def test_orthonormal_embeddings_have_no_response() -> None:
    """Embeddings that are not drawn are refused: there is no mean over them."""
    task, asked = one_pair(5)
    gram = Gram.identity(5)
    space = FreeSpace(task, gram, np.zeros((len(task.contexts), 5)))
    with pytest.raises(ValueError, match="orthonormal embeddings are not drawn"):
        mean_response(space, [asked], space.start[0], descent("squared"))

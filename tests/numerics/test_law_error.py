"""How far the closed form is from the flow: its bound against both, and the constants of the bound at their edge."""

import numpy as np
import pytest

from numerics.decoupled import decoupled_rows
from numerics.flow import logits_along
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.law_error import largest_stretch, loss_slope, reading_error
from numerics.trajectory import Trajectory
from theory.task import Statement, build_task, reversal_task


@pytest.mark.parametrize("dimension", [1e4, 1e8])
@pytest.mark.parametrize("scale", [0.0, 0.1])
def test_the_reading_error_bounds_the_distance_from_the_flow(dimension: float, scale: float) -> None:
    """|S_A of the decoupled rows - S_A of the flow|_F is below its bound, by less than a factor of thirty."""
    task = reversal_task(3, vocabulary=9)
    rng = np.random.default_rng(1)
    gram = Gram.draw(9, dimension, rng)
    start = gram.initial_logits(task.features, scale, rng)
    time, trained = np.array([1.0, 30.0, 300.0]), task.trained_contexts
    flow = logits_along(task, gram, start, time, 1e-12)[:, :trained]
    kernels = Kernels(task, gram)
    read = [start[:trained] + kernels.trained_logit_change(c) for c in decoupled_rows(task, start, time, 1e-12)]
    distance = np.array([np.linalg.norm(r - f) for r, f in zip(read, flow, strict=True)])
    bound = reading_error(task, gram, start, time)
    assert (distance <= bound).all()
    assert (bound < 30 * distance).all()


def test_the_largest_stretch_is_reached() -> None:
    """An error of Theta along the steepest directions moves all trained rows by the stretch, none by more."""
    task = reversal_task(3, vocabulary=9)
    rng = np.random.default_rng(2)
    tokens = rng.normal(size=(9, 12)) / np.sqrt(12)
    stretch = largest_stretch(Kernels(task, Gram.explicit(tokens)))
    trained = task.features[: task.trained_contexts] @ tokens
    left, right = np.linalg.svd(trained)[2][0], np.linalg.svd(tokens)[2][0]
    assert np.linalg.norm(trained @ np.outer(left, right) @ tokens.T) == pytest.approx(stretch, rel=1e-9)
    for _ in range(50):
        error = rng.normal(size=(12, 12))
        assert np.linalg.norm(trained @ error @ tokens.T) <= stretch * np.linalg.norm(error)


def test_the_slope_of_the_loss_is_reached_by_two_tokens() -> None:
    """|F R|_F is at most the slope, and equals it where one other token holds all the rest of every row."""
    task = build_task("two", [Statement(("a",), "b", "r"), Statement(("b",), "a", "r")], [], vocabulary=6)
    rng = np.random.default_rng(3)
    for spread in (0.0, 60.0):
        logits = rng.normal(size=(2, 6))
        rows, target = np.arange(2), task.train_target
        logits[rows, (target + 1) % 6] += spread
        logits[rows, target] += spread
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        gradient = 0.5 * (p - np.eye(6)[target])
        one = Trajectory(
            source="flow",
            model="transformer",
            dimension=None,
            time=np.zeros(1),
            loss=np.ones(1),
            reversal_loss=np.full(1, np.nan),
            train_log_probability=np.log(p[rows, target])[None],
            query_log_probability=np.empty((1, 0)),
            trained_logit_change=np.zeros((1, 2)),
            query_logit_change=np.empty((1, 0)),
        )
        slope = float(loss_slope(task, one)[0])
        assert np.linalg.norm(gradient) <= slope * (1 + 1e-12)
        if spread:
            assert np.linalg.norm(gradient) == pytest.approx(slope, rel=1e-9)

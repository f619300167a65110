"""Real runs of few steps: pairs that no step visited promise nothing, and momentum is set beside its own flow."""

import numpy as np
import pytest

from theory.claim import Claim
from theory.task import chain_of_thought_task, reversal_task
from validation.compare import check_flow_distance
from validation.cost import training_settings
from validation.instances import bilinear_instances, transformer_instances
from validation.real_runs import RealRun, final_logits, halved, run
from validation.run_claims import claims_of
from validation.settings import VerifySettings
from validation.training import TrainingSettings


def claim(real: RealRun, id: str) -> Claim:
    return next(c for c in claims_of(real) if c.id.startswith(id))


def never_drawn() -> RealRun:
    """One of five pairs is drawn at none of 13 steps with replacement: verify's own settings of that run."""
    task = reversal_task(3, vocabulary=10)
    settings = VerifySettings(
        model="transformer", pairs=3, vocabulary=10, order="replacement", learning_rate=4.0, seeds=1, seed=4
    )
    return run(transformer_instances(task, [4]), training_settings(task, settings.resolve(task)))


def test_a_pair_that_was_never_drawn_promises_nothing() -> None:
    """Growth is claimed of the pairs that a step visited; how many were not is said."""
    found = claim(never_drawn(), "forward-grows")
    assert found.verdict == "holds"
    assert "1 of them never visited" in found.detail


def test_a_run_that_visits_too_little_does_not_apply() -> None:
    """Where no pair had a flow time of one over its share, growth is not applicable, and the reason says so."""
    settings = TrainingSettings("sgd", 0.2, 4, "one", "replacement")
    found = claim(run(transformer_instances(reversal_task(3, vocabulary=10), [1]), settings), "forward-grows")
    assert found.verdict == "not applicable"
    assert "was visited" in found.detail


@pytest.mark.parametrize("order", ["cyclic", "reshuffled", "replacement"])
def test_visited_time_counts_each_pairs_own_visits(order: str) -> None:
    """In token space without momentum a pair's row has moved exactly where its visited time is not zero."""
    task = reversal_task(4, vocabulary=12)
    real = run(transformer_instances(task, [0, 1, 2]), TrainingSettings("sgd", 0.5, 6, "one", order))  # type: ignore[arg-type]
    moved = np.array([t.trained_logit_change[-1] for t in real.training.trajectories]) != 0
    np.testing.assert_array_equal(real.visited_time() > 0, moved)
    np.testing.assert_allclose(real.visited_time().sum(axis=1), 0.5 * 6)  # K w_k = 1 for equal weights


def test_visited_time_of_momentum_is_what_has_come_through() -> None:
    """After k steps of a full batch the heavy ball has moved h (k - b (1 - b^k) / (1 - b)) of a constant gradient."""
    task, b, k = reversal_task(2, vocabulary=6), 0.9, 5
    real = run(transformer_instances(task, [0]), TrainingSettings("momentum", 1e-6, k, "full", momentum=b))
    h = 1e-6 / (1 - b)
    np.testing.assert_allclose(real.visited_time(), h * (k - b * (1 - b**k) / (1 - b)) / 3)  # f = 1/3 each
    # the residual of a row at zero is 1 - 1/m on its target, and logits less row mean gain that
    gain = real.training.trajectories[0].trained_logit_change[-1]
    np.testing.assert_allclose(gain, real.visited_time()[0] * (1 - 1 / 6), rtol=1e-4)


def unsettled() -> RealRun:
    """Five steps of momentum on chains, less than a relaxation time of ten."""
    task = chain_of_thought_task(3, 12)
    settings = VerifySettings(
        task="chain-of-thought",
        pairs=3,
        vocabulary=12,
        optimizer="momentum",
        order="cyclic",
        init_scale=0.5,
        train_dimension=24,
        training_time=5.0,
        seeds=2,
        seed=391874,
    )
    steps = training_settings(task, settings.resolve(task))
    return run(bilinear_instances(task, 24, 0.5, settings.seed_numbers), steps)


def test_momentum_that_has_not_settled_does_not_fail_the_flow() -> None:
    """After five cyclic steps, less than an epoch, there is no order in the step size to speak of, and it says so."""
    found = claim(unsettled(), "training-follows-flow")
    assert found.verdict == "not applicable"
    assert "the flow of momentum" in found.detail


@pytest.mark.parametrize("steps", [5, 8, 20, 60])
def test_momentum_follows_its_own_flow_from_the_first_steps(steps: int) -> None:
    """Full batches follow the flow of momentum within the bound after any number of steps; in the first few the
    gradient flow lies beyond that bound.
    """
    task = chain_of_thought_task(2, 8)
    instances = bilinear_instances(task, 64, 0.1, [0])
    real = run(instances, TrainingSettings("momentum", 0.02, steps, "full"))
    found = claim(real, "training-follows-flow")
    assert found.verdict == "holds", found
    assert real.flow is not None
    if steps <= 8:
        assert found.bound is not None
        assert np.abs(real.training.final_logits - final_logits(real.flow)).max() > 2 * found.bound


def test_halved_momentum_keeps_the_time_of_the_run() -> None:
    """Twice the steps, half the time each; other optimisers halve their learning rate."""
    for settings in (TrainingSettings("momentum", 0.1, 7, "one"), TrainingSettings("sgd", 0.1, 7, "one")):
        half = halved(settings)
        assert half.steps == 14
        assert half.time_per_step == pytest.approx(settings.time_per_step / 2)


def test_a_flow_out_of_the_bound_fails() -> None:
    """The checker refuses a distance beyond the one that the halved step allows."""
    assert check_flow_distance(0.3, 0.1, 1e-12, "bilinear", "").verdict == "fails"
    assert check_flow_distance(0.2, 0.1, 1e-12, "bilinear", "").verdict == "holds"

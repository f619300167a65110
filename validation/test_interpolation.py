"""The interpolation law in real training, for any task, dimension, optimiser of the span, order, step and scale."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from numerics.descent import initial_share
from theory.task import Task, reversal_task
from validation.compare import (
    check_interpolation,
    check_interpolation_broken,
    interpolation_residual,
    interpolation_text,
)
from validation.instances import Instances, bilinear_instances
from validation.optimizer_law import law_residual, optimizers
from validation.real_runs import descent_settings, recorded_steps
from validation.strategies import descents, dimensions, initial_scales, seeds, tasks
from validation.training import TrainingSettings, train


@given(data=st.data(), task=tasks, scale=initial_scales, settings=descents(weight_decay=True), seed=seeds)
def test_law_holds_to_rounding(
    data: st.DataObject, task: Task, scale: float, settings: TrainingSettings, seed: int
) -> None:
    """S_q(k) - w_q^T S_A(k) = rho_k (S_q(0) - w_q^T S_A(0)) at every recorded step, singular Gram matrices included."""
    assume(len(task.contexts) > task.trained_contexts)
    dimension = data.draw(dimensions(task))
    residual, tolerance = law_residual(bilinear_instances(task, dimension, scale, [seed]), settings)
    claim = check_interpolation(interpolation_text(settings.optimizer, "bilinear"), residual, tolerance)
    assert claim.verdict == "holds", claim


@given(pairs=st.integers(2, 5), seed=seeds, step=st.floats(0.005, 0.05))
def test_adam_breaks_the_law(pairs: int, seed: int, step: float) -> None:
    """Adam's steps leave the span of gradients: the residual exceeds a million times rounding."""
    task = reversal_task(pairs, vocabulary=2 * pairs + 4)
    instances = bilinear_instances(task, 4 * task.vocabulary_size, 0.01, [seed])
    residual, tolerance = law_residual(instances, TrainingSettings("adam", step, 60, "full"))
    assert check_interpolation_broken("adam", residual, tolerance, "bilinear").verdict == "holds"
    assert check_interpolation(interpolation_text("adam", "bilinear"), residual, tolerance).verdict == "fails"


@given(seed=seeds, decay=st.floats(0.01, 0.3))
def test_plain_power_is_wrong_under_momentum(seed: int, decay: float) -> None:
    """Under momentum the share of S(0) left by weight decay is the two-term recursion, not (1 - lr decay)^k."""
    task = reversal_task(3, vocabulary=10)
    settings = TrainingSettings("momentum", 0.1, 40, "one", "cyclic", weight_decay=decay)
    instances: Instances = bilinear_instances(task, 64, 0.3, [seed])
    record = recorded_steps(settings.steps, 5)
    run = train(instances.network, task, settings, [seed], record, keep_logits=True)
    assert run.logits_recorded is not None
    kernels, logits = instances.kernels()[0], run.logits_recorded[:, 0]
    recursion = initial_share(descent_settings(settings, seed), settings.steps)[record]
    power = (1 - settings.learning_rate * decay) ** record
    right = interpolation_residual(kernels, run.initial_logits[0], logits, recursion)
    wrong = interpolation_residual(kernels, run.initial_logits[0], logits, power)
    assert right < 1e-10 * wrong
    assert not np.allclose(recursion, power)


def test_shipped_optimizers_cover_decay_and_momentum() -> None:
    """The optimisers that verify tries include plain, momentum, weight decay and Adam."""
    tried = optimizers(reversal_task(3)).values()
    assert {s.optimizer for s in tried} == {"gd", "sgd", "momentum", "adam"}
    assert sum(s.weight_decay > 0 for s in tried) == 2

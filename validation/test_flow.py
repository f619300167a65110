"""Closed form, integrated flow, recursion and real training of one instance, side by side on one grid of times."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from numerics.decoupled import closed_form, decoupled_flow
from numerics.flow import integrate_flow
from numerics.gram import Gram
from theory.task import Task, reversal_task
from validation.instances import Instances, attention_instances, bilinear_instances, transformer_instances
from validation.prediction import predict_bilinear, predict_transformer
from validation.real_runs import run
from validation.run_claims import claims_of
from validation.settings import VerifySettings
from validation.sgd_rows import sgd_row_claims
from validation.step_order import SCHEDULES, STEPS, distances, step_order_claims
from validation.strategies import descents, dimensions, fact_tasks, initial_scales, reversal_tasks, seeds, tasks
from validation.training import TrainingSettings


def make_instances(model: str, task: Task, dimension: int, scale: float, seed: int) -> Instances:
    if model == "bilinear":
        return bilinear_instances(task, dimension, scale, [seed])
    return (
        transformer_instances(task, [seed]) if model == "transformer" else attention_instances(task, dimension, [seed])
    )


@given(
    data=st.data(),
    model=st.sampled_from(["bilinear", "transformer", "attention"]),
    task=tasks,
    scale=initial_scales,
    settings=descents(),
    seed=seeds,
)
def test_training_equals_the_recursion(
    data: st.DataObject, model: str, task: Task, scale: float, settings: TrainingSettings, seed: int
) -> None:
    """torch training and the recursion in logit space agree to rounding, for any model, task, optimiser and order.

    Steps stay where descent does not expand (for momentum, its effective step): above, rounding grows without bound.
    """
    assume(len({len(context) for context in task.contexts}) == 1)
    instances = make_instances(model, task, data.draw(dimensions(task)), scale, seed)
    limit = min(k.nonexpansive_step(settings.batch == "full") for k in instances.kernels())
    # not beyond the limit, by a hair: the product that follows may round up
    step = min(settings.learning_rate, 0.999 * limit * settings.learning_rate / settings.time_per_step)
    real = run(instances, replace(settings, learning_rate=step))
    claim = next(c for c in claims_of(real) if c.id.startswith("training-is-descent"))
    assert claim.verdict == "holds", claim


@given(task=reversal_tasks(), seed=seeds, scale=initial_scales)
def test_flow_lowers_the_loss_and_is_bounded_below_by_entropy(task: Task, seed: int, scale: float) -> None:
    """Along the flow the training loss only falls, and never below the conditional entropy."""
    rng = np.random.default_rng(seed)
    gram = Gram.draw(task.vocabulary_size, 4.0 * task.vocabulary_size, rng)
    start = gram.initial_logits(task.features, scale, rng)
    flow = integrate_flow(task, gram, start, np.array([0.0, 1.0, 10.0, 1e3, 1e6]))
    assert (np.diff(flow.loss) < 0).all()
    assert (flow.loss > task.loss_floor).all()


@given(task=fact_tasks())
def test_closed_form_equals_decoupled_flow(task: Task) -> None:
    """At G = I the Wright-omega closed form and integration agree within the integration's own error bound."""
    assume(task.one_token_contexts)
    time = np.array([0.0, 0.1, 1.0, 30.0, 1e3, 1e6])
    exact, flow = closed_form(task, time), decoupled_flow(task, time)
    assert flow.error_bound is not None
    error = flow.error_bound.parameters + (0 if exact.error_bound is None else exact.error_bound.parameters)
    # log p of one row moves by at most twice the error of its logits; 1e-13: rounding of a loss of order one
    assert (np.abs(flow.loss - exact.loss) <= 2 * error + 1e-13).all()


@given(
    pairs=st.integers(1, 6), unused=st.integers(0, 20), dimension=st.sampled_from([1e3, 1e8, 1e14, 1e30]), seed=seeds
)
def test_predictions_agree_at_any_dimension(pairs: int, unused: int, dimension: float, seed: int) -> None:
    """Closed form and flow agree within their bound from d = 1e8 to 1e30, and are never called apart below."""
    settings = VerifySettings(
        pairs=pairs, vocabulary=2 * pairs + 2 + unused, dimension=dimension, seed=seed, time=1e4, init_scale=0.0
    )
    task = reversal_task(pairs, vocabulary=settings.vocabulary)
    for predict in (predict_bilinear, predict_transformer):
        _, claims = predict(task, settings)
        allowed = ("holds", "not applicable") if dimension < 1e8 and predict is predict_bilinear else ("holds",)
        assert [c.verdict in allowed for c in claims] == [True], claims


def test_flow_equals_closed_form_at_1e14() -> None:
    """10 pairs, 100 tokens, d = 1e14, zero start: relative difference of the loss below 1e-5 at every time to 1e6."""
    settings = VerifySettings(vocabulary=100, dimension=1e14, time=1e6, init_scale=0.0)
    (law, flow), _ = predict_bilinear(reversal_task(10, vocabulary=100), settings)
    assert np.abs(law.mean.loss / flow.mean.loss - 1).max() < 1e-5
    assert flow.mean.time[-1] == 1e6
    assert len(flow.mean.time) == 61


@given(task=reversal_tasks(), seed=seeds, step=st.floats(0.05, 20.0))
def test_sgd_rows_obey_recursion_and_sandwich(task: Task, seed: int, step: float) -> None:
    """Rows of Y under real SGD follow their recursion and stay in [0, eta/M] above the flow, at any step size."""
    claims = sgd_row_claims(task, range(seed, seed + 1), step)
    assert {c.verdict for c in claims} == {"holds"}, claims
    assert any(c.id == "sgd-sandwich-in-training" for c in claims)


def test_distance_to_the_flow_has_the_expected_order() -> None:
    """Order one for full batch, cyclic and reshuffled visits and momentum, one half with replacement; extrapolated to
    step size zero the smooth ones are the flow.
    """
    claims, orders = step_order_claims(reversal_task(4, vocabulary=12), seed=0)
    assert {c.verdict for c in claims} == {"holds"}, [c.detail for c in claims]
    assert len(claims) == len(SCHEDULES) + 3  # three of them are extrapolated
    assert [(o.schedule, o.expected) for o in orders] == [(s.name, s.expected) for s in SCHEDULES]
    assert all(abs(o.order - s.expected) < s.window for o, s in zip(orders, SCHEDULES, strict=True))


@pytest.mark.slow
@given(pairs=st.integers(2, 5), seed=seeds)
def test_order_one_for_drawn_tasks(pairs: int, seed: int) -> None:
    """The order in the step size is that of the schedule for any small task and seed."""
    task = reversal_task(pairs, vocabulary=2 * pairs + 3)
    for schedule in SCHEDULES[:4]:
        slope = np.polyfit(np.log(STEPS), np.log(distances(task, schedule, seed)), 1)[0]
        assert abs(slope - schedule.expected) < schedule.window, (schedule.name, slope)

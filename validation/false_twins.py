"""False statements about real runs, near the true ones, each with the small instance that violates it.

Every twin goes through the same checker as the claim beside it, fed with what the false statement says; the checker
must answer `fails` (`theory.twin`). The stored witness is the instance: task, sizes, step size and seed.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from numerics.decoupled import closed_form, decoupled_flow, logit_gap
from numerics.descent import descend, row_recursion
from numerics.flow import flow_changes, integrate_flow
from theory.claim import Claim, ClaimText
from theory.task import Statement, Task, build_task, chain_of_thought_task, reversal_task
from theory.twin import TwinVerdict
from validation import compare
from validation.extrapolation import check_extrapolation
from validation.instances import bilinear_instances, transformer_instances
from validation.networks import OneLayerTransformer
from validation.prediction import check_first_order, error_bound_claim, first_order_errors
from validation.real_runs import RealRun, descent_settings, final_logits, run
from validation.replay import AdamReplay, adam_claim
from validation.step_order import DIMENSION as STEP_DIMENSION
from validation.step_order import EPOCHS_RECORDED, SCHEDULES, STEPS, distances, runs_over_steps
from validation.step_order import INIT_SCALE as STEP_INIT_SCALE
from validation.stiff_claim import check_stiff, exact, small_task, solved
from validation.training import TrainingSettings, train
from validation.twin import NumericalTwin

SEED, DIMENSION, INIT_SCALE = 0, 64, 0.1
SETTINGS = TrainingSettings("sgd", 0.5, 120, batch="one", order="reshuffled")


WITNESS = f"4 pairs, 1 held out, 12 tokens, dimension {DIMENSION}, sgd with step {SETTINGS.learning_rate}, seed {SEED}"


@cache
def small_run() -> RealRun:
    """The bilinear witness: a reversal task of four pairs, trained with SGD."""
    return run(bilinear_instances(reversal_task(4, vocabulary=12), DIMENSION, INIT_SCALE, [SEED]), SETTINGS)


@cache
def chain_run() -> RealRun:
    """The same for a chain-of-thought task of three chains."""
    return run(bilinear_instances(chain_of_thought_task(3, vocabulary=12), DIMENSION, INIT_SCALE, [SEED]), SETTINGS)


def two_targets() -> Task:
    """A context with two targets: the loss floor is log 2 of its half share."""
    statements = [
        Statement((a,), b, "->") for a, b in (("parent", "first"), ("parent", "second"), ("x", "y"), ("u", "v"))
    ]
    return build_task("two targets", statements, [], vocabulary=10)


def _closed_form_at_half_time() -> Claim:
    task, time = reversal_task(4, vocabulary=12), np.array([0.0, 1.0, 10.0, 100.0])
    flow, late = decoupled_flow(task, time), closed_form(task, time / 2)
    assert flow.error_bound is not None
    return compare.check_closed_form(flow, late, 2 * flow.error_bound.parameters + 1e-12, "closed form at t/2")


def _floor_doubled() -> Claim:
    task = two_targets()
    time = np.array([0.0, 1e3, 1e5])
    losses = [replace(decoupled_flow(task, time), loss=decoupled_flow(task, time).loss - task.loss_floor)]
    return compare.check_loss_floor(task, losses, 1e-12)


def _recursion_with_other_step() -> Claim:
    real = small_run()
    other = replace(descent_settings(SETTINGS, SEED), learning_rate=1.01 * SETTINGS.learning_rate)
    start = real.training.initial_logits[0]
    wrong = descend(real.task, real.instances.grams[0], start, other, SETTINGS.steps, np.array([0, SETTINGS.steps]))
    return compare.check_descent(
        real.training.final_logits[0],
        final_logits([wrong])[0],
        real.rounding(),
        compare.descent_text("bilinear"),
        "step 1 % larger",
    )


def _recursion_without_size() -> Claim:
    steps = row_recursion(12, 0.5, 20)
    false = np.zeros_like(steps)
    for k in range(20):
        false[k + 1] = false[k] + 0.5 / (11 + np.exp(false[k]))
    return compare.check_descent(steps, false, 1e-12, compare.descent_text("sgd-rows"), "exponent h in place of M h")


def _flow_at_half_time() -> Claim:
    real = small_run()
    assert real.descent is not None
    assert real.halved is not None
    gram, start = real.instances.grams[0], real.training.initial_logits[0]
    late = final_logits([integrate_flow(real.task, gram, start, real.training.time / 2)])[0]
    distance = float(np.abs(real.training.final_logits[0] - late).max())
    halved = float(np.abs(final_logits(real.descent) - final_logits(real.halved)).max())
    return compare.check_flow_distance(distance, halved, real.rounding(), "bilinear", "flow at t/2")


def _order_two() -> Claim:
    schedule = SCHEDULES[0]
    measured = distances(reversal_task(2, vocabulary=6), schedule, SEED)
    return compare.check_order(compare.order_text(schedule.name), STEPS, measured, 2.0, schedule.window)


def _order_one_with_replacement() -> Claim:
    schedule = replace(SCHEDULES[-1], seeds=16)
    measured = distances(reversal_task(2, vocabulary=6), schedule, SEED)
    return compare.check_order(compare.order_text(schedule.name), STEPS, measured, 1.0, schedule.window)


def _flow_a_thousandth_late() -> Claim:
    schedule, task = SCHEDULES[0], reversal_task(2, vocabulary=6)
    runs = runs_over_steps(task, schedule, SEED)
    instances = bilinear_instances(task, STEP_DIMENSION, STEP_INIT_SCALE, [SEED])
    start = instances.network.context_logits().numpy()[0]
    time = STEPS[0] * len(task.train_context) * np.array(EPOCHS_RECORDED)
    late = start + np.stack(list(flow_changes(task, instances.grams[0], start, 0.999 * time)))
    return check_extrapolation(schedule.name, STEPS, [run[:, 0] for run in runs.logits], late, runs.error)


def _stiff_flow_a_thousandth_late() -> Claim:
    task, time = small_task(), np.array([10.0, 100.0])
    loose, tight = (solved(task, time, tolerance) for tolerance in (1e-6, 1e-8))
    return check_stiff(loose, tight, exact(task, 0.999 * time), time)


def _adam_with_other_step() -> Claim:
    task, settings = reversal_task(2, vocabulary=6), TrainingSettings("adam", 0.01, 60, "full")
    instances = bilinear_instances(task, DIMENSION, INIT_SCALE, [SEED])
    replay = AdamReplay(instances.network, task)
    run = train(instances.network, task, settings, [SEED], np.array([0, settings.steps]))
    other = replace(settings, learning_rate=1.001 * settings.learning_rate)
    return adam_claim(replay, other, run.final_logits, instances.kernels(), "bilinear")


def _first_order_half() -> Claim:
    return check_first_order(first_order_errors(reversal_task(3, vocabulary=8), SEED), expected=-0.5)


def _bound_of_a_tighter_run() -> Claim:
    return error_bound_claim(reversal_task(2, vocabulary=7), SEED, relative_tolerance=1e-3)


def _law_without_inverse() -> Claim:
    real = small_run()
    kernels = real.kernels[0]
    weights = kernels.cross_kernel
    change = real.training.final_logits[0] - real.training.initial_logits[0]
    n = real.task.trained_contexts
    residual = float(np.abs(change[n:] - weights.T @ change[:n]).max())
    return compare.check_interpolation(
        compare.interpolation_text("sgd", "bilinear"), residual, real.rounding(solved=True)
    )


def _law_ignoring_decay() -> Claim:
    task = reversal_task(4, vocabulary=12)
    instances = bilinear_instances(task, DIMENSION, INIT_SCALE, [SEED])
    decayed = train(
        instances.network, task, replace(SETTINGS, weight_decay=0.01), [SEED], np.array([0, SETTINGS.steps])
    )
    kernels = instances.kernels()[0]
    residual = compare.interpolation_residual(kernels, decayed.initial_logits[0], decayed.final_logits, 1.0)
    return compare.check_interpolation(
        compare.interpolation_text("sgd with weight decay", "bilinear"), residual, small_run().rounding(solved=True)
    )


def _sgd_breaks_the_law() -> Claim:
    real = small_run()
    start, end = real.training.initial_logits[0], real.training.final_logits
    residual = compare.interpolation_residual(real.kernels[0], start, end)
    return compare.check_interpolation_broken("sgd", residual, real.rounding(solved=True), "bilinear")


def _reverse_frozen() -> Claim:
    real = small_run()
    change = real.training.final_logits[0] - real.training.initial_logits[0]
    moves, _ = compare.reverse_moves(real.kernels[0], change, 0.0)
    return compare.check_asymmetry(moves, np.full(len(moves), real.rounding()), 1.0, "bilinear")


def _every_logit_grows() -> Claim:
    real = small_run()
    change = compare.row_centred(real.training.final_logits[0] - real.training.initial_logits[0])
    return compare.check_forward(change[: real.task.trained_contexts], "bilinear")


def _middle_of_the_chain() -> Claim:
    """The trained step A -> B put in the place of the asked one A ~> C."""
    real = chain_run()
    target = dict(zip(real.task.train_context.tolist(), real.task.train_target.tolist(), strict=True))
    asked = tuple(replace(q, answers=(target[q.context],)) for q in real.task.queries)
    kernels = replace(real.kernels[0], task=replace(real.task, queries=asked))
    change = real.training.final_logits[0] - real.training.initial_logits[0]
    return compare.check_intransitivity(
        *compare.intransitivity_moves(kernels, change, real.rounding(solved=True)), "bilinear"
    )


def _half_of_the_unseen_bound() -> Claim:
    task = reversal_task(3, vocabulary=10)
    instances = transformer_instances(task, [SEED])
    record = np.array([0, SETTINGS.steps])
    largest = train(instances.network, task, SETTINGS, [SEED], record, track_unseen=True).unseen_maximum()
    return compare.check_unseen(largest, 2 * task.vocabulary_size, "in-training", "1/(2M)")


def _trained_rows_unchanged(text: ClaimText) -> Claim:
    task = reversal_task(3, vocabulary=10)
    instances = transformer_instances(task, [SEED])
    train(instances.network, task, SETTINGS, [SEED], np.array([0, SETTINGS.steps]))
    assert isinstance(instances.network, OneLayerTransformer)
    rows = instances.network.Y.value().numpy()
    return compare.check_unchanged(text, np.zeros_like(rows), rows)


def _sandwich(lower: float, upper: float) -> Claim:
    """The rows of a large step held to `lower` and `upper` in place of 0 and 1, in units of eta/M."""
    size, step, visited = 12, 8.0, np.arange(30)
    rows = row_recursion(size, step, 29)
    flow = logit_gap(step * visited, 1, size) / size
    unit = step / size
    return compare.check_sandwich(rows - lower * unit, flow, (upper - lower) * step, size, 1e-12)


TWINS = (
    NumericalTwin(
        "flow-error-bound",
        "bound of a tighter run",
        "2 pairs, 7 tokens, d = 1e4, relative tolerance 1e-3",
        _bound_of_a_tighter_run,
    ),
    NumericalTwin(
        "flow-matches-closed-form",
        "closed form at half the time",
        "4 pairs, 12 tokens, t to 100",
        _closed_form_at_half_time,
    ),
    NumericalTwin(
        "loss-floor", "floor of twice the entropy", "a context with two targets, 10 tokens, t = 1e5", _floor_doubled
    ),
    NumericalTwin("training-is-descent", "step one per cent larger", WITNESS, _recursion_with_other_step),
    NumericalTwin("training-is-descent", "exponent without M", "M = 12, step 0.5, 20 visits", _recursion_without_size),
    NumericalTwin("training-follows-flow", "flow at half the time", WITNESS, _flow_at_half_time),
    NumericalTwin("step-size-order", "order two", "2 pairs, 6 tokens, full batch", _order_two),
    NumericalTwin(
        "step-size-order", "order one with replacement", "2 pairs, 6 tokens, 16 seeds", _order_one_with_replacement
    ),
    NumericalTwin(
        "extrapolated-descent-is-flow",
        "flow a thousandth late",
        "2 pairs, 6 tokens, full batch",
        _flow_a_thousandth_late,
    ),
    NumericalTwin(
        "stiff-flow-is-closed-form",
        "closed form a thousandth late",
        "4 contexts, one of two targets, 10 tokens, t = 10 and 100",
        _stiff_flow_a_thousandth_late,
    ),
    NumericalTwin(
        "training-is-adam",
        "step one in a thousand larger",
        f"2 pairs, 6 tokens, dimension {DIMENSION}, adam with step 0.01, 60 steps",
        _adam_with_other_step,
    ),
    NumericalTwin("first-order-law-order", "order one half", "3 pairs, 8 tokens, d from 1e4 to 1e7", _first_order_half),
    NumericalTwin("interpolation-law", "weights without inverse", WITNESS, _law_without_inverse),
    NumericalTwin("interpolation-law", "weight decay ignored", WITNESS + ", weight decay 0.01", _law_ignoring_decay),
    NumericalTwin("interpolation-law-broken", "sgd breaks the law", WITNESS, _sgd_breaks_the_law),
    NumericalTwin("asymmetry", "reverse logits do not move at all", WITNESS, _reverse_frozen),
    NumericalTwin("forward-grows", "every logit grows", WITNESS, _every_logit_grows),
    NumericalTwin(
        "intransitivity",
        "the trained step in place of the chain",
        "3 chains, 12 tokens, as above",
        _middle_of_the_chain,
    ),
    NumericalTwin("unseen-targets", "half the bound", "3 pairs, 10 tokens, sgd", _half_of_the_unseen_bound),
    NumericalTwin(
        "untrained-rows-unchanged",
        "trained rows too",
        "3 pairs, 10 tokens, sgd",
        lambda: _trained_rows_unchanged(compare.UNTRAINED_ROWS),
    ),
    NumericalTwin(
        "z-unchanged", "Y too", "3 pairs, 10 tokens, sgd", lambda: _trained_rows_unchanged(compare.ATTENTION_UNCHANGED)
    ),
    NumericalTwin(
        "sgd-sandwich-in-training", "half of eta over M", "M = 12, step 8, 29 visits", lambda: _sandwich(0.0, 0.5)
    ),
    NumericalTwin(
        "sgd-sandwich-in-training", "below the flow", "M = 12, step 8, 29 visits", lambda: _sandwich(0.5, 1.5)
    ),
    NumericalTwin(
        "false-twins",
        "a twin that is proved",
        "a list with one twin that its witness violates and its prover proves",
        lambda: compare.check_twins([TwinVerdict("proved", violated=True, proved=True)]),
    ),
    NumericalTwin(
        "false-twins",
        "a twin without a witness",
        "a list with one twin that is not proved and that its witness does not violate",
        lambda: compare.check_twins([TwinVerdict("unwitnessed", violated=False, proved=False)]),
    ),
)

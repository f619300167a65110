"""Asymmetry and intransitivity in real SGD runs: forward grows, reverse and chain stay where the law holds them."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from theory.task import Task
from validation.compare import (
    ATTENTION_UNCHANGED,
    UNTRAINED_ROWS,
    check_asymmetry,
    check_intransitivity,
    check_unchanged,
    check_unseen,
    intransitivity_moves,
    reverse_moves,
    rounding_tolerance,
    row_centred,
)
from validation.instances import Instances, bilinear_instances, transformer_instances
from validation.strategies import (
    chain_tasks,
    descents,
    dimensions,
    initial_scales,
    reversal_tasks,
    seeds,
    tasks,
)
from validation.training import TrainingRun, TrainingSettings, train


def trained(instances: Instances, settings: TrainingSettings, unseen: bool = False) -> tuple[TrainingRun, float]:
    """The run, and the rounding tolerance of its logits."""
    record = np.array([0, settings.steps])
    run = train(instances.network, instances.task, settings, instances.seeds, record, track_unseen=unseen)
    size = float(np.abs(run.final_logits).max())
    return run, rounding_tolerance(settings.steps, instances.network.dimension, instances.kernels(), size, solved=True)


@given(data=st.data(), task=tasks, scale=initial_scales, settings=descents(), seed=seeds)
def test_reverse_logits_stay_within_the_law(
    data: st.DataObject, task: Task, scale: float, settings: TrainingSettings, seed: int
) -> None:
    """No held-out answer of an untrained context moves further than sum_a |w_qa| |dS_a,answer| of that very draw."""
    assume(any(q.context >= task.trained_contexts for q in task.queries))
    instances = bilinear_instances(task, data.draw(dimensions(task)), scale, [seed])
    run, rounding = trained(instances, settings)
    change = run.final_logits[0] - run.initial_logits[0]
    claim = check_asymmetry(*reverse_moves(instances.kernels()[0], change, rounding), forward=1.0, model="bilinear")
    assert claim.verdict == "holds", claim


@given(task=reversal_tasks(), seed=seeds, step=st.floats(0.05, 0.5), order=st.sampled_from(["cyclic", "reshuffled"]))
def test_forward_grows_and_reverse_does_not(task: Task, seed: int, step: float, order: str) -> None:
    """Every forward logit gains more than any reverse logit moves, and the latter stays within the draw's own bound."""
    instances = bilinear_instances(task, 1024, 0.0, [seed])
    settings = TrainingSettings("sgd", step, 30 * len(task.train_context), "one", order)  # type: ignore[arg-type]
    run, rounding = trained(instances, settings)
    change = row_centred(run.final_logits[0] - run.initial_logits[0])
    forward = change[task.train_context, task.train_target]
    assert (forward > 0).all()
    moves, bounds = reverse_moves(instances.kernels()[0], change, rounding)
    assert (moves <= bounds).all()
    # the bound of the draw itself says that reverse weights stay near zero: weights are of order sqrt(N / d)
    weights = np.abs(instances.kernels()[0].interpolation_weights).sum(axis=0)
    assert (bounds <= weights.max() * np.abs(change).max() + rounding).all()
    assert moves.max() < forward.min()


@given(data=st.data(), task=chain_tasks(), scale=initial_scales, settings=descents(), seed=seeds)
def test_chains_gain_only_coherence(
    data: st.DataObject, task: Task, scale: float, settings: TrainingSettings, seed: int
) -> None:
    """A_i ~> C_i gains no more than the coherence terms of that draw, though A_i is trained (towards B_i)."""
    dimension = data.draw(st.integers(4 * task.vocabulary_size, 20 * task.vocabulary_size))
    instances = bilinear_instances(task, dimension, scale, [seed])
    run, rounding = trained(instances, settings)
    change = run.final_logits[0] - run.initial_logits[0]
    # C is recovered with G and G_AA, whose condition numbers multiply
    kernels = instances.kernels()[0]
    gram = np.eye(task.vocabulary_size) + kernels.gram.excess
    rounding *= float(np.linalg.cond(gram))
    moves, bounds = intransitivity_moves(kernels, change, rounding)
    assert len(moves) == len(task.queries)
    assert check_intransitivity(moves, bounds, "bilinear").verdict == "holds"


@given(task=tasks, settings=descents(), seed=seeds, step=st.floats(0.01, 50.0))
def test_unseen_targets_never_exceed_one_over_m(task: Task, settings: TrainingSettings, seed: int, step: float) -> None:
    """In the one-layer transformer p <= 1/M for every never-trained pair at every step, however large the step."""
    assume(task.one_token_contexts)
    settings = TrainingSettings(
        settings.optimizer, step, settings.steps, settings.batch, settings.order, settings.momentum
    )
    instances = transformer_instances(task, [seed])
    run, _ = trained(instances, settings, unseen=True)
    assert check_unseen(run.unseen_maximum(), task.vocabulary_size, "drawn", "").verdict == "holds"


@given(task=tasks, settings=descents(), seed=seeds)
def test_untrained_rows_and_attention_stay_bitwise_zero(task: Task, settings: TrainingSettings, seed: int) -> None:
    """Sequences of length three: only rows of Y of trained context tokens move, and Z does not move at all."""
    assume(task.one_token_contexts)
    instances = transformer_instances(task, [seed])
    train(instances.network, task, settings, [seed], np.array([0, settings.steps]))
    moved = {t for context in task.contexts[: task.trained_contexts] for t in context}
    rows = instances.network.get_submodule("Y").value().numpy()[0]  # type: ignore[operator]
    still = [t for t in range(task.vocabulary_size) if t not in moved]
    attention = instances.network.get_submodule("Z").value().numpy()  # type: ignore[operator]
    assert check_unchanged(UNTRAINED_ROWS, np.zeros_like(rows[still]), rows[still]).verdict == "holds"
    assert check_unchanged(ATTENTION_UNCHANGED, np.zeros_like(attention), attention).verdict == "holds"
    assert np.abs(rows[sorted(moved)]).max() > 0

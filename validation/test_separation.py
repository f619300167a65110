"""Theorems 1 and 2 and intransitivity against real SGD: no run in torch falls faster than its certificate allows."""

import numpy as np
from hypothesis import assume, event, given
from hypothesis import strategies as st

from numerics.gram import Gram
from numerics.instance_bounds import instance_bounds
from numerics.observables import reversal_log_ratio, training_log_ratio
from theory.coherence import CoherenceBounds, Schedule, ScheduleKind
from theory.exponent import loss_of
from theory.separation import certify
from theory.task import Task
from theory.theorems.lower_bound import FloorKept
from validation.compare import rounding_tolerance
from validation.instances import Instances
from validation.networks import BilinearNetwork
from validation.strategies import chain_tasks, reversal_tasks, seeds
from validation.training import TrainingSettings, train

EPOCHS = 40
DIMENSION = 48

# Gaussian couplings of size 1/sqrt(d) would need d = 1e8 for a certificate: embeddings are drawn near a frame instead.
couplings = st.sampled_from([0.0, 1e-6, 1e-4, 1e-3, 5e-3])
starts = st.sampled_from([0.0, 0.01, 0.1])
kinds = st.sampled_from(["gd", "cyclic", "reshuffled"])


def near_orthonormal(task: Task, coupling: float, scale: float, seed: int) -> Instances:
    """Embeddings U + coupling x noise with orthonormal rows U (m, d), and Theta(0) of the given scale."""
    rng = np.random.default_rng(seed)
    frame = np.linalg.qr(rng.normal(size=(DIMENSION, task.vocabulary_size)))[0].T
    embeddings = frame + coupling * rng.normal(size=frame.shape)
    theta = scale * rng.normal(size=(1, DIMENSION, DIMENSION))
    return Instances(task, BilinearNetwork(task, embeddings[None], theta), (Gram.explicit(embeddings),), (seed,))


def trained(
    instances: Instances, kind: ScheduleKind, rate: float
) -> tuple[CoherenceBounds, np.ndarray, np.ndarray, float]:
    """Bounds of the instance, the start, the logits at the ends of epochs (epochs, contexts, m), and rounding."""
    task = instances.task
    epoch = 1 if kind == "gd" else len(task.train_context)
    order = "cyclic" if kind == "cyclic" else "reshuffled"
    optimizer, batch = ("gd", "full") if kind == "gd" else ("sgd", "one")
    settings = TrainingSettings(optimizer, rate, EPOCHS * epoch, batch, order)  # type: ignore[arg-type]
    record = np.arange(EPOCHS + 1) * epoch
    run = train(instances.network, task, settings, instances.seeds, record, keep_logits=True)
    assert run.logits_recorded is not None
    start = run.initial_logits[0]
    size = float(np.abs(run.logits_recorded).max())
    rounding = rounding_tolerance(settings.steps, DIMENSION, instances.kernels(), size)
    return instance_bounds(task, instances.grams[0], start), start, run.logits_recorded[1:, 0], rounding


@given(
    task=st.one_of(reversal_tasks(), chain_tasks()),
    coupling=couplings,
    scale=starts,
    kind=kinds,
    rate=st.floats(0.05, 2.0),
    seed=seeds,
)
def test_real_runs_never_exceed_the_certified_exponent(
    task: Task, coupling: float, scale: float, kind: ScheduleKind, rate: float, seed: int
) -> None:
    """log(L_rev(k)/L_rev(0)) >= eps log(L(k)/L(0)) at the end of every epoch, with the eps certified for the draw."""
    instances = near_orthonormal(task, coupling, scale, seed)
    bounds, start, logits, rounding = trained(instances, kind, rate)
    epsilon = certify(bounds, Schedule.descent(kind, rate, task.trained_contexts)).epsilon
    event(f"certified: {np.isfinite(epsilon)}")
    assume(np.isfinite(epsilon))
    for state in logits:
        fallen = -training_log_ratio(task, start, state - start)
        reverse = reversal_log_ratio(task, start, state - start)
        # a logit that is off by `rounding` moves a loss by at most twice that; losses start at log m >= 1
        assert reverse >= -epsilon * fallen - 4 * rounding


@given(task=reversal_tasks(), coupling=couplings, kind=kinds, amount=st.floats(0.5, 4.0), seed=seeds)
def test_real_runs_keep_the_reversal_floor(
    task: Task, coupling: float, kind: ScheduleKind, amount: float, seed: int
) -> None:
    """Where the certificate allows C, L_rev is at least C at the first end of an epoch with training loss below c."""
    instances = near_orthonormal(task, coupling, 0.0, seed)
    rate = amount * task.trained_contexts if kind == "gd" else amount
    bounds, start, logits, rounding = trained(instances, kind, rate)
    schedule = Schedule.descent(kind, rate, task.trained_contexts)
    epsilon = certify(bounds, schedule).epsilon
    first = float(loss_of(bounds.log_odds[0]))
    target, floor = first / 3, 0.9 * np.log(task.vocabulary_size)
    allowed = FloorKept(target, floor, kind, rate)(bounds)
    event(f"certified: {epsilon <= allowed}")
    assume(epsilon <= allowed)
    for state in logits:
        if training_log_ratio(task, start, state - start) <= np.log(target / first):
            reverse = np.log(task.vocabulary_size) * np.exp(reversal_log_ratio(task, start, state - start))
            assert reverse >= floor - 4 * rounding
            return
    raise AssertionError("the loss never fell to a third: run longer")

"""The measured exponent of Theorem 1: by hand, and what the errors of a run leave of it."""

import numpy as np
import pytest

from numerics.exponent import MeasuredExponent, measure_exponent
from numerics.flow import flow_changes
from numerics.gram import Gram
from numerics.kernels import Kernels
from theory.coherence import Schedule
from theory.setting import Setting
from theory.task import Task, chain_of_thought_task, reversal_task
from validation.measurements import FLOW_TOLERANCE, Measurements

TASK = reversal_task(3, vocabulary=9)
ERROR = 1e-3


def drawn(task: Task, seed: int, dimension: float) -> tuple[Gram, np.ndarray]:
    """One draw of G and a start."""
    rng = np.random.default_rng(seed)
    gram = Gram.draw(task.vocabulary_size, dimension, rng)
    return gram, gram.initial_logits(task.features, 0.05, rng)


def losses(task: Task, logits: np.ndarray) -> tuple[float, float]:
    """L and L_rev of a state, plainly."""
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    trained = -log_p[task.train_context, task.train_target].mean()
    asked = -np.mean([log_p[query.context, query.answers[0]] for query in task.queries])
    return float(trained), float(asked)


def measured(task: Task, gram: Gram, start: np.ndarray, changes: list[np.ndarray], error: float) -> MeasuredExponent:
    """The exponent over the changes, each with the same error; the loss target is half of the start."""
    weight = np.abs(Kernels(task, gram).interpolation_weights).sum(axis=0).max(initial=0.0)
    own = any(query.context < task.trained_contexts for query in task.queries)
    return measure_exponent(task, start, [(c, error) for c in changes], -np.log(2), 1.0 if own else float(weight))


def test_exponent_by_hand() -> None:
    """The largest -log(L_rev/L_rev(0)) / log(L(0)/L), and the target's state, from plain losses."""
    gram, start = drawn(TASK, 1, 400.0)
    changes = list(flow_changes(TASK, gram, start, np.geomspace(0.1, 1e4, 20)))
    loss, reverse = np.array([losses(TASK, start + c) for c in [np.zeros_like(start), *changes]]).T
    exponents = -np.log(reverse[1:] / reverse[0]) / np.log(loss[0] / loss[1:])
    reached = int(np.flatnonzero(loss <= loss[0] / 2)[0])
    found = measured(TASK, gram, start, changes, 0.0)
    assert found.largest == found.surely == pytest.approx(exponents.max(), rel=1e-9)
    assert found.at_target == pytest.approx(np.log(reverse[reached - 1 : reached + 1].min() / reverse[0]), rel=1e-9)
    assert found.target_fallen == pytest.approx(np.log(loss[0] / loss[reached]), rel=1e-9)
    assert (found.target_error, found.remaining) == (0.0, pytest.approx(loss[-1] / loss[0], rel=1e-9))


@pytest.mark.parametrize(
    ("task", "known", "share"),
    [(TASK, 0.0, 0.2), (TASK, 9.0, 0.99), (chain_of_thought_task(3), 0.0, 0.1)],
    ids=["reversal", "reversal that is known at the start", "chains"],
)
def test_errors_never_raise_what_is_sure(task: Task, known: float, share: float) -> None:
    """Moves of every trained logit by at most T, asked rows moving with them, leave `surely` below the true exponent.

    The worst move is tried: it raises the asked answer, or lowers it, as far as errors can. Where the answer is all but
    known, which `known` adds to its logit, that moves log L_rev by all that is allowed.
    """
    shares = []
    for seed in range(6):
        gram, start = drawn(task, seed, 100.0)
        start[task.queries[0].context, task.queries[0].answers[0]] += known
        weights = Kernels(task, gram).interpolation_weights
        changes = list(flow_changes(task, gram, start, np.geomspace(0.1, 1e4, 12)))
        true = measured(task, gram, start, changes, 0.0)
        query = task.queries[0]
        for towards in (1.0, -1.0):
            trained = task.trained_contexts
            if query.context < trained:
                sign = np.where(np.arange(trained) == query.context, towards, 0.0)
            else:
                sign = towards * np.sign(weights[:, query.context - trained])
            side = np.where(np.arange(task.vocabulary_size) == query.answers[0], 1.0, -1.0)
            move = ERROR * sign[:, None] * side
            moved = np.concatenate([move, weights.T @ move])
            wrong = [c + moved for c in changes]
            found = measured(task, gram, start, wrong, ERROR)
            assert found.surely <= true.largest
            assert found.surely < found.largest
            at_target = found.at_target - true.at_target
            assert abs(at_target) <= found.target_error
            shares.append(abs(at_target) / found.target_error)
    assert max(shares) > share


def test_a_run_that_may_be_lost_is_sure_of_nothing() -> None:
    """Infinite errors leave no exponent that is sure, and the measured one as it is."""
    gram, start = drawn(TASK, 1, 400.0)
    changes = list(flow_changes(TASK, gram, start, np.geomspace(0.1, 1e4, 5)))
    found = measured(TASK, gram, start, changes, np.inf)
    assert found.surely == -np.inf
    assert np.isfinite(found.largest)


@pytest.mark.parametrize(("kind", "rate"), [("flow", None), ("gd", 2.5), ("reshuffled", 1.0)])
def test_the_error_of_a_run_covers_what_its_solver_does(kind: str, rate: float | None) -> None:
    """Against flows at tolerance 1e-12 the measured exponent is never too large by more than its stated error.

    The stated error is small: below a hundredth of the exponent, for flow and descent alike.
    """
    task = reversal_task(4, vocabulary=12)
    setting = Setting(task, Measurements(), draws=6, learning_rate=rate, steps=None if kind == "flow" else 700)
    schedule = Schedule.flow() if rate is None else Schedule.descent(kind, rate, 7)  # type: ignore[arg-type]
    found = setting.measure.separation(setting, 1e6, schedule)
    assert (found.measured_error > 0).all()
    assert (found.measured_error < 1e-2 * np.abs(found.measured)).all()
    assert (found.reversal_error > 0).all()
    assert (found.target_loss <= setting.loss_target).all()
    if kind != "flow":
        return
    for number in range(setting.draws):
        rng = np.random.default_rng([number, 3])
        gram = Gram.draw(12, 1e6, rng)
        start = gram.initial_logits(task.features, setting.init_scale, rng)
        time = np.geomspace(1e-3, 1e9, 36) * 7
        exact = measured(task, gram, start, list(flow_changes(task, gram, start, time, 1e-5 * FLOW_TOLERANCE)), 0.0)
        assert abs(found.measured[number] - exact.largest) <= found.measured_error[number]

"""False statements about choices, near the true ones; the checker of each claim must call them false (`theory.twin`).

The witness is a small run: six pairs, three held out, two seeds (of a mean over questions four), dimension 48.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from numerics.balance import balance_drift
from numerics.kernels import Kernels
from numerics.losses import Loss
from numerics.parameter_space import FreeSpace, Parameters
from numerics.space_descent import last_state
from numerics.squared_loss import integrated_squared_loss, squared_loss_states
from theory.claim import Claim
from theory.task import reversal_task
from theory.twin import TwinVerdict
from theory.variants import implication, variant
from validation.compare import interpolation_residual
from validation.real_runs import descent_settings
from validation.remedies import claims
from validation.remedies.choice import Choice
from validation.remedies.measure import measure
from validation.remedies.row_claims import CLOSED_FORM_TOLERANCE, implication_margins, rounding
from validation.remedies.schedule import schedule
from validation.remedies.settings import RemedySettings
from validation.remedies.trained import Trained, draw_choice, run_choice
from validation.twin import NumericalTwin

DIMENSION, SEEDS = 48, range(2)
IMPLICATION = "2 facts, 2 and 2 subjects, seeds 0 and 1"
FOUR_SEEDS = f"6 pairs, 3 held out, dimension {DIMENSION}, seeds 0 to 3"
WITNESS = f"6 pairs, 3 held out, dimension {DIMENSION}, seeds 0 and 1"
SETTINGS = RemedySettings(pairs=6, held_out=3, dimension=DIMENSION, seeds=4)  # enough of them for a Gaussian mean


@cache
def small(choice: Choice) -> Trained:
    """The witness of one choice."""
    data = implication(2, 2, 2) if choice.data == "implication" else variant(
        reversal_task(6, 3), choice.data, choice.share, 0, choice.context
    )  # fmt: skip
    drawn = draw_choice(data, choice, DIMENSION, SEEDS)
    return run_choice(drawn, schedule(choice, drawn.kernels, DIMENSION, None, None))


def _recursion(trained: Trained, loss: Loss, **changed: object) -> np.ndarray:
    """The recursion of the first seed with another loss or other settings, (1, contexts, m)."""
    settings = replace(descent_settings(trained.schedule, 0), **changed)  # type: ignore[arg-type]
    space = trained.spaces[0]
    return space.logits(last_state(space, loss, settings, trained.schedule.steps))[None]


def _other_loss() -> Claim:
    real = small(Choice(loss="squared"))
    wrong = _recursion(real, "one-against-all")
    return claims.check_recursion(real.final[:1], wrong, rounding(real), "twin", "another loss")


def _other_space() -> Claim:
    real, free = small(Choice(parameters="symmetric")), small(Choice())
    space = FreeSpace(real.task, free.grams[0], real.initial[0])
    wrong = space.logits(last_state(space, "cross-entropy", descent_settings(real.schedule, 0), real.schedule.steps))
    return claims.check_recursion(real.final[:1], wrong[None], rounding(real), "twin", "free in place of symmetric")


def _coupled_decay() -> Claim:
    choice = Choice(optimizer="momentum", weight_decay=0.01)
    real = small(choice)
    wrong = _recursion(real, "cross-entropy", decoupled=False)
    return claims.check_recursion(real.final[:1], wrong, rounding(real), "twin", "decay in the gradient")


def _lost_decay() -> Claim:
    real = small(Choice(weight_decay=0.01))
    kernels = [Kernels(real.task, gram) for gram in real.grams]
    residual = interpolation_residual(kernels[0], real.initial[0], real.final[:1], 1.0)
    return claims.check_law(residual, rounding(real, solved=True), "twin", "the factor of weight decay lost")


def _interval_above() -> Claim:
    row = measure(reversal_task(6, 3), Choice(), SETTINGS, 1e-6)
    assert row.prediction is not None
    low, high = row.prediction.low, row.prediction.high
    # from inside the interval the nearest other one that the checker must refuse begins where it ends
    return claims.check_prediction(row.index.mean, high, 2 * high - low, "twin", "the interval above", row.questions)


def _free_is_symmetric() -> Claim:
    real = small(Choice())
    indices = np.array([g.logit_index().value for g in real.gains()])
    return claims.check_symmetric(indices, rounding(real), "twin")


def _centred_is_one() -> Claim:
    choice = Choice(parameters="symmetric")
    real = small(choice)
    indices = np.array([g.centred_logit_index().value for g in real.gains()])
    return claims.check_symmetric(indices, rounding(real), "twin")


def _balance_of_order_one() -> Claim:
    real = small(Choice(parameters="factorised", width=8))
    assert real.balance_before is not None
    assert real.balance_after is not None
    how = descent_settings(real.schedule, SEEDS[0])
    drift = balance_drift(real.spaces[0], "cross-entropy", how, real.schedule.steps)
    moved = (real.balance_after - real.balance_before)[0]
    return claims.check_balance(moved, drift / how.learning_rate, rounding(real), "factorised", "twin", "order one")


def _balance_kept_by_steps(parameters: Parameters) -> Claim:
    real = small(Choice(parameters=parameters))
    assert real.balance_before is not None
    assert real.balance_after is not None
    moved = real.balance_after - real.balance_before
    return claims.check_balance(moved, np.zeros_like(moved), rounding(real), parameters, "twin", "kept by every step")


def _closed_form_at_half_time() -> Claim:
    real = small(Choice(loss="squared"))
    space = real.spaces[0]
    assert isinstance(space, FreeSpace)
    early = next(squared_loss_states(space, np.array([real.end / 2])))[0]
    flow, bound = integrated_squared_loss(space, real.end, CLOSED_FORM_TOLERANCE)
    return claims.check_closed_form(float(np.abs(early - flow).max()), bound, "twin")


def _copies_lift_all() -> Claim:
    indices = np.array([g.ratios for g in small(Choice(data="reversed-copies")).gains()])
    return claims.check_copies(indices, indices[:, :0], "twin")


def _implication(parameters: Parameters) -> Trained:
    """The witness of the implication task."""
    return small(Choice(parameters=parameters, data="implication", context="entity+relation", embeddings="orthonormal"))


def _merged_learns() -> Claim:
    return claims.check_implication(implication_margins(_implication("free")), True, 0.0, "twin")


def _factorised_does_not() -> Claim:
    real = _implication("factorised")
    largest = float(np.linalg.norm(real.initial, axis=(1, 2)).max())  # all logits of the start together
    return claims.check_implication(implication_margins(real), False, largest, "twin")


TWINS = (
    NumericalTwin("training-is-recursion", "another loss", WITNESS, _other_loss),
    NumericalTwin("training-is-recursion", "free in place of symmetric", WITNESS, _other_space),
    NumericalTwin("training-is-recursion", "coupled decay for decoupled", WITNESS, _coupled_decay),
    NumericalTwin("interpolation-law", "factor of weight decay lost", WITNESS, _lost_decay),
    NumericalTwin("index-as-predicted", "the interval above the right one", FOUR_SEEDS, _interval_above),
    NumericalTwin("reverse-logit-equals-forward", "any Theta", WITNESS, _free_is_symmetric),
    NumericalTwin("reverse-logit-equals-forward", "logits less their row mean", WITNESS, _centred_is_one),
    NumericalTwin("balance", "order one in the step", WITNESS, _balance_of_order_one),
    NumericalTwin(
        "balance", "two tables, kept by every step", WITNESS, lambda: _balance_kept_by_steps("trained-embeddings")
    ),
    NumericalTwin(
        "balance", "one table, kept by every step", WITNESS, lambda: _balance_kept_by_steps("tied-embeddings")
    ),
    NumericalTwin("closed-form", "at half the time", WITNESS, _closed_form_at_half_time),
    NumericalTwin("copies-lift-what-they-cover", "lift every fact", WITNESS, _copies_lift_all),
    NumericalTwin("implication-learnt", "merged Theta", IMPLICATION, _merged_learns),
    NumericalTwin("implication-not-learnt", "two factors", IMPLICATION, _factorised_does_not),
)


@cache
def twin_verdicts() -> tuple[TwinVerdict, ...]:
    """What became of each twin; they depend on no settings, so once a process is enough."""
    return tuple(twin.verdict() for twin in TWINS)

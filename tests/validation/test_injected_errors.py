"""An error of 0.1% in a right-hand side, a step or a closed form makes a claim about it fail, at default settings.

Each error is injected into one function. Of `reversal verify`, or of `reversal remedies`, only the stage is run whose
claim is about that function, with the settings that the command has by default.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from numerics import adam, decoupled, descent, first_order, inertial_flow, space_flow
from numerics.decoupled import RowPattern
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.stiff import _NewtonSystem
from theory.claim import Claim
from theory.task import Task, first_pairs
from validation import optimizer_law, sgd_rows, step_order, training
from validation.cost import training_settings
from validation.instances import bilinear_instances, transformer_instances
from validation.prediction import predict_bilinear, predict_transformer
from validation.real_runs import run
from validation.remedies import row_claims
from validation.remedies.choice import Choice
from validation.remedies.measure import measure
from validation.remedies.run import load_task as load_remedy_task
from validation.remedies.settings import RemedySettings
from validation.run_claims import claims_of
from validation.settings import VerifySettings
from validation.stiff_claim import stiff_claim
from validation.verify import LAW_PAIRS, ORDER_PAIRS, load_task

Patch = Callable[[pytest.MonkeyPatch, float], None]
Stage = Callable[[], list[Claim]]


# -- the stages of the command at its default settings --
@cache
def default() -> tuple[Task, VerifySettings]:
    """The task of `reversal verify` without options."""
    settings = VerifySettings()
    task, _ = load_task(settings)
    return task, settings.resolve(task)


def bilinear() -> list[Claim]:
    return predict_bilinear(*default())[1]


def transformer() -> list[Claim]:
    return predict_transformer(*default())[1]


def steps_of(*names: str) -> Stage:
    """The order in the step size, of some schedules."""

    def stage() -> list[Claim]:
        task, settings = default()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(step_order, "SCHEDULES", [s for s in step_order.SCHEDULES if s.name in names])
            return step_order.step_order_claims(first_pairs(task, ORDER_PAIRS), settings.seed)[0]

    return stage


def optimizer(name: str) -> Stage:
    """The optimisers, one of them, in one seed."""

    def stage() -> list[Claim]:
        task, settings = default()
        every = optimizer_law.optimizers
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(optimizer_law, "optimizers", lambda small: {name: every(small)[name]})
            return optimizer_law.optimizer_claims(first_pairs(task, LAW_PAIRS), range(settings.seed, settings.seed + 1))

    return stage


def trained(model: str) -> Stage:
    """The real run, in one seed."""

    def stage() -> list[Claim]:
        task, settings = default()
        if model == "bilinear":
            instances = bilinear_instances(task, settings.train_dimension or 1, settings.init_scale, [settings.seed])
        else:
            instances = transformer_instances(task, [settings.seed])
        return claims_of(run(instances, training_settings(task, settings)))

    return stage


def rows() -> list[Claim]:
    task, settings = default()
    return sgd_rows.sgd_row_claims(first_pairs(task, LAW_PAIRS), range(settings.seed, settings.seed + 1))


def remedy(choice: Choice) -> Stage:
    def stage() -> list[Claim]:
        settings = RemedySettings(seeds=1)
        task, _ = load_remedy_task(settings)
        return list(measure(task, choice, settings, 1e-6).claims)

    return stage


# -- what is injected --
def scaled(owner: Any, name: str) -> Patch:
    """The value of a function, or every value of a generator, times the factor."""

    def patch(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
        true = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *args, **kwargs: _times(true(*args, **kwargs), factor))

    return patch


def _times(value: Any, factor: float) -> Any:
    if isinstance(value, Iterator):
        return (_times(each, factor) for each in value)
    if isinstance(value, tuple):  # rows or a bound beside what is scaled
        return tuple(factor * each if isinstance(each, np.ndarray) and each.dtype == float else each for each in value)
    return factor * value


def argument(owner: Any, name: str, position: int) -> Patch:
    """One argument of a function times the factor."""

    def patch(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
        true = getattr(owner, name)

        def wrong(*args: Any, **kwargs: Any) -> Any:
            return true(*args[:position], factor * args[position], *args[position + 1 :], **kwargs)

        monkeypatch.setattr(owner, name, wrong)

    return patch


def untrained_part_of_the_law(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    true = first_order.law_changes

    def wrong(task: Task, *args: Any) -> Iterator[tuple[np.ndarray, float]]:
        for change, bound in true(task, *args):
            yield np.concatenate([change[: task.trained_contexts], factor * change[task.trained_contexts :]]), bound

    monkeypatch.setattr(first_order, "law_changes", wrong)


def interpolation_weights(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    true = Kernels.__dict__["interpolation_weights"].func
    monkeypatch.setattr(Kernels, "interpolation_weights", property(lambda self: factor * true(self)))


def ascent_of(name: str) -> Patch:
    """What a step of the recursion adds along the negative gradient."""

    def patch(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
        true = getattr(descent, name)

        def wrong(*args: Any) -> Any:
            ascent = true(*args)

            def scaled_ascent(k: int, coordinates: np.ndarray) -> Any:
                where, block = ascent(k, coordinates)
                return where, factor * block

            return scaled_ascent

        monkeypatch.setattr(descent, name, wrong)

    return patch


def friction_of_the_recursion(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    monkeypatch.setattr(descent.DescentSettings, "friction", property(lambda self: factor * self.momentum))


def torch_loss(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    true = training._Stepper.step
    monkeypatch.setattr(training._Stepper, "step", lambda self, loss: true(self, factor * loss))


def row_recursion_step(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    true = sgd_rows.row_recursion
    monkeypatch.setattr(sgd_rows, "row_recursion", lambda m, rate, visits: true(m, factor * rate, visits))


def stiff_derivative(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    true = _NewtonSystem.derivative

    def wrong(self: _NewtonSystem, log_time: float, state: np.ndarray, out: np.ndarray) -> None:
        true(self, log_time, state, out)
        out *= factor

    monkeypatch.setattr(_NewtonSystem, "derivative", wrong)


@dataclass(frozen=True)
class Injection:
    """Where the error is, how it gets there, the stage that is run and the claim that must fail."""

    where: str
    patch: Patch
    stage: Stage
    claim: str


RATE, MOMENTUM, DECAY = 2, 3, 4  # positions in torch_optimizer
FLOW, ROWS = "flow-matches-closed-form-bilinear", "flow-matches-closed-form-transformer"
INJECTIONS = (
    Injection("logit flow", scaled(LogitFlow, "velocity"), bilinear, FLOW),
    Injection(
        "logit flow against descent",
        scaled(LogitFlow, "velocity"),
        steps_of("full-batch"),
        "extrapolated-descent-is-flow-full-batch",
    ),
    Injection(
        "logit flow against cyclic descent",
        scaled(LogitFlow, "velocity"),
        steps_of("cyclic"),
        "extrapolated-descent-is-flow-cyclic",
    ),
    Injection(
        "flow of momentum",
        scaled(inertial_flow, "inertial_velocity"),
        steps_of("momentum"),
        "extrapolated-descent-is-flow-momentum",
    ),
    Injection("stiff flow", stiff_derivative, lambda: [stiff_claim()], "stiff-flow-is-closed-form"),
    Injection("decoupled flow", scaled(RowPattern, "velocity"), transformer, ROWS),
    Injection("closed form from zero, value", scaled(decoupled, "logit_gap"), transformer, ROWS),
    Injection("closed form from zero, time", argument(decoupled, "logit_gap", 0), transformer, ROWS),
    Injection("closed form from any start, value", scaled(first_order, "rows_from_start"), bilinear, FLOW),
    Injection("closed form from any start, time", argument(first_order, "rows_from_start", 2), bilinear, FLOW),
    Injection("first-order law", scaled(first_order, "law_changes"), bilinear, FLOW),
    Injection(
        "first-order law of untrained rows",
        untrained_part_of_the_law,
        bilinear,
        "interpolation-law-prediction-bilinear",
    ),
    Injection(
        "weights of the interpolation law", interpolation_weights, bilinear, "interpolation-law-prediction-bilinear"
    ),
    Injection("recursion, full batch", ascent_of("_full_batch"), optimizer("gd"), "training-is-descent-gd"),
    Injection("recursion, bilinear", ascent_of("_one_example"), trained("bilinear"), "training-is-descent-bilinear"),
    Injection(
        "recursion, transformer", ascent_of("_one_example"), trained("transformer"), "training-is-descent-transformer"
    ),
    Injection(
        "recursion of momentum", friction_of_the_recursion, optimizer("momentum"), "training-is-descent-momentum"
    ),
    Injection(
        "recursion, what decay leaves of the start",
        scaled(descent, "initial_share"),
        optimizer("sgd with weight decay"),
        "training-is-descent-sgd-with-weight-decay",
    ),
    Injection("recursion of one row", row_recursion_step, rows, "training-is-descent-sgd-rows"),
    Injection("replay of Adam", argument(adam, "residual", 0), optimizer("adam"), "training-is-adam-small-task"),
    *(
        Injection(
            f"learning rate in torch, {name}", argument(training, "torch_optimizer", RATE), optimizer(name), claim
        )
        for name, claim in (
            ("gd", "training-is-descent-gd"),
            ("sgd", "training-is-descent-sgd"),
            ("momentum", "training-is-descent-momentum"),
            ("sgd with weight decay", "training-is-descent-sgd-with-weight-decay"),
            ("momentum with weight decay", "training-is-descent-momentum-with-weight-decay"),
            ("adam", "training-is-adam-small-task"),
        )
    ),
    Injection("gradient in torch, gd", torch_loss, optimizer("gd"), "training-is-descent-gd"),
    Injection("gradient in torch, sgd", torch_loss, trained("bilinear"), "training-is-descent-bilinear"),
    Injection(
        "momentum in torch",
        argument(training, "torch_optimizer", MOMENTUM),
        optimizer("momentum"),
        "training-is-descent-momentum",
    ),
    Injection(
        "weight decay in torch",
        argument(training, "torch_optimizer", DECAY),
        optimizer("sgd with weight decay"),
        "training-is-descent-sgd-with-weight-decay",
    ),
    Injection(
        "flow in any space",
        scaled(space_flow, "flow_velocity"),
        remedy(Choice(loss="squared")),
        "closed-form-squared-loss",
    ),
    Injection(
        "closed form of the squared loss",
        scaled(row_claims, "squared_loss_states"),
        remedy(Choice(loss="squared")),
        "closed-form-squared-loss",
    ),
)


@pytest.mark.parametrize("factor", [1.001, 0.999])
@pytest.mark.parametrize("injection", INJECTIONS, ids=lambda injection: injection.where)
def test_an_error_of_a_thousandth_fails(injection: Injection, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim about what is 0.1% too large or too small is called `fails`."""
    injection.patch(monkeypatch, factor)
    verdicts = {claim.id: claim.verdict for claim in injection.stage()}
    assert verdicts[injection.claim] == "fails", verdicts


def stages() -> dict[str, Stage]:
    """Every stage that an injection runs, once."""
    return {injection.claim: injection.stage for injection in INJECTIONS}


@pytest.mark.parametrize("claim", stages())
def test_without_an_error_every_claim_holds(claim: str) -> None:
    """The same stages without an error: the claim holds, and no other one fails or stays undecided."""
    verdicts = {found.id: found.verdict for found in stages()[claim]()}
    assert verdicts[claim] == "holds"
    assert set(verdicts.values()) <= {"holds", "not applicable"}, verdicts

"""Theory's prediction at the asked dimension: closed form and integrated flow of each model, set against each other."""

import numpy as np

from numerics.decoupled import closed_form, decoupled_flow
from numerics.error_bound import logit_error
from numerics.first_order import first_order_law
from numerics.flow import integrate_flow
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.law_error import law_loss_error
from numerics.trajectory import Trajectory, log_spaced_times
from theory.claim import Claim, ClaimText
from theory.task import Task
from validation.compare import (
    EPSILON,
    FROM_ZERO,
    ONE_TOKEN,
    PROJECT,
    check_closed_form,
    check_order,
    closed_form_text,
    judge,
)
from validation.result import SeededTrajectory
from validation.settings import VerifySettings

POINTS = 60

# Dimensions over which the order of the first-order law's error is fitted, and the largest deviation from -1: at the
# smallest of them the next order, a factor 1/sqrt(d), is below 0.05, and every draw uses the same normal deviates.
FITTED_DIMENSIONS = (1e4, 1e5, 1e6, 1e7)
ORDER_WINDOW = 0.1


def prediction_times(settings: VerifySettings) -> np.ndarray:
    """Zero and 60 times up to the asked one, evenly spaced in the logarithm from 1e-2 (or a tenth of the last)."""
    assert settings.time is not None
    return log_spaced_times(settings.time, POINTS, min(1e-2, settings.time / 10))


def predict_transformer(task: Task, settings: VerifySettings) -> tuple[list[SeededTrajectory], list[Claim]]:
    """Closed form and flow of the one-layer transformer; every seed is alike, as it starts from zero."""
    time = prediction_times(settings)
    if not task.one_token_contexts:
        # fixed uniform attention: contexts share features, rows are coupled and have no closed form
        start = np.zeros((len(task.contexts), task.vocabulary_size))
        flow = integrate_flow(task, Gram.identity(task.vocabulary_size), start, time, byte_limit=np.inf)
        return [_alone(task, flow, settings)], [no_closed_form("transformer", task)]
    exact, flow = closed_form(task, time), decoupled_flow(task, time)
    error = flow.error_bound.parameters if flow.error_bound is not None else np.zeros(len(time))
    if exact.error_bound is not None:
        error = error + exact.error_bound.parameters
    # -log p moves by at most twice the error of its logits; the rest is rounding of a loss of at most log m
    bound = 2.0 * error + 64 * EPSILON * np.log(task.vocabulary_size)
    claim = check_closed_form(flow, exact, bound, "bound: twice the flow's error bound, and rounding")
    return [_alone(task, exact, settings), _alone(task, flow, settings)], [claim]


def predict_bilinear(task: Task, settings: VerifySettings) -> tuple[list[SeededTrajectory], list[Claim]]:
    """First-order law and flow of the bilinear model at the asked dimension, on one draw of the Gram matrix."""
    time = prediction_times(settings)
    gram, start = draw_instance(task, settings.dimension, settings.init_scale, settings.seed)
    flow = integrate_flow(task, gram, start, time, byte_limit=np.inf)
    if not task.one_token_contexts:
        return [_alone(task, flow, settings)], [no_closed_form("bilinear", task)]
    law = first_order_law(task, gram, start, time)
    assert flow.error_bound is not None
    lipschitz = float(logit_error(Kernels(task, gram), 1.0)[: task.trained_contexts].max())
    bound = law_loss_error(task, gram, start, time) + 2.0 * lipschitz * flow.error_bound.parameters
    claim = check_closed_form(
        flow,
        law,
        bound + 64 * EPSILON * np.log(task.vocabulary_size),
        "bound: integral of the defect of the decoupled rows, and the flow's own error bound",
    )
    return [_alone(task, law, settings), _alone(task, flow, settings)], [claim]


def draw_instance(task: Task, dimension: float, init_scale: float, seed: int) -> tuple[Gram, np.ndarray]:
    """A Gram matrix of the asked dimension and initial logits (contexts, m), from one seed."""
    rng = np.random.default_rng([seed, 1])
    gram = Gram.draw(task.vocabulary_size, dimension, rng)
    return gram, gram.initial_logits(task.features, init_scale, rng)


def first_order_errors(small: Task, seed: int) -> list[float]:
    """Error of the law's reversal loss at zero start and t = 10 N by dimension, root mean square over four draws."""
    time = np.array([0.0, 10.0 * small.trained_contexts])
    errors = []
    for dimension in FITTED_DIMENSIONS:
        squares = []
        for draw in range(4):
            gram, start = draw_instance(small, dimension, 0.0, seed + draw)
            flow, law = integrate_flow(small, gram, start, time), first_order_law(small, gram, start, time)
            squares.append((flow.reversal_loss[-1] - law.reversal_loss[-1]) ** 2)
        errors.append(float(np.sqrt(np.mean(squares))))
    return errors


LAW_ORDER = ClaimText(
    "first-order-law-order",
    "The first-order law's reversal loss errs like 1/d",
    r"|L_{\text{rev}}^{\text{law}} - L_{\text{rev}}^{\text{flow}}| = O(1/d)",
    PROJECT,
    (FROM_ZERO, ONE_TOKEN, "the context of every query is untrained", "embeddings are Gaussian, as in the paper"),
)


def check_first_order(errors: list[float], expected: float = -1.0) -> Claim:
    """The fitted order in d of the law's error over four decades of dimension."""
    return check_order(LAW_ORDER, FITTED_DIMENSIONS, errors, expected, ORDER_WINDOW)


def first_order_claim(small: Task, seed: int) -> Claim:
    """The order of the law's error on a small task, where its assumptions hold: every query's context is untrained."""
    trained = sum(query.context < small.trained_contexts for query in small.queries)
    if trained or not small.one_token_contexts:
        reason = (
            f"{trained} queries ask trained contexts, whose own rows gain coherence of order 1/sqrt(d) "
            "that the law leaves out"
            if trained
            else "contexts of several tokens share features: no decoupled rows to start from"
        )
        return LAW_ORDER.not_applicable(reason)
    return check_first_order(first_order_errors(small, seed))


BOUNDED_DIMENSION = 1e4

ERROR_BOUND = ClaimText(
    "flow-error-bound",
    "The integrated flow is within its error bound",
    r"|\Theta_{\text{computed}}(t) - \Theta(t)|_F \le \int_0^t |\text{defect}|_F",
    "this project; convexity of the cross-entropy",
    ("a run at relative tolerance 1e-12, with its own bound, stands for the true flow",),
)


def integrated(small: Task, seed: int, relative_tolerance: float, certified: bool) -> tuple[Trajectory, float]:
    """A small flow to t = 10 N at dimension 1e4, and how far its error bound lets any logit be from the true one."""
    gram, start = draw_instance(small, BOUNDED_DIMENSION, 0.1, seed)
    time = np.array([0.0, 1.0, 10.0 * small.trained_contexts])
    flow = integrate_flow(small, gram, start, time, relative_tolerance=relative_tolerance, certified=certified)
    assert flow.error_bound is not None
    error = float(flow.error_bound.parameters[-1])
    return flow, float(logit_error(Kernels(small, gram), error).max())


def error_bound_claim(small: Task, seed: int, relative_tolerance: float = 1e-9) -> Claim:
    """The flow's own error bound, in balls where every context has one target, holds against a much tighter run.

    `relative_tolerance` is that of the run that is measured; the bound is that of the run at 1e-9.
    """
    bounded, bound = integrated(small, seed, 1e-9, certified=small.single_target)
    reference, reference_bound = integrated(small, seed, 1e-12, certified=False)
    measured = bounded if relative_tolerance == 1e-9 else integrated(small, seed, relative_tolerance, False)[0]
    assert bounded.error_bound is not None
    assert measured.logits is not None
    assert reference.logits is not None
    return judge(
        ERROR_BOUND,
        float(np.abs(measured.logits - reference.logits).max()),
        bound + reference_bound,
        f"{len(small.train_context)} pairs, d = {BOUNDED_DIMENSION:g}, t = {bounded.time[-1]:g}; measured: "
        "logits against a run at relative tolerance 1e-12; bound on them from the defect of the run at 1e-9"
        + (", enclosed in balls" if bounded.error_bound.evidence == "certified" else ""),
        evidence=bounded.error_bound.evidence,
    )


def no_closed_form(model: str, task: Task) -> Claim:
    """Contexts of several tokens share features, so rows are coupled at any dimension."""
    several = sum(len(c) > 1 for c in task.contexts)
    return closed_form_text(model).not_applicable(
        f"{several} contexts of several tokens share features: their rows are coupled and have no closed form"
    )


def _alone(task: Task, trajectory: Trajectory, settings: VerifySettings) -> SeededTrajectory:
    return SeededTrajectory(task, (settings.seed,), (trajectory,))

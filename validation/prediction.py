"""Theory's prediction at the asked dimension: closed form and integrated flow of each model, set against each other."""

import numpy as np

from numerics.decoupled import closed_form, decoupled_flow, row_patterns
from numerics.error_bound import logit_error
from numerics.first_order import closed_form_rows, first_order_law, law_and_reading
from numerics.flow import integrate_flow
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.law_error import largest_stretch, loss_slope, reading_error
from numerics.trajectory import Trajectory, log_spaced_times
from theory.claim import Claim, ClaimText
from theory.counting import count_of
from theory.task import Task
from validation.compare import (
    EPSILON,
    FROM_ZERO,
    IN_SPAN,
    ONE_TOKEN,
    PROJECT,
    check_closed_form,
    check_interpolation,
    check_order,
    closed_form_text,
    interpolation_residual,
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
    assert flow.error_bound is not None
    patterns, pattern_of = row_patterns(task)
    closed = np.array([pattern.equal for pattern in patterns])[pattern_of]
    error = flow.error_bound.parameters
    if exact.error_bound is not None:
        error = error + exact.error_bound.parameters
    bound = loss_error(task, flow, exact, error)
    claim = check_closed_form(flow, exact, bound, f"{rows_in_words(closed)}; bound: from the flow's own error bound")
    return [_alone(task, exact, settings), _alone(task, flow, settings)], [claim]


def predict_bilinear(task: Task, settings: VerifySettings) -> tuple[list[SeededTrajectory], list[Claim]]:
    """First-order law and flow of the bilinear model at the asked dimension, on one draw of the Gram matrix."""
    time = prediction_times(settings)
    gram, start = draw_instance(task, settings.dimension, settings.init_scale, settings.seed)
    flow = integrate_flow(task, gram, start, time, byte_limit=np.inf)
    if not task.one_token_contexts:
        return [_alone(task, flow, settings)], [no_closed_form("bilinear", task)]
    law, reading = law_and_reading(task, gram, start, time)
    assert flow.error_bound is not None
    stretch = largest_stretch(Kernels(task, gram))
    error = reading_error(task, gram, start, time) + stretch * flow.error_bound.parameters
    if reading.error_bound is not None:
        error += stretch**2 * reading.error_bound.parameters
    claim = check_closed_form(
        flow,
        reading,
        loss_error(task, flow, reading, error),
        f"{rows_in_words(closed_form_rows(task, start))}, read at the asked embeddings; bound: from the integral of "
        "their defect and the flow's own error bound",
    )
    claims = [claim]
    if len(task.contexts) > task.trained_contexts:
        claims.append(interpolation_claim(Kernels(task, gram), start, flow, law))
    return [_alone(task, law, settings), _alone(task, flow, settings)], claims


def interpolation_claim(kernels: Kernels, start: np.ndarray, flow: Trajectory, law: Trajectory) -> Claim:
    """The interpolation law at the last time of the integrated flow and of the first-order law."""
    logits = [t.logits for t in (flow, law) if t.logits is not None]
    residual = interpolation_residual(kernels, start, np.stack(logits))
    # a logit is a sum over N contexts and m tokens
    terms = kernels.task.trained_contexts + kernels.task.vocabulary_size
    size = max(float(np.abs(s - start).max()) for s in logits) + float(np.abs(start).max())
    longest = 1.0 + float(np.max(np.diag(kernels.gram.excess), initial=0.0))
    tolerance = 4 * EPSILON * terms * kernels.amplification * longest**2 * max(size, 1.0)
    return check_interpolation(PREDICTED_INTERPOLATION, residual, tolerance)


PREDICTED_INTERPOLATION = ClaimText(
    "interpolation-law-prediction-bilinear",
    "Interpolation law along the integrated flow and in the first-order law (bilinear)",
    r"S_q(t) - w_q^{\top} S_A(t) = S_q(0) - w_q^{\top} S_A(0)",
    PROJECT,
    (IN_SPAN, ONE_TOKEN),
)


def loss_error(task: Task, flow: Trajectory, rows: Trajectory, logit_error: np.ndarray) -> np.ndarray:
    """How far the two losses may lie apart at each time, (T,), where |S_A - S_A'|_F is within `logit_error` (T,).

    The loss is convex in the logits: it differs by at most its larger slope times their distance. The rest is rounding.
    """
    slope = np.maximum(loss_slope(task, flow), loss_slope(task, rows))
    return slope * logit_error + 64 * EPSILON * max(np.log(task.vocabulary_size), float(flow.loss.max()))


def rows_in_words(closed: np.ndarray) -> str:
    """How the decoupled rows were found, which have a closed form where `closed` (N,) says so."""
    integrated = int((~closed).sum())
    if not integrated:
        return f"all {count_of(len(closed), 'row')} are closed forms"
    return (
        f"{len(closed) - integrated} of {count_of(len(closed), 'row')} are closed forms; {integrated} of several "
        "targets have none and were integrated at G = I"
    )


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
            f"{count_of(trained, 'query asks', 'queries ask')} trained contexts, whose own rows gain coherence of "
            "order 1/sqrt(d) that the law leaves out"
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
        f"{count_of(len(small.train_context), 'pair')}, d = {BOUNDED_DIMENSION:g}, t = {bounded.time[-1]:g}; measured: "
        "logits against a run at relative tolerance 1e-12; bound on them from the defect of the run at 1e-9"
        + (", enclosed in balls" if bounded.error_bound.evidence == "certified" else ""),
        evidence=bounded.error_bound.evidence,
    )


def no_closed_form(model: str, task: Task) -> Claim:
    """Contexts of several tokens share features, so rows are coupled at any dimension."""
    several = sum(len(c) > 1 for c in task.contexts)
    return closed_form_text(model).not_applicable(
        f"{count_of(several, 'context of several tokens shares', 'contexts of several tokens share')} features: their "
        "rows are coupled and have no closed form"
    )


def _alone(task: Task, trajectory: Trajectory, settings: VerifySettings) -> SeededTrajectory:
    return SeededTrajectory(task, (settings.seed,), (trajectory,))

"""The claims about one real run: against recursion and flow, interpolation law, asymmetry, intransitivity, floor."""

from collections.abc import Callable

import numpy as np

from numerics.descent import initial_share
from numerics.kernels import Kernels
from theory.claim import Claim
from theory.counting import count_of
from validation.compare import (
    EPSILON,
    asymmetry_text,
    check_asymmetry,
    check_descent,
    check_flow_distance,
    check_forward,
    check_interpolation,
    check_intransitivity,
    check_loss_floor,
    check_unseen,
    descent_text,
    flow_distance_text,
    forward_text,
    interpolation_residual,
    interpolation_text,
    intransitivity_moves,
    intransitivity_text,
    judge_broken,
    reverse_moves,
    row_centred,
    unseen_text,
)
from validation.real_runs import RealRun, descent_settings, final_logits
from validation.replay import adam_claim, too_large_steps

WHOLE_RUN = "whole run"  # the run of the asked settings, beside the small ones of other claims

# What moved and how far it may: (kernels, change of the logits, rounding) -> one entry per held-out answer each.
Moves = Callable[[Kernels, np.ndarray, float], tuple[np.ndarray, np.ndarray]]


def claims_of(real: RealRun) -> list[Claim]:
    """Every claim about one real run: against recursion and flow, interpolation law, asymmetry, intransitivity."""
    gains = np.stack([t.trained_logit_change[-1] for t in real.training.trajectories])
    claims = [_forward(real, gains), *_against_theory(real), *_interpolation(real)]
    claims += _reverse(real, float(gains.mean()), real.rounding(solved=True))
    claims.append(check_loss_floor(real.task, real.training.trajectories, real.rounding()))
    return [*claims, *_unseen(real)]


def _forward(real: RealRun, gains: np.ndarray) -> Claim:
    """Growth is promised to single targets that their visits gave time, f_a t >= 1, where embeddings hardly overlap."""
    task, dimension = real.task, real.instances.network.dimension
    visited = real.visited_time()  # (S, K)
    promised = np.broadcast_to((task.target_count == 1)[task.train_context], visited.shape)
    if real.settings.optimizer not in ("adam", "adamw"):  # whose steps are no flow time
        promised = promised & (visited >= 1.0 - 64 * EPSILON)
    reason = None
    if dimension is not None and dimension < 4 * task.trained_contexts:
        reason = f"dimension {dimension} is below 4 N = {4 * task.trained_contexts}: the embeddings overlap"
    elif not promised.any():
        reason = "no context has a single target and was visited for f_a t >= 1"
    if reason is None:
        return check_forward(gains[promised], real.model, int((~promised).sum()), int((visited == 0).sum()))
    measured = f"measured: smallest gain {gains.min():.3g}, mean {gains.mean():.3g}"
    return forward_text(real.model).not_applicable(f"{reason}; {measured}")


def _unseen(real: RealRun) -> list[Claim]:
    """p <= 1/M at every step for never-trained pairs of the one-layer transformer; Adam is not covered."""
    if real.model != "transformer":
        return []
    what = f"{real.settings.optimizer}, {count_of(real.settings.steps, 'step')}, all seeds and every unseen pair"
    if real.settings.optimizer in ("adam", "adamw") or not real.task.one_token_contexts:
        reason = "Adam's steps" if real.task.one_token_contexts else "rows of Y shared by contexts of several tokens"
        largest = f"measured: {real.training.unseen_maximum():.3g}"
        return [unseen_text(WHOLE_RUN).not_applicable(f"{reason} are not covered by the argument; {largest}")]
    return [check_unseen(real.training.unseen_maximum(), real.task.vocabulary_size, WHOLE_RUN, what)]


def _against_theory(real: RealRun) -> list[Claim]:
    """Training against an exact replay of its steps, and against the flow that they discretise."""
    steps, seeds = count_of(real.settings.steps, "step"), count_of(len(real.instances.seeds), "seed")
    what = f"{real.settings.optimizer}, {steps}, {seeds}"
    if real.descent is None or real.followed is None or real.halved is None:
        reason = f"{real.settings.optimizer} leaves the span of gradients: its steps are no recursion in logit space"
        claims = [descent_text(real.model).not_applicable(reason)]
        if real.adam is not None:
            claims.append(adam_claim(real.adam, real.settings, real.training.final_logits, real.kernels, real.model))
        return claims
    trained = real.training.final_logits
    descended, halved, flowed = (final_logits(some) for some in (real.descent, real.halved, real.followed))
    large = too_large_steps(real.settings, real.kernels)
    if large is None:
        same = check_descent(
            trained, descended, real.rounding(), descent_text(real.model), f"{what}, logits of every context"
        )
    else:
        same = descent_text(real.model).not_applicable(
            f"{large}; measured: logits differ by {float(np.max(np.abs(trained - descended))):.3g}"
        )
    distance = float(np.max(np.abs(trained - flowed)))
    gap = max(
        float(np.max(np.abs(a.loss - b.loss))) for a, b in zip(real.training.trajectories, real.followed, strict=True)
    )
    which = "the flow of momentum" if real.settings.optimizer == "momentum" else "the gradient flow"
    measured = f"{which} at t = {real.training.time[-1]:g}; largest gap of the loss over time {gap:.3g}"
    halving = float(np.max(np.abs(descended - halved)))
    moved = float(np.max(np.abs(flowed - real.training.initial_logits)))
    doubt = None
    if real.settings.batch == "one" and real.settings.order == "replacement":
        # the half step draws another sample: the two runs differ by noise of order one half, which bounds nothing
        doubt = "pairs sampled with replacement follow it to order one half"
    elif halving > 0.25 * moved:
        doubt = f"halving the step moves logits by {halving:.3g} of {moved:.3g}: too large a step to speak of an order"
    if doubt is not None:
        reason = f"{doubt}; {what}; distance {distance:.3g} from {measured}"
        return [same, flow_distance_text(real.model).not_applicable(reason)]
    detail = f"{what}; logits, against {measured}; bound: from the same recursion at half the step size"
    return [same, check_flow_distance(distance, halving, real.rounding(), real.model, detail)]


def _interpolation(real: RealRun) -> list[Claim]:
    """The law at the end of the run, or its visible breaking under Adam; trivial where every context is trained."""
    if len(real.task.contexts) == real.task.trained_contexts:
        return []
    name, tolerance = real.settings.optimizer, real.rounding(solved=True)
    remaining = 1.0
    if real.descent is not None:
        remaining = float(initial_share(descent_settings(real.settings, 0), real.settings.steps)[-1])
    residual = max(
        interpolation_residual(k, s0, s[None], remaining)
        for k, s0, s in zip(real.kernels, real.training.initial_logits, real.training.final_logits, strict=True)
    )
    if name in ("adam", "adamw"):
        # token space: the rows of Y do not overlap, so Adam leaves untrained rows alone like any other optimiser
        if real.instances.network.dimension is None:
            return []
        return [judge_broken(f"{name}, {WHOLE_RUN}", residual, tolerance, real.model, real.kernels)]
    return [check_interpolation(interpolation_text(f"{name}, {WHOLE_RUN}", real.model), residual, tolerance)]


def _reverse(real: RealRun, forward: float, rounding: float) -> list[Claim]:
    """Asymmetry for queries of untrained contexts, intransitivity for queries of trained ones."""
    change = real.training.final_logits - real.training.initial_logits
    trained = real.task.trained_contexts
    claims = []
    if real.settings.optimizer in ("adam", "adamw") and real.instances.network.dimension is not None:
        reason = f"{real.settings.optimizer} leaves the span of gradients, so the interpolation law bounds nothing"
        moved = [np.abs(row_centred(c)[q.context, list(q.answers)]).max() for c in change for q in real.task.queries]
        measured = f"; measured: answers of queries moved by {np.mean(moved):.3g} on average" if moved else ""
        return [asymmetry_text(real.model).not_applicable(reason + measured)]
    if any(q.context >= trained for q in real.task.queries):
        moves, bounds = _over_seeds(reverse_moves, real, change, rounding)
        claims.append(check_asymmetry(moves, bounds, forward, real.model))
    if any(q.context < trained for q in real.task.queries):
        singular = _singular(real)
        if singular is not None:
            reason = f"{singular}, so what each statement contributed cannot be told from the logits"
            claims.append(intransitivity_text(real.model).not_applicable(reason))
        else:
            moves, bounds = _over_seeds(intransitivity_moves, real, change, rounding)
            claims.append(check_intransitivity(moves, bounds, real.model))
    return claims


def _singular(real: RealRun) -> str | None:
    """Why the coordinates C cannot be recovered from the logits' change K_AA C K_out, or None."""
    dimension = real.instances.network.dimension
    if dimension is not None and dimension < real.task.vocabulary_size:
        return f"the Gram matrix is singular: dimension {dimension} < vocabulary {real.task.vocabulary_size}"
    if not np.isfinite([k.condition_number for k in real.kernels]).all():
        return "features of the trained contexts depend linearly on each other"
    return None


def _over_seeds(moves_of: Moves, real: RealRun, change: np.ndarray, rounding: float) -> tuple[np.ndarray, np.ndarray]:
    pairs = [moves_of(k, c, rounding) for k, c in zip(real.kernels, change, strict=True)]
    return np.concatenate([m for m, _ in pairs]), np.concatenate([b for _, b in pairs])

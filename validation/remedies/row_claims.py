"""Every claim about one choice, from its trained instances: what is compared with what, and where a claim applies."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from numerics.asked_embedding import NEAR_ZERO
from numerics.balance import balance_drift
from numerics.descent import initial_share
from numerics.parameter_space import EmbeddingSpace, FactorisedSpace, FreeSpace, ParameterSpace, SymmetricSpace
from numerics.space_flow import RELATIVE_TOLERANCE, flow_states
from numerics.squared_loss import squared_loss_states
from theory.claim import Claim
from validation.compare import EPSILON, interpolation_residual, rounding_tolerance
from validation.parameter_networks import EmbeddingNetwork, FactorisedNetwork
from validation.real_runs import descent_settings
from validation.remedies import claims
from validation.remedies.result import Row
from validation.remedies.trained import Trained

SMALL_START = 0.1  # of two factors: from larger ones they learn much as a merged Theta does
UNTRAINED_ROWS = ("free", "factorised", "trained-embeddings")  # where an asked row moves by couplings alone
PERTURBATION = 1e-8  # relative: far above rounding, far below what bends the recursion
MOST_EXPANSION = 1e5  # of a distance of 1e-8: above it what becomes of rounding is no multiple of it any more


def claims_of(trained: Trained, row: Row) -> Iterator[Claim]:
    """The claims that theory makes of the choice, each where it applies."""
    choice, slug, label = row.choice, row.choice.slug, row.choice.label
    if choice.gradient_steps:
        expansion = expansion_of(trained)
        tolerance = rounding(trained, expansion)
        recursion = np.stack([trained.recursion_logits(n) for n in range(len(trained.spaces))])
        claim = claims.check_recursion(trained.final, recursion, tolerance, slug, label)
        settled = expansion <= MOST_EXPANSION
        yield claim if settled else _not_applicable(claim, UNSETTLED.format(expansion=expansion))
        if choice.parameters == "free" and len(trained.task.contexts) > trained.task.trained_contexts:
            yield _law_claim(trained, slug, label)
        if choice.parameters == "symmetric" and choice.context == "entity":
            yield from _reverse_claim(trained, tolerance, slug)
        if trained.balance_before is not None and choice.optimizer == "gd" and not choice.weight_decay:
            claim = _balance_claim(trained, tolerance, slug, label)
            yield claim if settled else _not_applicable(claim, UNSETTLED.format(expansion=expansion))
        if choice.data == "implication" and choice.loss == "cross-entropy":
            yield from _implication_claims(trained, tolerance, slug)
    if choice.closed_form:
        yield _closed_form_claim(trained, slug)
    law = row.prediction if row.prediction is not None and row.prediction.source == "law" else None
    taught = np.array([q.taught for q in trained.variant.asked])
    if law is not None:
        untaught = row.index if row.untaught is None else row.untaught
        count = int((~taught).sum()) * len(trained.seeds)
        yield claims.check_prediction(untaught.mean, law.low, law.high, slug, label, count)
    # a symmetric Theta lifts the others too, one table may, and a shared relation token gives every row a part
    lifted_anyway = law is not None and law.high >= 0.5  # so few dimensions that the law lets any row move so far
    untouched = choice.parameters in UNTRAINED_ROWS and choice.context == "entity" and not lifted_anyway
    if choice.data == "reversed-copies" and untouched and float(np.abs(trained.initial).max()) <= NEAR_ZERO:
        indices = np.array([g.answer / g.premise for g in trained.gains()])
        yield claims.check_copies(indices[:, taught], indices[:, ~taught], slug)


UNSETTLED = (
    "two starts a relative 1e-8 apart end {expansion:.0e} times further apart, so rounding decides where this ends: "
    "its steps are too large"
)


def _not_applicable(claim: Claim, reason: str) -> Claim:
    return replace(claim, verdict="not applicable", detail=reason)


# -- rounding --
def rounding(trained: Trained, expansion: float = 1.0) -> float:
    """How far training and recursion may lie apart in double precision, where distances grow by `expansion`.

    Rounding adds up as in `rounding_tolerance`, at the size that logits have at the end.
    """
    size, dimension = float(np.abs(trained.final).max()), float(trained.network.dimension)
    return expansion * rounding_tolerance(trained.schedule.steps, dimension, trained.kernels, size)


def expansion_of(trained: Trained) -> float:
    """How many times further apart the first seed ends when its start is moved by a relative 1e-8; at least one.

    Descent on a convex loss with small steps expands no distance, in a product of matrices it does.
    """
    moved = _moved(trained.spaces[0], np.random.default_rng([trained.seeds[0], 7]))
    near, far = trained.recursion_logits(0), trained.recursion_logits(0, moved)
    grown = float(np.abs(far - near).max()) / (PERTURBATION * max(float(np.abs(near).max()), 1.0))
    return max(1.0, grown) if np.isfinite(grown) else np.inf


def _moved(space: ParameterSpace, rng: np.random.Generator) -> ParameterSpace:
    """The space with a start of which every entry is moved by a relative 1e-8."""

    def nudge(x: np.ndarray) -> np.ndarray:
        return x * (1.0 + PERTURBATION * rng.choice([-1.0, 1.0], size=x.shape))

    match space:
        case FreeSpace() | SymmetricSpace():
            return replace(space, initial_logits=nudge(space.initial_logits))
        case FactorisedSpace():
            return replace(
                space, initial_contexts=nudge(space.initial_contexts), initial_tokens=nudge(space.initial_tokens)
            )
        case EmbeddingSpace():
            return replace(space, embeddings=nudge(space.embeddings), theta=nudge(space.theta))
    raise TypeError(f"no start of {type(space).__name__} is known")


# -- one claim each --
def _law_claim(trained: Trained, slug: str, label: str) -> Claim:
    share = initial_share(descent_settings(trained.schedule, 0), trained.schedule.steps)[[-1]]
    residual = max(
        interpolation_residual(k, start, end[None], share)
        for k, start, end in zip(trained.kernels, trained.initial, trained.final, strict=True)
    )
    size, dimension = float(np.abs(trained.final).max()), float(trained.network.dimension)
    solved = rounding_tolerance(trained.schedule.steps, dimension, trained.kernels, size, solved=True)
    return claims.check_law(residual, solved, slug, label)


def _reverse_claim(trained: Trained, tolerance: float, slug: str) -> Iterator[Claim]:
    """Of true reversals alone: a question whose own fact was cut away may follow from a chain."""
    asked = trained.variant.asked
    back = np.array([all(b == trained.task.contexts[q.context][0] for _, b in q.premises) for q in asked])
    if back.any():
        found = trained.gains()
        forward = np.array([g.premise_logit[back] for g in found])
        indices = np.array([g.logit[back] for g in found]) / forward
        yield claims.check_symmetric(indices, 2 * tolerance / float(np.abs(forward).min()), slug)


def _balance_claim(trained: Trained, tolerance: float, slug: str, label: str) -> Claim:
    """The balance of every seed after training less that before, against the squares of its steps."""
    assert trained.balance_before is not None
    assert trained.balance_after is not None
    assert isinstance(trained.network, FactorisedNetwork | EmbeddingNetwork)
    steps, loss = trained.schedule.steps, trained.schedule.loss
    predicted = np.stack(
        [
            balance_drift(space, loss, descent_settings(trained.schedule, seed), steps)
            for space, seed in zip(trained.spaces, trained.seeds, strict=True)
        ]
    )
    # entries of X^T X and X X^T are sums of squares of entries of X: rounding of X counts twice
    size = max(float((x**2).sum(axis=axis).max()) for x in trained.network.factors() for axis in (-1, -2))
    drift = trained.balance_after - trained.balance_before
    return claims.check_balance(drift, predicted, 2.0 * tolerance * max(size, 1.0), slug, label)


def _closed_form_claim(trained: Trained, slug: str) -> Claim:
    space = trained.spaces[0]
    assert isinstance(space, FreeSpace)
    time = np.array([trained.end])
    exact = next(squared_loss_states(space, time))[0]
    loose, tight = (
        next(flow_states(space, "squared", time, tolerance=tolerance))[0]
        for tolerance in (RELATIVE_TOLERANCE, RELATIVE_TOLERANCE / 100)
    )
    bound = float(np.abs(loose - tight).max()) + 64 * EPSILON * float(np.abs(exact).max())
    return claims.check_closed_form(float(np.abs(exact - tight).max()), bound, slug)


def _implication_claims(trained: Trained, tolerance: float, slug: str) -> Iterator[Claim]:
    """The margin of the right implication over all others: factors are to learn it, a merged Theta is not."""
    choice = trained.choice
    margin = implication_margins(trained)
    implied = len({x for q in trained.variant.asked for x in q.answers})
    if choice.parameters == "factorised":
        claim = claims.check_implication(margin, True, 0.0, slug)
        narrow = choice.width is not None and choice.width < implied
        if choice.scale > SMALL_START or narrow:
            why = f"a start of at most {SMALL_START:g} and a width of at least {implied}, one for each implication"
            claim = _not_applicable(claim, f"factors learn implications from {why}")
        yield claim
    if choice.parameters == "free" and choice.embeddings == "orthonormal":
        start = max(_start_norm(trained, logits) for logits in trained.initial)
        claim = claims.check_implication(margin, False, np.sqrt(2.0) * start + 2 * tolerance, slug)
        how = trained.schedule
        largest = trained.kernels[0].nonexpansive_step(how.batch == "full")
        if how.optimizer == "momentum" or how.learning_rate * (1 / largest + how.weight_decay / 2) > 1:
            claim = _not_applicable(claim, f"only steps without momentum up to {largest:.3g} expand no distance")
        yield claim


def implication_margins(trained: Trained) -> np.ndarray:
    """The logit of the right implication less the largest of the others, for every seed and question."""
    asked = trained.variant.asked
    implied = sorted({x for q in asked for x in q.answers})
    return np.array(
        [
            logits[q.context, list(q.answers)].max()
            - logits[q.context, [x for x in implied if x not in q.answers]].max()
            for logits in trained.final
            for q in asked
        ]
    )


def _start_norm(trained: Trained, initial_logits: np.ndarray) -> float:
    """|P Theta(0)|_F, P the projection on the features of all contexts: what of the start their logits can see.

    From zero every implication has one logit by the symmetry of the task, and descent on a convex loss moves no two
    solutions apart; a difference of two logits of a row is at most sqrt(2) times that distance.
    """
    return float(np.linalg.norm(np.linalg.pinv(trained.task.features.toarray()) @ initial_logits))

"""Every claim about one choice, from its trained instances: what is compared with what, and where a claim applies."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from numerics.balance import balance_drift
from numerics.descent import initial_share
from numerics.parameter_space import EmbeddingSpace, FactorisedSpace, FreeSpace, ParameterSpace, SymmetricSpace
from numerics.squared_loss import integrated_squared_loss, squared_loss_states
from theory.claim import Claim
from validation.compare import VISIBLY_OUTSIDE, interpolation_residual, rounding_tolerance
from validation.parameter_networks import EmbeddingNetwork, FactorisedNetwork
from validation.real_runs import descent_settings
from validation.remedies import claims
from validation.remedies.result import Prediction, Row
from validation.remedies.trained import Trained

GAUSSIAN_MEAN = 10  # questions and seeds from which on their mean is near enough to Gaussian: measured, see the tests
SPARE_WIDTH = 2  # columns for each implication: measured, at one for each some seeds answer with another one
SMALL_START = 0.1  # of two factors: from larger ones they learn much as a merged Theta does
PERTURBATION = 1e-8  # relative: far above rounding, far below what bends the recursion
CLOSED_FORM_TOLERANCE = 1e-10  # of the solver that the closed form is held against: its errors are far above rounding
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
        yield claim if settled else claim.not_applicable(UNSETTLED.format(expansion=expansion))
        if choice.parameters == "free" and len(trained.task.contexts) > trained.task.trained_contexts:
            yield _law_claim(trained, slug, label)
        if choice.parameters == "symmetric" and choice.context == "entity":
            yield from _reverse_claim(trained, slug)
        if trained.balance_before is not None and choice.optimizer == "gd" and not choice.weight_decay:
            claim = _balance_claim(trained, tolerance, slug, label)
            yield claim if settled else claim.not_applicable(UNSETTLED.format(expansion=expansion))
        if choice.data == "implication" and choice.loss == "cross-entropy":
            yield from _implication_claims(trained, row, tolerance)
    if choice.closed_form:
        yield _closed_form_claim(trained, slug)
    if row.prediction is not None and row.prediction.source == "law":
        yield from _law_of_the_index_claims(trained, row, row.prediction)


UNSETTLED = (
    "two starts a relative 1e-8 apart end {expansion:.0e} times further apart, so rounding decides where this ends: "
    "its steps are too large"
)


SPANNED = (
    "every untrained feature lies in the span of the trained ones (within {outside:.1e}): there the law is an "
    "identity, which any training obeys"
)
UNLEARNT = "the trained pairs were not learnt, so nothing can follow from them: train for longer"
FEW_DIMENSIONS = (
    "the law lets the index be anything from {low:.3g} to {high:.3g}, which cannot tell cursed from lifted: raise "
    "--dimension, or --seeds"
)
FEW_QUESTIONS = (
    "the interval takes the mean over questions and seeds for Gaussian; {count} are too few for that, {least} would do"
)


# -- rounding --
def rounding(trained: Trained, expansion: float = 1.0, *, steps: int | None = None, solved: bool = False) -> float:
    """How far training and recursion may lie apart in double precision, where distances grow by `expansion`.

    Rounding adds up as in `rounding_tolerance`, at the size that logits have at the end, over all `steps` unless fewer
    are given; `solved` where the law's weights are.
    """
    size, dimension = float(np.abs(trained.final).max()), float(trained.network.dimension)
    steps = trained.schedule.steps if steps is None else steps
    return expansion * rounding_tolerance(steps, dimension, trained.kernels, size, solved)


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
    claim = claims.check_law(residual, rounding(trained, solved=True), slug, label)
    outside = min(float(k.distance_from_span.max()) for k in trained.kernels)
    return claim if outside > VISIBLY_OUTSIDE else claim.not_applicable(SPANNED.format(outside=outside))


def _reverse_claim(trained: Trained, slug: str) -> Iterator[Claim]:
    """Of true reversals alone: a question whose own fact was cut away may follow from a chain.

    Whatever training did, Theta is symmetric when its logits are read: rounding of that one evaluation is the bound.
    """
    asked = trained.variant.asked
    back = np.array([all(b == trained.task.contexts[q.context][0] for _, b in q.premises) for q in asked])
    if back.any():
        found = trained.gains()
        forward = np.array([g.premise_logit[back] for g in found])
        indices = np.array([g.logit[back] for g in found]) / forward
        # a logit index takes four logits, two of the start and two of the end
        tolerance = 4 * rounding(trained, steps=1) / float(np.abs(forward).min())
        yield claims.check_symmetric(indices, tolerance, slug)


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
    return claims.check_balance(
        drift, predicted, 2.0 * tolerance * max(size, 1.0), trained.choice.parameters, slug, label
    )


def _closed_form_claim(trained: Trained, slug: str) -> Claim:
    space = trained.spaces[0]
    assert isinstance(space, FreeSpace)
    exact = next(squared_loss_states(space, np.array([trained.end])))[0]
    flow, bound = integrated_squared_loss(space, trained.end, CLOSED_FORM_TOLERANCE)
    return claims.check_closed_form(float(np.abs(exact - flow).max()), bound, slug)


def _law_of_the_index_claims(trained: Trained, row: Row, law: Prediction) -> Iterator[Claim]:
    """The index in its interval; with reversed copies, that they lift what they cover and, by this law, no more."""
    slug, label = row.choice.slug, row.choice.label
    taught = np.array([q.taught for q in trained.variant.asked])
    untaught = row.index if row.untaught is None else row.untaught
    found = trained.gains()
    count = sum(g.index(~taught).questions for g in found)  # without those that have no forward gain
    claim = claims.check_prediction(untaught.mean, law.low, law.high, slug, label, count)
    wide = FEW_DIMENSIONS.format(low=law.low, high=law.high) if law.high - law.low >= 1.0 else ""
    few = FEW_QUESTIONS.format(count=count, least=GAUSSIAN_MEAN) if count < GAUSSIAN_MEAN else ""
    yield claim.not_applicable(wide or few) if wide or few else claim
    if trained.choice.data == "reversed-copies":
        covered, others = (np.concatenate([g.ratios[which] for g in found]) for which in (taught, ~taught))
        claim = claims.check_copies(covered[np.isfinite(covered)], others[np.isfinite(others)], slug)
        # one question strays as many deviations further as the square root of how many there are
        strays = np.sqrt(count) * (law.high - law.low) / 2.0 >= 0.5 - abs(law.mean)
        why = UNLEARNT if not row.learnt else FEW_DIMENSIONS.format(low=law.low, high=law.high) if strays else ""
        yield claim.not_applicable(why) if why else claim


def _implication_claims(trained: Trained, row: Row, tolerance: float) -> Iterator[Claim]:
    """The margin of the right implication over all others: factors are to learn it, a merged Theta is not."""
    choice, slug = trained.choice, trained.choice.slug
    margin = implication_margins(trained)
    implied = len({x for q in trained.variant.asked for x in q.answers})
    if choice.parameters == "factorised":
        claim = claims.check_implication(margin, True, 0.0, slug)
        # with just one column for each a start decides the order now and then, one in twenty from entries of 0.1
        least = SPARE_WIDTH * implied
        narrow = choice.width is not None and choice.width < least
        if choice.scale > SMALL_START or narrow or choice.weight_decay or choice.embeddings != "orthonormal":
            why = (
                f"one-hot tokens, without weight decay, from a start of at most {SMALL_START:g} and at a width of at "
                f"least {least}, {SPARE_WIDTH} for each implication"
            )
            claim = claim.not_applicable(f"factors learn implications of {why}")
        elif not row.learnt:
            claim = claim.not_applicable(UNLEARNT)
        yield claim
    if choice.parameters == "free" and choice.embeddings == "orthonormal":
        start = max(_start_norm(trained, logits) for logits in trained.initial)
        claim = claims.check_implication(margin, False, np.sqrt(2.0) * start + 2 * tolerance, slug)
        if choice.optimizer != "gd":
            claim = claim.not_applicable("only full batches treat all implications alike, and only without momentum")
        elif not trained.nonexpansive:
            claim = claim.not_applicable("steps so large may expand distances: give a smaller --learning-rate")
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

"""One choice, derived, integrated and trained: the row of the table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import stats

from numerics.asked_embedding import NEAR_ZERO, predicted_index
from numerics.descent import initial_share
from numerics.gram import Gram
from numerics.index import Gains, answers_of, gains
from numerics.kernels import Kernels
from numerics.parameter_space import EmbeddingSpace, FactorisedSpace, FreeSpace, ParameterSpace
from numerics.space_descent import last_state
from numerics.space_flow import RELATIVE_TOLERANCE, flow_states
from numerics.squared_loss import squared_loss_states
from theory.claim import Claim
from theory.task import Task
from theory.variants import Variant, implication, variant
from validation.compare import EPSILON, interpolation_residual, rounding_tolerance
from validation.losses import pair_losses
from validation.networks import EmbeddedNetwork
from validation.parameter_networks import (
    EmbeddingNetwork,
    FactorisedNetwork,
    draw_network,
    grams_of,
    space_of,
)
from validation.real_runs import descent_settings
from validation.remedies import claims
from validation.remedies.choice import Choice
from validation.remedies.result import OverSeeds, Prediction, Row
from validation.remedies.schedule import schedule
from validation.remedies.settings import RemedySettings
from validation.training import TrainingDiverged, TrainingSettings, train

Tell = Callable[[float], None]

FREE = Choice()
BALANCE_HALVINGS = 3
SMALL_START = 0.1  # of two factors: from larger ones they learn much as a merged Theta does
MOST_EXPANSION = 1e5  # of a distance of 1e-8: above it what becomes of rounding is no multiple of it any more
BALANCE_SEEDS = 1  # train again with half the step: what is conserved does not depend on what is drawn
UNTRAINED_ROWS = ("free", "factorised", "trained-embeddings")  # where an asked row moves by couplings alone
PERTURBATION = 1e-8  # relative: far above rounding, far below what bends the recursion


@dataclass(frozen=True)
class Trained:
    """S instances of one choice before and after real training; spaces are those of their starts.

    Logits are (S, contexts, m).
    """

    variant: Variant
    network: EmbeddedNetwork
    schedule: TrainingSettings
    seeds: range
    grams: Sequence[Gram]
    spaces: Sequence[ParameterSpace]
    initial: np.ndarray
    final: np.ndarray
    drift: np.ndarray | None  # (S,), of what the flow of a product of matrices conserves

    @property
    def task(self) -> Task:
        """The task that was trained."""
        return self.variant.task

    def gains(self) -> list[Gains]:
        """Of every seed."""
        pairs = zip(self.initial, self.final, strict=True)
        return [gains(self.variant.asked, start, end - start) for start, end in pairs]


def measure(
    task: Task,
    choice: Choice,
    settings: RemedySettings,
    false_alarm: float,
    tell: Tell = lambda done: None,
    judged: bool = True,
) -> Row:
    """Train the choice on its variant of `task`, and set theory beside it. Raises BadInput where the data do not fit.

    `false_alarm` is the row's share of the chance that a true prediction is called false. Unless it is `judged`, which
    takes most of the time, the row has no claims.
    """
    data = implication() if choice.data == "implication" else variant(
        task, choice.data, choice.share, settings.seed, choice.context
    )  # fmt: skip
    dimension = data.task.vocabulary_size if choice.embeddings == "orthonormal" else settings.dimension
    steps = schedule(choice, data.task, dimension, settings.time, settings.learning_rate)
    trained = run_choice(data, choice, steps, settings.dimension, settings.seed_numbers, tell)
    _require_descent(trained, choice)
    flows = _flow_changes(trained, choice) if choice.gradient_steps else None
    row, found, law = _row(trained, choice, flows, false_alarm)
    if not judged:
        return row
    return replace(row, claims=tuple(_claims(trained, row, settings, found, law)))


def run_choice(
    data: Variant, choice: Choice, steps: TrainingSettings, dimension: int, seeds: range, tell: Tell = lambda done: None
) -> Trained:
    """Draw an instance for each seed and train all of them side by side."""
    orthonormal = choice.embeddings == "orthonormal"
    size = None if orthonormal else dimension
    width = choice.width or (data.task.vocabulary_size if orthonormal else dimension)
    network = draw_network(data.task, choice.parameters, size, width, choice.scale, seeds)
    grams = grams_of(network, orthonormal)
    spaces = [space_of(network, n, gram) for n, gram in enumerate(grams)]
    before = _balance(network)
    run = train(
        network,
        data.task,
        steps,
        seeds,
        np.array([0, steps.steps]),
        progress=lambda done, total: tell(done / total),
    )
    after = _balance(network)
    drift = None if before is None or after is None else np.abs(after - before).max(axis=(1, 2))
    return Trained(data, network, steps, seeds, grams, spaces, run.initial_logits, run.final_logits, drift)


def _require_descent(trained: Trained, choice: Choice) -> None:
    """Raise TrainingDiverged where a seed ends with a larger loss than it began with: its index would mean nothing."""
    task, loss = trained.task, trained.schedule.loss
    pair = torch.from_numpy(task.train_context * task.vocabulary_size + task.train_target)
    context, weight = torch.from_numpy(task.train_context), torch.from_numpy(task.train_weight)

    def losses(logits: np.ndarray) -> np.ndarray:
        trained_rows = torch.from_numpy(logits[:, : task.trained_contexts])
        return (pair_losses(loss, trained_rows, pair, context) @ weight).numpy()

    before, after = losses(trained.initial), losses(trained.final)
    if not (after <= before).all():
        raise TrainingDiverged(
            f"{choice.label}: training at step size {trained.schedule.learning_rate:.3g} ended with a loss of "
            f"{after.max():.3g} and began with {before.min():.3g}; give a smaller --learning-rate or --weight-decay"
        )


def _balance(network: EmbeddedNetwork) -> np.ndarray | None:
    return network.balance() if isinstance(network, FactorisedNetwork | EmbeddingNetwork) else None


def _flow_changes(trained: Trained, choice: Choice) -> list[np.ndarray]:
    """S(t) - S(0) of the integrated flow from each seed's start, at the time that training stops, (contexts, m)."""
    end = trained.schedule.time_per_step * trained.schedule.steps
    changes = []
    for space in trained.spaces:
        *_, state = flow_states(space, choice.loss, np.array([end]), choice.time_weight_decay)
        changes.append(space.change(state))
    return changes


def _row(
    trained: Trained, choice: Choice, flows: list[np.ndarray] | None, false_alarm: float
) -> tuple[Row, list[Gains], Prediction | None]:
    """The row without claims, and what they are made of."""
    asked, task = trained.variant.asked, trained.task
    taught = np.array([q.taught for q in asked])
    found = trained.gains()
    seen = trained.variant.trained_pairs()
    answers = [answers_of(asked, logits, seen) for logits in trained.final]
    flow, flow_answers = None, None
    if flows is not None:
        flow_answers = [
            answers_of(asked, start + change, seen) for start, change in zip(trained.initial, flows, strict=True)
        ]
        flow = [gains(asked, start, change) for start, change in zip(trained.initial, flows, strict=True)]
    law = _law(trained, choice, false_alarm) if flows is not None else None
    some = taught.any() and not taught.all()
    row = Row(
        choice=choice,
        task=task,
        questions=len(asked),
        index=_over(g.index() for g in found),
        taught=_over(g.index(taught) for g in found) if taught.any() else None,
        untaught=_over(g.index(~taught) for g in found) if some else None,
        logit_index=_over(g.logit_index() for g in found),
        centred_logit_index=_over(g.centred_logit_index() for g in found),
        trained_p=_over(_trained_p(task, logits) for logits in trained.final),
        asked_p=_over(a.probability.mean() for a in answers),
        rival_p=_over(a.rival.mean() for a in answers),
        first=_over(a.first.mean() for a in answers),
        chance=1.0 / task.vocabulary_size,
        flow=None if flow is None else _over(g.index() for g in flow),
        flow_p=None if flow_answers is None else _over(a.probability.mean() for a in flow_answers),
        prediction=_prediction(law, choice, flow, taught),
        learning_rate=trained.schedule.learning_rate,
        steps=trained.schedule.steps,
        time=trained.schedule.time_per_step * trained.schedule.steps if choice.gradient_steps else None,
        claims=(),
    )
    return row, found, law


def _over(values) -> OverSeeds:  # type: ignore[no-untyped-def]
    return OverSeeds(tuple(float(x) for x in values))


def _trained_p(task: Task, logits: np.ndarray) -> float:
    """The mean probability of trained targets, each in its own row."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability = shifted / shifted.sum(axis=1, keepdims=True)
    return float(probability[task.train_context, task.train_target].mean())


# -- predictions --
def _law(trained: Trained, choice: Choice, false_alarm: float) -> Prediction | None:
    """The interval of the mean index over untaught questions and seeds, by the law of the asked embedding."""
    asked = [q for q in trained.variant.asked if not q.taught]
    if choice.parameters != "free" or not asked:
        return None
    means, squares, neglected, count = [], [], [], 0
    for n, (gram, space, start) in enumerate(zip(trained.grams, trained.spaces, trained.initial, strict=True)):
        how = descent_settings(trained.schedule, trained.seeds[n])
        state = last_state(space, choice.loss, how, trained.schedule.steps)  # at this step size, not in its limit
        law = predicted_index(Kernels(trained.task, gram), asked, start, state[0], float(state[1]))
        if law is None:
            return None
        means.append(law.mean.mean())
        squares.append((law.deviation**2).sum())
        neglected.append(law.neglected.mean())
        count += len(asked)
    # asked embeddings are independent of each other: variances of questions and of seeds add up
    deviation = np.sqrt(np.sum(squares)) / count
    half = float(stats.norm.isf(false_alarm / 2.0) * deviation + np.mean(neglected))
    middle = float(np.mean(means))
    return Prediction("law", middle, middle - half, middle + half)


def _prediction(
    law: Prediction | None, choice: Choice, flow: list[Gains] | None, taught: np.ndarray
) -> Prediction | None:
    if law is not None or flow is None:
        return law
    untaught = ~taught if not taught.all() else taught
    mean = float(np.mean([g.index(untaught) for g in flow]))
    closed = choice.loss == "squared" and choice.parameters == "free"
    return Prediction("closed form" if closed else "flow", mean, mean, mean)


# -- claims --
def _claims(
    trained: Trained, row: Row, settings: RemedySettings, found: list[Gains], law: Prediction | None
) -> list[Claim]:
    asked = trained.variant.asked
    taught = np.array([q.taught for q in asked])
    choice, slug, label = row.choice, row.choice.slug, row.choice.label
    judged = []
    tolerance = rounding(trained, choice)
    if choice.gradient_steps:
        recursion = np.stack([recursion_logits(trained, n) for n in range(len(trained.spaces))])
        claim = claims.check_recursion(trained.final, recursion, tolerance, slug, label)
        if claim.verdict == "fails" and tolerance > MOST_EXPANSION * rounding(trained, FREE):
            reason = (
                "the recursion expands distances so much that rounding decides where it ends: its steps are too large"
            )
            claim = replace(claim, verdict="not applicable", detail=reason)
        judged.append(claim)
        if choice.parameters == "free" and len(trained.task.contexts) > trained.task.trained_contexts:
            judged.append(_law_claim(trained, slug, label))
    if law is not None:
        untaught = row.index if row.untaught is None else row.untaught
        count = int((~taught).sum()) * len(trained.seeds)
        judged.append(claims.check_prediction(untaught.mean, law.low, law.high, slug, label, count))
    if choice.parameters == "symmetric" and choice.context == "entity" and choice.gradient_steps:
        # a question whose own fact was cut away may follow from a chain, which nothing reverses
        back = np.array([all(b == trained.task.contexts[q.context][0] for _, b in q.premises) for q in asked])
        forward = np.array([g.premise_logit[back] for g in found])
        if back.any():
            indices = np.array([g.logit[back] for g in found]) / forward
            judged.append(claims.check_symmetric(indices, 2 * tolerance / float(np.abs(forward).min()), slug))
    if trained.drift is not None and choice.optimizer == "gd" and not choice.weight_decay and row.learnt:
        judged.append(_balance_claim(trained, choice, settings.dimension, slug, label))
    flows = choice.gradient_steps and not choice.time_weight_decay
    if choice.loss == "squared" and choice.parameters == "free" and flows:
        judged.append(_closed_form_claim(trained, slug))
    # a symmetric Theta lifts the others too, one table may, and a shared relation token gives every row a part
    lifted_anyway = law is not None and law.high >= 0.5  # so few dimensions that the law lets any row move so far
    untouched = choice.parameters in UNTRAINED_ROWS and choice.context == "entity" and not lifted_anyway
    if choice.data == "reversed-copies" and untouched and float(np.abs(trained.initial).max()) <= NEAR_ZERO:
        indices = np.array([g.answer / g.premise for g in found])
        judged.append(claims.check_copies(indices[:, taught], indices[:, ~taught], slug))
    if choice.data == "implication" and choice.gradient_steps and choice.loss == "cross-entropy":
        judged += _implication_claim(trained, choice, tolerance, slug)
    return judged


def recursion_logits(trained: Trained, seed: int, space: ParameterSpace | None = None) -> np.ndarray:
    """The logits (contexts, m) where the recursion of instance `seed` ends, started in `space` if it is given."""
    space = trained.spaces[seed] if space is None else space
    settings = descent_settings(trained.schedule, trained.seeds[seed])
    return space.logits(last_state(space, trained.schedule.loss, settings, trained.schedule.steps))


def rounding(trained: Trained, choice: Choice) -> float:
    """How far training and recursion may lie apart in double precision.

    Rounding adds up as in `rounding_tolerance`. Descent on a convex loss expands no distance; in a product of matrices
    it does, by as much as a start that is moved by a relative 1e-8 ends apart.
    """
    kernels = [Kernels(trained.task, gram) for gram in trained.grams]
    size = float(np.abs(trained.final).max())
    tolerance = rounding_tolerance(trained.schedule.steps, float(trained.network.dimension), kernels, size)
    if choice.parameters in ("free", "symmetric") or not choice.gradient_steps:
        return tolerance
    return tolerance * max(1.0, _expansion(trained))


def _expansion(trained: Trained) -> float:
    """How many times further apart the first seed ends when its start is moved a little."""
    space = trained.spaces[0]
    moved = _moved(space, np.random.default_rng([trained.seeds[0], 7]))
    near, far = recursion_logits(trained, 0), recursion_logits(trained, 0, moved)
    return float(np.abs(far - near).max()) / (PERTURBATION * max(float(np.abs(near).max()), 1.0))


def _moved(space: ParameterSpace, rng: np.random.Generator) -> ParameterSpace:
    """The space with a start of which every entry is moved by a relative 1e-8."""

    def nudge(x: np.ndarray) -> np.ndarray:
        return x * (1.0 + PERTURBATION * rng.choice([-1.0, 1.0], size=x.shape))

    match space:
        case FactorisedSpace():
            return replace(
                space, initial_contexts=nudge(space.initial_contexts), initial_tokens=nudge(space.initial_tokens)
            )
        case EmbeddingSpace():
            return replace(space, embeddings=nudge(space.embeddings), theta=nudge(space.theta))
    raise TypeError(f"{type(space).__name__} is convex: nothing expands in it")


def _law_claim(trained: Trained, slug: str, label: str) -> Claim:
    kernels = [Kernels(trained.task, gram) for gram in trained.grams]
    share = initial_share(descent_settings(trained.schedule, 0), trained.schedule.steps)[[-1]]
    residual = max(
        interpolation_residual(k, start, end[None], share)
        for k, start, end in zip(kernels, trained.initial, trained.final, strict=True)
    )
    size, dimension = float(np.abs(trained.final).max()), float(trained.network.dimension)
    solved = rounding_tolerance(trained.schedule.steps, dimension, kernels, size, solved=True)
    return claims.check_law(residual, solved, slug, label)


def _balance_claim(trained: Trained, choice: Choice, dimension: int, slug: str, label: str) -> Claim:
    half = replace(trained.schedule, learning_rate=trained.schedule.learning_rate / 2, steps=2 * trained.schedule.steps)
    seeds = trained.seeds[:BALANCE_SEEDS]
    assert trained.drift is not None
    drift = float(trained.drift[: len(seeds)].max())
    for _ in range(BALANCE_HALVINGS):
        again = run_choice(trained.variant, choice, half, dimension, seeds)
        assert again.drift is not None
        claim = claims.check_balance(drift, float(again.drift.max()), slug, label)
        if claim.verdict == "holds":
            break
        # steps may still be too large for their first order to show: halve them again
        drift = float(again.drift.max())
        half = replace(half, learning_rate=half.learning_rate / 2, steps=2 * half.steps)
    return claim


def _closed_form_claim(trained: Trained, slug: str) -> Claim:
    space = trained.spaces[0]
    assert isinstance(space, FreeSpace)
    time = np.array([trained.schedule.time_per_step * trained.schedule.steps])
    exact = next(iter(squared_loss_states(space, time)))[0]
    loose = next(iter(flow_states(space, "squared", time)))[0]
    tight = next(iter(flow_states(space, "squared", time, tolerance=RELATIVE_TOLERANCE / 100)))[0]
    bound = 10 * float(np.abs(loose - tight).max()) + 64 * EPSILON * float(np.abs(exact).max())
    return claims.check_closed_form(float(np.abs(exact - loose).max()), bound, slug)


def _implication_claim(trained: Trained, choice: Choice, tolerance: float, slug: str) -> list[Claim]:
    """The margin of the right implication over all other ones."""
    asked = trained.variant.asked
    implied = sorted({x for q in asked for x in q.answers})
    margins = []
    for logits in trained.final:
        for q in asked:
            others = [x for x in implied if x not in q.answers]
            margins.append(logits[q.context, list(q.answers)].max() - logits[q.context, others].max())
    margin = np.array(margins)
    if choice.parameters == "factorised" and choice.scale <= SMALL_START and (choice.width or np.inf) >= len(implied):
        return [claims.check_implication(margin, True, 0.0, slug)]
    if choice.parameters == "free" and choice.embeddings == "orthonormal":
        start = float(np.abs(trained.initial).max())
        # two logits that start at most 2 max |S(0)| apart, in rows that a convex loss brings no further apart
        return [claims.check_implication(margin, False, 8 * start + 2 * tolerance, slug)]
    return []

"""One choice, trained and set beside theory: the row of the table."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from scipy.special import softmax

from numerics.index import answers_of, gains
from numerics.losses import fitted_probabilities
from theory.task import Task
from theory.variants import implication, variant
from validation.remedies.choice import Choice
from validation.remedies.prediction import flow_changes, index_law, prediction
from validation.remedies.result import OverSeeds, Row
from validation.remedies.row_claims import claims_of
from validation.remedies.schedule import schedule
from validation.remedies.settings import RemedySettings
from validation.remedies.trained import Tell, Trained, draw_choice, require_descent, run_choice


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
    drawn = draw_choice(data, choice, settings.dimension, settings.seed_numbers)
    steps = schedule(choice, drawn.kernels, dimension, settings.time, settings.learning_rate)
    trained = run_choice(drawn, steps, tell)
    require_descent(trained)
    row = _row(trained, false_alarm)
    return replace(row, claims=tuple(claims_of(trained, row))) if judged else row


def _row(trained: Trained, false_alarm: float) -> Row:
    """The row without claims."""
    choice, flows = trained.choice, flow_changes(trained)
    asked, task = trained.variant.asked, trained.task
    taught = np.array([q.taught for q in asked])
    found = trained.gains()
    seen = trained.variant.trained_pairs()
    answers = [answers_of(asked, logits, seen) for logits in trained.final]
    flow, flow_answers = None, None
    if flows is not None:
        moved = list(zip(trained.initial, flows, strict=True))
        flow_answers = [answers_of(asked, start + change, seen) for start, change in moved]
        flow = [gains(asked, start, change) for start, change in moved]
    law = index_law(trained, false_alarm)
    some = taught.any() and not taught.all()
    return Row(
        choice=choice,
        task=task,
        questions=len(asked),
        without_forward_gain=sum(g.index().without for g in found),
        index=_over(g.index().value for g in found),
        taught=_over(g.index(taught).value for g in found) if taught.any() else None,
        untaught=_over(g.index(~taught).value for g in found) if some else None,
        logit_index=_over(g.logit_index().value for g in found),
        centred_logit_index=_over(g.centred_logit_index().value for g in found),
        trained_p=_over(_mean_trained(task, softmax(logits, axis=1)) for logits in trained.final),
        attainable_p=_mean_trained(task, fitted_probabilities(choice.loss, task.target_distribution)),
        asked_p=_over(a.probability.mean() for a in answers),
        rival_p=_over(a.rival.mean() for a in answers),
        first=_over(a.first.mean() for a in answers),
        chance=1.0 / task.vocabulary_size,
        flow=None if flow is None else _over(g.index().value for g in flow),
        flow_p=None if flow_answers is None else _over(a.probability.mean() for a in flow_answers),
        prediction=prediction(law, choice, flow, taught),
        learning_rate=trained.schedule.learning_rate,
        steps=trained.schedule.steps,
        time=trained.end if choice.gradient_steps else None,
        claims=(),
    )


def _over(values: Iterable[float]) -> OverSeeds:
    return OverSeeds(tuple(float(x) for x in values))


def _mean_trained(task: Task, probability: np.ndarray) -> float:
    """The mean probability of trained targets, each in its own row."""
    return float(probability[task.train_context, task.train_target].mean())

"""What theory says of a choice before it is trained: the flow from the same start, and the law of the index."""

import numpy as np
from scipy import stats

from numerics.asked_embedding import predicted_index
from numerics.index import Gains
from numerics.parameter_space import FreeSpace, ParameterSpace, State
from numerics.space_flow import flow_states
from numerics.squared_loss import squared_loss_states
from validation.remedies.choice import Choice
from validation.remedies.result import Prediction
from validation.remedies.trained import Trained


def flow_changes(trained: Trained) -> list[np.ndarray] | None:
    """S(t) - S(0) of the flow from each seed's start, at the time that training stops, (contexts, m) each.

    In closed form where there is one, else integrated; None for steps that are no sums of gradients.
    """
    if not trained.choice.gradient_steps:
        return None
    return [space.change(_flow_state(space, trained)) for space in trained.spaces]


def _flow_state(space: ParameterSpace, trained: Trained) -> State:
    choice = trained.choice
    end = np.array([trained.end])
    if choice.closed_form:
        assert isinstance(space, FreeSpace)
        return next(squared_loss_states(space, end))
    *_, state = flow_states(space, choice.loss, end, choice.time_weight_decay)
    return state


def index_law(trained: Trained, false_alarm: float) -> Prediction | None:
    """The interval of the mean index over untaught questions and seeds, by the law of the asked embedding."""
    asked = [q for q in trained.variant.asked if not q.taught]
    if trained.choice.parameters != "free" or not trained.choice.gradient_steps or not asked:
        return None
    means, squares, neglected, count = [], [], [], 0
    for n, (kernels, start) in enumerate(zip(trained.kernels, trained.initial, strict=True)):
        coordinates, share = trained.state(n)  # at this step size, not in its limit
        law = predicted_index(kernels, asked, start, coordinates, float(share))
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


def prediction(
    law: Prediction | None, choice: Choice, flow: list[Gains] | None, taught: np.ndarray
) -> Prediction | None:
    """The law where it applies, else the index of the flow over the same questions, else nothing."""
    if law is not None or flow is None:
        return law
    mean = float(np.mean([g.index(~taught if not taught.all() else taught) for g in flow]))
    return Prediction("closed form" if choice.closed_form else "flow", mean, mean, mean)

"""What theory says of a choice before it is trained: the flow from the same start, and the law of the index."""

from functools import partial

import numpy as np
from scipy import stats

from numerics.asked_embedding import law_applies, predicted_index
from numerics.asked_response import mean_response
from numerics.index import Gains, mean_of_known
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
    """The interval of the mean index over untaught questions and seeds, by the law of the asked embedding.

    Half of its width is what a Gaussian mean of that deviation exceeds with the chance `false_alarm`, and what the law
    neglects. The premise depends on the asked embedding too: by the inequality of Cauchy and Schwarz its covariance
    with the answer moves the mean of their ratio by no more than the product of the two relative deviations, that of
    premises taken over all questions and seeds.
    """
    asked = [q for q in trained.variant.asked if not q.taught]
    if trained.choice.parameters != "free" or not trained.choice.gradient_steps or not asked:
        return None
    laws = []
    for n, (kernels, start) in enumerate(zip(trained.kernels, trained.initial, strict=True)):
        if not law_applies(kernels, asked, start):
            return None
        space = trained.spaces[n]
        assert isinstance(space, FreeSpace)
        coordinates, share = trained.state(n)  # at this step size, not in its limit
        response = mean_response(space, asked, coordinates, partial(trained.state, n))
        rng = np.random.default_rng([trained.seeds[n], 8])
        laws.append(predicted_index(kernels, asked, start, coordinates, response, rng, float(share)))
    known = [law for law in laws if law is not None]  # a seed without any forward gain has no index
    if not known:
        return None
    middle = float(np.mean([law.mean.mean() for law in known]))
    # asked embeddings are independent of each other: variances of questions and of seeds add up
    deviation = np.sqrt(sum((law.deviation**2).mean() / len(law.mean) for law in known)) / len(known)
    premise = np.concatenate([law.premise for law in known])
    spread = premise.std(ddof=1) / premise.mean() if len(premise) > 1 else 1.0
    neglected = np.mean([(law.neglected + spread * law.deviation).mean() for law in known])
    half = float(stats.norm.isf(false_alarm / 2.0) * deviation + neglected)
    return Prediction("law", middle, middle - half, middle + half)


def prediction(
    law: Prediction | None, choice: Choice, flow: list[Gains] | None, taught: np.ndarray
) -> Prediction | None:
    """The law where it applies, else the index of the flow over the same questions, else nothing."""
    if law is not None or flow is None:
        return law
    mean = mean_of_known(g.index(~taught if not taught.all() else taught).value for g in flow)
    return Prediction("closed form" if choice.closed_form else "flow", mean, mean, mean)

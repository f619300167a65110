"""The law of a held-out answer over the draw of its embedding: standardised deviations are standard normal.

Null hypothesis: over draws, (index of a question - mean) / deviation has mean zero and variance one. Asked embeddings
are independent of each other given the rest, so questions of one draw count as draws of their own. Trained rows feel
v_q through couplings: of the variance m/d is granted for it beside the sampling error, of the mean what the law says
itself, and the covariance of answer and premise, at most a deviation times the relative spread of premises. Coordinates
come from gradient descent, which is quicker than the flow: the law holds for any.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import pytest

from numerics.asked_embedding import DRAWS as LAW_DRAWS
from numerics.asked_embedding import NEAR_ZERO, PredictedIndex, predicted_index
from numerics.asked_response import mean_response
from numerics.descent import DescentSettings
from numerics.gram import Gram
from numerics.index import Gains, gains, log_odds_gain
from numerics.kernels import Kernels
from numerics.losses import LOSSES, Loss
from numerics.parameter_space import FreeSpace, State
from numerics.space_descent import last_state
from theory.facts import Fact, reversal_task_from_facts
from theory.task import Task, chain_of_thought_task, reversal_task
from theory.variants import Variant, variant

DRAWS = 100
SIGMAS = 5.0  # two-sided 6e-7 a comparison


@dataclass(frozen=True)
class Standardised:
    """Deviations of every question of every draw in units of the law's own, (n,), and the size of what is neglected."""

    values: np.ndarray
    means: np.ndarray  # of the law, in the same units
    neglected: float  # of the variance
    granted: float  # of the mean, in the same units

    def mean_error(self) -> float:
        """The mean in standard errors."""
        return float(self.values.mean() * np.sqrt(len(self.values)))

    def allowed_error(self) -> float:
        """What sampling and the law itself grant to it."""
        return float(SIGMAS + self.granted * np.sqrt(len(self.values)))

    def excess_variance(self) -> tuple[float, float]:
        """|variance - 1|, and what sampling (variance 2 / n) and the neglected couplings allow."""
        allowed = SIGMAS * np.sqrt(2.0 / len(self.values)) + self.neglected
        return abs(float(self.values.var()) - 1.0), float(allowed)


@dataclass(frozen=True)
class Instance:
    """One draw: its number, kernels, S(0), the state at t / N = 20, the response, and what was gained until then."""

    seed: int
    kernels: Kernels
    initial_logits: np.ndarray
    state: State
    response: np.ndarray
    gained: Gains


def instances(
    data: Variant, dimension: int, loss: Loss = "cross-entropy", decay: float = 0.0, draws: int = DRAWS
) -> Iterator[Instance]:
    """Draws of embeddings and of Theta, each trained."""
    # steps that no row expands at: 0.3 lambda_max(K_AA) lambda_max(K_out) < 2 from d = 64 on
    settings = DescentSettings("gd", 0.3 / data.task.context_weight.max(), weight_decay=decay, decoupled=True)
    run = partial(last_state, loss=loss, settings=settings, steps=round(20.0 / 0.3))
    for seed in range(draws):
        rng = np.random.default_rng([seed, dimension])
        gram = Gram.draw(data.task.vocabulary_size, dimension, rng)
        start = gram.initial_logits(data.task.features, 0.01, rng)
        space = FreeSpace(data.task, gram, start)
        state = run(space)
        response = mean_response(space, data.asked, state[0], run)
        gained = gains(data.asked, start, space.change(state))
        yield Instance(seed, Kernels(data.task, gram), start, state, response, gained)


def standardised(
    data: Variant, drawn: Iterable[Instance], forget: bool = False, held_fixed: bool = False
) -> Standardised:
    """All draws together; `forget` leaves the decay of S(0) out of the law, `held_fixed` the response of C."""
    values, laws, dimension = [], [], 1.0
    for one in drawn:
        share = 1.0 if forget else float(one.state[1])
        response, rng = one.response * (not held_fixed), np.random.default_rng([one.seed, 3])
        law = predicted_index(one.kernels, data.asked, one.initial_logits, one.state[0], response, rng, share)
        assert law is not None
        assert one.kernels.gram.dimension is not None
        values.append((one.gained.ratios - law.mean) / law.deviation)
        laws.append(law)
        dimension = one.kernels.gram.dimension
    premise = np.concatenate([law.premise for law in laws])
    granted = np.mean([law.neglected / law.deviation for law in laws]) + premise.std() / premise.mean()
    means = np.concatenate([law.mean / law.deviation for law in laws])
    return Standardised(np.concatenate(values), means, data.task.vocabulary_size / dimension, float(granted))


@cache
def calibration(dimension: int) -> Standardised:
    """Three questions of six pairs."""
    data = variant(reversal_task(6, 3), "plain")
    return standardised(data, instances(data, dimension))


@pytest.mark.parametrize("dimension", [64, 256, 4096])
def test_deviations_are_as_large_as_predicted(dimension: int) -> None:
    """300 standardised deviations have mean zero and variance one within five standard errors and the neglected m/d."""
    found = calibration(dimension)
    assert len(found.values) == 300
    assert abs(found.mean_error()) < SIGMAS, found.mean_error()
    excess, allowed = found.excess_variance()
    assert excess < allowed, (excess, allowed)


@pytest.mark.parametrize("dimension", [64, 256, 4096])
def test_half_the_variance_is_refused(dimension: int) -> None:
    """The twin: a law of half the variance fails the same comparison at every dimension."""
    found = calibration(dimension)
    twin = replace(found, values=found.values * np.sqrt(2.0))
    excess, allowed = twin.excess_variance()
    assert excess > allowed, (excess, allowed)


def test_a_mean_of_zero_is_refused_where_it_matters() -> None:
    """At d = 64 the mean of order 1/d is seen: without it the deviations are off by more than five standard errors."""
    found = calibration(64)
    twin = replace(found, values=found.values + found.means)
    assert abs(twin.mean_error()) > SIGMAS, twin.mean_error()


@pytest.mark.parametrize("loss", LOSSES[1:])
def test_the_law_knows_no_loss(loss: Loss) -> None:
    """The same holds for the squared and for the one-against-all loss: only coordinates and response differ."""
    data = variant(reversal_task(6, 3), "plain")
    found = standardised(data, instances(data, 1024, loss, draws=50))
    excess, allowed = found.excess_variance()
    assert abs(found.mean_error()) < SIGMAS
    assert excess < allowed, (excess, allowed)


@pytest.mark.parametrize(
    ("loss", "pairs", "dimension"),
    [("cross-entropy", 2, 64), ("squared", 2, 400), ("one-against-all", 3, 64), ("cross-entropy", 4, 400)],
)
def test_small_vocabularies_have_the_mean_of_the_law(loss: Loss, pairs: int, dimension: int) -> None:
    """At m = 6, 8 and 10 the mean of 200 real indices is that of the law within sampling and what it grants itself.

    The deviations are no larger than the law's: they are smaller where trained rows undo what an embedding does.
    """
    data = variant(reversal_task(pairs, 1), "plain")
    found = standardised(data, instances(data, dimension, loss, draws=200))
    assert abs(found.mean_error()) < found.allowed_error(), (found.mean_error(), found.granted)
    assert found.values.var() - 1.0 < found.excess_variance()[1]


def test_coordinates_held_fixed_are_refused() -> None:
    """The twin: under the squared loss at d = 64 the mean at fixed coordinates is off by over five standard errors.

    That of the law, which holds the response of the coordinates, is not.
    """
    data = variant(reversal_task(6, 3), "plain")
    drawn = list(instances(data, 64, "squared"))
    found, twin = standardised(data, drawn), standardised(data, drawn, held_fixed=True)
    assert abs(found.mean_error()) < SIGMAS, found.mean_error()
    assert abs(twin.mean_error()) > SIGMAS, twin.mean_error()


def test_the_law_at_given_coordinates_is_that_of_drawn_embeddings() -> None:
    """At fixed coordinates and other embeddings, draws of v_q itself gain with the mean and deviation of the law."""
    task = reversal_task(3, 1)
    (asked,) = variant(task, "plain").asked
    (token,), m, d, draws = task.contexts[asked.context], task.vocabulary_size, 40, 2000
    rng = np.random.default_rng(5)
    table = rng.normal(size=(m, d)) / np.sqrt(d)
    coordinates = rng.normal(size=(task.trained_contexts, m))
    coordinates[:, token] *= 5.0  # so that what v_q does to its own targets is seen
    start = np.zeros((len(task.contexts), m))
    kernels = Kernels(task, Gram.explicit(table))
    law = predicted_index(kernels, [asked], start, coordinates, np.zeros((1, m)), np.random.default_rng(6))
    assert law is not None
    premise = log_odds_gain(start[0], kernels.logit_change(coordinates)[asked.premises[0][0]], (asked.premises[0][1],))
    phi, found = task.features.toarray()[: task.trained_contexts], []
    for _ in range(draws):
        drawn = table.copy()
        drawn[token] = rng.normal(size=d) / np.sqrt(d)
        drawn[token] /= np.linalg.norm(drawn[token])  # the law takes its length for one
        found.append(
            log_odds_gain(start[0], drawn[token] @ (phi @ drawn).T @ coordinates @ drawn @ drawn.T, asked.answers)
        )
    index = np.array(found) / premise
    # the law is itself a sample of 512; a length of one rather than 1/sqrt(d) apart changes a deviation by 1/d
    error = np.sqrt(1.0 / draws + 1.0 / LAW_DRAWS)
    assert abs(index.mean() - law.mean[0]) < SIGMAS * error * law.deviation[0]
    assert abs(index.std() / law.deviation[0] - 1.0) < SIGMAS * error / np.sqrt(2.0) + 1.0 / d


def test_questions_of_two_answers_are_predicted_too() -> None:
    """Where a question has two right answers, their summed probability deviates as predicted."""
    facts = [Fact(f"a{i}.{k}", "r", f"b{i}") for i in range(3) for k in range(2)]
    data = variant(reversal_task_from_facts(facts), "plain")
    assert [len(q.answers) for q in data.asked] == [2, 2, 2]
    found = standardised(data, instances(data, 1024, draws=50))
    excess, allowed = found.excess_variance()
    assert abs(found.mean_error()) < SIGMAS
    assert excess < allowed, (excess, allowed)


def test_weight_decay_is_part_of_the_law() -> None:
    """With lambda = 0.3 an asked row loses its start, which is known; a law that forgets it is refused."""
    data = variant(reversal_task(6, 3), "plain")
    drawn = list(instances(data, 4096, decay=0.3, draws=50))
    found = standardised(data, drawn)
    excess, allowed = found.excess_variance()
    assert excess < allowed, (excess, allowed)
    assert abs(found.mean_error()) < SIGMAS
    forgetful = standardised(data, drawn, forget=True)
    excess, allowed = forgetful.excess_variance()
    assert excess > allowed, (excess, allowed)


# -- where there is no law --


def law_of(data: Variant, gram: Gram, scale: float = 0.0) -> PredictedIndex | None:
    """The law at some coordinates."""
    rng = np.random.default_rng(3)
    start = gram.initial_logits(data.task.features, scale, rng)
    # every premise gains: without that there is no index
    coordinates = data.task.target_distribution.toarray() + 0.1 * rng.normal(size=data.task.target_distribution.shape)
    nothing = np.zeros((len(data.asked), data.task.vocabulary_size))
    return predicted_index(Kernels(data.task, gram), data.asked, start, coordinates, nothing, rng)


def gram_for(task: Task) -> Gram:
    return Gram.draw(task.vocabulary_size, 100.0, np.random.default_rng(4))


def test_it_applies_to_rows_that_are_trained_nowhere() -> None:
    """A held-out reversal and its control have a law, with a mean and a deviation for each question."""
    for data in (variant(reversal_task(3, 2), "plain"), variant(reversal_task(3, 2), "control")):
        law = law_of(data, gram_for(data.task))
        assert law is not None
        assert law.mean.shape == law.deviation.shape == (2,)
        assert (law.deviation > 0).all()


def test_a_question_without_forward_gain_has_no_law() -> None:
    """Where one of two premises loses log-odds the law is of the other question alone; where both do there is none."""
    data = variant(reversal_task(3, 2), "plain")
    gram, m = gram_for(data.task), data.task.vocabulary_size
    (first, _), (second, _) = (q.premises[0] for q in data.asked)
    coordinates = data.task.target_distribution.toarray()
    start, nothing = np.zeros((len(data.task.contexts), m)), np.zeros((2, m))

    def law() -> PredictedIndex | None:
        kernels, rng = Kernels(data.task, gram), np.random.default_rng(0)
        return predicted_index(kernels, data.asked, start, coordinates, nothing, rng)

    coordinates[first] *= -1.0
    found = law()
    assert found is not None
    assert found.mean.shape == found.deviation.shape == found.premise.shape == (1,)
    coordinates[second] *= -1.0
    assert law() is None


@pytest.mark.parametrize(
    "data",
    [
        variant(chain_of_thought_task(2), "plain"),
        variant(reversal_task(3, 2), "identity-bridge"),
        variant(reversal_task(3, 2), "reversed-copies"),
        variant(reversal_task(3, 2), "plain", context="entity+relation"),
    ],
    ids=["chain", "bridge", "copies", "relation"],
)
def test_it_applies_to_no_other_row(data: Variant) -> None:
    """Asked contexts that are trained, whole or by a token, or hold several tokens, have none."""
    assert law_of(data, gram_for(data.task)) is None


def test_it_needs_drawn_embeddings_questions_and_a_start_near_zero() -> None:
    """Orthonormal embeddings, no question, and initial logits above NEAR_ZERO have none."""
    data = variant(reversal_task(3, 2), "plain")
    assert law_of(data, Gram.identity(data.task.vocabulary_size)) is None
    assert law_of(Variant(data.task, ()), gram_for(data.task)) is None
    assert law_of(data, gram_for(data.task), scale=0.01) is not None
    assert law_of(data, gram_for(data.task), scale=2 * NEAR_ZERO) is None

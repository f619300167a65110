"""The two-phase chain by hand: each of its constants is reached by some rows, and the exponent follows from them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from flint import arb

from numerics.gram import Gram
from numerics.instance_bounds import instance_bounds
from theory.coherence import CoherenceBounds, QueryBounds, Schedule
from theory.exponent import upper
from theory.task import chain_of_thought_task, reversal_task
from theory.two_phase import PHASE_GRID, descent_rate, two_phase

SIZE, COHERENCE = 12, 1e-5


def largest_product(mu: float) -> float:
    """max |rho_a G rho_a'| over all pi and all |E_ij| <= mu: both rows e_b - e_k, E along their signs."""
    rho = np.zeros(SIZE)
    rho[0], rho[1] = 1.0, -1.0
    return float(rho @ (np.eye(SIZE) + mu * np.sign(np.outer(rho, rho))) @ rho)


def largest_force(largest: float, mu: float) -> float:
    """sup |rho_a G (p - e_x)| for p of at most `largest`: rho = e_b - e_x, p_b = `largest`, p_x -> 0."""
    force = np.full(SIZE, (1 - largest) / (SIZE - 2))
    force[0], force[1] = largest, -1.0
    return 1.0 + largest + mu * 2 * float(np.abs(force).sum())


def smallest_square() -> float:
    """min |rho_a|^2: pi uniform."""
    return 1.0 + (SIZE - 1) * (1 / (SIZE - 1)) ** 2


def curvature_of_a_row() -> float:
    """The largest eigenvalue of diag p - p p^T over all p: two tokens of probability 1/2."""
    p = np.array([0.5, 0.5, 0.0])
    return float(np.linalg.eigvalsh(np.diag(p) - np.outer(p, p))[-1])


def share(loss: float) -> float:
    """K = -log(1 - q)/q at -log(1 - q) = loss."""
    return loss / -math.expm1(-loss) if loss else 1.0


def drawn(task_of: str) -> CoherenceBounds:
    """Bounds of a draw whose query is trained or not, without signs."""
    task = reversal_task(3, vocabulary=SIZE) if task_of == "reversal" else chain_of_thought_task(3, SIZE)
    rng = np.random.default_rng(3)
    gram = Gram.draw(SIZE, 1e9, rng)
    bounds = instance_bounds(task, gram, gram.initial_logits(task.features, 0.01, rng))
    return replace(bounds, queries=bounds.queries[:1])


def by_hand(bounds: CoherenceBounds, query: QueryBounds, amount: float) -> float:
    """The exponent of docs/separation.md, chain 1, in floats, `amount` s of a visit (0: gradient flow)."""
    n, mu, gamma = bounds.contexts, float(bounds.coherence), float(bounds.row_sum)
    norm, first = float(query.two_norm), math.log1p(math.exp(-float(bounds.log_odds[0])))
    across = largest_product(mu)
    descent = (1 - mu) * (smallest_square() - 4 * mu) - gamma * across
    smoothness = (1 + mu + gamma) * (1 + SIZE * mu) * curvature_of_a_row() / n  # of L in Theta
    speed = descent * (1 - n * amount * smoothness / 2)
    jump = amount * across * (1 + mu + gamma)
    spread = float(query.largest - query.smallest)
    own_early = (spread + 4 * mu) * (1 + mu) if query.trained else 0.0
    own_late = 4 * mu if query.trained else 0.0
    found = []
    for phase in PHASE_GRID:
        late = min(n * first * math.exp(-phase), first)  # the mean is at most the largest, and that never rises
        if query.trained and late >= math.log(2):
            continue
        pull = across * math.hypot(norm, own_late) * math.sqrt(n)
        late_exponent = pull * share(late) / (speed * (1 - amount * pull))
        early = math.hypot(largest_force(float(query.largest), mu) * norm, own_early) * math.sqrt(n)
        fallen = early * share(first) / (speed * float(query.loss)) * (phase + jump)
        if fallen < 1:
            early_exponent = -math.log1p(-fallen) / (phase + jump) if phase else 0.0
            found.append(max(early_exponent, late_exponent))
    return min(found)


@pytest.mark.parametrize("rate", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("kind", ["reversal", "chains"])
def test_the_exponent_by_hand(kind: str, rate: float) -> None:
    """The exponent is that of the written proof, with constants that extreme rows reach, for flow and descent."""
    bounds = drawn(kind)
    schedule = Schedule.descent("gd", rate, bounds.contexts) if rate else Schedule.flow()
    expected = by_hand(bounds, bounds.queries[0], rate / bounds.contexts)
    # 3e-5: the force of p_x -> 0 is not quite that of the bound, which has 4 mu for 2 mu |p - e_x|_1
    assert two_phase(bounds, schedule).epsilon == pytest.approx(expected, rel=3e-5)


def test_the_loss_falls_at_least_as_fast_as_is_bounded() -> None:
    """|grad L|^2 N^2 >= lambda sum q_a^2 for rows and couplings at random, and nearly that where rows are uniform."""
    mu, n = 0.01, 3
    rng = np.random.default_rng(0)
    task = reversal_task(2, vocabulary=SIZE)
    tightest = math.inf
    for trial in range(200):
        sign = np.sign(rng.normal(size=(SIZE, SIZE)))
        excess = mu * np.tril(sign) + mu * np.tril(sign, -1).T
        bounds = instance_bounds(task, Gram(1e6, excess), np.zeros((len(task.contexts), SIZE)))
        trained = [context[0] for context in task.contexts[:n]]
        weight = rng.exponential(size=(n, SIZE)) if trial % 2 else np.ones((n, SIZE))
        rho = -weight
        rho[np.arange(n), task.train_target] = 0.0
        rho /= -rho.sum(axis=1, keepdims=True)
        rho[np.arange(n), task.train_target] = 1.0
        whole = np.eye(SIZE) + excess
        gradient = whole[np.ix_(trained, trained)] * (rho @ whole @ rho.T)
        least = float(np.linalg.eigvalsh(gradient)[0])
        assert least >= float(descent_rate(bounds)) * (1 - 1e-12)
        tightest = min(tightest, least - float(descent_rate(bounds)))
    assert tightest < 0.15
    # two rows with one target and one other token oppose each other by all of 2 + 4 mu
    assert largest_product(mu) == pytest.approx(2 + 4 * mu)


def test_rows_that_could_fall_behind_are_refused() -> None:
    """Gamma (2 + 4 mu)/((1 - mu)(1 - 4 mu)) above one has no exponent, just below one it is no obstacle."""
    bounds = drawn("reversal")
    mu = float(bounds.coherence)
    edge = (1 - mu) * (1 - 4 * mu) / largest_product(mu)
    for factor, kept in ((0.999, True), (1.001, False)):
        held = {
            c.name: c.holds for c in two_phase(replace(bounds, row_sum=arb(factor * edge)), Schedule.flow()).conditions
        }
        assert held["no row falls behind"] == kept


def test_steps_beyond_the_smoothness_limit_are_refused() -> None:
    """eta beta/2 < 1 with beta = lambda_max(G_AA) lambda_max(G)/(2N): at G = I steps up to 4 N, and no further."""
    task = reversal_task(3, vocabulary=SIZE)
    bounds = instance_bounds(task, Gram.identity(SIZE), np.zeros((len(task.contexts), SIZE)))
    for rate, kept in ((3.99 * bounds.contexts, True), (4.01 * bounds.contexts, False)):
        found = two_phase(bounds, Schedule.descent("gd", rate, bounds.contexts))
        held = {c.name: c.holds for c in found.conditions}
        assert held["step below the smoothness limit"] == kept


def test_upper_is_the_upper_end() -> None:
    """A double at or above every point of a ball, however wide, and infinity for what is not finite."""
    assert upper(arb(1, 0.25)) >= 1.25
    assert upper(arb(1) / 3) >= 1 / 3
    assert upper(arb(0, math.inf)) == math.inf

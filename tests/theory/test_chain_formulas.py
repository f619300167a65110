"""The two chains against docs/separation.md evaluated a second time, in plain floats: no constant or sign is off."""

import math
from dataclasses import replace

import numpy as np
import pytest
from flint import arb

from theory.coherence import CoherenceBounds, QueryBounds, Schedule, ScheduleKind, SignedCoupling
from theory.signed_chain import signed
from theory.two_phase import PHASE_GRID, eigenvalue_exponent, two_phase


def drawn(seed: int, trained: bool = False, eigenvalues: bool = False) -> CoherenceBounds:
    """Bounds as some instance of high dimension might have them, every one different."""
    rng = np.random.default_rng(seed)
    contexts, size = int(rng.integers(2, 9)), int(rng.integers(12, 40))
    unit = 10.0 ** rng.uniform(-6, -4)
    coupling = unit * rng.normal(size=contexts)
    others = np.abs(coupling)
    if trained:
        others[0], coupling[0] = 0.0, 1.0
    centre = rng.uniform(0.5, 1.5, size=contexts) / size
    signed_part = SignedCoupling(coupling, centre, arb(1.1 / size), arb(1e-15), arb(math.log(size / 2)), arb(2 * unit))
    query = QueryBounds(
        trained=trained,
        answers=1,
        loss=arb(math.log(size) * 0.98),
        largest=arb(1.03 / size),
        smallest=arb(0.96 / size),
        one_norm=arb(float(others.sum())),
        two_norm=arb(float(np.sqrt((others**2).sum()))),
        largest_coupling=arb(float(others.max())),
        answer_targets=0,
        free_tokens=size // 2,
        signed=signed_part,
    )
    low = -math.log(size - 1) - 0.03
    return CoherenceBounds(
        contexts=contexts,
        vocabulary=size,
        coherence=arb(3 * unit),
        row_sum=arb(2.5 * unit * contexts),
        same_target_sum=arb(0.7 * unit),
        target_sum=arb(1.3 * unit),
        logit_range=arb(0.02),
        log_odds=(arb(low), arb(low + 0.05)),
        queries=(query,),
        eigenvalues=(arb(0.97), arb(0.96), arb(1.05)) if eigenvalues else None,
    )


def schedule_of(kind: ScheduleKind, bounds: CoherenceBounds) -> Schedule:
    """The flow, or steps of size 0.7."""
    return Schedule.flow() if kind == "flow" else Schedule.descent(kind, 0.7, bounds.contexts)


@pytest.mark.parametrize("eigenvalues", [False, True])
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("kind", ["flow", "gd"])
@pytest.mark.parametrize("seed", range(4))
def test_two_phase_by_hand(seed: int, kind: ScheduleKind, trained: bool, eigenvalues: bool) -> None:
    """Steps 1 to 7 of chain 1."""
    bounds = drawn(seed, trained, eigenvalues)
    query = bounds.queries[0]
    n, m = bounds.contexts, bounds.vocabulary
    mu, gamma = float(bounds.coherence), float(bounds.row_sum)
    s = 0.0 if kind == "flow" else 0.7 / n
    rate = (1 - mu) * (1 + 1 / (m - 1) - 4 * mu) - gamma * (2 + 4 * mu)
    if eigenvalues:
        rate = max(rate, 0.97 * 0.96 * (1 + 1 / (m - 1)))
    beta = (1 + mu + gamma) * (1 + m * mu) / (2 * n)
    speed = rate * (1 - n * s * beta / 2)
    worst = math.log1p(math.exp(-float(bounds.log_odds[0])))

    def share(loss: float) -> float:
        return loss / -math.expm1(-loss)

    two, own = float(query.two_norm), (float(query.largest - query.smallest) + 4 * mu) * (1 + mu)
    early = math.hypot(two * (1 + float(query.largest) + 4 * mu), own if trained else 0.0)
    late_pull = math.hypot(two, 4 * mu if trained else 0.0) * (2 + 4 * mu)
    slope = early * math.sqrt(n) * share(worst) / (speed * float(query.loss))
    jump = s * (2 + 4 * mu) * (1 + mu + gamma)
    best = math.inf
    for phase in PHASE_GRID:
        late = min(worst, n * worst * math.exp(-phase))
        if trained and late >= math.log(2):
            continue
        late_exponent = late_pull * math.sqrt(n) * share(late) / (speed * (1 - s * late_pull * math.sqrt(n)))
        reach = phase + jump
        first = 0.0 if phase == 0 else -math.log1p(-slope * reach) / reach if slope * reach < 1 else math.inf
        best = min(best, max(late_exponent, first))
    assert two_phase(bounds, schedule_of(kind, bounds)).epsilon == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("kind", ["flow", "gd", "cyclic", "reshuffled"])
@pytest.mark.parametrize("seed", range(4))
def test_signed_by_hand(seed: int, kind: ScheduleKind, trained: bool) -> None:
    """Steps 1 to 6 of chain 2, at the region that the chain found; and that region is a fixed point to 1e-4."""
    bounds = drawn(seed, trained)
    query = bounds.queries[0]
    assert query.signed is not None
    m, mu, gamma = bounds.vocabulary, float(bounds.coherence), float(bounds.row_sum)
    same, named = float(bounds.same_target_sum), float(bounds.target_sum)
    s = {"flow": 0.0, "gd": 0.7 / bounds.contexts}.get(kind, 0.7)
    zeta = 2 if kind == "reshuffled" else 1
    before = s * gamma * (2 + 4 * mu) if kind in ("cyclic", "reshuffled") else 0.0
    exponent = signed(bounds, schedule_of(kind, bounds))
    assert exponent.range is not None
    assert exponent.log_odds_gap is not None
    spread, gap = exponent.range, exponent.log_odds_gap
    e = math.exp(spread)

    def across(part: float) -> float:
        return min(part * (1 + e / (m - 1)) + gamma * (e - 1) / (m - 1), gamma * (1 + e / (m - 1))) + 4 * mu * gamma

    omega = 4 * mu * (1 + mu) + zeta * math.exp(gap) * across(2 * named)
    others = zeta * math.exp(gap) * (same + gamma * (2 * e / (m - 1) + 4 * mu))
    fast = (1 + mu) * (1 + math.cosh(spread / 2) ** 2 / (m - 1) + 4 * mu) + others
    width = (1 + mu) * (e - 1) / (m - 1) + omega
    slow = (1 - mu) * (1 + 1 / (m - 1) - 4 * mu) - others - s * width**2 / 8
    low, high = float(bounds.log_odds[0]) - before, float(bounds.log_odds[1]) + before
    seen = math.exp(low) / (1 + math.exp(low))
    r = fast * (1 + s * fast * math.exp(s * fast) / 8) / slow
    start = (high + math.exp(high) - low - math.exp(low)) / (1 + math.exp(low))
    summed = start + (r - 1) * (max(-low, 1) + math.exp(-1))
    assert spread == pytest.approx(max(0.02 + before, -math.log1p(-(m - 1) * omega / (1 - mu))), rel=1e-4)
    kept = math.log1p((fast / slow - 1) / seen)
    assert gap == pytest.approx(max(high - low, min(kept, summed)), rel=1e-4)

    sigma = (1 - mu) * (1 + 1 / e / (m - 1) - 4 * mu) - math.exp(gap) * across(same + named)
    half = (e - 1) * float(query.signed.spread) + float(query.signed.rounding)
    pull = query.signed.coupling * (query.signed.centre - np.sign(query.signed.coupling) * half)
    omega_q = -math.exp(gap) * pull[pull < 0].sum() - pull[pull > 0].sum()
    if omega_q <= 0:
        assert exponent.epsilon == 0.0
        return
    loss = float(query.loss)
    worst = math.log1p(math.exp(-float(bounds.log_odds[0])))
    slope = omega_q * worst / (1 - math.exp(-worst)) / (sigma * loss)
    floor = float(query.signed.floor) - 2 * spread * float(query.signed.weight_sum)
    remaining = (math.log(m - 1) - spread if trained else floor) / loss
    expected = slope * math.log(1 / remaining) / (1 - remaining) if remaining < 1 else slope
    assert exponent.epsilon == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_eigenvalue_exponent_by_hand(seed: int) -> None:
    """2 (1 + 2 mu) sqrt(N) K |G_qA| / (lambda lambda), K at the larger of q(0) and q*, once each here."""
    bounds = drawn(seed, eigenvalues=True)
    for gamma in (float(bounds.row_sum), 0.45):
        bounds = replace(bounds, row_sum=arb(gamma))
        mu = float(bounds.coherence)
        worst = 1 - 1 / (1 + math.exp(-float(bounds.log_odds[0])))
        q = max(worst, 2 * 1.05 * gamma / (0.96 * (1 - mu)))
        norm = float(bounds.queries[0].two_norm)
        expected = 2 * (1 + 2 * mu) * math.sqrt(bounds.contexts) * -math.log1p(-q) / q * norm / (0.97 * 0.96)
        assert eigenvalue_exponent(bounds) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("coherence", [0.25, 0.5, 1.5, 6.0])
def test_no_exponent_where_a_token_may_have_no_length(coherence: float) -> None:
    """With 4 mu >= 1 no chain says anything: signs of (1 - mu)(1 - 4 mu) and the like must not be trusted there."""
    bounds = replace(drawn(0, eigenvalues=True), coherence=arb(coherence))
    for kind in ("flow", "gd", "cyclic"):
        assert math.isinf(signed(bounds, schedule_of(kind, bounds)).epsilon)  # type: ignore[arg-type]
    assert math.isinf(two_phase(bounds, Schedule.flow()).epsilon)
    assert coherence < 1 or math.isinf(eigenvalue_exponent(bounds))


def test_a_large_token_is_refused() -> None:
    """G with |v_4|^2 = 7, positive definite: its loss moves ten times as fast as an unguarded chain would say."""
    from numerics.gram import Gram
    from numerics.instance_bounds import instance_bounds
    from theory.task import chain_of_thought_task

    excess = np.zeros((5, 5))
    for i, j, value in ((0, 1, 0.1), (2, 3, -0.1), (2, 4, -0.1), (4, 4, 6.0)):
        excess[i, j] = excess[j, i] = value
    task = chain_of_thought_task(1, 5)
    bounds = instance_bounds(task, Gram(1e3, excess), np.zeros((len(task.contexts), 5)))
    assert math.isinf(signed(bounds, Schedule.flow()).epsilon)


def test_unequal_shares_are_refused() -> None:
    """A repeated row weighs double: the proof is for equal shares, so there are no bounds."""
    from numerics.gram import Gram
    from numerics.instance_bounds import instance_bounds
    from theory.tails import TaskShape
    from theory.task import Statement, build_task

    rows = [Statement(("a",), "b", "r", 2.0), Statement(("c",), "d", "r", 1.0)]
    task = build_task("weighted", rows, [Statement(("b",), "a", "r")])
    with pytest.raises(ValueError, match="equal share"):
        instance_bounds(task, Gram.identity(task.vocabulary_size), np.zeros((3, task.vocabulary_size)))
    with pytest.raises(ValueError, match="equal share"):
        TaskShape.of(task)


def test_descent_needs_a_step() -> None:
    """The flow has no learning rate, and descent a positive one."""
    for kind, rate in (("flow", 0.1), ("gd", 0.0), ("cyclic", float("nan"))):
        with pytest.raises(ValueError, match="learning rate"):
            Schedule.descent(kind, rate, 5)  # type: ignore[arg-type]

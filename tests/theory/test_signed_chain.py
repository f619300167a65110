"""The constants of the signed chain, each against the worst instance that its bounds allow, worked out exactly."""

from dataclasses import replace

import numpy as np
import pytest
from flint import arb

from numerics.gram import Gram
from numerics.instance_bounds import instance_bounds
from theory.coherence import CoherenceBounds, QueryBounds, Schedule, SignedCoupling
from theory.signed_chain import _across, _rates, _start, _summed_gap, floor_of, pulls, region_conditions, signed
from theory.task import Statement, Task, build_task, chain_of_thought_task, reversal_task

FLOW, RESHUFFLED = Schedule.flow(), Schedule.descent("reshuffled", 1e-6, 7)
SPREAD, GAP = 0.3, 0.2
# Visits of another row between two own: reshuffled, a row may come last in one epoch and first in the next but one.
BETWEEN = {"flow": 1, "reshuffled": 2}


def task_of(targets: list[str], query: tuple[str, str], size: int = 24) -> Task:
    """Rows a0, a1, ... with these targets, and one query."""
    rows = [Statement((f"a{i}",), target, "r") for i, target in enumerate(targets)]
    return build_task("by hand", rows, [Statement((query[0],), query[1], "r")], vocabulary=size)


def token(task: Task, name: str) -> int:
    """The number of a token."""
    return task.tokens.index(name)


def unsigned(task: Task, excess: np.ndarray, start: np.ndarray | None = None) -> tuple[CoherenceBounds, QueryBounds]:
    """Bounds of an instance and of its query, which must do without the signs of its couplings."""
    if start is None:
        start = np.zeros((len(task.contexts), task.vocabulary_size))
    bounds = instance_bounds(task, Gram(1e6, excess), start)
    query = replace(bounds.queries[0], signed=None)
    return replace(bounds, queries=(query,)), query


# -- the floor --
@pytest.mark.parametrize("inner", [0.0, 0.15])
@pytest.mark.parametrize("lead", [0.0, 0.3])
def test_the_floor_is_nearly_reached(inner: float, lead: float) -> None:
    """Logits that stay within D bring L_q down to its floor but for a share of what is subtracted, and never below.

    Every row lowers its own target in row q, and moves the answer against the other free tokens from one end of D to
    the other; G_AA - I = -`inner` makes the weights as large as they can be.
    """
    task = task_of(["b0", "b1", "b2"], ("q", "x"))
    size, trained = task.vocabulary_size, [token(task, f"a{i}") for i in range(3)]
    query, answer = token(task, "q"), token(task, "x")
    excess = np.zeros((size, size))
    excess[np.ix_(trained, trained)] = -inner
    excess[query, trained] = excess[trained, query] = -0.1
    start = np.zeros((len(task.contexts), size))
    start[task.queries[0].context, answer] = lead
    others, target = np.delete(np.arange(size), answer), task.train_target
    start[:3, answer], start[:3, others] = SPREAD / 2, -SPREAD / 2
    end = start[:3].copy()
    end[:, answer], end[:, others] = -SPREAD / 2, SPREAD / 2
    end[np.arange(3), target] = 1e6
    weight = np.linalg.solve(np.eye(3) + excess[np.ix_(trained, trained)], excess[trained, query])
    row = start[task.queries[0].context] + weight @ (end - start[:3])
    loss = np.log(np.exp(row - row[answer]).sum())
    bounds, asked = unsigned(task, excess, start)
    floor = floor_of(bounds, asked, arb(SPREAD))
    free = size - 3
    assert bool(floor <= loss)
    subtracted = lead + 2 * SPREAD * np.abs(weight).sum()
    assert loss - float(floor) < 2 * subtracted / free + subtracted**2
    assert bool(floor < np.log(free))
    # with signs the start is known exactly, and only what is moved is subtracted
    signed = instance_bounds(task, Gram(1e6, excess), start).queries[0]
    assert signed.signed is not None
    floor = floor_of(bounds, signed, arb(SPREAD))
    moved = 2 * SPREAD * np.abs(weight).sum()
    assert bool(floor <= loss)
    assert loss - float(floor) < 2 * moved / free + moved**2


def test_no_floor_where_there_is_none() -> None:
    """Answers that are targets, single free tokens and couplings of one in all leave no floor, as with signs."""
    task = task_of(["b0", "x"], ("q", "x"))
    size = task.vocabulary_size
    bounds, asked = unsigned(task, np.zeros((size, size)))
    assert floor_of(bounds, asked, arb(SPREAD)) == 0
    task = task_of(["b0", "b1"], ("q", "x"))
    bounds, asked = unsigned(task, np.zeros((size, size)))
    assert floor_of(bounds, asked, arb(SPREAD)) > 0
    assert floor_of(bounds, replace(asked, free_tokens=1), arb(SPREAD)) == 0
    assert floor_of(replace(bounds, row_sum=arb(0.6), coherence=arb(0.5)), asked, arb(SPREAD)) == 0


def test_the_floor_of_a_trained_context() -> None:
    """p(x) <= e^D/(m - 1): the answer on top of its row by D, its own target gone, has a loss of just that floor."""
    task = task_of(["b0", "b1"], ("a0", "x"))
    bounds, asked = unsigned(task, np.zeros((task.vocabulary_size,) * 2))
    assert asked.trained
    size = task.vocabulary_size
    row = np.zeros(size)
    row[token(task, "x")], row[token(task, "b0")] = SPREAD, 1.5  # the target at its least: no lower than p = 1/m
    loss = np.log(np.exp(row - SPREAD).sum())
    floor = floor_of(bounds, asked, arb(SPREAD))
    assert bool(floor <= loss)
    assert loss - float(floor) < 0.4


# -- pulls --
def aligned(task: Task, mu: float, sign: float) -> np.ndarray:
    """E with |E_ij| = mu whose signs make (e_b - pi) E (p - e_x) as large (sign 1) or as small (-1) as it can be."""
    size = task.vocabulary_size
    excess = np.full((size, size), -mu)
    targets, answer = sorted({int(b) for b in task.train_target}), task.queries[0].answers[0]
    targets = [b for b in targets if b != answer]
    excess[answer, :] = excess[:, answer] = mu
    excess[targets, :] = mu
    excess[:, targets] = mu
    excess[answer, targets] = excess[targets, answer] = -mu
    return sign * excess


def worst_pulls(task: Task, excess: np.ndarray, start: np.ndarray) -> tuple[float, float]:
    """The largest sum of negative parts and the smallest sum of positive parts of G_qa X_a over admissible pi."""
    size, query = task.vocabulary_size, task.queries[0]
    whole = np.eye(size) + excess
    force = np.exp(start[query.context]) / np.exp(start[query.context]).sum()
    force[query.answers[0]] -= 1
    felt = whole @ force
    down = up = 0.0
    for a, b in zip(task.train_context.tolist(), task.train_target.tolist(), strict=True):
        coupling = whole[task.contexts[query.context][0], task.contexts[a][0]]
        order = np.argsort(felt)
        pulled = []
        for heavy in (order[size // 2 :], order[: size // 2], order[-1:], order[:1], order[-2:], order[:2]):
            weight = np.ones(size)
            weight[heavy] = np.exp(SPREAD)
            weight[b] = 0.0
            pulled.append(coupling * (felt[b] - weight @ felt / weight.sum()))
        down, up = down + max(0.0, *(-p for p in pulled)), up + min(max(p, 0.0) for p in pulled)
    return down, up


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("mu", [1e-3, 0.02, 0.2])
@pytest.mark.parametrize(
    ("targets", "query", "share"),
    [
        (["b0", "b1", "b2"], ("q", "x"), 0.65),
        (["x", "b1", "b2"], ("q", "x"), 0.6),
        (["x", "x", "x"], ("q", "x"), 0.75),
        (["b0", "b1", "b2"], ("a0", "x"), 0.0),
        (["b0", "x", "b2"], ("a0", "x"), 0.0),
    ],
    ids=["untrained", "its answer is a target", "of every row", "trained", "trained, its answer is a target"],
)
def test_pulls_without_signs_bound_the_worst_instance(
    targets: list[str], query: tuple[str, str], share: float, mu: float, sign: float
) -> None:
    """No admissible pi pulls a query down more, or up less, than is bounded; an untrained one nearly reaches it."""
    task = task_of(targets, query)
    size = task.vocabulary_size
    excess = aligned(task, mu, sign)
    start = np.zeros((len(task.contexts), size))
    for b in set(task.train_target.tolist()) - {task.queries[0].answers[0]}:
        start[task.queries[0].context, b] = 0.4  # the forces of targets and answer differ as much as any
    shares = []
    for coupling in (mu, -mu):
        row = [token(task, f"a{i}") for i in range(3) if f"a{i}" != query[0]]
        excess[token(task, query[0]), row] = excess[row, token(task, query[0])] = coupling
        bounds, asked = unsigned(task, excess, start)
        down, up = pulls(bounds, asked, arb(SPREAD))
        worst_down, worst_up = worst_pulls(task, excess, start)
        assert worst_down <= float(down) * (1 + 1e-12)
        assert worst_up >= float(up) * (1 - 1e-12)
        shares.append(worst_down / float(down) if float(down) > 0 else 0.0)
    if sign > 0 and (mu < 0.1 or "x" not in targets):
        assert max(shares) > share


@pytest.mark.parametrize("mu", [0.0, 1e-3])
def test_a_trained_query_pulls_itself_up_by_no_less(mu: float) -> None:
    """From equal logits the own row of a trained query pulls up, by nearly the least that is bounded."""
    task = task_of(["b0", "b1", "b2"], ("a0", "x"))
    excess = aligned(task, mu, -1.0)
    own, rest = token(task, "a0"), [token(task, "a1"), token(task, "a2")]
    excess[own, rest] = excess[rest, own] = 0.0
    excess[own, own] = -mu
    start = np.zeros((len(task.contexts), task.vocabulary_size))
    bounds, asked = unsigned(task, excess, start)
    _, up = pulls(bounds, asked, arb(SPREAD))
    _, worst = worst_pulls(task, excess, start)
    assert 0.75 * worst < float(up) <= worst * (1 + 1e-12)


# -- rates --
def admissible(task: Task, row: int, heavy: list[int]) -> np.ndarray:
    """rho = e_b - pi with pi larger by e^D on the tokens `heavy`."""
    weight = np.ones(task.vocabulary_size)
    weight[heavy] = np.exp(SPREAD)
    weight[task.train_target[row]] = 0.0
    rho = -weight / weight.sum()
    rho[task.train_target[row]] += 1.0
    return rho


@pytest.mark.parametrize("schedule", [FLOW, RESHUFFLED], ids=lambda s: s.kind)
@pytest.mark.parametrize("each", [1, 3])
@pytest.mark.parametrize("mu", [1e-3, 0.02])
def test_a_range_is_pushed_by_no_more_than_is_bounded(mu: float, each: int, schedule: Schedule) -> None:
    """Of a visit of row a and those of others between, what widens S_ak - S_aj is at most the push, and nearly it.

    Own embedding: E (e_k - e_j) along the signs of rho_a. Others: `each` rows with target k and as many with target j,
    coupled to a with the signs that widen, and q_a' = e^Delta q_a.
    """
    task = task_of(["b0", *["k"] * each, *["j"] * each], ("q", "x"))
    size, k, j, b = task.vocabulary_size, token(task, "k"), token(task, "j"), token(task, "b0")
    excess = np.full((size, size), -mu)
    excess[:, k], excess[k, :] = -mu, -mu
    excess[:, j], excess[j, :] = mu, mu
    excess[b, k] = excess[k, b] = mu
    excess[b, j] = excess[j, b] = -mu
    rows = [token(task, f"a{i}") for i in range(2 * each + 1)]
    excess[np.ix_(rows, rows)] = 0.0
    excess[rows[0], rows[0]] = mu
    excess[rows[0], rows[1 : each + 1]] = excess[rows[1 : each + 1], rows[0]] = mu
    excess[rows[0], rows[each + 1 :]] = excess[rows[each + 1 :], rows[0]] = -mu
    whole = np.eye(size) + excess
    bounds, _ = unsigned(task, excess)
    push, _, _ = _rates(bounds, schedule, arb(SPREAD), arb(GAP))
    rho = [admissible(task, a, [j] if 0 < a <= each else [k] if a else []) for a in range(2 * each + 1)]
    felt = [float(r @ (whole[:, k] - whole[:, j])) for r in rho]
    widened = whole[rows[0], rows[0]] * (felt[0] - (rho[0][k] - rho[0][j]))
    others = sum(max(0.0, whole[rows[0], rows[a]] * felt[a]) for a in range(1, 2 * each + 1))
    widened += BETWEEN[schedule.kind] * np.exp(GAP) * others
    assert widened <= float(push) * (1 + 1e-12)
    assert widened > 0.9 * float(push)
    across = _across(bounds, arb(SPREAD), 2 * bounds.target_sum)
    assert others <= float(across) * (1 + 1e-12)
    assert others > 0.9 * float(across)


@pytest.mark.parametrize("schedule", [FLOW, RESHUFFLED], ids=lambda s: s.kind)
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("mu", "size", "spread"), [(1e-3, 24, 0.3), (0.02, 24, 0.3), (1e-3, 9, 1.2)])
def test_log_odds_grow_at_a_bounded_rate(mu: float, size: int, spread: float, sign: float, schedule: Schedule) -> None:
    """u_a grows by s q_a nu, nu between slow and fast and nearly there, E along rho_a rho_a^T or against it.

    Three other rows share the target of a and are coupled to it with the sign of E, and q_a' = e^Delta q_a. For steps
    that vanish Hoeffding's term does too.
    """
    task = task_of(["b"] * 4, ("q", "x"), size)
    b = token(task, "b")
    rest = [k for k in range(size) if k != b]
    weight = np.zeros(size)
    # pi of the largest norm that its range allows is heavy on few tokens, of the smallest it is uniform
    heavy = rest[: max(1, round(len(rest) / (1 + np.exp(spread))))] if sign > 0 else []
    weight[rest] = 1.0
    weight[heavy] = np.exp(spread)
    rho = -weight / weight.sum()
    rho[b] = 1.0
    excess = sign * mu * np.sign(np.outer(rho, rho))
    rows = [token(task, f"a{i}") for i in range(4)]
    excess[np.ix_(rows, rows)] = sign * mu
    whole = np.eye(size) + excess
    bounds, _ = unsigned(task, excess)
    _, fast, slow = _rates(bounds, schedule, arb(spread), arb(GAP))
    square = float(rho @ whole @ rho)
    grown = whole[rows[0], rows[0]] * square + BETWEEN[schedule.kind] * np.exp(GAP) * 3 * sign * mu * square
    assert float(slow) <= grown * (1 + 1e-6)
    assert grown <= float(fast) * (1 + 1e-12)
    if sign > 0:
        assert float(fast) - grown < 0.25 * (float(fast) - 1) if size == 24 else float(fast) - grown < 0.01
    else:
        assert grown - float(slow) < 0.25 * abs(1 + 1 / (size - 1) - float(slow)) + 0.002


def test_hoeffding_costs_an_eighth_of_the_squared_range() -> None:
    """A finite step lowers the slowest growth by s w^2 / 8, attained to third order by two values that are w apart."""
    task = task_of(["b0", "b1"], ("q", "x"))
    bounds, _ = unsigned(task, np.zeros((task.vocabulary_size,) * 2))
    step = 0.5
    schedule = Schedule.descent("gd", step * 2, 2)
    size = task.vocabulary_size
    _, _, slow = _rates(bounds, schedule, arb(1.0), arb(0.0))
    width = float(np.expm1(1.0)) / (size - 1)  # of the increments per unit of s q
    mean = width * step
    lost = (np.log((1 + np.exp(mean)) / 2) - mean / 2) / step  # log of the mean of e^delta over its mean
    allowed = 1 + 1 / (size - 1) - float(slow)
    assert lost <= allowed < 1.01 * lost


@pytest.mark.parametrize(("amount", "kept"), [(3.7, True), (3.85, False)])
def test_log_odds_keep_their_order_up_to_a_step_of_four(amount: float, kept: bool) -> None:
    """u + s nu/(1 + e^u) increases in u exactly while s nu <= 4, here nu+ = 1 + 1/(m-1)."""
    task = task_of(["b0", "b1"], ("q", "x"))
    bounds, _ = unsigned(task, np.zeros((task.vocabulary_size,) * 2))
    schedule = Schedule.descent("cyclic", amount, 2)
    held = {c.name: c.holds for c in region_conditions(bounds, schedule, arb(0), arb(0))}
    u = np.linspace(-1, 1, 2001)
    grown = u + amount * (1 + 1 / (task.vocabulary_size - 1)) / (1 + np.exp(u))
    assert held["step within the log-odds' map"] == bool((np.diff(grown) >= 0).all()) == kept


def test_pulls_count_all_that_is_not_known() -> None:
    """X_a anywhere within centre +- (growth spread + rounding): the sums are those of the worst ends, by hand."""
    both = SignedCoupling(
        coupling=np.array([2.0, -1.0, 3.0, -1.0]),
        centre=np.array([-0.2, 0.3, 0.5, -0.4]),
        spread=arb(0.25),
        rounding=arb(0.01),
        floor=arb(0),
        weight_sum=arb(0),
    )
    down, up = both.pulls(arb(0.2))
    half = 0.2 * 0.25 + 0.01
    assert float(down) == pytest.approx(2 * (0.2 + half) + (0.3 + half), rel=1e-9)
    assert float(up) == pytest.approx(3 * (0.5 - half) + (0.4 - half), rel=1e-9)


@pytest.mark.parametrize("mu", [0.0, 0.02])
def test_what_others_do_before_the_first_visit_is_reached(mu: float) -> None:
    """One visit of each other row, p = 0 for its target and all on one token, widens a range by s Gamma (2 + 4 mu).

    The log-odds of one row may fall by as much while those of another rise.
    """
    task = task_of(["b0", "k", "k"], ("q", "x"))
    size, k, j = task.vocabulary_size, token(task, "k"), token(task, "j" if "j" in task.tokens else "x")
    rows = [token(task, f"a{i}") for i in range(3)]
    rho = np.zeros(size)
    rho[k], rho[j] = 1.0, -1.0
    excess = mu * np.sign(np.outer(rho, rho))
    coupling = mu or 1e-3
    excess[rows[0], rows[1:]] = excess[rows[1:], rows[0]] = coupling
    amount = 0.5
    widened = amount * 2 * coupling * float(rho @ (np.eye(size) + excess) @ rho)
    bounds, _ = unsigned(task, excess)
    spread, gap = _start(replace(bounds, coherence=arb(mu)), Schedule.descent("cyclic", amount, 3))
    low, high = bounds.log_odds
    assert float(spread) == pytest.approx(widened, rel=1e-12)
    assert float(gap) == pytest.approx(2 * widened + float(high - low), rel=1e-12)
    spread, gap = _start(bounds, FLOW)
    assert float(spread) == float(bounds.logit_range)


def by_hand(bounds: CoherenceBounds, spread: float, gap: float, down: float, up: float, floor: float) -> float:
    """The exponent of docs/separation.md, chain 2, steps 3 to 6, within a region (D, Delta), in floats."""
    m, mu, gamma = bounds.vocabulary, float(bounds.coherence), float(bounds.row_sum)
    most, least = 1 + np.exp(spread) / (m - 1), np.expm1(spread) / (m - 1)
    named = float(bounds.same_target_sum + bounds.target_sum)
    across = min(named * most + gamma * least, gamma * most) + 4 * mu * gamma
    length = (1 - mu) * (1 + np.exp(-spread) / (m - 1) - 4 * mu) - np.exp(gap) * across
    first, start = np.log1p(np.exp(-float(bounds.log_odds[0]))), float(bounds.queries[0].loss)
    slope = (np.exp(gap) * down - up) * first / -np.expm1(-first) / (length * start)
    phi = floor / start
    return max(slope * np.log(1 / phi) / (1 - phi), 0.0) if phi < 1 else max(slope, 0.0)


@pytest.mark.parametrize("kind", ["flow", "gd", "cyclic", "reshuffled"])
@pytest.mark.parametrize("build", ["reversal", "chains", "reversal without signs"])
def test_the_exponent_by_hand(build: str, kind: str) -> None:
    """Within its region the exponent is that of the written proof, digit by digit, for every schedule."""
    found = []
    for seed in range(4):
        task = chain_of_thought_task(3, 12) if build == "chains" else reversal_task(3, vocabulary=12)
        rng = np.random.default_rng(seed)
        gram = Gram.draw(12, 1e7, rng)
        bounds = instance_bounds(task, gram, gram.initial_logits(task.features, 0.01, rng))
        bounds = replace(bounds, queries=bounds.queries[:1])
        if build == "reversal without signs":
            bounds = replace(bounds, queries=(replace(bounds.queries[0], signed=None),))
        schedule = FLOW if kind == "flow" else Schedule.descent(kind, 0.5, task.trained_contexts)  # type: ignore[arg-type]
        exponent = signed(bounds, schedule)
        assert exponent.range is not None
        assert exponent.log_odds_gap is not None
        query, spread = bounds.queries[0], arb(exponent.range)
        down, up = (float(x) for x in pulls(bounds, query, spread))
        floor = float(floor_of(bounds, query, spread))
        expected = by_hand(bounds, exponent.range, exponent.log_odds_gap, down, up, floor)
        assert exponent.epsilon == pytest.approx(expected, rel=1e-9, abs=1e-18)
        found.append(exponent.epsilon)
    assert max(found) > 0 or build == "chains"


@pytest.mark.parametrize("kind", ["flow", "gd", "reshuffled"])
def test_the_region_is_kept_by_its_worst_row(kind: str) -> None:
    """At the edge of the region neither the widest range nor the largest gap grows, by the maps that visits are.

    A range D of the two extreme tokens shrinks by s q (1 - mu) (e^D - 1) e^-D / (m - 1) at least, and widens by s q
    push at most.
    A gap Delta of log-odds at v >= u_0: nu+/(1 + e^(v + Delta)) <= nu-/(1 + e^v), or the bound by F(u) = u + e^u.
    """
    task = reversal_task(3, vocabulary=12)
    rng = np.random.default_rng(1)
    gram = Gram.draw(12, 1e8, rng)
    bounds = instance_bounds(task, gram, gram.initial_logits(task.features, 0.01, rng))
    schedule = FLOW if kind == "flow" else Schedule.descent(kind, 0.5, task.trained_contexts)  # type: ignore[arg-type]
    exponent = signed(bounds, schedule)
    assert exponent.range is not None
    assert exponent.log_odds_gap is not None
    m, mu, step = 12, float(bounds.coherence), float(schedule.amount)
    held = {c.name: c for c in region_conditions(bounds, schedule, arb(exponent.range), arb(exponent.log_odds_gap))}
    push, fast, slow = (float(x) for x in _rates(bounds, schedule, arb(exponent.range), arb(exponent.log_odds_gap)))
    shrinks = (1 - mu) * np.expm1(exponent.range) * np.exp(-exponent.range) / (m - 1)
    assert held["range is kept"].found == pytest.approx((push - shrinks) * (m - 1) / (1 - mu), abs=1e-12)
    assert push <= shrinks
    start, gap = (float(x) for x in _start(bounds, schedule))
    before = (start - float(bounds.logit_range)) if kind == "reshuffled" else 0.0
    low, high = float(bounds.log_odds[0]) - before, float(bounds.log_odds[1]) + before
    assert gap == pytest.approx(high - low, rel=1e-12)
    largest = exponent.log_odds_gap
    # the gain of a row that is ahead by Delta less that of one behind
    visits = fast / (1 + np.exp(low + largest)) - slow / (1 + np.exp(low))
    once = fast / slow - 1 - np.expm1(largest) / (1 + np.exp(-low))
    assert np.sign(once) == np.sign(visits)
    ratio = fast / slow * (1 + step * fast * np.exp(step * fast) / 8)
    gained = (high + np.exp(high) - low - np.exp(low)) / (1 + np.exp(low)) + (ratio - 1) * (max(-low, 1) + np.exp(-1))
    assert float(_summed_gap(bounds, schedule, arb(fast), arb(slow))) == pytest.approx(gained, rel=1e-12)
    assert held["gap is kept"].found == pytest.approx(min(once, gained - largest), abs=1e-9)
    assert held["gap is kept"].holds


@pytest.mark.parametrize("length", [0.1, 1.0, 3.0])
def test_what_a_visit_adds_to_the_clock_of_log_odds(length: float) -> None:
    """F(u) = u + e^u gains between y and y (1 + y e^y / 8) in a visit of y = s nu, and second order is needed."""
    u = np.linspace(-15, 15, 4001)
    step = length / (1 + np.exp(u))
    gain = step + np.exp(u) * np.expm1(step)
    assert (gain >= length * (1 - 1e-12)).all()
    assert (gain <= length * (1 + length * np.exp(length) / 8)).all()
    assert gain.max() > length * (1 + 0.1 * length)

"""Explicit exponents for Theorem 1 of arXiv 2405.04669, from bounds on the coherence of the embeddings and the start.

Theorem 1: L_rev(t) / L_rev(0) >= (L(t) / L(0))^eps. Setting: single targets b_a, equal shares 1/N, C_a the coordinates
of row a, S - S(0) = G[:, A] C G. Every visit adds s R_a = s q_a rho_a to C_a with q_a = 1 - p(b_a|a), rho_a = e_{b_a} -
pi_a, pi_a the distribution of row a over the other tokens. For a query q with answer x and v = p^q(0) - e_x, convexity
gives L_q >= L_q(0) + sum_a G_qa C_a G v. Two chains bound that sum against log(L(0) / L); docs/separation.md has the
proofs in full:

- *two-phase*: absolute values, Cauchy-Schwarz; convexity until the training loss has fallen by e^-l1, from there on
  -log p >= 1 - p. Gradient flow and full-batch descent, from dimensions of some (N/eps)^2 on.
- *signed*: keeps the signs. The non-target logits of a row stay within a range D and the rows' log-odds within Delta of
  each other for all time, so C_a is known up to a few per cent but for its length. Flow, descent and SGD in epochs.

Everything is evaluated in balls; an exponent that is returned is proved.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from flint import arb

from theory.coherence import CoherenceBounds, QueryBounds, Schedule

# Where the training loss has fallen by e^-l1 the two-phase chain changes its argument; any value is valid, the best of
# this grid is taken.
PHASE_GRID = (0.0, *(1.25**k for k in range(-4, 24)))
FIXED_POINT_ROUNDS = 200
# The region's fixed point is approached from below until a round changes it by less than SETTLED, and then widened, so
# that its conditions hold in balls with room to spare.
SETTLED = 1e-7
WIDENING = 1e-5
LEAST_WIDENING = 1e-12  # at G = I, where both are zero but for the radius of the balls


@dataclass(frozen=True)
class Condition:
    """One inequality that a chain needs: `found` must stay at or below `required` (both as plain numbers)."""

    name: str
    statement: str
    found: float
    required: float

    @property
    def holds(self) -> bool:
        """Whether the number found is allowed; false for nan."""
        return self.found <= self.required


@dataclass(frozen=True)
class Exponent:
    """An upper bound on the exponent of Theorem 1 for every query, by one chain, or the conditions that failed.

    `by_query` has an entry for each query, infinite where the chain says nothing. `range`, `log_odds_gap` are D and
    Delta of the signed chain.
    """

    chain: str
    schedule: Schedule
    by_query: tuple[float, ...]
    conditions: tuple[Condition, ...]
    range: float | None = None
    log_odds_gap: float | None = None

    @property
    def epsilon(self) -> float:
        """The largest exponent over the queries (Theorem 1 for the mean loss): 0 where no query's loss ever falls."""
        return max(self.by_query, default=0.0)

    @property
    def failed(self) -> tuple[Condition, ...]:
        """The conditions that do not hold."""
        return tuple(c for c in self.conditions if not c.holds)


def upper(ball: arb) -> float:
    """A double at or above every point of the ball; infinite where the ball is not finite."""
    if not ball.is_finite():
        return math.inf
    top = ball.upper()
    nearest = float(top)
    return nearest if arb(nearest) == top else math.nextafter(nearest, math.inf)


def loss_of(log_odds: arb) -> arb:
    """-log p at log-odds u: log(1 + e^-u)."""
    return (-log_odds).exp().log1p()


def loss_share(loss: arb) -> arb:
    """K = -log(1 - q)/q at -log(1 - q) = `loss`: loss / (1 - e^-loss), 1 at 0; it increases with the loss."""
    return arb(1) if loss == 0 else loss / -(-loss).expm1()


def _bound(condition: str, statement: str, found: arb, required: float) -> Condition:
    return Condition(condition, statement, upper(found), required)


def certify(bounds: CoherenceBounds, schedule: Schedule) -> Exponent:
    """The best chain for each query; the chain named is that of the worst query, its conditions stand."""
    kept_signs = signed(bounds, schedule)
    if not schedule.simultaneous:
        return kept_signs
    absolute = two_phase(bounds, schedule)
    by_query = tuple(min(pair) for pair in zip(absolute.by_query, kept_signs.by_query, strict=True))
    worst = max(range(len(by_query)), key=by_query.__getitem__, default=0)
    named = absolute if by_query and absolute.by_query[worst] < kept_signs.by_query[worst] else kept_signs
    if not all(math.isfinite(e) for e in by_query):
        named = absolute  # its conditions are the weaker ones: what they miss is what is missing
    return replace(named, by_query=by_query, range=kept_signs.range, log_odds_gap=kept_signs.log_odds_gap)


# -- the two-phase chain -------------------------------------------------------------------------------------------
def two_phase(bounds: CoherenceBounds, schedule: Schedule) -> Exponent:
    """The exponent by absolute values, for gradient flow and full-batch descent. Raises ValueError for SGD."""
    if not schedule.simultaneous:
        raise ValueError("the two-phase chain follows the full-batch gradient; use the signed chain for SGD")
    mu, gamma, s = bounds.coherence, bounds.row_sum, schedule.amount
    across = 2 + 4 * mu  # |rho_a G rho_a'| and |rho_a G (e_x - p)| at most
    least = 1 - mu
    order = gamma * across / (least * (1 - 4 * mu)) * (s * gamma * across).exp()
    descent = descent_rate(bounds)
    # curvature of L in Theta: at most 1/2 per row and share 1/N, times the largest eigenvalues of G_AA and G
    largest = 1 + bounds.vocabulary * mu
    curvature = (1 + mu + gamma) * largest / (2 * bounds.contexts)
    kept = 1 - s * bounds.contexts * curvature / 2
    conditions = (
        _bound("coherence", r"4 \mu", 4 * mu, math.nextafter(1.0, 0.0)),
        _bound("no row falls behind", r"\Gamma (2 + 4\mu) e^{s\Gamma(2+4\mu)} / ((1-\mu)(1-4\mu))", order, 1.0),
        _bound("the loss falls", r"-\lambda", -descent, -1e-300),
        _bound("step below the smoothness limit", r"\eta \beta / 2", 1 - kept, math.nextafter(1.0, 0.0)),
    )
    if not all(c.holds for c in conditions):
        return Exponent("two-phase", schedule, (math.inf,) * len(bounds.queries), conditions)
    speed = descent * kept
    jump = s * across * (1 + mu + gamma)  # one step raises no log-odds by more, and log L falls by no more
    by_query = tuple(_two_phase_query(bounds, query, s, speed, jump) for query in bounds.queries)
    return Exponent("two-phase", schedule, by_query, conditions)


def descent_rate(bounds: CoherenceBounds) -> arb:
    """lambda with |grad L|^2 >= lambda / N^2 sum_a q_a^2: by diagonal dominance, or lambda_min(G_AA) lambda_min(G)."""
    mu, gamma, m = bounds.coherence, bounds.row_sum, bounds.vocabulary
    row = 1 + arb(1) / (m - 1)  # |rho_a|^2 at least
    dominance = (1 - mu) * (row - 4 * mu) - gamma * (2 + 4 * mu)
    if bounds.eigenvalues is None:
        return dominance
    trained, least, _ = bounds.eigenvalues
    product = trained * least * row if bool(trained > 0) and bool(least > 0) else arb(0)
    return product if bool(product > dominance) else dominance


def _two_phase_query(bounds: CoherenceBounds, query: QueryBounds, s: arb, speed: arb, jump: arb) -> float:
    """The best exponent over the grid of phase changes."""
    if query.answers > 1 and not bool(s == 0):
        return math.inf  # -log of a sum of probabilities is not convex: only the flow has this chain
    phases = PHASE_GRID if query.answers == 1 else (0.0,)
    return min(_two_phase_at(bounds, query, s, speed, jump, phase) for phase in phases)


def _two_phase_at(bounds: CoherenceBounds, query: QueryBounds, s: arb, speed: arb, jump: arb, phase: float) -> float:
    n, mu = bounds.contexts, bounds.coherence
    worst = loss_of(bounds.log_odds[0])  # of one row at the start, and of the mean
    late = n * worst * (-arb(phase)).exp()
    late = late if bool(late < worst) else worst
    if query.trained and not bool(late < arb(2).log()):
        return math.inf  # its own row helps only once q <= 1/2
    root = arb(n).sqrt()
    late_pull = (query.two_norm**2 + ((4 * mu) ** 2 if query.trained else 0)).sqrt() * (2 + 4 * mu)
    drop = s * late_pull * root
    if not bool(drop < 1):
        return math.inf
    late_exponent = late_pull * root * loss_share(late) / (speed * (1 - drop))
    if phase == 0.0:
        return upper(late_exponent)
    own = (query.largest - query.smallest + 4 * mu) * (1 + mu) if query.trained else arb(0)
    early_pull = ((query.two_norm * (1 + query.largest + 4 * mu)) ** 2 + own**2).sqrt()
    slope = early_pull * root * loss_share(worst) / (speed * query.loss)
    reach = phase + jump
    fallen = slope * reach
    if not bool(fallen < 1):
        return math.inf
    return max(upper(late_exponent), upper(-(-fallen).log1p() / reach))


def eigenvalue_exponent(bounds: CoherenceBounds) -> float:
    """The classical exponent 2 (1 + 2 mu) sqrt(N) K |G_qA| / (lambda_min(G_AA) lambda_min(G)) of gradient flow.

    K = -log(1 - q)/q at the largest q_a that ever occurs: max(q_a(0), q*), q* = 2 lambda_max(G) Gamma /
    (lambda_min(G) G_aa). Infinite without eigenvalues, for q* >= 1 and for trained query contexts.
    """
    if bounds.eigenvalues is None or any(query.trained for query in bounds.queries):
        return math.inf
    trained, least, most = bounds.eigenvalues
    if not (bool(trained > 0) and bool(least > 0)):
        return math.inf
    mu = bounds.coherence
    returning = 2 * most * bounds.row_sum / (least * (1 - mu))
    if not bool(returning < 1):
        return math.inf
    worst, least_loss = loss_of(bounds.log_odds[0]), -(-returning).log1p()
    share = loss_share(least_loss if bool(least_loss > worst) else worst)
    root = arb(bounds.contexts).sqrt()
    return max(
        (upper(2 * (1 + 2 * mu) * root * share * q.two_norm / (trained * least)) for q in bounds.queries), default=0.0
    )


# -- the signed chain ----------------------------------------------------------------------------------------------
def signed(bounds: CoherenceBounds, schedule: Schedule) -> Exponent:
    """The exponent with signs kept, for any schedule; SGD at the ends of epochs."""
    silent = (math.inf,) * len(bounds.queries)
    guess = _region(bounds, schedule)
    if guess is None:
        room = (bounds.vocabulary - 1) * (4 * bounds.coherence + schedule.between * bounds.row_sum)
        condition = _bound("coherence", r"(m-1)(4\mu + \zeta\Gamma)", room, 1.0)
        if condition.holds:
            condition = Condition("region", "a range D and a gap Delta that no row leaves", math.inf, 0.0)
        return Exponent("signed", schedule, silent, (condition,))
    spread, gap = (arb(x) for x in guess)
    conditions = tuple(region_conditions(bounds, schedule, spread, gap))
    if not all(c.holds for c in conditions):
        return Exponent("signed", schedule, silent, conditions, *guess)
    m, mu = bounds.vocabulary, bounds.coherence
    across = 1 + spread.exp() / (m - 1) + 4 * mu
    length = (1 - mu) * (1 + (-spread).exp() / (m - 1) - 4 * mu) - bounds.row_sum * across * gap.exp()
    if not bool(length > 0):
        length_condition = _bound("log-odds grow", r"-\sigma", -length, -1e-300)
        return Exponent("signed", schedule, silent, (*conditions, length_condition), *guess)
    share = loss_share(loss_of(bounds.log_odds[0]))
    by_query = tuple(_signed_query(bounds, query, spread, gap, share / length) for query in bounds.queries)
    return Exponent("signed", schedule, by_query, conditions, *guess)


def _rates(bounds: CoherenceBounds, schedule: Schedule, spread: arb, gap: arb) -> tuple[arb, arb, arb]:
    """Perturbation of a range over a visit in units of s q_a, and the fastest and slowest growth of log-odds."""
    m, mu, gamma, between = bounds.vocabulary, bounds.coherence, bounds.row_sum, schedule.between
    e, ratio = spread.exp(), gap.exp()
    across = 1 + e / (m - 1) + 4 * mu
    push = 4 * mu * (1 + mu) + between * gamma * across * ratio
    pulled = between * ratio * (bounds.same_target_sum + gamma * (2 * e / (m - 1) + 4 * mu))
    fast = (1 + mu) * (1 + (spread / 2).cosh() ** 2 / (m - 1) + 4 * mu) + pulled
    uneven = (1 + mu) * (e - 1) / (m - 1) + push  # range of the increments over the other tokens
    slow = (1 - mu) * (1 + arb(1) / (m - 1) - 4 * mu) - pulled - schedule.amount * uneven**2 / 8
    return push, fast, slow


def _least_log_odds(bounds: CoherenceBounds, schedule: Schedule) -> arb:
    """No row's log-odds ever fall below this: the start, less what others do before the first visit."""
    return bounds.log_odds[0] - _before_first(bounds, schedule)


def _before_first(bounds: CoherenceBounds, schedule: Schedule) -> arb:
    return schedule.before * schedule.amount * bounds.row_sum * (2 + 4 * bounds.coherence)


def _start(bounds: CoherenceBounds, schedule: Schedule) -> tuple[arb, arb]:
    """Range of non-target logits and gap of log-odds at the first visits."""
    before = _before_first(bounds, schedule)
    low, high = bounds.log_odds
    return bounds.logit_range + before, high - low + 2 * before


def _region(bounds: CoherenceBounds, schedule: Schedule) -> tuple[float, float] | None:
    """The smallest range D and gap Delta found by iterating their conditions in floats; None where they run away."""
    m, mu = bounds.vocabulary, bounds.coherence
    u = _least_log_odds(bounds, schedule)
    seen = 1 / (1 + (-u).exp())
    start_spread, start_gap = (upper(x) for x in _start(bounds, schedule))
    spread, gap = start_spread, start_gap
    for _ in range(FIXED_POINT_ROUNDS):
        push, fast, slow = _rates(bounds, schedule, arb(spread), arb(gap))
        room = (m - 1) * push / (1 - mu)
        if not (bool(room < 1) and bool(slow > 0)):
            return None
        new_spread = max(start_spread, upper(-(-room).log1p()))
        new_gap = max(start_gap, upper(((fast / slow - 1) / seen).log1p()))
        if new_spread - spread <= SETTLED * spread and new_gap - gap <= SETTLED * gap:
            return new_spread * (1 + WIDENING) + LEAST_WIDENING, new_gap * (1 + WIDENING) + LEAST_WIDENING
        spread, gap = max(spread, new_spread), max(gap, new_gap)
        if spread > 50 or gap > 50:
            return None
    return None


def region_conditions(bounds: CoherenceBounds, schedule: Schedule, spread: arb, gap: arb) -> Iterator[Condition]:
    """No row ever leaves the region: its non-target logits within D, log-odds of rows within Delta of each other."""
    m, mu, s = bounds.vocabulary, bounds.coherence, schedule.amount
    push, fast, slow = _rates(bounds, schedule, spread, gap)
    start_spread, start_gap = _start(bounds, schedule)
    u = _least_log_odds(bounds, schedule)
    seen = 1 / (1 + (-u).exp())
    yield _bound("range at the start", r"\max_a \mathrm{range}_{k \ne b_a} S_{ak}(0) - D", start_spread - spread, 0.0)
    yield _bound("gap at the start", r"\max_{a,a'} |u_a(0) - u_{a'}(0)| - \Delta", start_gap - gap, 0.0)
    yield _bound(
        "range is kept",
        r"\frac{m-1}{1-\mu}\,\omega - (1 - e^{-D})",
        (m - 1) * push / (1 - mu) - (1 - (-spread).exp()),
        0.0,
    )
    yield _bound(
        "gap is kept",
        r"\nu^+ / \nu^- - 1 - (e^\Delta - 1) p_0",
        fast / slow - 1 - (gap.exp() - 1) * seen if bool(slow > 0) else arb(1),
        0.0,
    )
    yield _bound("step within the range's map", r"s (1+\mu) e^D / (m-1)", s * (1 + mu) * spread.exp() / (m - 1), 1.0)
    yield _bound("step within the log-odds' map", r"s \nu^+ / 4", s * fast / 4, 1.0)


def _signed_query(bounds: CoherenceBounds, query: QueryBounds, spread: arb, gap: arb, rate: arb) -> float:
    """Omega K / (sigma L_q(0)) log(1/phi)/(1 - phi): slope of the fall, stretched to the floor phi L_q(0)."""
    if query.answers > 1:
        return math.inf
    down, up = pulls(bounds, query, spread)
    fall = gap.exp() * down - up  # per unit of the smallest length c_a
    if not bool(fall > 0):
        # the ball may straddle zero: its upper end is then the bound
        if upper(fall) <= 0:
            return 0.0
        fall = arb(upper(fall))
    slope = fall * rate / query.loss
    remaining = floor_of(bounds, query, spread) / query.loss
    if not bool(remaining > 0):
        return math.inf
    if not bool(remaining < 1):
        return upper(slope)
    return upper(slope * -remaining.log() / (1 - remaining))


def pulls(bounds: CoherenceBounds, query: QueryBounds, spread: arb) -> tuple[arb, arb]:
    """Bounds of sum_a (G_qa X_a)_- from above and of sum_a (G_qa X_a)_+ from below (see `SignedCoupling`)."""
    m, mu = bounds.vocabulary, bounds.coherence
    if query.signed is not None:
        return query.signed.pulls(spread.exp() - 1)
    difference = query.largest - query.smallest
    size = difference + spread.exp() / (m - 1) + 4 * mu
    down = query.one_norm * size
    if query.answer_targets:
        down = down + query.answer_targets * query.largest_coupling * (1 + query.largest + 4 * mu)
    up = arb(0)
    if query.trained:
        own = (-spread).exp() / (m - 1) - difference - 4 * mu
        if bool(own > 0):
            up = (1 - mu) * own
        else:
            down = down - (1 + mu) * own
    return down, up


def floor_of(bounds: CoherenceBounds, query: QueryBounds, spread: arb) -> arb:
    """A lower bound of L_q for all time, 0 where there is none.

    An untrained q: tokens that no row pulls below the answer keep their place, S_qk - S_qx >= start - 2 D sum |w_a|.
    A trained q whose target is not x: p(x) <= e^D / (m - 1).
    """
    if query.trained:
        return arb(bounds.vocabulary - 1).log() - spread
    if query.signed is not None:
        return query.signed.floor - 2 * spread * query.signed.weight_sum
    if query.free_tokens < 2:
        return arb(0)
    whole = bounds.row_sum + bounds.coherence
    if not bool(whole < 1):
        return arb(0)
    weight_sum = query.one_norm / (1 - whole)
    start = (query.largest / query.smallest).log()
    return arb(query.free_tokens).log() - start - 2 * spread * weight_sum

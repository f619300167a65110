"""The signed chain for the exponent of Theorem 1: the rows stay in a region for all time, and signs are kept.

The non-target logits of every row stay within a range D and the log-odds of the rows within a gap Delta, so the
coordinates C_a are known up to a few per cent but for their length. docs/separation.md, chain 2; flow, descent, SGD.
"""

import math
from collections.abc import Iterator

from flint import arb, ctx

from theory.coherence import CoherenceBounds, QueryBounds, Schedule
from theory.exponent import PRECISION, Condition, Exponent, at_most, loss_of, loss_share, upper

FIXED_POINT_ROUNDS = 200
# The region's fixed point is approached from below until a round changes it by less than SETTLED, and then widened, so
# that its conditions hold in balls with room to spare.
SETTLED = 1e-7
WIDENING = 1e-5
LARGEST_COHERENCE = 0.25  # above it |v_a|^2 (1 - 4 mu), the growth of log-odds, has no sign
LEAST_WIDENING = 1e-12  # at G = I, where both are zero but for the radius of the balls


def signed(bounds: CoherenceBounds, schedule: Schedule) -> Exponent:
    """The exponent with signs kept, for any schedule; SGD at the ends of epochs."""
    with ctx.workprec(PRECISION):
        return _signed(bounds, schedule)


def _signed(bounds: CoherenceBounds, schedule: Schedule) -> Exponent:
    silent = (math.inf,) * len(bounds.queries)
    guess = _region(bounds, schedule) if bool(bounds.coherence < LARGEST_COHERENCE) else None
    if guess is None:
        room = (bounds.vocabulary - 1) * (4 * bounds.coherence + 2 * schedule.between * bounds.target_sum)
        condition = at_most("coherence", r"(m-1)(4\mu + 2\zeta\Gamma_t)", room, 1.0)
        if condition.holds:
            condition = Condition("region", "a range D and a gap Delta that no row leaves", math.inf, 0.0)
        return Exponent("signed", schedule, silent, (condition,))
    spread, gap = (arb(x) for x in guess)
    conditions = tuple(region_conditions(bounds, schedule, spread, gap))
    if not all(c.holds for c in conditions):
        return Exponent("signed", schedule, silent, conditions, *guess)
    m, mu = bounds.vocabulary, bounds.coherence
    others = _across(bounds, spread, bounds.same_target_sum + bounds.target_sum)
    length = (1 - mu) * (1 + (-spread).exp() / (m - 1) - 4 * mu) - others * gap.exp()
    if not bool(length > 0):
        length_condition = at_most("log-odds grow", r"-\sigma", -length, -1e-300)
        return Exponent("signed", schedule, silent, (*conditions, length_condition), *guess)
    share = loss_share(loss_of(bounds.log_odds[0]))
    by_query = tuple(_signed_query(bounds, query, spread, gap, share / length) for query in bounds.queries)
    return Exponent("signed", schedule, by_query, conditions, *guess)


def _rates(bounds: CoherenceBounds, schedule: Schedule, spread: arb, gap: arb) -> tuple[arb, arb, arb]:
    """Perturbation of a range over a visit in units of s q_a, and the fastest and slowest growth of log-odds."""
    m, mu, gamma, between = bounds.vocabulary, bounds.coherence, bounds.row_sum, schedule.between
    e, ratio = spread.exp(), gap.exp()
    push = 4 * mu * (1 + mu) + between * ratio * _across(bounds, spread, 2 * bounds.target_sum)
    pulled = between * ratio * (bounds.same_target_sum + gamma * (2 * e / (m - 1) + 4 * mu))
    fast = (1 + mu) * (1 + (spread / 2).cosh() ** 2 / (m - 1) + 4 * mu) + pulled
    uneven = (1 + mu) * spread.expm1() / (m - 1) + push  # range of the increments over the other tokens
    slow = (1 - mu) * (1 + arb(1) / (m - 1) - 4 * mu) - pulled - schedule.amount * uneven**2 / 8
    return push, fast, slow


def _across(bounds: CoherenceBounds, spread: arb, named: arb) -> arb:
    """sum_{a'} |G_aa'| |rho_a' G (e_k - e_j)| over the other rows, at most; `named` sums |G_aa'| over those with k or j
    as target: they count 1 + e^D/(m-1) each, the others (e^D - 1)/(m-1), and 4 mu is of the coherence of tokens.
    """
    m, mu, gamma = bounds.vocabulary, bounds.coherence, bounds.row_sum
    most = 1 + spread.exp() / (m - 1)
    return (named * most + gamma * spread.expm1() / (m - 1)).min(gamma * most) + gamma * 4 * mu


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
        kept, summed = ((fast - slow) / slow / seen).log1p(), _summed_gap(bounds, schedule, fast, slow)
        new_gap = max(start_gap, min(upper(kept), upper(summed)))
        if new_spread - spread <= SETTLED * spread and new_gap - gap <= SETTLED * gap:
            return new_spread * (1 + WIDENING) + LEAST_WIDENING, new_gap * (1 + WIDENING) + LEAST_WIDENING
        spread, gap = max(spread, new_spread), max(gap, new_gap)
        if spread > 50 or gap > 50:
            return None
    return None


def _summed_gap(bounds: CoherenceBounds, schedule: Schedule, fast: arb, slow: arb) -> arb:
    """A bound on the gap from F(u) = u + e^u, to which a visit adds between s nu- and s nu+ (1 + s nu+ e^(s nu+)/8).

    With r the ratio of the two, low and high the log-odds at the start: (F(high) - F(low))/(1 + e^low) +
    (r - 1) Lambda, Lambda = max(-low, 1) + 1/e.
    """
    low = _least_log_odds(bounds, schedule)
    high = bounds.log_odds[1] + _before_first(bounds, schedule)
    step = schedule.amount * fast
    uneven = (fast - slow) / slow + fast / slow * step * step.exp() / 8  # r - 1
    start = (high - low + low.exp() * (high - low).expm1()) / (1 + low.exp())
    return start + uneven * ((-low).max(arb(1)) + arb(-1).exp())


def region_conditions(bounds: CoherenceBounds, schedule: Schedule, spread: arb, gap: arb) -> Iterator[Condition]:
    """No row ever leaves the region: its non-target logits within D, log-odds of rows within Delta of each other."""
    m, mu, s = bounds.vocabulary, bounds.coherence, schedule.amount
    push, fast, slow = _rates(bounds, schedule, spread, gap)
    start_spread, start_gap = _start(bounds, schedule)
    u = _least_log_odds(bounds, schedule)
    seen = 1 / (1 + (-u).exp())
    yield at_most("range at the start", r"\max_a \mathrm{range}_{k \ne b_a} S_{ak}(0) - D", start_spread - spread, 0.0)
    yield at_most("gap at the start", r"\max_{a,a'} |u_a(0) - u_{a'}(0)| - \Delta", start_gap - gap, 0.0)
    yield at_most(
        "range is kept",
        r"\frac{m-1}{1-\mu}\,\omega - (1 - e^{-D})",
        (m - 1) * push / (1 - mu) + (-spread).expm1(),
        0.0,
    )
    kept, summed = arb(1), arb(1)
    if bool(slow > 0):
        kept = (fast - slow) / slow - gap.expm1() * seen
        summed = _summed_gap(bounds, schedule, fast, slow) - gap
    yield at_most(
        "gap is kept",
        r"\min\{\nu^+ / \nu^- - 1 - (e^\Delta - 1) p_0,\ (r - 1) \Lambda + \dots - \Delta\}",
        kept if upper(kept) <= upper(summed) else summed,
        0.0,
    )
    yield at_most("step within the range's map", r"s (1+\mu) e^D / (m-1)", s * (1 + mu) * spread.exp() / (m - 1), 1.0)
    yield at_most("step within the log-odds' map", r"s \nu^+ / 4", s * fast / 4, 1.0)


def _signed_query(bounds: CoherenceBounds, query: QueryBounds, spread: arb, gap: arb, rate: arb) -> float:
    """The exponent of a query whose loss falls by Omega K / sigma per unit of log(L(0)/L) at most, to its floor."""
    if query.answers > 1:
        return math.inf
    down, up = pulls(bounds, query, spread)
    fall = gap.exp() * down - up  # per unit of the smallest length c_a
    if not bool(fall > 0):
        # the ball may straddle zero: its upper end is then the bound
        if upper(fall) <= 0:
            return 0.0
        fall = arb(upper(fall))
    return exponent_to_floor(fall * rate, query.loss, floor_of(bounds, query, spread))


def exponent_to_floor(fall: arb, loss: arb, floor: arb) -> float:
    """fall log(L/F)/(L - F): the exponent of a loss that falls from L by `fall` per unit at most, and never below F.

    It decreases in both losses (docs/separation.md, chain 2, step 7), so lower bounds may stand for them. F is a lower
    bound of L too: where L is not certain to lie above F the limit at L = F stands, fall/F.
    """
    if not bool(floor > 0):
        return math.inf
    if not bool(loss > floor):
        return upper(fall / floor)
    return upper(fall * (loss / floor).log() / (loss - floor))


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

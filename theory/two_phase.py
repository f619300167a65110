"""The two-phase chain for the exponent of Theorem 1: absolute values and Cauchy-Schwarz, full-batch descent and flow.

Until the training loss has fallen by e^-l1 convexity bounds the reversal loss from below, from there on -log p is at
least 1 - p (docs/separation.md, chain 1). And the classical exponent by eigenvalues: l1 = 0 and cruder norms.
"""

import math

from flint import arb, ctx

from theory.coherence import CoherenceBounds, QueryBounds, Schedule
from theory.exponent import PRECISION, Exponent, at_most, loss_of, loss_share, upper

# Where the training loss has fallen by e^-l1 the chain changes its argument; any value is valid, the best of this grid
# is taken.
PHASE_GRID = (0.0, *(1.25**k for k in range(-4, 24)))


def two_phase(bounds: CoherenceBounds, schedule: Schedule) -> Exponent:
    """The exponent by absolute values, for gradient flow and full-batch descent. Raises ValueError for SGD."""
    with ctx.workprec(PRECISION):
        return _two_phase(bounds, schedule)


def _two_phase(bounds: CoherenceBounds, schedule: Schedule) -> Exponent:
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
        at_most("coherence", r"4 \mu", 4 * mu, math.nextafter(1.0, 0.0)),
        at_most("no row falls behind", r"\Gamma (2 + 4\mu) e^{s\Gamma(2+4\mu)} / ((1-\mu)(1-4\mu))", order, 1.0),
        at_most("the loss falls", r"-\lambda", -descent, -1e-300),
        at_most("step below the smoothness limit", r"\eta \beta / 2", 1 - kept, math.nextafter(1.0, 0.0)),
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
    if not bool(mu < 1):
        return math.inf  # G_aa may vanish
    returning = 2 * most * bounds.row_sum / (least * (1 - mu))
    if not bool(returning < 1):
        return math.inf
    worst, least_loss = loss_of(bounds.log_odds[0]), -(-returning).log1p()
    share = loss_share(least_loss if bool(least_loss > worst) else worst)
    root = arb(bounds.contexts).sqrt()
    return max(
        (upper(2 * (1 + 2 * mu) * root * share * q.two_norm / (trained * least)) for q in bounds.queries), default=0.0
    )

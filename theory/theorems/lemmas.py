"""The elementary inequalities and identities on which the proofs rest, each a link with its own machine-checked proof.

docs/separation.md says where each is used. Letters: q = 1 - p of a target, u its log-odds, n = m - 1 the number of
other tokens, r = e^D the largest ratio of two of their probabilities, X the sum of their weights in units of the
smallest.
"""

import numpy as np
from sympy import (
    Expr,
    IndexedBase,
    Interval,
    Rational,
    cosh,
    diff,
    erf,
    erfc,
    exp,
    log,
    oo,
    pi,
    sqrt,
    symbols,
)

from theory.notation import j, k, m, over_tokens
from theory.proof_domain import Domain
from theory.statement import Identity, IndexedSums, Instance, Scalars
from theory.theorem import Link

z, u, v = symbols("z u v", real=True)
D, w, x, y, t, b, c = symbols("D w x y t b c", real=True)
q, p = symbols("q p", real=True)
r, n, X, low, high, theta = symbols("r n X low high theta", positive=True)
shares = IndexedBase(r"\pi", shape=(m,))


def _draw(rng: np.random.Generator) -> Instance:
    """Moderate values for every letter, theta below 1/2."""
    values = {s: rng.uniform(0.2, 3.0) for s in (z, u, v, D, w, x, y, t, b, c, q, p, r, n, X, low, high)}
    return {**values, theta: rng.uniform(0.05, 0.45)}


def _draw_shares(rng: np.random.Generator) -> Instance:
    size = int(rng.integers(2, 6))
    return {m: size, j: 0, k: 0, shares: rng.dirichlet(np.ones(size))}


def _identity(id: str, argument: str, lhs: Expr, rhs: Expr) -> Link:
    return Link.of_statement(id, argument, Identity(lhs, rhs, Scalars(), _draw))


HALF_OPEN = Interval.Ropen(0, 1)
REAL = (z, -oo, oo)

convexity = Link.of_inequality(
    "exponential-above-tangent",
    "log-sum-exp is convex: with z_k = delta_k - mean, sum p_k e^z_k >= sum p_k (1 + z_k) = 1, so a loss lies above "
    "its tangent at any state",
    exp(z) - 1 - z,
    Domain.of(REAL),
)
loss_above_complement = Link.of_inequality(
    "loss-above-complement",
    "-log p >= 1 - p: a loss is at least q, the relative fall of a query's loss at most its tangent's, and "
    "|d log L/du| at most 1",
    -log(p) - (1 - p),
    Domain.of((p, Interval.Lopen(0, 1))),
)
loss_share_increases = Link.of_inequality(
    "loss-share-increases",
    "K(q) = -log(1 - q)/q increases, as q^2 K' = q/(1 - q) + log(1 - q) >= 0: so log L_a is concave in the log-odds, "
    "L <= K q at the worst row, and -log(1 - e l)/l increases with l",
    q / (1 - q) + log(1 - q),
    Domain.of((q, HALF_OPEN)),
)


def exponent_to_floor(loss: Expr, floor: Expr) -> Expr:
    """log(L/F)/(L - F): the exponent of a loss that falls at unit rate from L to a floor F (chain 2, step 7)."""
    return log(loss / floor) / (loss - floor)


falls_with_loss = _identity(
    "exponent-falls-with-the-loss",
    "log(L/F)/(L - F) falls with the first loss L: -(L - F)^2 times its slope in L is -log p - (1 - p) at p = F/L, "
    "which is at least 0 (loss-above-complement), so a lower bound of L may stand for it",
    -((high - low) ** 2) * diff(exponent_to_floor(high, low), high),
    log(high / low) - (1 - low / high),
)
falls_with_floor = _identity(
    "exponent-falls-with-the-floor",
    "log(L/F)/(L - F) falls with the floor F: -(L - F)^2 times its slope in F is q/(1 - q) + log(1 - q) at "
    "q = 1 - F/L, which is at least 0 (loss-share-increases), so a lower bound of F may stand for it",
    -((high - low) ** 2) * diff(exponent_to_floor(high, low), low),
    (1 - low / high) / (low / high) - log(high / low),
)
slope_of_softmax = Link.of_inequality(
    "slope-of-softmax",
    "p (1 - p) <= 1/4 at log-odds u",
    Rational(1, 4) - exp(u) / (1 + exp(u)) ** 2,
    Domain.of((u, -oo, oo)),
)
log_odds_map = Link.of_inequality(
    "log-odds-map-increases",
    "u + c/(1 + e^u) increases with u for steps c = s nu of at most 4",
    1 - c * exp(u) / (1 + exp(u)) ** 2,
    Domain.of((u, -oo, oo), (c, 0, 4)),
)
range_map = Link.of_inequality(
    "range-map-increases",
    "x - B (e^x - 1) increases on [0, D] if B e^D <= 1: its slope at x = D - y with B = b e^-D, b in [0, 1]",
    1 - b * exp(-y),
    Domain.of((y, 0, oo), (b, 0, 1)),
)
no_overshoot = Link.of_inequality(
    "range-does-not-overshoot",
    "1 - e^-y <= y: a difference below zero is not carried past zero by a step with s pi g <= 1",
    y - 1 + exp(-y),
    Domain.of((y, 0, oo)),
)
gap_grows = Link.of_inequality(
    "gap-ratio-increases",
    "(1 + e^(v + D))/(1 + e^v) increases with v, so it is smallest at the smallest log-odds (cleared of denominators)",
    (1 + exp(v + w + D)) * (1 + exp(v)) - (1 + exp(v + w)) * (1 + exp(v + D)),
    Domain.of((v, -oo, oo), (w, 0, oo), (D, 0, oo)),
)
gap_ratio = _identity(
    "gap-ratio",
    "that smallest value, with p_0 = e^v/(1 + e^v)",
    (1 + exp(v + D)) / (1 + exp(v)),
    1 + (exp(D) - 1) * exp(v) / (1 + exp(v)),
)
second_order = Link.of_inequality(
    "second-order-of-exponential",
    "e^y - 1 - y <= y^2 e^y/2: what a visit adds to F(u) = u + e^u beyond s nu, with e^u q^2 <= 1/4",
    y**2 * exp(y) / 2 - (exp(y) - 1 - y),
    Domain.of((y, 0, oo)),
)
summed_gap = Link.of_inequality(
    "summed-gap",
    "e^(u - 1) >= u: (u + L + e^u)/(1 + e^u) <= max(L, 1) + 1/e, by which the gap of F is one of log-odds",
    exp(u - 1) - u,
    Domain.of((u, -oo, oo)),
)
ratio_of_complements = Link.of_inequality(
    "ratio-of-complements",
    "a gap D of log-odds bounds the ratio of two q = 1/(1 + e^u) by e^D",
    exp(D) * (1 + exp(v)) - (1 + exp(v + D)),
    Domain.of((v, -oo, oo), (D, 0, oo)),
)
smallest_square = Link.of_statement(
    "smallest-square",
    "|pi|^2 >= 1/n: n = m here counts the tokens that share the rest; the mean square deviation is what is left",
    Identity(
        over_tokens((shares[j] - 1 / m) ** 2, j),
        over_tokens(shares[j] ** 2, j) - 1 / m,
        IndexedSums({}, {shares: 1}),
        _draw_shares,
    ),
)
largest_square = _identity(
    "largest-square",
    "weights in [1, r] have w^2 <= (1 + r) w - r, so n sum w^2 / X^2 <= n ((1 + r) X - r n)/X^2 <= (1 + r)^2/(4 r): "
    "the difference is a square",
    (1 + r) ** 2 * X**2 - 4 * r * n * ((1 + r) * X - r * n),
    ((1 + r) * X - 2 * r * n) ** 2,
)
kantorovich = _identity(
    "largest-square-in-cosh", "(1 + r)^2/(4 r) at r = e^D", (1 + exp(D)) ** 2 / (4 * exp(D)), cosh(D / 2) ** 2
)
variance_of_range = _identity(
    "variance-of-range",
    "a variable within [low, high] has variance at most (high - low)^2/4, and so log E e^delta <= E delta + range^2/8 "
    "(Hoeffding): R^2/4 - (high - x)(x - low) is a square, and the second derivative of log E e^(tau delta) a variance",
    (high - low) ** 2 / 4 - (high - x) * (x - low),
    (x - (high + low) / 2) ** 2,
)
cauchy_schwarz = _identity(
    "arithmetic-geometric", "2 x y <= x^2 + y^2, and with it Cauchy-Schwarz", x**2 + y**2 - 2 * x * y, (x - y) ** 2
)
curvature = _identity(
    "curvature",
    "the variance of x under p is at most range^2/4 <= |x|^2/2, as (a - b)^2 <= 2 (a^2 + b^2): the loss is smooth with "
    "beta = lambda_max(G_AA) lambda_max(G)/(2 N)",
    2 * (x**2 + y**2) - (x - y) ** 2,
    (x + y) ** 2,
)
descent_lemma = _identity(
    "descent-lemma",
    "a step eta along the gradient g of a beta-smooth loss lowers it by at least eta (1 - eta beta/2) g^2",
    t * y**2 - b * (t * y) ** 2 / 2,
    t * (1 - t * b / 2) * y**2,
)

lower_bound = _identity(
    "lower-bound-from-separation",
    "R (c/L)^eps of Theorem 1 is at least C just when eps log(L/c) <= log(R/C); here R = n and L = X are the losses at "
    "the start, c = r and eps = t",
    n * exp(-t * log(X / r)),
    n * (r / X) ** t,
)

# -- tails --
chi_square_moment = _identity(
    "chi-square-moment",
    "E e^(theta Z^2) = (1 - 2 theta)^(-1/2): the exponents add up to that of a normal variable of variance "
    "1/(1 - 2 theta)",
    theta * z**2 - z**2 / 2,
    -((z * sqrt(1 - 2 * theta)) ** 2) / 2,
)
chi_square_exponent = _identity(
    "chi-square-exponent",
    "Chernoff at theta = X/(2 (1 + X)): log of (1 - 2 theta)^(-1/2) e^(-theta (1 + X)) is -(X - log(1 + X))/2",
    -log(1 - X / (1 + X)) / 2 - X / (2 * (1 + X)) * (1 + X),
    -(X - log(1 + X)) / 2,
)
lower_tail = Link.of_inequality(
    "chi-square-lower-tail",
    "-y - log(1 - y) >= y - log(1 + y): the lower tail is bounded by the same number",
    -y - log(1 - y) - (y - log(1 + y)),
    Domain.of((y, HALF_OPEN)),
)
normal_tail = Link.of_inequality(
    "normal-tail",
    "P(|Z| > t) = erfc(t/sqrt 2) <= e^(-t^2/2): tails shrink at least as fast as the Chernoff bound",
    exp(-(t**2) / 2) - erfc(t / sqrt(2)),
    Domain.of((t, 0, oo)),
)
absolute_moment = Link.of_inequality(
    "absolute-normal-moment",
    "E e^(t |Z|) = e^(t^2/2) (1 + erf(t/sqrt 2)) <= e^(t^2/2 + t sqrt(2/pi))",
    t * sqrt(2 / pi) - log(1 + erf(t / sqrt(2))),
    Domain.of((t, 0, oo)),
)
absolute_exponent = _identity(
    "absolute-normal-exponent",
    "Chernoff for a sum of n absolute normal variables: n t^2/2 - t sqrt(n) z is smallest, -z^2/2, at t = z/sqrt n",
    n * t**2 / 2 - t * sqrt(n) * z + z**2 / 2,
    (sqrt(n) * t - z) ** 2 / 2,
)

TAILS = (chi_square_moment, chi_square_exponent, lower_tail, normal_tail, absolute_moment, absolute_exponent)

# Steps of docs/separation.md, in the order of the proof.
TWO_PHASE = (convexity, loss_above_complement, loss_share_increases, smallest_square, cauchy_schwarz)
FULL_BATCH = (curvature, descent_lemma)
SIGNED = (
    convexity,
    range_map,
    no_overshoot,
    smallest_square,
    largest_square,
    kantorovich,
    variance_of_range,
    slope_of_softmax,
    log_odds_map,
    gap_grows,
    gap_ratio,
    second_order,
    summed_gap,
    ratio_of_complements,
    loss_share_increases,
    loss_above_complement,
    falls_with_loss,
    falls_with_floor,
)


def numbered(*groups: tuple[Link, ...]) -> tuple[Link, ...]:
    """The links of several groups in order, each once."""
    seen: dict[str, Link] = {}
    for group in groups:
        for link in group:
            seen.setdefault(link.id, link)
    return tuple(seen.values())

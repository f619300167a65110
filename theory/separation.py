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
from dataclasses import replace

from flint import arb

from theory.coherence import CoherenceBounds, Schedule
from theory.exponent import Exponent, loss_of
from theory.signed_chain import signed
from theory.two_phase import two_phase


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


def guaranteed_loss(bounds: CoherenceBounds, epsilon: float, loss: float) -> float:
    """The least that L_rev can be where L is `loss`, L_rev(0) (loss/L(0))^eps, by an exponent proved for `bounds`.

    Zero where there is no exponent and no query; nan at a `loss` that is nan.
    """
    if math.isnan(loss):
        return math.nan
    if not math.isfinite(epsilon) or not bounds.queries:
        return 0.0
    start = sum((query.loss for query in bounds.queries), arb(0)) / len(bounds.queries)
    left = (arb(loss) / loss_of(bounds.log_odds[0])).min(arb(1))  # the loss never rises above its start
    return float((start * left**epsilon).lower())

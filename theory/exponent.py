"""An upper bound on the exponent of Theorem 1 (arXiv 2405.04669), the conditions it needs, and losses by log-odds."""

import math
from dataclasses import dataclass

from flint import arb

from theory.coherence import Schedule

# Bits of the balls: differences of nearly equal rates are what the conditions compare.
PRECISION = 128


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


def at_most(condition: str, statement: str, found: arb, required: float) -> Condition:
    """The condition found <= required, judged by the upper end of the ball."""
    return Condition(condition, statement, upper(found), required)

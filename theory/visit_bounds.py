"""Certain numbers about the visits of a single-target row: how many until p >= 1 - a, and what p is after so many.

The laws are derived in `theory.visits`; here they are evaluated in balls, for one size, step and share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, ctx
from sympy import Expr, Max, Rational, Symbol

from theory.errors import BadInput
from theory.exact import ball_at, ball_of, exactness_problems, fraction, size_problems
from theory.notation import m
from theory.sgd_row import eta
from theory.visits import flow_log_odds_argument, head_start, odds_reached, time_short, time_until, visited

STEPS = (Fraction(1, 10**6), Fraction(10**6))

# Bits at which evaluation starts; every doubling after that is asked for by a ball that is still too wide.
PRECISION = 128
# An upper bound of the odds gives a head start, which gives an upper bound; each adds a logarithm of what is left.
HEAD_STARTS = 3
LARGEST_HEAD_START = 2**64  # beyond it PRECISION leaves no digits of e^(eta k); the sandwich is sharper there by far


class VisitsError(BadInput):
    """A size, step size, share or number of visits outside the stated ranges."""


@dataclass(frozen=True)
class VisitBounds:
    """p >= 1 - a after `certified_enough` visits or more, p < 1 - a after `certified_too_few` or fewer."""

    vocabulary_size: int
    learning_rate: Fraction
    share: Fraction
    certified_enough: int
    certified_too_few: int


def visits_until(
    vocabulary_size: int, learning_rate: Fraction | int | Rational, share: Fraction | int | Rational
) -> VisitBounds:
    """Visits of a single-target row (zero start, batch one) that suffice for p >= 1 - a, and that do not; a = `share`.

    The two differ by at most 1/a + 1 visits, and by at most (e^eta/2) ln(1/a) + 2. M from 2 to 1e9, eta from 1e-6 to
    1e6, 0 < a < 1 - 1/M, all exact; anything else raises VisitsError that names every violation.
    """
    problems = _size_and_step_problems(vocabulary_size, learning_rate)
    exactness = exactness_problems("share", share)
    if not problems and not exactness and not 0 < Fraction(share) < 1 - Fraction(1, vocabulary_size):
        problems.append(
            f"the share a must lie between 0 and 1 - 1/M = {1 - Fraction(1, vocabulary_size)}, both excluded "
            f"(a row starts at p = 1/M), got {share}"
        )
    problems += exactness
    if problems:
        raise VisitsError("; ".join(problems))
    a, step = Fraction(share), Fraction(learning_rate)
    values = {m: Fraction(vocabulary_size), eta: step, odds_reached: (1 - a) / a}
    return VisitBounds(
        vocabulary_size,
        step,
        a,
        certified_enough=_ceiling(time_until() / eta, values),
        # k < 1 + T(x_a - eta)/eta by the sandwich, or k < T(x_a)/eta - head start; the former is above 0, so never none
        certified_too_few=_ceiling(
            Max(time_short() / eta, time_until() / eta - head_start() - 1, evaluate=False), values
        ),
    )


def probability_after(
    vocabulary_size: int, learning_rate: Fraction | int | Rational, visits: int
) -> tuple[Fraction, Fraction]:
    """Certain bounds (lower, upper) of the target's probability after `visits` visits from a zero start.

    The lower one is that of the flow at time eta k; the upper one that of h(eta (k-1)) + eta/M, or that of the flow
    later by the head start. Both are dyadic, rounded outwards. Raises VisitsError outside the ranges of `visits_until`.
    """
    problems = _size_and_step_problems(vocabulary_size, learning_rate)
    if not isinstance(visits, int) or visits < 0:
        problems.append(f"visits must be a whole number, zero or more, got {visits!r}")
    if problems:
        raise VisitsError("; ".join(problems))
    step = Fraction(learning_rate)
    if visits == 0:
        return Fraction(1, vocabulary_size), Fraction(1, vocabulary_size)
    # 1 - p is at least 1/(1 + M eta k): so many more bits, and it keeps those of PRECISION
    digits = int(vocabulary_size * step * visits + 1).bit_length()
    with ctx.workprec(PRECISION + digits):
        below = _flow_odds(vocabulary_size, step, Fraction(visits)).lower()
        above = _largest_odds(vocabulary_size, step, visits)
        lower, upper = (1 / (1 + 1 / below)).lower(), (1 / (1 + 1 / above)).upper()
        return fraction(lower), min(Fraction(1), fraction(upper))


def _size_and_step_problems(vocabulary_size: int, learning_rate: Fraction | int | Rational) -> list[str]:
    problems = size_problems(vocabulary_size)
    exactness = exactness_problems("learning rate", learning_rate)
    if not exactness and not STEPS[0] <= Fraction(learning_rate) <= STEPS[1]:
        problems.append(f"the learning rate must lie between {STEPS[0]} and {STEPS[1]}, got {learning_rate}")
    return problems + exactness


def _ceiling(tree: Expr, values: Mapping[Symbol, Fraction]) -> int:
    """The least integer that is not below the tree's value: precision doubles until one ball decides it.

    It ends unless the value is an integer by accident. The flow's time over eta never is: the logarithm of a rational
    other than 1 is transcendental (Lindemann); the others would take a rational relation of it with powers of e^eta.
    """
    precision = PRECISION
    while True:
        with ctx.workprec(precision):
            ceiling = ball_at(tree, values).ceil().unique_fmpz()
        if ceiling is not None:
            return int(ceiling)
        precision *= 2


def _flow_odds(vocabulary_size: int, step: Fraction, visits: Fraction) -> arb:
    """omega at time eta k in a ball: w + ln w = argument, so w is the Lambert function of e^argument."""
    values = {m: Fraction(vocabulary_size), eta: step, visited: visits}
    return ball_at(flow_log_odds_argument(), values).exp().lambertw()


def _largest_odds(vocabulary_size: int, step: Fraction, visits: int) -> arb:
    """An upper bound of the odds after k visits, from the sandwich, then from the head start at the bound so far."""
    values = {m: Fraction(vocabulary_size), eta: step}
    odds_at_most = (_flow_odds(vocabulary_size, step, Fraction(visits - 1)) * ball_of(step).exp()).upper()
    for _ in range(HEAD_STARTS):
        ahead = ball_at(head_start(), {**values, odds_reached: fraction(odds_at_most)})
        if not ahead < LARGEST_HEAD_START:
            break
        later = visits + fraction(ahead.upper())
        odds_at_most = odds_at_most.min(_flow_odds(vocabulary_size, step, later).upper())
    return odds_at_most

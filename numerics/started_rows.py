"""Single-target rows of the decoupled limit G = I from any start, in closed form up to one quadrature.

A row of weight f with target b starts at logits S(0). The tokens that are never its target obey
d(e^(-S_j))/dt = f / Z, Z = sum_k e^(S_k), the same for each of them, so one scalar w moves them all:
S_j = -log(e^(-S_j(0)) + w). Logits of a row keep their sum, which gives the target's. With dw/dt = f / Z,

    f t = sum_j log(1 + pi_j v) + kappa integral_0^v prod_j (1 + pi_j u) du,

v = w sum_j e^(S_j(0)), pi_j = e^(S_j(0)) / sum_k e^(S_k(0)) over the tokens that are no target, kappa the odds
p_b / (1 - p_b) at the start. No differential equation is solved: v(t) is the root of that equation, and the integral is
Gauss-Legendre quadrature of an analytic function. From zero it is the Wright omega law of `numerics.decoupled`.
(A derivation of this project, not of arXiv 2405.04669.)
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from theory.counting import count_of

# Nodes of one panel. Panels are so short that the integrand's logarithm changes by less than e on each (`_panel`), and
# its singularities lie at least pi off the axis of x = log(1 + v), where panels are shorter than one: the error of ten
# nodes is below rounding.
NODE, WEIGHT = np.polynomial.legendre.leggauss(10)

NEWTON_STEPS = 50  # Newton's method takes two to five; more is a fault


def rows_from_start(initial_logits: np.ndarray, target: np.ndarray, scaled_time: np.ndarray) -> Iterator[np.ndarray]:
    """S(t) - S(0) of N rows, (N, m), for each line of `scaled_time` f t, (T, N), which must not decrease from 0.

    `initial_logits` (N, m) is finite, `target` (N,) the one target of each row. Raises ValueError on other shapes and
    ArithmeticError where Newton's method does not settle.
    """
    if scaled_time.ndim != 2 or scaled_time.shape[1] != len(initial_logits) or len(target) != len(initial_logits):
        expected = f"(T, {len(initial_logits)}) and ({len(initial_logits)},)"
        raise ValueError(f"expected times and targets of shapes {expected}, got {scaled_time.shape}, {target.shape}")
    if (scaled_time < 0).any() or (np.diff(scaled_time, axis=0) < 0).any() or not np.isfinite(scaled_time).all():
        raise ValueError("scaled times must be finite and must not decrease from 0")
    rows = _Rows.of(initial_logits, target)
    front = _Front.start(len(target))
    for theta in scaled_time:
        front = _advanced(rows, front, theta)
        yield rows.change(_solved(rows, front, theta), target)


@dataclass(frozen=True, eq=False)
class _Rows:
    """pi (N, m), zero at the target, and log kappa (N,)."""

    share: np.ndarray
    log_odds: np.ndarray

    @classmethod
    def of(cls, initial_logits: np.ndarray, target: np.ndarray) -> "_Rows":
        row = np.arange(len(target))
        others = initial_logits.astype(float)
        others[row, target] = -np.inf
        largest = others.max(axis=1)
        share = np.exp(others - largest[:, None])
        total = share.sum(axis=1)
        return cls(share / total[:, None], initial_logits[row, target] - largest - np.log(total))

    def taken(self, which: np.ndarray) -> "_Rows":
        return _Rows(self.share[which], self.log_odds[which])

    def log_product(self, x: np.ndarray) -> np.ndarray:
        """sum_j log(1 + pi_j v) at v = e^x - 1, (N,): also the rise of the target's logit."""
        return np.log1p(self.share * np.expm1(x)[:, None]).sum(axis=1)

    def integrand(self, x: np.ndarray) -> np.ndarray:
        """kappa prod_j (1 + pi_j v) dv/dx, (N,)."""
        return np.exp(self.log_odds + self.log_product(x) + x)

    def steepness(self, x: np.ndarray) -> np.ndarray:
        """d/dx of the log-product, sum_j pi_j e^x / (1 + pi_j v), (N,)."""
        return (self.share / (1.0 + self.share * np.expm1(x)[:, None])).sum(axis=1) * np.exp(x)

    def integral(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """The integral of `integrand` over one panel of each row, (N,)."""
        middle, half = 0.5 * (start + end), 0.5 * (end - start)
        return half * sum(w * self.integrand(middle + half * n) for n, w in zip(NODE, WEIGHT, strict=True))

    def change(self, x: np.ndarray, target: np.ndarray) -> np.ndarray:
        """S - S(0), (N, m): tokens that are no target fall by log(1 + pi_j v), the target rises by their sum."""
        fall = np.log1p(self.share * np.expm1(x)[:, None])
        change = -fall
        change[np.arange(len(target)), target] = fall.sum(axis=1)
        return change


@dataclass(frozen=True, eq=False)
class _Front:
    """The panel of each row that holds its time: x, the integral up to x and f t at its start; f t at its end."""

    x: np.ndarray
    integral: np.ndarray
    end: np.ndarray
    end_integral: np.ndarray
    end_time: np.ndarray

    @classmethod
    def start(cls, rows: int) -> "_Front":
        return cls(*(np.zeros(rows) for _ in range(5)))


def _advanced(rows: _Rows, front: _Front, theta: np.ndarray) -> _Front:
    """Panel by panel, until the end of each row's panel is at or beyond its time."""
    x, integral, end, end_integral, end_time = (
        a.copy() for a in (front.x, front.integral, front.end, front.end_integral, front.end_time)
    )
    while (short := np.flatnonzero(end_time < theta)).size:
        some = rows.taken(short)
        x[short], integral[short] = end[short], end_integral[short]
        # the log-product steepens by at most the factor e^(length), and length <= 1
        end[short] += 1.0 / (1.0 + some.steepness(x[short]))
        end_integral[short] += some.integral(x[short], end[short])
        end_time[short] = some.log_product(end[short]) + end_integral[short]
    return _Front(x, integral, end, end_integral, end_time)


def _solved(rows: _Rows, front: _Front, theta: np.ndarray) -> np.ndarray:
    """x of each row at its time, by Newton's method within its panel, kept inside by bisection."""
    x = front.x.copy()
    low, high = front.x.copy(), front.end.copy()
    active = np.flatnonzero(theta > 0)
    x[active] = high[active]
    for _ in range(NEWTON_STEPS):
        if not active.size:
            return x
        some, at = rows.taken(active), x[active]
        product = some.log_product(at)
        integral = front.integral[active] + some.integral(front.x[active], at)
        excess = product + integral - theta[active]
        slope = some.steepness(at) + np.exp(some.log_odds + product + at)
        low[active] = np.where(excess <= 0, at, low[active])
        high[active] = np.where(excess >= 0, at, high[active])
        step = excess / slope
        found = at - step
        outside = (found < low[active]) | (found > high[active])
        x[active] = np.where(outside, 0.5 * (low[active] + high[active]), found)
        settled = ~outside & (np.abs(step) <= 4 * np.finfo(float).eps * np.abs(at))
        active = active[~settled]
    raise ArithmeticError(
        f"{count_of(active.size, 'row')} did not settle after {NEWTON_STEPS} steps of Newton's method"
    )

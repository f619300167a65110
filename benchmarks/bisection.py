"""Plain bisection as a peer of the prover: interval arithmetic of mpmath (iv) or balls of FLINT (arb) on a bounded box.

What a user would write: enclose the expression on the box; where the enclosure does not settle the sign, cut the widest
side in two. It cannot prove a statement that touches equality, for near a contact every enclosure holds both signs.
"""

import heapq
from collections.abc import Callable, Mapping
from itertools import count
from time import process_time
from typing import Any

from flint import arb
from mpmath import iv
from sympy import Expr, Pow, Symbol, exp, lambdify
from sympy.printing.pycode import MpmathPrinter

Box = tuple[tuple[float, float], ...]
Sign = Callable[[Box], int]
"""1 where the statement holds all over the box, -1 where it fails all over it, 0 where the enclosure cannot say."""


def _ball_power(x: Any, n: int) -> arb:
    """x^n; arb's own operator gives nan where x holds zero."""
    if n < 0:
        return 1 / _ball_power(x, -n)
    base, found = abs(arb(x)) if n % 2 == 0 else arb(x), arb(1)
    for _ in range(n):
        found = found * base
    return found


MPMATH: dict[str, Any] = {
    "exp": iv.exp,
    "log": iv.log,
    "sqrt": iv.sqrt,
    "mpf": iv.mpf,
    "pi": iv.pi,
    "power": lambda x, n: iv.mpf(x) ** n,
}
ARB: dict[str, Any] = {
    "exp": lambda x: arb(x).exp(),
    "log": lambda x: arb(x).log(),
    "sqrt": lambda x: arb(x).sqrt(),
    "erf": lambda x: arb(x).erf(),
    "erfc": lambda x: arb(x).erfc(),
    "mpf": arb,
    "pi": arb.pi(),
    "power": _ball_power,
}


class _Printer(MpmathPrinter):
    """Integer powers by the name `power`, which each kind of number has its own way of."""

    def _print_Pow(self, expr: Pow, rational: bool = False) -> str:
        base, exponent = expr.as_base_exp()
        if exponent.is_Integer:
            return f"power({self._print(base)}, {int(exponent)})"
        return super()._print_Pow(expr, rational=rational)


def mpmath_sign(expr: Expr, symbols: tuple[Symbol, ...], strict: bool) -> Sign:
    """The sign of the expression on a box by mpmath's intervals. Raises NameError where they lack a function."""
    value = _function(expr, symbols, MPMATH)

    def sign(box: Box) -> int:
        try:
            found = iv.mpf(value(*(iv.mpf(side) for side in box)))
        except (ValueError, ZeroDivisionError):
            return 0  # undefined somewhere in the box, as the logarithm of a negative number
        low, high = found.a, found.b
        if low > 0 or (low >= 0 and not strict):
            return 1
        return -1 if high < 0 else 0

    return sign


def arb_sign(expr: Expr, symbols: tuple[Symbol, ...], strict: bool) -> Sign:
    """The sign of the expression on a box by FLINT's balls. Raises NameError where they lack a function."""
    value = _function(expr, symbols, ARB)

    def sign(box: Box) -> int:
        found = arb(value(*(arb(low).union(arb(high)) for low, high in box)))
        if found > 0 or (found >= 0 and not strict):  # certain comparisons
            return 1
        return -1 if found < 0 else 0

    return sign


def _function(expr: Expr, symbols: tuple[Symbol, ...], names: Mapping[str, Any]) -> Callable[..., Any]:
    """The expression as a function of numbers of one kind; hyperbolic functions through the exponential."""
    return lambdify(symbols, expr.rewrite(exp), [dict(names)], printer=_Printer({"fully_qualified_modules": False}))


def proves(sign: Sign, box: Box, seconds: float) -> bool:
    """Whether bisection settles that the statement holds all over the box, within so many CPU seconds."""
    deadline, order = process_time() + seconds, count()
    waiting = [(-_width(box), next(order), box)]
    while waiting:
        _, _, part = heapq.heappop(waiting)
        found = sign(part)
        if found < 0 or process_time() > deadline:
            return False
        if found == 0:
            for half in _halves(part):
                if half == part:
                    return False  # doubles do not cut any finer
                heapq.heappush(waiting, (-_width(half), next(order), half))
    return True


def _width(box: Box) -> float:
    return max(high - low for low, high in box)


def _halves(box: Box) -> tuple[Box, Box]:
    widest = max(range(len(box)), key=lambda i: box[i][1] - box[i][0])
    low, high = box[widest]
    middle = 0.5 * (low + high)
    return (
        (*box[:widest], (low, middle), *box[widest + 1 :]),
        (*box[:widest], (middle, high), *box[widest + 1 :]),
    )

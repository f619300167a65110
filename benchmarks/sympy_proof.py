"""SymPy's own ways to prove an inequality, as a peer of the prover: assumptions, then solving in one variable."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sympy import EmptySet, Expr, Interval, Symbol, solve_univariate_inequality

from theory.proof import Domain


class _OutOfTimeError(Exception):
    """The limit was reached."""


def proves(expr: Expr, domain: Domain, strict: bool, seconds: float) -> bool:
    """Whether SymPy proves expr >= 0 (> 0 if strict) on the domain within so many CPU seconds.

    First `is_nonnegative` (`is_positive`) of the expression in symbols that carry the signs of their domain, then, in
    one variable, `solve_univariate_inequality` for the set where the statement fails, which must be empty.
    """
    names = {x: _signed(x, segment) for x, segment in domain.bounds}
    assumed = expr.xreplace(names)
    try:
        with _limit(seconds):
            if assumed.is_positive if strict else assumed.is_nonnegative:
                return True
            if len(domain.bounds) > 1:
                return False
            ((x, segment),) = domain.bounds
            real = Symbol(x.name, real=True)
            inside = expr.xreplace({x: real})
            fails = inside <= 0 if strict else inside < 0
            return solve_univariate_inequality(fails, real, relational=False, domain=segment) is EmptySet
    except _OutOfTimeError:
        return False
    except Exception:  # NotImplementedError mostly, and whatever else its solvers trip over: not proved
        return False


def _signed(x: Symbol, segment: Interval) -> Symbol:
    """The symbol as real, with the sign that its domain gives it."""
    start, end = segment.start, segment.end
    return Symbol(
        x.name,
        real=True,
        positive=True if start > 0 or (start == 0 and segment.left_open) else None,
        nonnegative=True if start >= 0 else None,
        nonpositive=True if end <= 0 else None,
    )


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Raise _OutOfTimeError in the block after so many CPU seconds (main thread only, and not on Windows)."""

    def stop(_: int, __: FrameType | None) -> None:
        raise _OutOfTimeError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)

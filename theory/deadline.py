"""A time limit on symbolic work that is kept inside SymPy too, in any thread and on every platform.

SymPy cannot be told how long it may take. A signal would reach the main thread alone, and a process of its own would
cost every proof a start of seconds. Here work is divided by its size, which is estimated before it begins:

- ordinary work runs at full speed between two looks at the clock;
- larger work runs under the interpreter's trace hook, which looks at the clock at every call of a function. It takes
  about twice as long there, and a debugger does not see it;
- work that might be a single call of no return, as of a polynomial of high degree in C, is refused beforehand.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from math import inf
from time import monotonic
from types import FrameType
from typing import Concatenate, ParamSpec, TypeVar

from sympy import Expr

from theory.expression_size import size

# Work (terms times degree) up to which no step of SymPy took more than 0.2 s; the proofs of this project stay below it.
ORDINARY = 500
# Work and degree beyond which a step is refused: one call in C or one loop takes up to about a second there.
MOST_WORK = 10**5
MOST_DEGREE = 400

P = ParamSpec("P")
T = TypeVar("T")

_deadline: ContextVar[float] = ContextVar("deadline", default=inf)


class OutOfTimeError(Exception):
    """The time limit has passed."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let `check_time` and steps inside raise OutOfTimeError once so many seconds, or an outer limit, have passed."""
    token = _deadline.set(min(_deadline.get(), monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def check_time() -> None:
    """Raise OutOfTimeError if the limit has passed."""
    if monotonic() > _deadline.get():
        raise OutOfTimeError


def within_limit(step: Callable[Concatenate[Expr, P], T]) -> Callable[Concatenate[Expr, P], T]:
    """A step of SymPy on an expression, its first argument, that ends by the time limit: by its result or its error."""

    @wraps(step)
    def limited(expr: Expr, /, *rest: P.args, **named: P.kwargs) -> T:
        check_time()
        before = sys.gettrace()
        if _deadline.get() == inf or before is _watch or size(expr).work <= ORDINARY:
            return step(expr, *rest, **named)
        sys.settrace(_watch)
        try:
            return step(expr, *rest, **named)
        finally:
            sys.settrace(before)

    return limited


def _watch(frame: FrameType, event: str, argument: object) -> None:
    """The trace hook: called at every call of a Python function, and no more often, as it returns nothing."""
    check_time()


def too_large(expr: Expr) -> bool:
    """Whether algebra on the expression may be a call of no return."""
    found = size(expr)
    return found.work > MOST_WORK or found.degree > MOST_DEGREE

"""Rigorous enclosures of SymPy expressions over boxes: the tree is walked once, every rational exactly.

Every elementary function here is monotone, so its range over an interval is that of the two ends, where it is
enclosed in an Arb ball. tanh, coth, sinh and cosh are written with one or two exponentials, which keeps their ranges
exact. An expression is enclosed only where it is certainly defined: a logarithm or a denominator that may touch zero
on the box gives None, not a number. Enclosed expressions without Abs, Max or Min are differentiable in the interior.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, reduce
from typing import Any, NamedTuple

from flint import arb, ctx, fmpq, fmpz
from sympy import Abs, Add, E, Expr, Float, Max, Min, Mul, Pow, Rational, Symbol, cosh, coth, erf, erfc, exp, log, pi
from sympy import sinh as sinh_
from sympy import tanh as tanh_

from theory.errors import BadInput
from theory.proof_interval import (
    LARGEST_EXPONENT,
    MINUS_OO,
    ONE,
    OO,
    ZERO,
    End,
    Infinite,
    Interval,
    Undefined,
    absolute,
    add,
    larger,
    minus,
    mul,
    nonnegative,
    point,
    positive,
    power,
    sign,
)

# Of a power or a root: it is computed exactly before it is rounded.
LARGEST_POWER = 10_000

KINKED = (Abs, Max, Min)


class EnclosureError(BadInput):
    """An expression that cannot be enclosed whatever the box: inexact numbers or functions without a rule."""


class Monotone(NamedTuple):
    """An increasing function: its ball at a rational, its values at the infinities, and where it is exact."""

    ball: Callable[[arb], arb]
    at_minus_oo: End | None
    at_oo: End
    exact: fmpq
    exact_value: fmpq


INCREASING: dict[str, Monotone] = {
    "exp": Monotone(arb.exp, ZERO, OO, ZERO, ONE),
    "log": Monotone(arb.log, None, OO, ONE, ZERO),
    "erf": Monotone(arb.erf, fmpq(-1), ONE, ZERO, ZERO),
    # -erfc, so that all are increasing
    "-erfc": Monotone(lambda x: -x.erfc(), fmpq(-2), ZERO, ZERO, fmpq(-1)),
}


class Instruction(NamedTuple):
    """One operation on earlier results; `data` is a constant, a symbol or an exponent."""

    operation: str
    arguments: tuple[int, ...] = ()
    data: Any = None


class Program(NamedTuple):
    """An expression as a list of operations, equal subexpressions once."""

    instructions: tuple[Instruction, ...]

    def run(self, box: Mapping[Symbol, Interval], limit: bool) -> Interval:
        """The enclosure over a box at the working precision. Raises Undefined."""
        values: list[Interval] = []
        for operation, arguments, data in self.instructions:
            operands = [values[i] for i in arguments]
            if operation == "x log x" and limit and operands[0] == point(ZERO):
                values.append(point(ZERO))
            else:
                values.append(OPERATIONS[operation](operands, data, box))
        return values[-1]


def enclosure(expr: Expr, box: Mapping[Symbol, Interval], *, limit: bool = False) -> Interval | None:
    """An interval that holds every value of `expr` on the box, or None where it may be undefined.

    With `limit`, every limit as the box is approached from where the expression is defined: x log x -> 0 as x -> 0.
    Works at `flint.ctx.prec` bits. Raises EnclosureError on floats and on functions without a rule.
    """
    try:
        return compiled(expr).run(box, limit)
    except Undefined:
        return None


@lru_cache(maxsize=4096)
def compiled(expr: Expr) -> Program:
    """The operations of an expression. Raises EnclosureError as `enclosure` does."""
    instructions: dict[Instruction, int] = {}

    def emit(operation: str, *arguments: int, data: Any = None) -> int:
        return instructions.setdefault(Instruction(operation, arguments, data), len(instructions))

    def visit(e: Expr) -> int:
        match e:
            case Float():
                raise EnclosureError(f"{e} is a floating-point number, not an exact one: write it as a Rational")
            case Rational():
                return emit("constant", data=point(fmpq(int(e.p), int(e.q))))
            case Symbol():
                return emit("symbol", data=e)
            case Add():
                return reduce(lambda a, b: emit("add", a, b), map(visit, e.args))
            case Mul():
                rest = list(e.args)
                logs = [a.args[0] for a in rest if isinstance(a, log) and a.args[0] in rest][:1]
                parts = [emit("x log x", visit(u)) for u in logs]
                for u in logs:  # one copy of each: an unevaluated product may repeat a factor
                    rest.remove(u)
                    rest.remove(log(u))
                return reduce(lambda a, b: emit("mul", a, b), [*parts, *map(visit, rest)])
            case Pow() if e.exp.is_Rational and max(abs(int(e.exp.p)), int(e.exp.q)) > LARGEST_POWER:
                raise EnclosureError(f"the exponent of {e} is out of range: at most {LARGEST_POWER} above and below")
            case Pow() if e.exp.is_Integer:
                return emit("power", visit(e.base), data=int(e.exp))
            case Pow() if e.exp.is_Rational:
                root = emit("root", visit(e.base), data=int(e.exp.q))
                return emit("power", root, data=int(e.exp.p))
            case exp():
                return emit("exp", visit(e.exp))  # a power of E has its exponent second
            case Pow():
                return emit("exp", emit("mul", visit(e.exp), emit("log", visit(e.base))))
            case tanh_():
                return visit(1 - 2 / (exp(2 * e.args[0]) + 1))
            case coth():
                return visit(1 + 2 / (exp(2 * e.args[0]) - 1))
            case sinh_():
                return visit((exp(e.args[0]) - exp(-e.args[0])) / 2)
            case cosh():
                return visit(1 + 2 * sinh_(e.args[0] / 2) ** 2)
            case log() | erf() if len(e.args) == 1:
                return emit(type(e).__name__, visit(e.args[0]))
            case erfc():
                return emit("minus", emit("-erfc", visit(e.args[0])))
            case Abs():
                return emit("abs", visit(e.args[0]))
            case Max():
                return reduce(lambda a, b: emit("max", a, b), map(visit, e.args))
            case Min():
                return emit("minus", reduce(lambda a, b: emit("max", a, b), (emit("minus", visit(a)) for a in e.args)))
            case _ if e in (pi, E):
                return emit("number", data=e)
        raise EnclosureError(
            f"no enclosure rule for {e}: use rationals, + - * /, powers, exp, log, erf, erfc, tanh, ..."
        )

    visit(expr)
    return Program(tuple(instructions))


Operation = Callable[[list[Interval], Any, Mapping[Symbol, Interval]], Interval]

OPERATIONS: dict[str, Operation] = {
    "constant": lambda _, value, __: value,
    "symbol": lambda _, x, box: box[x],
    "number": lambda _, e, __: _between(arb.pi() if e == pi else arb(1).exp()),
    "add": lambda x, _, __: add(x[0], x[1]),
    "mul": lambda x, _, __: mul(x[0], x[1]),
    "x log x": lambda x, _, __: mul(x[0], _increasing("log", x[0])),
    "minus": lambda x, _, __: minus(x[0]),
    "power": lambda x, n, __: power(x[0], n),
    "root": lambda x, n, __: _root(x[0], n),
    "exp": lambda x, _, __: _increasing("exp", x[0]),
    "log": lambda x, _, __: _increasing("log", x[0]),
    "erf": lambda x, _, __: _increasing("erf", x[0]),
    "-erfc": lambda x, _, __: _increasing("-erfc", x[0]),
    "abs": lambda x, _, __: absolute(x[0]),
    "max": lambda x, _, __: larger(x[0], x[1]),
}


def _increasing(name: str, x: Interval) -> Interval:
    """The range of an increasing function."""
    if name == "log" and not positive(x):
        raise Undefined("logarithm of an interval that may hold zero or less")
    low, low_open = _end(name, x.low, x.low_open, up=False)
    high, high_open = _end(name, x.high, x.high_open, up=True)
    return Interval(low, high, low_open, high_open)


def _end(name: str, end: End, is_open: bool, up: bool) -> tuple[End, bool]:
    """The function at one end of its argument, rounded outwards; only where it is exact is it ever zero."""
    function = INCREASING[name]
    if isinstance(end, Infinite):
        value = function.at_oo if end is OO else function.at_minus_oo
        assert value is not None  # only log has none, and its argument is positive
        return value, is_open
    if name == "log" and end == 0:
        return MINUS_OO, True
    if end == function.exact:
        return function.exact_value, is_open
    value = _at(name, end, ctx.prec)[up]
    return value, is_open or isinstance(value, Infinite) or value == 0


@lru_cache(maxsize=1 << 16)
def _at(name: str, argument: fmpq, precision: int) -> tuple[End, End]:
    """Lower and upper bound of a function at a rational, `precision` bits."""
    if name == "exp" and abs(argument) > LARGEST_EXPONENT:
        huge, tiny = fmpq(fmpz(1) << LARGEST_EXPONENT), fmpq(1, fmpz(1) << LARGEST_EXPONENT)  # e^x beyond 2^x
        return (huge, OO) if argument > 0 else (ZERO, tiny)
    ball = INCREASING[name].ball(arb(argument))
    lower, upper = (between := _between(ball)).low, between.high
    if name == "-erfc" and not isinstance(upper, Infinite) and upper > 0:
        upper = ZERO
    return lower, upper


def _between(ball: arb) -> Interval:
    """The ends of a ball as rationals; whole line where the ball says nothing."""
    if not ball.is_finite():
        return Interval(MINUS_OO, OO, True, True)
    middle, radius = _exact(ball.mid()), _exact(ball.rad())
    if middle is None or radius is None:  # too small or too large to write down
        if ball > 0:
            return Interval(ZERO, OO if ball > 1 else ONE, True, True)
        if ball < 0:
            return Interval(MINUS_OO if ball < -1 else -ONE, ZERO, True, True)
        return Interval(MINUS_OO, OO, True, True)
    return Interval(middle - radius, middle + radius)


def _exact(number: arb) -> fmpq | None:
    """An exact ball as a rational, None when its exponent is out of range."""
    mantissa, exponent = number.man_exp()
    if abs(int(exponent)) > 2 * LARGEST_EXPONENT:
        return None
    return fmpq(mantissa << int(exponent)) if exponent >= 0 else fmpq(mantissa, fmpz(1) << -int(exponent))


def _root(x: Interval, n: int) -> Interval:
    """The n-th root. Raises Undefined on an interval that may hold negative numbers."""
    if not nonnegative(x):
        raise Undefined("root of an interval that may hold negative numbers")
    low, low_open = _root_end(x.low, x.low_open, n, up=False)
    high, high_open = _root_end(x.high, x.high_open, n, up=True)
    return Interval(low, high, low_open, high_open)


def _root_end(end: End, is_open: bool, n: int, up: bool) -> tuple[End, bool]:
    if isinstance(end, Infinite) or not sign(end):
        return end, is_open
    numerator, denominator = int(end.p), int(end.q)
    p, q = _integer_root(numerator, n), _integer_root(denominator, n)
    if p**n == numerator and q**n == denominator:
        return fmpq(p, q), is_open
    ball = arb(end).root(n)
    between = _between(ball)
    return (between.high if up else between.low), is_open


def _integer_root(number: int, n: int) -> int:
    """The integer part of the n-th root of a positive integer, by Newton's iteration from above."""
    x = 1 << -(-number.bit_length() // n)
    while (y := ((n - 1) * x + number // x ** (n - 1)) // n) < x:
        x = y
    return x

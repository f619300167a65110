"""A symbolic tree as a plain numerical function: sums become loops, indexed symbols become arrays.

The same trees that the derivations prove are lowered here to look for counterexamples, and by the tests to show that
the right-hand sides in `numerics` are the derived ones.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import wrightomega
from sympy import Expr, lambdify

from theory.wright_omega import WrightOmega


def lower(expr: Expr, arguments: list[Any]) -> Any:
    """A function of `arguments` (symbols and indexed bases) that evaluates `expr` in double precision.

    Plain loops: meant for the small sizes of checks, not for production.
    """
    return lambdify(arguments, expr, modules=[{WrightOmega.__name__: wrightomega}, "numpy"], docstring_limit=0)


def evaluate(expr: Expr, instance: Mapping[Any, Any]) -> float:
    """The value of `expr` where symbols, sizes and tensors are those of `instance`."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.real(lower(expr, list(instance))(*instance.values())))

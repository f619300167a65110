"""The Wright omega function as a SymPy function: the solution w of w + log(w) = z for real z.

SymPy has the Lambert W function but not this one; in the closed form of the decoupled row its argument grows like
time, where lambertw(exp(z)) overflows near z = 709 and omega does not.
"""

from typing import Any

from sympy import Expr, Function


class WrightOmega(Function):
    """omega(z) with omega + log(omega) = z: positive and increasing for real z, derivative omega / (1 + omega)."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        """The derivative, from differentiating omega + log(omega) = z."""
        return self / (1 + self)

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[0].is_real else None

    def _eval_is_real(self) -> bool | None:
        return True if self.args[0].is_real else None

    def _latex(self, printer: Any, exp: Any = None) -> str:
        body = rf"\omega\left({printer._print(self.args[0])}\right)"
        return body if exp is None else f"{{{body}}}^{{{exp}}}"

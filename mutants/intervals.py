"""Mutants of outward rounding, in the prover and in the second checker."""

from mutants.mutant import Mutant

RECHECK = ("tests/theory/test_recheck.py::test_own_error_function",)
ROUNDING = ("tests/theory/test_proof_rounding.py",)

MUTANTS = (
    Mutant(
        "theory.proof_interval",
        "rounded",
        "whole = -(-numerator // denominator) if up else numerator // denominator",
        "whole = numerator // denominator",
        "upper ends are rounded down",
        ROUNDING,
    ),
    Mutant(
        "theory.proof_interval",
        "rounded",
        "whole = -(-numerator // denominator) if up else numerator // denominator",
        "whole = -(-numerator // denominator)",
        "lower ends are rounded up",
        ROUNDING,
    ),
    Mutant(
        "theory.proof_interval",
        "_clamped",
        "if is_positive == up:  # outwards is away from zero",
        "if is_positive != up:",
        "numbers beyond the representable ones are rounded inwards",
        ROUNDING,
    ),
    Mutant(
        "theory.proof_interval",
        "power",
        "else rounded(x.high**n, x.high_open, True)",
        "else rounded(x.high**n, x.high_open, False)",
        "the upper end of a power is rounded down",
        ROUNDING,
    ),
    Mutant(
        "theory.proof_interval",
        "mul",
        "return hull(one, two)",
        "return one",
        "of two intervals that change sign either product may be the least",
        ROUNDING,
    ),
    Mutant(
        "theory.recheck_interval",
        "Ranges._short",
        "if up else scaled.numerator // scaled.denominator",
        "if not up else scaled.numerator // scaled.denominator",
        "long ends are rounded inwards",
        ROUNDING,
    ),
    Mutant(
        "theory.recheck_interval",
        "Ranges._rising",
        "found = high if up else low",
        "found = low if up else high",
        "values of a function are rounded inwards",
        ROUNDING,
    ),
    Mutant(
        "theory.recheck_interval",
        "Ranges._rooted",
        "return (high if up else low), end_in",
        "return (low if up else high), end_in",
        "roots are rounded inwards",
        ROUNDING,
    ),
    Mutant(
        "theory.recheck_interval",
        "Ranges._erfc",
        "iv.sqrt(t * t + 4 / iv.pi)",
        "iv.sqrt(t * t + 8 / iv.pi)",
        "erfc far out reaches 2/(x + sqrt(x^2 + 4/pi))",
        RECHECK,
    ),
    Mutant(
        "theory.recheck_interval",
        "Ranges._erfc",
        "return 2 - high, 2 - low",
        "return 2 - low, 2 - high",
        "erfc(-x) = 2 - erfc(x) turns the ends round",
        ROUNDING,
    ),
)

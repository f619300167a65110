"""Mutants of the bounds about one instance."""

from mutants.mutant import Mutant

INSTANCE = ("tests/numerics/test_instance_bounds.py",)

MUTANTS = (
    Mutant(
        "numerics.instance_bounds",
        "_interpolation",
        "len(coupling)) / (1 - whole), raising",
        "len(coupling)) / (2 - whole), raising",
        "the inverse of G_AA enlarges the couplings by 1/(1 - rho)",
        INSTANCE,
    ),
    Mutant(
        "numerics.instance_bounds",
        "_interpolation",
        "margin = float((whole * largest / (1 - whole)).upper())",
        "margin = 0.0",
        "w_a may have another sign than G_qa",
        INSTANCE,
    ),
    Mutant(
        "numerics.instance_bounds",
        "_interpolation",
        "if not falls[target == answer].all():",
        "if False:",
        "a row that raises its target, the answer, leaves no floor",
        INSTANCE,
    ),
    Mutant(
        "numerics.instance_bounds",
        "_signed",
        "rounding = arb(4 * (m + 16) * 2 * UNIT_ROUNDING * (1 + m * mu))",
        "rounding = arb(0)",
        "G v is computed in floats",
        INSTANCE,
    ),
    Mutant(
        "numerics.instance_bounds",
        "_signed",
        "spread=spread / (m - 1)",
        "spread=spread / (2 * (m - 1))",
        "a distribution within e^D may move by that much",
        INSTANCE,
    ),
    Mutant(
        "numerics.instance_bounds",
        "_padded",
        "(1 + 2 * terms * UNIT_ROUNDING)",
        "(1 - 2 * terms * UNIT_ROUNDING)",
        "a sum in floats may be below the exact one",
        INSTANCE,
    ),
    Mutant(
        "numerics.instance_bounds",
        "_range",
        "np.inf)) if",
        "-np.inf)) if",
        "a difference in floats is to be rounded up",
        INSTANCE,
    ),
    Mutant(
        "numerics.instance_bounds",
        "_start",
        "-(answers / total).log().upper()",
        "-(answers / total).log().lower()",
        "the loss at the start is to be bounded from below",
        INSTANCE,
    ),
    Mutant(
        "numerics.instance_bounds",
        "_least",
        "ball.lower()",
        "ball.upper()",
        "a lower bound is the lower end of its ball",
        INSTANCE,
    ),
    Mutant(
        "numerics.instance_bounds",
        "instance_bounds",
        "np.add.at(by_target.T, target, np.abs(coupling).T)",
        "np.add.at(by_target.T, target, coupling.T)",
        "couplings to rows with one target may have either sign",
        INSTANCE,
    ),
)

"""Checkers: what is true is proved, what is false gets a witness, what is neither stays undecided."""

import numpy as np
import pytest
from sympy import Expr, Integer, Symbol, cos, exp, log, sin, transpose

from theory.claim import joint_verdict, weakest_evidence
from theory.statement import Identity, Inequality, Scalars, prove_nonnegative
from theory.words import Words, matrix
from theory.wright_omega import WrightOmega

z = Symbol("z", nonnegative=True)
c = Symbol("c", positive=True)
n = Symbol("n", integer=True, positive=True)
P, K = matrix("P"), matrix("K")


def draw(rng: np.random.Generator) -> dict[Expr, float]:
    return {z: rng.uniform(0, 3), c: rng.uniform(0.1, 3), n: int(rng.integers(1, 5))}


TRUE = [
    exp(z) - 1 - z,
    z * exp(z) - exp(z) + 1,
    (n - 1) * z,
    exp(c * z) - 1,
    z**2 + 1,
    1 - exp(-z),
    (c + z) / (n + z),
    -z / (-n - z),
]
FALSE = [
    exp(z) - 1 - 2 * z,
    1 - z,
    z - c,
    -exp(z),
    (n - 2) * z - c,
    z / (z + 1) - 1,
    exp(-z) - 1,
    z / (-n - z),
    n - 2 + z,
]


@pytest.mark.parametrize("expr", TRUE, ids=str)
def test_true_inequalities_are_proved(expr: Expr) -> None:
    """A true inequality in the reach of signs and monotonicity holds symbolically."""
    check = Inequality(expr, z, draw, "z >= 0").check()
    assert (check.verdict, check.evidence) == ("holds", "symbolic")


@pytest.mark.parametrize("expr", FALSE, ids=str)
def test_false_inequalities_are_never_proved(expr: Expr) -> None:
    """A false inequality gets no argument, and a witness that violates it."""
    assert prove_nonnegative(expr, z) is None
    statement = Inequality(expr, z, draw, "z >= 0")
    check = statement.check()
    assert check.verdict == "fails"
    assert check.witness is not None
    assert statement.violation(check.witness) > 0


def test_names_with_a_prime_are_not_confused() -> None:
    """The shift n = 1 + n' used by the prover does not collide with a symbol that is called n'."""
    prime = Symbol("n'", integer=True, nonnegative=True)
    assert prove_nonnegative(n - 1 - prime, z) is None


@pytest.mark.parametrize("expr", [exp(-1 / (z - 1)) - 1, 1 / (z - 1), 1 / z - 2, (n - z) ** -3], ids=str)
def test_poles_are_never_crossed(expr: Expr) -> None:
    """Monotone pieces on both sides of a pole are not taken for one."""
    assert prove_nonnegative(expr, z) is None


def test_what_is_out_of_reach_is_undecided() -> None:
    """A true inequality without a proof by signs and monotonicity is not called anything else."""
    assert Inequality((z - 1) ** 2 * exp(z), z, draw, "z >= 0").check().verdict == "holds"  # a square: a sign
    assert Inequality(2 + sin(z) + cos(z), z, draw, "z >= 0").check().verdict == "undecided"
    assert Inequality(log(1 + z), z, draw, "z >= 0").check().verdict == "undecided"  # log may leave its domain


def test_a_sign_needs_the_variable_to_be_nonnegative() -> None:
    """Asked along a variable of unknown sign the prover refuses instead of assuming one."""
    with pytest.raises(ValueError, match="must be declared nonnegative"):
        prove_nonnegative(Symbol("w", real=True) ** 2, Symbol("w", real=True))


def test_identity_in_scalars() -> None:
    """A true identity holds; a false one fails with a witness."""
    assert Identity((z + 1) ** 2, z**2 + 2 * z + 1, Scalars(), draw).check().verdict == "holds"
    check = Identity((z + 1) ** 2, z**2 + 1, Scalars(), draw).check()
    assert check.verdict == "fails"
    assert check.witness is not None


def test_a_wrong_rewriting_rule_is_caught() -> None:
    """An identity `proved` with a rule that matrices do not obey fails on the first instance."""
    wrong = Words(rules={K * P * K: P})

    def draw_matrices(rng: np.random.Generator) -> dict[Expr, np.ndarray]:
        root = rng.normal(size=(3, 3))
        return {K: root @ root.T, P: np.linalg.inv(root @ root.T)}

    assert wrong.is_zero(K * P * K - P)
    assert Identity(K * P * K, P, wrong, draw_matrices).check().verdict == "fails"
    right = Words(rules={K * P * K: K}, symmetric=(P, K))
    assert Identity(transpose(K * P * K), K, right, draw_matrices).check().verdict == "holds"


def test_rules_that_do_not_end_are_reported() -> None:
    """A rule that lengthens words raises instead of running on."""
    with pytest.raises(RecursionError, match="do not end"):
        Words(rules={K: P * K}).is_zero(K)


def test_wright_omega_satisfies_its_equation() -> None:
    """omega' from the function class equals the derivative of the inverse function z = omega + log(omega)."""
    w = Symbol("w", positive=True)
    slope = WrightOmega(z).diff(z).xreplace({WrightOmega(z): w})
    assert (slope * (w + log(w)).diff(w)).simplify() == Integer(1)


def test_evidence_and_verdicts_combine_to_the_weakest() -> None:
    """A chain is as good as its worst step; `not applicable` does not count."""
    assert weakest_evidence(["symbolic", "numerical", "certified"]) == "numerical"
    assert joint_verdict(["holds", "undecided", "holds"]) == "undecided"
    assert joint_verdict(["holds", "fails", "undecided"]) == "fails"
    assert joint_verdict(["not applicable", "holds"]) == "holds"
    assert joint_verdict(["not applicable"]) == "not applicable"

"""Mutants of the two-phase chain of Theorem 1, of exponents and of how both theorems are judged."""

from mutants.mutant import Mutant

ABSOLUTE = ("tests/theory/test_two_phase.py",)
CHAINS = (
    "tests/theory/test_separation.py::test_loss_share",
    "tests/theory/test_separation.py::test_signed_exponent_tends_to_first_order",
)
THEOREMS = ("tests/theory/test_separation_theorem.py",)
FLOORS = ("tests/theory/test_lower_bound.py",)

MUTANTS = (
    Mutant(
        "theory.two_phase",
        "_two_phase",
        "across = 2 + 4 * mu",
        "across = 1 + 2 * mu",
        "|rho_a G (e_x - p)| reaches 2",
        ABSOLUTE,
    ),
    Mutant(
        "theory.two_phase",
        "_two_phase",
        "(1 + mu + gamma) * largest / (2 * bounds.contexts)",
        "(1 + mu + gamma) * largest / (4 * bounds.contexts)",
        "the curvature of a row of logits reaches 1/2",
        ABSOLUTE,
    ),
    Mutant(
        "theory.two_phase",
        "_two_phase",
        "kept = 1 - s * bounds.contexts * curvature / 2",
        "kept = 1 - s * bounds.contexts * curvature / 4",
        "descent keeps 1 - eta beta/2 of its fall",
        ABSOLUTE,
    ),
    Mutant(
        "theory.two_phase",
        "_two_phase",
        "jump = s * across * (1 + mu + gamma)",
        "jump = 0 * s",
        "one step may carry the loss past the change of phase",
        ABSOLUTE,
    ),
    Mutant(
        "theory.two_phase",
        "descent_rate",
        "- gamma * (2 + 4 * mu)",
        "- gamma",
        "gradients of two rows oppose each other by up to 2 + 4 mu times their coupling",
        ABSOLUTE,
    ),
    Mutant(
        "theory.two_phase",
        "descent_rate",
        "row = 1 + arb(1) / (m - 1)",
        "row = arb(2)",
        "|rho_a|^2 is 1 + 1/(m-1) where pi is uniform",
        ABSOLUTE,
    ),
    Mutant(
        "theory.two_phase",
        "_two_phase_at",
        "late = n * worst * (-arb(phase)).exp()",
        "late = worst * (-arb(phase)).exp()",
        "one row may hold the whole loss",
        ABSOLUTE,
    ),
    Mutant(
        "theory.two_phase",
        "_two_phase_at",
        "query.two_norm * (1 + query.largest + 4 * mu)",
        "query.two_norm * query.largest",
        "|rho_a G v| reaches 1 + max p",
        ABSOLUTE,
    ),
    Mutant(
        "theory.two_phase",
        "_two_phase_at",
        "late_pull * root * loss_share(late)",
        "late_pull * loss_share(late)",
        "Cauchy-Schwarz costs sqrt N",
        ABSOLUTE,
    ),
    Mutant(
        "theory.exponent",
        "loss_share",
        "loss / -(-loss).expm1()",
        "loss",
        "K(q) is -log(1 - q)/q",
        CHAINS,
    ),
    Mutant(
        "theory.exponent",
        "upper",
        "top = ball.upper()",
        "top = ball.lower()",
        "an upper bound is the upper end of its ball",
        ABSOLUTE,
    ),
    Mutant(
        "theory.theorems.lower_bound",
        "FloorKept.__call__",
        "amount * (2 + 4 * bounds.coherence)",
        "amount * (1 + 2 * bounds.coherence)",
        "an epoch raises log-odds by up to s (2 + 4 mu)(1 + mu + Gamma)",
        FLOORS,
    ),
    Mutant(
        "theory.theorems.separation",
        "beyond_certificate",
        "if measured > epsilon + error:",
        "if measured > epsilon + 1e3 * error:",
        "only the run's own error is excused",
        THEOREMS,
    ),
    Mutant(
        "theory.theorems.separation",
        "a_priori",
        "bounds = _bounds_at(setting, dimension)",
        "bounds = _bounds_at(setting, max(dimension, 880_000.0))",
        "the certificate is that of another dimension",
        THEOREMS,
    ),
    Mutant(
        "theory.separation",
        "guaranteed_loss",
        "left**epsilon",
        "left ** (2 * epsilon)",
        "the certificate guarantees L_rev(0) (L/L(0))^eps",
        THEOREMS,
    ),
)

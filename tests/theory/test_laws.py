"""Every law is proved for symbolic sizes, step by step, and every false twin is rejected by the same checker."""

import numpy as np
import pytest
from sympy import Symbol, diff, expand, limit, oo

from theory import first_order, transformer
from theory.indexed import unfold
from theory.laws import LAWS, derive_all, false_twins
from theory.statement import ROUNDING, Identity, IndexedSums, Inequality, Instance

DERIVATIONS = {d.id: d for d in derive_all()}
TWINS = {twin.id: twin for twin in false_twins()}


@pytest.mark.parametrize("law", DERIVATIONS)
def test_every_law_is_symbolic(law: str) -> None:
    """Each law holds with symbolic evidence, and so does each of its steps."""
    derivation = DERIVATIONS[law]
    assert [(s.rule, s.check.verdict, s.check.evidence) for s in derivation.steps] == [
        (s.rule, "holds", "symbolic") for s in derivation.steps
    ]
    claim = derivation.claim()
    assert (claim.verdict, claim.evidence) == ("holds", "symbolic")
    assert claim.statement
    assert derivation.assumptions


@pytest.mark.parametrize("twin", TWINS)
def test_every_false_twin_fails(twin: str) -> None:
    """The checker that proves the law calls its twin `fails` and shows a witness that violates it."""
    statement = TWINS[twin].statement
    check = statement.check()
    assert check.verdict == "fails"
    assert check.witness is not None
    assert statement.violation(check.witness) > ROUNDING


def test_every_law_has_twins_and_its_own_id() -> None:
    """No law stands without a false twin, and no two laws or twins share an id."""
    assert len(DERIVATIONS) == len(LAWS)
    assert {twin.of for twin in TWINS.values()} == set(DERIVATIONS)
    assert len(TWINS) == len(false_twins())


@pytest.mark.parametrize("law", DERIVATIONS)
def test_every_step_would_be_rejected_with_its_sign_flipped(law: str) -> None:
    """No step passes because its check accepts anything: negated, it fails or is at least not proved."""
    for step in DERIVATIONS[law].steps:
        statement = step.statement
        if isinstance(statement, Identity):
            flipped: Identity | Inequality = Identity(
                statement.lhs, -statement.rhs - 1, statement.algebra, statement.draw
            )
        else:
            flipped = Inequality(-statement.expr - 1, statement.variable, statement.draw, statement.domain)
        # words of matrices have no scalar 1 to subtract: their own twins above stand for them
        if isinstance(statement, Identity) and not statement.lhs.is_commutative:
            continue
        assert flipped.check().verdict == "fails", step.rule


@pytest.mark.parametrize("law", ["sgd-sandwich", "unseen-target-bound"])
def test_no_inequality_is_slack(law: str) -> None:
    """Each inequality becomes an equality at an end of its domain, so no constant in it could be smaller."""
    for step in DERIVATIONS[law].steps:
        statement = step.statement
        if isinstance(statement, Identity):
            continue
        free = statement.expr.free_symbols - {statement.variable}
        others = {s: 2 if s.is_positive else 0 for s in free} | {s: 1 for s in free if s.name in ("eta", "beta", "c")}
        along = statement.expr.subs(others)
        ends = (along.subs(statement.variable, 0), limit(along, statement.variable, oo))
        assert 0 in ends, step.rule


def test_gradient_of_z_in_one_piece() -> None:
    """The whole forward pass, differentiated in z at once, has the value of the gradient that the chain rule gives."""
    inside = {**transformer.ATTENDED, transformer.b: transformer.attention, transformer.g: transformer.attention_logit}
    asked = Symbol("asked", integer=True)  # bound by no sum: SymPy would capture n
    gradient = diff(unfold(transformer.log_likelihood(), inside), transformer.z[asked])
    algebra = IndexedSums({**inside, **transformer.OUTPUT})

    def draw(rng: np.random.Generator) -> Instance:
        instance = transformer.draw_sequence(rng)
        return {**instance, asked: instance[transformer.n]}

    for derived, same in ((transformer.z_gradient(asked), True), (-transformer.z_gradient(asked), False)):
        gap = Identity(gradient, derived, algebra, draw).violation(draw(np.random.default_rng(0)))
        assert (gap <= ROUNDING) == same


def test_trained_rate_is_the_flow_with_coherences() -> None:
    """dS_A/dt = G_AA F R G with G = I + epsilon E, at every order in epsilon."""
    instance = first_order.draw_coherence(np.random.default_rng(0))
    gram_in, gram_out = (
        np.eye(len(instance[e])) + instance[first_order.epsilon] * instance[e]
        for e in (first_order.E_AA, first_order.E)
    )
    expected = gram_in @ instance[first_order.F] @ instance[first_order.R0] @ gram_out
    rate = first_order.WORDS.evaluate(expand(first_order.trained_rate(first_order.R0)), instance)
    # products of three small matrices of order one
    assert rate == pytest.approx(expected, rel=1e-12, abs=1e-12)

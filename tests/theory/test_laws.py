"""Every law is proved for symbolic sizes, step by step, and every false twin is rejected by the same checker."""

import numpy as np
import pytest

from theory.laws import LAWS, derive_all, false_twins
from theory.statement import ROUNDING, Identity, Inequality

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


@pytest.mark.parametrize("twin", TWINS)
def test_stored_witnesses_violate_their_twin(twin: str) -> None:
    """The stored instance of each twin violates it by more than rounding."""
    stored = TWINS[twin]
    instance = stored.statement.draw(np.random.default_rng(stored.seed))
    assert stored.statement.violation(instance) > ROUNDING


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

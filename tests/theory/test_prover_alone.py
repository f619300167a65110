"""The prover of inequalities asked alone: nothing but its own arguments keeps it from proving what is false."""

from collections.abc import Callable
from typing import Any

import pytest
from flint import ctx

import theory.proof_settle as tactics
from tests.theory.inequality_library import FALSE, Statement
from theory.checked_proof import prove_checked
from theory.proof import Leaf, Proof, Refutation, Unproved, prove, rebuilt
from theory.proof_method import Enclosed, Method
from theory.recheck import recheck

PRECISION = 192
# Boxes that are looked at: more of them lie deeper inside the part where a statement is false.
FEW_BOXES, MANY_BOXES = 8, 60

Says = Callable[..., Any]


def says(answer: object) -> Says:
    """A function that gives one answer to whatever it is asked."""
    return lambda *_, **__: answer


def blind(patch: pytest.MonkeyPatch) -> None:
    """No point is ever found to lie below zero: the search for counterexamples is off, and so is the warning of one."""
    patch.setattr("theory.proof._Search._fails_at", says(False))
    patch.setattr(tactics, "below_zero", says(False))


@pytest.mark.parametrize("boxes", [FEW_BOXES, pytest.param(MANY_BOXES, marks=pytest.mark.slow)])
@pytest.mark.parametrize("statement", FALSE, ids=lambda s: s.name)
def test_without_its_refuter_the_prover_proves_nothing_false(
    statement: Statement, boxes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no point of the domain looked at, no false statement is proved."""
    blind(monkeypatch)
    outcome = prove(statement.expr, statement.domain, strict=statement.strict, most_boxes=boxes)
    assert isinstance(outcome, Unproved), outcome


@pytest.mark.slow
@pytest.mark.parametrize("guess", [1, -1])
@pytest.mark.parametrize("statement", FALSE, ids=lambda s: s.name)
def test_wrong_guesses_prove_nothing(statement: Statement, guess: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign that is guessed from samples is only worth a try: guessed always the same, it proves nothing false."""
    blind(monkeypatch)
    monkeypatch.setattr(tactics, "sampled_sign", says(guess))
    outcome = prove(statement.expr, statement.domain, strict=statement.strict, most_boxes=FEW_BOXES)
    assert isinstance(outcome, Unproved), outcome


# -- the second checker alone --
def forgeries(statement: Statement) -> list[Method]:
    """Certificates of a prover that takes every smaller obligation for settled: one by each argument that it finds."""
    real = rebuilt(statement.expr.xreplace(statement.domain.real))
    box = statement.domain.box
    found: list[Method | None] = [Enclosed()]
    with ctx.workprec(PRECISION):
        for strict in (statement.strict, False):
            found += [
                tactics._product(real, box, strict, tactics.DEEPEST),
                tactics._monotone(real, box, strict, tactics.DEEPEST),
                tactics._tangent(real, box, tactics.DEEPEST),
                tactics._convex(real, box, strict),
            ]
    return [method for method in found if method is not None]


@pytest.mark.parametrize("statement", FALSE, ids=lambda s: s.name)
def test_forged_certificates_of_false_statements_are_rejected(
    statement: Statement, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No certificate whose smaller obligations were never shown gets a false statement past the second checker."""
    monkeypatch.setattr(tactics, "settle", says(Enclosed()))
    monkeypatch.setattr(tactics, "positive_semidefinite", says(True))
    monkeypatch.setattr(tactics, "plane_is_above_zero", says(True))
    sides = statement.domain.sides
    for method in forgeries(statement):
        forged = Proof(statement.expr, statement.domain, statement.strict, (Leaf(sides, method),), PRECISION)
        assert recheck(forged) is not None, method


def test_every_kind_of_certificate_is_forged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The forgeries above are of all five methods, most of them of more than one statement."""
    monkeypatch.setattr(tactics, "settle", says(Enclosed()))
    monkeypatch.setattr(tactics, "positive_semidefinite", says(True))
    monkeypatch.setattr(tactics, "plane_is_above_zero", says(True))
    kinds = [type(method).__name__ for statement in FALSE for method in forgeries(statement)]
    assert {kind for kind in kinds if kinds.count(kind) > 1} == {"Enclosed", "Product", "Monotone", "Tangent", "Convex"}


@pytest.mark.parametrize("statement", FALSE, ids=lambda s: s.name)
def test_a_prover_that_says_yes_gets_nothing_past_the_second_checker(
    statement: Statement, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the prover replaced by `yes` it proves every false statement, and `prove_checked` none."""
    blind(monkeypatch)
    monkeypatch.setattr("theory.proof.settle", says(Enclosed()))
    assert isinstance(prove(statement.expr, statement.domain, strict=statement.strict), Proof)
    outcome = prove_checked(statement.expr, statement.domain, strict=statement.strict)
    assert isinstance(outcome, Unproved)
    assert outcome.reason.startswith("the second checker objects")


def test_a_second_checker_that_says_yes_is_not_the_prover(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the second checker replaced by `yes` false statements are still refuted or left open by the prover."""
    monkeypatch.setattr("theory.checked_proof.recheck", says(None))
    for statement in FALSE[:12]:
        outcome = prove_checked(statement.expr, statement.domain, strict=statement.strict, most_boxes=FEW_BOXES)
        assert isinstance(outcome, Unproved | Refutation)

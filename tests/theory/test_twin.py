"""A twin is refused when its witness violates it and the prover alone does not prove it: neither alone is enough."""

import itertools
from collections.abc import Callable

import pytest
from sympy import Symbol, exp

from theory.derivation import FalseTwin
from theory.laws import derive_all, false_twins
from theory.statement import Identity, IndexedSums, Inequality, Scalars
from theory.twin import TwinVerdict
from theory.words import Words

TWINS = false_twins()
z = Symbol("z", nonnegative=True)


def provers_say_yes(patch: pytest.MonkeyPatch) -> None:
    """Every prover of a law claims to prove whatever it is asked."""
    for algebra in (IndexedSums, Scalars, Words):
        patch.setattr(algebra, "is_zero", lambda self, expr: True)
    patch.setattr("theory.statement.prove_nonnegative", lambda expr, variable, depth=3: "because")


def no_instance_violates(patch: pytest.MonkeyPatch) -> None:
    """Every instance satisfies every statement."""
    for kind in (Identity, Inequality):
        patch.setattr(kind, "violation", lambda self, instance: 0.0)


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.id)
def test_every_false_twin_is_refused(twin: FalseTwin) -> None:
    """The stored witness violates the twin, and the prover that proves the law does not prove the twin."""
    found = twin.verdict()
    assert found.refused, found


def test_true_steps_are_no_false_twins() -> None:
    """A step of a law in the place of a twin is not refused: it is proved, and no instance violates it."""
    for derivation in itertools.islice(derive_all(), 3):
        found = FalseTwin(derivation.id, "none", derivation.steps[0].statement).verdict()
        assert (found.violated, found.proved) == (False, True)


def test_a_prover_that_says_yes_is_found_out_by_every_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every prover replaced by `yes` no twin is refused, though each is still violated by its witness."""
    provers_say_yes(monkeypatch)
    found = [twin.verdict() for twin in TWINS]
    assert [v.id for v in found if v.refused] == []
    assert all(v.violated and v.proved for v in found)


def test_a_witness_that_violates_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no instance violating anything no twin is refused, though none is proved either."""
    no_instance_violates(monkeypatch)
    monkeypatch.setattr("theory.statement.prove_nonnegative", lambda expr, variable, depth=3: None)
    for algebra in (IndexedSums, Scalars, Words):
        monkeypatch.setattr(algebra, "is_zero", lambda self, expr: False)
    found = [twin.verdict() for twin in TWINS]
    assert not any(v.violated or v.proved or v.refused for v in found)


@pytest.mark.parametrize(
    ("violated", "proved", "refused", "word"),
    [
        (True, False, True, "refused"),
        (True, True, False, "it is proved"),
        (False, False, False, "its witness does not violate it"),
        (False, True, False, "its witness does not violate it and it is proved"),
    ],
)
def test_a_verdict_says_what_is_wrong(violated: bool, proved: bool, refused: bool, word: str) -> None:
    """Only a twin that is violated and not proved is refused, and every other says why it is not."""
    verdict = TwinVerdict("law/changed", violated, proved)
    assert verdict.refused == refused
    assert str(verdict) == f"law/changed ({word})"


@pytest.mark.parametrize(
    ("answer", "refused"), [("fails", True), ("holds", False), ("undecided", False), ("not applicable", False)]
)
def test_a_checker_refuses_by_fails_alone(answer: str, refused: bool) -> None:
    """Of a claim about runs the checker is the prover: a twin on which it is undecided is not refused."""
    assert TwinVerdict.of_checker("claim/changed", answer).refused == refused  # type: ignore[arg-type]


def test_the_halves_of_a_check_are_asked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """`prove` looks at no instance, and `refute` at no proof."""

    def forbidden(*_: object) -> None:
        raise AssertionError

    def statements(draw: Callable) -> tuple[Identity, Inequality]:  # type: ignore[type-arg]
        false = exp(z) - 1 - 2 * z
        return Identity(false, z - z, Scalars(), draw), Inequality(false, z, draw, "z >= 0")

    for statement in statements(forbidden):
        assert statement.prove() is None
    provers_say_yes(monkeypatch)
    for algebra in (IndexedSums, Scalars, Words):
        monkeypatch.setattr(algebra, "is_zero", forbidden)
    monkeypatch.setattr("theory.statement.prove_nonnegative", forbidden)
    for statement in statements(lambda rng: {z: 1.0}):
        check = statement.refute([0])
        assert check is not None
        assert check.verdict == "fails"

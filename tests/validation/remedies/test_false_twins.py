"""Every kind of claim about a choice has a false twin near it, and the claim's own checker rejects it."""

import inspect
from collections.abc import Callable

import numpy as np
import pytest

from theory.claim import Claim
from theory.task import reversal_task
from theory.twin import TwinVerdict
from validation.compare import check_twins
from validation.remedies import claims, false_twins
from validation.remedies.choice import Choice
from validation.remedies.false_twins import SETTINGS, TWINS
from validation.remedies.measure import measure
from validation.twin import NumericalTwin

CHECKERS = {name: f for name, f in inspect.getmembers(claims, inspect.isfunction) if f.__module__ == claims.__name__}
# the kinds of claims that a row can make, each with a choice that makes it
KINDS = {
    "training-is-recursion": Choice(optimizer="momentum", weight_decay=0.01),
    "interpolation-law": Choice(weight_decay=0.01),
    "index-as-predicted": Choice(),
    "reverse-logit-equals-forward": Choice(parameters="symmetric"),
    "balance": Choice(parameters="factorised", width=8),
    "closed-form": Choice(loss="squared"),
    "copies-lift-what-they-cover": Choice(data="reversed-copies"),
    "implication-learnt": Choice(
        parameters="factorised", data="implication", context="entity+relation", embeddings="orthonormal"
    ),
    "implication-not-learnt": Choice(data="implication", context="entity+relation", embeddings="orthonormal"),
}


@pytest.fixture(scope="module")
def tried() -> dict[str, tuple[Claim, set[str]]]:
    """The answer of each twin's checker, by id, and which checkers it called."""
    found = {}
    with pytest.MonkeyPatch.context() as during:
        called: set[str] = set()

        def recorded(name: str, checker: Callable[..., Claim]) -> Callable[..., Claim]:
            def check(*arguments: object, **named: object) -> Claim:
                called.add(name)
                return checker(*arguments, **named)

            return check

        for name, checker in CHECKERS.items():
            during.setattr(claims, name, recorded(name, checker))
        for twin in TWINS:
            called.clear()
            found[twin.id] = (twin.check(), set(called))
    return found


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.id)
def test_twins_fail(twin: NumericalTwin, tried: dict[str, tuple[Claim, set[str]]]) -> None:
    """The checker of the true claim calls the false one `fails`."""
    claim, _ = tried[twin.id]
    assert claim.verdict == "fails", claim
    assert claim.id == f"{twin.of}-twin"


def test_every_checker_and_kind_of_claim_has_a_twin(tried: dict[str, tuple[Claim, set[str]]]) -> None:
    """Each function of the claims is called by some twin, and each kind of claim stands beside one."""
    assert {name for _, names in tried.values() for name in names} == set(CHECKERS)
    assert len(CHECKERS) > 5
    assert {twin.of for twin in TWINS} == set(KINDS)


def test_twins_have_ids_of_their_own() -> None:
    """No two share an id, and each says what it was tried on."""
    assert len({twin.id for twin in TWINS}) == len(TWINS)
    assert all(twin.witness for twin in TWINS)


def test_verdicts_are_those_of_the_checkers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each twin's verdict by its id; together they hold where all fail, and fail where one does not."""
    twins = [twin for twin in TWINS if twin.title in ("any Theta", "merged Theta")]
    monkeypatch.setattr(false_twins, "TWINS", twins)
    verdicts = false_twins.twin_verdicts.__wrapped__()
    assert verdicts == tuple(TwinVerdict(twin.id, violated=True, proved=False) for twin in twins)
    assert check_twins(verdicts).verdict == "holds"
    assert check_twins([*verdicts, TwinVerdict("another", violated=True, proved=True)]).verdict == "fails"


def test_checkers_are_undecided_about_what_is_no_number() -> None:
    """A nan is neither true nor false."""
    nothing = np.array([np.nan])
    assert claims.check_balance(nothing, np.zeros(1), 1.0, "factorised", "x", "x").verdict == "undecided"
    assert claims.check_prediction(float("nan"), 0.0, 1.0, "x", "x", 3).verdict == "undecided"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_true_claims_hold_on_the_same_witnesses(kind: str) -> None:
    """Where the twins fail, the claims themselves hold: the witnesses do not fail for some other reason."""
    row = measure(reversal_task(6, 3), KINDS[kind], SETTINGS, 1e-6)
    made = {claim.id.removesuffix(f"-{row.choice.slug}"): claim for claim in row.claims}
    assert made[kind].verdict == "holds", made[kind]

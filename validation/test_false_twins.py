"""Every claim that verify can make has a false twin, and the claim's own checker rejects it."""

import pytest

from theory.laws import derive_all, false_twins
from validation.false_twins import TWINS, chain_run, small_run
from validation.run_claims import claims_of
from validation.settings import VerifySettings
from validation.verify import verify


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.id)
def test_numerical_twins_fail(twin: object) -> None:
    """The checker of the true claim calls the false one `fails`, on the stored witness."""
    claim = twin.check()  # type: ignore[attr-defined]
    assert claim.verdict == "fails", claim
    assert claim.id.startswith(twin.of)  # type: ignore[attr-defined]


def test_the_true_claims_hold_on_the_same_witnesses() -> None:
    """Where the twins fail, the claims themselves hold: the witnesses do not fail for some other reason."""
    claims = [*claims_of(small_run()), *claims_of(chain_run())]
    assert {c.verdict for c in claims} == {"holds"}, [c for c in claims if c.verdict != "holds"]


def test_every_claim_of_a_verification_has_a_twin() -> None:
    """No claim id comes out of verify, for either task, without a twin whose id it starts with."""
    twins = {t.of for t in TWINS} | {t.of for t in false_twins()}
    laws = {d.id for d in derive_all()}
    assert laws <= twins
    for kind in ("reversal", "chain-of-thought"):
        settings = VerifySettings(task=kind, pairs=2, vocabulary=8 + 4 * (kind != "reversal"), seeds=1, time=100.0)
        result = verify(settings)
        orphans = [c.id for c in result.claims if not any(c.id.startswith(t) for t in twins)]
        assert orphans == []
        assert result.verdict == "holds", [c for c in result.claims if c.verdict not in ("holds", "not applicable")]

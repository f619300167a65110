"""One id has one text: title, statement, reference and assumptions of a claim do not depend on what becomes of it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from theory.claim import Claim
from theory.laws import derive_all
from theory.task import reversal_task
from validation import prediction, step_order
from validation import verify as verification
from validation.experiments.claims import (
    claims_of,
    held_out_learnt,
    held_out_not_answered,
    held_out_not_learnt,
    trained_learnt,
)
from validation.experiments.false_twins import witness
from validation.remedies.choice import Choice
from validation.remedies.measure import measure
from validation.remedies.settings import RemedySettings
from validation.settings import VerifySettings

SMALL = dict(seeds=1, train_dimension=32, training_time=6.0, time=20.0)
# Each makes some claim apply that another does not.
SETTINGS = (
    dict(pairs=3, vocabulary=10),
    dict(pairs=3, vocabulary=10, optimizer="adam"),
    dict(pairs=3, vocabulary=10, order="replacement", learning_rate=0.5, training_time=0.5),
    dict(pairs=2, held_out=0, vocabulary=6, dimension=20.0),
    dict(pairs=1, vocabulary=4, training_time=0.5, learning_rate=0.25),
    dict(pairs=2, task="chain-of-thought", vocabulary=8),
    dict(pairs=2, task="chain-of-thought", vocabulary=8, train_dimension=6),
    dict(facts=True, context="entity+relation"),
)
# One logit of a flow at zero, at a distance of eight, four, two and one.
RUNS = step_order.StepRuns(tuple(np.full((1, 1, 1, 1), d) for d in (8.0, 4.0, 2.0, 1.0)), np.zeros((1, 1, 1)), 0.0)
PACKAGES = ("theory", "numerics", "validation")
FACTS = "subject,relation,object,direction\na,r,b,both\nc,r,d,forward\nc,r,e,forward\nf,s,g,forward\n"


def text_of(claim: Claim) -> tuple[object, ...]:
    """What of a claim its id decides."""
    return claim.title, claim.statement, claim.reference, claim.assumptions


def different(claims: Iterator[Claim]) -> dict[str, set[tuple[object, ...]]]:
    """The ids that came with more than one text."""
    texts: dict[str, set[tuple[object, ...]]] = {}
    for claim in claims:
        texts.setdefault(claim.id, set()).add(text_of(claim))
    return {id: found for id, found in texts.items() if len(found) > 1}


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> list[Claim]:
    """The claims of every run in SETTINGS, without the laws, which depend on no setting."""
    file = tmp_path_factory.mktemp("facts") / "facts.csv"
    file.write_text(FACTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "_derive", lambda tell: [])
        # their texts depend on the schedule alone; distances at steps and dimensions that are fixed take the time
        patch.setattr(step_order, "runs_over_steps", lambda task, schedule, seed: RUNS)
        patch.setattr(prediction, "first_order_errors", lambda small, seed: [1e-4, 1e-5, 1e-6, 1e-7])
        return [claim for settings in SETTINGS for claim in _claims(settings, file)]


def _claims(settings: dict[str, object], file: Path) -> tuple[Claim, ...]:
    chosen: dict[str, object] = {**SMALL, **settings}
    if "facts" in chosen:
        chosen["facts"] = file
    return verification.verify(VerifySettings.checked(**chosen)).claims


def test_a_claim_of_verify_has_one_text_whatever_becomes_of_it(verified: list[Claim]) -> None:
    """Title, statement, reference and assumptions are the same where a claim holds and where it does not apply."""
    assert not different(iter(verified))


def test_the_settings_make_claims_apply_and_not_apply(verified: list[Claim]) -> None:
    """Every claim that can be out of place was seen both in place and out of it, and its texts compared."""
    seen: dict[str, set[bool]] = {}
    for claim in verified:
        seen.setdefault(claim.id, set()).add(claim.verdict == "not applicable")
    both = {id for id, applied in seen.items() if len(applied) == 2}
    assert both >= {
        *(f"{id}-{model}" for id in ("training-is-descent", "training-follows-flow") for model in MODELS),
        *(f"forward-grows-{model}" for model in MODELS),
        *(f"flow-matches-closed-form-{model}" for model in MODELS),
        "asymmetry-bilinear",
        "intransitivity-bilinear",
        "unseen-targets-whole-run",
        "sgd-sandwich-in-training",
        "first-order-law-order",
        "step-size-order-replacement",
    }


MODELS = ("bilinear", "transformer")


def remedies() -> Iterator[Claim]:
    """The claims of small choices that apply in some and not in others."""
    settings = RemedySettings(pairs=4, held_out=2, dimension=32, seeds=2)
    wide = settings.model_copy(update={"dimension": 512, "seeds": 8})
    for choice in (Choice(), Choice(data="reversed-copies")):
        for run in (settings, wide):
            yield from measure(reversal_task(4, 2), choice, run, 1e-6).claims


def test_a_claim_of_remedies_has_one_text_whatever_its_run_was() -> None:
    """The same choice in another dimension and with other seeds makes claims of the same texts."""
    assert not different(remedies())


def test_a_claim_of_an_experiment_has_one_text_whatever_was_measured() -> None:
    """A condition that is learnt and one that is not make claims of the same texts."""
    conditions = [witness(0.0, 9.0, 0), witness(3.0, 0.05, 10)]
    found = [claim for condition in conditions for claim in claims_of("reversal", [condition])]
    for condition in conditions:
        found += [trained_learnt(condition), held_out_learnt(condition), held_out_not_answered(condition)]
        found += [held_out_not_learnt(condition, level) for level in (1.0, 2.0)]
    assert not different(iter(found))


@pytest.mark.parametrize("path", sorted(str(p) for f in PACKAGES for p in Path(f).rglob("*.py")))
def test_claims_are_made_of_texts_alone(path: str) -> None:
    """No module but that of the claim makes one from loose strings or changes the text of one that was made."""
    made = [
        node
        for node in ast.walk(ast.parse(Path(path).read_text()))
        if isinstance(node, ast.Call)
        and (
            (ast.unparse(node.func) == "Claim" and path != "theory/claim.py")
            or (ast.unparse(node.func) == "replace" and {k.arg for k in node.keywords} & {"statement", "title", "id"})
        )
    ]
    assert not [ast.unparse(node) for node in made]


def test_every_law_states_what_it_assumes() -> None:
    """No law rests on nothing, and its claim carries the assumptions of its derivation."""
    for derivation in derive_all():
        assert derivation.assumptions
        assert derivation.text.assumptions == derivation.assumptions


@pytest.mark.parametrize("id", ["loss-floor-bilinear", "loss-floor-transformer"])
def test_only_what_holds_of_any_logits_assumes_nothing(verified: list[Claim], id: str) -> None:
    """Claims about runs state their assumptions; the entropy floor alone has none, as it bounds every softmax."""
    bare = {claim.id for claim in verified if not claim.assumptions}
    assert id in bare
    assert all(name.startswith("loss-floor-") for name in bare)

"""No true claim fails: random small settings of verify, check and remedies, in one process, the laws judged once."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, get_args

import numpy as np
import pytest

from numerics.losses import LOSSES
from numerics.optimizer import Optimizer
from numerics.order import ORDERS
from numerics.parameter_space import Parameters
from theory.errors import BadInput
from theory.laws import derive_all
from theory.theorems import THEOREMS
from theory.variants import Data
from validation import verify as verification
from validation.check import check, chosen_theorems
from validation.check_settings import NUMBERS, OPTIONS, CheckSettings
from validation.measurements import Measurements
from validation.remedies import run as remedies
from validation.remedies.settings import RemedySettings
from validation.settings import OptimizerChoice, VerifySettings

FEW, MANY = 4, 100  # of each kind
Settings = dict[str, Any]


def maybe(rng: np.random.Generator, chance: float, **values: Any) -> Settings:
    """The values with some probability, else nothing."""
    return values if rng.random() < chance else {}


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number of three digits, evenly spaced in the logarithm."""
    return float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.3g}")


def draw_verify(rng: np.random.Generator) -> Settings:
    """One to five pairs under any optimiser, order, scale and dimension."""
    pairs = int(rng.integers(1, 6))
    chain = rng.random() < 0.3
    optimizer = str(rng.choice(get_args(OptimizerChoice)))
    model = str(rng.choice(["bilinear", "transformer", "all"]))
    found: Settings = {
        "task": "chain-of-thought" if chain else "reversal",
        "pairs": pairs,
        "vocabulary": (3 if chain else 2) * pairs + 2 + int(rng.integers(0, 8)),
        "optimizer": optimizer,
        "model": model,
        "train_dimension": int(rng.choice([8, 16, 24, 32, 64, 256])),
        "time": log_uniform(rng, 1, 1e5),
        "training_time": log_uniform(rng, 1, 60),
        "seeds": int(rng.integers(1, 3)),
        "seed": int(rng.integers(0, 10**6)),
    }
    if not chain:
        found["held_out"] = int(rng.integers(0, pairs + 1))
    if optimizer in ("sgd", "momentum"):
        found["order"] = str(rng.choice(ORDERS))
    if model != "transformer":
        found["init_scale"] = float(rng.choice([0.0, 1e-3, 0.01, 0.1, 0.5, 1.0]))
        found["dimension"] = log_uniform(rng, 20, 1e12)
    return {**found, **maybe(rng, 0.3, learning_rate=log_uniform(rng, 0.02, 8))}


def draw_check(rng: np.random.Generator) -> Settings:
    """One theorem with its forms, or one by name, at its certified dimension or any other."""
    pairs = int(rng.integers(2, 6))
    theorem = str(rng.choice([*NUMBERS, *OPTIONS]))
    found: Settings = {"theorem": theorem, "pairs": pairs, "vocabulary": 3 * pairs + 2 + int(rng.integers(0, 10))}
    options = {
        "seed": int(rng.integers(0, 10**6)),
        "draws": int(rng.integers(1, 8)),
        "init_scale": float(rng.choice([0.0, 1e-3, 0.01, 0.1, 0.5])),
        "delta": log_uniform(rng, 0.01, 0.5),
        "epsilon": log_uniform(rng, 0.02, 0.8),
        "loss_target": log_uniform(rng, 0.02, 1.0),
        **maybe(rng, 0.6, dimension=log_uniform(rng, 20, 1e9)),
        **maybe(rng, 0.5, learning_rate=log_uniform(rng, 0.1, 4)),
    }
    read = [id for id in OPTIONS if id == theorem or id == f"theorem-{theorem}" or id.startswith(f"theorem-{theorem}-")]
    return {**found, **{name: value for name, value in options.items() if any(name in OPTIONS[id] for id in read)}}


def draw_remedies(rng: np.random.Generator) -> Settings:
    """One choice of loss, space, optimiser and data."""
    pairs = int(rng.integers(2, 7))
    return {
        "pairs": pairs,
        "held_out": int(rng.integers(1, pairs + 1)),
        "loss": str(rng.choice(LOSSES)),
        "parameters": str(rng.choice(get_args(Parameters))),
        "optimizer": str(rng.choice(get_args(Optimizer))),
        "data": str(rng.choice(get_args(Data))),
        "dimension": int(rng.choice([16, 32, 64, 256])),
        "seeds": int(rng.integers(1, 6)),
        "seed": int(rng.integers(0, 10**6)),
        **maybe(rng, 0.4, weight_decay=log_uniform(rng, 1e-3, 0.1)),
        **maybe(rng, 0.4, init_scale=float(rng.choice([0.01, 0.1, 0.5]))),
        **maybe(rng, 0.3, learning_rate=log_uniform(rng, 0.02, 4)),
    }


def judged_verify(settings: Settings) -> Iterator[tuple[str, str]]:
    """Ids and verdicts of the claims about runs; those of the laws do not depend on the settings."""
    for claim in verification.verify(VerifySettings.checked(**settings)).claims:
        yield claim.id, claim.verdict


def judged_check(settings: Settings) -> Iterator[tuple[str, str]]:
    """Ids and verdicts of the theorems and of what remains of them."""
    checked = CheckSettings.checked(**settings)
    for theorem in check(checked, chosen_theorems(checked, THEOREMS, ()), Measurements()).theorems:
        yield theorem.theorem.id, theorem.verdict
        yield from ((claim.id, claim.verdict) for claim in theorem.remains)


def judged_remedies(settings: Settings) -> Iterator[tuple[str, str]]:
    """Ids and verdicts of the claims of the row."""
    for claim in remedies.run(RemedySettings.checked(**without_idle(settings))).all_claims:
        yield claim.id, claim.verdict


def without_idle(settings: Settings) -> Settings:
    """The settings less those that have no effect on the choice that was drawn."""
    try:
        RemedySettings.checked(**settings)
    except BadInput as problems:
        idle = {
            line.split(" ")[0].removeprefix("--").replace("-", "_")
            for line in str(problems).splitlines()
            if "has no effect" in line
        }
        return {name: value for name, value in settings.items() if name not in idle}
    return settings


Draw, Judged = Callable[[np.random.Generator], Settings], Callable[[Settings], Iterator[tuple[str, str]]]
KINDS: dict[str, tuple[Draw, Judged]] = {
    "verify": (draw_verify, judged_verify),
    "check": (draw_check, judged_check),
    "remedies": (draw_remedies, judged_remedies),
}


def failures(kind: str, numbers: range) -> tuple[list[str], Counter[str]]:
    """Every claim that fails, with the settings that show it, and how often each verdict was given.

    Settings that cannot be used (a choice that does not fit its data, a training that diverges) are bad input, and
    counted as such.
    """
    draw, judged = KINDS[kind]
    found: list[str] = []
    counts: Counter[str] = Counter()
    for number in numbers:
        settings = draw(np.random.default_rng([number, list(KINDS).index(kind)]))
        try:
            verdicts = list(judged(settings))
        except BadInput:
            counts["bad input"] += 1
            continue
        counts.update(verdict for _, verdict in verdicts)
        found += [f"{kind} {number}: {id} with {settings}" for id, verdict in verdicts if verdict == "fails"]
    return found, counts


@pytest.fixture(autouse=True)
def laws_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The laws depend on no setting; their own tests judge them."""
    monkeypatch.setattr(verification, "_derive", lambda tell: [])


@pytest.fixture
def runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders in the step size take most of the time and depend on the task and the seed alone; twins on nothing."""
    monkeypatch.setattr(verification, "_step_orders", lambda small, seed: verification.Finding([], []))
    monkeypatch.setattr(remedies, "twin_verdicts", lambda: ())


@pytest.mark.usefixtures("runs_alone")
@pytest.mark.parametrize("kind", KINDS)
def test_no_true_claim_fails_in_a_few_random_settings(kind: str) -> None:
    """Whatever the seed, optimiser, order, scale and dimension, every claim that applies holds or is left open."""
    found, counts = failures(kind, range(FEW))
    assert not found
    assert counts["holds"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_true_claim_fails_in_many_random_settings(kind: str) -> None:
    """The same in a hundred settings of each kind, and the laws themselves."""
    assert all(derivation.verdict == "holds" for derivation in derive_all())
    found, counts = failures(kind, range(FEW, FEW + MANY))
    assert not found
    assert counts["holds"] > MANY / 2
    assert counts["bad input"] < MANY / 2

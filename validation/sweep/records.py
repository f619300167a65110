"""Flat records of verify, check and train: verdicts and the chief numbers, one name each, the same in every cell."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from theory.claim import Verdict

VERDICTS: tuple[Verdict, ...] = ("holds", "fails", "undecided", "not applicable")


def name_of(*words: object) -> str:
    """Words as one name of a column: small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", " ".join(map(str, words)).lower()).strip("_")


def _counts(verdict: Verdict, verdicts: Iterable[Verdict], what: str) -> dict[str, Any]:
    found = list(verdicts)
    return {"verdict": verdict} | {name_of(what, v): found.count(v) for v in VERDICTS}


def _broken(ids: Iterable[tuple[str, Verdict]]) -> str:
    return " ".join(id for id, verdict in ids if verdict in ("fails", "undecided"))


def verify_record(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Claims by verdict, those that do not hold, and for each model and source the last losses and the index.

    Losses in nats. `prediction_` stands at the dimension and time of the prediction, `real_` at those of training.
    """
    from validation.settings import VerifySettings
    from validation.verify import verify

    result = verify(VerifySettings.checked(**settings, seeds=1, seed=seed))
    record = _counts(result.verdict, (claim.verdict for claim in result.claims), "claims")
    record["not_holding"] = _broken((claim.id, claim.verdict) for claim in result.claims)
    for group in result.groups():
        trained = any(trajectory.mean.source == "training" for trajectory in group)
        for trajectory in group:
            last = trajectory.mean
            name = name_of("real" if trained else "prediction", last.model, last.source)
            record[f"{name}_loss"] = float(last.loss[-1])
            record[f"{name}_reversal_loss"] = float(last.reversal_loss[-1])
            if trajectory.task.queries:
                record[f"{name}_index"] = trajectory.index.mean
                record[f"{name}_without_forward_gain"] = trajectory.index.without
    return record


def check_record(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Theorems by verdict, and for each its verdict, what was measured against its bound, and its constants."""
    from theory.theorems import THEOREMS
    from validation.check import check, chosen_theorems
    from validation.check_settings import OPTIONS, CheckSettings, select
    from validation.measurements import Measurements

    # a theorem that no seed touches is checked once; what is given without effect would be refused
    used = set().union(*(OPTIONS[id] for id in select(settings.get("theorem", "all"), OPTIONS)))
    chosen = CheckSettings.checked(**settings, **({"seed": seed} if "seed" in used else {}))
    result = check(chosen, chosen_theorems(chosen, THEOREMS, ()), Measurements())
    record = _counts(result.verdict, (theorem.verdict for theorem in result.theorems), "theorems")
    record["not_holding"] = _broken((checked.theorem.id, checked.verdict) for checked in result.theorems)
    for checked in result.theorems:
        name, enough = name_of(checked.theorem.id), checked.certificate.dimension
        record |= {
            f"{name}_verdict": checked.verdict,
            f"{name}_measured": checked.outcome.measured,
            f"{name}_bound": checked.outcome.bound,
            f"{name}_epsilon": checked.certificate.epsilon,
            f"{name}_certified_dimension": None if enough is None else float(enough),
        }
    return record


def train_record(settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Claims by verdict, and of each condition the last losses in nats, right answers, rank and index."""
    from validation.experiments.run import run
    from validation.experiments.settings import TrainSettings

    rest = {name: value for name, value in settings.items() if name != "preset"}
    chosen = TrainSettings.checked(settings.get("preset"), **rest, seeds=1, seed=seed)
    result, _ = run(chosen, lambda stage, part: None, lambda line: None)
    record = _counts(result.verdict, (claim.verdict for claim in result.claims), "claims")
    record["not_holding"] = _broken((claim.id, claim.verdict) for claim in result.claims)
    record["parameters"] = result.parameters
    for condition in result.conditions:
        name = name_of(condition.name)
        record |= {
            f"{name}_train_loss": float(condition.final("train_nll")[0]),
            f"{name}_held_out_loss": float(condition.final("test_nll")[0]),
            f"{name}_chance": condition.chance,
            f"{name}_sort_chance": condition.sort_chance,
            f"{name}_right": condition.right[0],
            f"{name}_questions": condition.questions,
            f"{name}_rank": float(condition.final("rank")[0]),
            f"{name}_index": float(condition.final("index")[0]),
            f"{name}_without_forward_gain": condition.without_forward_gain[0],
        }
    return record

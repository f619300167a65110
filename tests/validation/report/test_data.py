"""The data of a report: what it refuses, which task stands for it, and its JSON form."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from theory.claim import Claim, Verdict
from theory.task import chain_of_thought_task, reversal_task
from validation.check import CheckResult
from validation.check_settings import CheckSettings
from validation.report.data import ReportData
from validation.report.measure import ExponentAt, ReportMeasurements, Residual, Weight, Weights
from validation.result import Verification
from validation.settings import VerifySettings

TASK = reversal_task(2)


def _verification(verdict: Verdict = "holds", **values: Any) -> Verification:
    claim = Claim("one", "One", "1 = 1", "this project", verdict, "symbolic")
    found = Verification(TASK, VerifySettings(seed=7), (claim,), (), ("a note", "another"))
    return replace(found, **values)


def _check() -> CheckResult:
    tasks = {"reversal": reversal_task(3), "chain-of-thought": chain_of_thought_task(2)}
    return CheckResult(CheckSettings(seed=8), tasks, ("another", "a third"), (), ())  # type: ignore[arg-type]


def test_a_report_on_nothing_is_refused() -> None:
    """Neither a verification nor a check is a ValueError."""
    with pytest.raises(ValueError, match="got neither"):
        ReportData(None, None, "reversal report")


def test_the_task_of_the_verification_stands_first() -> None:
    """Tasks of a check are added, and do not replace that of the verification."""
    both = ReportData(_verification(), _check(), "reversal report")
    assert both.task is TASK
    assert list(both.tasks) == ["reversal", "chain-of-thought"]
    alone = ReportData(None, _check(), "reversal report")
    assert alone.task is alone.tasks["reversal"]
    assert len(alone.task.train_context) == 5


def test_notes_are_said_once() -> None:
    """A note of both parts is said once, in the order of the parts."""
    assert ReportData(_verification(), _check(), "").notes == ("a note", "another", "a third")


def test_the_seed_is_that_of_what_was_run() -> None:
    """The verification's seed where there is one, else the check's."""
    assert ReportData(_verification(), _check(), "").seed == 7
    assert ReportData(None, _check(), "").seed == 8


@pytest.mark.parametrize(("verdict", "joint"), [("holds", "holds"), ("fails", "fails"), ("undecided", "undecided")])
def test_the_verdict_is_joint(verdict: Verdict, joint: Verdict) -> None:
    """A check to which nothing applies does not count; a claim that fails fails the report."""
    assert ReportData(_verification(verdict), _check(), "").verdict == joint


def test_json_holds_both_parts_and_every_measurement() -> None:
    """Command, time, both objects and all measured numbers come back from JSON; infinity becomes null."""
    weight = Weight("A1", "B1", "B1", "A1", False, 5.0, 0.25, 5.5, 0.125)
    changes = np.array([[1.0, -1.0]])
    weights = Weights(TASK, 256, 80.0, 3, (weight,), changes, 2 * changes, changes > 0, changes < 0)
    measured = ReportMeasurements(
        weights,
        (Residual("adam", 0.3, 1e-12),),
        (ExponentAt(1e5, (0.125,), (0.25,), (np.inf,), 0.5, np.inf),),
        2,
        0.01,
        0.05,
    )
    data = ReportData(_verification(), _check(), "reversal report -o x", 12.5, measured)
    found = json.loads(json.dumps(data.as_dict(), allow_nan=False))
    assert (found["format"], found["command"], found["seconds"]) == ("reversal-report/1", "reversal report -o x", 12.5)
    assert found["verify"]["claims"][0]["id"] == "one"
    assert found["check"]["task"]["reversal"]["train_pairs"] == 5
    assert found["provenance"]["seed"] == 7
    parts = found["measurements"]
    assert parts["weights"]["pairs"][0]["other_flow"] == 0.125
    assert (parts["weights"]["training"], parts["weights"]["flow"]) == ([[1.0, -1.0]], [[2.0, -2.0]])
    assert parts["weights"]["tokens"] == list(TASK.tokens)
    assert parts["interpolation_residuals"] == [{"optimizer": "adam", "residual": 0.3, "tolerance": 1e-12}]
    assert parts["exponents"]["by_dimension"][0]["certified"] == [None]
    assert (parts["exponents"]["delta"], parts["exponents"]["init_scale"]) == (0.05, 0.01)


def test_json_of_one_part_leaves_the_others_empty() -> None:
    """Parts that were not run are null."""
    found = ReportData(None, _check(), "").as_dict()
    assert (found["verify"], found["measurements"], found["seconds"]) == (None, None, None)
    assert found["verdict"] == "not applicable"

"""Conclusions that are proved, against runs: what rounding explains is kept, what it does not is a violation."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from theory.setting import NotMeasured, OneLayerRun, Setting
from theory.task import reversal_task
from theory.theorem import Outcome
from theory.theorems.laws import order_outcome, sandwich_outcome, unseen_outcome
from theory.theorems.one_layer import one_layer_outcome, promised
from theory.theorems.outcome import Seen, proved_outcome

ROUNDING = 1e-6
SIZE = 20
EXACT = OneLayerRun(
    visits=30, trained=0.95, unseen=1 / SIZE, gap=(0.0, 1.0), lowest=0.0, rounding=ROUNDING, gap_rounding=10 * ROUNDING
)


class Fake:
    """A run of the one-layer model that is given, or none."""

    def __init__(self, run: OneLayerRun | None) -> None:
        self.run = run

    def one_layer(self, setting: Setting, visits: int) -> OneLayerRun:
        """The given run."""
        if self.run is None:
            raise NotMeasured("too many steps")
        return self.run


def concluded(conclusion: Callable[[Setting], Outcome], run: OneLayerRun | None) -> Outcome:
    """The outcome of a conclusion about that run, which just reaches what is promised unless it says otherwise."""
    measure: Any = Fake(run)
    return conclusion(Setting(reversal_task(3, vocabulary=SIZE), measure, learning_rate=1.0))


def least() -> float:
    """What Theorem 3 promises of a trained pair in that setting."""
    measure: Any = Fake(None)
    return float(promised(Setting(reversal_task(3, vocabulary=SIZE), measure, learning_rate=1.0)))


def shifted(field: str, by: float) -> OneLayerRun:
    """The run at the edge of every bound, with one of its numbers beyond it by so much."""
    edge = replace(EXACT, trained=least())
    values = {
        "trained": {"trained": edge.trained - by},
        "unseen": {"unseen": edge.unseen + by},
        "lowest": {"lowest": edge.lowest - by},
        "low gap": {"gap": (-10 * by, 1.0)},
        "high gap": {"gap": (0.0, 1.0 + 10 * by)},
    }
    return replace(edge, **values[field])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("conclusion", "field", "proved"),
    [
        (one_layer_outcome, "trained", "certified"),
        (one_layer_outcome, "unseen", "certified"),
        (unseen_outcome, "unseen", "symbolic"),
        (order_outcome, "lowest", "certified"),
        (sandwich_outcome, "low gap", "symbolic"),
        (sandwich_outcome, "high gap", "symbolic"),
    ],
)
def test_only_rounding_is_excused(conclusion: Callable[[Setting], Outcome], field: str, proved: str) -> None:
    """Beyond a bound by less than the run's own rounding the proof stands; by more, the run refutes it numerically."""
    for by, expected in ((0.0, "holds"), (0.9 * ROUNDING, "holds"), (1.1 * ROUNDING, "fails")):
        outcome = concluded(conclusion, shifted(field, by))
        assert outcome.verdict == expected
        assert outcome.evidence == (proved if expected == "holds" else "numerical")
        assert outcome.measured is not None


@pytest.mark.parametrize("conclusion", [one_layer_outcome, unseen_outcome, order_outcome, sandwich_outcome])
def test_without_a_run_the_proof_stands_alone(conclusion: Callable[[Setting], Outcome]) -> None:
    """`holds` by the proof, nothing measured, and the reason why not."""
    outcome = concluded(conclusion, None)
    assert (outcome.verdict, outcome.measured) == ("holds", None)
    assert outcome.evidence in ("symbolic", "certified")
    assert outcome.detail == "not measured: too many steps"
    assert outcome.bound is not None


@pytest.mark.parametrize("run", [None, "kept"])
@pytest.mark.parametrize(
    "conclusion",
    [
        lambda setting: one_layer_outcome(setting, visits=3),
        lambda setting: one_layer_outcome(setting, share=0.5),
        lambda setting: unseen_outcome(setting, share=0.5),
        lambda setting: sandwich_outcome(setting, share=0.5),
        lambda setting: order_outcome(replace(setting, learning_rate=30.0)),
    ],
    ids=["too few visits", "half the bound", "half the unseen bound", "half the gap", "a step above eta*(M)"],
)
def test_a_proof_holds_up_only_what_it_reaches(conclusion: Callable[[Setting], Outcome], run: str | None) -> None:
    """A conclusion that the proof does not reach is `undecided`, whether nothing is run or a run happens to keep it."""
    kept = replace(EXACT, trained=1.0, unseen=0.0, gap=(0.0, 0.1), lowest=1.0)
    outcome = concluded(conclusion, None if run is None else kept)
    assert outcome.verdict == "undecided"
    assert "does not reach" in outcome.detail


def test_other_errors_are_not_swallowed() -> None:
    """Only what was not measured is excused."""

    def broken() -> Seen:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        proved_outcome("symbolic", True, None, broken)

"""What a check is expected to do is what it does: no measurement is promised that is not made, none made unsaid."""

from collections.abc import Callable
from typing import Any

import pytest

from theory.facts import Fact, reversal_task_from_facts
from theory.setting import Setting
from theory.task import Task, chain_of_thought_task, reversal_task
from theory.theorem import Conclusion, Outcome
from theory.theorems import THEOREMS
from theory.theorems.laws import INTERPOLATION
from validation.check import announcement, check
from validation.check_settings import CheckSettings
from validation.measurements import Measurements
from validation.planned import planned_work


def conflicting() -> Task:
    """A subject with two objects: theorems of single targets do not apply."""
    facts = [Fact("a", "r", "b", row=2), Fact("a", "r", "c", row=3), Fact("d", "r", "e", row=4)]
    return reversal_task_from_facts(facts)


CASES: dict[str, tuple[Callable[[], Task], dict[str, Any], float | None]] = {
    "reversal": (lambda: reversal_task(3, 1), {}, None),
    "chains": (lambda: chain_of_thought_task(3), {}, None),
    "one dimension": (lambda: reversal_task(3, 1), {"dimension": 1e9}, None),
    "several targets": (conflicting, {}, None),
    "too many steps": (lambda: reversal_task(3, 1), {"steps": 10**7}, None),
    "too large": (lambda: reversal_task(3, 1), {}, 1.0),
    "below the vocabulary": (lambda: reversal_task(3, 1), {"dimension": 4.0}, None),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_planned_is_what_is_measured(case: str) -> None:
    """Draws, runs and flows of each theorem are planned once each, and are those that checking it then makes."""
    make, values, limit = CASES[case]
    task, measure, heard = make(), Measurements(limit), []
    theorems = [t for t in THEOREMS if (t.task == "chain-of-thought") == (case == "chains") and t is not INTERPOLATION]
    settings = [(t, Setting(task, measure, draws=1, **values)) for t in theorems]
    planned = [set(work.measured) for work in planned_work(settings, measure)]
    measure.listen(lambda key, part: heard.append(key) if part == 1.0 else None)
    for (theorem, setting), keys in zip(settings, planned, strict=True):
        heard.clear()
        theorem.check(setting)
        assert set(heard) == keys, theorem.id
        assert len(heard) == len(keys)
    # nothing is left to do, and nothing to prove
    assert all(not work.measured for work in planned_work(settings, measure))
    assert all(work.fixed < 1.0 for work in planned_work(settings, measure))


def test_a_theorem_of_the_user_is_not_run_to_plan_it() -> None:
    """What a conclusion of the user's own does, however long it takes, is done once."""
    calls: list[Setting] = []

    def conclude(setting: Setting) -> Outcome:
        calls.append(setting)
        return Outcome("holds", "numerical")

    own = [t for t in THEOREMS if t.id == "sgd-sandwich"]
    mine = type(own[0])(**{**vars(own[0]), "id": "mine", "conclusion": Conclusion("x", conclude)})
    check(CheckSettings(pairs=3), [mine], Measurements())
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("theorem", "why"),
    [
        (
            "theorem-1",
            "most of it 7 draws of embeddings; to make it shorter: fewer --draws, or one --theorem at a time",
        ),
        ("theorem-3", "most of it descent on the one-layer model; to make it shorter: a larger --learning-rate"),
    ],
)
def test_long_work_is_announced_with_what_takes_it(theorem: str, why: str) -> None:
    """An expectation beyond LONG is said in one line that names what takes the time and what makes it shorter."""
    settings, measure = CheckSettings(draws=7), Measurements()
    chosen = [(t, Setting(reversal_task(1500, 1), measure, draws=7)) for t in THEOREMS if t.id == theorem]
    works = planned_work(chosen, measure)
    said = announcement(settings, works, 0.0, 1e6)
    assert said.startswith("this will take about ")
    assert said.endswith(f" days, {why}")
    assert announcement(settings, works, 0.0, 1e-3) == ""

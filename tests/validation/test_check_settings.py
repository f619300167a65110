"""The settings of check: every problem at once, no option ignored, and names that lead to theorems."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from numerics.gram import Gram
from numerics.instance_bounds import instance_bounds
from theory.coherence import Schedule
from theory.separation import Exponent
from theory.setting import OneLayerRun, Separation, Setting
from theory.task import chain_of_thought_task, reversal_task
from theory.theorems import THEOREMS
from validation.check_settings import OPTIONS, CheckSettings, select
from validation.settings import SettingsError


def refused(**values: object) -> list[str]:
    """The lines of the message that these settings are refused with."""
    with pytest.raises(SettingsError) as caught:
        CheckSettings.checked(**values)
    return str(caught.value).splitlines()


def test_every_problem_has_its_line() -> None:
    """Wrong numbers, an unknown name and options without effect give one line each, named as on the command line."""
    lines = refused(theorem="theorm-1", epsilon="1", delta="0", draws="1.5", facts="a.csv", pairs="3")
    assert len(lines) == 5
    for start in ("--theorem theorm-1: ", "--epsilon 1: ", "--delta 0: ", "--draws 1.5: ", "--pairs has no effect"):
        assert sum(line.startswith(start) for line in lines) == 1
    assert "did you mean theorem-1?" in lines[0]
    assert all(name in lines[0] for name in OPTIONS)


@pytest.mark.parametrize(
    ("name", "allowed", "forbidden"),
    [
        ("pairs", ["1", "100000"], ["0", "100001", "2.5", "many"]),
        ("vocabulary", ["2"], ["1", "-3"]),
        ("dimension", ["1", "1e30"], ["0.9", "1.1e30", "nan", "inf"]),
        ("init_scale", ["0", "100"], ["-1e-9", "101", "nan"]),
        ("epsilon", ["1e-9", "0.999"], ["0", "1", "-0.1", "nan"]),
        ("delta", ["1e-9", "0.999"], ["0", "1", "nan"]),
        ("loss_target", ["1e-9", "50"], ["0", "-1", "inf", "nan"]),
        ("reversal_floor", ["1e-9", "50"], ["0", "-1", "inf"]),
        ("learning_rate", ["1e-3", "50"], ["0", "-1", "inf", "1e-7", "1e7"]),
        ("steps", ["1"], ["0", "1.5"]),
        ("draws", ["1", "100000"], ["0", "100001"]),
        ("seed", ["0"], ["-1", "x"]),
    ],
)
def test_ranges(name: str, allowed: list[str], forbidden: list[str]) -> None:
    """Both ends of every range: what is inside is taken, what is outside is refused by name."""
    for text in allowed:
        assert getattr(CheckSettings.checked(**{name: text}), name) == float(text)
    for text in forbidden:
        assert refused(**{name: text})[0].startswith(f"--{name.replace('_', '-')} {text}: ")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"facts": "x.csv", "vocabulary": "20", "pairs": "3"}, ["--pairs", "--vocabulary"]),
        ({"theorem": "3", "dimension": "1e4", "reversal_floor": "2"}, ["--dimension", "--reversal-floor"]),
        ({"theorem": "2", "epsilon": "0.2"}, ["--epsilon"]),
        ({"theorem": "theorem-1", "learning_rate": "2", "loss_target": "0.1"}, ["--loss-target", "--learning-rate"]),
        ({"from": "own.py", "theorem": "theorem-1"}, ["--from"]),
    ],
)
def test_no_option_is_silently_ignored(values: dict[str, object], named: list[str]) -> None:
    """An option without effect on the chosen theorems is refused by name, with a reason."""
    lines = refused(**values)
    assert [line.split()[0] for line in lines] == named
    assert all("has no effect" in line for line in lines)


def test_a_theorem_of_the_user_may_read_anything() -> None:
    """With --from no option is refused for the built-in theorems, and a name need not be theirs."""
    CheckSettings.checked(**{"from": "own.py", "epsilon": "0.2", "dimension": "1e4"})
    CheckSettings.checked(**{"from": "own.py", "theorem": "all", "reversal_floor": "2"})
    assert CheckSettings.checked(**{"from": "own.py", "theorem": "my-own", "steps": "3"}).theorem == "my-own"


@pytest.mark.parametrize(
    ("theorem", "ids"),
    [
        ("1", ["theorem-1", "theorem-1-gd", "theorem-1-sgd"]),
        ("2", ["theorem-2", "theorem-2-gd", "theorem-2-sgd"]),
        ("3", ["theorem-3"]),
        ("theorem-1", ["theorem-1"]),
        ("all", list(OPTIONS)),
        ("", []),
        ("theorem", []),
        ("5", []),
    ],
)
def test_names(theorem: str, ids: list[str]) -> None:
    """A number means the theorem with its finite-step forms, a name itself alone, `all` every one."""
    assert select(theorem, OPTIONS) == ids


def test_everything_is_no_choice() -> None:
    """The coverage table is complete with `all` and without a name, unless a file of theorems is given."""
    assert CheckSettings().everything
    assert CheckSettings(theorem="all", theorem_file="own.py").everything
    assert not CheckSettings(theorem_file="own.py").everything
    assert not CheckSettings(theorem="theorem-1").everything


# -- the table of options against the theorems --
@dataclass(frozen=True)
class Echo:
    """Measurements that depend on exactly the settings that real ones depend on."""

    def separation(self, setting: Setting, dimension: float, schedule: Schedule) -> Separation:
        """Of the draws: their number, seed, dimension and start; of descent: step size and steps too."""
        value = _mixed(setting, "init_scale", "draws", "seed", *_descent(schedule)) + dimension**-0.5
        reverse = 1 + _mixed(setting, "init_scale", "draws", "seed", "loss_target", *_descent(schedule))
        exponent = Exponent("signed", schedule, (value,), ())
        found = (np.full(setting.draws, x) for x in (value, value, 0.0, value, reverse, 0.0, np.nan))
        task = setting.task
        start = np.zeros((len(task.contexts), task.vocabulary_size))
        bounds = instance_bounds(task, Gram.identity(task.vocabulary_size), start)
        return Separation(*found, (exponent,) * setting.draws, (bounds,) * setting.draws, "a fake run")

    @property
    def false_alarm(self) -> float:
        """As in a real run."""
        return 1e-7

    def classical(self, setting: Setting, dimension: float) -> float:
        """Of the first draw."""
        return _mixed(setting, "init_scale", "seed") + dimension**-0.5

    def one_layer(self, setting: Setting, visits: int) -> OneLayerRun:
        """From zero, in an order that the seed draws."""
        value = _mixed(setting, "learning_rate", "seed") + 1 / (visits + 1)
        return OneLayerRun(visits, 1 - value, value, (value, value), value, 1e-12, 1e-12)

    def interpolation_residual(self, setting: Setting, optimizer: str) -> tuple[float, float]:
        """Of embeddings that the seed draws."""
        return _mixed(setting, "seed"), 1.0

    def settled_loss(self, setting: Setting) -> tuple[float, float]:
        """No theorem that applies asks for it."""
        raise NotImplementedError

    def failure_interval(self, failures: int, draws: int) -> tuple[float, float]:
        """A number that shows how many draws there were."""
        return failures / (draws + 1), (failures + 1) / (draws + 1)


def _descent(schedule: Schedule) -> tuple[str, ...]:
    return () if schedule.kind == "flow" else ("learning_rate", "steps")


def _mixed(setting: Setting, *names: str) -> float:
    """A small number that changes when one of the named settings does."""
    values = [float(getattr(setting, name) or 0.0) for name in names]
    return 1e-3 * sum(np.sin(k + value) ** 2 for k, value in enumerate(values, 1)) / len(values)


BASE: Mapping[str, Any] = {"dimension": 1e12, "draws": 3, "steps": 40}
OTHER: Mapping[str, Any] = {
    "dimension": 2e12,
    "init_scale": 0.02,
    "epsilon": 0.2,
    "delta": 0.1,
    "loss_target": 0.02,
    "reversal_floor": 0.5,
    "learning_rate": 0.5,
    "steps": 80,
    "draws": 4,
    "seed": 1,
}


def test_the_table_names_every_theorem_and_option() -> None:
    """The table has the built-in theorems, in their order, and every number of a setting."""
    assert list(OPTIONS) == [theorem.id for theorem in THEOREMS]
    assert set().union(*OPTIONS.values()) == set(OTHER)


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: theorem.id)
def test_the_table_of_options_is_true(theorem: Any) -> None:
    """An option changes what a theorem reports exactly if the table says that it has an effect on it."""
    task = reversal_task(2) if theorem.task == "reversal" else chain_of_thought_task(2)

    changing = set()
    for base in (BASE, {**BASE, "steps": None}):  # given steps, the share of Theorems 3 and 4 has nothing to say
        reports = {
            name: str(theorem.check(Setting(task, Echo(), **{**base, name: value})).as_dict())
            for name, value in OTHER.items()
        }
        usual = str(theorem.check(Setting(task, Echo(), **base)).as_dict())
        changing |= {name for name, report in reports.items() if report != usual}
    assert changing == OPTIONS[theorem.id]

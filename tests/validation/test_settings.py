"""Settings are checked when built, all problems at once, and defaults follow from the task."""

import pytest

from theory.task import Statement, build_task, first_pairs, reversal_task
from validation.cost import training_settings
from validation.settings import SettingsError, VerifySettings, largest_share


def test_every_problem_has_its_line() -> None:
    """Three wrong options give three lines that name them, what came, and what was expected."""
    with pytest.raises(SettingsError) as caught:
        VerifySettings.checked(seeds=0, order="random", dimension="huge")
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert any(line.startswith("--seeds 0: ") for line in lines)
    assert any(line.startswith("--order random: ") and "'cyclic'" in line for line in lines)
    assert any(line.startswith("--dimension huge: ") for line in lines)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"facts": "x.csv", "pairs": 3, "vocabulary": 20}, ["--pairs", "--vocabulary"]),
        ({"context": "entity+relation"}, ["--context"]),
        ({"task": "chain-of-thought", "held_out": 2}, ["--held-out"]),
        ({"optimizer": "gd", "order": "cyclic"}, ["--order"]),
        ({"model": "transformer", "dimension": 1e6, "init_scale": 0.1}, ["--dimension", "--init-scale"]),
    ],
)
def test_no_option_is_silently_ignored(values: dict[str, object], named: list[str]) -> None:
    """An option that would have no effect is refused by name, with the reason."""
    with pytest.raises(SettingsError, match="has no effect") as caught:
        VerifySettings.checked(**values)
    assert [line.split()[0] for line in str(caught.value).splitlines()] == named


@pytest.mark.parametrize(("pairs", "dimension"), [(2, 256), (32, 256), (33, 512), (64, 512), (65, 1024)])
def test_train_dimension_is_a_power_of_two_at_least_4n(pairs: int, dimension: int) -> None:
    """The smallest power of two at least 4 N, from 256 (N = 2 pairs - 1)."""
    assert VerifySettings().resolve(reversal_task(pairs)).train_dimension == dimension


def test_training_defaults_follow_the_part_that_is_trained() -> None:
    """Real training of 4 pairs of a large file takes the time and dimension of 4 contexts, not of the file."""
    task = reversal_task(200)
    settings = VerifySettings(train_pairs=4).resolve(task, first_pairs(task, 4))
    assert settings.training_time == 40.0
    assert settings.train_dimension == 256
    assert settings.time == 50.0 * 399


def test_default_steps_fit_the_weights() -> None:
    """No default step moves a row by more than the stated part of its residual, however uneven the weights."""
    statements = [Statement((s,), t, "->", w) for s, t, w in (("a", "b", 100.0), ("c", "d", 1.0))]
    task = build_task("uneven", statements, [])
    assert largest_share(task, "gd") == pytest.approx(100 / 101)
    assert largest_share(task, "sgd") == pytest.approx(200 / 101)
    for optimizer in ("gd", "sgd", "momentum"):
        settings = VerifySettings(optimizer=optimizer).resolve(task)
        assert settings.learning_rate is not None
        assert settings.learning_rate * largest_share(task, optimizer) <= 1.0


@pytest.mark.parametrize("optimizer", ["gd", "sgd", "momentum"])
def test_steps_fill_the_training_time(optimizer: str) -> None:
    """Steps x time per step is the training time to within half a step; given values are kept."""
    task = reversal_task(4)
    settings = VerifySettings(optimizer=optimizer, learning_rate=0.03, training_time=11.0, time=11.0).resolve(task)
    steps = training_settings(task, settings)
    assert settings.learning_rate == 0.03
    assert abs(steps.steps * steps.time_per_step - 11.0) <= steps.time_per_step / 2

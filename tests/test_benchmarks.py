"""The benchmarks run; what they measure is no matter of the suite, whose machine may be busy."""

import json

import pytest

from validation.experiments.settings import TrainSettings


def test_training_speed_compares_both_losses() -> None:
    """At a tiny size the benchmark gives positive rates and ratios for each loss and competitor, in JSON too."""
    pytest.importorskip("transformers")
    from benchmarks import training_speed

    settings = TrainSettings.checked("smoke", control=False, device="cpu")
    result = training_speed.measure(settings, rounds=1, epochs=1)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert set(result["losses"]) == {"answer", "sequence"}
    for numbers in result["losses"].values():
        assert set(numbers["ratio"]) == {"one seed", "seeds side by side"}
        assert set(numbers["sentences_per_second"]) == {"transformers", *numbers["ratio"]}
        assert all(x > 0 for part in ("sentences_per_second", "ratio") for x in numbers[part].values())
    assert training_speed.table(result).row_count == 6

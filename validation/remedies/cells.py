"""A cell of a sweep: one choice at one seed, as a flat record."""

from collections.abc import Mapping
from typing import Any

from theory.errors import BadInput
from validation.remedies.settings import RemedySettings

# What says nothing of one seed, or is the same in every cell of a choice.
LEFT_OUT = ("id", "index_low", "index_high", "verdict", "reason", "derivation")


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise BadInput where the settings are not those of exactly one choice."""
    _one_choice(settings, 0)


def cell_record(settings: Mapping[str, Any], seed: int) -> dict[str, float | str | None]:
    """Measure the choice at one seed: index, prediction, probabilities; nothing is judged. Raises BadInput.

    A pure function of settings and seed; the share of the questions that are trained is drawn with the seed too.
    """
    from validation.remedies.present import record
    from validation.remedies.run import FALSE_ALARM, load_task, measured

    chosen = _one_choice(settings, seed)
    task, _ = load_task(chosen)
    found = record(measured(task, chosen.choices()[0], chosen, FALSE_ALARM, judged=False))
    return {name: value for name, value in found.items() if name not in LEFT_OUT}


def cell_bytes(settings: Mapping[str, Any]) -> float:
    """Bytes that a cell needs beside the libraries. Raises BadInput."""
    from validation.remedies.memory import choice_bytes
    from validation.remedies.run import load_task

    chosen = _one_choice(settings, 0)
    return choice_bytes(load_task(chosen)[0], chosen.choices()[0], chosen.dimension, 1)


def _one_choice(settings: Mapping[str, Any], seed: int) -> RemedySettings:
    lists = {"loss": "cross-entropy", "parameters": "free", "optimizer": "gd", "data": "plain"}
    chosen = RemedySettings.checked(**{**lists, **settings, "seed": seed, "seeds": 1})
    if len(chosen.choices()) != 1:
        raise BadInput("a cell of a sweep is one choice: name one loss, parameter space, optimiser and kind of data")
    return chosen

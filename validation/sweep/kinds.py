"""What a cell of a sweep can be: each kind checks its settings and makes a record. A new kind is one entry of KINDS.

Everything slow is loaded when it is needed: a misspelt setting is refused in no time.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from theory.errors import BadInput

Settings = Mapping[str, Any]
GiB = 2.0**30


@dataclass(frozen=True)
class Kind:
    """One kind of cell.

    `check` returns the given settings with their values as they will be used, or raises BadInput with a line for each
    problem; `record(settings, seed)` returns a flat record; `names` are the settings that there are (None: only
    `check` knows); `memory` is how many bytes a cell needs beside the libraries (None: not known beforehand).
    """

    check: Callable[[Settings], Settings]
    record: Callable[[Settings, int], Mapping[str, Any]]
    names: Callable[[], tuple[str, ...]] | None = None
    memory: Callable[[Settings], float] | None = None


def _given(model: BaseModel, settings: Settings) -> Settings:
    """The given settings with the values that the model made of them, JSON-ready but for the path of the facts."""
    found = model.model_dump(mode="json")
    return {name: settings[name] if name in ("facts", "preset") else found[name] for name in settings}


def _names(model: type[BaseModel], *without: str) -> tuple[str, ...]:
    return tuple(name for name in model.model_fields if name not in {"seed", "seeds", *without})


# -- verify --
def _verify_settings(settings: Settings) -> Settings:
    from validation.settings import VerifySettings

    return _given(VerifySettings.checked(**settings, seeds=1), settings)


def _verify_record(settings: Settings, seed: int) -> Mapping[str, Any]:
    from validation.sweep.records import verify_record

    return verify_record(settings, seed)


def _verify_names() -> tuple[str, ...]:
    from validation.settings import VerifySettings

    return _names(VerifySettings)


def _verify_memory(settings: Settings) -> float:
    from theory.task import first_pairs
    from validation.cost import cost
    from validation.settings import VerifySettings
    from validation.verify import load_task

    chosen = VerifySettings.checked(**settings, seeds=1)
    task, _ = load_task(chosen)
    part = first_pairs(task, chosen.train_pairs)
    return cost(task, part, chosen.resolve(task, part)).bytes


# -- check --
def _check_settings(settings: Settings) -> Settings:
    from validation.check_settings import CheckSettings

    return _given(CheckSettings.checked(**settings), settings)


def _check_record(settings: Settings, seed: int) -> Mapping[str, Any]:
    from validation.sweep.records import check_record

    return check_record(settings, seed)


def _check_names() -> tuple[str, ...]:
    from validation.check_settings import CheckSettings

    return _names(CheckSettings, "theorem_file")  # a file that is run as code is no setting


# -- train --
def _train_settings(settings: Settings) -> Settings:
    from validation.experiments.settings import TrainSettings

    rest = {name: value for name, value in settings.items() if name != "preset"}
    return _given(TrainSettings.checked(settings.get("preset"), **rest, seeds=1), settings)


def _train_record(settings: Settings, seed: int) -> Mapping[str, Any]:
    from validation.sweep.records import train_record

    return train_record(settings, seed)


def _train_names() -> tuple[str, ...]:
    from validation.experiments.settings import TrainSettings

    return ("preset", *_names(TrainSettings))


def _train_memory(settings: Settings) -> float:
    from validation.experiments.corpus_of import PLAIN, build_corpora
    from validation.experiments.run import check_sentences, memory_bytes
    from validation.experiments.settings import TrainSettings

    rest = {name: value for name, value in settings.items() if name != "preset"}
    chosen = TrainSettings.checked(settings.get("preset"), **rest, seeds=1)
    check_sentences(chosen, None)
    return memory_bytes(chosen, build_corpora(chosen)[PLAIN][0])


# -- separation --
def _separation_settings(settings: Settings) -> Settings:
    from validation.sweep.separation import SeparationSettings

    return _given(SeparationSettings.checked(**settings), settings)


def _separation_record(settings: Settings, seed: int) -> Mapping[str, Any]:
    from validation.sweep.separation import separation_record

    return separation_record(settings, seed)


def _separation_names() -> tuple[str, ...]:
    from validation.sweep.separation import SeparationSettings

    return _names(SeparationSettings)


def _separation_memory(settings: Settings) -> float:
    from validation.sweep.separation import separation_memory

    return separation_memory(settings)


# -- remedies --
def _remedies() -> Any:
    try:
        return importlib.import_module("validation.remedies.cells")
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("validation.remedies"):
            raise
        raise BadInput("remedies are not available in this version") from None


def _remedies_settings(settings: Settings) -> Settings:
    _remedies().check_settings(dict(settings))
    return settings


def _remedies_memory(settings: Settings) -> float:
    return float(_remedies().cell_bytes(dict(settings)))


def _remedies_record(settings: Settings, seed: int) -> Mapping[str, Any]:
    return _remedies().cell_record(dict(settings), seed)


KINDS: Mapping[str, Kind] = {
    "verify": Kind(_verify_settings, _verify_record, _verify_names, _verify_memory),
    "check": Kind(_check_settings, _check_record, _check_names),
    "train": Kind(_train_settings, _train_record, _train_names, _train_memory),
    "separation": Kind(_separation_settings, _separation_record, _separation_names, _separation_memory),
    "remedies": Kind(_remedies_settings, _remedies_record, memory=_remedies_memory),
}

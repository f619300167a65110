"""An unfinished run on disk: weights and optimiser state as safetensors, everything else as JSON.

A checkpoint is written under new names and becomes the current one when `state.json` is replaced, in one step; so a run
that is killed at any moment leaves the last whole checkpoint behind.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from theory.errors import BadInput
from validation.experiments.model import Transformer
from validation.experiments.settings import TrainSettings

STATE = "state.json"


class CheckpointError(BadInput):
    """An unfinished run that cannot be continued, or that stands in the way."""


def unfinished(output: Path) -> Path:
    """Where the run that will become `output` is kept while it is unfinished."""
    whole = output if output.name else output.resolve()  # "." has no name of its own
    return whole.with_name(f"{whole.name}.unfinished")


@dataclass(frozen=True)
class Checkpoint:
    """A folder with `state.json` and the tensors that it names."""

    folder: Path

    def write(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Make this the current checkpoint; `state` must hold JSON-ready values, nan among them."""
        try:
            self._write(state, tensors)
        except OSError as error:
            raise CheckpointError(f"{self.folder}: a checkpoint cannot be written ({error.strerror})") from None

    @property
    def exists(self) -> bool:
        """Whether there is something to continue: the first checkpoint may never have been finished."""
        return (self.folder / STATE).is_file()

    def _write(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        self.folder.mkdir(exist_ok=True)
        for draft in self.folder.glob("*.draft"):  # of a writing that was killed
            draft.unlink()
        name = f"state-{state['condition']}-{state['epoch']}.safetensors"
        plain = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
        save_file(plain, self.folder / f"{name}.draft")
        os.replace(self.folder / f"{name}.draft", self.folder / name)
        draft = self.folder / f"{STATE}.draft"
        draft.write_text(json.dumps({**state, "tensors": name}), encoding="utf-8")
        os.replace(draft, self.folder / STATE)
        for old in self.folder.glob("state-*.safetensors"):
            if old.name != name:
                old.unlink()

    def describe(self) -> str:
        """How far the run is that this continues. Raises CheckpointError as `read` does."""
        state, _ = self.read()
        return f"epoch {state['epoch']} of {state['settings']['epochs']} (condition {state['condition']})"

    def settings(self) -> TrainSettings:
        """The settings of the run. Raises CheckpointError as `read` does."""
        state, _ = self.read()
        try:
            return TrainSettings(**state["settings"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"--resume: the checkpoint at {self.folder} is damaged: {error}") from None

    def read(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The current checkpoint. Raises CheckpointError where there is none or it is damaged."""
        try:
            text = (self.folder / STATE).read_bytes()
        except OSError as error:
            raise CheckpointError(
                f"--resume: no unfinished run at {self.folder} ({error.strerror}); start it without --resume"
            ) from None
        try:
            state = json.loads(text)
            return state, load_file(self.folder / state["tensors"])
        except Exception as error:  # whatever a cut or edited file makes the readers raise
            raise CheckpointError(f"--resume: the checkpoint at {self.folder} is damaged: {error}") from None

    def remove(self) -> None:
        """The folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_weights(self, condition: str, tensors: Mapping[str, Tensor]) -> None:
        """Keep the final weights of a condition beside the state of the next one."""
        self.folder.mkdir(exist_ok=True)
        save_file(dict(tensors), self._weights(condition))

    def read_weights(self, condition: str) -> dict[str, Tensor]:
        """The final weights of a finished condition. Raises CheckpointError where they are gone."""
        try:
            return load_file(self._weights(condition))
        except Exception as error:
            raise CheckpointError(f"--resume: the checkpoint at {self.folder} is damaged: {error}") from None

    def _weights(self, condition: str) -> Path:
        return self.folder / f"weights-{condition}.safetensors"


def tensors_of(model: Transformer, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Parameters by name, and the optimiser's state of each trained one."""
    found: dict[str, Tensor] = {f"model.{name}": parameter for name, parameter in model.named_parameters()}
    for number, state in optimizer.state_dict()["state"].items():
        found |= {f"optimizer.{number}.{key}": value for key, value in state.items() if isinstance(value, Tensor)}
    return found


def restore(model: Transformer, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put what `tensors_of` took back into a fresh model and optimiser of the same settings."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"model.{name}"])
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            number, _, key = rest.partition(".")
            states.setdefault(int(number), {})[key] = tensor
    whole = optimizer.state_dict()
    whole["state"] = states
    optimizer.load_state_dict(whole)

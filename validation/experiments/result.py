"""What a run of transformers found: measures over training for each condition, and their JSON form, read back whole."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from theory.claim import Claim, Verdict, joint_verdict
from theory.counting import count_of
from theory.errors import BadInput
from validation.experiments.settings import TrainSettings
from validation.result import finite_json, provenance

FORMAT = "reversal-train/1"
FILE = "train.json"


class RunError(BadInput):
    """A folder that holds no finished run."""


@dataclass(frozen=True)
class Matrix:
    """log p of each candidate answer after each prompt (n, n), of the first seed; pair i has label i.

    `seen`: the pair was trained; `cosine` between the embeddings of subject and answer, where they are single tokens.
    """

    title: str
    prompts: list[str]
    answers: list[str]
    seen: list[bool]
    log_probability: list[list[float]]
    cosine: list[list[float]] | None


@dataclass(frozen=True)
class Condition:
    """One corpus, S seeds. Measures over epochs are lists of E lists of S numbers; see `trainer.History`.

    `without_forward_gain` (S,): at the end, the questions that have no index (empty in runs of older versions).
    `train_nll_by_token` and `test_nll_by_token` (k, S) at the end; `right` how many of the `questions` each seed
    answers (S,). `chance` is the loss of a uniform guess among all tokens, `sort_chance` that of the best guess
    that knows the relation alone, `guess_probability` how often such a guess is right (see `guess`). `never_trained`:
    relations that questions ask by and no plain sentence trains. `trained_elsewhere`: some held-out answer is also a
    trained one. `floor`: the conditional entropy of trained answers.
    """

    name: str
    train_sentences: int
    test_sentences: int
    questions: int
    answer_length: int
    vocabulary: int
    chance: float
    sort_chance: float
    guess_probability: float
    never_trained: list[str]
    trained_elsewhere: bool
    floor: float
    epoch: list[int]
    train_nll: list[list[float]]
    test_nll: list[list[float]]
    top_1: list[list[float]]
    train_top_1: list[list[float]]
    rank: list[list[float]]
    mass: list[list[float]]
    index: list[list[float | None]]
    train_nll_by_token: list[list[float]]
    test_nll_by_token: list[list[float]]
    right: list[int]
    matrices: list[Matrix]
    without_forward_gain: list[int] = field(default_factory=list)

    @property
    def held_out(self) -> str:
        """How many answers are held out, and to how many questions where some have several: any of them is right."""
        answers = f"{self.test_sentences:,}"
        return (
            answers if self.test_sentences == self.questions else f"{answers} to {count_of(self.questions, 'question')}"
        )

    @property
    def asked(self) -> str:
        """How often a question is asked over all seeds, to stand behind how often it was answered rightly."""
        seeds = len(self.right)
        return count_of(self.questions, "question") if seeds == 1 else f"{self.questions:,} x {count_of(seeds, 'seed')}"

    def final(self, name: str) -> np.ndarray:
        """A measure at the last evaluation, (S,); nan where it says nothing."""
        return np.array([math.nan if x is None else x for x in getattr(self, name)[-1]], dtype=float)

    def over_time(self, name: str) -> np.ndarray:
        """A measure at every evaluation, (E, S)."""
        return np.array([[math.nan if x is None else x for x in row] for row in getattr(self, name)], dtype=float)


@dataclass(frozen=True)
class RunResult:
    """A finished run: settings as they were used, conditions, claims, and lines that a reader must know."""

    settings: TrainSettings
    conditions: tuple[Condition, ...]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...]
    parameters: int
    device: str
    seconds: float
    origin: Mapping[str, Any]

    @property
    def verdict(self) -> Verdict:
        """`holds` where every applicable claim holds."""
        return joint_verdict([claim.verdict for claim in self.claims])

    @property
    def title(self) -> str:
        """The run in a few words."""
        s = self.settings
        what = s.task if s.facts is None else f"{s.task} on {s.facts.name}"
        head = "tied head" if s.tied else "untied head"
        return f"{what}: {count_of(s.layers, 'layer')}, width {s.width}, {head}, {s.positions} positions, {s.loss} loss"

    @property
    def short_title(self) -> str:
        """The task and the head, for a row of a table."""
        return f"{self.title.partition(':')[0]}, {'tied' if self.settings.tied else 'untied'} head"

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of `reversal train --json`; numbers that are not finite are None."""
        found: dict[str, Any] = finite_json(
            {
                "format": FORMAT,
                "settings": self.settings.model_dump(mode="json"),
                "conditions": [asdict(condition) for condition in self.conditions],
                "claims": [claim.as_dict() for claim in self.claims],
                "notes": list(self.notes),
                "parameters": self.parameters,
                "device": self.device,
                "seconds": self.seconds,
                "verdict": self.verdict,
                "provenance": dict(self.origin),
            }
        )
        return found


def origin_of(settings: TrainSettings) -> dict[str, Any]:
    """Versions, seed and commit."""
    return provenance(settings.seed)


def read_run(folder: Path) -> RunResult:
    """The finished run in a folder that `reversal train --output` made. Raises RunError where there is none."""
    path = folder / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(
            f"{folder}: no finished run ({path.name}: {error.strerror}); make one with reversal train --output"
        ) from None
    except ValueError as error:
        raise RunError(f"{path}: no JSON: {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise RunError(f"{path}: expected the format {FORMAT}")
    try:
        return RunResult(
            TrainSettings(**found["settings"]),
            tuple(TypeAdapter(list[Condition]).validate_python(found["conditions"])),
            tuple(TypeAdapter(list[Claim]).validate_python(found["claims"])),
            tuple(map(str, found["notes"])),
            int(found["parameters"]),
            str(found["device"]),
            float(found["seconds"]),
            dict(found["provenance"]),
        )
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: not the object of reversal train: {str(error).splitlines()[0]}") from None

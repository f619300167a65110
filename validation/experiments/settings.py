"""The settings of `reversal train`: task, model, training; presets, and TOML files that are checked as a whole.

What is given on the command line stands above the file of --config, and that above the preset.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from validation.continuing import differences
from validation.settings import SettingsError, option

TrainTask = Literal["reversal", "chain-of-thought", "in-context", "related"]
Loss = Literal["answer", "sequence"]

SMALLEST_VOCABULARY = {"reversal": 8, "chain-of-thought": 8, "in-context": 40, "related": 16}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # minutes on a laptop: what the README and the tests show
    "laptop": {},
    # GPT-2's small width in 24 layers (arXiv 2405.04669, Section 5): for a GPU
    "paper": {"layers": 24, "heads": 12, "width": 768, "learning_rate": 0.01, "epochs": 3000, "dropout": 0.1},
    # every part in seconds
    "smoke": {"vocabulary": 40, "layers": 1, "heads": 2, "width": 16, "epochs": 4, "batch": 16, "seeds": 2},
}


class TrainSettings(BaseModel):
    """What to train and how; the defaults are the preset `laptop`.

    `vocabulary` counts the tokens that are no relation. `batch` is in sentences. `control`: a second condition in which
    every held-out answer is also the answer of a trained sentence (reversal only; None: where it applies).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    facts: Path | None = None
    task: TrainTask = "reversal"
    vocabulary: Annotated[int, Field(ge=8, le=1_000_000)] | None = None
    entity_tokens: Annotated[int, Field(ge=1, le=3)] = 1
    control: bool | None = None
    layers: Annotated[int, Field(ge=1, le=200)] = 2
    heads: Annotated[int, Field(ge=1, le=200)] = 4
    width: Annotated[int, Field(ge=2, le=20_000)] = 96
    positions: Literal["none", "absolute", "rotary"] = "absolute"
    tied: bool = False
    frozen_embeddings: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    loss: Loss = "answer"
    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0, le=1e3)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.01
    epochs: Annotated[int, Field(ge=1, le=10_000_000)] = 200
    batch: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    seeds: Annotated[int, Field(ge=1, le=1000)] = 10
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    bf16: bool = False
    compile: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if problems := [*self._idle(), *self._misfits()]:
            raise ValueError("\n".join(problems))
        return self

    def _idle(self) -> Iterator[str]:
        """Options that were given and would be ignored, with the reason."""
        rules = (
            (self.facts is not None, ("vocabulary", "entity_tokens"), "on a fact file, whose strings are the tokens"),
            (
                self.task in ("in-context", "related"),
                ("entity_tokens",),
                f"on the task {self.task}, whose entities have a fixed form",
            ),
        )
        for applies, names, reason in rules:
            for name in names:
                if applies and name in self.model_fields_set and getattr(self, name) not in (None, 1):
                    yield f"{option(name)} has no effect {reason}; leave it out"
        if self.control and self.task != "reversal":
            why = {
                "chain-of-thought": "every C is the answer of a trained B -> C already",
                "in-context": "every x is the answer of other sentences already",
                "related": "every index is the answer of other sentences already",
            }[self.task]
            yield f"--control has no effect on the task {self.task}, where {why}; leave it out"

    def _misfits(self) -> Iterator[str]:
        if self.facts is not None and self.task in ("in-context", "related"):
            yield f"--task {self.task} has its own sentences and takes no fact file; leave FACTS out"
        if self.width % self.heads:
            yield f"--heads {self.heads} does not divide --width {self.width}; choose a divisor"
        elif self.positions == "rotary" and (self.width // self.heads) % 2:
            yield f"--positions rotary needs an even --width / --heads, got {self.width // self.heads}"
        smallest = SMALLEST_VOCABULARY[self.task]
        if self.vocabulary is not None and self.vocabulary < smallest:
            yield f"--vocabulary {self.vocabulary}: the task {self.task} needs {smallest} or more"
        if self.bf16 and self.device == "cpu":
            yield "--bf16 is for a GPU: on a CPU it is slower and less exact; leave it out"

    @property
    def tokens(self) -> int:
        """The vocabulary, with the paper's default of the task."""
        return self.vocabulary or (400 if self.task == "in-context" else 800)

    @property
    def controlled(self) -> bool:
        """Whether the control is trained too: in the reversal task, unless --no-control."""
        return self.task == "reversal" and self.control is not False

    @property
    def seed_numbers(self) -> range:
        """The seeds: corpus, initial weights and order of sentences follow from each."""
        return range(self.seed, self.seed + self.seeds)

    @property
    def resolved(self) -> dict[str, Any]:
        """What is trained, JSON-ready, by option: defaults that follow from the task are filled in, paths absolute."""
        facts = None if self.facts is None else str(self.facts.absolute())
        vocabulary = self.tokens if self.facts is None else None
        found = {**self.model_dump(mode="json"), "facts": facts, "vocabulary": vocabulary, "control": self.controlled}
        return {option(name): value for name, value in found.items()}

    def continued_by(self, preset: str | None, config: Path | None, **given: object) -> list[str]:
        """How settings that are given to continue a run of these differ from them: a line for each.

        A preset or a file stands for every setting; options alone say nothing of those that are left out. Raises
        SettingsError as `checked` does.
        """
        if preset is not None or config is not None:
            now = type(self).checked(preset, config, **given)
        else:
            now = self.model_copy(update=_parsed(given))
        return [f"{key}: {then} then, {here} now" for key, then, here in differences(self.resolved, now.resolved)]

    @classmethod
    def checked(cls, preset: str | None = None, config: Path | None = None, **given: object) -> "TrainSettings":
        """The settings of a preset, under those of a TOML file, under those given; every problem on its own line."""
        problems: list[str] = []
        if preset is not None and preset not in PRESETS:
            problems.append(f"--preset {preset}: expected one of {', '.join(PRESETS)}")
        file = {} if config is None else _read(config)
        chosen = dict(PRESETS.get(preset or "laptop", {}))
        if {**file, **given}.get("facts") is not None:  # a preset's size is that of built-in tasks
            chosen.pop("vocabulary", None)
        values = {**chosen, **file, **given}
        if values.get("facts") is not None and "vocabulary" not in {*file, *given}:
            values.pop("vocabulary", None)  # a preset's, which a fact file replaces
        try:
            settings = cls(**values)
        except ValidationError as error:
            settings = None
            for problem in error.errors():
                place = problem["loc"][0] if problem["loc"] else None
                origin = config if place in file and place not in given else None
                problems.append(_line(dict(problem), origin))
        if problems or settings is None:
            raise SettingsError("\n".join(problems))
        return settings


def _parsed(given: Mapping[str, object]) -> dict[str, Any]:
    """Settings one by one, whatever the others are. Raises SettingsError where a text is none of the setting's type."""
    values: dict[str, Any] = {}
    problems = []
    for name, value in given.items():
        try:
            kind: Any = TrainSettings.model_fields[name].annotation
            values[name] = TypeAdapter(kind).validate_python(value)
        except ValidationError as error:
            problems += [_line({**problem, "loc": (name,)}, None) for problem in error.errors()]
    if problems:
        raise SettingsError("\n".join(problems))
    return values


def _read(config: Path) -> dict[str, Any]:
    """The keys of a TOML file, spelt with hyphens or underscores; a relative fact file is beside it."""
    try:
        found = tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--config {config}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"--config {config}: no TOML file: {error}") from None
    found = {key.replace("-", "_"): value for key, value in found.items()}
    if isinstance(found.get("facts"), str):
        found["facts"] = config.parent / found["facts"]
    return found


def _line(problem: dict[str, Any], config: Path | None) -> str:
    """One problem in a line that names the option or the key of the file, what came and what was expected."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    key = str(problem["loc"][0])
    name = f"{config}: {key}" if config is not None else option(key)
    if problem["type"] == "extra_forbidden":
        return f"{name}: no such setting; the settings are {', '.join(TrainSettings.model_fields)}"
    return f"{name} {problem['input']}: {message[0].lower()}{message[1:]}"

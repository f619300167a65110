"""Settings of `reversal train`: presets, files and options in their order, and every problem named before any work."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from validation.experiments.settings import PRESETS, SMALLEST_VOCABULARY, TrainSettings
from validation.settings import SettingsError


def config(folder: Path, text: str) -> Path:
    file = folder / "run.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(*args: object, **given: object) -> list[str]:
    """The lines of the refusal."""
    with pytest.raises(SettingsError) as caught:
        TrainSettings.checked(*args, **given)
    return str(caught.value).splitlines()


# -- presets, files, options --


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_hold_what_they_name(preset: str) -> None:
    """A preset is its own values and the defaults beside them, and needs no other option."""
    settings = TrainSettings.checked(preset)
    expected = TrainSettings().model_dump() | dict(PRESETS[preset])
    assert settings.model_dump() == expected


def test_without_a_preset_the_defaults_are_those_of_a_laptop() -> None:
    """No preset and the preset laptop are the same settings, and paper has the width and depth of the paper's model."""
    assert TrainSettings.checked() == TrainSettings.checked("laptop") == TrainSettings()
    paper = TrainSettings.checked("paper")
    assert (paper.layers, paper.heads, paper.width) == (24, 12, 768)


def test_options_stand_above_the_file_and_the_file_above_the_preset(tmp_path: Path) -> None:
    """A value is the option's where it is given, else the file's, else the preset's, else the default."""
    file = config(tmp_path, "epochs = 7\nbatch = 5\nlayers = 3\n")
    settings = TrainSettings.checked("smoke", file, batch=9, layers=1)
    assert (settings.batch, settings.layers) == (9, 1)  # options
    assert settings.epochs == 7  # file
    assert (settings.vocabulary, settings.width) == (40, 16)  # preset
    assert settings.weight_decay == TrainSettings().weight_decay  # default


def test_hyphens_and_underscores_are_one_key(tmp_path: Path) -> None:
    """Keys of a file are spelt as the options are, or with underscores."""
    hyphens = TrainSettings.checked(config=config(tmp_path, "learning-rate = 0.25\nfrozen-embeddings = true\n"))
    underscores = TrainSettings.checked(config=config(tmp_path, "learning_rate = 0.25\nfrozen_embeddings = true\n"))
    assert hyphens == underscores
    assert (hyphens.learning_rate, hyphens.frozen_embeddings) == (0.25, True)


def test_a_fact_file_is_beside_the_file_that_names_it(tmp_path: Path) -> None:
    """A relative fact file of a TOML file is looked for beside it, an absolute one and an option's are left alone."""
    folder = tmp_path / "sub"
    folder.mkdir()
    beside = TrainSettings.checked(config=config(folder, 'facts = "facts.csv"\n'))
    assert beside.facts == folder / "facts.csv"
    absolute = (tmp_path / "elsewhere.csv").as_posix()
    assert TrainSettings.checked(config=config(folder, f'facts = "{absolute}"\n')).facts == tmp_path / "elsewhere.csv"
    given = TrainSettings.checked(config=config(folder, 'facts = "facts.csv"\n'), facts=Path("mine.csv"))
    assert given.facts == Path("mine.csv")


def test_a_fact_file_replaces_the_vocabulary_of_a_preset_alone(tmp_path: Path) -> None:
    """A preset's vocabulary gives way to a fact file; one that an option or a file names is refused."""
    assert TrainSettings.checked("smoke", facts=Path("x.csv")).vocabulary is None
    assert TrainSettings.checked("smoke", config(tmp_path, 'facts = "x.csv"\n')).vocabulary is None
    assert TrainSettings.checked("smoke", facts=None).vocabulary == 40
    for given in ({"vocabulary": 40}, {"config": config(tmp_path, "vocabulary = 40\n")}):
        (line,) = refused("smoke", facts=Path("x.csv"), **given)
        assert line.startswith("--vocabulary has no effect on a fact file")


# -- derived values --


@pytest.mark.parametrize(
    ("task", "tokens"), [("reversal", 800), ("chain-of-thought", 800), ("in-context", 400), ("related", 800)]
)
def test_the_vocabulary_is_the_papers_unless_it_is_given(task: str, tokens: int) -> None:
    """Without --vocabulary the task has the paper's size; a given one is kept."""
    assert TrainSettings(task=task).tokens == tokens
    assert TrainSettings(task=task, vocabulary=64).tokens == 64


@pytest.mark.parametrize(
    ("given", "controlled"),
    [
        ({}, True),
        ({"control": True}, True),
        ({"control": False}, False),
        ({"facts": Path("x.csv")}, True),
        ({"task": "chain-of-thought"}, False),
        ({"task": "in-context"}, False),
        ({"task": "related", "control": False}, False),
    ],
)
def test_the_control_is_trained_where_it_says_something(given: dict[str, object], controlled: bool) -> None:
    """The reversal task has its control unless it is refused, the other tasks have none."""
    assert TrainSettings(**given).controlled == controlled


def test_seeds_count_from_the_first() -> None:
    """`seeds` consecutive seeds start at `seed`."""
    assert list(TrainSettings(seed=5, seeds=3).seed_numbers) == [5, 6, 7]


# -- refusals --


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"vocabulary": 7}, "--vocabulary 7: "),
        ({"entity_tokens": 4}, "--entity-tokens 4: "),
        ({"layers": 0}, "--layers 0: "),
        ({"heads": 0}, "--heads 0: "),
        ({"width": 1}, "--width 1: "),
        ({"dropout": 1.0}, "--dropout 1.0: "),
        ({"dropout": float("nan")}, "--dropout nan: "),
        ({"learning_rate": 0.0}, "--learning-rate 0.0: "),
        ({"learning_rate": float("nan")}, "--learning-rate nan: "),
        ({"learning_rate": float("inf")}, "--learning-rate inf: "),
        ({"weight_decay": -1e-9}, "--weight-decay -1e-09: "),
        ({"epochs": 0}, "--epochs 0: "),
        ({"epochs": 1.5}, "--epochs 1.5: "),
        ({"batch": 0}, "--batch 0: "),
        ({"seeds": 0}, "--seeds 0: "),
        ({"seed": -1}, "--seed -1: "),
        ({"task": "riddles"}, "--task riddles: input should be 'reversal', "),
        ({"optimizer": "adam"}, "--optimizer adam: input should be 'adamw' or 'sgd'"),
        ({"positions": "learnt"}, "--positions learnt: "),
        ({"loss": "all"}, "--loss all: "),
        ({"device": "tpu"}, "--device tpu: "),
        ({"tied": "maybe"}, "--tied maybe: "),
        ({"momentum": 0.9}, "--momentum: no such setting; the settings are facts, task, "),
        ({"preset": "huge"}, "--preset huge: expected one of laptop, paper, smoke"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_out_of_range_are_named(given: dict[str, object], named: str) -> None:
    """A value out of range is one line with the option, what came, and what was expected."""
    (line,) = refused(**given)
    assert line.startswith(named)


CONFLICTS = [
    ({"facts": Path("x.csv"), "vocabulary": 50}, r"--vocabulary has no effect on a fact file, whose strings are"),
    ({"facts": Path("x.csv"), "entity_tokens": 2}, r"--entity-tokens has no effect on a fact file, whose strings are"),
    ({"task": "in-context", "entity_tokens": 2}, r"--entity-tokens has no effect on the task in-context, whose"),
    ({"task": "related", "entity_tokens": 3}, r"--entity-tokens has no effect on the task related, whose"),
    ({"task": "chain-of-thought", "control": True}, r"--control has no effect on the task chain-of-thought, where .+"),
    ({"task": "in-context", "control": True}, r"--control has no effect on the task in-context, where .+"),
    ({"task": "related", "control": True}, r"--control has no effect on the task related, where .+"),
    ({"task": "in-context", "facts": Path("x.csv")}, r"--task in-context has its own sentences .+ leave FACTS out"),
    ({"task": "related", "facts": Path("x.csv")}, r"--task related has its own sentences .+ leave FACTS out"),
    ({"heads": 5}, r"--heads 5 does not divide --width 96; choose a divisor"),
    ({"width": 90}, r"--heads 4 does not divide --width 90; choose a divisor"),
    ({"width": 12, "positions": "rotary"}, r"--positions rotary needs an even --width / --heads, got 3"),
    ({"task": "in-context", "vocabulary": 39}, r"--vocabulary 39: the task in-context needs 40 or more"),
    ({"task": "related", "vocabulary": 15}, r"--vocabulary 15: the task related needs 16 or more"),
    ({"bf16": True, "device": "cpu"}, r"--bf16 is for a GPU.*; leave it out"),
]


@pytest.mark.parametrize(("given", "reason"), CONFLICTS, ids=[reason.split(";")[0] for _, reason in CONFLICTS])
def test_options_that_do_not_fit_are_refused_with_the_reason(given: dict[str, object], reason: str) -> None:
    """An option that would be ignored, or that conflicts with another, is one line that says why."""
    (line,) = refused(**given)
    assert re.match(reason, line)


@pytest.mark.parametrize(
    "given",
    [
        {"facts": Path("x.csv"), "entity_tokens": 1},
        {"facts": Path("x.csv"), "task": "chain-of-thought"},
        {"task": "related", "control": False},
        {"width": 12, "positions": "absolute"},
        {"width": 8, "positions": "rotary"},
        {"bf16": True, "device": "cuda"},
        {"bf16": True},
        *({"task": task, "vocabulary": smallest} for task, smallest in SMALLEST_VOCABULARY.items()),
    ],
    ids=str,
)
def test_options_that_fit_are_kept(given: dict[str, object]) -> None:
    """What stands just inside each rule is accepted as it is given."""
    settings = TrainSettings.checked(**given)
    assert {name: getattr(settings, name) for name in given} == given


def test_every_problem_has_a_line(tmp_path: Path) -> None:
    """Wrong values of options, file and preset are all said at once, each on a line that says where it came from."""
    file = config(tmp_path, 'epochs = 0\noptimizer = "lion"\nseeds = 0\n')
    lines = refused("huge", file, layers=0, seeds=-1)
    assert len(lines) == 5
    assert lines[0].startswith("--preset huge: ")
    assert {line.split(": ")[0] for line in lines[1:]} == {str(file), "--layers 0", "--seeds -1"}
    of_file = [line.removeprefix(f"{file}: ") for line in lines if line.startswith(str(file))]
    assert sorted(line.split(": ")[0] for line in of_file) == ["epochs 0", "optimizer lion"]


def test_every_conflict_has_a_line() -> None:
    """Options that do not fit are all said at once."""
    lines = refused(
        task="in-context", facts=Path("x.csv"), vocabulary=20, entity_tokens=2, control=True, heads=5, bf16=True,
        device="cpu",
    )  # fmt: skip
    assert sorted(line.split()[0] for line in lines) == sorted(
        [
            "--vocabulary",
            "--entity-tokens",
            "--entity-tokens",
            "--control",
            "--task",
            "--heads",
            "--vocabulary",
            "--bf16",
        ]
    )


def test_unknown_keys_name_the_file_and_the_key(tmp_path: Path) -> None:
    """A key that is no setting is named with its file and the settings that there are; a table is one too."""
    file = config(tmp_path, "epoch = 3\n[model]\nlayers = 2\n")
    lines = refused(config=file)
    assert [line.split(";")[0] for line in lines] == [
        f"{file}: epoch: no such setting",
        f"{file}: model: no such setting",
    ]
    assert all(line.endswith(", ".join(TrainSettings.model_fields)) for line in lines)


def test_an_option_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    """A wrong value of an option that stands in the file too is the option's."""
    (line,) = refused(config=config(tmp_path, "epochs = 3\n"), epochs=0)
    assert line.startswith("--epochs 0: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"epochs = ", "no TOML file: "), (b"epochs: 3\n", "no TOML file: "), (b"\xff\xfe", "no TOML file: ")],
)
def test_a_file_that_is_no_toml_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    """A cut file, another format and no text at all are one line with the file's name."""
    file = tmp_path / "run.toml"
    file.write_bytes(content)
    (line,) = refused(config=file)
    assert line.startswith(f"--config {file}: {message}")


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    """A file that is not there, and a folder in its place, are one line with the reason."""
    (line,) = refused(config=tmp_path / "none.toml")
    assert line == f"--config {tmp_path / 'none.toml'}: No such file or directory"
    assert len(refused(config=tmp_path)) == 1


def test_settings_cannot_be_changed() -> None:
    """What was checked stays as it is."""
    settings = TrainSettings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.epochs = 3

"""`reversal train` as a person meets it: every task, files and folders, interruption and continuation, nonsense."""

import csv
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import torch
from safetensors.numpy import load_file

from validation.cli import main
from validation.experiments import run
from validation.experiments.checkpoint import unfinished
from validation.experiments.result import RunError, read_run
from validation.experiments.settings import TrainSettings
from validation.experiments.trainer import Trainer

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "train.schema.json").read_text(encoding="utf-8"))
SMOKE = ["--preset", "smoke", "--seeds", "1", "--epochs", "2"]
Train = Callable[..., tuple[int, str, str]]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Train:
    """Run `reversal train ARGUMENTS` in this process: (exit code, standard output, standard error)."""

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["reversal", "train", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return command


VARIANTS = {
    "reversal": [],
    "no control": ["--no-control"],
    "two tokens": ["--entity-tokens", "2"],
    "three tokens": ["--entity-tokens", "3", "--vocabulary", "800"],
    "no positions": ["--positions", "none"],
    "rotary": ["--positions", "rotary"],
    "tied": ["--tied"],
    "frozen": ["--frozen-embeddings"],
    "sequence loss": ["--loss", "sequence"],
    "dropout": ["--dropout", "0.1"],
    "sgd": ["--optimizer", "sgd", "--learning-rate", "0.1"],
    "chain": ["--task", "chain-of-thought"],
    "chain of two tokens": ["--task", "chain-of-thought", "--entity-tokens", "2"],
    "in context": ["--task", "in-context"],
    "related": ["--task", "related"],
    "facts": [str(ROOT / "examples" / "elements.csv")],
    "facts with conflicts": [str(ROOT / "examples" / "capitals.csv")],
    "chains of facts": [str(ROOT / "examples" / "chains.csv"), "--task", "chain-of-thought"],
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_runs_and_says_what_it_is(variant: str, train: Train) -> None:
    """Two epochs of each task and option: JSON by the schema, a loss at each evaluation, and no claim of a curse."""
    code, out, err = train(*SMOKE, *VARIANTS[variant], "--json")
    assert (code, err) == (1, "")  # two epochs learn nothing, which is said
    found = json.loads(out)
    jsonschema.validate(found, SCHEMA)
    controlled = found["settings"]["task"] == "reversal" and variant != "no control"
    assert [c["name"] for c in found["conditions"]] == (["plain", "control"] if controlled else ["plain"])
    for condition in found["conditions"]:
        assert condition["epoch"] == [0, 1, 2]
        assert all(0 < nll < 60 for seeds in condition["test_nll"] for nll in seeds)
    assert {c["verdict"] for c in found["claims"]} == {"fails", "not applicable"}


def test_a_run_that_learns_ends_with_its_claims(train: Train) -> None:
    """After 200 epochs trained answers are learnt, held-out ones are not, and the exit code is 0."""
    code, out, _ = train(
        "--preset", "smoke", "--vocabulary", "80", "--epochs", "200", "--learning-rate", "0.01", "--json"
    )
    found = json.loads(out)
    assert [c["verdict"] for c in found["claims"]] == ["holds"] * 6, found["claims"]
    assert code == 0


def test_a_finished_run_is_a_folder(train: Train, tmp_path: Path) -> None:
    """JSON, TOML that makes the same run, CSV tables, weights and figures; no draft and no checkpoint is left."""
    folder = tmp_path / "run"
    code, out, err = train(*SMOKE, "-o", str(folder))
    assert (code, err) == (1, "")
    assert "not applicable" in out
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    names = {p.name for p in folder.iterdir()}
    weights = {"weights-plain.safetensors", "weights-control.safetensors"}
    assert names == {"train.json", "settings.toml", "claims.csv", "history.csv", "figures", *weights}
    result = read_run(folder)
    jsonschema.validate(json.loads((folder / "train.json").read_text(encoding="utf-8")), SCHEMA)
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3  # conditions x evaluations of one seed
    assert float(rows[-1]["test_nll"]) == result.conditions[1].test_nll[-1][0]
    stored = load_file(folder / "weights-plain.safetensors")
    assert sum(array.size for array in stored.values()) == result.parameters
    again = tmp_path / "again"
    assert train("--config", str(folder / "settings.toml"), "-o", str(again))[0] == 1
    assert read_run(again).conditions == result.conditions
    assert tomllib.loads((again / "settings.toml").read_text(encoding="utf-8"))["epochs"] == 2


# Checkpoints at every epoch, and a kill just before the eighth would become the current one: half of it lies there.
KILLED = """
import os, signal
import validation.experiments.run as run
run.CHECKPOINT_SECONDS, run.WRITING_SHARE = 0.0, 1e9
written, replace = [], os.replace
def replacing(draft, path):
    if os.path.basename(path) == "state.json":
        written.append(path)
        if len(written) == 8:
            os.kill(os.getpid(), signal.SIGKILL)
    replace(draft, path)
os.replace = replacing
from validation.cli import main
main()
"""


def test_a_killed_run_continues_to_the_same_bytes(train: Train, tmp_path: Path) -> None:
    """Killed outright while it writes a checkpoint, a resumed run ends with bitwise the same measures and weights."""
    settings = ["--preset", "smoke", "--epochs", "12", "--dropout", "0.1"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train(*settings, "-o", str(whole))[0] == 1
    # threads share out sums in another way when there are more or fewer of them
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [sys.executable, "-c", KILLED, "train", *settings, "-o", str(cut)]
    killed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    state = unfinished(cut) / "state.json"
    kept = json.loads(state.read_text(encoding="utf-8"))
    assert (kept["condition"], 0 < kept["epoch"] < 12) == ("plain", True)
    assert not cut.exists()
    code, _, err = train(*settings, "-o", str(cut))
    assert code == 2
    assert "--resume" in err
    code, _, err = train("--resume", "-o", str(cut))
    assert (code, err) == (1, "")
    assert not state.parent.exists()
    assert read_run(cut).conditions == read_run(whole).conditions
    for name in ("weights-plain.safetensors", "weights-control.safetensors"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


BAD = {
    "width": (["--heads", "5"], "--heads 5 does not divide --width 16"),
    "range": (["--epochs", "0"], "--epochs 0"),
    "task": (["--task", "reverse"], "--task reverse"),
    "preset": (["--preset", "desktop"], "--preset desktop: expected one of laptop, paper, smoke"),
    "config": (["--config", "nowhere.toml"], "nowhere.toml"),
    "facts": (["nowhere.csv"], "nowhere.csv"),
    "control of a chain": (["--task", "chain-of-thought", "--control"], "every C is the answer"),
    "memory": (["--limit-memory", "1KiB"], "--limit-memory"),
    "used folder": (["-o", "."], "exists and is not an empty folder"),
    "sentences beyond memory": (["--task", "in-context", "--vocabulary", "1000000"], "6,250,000,000 sentences"),
    "nothing to resume": (["--resume", "-o", "new"], "no unfinished run at new.unfinished"),
    "nowhere to resume": (["--resume"], "--resume needs --output"),
    "diverged": (["--optimizer", "sgd", "--learning-rate", "1000", "--epochs", "40"], "lower --learning-rate"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_message(
    case: str, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, a message that names what came, no traceback, nothing on standard output, nothing written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text("")
    arguments, named = BAD[case]
    given = arguments if "--preset" in arguments else ["--preset", "smoke", *arguments]
    code, out, err = train(*given)
    assert (code, out) == (2, "")
    assert named in err
    assert "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["here"]


def test_the_numbers_of_held_out_answers_and_of_questions_agree(train: Train, tmp_path: Path) -> None:
    """Several held-out answers of one question are counted as answers and as one question, and the table says which."""
    facts = tmp_path / "facts.csv"
    facts.write_text(
        "subject,relation,object,direction\na,r,x,forward\nb,r,x,forward\nc,r,y,forward\nd,r,z,both\n", encoding="utf-8"
    )
    code, out, _ = train(str(facts), *SMOKE, "--no-control")
    assert code == 1
    row = next(line for line in out.splitlines() if "plain" in line and "\u2502" in line)
    cells = [cell.strip() for cell in row.strip("\u2502").split("\u2502")]
    assert cells[:3] == ["plain", "5", "3 to 2 questions"]
    assert cells[7].endswith(" of 2 questions")


def test_there_must_be_something_to_resume(train: Train, tmp_path: Path) -> None:
    """--resume without an unfinished run says so, and names the folder where it looked."""
    code, _, err = train("--resume", "-o", str(tmp_path / "new"))
    assert code == 2
    assert "new.unfinished" in err
    assert list(tmp_path.iterdir()) == []


Interrupted = Callable[..., str]


@pytest.fixture
def interrupted(train: Train, monkeypatch: pytest.MonkeyPatch) -> Interrupted:
    """Run `reversal train ARGUMENTS` and interrupt it after 3 epochs, the last of them kept: standard error."""
    run_epoch = Trainer.run_epoch

    def interrupting(trainer: Trainer) -> None:
        if trainer.epoch == 3:
            raise KeyboardInterrupt
        run_epoch(trainer)

    def command(*arguments: str, checkpoints: bool = True) -> str:
        with monkeypatch.context() as during:
            if checkpoints:
                during.setattr(run, "CHECKPOINT_SECONDS", 0.0)
                during.setattr(run, "WRITING_SHARE", 1e9)
            during.setattr(Trainer, "run_epoch", interrupting)
            code, out, err = train(*arguments)
        assert (code, out) == (130, "")
        return err

    return command


FACTS = "subject,relation,object,direction\na,r,b,both\nc,r,d,both\ne,r,f,forward\n"


def test_an_interruption_says_what_is_left_and_what_continues(
    train: Train, interrupted: Interrupted, tmp_path: Path
) -> None:
    """The message names the folder, the epoch in it and a command, which run as it stands ends the run."""
    facts, folder = tmp_path / "my facts.csv", tmp_path / "run"
    facts.write_text(FACTS, encoding="utf-8")
    whole = tmp_path / "whole"
    assert train(str(facts), *SMOKE, "--epochs", "5", "-o", str(whole))[0] == 1
    err = interrupted(str(facts), *SMOKE, "--epochs", "5", "-o", str(folder))
    kept, _, command = err.strip().partition("; continue with: ")
    assert kept == f"interrupted; the run up to epoch 3 of 5 (condition plain) is kept in {folder}.unfinished"
    program, name, *arguments = shlex.split(command)
    assert (program, name) == ("reversal", "train")
    assert arguments.count("--resume") == 1
    code, _, err = train(*arguments)
    assert (code, err) == (1, "")
    assert read_run(folder).conditions == read_run(whole).conditions


def test_an_interruption_without_a_checkpoint_leaves_nothing(interrupted: Interrupted, tmp_path: Path) -> None:
    """Before the first checkpoint, and without --output, nothing was written is what is said and what is true."""
    err = interrupted(*SMOKE, "--epochs", "5", "-o", str(tmp_path / "run"), checkpoints=False)
    assert err == "interrupted; nothing was written: there was no checkpoint yet\n"
    assert list(tmp_path.iterdir()) == []
    assert interrupted(*SMOKE, "--epochs", "5").startswith("interrupted; nothing was written (with --output")


def test_an_interruption_after_the_end_says_that_the_run_is_finished(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the folder is complete already, the message does not call it unwritten."""
    folder = tmp_path / "run"

    def interrupting(text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("validation.commands.train.print_out", interrupting)
    code, _, err = train(*SMOKE, "-o", str(folder))
    assert (code, err) == (130, f"interrupted; the results are complete, in {folder}\n")
    assert read_run(folder).conditions


def test_the_same_command_with_resume_continues(train: Train, interrupted: Interrupted, tmp_path: Path) -> None:
    """With --resume the options may be given again, in part or left out; what differs is refused and named."""
    facts, other, config = tmp_path / "facts.csv", tmp_path / "other.csv", tmp_path / "run.toml"
    for file in (facts, other):
        file.write_text(FACTS, encoding="utf-8")
    config.write_text("epochs = 6\n", encoding="utf-8")
    again = [str(facts), *SMOKE, "--epochs", "5", "-o", str(tmp_path / "run")]
    interrupted(*again)
    for different, named in (
        (["--epochs", "7"], ["  --epochs: 5 then, 7 now"]),
        (["--tied", "--seed", "3"], ["  --tied: False then, True now", "  --seed: 0 then, 3 now"]),
        ([str(other)], [f"  FACTS: {facts} then, {other} now"]),
        ([str(facts), *SMOKE, "--config", str(config)], ["  --epochs: 5 then, 2 now"]),
        ([str(facts), *SMOKE, "--epochs", "5", "--preset", "laptop"], ["  --layers: 1 then, 2 now"]),
    ):
        code, out, err = train("--resume", "-o", str(tmp_path / "run"), *different)
        assert (code, out) == (2, "")
        assert err.startswith("--resume: the unfinished run is another one:\n")
        assert all(line in err.splitlines() for line in named), err
        assert "--facts" not in err
    code, _, err = train("--resume", "-o", str(tmp_path / "run"), "--epochs", "many")
    assert (code, err.startswith("--epochs many: ")) == (2, True)
    for same in (again, ["-o", str(tmp_path / "run"), "--epochs", "5", "--control"], ["-o", str(tmp_path / "run")]):
        if not (tmp_path / "run.unfinished").exists():
            interrupted(*again)
        assert train("--resume", *same)[0] == 1
        shutil.rmtree(tmp_path / "run")


def test_what_is_left_of_a_continued_run_is_announced(
    train: Train, interrupted: Interrupted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The expectation of a run counts the epochs of every condition, that of a continued one those that are left."""
    monkeypatch.setattr(run, "LONG", 0.0)
    again = [*SMOKE, "--epochs", "5", "-o", str(tmp_path / "run")]
    assert "(10 epochs in all)" in interrupted(*again)
    assert "(7 epochs in all)" in train(*again, "--resume")[2]


def test_a_changed_file_of_facts_is_not_continued(train: Train, interrupted: Interrupted, tmp_path: Path) -> None:
    """A run that was interrupted is refused where its file has changed meanwhile, and continues where it has not."""
    facts, folder, rows = tmp_path / "facts.csv", tmp_path / "run", FACTS
    facts.write_text(rows, encoding="utf-8")
    interrupted(str(facts), *SMOKE, "--epochs", "5", "-o", str(folder))
    facts.write_text(rows.replace("e,r,f", "e,r,g"), encoding="utf-8")
    code, _, err = train("--resume", "-o", str(folder))
    assert code == 2
    assert "facts.csv is not what the unfinished run was trained on" in err
    facts.write_text(rows, encoding="utf-8")
    assert train("--resume", "-o", str(folder))[0] == 1
    assert read_run(folder).conditions[0].epoch[-1] == 5


def test_a_folder_without_a_first_checkpoint_is_no_obstacle(train: Train, tmp_path: Path) -> None:
    """A run that was killed before its first checkpoint was whole is started anew."""
    place = unfinished(tmp_path / "run")
    place.mkdir()
    (place / "state-plain-1.safetensors.draft").write_text("half")
    assert train(*SMOKE, "-o", str(tmp_path / "run"))[0] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("text", "named"),
    [("{", "no JSON"), ('{"format": "other"}', "expected the format"), ('{"format": "reversal-train/1"}', "not the")],
)
def test_a_folder_that_holds_no_run_is_refused(text: str, named: str, tmp_path: Path) -> None:
    """Reading a run back says what is wrong with the file."""
    with pytest.raises(RunError, match="no finished run"):
        read_run(tmp_path)
    (tmp_path / "train.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=named):
        read_run(tmp_path)


def test_help_names_every_option_and_an_example(train: Train) -> None:
    """--help shows each setting once."""
    code, out, _ = train("--help")
    assert code == 0
    for name in set(TrainSettings.model_fields) - {"facts"}:
        assert f"--{name.replace('_', '-')}" in out, name
    assert "[facts]" in out
    assert "reversal train --preset paper" in out

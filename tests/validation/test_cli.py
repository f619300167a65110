"""The command as a person and a program meet it: exit codes, streams, JSON, files, and nonsense."""

import csv
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import validation.verify
from validation.cli import main
from validation.commands.shared import memory_size
from validation.settings import SettingsError

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = json.loads((ROOT / "docs/schemas/verify.schema.json").read_text(encoding="utf-8"))
QUICK = ["--pairs", "2", "--vocabulary", "7", "--seeds", "1", "--time", "40", "--model", "transformer"]

Result = tuple[int, str, str]


@pytest.fixture
def reversal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `reversal ARGUMENTS` in this process: (exit code, standard output, standard error)."""

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["reversal", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        streams = capsys.readouterr()
        return int(left.value.code or 0), streams.out, streams.err

    return run


def document(result: Result) -> dict[str, Any]:
    """The one JSON object on standard output; standard error must be empty."""
    code, out, err = result
    assert (code, err) == (0, "")
    return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_json_follows_its_schema(reversal: Any) -> None:
    """--json prints one object that validates, for both models and both tasks."""
    for kind in ("reversal", "chain-of-thought"):
        found = document(reversal("verify", "--pairs", "2", "--seeds", "2", "--time", "40", "--task", kind, "--json"))
        jsonschema.validate(found, SCHEMA)
        assert found["verdict"] == "holds"
        assert {t["source"] for t in found["trajectories"]} == {"closed form", "flow", "descent", "training"}
        assert {t["model"] for t in found["trajectories"]} == {"bilinear", "transformer", "attention"}
        assert all(len(t["by_seed"]) == 2 for t in found["trajectories"] if t["source"] == "training")


def test_flow_equals_closed_form_at_dimension_1e14(reversal: Any) -> None:
    """The command of the README: relative difference of the loss at most 1e-5 at every time to 1e6."""
    found = document(
        reversal(
            "verify", "--task", "reversal", "--pairs", "10", "--vocabulary", "100", "--dimension", "1e14",
            "--init-scale", "0", "--time", "1e6", "--training-time", "30", "--seeds", "1",
            "--model", "bilinear", "--json",
        )
    )  # fmt: skip
    at = {t["source"]: t for t in found["trajectories"] if t["dimension"] == 1e14}
    flow, exact = at["flow"], at["closed form"]
    assert flow["time"] == exact["time"]
    assert flow["time"][-1] == 1e6
    assert np.abs(np.array(flow["loss"]) / np.array(exact["loss"]) - 1).max() < 1e-5


def test_same_settings_give_the_same_bytes(reversal: Any) -> None:
    """Two runs differ in nothing but provenance."""
    first, second = (document(reversal("verify", *QUICK, "--json")) for _ in range(2))
    assert json.dumps({**first, "provenance": None}) == json.dumps({**second, "provenance": None})


def test_tables_name_facts_and_verdict(reversal: Any, tmp_path: Path) -> None:
    """Without --json a person sees every claim, the queries by name, notes and one line of verdict."""
    facts = tmp_path / "facts.csv"
    facts.write_text("subject,relation,object,direction\nAnn,boss,Bo,forward\nAnn,boss,Di,forward\nCy,boss,Cy,both\n")
    code, out, err = reversal("verify", str(facts), "--model", "transformer", "--seeds", "1")
    assert (code, err) == (0, "")
    for text in (
        "Ann",
        "held out",
        "contexts with several targets: 1 (Ann)",
        "subject is their object",
        "not applicable",
    ):
        assert text in out
    assert out.rstrip().splitlines()[-1].startswith(f"{facts}: holds")


BAD = {
    "missing file": (["nowhere.csv"], "nowhere.csv"),
    "directory": (["."], "directory"),
    "unknown option": (["--pears", "3"], "No such option"),
    "unknown task": (["--task", "riddle"], "--task riddle"),
    "too small a vocabulary": (["--pairs", "5", "--vocabulary", "6"], "--vocabulary 12"),
    "too many held out": (["--pairs", "2", "--held-out", "3"], "--held-out 3"),
    "negative time": (["--time", "-1"], "--time -1"),
    "dimension zero": (["--dimension", "0"], "--dimension 0"),
    "not a number": (["--dimension", "huge"], "huge"),
    "dimension nan": (["--dimension", "nan"], "--dimension nan"),
    "no seeds": (["--seeds", "0"], "--seeds 0"),
    "memory size": (["--limit-memory", "lots"], "--limit-memory"),
    "too little memory": (["--limit-memory", "1MiB"], "GiB"),
    "output exists": (["--output", "."], "--output ."),
    "output without parent": (["--output", "a/b/c"], "--output a/b/c"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_message(
    case: str, reversal: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, a message that names what came, no traceback, nothing on standard output, nothing written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text("")
    arguments, named = BAD[case]
    code, out, err = reversal("verify", *arguments)
    assert (code, out) == (2, "")
    assert named in err
    assert "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["here"]


def test_every_problem_is_reported_at_once(reversal: Any, tmp_path: Path) -> None:
    """Two bad options give two lines; three bad rows give three lines with file and row."""
    code, _, err = reversal("verify", "--seeds", "0", "--order", "random")
    assert code == 2
    assert len(err.strip().splitlines()) == 2
    facts = tmp_path / "bad.csv"
    facts.write_text("subject,relation,object,direction\n,a,b,both\nx,a,,both\nx,a,b,sideways\n")
    code, _, err = reversal("verify", str(facts))
    assert code == 2
    assert [line.split(":")[1].strip() for line in err.strip().splitlines()] == ["row 2", "row 3", "row 4"]


def test_output_folder_is_whole(reversal: Any, tmp_path: Path) -> None:
    """--output writes JSON, tables and pictures that agree with standard output, and refuses to write over them."""
    folder = tmp_path / "result"
    found = document(reversal("verify", *QUICK, "--json", "--output", str(folder)))
    names = {p.name for p in folder.iterdir()}
    assert names == {"verify.json", "claims.csv", "queries.csv", "trajectories.csv", "loss.svg", "loss.png"}
    written = json.loads((folder / "verify.json").read_text(encoding="utf-8"))
    assert written == found
    with (folder / "claims.csv").open(encoding="utf-8", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [claim["id"] for claim in found["claims"]]
    assert [p for p in tmp_path.iterdir() if p != folder] == []
    code, _, err = reversal("verify", *QUICK, "--output", str(folder))
    assert code == 2
    assert "choose a new one" in err


def test_names_cannot_run_in_a_spreadsheet(reversal: Any, tmp_path: Path) -> None:
    """A subject that looks like a formula is written with an apostrophe into CSV, and as it is into JSON."""
    facts = tmp_path / "facts.jsonl"
    facts.write_text(
        '{"subject": "=1+1", "relation": "@r", "object": "-2"}\n{"subject": "b", "relation": "r", "object": "c"}\n'
    )
    folder = tmp_path / "result"
    found = document(reversal("verify", str(facts), *QUICK[4:], "--json", "--output", str(folder)))
    assert any(query["context"] == "=1+1" for query in found["queries"])
    with (folder / "queries.csv").open(encoding="utf-8", newline="") as file:
        contexts = {row["context"] for row in csv.DictReader(file)}
    assert "'=1+1" in contexts
    assert not any(name.startswith(("=", "-", "@", "+")) for name in contexts)


def test_a_failing_claim_exits_with_one(reversal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finished, but a claim fails: exit code 1, and the verdict says so."""
    honest = validation.verify.check_twins
    monkeypatch.setattr(validation.verify, "check_twins", lambda verdicts: replace(honest(verdicts), verdict="fails"))
    code, out, _ = reversal("verify", *QUICK)
    assert code == 1
    assert "fails" in out.splitlines()[-1]


def test_our_own_error_exits_with_three(reversal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception is an error of ours: exit code 3, with the traceback for the report."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("unexpected")

    monkeypatch.setattr(validation.verify, "check_twins", broken)
    code, out, err = reversal("verify", *QUICK)
    assert (code, out) == (3, "")
    assert "error of ours" in err


def test_interruption_exits_with_130_and_writes_nothing(
    reversal: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle: exit code 130, no folder and no draft of it."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(validation.verify, "check_twins", interrupted)
    code, out, _ = reversal("verify", *QUICK, "--output", str(tmp_path / "result"))
    assert (code, out) == (130, "")
    assert list(tmp_path.iterdir()) == []


def test_a_request_to_end_is_an_interruption(reversal: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM, as batch systems send it: exit code 130, said, nothing written; its handler is as it was afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(validation.verify, "check_twins", lambda *_: signal.raise_signal(signal.SIGTERM))
    code, out, err = reversal("verify", *QUICK, "-o", str(tmp_path / "result"))
    assert (code, out) == (130, "")
    assert "interrupted; nothing was written" in err
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("arguments", [["derive", "bilinear"], ["verify", *QUICK, "--json"]])
def test_results_that_cannot_be_printed_are_one_message(arguments: list[str]) -> None:
    """Standard output on a full disk: exit code 2 and the reason, no traceback."""
    # without the laws, which depend on no setting and take the time
    program = (
        "import sys\n"
        "if 'verify' in sys.argv:\n"
        "    import validation.verify\n"
        "    validation.verify._derive = lambda tell: []\n"
        "from validation.cli import main\n"
        "main()\n"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_shows_an_example(reversal: Any) -> None:
    """--help of the command names every option of the settings and an example."""
    code, out, _ = reversal("verify", "--help")
    assert code == 0
    assert "reversal verify examples/elements.csv" in out
    for option in validation.verify.VerifySettings.model_fields:
        assert option == "facts" or f"--{option.replace('_', '-')}" in out


def test_memory_sizes() -> None:
    """Sizes are read with binary and decimal units; nonsense is refused."""
    assert memory_size("4GiB") == 4 * 2**30
    assert memory_size("1.5 mb") == 1.5e6
    assert memory_size("2e9") == 2e9
    for text in ("", "-1GiB", "GiB", "4 parsecs", "0"):
        with pytest.raises(SettingsError, match="--limit-memory"):
            memory_size(text)


WITHOUT_TORCH = (
    ["--help"],
    ["verify", "--help"],
    ["verify", "--sedes", "1"],
    ["verify", "--seeds", "0"],
    ["train", "--epochs", "many"],
    ["remedies", "--optimizer", "adm"],
    ["check", "--theorem", "none"],
    ["derive", "none"],
    ["report", "--formats", "doc"],
    ["sweep", "none.toml", "-o", "none"],
)


def test_what_trains_nothing_does_not_wait_for_torch() -> None:
    """Help, misspelt options, bad settings and a missing file of a sweep end before torch is loaded."""
    program = (
        "import sys\n"
        "from validation.cli import main\n"
        "for arguments in eval(sys.argv[1]):\n"
        "    sys.argv = ['reversal', *arguments]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as left:\n"
        "        assert left.code in (0, 2), (arguments, left.code)\n"
        "    assert 'torch' not in sys.modules, arguments\n"
    )
    command = [sys.executable, "-c", program, repr(WITHOUT_TORCH)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""`reversal remedies` as a person and a program meet it: exit codes, streams, JSON, files, workers, and nonsense."""

import csv
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import validation.remedies.run as remedies_run
from theory.twin import TwinVerdict
from validation.cli import main
from validation.remedies.settings import LISTS, RemedySettings

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "remedies.schema.json").read_text(encoding="utf-8"))
QUICK = ["--pairs", "4", "--dimension", "32", "--seeds", "2", "--time", "10", "--workers", "1"]
TWO = [*QUICK, "--parameters", "free,symmetric"]
EXPECTED = re.compile(
    r"\d+ choices?, \d+ seeds? side by side: about \d+ (second|minute|hour)s? and [0-9.]+ [MG]iB of memory\n"
)
Remedies = Callable[..., tuple[int, str, str]]


@pytest.fixture
def remedies(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Remedies:
    """Run `reversal remedies ARGUMENTS` in this process: (exit code, standard output, standard error).

    The false twins, which are the same in every run, are tried in their own tests.
    """
    monkeypatch.setattr(
        remedies_run, "twin_verdicts", lambda: (TwinVerdict("twin/of-a-test", violated=True, proved=False),)
    )

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["reversal", "remedies", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return command


def document(result: tuple[int, str, str]) -> dict[str, Any]:
    """The one JSON object on standard output; standard error says what it will take in memory, and no more."""
    code, out, err = result
    assert code == 0
    assert EXPECTED.fullmatch(err)
    found: dict[str, Any] = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    jsonschema.validate(found, SCHEMA)
    return found


# -- what a run gives --


def test_json_follows_its_schema(remedies: Remedies) -> None:
    """--json prints one object that validates: two choices by index, each held to its claims, and the checkers'."""
    found = document(remedies(*TWO, "--json"))
    assert [row["id"] for row in found["rows"]] == ["symmetric-theta", "baseline"]
    assert found["verdict"] == "holds"
    assert found["rows"][0]["logit_index"]["mean"] == pytest.approx(1.0, abs=1e-10)
    assert found["rows"][0]["prediction"]["source"] == "flow"
    assert found["rows"][1]["prediction"]["source"] == "law"
    assert {claim["id"] for claim in found["claims"]} >= {"false-twins", "interpolation-law"}
    assert found["settings"]["parameters"] == ["free", "symmetric"]
    assert found["task"] == {"name": "reversal", "contexts": 6, "vocabulary": 10}


def test_the_numbers_do_not_depend_on_the_workers(remedies: Remedies) -> None:
    """Two choices one after the other and side by side are the same bytes but for provenance."""
    one = document(remedies(*TWO, "--json"))
    two = document(remedies(*TWO[:-3], "2", "--parameters", "free,symmetric", "--json"))
    assert json.dumps({**one, "provenance": None}) == json.dumps({**two, "provenance": None})


def test_a_person_sees_a_table(remedies: Remedies) -> None:
    """Without --json: the choices, why, and the verdict in the last line."""
    code, out, err = remedies(*TWO)
    assert code == 0
    assert EXPECTED.fullmatch(err)
    assert "symmetric Θ" in out
    assert "interpolation-law" in out
    assert out.rstrip().splitlines()[-1].startswith("reversal, 2 choices: holds (")


def test_a_folder_of_files(remedies: Remedies, tmp_path: Path) -> None:
    """-o writes JSON, tables and pictures that agree with standard output, and refuses to write over them."""
    folder = tmp_path / "found"
    found = document(remedies(*QUICK, "--loss", "squared", "--json", "-o", str(folder)))
    assert [p.name for p in tmp_path.iterdir()] == ["found"]
    assert json.loads((folder / "remedies.json").read_text(encoding="utf-8")) == found
    with (folder / "remedies.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["index"]) == found["rows"][0]["index"]["mean"]
    names = {p.name for p in folder.iterdir()}
    assert "claims.csv" in names
    assert {Path(name).suffix for name in names} >= {".json", ".csv", ".svg", ".png"}
    code, out, err = remedies(*QUICK, "--loss", "squared", "-o", str(folder))
    assert (code, out) == (2, "")
    assert "choose a new one" in err


def test_facts_of_a_file_are_compared(remedies: Remedies, tmp_path: Path) -> None:
    """Several answers, self-facts and trained inverses of a file go through every kind of data that fits it."""
    facts = tmp_path / "facts.csv"
    rows = ["Ann,parent,Bo,forward", "Cy,parent,Bo,forward", "Fay,is,Fay,both", "Gus,r,Hy,both"]
    rows += [f"a{i},r,b{i},forward" for i in range(4)]
    facts.write_text("\n".join(["subject,relation,object,direction", *rows]) + "\n", encoding="utf-8")
    kinds = "plain,both-directions,reversed-copies,control,identity-bridge"
    found = document(
        remedies(
            str(facts), "--data", kinds, "--dimension", "32", "--seeds", "1", "--time", "10", "--workers", "1", "--json"
        )
    )
    assert {row["choice"]["data"] for row in found["rows"]} == set(kinds.split(","))
    questions = {row["choice"]["data"]: row["questions"] for row in found["rows"]}
    assert questions["plain"] == questions["reversed-copies"] == 5
    assert 0 < questions["both-directions"] < 5


def test_a_claim_that_fails_is_exit_code_one(remedies: Remedies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finished, but a claim fails: exit code 1; the claim is spelled out, and the verdict says so."""
    honest = remedies_run.check_twins
    monkeypatch.setattr(remedies_run, "check_twins", lambda verdicts: replace(honest(verdicts), verdict="fails"))
    code, out, _ = remedies(*QUICK, "--loss", "squared")
    assert code == 1
    assert "fails: Every false twin" in out
    assert ": fails (" in out.rstrip().splitlines()[-1]


def test_ctrl_c_leaves_nothing(remedies: Remedies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted between training and writing: exit code 130, no folder and no draft of it."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(remedies_run, "check_twins", interrupted)
    code, out, _ = remedies(*QUICK, "--loss", "squared", "-o", str(tmp_path / "found"))
    assert (code, out) == (130, "")
    assert list(tmp_path.iterdir()) == []


# -- nonsense --

NO_QUESTIONS = "subject,relation,object,direction\nAnn,r,Ann,both\nCy,r,Bo,both\n"
ONE_QUESTION = "subject,relation,object\nAnn,r,Bo\nCy,r,Bo\n"
BAD = {
    "missing file": (["nowhere.csv"], "nowhere.csv"),
    "directory": (["."], "directory"),
    "no table": (["junk.csv"], "junk.csv: row 1"),
    "no questions": (["mirrored.csv"], "mirrored.csv: asks nothing that follows from a trained pair"),
    "no chain": (["mirrored.csv", "--task", "chain-of-thought"], "no chain to ask"),
    "nothing left to ask": (["one.csv", "--data", "both-directions"], "every question has an answer that this trains"),
    "unknown option": (["--pears", "3"], "No such option"),
    "unknown loss": (["--loss", "hinge"], "--loss hinge: expected cross-entropy"),
    "not a number": (["--dimension", "huge"], "--dimension huge"),
    "no workers": (["--workers", "0"], "--workers"),
    "too small a vocabulary": (["--pairs", "5", "--vocabulary", "6"], "--vocabulary 12"),
    "idle width": (["--parameters", "free", "--width", "3"], "--width has no effect"),
    "no relation": (["--data", "identity-bridge-as-implication", "--context", "entity"], "--context entity+relation"),
    "a product from zero": (["--parameters", "factorised", "--init-scale", "0"], "--init-scale 0"),
    "diverged": (
        ["--loss", "squared", "--pairs", "2", "--learning-rate", "100", "--time", "40000", "--seeds", "1"],
        "use a smaller learning rate",
    ),
    "output exists": (["-o", "."], "--output ."),
    "output without parent": (["-o", "a/b/c"], "--output a/b/c"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_message(
    case: str, remedies: Remedies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, a message that names what came, no traceback, nothing on standard output, nothing written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "junk.csv").write_bytes(b"not a table\x00\xff")
    (tmp_path / "mirrored.csv").write_text(NO_QUESTIONS, encoding="utf-8")
    (tmp_path / "one.csv").write_text(ONE_QUESTION, encoding="utf-8")
    arguments, named = BAD[case]
    code, out, err = remedies(*arguments, *([] if "--workers" in arguments else ["--workers", "1"]))
    assert (code, out) == (2, "")
    assert named in err
    assert "Traceback" not in err
    assert {p.name for p in tmp_path.iterdir()} == {"junk.csv", "mirrored.csv", "one.csv"}


def test_every_problem_is_said_at_once(remedies: Remedies) -> None:
    """Three bad options are three lines."""
    code, _, err = remedies("--seeds", "0", "--loss", "hinge", "--share", "2")
    assert code == 2
    assert len(err.strip().splitlines()) == 3


def test_help_names_every_option_and_an_example(remedies: Remedies) -> None:
    """--help shows each setting and each name of every list."""
    code, out, _ = remedies("--help")
    assert code == 0
    for name in set(RemedySettings.model_fields) - {"facts"}:
        assert f"--{name.replace('_', '-')}" in out, name
    unbroken = "".join(out.split())  # the help breaks lines at hyphens too
    for word in (name for names in LISTS.values() for name in names):
        assert word in unbroken
    assert "reversal remedies examples/elements.csv" in out


def test_what_diverges_is_left_out(remedies: Remedies) -> None:
    """A row whose training diverges is left out with the reason; where no row is left, that is the error."""
    short = ["--pairs", "4", "--dimension", "16", "--seeds", "1", "--workers", "1", "--learning-rate"]
    found = document(remedies(*short, "9", "--loss", "squared,one-against-all", "--json"))
    assert [row["id"] for row in found["rows"]] == ["one-against-all-loss"]
    (note,) = found["notes"]
    assert note.startswith("left out: squared loss: ")
    assert "smaller" in note
    code, out, err = remedies(*short, "9", "--loss", "squared")
    assert (code, out) == (2, "")
    assert "squared loss: " in err
    assert "Traceback" not in err


def test_too_much_memory_is_refused_beforehand(remedies: Remedies) -> None:
    """More than allowed: the number, what to change, and nothing drawn."""
    code, out, err = remedies("--dimension", "8192", "--seeds", "200", "--loss", "squared", "--limit-memory", "8GiB")
    assert (code, out) == (2, "")
    assert re.match(r"this needs about \d+(\.\d+)?(e\+\d+)? GiB, more than the 8 GiB that are allowed", err)
    assert "fewer --seeds" in err


def test_what_a_reader_must_know_of_a_file_is_said(remedies: Remedies, tmp_path: Path) -> None:
    """A context with several targets has a floor of its loss, as `verify` says of the same file."""
    facts = tmp_path / "facts.csv"
    rows = ["Paris,in,France,forward", "Paris,in,Europe,forward", "Rome,in,Italy,forward"]
    facts.write_text("\n".join(["subject,relation,object,direction", *rows]) + "\n", encoding="utf-8")
    found = document(remedies(str(facts), "--loss", "cross-entropy", "--dimension", "32", "--time", "5", "--json"))
    assert any("several targets: 1 (Paris)" in note for note in found["notes"])
    assert found["rows"][0]["attainable_p"] == pytest.approx(2 / 3)

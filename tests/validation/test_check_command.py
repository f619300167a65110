"""`reversal check` as a person and a program meet it: exit codes, streams, JSON, files, own theorems, nonsense."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import theory.theorems
from theory.theorem import Outcome
from validation.check_settings import CheckSettings
from validation.cli import main

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = json.loads((ROOT / "docs/schemas/check.schema.json").read_text(encoding="utf-8"))
QUICK = ["--theorem", "sgd-sandwich", "--pairs", "2"]
OWN = ["--from", str(ROOT / "examples/own_theorem.py")]

Result = tuple[int, str, str]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `reversal check ARGUMENTS` in this process: (exit code, standard output, standard error)."""

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["reversal", "check", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        streams = capsys.readouterr()
        return int(left.value.code or 0), streams.out, streams.err

    return run


def document(result: Result, code: int = 0) -> dict[str, Any]:
    """The one JSON object on standard output; standard error must be empty."""
    assert (result[0], result[2]) == (code, "")
    found = json.loads(result[1], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    jsonschema.validate(found, SCHEMA)
    return found


def test_every_theorem_of_the_paper_holds_on_its_own_task(check: Any) -> None:
    """Without arguments but the size all theorems hold, Theorem 1 at its certified dimension, and so does every claim
    of the paper that is checked here.
    """
    found = document(check("--pairs", "2", "--draws", "1", "--json"))
    assert found["verdict"] == "holds"
    assert [t["id"] for t in found["theorems"]] == [t.id for t in theory.theorems.THEOREMS]
    assert {t["verdict"] for t in found["theorems"]} == {"holds"}
    certificate = found["theorems"][0]["certificate"]
    assert certificate["epsilon"] <= 0.1
    assert certificate["dimension"] > 1
    assert {link["verdict"] for link in certificate["links"]} == {"holds"}
    for claim in found["coverage"]:
        needed = (claim["theorems"] or claim["laws"]) and not claim["claim"].startswith("Assumptions on the rates")
        assert claim["verdict"] == ("holds" if needed else None)


def test_elements_keep_the_assumptions_and_capitals_do_not(check: Any) -> None:
    """One-to-one facts satisfy Theorem 3; countries with several capitals make it not applicable, rows named."""
    found = document(
        check(str(ROOT / "examples/elements.csv"), "--theorem", "sgd-sandwich", "--steps", "424", "--json")
    )
    assert found["verdict"] == "holds"
    code, out, err = check(str(ROOT / "examples/capitals.csv"), "--theorem", "3")
    assert (code, err) == (0, "")
    assert "theorem-3: not applicable" in out
    assert "single-target fails" in out
    assert "rows 20, 21, " in out
    assert "conditional entropy" in out
    assert out.rstrip().splitlines()[-1] == "1 theorem: 1 not applicable here"


def test_a_file_without_chains_is_bad_input_for_theorem_4_alone(check: Any) -> None:
    """Asked by name Theorem 4 needs a chain in the file."""
    code, out, err = check(str(ROOT / "examples/elements.csv"), "--theorem", "4")
    assert (code, out) == (2, "")
    assert "no chain to ask" in err


def test_a_theorem_of_ones_own(check: Any, tmp_path: Path) -> None:
    """The example holds on elements, is not applicable on capitals, and stands beside the others when named."""
    found = document(check(*OWN, "--learning-rate", "0.5", "--pairs", "3", "--json"))
    assert [(t["id"], t["verdict"]) for t in found["theorems"]] == [("odds-of-the-untrained", "holds")]
    conclusion = found["theorems"][0]["conclusion"]
    assert conclusion["measured"] > conclusion["bound"] == found["task"]["reversal"]["vocabulary"] / 2
    assert found["theorems"][0]["certificate"]["constants"]["visits"] > 0
    inapplicable = document(check(str(ROOT / "examples/capitals.csv"), *OWN, "--json"))
    (theorem,) = inapplicable["theorems"]
    assert (theorem["verdict"], theorem["remains"][0]["verdict"]) == ("not applicable", "holds")
    assert theorem["assumptions"][0]["rows"][:2] == [20, 21]
    named = document(check(*OWN, "--theorem", "odds-of-the-untrained", "--pairs", "2", "--json"))
    assert len(named["theorems"]) == 1
    own = tmp_path / "own.py"
    own.write_text((ROOT / "examples/own_theorem.py").read_text(encoding="utf-8").replace(">= bound", "<= bound"))
    document(check("--from", str(own), "--pairs", "2", "--json"), code=1)


def test_an_exception_of_ones_own_theorem_is_bad_input(check: Any, tmp_path: Path) -> None:
    """A check that raises ends with exit code 2, the theorem, the check and the line, and no traceback."""
    own = tmp_path / "own.py"
    code = (ROOT / "examples/own_theorem.py").read_text(encoding="utf-8").replace("run.trained / run.unseen", "1 / 0")
    own.write_text(code)
    line = 1 + next(n for n, text in enumerate(code.splitlines()) if "1 / 0" in text)
    code, out, err = check("--from", str(own), "--pairs", "2")
    assert (code, out) == (2, "")
    said = f"{own}: theorem odds-of-the-untrained: conclusion (line {line}): ZeroDivisionError: division by zero"
    assert err.strip() == said


def test_ones_own_theorem_may_not_take_a_name(check: Any, tmp_path: Path) -> None:
    """A theorem that is called like a built-in one is refused, so that no name means two things."""
    own = tmp_path / "own.py"
    text = (ROOT / "examples/own_theorem.py").read_text(encoding="utf-8")
    own.write_text(text.replace("odds-of-the-untrained", "theorem-3"))
    code, out, err = check("--from", str(own))
    assert (code, out) == (2, "")
    assert "theorem 'theorem-3': that name is taken" in err


BAD = {
    "missing file": (["nowhere.csv"], "nowhere.csv"),
    "unknown option": (["--pears", "3"], "No such option"),
    "unknown theorem": (["--theorem", "theorm-2"], "did you mean theorem-2?"),
    "theorem unknown beside one's own": ([*OWN, "--theorem", "odds"], "odds-of-the-untrained"),
    "not a number": (["--dimension", "huge"], "--dimension huge"),
    "epsilon of one": (["--epsilon", "1"], "--epsilon 1"),
    "option without effect": (["--theorem", "3", "--dimension", "9"], "--dimension has no effect on theorem-3"),
    "step out of range": (["--theorem", "3", "--learning-rate", "1e9"], "--learning-rate 1e9"),
    "fraction of a dimension": (["--theorem", "1", "--dimension", "1.5"], "--dimension 1.5: below the vocabulary"),
    "too small a vocabulary": (["--vocabulary", "6"], "--vocabulary 22"),
    "too small for chains": (["--vocabulary", "25", "--theorem", "4"], "--vocabulary 32"),
    "no such Python file": (["--from", "nowhere.py"], "--from nowhere.py: no such file"),
    "proofs in JSON": (["--proofs", "--json"], "--proofs has no effect with --json"),
    "memory size": (["--limit-memory", "lots"], "--limit-memory"),
    "output exists": (["--output", "."], "--output ."),
    "output without parent": (["--output", "a/b/c"], "--output a/b/c"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_message(case: str, check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2, a message that names what came, no traceback, nothing on standard output, nothing written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text("")
    arguments, named = BAD[case]
    code, out, err = check(*arguments)
    assert (code, out) == (2, "")
    assert named in err
    assert "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["here"]


def test_output_folder_agrees_with_standard_output(check: Any, tmp_path: Path) -> None:
    """--output writes the document that --json prints, and refuses to write over it."""
    folder = tmp_path / "result"
    found = document(check(*QUICK, "--json", "--output", str(folder)))
    assert json.loads((folder / "check.json").read_text(encoding="utf-8")) == found
    assert {p.name for p in folder.iterdir()} == {"check.json", "theorems.csv", "links.csv"}
    code, _, err = check(*QUICK, "--output", str(folder))
    assert code == 2
    assert "choose a new one" in err


def test_proofs_and_memory_reach_their_places(check: Any) -> None:
    """--proofs prints links; above --limit-memory nothing is measured, and the table says so."""
    code, out, err = check(*QUICK, "--proofs", "--limit-memory", "1kb")
    assert (code, err) == (0, "")
    assert "1. sgd-sandwich: holds (symbolic)" in out
    assert "not measured" in out


@pytest.mark.parametrize(("verdict", "code"), [("fails", 1), ("undecided", 1), ("not applicable", 0), ("holds", 0)])
def test_exit_code_follows_the_verdict(verdict: Any, code: int, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """0 where every applicable theorem holds or none applies, 1 where one fails or stays open."""
    sandwich = theory.theorems.THEOREMS[-1]
    conclusion = replace(sandwich.conclusion, check=lambda setting: Outcome(verdict, "numerical"))
    monkeypatch.setattr(theory.theorems, "THEOREMS", (replace(sandwich, conclusion=conclusion, links=()),))
    assert check(*QUICK)[0] == code


@pytest.mark.parametrize(
    ("error", "code", "said"), [(ZeroDivisionError, 3, "error of ours"), (KeyboardInterrupt, 130, "")]
)
def test_our_errors_and_interruption(
    error: type[BaseException], code: int, said: str, check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own exception exits with 3, Ctrl-C with 130; nothing is printed as a result and nothing is written."""

    def broken(setting: object) -> Outcome:
        raise error

    sandwich = theory.theorems.THEOREMS[-1]
    conclusion = replace(sandwich.conclusion, check=broken)
    monkeypatch.setattr(theory.theorems, "THEOREMS", (replace(sandwich, conclusion=conclusion),))
    found, out, err = check(*QUICK, "--output", str(tmp_path / "result"))
    assert (found, out) == (code, "")
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_option(check: Any) -> None:
    """--help shows every option, an example, and that a file of one's own is run as code."""
    code, out, _ = check("--help")
    assert code == 0
    settings = (field.alias or name for name, field in CheckSettings.model_fields.items() if name != "facts")
    for option in (*settings, "limit-memory", "proofs", "json", "output"):
        assert f"--{option.replace('_', '-')} " in out
    assert "run as code" in out
    assert "reversal check --from examples/own_theorem.py" in out

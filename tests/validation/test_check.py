"""Checking theorems on tasks, and what a person sees of it: small made-up theorems whose every answer is known."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from theory.claim import Claim, Verdict
from theory.setting import Setting
from theory.task import TaskError
from theory.theorem import Assumption, Certificate, Conclusion, Finding, Link, LinkProof, Outcome, Theorem
from validation.check import check, chosen_theorems
from validation.check_present import check_text, number_text, write_check_folder
from validation.check_settings import CheckSettings
from validation.measurements import Measurements
from validation.output_folder import OutputError
from validation.settings import SettingsError

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = json.loads((ROOT / "docs/schemas/check.schema.json").read_text(encoding="utf-8"))
MEASURE = Measurements()


def theorem(id: str, task: Any = "reversal", **parts: Any) -> Theorem:
    """A theorem that holds: one assumption with room, one symbolic and one certified link, 2 measured against 3."""
    usual: dict[str, Any] = {
        "assumptions": (
            Assumption("room", r"n \\ge 1", lambda setting: Finding("holds", "n >= 1", "n = 4", 3.0, "numerical")),
        ),
        "conclusion": Conclusion(r"x \\le y", lambda setting: Outcome("holds", "numerical", 2.0, 3.0, "as promised")),
        "links": (
            Link("first", "a = b", "by definition", lambda: LinkProof("holds", "symbolic", "one normal form")),
            Link("second", "b > 0", "by balls", lambda: LinkProof("holds", "certified", "", "b in [1, 2]", 1234, 128)),
        ),
        "certificate": lambda setting: Certificate(0.25, 12345678.0, {"K": 1.5, "chain": "signed", "none": None}),
    }
    return Theorem(id, f"About {id}", "nowhere", "x", task, **{**usual, **parts})


def concluding(verdict: Verdict) -> Conclusion:
    """A conclusion with this verdict."""
    return Conclusion("x", lambda setting: Outcome(verdict, "numerical", 4.0, 3.0, "not as promised"))


FAILING = Assumption(
    "too-many",
    "n = 1",
    lambda setting: Finding("fails", "n = 1", "n = 3", -2.0, rows=tuple(range(2, 20)), detail="Ann and Bo"),
)
REMAINS = [Claim("law", "A law that stays", "x", "nowhere", "holds", "symbolic", detail="always")]


def run(theorems: list[Theorem], **values: Any) -> Any:
    """The check of these theorems on a small built-in task."""
    return check(CheckSettings(**{"theorem": "theorem-1", "pairs": 2, **values}), theorems, MEASURE)


def text(result: Any, proofs: bool = False) -> str:
    """What a person reads, with white space as in a line."""
    return " ".join(check_text(result, terminal=False, proofs=proofs).split())


def test_document_follows_its_schema() -> None:
    """Holding, failing, open and inapplicable theorems of both kinds give one document that validates."""
    chain = theorem("d", "chain-of-thought", assumptions=(FAILING,), remains=lambda setting: REMAINS)
    result = run([theorem("a"), theorem("b", conclusion=concluding("fails")), theorem("c", links=()), chain])
    document = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    jsonschema.validate(document, SCHEMA)
    assert document["format"] == "reversal-check/1"
    assert [found["verdict"] for found in document["theorems"]] == ["holds", "fails", "holds", "not applicable"]
    assert document["task"]["reversal"]["train_pairs"] == 3
    assert document["task"]["chain-of-thought"]["test_pairs"] == 2
    assert document["theorems"][3]["assumptions"][0]["rows"] == list(range(2, 20))
    assert document["theorems"][3]["remains"] == [REMAINS[0].as_dict()]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "verdict": "maybe"}, SCHEMA)
    document["theorems"][0]["statement"] = "\frac"  # a form feed, not LaTeX
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_numbers_that_are_not_finite_are_null() -> None:
    """Constants that are not finite become null in the document; a measurement that is not finite is refused."""
    with pytest.raises(ValueError, match="finite"):
        Outcome("undecided", "numerical", float("inf"), 1.0)
    result = run(
        [
            theorem(
                "a",
                conclusion=Conclusion("x", lambda setting: Outcome("undecided", "numerical", None, 1.0)),
                certificate=lambda setting: Certificate(float("nan"), None, {"K": float("inf")}),
            )
        ]
    )
    found = result.as_dict()["theorems"][0]
    assert found["conclusion"]["measured"] is None
    assert found["certificate"]["epsilon"] is None
    assert found["certificate"]["constants"] == {"K": None}


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [
        ({}, "holds"),
        ({"conclusion": concluding("fails")}, "fails"),
        ({"conclusion": concluding("undecided")}, "undecided"),
        ({"links": (Link("x", "x", "x", lambda: LinkProof("undecided", "certified", "boxes")),)}, "undecided"),
        ({"assumptions": (FAILING,), "conclusion": concluding("fails")}, "not applicable"),
    ],
)
def test_verdict_of_the_whole(parts: dict[str, Any], verdict: str) -> None:
    """One theorem beside one that is not applicable decides the verdict; an inapplicable one never does."""
    idle = theorem("idle", assumptions=(FAILING,))
    assert run([idle, theorem("a", **parts)]).verdict == verdict


def test_a_theorem_is_shown_whole() -> None:
    """Assumption, margin, conclusion, constants and the short form of the proof stand in the table's text."""
    shown = text(run([theorem("a")]))
    for part in (
        "reversal: 3 trained pairs, 3 contexts, 1 held-out answer, 6 tokens",
        "a: holds",
        "About a (nowhere)",
        "│ room │ n >= 1 │ n = 4 │ 3 │ holds │ numerical │",
        "│ conclusion │ bound 3 │ measured 2 < bound 3 │ │ holds │ numerical │",
        "conclusion: as promised",
        "certified: exponent 0.25; certified dimension 1.235e7",
        "constants: K 1.5; chain signed proof",
        "proof: 2 links: 1 symbolic, 1 certified (1,234 boxes); each holds",
        "1 theorem: 1 hold",
    ):
        assert part in shown
    assert "by balls" not in shown


def test_failing_assumptions_are_said_in_words() -> None:
    """Requirement, finding, reason and rows of the file; no conclusion is shown, but what remains is."""
    shown = text(run([theorem("a", assumptions=(FAILING,), remains=lambda setting: REMAINS)]))
    assert "a: not applicable" in shown
    words = "too-many fails: required n = 1, found n = 3; Ann and Bo; rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 and"
    assert f"{words} 6 more of the file" in shown
    assert "│ A law that stays │ holds │ symbolic │" in shown
    assert "measured 2" not in shown
    assert "not measured" not in shown


def test_what_is_open_is_said() -> None:
    """An undecided assumption, a conclusion without a measurement and an unproved link are named with their reason."""
    open_room = Assumption("room", "x", lambda setting: Finding("undecided", "n >= 9", "n = 4", detail="too weak"))
    unmeasured = Conclusion("x", lambda setting: Outcome("undecided", "certified", bound=3.0, detail="too large"))
    link = Link("gap", "x", "x", lambda: LinkProof("undecided", "certified", "boxes", boxes=7))
    shown = text(run([theorem("a", assumptions=(open_room,), conclusion=unmeasured, links=(link,))]))
    assert "room is undecided: required n >= 9, found n = 4; too weak" in shown
    assert "│ conclusion │ bound 3 │ not measured │" in shown
    assert "conclusion: too large" in shown
    assert "proof: 1 link: 1 certified (7 boxes); not proved: gap (undecided)" in shown


def test_proofs_list_every_link_once() -> None:
    """--proofs prints statement, argument, domain, boxes and precision; a link shared by two theorems only once."""
    shown = text(run([theorem("a"), theorem("b")]), proofs=True)
    assert "1. first: holds (symbolic) a = b by definition one normal form" in shown
    assert "2. second: holds (certified) b > 0 by balls b in [1, 2]; 1,234 boxes; 128 bits" in shown
    assert shown.count("by balls") == 1
    assert "2. second: holds (certified), as above" in shown


def test_coverage_is_shown_with_everything() -> None:
    """The table of the paper's claims comes with a check of everything, and not with a choice."""
    assert "What of the paper is covered" not in text(run([theorem("theorem-1")]))
    everything = run([theorem("theorem-1")], theorem=None)
    assert "What of the paper is covered" in text(everything)
    assert {claim.verdict for claim in everything.coverage} == {"holds", None}
    assert "z-stays-zero" in {id for claim in everything.coverage for id in claim.run}


@pytest.mark.parametrize("width", [80, 130])
def test_names_fit_a_narrow_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns no line is longer and no name of an assumption is cut."""
    monkeypatch.setenv("COLUMNS", str(width))
    long = Assumption("large-dimension", "x", lambda s: Finding("not applicable", "a word " * 9, "b " * 30, 1.234e-6))
    shown = check_text(run([theorem("a", assumptions=(long,))]), terminal=True, proofs=True)
    plain = "".join(part.partition("m")[2] for part in f"\x1b[m{shown}".split("\x1b["))
    assert max(map(len, plain.splitlines())) <= width
    assert "large-dimension" in plain


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (None, ""), (0.0, "0"), (3.0, "3"), (-2, "-2"), (411621.0, "411621"), (1e6, "1e6"), (1.79342e10, "1.793e10"),
        (0.12345, "0.1235"), (1.5e-7, "1.5e-7"), (float("inf"), "inf"), (float("nan"), "nan"),
    ],
)  # fmt: skip
def test_numbers_for_a_person(number: float | None, shown: str) -> None:
    """Four digits, whole numbers in full below a million, powers of ten without padding."""
    assert number_text(number) == shown


# -- tasks --
def facts(folder: Path, *rows: str) -> Path:
    """A fact file of these rows."""
    path = folder / "facts.csv"
    path.write_text("\n".join(["subject,relation,object,direction", *rows]) + "\n", encoding="utf-8")
    return path


def test_a_file_without_chains_makes_theorems_about_chains_not_applicable(tmp_path: Path) -> None:
    """Beside a theorem on reversal the reason is a note and the failing assumption; alone it is an error."""
    path = facts(tmp_path, "Ann,boss,Bo,forward", "Cy,boss,Cy,both")
    chain = theorem("chain", "chain-of-thought", remains=lambda setting: REMAINS)
    settings = CheckSettings(facts=path)
    result = check(settings, [theorem("a"), chain], MEASURE)
    assert [found.verdict for found in result.theorems] == ["holds", "not applicable"]
    assert list(result.tasks) == ["reversal"]
    assert any("no chain to ask" in note for note in result.notes)
    assert any("subject is their object" in note for note in result.notes)
    assert "task fails: required a chain-of-thought task, found none" in text(result)
    jsonschema.validate(result.as_dict(), SCHEMA)
    with pytest.raises(TaskError, match="no chain to ask"):
        check(settings, [chain], MEASURE)


def test_each_theorem_gets_its_task_and_the_numbers() -> None:
    """A chain theorem sees chains, a reversal theorem pairs, both every number of the settings."""
    seen: dict[str, Setting] = {}

    def noting(id: str) -> Any:
        return lambda setting: seen.setdefault(id, setting) and Outcome("holds", "numerical")

    theorems = [
        theorem("a", conclusion=Conclusion("x", noting("a"))),
        theorem("b", "chain-of-thought", conclusion=Conclusion("x", noting("b"))),
    ]
    numbers = {
        "dimension": 1e9, "init_scale": 0.5, "epsilon": 0.2, "delta": 0.3, "loss_target": 0.4, "reversal_floor": 1.5,
        "learning_rate": 0.7, "steps": 9, "draws": 3, "seed": 5,
    }  # fmt: skip
    check(CheckSettings(pairs=3, vocabulary=40, **numbers), theorems, MEASURE)
    assert len(seen["a"].task.train_context) == 5
    assert len(seen["b"].task.train_context) == 6
    for setting in seen.values():
        assert setting.task.vocabulary_size == 40
        assert setting.measure is MEASURE
        assert {name: getattr(setting, name) for name in numbers} == numbers


def test_progress_goes_from_zero_to_one() -> None:
    """Each theorem is announced by its id, with a share of the whole that only grows."""
    told: list[tuple[str, float]] = []
    check(CheckSettings(), [theorem("a"), theorem("b")], MEASURE, lambda *what: told.append(what))
    assert [name for name, _ in told][:2] == ["a", "b"]
    parts = [part for _, part in told]
    assert parts == sorted(parts)
    assert (parts[0], parts[-1]) == (0.0, 1.0)


def test_choice_of_theorems() -> None:
    """No name means the user's own or else all; a number the built-in ones; `all` both; an unknown one is refused."""
    built_in, own = [theorem("theorem-1"), theorem("theorem-1-gd")], [theorem("mine")]

    def chosen(name: str | None, *mine: Theorem) -> list[str]:
        settings = CheckSettings(theorem=name, theorem_file="own.py" if mine else None)
        return [found.id for found in chosen_theorems(settings, built_in, mine)]

    assert chosen(None) == ["theorem-1", "theorem-1-gd"]
    assert chosen(None, *own) == ["mine"]
    assert chosen("all", *own) == ["theorem-1", "theorem-1-gd", "mine"]
    assert chosen("1") == ["theorem-1", "theorem-1-gd"]
    assert chosen("mine", *own) == ["mine"]
    with pytest.raises(SettingsError, match=r"--theorem min: .*did you mean mine\?"):
        chosen("min", *own)


# -- files --
def test_folder_is_whole(tmp_path: Path) -> None:
    """Three files that agree with the document, one CSV row an assumption, conclusion or link; nothing else."""
    result = run([theorem("a"), theorem("b", assumptions=(FAILING,), links=())])
    document = result.as_dict()
    write_check_folder(result, document, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"check.json", "theorems.csv", "links.csv"}
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
    assert json.loads((tmp_path / "out/check.json").read_text(encoding="utf-8")) == json.loads(json.dumps(document))
    with (tmp_path / "out/theorems.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["theorem"], row["kind"], row["id"], row["verdict"]) for row in rows] == [
        ("a", "assumption", "room", "holds"),
        ("a", "conclusion", "", "holds"),
        ("b", "assumption", "too-many", "fails"),
        ("b", "conclusion", "", "not applicable"),
    ]
    assert rows[2]["rows"].split() == [str(row) for row in range(2, 20)]
    assert (rows[1]["measured"], rows[1]["bound"]) == ("2.0", "3.0")
    with (tmp_path / "out/links.csv").open(encoding="utf-8", newline="") as file:
        links = list(csv.DictReader(file))
    assert [(link["theorem"], link["number"], link["id"], link["boxes"]) for link in links] == [
        ("a", "1", "first", ""),
        ("a", "2", "second", "1234"),
    ]


def test_folder_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills in the middle leaves neither a folder nor a draft of it; words cannot run in a spreadsheet."""
    formula = theorem("a", conclusion=Conclusion("=1+1", lambda setting: Outcome("holds", "numerical")), links=())
    result = run([formula])
    write_check_folder(result, result.as_dict(), tmp_path / "out")
    assert "'=1+1" in (tmp_path / "out/theorems.csv").read_text(encoding="utf-8")
    assert (tmp_path / "out/links.csv").read_text(encoding="utf-8").startswith("theorem,number,id")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("validation.output_folder.os.replace", full)
    with pytest.raises(OutputError, match="No space left on device; nothing was written"):
        write_check_folder(result, result.as_dict(), tmp_path / "second")
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_same_settings_give_the_same_document() -> None:
    """Two runs of the same theorems differ in nothing but provenance."""
    first, second = (replace(run([theorem("a")]), notes=()).as_dict() for _ in range(2))
    assert json.dumps({**first, "provenance": None}) == json.dumps({**second, "provenance": None})

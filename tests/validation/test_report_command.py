"""`reversal report` as a person meets it: options of both halves, files, what a large file leaves out, interruption."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

import validation.report_run
from theory.coherence import Schedule
from theory.setting import NotMeasured, Setting
from theory.task import reversal_task
from validation.check_settings import CheckSettings
from validation.cli import main
from validation.experiments.present import write_folder
from validation.experiments.run import run as run_transformers
from validation.experiments.settings import TrainSettings
from validation.measurements import Measurements
from validation.report.data import ReportData
from validation.report_run import (
    FLOW_PAIRS,
    TRAIN_PAIRS,
    WRITING,
    QuickMeasurements,
    TwoHalves,
    plan,
    report_cost,
    run_report,
)
from validation.report_settings import FORMATS, ReportSettings
from validation.settings import SettingsError, VerifySettings

QUICK = ["--pairs", "2", "--vocabulary", "8", "--seeds", "1", "--theorem", "sgd-sandwich"]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `reversal report ARGUMENTS` in this process: (exit code, standard output, standard error)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["reversal", "report", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        streams = capsys.readouterr()
        return int(left.value.code or 0), streams.out, streams.err

    return run


# -- settings --
def test_options_reach_the_half_that_reads_them() -> None:
    """Shared options go to both halves, others to their own, and one that a half would ignore goes to the other."""
    settings = ReportSettings.checked("md, html", pairs="3", seed="5", seeds="2", epsilon="0.2", learning_rate="0.5")
    assert settings.formats == ("html", "md")
    verify, check = settings.verify, settings.check
    assert (verify.pairs, verify.seed, verify.seeds, verify.learning_rate) == (3, 5, 2, 0.5)
    assert (check.pairs, check.seed, check.epsilon, check.learning_rate) == (3, 5, 0.2, 0.5)
    assert settings.given == {"pairs", "seed", "seeds", "epsilon", "learning_rate"}
    assert ReportSettings.checked().formats == FORMATS
    only_verify = ReportSettings.checked(theorem="3", dimension="9")
    assert (only_verify.verify.dimension, only_verify.check.dimension) == (9.0, None)
    only_check = ReportSettings.checked(model="transformer", dimension="9")
    assert "dimension" not in only_check.verify.model_fields_set
    assert only_check.check.dimension == 9.0


def test_an_option_that_neither_half_reads_is_refused() -> None:
    """Both halves would ignore it: refused, and a problem that both see is said once."""
    with pytest.raises(SettingsError, match="--dimension has no effect"):
        ReportSettings.checked(theorem="3", model="transformer", dimension="9")
    with pytest.raises(SettingsError) as caught:
        ReportSettings.checked(facts="facts.csv", pairs="3")
    assert str(caught.value) == "--pairs has no effect on a fact file; leave it out"


def test_every_problem_is_said_at_once() -> None:
    """A bad option of each half, one of both and a bad format: four lines."""
    with pytest.raises(SettingsError) as caught:
        ReportSettings.checked("html,docx", seeds="0", draws="0", pairs="x")
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert [any(name in line for line in lines) for name in ("--seeds", "--draws", "--pairs", "--format")] == [True] * 4
    with pytest.raises(SettingsError, match="html,tex,pdf,json,md"):
        ReportSettings.checked(" , ")


# -- what is run --
def facts_file(folder: Path, facts: int) -> str:
    """A file of so many facts, trained both ways but each fifth."""
    rows = (f"S{n},symbol,O{n},{'both' if n % 5 else 'forward'}" for n in range(facts))
    path = folder / "facts.csv"
    path.write_text("\n".join(["subject,relation,object,direction", *rows]), encoding="utf-8")
    return str(path)


def test_a_large_file_is_reduced_and_the_report_says_so(tmp_path: Path) -> None:
    """400 facts: real training and flow on parts, draws that take too long not measured, under ten minutes."""
    planned = plan(ReportSettings.checked(facts=facts_file(tmp_path, 400)))
    assert (planned.verify.train_pairs, planned.verify.flow_pairs) == (TRAIN_PAIRS, FLOW_PAIRS)
    (note,) = planned.notes
    assert "certified a priori, not measured" in note
    assert planned.expected.seconds < 600


def test_fewer_draws_where_that_is_enough(tmp_path: Path) -> None:
    """150 facts leave time for some draws, fewer than asked by default, and a note says how many."""
    planned = plan(ReportSettings.checked(facts=facts_file(tmp_path, 150)))
    assert 1 <= planned.check.draws < CheckSettings().draws
    (note,) = planned.notes
    assert f"measured on {planned.check.draws} draws, not on 20" in note


def test_what_was_asked_for_is_left_as_it_is(tmp_path: Path) -> None:
    """Given numbers of pairs and draws are run on a file of any size; small tasks are not reduced at all."""
    facts = facts_file(tmp_path, 150)
    planned = plan(ReportSettings.checked(facts=facts, train_pairs="99", flow_pairs="300", draws="7"))
    assert (planned.verify.train_pairs, planned.verify.flow_pairs, planned.check.draws) == (99, 300, 7)
    assert planned.notes == ()
    small = plan(ReportSettings.checked(pairs="4"))
    assert (small.notes, small.check.draws) == ((), CheckSettings().draws)
    assert "flow_pairs" not in plan(ReportSettings.checked(model="transformer")).verify.model_fields_set


def test_two_halves_take_as_long_as_the_longer_one() -> None:
    """Halves that run side by side are not added, but on one core; the writing comes after both."""
    planned = plan(ReportSettings.checked(pairs="4"))
    verified = planned.expected.seconds
    idle = report_cost(planned, 0.0, 2).seconds
    assert idle > verified
    slower = planned.machine.slower
    assert report_cost(planned, 0.5 * verified / slower, 2).seconds == pytest.approx(idle)
    assert report_cost(planned, 3.0 * verified / slower, 2).seconds == pytest.approx(idle + 2.0 * verified)
    assert report_cost(planned, 3.0 * verified / slower, 1).seconds == pytest.approx(idle + 3.0 * verified)


@given(st.floats(0.1, 1e4), st.lists(st.floats(0.1, 1e4), min_size=3, max_size=3), st.floats(0, 1))
def test_the_bar_follows_the_half_that_ends_later(verification: float, parts: list[float], time: float) -> None:
    """Where both halves go at their pace, what is done of the whole is the time that has passed."""
    names = ("check", "measure", "remedies")
    halves = TwoHalves(verification, dict(zip(names, parts, strict=True)), 1.0)
    whole = max(verification, sum(parts))
    passed = time * whole
    name, part = "end", 0.0
    for number in (2, 1, 0):
        before = sum(parts[:number])
        if passed < before + parts[number]:
            name, part = names[number], max(passed - before, 0.0) / parts[number]
    verified = min(passed / verification, 1.0)
    assert halves.done(name, part, verified) == pytest.approx(time, abs=1e-9)


def test_quick_measurements_refuse_what_takes_long() -> None:
    """Above the limit nothing is drawn and the reason has both times; below it the draws are those of Measurements."""
    setting = Setting(reversal_task(2), Measurements(), draws=1)
    with pytest.raises(NotMeasured, match="more than the 0 seconds of a report"):
        QuickMeasurements(limit_seconds=1e-9).separation(setting, 1e6, Schedule.flow())
    quick = QuickMeasurements().separation(setting, 1e6, Schedule.flow())
    assert quick.measured == Measurements().separation(setting, 1e6, Schedule.flow()).measured


# -- the command, with the work replaced --
@contextmanager
def in_this_process(function: Any, *arguments: Any) -> Iterator[SimpleNamespace]:
    """What `background` does, without a second process: a stand-in can be put in the place of what it runs."""
    heard = [("starting", 0.0)]
    found = function(*arguments, lambda stage, done: heard.append((stage, done)))
    yield SimpleNamespace(progress=lambda: heard[0], result=lambda tell: tell(*heard[-1]) or found)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """All work replaced by functions that note how they were called; `seen` may be told a verdict."""
    seen: dict[str, Any] = {"verdict": "holds"}

    class Result:
        notes = ("a note",)
        tasks: ClassVar[dict[str, Any]] = {}

        def __init__(self, name: str, settings: Any) -> None:
            self.name, self.settings, self.task, self.verdict = name, settings, reversal_task(2), seen["verdict"]

        def as_dict(self) -> dict[str, Any]:
            return {"name": self.name}

    def verify(settings: Any, tell: Any, *_: Any) -> Result:
        tell("verifying", 0.0)
        tell("verified", 1.0)
        return Result("verify", settings)

    def check(settings: Any, theorems: Any, measurements: Any, tell: Any) -> Result:
        seen["measurements"] = measurements
        tell("checking", 0.5)
        return Result("check", settings)

    def measure(task: Any, settings: Any, tell: Any) -> None:
        tell(1.0)

    def write_report(document: Any, data: Any, folder: Path, formats: Any) -> list[str]:
        seen.update(document=document, data=data, formats=formats)
        return ["no report.pdf: nothing is installed"]

    run = validation.report_run
    monkeypatch.setattr(run, "verify", verify)
    monkeypatch.setattr(run, "background", in_this_process)
    monkeypatch.setattr(run, "replace", lambda result, notes: seen.update(notes=notes) or result)
    monkeypatch.setattr(run, "check", check)
    monkeypatch.setattr(run, "measure", measure)
    monkeypatch.setattr(run, "run_remedies", lambda settings, tell: tell("comparing", 1.0) or Result("r", settings))
    monkeypatch.setattr(run, "build", lambda data: seen.update(report=data) or "document")
    monkeypatch.setattr(run, "write_report", write_report)
    monkeypatch.setattr(run.ReportData, "as_dict", lambda data: {"whole": True})
    return seen


def test_the_command_says_what_came_out(report: Any, pretended: dict[str, Any], tmp_path: Path) -> None:
    """Verdict, a line about what could not be made, and the folder; the document carries the command line."""
    folder = str(tmp_path / "out")
    code, out, err = report("-o", folder, "--format", "pdf,json", "--pairs", "2")
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == ["no report.pdf: nothing is installed", f"the report is in {folder}"]
    assert "holds" in out.splitlines()[0]
    assert (pretended["document"], pretended["formats"], pretended["data"]) == (
        "document",
        ("pdf", "json"),
        {"whole": True},
    )
    assert pretended["report"].command == f"reversal report -o {folder} --format pdf,json --pairs 2"
    assert isinstance(pretended["measurements"], QuickMeasurements)
    assert pretended["notes"] == ("a note",)


def test_draws_that_were_asked_for_are_made(report: Any, pretended: dict[str, Any], tmp_path: Path) -> None:
    """--draws lifts the limit on time."""
    report("-o", str(tmp_path / "out"), "--draws", "3")
    assert type(pretended["measurements"]) is Measurements


@pytest.mark.parametrize(("verdict", "code"), [("fails", 1), ("undecided", 1), ("not applicable", 0), ("holds", 0)])
def test_exit_code_follows_the_verdict(
    verdict: str, code: int, report: Any, pretended: dict[str, Any], tmp_path: Path
) -> None:
    """0 where everything that applies holds."""
    pretended["verdict"] = verdict
    assert report("-o", str(tmp_path / "out"))[0] == code


def test_progress_only_grows_and_long_work_is_announced_once(
    pretended: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stages come in order between 0 and 1; one line for work of minutes, none for less."""
    told: list[float] = []
    said: list[str] = []
    monkeypatch.setattr(validation.report_run, "LONG", 1.0)
    large = ReportSettings.checked(facts=facts_file(tmp_path, 30))
    run_report(large, (), "x", lambda stage, part: told.append(part), said.append)
    assert told == sorted(told)
    assert 0.0 <= told[0] < told[-1]
    assert told[-1] == WRITING
    (line,) = said
    assert line.startswith("this report will take about ")
    monkeypatch.setattr(validation.report_run, "LONG", 1e9)
    run_report(ReportSettings.checked(), (), "x", lambda stage, part: None, said.append)
    assert len(said) == 1


BAD = {
    "no output": ([], "--output"),
    "output exists": (["-o", "."], "exists and is not an empty folder"),
    "output without parent": (["-o", "a/b/c"], "does not exist"),
    "missing file": (["nowhere.csv", "-o", "out"], "nowhere.csv"),
    "format": (["-o", "out", "--format", "word"], "--format word"),
    "option of neither": (["-o", "out", "--json"], "No such option"),
    "theorem": (["-o", "out", "--theorem", "theorm-2"], "did you mean theorem-2?"),
    "memory": (["-o", "out", "--limit-memory", "lots"], "--limit-memory"),
    "no run": (["-o", "out", "--runs", "nowhere"], "nowhere: no finished run"),
    "too little memory": (["-o", "out", "--limit-memory", "1MiB"], "GiB"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_message(
    case: str, report: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, a message that names what came, no traceback, nothing on standard output, nothing written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text("")
    arguments, named = BAD[case]
    code, out, err = report(*arguments)
    assert (code, out) == (2, "")
    assert named in err
    assert "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["here"]


@pytest.mark.parametrize(
    ("error", "code", "said"), [(ZeroDivisionError, 3, "error of ours"), (KeyboardInterrupt, 130, "interrupted")]
)
@pytest.mark.parametrize("stage", ["verify", "check", "measure", "run_remedies", "build", "write_report"])
def test_our_errors_and_interruption_leave_nothing(
    stage: str,
    error: type[BaseException],
    code: int,
    said: str,
    report: Any,
    pretended: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wherever it happens: 3 for our own exception, 130 for Ctrl-C, no folder and no draft of it."""

    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(validation.report_run, stage, broken)
    found, out, err = report("-o", str(tmp_path / "out"))
    assert (found, out) == (code, "")
    assert said in err
    assert list(tmp_path.iterdir()) == []


# -- the command, with the work done once --
SMALL = [*QUICK, "--model", "transformer"]


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ReportData]:
    """The real thing on two pairs, once: the folder that the command wrote, and what was found."""
    folder, found = tmp_path_factory.mktemp("report") / "out", []
    arguments = ["reversal", "report", *SMALL, "-o", str(folder), "--format", "html,tex,json,md"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", arguments)
        patch.setattr(validation.report_run, "run_report", lambda *given: found.append(run_report(*given)) or found[0])
        with pytest.raises(SystemExit) as left:
            main()
    assert left.value.code == 0
    return folder, found[0]


@pytest.fixture
def done_once(worked: tuple[Path, ReportData], monkeypatch: pytest.MonkeyPatch) -> None:
    """The command asks for the work, and what was found before is the answer, with the runs that it was given."""
    monkeypatch.setattr(validation.report_run, "run_report", lambda *given: replace(worked[1], runs=given[-1]))


def test_finished_runs_are_part_of_what_is_found(pretended: dict[str, Any]) -> None:
    """`run_report` hands on the runs that it is given."""
    runs: Any = (SimpleNamespace(verdict="holds"),)
    silent = lambda *_: None  # noqa: E731
    assert run_report(ReportSettings.checked(pairs="2"), (), "x", silent, silent, None, runs).runs == runs


@pytest.mark.usefixtures("done_once")
def test_interruption_in_the_middle_of_writing_leaves_nothing(
    report: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the first figures lie there: the draft goes too."""
    from validation.report import write

    write_text = write._write_text

    def interrupted(path: Path, text: str) -> None:
        if path.name == "index.html":
            assert any((path.parent / "figures").iterdir())
            raise KeyboardInterrupt
        write_text(path, text)

    monkeypatch.setattr(write, "_write_text", interrupted)
    code, _, err = report(*SMALL, "-o", str(tmp_path / "out"), "--format", "html")
    assert code == 130, err
    assert list(tmp_path.iterdir()) == []


def test_a_small_report_is_written(worked: tuple[Path, ReportData]) -> None:
    """The real thing on two pairs: page, LaTeX, Markdown and JSON beside figures, all about this very run."""
    folder = worked[0]
    assert {p.name for p in folder.iterdir()} == {"index.html", "report.tex", "report.json", "report.md", "figures"}
    document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert document["command"].startswith("reversal report --pairs 2")
    assert [t["id"] for t in document["check"]["theorems"]] == ["sgd-sandwich"]
    assert document["verify"]["settings"]["model"] == "transformer"
    assert document["verdict"] == "holds"
    assert "sgd-sandwich" in (folder / "index.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("done_once")
def test_finished_runs_are_included(report: Any, tmp_path: Path) -> None:
    """A run of reversal train stands in the page and in the JSON, and its claims count: not learnt yet, exit code 1."""
    settings = TrainSettings.checked("smoke", seeds=1, epochs=1)
    write_folder(*run_transformers(settings, lambda stage, done: None, print), tmp_path / "run")
    folder = tmp_path / "out"
    arguments = (*SMALL, "--format", "html,json", "-o", str(folder))
    code, _, err = report(*arguments, "--runs", str(tmp_path / "run"))
    assert (code, err) == (1, "")
    document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert [found["settings"]["vocabulary"] for found in document["runs"]] == [40]
    assert (document["verify"]["verdict"], document["verdict"]) == ("holds", "fails")
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "1 finished run of multi-layer transformers included" in page
    assert 'id="run-1-losses"' in page


def test_help_names_every_option(report: Any) -> None:
    """--help shows each option of both halves once, and an example."""
    code, out, _ = report("--help")
    assert code == 0
    fields = {**VerifySettings.model_fields, **CheckSettings.model_fields}
    for name in {(field.alias or name) for name, field in fields.items()} - {"facts"} | {"limit-memory", "format"}:
        assert out.count(f"  --{name.replace('_', '-')} ") == 1, name
    assert "-o, --output" in out or "--output, -o" in out
    assert "reversal report examples/elements.csv" in out
    for gone in ("--json", "--proofs"):
        assert gone not in out

"""A user's own file of theorems: it runs as code, and whatever is wrong with it is said in the user's terms."""

import sys
from pathlib import Path
from typing import Any

import pytest

from theory.setting import Setting
from theory.task import reversal_task
from theory.theorem import CheckedTheorem
from validation.measurements import Measurements
from validation.user_theorem import UserTheoremError, load_theorems

HEAD = """
from dataclasses import dataclass, replace
from theory.claim import Claim
from theory.setting import NotMeasured
from theory.theorem import Assumption, Certificate, Conclusion, Finding, Link, LinkProof, Outcome, Theorem

def raising(error):
    def check(*_):
        raise error
    return check

def finding(*words, **fields):
    return (Assumption("a", "x", lambda s: Finding(*words, **fields)),)

FAILS = finding("fails", "x", "x")
GOOD = Theorem(
    "mine", "Mine", "me", "x", "reversal",
    (Assumption("room", "x", lambda s: Finding("holds", "x", "x", 1)),),
    Conclusion("x", lambda s: Outcome("holds", "numerical", 1, 2)),
)
"""


LINE = len(HEAD.splitlines()) + 1  # of the code after it
RAISING = HEAD.splitlines().index("        raise error") + 1


def load(folder: Path, code: str, *taken: str, head: str = HEAD) -> Any:
    """The theorems of a file with this code."""
    path = folder / "own.py"
    path.write_text(head + code, encoding="utf-8")
    return load_theorems(path, taken)


def refused(folder: Path, code: str, *taken: str, head: str = HEAD) -> str:
    """The message that a file with this code is refused with, without its folder."""
    with pytest.raises(UserTheoremError) as caught:
        load(folder, code, *taken, head=head)
    return str(caught.value).replace(f"{folder}/", "")


def run(theorem: Any) -> CheckedTheorem:
    """The theorem on a small task."""
    found: CheckedTheorem = theorem.check(Setting(reversal_task(2), Measurements()))
    return found


def blamed(folder: Path, code: str) -> str:
    """The message that running the file's theorem ends in, without its folder."""
    (theorem,) = load(folder, code)
    with pytest.raises(UserTheoremError) as caught:
        run(theorem)
    return str(caught.value).replace(f"{folder}/", "")


def test_one_theorem_or_several(tmp_path: Path) -> None:
    """THEOREM is one, THEOREMS a list or tuple; numbers of any real type come back as floats."""
    (one,) = load(tmp_path, "THEOREM = GOOD")
    checked = run(one)
    assert checked.verdict == "holds"
    assert (checked.outcome.measured, checked.outcome.bound, checked.findings[0][1].margin) == (1.0, 2.0, 1.0)
    several = load(tmp_path, "THEOREMS = [GOOD, replace(GOOD, id='other')]")
    assert [theorem.id for theorem in several] == ["mine", "other"]


def test_the_file_is_a_module(tmp_path: Path) -> None:
    """Dataclasses with postponed annotations work, neighbours can be imported, and no cache is left beside them."""
    (tmp_path / "neighbour.py").write_text("WORD = 'near'\n")
    head = f"from __future__ import annotations\n{HEAD}"
    code = "import neighbour\n@dataclass\nclass A:\n    x: int\nTHEOREM = replace(GOOD, title=neighbour.WORD)\n"
    (theorem,) = load(tmp_path, code, head=head)
    assert theorem.title == "near"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["neighbour.py", "own.py"]


def test_a_file_beside_it_hides_no_library(tmp_path: Path) -> None:
    """A neighbour that is called like an installed library is not imported in its place."""
    (tmp_path / "colorsys.py").write_text("raise RuntimeError('hidden')\n")
    sys.modules.pop("colorsys", None)
    (theorem,) = load(tmp_path, "import colorsys\nTHEOREM = replace(GOOD, title=colorsys.rgb_to_hsv.__name__)")
    assert theorem.title == "rgb_to_hsv"


def test_what_the_file_prints_is_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints while loading and while checking go to standard error."""
    code = "print('loading')\nTHEOREM = replace(GOOD, conclusion=Conclusion('x', lambda s: print('checking') or "
    (theorem,) = load(tmp_path, f"{code}Outcome('holds', 'numerical')))")
    run(theorem)
    assert capsys.readouterr() == ("", "loading\nchecking\n")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("THEOREM = (", f"own.py line {LINE}: syntax error: '(' was never closed"),
        ("import nowhere_to_be_found", f"own.py line {LINE}: ModuleNotFoundError: No module named"),
        ("1 / 0", f"own.py line {LINE}: ZeroDivisionError: division by zero, while the file was loaded"),
        ("raise SystemExit", f"own.py line {LINE}: SystemExit, while the file was loaded"),
        ("x = 1", "expected THEOREM (a theory.theorem.Theorem) or THEOREMS (a list of them), found neither"),
        ("THEOREM = GOOD\nTHEOREMS = [GOOD]", "found both; define exactly one of the two"),
        ("THEOREM = 3", "THEOREM: expected theory.theorem.Theorem, found int 3"),
        ("THEOREM = [GOOD]", "THEOREM: expected theory.theorem.Theorem, found list"),
        ("THEOREMS = []", "THEOREMS: expected a list of at least one theorem, found list []"),
        ("THEOREMS = GOOD", "THEOREMS: expected a list of at least one theorem, found Theorem"),
        ("THEOREMS = [GOOD, 'x']", "THEOREMS: expected theory.theorem.Theorem, found str 'x'"),
        ("THEOREM = replace(GOOD, id='theorem-1')", "theorem 'theorem-1': that name is taken"),
        ("THEOREM = replace(GOOD, id='all')", "theorem 'all': that name is taken"),
        ("THEOREM = replace(GOOD, id='My theorem')", "expected an id of lower-case letters"),
        ("THEOREM = replace(GOOD, id=None)", "theorem None: expected an id of lower-case letters"),
        ("THEOREMS = [GOOD, GOOD]", "theorem 'mine': defined 2 times; give each theorem its own id"),
        ("THEOREM = replace(GOOD, task='riddle')", "task: expected reversal or chain-of-thought, found 'riddle'"),
        ("THEOREM = replace(GOOD, title='')", "title: expected words, found str ''"),
        ("THEOREM = replace(GOOD, statement='\\frac')", "statement: '\\x0crac' has control characters; write LaTeX"),
        ("THEOREM = replace(GOOD, assumptions=GOOD.conclusion)", "assumptions: expected a tuple of Assumption, found"),
        ("THEOREM = replace(GOOD, links=[1])", "links: expected a tuple of Link, found list [1]"),
        ("THEOREM = replace(GOOD, assumptions=GOOD.assumptions * 2)", "assumptions: two have the id 'room'"),
        ("THEOREM = replace(GOOD, conclusion=None)", "conclusion: expected Conclusion, found NoneType None"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(tmp_path: Path, code: str, said: str) -> None:
    """A file that is no theorem is refused with its name, the place or the field, what was expected and what came."""
    message = refused(tmp_path, code, "theorem-1", "all")
    assert message.startswith("own.py")
    assert said in message


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    """Three wrong fields of two theorems give three lines."""
    code = "THEOREMS = [replace(GOOD, id='X', task='y'), replace(GOOD, title=7)]"
    assert len(refused(tmp_path, code).splitlines()) == 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere.py", "no such file"),
        ("folder", "found a folder or device"),
        ("own.txt", "a Python file (.py), found .txt"),
    ],
)
def test_what_is_no_python_file(tmp_path: Path, name: str, said: str) -> None:
    """A path that leads nowhere, to a folder or to another kind of file is refused by name."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "own.txt").write_text(HEAD)
    with pytest.raises(UserTheoremError) as caught:
        load_theorems(tmp_path / name, ())
    assert str(caught.value).startswith(f"--from {tmp_path / name}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("assumptions=(Assumption('big', 'x', {}),)", "assumption big"),
        ("conclusion=Conclusion('x', lambda s: {}(s))", "conclusion"),
        ("certificate={}", "certificate"),
        ("links=(Link('one', 'x', 'x', {}),)", "link one"),
        ("assumptions=FAILS, remains={}", "remains"),
    ],
)
def test_an_exception_names_theorem_check_and_line(tmp_path: Path, part: str, what: str) -> None:
    """Whatever check raises, the message has the file, the theorem, the check, the line, the type and the words."""
    code = f"THEOREM = replace(GOOD, {part.format('raising(KeyError(chr(120)))')})"
    assert blamed(tmp_path, code) == f"own.py: theorem mine: {what} (line {RAISING}): KeyError: 'x'"
    assert "SystemExit: 4" in blamed(tmp_path, code.replace("KeyError(chr(120))", "SystemExit(4)"))
    with pytest.raises(KeyboardInterrupt):  # Ctrl-C is no mistake of the file's
        run(load(tmp_path, code.replace("KeyError(chr(120))", "KeyboardInterrupt()"))[0])


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("conclusion=Conclusion('x', lambda s: True)", "expected a theory.theorem.Outcome, returned bool True"),
        ("conclusion=Conclusion('x', lambda s: Outcome('yes', 'numerical'))", "verdict: expected one of holds, fails"),
        ("conclusion=Conclusion('x', lambda s: Outcome('holds', 'sure'))", "evidence: expected one of symbolic"),
        ("conclusion=Conclusion('x', lambda s: Outcome('holds', 'numerical', '3'))", "measured: expected a number"),
        ("conclusion=Conclusion('x', lambda s: Outcome('holds', 'numerical', True))", "measured: expected a number"),
        ("conclusion=Conclusion('x', lambda s: Outcome('holds', 'numerical', detail=3))", "detail: expected words"),
        ("certificate=lambda s: Certificate(constants={'k': [1]})", "constant k: expected a number, returned list [1]"),
        ("certificate=lambda s: Certificate(constants=3)", "constants: expected a dict, returned int 3"),
        ("assumptions=finding('fails', 'x', 'x', rows='12')", "rows: expected a tuple"),
        ("assumptions=finding('fails', 'x', 'x', rows=['1'])", "row 0: expected a num"),
        ("assumptions=FAILS, remains=lambda s: 5", "list of theory"),
        ("assumptions=FAILS, remains=lambda s: [5]", "theory.claim"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_caught_where_it_is_made(tmp_path: Path, part: str, said: str) -> None:
    """A check that returns the wrong type, an unknown word or no number is refused with what was expected."""
    message = blamed(tmp_path, f"THEOREM = replace(GOOD, {part})")
    assert message.startswith("own.py: theorem mine: ")
    assert said in message


def test_what_cannot_be_measured_is_an_open_question(tmp_path: Path) -> None:
    """NotMeasured in any check leaves that part undecided or empty, with its reason."""
    unmeasured = "raising(NotMeasured('too large'))"
    code = (
        f"THEOREM = replace(GOOD, assumptions=(Assumption('a', 'x', {unmeasured}),), certificate={unmeasured}, "
        f"conclusion=Conclusion('x', {unmeasured}), links=(Link('l', 'x', 'x', {unmeasured}),))"
    )
    checked = run(load(tmp_path, code)[0])
    assert (checked.verdict, checked.outcome.detail) == ("undecided", "too large")
    assert [(finding.verdict, finding.detail) for _, finding in checked.findings] == [("undecided", "too large")]
    assert [(proof.verdict, proof.detail) for _, proof in checked.links] == [("undecided", "too large")]
    assert dict(checked.certificate.constants) == {}
    assert run(load(tmp_path, f"THEOREM = replace(GOOD, assumptions=FAILS, remains={unmeasured})")[0]).remains == ()

"""The README shows what works: its Python runs, its commands parse, its picture is there."""

import re
import shlex
import sys
from pathlib import Path

import pytest

import validation.experiments.result
import validation.experiments.run
import validation.remedies.run
import validation.sweep.run
import validation.verify
from theory.theorem import Theorem
from validation.cli import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


class _ReachedError(Exception):
    """Raised in place of the work, once the options have been accepted."""


@pytest.mark.parametrize(
    "block", re.findall(r"```python\n(.*?)```", README, re.DOTALL), ids=["verify", "flow", "proof"]
)
def test_python_of_the_readme_runs(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every Python block runs as it stands; the verification holds, the flow learns one way and not the other."""
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    if "result" in names:
        assert names["result"].verdict == "holds"  # type: ignore[attr-defined]
        assert "interpolation-law holds symbolic" in printed
        assert names["checked"].verdict == "holds"  # type: ignore[attr-defined]
    elif "proof" in names:
        assert names["proof"].evidence == "certified"  # type: ignore[attr-defined]
        assert printed.startswith("-z + exp(z) - 1 >= 0")
    else:
        loss, reverse, error = map(float, printed.split())
        assert loss < 1e-3 < 1 < reverse
        assert error < 1e-3


@pytest.mark.parametrize("command", re.findall(r"^    \.venv/bin/(reversal .*)$", README, re.MULTILINE))
def test_commands_of_the_readme_are_accepted(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every command line of the README gets as far as the work itself."""

    def reached(*_: object, **__: object) -> None:
        raise _ReachedError

    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "facts.csv").write_text("subject,relation,object\na,b,c\n")
    monkeypatch.setattr(validation.verify, "check_twins", reached)
    monkeypatch.setattr(Theorem, "check", reached)
    for work in (validation.experiments.run, validation.remedies.run, validation.sweep.run):
        monkeypatch.setattr(work, "run", reached)
    monkeypatch.setattr(validation.experiments.result, "read_run", lambda folder: None)
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as left:
        main()
    # our own exception, raised inside the work; deriving alone has nothing to stop at
    assert left.value.code == (0 if "derive" in command else 3)


def test_picture_and_schema_of_the_readme_exist() -> None:
    """Every local link of the README leads somewhere."""
    for target in re.findall(r"\]\(([^)h][^)]*)\)", README):
        assert (ROOT / target).exists(), target

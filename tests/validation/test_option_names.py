"""Options that messages name: each exists on the command that says it."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from validation.check_settings import CheckSettings
from validation.cli import app
from validation.experiments.settings import TrainSettings
from validation.remedies.settings import RemedySettings
from validation.settings import SettingsError, VerifySettings

ROOT = Path(__file__).resolve().parent.parent.parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
COMMANDS = {
    name: {spelt for parameter in command.params for spelt in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
}
EVERY = set(COMMANDS)
# Which commands can say what stands in a package or module; of several places the last that fits.
SAID_BY: dict[str, set[str]] = {
    "theory": EVERY,
    "numerics": EVERY,
    "validation": EVERY,
    "validation/commands/check.py": {"check"},
    "validation/commands/train.py": {"train"},
    "validation/commands/sweep.py": {"sweep"},
    "validation/commands/remedies.py": {"remedies"},
    "validation/commands/report.py": {"report"},
    "validation/commands/verify.py": {"verify"},
    "validation/check": {"check", "report"},
    "validation/experiments": {"train", "report"},
    "validation/remedies": {"remedies", "report"},
    "validation/report": {"report", "train"},
    "validation/sweep": {"sweep"},
    "validation/verify.py": {"verify", "report", "remedies", "check"},
}
# Options of other programs, of `dask worker` and Chromium; those of a sweep's own kind become keys of its file.
OTHERS = {
    "validation/commands/sweep.py": {"--memory-limit"},
    "validation/sweep/cluster.py": {"--nthreads"},
    "validation/sweep/separation.py": {"--held-out", "--vocabulary", "--dimension"},
    "validation/report/pdf.py": None,
}


def named_options(path: Path) -> Iterator[tuple[int, str]]:
    """Every option in a string of a module that is no docstring, with its line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and isinstance(node.body[0], ast.Expr)
        and not any("reversal " in line for line in (ast.get_docstring(node) or "").splitlines())
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from ((node.lineno, name) for name in OPTION.findall(node.value) if not name.endswith("-"))


def test_every_option_that_is_named_exists() -> None:
    """A message or example names no option that none of the commands that can print it has."""
    wrong = []
    for package in ("theory", "numerics", "validation"):
        for path in sorted((ROOT / package).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            commands = [said for prefix, said in SAID_BY.items() if place.startswith(prefix)][-1]
            known = set().union(*(COMMANDS[name] for name in commands))
            others = OTHERS.get(place, set())
            if others is not None:
                wrong += [f"{place}:{n}: {name}" for n, name in named_options(path) if name not in known | others]
    assert not wrong, "\n".join(wrong)


SETTINGS: dict[str, tuple[type, Callable[..., object]]] = {
    "verify": (VerifySettings, VerifySettings.checked),
    "check": (CheckSettings, CheckSettings.checked),
    "train": (TrainSettings, lambda **given: TrainSettings.checked(None, None, **given)),
    "remedies": (RemedySettings, RemedySettings.checked),
}


@pytest.mark.parametrize("command", SETTINGS)
def test_every_setting_is_refused_by_the_name_it_has(command: str) -> None:
    """A value that is none of a setting's type is refused by an option of the command, or as the argument FACTS."""
    model, checked = SETTINGS[command]
    for field, info in model.model_fields.items():  # type: ignore[attr-defined]
        with pytest.raises(SettingsError) as refused:
            checked(**{info.alias or field: object()})
        named = str(refused.value).split(maxsplit=1)[0].rstrip(":")
        assert named == "FACTS" if field == "facts" else named in COMMANDS[command], named

"""The wheel works by itself: built, installed elsewhere, and run from another folder."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.program("git")  # which says what belongs to the checkout

ROOT = Path(__file__).resolve().parent.parent
QUICK = ["verify", "--pairs", "2", "--model", "transformer", "--seeds", "1", "--time", "30", "--json"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy so that no build folder is left behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in tracked.stdout.splitlines():
        if name.startswith(
            ("theory/", "numerics/", "validation/", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
        ):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def check_run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """The command verifies a small task and says that it holds, outside any checkout."""
    answer = subprocess.run(command + QUICK, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert document["verdict"] == "holds"
    assert document["provenance"]["commit"] is None


def test_wheel_runs_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    """Unpacked beside the installed libraries, the wheel holds all that `reversal` needs."""
    target, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    check_run([sys.executable, "-m", "validation.cli"], elsewhere, {**os.environ, "PYTHONPATH": str(target)})


@pytest.mark.slow
def test_wheel_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    """A new virtual environment, the wheel and its pinned dependencies: the console command works."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env/bin/python"
    constraints = ROOT / "constraints.txt"
    command = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(constraints), str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    check_run([str(tmp_path / "env/bin/reversal")], elsewhere, environment)

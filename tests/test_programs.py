"""Tests that start programs of the system: none is left out silently, and `.ci/run` brings what they need."""

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parent.parent
TESTS = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "validation").rglob("test_*.py")]
EXAMPLE = """
    import pytest

    @pytest.mark.program("no-such-program", "sh")
    def test_one(): ...

    @pytest.mark.program("no-such-program")
    def test_two(): ...

    @pytest.mark.program("sh")
    def test_there(): ...

    def test_another():
        pytest.skip("no such disk")
"""


@pytest.fixture
def example(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with tests of which one finds its program, two do not, and one is left out otherwise."""
    pytester.makeconftest((ROOT / "conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers =\n    program: what it starts\n")
    pytester.makepyfile(EXAMPLE)
    return pytester


def test_the_end_of_a_run_names_what_was_left_out(example: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing program leaves out the tests that name it and no other; the last lines say why and how many."""
    monkeypatch.delenv("REQUIRE_PROGRAMS", raising=False)
    found = example.runpytest_inprocess("-q", "-p", "no:cacheprovider")
    found.assert_outcomes(passed=1, skipped=3)
    found.stdout.fnmatch_lines(["1 test left out: no such disk", "2 tests left out: not installed: no-such-program"])
    assert found.ret == 0


def test_a_test_left_out_fails_where_programs_are_required(
    example: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With REQUIRE_PROGRAMS=1 every test that is left out is a failure, and the message says what is missing."""
    monkeypatch.setenv("REQUIRE_PROGRAMS", "1")
    found = example.runpytest_inprocess("-q", "-p", "no:cacheprovider")
    found.assert_outcomes(passed=1, failed=1, errors=2)
    found.stdout.fnmatch_lines(["*test_one was left out, and REQUIRE_PROGRAMS is set: not installed: no-such-program"])
    assert found.ret == 1


def programs_of(file: Path) -> set[str]:
    """What the markers `program` of a file of tests name."""
    calls = (n for n in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(n, ast.Call))
    return {
        ast.literal_eval(name)
        for call in calls
        if ast.unparse(call.func) == "pytest.mark.program"
        for name in call.args
    }


# -- .ci/run --
@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs, `.ci/run` beside it; its `make` and `apt-get` write down how they were called."""
    path = tmp_path / "bin"
    path.mkdir()
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    for name in ("bash", "dirname"):
        (path / name).symlink_to(shutil.which(name) or "")
    called = tmp_path / "called"
    called.touch()
    provide(path, "make", f'echo "REQUIRE_PROGRAMS=$REQUIRE_PROGRAMS make $*" >>{called}')
    provide(path, "apt-get", f'echo "apt-get $*" >>{called}')
    return path


def provide(path: Path, name: str, script: str = ":") -> None:
    """Put a program into a folder."""
    (path / name).write_text(f"#!{shutil.which('bash')}\n{script}\n", encoding="utf-8")
    (path / name).chmod(0o755)


def run_ci(machine: Path, user: int = 0) -> tuple[int, list[str], str]:
    """Exit code, calls and errors of `.ci/run` on a machine with these programs alone, for a user of that number."""
    provide(machine, "id", f"echo {user}")
    done = subprocess.run(
        [machine / "bash", machine.parent / ".ci/run"],
        env={"PATH": str(machine)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, (machine.parent / "called").read_text(encoding="utf-8").splitlines(), done.stderr


def test_ci_installs_what_is_missing(machine: Path) -> None:
    """Lists are fetched first, one call installs every missing package without what it recommends, then tests run."""
    provide(machine, "git")
    provide(machine, "latexmk")
    code, (update, install, tests), err = run_ci(machine)
    assert (code, err) == (0, "")
    assert "update" in update.split()
    assert {"install", "--no-install-recommends", "--yes", "chromium", "chromium-driver"} <= set(install.split())
    assert {"git", "latexmk"}.isdisjoint(install.split())
    assert tests == "REQUIRE_PROGRAMS=1 make test"


def test_ci_installs_what_the_tests_name(machine: Path) -> None:
    """On a machine with every program that a test names, `.ci/run` installs nothing: without any of them, something."""
    named = set[str]().union(*(programs_of(file) for file in TESTS if file.name != Path(__file__).name))
    assert named >= {"chromium", "chromedriver", "latexmk", "pdflatex", "booktabs.sty"}
    styles = " ".join(name for name in named if name.endswith(".sty"))
    for name in named:
        if not name.endswith(".sty"):
            provide(machine, name)
    assert "install" in " ".join(run_ci(machine)[1])  # the styles
    (machine.parent / "called").write_text("", encoding="utf-8")
    provide(machine, "kpsewhich", f'[[ " {styles} " == *" $1 "* ]]')
    assert run_ci(machine)[:2] == (0, ["REQUIRE_PROGRAMS=1 make test"])
    for name in named:
        (machine.parent / "called").write_text("", encoding="utf-8")
        if name.endswith(".sty"):
            provide(machine, "kpsewhich", f'[[ " {styles.replace(name, "")} " == *" $1 "* ]]')
            assert len(run_ci(machine)[1]) == 3, name
            provide(machine, "kpsewhich", f'[[ " {styles} " == *" $1 "* ]]')
        else:
            (machine / name).unlink()
            assert len(run_ci(machine)[1]) == 3, name
            provide(machine, name)


@pytest.mark.parametrize("user", [0, 1000])
def test_ci_says_what_it_cannot_install(machine: Path, user: int) -> None:
    """Without apt-get, or not as root, one message names what is missing, and no test runs."""
    if user == 0:
        (machine / "apt-get").unlink()
    code, called, err = run_ci(machine, user)
    assert (code, called) == (2, [])
    assert err.startswith("missing: chromium chromedriver git latexmk pdflatex")
    assert "run this as root on Debian" in err
    assert "chromium-driver" in err

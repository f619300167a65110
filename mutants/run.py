"""Runs mutants, each in a copy of the tree, against the tests that import its module, until one turns red."""

import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

from mutants.mutant import ROOT, DoesNotApply, Mutant, importers

COPIED = ("theory", "numerics", "validation", "tests", "benchmarks", "docs", "examples")
SECONDS = 600  # for the tests of one mutant: a change that hangs them is no red test
OUTSIDE = 90  # exit code of a child that found the project elsewhere than in its tree

# Children are forked from a process that has loaded the libraries, which takes longer than most tests; of the project
# it has loaded nothing.
SERVER = multiprocessing.get_context("forkserver")
LIBRARIES = ["numpy", "scipy.linalg", "scipy.special", "scipy.stats", "sympy", "flint", "hypothesis", "pytest", "torch"]
SERVER.set_forkserver_preload(LIBRARIES)

Fate = Literal["killed", "survived", "broken"]


@dataclass(frozen=True)
class Result:
    """What became of a mutant: `killed` by the test in `detail`, `survived` its tests, `broken` for the reason there.

    Broken are mutants that do not apply, whose module no test imports, or whose tests could not be run to an end.
    """

    mutant: Mutant
    fate: Fate
    detail: str
    seconds: float


@contextmanager
def copied_tree(root: Path = ROOT) -> Iterator[Path]:
    """A copy of what tests need, without compiled files."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder)
        for name in COPIED:
            if (root / name).is_dir():
                shutil.copytree(root / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        for file in root.iterdir():
            if file.is_file() and not file.name.startswith(".git"):
                shutil.copy(file, tree / file.name)
        yield tree


def pytest(tree: Path, files: Sequence[str]) -> tuple[int | None, str]:
    """Exit code (None: too slow) and output of pytest on some files of a tree, ended by the first failure."""
    output = tree / "output.txt"
    child = SERVER.Process(target=_in_child, args=(str(tree), list(files), str(output)))
    child.start()
    child.join(SECONDS)
    if child.is_alive():
        child.kill()
        child.join()
        return None, f"no end after {SECONDS} s"
    return child.exitcode, output.read_text(encoding="utf-8", errors="replace")


def _in_child(tree: str, files: list[str], output: str) -> None:
    """Run pytest in this process, which has loaded libraries alone, with the tree as the place of the project."""
    # nothing compiled is kept: a file that changes twice within a second would be read from the older one
    sys.dont_write_bytecode = True
    os.environ |= {"PYTHONPATH": tree, "PYTHONDONTWRITEBYTECODE": "1"}
    os.chdir(tree)
    sys.path[:] = [tree, *(place for place in sys.path if Path(place or ".").resolve() != ROOT)]
    with open(output, "w", encoding="utf-8") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        import pytest

        import theory

        if not Path(theory.__file__).is_relative_to(Path(tree).resolve()):
            print(f"the project was read from {theory.__file__}, not from the copy {tree}")
            os._exit(OUTSIDE)
        loaded = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"  # the plugin of hypothesis
        code = pytest.main(["-x", "-q", "--tb=line", "-W", loaded, *files])
        sys.stdout.flush()
        os._exit(int(code))


def try_out(mutant: Mutant, tree: Path) -> Result:
    """Apply the mutant to the tree, run its tests, and put the tree back as it was."""
    began = time.monotonic()

    def result(fate: Fate, detail: str) -> Result:
        return Result(mutant, fate, detail, time.monotonic() - began)

    files = mutant.tests or importers(mutant.module, tree)
    if not files:
        return result("broken", f"no test imports {mutant.module}")
    file = tree / mutant.path
    source = file.read_text(encoding="utf-8")
    try:
        file.write_text(mutant.applied_to(source), encoding="utf-8")
        code, output = pytest(tree, files)
    except DoesNotApply as reason:
        return result("broken", str(reason))
    finally:
        file.write_text(source, encoding="utf-8")
    if code == 0:
        return result("survived", ", ".join(files))
    failed = re.search(r"^FAILED (.+?)(?: - .*)?$", output, re.MULTILINE)
    if code == 1 and failed:
        return result("killed", failed[1])
    return result("broken", f"pytest ended with {code}: {output.strip()[-400:]}")


def run_all(chosen: Sequence[Mutant], jobs: int, hear: Callable[[Result], None]) -> list[Result]:
    """The fate of every mutant; `hear` gets each as it is known. Each of `jobs` workers has a tree of its own."""
    trees: SimpleQueue[Path] = SimpleQueue()

    def one(mutant: Mutant) -> Result:
        tree = trees.get()
        try:
            return try_out(mutant, tree)
        finally:
            trees.put(tree)

    found = []
    with ThreadPoolExecutor(jobs) as pool:
        opened = [copied_tree() for _ in range(jobs)]
        try:
            for tree in opened:
                trees.put(tree.__enter__())
            for waiting in as_completed([pool.submit(one, mutant) for mutant in chosen]):
                found.append(waiting.result())
                hear(found[-1])
        finally:
            for tree in opened:
                tree.__exit__(None, None, None)
    return found


def green(chosen: Sequence[Mutant]) -> str:
    """Empty where the tests of all mutants pass without any change, else what pytest said: red tests kill nothing."""
    files = sorted({file for mutant in chosen for file in mutant.tests or importers(mutant.module)})
    with copied_tree() as tree:
        code, output = pytest(tree, files)
    return "" if code == 0 else output.strip()[-2000:]

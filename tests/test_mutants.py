"""The list of mutants is alive: each applies, each has tests that reach its module, the runner tells fates apart."""

import ast
from functools import cache
from pathlib import Path

import pytest

from mutants import run
from mutants.listed import MUTANTS
from mutants.mutant import ROOT, DoesNotApply, Mutant, imported_by, importers, span_of

PACKAGES = ("theory", "numerics", "validation")


@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{m.module}.{m.symbol}-{k}" for k, m in enumerate(MUTANTS)])
def test_every_mutant_still_applies(mutant: Mutant) -> None:
    """Its old text stands once in its symbol, and the changed module is still Python, but another one."""
    source = (ROOT / mutant.path).read_text(encoding="utf-8")
    changed = mutant.applied_to(source)
    assert changed != source
    ast.parse(changed)
    assert mutant.why


@cache
def reached(file: Path) -> frozenset[str]:
    """The project's modules that a file imports, and those that they import, and so on."""
    found: set[str] = set()
    waiting = [file]
    while waiting:
        for name in imported_by(waiting.pop()) - found:
            path = ROOT / (name.replace(".", "/") + ".py")
            if name.split(".")[0] in PACKAGES and path.is_file():
                found.add(name)
                waiting.append(path)
    return frozenset(found)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{m.module}.{m.symbol}-{k}" for k, m in enumerate(MUTANTS)])
def test_every_mutant_has_tests_that_import_its_module(mutant: Mutant) -> None:
    """The tests that it names are there and reach the module; without names some test imports it directly."""
    files = mutant.tests or importers(mutant.module, ROOT)
    assert files
    for test in files:
        file, _, name = test.partition("::")
        assert (ROOT / file).is_file(), file
        assert mutant.module in reached(ROOT / file), file
        assert not name or span_of((ROOT / file).read_text(encoding="utf-8"), name)


def test_there_are_enough_of_them() -> None:
    """At least forty, no two of them the same."""
    assert len(MUTANTS) == len({(m.module, m.symbol, m.old, m.new) for m in MUTANTS}) >= 40


SOURCE = """
TWICE, HALF = 2, 0.5


class Sum:
    def of(self, x):
        return x + x


def twice(x):
    return 2 * x
"""


def test_a_symbol_is_a_function_a_method_a_class_or_a_constant() -> None:
    """Its source is found by name, also where several constants are assigned at once."""
    for symbol, expected in (
        ("TWICE", "TWICE, HALF = 2, 0.5\n"),
        ("HALF", "TWICE, HALF = 2, 0.5\n"),
        ("Sum.of", "    def of(self, x):\n        return x + x\n"),
        ("twice", "def twice(x):\n    return 2 * x\n"),
    ):
        start, end = span_of(SOURCE, symbol)
        assert SOURCE[start:end] == expected


@pytest.mark.parametrize(
    ("symbol", "old", "said"),
    [
        ("twice", "3 * x", "found it 0 times"),
        ("Sum.of", "x", "found it 3 times"),
        ("Sum.twice", "x", "expected one definition of twice, found 0"),
    ],
)
def test_what_does_not_apply_is_said(symbol: str, old: str, said: str) -> None:
    """Text that is not there, or more than once, and symbols that are not there are refused with what was found."""
    with pytest.raises(DoesNotApply, match=said):
        Mutant("theory.none", symbol, old, "y", "why").applied_to(SOURCE)


@pytest.mark.parametrize(
    ("ended", "fate", "said"),
    [
        ((0, "3 passed"), "survived", "tests/theory/test_tail_constants.py"),
        ((1, "FAILED tests/a.py::test_b[c d] - assert 1 == 2\n1 failed"), "killed", "tests/a.py::test_b[c d]"),
        ((1, "an error of pytest itself"), "broken", "pytest ended with 1"),
        ((2, "ERROR collecting"), "broken", "pytest ended with 2"),
        ((None, "no end after 600 s"), "broken", "no end after 600 s"),
    ],
)
def test_the_fate_of_a_mutant(
    ended: tuple[int | None, str], fate: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed by a failing test alone; what passes survives, what cannot be run is broken; the tree is as before."""
    mutant = next(m for m in MUTANTS if m.module == "theory.tails")
    file = tmp_path / mutant.path
    file.parent.mkdir()
    source = (ROOT / mutant.path).read_text(encoding="utf-8")
    file.write_text(source, encoding="utf-8")
    seen = []

    def pytest_of(tree: Path, files: tuple[str, ...]) -> tuple[int | None, str]:
        seen.append(file.read_text(encoding="utf-8"))
        return ended

    monkeypatch.setattr(run, "pytest", pytest_of)
    result = run.try_out(mutant, tmp_path)
    assert (result.fate, said in result.detail) == (fate, True)
    assert seen == [mutant.applied_to(source)]
    assert file.read_text(encoding="utf-8") == source

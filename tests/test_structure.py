"""The way of the data: theory -> numerics -> validation, torch only at the end, nothing of a user's file evaluated."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RANK = {"theory": 0, "numerics": 1, "validation": 2}
FILES = [f for package in RANK for f in sorted((ROOT / package).rglob("*.py"))]


def imported(tree: ast.AST) -> set[str]:
    """Top-level names of every import, wherever it stands."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_point_one_way(file: Path) -> None:
    """A file imports only packages that come before its own, and torch only in validation."""
    package = file.relative_to(ROOT).parts[0]
    names = imported(ast.parse(file.read_text(encoding="utf-8")))
    assert {n for n in names if RANK.get(n, -1) > RANK[package]} == set()
    assert package == "validation" or "torch" not in names
    assert package != "theory" or "scipy" not in names or file.name in ("task.py", "lowering.py")


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_every_proof_is_checked_twice(file: Path) -> None:
    """No file takes the bare prover but `theory/checked_proof.py`, which asks the second checker too."""
    taken = {
        name.name
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
        if isinstance(node, ast.Import) or node.module == "theory.proof"
    }
    assert file.name == "checked_proof.py" or not taken & {"prove", "theory.proof"}


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_nothing_is_evaluated(file: Path) -> None:
    """No file calls eval, exec, sympify, parse_expr or pickle, so that no name in a fact file can run."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    called = {ast.unparse(n.func).split(".")[-1] for n in ast.walk(tree) if isinstance(n, ast.Call)}
    assert called & {"eval", "exec", "sympify", "parse_expr"} == set()
    assert "pickle" not in imported(tree)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_every_public_name_is_documented(file: Path) -> None:
    """Modules, public classes and public functions say what they are."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    undocumented = [] if ast.get_docstring(tree) else ["the module"]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith(("_", "test_")):
            documented = ast.get_docstring(node) or (file.name.startswith("test_") or file.name == "test_flow.py")
            undocumented += [] if documented else [node.name]
    assert undocumented == []

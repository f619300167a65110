"""A mutant: one exact piece of text inside one named symbol of a module, replaced by another that makes it unsound."""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class DoesNotApply(Exception):
    """The old text does not stand exactly once in the symbol's source; the message says what was found."""


@dataclass(frozen=True)
class Mutant:
    """The text `old` in the source of `symbol` (a function, method, class or constant of `module`) becomes `new`.

    `why` says what is unsound then. `tests` are the test files, or tests in them, that are run, of those that import
    the module; where there are none, all that do (`importers`).
    """

    module: str
    symbol: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The module's file, relative to the root."""
        return self.module.replace(".", "/") + ".py"

    @property
    def name(self) -> str:
        """Module, symbol and what is changed, in one line."""
        return f"{self.module}.{self.symbol}: {' '.join(self.old.split())} -> {' '.join(self.new.split())}"

    def applied_to(self, source: str) -> str:
        """The module's source with the change. Raises DoesNotApply."""
        start, end = span_of(source, self.symbol)
        inside = source[start:end]
        if inside.count(self.old) != 1:
            raise DoesNotApply(
                f"{self.name}: expected the old text once in the source of {self.symbol}, found it "
                f"{inside.count(self.old)} times; write down what stands there now"
            )
        return source[:start] + inside.replace(self.old, self.new) + source[end:]


def span_of(source: str, symbol: str) -> tuple[int, int]:
    """Where the definition of a dotted symbol begins and ends, in characters. Raises DoesNotApply if it has none."""
    body: list[ast.stmt] = ast.parse(source).body
    for part in symbol.split("."):
        found = [node for node in body if part in _names(node)]
        if len(found) != 1:
            raise DoesNotApply(f"{symbol}: expected one definition of {part}, found {len(found)}")
        node = found[0]
        body = getattr(node, "body", [])
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    assert node.end_lineno is not None
    return starts[node.lineno - 1], starts[node.end_lineno]


def _names(node: ast.stmt) -> list[str]:
    """What a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    pairs = [t.elts if isinstance(t, ast.Tuple) else [t] for t in targets]
    return [name.id for pair in pairs for name in pair if isinstance(name, ast.Name)]


def importers(module: str, root: Path = ROOT) -> tuple[str, ...]:
    """Every test file that imports the module directly, relative to the root."""
    files = sorted([*(root / "tests").rglob("test_*.py"), *(root / "validation").rglob("test_*.py")])
    return tuple(str(file.relative_to(root)) for file in files if module in imported_by(file))


def imported_by(file: Path) -> set[str]:
    """The modules that a file names in its imports; of `from a import b` both a and a.b, for b may be a module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found

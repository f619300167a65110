"""What every message of the project has in common, read from the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
COUNTED = [
    "answer",
    "box",
    "cell",
    "chain",
    "choice",
    "claim",
    "context",
    "cut",
    "draw",
    "entity",
    "epoch",
    "fact",
    "instance",
    "iteration",
    "layer",
    "link",
    "pair",
    "point",
    "query",
    "question",
    "row",
    "run",
    "seed",
    "sentence",
    "step",
    "target",
    "theorem",
    "time",
    "token",
    "visit",
    "worker",
]
PLURAL = {"box": "boxes", "entity": "entities", "query": "queries"}
# A noun in the plural right behind a number, perhaps with a word or two between: `{n} trained pairs`.
BEHIND = re.compile(rf" (?:[a-z-]+ ){{0,2}}?(?:{'|'.join(PLURAL.get(noun, f'{noun}s') for noun in COUNTED)})\b")

# Numbers before a plural that are never one, with the reason.
NEVER_ONE = {
    "theory/facts.py": {"count"},  # above millions
    "theory/statement.py": {"draws"},  # constants
    "theory/task.py": {"used"},  # two relation tokens at least
    "theory/theorems/assumptions.py": {"most", "ratio"},  # several targets, several answers; no even shares
    "theory/theorems/separation.py": {"certified.dimension / dimension"},  # how many times as large
    "numerics/picture.py": {"self.seeds"},  # said of several only
    "numerics/started_rows.py": {"NEWTON_STEPS"},
    "validation/compare.py": {"slope"},  # an order
    "validation/user_theorem.py": {"ids.count(id)"},  # defined again
    "validation/replay.py": {"expansion"},  # a factor
    "validation/verify.py": {"BOUND_PAIRS"},
    "validation/fact_file.py": {"len(header)"},  # three columns at least
    "validation/prediction.py": {"integrated"},  # of several targets: of each row
    "validation/loss_picture.py": {"seeds"},  # said of several only
    "validation/measurements.py": {"MOST_EIGENVALUES", "task.vocabulary_size"},
    "validation/optimizer_law.py": {"len(found.record)"},  # `of the steps`
    "validation/remedies/schedule.py": {"steps"},  # above a million
    "validation/remedies/present.py": {"seeds"},  # said of several only
    "validation/report/document.py": {"len(self.columns)"},  # an error of ours
    "validation/report/evidence.py": {"task.vocabulary_size"},
    "validation/report/runs.py": {"name"},  # a word, not a number
    "validation/report/figures.py": {"self.seeds"},  # said of several only
    "validation/report/build.py": {"task.vocabulary_size"},
    "validation/sweep/design.py": {"size", "count"},  # above the limit; several points
    "validation/sweep/separation.py": {"smallest"},  # four tokens at least
    "validation/experiments/corpora.py": {"count", "used"},  # more than fit, and relation tokens
    "validation/experiments/claims.py": {"condition.vocabulary"},
    "validation/experiments/run.py": {"sentences"},  # above the memory
}


def sources() -> Iterator[Path]:
    """Every module of the project but its tests."""
    for package in ("theory", "numerics", "validation"):
        yield from (path for path in (ROOT / package).rglob("*.py") if not path.name.startswith("test_"))


def counts(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, number and the words behind it, where an f-string prints a number before a plural."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        before = ""
        for part, after in zip(node.values, node.values[1:], strict=False):
            of_whole = before.endswith((" of ", "of the ", " than ", " than the "))
            before = str(part.value) if isinstance(part, ast.Constant) else ""
            if not isinstance(part, ast.FormattedValue) or not isinstance(after, ast.Constant) or of_whole:
                continue
            if ast.unparse(part.value).startswith("count_of("):
                continue
            if match := BEHIND.match(str(after.value)):
                yield part.lineno, ast.unparse(part.value), match[0].strip()


def test_no_message_counts_one_in_the_plural() -> None:
    """A number that may be one is printed with its noun by `count_of`, never before a noun in the plural."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {{{number}}} {words}"
        for path in sources()
        for line, number, words in counts(path)
        if number not in NEVER_ONE.get(path.relative_to(ROOT).as_posix(), ())
    ]
    assert not found, "\n".join(found)

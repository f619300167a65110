"""A user's own theorems: a Python file is run as code, and what is wrong with it is said in the user's terms.

The file defines `THEOREM`, a `theory.theorem.Theorem`, or `THEOREMS`, a list of them. Its checks are wrapped so that an
exception names the theorem, the check and the line of the file, and so that a wrong return value is caught where it
is made. What the code prints goes to standard error: standard output holds results only.
"""

import importlib.util
import numbers
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from theory.claim import Claim, Evidence, Verdict
from theory.errors import BadInput
from theory.setting import NotMeasured
from theory.theorem import Assumption, Certificate, Conclusion, Finding, Link, LinkProof, Outcome, TaskKind, Theorem

MODULE_NAME = "user_theorem_file"
NUMBERS = ("margin", "measured", "bound", "epsilon", "dimension")
ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class UserTheoremError(BadInput):
    """A theorem file that cannot be used, or one of whose checks went wrong; one line per problem."""


def load_theorems(path: Path, taken: Collection[str]) -> tuple[Theorem, ...]:
    """The theorems of a Python file, their checks wrapped. `taken` are the names that they may not have.

    Raises UserTheoremError with every problem found; the file's code runs, as `python FILE.py` would run it.
    """
    file = str(path)
    if not path.exists():
        raise UserTheoremError(f"--from {file}: no such file; give a Python file that defines THEOREM or THEOREMS")
    if not path.is_file():
        raise UserTheoremError(f"--from {file}: expected a Python file, found a folder or device")
    if path.suffix != ".py":
        raise UserTheoremError(f"--from {file}: expected a Python file (.py), found {path.suffix or 'no suffix'}")
    found = _defined(_module(path), file)
    problems = [f"{file}: {problem}" for problem in _problems(found, taken)]
    if problems:
        raise UserTheoremError("\n".join(problems))
    return tuple(_wrapped(theorem, file) for theorem in found)


def _module(path: Path) -> ModuleType:
    """The module that the file defines; files beside it can be imported, as when Python runs it."""
    spec = importlib.util.spec_from_file_location(MODULE_NAME, path.absolute())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE_NAME] = module  # where dataclasses of the file look for their own module
    sys.path.append(str(path.absolute().parent))  # last, so that no file there hides an installed library
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the user's folder stays as it is
    try:
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except SyntaxError as error:
        where = path if error.filename in (None, str(path.absolute())) else error.filename
        raise UserTheoremError(f"{where} line {error.lineno}: syntax error: {error.msg}") from None
    except (Exception, SystemExit) as error:
        raise UserTheoremError(f"{_place(error, path)}: {_said(error)}, while the file was loaded") from None
    finally:
        sys.dont_write_bytecode = writes_bytecode
    return module


def _defined(module: ModuleType, file: str) -> tuple[Theorem, ...]:
    """What the file calls THEOREM or THEOREMS, as a tuple of theorems."""
    names = [name for name in ("THEOREM", "THEOREMS") if hasattr(module, name)]
    if len(names) != 1:
        found = "both" if names else "neither"
        raise UserTheoremError(
            f"{file}: expected THEOREM (a theory.theorem.Theorem) or THEOREMS (a list of them), found {found}; "
            "define exactly one of the two"
        )
    value = getattr(module, names[0])
    if names[0] == "THEOREM":
        value = (value,)
    if not isinstance(value, list | tuple) or not value:
        raise UserTheoremError(f"{file}: THEOREMS: expected a list of at least one theorem, found {_kind(value)}")
    wrong = [item for item in value if not isinstance(item, Theorem)]
    if wrong:
        raise UserTheoremError(f"{file}: {names[0]}: expected theory.theorem.Theorem, found {_kind(wrong[0])}")
    return tuple(value)


def _problems(theorems: Sequence[Theorem], taken: Collection[str]) -> Iterator[str]:
    """Everything in which the theorems are not what `reversal check` can run."""
    ids = [theorem.id for theorem in theorems if isinstance(theorem.id, str)]
    yield from (
        f"theorem {id!r}: defined {ids.count(id)} times; give each theorem its own id"
        for id in dict.fromkeys(ids)
        if ids.count(id) > 1
    )
    for theorem in theorems:
        name = f"theorem {theorem.id!r}"
        if not isinstance(theorem.id, str) or not ID.fullmatch(theorem.id):
            yield f"{name}: expected an id of lower-case letters, digits and single hyphens, such as my-theorem"
        elif theorem.id in taken:
            yield f"{name}: that name is taken by a theorem or option of `reversal check`; choose another id"
        for field in ("title", "reference", "statement"):
            yield from (f"{name}: {problem}" for problem in _word_problems(field, getattr(theorem, field)))
        if theorem.task not in get_args(TaskKind):
            yield f"{name}: task: expected {' or '.join(get_args(TaskKind))}, found {theorem.task!r}"
        yield from (f"{name}: {problem}" for problem in _part_problems(theorem))


def _part_problems(theorem: Theorem) -> Iterator[str]:
    """Parts of the wrong type, and parts that share an id."""
    for field, kind in (("assumptions", Assumption), ("links", Link)):
        parts = getattr(theorem, field)
        if not isinstance(parts, list | tuple) or not all(isinstance(part, kind) for part in parts):
            yield f"{field}: expected a tuple of {kind.__name__}, found {_kind(parts)}"
            continue
        for part in parts:
            yield from _word_problems(f"{field}: id", part.id)
            yield from _word_problems(f"{field}: {part.id}: statement", part.statement)
        ids = [part.id for part in parts]
        yield from (f"{field}: two have the id {id!r}" for id in dict.fromkeys(ids) if ids.count(id) > 1)
    if not isinstance(theorem.conclusion, Conclusion):
        yield f"conclusion: expected Conclusion, found {_kind(theorem.conclusion)}"
    else:
        yield from _word_problems("conclusion: statement", theorem.conclusion.statement)


def _word_problems(what: str, value: object) -> Iterator[str]:
    """Words are a line of text; a control character in LaTeX is a backslash that Python took for its own."""
    if not isinstance(value, str) or not value:
        yield f"{what}: expected words, found {_kind(value)}"
    elif not value.isprintable():
        yield f'{what}: {value!r} has control characters; write LaTeX in raw strings, r"..."'


# -- running the user's checks --
def _wrapped(theorem: Theorem, file: str) -> Theorem:
    """The same theorem; its checks say which one went wrong, and a number not to be had is an open question."""

    def guard(what: str, check: Callable[..., Any], result: type | None, unmeasured: Callable[[str], Any]) -> Any:
        def guarded(*arguments: Any) -> Any:
            with _blamed(f"{file}: theorem {theorem.id}: {what}", file):
                try:
                    return _checked(check(*arguments), result)
                except NotMeasured as reason:
                    return unmeasured(str(reason))

        return guarded

    def unknown(reason: str) -> Finding:
        return Finding("undecided", "a measurement", "none", evidence="numerical", detail=reason)

    def unknown_link(reason: str) -> LinkProof:
        return LinkProof("undecided", "numerical", reason)

    def undecided(reason: str) -> Outcome:
        return Outcome("undecided", "numerical", detail=reason)

    conclusion = theorem.conclusion
    return replace(
        theorem,
        assumptions=tuple(
            replace(a, check=guard(f"assumption {a.id}", a.check, Finding, unknown)) for a in theorem.assumptions
        ),
        conclusion=replace(conclusion, check=guard("conclusion", conclusion.check, Outcome, undecided)),
        links=tuple(replace(x, prove=guard(f"link {x.id}", x.prove, LinkProof, unknown_link)) for x in theorem.links),
        certificate=guard("certificate", theorem.certificate, Certificate, lambda reason: Certificate()),
        remains=guard("remains", theorem.remains, None, lambda reason: []),
    )


@contextmanager
def _blamed(where: str, file: str) -> Iterator[None]:
    """An exception of the user's code is bad input, and says where it arose."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:
        line = _line_of(error, Path(file))
        raise UserTheoremError(f"{where}{f' (line {line})' if line else ''}: {_said(error)}") from None


def _checked(found: Any, result: Any) -> Any:
    """What a check returned, if it is what `reversal check` can show; TypeError or ValueError otherwise.

    `result` is the type that is expected, None for a list of claims.
    """
    if result is None:
        if not isinstance(found, list | tuple):
            raise TypeError(f"expected a list of theory.claim.Claim, returned {_kind(found)}")
        return [_checked(item, Claim) for item in found]
    if not isinstance(found, result):
        raise TypeError(f"expected a {result.__module__}.{result.__name__}, returned {_kind(found)}")
    fields = vars(found)
    for name, words in (("verdict", get_args(Verdict)), ("evidence", get_args(Evidence))):
        if name in fields and fields[name] not in words:
            raise ValueError(f"{name}: expected one of {', '.join(words)}, returned {fields[name]!r}")
    for name in fields.keys() & {"required", "found", "detail", "id", "title", "statement", "reference"}:
        if not isinstance(fields[name], str):
            raise TypeError(f"{name}: expected words, returned {_kind(fields[name])}")
    numbers_of = {name: fields[name] for name in NUMBERS if fields.get(name) is not None}
    for name, value in {**numbers_of, **_entries(fields)}.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"{name}: expected a number, returned {_kind(value)}")
    return replace(found, **{name: float(value) for name, value in numbers_of.items()})


def _entries(fields: dict[str, Any]) -> dict[str, Any]:
    """The numbers among rows and constants, named."""
    constants = fields.get("constants", {})
    if not isinstance(constants, Mapping):
        raise TypeError(f"constants: expected a dict, returned {_kind(constants)}")
    found = {f"constant {name}": c for name, c in constants.items() if c is not None and not isinstance(c, str)}
    rows = fields.get("rows", ())
    if not isinstance(rows, list | tuple):
        raise TypeError(f"rows: expected a tuple of row numbers, returned {_kind(rows)}")
    return found | {f"row {k}": row for k, row in enumerate(rows)}


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _place(error: BaseException, path: Path) -> str:
    line = _line_of(error, path)
    return f"{path} line {line}" if line else str(path)


def _line_of(error: BaseException, path: Path) -> int | None:
    """The last line of the user's file through which the exception went."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path.absolute())]
    return lines[-1] if lines else None


def _kind(value: object) -> str:
    """A value as its type, and itself where that is short."""
    shown = repr(value)
    return f"{type(value).__name__} {shown}" if len(shown) <= 40 else type(value).__name__

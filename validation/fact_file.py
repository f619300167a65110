"""Fact files (CSV, TSV, JSON lines) read into facts; every problem of a file is found and reported at once.

Columns: `subject`, `relation`, `object`; optional `direction` (forward, backward or both; empty means
forward) and `weight` (a positive number; empty means 1). JSON lines hold an object a line with the same keys.

Conventions:
- A row number is the physical line on which a record starts, the first line of the file being 1; Unix,
  Windows and old-Mac line ends count alike. Blank lines are skipped.
- Names are normalised to Unicode NFC and lose the white space around them. A line break inside a name is kept
  as a single "\\n"; any other control character is a problem.
- Nothing in a file is evaluated: a weight is matched against the grammar of a decimal number first.
"""

import codecs
import csv
import difflib
import io
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NoReturn, cast

from theory.errors import BadInput
from theory.facts import DIRECTIONS, Direction, Fact

REQUIRED = ("subject", "relation", "object")
OPTIONAL = ("direction", "weight")
COLUMNS = REQUIRED + OPTIONAL
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON_SUFFIXES = (".jsonl", ".ndjson")
SUFFIXES = (*DELIMITERS, *JSON_SUFFIXES)

# Weights are summed and their shares squared. Within these limits 10^8 rows have sums below 1e58 and squared
# shares above 1e-216: double precision (2e-308 to 2e308) neither overflows nor underflows.
SMALLEST_WEIGHT, LARGEST_WEIGHT = 1e-50, 1e50
PRINTED_PROBLEMS = 50
PRINTED_CHARACTERS = 60
PRINTED_ITEMS = 10

_BYTE_ORDER_MARKS = {  # the four-byte marks first: that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")  # what the error handler `surrogateescape` makes of such a byte
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # lone surrogates come from JSON escapes
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SAVE_AS_UTF_8 = "save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')"


@dataclass(frozen=True)
class Problem:
    """What is wrong in one place of a fact file; `str` gives one printable line that says what to do."""

    file: str
    row: int | None
    column: str | None
    value: str | None
    message: str

    def __str__(self) -> str:
        parts = [self.file if self.file.isprintable() else repr(self.file)]
        if self.row is not None:
            parts.append(f"row {self.row}")
        if self.column is not None:
            parts.append(f"column {self.column if self.column in COLUMNS else _shown(self.column)}")
        if self.value is not None:
            parts.append(f"value {_shown(self.value)}")
        return ": ".join([*parts, self.message])


class FactFileError(BadInput):
    """A fact file that cannot be read. `problems` holds all of them by row; `str` lists the first ones."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:PRINTED_PROBLEMS]]
        if len(self.problems) > PRINTED_PROBLEMS:
            lines.append(f"and {len(self.problems) - PRINTED_PROBLEMS:,} more")
        return "\n".join(lines)


@dataclass(frozen=True)
class FactFile:
    """The distinct facts of a file in the order of its rows, and notes on what its author may not have meant.

    `name` is the path as it was given. Each note is one printable line.
    """

    name: str
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]


class _Findings:
    """The problems of one file as they are found."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, row: int | None, column: str | None, value: str | None, message: str) -> None:
        self.problems.append(Problem(self.file, row, column, value, message))

    def in_row(self, row: int) -> bool:
        """Whether the row being read, the latest one, has a problem already."""
        return bool(self.problems) and self.problems[-1].row == row

    def refuse(self) -> NoReturn:
        raise FactFileError(sorted(self.problems, key=lambda problem: problem.row or 0))


def read_facts(path: Path) -> FactFile:
    """The facts of a CSV (.csv), TSV (.tsv, .tab) or JSON lines (.jsonl, .ndjson) file, in linear time.

    A fact given again with the same direction and weight is kept once, with a note; names that differ only in
    case, white space or invisible characters get a note too. Raises FactFileError with all problems found.
    """
    found = _Findings(str(path))
    lines = _lines(_bytes(path, found), found)
    suffix = path.suffix.lower()
    if suffix in JSON_SUFFIXES:
        records = _json_records(lines, found)
    else:
        records = _table_records(lines, DELIMITERS[suffix], found)
    written: dict[int | None, dict[str, str]] = {}  # optional cells, which mean something if empty
    facts = []
    for row, cells in records:
        if fact := _fact(row, cells, found):
            facts.append(fact)
            written[row] = {column: cells.get(column, "").strip() for column in OPTIONAL}
    if not facts and not found.problems:
        found.add(None, None, None, "expected a fact below the header; write one row for each fact")
    distinct, repeats = _distinct(facts, written, found)
    if found.problems:
        found.refuse()
    return FactFile(str(path), tuple(distinct), (*repeats, *_similar_names(distinct)))


# -- from the path to lines of text --------------------------------------------------------------------------
def _bytes(path: Path, found: _Findings) -> bytes:
    try:
        if path.is_dir():
            message = "expected a file, this is a directory; name the fact file inside it"
        elif not path.exists():
            message = "expected a fact file, there is none by this name; check the path"
        elif not path.is_file():
            message = "expected a file on disk, this is a pipe or a device; save its content to a file first"
        elif path.suffix.lower() not in SUFFIXES:
            message = f"expected a name that ends in {', '.join(SUFFIXES)}; save the file in one of these formats"
        else:
            return path.read_bytes()
    except OSError as error:
        message = f"expected a readable file ({error.strerror}); check the path and its permissions"
    found.add(None, None, None, message)
    found.refuse()


def _lines(data: bytes, found: _Findings) -> list[str]:
    """The physical lines of the file, their line ends made one "\\n"."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            message = f"expected UTF-8, the byte-order mark is that of {encoding}; {_SAVE_AS_UTF_8}"
            found.add(1, None, f"0x{mark.hex().upper()}", message)
            found.refuse()
    text = data.decode("utf-8-sig", errors="surrogateescape")
    lines = io.StringIO(text, newline=None).readlines()
    if not text.strip():
        message = "expected facts, the file is empty; write a header line and one row for each fact"
        found.add(None, None, None, message)
    elif "\0" in lines[0]:
        message = f"expected text, found NUL bytes (UTF-16, or not text at all); {_SAVE_AS_UTF_8}"
        found.add(1, None, lines[0], message)
    for row, line in enumerate(lines, 1):
        if bad := _NOT_UTF_8.search(line):
            place = len(line[: bad.start()].encode()) + 1
            message = f"expected UTF-8, byte {place} of this line is not; {_SAVE_AS_UTF_8}"
            found.add(row, None, f"0x{ord(bad[0]) - 0xDC00:02X}", message)
    if found.problems:
        found.refuse()
    return lines


# -- from lines to records: a row number and the cells of the known columns ----------------------------------
def _table_rows(lines: list[str], delimiter: str, found: _Findings) -> Iterator[tuple[int, list[str], str]]:
    """Number, cells and text of every row that is not blank; the text is that of the file, over all of its lines."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        row = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line = lines[row - 1].rstrip("\n")
            if reader.line_num > row:
                message = (
                    f'expected a closing ", there is none up to line {reader.line_num}; add it, and write a '
                    '" inside a quoted cell as "" (the rows after this one were not read)'
                )
                found.add(row, None, line, message)
                return  # where the quote should have closed is unknown, and so is where the next row starts
            if "field larger" in str(error):
                message = _too_long()
            else:
                message = 'expected a quoted cell to end with its closing "; write a " inside it as ""'
            found.add(row, None, line, message)
            continue
        if len(cells) > 1 or any(cell.strip() for cell in cells):
            yield row, cells, "".join(lines[row - 1 : reader.line_num]).rstrip("\n")


def _table_records(lines: list[str], delimiter: str, found: _Findings) -> Iterator[tuple[int, dict[str, str]]]:
    rows = _table_rows(lines, delimiter, found)
    header_row, names, header_text = next(rows, (1, [], ""))
    if found.problems:  # the line of the header could not be split into cells: no later row can stand for it
        return
    header = [name.strip() for name in names]
    _check_header(header_row, header, header_text, found)
    if not set(REQUIRED) <= set(header):
        return
    position = {name: header.index(name) for name in COLUMNS if name in header}
    for row, cells, text in rows:
        if len(cells) == len(header):
            yield row, {name: cells[i] for name, i in position.items()}
        else:
            message = (
                f"expected {len(header)} cells as in the header, found {len(cells)}; fill the missing ones, "
                "or put a cell that holds the separator in quotes"
            )
            found.add(row, None, text, message)


def _check_header(row: int, header: list[str], text: str, found: _Findings) -> None:
    if len(header) == 1 and (other := re.search(r"[,;\t|]", header[0])):
        separator = repr(other[0])
        message = f"expected the separator that the file's suffix stands for, found {separator}; save it with that"
        found.add(row, None, text, message)
        return
    for name in REQUIRED:
        if name not in header:
            message = f"expected this column, the header has none; name {', '.join(REQUIRED)} in the first line"
            found.add(row, name, None, message)
    for i, name in enumerate(header):
        if name not in COLUMNS:
            found.add(row, name, None, _unknown_column(name))
        elif name in header[:i]:
            found.add(row, name, None, "expected each column once, the header repeats this one; delete one")


class _Number(str):
    """A JSON number (or NaN, Infinity) as it is written, to be judged and shown like a cell of a table."""


class _Object(list[tuple[str, object]]):
    """The members of a JSON object as pairs, so that a repeated key is seen."""


_DECODER = json.JSONDecoder(object_pairs_hook=_Object, parse_float=_Number, parse_int=_Number, parse_constant=_Number)


def _json_records(lines: list[str], found: _Findings) -> Iterator[tuple[int, dict[str, str]]]:
    for row, line in enumerate(lines, 1):
        if not line.strip():
            continue
        value, reason = None, ""
        try:
            value = _DECODER.decode(line)
        except json.JSONDecodeError as error:
            reason = f" ({error.msg} at character {error.pos + 1})"
        except RecursionError:
            reason = " (nested too deeply)"
        if isinstance(value, _Object):
            yield row, _members(row, value, found)
        else:
            example = '{"subject": "...", "relation": "...", "object": "..."}'
            message = f"expected one JSON object on the line{reason}; write {example}"
            found.add(row, None, line.rstrip("\n"), message)


def _members(row: int, members: _Object, found: _Findings) -> dict[str, str]:
    """The members of the right type; the others and the unknown, repeated or missing ones are problems."""
    cells: dict[str, str] = {}
    keys: set[str] = set()
    for key, value in members:
        if key not in COLUMNS:
            found.add(row, key, None, _unknown_column(key))
        elif key in keys:
            found.add(row, key, None, "expected each key once, the object repeats this one; delete one")
        elif type(value) is not (_Number if key == "weight" else str):
            wanted = "a number without quotes" if key == "weight" else "a string in quotes"
            text, kind = _json_text(value)
            found.add(row, key, text, f"expected {wanted}{kind}; write one or leave out an optional key")
        else:
            cells[key] = value
        keys.add(key)
    for key in REQUIRED:
        if key not in keys:
            found.add(row, key, None, "expected this key, the object has none; add it")
    return cells


def _json_text(value: object) -> tuple[str | None, str]:
    """A value as it is written, and what it is where that would be too much to show."""
    if isinstance(value, list):
        return None, ", found an object" if isinstance(value, _Object) else ", found a list"
    return value if isinstance(value, str) else json.dumps(value), ""


# -- from a record to a fact ---------------------------------------------------------------------------------
def _fact(row: int, cells: dict[str, str], found: _Findings) -> Fact | None:
    """The fact of one record, or None if its row has a problem."""
    names = {column: _name(row, column, cells[column], found) for column in REQUIRED if column in cells}
    direction = cells.get("direction", "").strip() or "forward"
    if direction not in DIRECTIONS:
        message = f"expected {', '.join(DIRECTIONS)}; {_advice(direction[:PRINTED_CHARACTERS], DIRECTIONS)}"
        found.add(row, "direction", direction, message)
    text = cells.get("weight", "").strip() or "1"
    weight = float(text) if _DECIMAL.fullmatch(text) else float("nan")
    if not SMALLEST_WEIGHT <= weight <= LARGEST_WEIGHT:  # not a number compares false
        limits = f"from {SMALLEST_WEIGHT} to {LARGEST_WEIGHT}"
        found.add(row, "weight", text, f"expected a positive number {limits}; write one such as 2 or 0.5")
    if found.in_row(row):
        return None
    return Fact(**names, direction=cast(Direction, direction), weight=weight, row=row)


def _name(row: int, column: str, text: str, found: _Findings) -> str:
    """The name as a token: NFC, one kind of line break, no white space around it."""
    name = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if not name:
        found.add(row, column, text, "expected a name, the cell is empty; fill it in or delete the row")
    elif len(text) > csv.field_size_limit():  # no table can hold it, so JSON lines may not either
        found.add(row, column, text, _too_long())
    elif control := _CONTROL.search(name):
        message = f"expected a name without control characters, found U+{ord(control[0]):04X}; delete it"
        found.add(row, column, text, message)
    return name


def _too_long() -> str:
    return f"expected cells of at most {csv.field_size_limit():,} characters; shorten it, or close a quote"


def _unknown_column(name: str) -> str:
    return f"expected only {', '.join(COLUMNS)}; {_advice(name[:PRINTED_CHARACTERS], COLUMNS)}"


@lru_cache(maxsize=1024)  # one misspelling often stands in every row
def _advice(word: str, choices: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word.casefold(), choices, n=1)
    return f"did you mean {near[0]!r}?" if near else "write one of these or delete it"


# -- between rows --------------------------------------------------------------------------------------------
def _distinct(
    facts: Sequence[Fact], written: Mapping[int | None, Mapping[str, str]], found: _Findings
) -> tuple[list[Fact], list[str]]:
    """Each fact once, with notes on exact repeats; a fact with two directions or weights is a problem."""
    first: dict[tuple[str, str, str], Fact] = {}
    repeats: dict[tuple[str, str, str], list[int | None]] = defaultdict(list)
    for fact in facts:
        triple = (fact.subject, fact.relation, fact.object)
        known = first.setdefault(triple, fact)
        if known is fact:
            continue
        differing = [column for column in OPTIONAL if getattr(fact, column) != getattr(known, column)]
        for column in differing:
            here, there = written[fact.row][column], written[known.row][column]
            empty = f", the cell is empty, which means {getattr(fact, column)}" if not here else ""
            meant = _shown(there) if there else f"an empty cell, which means {getattr(known, column)},"
            message = (
                f"expected {meant} as in row {known.row}, which gives the same fact "
                f"({_listed(map(_shown, triple))}){empty}; delete row {known.row} or row {fact.row}"
            )
            found.add(fact.row, column, here or None, message)
        if not differing:
            repeats[triple].append(fact.row)
    notes = [
        f"rows {_listed(map(str, [first[triple].row, *rows]))} give the same fact "
        f"({_listed(map(_shown, triple))}): it is kept once"
        for triple, rows in repeats.items()
    ]
    return list(first.values()), notes


def _similar_names(facts: Sequence[Fact]) -> list[str]:
    """A note on every group of names that a person may take for one: they are different tokens."""
    first_row: dict[str, int | None] = {}
    for fact in facts:
        for name in (fact.subject, fact.relation, fact.object):
            first_row.setdefault(name, fact.row)
    alike: dict[str, list[str]] = defaultdict(list)
    for name in first_row:
        alike[_without_case_and_space(name)].append(name)
    return [
        f"names {_listed(f'{_shown(name)} (row {first_row[name]})' for name in names)} differ only in case, "
        "white space or invisible characters: they are read as different names"
        for names in alike.values()
        if len(names) > 1
    ]


def _without_case_and_space(name: str) -> str:
    folded = "".join(name.casefold().split())
    if folded.isprintable():
        return folded
    return "".join(c for c in folded if unicodedata.category(c) != "Cf")  # zero-width, direction of writing


def _listed(items: Iterable[str]) -> str:
    texts = list(items)
    shown = ", ".join(texts[:PRINTED_ITEMS])
    return shown if len(texts) <= PRINTED_ITEMS else f"{shown} and {len(texts) - PRINTED_ITEMS:,} more"


def _shown(value: str) -> str:
    """The value quoted, escaped to printable characters on one line, and cut where it is long."""
    if len(value) <= PRINTED_CHARACTERS:
        return repr(value)
    return f"{value[:PRINTED_CHARACTERS]!r}... ({len(value):,} characters)"

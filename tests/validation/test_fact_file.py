"""Fact files: what is read, each kind of problem with its exact line, round trips, any bytes, linear work."""

import csv
import io
import json
import os
import pickle
import sys
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.facts import DIRECTIONS, Direction, Fact
from validation.fact_file import (
    LARGEST_WEIGHT,
    PRINTED_PROBLEMS,
    SMALLEST_WEIGHT,
    FactFile,
    FactFileError,
    Problem,
    read_facts,
)

HEADER = "subject,relation,object,direction,weight\n"
OBJECT = '{"subject": "...", "relation": "...", "object": "..."}'
SAVE = "save the file as UTF-8 (in a spreadsheet: 'CSV UTF-8')"
ALL_COLUMNS = "expected only subject, relation, object, direction, weight"
NO_COLUMN = "expected this column, the header has none; name subject, relation, object in the first line"
WEIGHT = "expected a positive number from 1e-50 to 1e+50; write one such as 2 or 0.5"

Reader = Callable[..., FactFile]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Writes the content to a file of the given name and reads its facts."""

    def write_and_read(content: str | bytes, name: str = "facts.csv") -> FactFile:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_facts(path)

    return write_and_read


def problems(read: Reader, content: str | bytes, name: str = "facts.csv") -> list[str]:
    """The problem lines less the name of the file with which each begins."""
    with pytest.raises(FactFileError) as caught:
        read(content, name)
    lines = [str(problem) for problem in caught.value.problems]
    file = caught.value.problems[0].file
    assert Path(file).name == name
    assert all(line.startswith(f"{file}: ") for line in lines)
    return [line.removeprefix(f"{file}: ") for line in lines]


EMPTY = "expected a name, the cell is empty; fill it in or delete the row"
UNCLOSED = (
    'expected a closing ", there is none up to line {}; add it, and write a " inside a quoted cell as "" '
    "(the rows after this one were not read)"
)
QUOTED = 'expected a quoted cell to end with its closing "; write a " inside it as ""'
CONTROL = "expected a name without control characters, found U+{}; delete it"
TOO_LONG = "expected cells of at most 131,072 characters; shorten it, or close a quote"
SAME = "which gives the same fact ('a', 'r', 'b')"
CELLS = "fill the missing ones, or put a cell that holds the separator in quotes"
STRING = "expected a string in quotes; write one or leave out an optional key"


def json_line(**members: object) -> str:
    return json.dumps({"subject": "a", "relation": "r", "object": "b"} | members) + "\n"


# -- what is read --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".tab", ".CSV"])
def test_table(read: Reader, suffix: str) -> None:
    """A table gives its rows with direction forward and weight 1 where these cells are empty."""
    separator = "," if suffix.lower() == ".csv" else "\t"
    rows = [
        "weight,object,direction,subject,relation",
        ",Mary Lee Pfeiffer,,Tom Cruise,mother",
        "2.5e0,Nairobi, backward ,Kenya,capital",
        " .5 , Oslo,both, Norway ,capital",
    ]
    found = read("\n".join(rows).replace(",", separator), f"facts{suffix}")
    assert found.facts == (
        Fact("Tom Cruise", "mother", "Mary Lee Pfeiffer", "forward", 1.0, 2),
        Fact("Kenya", "capital", "Nairobi", "backward", 2.5, 3),
        Fact("Norway", "capital", "Oslo", "both", 0.5, 4),
    )
    assert found.notes == ()
    assert Path(found.name).name == f"facts{suffix}"


@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson"])
def test_json_lines(read: Reader, suffix: str) -> None:
    """JSON lines give the same facts as a table of the same cells."""
    text = json_line() + "\n" + json_line(object="c", direction="both", weight=3) + json_line(object="d", direction="")
    assert read(text, f"facts{suffix}").facts == (
        Fact("a", "r", "b", "forward", 1.0, 1),
        Fact("a", "r", "c", "both", 3.0, 3),
        Fact("a", "r", "d", "forward", 1.0, 4),
    )


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_row_is_the_physical_line(read: Reader, line_end: str) -> None:
    """A row is numbered by the line its record starts on, whatever the line ends and quoted breaks."""
    text = '\nsubject,relation,object\n"a\nb",r,"c, d"\n  \n"e""f",r, "g\n\nh"\n\nx,r,y'
    assert read(text.replace("\n", line_end)).facts == (
        Fact("a\nb", "r", "c, d", row=3),
        Fact('e"f', "r", "g\n\nh", row=6),
        Fact("x", "r", "y", row=10),
    )


def test_names_are_normalised(read: Reader) -> None:
    """A name loses surrounding white space and is in NFC; white space inside it, a quote and U+2028 stay."""
    text = HEADER + '\u00a0e\u0301 \t, r\u2028s ,a "b"  c\u200d,,\n'
    assert read(text).facts == (Fact("é", "r\u2028s", 'a "b"  c\u200d', row=2),)
    assert read(json_line(subject=" A\u030a ", object="p\r\nq\rr"), "facts.jsonl").facts == (
        Fact("Å", "r", "p\nq\nr", row=1),
    )


@pytest.mark.parametrize("name", ["facts.csv", "facts.jsonl"])
def test_byte_order_mark(read: Reader, name: str) -> None:
    """A UTF-8 byte-order mark belongs to no name."""
    text = "subject,relation,object\na,r,b\n" if name.endswith("csv") else json_line()
    assert [fact.subject for fact in read(b"\xef\xbb\xbf" + text.encode(), name).facts] == ["a"]


@pytest.mark.parametrize("weight", [SMALLEST_WEIGHT, LARGEST_WEIGHT, 1, 0.1])
def test_weights_in_range(read: Reader, weight: float) -> None:
    """A weight inside the limits, these included, is read to the last bit, from a table and from JSON."""
    assert read(f"{HEADER}a,r,b,,{weight!r}").facts[0].weight == weight
    assert read(json_line(weight=weight), "facts.jsonl").facts[0].weight == weight


def test_extreme_weights_stay_in_double_range() -> None:
    """10^8 rows of the largest weight have a finite sum; the square of the least share is a normal double."""
    total = 1e8 * LARGEST_WEIGHT
    assert total < sys.float_info.max
    assert (SMALLEST_WEIGHT / total) ** 2 > sys.float_info.min


# -- notes ---------------------------------------------------------------------------------------------------
def test_exact_repeats_are_kept_once(read: Reader) -> None:
    """A fact given again with equal direction and weight is kept once, however written, and noted."""
    found = read(HEADER + "a,r,b,,\na,r,c,,\n a ,r,b,forward,1.0\na,r,b,,1\n")
    assert found.facts == (Fact("a", "r", "b", row=2), Fact("a", "r", "c", row=3))
    assert found.notes == ("rows 2, 4, 5 give the same fact ('a', 'r', 'b'): it is kept once",)


def test_long_lists_in_notes_are_cut(read: Reader) -> None:
    """A note lists ten rows and counts the others; ten rows are listed in full."""
    ten = "2, 3, 4, 5, 6, 7, 8, 9, 10, 11"
    assert read(HEADER + "a,r,b,,\n" * 1011).notes == (
        f"rows {ten} and 1,001 more give the same fact ('a', 'r', 'b'): it is kept once",
    )
    assert read(HEADER + "a,r,b,,\n" * 10).notes == (f"rows {ten} give the same fact ('a', 'r', 'b'): it is kept once",)


def test_similar_names_are_noted(read: Reader) -> None:
    """Names equal but for case, white space or invisible characters stay apart and are noted; no others."""
    found = read(HEADER + "New York,in,USA,,\nLos Angeles,in,usa,,\nnew  york,IN,Usa,,\nNewYor\u200bk,on,U.S.A.,,\n")
    assert len(found.facts) == 4
    tail = "differ only in case, white space or invisible characters: they are read as different names"
    assert found.notes == (
        f"names 'New York' (row 2), 'new  york' (row 4), 'NewYor\\u200bk' (row 5) {tail}",
        f"names 'in' (row 2), 'IN' (row 4) {tail}",
        f"names 'USA' (row 2), 'usa' (row 3), 'Usa' (row 4) {tail}",
    )


# -- problems of the file as a whole -------------------------------------------------------------------------
def test_missing_file_directory_pipe_and_suffix(tmp_path: Path) -> None:
    """A path that is no fact file is refused with what it is and what to do."""
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "facts.xlsx").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.csv")
    expected = {
        "none.csv": "expected a fact file, there is none by this name; check the path",
        "nul\0.csv": "expected a fact file, there is none by this name; check the path",
        "folder.csv": "expected a file, this is a directory; name the fact file inside it",
        "pipe.csv": "expected a file on disk, this is a pipe or a device; save its content to a file first",
        "facts.xlsx": "expected a name that ends in .csv, .tsv, .tab, .jsonl, .ndjson; "
        "save the file in one of these formats",
    }
    for name, message in expected.items():
        with pytest.raises(FactFileError) as caught:
            read_facts(tmp_path / name)
        assert caught.value.problems == [Problem(str(tmp_path / name), None, None, None, message)]


def test_unreadable_file(read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the operating system becomes one problem that gives its reason."""

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    message = "expected a readable file (Permission denied); check the path and its permissions"
    assert problems(read, HEADER) == [message]


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \n\t\r\n"])
@pytest.mark.parametrize("name", ["facts.csv", "facts.jsonl"])
def test_empty_file(read: Reader, content: bytes, name: str) -> None:
    """A file of nothing but a byte-order mark and white space is called empty."""
    expected = "expected facts, the file is empty; write a header line and one row for each fact"
    assert problems(read, content, name) == [expected]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            HEADER + "\n  \n",
            ["expected a fact below the header; write one row for each fact"],
            id="header only",
        ),
        pytest.param(
            "Jos\u00e9,r,b\nx,r,\u00fc\u00e9\nx,r,y\n".encode("latin-1"),
            [
                f"row 1: value '0xE9': expected UTF-8, byte 4 of this line is not; {SAVE}",
                f"row 2: value '0xFC': expected UTF-8, byte 5 of this line is not; {SAVE}",
            ],
            id="latin-1",
        ),
        pytest.param(
            b"subject,relation,object\r\xc3\xa9,\xff,b\r",
            [f"row 2: value '0xFF': expected UTF-8, byte 4 of this line is not; {SAVE}"],
            id="old-Mac line ends and two-byte characters before the bad byte",
        ),
        *(
            pytest.param(
                mark + HEADER.encode(codec),
                [f"row 1: value '{shown}': expected UTF-8, the byte-order mark is that of {encoding}; " + SAVE],
                id=codec,
            )
            for codec, mark, shown, encoding in [
                ("utf-16-le", b"\xff\xfe", "0xFFFE", "UTF-16"),
                ("utf-16-be", b"\xfe\xff", "0xFEFF", "UTF-16"),
                ("utf-32-le", b"\xff\xfe\0\0", "0xFFFE0000", "UTF-32"),
                ("utf-32-be", b"\0\0\xfe\xff", "0x0000FEFF", "UTF-32"),
            ]
        ),
        pytest.param(
            "sub".encode("utf-16-le"),
            ["row 1: value 's\\x00u\\x00b\\x00': expected text, found NUL bytes (UTF-16, or not text at all); " + SAVE],
            id="UTF-16 without a mark",
        ),
    ],
)
def test_encoding(read: Reader, content: str | bytes, expected: list[str]) -> None:
    """What is not UTF-8 is reported with the line and the first byte at fault on each line."""
    assert problems(read, content) == expected


def test_encoding_of_json_lines(read: Reader) -> None:
    """A byte that is not UTF-8 is the one problem of its line: the text made of it is not judged too."""
    assert problems(read, json_line().encode() + b'{"subject": "Jos\xe9"}', "facts.jsonl") == [
        f"row 2: value '0xE9': expected UTF-8, byte 17 of this line is not; {SAVE}"
    ]


# -- problems of a table -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "Subject,relation,object,colour\na,r,b,c,d\n",
            [
                f"row 1: column subject: {NO_COLUMN}",
                f"row 1: column 'Subject': {ALL_COLUMNS}; did you mean 'subject'?",
                f"row 1: column 'colour': {ALL_COLUMNS}; write one of these or delete it",
            ],
            id="missing and unknown columns",
        ),
        pytest.param(
            "subject,relation,object,\na,,b,\n",
            [
                f"row 1: column '': {ALL_COLUMNS}; write one of these or delete it",
                f"row 2: column relation: value '': {EMPTY}",
            ],
            id="rows below an unknown column are still checked",
        ),
        pytest.param(
            "\nsubject,relation,object,subject\na,r,b,\n",
            ["row 2: column subject: expected each column once, the header repeats this one; delete one"],
            id="repeated column",
        ),
        pytest.param(
            '""\n',
            [f"row 1: column {name}: {NO_COLUMN}" for name in ("subject", "relation", "object")],
            id="an empty cell alone",
        ),
        pytest.param(
            "subject;relation\n",
            [
                "row 1: value 'subject;relation': expected the separator that the file's suffix stands for, "
                "found ';'; save it with that"
            ],
            id="another separator",
        ),
        pytest.param(
            'subject,"relation"x,object\nsubject,relation,object\na,r,,\n',
            [
                "row 1: value 'subject,\"relation\"x,object': expected a quoted cell to end with its closing "
                '"; write a " inside it as ""'
            ],
            id="a later row does not stand for a broken header",
        ),
    ],
)
def test_header(read: Reader, text: str, expected: list[str]) -> None:
    """Every fault of the header is named, with the column that was probably meant."""
    assert problems(read, text) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(
            "a,r\na,r,b,,,c\n,\n",
            [
                f"row 2: value 'a,r': expected 5 cells as in the header, found 2; {CELLS}",
                f"row 3: value 'a,r,b,,,c': expected 5 cells as in the header, found 6; {CELLS}",
                f"row 4: value ',': expected 5 cells as in the header, found 2; {CELLS}",
            ],
            id="too few and too many cells",
        ),
        pytest.param(
            'a,"r"x,b,,\n,r,b,,\na,"r,b,,',
            [
                f"row 2: value 'a,\"r\"x,b,,': {QUOTED}",
                f"row 3: column subject: value '': {EMPTY}",
                f"row 4: value 'a,\"r,b,,': {QUOTED}",
            ],
            id="quotes broken within a line do not hide other rows",
        ),
        pytest.param(
            'a,r,b,,0\na,"r,b,,\nc,r,d,,\nc,r,e,,-1\n',
            [
                f"row 2: column weight: value '0': {WEIGHT}",
                f"row 3: value 'a,\"r,b,,': {UNCLOSED.format(5)}",
            ],
            id="unterminated quote",
        ),
        pytest.param(
            f"a,r,{'x' * 131_073},,\n ,r,{'y' * 131_072},,\n",
            [
                f"row 2: value 'a,r,{'x' * 56}'... (131,079 characters): {TOO_LONG}",
                f"row 3: column subject: value '': {EMPTY}",
            ],
            id="a cell at and above the limit of the csv module",
        ),
        pytest.param(
            'a,"r' + "\n" * 131_073,
            [
                f"row 2: value 'a,\"r': {UNCLOSED.format(131_073)}",
            ],
            id="unterminated quote above the limit of the csv module",
        ),
        pytest.param(
            "a\x07,r\x00,b\x85c,,\na\tz,r,\x1bb,,",
            [
                f"row {row}: column {column}: value {value}: {CONTROL.format(code)}"
                for row, column, value, code in [
                    (2, "subject", r"'a\x07'", "0007"),
                    (2, "relation", r"'r\x00'", "0000"),
                    (2, "object", r"'b\x85c'", "0085"),
                    (3, "subject", r"'a\tz'", "0009"),
                    (3, "object", r"'\x1bb'", "001B"),
                ]
            ],
            id="control characters",
        ),
        pytest.param(
            "a,r,b,forwards,\na,r,c,2,x\n",
            [
                "row 2: column direction: value 'forwards': expected forward, backward, both; did you mean 'forward'?",
                "row 3: column direction: value '2': expected forward, backward, both; write one of these or delete it",
                f"row 3: column weight: value 'x': {WEIGHT}",
            ],
            id="unknown direction, two problems in one row",
        ),
        pytest.param(
            "a,r,b,both,2\na,r,c,,\na,r,b,forward,2\na,r,b,backward,3\na,r,b,both,2.0\n",
            [
                f"row 4: column direction: value 'forward': expected 'both' as in row 2, {SAME}; delete row 2 or row 4",
                "row 5: column direction: value 'backward': expected 'both' as in row 2, "
                f"{SAME}; delete row 2 or row 5",
                f"row 5: column weight: value '3': expected '2' as in row 2, {SAME}; delete row 2 or row 5",
            ],
            id="contradictory repeats",
        ),
        pytest.param(
            "a,r,b,,\na,r,b,,2\na,r,,,\n",
            [
                f"row 3: column weight: value '2': expected an empty cell, which means 1.0, as in row 2, {SAME}; "
                "delete row 2 or row 3",
                f"row 4: column object: value '': {EMPTY}",
            ],
            id="problems stand in the order of the rows",
        ),
        pytest.param(
            "a,r,b,both,2.50\na,r,b,,\n",
            [
                f"row 3: column direction: expected 'both' as in row 2, {SAME}, the cell is empty, which means "
                "forward; delete row 2 or row 3",
                f"row 3: column weight: expected '2.50' as in row 2, {SAME}, the cell is empty, which means 1.0; "
                "delete row 2 or row 3",
            ],
            id="an empty cell shows no value",
        ),
        pytest.param(
            '"a, and c", r\n"x\ny", r ,"b""c",both,1,"more, still"\n',
            [
                "row 2: value '\"a, and c\", r': expected 5 cells as in the header, found 2; " + CELLS,
                'row 3: value \'"x\\ny", r ,"b""c",both,1,"more, still"\': expected 5 cells as in the header, '
                "found 6; " + CELLS,
            ],
            id="a row is shown as it stands in the file",
        ),
    ],
)
def test_rows(read: Reader, rows: str, expected: list[str]) -> None:
    """All faults of all rows are reported at once, by row, column and value."""
    assert problems(read, HEADER + rows) == expected


@pytest.mark.parametrize(
    "weight",
    [
        *("-1", "0", "-0.0", "nan", "inf", "-Infinity", "one", "1_0", "0x1p3", "1e", ".", "1,5", "١"),
        *("9e-51", "1e-400", "1.1e50", "1e309", "2**3", "1 2"),
    ],
)
def test_bad_weights(read: Reader, weight: str) -> None:
    """Text that is no decimal number between the limits is refused; nothing is evaluated."""
    expected = [f"row 2: column weight: value {weight!r}: {WEIGHT}"]
    assert problems(read, HEADER.replace(",", "\t") + f"a\tr\tb\t\t{weight}\n", "facts.tsv") == expected


def test_long_digit_strings_cost_linear_time(read: Reader) -> None:
    """130,000 digits with a letter after them are refused at once (a backtracking pattern takes a minute)."""
    start = time.process_time()
    assert len(problems(read, HEADER + f"a,r,b,,{'1' * 130_000}x\n")) == 1
    assert time.process_time() - start < 2  # milliseconds when linear, 10^10 steps when quadratic


# -- problems of JSON lines ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            '{"subject": "a",}',
            'value \'{"subject": "a",}\': expected one JSON object on the line (Expecting property name '
            f"enclosed in double quotes at character 17); write {OBJECT}",
            id="syntax",
        ),
        pytest.param(
            '["a", "r", "b"]',
            f'value \'["a", "r", "b"]\': expected one JSON object on the line; write {OBJECT}',
            id="array",
        ),
        pytest.param("NaN", f"value 'NaN': expected one JSON object on the line; write {OBJECT}", id="NaN"),
        pytest.param(
            "[" * 100_000,
            f"value '{'[' * 60}'... (100,000 characters): expected one JSON object on the line "
            f"(nested too deeply); write {OBJECT}",
            id="nesting",
        ),
        pytest.param(
            '{"relation": "r", "object": "b"}',
            "column subject: expected this key, the object has none; add it",
            id="missing key",
        ),
        pytest.param(
            json_line(wieght=3),
            f"column 'wieght': {ALL_COLUMNS}; did you mean 'weight'?",
            id="unknown key",
        ),
        pytest.param(
            '{"subject": "a", "relation": "r", "object": "b", "object": "c"}',
            "column object: expected each key once, the object repeats this one; delete one",
            id="repeated key",
        ),
        *(
            pytest.param(
                json_line(object=value),
                f"column object: value '{shown}': {STRING}",
                id=f"name is {shown}",
            )
            for value, shown in [
                (1, "1"),
                (True, "true"),
                (None, "null"),
                (float("nan"), "NaN"),
            ]
        ),
        *(
            pytest.param(
                json_line(weight=value),
                f"column weight: value '{shown}': expected a number without quotes; "
                "write one or leave out an optional key",
                id=f"weight is {value!r}",
            )
            for value, shown in [("2", "2"), (True, "true"), (None, "null")]
        ),
        *(
            pytest.param(json_line(weight=value), f"column weight: value '{shown}': {WEIGHT}", id=f"weight {shown}")
            for value, shown in [
                (0, "0"),
                (-1.5, "-1.5"),
                (float("nan"), "NaN"),
                (float("-inf"), "-Infinity"),
                (1e51, "1e+51"),
            ]
        ),
        pytest.param(
            '{"subject": "a", "relation": "r", "object": "b", "weight": ' + "9" * 5000 + "}",
            f"column weight: value '{'9' * 60}'... (5,000 characters): {WEIGHT}",
            id="an integer of more digits than Python converts",
        ),
        *(
            pytest.param(
                json_line(**{column: value}),
                f"column {column}: expected {wanted}, found {kind}; write one or leave out an optional key",
                id=f"{column} is {kind}",
            )
            for column, wanted in (("object", "a string in quotes"), ("weight", "a number without quotes"))
            for value, kind in ((["b"], "a list"), ({"a": "b"}, "an object"))
        ),
        pytest.param(
            json_line(direction=None),
            f"column direction: value 'null': {STRING}",
            id="direction is null",
        ),
        pytest.param(
            json_line(subject="a\ud800"),
            rf"column subject: value 'a\ud800': {CONTROL.format('D800')}",
            id="lone surrogate",
        ),
        pytest.param(
            json_line(subject="x" * 131_073),
            f"column subject: value '{'x' * 60}'... (131,073 characters): {TOO_LONG}",
            id="a name longer than a table could hold",
        ),
    ],
)
def test_json_problems(read: Reader, line: str, expected: str) -> None:
    """A faulty line gives one problem with its row, and does not hide the fault of another line."""
    good = json_line(object="good")
    empty = f"row 3: column object: value ' ': {EMPTY}"
    found = problems(read, good + line.rstrip("\n") + "\n" + json_line(object=" "), "facts.jsonl")
    assert found == [f"row 2: {expected}", empty]


def test_faulty_json_value_makes_no_contradiction(read: Reader) -> None:
    """A row with a member of the wrong type is not also compared with the other rows of its fact."""
    text = json_line(weight=2) + json_line(weight="2")
    assert len(problems(read, text, "facts.jsonl")) == 1


# -- how problems are printed --------------------------------------------------------------------------------
def test_error_prints_the_first_problems(read: Reader) -> None:
    """The error holds every problem, prints one line for each of the first 50 and counts the rest."""
    with pytest.raises(FactFileError) as caught:
        read(HEADER + ",r,b,,\n" * (PRINTED_PROBLEMS + 1234))
    error = caught.value
    assert len(error.problems) == PRINTED_PROBLEMS + 1234
    assert str(error).splitlines() == [*map(str, error.problems[:PRINTED_PROBLEMS]), "and 1,234 more"]
    assert str(FactFileError(error.problems[:PRINTED_PROBLEMS])).splitlines()[-1] == str(error.problems[49])
    assert pickle.loads(pickle.dumps(error)).problems == error.problems


def test_long_values_are_cut() -> None:
    """A value of 60 characters is printed in full, of a longer one the first 60 and the length."""
    assert str(Problem("f", None, None, "x" * 60, "m")) == f"f: value '{'x' * 60}': m"
    assert str(Problem("f", 7, None, "x" * 61, "m")) == f"f: row 7: value '{'x' * 60}'... (61 characters): m"


def test_file_name_is_escaped(tmp_path: Path) -> None:
    """A file name with a line break is printed escaped, on one line."""
    with pytest.raises(FactFileError) as caught:
        read_facts(tmp_path / "a\nb.csv")
    assert str(caught.value).splitlines() == [str(caught.value)]
    assert r"a\nb.csv" in str(caught.value)


# -- linear work ---------------------------------------------------------------------------------------------
def large_file(path: Path, rows: int) -> Path:
    """Distinct facts, repeats and similar names in fixed proportion."""
    lines = (f'"Person {i}",mother of,PERSON {i + 1 if i % 2 else i},both,{1 + i % 7}\n' for i in range(rows // 2))
    path.write_text(HEADER + "".join(line * 2 for line in lines), encoding="utf-8")
    return path


def function_calls(path: Path) -> int:
    """How many functions, of Python and of C, are called while the file is read."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    previous = sys.getprofile()
    sys.setprofile(count)
    try:
        read_facts(path)
    finally:
        sys.setprofile(previous)
    return calls


def test_calls_grow_linearly(tmp_path: Path) -> None:
    """From 20,000 to 40,000 to 80,000 rows the number of function calls doubles, to one in a thousand."""
    calls = [function_calls(large_file(tmp_path / "facts.csv", rows)) for rows in (20_000, 40_000, 80_000)]
    # what does not grow with the rows is some hundred calls out of several for each row
    assert calls[1] == pytest.approx(2 * calls[0], rel=1e-3)
    assert calls[2] == pytest.approx(2 * calls[1], rel=1e-3)
    assert calls[2] > 80_000


def test_processor_time_grows_less_than_quadratically(tmp_path: Path) -> None:
    """Four times the rows cost under ten times the processor time: 4 if linear, 16 if quadratic."""

    def least_time(rows: int) -> float:
        path = large_file(tmp_path / "facts.csv", rows)
        times = []
        for _ in range(3):  # the least of three: other work on the machine only adds
            start = time.process_time()
            read_facts(path)
            times.append(time.process_time() - start)
        return min(times)

    assert least_time(40_000) < 10 * least_time(10_000)


# -- properties ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("properties")


Record = tuple[str, str, str, Direction, float]


def token(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


NAMES = st.text(
    st.one_of(st.characters(exclude_categories=("Cc", "Cs")), st.sampled_from(' \n",;{}|\\é\u2028\ufeff')),
    min_size=1,
    max_size=12,
).filter(token)
RECORDS = st.lists(
    st.tuples(
        *[NAMES] * 3,
        st.sampled_from(DIRECTIONS),
        st.floats(SMALLEST_WEIGHT, LARGEST_WEIGHT) | st.integers(1, 9).map(float),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda record: tuple(map(token, record[:3])),
)
NAMED_COLUMNS = ("subject", "relation", "object", "direction", "weight")


def written(records: list[Record], format_: str, columns: list[str], blank_lines: int, ascii_json: bool) -> list[str]:
    """The header if there is one, and the records, each with its line end and the blank lines after it."""
    rows: list[dict[str, object]] = [dict(zip(NAMED_COLUMNS, record, strict=True)) for record in records]
    for row in rows:  # the defaults are left out
        row["direction"] = "" if row["direction"] == "forward" else row["direction"]
        row["weight"] = "" if row["weight"] == 1 else row["weight"]
    if format_ == "jsonl":
        texts = [
            json.dumps({c: row[c] for c in columns if row[c] != ""}, ensure_ascii=ascii_json) + "\n" for row in rows
        ]
    else:
        texts = []
        table: list[list[object]] = [[*columns], *([row[c] for c in columns] for row in rows)]
        for cells in table:
            stream = io.StringIO()
            delimiter = "," if format_ == "csv" else "\t"
            csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerow(cells)
            texts.append(stream.getvalue())
    return [text + "\n" * blank_lines for text in texts]


@settings(deadline=None, max_examples=150)
@given(
    records=RECORDS,
    format_=st.sampled_from(["csv", "tsv", "jsonl"]),
    columns=st.permutations(NAMED_COLUMNS),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    byte_order_mark=st.booleans(),
    blank_lines=st.integers(0, 2),
    ascii_json=st.booleans(),
)
def test_round_trip(
    folder: Path,
    records: list[Record],
    format_: str,
    columns: list[str],
    line_end: str,
    byte_order_mark: bool,
    blank_lines: int,
    ascii_json: bool,
) -> None:
    """Facts written by the csv and json modules come back equal, with the line each record starts on."""
    texts = written(records, format_, columns, blank_lines, ascii_json)
    starts = [1 + "".join(texts[:i]).count("\n") for i in range(len(texts))]
    path = folder / f"facts.{format_}"
    encoding = "utf-8-sig" if byte_order_mark else "utf-8"
    path.write_bytes("".join(texts).replace("\n", line_end).encode(encoding))
    rows = starts if format_ == "jsonl" else starts[1:]
    expected = [
        Fact(token(subject), token(relation), token(target), direction, weight, row)
        for (subject, relation, target, direction, weight), row in zip(records, rows, strict=True)
    ]
    assert list(read_facts(path).facts) == expected


NEAR_MISSES = st.lists(
    st.sampled_from(
        [HEADER.encode(), json_line().encode(), json_line(weight=2, direction="both")[:-2].encode()]
        + [
            b"subject",
            b"relation",
            b"object",
            b"weight",
            b"both",
            b"1e5",
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"NaN",
        ]
        + [bytes([c]) for c in b',\t;"\n\r\\{}[]:-.0 \0']
        + ["é".encode(), "\u2028".encode(), b"\xe9", b"\\ud800", b"\xed\xa0\x80", b"a", b"B", b"r"]
    ),
    max_size=30,
).map(b"".join)


@settings(deadline=None, max_examples=400)
@given(
    content=st.binary(max_size=200) | NEAR_MISSES | NEAR_MISSES.map(HEADER.encode().__add__),
    suffix=st.sampled_from([".csv", ".tsv", ".jsonl"]),
)
def test_arbitrary_bytes(folder: Path, content: bytes, suffix: str) -> None:
    """Any bytes give facts or FactFileError; each problem and each note is one printable line."""
    path = folder / f"bytes{suffix}"
    path.write_bytes(content)
    reported: list[Problem] = []
    facts: tuple[Fact, ...] = ()
    notes: tuple[str, ...] = ()
    try:
        found = read_facts(path)
        facts, notes = found.facts, found.notes
    except FactFileError as error:
        reported = error.problems
    assert bool(facts) != bool(reported)
    for problem in reported:
        assert str(problem).startswith(f"{path}: ")
        assert str(problem).isprintable()  # so no line break either
        assert problem.row is None or 1 <= problem.row <= 1 + content.count(b"\n") + content.count(b"\r")
    assert all(note.isprintable() for note in notes)


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8), min_size=1, max_size=7),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_every_value_of_an_error_is_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], quoting: Literal[0, 1]
) -> None:
    """Whatever a table holds, the value that an error shows is a piece of the row it names, as it stands there."""
    buffer = io.StringIO()
    csv.writer(buffer, quoting=quoting, lineterminator="\n").writerows([["subject", "relation", "object"], *rows])
    path = tmp_path_factory.mktemp("shown") / "facts.csv"
    path.write_text(buffer.getvalue(), encoding="utf-8")
    try:
        read_facts(path)
    except FactFileError as error:
        lines = buffer.getvalue().split("\n")
        for problem in error.problems:
            assert problem.value is None or problem.row is not None
            if problem.value is not None and problem.row is not None:
                assert problem.value in lines[problem.row - 1]

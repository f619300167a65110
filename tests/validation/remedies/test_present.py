"""The table of choices as text, as rows of CSV, as JSON and as a folder."""

import csv
import json
import re
from pathlib import Path

import jsonschema
import pytest

from tests.validation.remedies.example import HOSTILE, made_claim, made_result, made_row, made_rows
from validation.output_folder import OutputError
from validation.remedies.choice import Choice
from validation.remedies.present import index_text, predicted_text, remedies_text, table_rows, write_folder
from validation.remedies.reason import reason
from validation.remedies.result import OverSeeds, Prediction

SCHEMA_FILE = Path(__file__).resolve().parents[3] / "docs" / "schemas" / "remedies.schema.json"
SCHEMA = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))


# -- text --


def test_the_text_says_everything() -> None:
    """Notes, each choice with its reason, numbers, the claim that fails, and a last line with the verdict."""
    text = remedies_text(made_result(), False)
    said = " ".join(text.replace("│", " ").split())
    assert f"note: about {HOSTILE}" in text  # nothing of a name is read as markup
    for row in made_rows():
        assert row.choice.label.split(",")[0].split(" of ")[0] in said
    assert "(no law)" in said
    assert "(symmetric-reverse-logit)" in said
    assert "Means over 2 seeds" in said
    assert "fails: Title of index-as-predicted-identity-bridge: detail of index-as-predicted-identity-bridge" in said
    assert text.rstrip().splitlines()[-1] == f"{HOSTILE}, 6 choices: fails (6 holds, 1 fails)"
    assert "\x1b[" not in text
    assert "\x1b[" in remedies_text(made_result(), True)


def test_what_holds_is_counted_and_not_listed() -> None:
    """Without a failing claim the verdict holds, and no claim is spelled out; a row without claims has a dash."""
    rows = (made_row(Choice()), made_row(Choice(optimizer="adam"), prediction=None, claims=()))
    text = remedies_text(made_result(rows), False)
    assert "Title of" not in text
    assert text.rstrip().splitlines()[-1].endswith("2 choices: holds (3 holds)")
    assert "│ -" in text


@pytest.mark.parametrize(
    ("row", "index", "predicted"),
    [
        (made_row(Choice(), (0.1, 0.1)), "0.100", "0.200 ± 0.150 law\n0.100 flow"),
        (made_row(Choice(), (0.0, 0.2)), "0.100 ± 1.271", "0.200 ± 0.150 law\n0.100 flow"),
        (made_row(Choice(), (0.1,), prediction=Prediction("flow", 0.2, 0.2, 0.2)), "0.100", "0.200 flow"),
        (made_row(Choice(), (0.1,), prediction=Prediction("closed form", 0.2, 0.2, 0.2)), "0.100", "0.200 closed form"),
        (made_row(Choice(), (0.1,), prediction=None), "0.100", "measured only"),
        (
            made_row(Choice(), (0.5,), taught=OverSeeds((1.0,)), untaught=OverSeeds((0.02,))),
            "0.500\ncopied 1.00, others 0.02",
            "0.200 ± 0.150 law\nof the others",
        ),
    ],
)
def test_numbers_come_with_what_they_are(row: object, index: str, predicted: str) -> None:
    """An index has its interval where seeds differ, a prediction its source, copies what they cover."""
    assert index_text(row) == index  # type: ignore[arg-type]
    assert predicted_text(row) == predicted  # type: ignore[arg-type]


# -- rows --


def test_rows_are_flat_and_alike() -> None:
    """One flat row a choice with the same columns: numbers, text, or nothing where there is none."""
    rows = table_rows(made_result())
    assert [row["id"] for row in rows] == [row.choice.slug for row in made_rows()]
    assert len({tuple(row) for row in rows}) == 1
    assert all(value is None or isinstance(value, str | int | float) for row in rows for value in row.values())
    baseline, adam = rows[2], rows[4]
    assert baseline["index"] == pytest.approx(0.2)
    assert (baseline["predicted_by"], baseline["predicted_low"], baseline["predicted_high"]) == ("law", 0.05, 0.35)
    assert (baseline["reason"], baseline["derivation"]) == reason(Choice())
    assert (adam["predicted_by"], adam["predicted"], adam["flow"], adam["verdict"]) == ("measured only", None, None, "")
    assert (rows[1]["index_taught"], rows[1]["index_untaught"]) == (pytest.approx(1.01), pytest.approx(0.05))


def test_json_follows_its_schema() -> None:
    """Every kind of row validates; a number that is not finite is null, and a seed without one is not in the mean."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    found = made_result().as_dict()
    jsonschema.validate(found, SCHEMA)
    assert found["verdict"] == "fails"
    empty = made_result((made_row(Choice(), (float("nan"), 0.1)),)).as_dict()
    jsonschema.validate(empty, SCHEMA)
    assert empty["rows"][0]["index"] == {"mean": 0.1, "low": None, "high": None, "by_seed": [None, 0.1]}
    json.dumps(empty, allow_nan=False)


def test_the_schema_refuses_what_is_not_said() -> None:
    """A field too many, one too few and an unknown choice are no output of the command."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for change in (
        lambda d: d.update(extra=1),
        lambda d: d.pop("notes"),
        lambda d: d["rows"][0].pop("first"),
        lambda d: d["rows"][0]["choice"].update(loss="hinge"),
        lambda d: d["rows"][0].update(id="Not An Id"),
        lambda d: d.update(rows=[]),
    ):
        found = made_result().as_dict()
        change(found)
        assert not validator.is_valid(found)


# -- files --


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    """JSON, tables and the picture with its numbers, which agree; names cannot run in a spreadsheet."""
    folder = tmp_path / "found"
    result = made_result((*made_rows(), made_row(Choice(optimizer="sgd"), claims=(made_claim("=1+1"),))))
    write_folder(result, folder)
    assert [p.name for p in tmp_path.iterdir()] == ["found"]
    names = {p.name for p in folder.iterdir()}
    assert {"remedies.json", "remedies.csv", "claims.csv"} < names
    assert {Path(name).suffix for name in names} >= {".svg", ".png", ".csv"}
    assert json.loads((folder / "remedies.json").read_text(encoding="utf-8")) == result.as_dict()
    with (folder / "remedies.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [row["id"] for row in table_rows(result)]
    assert float(rows[2]["index"]) == pytest.approx(0.2)
    with (folder / "claims.csv").open(encoding="utf-8", newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    assert ids == [claim.id if claim.id != "=1+1" else "'=1+1" for claim in result.all_claims]


def test_nothing_half_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the last file cannot be written there is no folder, and no draft of one."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("validation.remedies.present.write_figure", full)
    with pytest.raises(OutputError, match="No space left on device; nothing was written"):
        write_folder(made_result(), tmp_path / "found")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [1_000, 8_000, 16_000, 48_000])
def test_files_that_the_system_refuses_are_one_message(limit: int, tmp_path: Path) -> None:
    """The system lets no file grow beyond the limit, whichever file it is: the reason, and no folder."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OutputError, match="File too large; nothing was written"):
            write_folder(made_result(), tmp_path / "found")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 150])
def test_every_width_shows_names_and_numbers_whole(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut: a narrow terminal shows fewer columns, and reasons below the table."""
    monkeypatch.setenv("COLUMNS", str(columns))
    text = re.sub(r"\x1b\[[0-9;]*m", "", remedies_text(made_result(), True))
    assert "\u2026" not in text
    said = " ".join(re.sub(r"[│\s]+", " ", text).split())
    assert "1.300" in said
    assert "Θ stays symmetric" in said
    assert max(len(line) for line in text.splitlines()) <= columns


def test_an_unlearnt_row_says_so() -> None:
    """Its index is shown and is not to be believed."""
    assert index_text(made_row(Choice(), (9.9,), attainable_p=100.0)) == "9.900\nnot learnt"

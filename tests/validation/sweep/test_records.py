"""What a cell of each kind says, and that it says the same each time."""

import math
from typing import Any

import pytest

from theory.errors import BadInput
from validation.sweep.cell import Cell, canonical, run_cell
from validation.sweep.kinds import KINDS
from validation.sweep.records import name_of
from validation.sweep.separation import SeparationSettings

CELLS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "separation": ("separation", {"pairs": 2, "dimension": 1e8}, {"measured", "first_order", "certified", "a_priori"}),
    "check": ("check", {"theorem": "3", "pairs": 2, "steps": 9}, {"verdict", "theorems_holds", "theorem_3_measured"}),
    "train": (
        "train",
        {"preset": "smoke", "epochs": 1},
        {"verdict", "plain_train_loss", "plain_right", "control_held_out_loss", "plain_index"},
    ),
}
VERIFY = ("verify", {"pairs": 2, "model": "transformer"}, {"verdict", "claims_fails", "real_transformer_training_loss"})


@pytest.mark.parametrize("what", [*CELLS, pytest.param("verify", marks=pytest.mark.slow)])
def test_a_record_is_flat_and_always_the_same(what: str) -> None:
    """The same settings and seed give the same record; another seed another one, with the same columns."""
    kind, given, expected = CELLS.get(what, VERIFY)
    settings = dict(KINDS[kind].check(given))
    assert set(settings) == set(given)
    first, again, other = (run_cell(Cell(kind, settings, seed)) for seed in (1, 1, 2))
    assert canonical(first) == canonical(again)
    assert list(first) == list(other)
    assert what == "check" or first != other
    assert expected <= set(first)
    assert all(value is None or isinstance(value, bool | int | float | str) for value in first.values())
    assert not any(isinstance(value, float) and not math.isfinite(value) for value in first.values())


def test_exponents_of_a_draw_are_in_their_order() -> None:
    """Far out: first-order theory is met, the certificate is above what is measured, the bound before any draw above
    the certificate, and the certified dimension is where that bound is epsilon.
    """
    found = run_cell(Cell("separation", {"pairs": 3, "vocabulary": 10, "dimension": 1e14}, 0))
    assert found["measured"] == pytest.approx(found["first_order"], rel=0.2)
    assert 0 < found["measured"] <= found["certified"] <= found["a_priori"]
    enough = found["certified_dimension"]
    at = {
        d: run_cell(Cell("separation", {"pairs": 3, "vocabulary": 10, "dimension": d}, 0)) for d in (enough, enough / 2)
    }
    assert at[enough]["a_priori"] <= 0.1
    assert (at[enough / 2]["a_priori"] or math.inf) > 0.1


def test_what_is_not_there_has_its_reason() -> None:
    """Below d = m nothing is measured, and near it nothing is certified: both are said, neither is an error."""
    below = run_cell(Cell("separation", {"pairs": 5, "vocabulary": 20, "dimension": 10.0}, 0))
    assert below["measured"] is below["certified"] is below["a_priori"] is None
    assert "below d = m = 20" in below["reason"]
    near = run_cell(Cell("separation", {"pairs": 5, "vocabulary": 20, "dimension": 100.0}, 0))
    assert near["certified"] is None
    assert near["measured"] is not None
    assert near["reason"] == "no exponent is certified for this draw"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pairs": 3, "vocabulary": 7}, "3 pairs need 8 tokens"),
        ({"pairs": 3, "held_out": 4}, "exceeds pairs 3"),
        ({"pairs": 3, "dimension": 7.5}, "expected a whole number"),
        ({"epsilon": 1.0}, "less than 1"),
    ],
)
def test_separation_settings_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    """Refused with the reason."""
    with pytest.raises(BadInput, match=said):
        SeparationSettings.checked(**settings)


def test_names_of_columns() -> None:
    """Small letters, digits and underscores."""
    assert name_of("theorem-1-gd", "not applicable") == "theorem_1_gd_not_applicable"


def test_memory_is_estimated_before() -> None:
    """Larger settings need more, and an estimate is made without running."""
    for kind, small, large in (
        ("separation", {"pairs": 2}, {"pairs": 2, "vocabulary": 500}),
        ("train", {"preset": "smoke"}, {"preset": "smoke", "width": 64}),
        ("verify", {"pairs": 2}, {"pairs": 200}),
    ):
        need = KINDS[kind].memory
        assert need is not None
        assert 0 < need(small) < need(large)

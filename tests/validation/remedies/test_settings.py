"""Settings of `reversal remedies`: lists make tables, every problem is said at once, nothing is ignored in silence."""

import itertools
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest

from numerics.losses import CURVATURE, LOSSES
from theory.errors import BadInput
from theory.opposites import asked_of
from theory.task import Task, reversal_task
from theory.variants import Variant
from validation.remedies.cells import check_settings
from validation.remedies.choice import Choice, brief_choices, shown_choices
from validation.remedies.reason import reason
from validation.remedies.schedule import schedule
from validation.remedies.settings import LISTS, RemedySettings
from validation.remedies.trained import draw_choice
from validation.settings import HEAVY_BALL, SettingsError
from validation.training import TrainingSettings


def choices(**given: object) -> tuple[Choice, ...]:
    """The rows that these settings ask for."""
    return RemedySettings.checked(**given).choices()


def problems(**given: object) -> list[str]:
    """What is wrong with them, line by line."""
    with pytest.raises(SettingsError) as refused:
        RemedySettings.checked(**given)
    return str(refused.value).splitlines()


# -- tables --


def test_nothing_asked_for_is_the_whole_table() -> None:
    """Without a list the shown choices are compared, the baseline first; brief takes some of them."""
    assert choices() == shown_choices()
    assert choices()[0] == Choice()
    assert choices(brief=True) == brief_choices()
    assert set(brief_choices()) < set(shown_choices())


def test_shown_choices_have_ids_of_their_own() -> None:
    """Labels and ids differ from row to row, ids are words joined by hyphens, and each row says why."""
    shown = shown_choices()
    assert len({c.slug for c in shown}) == len({c.label for c in shown}) == len(shown)
    for choice in shown:
        assert set(choice.slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert choice.slug.strip("-") == choice.slug
        assert len(reason(choice)[0]) > 20


def test_lists_make_every_combination_once() -> None:
    """Two losses, two spaces and two optimisers are eight rows, the rest as in the baseline; repeats count once."""
    rows = choices(loss="squared, cross-entropy,squared", parameters="free,symmetric", optimizer="gd,sgd")
    expected = [
        Choice(loss=loss, parameters=parameters, optimizer=optimizer)  # type: ignore[arg-type]
        for loss, parameters, optimizer in itertools.product(
            ("squared", "cross-entropy"), ("free", "symmetric"), ("gd", "sgd")
        )
    ]
    assert list(rows) == expected


def test_every_name_of_every_list_is_known() -> None:
    """Each name alone makes one row that differs from the baseline in that one choice."""
    for name, values in LISTS.items():
        for value in values:
            (row,) = choices(**{name: value})
            assert getattr(row, name) == value
            others = set(LISTS) - {name}
            assert {n: getattr(row, n) for n in others} == {n: getattr(Choice(), n) for n in others}


def test_what_is_shared_is_given_to_every_row() -> None:
    """Weight decay, context, embeddings, width, share and scale reach each row, of a list and of the shown table."""
    given = {
        "weight_decay": 0.01, "context": "entity+relation", "embeddings": "orthonormal", "width": 3, "share": 0.25,
        "init_scale": 0.2,
    }  # fmt: skip
    for rows in (choices(**given), choices(**given, parameters="factorised", data="reversed-copies,plain")):
        assert len(rows) > 1
        for row in rows:
            assert {name: getattr(row, name) for name in given} == given
            assert row.scale == 0.2


def test_data_bring_the_context_that_they_need() -> None:
    """Implications are asked with the relation in one-hot contexts unless something else is asked for."""
    for data in ("implication", "identity-bridge-as-implication"):
        (row,) = choices(data=data)
        assert (row.context, row.embeddings) == ("entity+relation", "orthonormal")
        (row,) = choices(data=data, embeddings="gaussian")
        assert (row.context, row.embeddings) == ("entity+relation", "gaussian")


def test_the_scale_of_two_factors_is_larger() -> None:
    """Without --init-scale a product of two factors starts further from its saddle than a matrix from zero."""
    assert Choice(parameters="factorised").scale > Choice().scale
    assert Choice(parameters="factorised", init_scale=0.0).scale == 0.0


def test_half_of_the_pairs_are_held_out() -> None:
    """By default half, at least one; as many as asked for otherwise."""
    held = [RemedySettings(pairs=pairs).held for pairs in (2, 3, 20)]
    assert held == [1, 1, 10]
    assert RemedySettings(pairs=20, held_out=3).held == 3
    assert list(RemedySettings(seed=4, seeds=3).seed_numbers) == [4, 5, 6]


# -- what is refused --


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"loss": "hinge"}, f"--loss hinge: expected {', '.join(LOSSES)}, several separated by commas"),
        ({"loss": ""}, "--loss : expected cross-entropy, squared"),
        ({"loss": ()}, "--loss : expected cross-entropy, squared"),
        ({"data": "plain,mirror"}, "--data mirror: expected plain, both-directions"),
        ({"parameters": 3}, "--parameters 3: input should be a valid tuple"),
        ({"pairs": 1}, "--pairs 1: input should be greater than or equal to 2"),
        ({"dimension": "many"}, "--dimension many: input should be a valid integer"),
        ({"weight_decay": 1.0}, "--weight-decay 1.0: input should be less than 1"),
        ({"share": 0.0}, "--share 0.0: input should be greater than 0"),
        ({"time": float("nan")}, "--time nan: input should be"),
        ({"colour": "red"}, "--colour: no such setting; the settings are facts, task, pairs"),
        ({"pairs": 4, "held_out": 5}, "--held-out 5 exceeds --pairs 4; hold out at most every pair"),
        ({"parameters": "factorised", "init_scale": 0.0}, "--init-scale 0: a product of two zero factors never moves"),
        ({"init_scale": 0.0}, "--init-scale 0: a product of two zero factors never moves"),
    ],
)
def test_a_setting_without_sense_is_named(given: dict[str, object], said: str) -> None:
    """One line with the option, what came and what was expected."""
    (line,) = problems(**given)
    assert line.startswith(said)


def test_a_zero_start_is_sense_where_something_moves() -> None:
    """A matrix Theta leaves zero, and so do trained embeddings."""
    assert {c.scale for c in choices(parameters="free,tied-embeddings", init_scale=0.0)} == {0.0}


def test_every_problem_is_said_at_once() -> None:
    """Four bad values are four lines; a list with two unknown names has a line for each, and none twice."""
    lines = problems(loss="hinge,ranking,hinge", seeds=0, dimension=0, share=2)
    assert [line.split(":")[0] for line in lines] == [
        "--loss hinge",
        "--loss ranking",
        "--share 2",
        "--dimension 0",
        "--seeds 0",
    ]
    assert len(problems(pairs=2, held_out=3, width=2, parameters="free", share=0.3)) == 3


@pytest.mark.parametrize(
    ("given", "option", "why"),
    [
        ({"facts": Path("x.csv"), "pairs": 4}, "--pairs", "on a fact file"),
        ({"task": "chain-of-thought", "held_out": 1}, "--held-out", "on chains, which are all held out"),
        ({"embeddings": "orthonormal", "dimension": 64}, "--dimension", "with orthonormal embeddings"),
        ({"data": "identity-bridge-as-implication", "dimension": 64}, "--dimension", "with orthonormal embeddings"),
        ({"parameters": "free,symmetric", "width": 4}, "--width", "without factorised parameters"),
        ({"loss": "squared", "width": 4}, "--width", "without factorised parameters"),
        ({"data": "plain,control", "share": 0.3}, "--share", "without both-directions or reversed-copies data"),
        ({"optimizer": "adam,sign", "time": 3.0}, "--time", "on Adam and sign descent"),
        ({"data": "implication", "pairs": 4}, "--pairs", "on the implication task, which is built in"),
        ({"data": "implication", "facts": Path("x.csv")}, "FACTS", "on the implication task, which is built in"),
        ({"loss": "squared", "brief": True}, "--brief", "beside a list of choices"),
    ],
)
def test_an_option_that_nothing_would_use_is_refused(given: dict[str, object], option: str, why: str) -> None:
    """An option without effect on any row is not ignored: the line names it and the reason."""
    (line,) = problems(**given)
    assert line.startswith(f"{option} has no effect {why}")
    assert line.endswith("; leave it out")


@pytest.mark.parametrize(
    "given",
    [
        {"parameters": "free,factorised", "width": 4},
        {"data": "plain,reversed-copies", "share": 0.3},
        {"optimizer": "adam,gd", "time": 3.0},
        {"data": "implication,plain", "pairs": 4},
        {"width": 4, "share": 0.3, "time": 3.0, "dimension": 32, "pairs": 4},
    ],
)
def test_an_option_that_one_row_uses_is_kept(given: dict[str, object]) -> None:
    """Where some row uses it, an option is given to all, and no row is lost."""
    assert len(choices(**given)) > 1


# -- one choice a cell --


def test_a_cell_is_one_choice() -> None:
    """Settings of a sweep's cell name one of each list; more is refused, and so is what no settings would take."""
    check_settings({"pairs": 4, "loss": "squared", "dimension": 16})
    with pytest.raises(BadInput, match="one choice: name one loss"):
        check_settings({"loss": "squared,cross-entropy"})
    with pytest.raises(BadInput, match="--parameters flat: expected free"):
        check_settings({"parameters": "flat"})


# -- step sizes --


def how(
    choice: Choice,
    task: Task,
    dimension: int = 32,
    time: float | None = None,
    rate: float | None = None,
    seeds: int = 1,
) -> TrainingSettings:
    """The schedule of a choice on instances drawn for it."""
    drawn = draw_choice(Variant(task, asked_of(task)), choice, dimension, range(seeds))
    return schedule(choice, drawn.kernels, dimension, time, rate)


def test_weight_decay_is_per_unit_of_time() -> None:
    """A step takes lambda times its time, for the heavy ball too, whose time is 1/(1 - beta) times the step size."""
    task = reversal_task(4, 2)
    for optimizer in ("gd", "sgd", "momentum"):
        decayed = how(Choice(optimizer=optimizer, weight_decay=0.03), task)  # type: ignore[arg-type]
        assert decayed.decoupled
        assert decayed.shrinking == pytest.approx(0.03 * decayed.time_per_step, rel=1e-14)
    assert decayed.momentum == HEAVY_BALL
    plain = how(Choice(), task)
    assert (plain.weight_decay, plain.decoupled) == (0.0, False)


def test_time_and_step_size_can_be_asked_for() -> None:
    """Steps last the time for each context, to within the last step; a step size is taken as it is."""
    task = reversal_task(4, 2)
    for optimizer, loss in itertools.product(("gd", "sgd", "momentum"), LOSSES):
        choice = Choice(optimizer=optimizer, loss=loss)  # type: ignore[arg-type]
        asked = how(choice, task, time=7.0, rate=0.01)
        assert asked.learning_rate == 0.01
        last = 7.0 * task.trained_contexts
        assert last <= asked.steps * asked.time_per_step * (1 + 1e-9) < last + asked.time_per_step * (1 + 1e-6)
    assert how(Choice(optimizer="adam"), task, rate=0.3).learning_rate == 0.3


def test_steps_without_end_are_refused() -> None:
    """A time that would take more than a million steps is refused, with what to change."""
    with pytest.raises(BadInput, match=r"steps of size .* would be needed, more than 1,000,000; give a larger"):
        how(Choice(), reversal_task(4, 2), time=1e6, rate=0.01)


def test_products_descend_one_against_all_in_smaller_steps_for_more_tokens() -> None:
    """All rows pull all tokens one way: the step of a product falls as one over the tokens, that of a matrix not."""

    def step(parameters: str, vocabulary: int) -> float:
        choice = Choice(parameters=parameters, loss="one-against-all", embeddings="orthonormal")  # type: ignore[arg-type]
        return how(choice, reversal_task(4, 2, vocabulary)).learning_rate

    assert step("factorised", 80) == pytest.approx(step("factorised", 20) / 4)
    assert step("free", 80) == step("free", 20)


def test_default_steps_expand_no_distance_on_any_instance() -> None:
    """Where the loss is convex the step follows the instances that were drawn, however few dimensions they have."""
    task = reversal_task(6, 3)
    for optimizer, loss in itertools.product(("gd", "sgd", "momentum"), LOSSES):
        choice = Choice(optimizer=optimizer, loss=loss)  # type: ignore[arg-type]
        for dimension in (1, 2, 8):
            drawn = draw_choice(Variant(task, asked_of(task)), choice, dimension, range(4))
            chosen = schedule(choice, drawn.kernels, dimension, None, None)
            largest = min(k.nonexpansive_step(chosen.batch == "full") for k in drawn.kernels)
            largest *= CURVATURE["cross-entropy"] / CURVATURE[loss]
            assert chosen.time_per_step < largest


@pytest.mark.parametrize("rate", ["0.1", "0.3", "0.7", "0.001"])
@pytest.mark.parametrize("steps", ["1", "3", "999", "3.0000000002"])
def test_steps_fill_the_time_exactly(rate: str, steps: str) -> None:
    """As many steps as the time holds, the last one begun counted: decimals that divide evenly leave no step over."""
    task = reversal_task(2, 2)
    time = float(Fraction(rate) * Fraction(steps) / task.trained_contexts)
    assert how(Choice(), task, time=time, rate=float(rate)).steps == ceil(Fraction(steps))

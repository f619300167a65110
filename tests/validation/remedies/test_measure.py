"""One choice measured on four pairs: every field of its row, where the prediction comes from, which claims are made."""

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from numerics.losses import CURVATURE, LOSSES
from numerics.space_flow import flow_states
from theory.errors import BadInput
from theory.facts import Fact, reversal_task_from_facts
from theory.task import Task, chain_of_thought_task, first_pairs, reversal_task
from theory.twin import TwinVerdict
from theory.variants import variant
from validation.remedies.cells import cell_record
from validation.remedies.choice import Choice, shown_choices
from validation.remedies.measure import measure
from validation.remedies.prediction import flow_changes
from validation.remedies.result import OverSeeds, Row
from validation.remedies.run import FALSE_ALARM, fitting, load_task, measured, run
from validation.remedies.schedule import schedule
from validation.remedies.settings import RemedySettings
from validation.remedies.time import TWINS_SECONDS, row_seconds
from validation.remedies.trained import draw_choice, run_choice

DIMENSION = 32


def measure_on(task: Task, choice: Choice, time: float | None = None, seeds: int = 2) -> Row:
    """The row of a choice on a task, d = 32."""
    return measured(task, choice, RemedySettings(dimension=DIMENSION, seeds=seeds, time=time), FALSE_ALARM)


@cache
def row_of(choice: Choice, time: float | None = None, seeds: int = 2) -> Row:
    """The row of a choice on four pairs, two of them held out; with five seeds the law is held to ten questions."""
    return measure_on(reversal_task(4, 2), choice, time, seeds)


def claims_by_kind(row: Row) -> dict[str, str]:
    """The verdict of each claim, by its id without the choice."""
    slug = f"-{row.choice.slug}"
    assert all(claim.id.endswith(slug) for claim in row.claims)
    return {claim.id.removesuffix(slug): claim.verdict for claim in row.claims}


# -- a row --


def test_the_baseline_has_every_field() -> None:
    """Two questions, five seeds, chance 1/10, 50 units of time for each of 6 contexts, and three claims that hold."""
    row = row_of(Choice(), seeds=5)
    assert (row.questions, row.chance, row.steps) == (2, 0.1, 100)
    assert row.learning_rate == pytest.approx(0.5 * 6)
    assert row.time == pytest.approx(50 * 6)
    measured_fields = (row.index, row.logit_index, row.centred_logit_index, row.trained_p, row.asked_p, row.rival_p)
    for field in (*measured_fields, row.first, row.flow):
        assert isinstance(field, OverSeeds)
        assert len(field.by_seed) == 5
    assert row.learnt
    assert row.attainable_p == 1.0
    assert (row.taught, row.untaught) == (None, None)
    assert row.trained_p.mean > 0.95
    assert row.asked_p.mean < 0.3
    assert row.verdict == "holds"
    assert all(claim.measured is not None and claim.measured > 0.0 for claim in row.claims)  # rounding is never zero
    assert "over 10 questions and seeds" in next(c.detail for c in row.claims if c.id.startswith("index-as-predicted"))
    assert claims_by_kind(row) == dict.fromkeys(
        ("training-is-recursion", "interpolation-law", "index-as-predicted"), "holds"
    )


def test_seeds_do_not_depend_on_their_company() -> None:
    """The first of two seeds gives the numbers of one seed alone, to the rounding of another kernel."""
    alone = measure_on(reversal_task(4, 2), Choice(), seeds=1)
    assert alone.index.by_seed[0] == pytest.approx(row_of(Choice()).index.by_seed[0], rel=1e-9)
    assert np.isnan(alone.index.interval).all()  # one seed says nothing of others


def test_the_interval_is_students() -> None:
    """Of two seeds the 95 % interval of the mean is 12.7 standard errors to either side, of equal ones a point."""
    low, high = OverSeeds((1.0, 3.0)).interval
    assert (low, high) == pytest.approx((2.0 - 12.706, 2.0 + 12.706), rel=1e-3)
    assert OverSeeds((2.0, 2.0, 2.0)).interval == (2.0, 2.0)
    empty = OverSeeds((1.0, float("nan"))).interval
    assert np.isnan(empty).all()


# -- where a prediction comes from --

SOURCES = {
    "law": Choice(),
    "law of another loss": Choice(loss="one-against-all"),
    "law of SGD": Choice(optimizer="sgd"),
    "law with decay": Choice(weight_decay=0.01),
    "law of a control": Choice(data="control"),
    "flow: another space": Choice(parameters="symmetric"),
    "flow: one-hot tokens": Choice(embeddings="orthonormal"),
    "flow: a large start": Choice(init_scale=1.0),
    "flow: a row that is trained": Choice(data="identity-bridge"),
    "closed form: squared loss of trained rows": Choice(loss="squared", data="identity-bridge"),
    "None: Adam": Choice(optimizer="adam"),
    "None: sign": Choice(optimizer="sign"),
}


@pytest.mark.parametrize("case", SOURCES)
def test_predictions_have_their_source(case: str) -> None:
    """The law where it applies, else the closed form or the flow, and nothing for steps that are no gradients."""
    row = row_of(SOURCES[case], 10.0 if SOURCES[case].gradient_steps else None, 5)
    source = case.split(" of")[0].split(" with")[0].split(":")[0]
    assert str(None if row.prediction is None else row.prediction.source) == source
    if row.prediction is None:
        assert (row.flow, row.time, row.claims) == (None, None, ())
        return
    assert row.flow is not None
    assert row.prediction.low <= row.prediction.mean <= row.prediction.high
    if source == "law":
        assert claims_by_kind(row)["index-as-predicted"] == "holds"
        assert row.prediction.high - row.prediction.low < 2.0
    else:
        assert row.prediction.mean == row.prediction.low == row.prediction.high == pytest.approx(row.flow.mean)
        assert "index-as-predicted" not in claims_by_kind(row)
    assert row.verdict == "holds"


@pytest.mark.parametrize(("optimizer", "largest"), [("gd", 2.0), ("sgd", 2.0), ("momentum", 0.2)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.03])
def test_training_comes_to_its_flow(optimizer: str, largest: float, weight_decay: float) -> None:
    """Half the step, half the distance of the index to that of the flow: weight decay is per unit of time as well."""
    task, choice = reversal_task(4, 2), Choice(optimizer=optimizer, weight_decay=weight_decay)  # type: ignore[arg-type]
    distances = []
    for step in (largest, largest / 2):
        settings = RemedySettings(dimension=DIMENSION, seeds=2, time=20.0, learning_rate=step)
        row = measured(task, choice, settings, FALSE_ALARM, judged=False)
        assert row.flow is not None
        distances.append(np.abs(np.array(row.index.by_seed) - row.flow.by_seed).max())
    # order one is a half; a decay per step would leave momentum's distance where it is
    assert 0 < distances[1] < 0.7 * distances[0]


# -- taught and untaught --


def test_copies_lift_what_they_cover() -> None:
    """Half of the questions have a copy: their index is one, the law predicts the others, and the claim holds."""
    task = reversal_task(8, 4)
    settings = RemedySettings(dimension=128, seeds=5)
    row = measured(task, Choice(data="reversed-copies"), settings, FALSE_ALARM)
    assert row.taught is not None
    assert row.untaught is not None
    # a copy is learnt as long as its premise is, from the same small start
    np.testing.assert_allclose(row.taught.by_seed, 1.0, rtol=0, atol=0.05)
    assert max(row.untaught.by_seed) < 0.5
    np.testing.assert_allclose(
        row.index.by_seed, (np.array(row.taught.by_seed) + row.untaught.by_seed) / 2, rtol=0, atol=1e-12
    )
    assert claims_by_kind(row)["copies-lift-what-they-cover"] == "holds"
    everything = row_of(Choice(data="reversed-copies", share=1.0))
    assert everything.untaught is None
    assert everything.prediction is not None
    assert everything.prediction.source == "flow"


@pytest.mark.parametrize("parameters", ["symmetric", "tied-embeddings"])
def test_copies_claim_nothing_where_others_are_lifted_too(parameters: str) -> None:
    """A symmetric Theta lifts facts without a copy, one table may: no claim says that only copies do."""
    row = row_of(Choice(parameters=parameters, data="reversed-copies"), 5.0)  # type: ignore[arg-type]
    assert row.verdict == "holds"
    assert "copies-lift-what-they-cover" not in claims_by_kind(row)


def test_copies_claim_nothing_where_the_start_decides() -> None:
    """From a large start, of which weight decay takes most, an index says what was drawn, and no claim is made."""
    choice = Choice(loss="one-against-all", data="reversed-copies", weight_decay=0.5, init_scale=0.5)
    row = measure_on(reversal_task(6, 2), choice, 10.0)
    assert row.verdict == "holds"
    assert "copies-lift-what-they-cover" not in claims_by_kind(row)


def test_pairs_taught_in_both_directions_are_not_asked() -> None:
    """One of the two questions is trained, the other asked: nothing of the row is called taught."""
    row = row_of(Choice(data="both-directions"))
    assert (row.questions, row.taught, row.untaught) == (1, None, None)


# -- other spaces --


def test_a_symmetric_theta_has_logit_index_one() -> None:
    """The reverse logit is the forward one for every seed, and a claim says so."""
    row = row_of(Choice(parameters="symmetric"))
    np.testing.assert_allclose(row.logit_index.by_seed, 1.0, rtol=0, atol=1e-10)
    assert row.index.mean > 0.5
    assert claims_by_kind(row) == dict.fromkeys(("training-is-recursion", "reverse-logit-equals-forward"), "holds")


def test_a_question_that_follows_from_a_chain_is_not_reversed() -> None:
    """In a part of a file whose own facts were cut away, or of chains alone, only true reversals are held to it."""
    dense = [Fact(f"e{i}", "r", f"e{(i + k) % 9}") for i in range(9) for k in (1, 2, 4)]
    part = first_pairs(reversal_task_from_facts(dense), 12)
    assert measure_on(part, Choice(parameters="symmetric"), 10.0).verdict == "holds"
    row = measure_on(chain_of_thought_task(2), Choice(parameters="symmetric"), 10.0)
    assert "reverse-logit-equals-forward" not in claims_by_kind(row)


@pytest.mark.parametrize("parameters", ["factorised", "trained-embeddings", "tied-embeddings"])
def test_products_balance(parameters: str) -> None:
    """Real training of a product equals its recursion, and what its flow conserves drifts with the step."""
    row = row_of(Choice(parameters=parameters), 10.0)  # type: ignore[arg-type]
    assert claims_by_kind(row) == dict.fromkeys(("training-is-recursion", "balance"), "holds")


def test_the_squared_loss_is_held_to_its_closed_form() -> None:
    """The integrated flow agrees with the closed form, which weight decay would need another of."""
    row = row_of(Choice(loss="squared"))
    assert claims_by_kind(row)["closed-form"] == "holds"
    (claim,) = (claim for claim in row.claims if claim.id.startswith("closed-form"))
    assert claim.measured is not None
    assert claim.measured > 0.0
    assert "closed-form" not in claims_by_kind(row_of(Choice(loss="squared", weight_decay=0.01)))
    # steps of Adam and of the sign have no time of a flow, and no claim
    assert row_of(Choice(loss="squared", optimizer="sign", context="entity+relation")).verdict != "fails"
    assert claims_by_kind(row_of(Choice(loss="squared", optimizer="adam"))) == {}


def test_the_flow_of_the_squared_loss_is_its_closed_form() -> None:
    """What stands as the flow beside training is the closed form at the end of training: the integrated flow agrees."""
    choice = Choice(loss="squared")
    data = variant(reversal_task(4, 2), "plain")
    drawn = draw_choice(data, choice, DIMENSION, range(2))
    trained = run_choice(drawn, schedule(choice, drawn.kernels, DIMENSION, None, None))
    for space, change in zip(trained.spaces, flow_changes(trained) or [], strict=True):
        *_, state = flow_states(space, "squared", np.array([trained.end]))
        # the solver's tolerance is 1e-8 on coordinates of some ten, which two kernels spread over a row
        np.testing.assert_allclose(change, space.change(state), rtol=0, atol=1e-5)
        *_, early = flow_states(space, "squared", np.array([trained.end / 2]))
        assert np.abs(change - space.change(early)).max() > 1e-3


def test_a_moment_of_the_flow_is_held_to_its_solver_too() -> None:
    """After a millionth of a unit of time nothing has moved far: the bound then is the absolute tolerance, not zero."""
    assert claims_by_kind(row_of(Choice(loss="squared"), 1e-6))["closed-form"] == "holds"


def test_sign_descent_leaves_untrained_rows_of_one_hot_tokens() -> None:
    """The index is zero exactly: the sign of no gradient is zero."""
    row = row_of(Choice(optimizer="sign", embeddings="orthonormal"))
    assert row.index.by_seed == (0.0, 0.0)
    assert row.trained_p.mean > 0.95


@pytest.mark.parametrize("parameters", ["trained-embeddings", "tied-embeddings"])
def test_sign_descent_learns_with_trained_one_hot_tokens(parameters: str) -> None:
    """One-hot tables that are trained fill up with steps: the step is small enough that the pairs are learnt."""
    row = row_of(Choice(parameters=parameters, optimizer="sign", embeddings="orthonormal"))  # type: ignore[arg-type]
    assert row.trained_p.mean > 0.95


def test_merged_parameters_learn_no_implication() -> None:
    """On the implication task every implication has one logit for all subjects, within what the start sets apart."""
    choice = Choice(data="implication", context="entity+relation", embeddings="orthonormal")
    row = row_of(choice, 20.0)
    assert row.task.name == "implication"
    assert row.questions == 12
    assert claims_by_kind(row)["implication-not-learnt"] == "holds"
    (claim,) = (claim for claim in row.claims if claim.id.startswith("implication-not-learnt"))
    assert claim.measured is not None
    assert claim.measured > 1e-6  # the start sets them apart, far beyond rounding


@pytest.mark.parametrize("changed", [{"init_scale": 1.0}, {"width": 4}])
def test_factors_are_not_said_to_learn_from_where_they_do_not(changed: dict[str, float]) -> None:
    """From a large start, and with fewer columns than implications, the claim does not apply and says why."""
    related = {"data": "implication", "context": "entity+relation", "embeddings": "orthonormal"}
    row = row_of(Choice(parameters="factorised", **related, **changed), 2.0)  # type: ignore[arg-type]
    (claim,) = (claim for claim in row.claims if claim.id.startswith("implication-learnt"))
    assert claim.verdict == "not applicable"
    assert "from a start of at most 0.1 and at a width of at least 8" in claim.detail


@pytest.mark.slow
def test_two_factors_learn_the_implication() -> None:
    """The same task with two factors: the right implication is above all others for every subject and seed."""
    choice = Choice(
        parameters="factorised", data="implication", context="entity+relation", embeddings="orthonormal"
    )  # fmt: skip
    row = row_of(choice)
    assert claims_by_kind(row)["implication-learnt"] == "holds"
    assert row.first.by_seed == (1.0, 1.0)


# -- the run around it --


def test_unjudged_rows_have_the_same_numbers() -> None:
    """Without claims, which take most of the time, every number is the same."""
    settings = RemedySettings(dimension=DIMENSION, seeds=2)
    plain = measured(reversal_task(4, 2), Choice(), settings, FALSE_ALARM, judged=False)
    assert plain.claims == ()
    assert {**plain.as_dict(), "claims": None, "verdict": None} == {
        **row_of(Choice()).as_dict(), "claims": None, "verdict": None,
    }  # fmt: skip


def test_measuring_leaves_the_threads_as_they_were() -> None:
    """One thread while it runs, whatever was set before and after, also where it is refused."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(BadInput):
            measured(reversal_task(2, 0), Choice(), RemedySettings(seeds=1), FALSE_ALARM)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_choices_that_do_not_fit_are_left_out_with_a_note() -> None:
    """Of the shown table, rows that the task has no data for are named; asked for by name, they are refused."""
    task = reversal_task(3, 1)
    kept, notes = fitting(task, RemedySettings(pairs=3, held_out=1))
    left = [c for c in RemedySettings().choices() if c not in kept]
    # of one question half is none, and nine tenths leave none to ask
    assert {c.data for c in left} == {"both-directions", "reversed-copies"}
    assert len(notes) == len(left)
    for note, choice in zip(notes, left, strict=True):
        assert note.startswith(f"left out: {choice.label} (--share")
    with pytest.raises(BadInput, match=r"--share 0\.5: of 1 question "):
        fitting(task, RemedySettings(pairs=3, held_out=1, data="both-directions"))  # type: ignore[arg-type]


def test_a_part_of_a_large_task_is_said() -> None:
    """More pairs than --train-pairs are cut, with a note of how many; a small task is left alone."""
    task, notes = load_task(RemedySettings(pairs=40, train_pairs=10))
    assert len(task.train_context) == 10
    assert notes == ["measured on 10 of 60 trained pairs (--train-pairs), those around the first questions"]
    assert load_task(RemedySettings(pairs=4))[1] == []
    chain, _ = load_task(RemedySettings(pairs=4, task="chain-of-thought"))
    assert chain.name == "chain-of-thought"


def test_rows_come_by_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest index first; derivations of the rows' reasons and the false twins are claims of the whole."""
    monkeypatch.setattr(
        "validation.remedies.run.twin_verdicts", lambda: (TwinVerdict("a/b", violated=True, proved=False),)
    )
    told: list[tuple[str, float]] = []
    settings = RemedySettings.checked(pairs=4, dimension=DIMENSION, seeds=2, time=10.0, parameters="free,symmetric")
    result = run(settings, lambda label, done: told.append((label, done)))
    assert [row.choice.parameters for row in result.rows] == ["symmetric", "free"]
    assert {c.id for c in result.claims} == {"symmetric-reverse-logit", "interpolation-law", "false-twins"}
    assert result.verdict == "holds"
    assert [done for _, done in told] == sorted(done for _, done in told)
    rows = sum(row_seconds(reversal_task(4, 2), choice, settings) for choice in settings.choices())
    assert told[-1] == ("false statements", pytest.approx(rows / (rows + TWINS_SECONDS)))


def test_a_cell_is_the_row_of_one_seed() -> None:
    """A cell of a sweep has the flat numbers of a run with that one seed, the same every time."""
    settings = {"pairs": 4, "dimension": DIMENSION, "time": 10.0, "parameters": "symmetric"}
    found = cell_record(settings, 3)
    assert found == cell_record(settings, 3)
    checked = RemedySettings.checked(**settings, seed=3, seeds=1)
    row = measure(reversal_task(4, 2), checked.choices()[0], checked, FALSE_ALARM)
    assert found["index"] == row.index.mean
    assert found["logit_index"] == pytest.approx(1.0, abs=1e-10)
    assert found["index"] != cell_record(settings, 4)["index"]
    assert all(value is None or isinstance(value, str | float | int) for value in found.values())


# -- where claims apply --


def details(row: Row) -> dict[str, str]:
    """Why a claim does not apply, by its id without the choice."""
    slug = f"-{row.choice.slug}"
    return {c.id.removesuffix(slug): c.detail for c in row.claims if c.verdict == "not applicable"}


def test_too_few_questions_are_no_gaussian_mean() -> None:
    """Two questions of two seeds: the interval is shown, and no claim is made of it."""
    assert "4 are too few" in details(row_of(Choice()))["index-as-predicted"]


def test_an_interval_of_everything_predicts_nothing() -> None:
    """In two dimensions the law allows any index: that the measured one is among them is not said to hold."""
    row = measured(reversal_task(6, 5), Choice(), RemedySettings(dimension=2, seeds=2, time=10.0), FALSE_ALARM)
    assert "cannot tell cursed from lifted" in details(row)["index-as-predicted"]


def test_a_law_that_is_an_identity_is_not_tested() -> None:
    """Three dimensions and six trained contexts: every feature is in their span, where Adam obeys the law too."""
    row = measured(reversal_task(6, 3), Choice(), RemedySettings(dimension=3, seeds=1, time=10.0), FALSE_ALARM)
    assert "which any training obeys" in details(row)["interpolation-law"]


def test_implications_are_alike_under_full_batches_alone() -> None:
    """One fact at a time treats implications in turn: a merged Theta then has no symmetry to show."""
    related = {"data": "implication", "context": "entity+relation", "embeddings": "orthonormal"}
    row = row_of(Choice(optimizer="sgd", init_scale=0.0, **related), 2.0)  # type: ignore[arg-type]
    assert "only full batches" in details(row)["implication-not-learnt"]


@pytest.mark.parametrize("changed", [{"weight_decay": 0.01}, {"embeddings": "gaussian"}])
def test_factors_learn_implications_of_one_hot_tokens_without_decay(changed: dict[str, object]) -> None:
    """Elsewhere nothing is claimed."""
    related = {"data": "implication", "context": "entity+relation", "embeddings": "orthonormal"}
    row = row_of(Choice(parameters="factorised", **{**related, **changed}), 2.0)  # type: ignore[arg-type]
    assert "one-hot tokens, without weight decay" in details(row)["implication-learnt"]


def test_what_was_not_learnt_is_said() -> None:
    """After a moment no pair is learnt, under any loss; the squared one is learnt at a probability near chance."""
    for loss in LOSSES:
        assert not row_of(Choice(loss=loss), 0.01).learnt
        assert row_of(Choice(loss=loss)).learnt
    assert row_of(Choice(loss="squared")).attainable_p == pytest.approx(np.e / (np.e + 9))
    assert "not learnt" in details(row_of(Choice(data="reversed-copies"), 0.01))["copies-lift-what-they-cover"]


@pytest.mark.parametrize("seed", [7, 10, 37])
@pytest.mark.parametrize("dimension", [8, 64])
def test_the_closed_form_is_the_flow_on_any_draw(seed: int, dimension: int) -> None:
    """Errors of the solver stay below what it accepts, summed over its steps, for draws where two solvers agree too."""
    settings = RemedySettings(dimension=dimension, seeds=1, seed=seed)
    row = measured(reversal_task(6, 3), Choice(loss="squared"), settings, FALSE_ALARM)
    (claim,) = (claim for claim in row.claims if claim.id.startswith("closed-form"))
    assert claim.verdict == "holds"
    assert claim.bound is not None
    assert claim.bound < 1e-4  # of coordinates of order one to ten


def test_steps_are_nonexpansive_up_to_their_limit() -> None:
    """The limit is that of the instances, less what weight decay takes; a product of matrices has none."""
    for loss, optimizer in itertools.product(LOSSES, ("gd", "sgd")):
        choice = Choice(loss=loss, optimizer=optimizer)  # type: ignore[arg-type]
        drawn = draw_choice(variant(reversal_task(4, 2), "plain"), choice, 16, range(2))
        bound = min(k.nonexpansive_step(optimizer == "gd") for k in drawn.kernels)
        bound *= CURVATURE["cross-entropy"] / CURVATURE[loss]
        chosen = schedule(choice, drawn.kernels, 16, 1.0, None)
        for factor, small in ((0.99, True), (1.01, False)):
            steps = replace(chosen, learning_rate=factor * bound, steps=1)
            assert run_choice(drawn, steps).nonexpansive is small
        assert not run_choice(
            drawn, replace(chosen, learning_rate=0.99 * bound, steps=1, weight_decay=0.9)
        ).nonexpansive
    tied = draw_choice(variant(reversal_task(4, 2), "plain"), Choice(parameters="tied-embeddings"), 16, range(1))
    assert not run_choice(tied, replace(chosen, learning_rate=1e-6, steps=1)).nonexpansive


def test_a_merged_theta_is_judged_after_small_steps_alone() -> None:
    """Steps that may expand what the start sets apart leave the claim aside."""
    choice = Choice(data="implication", context="entity+relation", embeddings="orthonormal")
    settings = RemedySettings(seeds=1, time=20.0, learning_rate=150.0)
    row = measured(reversal_task(4, 2), choice, settings, FALSE_ALARM)
    assert "expand distances" in details(row)["implication-not-learnt"]


def test_noise_around_a_fit_out_of_reach_is_no_divergence() -> None:
    """Five dimensions, one fact at a time: small steps end in noise above the start, measured and called not learnt."""
    choice = Choice(loss="squared", optimizer="sgd", data="identity-bridge")
    row = measured(
        reversal_task(4, 2), choice, RemedySettings(dimension=5, seeds=1, seed=143049), FALSE_ALARM, judged=False
    )
    assert not row.learnt


def test_a_moment_is_shorter_than_a_step() -> None:
    """However short the time, training lasts just that."""
    for parameters in ("free", "trained-embeddings"):
        row = row_of(Choice(parameters=parameters), 1e-6)  # type: ignore[arg-type]
        assert (row.steps, row.time) == (1, pytest.approx(6e-6))


# -- twenty pairs, five seeds --


def test_both_sides_at_the_default_size() -> None:
    """Cross-entropy within its interval, a symmetric logit index of one, copies that lift what they cover alone."""
    task, settings = reversal_task(20, 10), RemedySettings()
    rows = {
        name: measured(task, choice, settings, FALSE_ALARM)
        for name, choice in {
            "free": Choice(),
            "symmetric": Choice(parameters="symmetric"),
            "copies": Choice(data="reversed-copies"),
        }.items()
    }
    assert all(row.verdict == "holds" for row in rows.values())
    assert claims_by_kind(rows["free"])["index-as-predicted"] == "holds"
    assert rows["free"].prediction is not None
    assert rows["free"].prediction.high < 0.1  # far from lifted
    np.testing.assert_allclose(rows["symmetric"].logit_index.by_seed, 1.0, rtol=0, atol=1e-12)
    assert claims_by_kind(rows["copies"])["copies-lift-what-they-cover"] == "holds"


@pytest.mark.slow
def test_the_whole_table_holds() -> None:
    """Every choice that is shown: all claims hold or say why not, the largest index first."""
    result = run(RemedySettings(), workers=2)
    assert result.verdict == "holds"
    assert len(result.rows) == len(shown_choices())
    learnt = [row.index.mean for row in result.rows if row.learnt]
    assert learnt == sorted(learnt, reverse=True)

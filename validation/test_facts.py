"""Whole fact files, drawn at random: every applicable claim about a real run of them holds."""

from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from theory.facts import Fact, reversal_task_from_facts
from theory.task import Task
from validation.instances import bilinear_instances, transformer_instances
from validation.real_runs import run
from validation.run_claims import claims_of
from validation.strategies import fact_tasks, seeds
from validation.training import TrainingSettings


@given(task=fact_tasks(), seed=seeds, order=st.sampled_from(["cyclic", "reshuffled"]))
def test_every_law_holds_on_drawn_facts(task: Task, seed: int, order: str) -> None:
    """Interpolation, asymmetry, intransitivity, recursion and loss floor hold for any facts, conflicts and weights."""
    assume(len({len(context) for context in task.contexts}) == 1)
    settings = TrainingSettings("sgd", 0.05, 20 * len(task.train_context), "one", order)  # type: ignore[arg-type]
    for instances in (bilinear_instances(task, 256, 0.01, [seed]), transformer_instances(task, [seed])):
        claims = claims_of(run(instances, settings))
        # a target far rarer than its rival may fall before it grows: that growth is a claim about single targets
        broken = [
            c for c in claims if c.verdict == "fails" and not c.id.startswith(("forward-grows", "training-follows"))
        ]
        assert broken == [], broken


@given(task=fact_tasks())
@hypothesis_settings(max_examples=100)
def test_tasks_are_consistent(task: Task) -> None:
    """Weights sum to one, rows of bhat too, no query is trained, and every query is answered by the file."""
    assert abs(task.context_weight.sum() - 1) < 1e-12
    assert abs(task.target_distribution.sum(axis=1) - 1).max() < 1e-12
    trained = set(zip(task.train_context.tolist(), task.train_target.tolist(), strict=True))
    for query in task.queries:
        assert query.answers
        assert not {(query.context, answer) for answer in query.answers} & trained
    assert task.loss_floor >= 0
    assert (task.loss_floor == 0) == task.single_target


def test_dependent_features_are_said_to_be_so() -> None:
    """(Ann, r), (Ann, r'), (Bo, r), (Bo, r') have features of rank three: chains are not applicable, nothing breaks."""
    facts = [Fact("Ann", "r", "Ann", "backward"), Fact("Ann", "r", "Bo", "both"), Fact("Bo", "r", "Ann", "forward")]
    task = reversal_task_from_facts(facts, "entity+relation")
    settings = TrainingSettings("sgd", 0.05, 40, "one", "cyclic")
    for instances in (bilinear_instances(task, 256, 0.01, [0]), transformer_instances(task, [0])):
        claims = {c.id: c for c in claims_of(run(instances, settings))}
        claim = claims[f"intransitivity-{instances.model}"]
        assert claim.verdict == "not applicable"
        assert "depend linearly" in claim.detail

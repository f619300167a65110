"""False statements about runs, near the true ones: each claim put to measures that violate it, which it must reject."""

from collections.abc import Callable
from dataclasses import dataclass

from theory.claim import Claim
from validation.experiments import claims
from validation.experiments.result import Condition


@dataclass(frozen=True)
class RunTwin:
    """A false statement: the claim it stands beside, what is false of its witness, and the checker's answer."""

    of: str
    title: str
    check: Callable[[], Claim]


def witness(train: float, held_out: float, right: int) -> Condition:
    """Measures of two seeds on 20 sentences and 10 questions over 80 tokens, 20 of the right sort."""
    both = [[train, train]], [[held_out, held_out]]
    return Condition(
        name="plain",
        train_sentences=20,
        test_sentences=10,
        questions=10,
        answer_length=1,
        vocabulary=80,
        chance=4.382,
        sort_chance=2.996,
        guess_probability=0.05,
        never_trained=[],
        trained_elsewhere=False,
        floor=0.0,
        epoch=[100],
        train_nll=both[0],
        test_nll=both[1],
        top_1=[[right / 10, right / 10]],
        train_top_1=[[1.0, 1.0]],
        rank=[[1.0, 1.0]],
        mass=[[1.0, 1.0]],
        index=[[0.0, 0.0]],
        train_nll_by_token=both[0],
        test_nll_by_token=both[1],
        right=[right, right],
        matrices=[],
    )


TWINS = (
    RunTwin("trained-learnt", "one answer in ten forgotten", lambda: claims.trained_learnt(witness(0.1, 9.0, 0))),
    RunTwin(
        "held-out-not-learnt",
        "likelier than a guess among all tokens",
        lambda: claims.held_out_not_learnt(witness(0.0, 4.3, 0), level=4.382),
    ),
    RunTwin(
        "held-out-not-learnt",
        "likelier than a guess of the right sort",
        lambda: claims.held_out_not_learnt(witness(0.0, 2.9, 0), level=2.996),
    ),
    RunTwin(
        "held-out-not-answered",
        "every answer right, though none is likely",
        lambda: claims.held_out_not_answered(witness(0.0, 9.0, 10)),
    ),
    RunTwin("held-out-learnt", "an answer of one half", lambda: claims.held_out_learnt(witness(0.0, 0.7, 10))),
)

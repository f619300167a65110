"""False statements about runs, near the true ones: each claim put to measures that violate it, which it must reject."""

from validation.experiments import claims
from validation.experiments.result import Condition
from validation.twin import NumericalTwin


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


WITNESS = "measures of two seeds on 20 sentences and 10 questions over 80 tokens"

TWINS = (
    NumericalTwin(
        "trained-learnt",
        "one answer in ten forgotten",
        WITNESS,
        lambda: claims.trained_learnt(witness(0.1, 9.0, 0)),
    ),
    NumericalTwin(
        "held-out-not-learnt",
        "likelier than a guess among all tokens",
        WITNESS,
        lambda: claims.held_out_not_learnt(witness(0.0, 4.3, 0), level=4.382),
    ),
    NumericalTwin(
        "held-out-not-learnt",
        "likelier than a guess of the right sort",
        WITNESS,
        lambda: claims.held_out_not_learnt(witness(0.0, 2.9, 0), level=2.996),
    ),
    NumericalTwin(
        "held-out-not-answered",
        "every answer right, though none is likely",
        WITNESS,
        lambda: claims.held_out_not_answered(witness(0.0, 9.0, 10)),
    ),
    NumericalTwin(
        "held-out-learnt",
        "an answer of one half",
        WITNESS,
        lambda: claims.held_out_learnt(witness(0.0, 0.7, 10)),
    ),
)

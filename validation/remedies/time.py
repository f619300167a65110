"""What a table of choices takes in time, from what each kind of row took at one size."""

from collections.abc import Mapping, Sequence

from theory.task import Task
from validation.remedies.choice import Choice
from validation.remedies.settings import RemedySettings

# Seconds of the processor of a row of 30 trained pairs, 42 tokens, dimension 128 and 5 seeds, by its parameters,
# measured: mostly training, whose steps the product of two matrices needs more of.
ROW_SECONDS: Mapping[str, float] = {
    "free": 0.75,
    "symmetric": 1.1,
    "factorised": 4.5,
    "trained-embeddings": 8.0,
    "tied-embeddings": 8.0,
}
ROW_SIZE = 5 * 30 * 128 * (128 + 42)  # seeds x contexts x d (d + m): multiplications of a step at that size, measured
# A step of one pair at a time is cheaper, but there are as many more of them as pairs, with Python's share in each.
ONE_PAIR_AT_A_TIME = 3.5
CALLS = 0.25  # of a row's time at that size that does not grow with it
TWINS_SECONDS = 7.0  # the false statements and the derivations, of the processor, once


def row_seconds(task: Task, choice: Choice, settings: RemedySettings) -> float:
    """Seconds of the processor that one choice takes, right within a factor of a few."""
    m, contexts = task.vocabulary_size, task.trained_contexts
    d = m if choice.embeddings == "orthonormal" else settings.dimension
    grown = settings.seeds * contexts * d * (d + m) / ROW_SIZE
    one = ONE_PAIR_AT_A_TIME if choice.optimizer in ("sgd", "momentum") else 1.0
    return one * ROW_SECONDS[choice.parameters] * (CALLS + (1.0 - CALLS) * grown)


def table_seconds(task: Task, choices: Sequence[Choice], settings: RemedySettings, workers: int) -> float:
    """Seconds of the processor until `workers` processes have measured all: no sooner than the longest row."""
    rows = [row_seconds(task, choice, settings) for choice in choices]
    return max(sum(rows) / workers, max(rows, default=0.0)) + TWINS_SECONDS

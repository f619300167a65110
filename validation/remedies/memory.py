"""What a table of choices takes in memory, counted before anything is drawn, and refused where it does not fit."""

from collections.abc import Sequence

from numerics.asked_embedding import DRAWS
from numerics.estimate import ARRAYS_EXPLICIT
from theory.task import Task
from validation.cost import TooExpensive
from validation.machine import machine_memory
from validation.remedies.choice import Choice
from validation.remedies.settings import RemedySettings

LIBRARIES_BYTES = 0.5 * 2**30  # torch, SymPy and their kin in each process: measured
# Arrays of the size of all parameters, over all seeds, measured: they themselves, gradients and steps in flight, what
# autograd keeps, the spaces they started in and what is compared of them; optimisers add their buffers.
COPIES = {"free": 4, "symmetric": 4, "factorised": 8, "trained-embeddings": 24, "tied-embeddings": 24}
BUFFERS = {"momentum": 1, "adam": 2, "adamw": 2}
KERNELS = 6  # m x m matrices of an instance: G, E, the kernels between contexts and tokens


def choice_bytes(task: Task, choice: Choice, dimension: int, seeds: int) -> float:
    """Peak bytes of one choice beside the libraries, right within a factor of a few; contexts of the data not counted.

    All seeds are trained side by side; flow and recursion follow one after the other.
    """
    m, contexts = task.vocabulary_size, len(task.contexts)
    d = m if choice.embeddings == "orthonormal" else dimension
    parameters, state = _sizes(choice, m, contexts, d)
    copies = COPIES[choice.parameters] + BUFFERS.get(choice.optimizer, 0)
    trained = seeds * (copies * parameters + 2 * m * d + 8 * contexts * m)
    one = ARRAYS_EXPLICIT * state + KERNELS * m * max(m, contexts) + 8 * DRAWS * m
    return 8.0 * (trained + seeds * KERNELS * m * max(m, contexts) + one)


def _sizes(choice: Choice, m: int, contexts: int, d: int) -> tuple[int, int]:
    """Numbers in the parameters of one seed, and in the state of its flow."""
    match choice.parameters:
        case "free":
            return d * d, contexts * m
        case "symmetric":
            return d * d, 2 * contexts * m
        case "factorised":
            width = choice.width or d
            return 2 * d * width, (contexts + m) * width
        case "trained-embeddings":
            return d * d + 2 * m * d, d * d + 2 * m * d
        case "tied-embeddings":
            return d * d + m * d, d * d + m * d


def check_memory(
    task: Task, choices: Sequence[Choice], settings: RemedySettings, workers: int, limit_bytes: float | None
) -> float:
    """Bytes of the `workers` largest choices together. Raises TooExpensive above `limit_bytes` or the machine's."""
    sizes = sorted((choice_bytes(task, c, settings.dimension, settings.seeds) for c in choices), reverse=True)
    together = sum(LIBRARIES_BYTES + size for size in sizes[:workers])
    limit = machine_memory() if limit_bytes is None else limit_bytes
    if together > limit:
        raise TooExpensive(
            f"this needs about {together / 2**30:.3g} GiB, more than the {limit / 2**30:.3g} GiB that are allowed "
            "(--limit-memory): use fewer --seeds, a smaller --dimension, fewer --workers, or a smaller --train-pairs"
        )
    return together

"""What an integration will cost, said before it starts, and the refusal of one that does not fit."""

from dataclasses import dataclass

from numerics.stiff import MILD_STIFFNESS, stiffness
from theory.errors import BadInput
from theory.task import Task

# Refuse above this many bytes unless the caller allows more: half of a common machine's 16 GiB.
DEFAULT_BYTE_LIMIT = 8 * 2**30

# Arrays of N x m doubles alive at once, counted: DOP853 keeps 16 stages, its extension 7, a Piece 8 samples
# and 8 coefficients, and some ten are in flight. CVODE keeps 6 histories and KRYLOV_DIMENSION vectors
# beside a Piece.
ARRAYS_EXPLICIT = 60
ARRAYS_STIFF = 90

# Evaluations of the velocity to t = 1e6, measured: 40 to 60 steps of DOP853, 23 evaluations each with the
# defect's quadrature; CVODE takes some 500 steps of 12.
EVALUATIONS_EXPLICIT = 1200
EVALUATIONS_STIFF = 8000

FLOPS_PER_SECOND = 5e10  # dense products on one ordinary core, measured
SECONDS_PER_ENTRY = 3e-8  # exponentials and passes over memory for one entry of an N x m array
SECONDS_PER_EVALUATION = 1e-4  # Python


@dataclass(frozen=True)
class Estimate:
    """Seconds and bytes, right within a small factor."""

    seconds: float
    bytes: float


class TooLarge(BadInput):
    """An integration that was refused; `estimate` holds both numbers."""

    def __init__(self, estimate: Estimate, limit: float) -> None:
        super().__init__(
            f"this integration needs about {estimate.bytes / 2**30:.3g} GiB and {estimate.seconds:.3g} s, "
            f"above the limit of {limit / 2**30:.3g} GiB: train fewer contexts, use a smaller vocabulary, "
            "or raise the limit"
        )
        self.estimate = estimate


def estimate_flow(task: Task, time: float, coupled: bool) -> Estimate:
    """The cost of `integrate_flow` to `time` from the counts above; `coupled` where G is not the identity."""
    rows, size = task.trained_contexts, task.vocabulary_size
    explicit = stiffness(task, time) <= MILD_STIFFNESS
    arrays = ARRAYS_EXPLICIT if explicit else ARRAYS_STIFF
    evaluations = EVALUATIONS_EXPLICIT if explicit else EVALUATIONS_STIFF
    # S_A = K_AA C K_out, and the norm of the defect applies both kernels again on some of the evaluations
    products = 2.0 * (rows * rows * size + rows * size * size) if coupled else 0.0
    seconds = evaluations * (
        1.5 * products / FLOPS_PER_SECOND + SECONDS_PER_ENTRY * rows * size + SECONDS_PER_EVALUATION
    )
    kernels = 3 * size * size + 2 * len(task.contexts) * rows if coupled else 0
    kernels += 3 * len(task.contexts) * size  # initial logits, their change, the state
    return Estimate(seconds, 8.0 * (arrays * rows * size + kernels))

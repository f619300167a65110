"""What the pictures of a report need beyond verify and check, on parts whose size does not grow with the file.

Forward against reverse weights in real training and along its flow; the interpolation law by optimiser; measured and
certified exponents over the dimension.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from theory.coherence import Schedule as Visits
from theory.separation import certify
from theory.setting import Setting
from theory.tails import TaskShape, a_priori_bounds
from theory.task import Task, first_pairs, reversal_task
from validation.check_settings import CheckSettings
from validation.compare import row_centred
from validation.instances import bilinear_instances
from validation.measurements import Measurements
from validation.optimizer_law import DIMENSION, INIT_SCALE, law_residual, optimizers
from validation.real_runs import final_logits, run
from validation.report.part import opposite_pairs, opposites_part, without_unused
from validation.settings import largest_share
from validation.training import TrainingSettings

Tell = Callable[[float], None]

LAW_PAIRS = 12
WEIGHT_SEEDS = 3
WEIGHT_DIMENSION = 256  # above 4 N of the part: embeddings hardly overlap
WEIGHT_EPOCHS = 40  # of half a step each: t = 20 N, where a target has most of its row's probability
EXPONENT_PAIRS = 10
EXPONENT_DRAWS = 3
EXPONENT_DIMENSIONS = tuple(10.0**power for power in (5, 6, 7, 8, 10, 12, 14, 16, 18, 20))


@dataclass(frozen=True)
class Weight:
    """How far one pair's weight and that of its reversal (or of the chain that starts with it) moved.

    Changes of logits less the mean of their row, means over seeds; `trained` says whether the other one was trained.
    """

    context: str
    target: str
    other_context: str
    other_target: str
    trained: bool
    forward: float
    other: float
    forward_flow: float
    other_flow: float


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of a part of the task after SGD at flow time `time`, and along the flow of the same instances.

    `training` and `flow` (contexts, m) are mean changes over `seeds` of the logits less their row means; `trained` and
    `asked` (contexts, m) mark the trained pairs and the held-out answers.
    """

    task: Task
    dimension: int
    time: float
    seeds: int
    pairs: tuple[Weight, ...]
    training: np.ndarray
    flow: np.ndarray
    trained: np.ndarray
    asked: np.ndarray


@dataclass(frozen=True)
class Residual:
    """The largest violation of the interpolation law under an optimiser, and what rounding allows."""

    optimizer: str
    residual: float
    tolerance: float


@dataclass(frozen=True)
class ExponentAt:
    """Exponents of Theorem 1 at one dimension: `measured` and `certified` by draw, and what holds before any draw.

    `first_order` -sum_a w_a / m by draw; `classical` by eigenvalues, of the first draw; `a_priori` with probability
    1 - delta. Infinite where nothing is certified.
    """

    dimension: float
    measured: tuple[float, ...]
    first_order: tuple[float, ...]
    certified: tuple[float, ...]
    classical: float
    a_priori: float


@dataclass(frozen=True)
class ReportMeasurements:
    """Everything that was measured for pictures. Tuples are empty where a part has nothing to say about the task."""

    weights: Weights
    residuals: tuple[Residual, ...]
    exponents: tuple[ExponentAt, ...]
    exponent_pairs: int
    init_scale: float
    delta: float

    def as_dict(self) -> dict[str, Any]:
        """Every number as JSON-ready fields."""
        weights = self.weights
        task = weights.task
        return {
            "weights": {
                "dimension": weights.dimension,
                "time": weights.time,
                "seeds": weights.seeds,
                "pairs": [asdict(pair) for pair in weights.pairs],
                "contexts": [task.context_name(a) for a in range(len(task.contexts))],
                "tokens": list(task.tokens),
                "training": weights.training,
                "flow": weights.flow,
            },
            "interpolation_residuals": [asdict(residual) for residual in self.residuals],
            "exponents": {
                "pairs": self.exponent_pairs,
                "init_scale": self.init_scale,
                "delta": self.delta,
                "by_dimension": [asdict(exponent) for exponent in self.exponents],
            },
        }


def measure(task: Task, settings: CheckSettings, tell: Tell | None = None) -> ReportMeasurements:
    """Measure parts of `task` from `settings.seed` on; some seven seconds on one core, whatever the file.

    `tell` hears how much is done, 0 to 1.
    """
    report = tell or (lambda part: None)
    report(0.0)
    weights = measure_weights(task, settings.seed)
    report(0.3)
    residuals = tuple(interpolation_residuals(without_unused(first_pairs(task, LAW_PAIRS)), settings.seed))
    report(0.45)
    pairs = min(len(task.train_context), EXPONENT_PAIRS)
    exponents = exponents_by_dimension(reversal_task(pairs), settings.init_scale, settings.delta, settings.seed)
    report(1.0)
    return ReportMeasurements(weights, residuals, exponents, pairs, settings.init_scale, settings.delta)


# -- forward against reverse --
def measure_weights(task: Task, seed: int) -> Weights:
    """Train a part of the task by SGD from several seeds, and integrate the flow of the same instances."""
    small = opposites_part(task)
    instances = bilinear_instances(small, WEIGHT_DIMENSION, 0.01, range(seed, seed + WEIGHT_SEEDS))
    steps = WEIGHT_EPOCHS * len(small.train_context)
    sgd = TrainingSettings("sgd", 0.5 / largest_share(small, "sgd"), steps, "one", "reshuffled")
    real = run(instances, sgd)
    assert real.flow is not None
    start = real.training.initial_logits
    moved = row_centred(real.training.final_logits - start).mean(axis=0)  # (S, contexts, m) -> (contexts, m)
    flowed = row_centred(final_logits(real.flow) - start).mean(axis=0)
    trained, asked = np.zeros((2, *moved.shape), dtype=bool)
    trained[small.train_context, small.train_target] = True
    for query in small.queries:
        asked[query.context, list(query.answers)] = True
    pairs = tuple(
        Weight(
            small.context_name(a),
            small.tokens[b],
            small.context_name(c),
            small.tokens[x],
            bool(trained[c, x]),
            *map(float, (moved[a, b], moved[c, x], flowed[a, b], flowed[c, x])),
        )
        for (a, b), (c, x) in opposite_pairs(small)
    )
    time = float(real.training.time[-1])
    return Weights(small, WEIGHT_DIMENSION, time, WEIGHT_SEEDS, pairs, moved, flowed, trained, asked)


# -- optimisers, dimension --
def interpolation_residuals(small: Task, seed: int) -> Iterator[Residual]:
    """The law's residual under every optimiser; none where every context is trained and the law says nothing."""
    if len(small.contexts) > small.trained_contexts:
        for name, settings in optimizers(small).items():
            instances = bilinear_instances(small, DIMENSION, INIT_SCALE, [seed])
            yield Residual(name, *law_residual(instances, settings))


def exponents_by_dimension(
    small: Task, init_scale: float, delta: float, seed: int, dimensions: Sequence[float] = EXPONENT_DIMENSIONS
) -> tuple[ExponentAt, ...]:
    """Exponents of Theorem 1 along gradient flow at each dimension, on the same draws of normal deviates."""
    measurements, flow, shape = Measurements(), Visits.flow(), TaskShape.of(small)
    setting = Setting(small, measurements, init_scale=init_scale, delta=delta, draws=EXPONENT_DRAWS, seed=seed)
    found = []
    for dimension in dimensions:
        drawn = measurements.separation(setting, dimension, flow)
        before = certify(a_priori_bounds(shape, int(dimension), delta, init_scale), flow)
        found.append(
            ExponentAt(
                dimension,
                measured=tuple(drawn.measured.tolist()),
                first_order=tuple(drawn.first_order.tolist()),
                certified=tuple(drawn.certified.tolist()),
                classical=measurements.classical(setting, dimension),
                a_priori=before.epsilon,
            )
        )
    return tuple(found)

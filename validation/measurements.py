"""What the theorems measure: instances drawn at any dimension, their certificates, and runs in logit space.

No embedding is drawn: the law of the Gram matrix is (`numerics.gram`). The interpolation law is measured on real
training in torch; the recursions of `numerics.descent` are tested against torch elsewhere (`reversal verify`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from scipy.stats import binomtest

from numerics.decoupled import decoupled_flow, logit_gap
from numerics.descent import DescentSettings, descent_changes
from numerics.error_bound import logit_error
from numerics.estimate import DEFAULT_BYTE_LIMIT, estimate_flow
from numerics.exponent import State, measure_exponent
from numerics.flow import flow_states, numerical_defect
from numerics.gram import Gram
from numerics.instance_bounds import instance_bounds
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.observables import observe
from theory.coherence import Schedule, ScheduleKind
from theory.counting import count_of
from theory.separation import certify
from theory.setting import NotMeasured, OneLayerRun, Separation, Setting
from theory.task import Task, first_pairs
from theory.two_phase import eigenvalue_exponent
from validation.compare import rounding_tolerance

# Flow times per context, from where the loss has hardly moved to where it is some 1e-9: exponents are largest early.
EARLIEST, LATEST, TIMES = 1e-3, 1e9, 36
EPOCHS = 60
RECORDS = 40
# Late, a row has a loss of some 1/(visits x amount): descent runs until the loss must be at its target.
PAST_TARGET = 1.3
FLOW_TOLERANCE = 1e-7  # relative: exponents are wanted to a few digits
# Recursions in Python take some 50 microseconds a step.
MOST_STEPS = 200_000
# For estimates of time: of the processor, measured on one thread of one core. The flow of a draw with its error bound
# takes 580 to 680 evaluations of the velocity; visits of single rows are bound by memory, not by multiplication.
FLOPS_PER_SECOND, VISIT_FLOPS_PER_SECOND = 3e10, 5e9
SECONDS_PER_ENTRY = 3e-8  # exponentials and passes over memory for one entry of an N x m array
SECONDS_PER_STEP, SECONDS_PER_VISIT = 1e-4, 2.5e-5
FLOW_EVALUATIONS = 650
SECONDS_PER_DRAW, CERTIFIED_SECONDS_PER_ENTRY = 0.03, 2e-6
LAW_SECONDS = 3.0  # of the interpolation law under every optimiser
SETTLED_SECONDS, SETTLED_SECONDS_PER_ENTRY = 0.1, 1.5e-6
# Eigenvalues in balls cost O(m^3): a second at this size.
MOST_EIGENVALUES = 300
# The interpolation law is measured in torch on a part of the task: its answer does not depend on the size.
LAW_PAIRS = 48

# The family-wise false-alarm rate of a run is 1e-6. Seven theorems (1 and 2 in three forms each, intransitivity) make
# two binomial statements each, of runs that violate them and of draws that are not certified.
FALSE_ALARM = 1e-6 / 14

# What is measured, told apart from everything else that is; the first entry says what it is.
Key = tuple[object, ...]
Tell = Callable[[float], None]
Hear = Callable[[Key, float], None]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Measurements:
    """Measures settings; what needs more than `limit_bytes` is refused with its estimate (NotMeasured).

    The draws of a setting are made once: a conclusion and a certificate look at the same ones.
    """

    limit_bytes: float | None = None
    _made: dict[Key, Any] = field(default_factory=dict, repr=False, compare=False)
    _listeners: list[Hear] = field(default_factory=list, repr=False, compare=False)

    @property
    def false_alarm(self) -> float:
        """This run's share of the family-wise rate for one binomial statement."""
        return FALSE_ALARM

    def listen(self, hear: Hear) -> None:
        """Let `hear` know which measurement is being made and how much of it is done, 0 to 1."""
        self._listeners.append(hear)

    def made(self, key: Key) -> bool:
        """Whether this was measured already."""
        return key in self._made

    def _once(self, key: Key, make: Callable[[Tell], Made]) -> Made:
        """What was made under this key, now or before."""
        if key not in self._made:
            self._made[key] = make(lambda part: self._tell(key, part))
            self._tell(key, 1.0)
        return self._made[key]

    def _tell(self, key: Key, part: float) -> None:
        for hear in self._listeners:
            hear(key, part)

    # -- draws of embeddings and starts --
    def separation(self, setting: Setting, dimension: float, schedule: Schedule) -> Separation:
        """Draw G and S(0) at `dimension`, certify each draw, and follow its loss along `schedule`."""
        self.refuse_separation(setting, dimension, schedule.kind)
        key = self.separation_key(setting, dimension, schedule.kind)
        return self._once(key, lambda tell: _draw(setting, dimension, schedule, tell))

    def separation_key(self, setting: Setting, dimension: float, kind: ScheduleKind) -> Key:
        """What tells the draws of one setting from those of another."""
        return "draws", id(setting.task), dimension, kind, *_numbers(setting)

    def refuse_separation(self, setting: Setting, dimension: float, kind: ScheduleKind) -> None:
        """Raise NotMeasured where draws cannot be followed."""
        self.refuse_large(setting.task)
        if dimension < setting.task.vocabulary_size:
            raise NotMeasured(
                f"below d = m = {setting.task.vocabulary_size} embeddings are linearly dependent, and the loss may "
                "settle above zero"
            )
        if kind != "flow":
            epoch, epochs = _planned(setting, kind)
            if epochs * epoch > MOST_STEPS or not epochs:
                raise NotMeasured(
                    f"{count_of(epochs * epoch, 'step')} are more than the {MOST_STEPS:,} that are run; lower --steps"
                )

    def separation_seconds(self, setting: Setting, kind: ScheduleKind) -> float:
        """Seconds of the processor that all draws take: products, passes over arrays, and Python's share."""
        rows, size = setting.task.trained_contexts, setting.task.vocabulary_size
        dense = 1.5 * 2.0 * rows * size * (rows + size) / FLOPS_PER_SECOND + SECONDS_PER_ENTRY * rows * size
        epoch, epochs = _planned(setting, kind)
        visit = 2.0 * size * (rows + size) / VISIT_FLOPS_PER_SECOND + SECONDS_PER_VISIT
        work = {
            "flow": FLOW_EVALUATIONS * (dense + SECONDS_PER_STEP),
            "gd": epochs * (dense + SECONDS_PER_STEP),
        }.get(kind, epoch * epochs * visit + RECORDS * SECONDS_PER_ENTRY * rows * size)
        certified = CERTIFIED_SECONDS_PER_ENTRY * size * (rows + len(setting.task.queries))
        return setting.draws * (work + SECONDS_PER_DRAW + certified)

    def classical(self, setting: Setting, dimension: float) -> float:
        """The classical exponent of the first draw, from enclosed eigenvalues (infinite where it says nothing)."""
        if setting.task.vocabulary_size > MOST_EIGENVALUES:
            raise NotMeasured(f"eigenvalues are enclosed for at most {MOST_EIGENVALUES} tokens")
        gram, start = _instance(setting, dimension, 0)
        return eigenvalue_exponent(instance_bounds(setting.task, gram, start, eigenvalues=True))

    def one_layer(self, setting: Setting, visits: int) -> OneLayerRun:
        """SGD with batch one on the one-layer transformer from zero, epochs reshuffled, `visits` epochs."""
        self.refuse_one_layer(setting, visits)
        return self._once(self.one_layer_key(setting, visits), lambda tell: _one_layer(setting, visits, tell))

    def one_layer_key(self, setting: Setting, visits: int) -> Key:
        """What tells one run from another."""
        return "one-layer run", id(setting.task), setting.rate(), setting.seed, visits

    def refuse_one_layer(self, setting: Setting, visits: int) -> None:
        """Raise NotMeasured where the run would be too long or too large."""
        pairs = len(setting.task.train_context)
        steps = visits * pairs
        if steps > MOST_STEPS:
            raise NotMeasured(
                f"{count_of(visits, 'visit')} of {count_of(pairs, 'pair')} are {count_of(steps, 'step')}, more than "
                f"the {MOST_STEPS:,} that are run; use a larger --learning-rate or fewer facts"
            )
        self.refuse_large(setting.task)

    def one_layer_seconds(self, setting: Setting, visits: int) -> float:
        """Seconds of the processor that the run takes."""
        task = setting.task
        looked_at = min(visits, RECORDS) * SECONDS_PER_ENTRY * task.trained_contexts * task.vocabulary_size
        return visits * len(task.train_context) * SECONDS_PER_VISIT + looked_at

    # -- laws --
    def interpolation_residual(self, setting: Setting, optimizer: str) -> tuple[float, float]:
        """The law's largest residual under real training of a part of the task in torch, and its tolerance."""
        part = first_pairs(setting.task, LAW_PAIRS)
        if len(part.contexts) == part.trained_contexts:
            raise NotMeasured("every context is trained, so the law says nothing")
        # torch takes seconds to load: not for measurements of the flow, in every process of a sweep
        from validation.instances import bilinear_instances
        from validation.optimizer_law import DIMENSION, INIT_SCALE, law_residual, optimizers

        instances = bilinear_instances(part, DIMENSION, INIT_SCALE, [setting.seed])
        return law_residual(instances, optimizers(part)[optimizer])

    def settled_loss(self, setting: Setting) -> tuple[float, float]:
        """The loss of the decoupled flow at a late time t, and how far above its floor it may still be.

        Late in a row with s targets the probabilities of the targets keep their ratios, so that their logits rise
        alike, whatever their weights: by f q/s each, q the unseen mass, for the rates f (bhat_b - p_b) sum to f q. Each
        unseen logit falls by f q/(m - s). So q = (m - s) s/(f m t), and the row's loss is q above its entropy: over the
        rows at most K/t, K the trained pairs. Twice that covers what is of higher order in q, about 1e-9 here.
        """
        task = setting.task
        self.refuse_large(task)
        time = LATEST * task.trained_contexts
        loss = self._once(self.settled_key(setting), lambda tell: decoupled_flow(task, np.array([time])).loss[0])
        return float(loss), 2.0 * len(task.train_context) / time

    def settled_key(self, setting: Setting) -> Key:
        """What the settled loss depends on."""
        return "settled loss", id(setting.task)

    def settled_seconds(self, setting: Setting) -> float:
        """Seconds of the processor that the settled loss takes."""
        return (
            SETTLED_SECONDS + SETTLED_SECONDS_PER_ENTRY * setting.task.trained_contexts * setting.task.vocabulary_size
        )

    def failure_interval(self, failures: int, draws: int) -> tuple[float, float]:
        """Clopper and Pearson's exact interval of a failure probability, at this run's false-alarm rate."""
        interval = binomtest(failures, draws).proportion_ci(confidence_level=1 - FALSE_ALARM, method="exact")
        return float(interval.low), float(interval.high)

    def refuse_large(self, task: Task) -> None:
        """Raise NotMeasured above the limit."""
        limit = DEFAULT_BYTE_LIMIT if self.limit_bytes is None else self.limit_bytes
        need = estimate_flow(task, 1.0, coupled=True).bytes
        if need > limit:
            raise NotMeasured(
                f"an instance of {count_of(task.trained_contexts, 'context')} and {task.vocabulary_size:,} tokens "
                "needs about "
                f"{need / 2**30:.3g} GiB, above the limit of {limit / 2**30:.3g} GiB"
            )


def _one_layer(setting: Setting, visits: int, tell: Tell) -> OneLayerRun:
    """The run itself."""
    task, pairs = setting.task, len(setting.task.train_context)
    steps = visits * pairs
    gram = Gram.identity(task.vocabulary_size)
    start = np.zeros((len(task.contexts), task.vocabulary_size))
    settings = DescentSettings("sgd", setting.rate(), order="reshuffled", seed=setting.seed)
    seen = task.target_distribution.toarray() > 0
    record = _epochs(visits) * pairs
    unseen, lowest, largest, logits = 0.0, np.inf, 0.0, start
    for done, change in zip(record, descent_changes(task, gram, start, settings, steps, record), strict=True):
        if done < steps:
            tell(float(done) / steps)
        logits = change[: task.trained_contexts]
        probability = np.exp(logits - logits.max(axis=1, keepdims=True))
        probability /= probability.sum(axis=1, keepdims=True)
        unseen = max(unseen, float(np.where(seen, 0.0, probability).max()))
        margin = np.where(seen, logits, np.inf).min(axis=1) - np.where(seen, -np.inf, logits).max(axis=1)
        lowest = min(lowest, float(margin.min()))
        largest = max(largest, float(np.abs(logits).max()))
    trained = probability[task.train_context, task.train_target]
    rounding = rounding_tolerance(steps, None, (), largest)
    gap, slack = (np.nan, np.nan), np.nan
    if task.single_target:
        gap = _sandwich_gap(task, logits, setting.rate(), visits)
        # In units of eta/M: h_k, a logit over M - 1, errs by at most 2 `rounding`/eta as M >= 2; the flow's, a
        # gap of logits over M that is solved for to its last digits, by no more than another `rounding`/eta.
        slack = 3 * rounding / _row_steps(task, setting.rate()).min()
    return OneLayerRun(visits, float(trained.min()), unseen, gap, lowest, rounding, float(slack))


def _span(setting: Setting, schedule: Schedule) -> str:
    """How far a run goes, in words."""
    if schedule.kind == "flow":
        return f"t = {LATEST * setting.task.trained_contexts:.3g}"
    epoch, epochs = _planned(setting, schedule.kind)
    capped = "" if setting.steps is not None or epochs < _most_epochs(setting, epoch) else " (as many as are run)"
    return f"{count_of(epochs * epoch, 'step')}{capped}"


def _most_epochs(setting: Setting, epoch: int) -> int:
    """Epochs of each draw when all draws together stay within MOST_STEPS, at least one."""
    return max(MOST_STEPS // (epoch * setting.draws), 1)


def _numbers(setting: Setting) -> tuple[object, ...]:
    """What the draws of a setting depend on besides its task."""
    return (
        setting.init_scale,
        setting.loss_target,
        setting.learning_rate,
        setting.steps,
        setting.draws,
        setting.seed,
    )


def _instance(setting: Setting, dimension: float, number: int) -> tuple[Gram, np.ndarray]:
    """One draw of G and S(0)."""
    rng = np.random.default_rng([setting.seed + number, 3])
    gram = Gram.draw(setting.task.vocabulary_size, dimension, rng)
    return gram, gram.initial_logits(setting.task.features, setting.init_scale, rng)


def _draw(setting: Setting, dimension: float, schedule: Schedule, tell: Tell) -> Separation:
    """Every draw certified and followed."""
    task = setting.task
    rows, exponents, bounds, left = [], [], [], []
    for number in range(setting.draws):
        gram, start = _instance(setting, dimension, number)
        kernels = Kernels(task, gram)
        whole = instance_bounds(task, gram, start)
        exponent = certify(whole, schedule)
        # what may be allowed depends on the start, not on the signs, which would keep N numbers for every query
        unsigned = tuple(replace(query, signed=None) for query in whole.queries)
        bounds.append(replace(whole, queries=unsigned))
        loss, reverse = _start_losses(task, start)
        states = _told(_states(setting, kernels, start, schedule), number, setting.draws, tell)
        log_target = float(np.log(setting.loss_target / loss))
        found = measure_exponent(task, start, states, log_target, _asked_weight(kernels))
        exponents.append(exponent)
        left.append(found.remaining)
        at_target = reverse * np.exp(found.at_target)
        rows.append(
            {
                "certified": exponent.epsilon,
                "measured": found.largest,
                "measured_error": found.largest - found.surely if np.isfinite(found.largest) else 0.0,
                "first_order": _first_order(kernels),
                "reversal_loss": at_target,
                "reversal_error": at_target * np.expm1(found.target_error),
                "target_loss": loss * np.exp(-found.target_fallen),
            }
        )
    span = f"followed to {_span(setting, schedule)}, where L is {min(left):.2g} to {max(left):.2g} of L(0)"
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Separation(**columns, exponents=tuple(exponents), bounds=tuple(bounds), span=span)


def _told(states: Iterator[State], number: int, draws: int, tell: Tell) -> Iterator[State]:
    """The same states; `tell` hears how much of all draws is done, this being one of about TIMES or RECORDS states."""
    for seen, state in enumerate(states):
        tell((number + min(seen / TIMES, 1.0)) / draws)
        yield state


def _start_losses(task: Task, start: np.ndarray) -> tuple[float, float]:
    """L(0) and L_rev(0)."""
    seen = observe(task, start, np.zeros_like(start))
    return seen.loss, seen.reversal_loss


def _states(setting: Setting, kernels: Kernels, start: np.ndarray, schedule: Schedule) -> Iterator[State]:
    """S - S(0) along the flow to late times, or at the ends of epochs of descent, each with its error.

    The flow's is its own error bound at FLOW_TOLERANCE, by convexity, that of descent what every step may round; both
    are added to the rounding of the sums that make logits of coordinates, of N and of m terms.
    """
    task, gram = setting.task, kernels.gram
    terms = (task.trained_contexts + task.vocabulary_size) / 2
    if schedule.kind == "flow":
        time = np.geomspace(EARLIEST, LATEST, TIMES) * task.trained_contexts
        flow = LogitFlow(kernels, start)
        for coordinates, bound in flow_states(flow, time, numerical_defect(flow), FLOW_TOLERANCE):
            change = kernels.logit_change(coordinates)
            error = float(logit_error(kernels, bound)[: task.trained_contexts].max())
            yield change, error + rounding_tolerance(1, terms, [kernels], float(np.abs(change).max()))
        return
    full = schedule.kind == "gd"
    epoch, epochs = _planned(setting, schedule.kind)
    settings = DescentSettings(
        "gd" if full else "sgd",
        setting.rate(schedule.kind),
        batch="full" if full else "one",
        order="cyclic" if schedule.kind == "cyclic" else "reshuffled",
        seed=setting.seed,
    )
    record = _epochs(epochs)[1:] * epoch
    # beyond the step that moves no two runs apart rounding may grow without bound
    stable = settings.learning_rate <= kernels.nonexpansive_step(full)
    changes = descent_changes(task, gram, start, settings, epochs * epoch, record)
    for step, change in zip(record.tolist(), changes, strict=True):
        size = float(np.abs(change).max())
        yield change, rounding_tolerance(step, terms, [kernels], size) if stable else np.inf


def _planned(setting: Setting, kind: ScheduleKind) -> tuple[int, int]:
    """Steps of an epoch, and how many epochs are run: those that were asked for, else enough for the loss target."""
    epoch = 1 if kind == "gd" else len(setting.task.train_context)
    if setting.steps is not None:
        return epoch, max(setting.steps // epoch, 1)
    amount = setting.rate(kind) / (setting.task.trained_contexts if kind == "gd" else 1)  # of a visit
    enough = EPOCHS + int(min(PAST_TARGET / (setting.loss_target * amount), MOST_STEPS))
    return epoch, min(enough, _most_epochs(setting, epoch))


def _epochs(last: int) -> np.ndarray:
    """Epochs to look at, from 0 to the last: every early one, then fewer."""
    return np.unique(np.concatenate([[0, last], np.geomspace(1, last, RECORDS).astype(int)]))


def _asked_untrained(kernels: Kernels) -> np.ndarray:
    """The weights w_q of every untrained context that is asked, (N, asked)."""
    trained = kernels.task.trained_contexts
    asked = sorted({q.context - trained for q in kernels.task.queries if q.context >= trained})
    return kernels.interpolation_weights[:, asked] if asked else np.empty((trained, 0))


def _first_order(kernels: Kernels) -> float:
    """-sum_a w_a / m of the worst untrained query, the exponent that first-order theory gives at t -> 0."""
    total = -_asked_untrained(kernels).sum(axis=0)
    return float(total.max()) / kernels.task.vocabulary_size if len(total) else np.nan


def _asked_weight(kernels: Kernels) -> float:
    """The largest sum_a |w_a| of an asked context; a trained one is its own row, of weight one."""
    total = np.abs(_asked_untrained(kernels)).sum(axis=0)
    own = any(q.context < kernels.task.trained_contexts for q in kernels.task.queries)
    return float(total.max(initial=1.0 if own else 0.0))


def _row_steps(task: Task, learning_rate: float) -> np.ndarray:
    """The step of each pair's row, K w_k eta, (K,)."""
    return learning_rate * len(task.train_context) * task.train_weight


def _sandwich_gap(task: Task, logits: np.ndarray, learning_rate: float, visits: int) -> tuple[float, float]:
    """Smallest and largest (h_k - h(eta k)) M / eta over the rows, each with its own step K w_k eta."""
    m, step = task.vocabulary_size, _row_steps(task, learning_rate)
    h = logits[task.train_context, task.train_target] / (m - 1)
    gap = (h - logit_gap(step * visits, 1, m) / m) * m / step
    return float(gap.min()), float(gap.max())

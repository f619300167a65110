"""`verify`: derive every law, integrate it, train real networks, compare, and judge claim by claim."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from theory.claim import Claim
from theory.counting import count_of
from theory.facts import chain_task_from_facts, reversal_task_from_facts
from theory.laws import derive_all, false_twins
from theory.task import Task, chain_of_thought_task, first_pairs, reversal_task
from theory.twin import TwinVerdict
from validation.compare import check_twins
from validation.cost import SMALL_SECONDS, cheaper, check_cost, cost, training_settings
from validation.fact_file import read_facts
from validation.false_twins import TWINS
from validation.instances import Instances, attention_instances, bilinear_instances, transformer_instances
from validation.machine import machine_now
from validation.optimizer_law import optimizer_claims, trainable_embeddings_claim
from validation.prediction import error_bound_claim, first_order_claim, predict_bilinear, predict_transformer
from validation.real_runs import run
from validation.result import SeededTrajectory, Verification
from validation.run_claims import claims_of
from validation.settings import VerifySettings, largest_share
from validation.sgd_rows import sgd_row_claims
from validation.step_order import StepOrder, step_order_claims
from validation.stiff_claim import stiff_claim
from validation.training import TrainingSettings

# Called with the stage's name and how much of it is done, 0 to 1.
Report = Callable[[str, float], None]

# Sizes of the small tasks on which laws are measured whose cost would grow with the file and whose answer does not.
ORDER_PAIRS = 8
LAW_PAIRS = 48
BOUND_PAIRS = 5

LONG = 90.0  # seconds of expected work from which it is announced


@dataclass(frozen=True)
class Finding:
    """What one stage adds."""

    claims: list[Claim]
    trajectories: list[SeededTrajectory]
    step_orders: tuple[StepOrder, ...] = ()


def load_task(settings: VerifySettings) -> tuple[Task, list[str]]:
    """The task that the settings describe, and notes about it. Raises FactFileError or TaskError."""
    if settings.facts is None:
        if settings.task == "chain-of-thought":
            return chain_of_thought_task(settings.pairs, settings.vocabulary), []
        return reversal_task(settings.pairs, settings.held_out, settings.vocabulary), []
    file = read_facts(settings.facts)
    build = chain_task_from_facts if settings.task == "chain-of-thought" else reversal_task_from_facts
    task = build(file.facts, settings.context, file.name)
    return task, [*file.notes, *task_notes(task)]


def task_notes(task: Task) -> Iterator[str]:
    """What a reader must know before reading numbers about this task."""
    if task.conflicts:
        names = [task.context_name(a) for a in task.conflicts]
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        yield (
            f"contexts with several targets: {len(names)} ({shown}): the loss cannot fall below the conditional "
            f"entropy {task.loss_floor:.6g}, and single-target claims do not apply"
        )
    if task.self_facts:
        yield f"facts whose subject is their object: {task.self_facts}, trained but no reversal query"
    if task.trained_elsewhere:
        first = task.trained_elsewhere[0]
        yield (
            f"{count_of(len(task.trained_elsewhere), 'asked pair is', 'asked pairs are')} trained by another row and "
            "no "
            f"{'query' if len(task.trained_elsewhere) == 1 else 'queries'} "
            f"(first: {' + '.join(first.context)} -> {first.target})"
        )
    if not task.queries:
        yield "nothing is held out: every stated direction is trained, so there is no reversal loss"


def verify(
    settings: VerifySettings,
    report: Report | None = None,
    limit_bytes: float | None = None,
    announce: Callable[[str], None] | None = None,
) -> Verification:
    """Everything that is claimed about one task, judged.

    `report` hears of progress, `announce` gets one line with the expected cost before work of more than LONG seconds.
    Raises FactFileError, TaskError and TooExpensive (bad input), nothing else on purpose.
    """
    task, notes = load_task(settings)
    trained_task = first_pairs(task, settings.train_pairs)
    settings = settings.resolve(task, trained_task)
    more = _run_notes(task, trained_task, settings)
    machine = machine_now()
    expected = cost(task, trained_task, settings, machine)
    check_cost(expected, settings, limit_bytes)
    if announce is not None and expected.seconds > LONG:
        announce(f"this will take about {expected}; to make it shorter: {cheaper(settings)}")
    claims: list[Claim] = []
    trajectories: list[SeededTrajectory] = []
    orders: list[StepOrder] = []
    counts: list[tuple[str, int]] = []
    stages = list(_stages(task, trained_task, settings))
    lengths = [expected.stages.get(name, SMALL_SECONDS * machine.slower) for name, _ in stages]
    before = 0.0
    for (name, stage), length in zip(stages, lengths, strict=True):

        def tell(part: float, name: str = name, before: float = before, length: float = length) -> None:
            if report is not None:
                report(name, (before + part * length) / sum(lengths))

        tell(0.0)
        found = stage(tell)
        claims += found.claims
        trajectories += found.trajectories
        orders += found.step_orders
        counts.append((name, len(found.claims)))
        before += length
    if report is not None:
        report("done", 1.0)
    return Verification(
        task, settings, tuple(claims), tuple(trajectories), (*notes, *more), tuple(counts), tuple(orders)
    )


Tell = Callable[[float], None]
Stage = tuple[str, Callable[[Tell], Finding]]


def _stages(task: Task, trained_task: Task, settings: VerifySettings) -> Iterator[Stage]:
    """The stages in order; each is small enough to show progress between."""
    bilinear, transformer = settings.model in ("bilinear", "all"), settings.model in ("transformer", "all")
    seeds = settings.seed_numbers
    flow_task = first_pairs(task, settings.flow_pairs)
    law_task, order_task = first_pairs(trained_task, LAW_PAIRS), first_pairs(trained_task, ORDER_PAIRS)
    bound_task = first_pairs(trained_task, BOUND_PAIRS)
    few = range(settings.seed, settings.seed + min(settings.seeds, 3))
    yield "deriving", lambda tell: Finding(_derive(tell), [])
    if bilinear:
        yield "integrating the bilinear flow", lambda tell: Finding(*predict_bilinear(flow_task, settings)[::-1])
        yield "error bound", lambda tell: Finding([error_bound_claim(bound_task, settings.seed), stiff_claim()], [])
        if order_task.queries:
            yield "order in the dimension", lambda tell: Finding([first_order_claim(order_task, settings.seed)], [])
        yield (
            "training the bilinear model",
            lambda tell: _train(
                bilinear_instances(trained_task, settings.train_dimension or 1, settings.init_scale, seeds),
                settings,
                tell,
            ),
        )
        yield "optimisers", lambda tell: Finding(optimizer_claims(law_task, few), [])
        yield "order in the step size", lambda tell: _step_orders(order_task, settings.seed)
    if transformer:
        yield "integrating the transformer", lambda tell: Finding(*predict_transformer(task, settings)[::-1])
        yield (
            "training the transformer",
            lambda tell: _train(transformer_instances(trained_task, seeds), settings, tell),
        )
        yield "rows under SGD", lambda tell: Finding(sgd_row_claims(law_task, few), [])
        yield "attention with real weights", lambda tell: _attention(law_task, few, settings, tell)


def _derive(tell: Tell) -> list[Claim]:
    derivations = derive_all()
    claims = []
    for n, derivation in enumerate(derivations):
        tell(0.5 * n / len(derivations))
        claims.append(derivation.claim())
    return [*claims, check_twins(twin_verdicts())]


@cache
def twin_verdicts() -> tuple[TwinVerdict, ...]:
    """What became of each false twin; they depend on no settings, so once a process is enough."""
    return (*(twin.verdict() for twin in false_twins()), *(twin.verdict() for twin in TWINS))


def _train(instances: Instances, settings: VerifySettings, tell: Tell) -> Finding:
    real = run(instances, training_settings(instances.task, settings), lambda done, total: tell(done / total))
    return Finding(claims_of(real), real.trajectories())


def _step_orders(small: Task, seed: int) -> Finding:
    claims, orders = step_order_claims(small, seed)
    return Finding(claims, [], orders)


def _attention(small: Task, seeds: range, settings: VerifySettings, tell: Tell) -> Finding:
    """W_V trained alone is the bilinear flow with U U^T; U trained as well leaves it."""
    dimension = settings.train_dimension or 1
    instances = attention_instances(small, min(dimension, 256), seeds)
    steps = TrainingSettings("gd", 0.25 / largest_share(small, "gd"), 60, "full")
    real = run(instances, steps, lambda done, total: tell(done / total))
    return Finding([*claims_of(real), *trainable_embeddings_claim(small, seeds)], real.trajectories())


def _run_notes(task: Task, trained_task: Task, settings: VerifySettings) -> Iterator[str]:
    """What a reader must know about what was run and what was not."""
    part = settings.model in ("bilinear", "all") and len(task.train_context) > settings.flow_pairs
    if trained_task is not task:
        yield (
            f"real training sees {len(trained_task.train_context):,} of {len(task.train_context):,} trained pairs "
            f"(--train-pairs); derivations, closed form and flow{' of the transformer' * part} cover the whole file"
        )
    if part:
        yield (
            f"the flow of the bilinear model is integrated on {settings.flow_pairs:,} of {len(task.train_context):,} "
            "trained pairs (--flow-pairs), and its first-order law is evaluated there too"
        )
    if len(task.train_context) > ORDER_PAIRS:
        yield (
            f"what does not depend on the size of the task is measured on parts: the error bound on {BOUND_PAIRS} "
            f"of its pairs, orders in step size and dimension on {ORDER_PAIRS}, optimisers, single rows and "
            f"attention on at most {LAW_PAIRS}"
        )
    if settings.optimizer == "adam" and settings.model in ("bilinear", "all"):
        yield (
            f"adam depends on the embeddings themselves, not only on their Gram matrix: it trains at "
            f"--train-dimension {settings.train_dimension} only and says nothing about dimension {settings.dimension:g}"
        )

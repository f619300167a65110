"""`reversal train`: build the corpora, train every condition, measure, judge; with checkpoints to continue from."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from time import monotonic

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor

from theory.counting import count_of, duration, memory
from validation.experiments.allocator import keep_freed_memory
from validation.experiments.checkpoint import Checkpoint, CheckpointError, restore, tensors_of
from validation.experiments.claims import claims_of
from validation.experiments.corpus import Corpus, Panel
from validation.experiments.corpus_of import PLAIN, build_corpora
from validation.experiments.guess import guesses
from validation.experiments.measures import any_right, cosine_matrix, panel_matrix
from validation.experiments.result import Condition, Matrix, RunResult, origin_of
from validation.experiments.settings import TrainSettings
from validation.experiments.trainer import Trainer, evaluation_epochs, shape_of
from validation.machine import machine_memory
from validation.settings import SettingsError

Report = Callable[[str, float], None]

CHECKPOINT_SECONDS = 30.0  # between checkpoints, or longer where an epoch takes longer
WRITING_SHARE = 0.05  # of the time, at most, goes into checkpoints of large models
LONG = 90.0  # seconds of expected work from which it is announced
TIMED_STEPS = 3
# Of a sentence: while a corpus is drawn as Python tuples, and as arrays of every seed, copied once for training.
LISTED_BYTES, KEPT_BYTES = 500.0, 200.0


def device_of(settings: TrainSettings) -> torch.device:
    """The device that is asked for, or the GPU where there is one. Raises SettingsError."""
    cuda = torch.cuda.is_available()
    if settings.device == "cuda" and not cuda:
        raise SettingsError("--device cuda: PyTorch finds no GPU here; leave it out to train on the CPU")
    if settings.bf16 and not cuda:
        raise SettingsError("--bf16 is for a GPU, and PyTorch finds none here; leave it out")
    return torch.device("cuda" if cuda and settings.device != "cpu" else "cpu")


def memory_bytes(settings: TrainSettings, corpus: Corpus) -> float:
    """Weights, gradients and two moments in single precision, and what a batch keeps for its gradient."""
    seeds = settings.seeds
    weights = shape_of(settings, corpus).parameters
    positions = min(settings.batch, len(corpus.train)) * (corpus.length - 1)
    kept = settings.layers * 34 * settings.width + 3 * corpus.vocabulary_size
    return 4.0 * seeds * (4 * weights + positions * kept)


def check_memory(settings: TrainSettings, corpus: Corpus, device: torch.device, limit: float | None) -> None:
    """Raises SettingsError where the run would need more than there is, with the numbers and what to change."""
    needed = memory_bytes(settings, corpus)
    if limit is None:
        limit = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else machine_memory()
    if needed > limit:
        raise SettingsError(
            f"this needs about {needed / 2**30:.1f} GiB, {limit / 2**30:.1f} GiB are allowed; choose fewer --seeds "
            "at a time, a smaller --batch, --width or --layers, or raise --limit-memory"
        )


def check_sentences(settings: TrainSettings, limit: float | None) -> None:
    """Refuse a built-in corpus that memory could not hold, before it is made. Raises SettingsError."""
    if settings.facts is not None:
        return
    v = settings.tokens
    sentences = (v // 4) * (v // 40) if settings.task == "in-context" else 3 * v
    needed = sentences * (LISTED_BYTES + settings.seeds * KEPT_BYTES)
    if needed > (machine_memory() if limit is None else limit):
        raise SettingsError(
            f"--vocabulary {v}: {sentences:,} sentences of {count_of(settings.seeds, 'seed')} need about "
            f"{needed / 2**30:.1f} GiB; "
            "choose a smaller one, fewer --seeds, or raise --limit-memory"
        )


@dataclass
class Progress:
    """What of a run is done: finished conditions, and the seconds that earlier sittings took."""

    done: list[Condition] = field(default_factory=list)
    spent: float = 0.0
    started: float = field(default_factory=monotonic)

    @property
    def seconds(self) -> float:
        """Everything that the run took so far."""
        return self.spent + monotonic() - self.started


def run(
    settings: TrainSettings,
    tell: Report,
    announce: Callable[[str], None],
    checkpoint: Checkpoint | None = None,
    resume: bool = False,
    limit_bytes: float | None = None,
) -> tuple[RunResult, dict[str, dict[str, Tensor]]]:
    """Train and judge; returns the result and the weights of each condition.

    With a `checkpoint` the state is written there every CHECKPOINT_SECONDS and at the end of each condition; `resume`
    continues from it. Raises SettingsError, FactFileError, TaskError, CorpusError, CheckpointError and Diverged.
    """
    device = device_of(settings)
    if device.type == "cpu":
        keep_freed_memory()
    check_sentences(settings, limit_bytes)
    corpora = build_corpora(settings)
    first = corpora[PLAIN][0]
    check_memory(settings, first, device, limit_bytes)
    progress, state = Progress(), None
    tensors: dict[str, Tensor] = {}
    if resume and checkpoint is not None:
        state, tensors = checkpoint.read()
        progress = Progress(TypeAdapter(list[Condition]).validate_python(state["done"]), float(state["seconds"]))
    weights: dict[str, dict[str, Tensor]] = {}
    announced = False
    for place, (name, of_seeds) in enumerate(corpora.items()):
        if place < len(progress.done):
            assert checkpoint is not None
            weights[name] = checkpoint.read_weights(name)
            continue
        trainer = Trainer(settings, of_seeds, device)
        if state is not None and state["condition"] == name:
            if state["digest"] != [corpus.digest for corpus in of_seeds]:
                raise CheckpointError(
                    f"--resume: {settings.facts or 'the corpus'} is not what the unfinished run was trained on; bring "
                    "it back, or remove the unfinished run and start again"
                )
            trainer.load_state(state["trainer"])
            restore(trainer.model, trainer.optimizer, tensors)
        if not announced:
            announced = True
            _announce(trainer, (len(corpora) - place) * settings.epochs - trainer.epoch, announce)
        _train(trainer, _teller(tell, name, place, len(corpora)), _keeper(checkpoint, name, trainer, progress))
        weights[name] = {key: p.detach().cpu().clone() for key, p in trainer.model.named_parameters()}
        if checkpoint is not None:
            checkpoint.write_weights(name, weights[name])
        progress.done.append(measure(name, trainer))
    result = RunResult(
        settings,
        tuple(progress.done),
        tuple(claims_of(settings.task, progress.done)),
        first.notes,
        shape_of(settings, first).parameters,
        torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        progress.seconds,
        origin_of(settings),
    )
    return result, weights


def _announce(trainer: Trainer, epochs: int, announce: Callable[[str], None]) -> None:
    """Time a few gradients, which change nothing, and say how long what is left takes where that is long."""
    batch = next(trainer.batches())
    trainer.loss(batch).backward()  # type: ignore[no-untyped-call]
    start = monotonic()
    for _ in range(TIMED_STEPS):
        trainer.loss(batch).backward()  # type: ignore[no-untyped-call]
    trainer.optimizer.zero_grad(set_to_none=True)
    seconds = (monotonic() - start) / TIMED_STEPS * trainer.steps_per_epoch() * epochs
    if seconds > LONG:
        needed = memory(memory_bytes(trainer.settings, trainer.corpora[0]))
        fewer = ", or --no-control" if trainer.settings.controlled else ""
        announce(
            f"this will take about {duration(seconds)} and {needed} ({count_of(epochs, 'epoch')} in all); to make it "
            f"shorter: fewer --seeds or --epochs{fewer}"
        )


def _teller(tell: Report, name: str, place: int, conditions: int) -> Callable[[Trainer], None]:
    """Says condition, epoch and loss, and how much of the whole run is done."""

    def said(trainer: Trainer) -> None:
        loss = trainer.history.train_nll
        shown = f", train loss {np.mean(loss[-1]):.3g}" if loss else ""
        done = (place + trainer.epoch / trainer.settings.epochs) / conditions
        tell(f"{name}, epoch {trainer.epoch} of {trainer.settings.epochs}{shown}", done)

    return said


def _keeper(checkpoint: Checkpoint | None, name: str, trainer: Trainer, progress: Progress) -> Callable[[], None]:
    """Writes a checkpoint of the trainer, where there is one."""

    def keep() -> None:
        if checkpoint is not None:
            state = {
                "condition": name,
                "epoch": trainer.epoch,
                "trainer": trainer.state(),
                "done": [asdict(condition) for condition in progress.done],
                "seconds": progress.seconds,
                "settings": trainer.settings.model_dump(mode="json"),
                "digest": [corpus.digest for corpus in trainer.corpora],
            }
            checkpoint.write(state, tensors_of(trainer.model, trainer.optimizer))

    return keep


def _train(trainer: Trainer, said: Callable[[Trainer], None], keep: Callable[[], None]) -> None:
    """Every epoch that is left, measured on the grid of epochs."""
    wanted = set(evaluation_epochs(trainer.settings.epochs))
    if trainer.epoch == 0:
        trainer.evaluate()
    kept, took = monotonic(), 0.0
    said(trainer)
    while trainer.epoch < trainer.settings.epochs:
        trainer.run_epoch()
        if trainer.epoch in wanted:
            trainer.evaluate()
        said(trainer)
        due = monotonic() - kept > max(CHECKPOINT_SECONDS, took / WRITING_SHARE)
        if due or trainer.epoch == trainer.settings.epochs:
            start = monotonic()
            keep()
            kept = monotonic()
            took = kept - start


def measure(name: str, trainer: Trainer) -> Condition:
    """Everything that is said of a condition at the end of its training."""
    corpora, history = trainer.corpora, trainer.history
    train, test = trainer.scores()
    right = [int(any_right(test.right[s : s + 1], c.question).sum()) for s, c in enumerate(corpora)]
    first = corpora[0]
    drawn, best = zip(*(guesses(c) for c in corpora), strict=True)  # (questions,) of each seed
    return Condition(
        name=name,
        train_sentences=len(first.train),
        test_sentences=len(first.test),
        questions=int(first.question.max()) + 1,
        answer_length=first.answer_length,
        vocabulary=first.vocabulary_size,
        chance=first.answer_length * float(np.log(first.vocabulary_size)),
        sort_chance=float(np.mean([-np.log(g).mean() for g in drawn])),
        guess_probability=float(np.mean([g.mean() for g in best])),
        never_trained=list(first.never_trained),
        trained_elsewhere=any(c.trained_elsewhere for c in corpora),
        floor=first.floor,
        **history.as_dict(),
        train_nll_by_token=(-train.log_probability.mean(axis=1).T).tolist(),
        test_nll_by_token=(-test.log_probability.mean(axis=1).T).tolist(),
        right=right,
        without_forward_gain=[index.without for index in trainer.indices(train, test)],
        matrices=[_matrix(trainer, panel, first) for panel in first.panels],
    )


def _matrix(trainer: Trainer, panel: Panel, corpus: Corpus) -> Matrix:
    """One panel of the first seed."""
    cosine = cosine_matrix(trainer.model, panel, 0)
    return Matrix(
        panel.title,
        [corpus.sentence(prompt) for prompt in panel.prompts],
        [corpus.sentence(answer) for answer in panel.answers],
        panel.seen.tolist(),
        panel_matrix(trainer.model, panel, 0).tolist(),
        None if cosine is None else cosine.tolist(),
    )

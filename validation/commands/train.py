"""`reversal train`: multi-layer transformers on the paper's tasks or on facts."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from validation.commands.shared import (
    NOTHING,
    friendly_errors,
    interrupted_with,
    memory_size,
    print_out,
    progress_display,
    setting,
)
from validation.continuing import command_to_continue, refusal
from validation.experiments.settings import PRESETS, TrainSettings
from validation.settings import SettingsError

if TYPE_CHECKING:
    from validation.experiments.checkpoint import Checkpoint


def _option(name: str, text: str, kind: str = "") -> Any:
    return setting(name, text, kind, TrainSettings)


def train(
    facts: Annotated[
        Path | None,
        typer.Argument(
            help="CSV, TSV or JSON lines: subject, relation, object[, direction, weight]. Without it a built-in task.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[str | None, _option("task", "reversal | chain-of-thought | in-context | related")] = None,
    preset: Annotated[
        str | None, typer.Option(help=f"{' | '.join(PRESETS)} [default: laptop].", metavar="NAME")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings from a TOML file; options stand above it.", metavar="FILE.toml")
    ] = None,
    vocabulary: Annotated[
        str | None, _option("vocabulary", "Tokens that are no relation [default: 800; in-context 400].", "N")
    ] = None,
    entity_tokens: Annotated[str | None, _option("entity_tokens", "Tokens of an entity, 1 to 3.", "N")] = None,
    control: Annotated[
        bool | None,
        typer.Option(
            "--control/--no-control",
            help="Reversal: also train with every held-out answer an answer of another sentence [default: yes].",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[str | None, _option("layers", "Layers.", "N")] = None,
    heads: Annotated[str | None, _option("heads", "Heads of attention.", "N")] = None,
    width: Annotated[str | None, _option("width", "Width of the stream.", "N")] = None,
    positions: Annotated[str | None, _option("positions", "none | absolute | rotary")] = None,
    tied: Annotated[
        bool | None,
        typer.Option("--tied/--untied", help="Head and embedding are one table [default: untied].", show_default=False),
    ] = None,
    frozen_embeddings: Annotated[
        bool | None,
        typer.Option(
            "--frozen-embeddings/--trained-embeddings",
            help="Embedding and head stay as drawn [default: trained].",
            show_default=False,
        ),
    ] = None,
    dropout: Annotated[str | None, _option("dropout", "Dropout in training.", "X")] = None,
    loss: Annotated[str | None, _option("loss", "answer | sequence")] = None,
    optimizer: Annotated[str | None, _option("optimizer", "adamw | sgd")] = None,
    learning_rate: Annotated[str | None, _option("learning_rate", "Step size.", "X")] = None,
    weight_decay: Annotated[str | None, _option("weight_decay", "Of every parameter.", "X")] = None,
    epochs: Annotated[str | None, _option("epochs", "Visits of every sentence.", "N")] = None,
    batch: Annotated[str | None, _option("batch", "Sentences a step.", "N")] = None,
    seeds: Annotated[str | None, _option("seeds", "How many seeds, side by side.", "N")] = None,
    seed: Annotated[str | None, _option("seed", "The first seed.", "N")] = None,
    device: Annotated[str | None, _option("device", "auto | cpu | cuda")] = None,
    bf16: Annotated[
        bool | None, typer.Option("--bf16/--float32", help="Half precision on a GPU.", show_default=False)
    ] = None,
    compile: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="Compile the model first.", show_default=False)
    ] = None,
    limit_memory: Annotated[
        str | None, typer.Option(help="Refuse above this, such as 4GiB [default: the machine's].", metavar="SIZE")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write everything into this new folder.", show_default=False),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the unfinished run of --output, as it was begun.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Train decoder-only transformers on one direction, ask the other, and judge what they learnt.

    With --output a run writes checkpoints beside the folder (DIR.unfinished) and can be continued after any
    interruption, on the CPU to exactly the same result.

    Examples:

      reversal train -o laptop-run

      reversal train --task chain-of-thought --tied --seeds 3

      reversal train examples/elements.csv --epochs 300 -o elements-run

      reversal train --preset paper --device cuda --bf16 -o paper-run
    """
    given = {k: v for k, v in locals().items() if k in TrainSettings.model_fields and v is not None}
    with friendly_errors():
        limit = None if limit_memory is None else memory_size(limit_memory)
        if resume:
            settings = _unfinished(output, preset, config, given)
        else:
            settings = TrainSettings.checked(preset, config, **given)
        # threads that wait sleep: on a busy machine ones that spin make training ten times slower
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        from validation.experiments.checkpoint import Checkpoint, CheckpointError, unfinished
        from validation.experiments.present import run_text, write_folder
        from validation.experiments.run import run
        from validation.output_folder import check_folder

        checkpoint = None
        if output is not None:
            output = output if output.name else output.resolve()  # "." has no name of its own
            check_folder(output)
            checkpoint = Checkpoint(unfinished(output))
            if checkpoint.exists and not resume:
                raise CheckpointError(
                    f"--output {output}: an unfinished run lies in {checkpoint.folder}; continue it with --resume, or "
                    "remove it"
                )
            if not resume:
                checkpoint.remove()  # of a run that never came to its first checkpoint
        with progress_display() as (announce, tell), interrupted_with(lambda: _left(output, checkpoint)):
            result, weights = run(settings, tell, announce, checkpoint, resume, limit)
            if output is not None and checkpoint is not None:
                write_folder(result, weights, output)
                checkpoint.remove()
        if as_json:
            print_out(json.dumps(result.as_dict(), ensure_ascii=False, allow_nan=False) + "\n")
        else:
            print_out(run_text(result, sys.stdout.isatty()))
    raise typer.Exit(0 if result.verdict in ("holds", "not applicable") else 1)


def _unfinished(output: Path | None, preset: str | None, config: Path | None, given: dict[str, Any]) -> TrainSettings:
    """The settings of the unfinished run of `output`; what is given beside must be what it was.

    Raises SettingsError or CheckpointError.
    """
    if output is None:
        raise SettingsError("--resume needs --output: the folder of the run that is to be continued")
    from validation.experiments.checkpoint import Checkpoint, CheckpointError, unfinished

    settings = Checkpoint(unfinished(output)).settings()
    if differing := settings.continued_by(preset, config, **given):
        raise CheckpointError(refusal("run", differing))
    return settings


def _left(output: Path | None, checkpoint: "Checkpoint | None") -> str:
    """What an interruption leaves; a folder without a checkpoint is removed, for nothing continues from it."""
    from validation.experiments.result import FILE

    if output is None or checkpoint is None:
        return f"{NOTHING} (with --output a run keeps checkpoints, from which --resume continues)"
    if (output / FILE).is_file():
        return f"the run is finished, in {output}"
    if not checkpoint.exists:
        checkpoint.remove()
        return f"{NOTHING}: there was no checkpoint yet"
    kept = f"the run up to {checkpoint.describe()} is kept in {checkpoint.folder}"
    return f"{kept}; continue with: {command_to_continue()}"

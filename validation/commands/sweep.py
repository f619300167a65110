"""`reversal sweep`: a grid or a random design over the settings of a command, on one machine or a cluster."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from theory.counting import count_of
from validation.commands.shared import NOTHING, errors, friendly_errors, interrupted_with, memory_size, print_out
from validation.continuing import command_to_continue
from validation.machine import available_cores
from validation.settings import SettingsError


def sweep(
    spec: Annotated[Path, typer.Argument(help="What is swept: a TOML file, see examples/sweeps.", metavar="SPEC.toml")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Write table, pictures and manifest into this new folder.")
    ],
    workers: Annotated[
        str | None,
        typer.Option(help="Processes of this machine [default: one for each core].", metavar="N", show_default=False),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Run on the dask cluster whose scheduler has this address, such as tcp://host:8786.",
            metavar="ADDRESS",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the unfinished sweep of --output: finished cells are kept.")
    ] = False,
    limit_memory: Annotated[
        str | None,
        typer.Option(help="Of all workers together; refuse above this [default: the machine's].", metavar="SIZE"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as one JSON object.")] = False,
) -> None:
    """Run a command's cell for every combination of settings and seeds, and draw theory's lines over what is measured.

    Every cell is kept as soon as it is finished, in DIR.unfinished; a sweep that is killed continues with --resume,
    and its table is the same to the byte. A cell that fails is kept with its message, and the exit code is then 1.

    Examples:

      reversal sweep examples/sweeps/separation.toml -o separation

      reversal sweep examples/sweeps/separation.toml -o separation --resume

      reversal sweep examples/sweeps/smoke.toml -o smoke --cluster tcp://10.0.0.1:8786
    """
    with friendly_errors():
        chosen = _workers(workers, cluster)
        limit = _limit(limit_memory, cluster)
        # threads that wait sleep: on a busy machine ones that spin make training ten times slower
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        from validation.output_folder import check_folder
        from validation.sweep.design import design_of
        from validation.sweep.spec import SpecError, read_spec
        from validation.sweep.store import Store, unfinished

        read = read_spec(spec)
        try:
            design = design_of(read, spec.absolute().parent)
        except SpecError as error:
            raise SpecError("\n".join(f"{spec}: {line}" for line in str(error).splitlines())) from None
        output = output if output.name else output.resolve()  # "." has no name of its own
        check_folder(output)

        from validation.sweep.present import sweep_text
        from validation.sweep.progress import ticking
        from validation.sweep.run import MANIFEST, check_memory, run, take_over, write_results

        store = Store(unfinished(output))
        if resume:
            store.purpose()  # before anything is made: there must be something to continue
        if cluster is None:
            check_memory(design, chosen, limit)
        with (
            _pool(chosen, cluster) as pool,
            store.driving(),
            interrupted_with(lambda: _left(store, design, output / MANIFEST)),
        ):
            done = take_over(store, design, output, resume)
            with ticking(len(design.cells), done, pool.workers, errors) as ticker:
                for note in store.notes:
                    ticker.say(f"note: {note}")
                if done:
                    ticker.say(
                        f"{len(done):,} of {count_of(len(design.cells), 'cell')} {'is' if len(done) == 1 else 'are'} "
                        "finished already"
                    )
                ticker.announce()
                outcomes = run(design, store, done, pool, ticker.finished)
            result = write_results(design, store, outcomes, spec, output)
        if as_json:
            print_out(json.dumps(result.manifest, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            print_out(sweep_text(result, output, sys.stdout.isatty()))
    raise typer.Exit(1 if result.failed else 0)


def _left(store: Any, design: Any, manifest: Path) -> str:
    """What an interruption leaves."""
    if manifest.is_file():
        return f"the sweep is finished, in {manifest.parent}"
    if not store.exists:
        return NOTHING
    kept = f"{store.kept:,} of {count_of(len(design.cells), 'cell')}"
    return f"{kept} {'is' if store.kept == 1 else 'are'} kept in {store.folder}; continue with: {command_to_continue()}"


def _workers(text: str | None, cluster: str | None) -> int:
    """How many processes. Raises SettingsError."""
    if text is None:
        return available_cores()
    if cluster is not None:
        raise SettingsError("--workers has no effect with --cluster, which has its own; leave it out")
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= 1024:
        raise SettingsError(f"--workers {text}: expected a whole number from 1 to 1024")
    return number


def _limit(text: str | None, cluster: str | None) -> float | None:
    """Bytes of all workers together. Raises SettingsError."""
    if text is None:
        return None
    if cluster is not None:
        raise SettingsError("--limit-memory has no effect with --cluster; start its workers with --memory-limit")
    return memory_size(text)


@contextmanager
def _pool(workers: int, cluster: str | None) -> Iterator[Any]:
    """Processes of this machine, or a cluster's workers."""
    if cluster is None:
        from validation.sweep.drive import LocalPool

        yield LocalPool(workers)
        return
    from validation.sweep.cluster import connected

    with connected(cluster) as pool:
        yield pool

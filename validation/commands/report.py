"""`reversal report`: everything that verify and check find, as a document."""

import inspect
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from validation.commands.check import check
from validation.commands.shared import friendly_errors, memory_size, print_out, progress_display, setting
from validation.commands.verify import verify
from validation.report_settings import FORMATS, ReportSettings

# Options that mean a little more here than in the one command whose help they have.
OWN_HELP: dict[str, Any] = {
    "dimension": setting("dimension", "Embedding dimension; theorems: a certified one.", "X"),
    "learning_rate": setting("learning_rate", "Step size [default: by optimizer; theorems: their own].", "X"),
    "train_pairs": typer.Option(help="Real training sees at most so many [default: 96].", metavar="N"),
    "flow_pairs": typer.Option(help="The bilinear flow is integrated on at most so many [default: 256].", metavar="N"),
    "draws": typer.Option(
        help="Draws of embeddings that are measured [default: 20; fewer on large files].", metavar="N"
    ),
    "limit_memory": typer.Option(help="Refuse above this, such as 4GiB [default: the machine's].", metavar="SIZE"),
}


def _options() -> Iterator[inspect.Parameter]:
    """The parameters of verify and of check that choose what is run, each once."""
    unused = ("as_json", "output", "proofs")
    found = {
        name: parameter
        for command in (check, verify)
        for name, parameter in inspect.signature(command).parameters.items()
        if name not in unused
    }
    for name, parameter in found.items():
        if name in OWN_HELP:
            parameter = parameter.replace(annotation=Annotated[str | None, OWN_HELP[name]])
        yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def report(
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder for the report.", metavar="DIR")],
    formats: Annotated[
        str | None,
        typer.Option(
            "--format", help=f"Some of {','.join(FORMATS)} [default: all; pdf where possible].", metavar="LIST"
        ),
    ] = None,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            help="Include a finished run of reversal train; may be given again.", metavar="DIR", show_default=False
        ),
    ] = None,
    remedies: Annotated[
        str | None,
        typer.Option(help="What lifts the curse: brief | all | none [default: brief].", metavar="NAME"),
    ] = None,
    **options: Any,
) -> None:
    """Write what verify and check find as a document: a page, LaTeX, PDF, JSON, Markdown, pictures with their numbers.

    Large files are reported on within minutes: real training, the bilinear flow and drawn embeddings then see a part,
    and the report says which. Options that are given are left as they are.

    Examples:

      reversal report -o report

      reversal report examples/elements.csv -o elements-report --seeds 5

      reversal report facts.csv -o facts-report --format html,pdf --epsilon 0.05

      reversal report -o report --runs untied-run --runs tied-run
    """
    limit_memory, from_file = options.pop("limit_memory"), options.pop("from_file")
    given = {name: value for name, value in options.items() if value is not None}
    if from_file is not None:
        given["from"] = from_file
    with friendly_errors():
        settings = ReportSettings.checked(formats, remedies, **given)
        limit = None if limit_memory is None else memory_size(limit_memory)
        from validation.output_folder import check_folder

        check_folder(output)
        # two processes work side by side: threads of both on every core would mostly wait for each other. Libraries
        # read this when they are loaded, here and in the second process.
        os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 2) // 2, 1)))
        from theory.theorems import THEOREMS
        from validation.check import chosen_theorems
        from validation.experiments.result import read_run
        from validation.report_run import run_report, write
        from validation.user_theorem import load_theorems

        taken = (*(theorem.id for theorem in THEOREMS), "all")
        file = settings.check.theorem_file
        own = () if file is None else load_theorems(file, taken)
        theorems = chosen_theorems(settings.check, THEOREMS, own)
        finished = tuple(map(read_run, runs or ()))
        command = shlex.join(["reversal", *sys.argv[1:]])
        with progress_display() as (announce, tell):
            data = run_report(settings, theorems, command, tell, announce, limit, finished)
            notes = write(data, output, settings.formats, tell)
        lines = [f"{data.task.name}: {data.verdict}", *notes, f"the report is in {output}"]
        print_out("\n".join(lines) + "\n")
    raise typer.Exit(0 if data.verdict in ("holds", "not applicable") else 1)


report.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [*_options(), *(p for p in inspect.signature(report).parameters.values() if p.kind is p.KEYWORD_ONLY)]
)

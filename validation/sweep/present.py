"""A finished sweep for people: how many cells came out how, what failed and why, and where the results are."""

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from theory.counting import count_of, duration
from validation.present import VERDICT_STYLE
from validation.sweep.run import TIMINGS, SweepResult

MOST_FAILURES = 12


def sweep_text(result: SweepResult, output: Path, terminal: bool) -> str:
    """Counts, failures with their messages, notes and files; coloured and as wide as the terminal if it is one."""
    console = Console(force_terminal=terminal or None, width=None if terminal else 130)
    manifest = result.manifest
    counts = manifest["counts"]
    with console.capture() as captured:
        spec = manifest["settings"]
        console.print(Text(f"Sweep of {spec['kind']}" + (f": {spec['title']}" if spec["title"] else "")))
        console.print(_counts(result))
        if manifest["failures"]:
            console.print(_failures(result))
        for note in manifest["notes"]:
            if note != TIMINGS:
                console.print(Text(f"note: {note}"))
        files = ", ".join(name for name in manifest["files"])
        console.print(Text(f"{output}: {files}, manifest.json"))
        style = "bold red" if counts["failed"] else "green"
        line = f"{counts['ok']:,} of {count_of(counts['cells'], 'cell')} finished, {counts['failed']:,} failed; "
        console.print(Text(f"{line}{duration(manifest['seconds'])} of work in all", style=style))
    return captured.get()


def _counts(result: SweepResult) -> Table:
    """Cells by status and, where cells have one, by verdict."""
    counts = result.manifest["counts"]
    table = Table()
    table.add_column("cells")
    table.add_column("number", justify="right")
    table.add_row("finished", str(counts["ok"]))
    table.add_row(Text("failed", style="bold red" if counts["failed"] else ""), str(counts["failed"]))
    for verdict, number in sorted(result.manifest["verdicts"].items()):
        table.add_row(Text(f"  {verdict}", style=VERDICT_STYLE.get(verdict, "")), str(number))
    return table


def _failures(result: SweepResult) -> Table:
    """Messages, each with how many cells say so and the first of them."""
    failures = result.manifest["failures"]
    table = Table(title="Failed cells, by message", title_justify="left")
    table.add_column("cells", justify="right")
    table.add_column("message")
    table.add_column("first, as row of the table")
    numbers = Counter(failure["message"] for failure in failures)
    for message, number in numbers.most_common(MOST_FAILURES):
        first = next(f for f in failures if f["message"] == message)
        settings = ", ".join(f"{name} = {value}" for name, value in first["settings"].items())
        table.add_row(str(number), Text(message), Text(f"{first['row']}: {settings}, seed {first['seed']}"))
    if len(numbers) > MOST_FAILURES:
        table.add_row("", Text(f"and {len(numbers) - MOST_FAILURES} more messages: see the table"), "")
    return table

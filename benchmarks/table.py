"""Findings for people: tables on the terminal, and a folder with CSV files and a picture of every ratio."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Group
from rich.table import Table

from benchmarks.findings import KINDS, Findings, Ratio
from numerics.picture import decades
from validation.output_folder import new_folder, write_csv

COLUMNS = {
    "ratios": "ratio: peer seconds / ours (CPU; multi-layer training and PDF on the wall); above 1 ours is faster, "
    "below 1 slower; medians of rounds in turns",
    "exponents": "seconds ~ size^exponent, least squares in logarithms",
    "proved": "statements proved",
    "costs": "seconds without a peer",
    "absent": "not run",
}


def tables(found: Mapping[str, Findings]) -> Group:
    """A table of ratios for each benchmark, then one for each other kind of which something was found."""
    ratios = [_ratios(name, findings.ratios) for name, findings in found.items() if findings.ratios]
    makers = {"exponents": _exponents, "proved": _proved, "costs": _costs, "absent": _absent}
    others = [make(found) for kind, make in makers.items() if any(getattr(f, kind) for f in found.values())]
    return Group(*ratios, *others)


def _table(kind: str, *headings: str, right: int, title: str | None = None) -> Table:
    """An empty table whose last `right` columns are numbers."""
    table = Table(title=title or kind.capitalize(), caption=COLUMNS[kind], title_justify="left", caption_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place >= len(headings) - right else "left")
    return table


def _ratios(name: str, ratios: Sequence[Ratio]) -> Table:
    numbers = ("error", "peer's", "ours s", "peer s", "ratio", "of rounds")
    table = _table("ratios", "case", "ours", "peer", *numbers, right=len(numbers), title=f"Ratios: {name}")
    for place, r in enumerate(ratios):
        errors = (_small(r.our_error), _small(r.peer_error))
        if r.difference is not None:
            errors = ("", f"apart {r.difference:.0e}")
        seconds = (f"{r.our_seconds:.3g}", f"{r.peer_seconds:.3g}")
        last = place + 1 == len(ratios) or ratios[place + 1].case != r.case
        rounds = f"{r.lowest:.2f} to {r.highest:.2f}"
        table.add_row(r.case, r.ours, r.peer, *errors, *seconds, _ratio(r), rounds, end_section=last)
    return table


def _ratio(r: Ratio) -> str:
    return f"{r.ratio:.2f} slower" if r.ratio < 1 else f"{r.ratio:.2f}"


def _small(error: float | None) -> str:
    return "" if error is None else f"{error:.1e}"


def _exponents(found: Mapping[str, Findings]) -> Table:
    table = _table("exponents", "what", "over", "from", "to", "expected", "exponent", right=4)
    for findings in found.values():
        for e in findings.exponents:
            ends = (f"{e.sizes[0]:g}", f"{e.sizes[-1]:g}")
            table.add_row(e.what, e.over, *ends, e.expected, f"{e.exponent:.3f} ± {e.standard_error:.3f}")
    return table


def _proved(found: Mapping[str, Findings]) -> Table:
    table = _table("proved", "statements", "prover", "limit s", "proved", right=2)
    for findings in found.values():
        for p in findings.proved:
            table.add_row(p.statements, p.prover, f"{p.limit_seconds:g}", f"{p.proved} of {p.of}")
    return table


def _costs(found: Mapping[str, Findings]) -> Table:
    table = _table("costs", "what", "seconds", right=1)
    for findings in found.values():
        for c in findings.costs:
            table.add_row(c.what, f"{c.seconds:.3g}")
    return table


def _absent(found: Mapping[str, Findings]) -> Table:
    table = _table("absent", "peer", "reason", right=0)
    for findings in found.values():
        for a in findings.absent:
            table.add_row(a.peer, a.reason)
    return table


# -- files --
def write(found: Mapping[str, Findings], folder: Path) -> None:
    """KIND.csv of every kind of finding and `ratios.svg` in a new folder that appears complete. Raises OutputError."""
    with new_folder(folder) as draft:
        for kind in KINDS:
            rows = [{"benchmark": name} | row for name, findings in found.items() for row in findings.rows(kind)]
            if rows:
                write_csv(draft / f"{kind}.csv", rows)
        if any(findings.ratios for findings in found.values()):
            picture(found).savefig(draft / "ratios.svg", metadata={"Date": None})


def picture(found: Mapping[str, Findings]) -> Figure:
    """Every ratio as a point with the range of its rounds, on a logarithmic axis; the line at 1 is equal speed."""
    ratios = [(name, r) for name, findings in found.items() for r in findings.ratios]
    drawing = Figure(figsize=(9.0, 1.2 + 0.3 * len(ratios)), layout="constrained")
    axes = drawing.add_subplot()
    for place, (_, r) in enumerate(ratios):
        color, mark = ("#0072b2", "o") if r.ratio >= 1 else ("#d55e00", "D")
        axes.plot([r.lowest, r.highest], [place, place], color=color, linewidth=1.5)
        axes.plot([r.ratio], [place], mark, color=color, markersize=5)
    axes.axvline(1.0, color="#8a8a8a", linewidth=1.0)
    axes.set_yticks(range(len(ratios)), labels=[f"{r.case}\n{r.ours} / {r.peer}" for _, r in ratios], fontsize=5.5)
    axes.invert_yaxis()
    decades(axes, "x")
    axes.set(xlabel="peer seconds / our seconds (right of the line ours is faster)")
    return drawing

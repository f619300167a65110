"""Every benchmark with one command: ratios to named peers, exponents, counts of proofs.

    python -m benchmarks [--only NAME]... [--quick] [--json] [--output DIR]

Needs a checkout and, for all peers, the extras `peers` and `lm`; a peer that is missing is reported as not installed.
"""

import argparse
import json
import os
import platform
import sys
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# Name of a benchmark, which is its file, and what --help says of it.
BENCHMARKS = {
    "flow_peers": "the gradient flow beside SciPy, diffrax and torchdiffeq at equal measured error",
    "scaling": "exponents of our cost over d, m and N, and of SciPy's over d",
    "training": "real training beside plain PyTorch loops and transformers",
    "proofs": "the prover beside bisection and SymPy",
    "report_time": "the report beside plain Matplotlib and latexmk",
}
PACKAGES = (
    "reversal-curse-verifier", "numpy", "scipy", "torch", "sympy", "python-flint", "mpmath", "matplotlib",
    "latex2mathml", "jax", "diffrax", "torchdiffeq", "transformers",
)  # fmt: skip

WIDTH = 180  # of tables that go to a file
# Read when linear algebra and XLA are loaded, which happens after this; see benchmarks.one_thread.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for, print it, and write it where asked; 2 on an output folder that cannot be written."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Speed beside named peers.",
        epilog="; ".join(f"{name}: {what}" for name, what in BENCHMARKS.items()),
    )
    parser.add_argument("--only", action="append", choices=BENCHMARKS, metavar="NAME", help="one benchmark; repeatable")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--output", type=Path, metavar="DIR", help="write CSV files and a picture into a new folder")
    asked = parser.parse_args(arguments)
    # what follows loads linear algebra, which reads its number of threads then
    from rich.console import Console

    from benchmarks import table
    from benchmarks.findings import KINDS
    from validation.output_folder import OutputError, check_folder

    try:
        if asked.output is not None:
            check_folder(asked.output)
        found, seconds = {}, {}
        with Console(stderr=True).status("starting") as status:
            for name in asked.only or BENCHMARKS:
                begun = time.perf_counter()
                measure = import_module(f"benchmarks.{name}").measure
                found[name] = measure(asked.quick, lambda stage, name=name: status.update(f"{name}: {stage}"))
                seconds[name] = round(time.perf_counter() - begun, 1)
        if asked.output is not None:
            table.write(found, asked.output)
    except OutputError as error:
        print(error, file=sys.stderr)
        return 2
    if asked.json:
        rows = {
            kind: [{"benchmark": name} | row for name, findings in found.items() for row in findings.rows(kind)]
            for kind in KINDS
        }
        about = {"quick": asked.quick, "seconds": seconds, "threads": 1, "versions": versions()}
        print(json.dumps(rows | about, allow_nan=False))
    else:
        console = Console(width=None if sys.stdout.isatty() else WIDTH)
        console.print(table.tables(found))
        console.print(", ".join(f"{name} {version}" for name, version in versions().items()))
        console.print(", ".join(f"{name} took {taken:g} s" for name, taken in seconds.items()))
    return 0


def versions() -> dict[str, Any]:
    """Versions of Python and of every package that takes part, None where one is not installed."""
    found: dict[str, Any] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


if __name__ == "__main__":
    for variable, value in ONE_THREAD.items():
        os.environ.setdefault(variable, value)
    sys.exit(main())

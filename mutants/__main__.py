"""`python -m mutants`: exit code 0 when every mutant is killed, else 1."""

import argparse
import re
import sys

from mutants.listed import MUTANTS
from mutants.run import Result, green, run_all


def main(arguments: list[str] | None = None) -> int:
    """Run the mutants whose names match, report each, and say how many survived."""
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("--only", default="", metavar="REGEX", help="mutants whose name matches")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time, each in a copy of the tree [2]")
    parser.add_argument("--list", action="store_true", help="say what each mutant changes and why that is unsound")
    parser.add_argument("--no-baseline", action="store_true", help="do not run the tests without any change first")
    options = parser.parse_args(arguments)
    chosen = [mutant for mutant in MUTANTS if re.search(options.only, mutant.name)]
    if not chosen:
        parser.error(f"--only {options.only}: no mutant has such a name")
    if options.list:
        for mutant in chosen:
            print(f"{mutant.name}\n    {mutant.why}")
        return 0
    if not options.no_baseline and (said := green(chosen)):
        print(f"the tests fail without any mutant:\n{said}", file=sys.stderr)
        return 1

    def hear(result: Result) -> None:
        by = {"killed": "by", "survived": "past", "broken": ":"}[result.fate]
        print(
            f"{result.fate:8} {result.mutant.name}\n         {by} {result.detail} ({result.seconds:.0f} s)", flush=True
        )

    results = run_all(chosen, max(options.jobs, 1), hear)
    killed = sum(result.fate == "killed" for result in results)
    print(f"{killed} of {len(results)} mutants killed")
    return int(killed < len(results))


if __name__ == "__main__":
    sys.exit(main())

"""The outcome of a conclusion that a proof reaches in the setting: it holds, unless a run violates it."""

from collections.abc import Callable

from theory.claim import Evidence
from theory.setting import NotMeasured
from theory.theorem import Outcome

# Whether the run keeps the promise, the number measured, and what to say of it.
Seen = tuple[bool, float, str]


def proved_outcome(proved: Evidence, reached: bool, bound: float | None, run: Callable[[], Seen]) -> Outcome:
    """`holds` with the evidence of the proof where it has `reached` the conclusion, or `fails` by the run, numerically.

    `reached` says whether what was proved implies the very bound that is promised here. Where it does not, a run that
    keeps the promise leaves it `undecided`. Where nothing can be run the proof stands alone, and the detail says why.
    """
    beyond = "" if reached else "; the proof does not reach this conclusion"
    try:
        kept, measured, detail = run()
    except NotMeasured as reason:
        return Outcome(
            "holds" if reached else "undecided", proved, bound=bound, detail=f"not measured: {reason}{beyond}"
        )
    if not kept:
        return Outcome("fails", "numerical", measured, bound, detail)
    if not reached:
        return Outcome("undecided", "numerical", measured, bound, f"{detail}{beyond}")
    return Outcome("holds", proved, measured, bound, detail)

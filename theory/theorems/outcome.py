"""The outcome of a conclusion that is proved for the setting: it holds, unless a run violates it."""

from collections.abc import Callable

from theory.claim import Evidence
from theory.setting import NotMeasured
from theory.theorem import Outcome

# Whether the run keeps the promise, the number measured, and what to say of it.
Seen = tuple[bool, float, str]


def proved_outcome(proved: Evidence, bound: float | None, run: Callable[[], Seen]) -> Outcome:
    """`holds` with the evidence of the proof, or `fails` by the run, which is `numerical`.

    Where nothing can be run the proof stands alone, and the detail says why.
    """
    try:
        kept, measured, detail = run()
    except NotMeasured as reason:
        return Outcome("holds", proved, bound=bound, detail=f"not measured: {reason}")
    return Outcome("holds" if kept else "fails", proved if kept else "numerical", measured, bound, detail)

"""Proofs that back a claim: found by the prover, and accepted by a second checker that shares no code with it."""

from sympy import Expr

from theory.deadline import OutOfTimeError, time_limit
from theory.proof import MOST_BOXES, MOST_SECONDS, Outcome, Proof, Unproved, prove
from theory.proof_domain import Domain
from theory.recheck import recheck


def prove_checked(
    expr: Expr,
    domain: Domain,
    *,
    strict: bool = False,
    most_boxes: int = MOST_BOXES,
    most_seconds: float = MOST_SECONDS,
) -> Outcome:
    """As `theory.proof.prove`, where a Proof is one that the second checker accepts too.

    What it objects to is Unproved, with its objection as the reason; so is what it cannot finish in `most_seconds` of
    its own. Raises EnclosureError as `prove` does.
    """
    outcome = prove(expr, domain, strict=strict, most_boxes=most_boxes, most_seconds=most_seconds)
    if not isinstance(outcome, Proof):
        return outcome
    try:
        with time_limit(most_seconds):
            objection = recheck(outcome)
    except OutOfTimeError:
        objection = f"it is not done within {most_seconds:g} seconds"
    except RecursionError:
        objection = "an expression is nested too deeply for it"
    if objection is None:
        return outcome
    return Unproved(f"the second checker objects: {objection}", len(outcome.boxes), {})

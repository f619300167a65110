"""Descent extrapolated to step size zero, against the flow: what one step size cannot show, two can.

S_eta = S_flow + c eta + O(eta^2) for full batches, cyclic visits and momentum, whose states are smooth functions of the
step size at ends of epochs. E_eta = 2 S_{eta/2} - S_eta is rid of c. So it shows errors of the flow or of the steps
that are far below the distance of descent from the flow.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from theory.claim import Claim, ClaimText
from validation.compare import IN_SPAN, PROJECT, judge

# An error c eta^r of E_eta with r >= 1.9 is at most |E_{2 eta} - E_eta| / (2^1.9 - 1).
ORDER = 1.9


def extrapolation_text(name: str) -> ClaimText:
    """The extrapolation of the schedule `name` against its flow."""
    return ClaimText(
        f"extrapolated-descent-is-flow-{name}",
        f"Real training extrapolated to step size zero is the flow ({name})",
        r"|E_\eta(t) - S_{\text{flow}}(t)| \le |E_{2\eta}(t) - E_\eta(t)| / (2^{1.9} - 1), "
        r"\quad E_\eta = 2 S_{\eta/2} - S_\eta",
        PROJECT,
        (
            IN_SPAN,
            "pairs are visited in the same order in every epoch, or all at once",
            "the error of the extrapolation falls with the step size at an order of at least 1.9 from this step on",
        ),
    )


def extrapolated(logits: Sequence[np.ndarray]) -> list[np.ndarray]:
    """E for each two neighbours of logits at step sizes that halve from one to the next, any equal shapes."""
    return [2.0 * fine - coarse for coarse, fine in pairwise(logits)]


def check_extrapolation(
    name: str, steps: Sequence[float], logits: Sequence[np.ndarray], flow: np.ndarray, error: float
) -> Claim:
    """The finest extrapolation of `logits` at `steps` that halve, three at least, against the flow, all of one shape.

    `error` bounds that of the flow's logits and the rounding of training.
    """
    coarse, fine = extrapolated(logits)[-2:]
    change = float(np.abs(coarse - fine).max())
    return judge(
        extrapolation_text(name),
        float(np.abs(fine - flow).max()),
        change / (2.0**ORDER - 1.0) + error,
        f"steps {', '.join(f'{s:g}' for s in steps[-3:])}: extrapolations differ by {change:.2e}; the finest run is "
        f"{np.abs(logits[-1] - flow).max():.2e} from the flow; bound: from them, and {error:.1e} for the flow's own "
        "error and rounding",
    )

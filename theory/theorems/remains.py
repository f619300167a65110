"""What still holds where a theorem's assumptions fail: the interpolation law, and where the loss settles."""

from theory.claim import Claim, ClaimText
from theory.interpolation import derive_interpolation
from theory.setting import NotMeasured, Setting


def what_remains(setting: Setting) -> list[Claim]:
    """The law of untrained rows, for any data; and where the loss settles, which several targets keep above zero."""
    return [derive_interpolation().claim(), loss_floor(setting)]


LOSS_FLOOR = ClaimText(
    "loss-floor",
    "The loss settles at the conditional entropy of the targets",
    r"\lim_{t \to \infty} L(t) = \sum_a f_a H(\hat{b}_a)",
    "this project",
    ("rows of contexts do not overlap (G = I, the one-layer model) and follow the gradient flow from zero",),
)


def loss_floor(setting: Setting) -> Claim:
    """The loss settles at the conditional entropy sum_a f_a H(bhat_a), not at zero; followed in the one-layer model."""
    floor = setting.task.loss_floor
    try:
        settled, remaining = setting.measure.settled_loss(setting)
    except NotMeasured as reason:
        return LOSS_FLOOR.judged("undecided", "numerical", bound=floor, detail=f"not measured: {reason}")
    # 1e-9: two sums of up to 10^5 logarithms of order ten, each rounded to 1e-16 of itself
    close = -1e-9 <= settled - floor <= remaining + 1e-9
    detail = (
        f"conditional entropy {floor:.9g}; where the flow of the one-layer model settles {settled:.9g}, late enough to "
        f"be within {remaining:.1g} of its end"
    )
    return LOSS_FLOOR.judged("holds" if close else "fails", "numerical", settled, floor, detail)

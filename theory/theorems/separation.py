"""Theorem 1 of arXiv 2405.04669, separation: L_rev(t)/L_rev(0) >= (L(t)/L(0))^eps, with explicit constants.

For gradient flow as in the paper, and with a stated step size for full-batch gradient descent and for SGD; and the same
for chains A -> B -> C, where the query's context is trained itself (intransitivity). docs/separation.md has the proof.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from theory.bilinear import derive_logit_flow
from theory.claim import Evidence, Verdict
from theory.coherence import CoherenceBounds, Schedule, ScheduleKind
from theory.counting import count_of
from theory.exponent import Exponent
from theory.interpolation import derive_interpolation
from theory.separation import certify, guaranteed_loss
from theory.setting import NotMeasured, Separation, Setting
from theory.tails import Allowed, CertifiedDimension, TaskShape, a_priori_bounds, bisect_dimension
from theory.theorem import Assumption, Certificate, Conclusion, Finding, Link, Outcome, TaskKind, Theorem
from theory.theorems import lemmas
from theory.theorems.assumptions import equal_shares, held_out, one_answer, single_target
from theory.theorems.remains import what_remains

# An interval of a probability so wide leaves out next to nothing; one draw's is all of [0, 1] but its false-alarm rate.
SAYS_NOTHING = 0.99

PAPER = "arXiv 2405.04669, Theorem 1"


def schedule_of(setting: Setting, kind: ScheduleKind) -> Schedule:
    """The visits of the rows at the setting's learning rate."""
    if kind == "flow":
        return Schedule.flow()
    return Schedule.descent(kind, setting.rate(kind), setting.task.trained_contexts)


@lru_cache(maxsize=64)
def bisected(
    shape: TaskShape, kind: ScheduleKind, learning_rate: float, delta: float, init_scale: float, allowed: Allowed
) -> CertifiedDimension:
    """`bisect_dimension` along the schedule of that kind and learning rate, once for each set of numbers."""
    schedule = Schedule.flow() if kind == "flow" else Schedule.descent(kind, learning_rate, shape.contexts)
    return bisect_dimension(shape, allowed, delta, init_scale, schedule)


def certified_dimension(setting: Setting, kind: ScheduleKind, allowed: Allowed) -> CertifiedDimension:
    """A dimension, found by bisection, at which the exponent is certified to stay below `allowed` (`theory.tails`)."""
    rate = 0.0 if kind == "flow" else setting.rate(kind)
    return bisected(TaskShape.of(setting.task), kind, rate, setting.delta, setting.init_scale, allowed)


@dataclass(frozen=True)
class AtMost:
    """The exponent that Theorem 1 is asked for."""

    epsilon: float

    def __call__(self, bounds: CoherenceBounds) -> float:
        return self.epsilon


def dimension_of(setting: Setting, certified: CertifiedDimension) -> float | None:
    """The dimension that was asked for, else the certified one that bisection found."""
    chosen = setting.dimension if setting.dimension is not None else certified.dimension
    return None if chosen is None else float(chosen)


@dataclass(frozen=True)
class APriori:
    """What is certified before anything is drawn, at one dimension: the exponent, and the one that is allowed there."""

    dimension: float
    exponent: Exponent
    allowed: float

    @property
    def certain(self) -> bool:
        """Whether the exponent is certified to be small enough with probability 1 - delta, at this very dimension."""
        return self.exponent.epsilon <= self.allowed


def a_priori(setting: Setting, kind: ScheduleKind, allowed: Allowed) -> APriori | None:
    """The certificate at the very dimension of the setting; None where none was asked for and none is certified.

    That a smaller dimension is certified says nothing here: the certificate is not monotone in the dimension.
    """
    dimension = dimension_of(setting, certified_dimension(setting, kind, allowed))
    if dimension is None:
        return None
    bounds = _bounds_at(setting, dimension)
    return APriori(dimension, certify(bounds, schedule_of(setting, kind)), allowed(bounds))


def _bounds_at(setting: Setting, dimension: float) -> CoherenceBounds:
    shape = TaskShape.of(setting.task)
    return a_priori_bounds(shape, math.floor(dimension), setting.delta, setting.init_scale)


# -- assumptions ---------------------------------------------------------------------------------------------------
def start_finding(setting: Setting, certified: CertifiedDimension) -> Finding:
    """Small initial scale: some dimension up to 10^30 must be enough."""
    required = "a start that some dimension up to 1e30 certifies"
    found = f"init scale {setting.init_scale:g}"
    if certified.dimension is not None:
        return Finding("holds", required, found, evidence="certified")
    missing = "; ".join(
        f"{c.name}: found {c.found:.3g}, at most {c.required:.3g} allowed" for c in certified.exponent.failed
    )
    below = "no exponent is small enough, for the reversal loss may start below C"
    asked = below if certified.allowed < 0 else f"{certified.allowed:.3g} is asked for"
    detail = missing or (
        f"at d = 1e30 the exponent is certified to be at most {certified.exponent.epsilon:.3g}, but {asked}"
    )
    return Finding("undecided", required, found, evidence="certified", detail=detail)


def dimension_finding(setting: Setting, certified: CertifiedDimension, before: APriori | None) -> Finding:
    """The exponent certified at the setting's own dimension; where too large, the constants are weak, not the theorem.

    The margin is the exponent that is allowed less the certified one, None where either is infinite.
    """
    if certified.dimension is None or before is None:
        return Finding("undecided", "d large enough", "no dimension up to 1e30 is certified", evidence="certified")
    dimension, epsilon = before.dimension, before.exponent.epsilon
    required = f"an exponent of at most {before.allowed:.4g} certified at d"
    found = f"d = {dimension:.10g}: {f'{epsilon:.4g}' if math.isfinite(epsilon) else 'no exponent'} certified"
    margin = _finite(before.allowed - epsilon)
    if before.certain:
        detail = "" if setting.dimension is not None else "no dimension was given: this one was found by bisection"
        return Finding("holds", required, found, margin, "certified", detail=detail)
    detail = f"d = {certified.dimension:,} is certified"
    if dimension < certified.dimension:
        detail += f", {certified.dimension / dimension:.3g} times as large"
    else:
        detail += ", a smaller dimension: the certificate is not monotone in d"
    return Finding("undecided", required, found, margin, "certified", detail=detail)


# -- conclusion ----------------------------------------------------------------------------------------------------
def judged(
    setting: Setting,
    drawn: Separation,
    before: APriori,
    allowed: Allowed,
    failures: int,
    tested: int,
    what: str,
    *,
    swapped: bool = False,
) -> tuple[Verdict, Evidence, str]:
    """The verdict on a statement that holds with probability at least 1 - delta over draws.

    `allowed` is what the exponent of a draw may be, by its own bounds; `failures` among `tested` runs violate the
    statement. A run beyond its own certificate refutes the proof, whatever was certified. Else violations too often, by
    exact binomial intervals, are `fails`; what is certified before anything is drawn `holds`, unless its draws are
    certified too seldom to bear it out; draws certified often enough are `holds` (sampled), anything between is
    `undecided`. For a false twin (`swapped`) no certificate speaks.
    """
    draws, alarm = len(drawn.certified), setting.measure.false_alarm
    pairs = zip(drawn.certified, drawn.bounds, strict=True)
    uncertified = sum(not exponent <= allowed(bounds) for exponent, bounds in pairs)
    doubtful, uncertain = setting.measure.failure_interval(uncertified, draws)
    decisive = math.ceil(math.log(alarm / 2) / math.log1p(-setting.delta))
    detail, low = f"{what}: no run shows", 0.0
    if tested:
        low, high = setting.measure.failure_interval(failures, tested)
        violate = "violates" if 1 in (failures, tested) else "violate"
        detail = f"{what}: {failures:,} of {count_of(tested, 'run')} {violate} it, "
        if high - low > SAYS_NOTHING:
            detail += (
                f"too few to tell how often that happens ({count_of(decisive, 'run')} without one show less than delta)"
            )
        else:
            detail += (
                f"so it fails with probability {low:.3g} to {high:.3g} (exact binomial interval at confidence "
                f"1 - {alarm:.0e}; allowed: {setting.delta:g})"
            )
    certain = "draw is" if draws == 1 else "draws are"
    detail += f"; {draws - uncertified:,} of {draws:,} {certain} certified; {drawn.span}"
    beyond = () if swapped else beyond_certificate(setting, drawn)
    if beyond:
        others = f" (and {count_of(len(beyond) - 1, 'more draw')})" if len(beyond) > 1 else ""
        return "fails", "numerical", f"{beyond[0]}{others}; {detail}"
    if low > setting.delta:
        return "fails", "sampled", detail
    if before.certain and not swapped:
        if doubtful > setting.delta:
            return "undecided", "sampled", f"{detail}: fewer than what is certified before any draw promises"
        return "holds", "certified", detail
    if uncertain <= setting.delta and not swapped:
        return "holds", "sampled", detail
    return (
        "undecided",
        "sampled",
        f"{detail}; neither proved at this dimension nor refuted (--draws {decisive} may decide)",
    )


def beyond_certificate(setting: Setting, drawn: Separation) -> tuple[str, ...]:
    """The draws whose run contradicts the certificate of that very draw by more than the run's own error, in words.

    Two numbers are compared: the measured exponent with the certified one, and the reversal loss at the loss target
    with what the certified exponent guarantees there.
    """
    found = []
    for number, (epsilon, bounds) in enumerate(zip(drawn.certified, drawn.bounds, strict=True)):
        name = f"the draw of seed {setting.seed + number} lies beyond its own certificate"
        measured, error = float(drawn.measured[number]), float(drawn.measured_error[number])
        loss, loss_error = float(drawn.reversal_loss[number]), float(drawn.reversal_error[number])
        least = guaranteed_loss(bounds, float(epsilon), float(drawn.target_loss[number]))
        if measured > epsilon + error:
            found.append(
                f"{name}: exponent {measured:.6g} measured, {epsilon:.6g} certified, error of the run {error:.1g}"
            )
        elif loss < least - loss_error:
            found.append(
                f"{name}: L_rev = {loss:.6g} at the loss target, at least {least:.6g} certified, error of the run "
                f"{loss_error:.1g}"
            )
    return tuple(found)


def exponent_outcome(setting: Setting, kind: ScheduleKind, *, swapped: bool = False) -> Outcome:
    """Theorem 1 in this setting: the largest measured exponent over draws and times against eps.

    `swapped` judges the opposite inequality, a false twin: that the reversal loss falls at least as fast.
    """
    allowed = AtMost(setting.epsilon)
    before = a_priori(setting, kind, allowed)
    if before is None:
        return Outcome("undecided", "certified", bound=setting.epsilon, detail="no dimension is certified; give one")
    try:
        drawn = setting.measure.separation(setting, before.dimension, schedule_of(setting, kind))
    except NotMeasured as reason:
        verdict: Verdict = "holds" if before.certain and not swapped else "undecided"
        return Outcome(verdict, "certified", bound=setting.epsilon, detail=f"not measured: {reason}")
    above = drawn.measured > setting.epsilon
    failures = int((~above if swapped else above).sum())
    what = "exponent at least eps" if swapped else "exponent at most eps"
    verdict, evidence, detail = judged(
        setting, drawn, before, allowed, failures, len(drawn.measured), what, swapped=swapped
    )
    measured = _finite(float(drawn.measured.max()))
    return Outcome(verdict, evidence, measured, setting.epsilon, f"{detail}; {_summary(drawn)}")


def _summary(drawn: Separation) -> str:
    """The draws in one line: measured, certified and first-order exponents."""
    finite = drawn.certified[np.isfinite(drawn.certified)]
    certified = f"up to {finite.max():.3g}" if len(finite) == len(drawn.certified) else "not for every draw"
    text = (
        f"measured exponents from {drawn.measured.min():.3g} to {drawn.measured.max():.3g}, certified for the draw "
        f"itself {certified}"
    )
    if np.isfinite(drawn.first_order).any():
        text += f", first-order exponent -sum w/m from {np.nanmin(drawn.first_order):.3g} to "
        text += f"{np.nanmax(drawn.first_order):.3g}"
    return text


# -- certificate ---------------------------------------------------------------------------------------------------
def separation_certificate(setting: Setting, kind: ScheduleKind, allowed: Allowed) -> Certificate:
    """A certified dimension, the exponent at the setting's own, every share of delta, and the draws."""
    certified = certified_dimension(setting, kind, allowed)
    before = a_priori(setting, kind, allowed)
    constants: dict[str, float | int | str | None] = {"chain": certified.exponent.chain}
    for event in certified.events:
        constants[f"delta share: {event.name}"] = event.share
    if before is None:
        return Certificate(None, None, constants)
    epsilon: float | None = None
    if math.isfinite(before.exponent.epsilon):
        epsilon, constants["chain"] = before.exponent.epsilon, before.exponent.chain
    try:
        drawn = setting.measure.separation(setting, before.dimension, schedule_of(setting, kind))
        constants |= _of_draws(drawn)
        if kind == "flow":
            constants["a cruder bound, not used: first draw by eigenvalues"] = _finite(
                setting.measure.classical(setting, before.dimension)
            )
    except NotMeasured:
        pass
    return Certificate(epsilon, certified.dimension, constants)


def _of_draws(drawn: Separation) -> dict[str, float | int | str | None]:
    worst = int(np.argmax(drawn.certified))
    exponent = drawn.exponents[worst]
    falls = drawn.first_order > 0  # elsewhere the reversal loss rises to first order
    usable = (drawn.certified / np.where(falls, drawn.first_order, np.nan))[falls & np.isfinite(drawn.certified)]
    return {
        "largest exponent certified for a draw": _finite(exponent.epsilon),
        "chain of that draw": exponent.chain,
        "range D of that draw": exponent.range,
        "gap Delta of that draw": exponent.log_odds_gap,
        "certified over first-order exponent where positive, median": float(np.median(usable)) if len(usable) else None,
        "certified over first-order exponent where positive, largest": float(usable.max()) if len(usable) else None,
        "largest exponent measured": _finite(float(drawn.measured.max())),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


# -- theorems ------------------------------------------------------------------------------------------------------
def proof_links(kind: ScheduleKind) -> tuple[Link, ...]:
    """The links of docs/separation.md for one schedule, tails included."""
    flow = Link.of_derivation(
        derive_logit_flow(),
        "every step stays in the span of gradients: S - S(0) = G[:,A] C G, rows of C nonnegative "
        "multiples of residuals",
    )
    law = Link.of_derivation(
        derive_interpolation(), "the floor: an untrained row moves as a combination of trained rows"
    )
    absolute = () if kind in ("cyclic", "reshuffled") else (*lemmas.TWO_PHASE, *lemmas.FULL_BATCH)
    return lemmas.numbered((flow, law), absolute, lemmas.SIGNED, lemmas.TAILS)


def separation_theorem(
    id: str, title: str, reference: str, kind: ScheduleKind, task: TaskKind, statement: str
) -> Theorem:
    """Theorem 1 for one schedule and one kind of task."""

    def at_most(setting: Setting) -> AtMost:
        return AtMost(setting.epsilon)

    return Theorem(
        id=id,
        title=title,
        reference=reference,
        statement=statement,
        task=task,
        assumptions=(*shaping(kind), *dimension_assumptions(kind, at_most)),
        conclusion=Conclusion(
            r"\max_{t > 0} \frac{-\log(L_{\text{rev}}(t)/L_{\text{rev}}(0))}{\log(L(0)/L(t))} \le \epsilon",
            lambda setting: exponent_outcome(setting, kind),
        ),
        links=proof_links(kind),
        certificate=lambda setting: separation_certificate(setting, kind, at_most(setting)),
        remains=what_remains,
    )


def dimension_assumptions(kind: ScheduleKind, allowed: Callable[[Setting], Allowed]) -> tuple[Assumption, Assumption]:
    """Small start and large dimension, both against the certified constants; open where others fail already."""

    def when_shaped(finding: Callable[[Setting], Finding]) -> Callable[[Setting], Finding]:
        def check(setting: Setting) -> Finding:
            if any(assumption.check(setting).verdict != "holds" for assumption in shaping(kind)):
                return Finding("not applicable", "", "", detail="constants exist only where the assumptions above hold")
            return finding(setting)

        return check

    def start(setting: Setting) -> Finding:
        return start_finding(setting, certified_dimension(setting, kind, allowed(setting)))

    def dimension(setting: Setting) -> Finding:
        certified = certified_dimension(setting, kind, allowed(setting))
        return dimension_finding(setting, certified, a_priori(setting, kind, allowed(setting)))

    return (
        Assumption("small-start", r"\sigma \text{ small}", when_shaped(start)),
        Assumption("large-dimension", r"\bar\epsilon(d, n, m, \delta, \sigma) \le \epsilon", when_shaped(dimension)),
    )


def shaping(kind: ScheduleKind) -> tuple[Assumption, ...]:
    """What the task must be like for constants to exist; steps of a finite size ask for one answer a query too."""
    return (single_target, equal_shares, held_out, *(() if kind == "flow" else (one_answer,)))


STATEMENT = (
    r"\Pr\left[\frac{L_{\text{rev}}(t)}{L_{\text{rev}}(0)} \ge \left(\frac{L(t)}{L(0)}\right)^{\epsilon} "
    r"\text{ for all } t \ge 0\right] \ge 1 - \delta"
)

SEPARATION = (
    separation_theorem("theorem-1", "Separation under gradient flow", PAPER, "flow", "reversal", STATEMENT),
    separation_theorem(
        "theorem-1-gd",
        "Separation under gradient descent with a stated step size",
        f"{PAPER}; finite steps: this project",
        "gd",
        "reversal",
        STATEMENT.replace("t \\ge 0", r"k \ge 0").replace("(t)", "(k)"),
    ),
    separation_theorem(
        "theorem-1-sgd",
        "Separation under SGD, epochs reshuffled, at the end of every epoch",
        f"{PAPER}; finite steps: this project",
        "reshuffled",
        "reversal",
        STATEMENT.replace("t \\ge 0", r"k \ge 0").replace("(t)", "(k)"),
    ),
    separation_theorem(
        "intransitivity",
        "Intransitivity of the bilinear model: chains A -> B -> C do not teach A ~> C",
        "arXiv 2405.04669, chain of thought; bound: this project",
        "flow",
        "chain-of-thought",
        STATEMENT,
    ),
)

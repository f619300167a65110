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
from theory.interpolation import derive_interpolation
from theory.separation import certify
from theory.setting import NotMeasured, Separation, Setting
from theory.tails import Allowed, CertifiedDimension, TaskShape, a_priori_bounds, smallest_dimension
from theory.theorem import Assumption, Certificate, Conclusion, Finding, Link, Outcome, TaskKind, Theorem
from theory.theorems import lemmas
from theory.theorems.assumptions import equal_shares, held_out, one_answer, single_target
from theory.theorems.remains import what_remains

PAPER = "arXiv 2405.04669, Theorem 1"


def schedule_of(setting: Setting, kind: ScheduleKind) -> Schedule:
    """The visits of the rows at the setting's learning rate."""
    if kind == "flow":
        return Schedule.flow()
    return Schedule.descent(kind, setting.rate(kind), setting.task.trained_contexts)


@lru_cache(maxsize=64)
def _smallest(
    shape: TaskShape, kind: ScheduleKind, learning_rate: float, delta: float, init_scale: float, allowed: Allowed
) -> CertifiedDimension:
    schedule = Schedule.flow() if kind == "flow" else Schedule.descent(kind, learning_rate, shape.contexts)
    return smallest_dimension(shape, allowed, delta, init_scale, schedule)


def certified_dimension(setting: Setting, kind: ScheduleKind, allowed: Allowed) -> CertifiedDimension:
    """The smallest dimension at which the exponent is certified to stay below `allowed` with probability 1 - delta."""
    rate = 0.0 if kind == "flow" else setting.rate(kind)
    return _smallest(TaskShape.of(setting.task), kind, rate, setting.delta, setting.init_scale, allowed)


@dataclass(frozen=True)
class AtMost:
    """The exponent that Theorem 1 is asked for."""

    epsilon: float

    def __call__(self, bounds: CoherenceBounds) -> float:
        return self.epsilon


def dimension_of(setting: Setting, certified: CertifiedDimension) -> float | None:
    """The dimension that was asked for, else the smallest certified one."""
    chosen = setting.dimension if setting.dimension is not None else certified.dimension
    return None if chosen is None else float(chosen)


def is_certain(setting: Setting, kind: ScheduleKind, allowed: Allowed) -> bool:
    """Whether the exponent is certified, before anything is drawn, at the very dimension of the setting."""
    dimension = dimension_of(setting, certified_dimension(setting, kind, allowed))
    if dimension is None:
        return False
    bounds = _bounds_at(setting, dimension)
    return certify(bounds, schedule_of(setting, kind)).epsilon <= allowed(bounds)


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


def dimension_finding(setting: Setting, certified: CertifiedDimension) -> Finding:
    """d at or above the smallest certified dimension; below it the constants are too weak, not the theorem false."""
    dimension = dimension_of(setting, certified)
    if certified.dimension is None or dimension is None:
        return Finding("undecided", "d large enough", "no dimension up to 1e30 is certified", evidence="certified")
    required, found = f"d >= {certified.dimension:.4g}", f"d = {dimension:.4g}"
    margin = math.log10(dimension) - math.log10(certified.dimension)
    verdict: Verdict = "holds" if dimension >= certified.dimension else "undecided"
    detail = "" if setting.dimension is not None else "no dimension was given: the smallest certified one is taken"
    if verdict == "undecided":
        detail = f"a dimension {10**-margin:.3g} times too small to be certified; margin in powers of ten"
    return Finding(verdict, required, found, margin, "certified", detail=detail)


# -- conclusion ----------------------------------------------------------------------------------------------------
def judged(
    setting: Setting, drawn: Separation, allowed: Allowed, failures: int, tested: int, certain: bool, what: str
) -> tuple[Verdict, Evidence, str]:
    """The verdict on a statement that holds with probability at least 1 - delta over draws.

    `allowed` is what the exponent of a draw may be, by its own bounds; `failures` among `tested` runs violate it.
    `certain`: certified before anything is drawn. Else by exact binomial intervals: draws certified often enough are
    `holds` (sampled), violations too often are `fails`, anything between is `undecided`.
    """
    draws, alarm = len(drawn.certified), setting.measure.false_alarm
    pairs = zip(drawn.certified, drawn.bounds, strict=True)
    uncertified = sum(not exponent <= allowed(bounds) for exponent, bounds in pairs)
    _, uncertain = setting.measure.failure_interval(uncertified, draws)
    detail, low = f"{what}: no run shows", 0.0
    if tested:
        low, high = setting.measure.failure_interval(failures, tested)
        detail = (
            f"{what}: {failures} of {tested} runs violate it, so it fails with probability {low:.3g} to {high:.3g} "
            f"(exact binomial interval at confidence 1 - {alarm:.0e}; allowed: {setting.delta:g})"
        )
    detail += f"; {draws - uncertified} of {draws} draws are certified; {drawn.span}"
    if low > setting.delta:
        return "fails", "sampled", detail
    if certain:
        return "holds", "certified", detail
    if uncertain <= setting.delta:
        return "holds", "sampled", detail
    decisive = math.ceil(math.log(alarm / 2) / math.log1p(-setting.delta))
    return (
        "undecided",
        "sampled",
        f"{detail}; neither proved at this dimension nor refuted (--draws {decisive} may decide)",
    )


def exponent_outcome(setting: Setting, kind: ScheduleKind, *, swapped: bool = False) -> Outcome:
    """Theorem 1 in this setting: the largest measured exponent over draws and times against eps.

    `swapped` judges the opposite inequality, a false twin: that the reversal loss falls at least as fast.
    """
    allowed = AtMost(setting.epsilon)
    dimension = dimension_of(setting, certified_dimension(setting, kind, allowed))
    if dimension is None:
        return Outcome("undecided", "certified", bound=setting.epsilon, detail="no dimension is certified; give one")
    certain = is_certain(setting, kind, allowed)
    try:
        drawn = setting.measure.separation(setting, dimension, schedule_of(setting, kind))
    except NotMeasured as reason:
        verdict: Verdict = "holds" if certain and not swapped else "undecided"
        return Outcome(verdict, "certified", bound=setting.epsilon, detail=f"not measured: {reason}")
    above = drawn.measured > setting.epsilon
    failures = int((~above if swapped else above).sum())
    what = "exponent at least eps" if swapped else "exponent at most eps"
    verdict, evidence, detail = judged(
        setting, drawn, allowed, failures, len(drawn.measured), certain and not swapped, what
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
    """The smallest certified dimension, the exponent at the setting's own, every share of delta, and the draws."""
    certified = certified_dimension(setting, kind, allowed)
    dimension = dimension_of(setting, certified)
    constants: dict[str, float | int | str | None] = {"chain": certified.exponent.chain}
    for event in certified.events:
        constants[f"delta share: {event.name}"] = event.share
    if dimension is None:
        return Certificate(None, None, constants)
    epsilon: float | None = None
    exponent = certify(_bounds_at(setting, dimension), schedule_of(setting, kind))
    if math.isfinite(exponent.epsilon):
        epsilon, constants["chain"] = exponent.epsilon, exponent.chain
    try:
        drawn = setting.measure.separation(setting, dimension, schedule_of(setting, kind))
        constants |= _of_draws(drawn)
        if kind == "flow":
            constants["a cruder bound, not used: first draw by eigenvalues"] = _finite(
                setting.measure.classical(setting, dimension)
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
        seconds=lambda setting: setting.measure.seconds(setting, kind),
    )


def dimension_assumptions(kind: ScheduleKind, allowed: Callable[[Setting], Allowed]) -> tuple[Assumption, Assumption]:
    """Small start and large dimension, both against the certified constants; open where others fail already."""

    def when_shaped(
        finding: Callable[[Setting, CertifiedDimension], Finding],
    ) -> Callable[[Setting], Finding]:
        def check(setting: Setting) -> Finding:
            if any(assumption.check(setting).verdict != "holds" for assumption in shaping(kind)):
                return Finding("not applicable", "", "", detail="constants exist only where the assumptions above hold")
            return finding(setting, certified_dimension(setting, kind, allowed(setting)))

        return check

    return (
        Assumption("small-start", r"\sigma \text{ small}", when_shaped(start_finding)),
        Assumption("large-dimension", r"d \ge d^*(n, m, \epsilon, \delta, \sigma)", when_shaped(dimension_finding)),
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

"""Theorems 3 and 4 of arXiv 2405.04669 for the one-layer transformer: reversal curse, need for chain of thought.

SGD with batch size one from zero: after a certified number of visits every trained pair has p >= 1 - a, while a pair
that is not trained, y <- x or A ~> C, has p <= 1/M at every step.
"""

import math
from fractions import Fraction

from theory.claim import Verdict
from theory.counting import count_of
from theory.setting import Setting
from theory.sgd_row import derive_recursion, derive_sandwich
from theory.step_bounds import largest_step
from theory.theorem import Assumption, Certificate, Conclusion, Finding, Link, Outcome, TaskKind, Theorem
from theory.theorems.assumptions import equal_shares, exact, held_out, single_target
from theory.theorems.outcome import Seen, proved_outcome
from theory.theorems.remains import what_remains
from theory.transformer import derive_y_gradient, derive_z_stays_zero
from theory.unseen_target import derive_unseen_target
from theory.visit_bounds import STEPS, VisitBounds, probability_after, visits_until
from theory.visits import derive_visits

SOME = 30  # visits, where none are certified


def certified_visits(setting: Setting) -> VisitBounds:
    """Visits until p >= 1 - eps for every trained pair: `--epsilon` is the theorem's a."""
    return visits_until(setting.task.vocabulary_size, exact(setting.rate()), exact(setting.epsilon))


def check_share(setting: Setting) -> Finding:
    """0 < a < 1 - 1/M: a row starts at p = 1/M."""
    most = 1 - 1 / setting.task.vocabulary_size
    verdict: Verdict = "holds" if setting.epsilon < most else "fails"
    return Finding(verdict, f"a < 1 - 1/M = {most:.6g}", f"a = {setting.epsilon:g}", margin=most - setting.epsilon)


def check_rate(setting: Setting) -> Finding:
    """The step sizes for which visits are evaluated."""
    rate = setting.rate()
    verdict: Verdict = "holds" if STEPS[0] <= rate <= STEPS[1] else "undecided"
    required = f"step from {float(STEPS[0]):g} to {float(STEPS[1]):g}"
    return Finding(verdict, required, f"step {rate:g}", detail="" if verdict == "holds" else "see --learning-rate")


def planned_visits(setting: Setting) -> int:
    """Visits of every pair in the setting's steps, by default the certified number (SOME where there is none)."""
    if setting.steps is None:
        usable = check_share(setting).verdict == check_rate(setting).verdict == "holds"
        return certified_visits(setting).certified_enough if usable else SOME
    return max(setting.steps // len(setting.task.train_context), 1)


def promised(setting: Setting) -> Fraction:
    """The least probability that is proved for a trained pair at the end of the run."""
    if setting.steps is None:
        return 1 - exact(setting.epsilon)
    size, rate = setting.task.vocabulary_size, exact(setting.rate())
    return probability_after(size, rate, planned_visits(setting))[0]


def one_layer_outcome(setting: Setting, *, visits: int | None = None, share: float = 1.0) -> Outcome:
    """Trained pairs against the certified probability, untrained ones against `share`/M.

    Other `visits` than the certified number, or a `share` below 1, are false twins.
    """
    if check_rate(setting).verdict != "holds":
        return Outcome("undecided", "certified", detail="no visits are certified for this step size")
    size, least = setting.task.vocabulary_size, float(promised(setting))
    planned = planned_visits(setting)
    visits = planned if visits is None else visits
    # proved: the promised probability after the planned visits, and so after more; 1/M at every step
    reached = visits >= planned and share >= 1

    def run() -> Seen:
        seen = setting.measure.one_layer(setting, visits)
        # a probability moves by no more than the logits do
        kept = seen.trained >= least - seen.rounding and seen.unseen <= share / size + seen.rounding
        detail = (
            f"after {count_of(visits, 'visit')} of every pair trained p >= {seen.trained:.6g} (promised: "
            f"{least:.6g}); pairs never "
            f"trained p <= {seen.unseen:.6g} (allowed: {share / size:.6g}, 1/M = {1 / size:.6g}); rounding allows "
            f"{seen.rounding:.1g}"
        )
        return kept, seen.trained, detail

    return proved_outcome("certified", reached, least, run)


def one_layer_certificate(setting: Setting) -> Certificate:
    """The certified numbers of visits, and the largest step that keeps unseen logits the smallest of their row."""
    if check_rate(setting).verdict != "holds":
        return Certificate()
    bounds = certified_visits(setting)
    pairs = len(setting.task.train_context)
    step = largest_step(setting.task.vocabulary_size)
    return Certificate(
        constants={
            "a (--epsilon)": setting.epsilon,
            "visits that are enough": bounds.certified_enough,
            "visits that are too few": bounds.certified_too_few,
            "steps in epochs": bounds.certified_enough * pairs,
            "bound of an untrained pair, 1/M": 1 / setting.task.vocabulary_size,
            "largest step for unseen logits to be smallest": float(step.lower),
            "that step breaks the order from": float(step.upper),
            "log M / eta, the paper's order of visits": math.log(setting.task.vocabulary_size) / setting.rate(),
        }
    )


LINKS = (
    Link.of_derivation(derive_y_gradient(), "the gradient of Y: one row of the logits moves, by the residual"),
    Link.of_derivation(derive_z_stays_zero(), "one context token: its attention is 1, and Z does not move"),
    Link.of_derivation(derive_recursion(), "one SGD step keeps the two levels of a single-target row"),
    Link.of_derivation(derive_sandwich(), "descent is never behind the flow, and at most eta/M ahead"),
    Link.of_derivation(derive_visits(), "the flow's clock at p = 1 - a gives the visits"),
    Link.of_derivation(derive_unseen_target(), "row sums stay zero, an unseen logit only falls, and Jensen"),
)


def one_layer_theorem(id: str, title: str, reference: str, task: TaskKind, untrained: str) -> Theorem:
    """Theorem 3 or 4: only the kind of untrained pair differs."""
    return Theorem(
        id=id,
        title=title,
        reference=reference,
        statement=r"p(b|a) \ge 1 - a \text{ after } k(M, \eta, a) \text{ visits of every trained pair}, \quad "
        + untrained
        + r" \le \frac{1}{M} \text{ at every step}",
        task=task,
        assumptions=(
            single_target,
            equal_shares,
            held_out,
            Assumption("share", r"0 < a < 1 - 1/M", check_share),
            Assumption("step", r"10^{-6} \le \eta \le 10^6", check_rate),
        ),
        conclusion=Conclusion(
            r"\min_{\text{trained}} p \ge 1 - a, \quad \max_{\text{untrained}} p \le 1/M", one_layer_outcome
        ),
        links=LINKS,
        certificate=one_layer_certificate,
        remains=what_remains,
    )


ONE_LAYER = (
    one_layer_theorem(
        "theorem-3",
        "Reversal curse of the one-layer transformer",
        "arXiv 2405.04669, Theorem 3; constants: this project",
        "reversal",
        r"p(x|y)",
    ),
    one_layer_theorem(
        "theorem-4",
        "Importance of chain of thought: A -> B and B -> C do not give A ~> C",
        "arXiv 2405.04669, Theorem 4; constants: this project",
        "chain-of-thought",
        r"p(C|A)",
    ),
)

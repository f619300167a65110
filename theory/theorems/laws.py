"""This project's own theorems: interpolation law, unseen targets and their order, and the SGD sandwich."""

from theory.claim import Verdict
from theory.counting import count_of
from theory.interpolation import derive_interpolation
from theory.ordering import derive_ordering, derive_sharpness
from theory.setting import Setting
from theory.sgd_row import derive_sandwich
from theory.step_bounds import largest_step
from theory.theorem import Assumption, Certificate, Conclusion, Finding, Link, LinkProof, Outcome, Theorem
from theory.theorems.assumptions import single_target
from theory.theorems.one_layer import planned_visits
from theory.theorems.outcome import Seen, proved_outcome
from theory.theorems.remains import what_remains
from theory.unseen_target import derive_unseen_target

PROJECT = "this project"
SPAN_OPTIMIZERS = ("gd", "sgd", "momentum")  # of the kind that the law is about: steps in the span of gradients


# -- interpolation law --
def interpolation_outcome(setting: Setting, *, optimizers: tuple[str, ...] = SPAN_OPTIMIZERS) -> Outcome:
    """The largest residual of the law over optimisers that stay in the span, in units of its tolerance."""

    def run() -> Seen:
        found = {name: setting.measure.interpolation_residual(setting, name) for name in optimizers}
        worst = max(residual / tolerance for residual, tolerance in found.values())
        parts = (f"{name} {residual:.1e} (rounding allows {t:.1e})" for name, (residual, t) in found.items())
        return worst <= 1, worst, f"largest residual in real training: {', '.join(parts)}"

    return proved_outcome("symbolic", set(optimizers) <= set(SPAN_OPTIMIZERS), 1.0, run)


INTERPOLATION = Theorem(
    id="interpolation-law",
    title="Interpolation law: an untrained context moves only as a combination of trained ones",
    reference=PROJECT,
    statement=r"S_q(t) - S_q(0) = w_q^T (S_A(t) - S_A(0)), \quad w_q = G_{AA}^+ G_{Aq}",
    task="reversal",
    assumptions=(),
    conclusion=Conclusion(r"|S_q - S_q(0) - w_q^T (S_A - S_A(0))| \le \text{rounding}", interpolation_outcome),
    links=(Link.of_derivation(derive_interpolation(), "the flow's coordinates, and the normal equations"),),
)


# -- unseen targets --
def unseen_outcome(setting: Setting, *, share: float = 1.0) -> Outcome:
    """The largest probability of an unseen target over the run, against `share`/M (a false twin below 1)."""
    size = setting.task.vocabulary_size
    bound = share / size

    def run() -> Seen:
        seen = setting.measure.one_layer(setting, planned_visits(setting))
        detail = (
            f"{count_of(seen.visits, 'visit')} of every pair at step {setting.rate():g}, M = {size}; rounding allows "
            f"{seen.rounding:.1g}"
        )
        # a probability moves by no more than the logits do
        return seen.unseen <= bound + seen.rounding, seen.unseen, detail

    return proved_outcome("symbolic", share >= 1, bound, run)  # 1/M is proved


UNSEEN_BOUND = Theorem(
    id="unseen-target-bound",
    title="A token that was never a target of a row has p <= 1/M at every step, for every step size",
    reference=PROJECT,
    statement=r"\hat{b}_{aj} = 0 \;\Rightarrow\; p_{aj}(k) \le \frac{1}{M} \text{ for every } k, \eta",
    task="reversal",
    assumptions=(),
    conclusion=Conclusion(r"\max_{\text{unseen}} p \le 1/M", unseen_outcome),
    links=(Link.of_derivation(derive_unseen_target(), "zero row sums, falling logits, Jensen"),),
)


def check_step(setting: Setting) -> Finding:
    """The largest step of any row, eta K max w_k, against eta*(M)."""
    task = setting.task
    step, bounds = setting.rate() * task.heaviest_visit, largest_step(task.vocabulary_size)
    most = float(bounds.lower)
    verdict: Verdict = "holds" if step <= most else ("fails" if step >= float(bounds.upper) else "undecided")
    detail = "" if verdict == "holds" else "minibatches exist that break the order at this step"
    return Finding(verdict, f"step <= {most:.7g}", f"step = {step:.6g}", most - step, "certified", detail=detail)


def order_outcome(setting: Setting) -> Outcome:
    """How far an unseen logit lies above a seen one of its row, at most over the run, against zero."""

    def run() -> Seen:
        seen = setting.measure.one_layer(setting, planned_visits(setting))
        detail = (
            "largest difference between an unseen and a seen logit of one row, over the epochs looked at; rounding "
            f"allows {seen.rounding:.1g}"
        )
        return seen.lowest >= -seen.rounding, -seen.lowest, detail

    return proved_outcome("certified", check_step(setting).verdict == "holds", 0.0, run)


def order_certificate(setting: Setting) -> Certificate:
    """eta*(M) from both sides."""
    bounds = largest_step(setting.task.vocabulary_size)
    return Certificate(
        constants={
            "largest step that is proved": float(bounds.lower),
            "smallest step that is refuted": float(bounds.upper),
            "gap at which it breaks": float(bounds.witness),
        }
    )


def _prove_step() -> LinkProof:
    """The inequality at the largest step for M = 100; other sizes are proved when they are asked for."""
    proof = largest_step(100).proof
    return LinkProof.of_outcome(proof, proof.domain)


UNSEEN_ORDER = Theorem(
    id="unseen-target-order",
    title="Up to the step eta*(M), unseen targets keep the smallest logits of their row",
    reference=PROJECT,
    statement=r"\eta \le \eta^*(M) = \min_{z > 0} \frac{z (e^z + M - 1)}{e^z - 1} \;\Rightarrow\; S_{aj} \le S_{ak} "
    r"\text{ for unseen } j, \text{ every } k \text{ and step}",
    task="reversal",
    assumptions=(Assumption("step", r"\eta \le \eta^*(M)", check_step),),
    conclusion=Conclusion(r"\min_{k \text{ seen}, j \text{ unseen}} (S_{ak} - S_{aj}) \ge 0", order_outcome),
    links=(
        Link.of_derivation(derive_ordering(), "one step keeps the order if (e^z - 1)/(e^z + M - 1) <= z/eta"),
        Link.of_derivation(derive_sharpness(), "the step at which that inequality becomes tight, as a function of M"),
        Link(
            "largest-step",
            r"\frac{e^z - 1}{e^z + M - 1} \le \frac{z}{\eta} \text{ for } z \ge 0 \text{ at } \eta = \eta^*(M)",
            "proved for each M that is asked for, and refuted just above; shown here for M = 100",
            _prove_step,
        ),
    ),
    certificate=order_certificate,
)


# -- sandwich --
def sandwich_outcome(setting: Setting, *, share: float = 1.0) -> Outcome:
    """(h_k - h(eta k)) M / eta within [0, `share`] for every row (a false twin below 1)."""

    def run() -> Seen:
        seen = setting.measure.one_layer(setting, planned_visits(setting))
        (low, high), slack = seen.gap, seen.gap_rounding
        detail = (
            f"(h_k - h(eta k)) M/eta from {low:.6g} to {high:.6g} after {count_of(seen.visits, 'visit')}; allowed 0 "
            f"to {share:g}, and {slack:.1g} for rounding"
        )
        return low >= -slack and high <= share + slack, high, detail

    return proved_outcome("symbolic", share >= 1, share, run)  # 0 and 1 are proved


SANDWICH = Theorem(
    id="sgd-sandwich",
    title="SGD on a single-target row stays within eta/M above its flow",
    reference=PROJECT,
    statement=r"0 \le h_k - h(\eta k) \le \frac{\eta}{M} \text{ for every } k \ge 0, \eta > 0",
    task="reversal",
    assumptions=(single_target,),
    conclusion=Conclusion(r"0 \le (h_k - h(\eta k)) M / \eta \le 1", sandwich_outcome),
    links=(Link.of_derivation(derive_sandwich(), "one-step induction with the flow's clock"),),
    remains=what_remains,
)

OWN = (INTERPOLATION, UNSEEN_BOUND, UNSEEN_ORDER, SANDWICH)

"""Checkers: pure functions from numbers to a claim. Each says where its bound comes from, and each can say `fails`.

Shapes: logits are (contexts, m) with the N trained contexts first; several seeds stack in front.
"""

import re
from collections.abc import Sequence

import numpy as np

from numerics.kernels import Kernels
from numerics.trajectory import Trajectory
from theory.claim import Claim, ClaimText, Evidence, Relation, Verdict
from theory.counting import count_of, numeral
from theory.task import Task
from theory.twin import TwinVerdict

PROJECT = "this project"
EPSILON = float(np.finfo(float).eps)

# A feature nearer than this to the trained span (of length one) shows nothing of what leaves the span.
VISIBLY_OUTSIDE = 1e-3


# What several claims rest on.
IN_SPAN = "every step stays in the span of gradients: gradient descent, SGD, momentum; not Adam, AdamW or sign descent"
ONE_TOKEN = "every trained context is one token"
SINGLE_TARGET = "the trained context has a single target"
FROM_ZERO = "training starts from zero"


def judge(
    text: ClaimText,
    measured: float,
    bound: float,
    detail: str,
    *,
    evidence: Evidence = "numerical",
    above: bool = False,
) -> Claim:
    """The claim measured <= bound (measured > bound with `above`): `undecided` where a number is not finite.

    `evidence` is how the bound is known. A claim that the measured number violates is refuted by that number alone,
    so the word of a proof stands with claims that hold.
    """
    relation: Relation = ">" if above else "<="
    verdict: Verdict = "holds" if (measured > bound if above else measured <= bound) else "fails"
    if not np.isfinite([measured, bound]).all():
        verdict = "undecided"
    if verdict != "holds" and evidence in ("symbolic", "certified"):
        evidence = "numerical"
    return text.judged(verdict, evidence, float(measured), float(bound), detail, relation)


def rounding_tolerance(
    steps: int, dimension: float | None, kernels: Sequence[Kernels], size: float, solved: bool = False
) -> float:
    """How far two computations of the same logits, equal in exact arithmetic, may lie apart in double precision.

    Each of `steps` updates rounds once and each logit is a sum of some 2 d terms (of one term in token space), every
    rounding at most epsilon times `size`, the largest logit, times the largest entries of both kernels, |v|^2 each.
    Where G_AA is `solved` with, its condition number amplifies. Worst case: they all add up.
    """
    terms = 1.0 if dimension is None else 2.0 * dimension
    condition = max(k.amplification for k in kernels) if solved else 1.0
    longest = max(1.0 + float(np.max(np.diag(k.gram.excess), initial=0.0)) for k in kernels) if kernels else 1.0
    return 4 * EPSILON * (steps + terms) * condition * longest**2 * max(size, 1.0)


# -- flow and closed form --
def closed_form_text(model: str) -> ClaimText:
    """The flow of the model against its decoupled rows, which are closed forms but where a row has several targets."""
    return ClaimText(
        f"flow-matches-closed-form-{model}",
        f"Integrated flow and decoupled rows, in closed form where they have one, agree ({model})",
        r"|L_{\text{flow}}(t) - L_{\text{rows}}(t)| \le \max\left(|\nabla_S L_{\text{flow}}|_F, "
        r"|\nabla_S L_{\text{rows}}|_F\right) |\delta S|_F",
        f"{PROJECT}; convexity of the cross-entropy",
        (ONE_TOKEN, "the embeddings overlap so little that the bound stays below the fall of the loss"),
    )


def check_closed_form(flow: Trajectory, closed_form: Trajectory, bound: np.ndarray, detail: str) -> Claim:
    """|loss of the flow - loss of the closed form| at every time, against a bound (T,) on that difference."""
    text = closed_form_text(flow.model)
    fallen = float(flow.loss[0] - flow.loss[-1])
    if bound[-1] > fallen:
        return text.not_applicable(
            f"the embeddings overlap too much for a closed form at G = I: its error bound of {bound[-1]:.3g} is "
            f"more than the loss falls ({fallen:.3g}); ask a larger dimension"
        )
    gap = np.abs(flow.loss - closed_form.loss)
    worst = int(np.argmax(gap / bound))
    return judge(
        text,
        gap[worst],
        bound[worst],
        f"{detail}; worst at t = {flow.time[worst]:.3g}; largest relative gap {np.max(gap / closed_form.loss):.1e}",
    )


def loss_floor_text(model: str) -> ClaimText:
    """The conditional entropy below the loss of the model; it bounds any logits whatever, so nothing is assumed."""
    return ClaimText(
        f"loss-floor-{model}",
        f"The loss stays above the conditional entropy ({model})",
        r"L(t) \ge \sum_a f_a H(\hat{b}_a)",
        PROJECT,
    )


def check_loss_floor(task: Task, losses: Sequence[Trajectory], rounding: float) -> Claim:
    """No trajectory falls below the conditional entropy sum_a f_a H(bhat_a)."""
    lowest = min(float(t.loss.min()) for t in losses)
    return judge(
        loss_floor_text(losses[0].model),
        task.loss_floor - lowest,
        rounding,
        f"floor {task.loss_floor:.6g} from {count_of(len(task.conflicts), 'context')} with several targets; lowest "
        f"loss {lowest:.6g}; bound: rounding of the loss",
    )


# -- training against the recursion and the flow --
def descent_text(name: str) -> ClaimText:
    """Training against its recursion; `name` is that of the model, or of the optimiser that is tried on it."""
    return ClaimText(
        f"training-is-descent-{name}".replace(" ", "-"),
        f"Real training equals the recursion in logit space ({name})",
        r"S^{\text{torch}}_k = S^{\text{logit space}}_k \quad \text{for every recorded step } k",
        f"{PROJECT}; models of arXiv 2405.04669",
        (IN_SPAN, "steps are so small that descent moves no two solutions apart, and rounding does not grow"),
    )


def check_descent(training: np.ndarray, descent: np.ndarray, tolerance: float, text: ClaimText, detail: str) -> Claim:
    """Logits of real training and of a recursion, any equal shapes."""
    distance = float(np.max(np.abs(training - descent)))
    return judge(text, distance, tolerance, f"{detail}; bound: rounding in double precision")


def flow_distance_text(model: str) -> ClaimText:
    """Training of the model against its flow."""
    return ClaimText(
        f"training-follows-flow-{model}",
        f"Training follows the flow to order one in the step size ({model})",
        r"|S_{\eta}(t) - S_{\text{flow}}(t)| \le |S_{\eta} - S_{\eta/2}| / (1 - 2^{-0.9})",
        f"{PROJECT}; the flow of momentum beta is tau Theta'' + Theta' = -grad L from rest, beta = exp(-h / tau), "
        "h the time of a step",
        (
            IN_SPAN,
            "every pair is visited once an epoch, not sampled with replacement",
            "the distance falls with the step size at an order of at least 0.9 from this step on",
        ),
    )


def check_flow_distance(distance: float, halved: float, rounding: float, model: str, detail: str) -> Claim:
    """Distance of descent from the flow, bounded from its own step halving by order one in the step size.

    An error c eta^r with 0.9 <= r is at most |S(eta) - S(eta/2)| / (1 - 2^-0.9): `halved` is that difference.
    """
    return judge(flow_distance_text(model), distance, halved / (1 - 2**-0.9) + rounding, detail)


def fitted_order(steps: Sequence[float], distances: Sequence[float]) -> float:
    """Slope of log distance against log step, by least squares."""
    return float(np.polyfit(np.log(steps), np.log(distances), 1)[0])


def order_text(name: str) -> ClaimText:
    """The order of the distance to the flow under the schedule `name`."""
    order = {
        "replacement": r"r = \tfrac{1}{2}",
        "reshuffled": r"r = 1, \text{ and } 1 \le r \le \tfrac{3}{2} \text{ where targets of a row compete}",
    }.get(name, "r = 1")
    return ClaimText(
        f"step-size-order-{name}",
        f"Distance to the flow falls as a power of the step size ({name})",
        rf"\max_t |S_\eta(t) - S_{{\text{{flow}}}}(t)| \propto \eta^r, \quad {order}",
        PROJECT,
        ("steps are so small that the next order in the step size stays within the window of the fit",),
    )


def check_order(
    text: ClaimText,
    steps: Sequence[float],
    distances: Sequence[float],
    expected: float,
    window: float,
    evidence: Evidence = "numerical",
) -> Claim:
    """The fitted order of a distance in `steps`, within `window` of the expected one."""
    slope = fitted_order(steps, distances)
    return judge(
        text,
        abs(slope - expected),
        window,
        f"fitted order {numeral(slope, '.3f')}, expected {expected:g}, over steps "
        f"{', '.join(f'{s:g}' for s in steps)}: distances {', '.join(f'{d:.2e}' for d in distances)}",
        evidence=evidence,
    )


# -- the interpolation law and what it bounds --
def interpolation_residual(
    kernels: Kernels, initial_logits: np.ndarray, logits: np.ndarray, remaining: np.ndarray | float = 1.0
) -> float:
    """max |S_q(k) - w_q^T S_A(k) - rho_k (S_q(0) - w_q^T S_A(0))| over recorded steps, queries and tokens.

    `logits` (R, contexts, m) for R recorded steps, `remaining` rho (R,): the share of S(0) that weight decay left.
    """
    trained = kernels.task.trained_contexts
    weights = kernels.interpolation_weights  # (N, untrained contexts)

    def untrained_part(s: np.ndarray) -> np.ndarray:
        # (untrained, N) x (..., N, m) -> (..., untrained, m)
        return s[..., trained:, :] - weights.T @ s[..., :trained, :]

    share = np.broadcast_to(np.asarray(remaining, dtype=float), logits.shape[:1])
    gap = untrained_part(logits) - share[:, None, None] * untrained_part(initial_logits)
    return float(np.max(np.abs(gap), initial=0.0))


def interpolation_text(name: str, model: str) -> ClaimText:
    """The interpolation law in one run or under one optimiser (`name`)."""
    return ClaimText(
        _law_id(name, model),
        f"Interpolation law in real training ({name}, {model})",
        r"S_q(k) - w_q^{\top} S_A(k) = \rho_k \left(S_q(0) - w_q^{\top} S_A(0)\right)",
        PROJECT,
        (IN_SPAN, "the loss is a function of the logits of trained contexts"),
    )


def check_interpolation(text: ClaimText, residual: float, tolerance: float) -> Claim:
    """The residual of the law against rounding."""
    detail = "bound: rounding in double precision times the condition number of G_AA"
    return judge(text, residual, tolerance, detail)


def broken_text(name: str, model: str) -> ClaimText:
    """The interpolation law broken by what `name` says."""
    return ClaimText(
        _law_id(f"broken-{name}", model),
        f"{name} breaks the interpolation law ({model})",
        r"S_q(k) - S_q(0) \ne w_q^{\top} (S_A(k) - S_A(0))",
        PROJECT,
        ("some untrained feature lies outside of the span of the trained ones",),
    )


def check_interpolation_broken(name: str, residual: float, tolerance: float, model: str) -> Claim:
    """An optimiser outside the span of gradients breaks the law visibly: residual at least 1e6 times rounding."""
    return judge(
        broken_text(name, model),
        residual,
        1e6 * tolerance,
        "measured: the residual of the law; bound, to be exceeded: a million times its rounding tolerance",
        above=True,
    )


def judge_broken(name: str, residual: float, tolerance: float, model: str, kernels: Sequence[Kernels]) -> Claim:
    """`check_interpolation_broken`, where it can be: some untrained feature lies outside the trained span."""
    outside = min(float(k.distance_from_span.max()) for k in kernels)
    if outside > VISIBLY_OUTSIDE:
        return check_interpolation_broken(name, residual, tolerance, model)
    return broken_text(name, model).not_applicable(
        f"every untrained feature lies in the span of the trained ones (within {outside:.1e}): there the law is an "
        "identity, which no optimiser can break"
    )


def _law_id(name: str, model: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"interpolation-law-{name}-{model}".lower())


def row_centred(logits: np.ndarray) -> np.ndarray:
    """Logits less the mean of their row: what probabilities depend on."""
    return logits - logits.mean(axis=-1, keepdims=True)


def reverse_moves(kernels: Kernels, change: np.ndarray, rounding: float) -> tuple[np.ndarray, np.ndarray]:
    """For every held-out answer of an untrained context: how far its logit moved, and how far the law lets it.

    `change` (contexts, m) is S(t) - S(0). The bound is sum_a |w_qa| |dS_a,answer| over the trained rows, all logits
    less their row mean. Both have one entry per answer.
    """
    task, centred = kernels.task, row_centred(change)
    trained = task.trained_contexts
    asked = [(q.context, x) for q in task.queries if q.context >= trained for x in q.answers]
    context, answer = np.array(asked, dtype=int).reshape(-1, 2).T
    weights = np.abs(kernels.interpolation_weights[:, context - trained])  # (N, answers)
    bound = (weights * np.abs(centred[:trained, answer])).sum(axis=0)
    return np.abs(centred[context, answer]), bound + rounding


def asymmetry_text(model: str) -> ClaimText:
    """What holds the reverse logits of the model."""
    return ClaimText(
        f"asymmetry-{model}",
        f"Reverse logits stay where the interpolation law holds them ({model})",
        r"|\Delta S_{qx}| \le \sum_a |w_{qa}|\,|\Delta S_{ax}| \quad \text{for every held-out answer } x",
        "arXiv 2405.04669, Theorems 1 and 3 (asymmetry); bound: this project",
        (IN_SPAN, "the context of the query is not trained"),
    )


def check_asymmetry(moves: np.ndarray, bounds: np.ndarray, forward: float, model: str) -> Claim:
    """Every held-out reverse logit moves no further than the interpolation law lets it; worst ratio reported."""
    worst = int(np.argmax(moves / bounds))
    return judge(
        asymmetry_text(model),
        moves[worst],
        bounds[worst],
        f"{count_of(len(moves), 'query', 'queries')} over all seeds; mean reverse move {moves.mean():.3g}, mean "
        f"forward gain {forward:.3g} (logits less row mean)",
    )


def forward_text(model: str) -> ClaimText:
    """What the model learns."""
    return ClaimText(
        f"forward-grows-{model}",
        f"Every trained direction is learnt ({model})",
        r"\Delta S_{ab} - \overline{\Delta S_a} > 0 \quad \text{for every trained pair } (a, b)",
        "arXiv 2405.04669, Theorems 1 and 3",
        (
            SINGLE_TARGET,
            "its pair has been visited, for a flow time of at least one over its share",
            "the embeddings hardly overlap: d >= 4 N",
        ),
    )


def check_forward(gains: np.ndarray, model: str, left_out: int = 0, never_visited: int = 0) -> Claim:
    """Every trained target's logit, less its row mean, has grown.

    `left_out` pairs had no right to be expected to, `never_visited` of them as no step drew them.
    """
    return judge(
        forward_text(model),
        float(gains.min()),
        0.0,
        f"{count_of(gains.size, 'trained pair')} over all seeds; smallest gain {gains.min():.3g}, mean "
        f"{gains.mean():.3g}"
        + (f"; {left_out} left out (several targets, or too little time)" if left_out else "")
        + (f", {never_visited} of them never visited" if never_visited else ""),
        above=True,
    )


def intransitivity_moves(kernels: Kernels, change: np.ndarray, rounding: float) -> tuple[np.ndarray, np.ndarray]:
    """For every held-out answer of a trained context: how much its logit gained, and what bounds the gain.

    dS_qx = sum_{a,j} K_qa C_aj G_jx with G invertible. The own entry C_qx = -integral of f p_qx dt is not positive, as
    x is never a target of q; what is left is coherence, at most the sum of the other |K_qa C_aj G_jx|. C is recovered
    from the trained rows' change (contexts, m). Both results have one entry per answer.
    """
    task, trained = kernels.task, kernels.task.trained_contexts
    out = np.eye(task.vocabulary_size) + kernels.gram.excess
    within = kernels.trained_kernel
    coupled = np.linalg.solve(within, change[:trained])  # C G, (N, m)
    coordinates = np.linalg.solve(out, coupled.T).T  # C, (N, m)
    asked = [(q.context, x) for q in task.queries if q.context < trained for x in q.answers]
    context, answer = np.array(asked, dtype=int).reshape(-1, 2).T
    spread = np.abs(coordinates) @ np.abs(out[:, answer])  # sum_j |C_aj G_jx|, (N, answers)
    every = (np.abs(within[context]) * spread.T).sum(axis=1)
    own = within[context, context] * np.abs(coordinates[context, answer]) * out[answer, answer]
    return change[context, answer], every - own + rounding


def intransitivity_text(model: str) -> ClaimText:
    """What the end of a chain may gain in the model."""
    return ClaimText(
        f"intransitivity-{model}",
        f"Queries of trained contexts gain no more than the coherence terms ({model})",
        r"\Delta S_{qx} \le \sum_{(a,j) \ne (q,x)} |K_{qa} C_{aj} G_{jx}|",
        "arXiv 2405.04669, Theorem 4 (intransitivity); bound: this project",
        (
            IN_SPAN,
            "the context of the query is trained, and the answer is none of its targets",
            "the kernels can be inverted: what each statement contributed can be told from the logits",
        ),
    )


def check_intransitivity(moves: np.ndarray, bounds: np.ndarray, model: str) -> Claim:
    """A chain's end gains no more than coherence gives it, although its start is trained (towards the middle)."""
    worst = int(np.argmax(moves - bounds))
    return judge(
        intransitivity_text(model),
        moves[worst],
        bounds[worst],
        f"{count_of(len(moves), 'query', 'queries')} over all seeds; mean change {moves.mean():.3g}, mean bound "
        f"{bounds.mean():.3g}",
    )


# -- the one-layer transformer --
def unseen_text(run: str) -> ClaimText:
    """What tokens get that are never a target of their row; `run` names the run that it was measured in."""
    return ClaimText(
        f"unseen-targets-{run}".replace(" ", "-"),
        f"Unseen targets stay at or below 1/M at every step of real training ({run})",
        r"p_{aj}(k) \le \frac{1}{M}",
        "arXiv 2405.04669, Theorems 3 and 4; bound: this project",
        (FROM_ZERO, ONE_TOKEN, IN_SPAN),
    )


def check_unseen(largest: float, vocabulary_size: int, run: str, detail: str) -> Claim:
    """The largest probability that any row ever gave to a token which is never its target, against 1/M."""
    return judge(
        unseen_text(run),
        largest,
        1.0 / vocabulary_size * (1 + 8 * EPSILON * vocabulary_size),
        f"{detail}; bound: 1/M and the rounding of a softmax over M terms",
    )


UNTRAINED_ROWS = ClaimText(
    "untrained-rows-unchanged",
    "Rows of Y of untrained tokens are bitwise unchanged by training",
    r"\Delta Y_{q\cdot} = 0 \quad \text{for every token } q \text{ of no trained context}",
    "arXiv 2405.04669, Section 4",
    (ONE_TOKEN,),
)
ATTENTION_UNCHANGED = ClaimText(
    "z-unchanged",
    "All entries of Z are bitwise unchanged by training",
    r"\Delta Z = 0 \quad \text{for sequences of length three}",
    "arXiv 2405.04669, Section 4",
    (ONE_TOKEN,),
)


def check_unchanged(text: ClaimText, before: np.ndarray, after: np.ndarray) -> Claim:
    """Two arrays bit for bit: the number of entries that differ."""
    differing = int(np.count_nonzero(before.view(np.uint64) != after.view(np.uint64)))
    return judge(text, differing, 0.0, f"entries that differ out of {before.size}")


SANDWICH = ClaimText(
    "sgd-sandwich-in-training",
    "Real SGD rows stay within eta/M above the flow",
    r"0 \le h_k - h(\eta k) \le \frac{\eta}{M}",
    PROJECT,
    (FROM_ZERO, ONE_TOKEN, SINGLE_TARGET, "SGD without momentum or weight decay, one pair a step"),
)


def check_sandwich(
    rows: np.ndarray, flow: np.ndarray, step: float | np.ndarray, vocabulary_size: int, rounding: float
) -> Claim:
    """0 <= h_k - h(eta k) <= eta/M for the trained rows; `rows` and `flow` hold h_k and h(eta k), any equal shapes.

    `step` is eta, one for all or one a row.
    """
    gap, bound = rows - flow, np.asarray(step) / vocabulary_size
    return judge(
        SANDWICH,
        float(max(np.max(gap - bound), np.max(-gap))),
        rounding,
        f"h_k - h(eta k) from {gap.min():.3g} to {gap.max():.3g}, eta/M from {bound.min():.3g} to "
        f"{bound.max():.3g}; measured: the largest excess outside, each row against its own step; bound: rounding",
    )


# -- the checkers themselves --
FALSE_TWINS = ClaimText(
    "false-twins",
    "Every false twin is refused",
    r"\text{its witness violates it, and the prover of the claim, asked alone, does not prove it}",
    PROJECT,
)


def check_twins(twins: Sequence[TwinVerdict]) -> Claim:
    """How many false twins are not refused: not violated by their witness, or proved by the prover asked alone."""
    accepted = [twin for twin in twins if not twin.refused]
    return judge(
        FALSE_TWINS,
        len(accepted),
        0.0,
        f"{len(twins) - len(accepted)} of {len(twins)} refused" + "".join(f"; not: {twin}" for twin in accepted),
    )

"""Checkers of what theory says of a choice: pure functions from numbers to a claim, each able to say `fails`."""

import numpy as np

from numerics.parameter_space import Parameters
from theory.claim import Claim, ClaimText
from theory.counting import count_of, numeral
from validation.compare import FROM_ZERO, IN_SPAN, PROJECT, check_descent, check_interpolation, judge


def recursion_text(slug: str, what: str) -> ClaimText:
    """Training of a choice against the recursion of its parameter space."""
    return ClaimText(
        f"training-is-recursion-{slug}",
        f"Real training equals the recursion of its space ({what})",
        r"S^{\text{torch}}_k = S^{\text{recursion}}_k \quad \text{at the last step } k",
        PROJECT,
        (
            "the optimiser steps along gradients of the parameters: gradient descent, SGD, momentum",
            "two starts that lie a relative 1e-8 apart do not end so far apart that rounding decides",
        ),
    )


def check_recursion(training: np.ndarray, recursion: np.ndarray, tolerance: float, slug: str, what: str) -> Claim:
    """Logits of real training and of the recursion of its parameter space, for every seed (S, contexts, m)."""
    return check_descent(training, recursion, tolerance, recursion_text(slug, what), "every seed at the last step")


def law_text(slug: str, what: str) -> ClaimText:
    """The interpolation law of a choice."""
    return ClaimText(
        f"interpolation-law-{slug}",
        f"Interpolation law in real training ({what})",
        r"S_q(k) - w_q^{\top} S_A(k) = \rho_k \left(S_q(0) - w_q^{\top} S_A(0)\right)",
        PROJECT,
        (IN_SPAN, "some untrained feature lies outside of the span of the trained ones"),
    )


def check_law(residual: float, tolerance: float, slug: str, what: str) -> Claim:
    """The interpolation law at the end of a run, under whatever loss and weight decay."""
    return check_interpolation(law_text(slug, what), residual, tolerance)


def prediction_text(slug: str, what: str) -> ClaimText:
    """The index of a choice in the interval that is known without its run."""
    return ClaimText(
        f"index-as-predicted-{slug}",
        f"The index lies in its predicted interval ({what})",
        r"\text{index} \in [I^-, I^+]",
        f"{PROJECT}: asked-embedding-mean, asked-embedding-target-variance",
        (
            "embeddings are drawn from N(0, I/d), and the asked ones are part of no trained context",
            "initial logits of asked rows are near zero",
            "how trained rows respond to an asked embedding is computed row by row; what rows do through each other, "
            "smaller by m/d, and the covariance of answer and premise count as width",
            "the mean over questions and seeds is Gaussian: ten or more of them",
            "the interval is narrow enough to tell cursed from lifted",
        ),
    )


def check_prediction(measured: float, low: float, high: float, slug: str, what: str, questions: int) -> Claim:
    """The mean index over questions and seeds lies in the interval that the law of the asked embedding gives."""
    middle, half = (low + high) / 2.0, (high - low) / 2.0
    return judge(
        prediction_text(slug, what),
        abs(measured - middle),
        half,
        f"index {numeral(measured, '.4f')} over {count_of(questions, 'question')} and seeds, interval [{low:.3g}, "
        f"{high:.3g}]; measured: its "
        f"distance from the middle {numeral(middle, '.4f')}; bound: half the width, at the run's share of a "
        "false-alarm rate of 1e-6 for a Gaussian mean, with what the law neglects",
        evidence="sampled",
    )


def symmetric_text(slug: str) -> ClaimText:
    """What a symmetric Theta does to a reverse logit."""
    return ClaimText(
        f"reverse-logit-equals-forward-{slug}",
        "Symmetric Θ: the reverse logit is the forward one",
        r"S_{ba}(k) - S_{ba}(0) = S_{ab}(k) - S_{ab}(0) \quad \text{at the last step } k",
        f"{PROJECT}: symmetric-reverse-logit",
        ("Theta is symmetric", "contexts are single tokens, and the question is the fact read backwards"),
    )


def check_symmetric(logit_indices: np.ndarray, tolerance: float, slug: str) -> Claim:
    """The logit index of every seed is one up to rounding."""
    return judge(
        symmetric_text(slug),
        float(np.abs(logit_indices - 1.0).max()),
        tolerance,
        "measured: the largest distance of a seed's logit index from one; bound: rounding of its logits",
    )


# What each product of matrices conserves under its flow, and the law that says by what a step changes it.
BALANCES: dict[Parameters, tuple[str, str]] = {
    "factorised": (r"Q = W_O^{\top} W_O - W_V^{\top} W_V", "factorised-balance-step"),
    "trained-embeddings": (
        r"Q = \left(U^{\top} U - \Theta \Theta^{\top}, \; \Theta^{\top} \Theta - V^{\top} V\right)",
        "trained-embeddings-balance",
    ),
    "tied-embeddings": (
        r"Q = V^{\top} V - \Theta \Theta^{\top} - \Theta^{\top} \Theta",
        "tied-embeddings-balance",
    ),
}


def balance_text(parameters: Parameters, slug: str, what: str) -> ClaimText:
    """What steps change of the balance that the flow of a product of matrices conserves."""
    conserved, law = BALANCES[parameters]
    return ClaimText(
        f"balance-{slug}",
        f"The conserved balance drifts by the square of the steps alone ({what})",
        rf"Q_k - Q_0 = \eta^2 \sum_{{i < k}} Q(v_i), \quad {conserved}",
        f"{PROJECT}: {law}",
        (
            "gradient descent without momentum or weight decay",
            "two starts that lie a relative 1e-8 apart do not end so far apart that rounding decides",
        ),
    )


def check_balance(
    drift: np.ndarray, predicted: np.ndarray, tolerance: float, parameters: Parameters, slug: str, what: str
) -> Claim:
    """Real training changes what the flow conserves by eta^2 sum_k Q(v_k), and by nothing else; any equal shapes."""
    return judge(
        balance_text(parameters, slug, what),
        float(np.abs(drift - predicted).max()),
        tolerance,
        f"largest drift {np.abs(drift).max():.3e}; measured: what is left of it; bound: rounding",
    )


def closed_form_text(slug: str) -> ClaimText:
    """The squared loss in closed form against its flow."""
    return ClaimText(
        f"closed-form-{slug}",
        "Closed form and integrated flow of the squared loss agree",
        r"X_{ij}(t) = e^{-\alpha_i \beta_j t} X_{ij}(0)",
        f"{PROJECT}: squared-loss-closed-form",
        ("squared loss of a free Theta under gradient flow",),
    )


def check_closed_form(distance: float, tolerance: float, slug: str) -> Claim:
    """The closed form of the squared loss against its integrated flow, in coordinates."""
    return judge(
        closed_form_text(slug),
        distance,
        tolerance,
        "measured: the largest distance in coordinates at the last time; bound: the errors that the solver may "
        "make by its tolerances, summed over its steps, as this flow moves no two solutions apart",
    )


def copies_text(slug: str) -> ClaimText:
    """What reversed copies lift."""
    return ClaimText(
        f"copies-lift-what-they-cover-{slug}",
        "Reversed copies lift exactly the facts that they cover",
        r"\text{index} > 1/2 \iff \text{the fact has a reversed copy}",
        f"arXiv 2403.13799; {PROJECT}",
        (
            "the trained pairs are learnt",
            "the law of the asked embedding keeps every question without a copy below one half",
        ),
    )


def check_copies(taught: np.ndarray, untaught: np.ndarray, slug: str) -> Claim:
    """Reversed copies lift exactly the facts that they cover: every taught question is lifted, no other one is.

    Indices by question and seed. Lifted is an index above one half, nearer to the forward answer than to nothing.
    """
    lowest, highest = float(taught.min(initial=np.inf)), float(untaught.max(initial=-np.inf))
    wrong = float(np.count_nonzero(taught <= 0.5) + np.count_nonzero(untaught >= 0.5))
    return judge(
        copies_text(slug),
        wrong,
        0.0,
        f"{count_of(taught.size, 'answer')} with a copy: index {numeral(lowest, '.3f')} and above; {untaught.size} "
        "without: "
        f"{numeral(highest, '.3f')} and below; measured: how many are on the wrong side of one half",
    )


def implication_text(learnt: bool, slug: str) -> ClaimText:
    """What becomes of the untaught implication: with two factors it is `learnt`, with a merged Theta it is not."""
    if learnt:
        return ClaimText(
            f"implication-learnt-{slug}",
            "Factorised Θ answers the untaught implication",
            r"S_{(s, r_2), c_i} > \max_{j \ne i} S_{(s, r_2), c_j}",
            "arXiv 2506.10887",
            (
                "one-hot tokens and no weight decay",
                "two factors from a small start, with twice the columns that the implications need",
                "the trained pairs are learnt",
            ),
        )
    return ClaimText(
        f"implication-not-learnt-{slug}",
        "Merged Θ gives every implication the same logit",
        r"S_{(s, r_2), c_i} = S_{(s, r_2), c_j}",
        "arXiv 2506.10887 (margin zero); by symmetry of the task under descent from zero",
        ("one-hot tokens", FROM_ZERO, "full batches without momentum, at steps that move no two solutions apart"),
    )


def check_implication(margin: np.ndarray, learnt: bool, tolerance: float, slug: str) -> Claim:
    """Two factors put the implied answer above all other implications; a merged Theta gives all of them one logit.

    `margin` is the logit of the right implication less the largest of the others, by question and seed.
    """
    text = implication_text(learnt, slug)
    if learnt:
        detail = f"smallest margin over {count_of(margin.size, 'question')} and seeds"
        return judge(text, float(margin.min()), 0.0, detail, above=True)
    return judge(
        text,
        float(np.abs(margin).max()),
        tolerance,
        f"largest distance over {count_of(margin.size, 'question')} and seeds; bound: sqrt(2) times the Frobenius "
        "norm of "
        "the start, from which descent on a convex loss moves no further away, and rounding",
    )

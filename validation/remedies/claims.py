"""Checkers of what theory says of a choice: pure functions from numbers to a claim, each able to say `fails`."""

from dataclasses import replace

import numpy as np

from numerics.parameter_space import Parameters
from theory.claim import Claim
from validation.compare import PROJECT, check_descent, check_interpolation, judge


def check_recursion(training: np.ndarray, recursion: np.ndarray, tolerance: float, slug: str, what: str) -> Claim:
    """Logits of real training and of the recursion of its parameter space, for every seed (S, contexts, m)."""
    claim = check_descent(training, recursion, tolerance, slug, f"{what}; every seed at the last step")
    return replace(
        claim,
        id=f"training-is-recursion-{slug}",
        title=f"Real training equals the recursion of its space ({what})",
        reference=PROJECT,
    )


def check_law(residual: float, tolerance: float, slug: str, what: str) -> Claim:
    """The interpolation law at the end of a run, under whatever loss and weight decay."""
    claim = check_interpolation(what, residual, tolerance, "bilinear")
    return replace(claim, id=f"interpolation-law-{slug}", title=f"Interpolation law in real training ({what})")


def check_prediction(measured: float, low: float, high: float, slug: str, what: str, questions: int) -> Claim:
    """The mean index over questions and seeds lies in the interval that the law of the asked embedding gives."""
    middle, half = (low + high) / 2.0, (high - low) / 2.0
    return judge(
        abs(measured - middle),
        half,
        id=f"index-as-predicted-{slug}",
        title=f"The index lies in its predicted interval ({what})",
        statement=rf"\text{{index}} \in [{low:.3g}, {high:.3g}]",
        reference=f"{PROJECT}: asked-embedding-variance, asked-embedding-mean",
        evidence="sampled",
        detail=f"index {measured:.4f} over {questions} questions and seeds; measured: its distance from the middle "
        f"{middle:.4f} of the interval; bound: half its width, at the run's share of a false-alarm rate of 1e-6 for "
        "a Gaussian mean, with what the law neglects",
    )


def check_symmetric(logit_indices: np.ndarray, tolerance: float, slug: str) -> Claim:
    """The logit index of every seed is one up to rounding."""
    return judge(
        float(np.abs(logit_indices - 1.0).max()),
        tolerance,
        id=f"reverse-logit-equals-forward-{slug}",
        title="Symmetric Θ: the reverse logit is the forward one",
        statement=r"S_{ba}(k) - S_{ba}(0) = S_{ab}(k) - S_{ab}(0) \quad \text{at the last step } k",
        reference=f"{PROJECT}: symmetric-reverse-logit",
        detail="measured: the largest distance of a seed's logit index from one; bound: rounding of its logits",
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


def check_balance(
    drift: np.ndarray, predicted: np.ndarray, tolerance: float, parameters: Parameters, slug: str, what: str
) -> Claim:
    """Real training changes what the flow conserves by eta^2 sum_k Q(v_k), and by nothing else; any equal shapes."""
    conserved, law = BALANCES[parameters]
    return judge(
        float(np.abs(drift - predicted).max()),
        tolerance,
        id=f"balance-{slug}",
        title=f"The conserved balance drifts by the square of the steps alone ({what})",
        statement=rf"Q_k - Q_0 = \eta^2 \sum_{{i < k}} Q(v_i), \quad {conserved}",
        reference=f"{PROJECT}: {law}",
        detail=f"largest drift {np.abs(drift).max():.3e}; measured: what is left of it; bound: rounding",
    )


def check_closed_form(distance: float, tolerance: float, slug: str) -> Claim:
    """The closed form of the squared loss against its integrated flow, in coordinates."""
    return judge(
        distance,
        tolerance,
        id=f"closed-form-{slug}",
        title="Closed form and integrated flow of the squared loss agree",
        statement=r"X_{ij}(t) = e^{-\alpha_i \beta_j t} X_{ij}(0)",
        reference=f"{PROJECT}: squared-loss-closed-form",
        detail="measured: the largest distance in coordinates at the last time; bound: the errors that the solver may "
        "make by its tolerances, summed over its steps, as this flow moves no two solutions apart",
    )


def check_copies(taught: np.ndarray, untaught: np.ndarray, slug: str) -> Claim:
    """Reversed copies lift exactly the facts that they cover: every taught question is lifted, no other one is.

    Indices by question and seed. Lifted is an index above one half, nearer to the forward answer than to nothing.
    """
    lowest, highest = float(taught.min()), float(untaught.max(initial=-np.inf))
    wrong = float(np.count_nonzero(taught <= 0.5) + np.count_nonzero(untaught >= 0.5))
    return judge(
        wrong,
        0.0,
        id=f"copies-lift-what-they-cover-{slug}",
        title="Reversed copies lift exactly the facts that they cover",
        statement=r"\text{index} > 1/2 \iff \text{the fact has a reversed copy}",
        reference="arXiv 2403.13799; " + PROJECT,
        evidence="numerical",
        detail=f"{taught.size} answers with a copy: index {lowest:.3f} and above; {untaught.size} without: "
        f"{highest:.3f} and below; measured: how many are on the wrong side of one half",
    )


def check_implication(margin: np.ndarray, learnt: bool, tolerance: float, slug: str) -> Claim:
    """Two factors put the implied answer above all other implications; a merged Theta gives all of them one logit.

    `margin` is the logit of the right implication less the largest of the others, by question and seed.
    """
    if learnt:
        return judge(
            float(margin.min()),
            0.0,
            above=True,
            id=f"implication-learnt-{slug}",
            title="Factorised Θ answers the untaught implication",
            statement=r"S_{(s, r_2), c_i} > \max_{j \ne i} S_{(s, r_2), c_j}",
            reference="arXiv 2506.10887",
            detail=f"smallest margin over {margin.size} questions and seeds",
        )
    return judge(
        float(np.abs(margin).max()),
        tolerance,
        id=f"implication-not-learnt-{slug}",
        title="Merged Θ gives every implication the same logit",
        statement=r"S_{(s, r_2), c_i} = S_{(s, r_2), c_j}",
        reference="arXiv 2506.10887 (margin zero); by symmetry of the task under descent from zero",
        detail=f"largest distance over {margin.size} questions and seeds; bound: sqrt(2) times the Frobenius norm of "
        "the start, from which descent on a convex loss moves no further away, and rounding",
    )

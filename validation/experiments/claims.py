"""What is claimed of a run: trained answers are learnt; held-out ones are not, by a loss and by a count, or are.

Losses are compared in every seed of the run, so those claims are about these runs and no others (`numerical`). The
count of right answers is a test of the hypothesis that a held-out answer is right as often as the best guess that knows
the relation alone, by the exact binomial quantile (`sampled`); a run makes at most two such tests.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom

from theory.claim import Claim, ClaimText, Verdict
from theory.counting import count_of
from validation.experiments.result import Condition
from validation.experiments.settings import TrainTask

REFERENCE = "arXiv 2405.04669, Section 5 and appendix E"
LEARNT = 0.02  # nats above the floor: an answer of probability 0.98
GENERALISED = 0.1  # nats: an answer of probability 0.9
CURSED: tuple[TrainTask, ...] = ("reversal", "chain-of-thought")  # the other tasks say the answer, or a part of it
FALSE_ALARM = 1e-6 / 2


def claims_of(task: TrainTask, conditions: Sequence[Condition]) -> list[Claim]:
    """The claims of each condition, in order."""
    found: list[Claim] = []
    for condition in conditions:
        learnt = trained_learnt(condition)
        found.append(learnt)
        if task not in CURSED:
            found.append(_where(learnt, held_out_learnt(condition)))
            continue
        # where held-out answers are trained elsewhere an answer of the right sort is no surprise: in the control, in
        # chains, whose C is the answer of B -> C, and in files where subjects share their objects
        level = condition.sort_chance if condition.trained_elsewhere else condition.chance
        asks = _askable(condition)
        found.append(_where(learnt, held_out_not_learnt(condition, level), asks))
        found.append(_where(learnt, held_out_not_answered(condition), asks))
    return found


def _where(learnt: Claim, claim: Claim, reason: str = "") -> Claim:
    """The claim, unless it says nothing: before training has come to its end, or for the `reason` that is given."""
    if learnt.verdict != "holds":
        reason = "trained answers are not learnt yet (--epochs)"
    if not reason or claim.verdict == "not applicable":
        return claim
    return claim.not_applicable(reason)


def _askable(condition: Condition) -> str:
    """Why the questions could not be answered by any model, or nothing."""
    if condition.never_trained:
        names = ", ".join(condition.never_trained)
        return f"no row trains {names}, so no model could know what is asked; train some facts both ways"
    return ""


def _in_every_seed(kept: np.ndarray) -> Verdict:
    return "holds" if kept.all() else "fails"


def learnt_text(name: str) -> ClaimText:
    """What is learnt of the trained answers in the condition `name`."""
    return ClaimText(
        f"trained-learnt-{name}",
        f"Trained answers are learnt ({name})",
        r"-\log p(b \mid a, r) - H \le 0.02 \text{ on average over trained sentences}",
        REFERENCE,
        ("training has gone on for long enough (--epochs)",),
    )


def trained_learnt(condition: Condition) -> Claim:
    """-log p of trained answers within LEARNT of the conditional entropy, in every seed."""
    above = condition.final("train_nll") - condition.floor
    kept = above <= LEARNT
    return learnt_text(condition.name).judged(
        _in_every_seed(kept),
        "numerical",
        float(above.max()),
        LEARNT,
        f"{int(kept.sum())} of {len(kept)} seeds" + ("" if kept.all() else "; train longer (--epochs)"),
        "<=",
    )


def not_learnt_text(name: str) -> ClaimText:
    """What is not learnt of the held-out answers in the condition `name`."""
    return ClaimText(
        f"held-out-not-learnt-{name}",
        f"Held-out answers are no likelier than a guess ({name})",
        r"-\log p(a \mid b, r') \ge -\log p_{\text{guess}} \text{ on average over held-out sentences}",
        REFERENCE,
        ("trained answers are learnt", "some row trains the relation that is asked by"),
    )


def held_out_not_learnt(condition: Condition, level: float) -> Claim:
    """-log p of held-out answers at or above the `level` of a guess, in every seed."""
    nll = condition.final("test_nll")
    kept = nll >= level
    return not_learnt_text(condition.name).judged(
        _in_every_seed(kept),
        "numerical",
        float(nll.min()),
        level,
        f"{int(kept.sum())} of {len(kept)} seeds; a uniform guess among all {condition.vocabulary} tokens costs "
        f"{condition.chance:.4g}, one among the answers of the relation {condition.sort_chance:.4g}",
        ">=",
    )


def not_answered_text(name: str) -> ClaimText:
    """How many held-out questions are answered in the condition `name`."""
    return ClaimText(
        f"held-out-not-answered-{name}",
        f"Held-out questions are answered no better than by guessing ({name})",
        r"\#\{\text{right}\} \le \text{the binomial quantile of guessing}",
        REFERENCE,
        (
            "trained answers are learnt",
            "some row trains the relation that is asked by",
            "the questions are enough to tell answers from guesses",
        ),
    )


def held_out_not_answered(condition: Condition) -> Claim:
    """How many held-out questions are answered rightly, over all seeds, against the quantile of guessing."""
    asked, right = condition.questions * len(condition.right), sum(condition.right)
    guess = condition.guess_probability
    most = int(binom.ppf(1 - FALSE_ALARM, asked, guess))
    text = not_answered_text(condition.name)
    if most >= asked:
        return text.not_applicable(
            f"{count_of(asked, 'question is', 'questions are')} too few to tell answers from guesses that are right "
            f"with probability {guess:.3g}"
        )
    return text.judged(
        "holds" if right <= most else "fails",
        "sampled",
        float(right),
        float(most),
        f"a guess that knows the relation alone is right with probability {guess:.3g} at most; more than {most} of "
        f"{asked} would be right by chance in less than {FALSE_ALARM:g} of runs; most in one seed: "
        f"{max(condition.right)} of {condition.questions}",
        "<=",
    )


def held_out_learnt_text(name: str) -> ClaimText:
    """What is learnt of the held-out answers where the prompt holds them."""
    return ClaimText(
        f"held-out-learnt-{name}",
        f"Held-out answers are learnt ({name})",
        r"-\log p \le 0.1 \text{ on average over held-out sentences}",
        REFERENCE,
        ("trained answers are learnt", "the prompt holds the answer, or a part of it"),
    )


def held_out_learnt(condition: Condition) -> Claim:
    """-log p of held-out answers at most GENERALISED, in every seed: where the prompt holds what is asked."""
    nll = condition.final("test_nll")
    kept = nll <= GENERALISED
    return held_out_learnt_text(condition.name).judged(
        _in_every_seed(kept),
        "numerical",
        float(nll.max()),
        GENERALISED,
        f"{int(kept.sum())} of {len(kept)} seeds",
        "<=",
    )

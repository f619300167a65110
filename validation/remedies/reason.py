"""Why a choice keeps or lifts the curse, in a line, with the derivation that says it."""

from validation.remedies.choice import Choice


def reason(choice: Choice) -> tuple[str, str | None]:
    """Why the choice keeps or lifts the curse, in a line, and the id of its derivation (None: no law says it)."""
    for applies, text, derivation in _reasons(choice):
        if applies:
            return text, derivation
    raise AssertionError("the last reason applies to everything")


def _reasons(c: Choice) -> tuple[tuple[bool, str, str | None], ...]:
    """From the most particular to the most general."""
    factorised, tied = c.parameters == "factorised", c.parameters == "tied-embeddings"
    return (
        (
            c.data == "implication" and factorised,
            "two factors from a small start favour low rank (arXiv 2506.10887), so who shares b_i is given c_i",
            "factorised-logit-flow",
        ),
        (
            c.data == "implication" and c.parameters != "free",
            "subjects that share b_i may share what follows from it, as Θ is a product or answers both ways",
            None,
        ),
        (
            c.data == "implication",
            "what is learnt of one subject adds nothing to another: only the shared row of r2 answers, for all alike",
            "logit-flow",
        ),
        (
            c.data == "identity-bridge-as-implication" and factorised,
            "asked as an implication (a is b's namesake by r'), which two factors from a small start learn",
            "factorised-logit-flow",
        ),
        (
            c.data.startswith("identity-bridge") and c.context == "entity",
            "every entity answers with itself, which competes with the reverse answer",
            "logit-flow",
        ),
        (
            c.data == "identity-bridge",
            "the bridge's own answer wins: nothing ties its relation to the asked one",
            None,
        ),
        (
            c.data == "identity-bridge-as-implication" and c.parameters == "free",
            "the row of the asked relation answers every entity alike: Θ has no reason for low rank",
            "logit-flow",
        ),
        (
            c.data == "reversed-copies" and c.parameters == "free" and c.gradient_steps and c.context == "entity",
            "a covered fact is trained, any other row moves by couplings of order 1/√d alone",
            "interpolation-law",
        ),
        (
            tied and c.data == "both-directions",
            "one table for both sides: where most pairs are trained both ways, a symmetric Θ is the smallest that fits",
            None,
        ),
        (
            c.parameters == "symmetric",
            "Θ stays symmetric, so the reverse logit is the forward one; each is normalised in its own row",
            "symmetric-reverse-logit",
        ),
        (
            factorised,
            "an untrained row of W_O moves by couplings alone, whatever the width",
            "factorised-interpolation",
        ),
        (
            tied,
            "one table for both sides, in balance with Θ and with its transpose together",
            "tied-embeddings-balance",
        ),
        (
            c.parameters == "trained-embeddings",
            "two tables that share nothing but their start, each in balance with Θ alone",
            "trained-embeddings-balance",
        ),
        (
            c.optimizer in ("sign", "adam", "adamw") and c.embeddings == "orthonormal" and c.context == "entity",
            "an untrained row of one-hot tokens has no gradient, and no rescaling makes zero more",
            "sign-descent-one-hot",
        ),
        (
            c.optimizer in ("sign", "adam", "adamw") and c.context == "entity+relation",
            "an asked row shares its relation with trained ones, whose gradients are rescaled entry by entry",
            None,
        ),
        (
            c.optimizer in ("adam", "adamw", "sign"),
            "each entry of Θ is rescaled, so steps leave the span of the trained contexts, but in no direction",
            None,
        ),
        (
            c.weight_decay > 0,
            "the untrained part decays, the row still is a combination of trained ones",
            "weight-decay-flow",
        ),
        (
            c.data == "control",
            "the answer is learnt as an answer, but in the rows of other questions",
            "asked-embedding-mean",
        ),
        (
            c.loss == "squared",
            "the interpolation law holds for every loss; the flow is linear",
            "squared-loss-closed-form",
        ),
        (
            c.loss == "one-against-all",
            "the interpolation law holds for every loss",
            "one-against-all-flow",
        ),
        (
            c.context == "entity+relation",
            "an asked row shares its relation with trained ones, and moves with what all of these answer",
            "interpolation-law",
        ),
        (
            c.embeddings == "orthonormal",
            "beyond its own targets a row of one-hot tokens does not move",
            "interpolation-law",
        ),
        (
            True,
            "beyond its own targets a row moves by couplings of order 1/√d alone",
            "interpolation-law",
        ),
    )

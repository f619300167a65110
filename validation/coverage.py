"""Every claim of the paper (arXiv 2405.04669), which check covers it, and what is missing where it is not precise.

The table is this project's reading of the paper's statements, in its own words; no constant of the paper's appendix is
used anywhere. `docs/coverage.md` is the same table, made by `python -m validation.coverage`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from theory.claim import Verdict, joint_verdict
from theory.laws import derive_all


@dataclass(frozen=True)
class PaperClaim:
    """One claim of the paper in a sentence, and where it stands.

    `theorems` are ids of `reversal check`, `laws` those of derivations (`reversal verify` lists them too), `measured`
    those of claims that `reversal verify` measures on real training, by their stem where one stands for each model,
    `trained` those of claims that `reversal train` makes of multi-layer transformers, by their stem, and `compared`
    those of `reversal remedies`.
    `how` says how it is checked; `missing` what the paper leaves open, empty where the claim is precise.
    `not_needed` marks an assumption of the paper without which the theorems here do, so that no verdict is due.
    """

    claim: str
    where: str
    how: str
    theorems: tuple[str, ...] = ()
    laws: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    missing: str = ""
    not_needed: bool = False

    @property
    def checked_by(self) -> tuple[str, ...]:
        """Every id, theorems first."""
        return (*self.theorems, *self.laws, *self.measured, *self.trained, *self.compared)


@dataclass(frozen=True)
class CoveredClaim:
    """A claim of the paper with the joint verdict of those of its checks that were run: None where `run` is empty."""

    paper: PaperClaim
    run: tuple[str, ...]
    verdict: Verdict | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, as `reversal check --json` prints it."""
        paper = self.paper
        return {
            "claim": paper.claim,
            "where": paper.where,
            "theorems": list(paper.theorems),
            "laws": list(paper.laws),
            "measured": list(paper.measured),
            "trained": list(paper.trained),
            "compared": list(paper.compared),
            "how": paper.how,
            "missing": paper.missing,
            "run": list(self.run),
            "verdict": self.verdict,
        }


INTRODUCTION = """# What of the paper is checked

Every claim of *Towards a Theoretical Understanding of the 'Reversal Curse' via Training Dynamics* (arXiv 2405.04669),
in this project's words. `theorem` names are those of `reversal check --theorem NAME`; `law` names are derived by both
commands; `measured` names are claims of `reversal verify`, and those that end in `-` stand for one claim per model or
optimiser; `trained` names are claims of `reversal train` about multi-layer transformers, one per condition; `compared`
names are claims of `reversal remedies`, one per choice. Verdicts depend on the task: `reversal check --theorem all`
prints them. This file is made by `python -m validation.coverage`.

| claim | where | checked by | how | not precise enough: what is missing |
|---|---|---|---|---|"""

PAPER_CLAIMS: tuple[PaperClaim, ...] = (
    # -- the bilinear model --
    PaperClaim(
        "Gradient flow on the cross-entropy of the bilinear model x^T Theta y moves Theta by a sum of residuals times "
        "outer products of embeddings.",
        "Section 3",
        "derived for symbolic m and d; the same flow in logit space, where it depends on the Gram matrix alone",
        laws=("bilinear-gradient", "logit-flow"),
        measured=("training-is-descent-", "training-follows-flow-"),
    ),
    PaperClaim(
        "Separation: L_rev(t)/L_rev(0) >= (L(t)/L(0))^eps for all t >= 0, with probability at least 1 - delta.",
        "Section 3, Theorem 1",
        "proved in links with explicit constants; drawn instances are certified one by one and followed in time",
        theorems=("theorem-1",),
    ),
    PaperClaim(
        "A dimension of poly(n, m, 1/eps, log(1/delta)) is enough for that.",
        "Section 3, Theorem 1",
        "a certified dimension for the n, m, eps, delta and initial scale at hand, as a number",
        theorems=("theorem-1",),
        missing="the degree and the constants of the polynomial",
    ),
    PaperClaim(
        "The initial scale has to be small.",
        "Section 3, Theorems 1 and 2",
        "the scale is a setting (--init-scale); its effect on range and log-odds at the start enters the certificate",
        theorems=("theorem-1", "theorem-2"),
        missing="how small, and in terms of which sizes",
    ),
    PaperClaim(
        "The analysis holds for (stochastic) gradient descent.",
        "Abstract",
        "finite-step forms of Theorems 1 and 2 for full-batch descent, and for SGD, epochs reshuffled, at the ends of "
        "epochs, with the step size in their constants; the distance of descent to the flow, measured against the step "
        "size, and descent extrapolated to step size zero",
        theorems=("theorem-1-gd", "theorem-1-sgd", "theorem-2-gd", "theorem-2-sgd"),
        measured=("step-size-order-", "extrapolated-descent-is-flow-"),
        missing="the step sizes, the batch and the order of the data for which it is meant",
    ),
    PaperClaim(
        "Lower bound: L_rev >= C at the first time at which L <= c, for c > 0 and C <= log(m/2).",
        "Section 3, Theorem 2",
        "from Theorem 1 with eps <= log(L_rev(0)/C)/log(L(0)/c), with steps less, for L may then undershoot c by what "
        "one epoch takes from it; L_rev is measured at that time in every draw",
        theorems=("theorem-2", "theorem-2-gd", "theorem-2-sgd"),
    ),
    PaperClaim(
        "Asymmetry: raising the weight from A to B does not necessarily raise the weight from B to A.",
        "Abstract, Sections 3 and 4",
        "an untrained row moves exactly by the combination w = G_AA^+ G_Aq of the trained rows (interpolation law), "
        "of order 1/sqrt(d) each; in the one-layer model it does not move at all",
        theorems=("interpolation-law",),
        laws=("interpolation-law", "first-order-law", "reverse-logit", "one-flow"),
        measured=("asymmetry-", "untrained-rows-unchanged"),
        missing="'not necessarily' bounds nothing; checked instead: how much the reverse weight moves",
    ),
    PaperClaim(
        "The weights of the two directions are only weakly related through the embeddings they share.",
        "Introduction, Section 3",
        "the reverse logit to first order in the coherence; its error is of order 1/d, measured over four decades of d",
        laws=("first-order-law", "reverse-logit"),
        measured=("first-order-law-order",),
        missing="what 'weakly' means; checked instead: the relation itself",
    ),
    # -- the one-layer transformer --
    PaperClaim(
        "Dynamics of the reparametrised one-layer transformer: dY/dt and dZ/dt (the framework of arXiv 2305.16380).",
        "Section 4",
        "both gradients derived by matrix calculus, the projection of the layer norm included, and compared with "
        "autograd",
        laws=("transformer-gradient-y", "transformer-gradient-z"),
        measured=("training-is-descent-",),
    ),
    PaperClaim(
        "On sequences of length three the attention Z does not move; only the row of the context token in Y does.",
        "Section 4",
        "derived exactly: one context token has attention weight 1, and the projection removes its own direction",
        laws=("z-stays-zero", "one-flow"),
        measured=("z-unchanged", "untrained-rows-unchanged"),
    ),
    PaperClaim(
        "Reversal curse: every trained pair has p -> 1, every pair that is not trained stays at p <= 1/M.",
        "Section 4, Theorem 3",
        "a certified number of visits after which p >= 1 - a, and p <= 1/M at every step for any data, order and step "
        "size (momentum included, Adam not)",
        theorems=("theorem-3", "unseen-target-bound"),
        laws=("closed-form", "late-time", "sgd-recursion", "unseen-target-bound"),
        measured=("unseen-targets-", "forward-grows-"),
    ),
    PaperClaim(
        "The time needed is of order N ln M / eta_Y.",
        "Section 4, Theorems 3 and 4",
        "visits of one row, exactly [(M-1)(ln((M-1)w) + w) - 1]/(M eta) of the flow with w = (1-a)/a, and certified "
        "integers for SGD: of order (ln M + 1/a)/eta",
        theorems=("theorem-3", "theorem-4", "sgd-sandwich"),
        laws=("decoupled-row-integral", "sgd-sandwich"),
        measured=("sgd-sandwich-in-training",),
        missing=(
            "that a = 1 - p is held constant; the constant; that visits of a row are not steps/N under random sampling"
        ),
    ),
    PaperClaim(
        "Assumptions on the rates: M >> 100 and M^-0.99 << eta < 1.",
        "Section 4, after arXiv 2305.16380 (assumed to be the same there)",
        "not needed: the bounds here hold for every M >= 2 and every step size; only 'unseen logits are the smallest' "
        "needs a step size below a certified limit",
        theorems=("sgd-sandwich", "unseen-target-order"),
        laws=("sgd-sandwich",),
        missing="what '>>' and '<<' mean",
        not_needed=True,
    ),
    PaperClaim(
        "Chain of thought: after training A -> B and B -> C, p(C|A) stays at or below 1/M while the trained pairs "
        "have p -> 1.",
        "Section 4.2, Theorem 4",
        "as Theorem 3, for rows that are trained towards another target",
        theorems=("theorem-4", "unseen-target-bound"),
        laws=("unseen-target-bound",),
        measured=("unseen-targets-",),
    ),
    PaperClaim(
        "Intransitivity: raising the weights from A to B and from B to C does not necessarily raise that from A to C.",
        "Abstract, Section 4.2",
        "one-layer model: Theorem 4; bilinear model: an exponent of its own for contexts that are trained themselves",
        theorems=("theorem-4", "intransitivity"),
        measured=("intransitivity-",),
        missing="'not necessarily' bounds nothing; the bilinear model is not treated",
    ),
    PaperClaim(
        "Chain of thought is necessary to conclude A ~> C.",
        "Abstract, Section 4.2",
        "that the direct question stays at chance while both steps of the chain are learnt, in these two models",
        theorems=("theorem-4", "intransitivity"),
        missing="for which models; it is shown for these two, this training and this data only",
    ),
    PaperClaim(
        "The asymmetry is a consequence of the loss function and of the space in which the parameters are optimised.",
        "Abstract",
        "both sides derived, integrated and trained: the interpolation law holds for every loss of the logits and "
        "every optimiser that stays in the span of gradients (squared and one-against-all loss, momentum, decoupled "
        "weight decay), Adam and trainable embeddings break it; a symmetric Theta gives the reverse "
        "logit exactly the change of the forward one, a factorised one lifts the curse only where the data make the "
        "question an implication, tied embeddings where most pairs are trained both ways and weights decay",
        theorems=("interpolation-law",),
        laws=(
            "interpolation-law",
            "interpolation-law-weight-decay",
            "any-loss-flow",
            "squared-loss-closed-form",
            "symmetric-reverse-logit",
            "factorised-interpolation",
            "tied-embeddings-balance",
            "weight-decay-flow",
            "asked-embedding-mean",
            "asked-embedding-target-variance",
        ),
        measured=("interpolation-law-",),
        compared=("index-as-predicted-", "reverse-logit-equals-forward-", "balance-", "closed-form-"),
        missing="which losses and which spaces",
    ),
    PaperClaim(
        "Expressivity does not explain the curse: parameters that answer both directions exist.",
        "Introduction",
        "shown by what training reaches: with a reversed copy of the fact, or with a symmetric Theta, the same logits "
        "x^T Theta y answer both directions of every fact at once",
        laws=("symmetric-reverse-logit",),
        compared=("copies-lift-what-they-cover-", "reverse-logit-equals-forward-"),
        missing="for which models and sizes",
    ),
    # -- experiments --
    PaperClaim(
        "Multi-layer transformers learn the training sentences and answer the reverse questions no better than chance.",
        "Section 5",
        "reversal train: the loss of held-out answers in every seed, and how many are right against guessing; beside "
        "it a control in which every held-out answer is also the answer of another trained sentence; with a tied head "
        "the control is answered, so the claim needs an untied one",
        trained=("trained-learnt-", "held-out-not-learnt-", "held-out-not-answered-"),
        missing="a control for tokens that are never a target at all; whether head and embedding are one table",
    ),
    PaperClaim(
        "Multi-layer transformers learn A -> B and B -> C and do not answer A ~> C.",
        "Section 5",
        "reversal train --task chain-of-thought: as the reversal, where every C is a trained answer already",
        trained=("trained-learnt-", "held-out-not-learnt-", "held-out-not-answered-"),
    ),
    PaperClaim(
        "The logits of multi-layer transformers show the asymmetry and the intransitivity of the theory.",
        "Section 5 and appendix",
        "reversal train: log p of every candidate after every question, asked with the relation token, as pictures and "
        "numbers; the index, log-odds gained by held-out answers over those gained by their premises",
        trained=("held-out-not-learnt-",),
        missing="a threshold: the evidence is a picture",
    ),
    PaperClaim(
        "The same for other vocabularies, entities of several tokens, positional encodings, fixed embeddings, depths "
        "and widths.",
        "Appendix E",
        "options of reversal train, each run in the tests at a small size",
        trained=("held-out-not-learnt-", "held-out-not-answered-"),
    ),
    PaperClaim(
        "With the fact in the context there is no reversal curse, and chains over related tokens are learnt.",
        "Section 5 and appendix E",
        "reversal train --task in-context and --task related: the loss of held-out answers in every seed",
        trained=("held-out-learnt-",),
    ),
)


def cover(verdicts: Mapping[str, Verdict], laws: bool) -> tuple[CoveredClaim, ...]:
    """The table with `verdicts` of theorems by id, and with those of the laws where `laws` says to derive them.

    Deriving takes seconds. A claim of which nothing was run has the verdict None.
    """
    derived = {law.id: law.verdict for law in derive_all()} if laws else {}
    return tuple(_covered(claim, verdicts, derived) for claim in PAPER_CLAIMS)


def _covered(claim: PaperClaim, verdicts: Mapping[str, Verdict], derived: Mapping[str, Verdict]) -> CoveredClaim:
    theorems = [(id, verdicts[id]) for id in claim.theorems if id in verdicts]
    found = theorems + [(id, derived[id]) for id in claim.laws if id in derived]
    run = tuple(dict.fromkeys(id for id, _ in found))
    if not found or claim.not_needed:
        return CoveredClaim(claim, run, None)
    verdict = joint_verdict([verdict for _, verdict in found])
    # laws support a claim, they do not establish it: where a theorem does not apply here, neither does the claim
    if verdict == "holds" and any(v == "not applicable" for _, v in theorems):
        verdict = "not applicable"
    return CoveredClaim(claim, run, verdict)


def coverage_markdown() -> str:
    """The table as a Markdown document; verdicts are those of a run and stand in its output, not here."""
    lines = [INTRODUCTION]
    for claim in PAPER_CLAIMS:
        kinds = {
            "theorem": claim.theorems,
            "law": claim.laws,
            "measured": claim.measured,
            "trained": claim.trained,
            "compared": claim.compared,
        }
        by = [name for kind, ids in kinds.items() for name in _named(kind, ids)]
        cells = (claim.claim, claim.where, "; ".join(by) or "-", claim.how, claim.missing or "-")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _named(kind: str, ids: tuple[str, ...]) -> list[str]:
    return [f"{kind} " + ", ".join(f"`{id}`" for id in ids)] if ids else []


if __name__ == "__main__":
    print(coverage_markdown(), end="")

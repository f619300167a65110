"""What a proof of separation needs to know of one instance: how far G is from the identity, and the start.

G = I + E over the tokens; contexts are single tokens, A the N trained ones, each with one target b_a and the same
share 1/N. All fields are balls (Arb) that enclose a valid bound: they come from a given G and S(0)
(`numerics.instance_bounds`) or, before anything is drawn, from tail bounds (`theory.tails`). The chains of
`theory.separation` use nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from flint import arb

ScheduleKind = Literal["flow", "gd", "cyclic", "reshuffled"]


@dataclass(frozen=True)
class Schedule:
    """How the trained rows are visited: every epoch adds amount x residual to each row once.

    `amount` s is learning rate / N for full-batch descent (all rows at one state), the learning rate for SGD with one
    pair a step, and 0 for gradient flow, the limit. `between` is how often at most another row is visited between two
    visits of one row, `before` how often before its first visit.
    """

    kind: ScheduleKind
    amount: arb

    @staticmethod
    def flow() -> "Schedule":
        """Gradient flow, time t = step size x steps."""
        return Schedule("flow", arb(0))

    @staticmethod
    def descent(kind: ScheduleKind, learning_rate: float, contexts: int) -> "Schedule":
        """`gd`: one full-batch step an epoch; `cyclic`, `reshuffled`: N steps of one pair each.

        Raises ValueError for the flow, which has no step, and for a learning rate that is not positive.
        """
        if kind == "flow" or not learning_rate > 0:
            raise ValueError(
                f"descent needs a positive learning rate and a kind of visits, got {kind}, {learning_rate}"
            )
        share = contexts if kind == "gd" else 1
        return Schedule(kind, arb(learning_rate) / share)

    @property
    def between(self) -> int:
        """Visits of another row between two own visits, at most."""
        return 2 if self.kind == "reshuffled" else 1

    @property
    def before(self) -> int:
        """Visits of another row before the first own visit, at most."""
        return 1 if self.kind in ("cyclic", "reshuffled") else 0

    @property
    def simultaneous(self) -> bool:
        """Whether all rows move at one state: gradient flow and full-batch descent."""
        return self.before == 0


@dataclass(frozen=True, eq=False)
class SignedCoupling:
    """Signs and sizes with which the trained rows a pull a query's loss: G_qa X_a, X_a = (e_b - pi_a) G (p^q(0) - e_x).

    Every distribution pi_a on the tokens other than b_a with largest / smallest <= e^D gives
    X_a in `centre` +- (e^D - 1) `spread` +- `rounding`, with `coupling` the stored entries G_qa, exact; shapes (N,).
    The two other fields say how low the loss can ever fall (see `theory.separation`): log of the sum of
    e^(S_qk(0) - S_qx(0)) over the tokens k that no trained row pulls below the answer, and a bound on sum |w_a|.
    """

    coupling: np.ndarray
    centre: np.ndarray
    spread: arb
    rounding: arb
    floor: arb
    weight_sum: arb

    def pulls(self, growth: arb) -> tuple[arb, arb]:
        """Upper bound of sum_a (G_qa X_a)_- and lower bound of sum_a (G_qa X_a)_+ at e^D - 1 = `growth`.

        A term that may have either sign counts in full on the side that hurts.
        """
        # floats are rounded a few times below: each sum of N terms errs by at most N 2^-52 of its absolute terms
        half = float((growth * self.spread + self.rounding).upper()) * (1 + 1e-12)
        lower = np.where(self.coupling > 0, self.coupling * (self.centre - half), self.coupling * (self.centre + half))
        slack = float(np.abs(lower).sum()) * (len(lower) + 4) * 2.0**-52
        down = arb(float(-lower[lower < 0].sum())) + slack
        up = arb(float(lower[lower > 0].sum())) - slack
        return down, up


@dataclass(frozen=True)
class QueryBounds:
    """Bounds about one query: context q, one right answer x (several: `answers` > 1).

    `trained`: q is itself a trained context, a ~> question. `loss` bounds L_q(0) from below; `largest`, `smallest`
    bound the probabilities p^q_k(0) of one token. `one_norm`, `two_norm`, `largest_coupling` bound the norms of
    (G_qa) over the trained a other than q. `answer_targets` counts trained rows whose target is x. `free_tokens` is
    the number of tokens that are no row's target, x among them (0 if x is one).
    """

    trained: bool
    answers: int
    loss: arb
    largest: arb
    smallest: arb
    one_norm: arb
    two_norm: arb
    largest_coupling: arb
    answer_targets: int
    free_tokens: int
    signed: SignedCoupling | None = None


@dataclass(frozen=True)
class CoherenceBounds:
    """Bounds about the trained rows, and those about each query.

    `coherence` mu bounds every |E_ij|; `row_sum` bounds sum_{a' != a} |G_aa'| over trained a', for every trained a, and
    `same_target_sum` the part of it over rows with the target of a, `target_sum` that over rows with any one target.
    `logit_range` bounds the range of S_ak(0) over
    k != b_a; `log_odds` (low, high) bounds u_a(0) = log(p / (1 - p)) of the target. `eigenvalues`, where enclosed, are
    lower bounds of lambda_min(G_AA) and lambda_min(G) and an upper bound of lambda_max(G).
    """

    contexts: int
    vocabulary: int
    coherence: arb
    row_sum: arb
    same_target_sum: arb
    target_sum: arb
    logit_range: arb
    log_odds: tuple[arb, arb]
    queries: Sequence[QueryBounds]
    eigenvalues: tuple[arb, arb, arb] | None = None

"""A token that was never a target of a row has p <= 1/M at every step, whatever the data, batch, order or step size.

One-layer transformer (or G = I), zero start, heavy-ball momentum allowed; Adam is not covered. Three invariants by
induction over the steps: row sums of logits and of velocities stay zero, an unseen token's velocity and logit never
become positive, and Jensen turns both into p_j <= 1/M.
"""

from functools import cache

import numpy as np
from sympy import Expr, IndexedBase, Integer, Symbol, exp, symbols

from theory.bilinear import ROW
from theory.derivation import Derivation, FalseTwin, Law, Step
from theory.notation import N, R, a, bhat, draw_bilinear, ell, j, k, m, over_tokens, x
from theory.statement import Identity, IndexedSums, Inequality, Instance

REFERENCE = "this project; Theorems 3 and 4 of arXiv 2405.04669"
ASSUMPTIONS = (
    "rows do not overlap (G = I), zero start",
    "each step adds to the row a nonnegative multiple of one or more residuals bhat - p of that row, by plain or "
    "heavy-ball steps of any size",
    "the token is never a target of the row: its entry of every bhat is zero",
)

velocity = IndexedBase("velocity", shape=(N, m))
eta, beta, weight = symbols("eta beta c", nonnegative=True)
probability = Symbol("p", nonnegative=True)
speed, depth, excess = symbols("speed depth excess", nonnegative=True)  # -velocity, -logit, sum exp S - M
z = Symbol("z", nonnegative=True)


def draw_row(rng: np.random.Generator) -> Instance:
    """A row of logits and velocities that sum to zero, and scalars inside the stated signs."""
    size = int(rng.integers(3, 6))
    row, moving = rng.normal(size=(2, 1, size))
    targets = rng.dirichlet(np.ones(size), size=1)
    return {
        **draw_signs(rng),
        m: size,
        a: 0,
        j: 0,
        x: 1,
        ell: row - row.mean(),
        velocity: moving - moving.mean(),
        bhat: targets,
    }


def draw_signs(rng: np.random.Generator) -> Instance:
    """Nonnegative scalars: probability, minus an unseen token's velocity and logit, the excess of Jensen's sum."""
    return {
        m: int(rng.integers(2, 6)),
        eta: rng.uniform(0.1, 5.0),
        beta: rng.uniform(0.1, 0.9),
        weight: rng.uniform(0.1, 2.0),
        probability: rng.uniform(0.0, 1.0),
        speed: rng.uniform(0.0, 2.0),
        depth: rng.uniform(0.0, 2.0),
        excess: rng.uniform(0.0, 2.0),
        z: rng.uniform(0.0, 2.0),
    }


BALANCED = IndexedSums(ROW, {bhat: 1, ell: 0, velocity: 0})


def _nonnegative(expr: Expr, variable: Symbol) -> Inequality:
    return Inequality(expr, variable, draw_signs, "every size M >= 1, every step size, momentum and weight >= 0")


def moved_velocity(token: Expr) -> Expr:
    """Heavy ball: beta times the velocity plus a nonnegative multiple of the residual."""
    return beta * velocity[a, token] + weight * R[a, token]


@cache
def derive_unseen_target() -> Derivation:
    """p_j <= 1/M for a token j that no statement of the row names."""
    seen_nothing = -(beta * -speed + weight * (0 - probability))  # minus the new velocity at bhat_j = 0
    return Derivation(
        "unseen-target-bound",
        "Unseen targets stay at or below 1/M",
        REFERENCE,
        ASSUMPTIONS,
        statement=r"\hat{b}_{aj} = 0 \;\Rightarrow\; p_{aj}(k) \le \frac{1}{M} \quad \text{for every step } k",
        steps=(
            Step(
                "residuals of a row sum to zero",
                Identity(over_tokens(R[a, j], j), Integer(0), IndexedSums(ROW, {bhat: 1}), draw_bilinear),
            ),
            Step(
                "so velocities keep summing to zero",
                Identity(over_tokens(moved_velocity(j), j), Integer(0), BALANCED, draw_row),
            ),
            Step(
                "and logits keep summing to zero",
                Identity(over_tokens(ell[a, j] + eta * moved_velocity(j), j), Integer(0), BALANCED, draw_row),
            ),
            Step(
                "an unseen token's velocity stays at or below zero, as its residual is -p_j",
                _nonnegative(seen_nothing, speed),
            ),
            Step("so its logit stays at or below zero", _nonnegative(depth + eta * seen_nothing, depth)),
            Step("e^z >= 1 + z for z >= 0", _nonnegative(exp(z) - 1 - z, z)),
            Step("e^{-z} >= 1 - z for z >= 0", _nonnegative(exp(-z) - 1 + z, z)),
            Step(
                "Jensen: sum_k e^{S_k} >= sum_k (1 + S_k) = M",
                Identity(over_tokens(1 + ell[a, k], k), m, BALANCED, draw_row),
            ),
            Step(
                "p_j = e^{S_j}/(M + excess) <= 1/M with S_j <= 0",
                _nonnegative(1 / m - exp(-depth) / (m + excess), depth),
            ),
        ),
    )


def unseen_target_twins() -> list[FalseTwin]:
    """Half the bound, the wrong direction, a seen token (residual 1 - p), a row mean that is not conserved."""
    seen = -(beta * -speed + weight * (1 - probability))
    of = "unseen-target-bound"
    return [
        FalseTwin(of, "half the bound", _nonnegative(1 / (2 * m) - exp(-depth) / (m + excess), depth), seed=2),
        FalseTwin(of, "bound from below", _nonnegative(exp(-depth) / (m + excess) - 1 / m, depth)),
        FalseTwin(of, "seen token", _nonnegative(seen, speed), seed=1),
        FalseTwin(
            of,
            "softmax moves the row mean",
            Identity(
                over_tokens(bhat[a, j] - 2 * (bhat[a, j] - R[a, j]), j),
                Integer(0),
                IndexedSums(ROW, {bhat: 1}),
                draw_bilinear,
            ),
        ),
    ]


LAWS = (Law(derive_unseen_target, unseen_target_twins),)

"""How each choice is trained: step size and number of steps, chosen so that every trained pair is learnt."""

import math
import sys
from collections.abc import Sequence

from numerics.kernels import Kernels
from numerics.losses import CURVATURE
from theory.errors import BadInput
from validation.remedies.choice import Choice
from validation.settings import HEAVY_BALL, largest_share
from validation.training import TrainingSettings

# Flow time for each trained context, t / N. A free row is at p = 0.97 after 50; the squared loss decays exponentially;
# a product of matrices first has to leave the saddle that it starts at.
FREE_TIME, SQUARED_TIME, PRODUCT_TIME = 50.0, 20.0, 60.0

# How far a step moves the row that moves most, in units of its residual. Descent on the cross-entropy of one row does
# not expand distances up to 4, on the squared loss up to 2, less what other rows add; in a product of matrices a row
# moves by its residual times the square of the factors, some 10 at the end, and rows that share tokens move together.
# The heavy ball moves ten times its step.
MOVE = {"gd": 0.5, "sgd": 1.0, "momentum": 0.05}
SQUARED_SHARE, PRODUCT_SHARE, COUPLED_SHARE = 0.4, 0.2, 0.06
# One-against-all pulls every token of every row down by a half at first: all rows move the factors one way, in which
# the loss bends by m/4, not by 1/2.
COMMON_TOKENS = 4

ADAM_STEP, ADAM_STEPS = 0.01, 400
# A step of sign descent moves the logit of a pair by at most the step times (sum |v_i|)^2, 2 d / pi for Gaussian
# embeddings and 1 for orthonormal ones, whose zeros do not last where they are trained.
SIGN_MOVE, SIGN_STEPS = 0.1, 300

# Of the largest step that moves no two parameters apart where the loss is convex: above it descent no longer settles.
STABLE = 0.9
MOST_DECAY = 0.2  # of the parameters that decoupled weight decay may take in one step
MOST_STEPS = 1_000_000
# Of time over step, relative: two decimals and four operations, each rounded by half an eps.
QUOTIENT_ROUNDING = 4 * sys.float_info.epsilon


def schedule(
    choice: Choice, kernels: Sequence[Kernels], dimension: int, time: float | None, rate: float | None
) -> TrainingSettings:
    """Step size, steps and batch of a choice on its instances; `time` (t / N) and `rate` where they were asked for."""
    task = kernels[0].task
    batch = "one" if choice.optimizer in ("sgd", "momentum") else "full"
    friction = HEAVY_BALL if choice.optimizer == "momentum" else 0.0
    product = choice.parameters not in ("free", "symmetric")
    if choice.optimizer in ("adam", "adamw"):
        step, steps = rate or ADAM_STEP, ADAM_STEPS
    elif choice.optimizer == "sign":
        sparse = choice.embeddings == "orthonormal" and not choice.parameters.endswith("embeddings")
        moved = 1.0 if sparse else 2.0 * dimension / math.pi
        step, steps = rate or SIGN_MOVE / moved, SIGN_STEPS
    else:
        share = SQUARED_SHARE if choice.loss == "squared" else 1.0
        if product:
            share *= PRODUCT_SHARE if task.one_token_contexts else COUPLED_SHARE
            if choice.loss == "one-against-all":
                share *= min(1.0, COMMON_TOKENS / task.vocabulary_size)
        step = rate or share * MOVE[choice.optimizer] / largest_share(task, "gd" if batch == "full" else "sgd")
        if rate is None and not product:
            flattest = CURVATURE["cross-entropy"] / CURVATURE[choice.loss]
            largest = min(k.nonexpansive_step(batch == "full") for k in kernels) * flattest
            step = min(step, STABLE * largest * (1.0 - friction))
        if choice.weight_decay and rate is None:
            step = min(step, MOST_DECAY * (1.0 - friction) / choice.weight_decay)
        lasting = time or (PRODUCT_TIME if product else SQUARED_TIME if choice.loss == "squared" else FREE_TIME)
        travelled = lasting * task.trained_contexts * (1.0 - friction)
        step = rate or min(step, travelled)  # a moment is shorter than a step
        steps = max(1, math.ceil(travelled / step * (1.0 - QUOTIENT_ROUNDING)))
    if steps > MOST_STEPS:
        raise BadInput(
            f"{choice.label}: {steps:.3g} steps of size {step:.3g} would be needed, more than {MOST_STEPS:,}; give a "
            "larger --learning-rate, a shorter --time or a smaller --weight-decay"
        )
    return TrainingSettings(
        choice.optimizer,
        step,
        steps,
        batch,  # type: ignore[arg-type]
        order="reshuffled",
        momentum=HEAVY_BALL,
        weight_decay=choice.weight_decay / (1.0 - friction),  # a step of the heavy ball takes 1 / (1 - beta) the time
        decoupled=choice.weight_decay > 0,
        loss=choice.loss,
    )

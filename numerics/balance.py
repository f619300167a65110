"""What the gradient flow of a product of matrices conserves, and by how much gradient descent changes it.

The balance Q of neighbouring factors is a quadratic form that the flow keeps, so a step of descent along the velocity v
changes it by exactly eta^2 Q(v) (`reversal derive factorised-balance-step`, `trained-embeddings-balance`,
`tied-embeddings-balance`). Several balances of one space are stacked.
"""

from itertools import islice

import numpy as np

from numerics.descent import DescentSettings
from numerics.losses import Loss
from numerics.parameter_space import EVERY, EmbeddingSpace, FactorisedSpace, ParameterSpace, State
from numerics.space_descent import descent_states
from numerics.space_flow import full_batch_ascent


def balance(*factors: np.ndarray, tied: bool = False) -> np.ndarray:
    """Q of the factors of Theta or of a velocity of them, (balances, n, n) or with seeds in front.

    (W_O, W_V): W_O^T W_O - W_V^T W_V. (U, Theta, V): U^T U - Theta Theta^T and Theta^T Theta - V^T V. (V, Theta),
    `tied`: V^T V - Theta Theta^T - Theta^T Theta.
    """

    def inner(x: np.ndarray) -> np.ndarray:
        return np.swapaxes(x, -1, -2) @ x

    def outer(x: np.ndarray) -> np.ndarray:
        return x @ np.swapaxes(x, -1, -2)

    if len(factors) == 3:
        contexts, theta, tokens = factors
        return np.stack([inner(contexts) - outer(theta), inner(theta) - inner(tokens)], axis=-3)
    first, second = factors
    if tied:
        return (inner(first) - outer(second) - inner(second))[..., None, :, :]
    return (inner(first) - inner(second))[..., None, :, :]


def balance_drift(space: ParameterSpace, loss: Loss, settings: DescentSettings, steps: int) -> np.ndarray:
    """By how much `steps` steps of full-batch descent change Q, eta^2 sum_k Q(v_k), (balances, n, n).

    Raises ValueError under momentum, weight decay or a batch of one, and for a space that conserves nothing.
    """
    if settings.optimizer != "gd" or settings.weight_decay:
        raise ValueError("the balance drifts by eta^2 Q(v) in plain full-batch descent only")
    states = islice(descent_states(space, loss, settings, steps), steps)
    total = sum(_velocity_balance(space, state, full_batch_ascent(space, loss, state)) for state in states)
    return settings.learning_rate**2 * np.asarray(total)


def _velocity_balance(space: ParameterSpace, state: State, ascent: np.ndarray) -> np.ndarray:
    """Q of the velocity of the factors themselves, from the coordinates of the space."""
    match space:
        case FactorisedSpace():
            contexts, tokens = state
            trained = slice(0, space.task.trained_contexts)
            pulled, back = ascent @ tokens, ascent.T @ contexts[trained]  # dW_O = V_A^T D B, dW_V = V^T D^T A_A
            forward = pulled.T @ space.K_in[trained] @ pulled
            return (forward - back.T @ space.K_out @ back)[None]
        case EmbeddingSpace():
            return balance(*space.velocity(state, ascent, EVERY), tied=space.tied)
    raise ValueError(f"{type(space).__name__} conserves no balance")

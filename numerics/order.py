"""The order in which stochastic descent visits the training pairs, for the recursion and for real training.

`cyclic`: 0..K-1 again and again. `reshuffled`: every epoch a fresh permutation. `replacement`: independent
uniform draws. A pair of weight w is visited as often as any other and its gradient is scaled by K w, which
keeps the mean gradient equal to that of the weighted loss in all three.
"""

from typing import Literal

import numpy as np

Order = Literal["cyclic", "reshuffled", "replacement"]
ORDERS: tuple[Order, ...] = ("cyclic", "reshuffled", "replacement")


def visits(order: Order, examples: int, steps: int, seed: int) -> np.ndarray:
    """The example visited at each step, (steps,); same seed, same order. ValueError on an unknown order."""
    rng = np.random.default_rng([seed, examples])
    epochs = -(-steps // examples)
    match order:
        case "cyclic":
            return np.tile(np.arange(examples), epochs)[:steps]
        case "reshuffled":
            return rng.permuted(np.tile(np.arange(examples), (epochs, 1)), axis=1).reshape(-1)[:steps]
        case "replacement":
            return rng.integers(examples, size=steps)
    raise ValueError(f"unknown order {order!r}: expected one of {', '.join(ORDERS)}")


def visit_counts(order: Order, examples: int, steps: int, seed: int) -> np.ndarray:
    """How often each example was visited, (examples,)."""
    return np.bincount(visits(order, examples, steps, seed), minlength=examples)

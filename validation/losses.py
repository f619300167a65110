"""The losses in torch: each is a convex potential psi of a row of logits less the logit of the target.

psi is log sum exp for the cross-entropy, |S|^2 / 2 for the squared loss on logits (less a constant), and the sum of
softplus for one-against-all logistic loss; the negative gradient in the logits is then bhat - grad psi.
"""

import torch
from torch import Tensor
from torch.nn import functional

from numerics.losses import Loss


def row_potential(loss: Loss, logits: Tensor) -> Tensor:
    """psi of every row, (..., m) -> (...). Raises ValueError on another loss."""
    match loss:
        case "cross-entropy":
            return torch.logsumexp(logits, dim=-1)
        case "squared":
            return 0.5 * (logits * logits).sum(dim=-1)
        case "one-against-all":
            return functional.softplus(logits, threshold=60.0).sum(dim=-1)  # exact up to rounding, not linear from 20
    raise ValueError(f"unknown loss {loss!r}")


def pair_losses(loss: Loss, logits: Tensor, pair: Tensor, context: Tensor) -> Tensor:
    """The loss of K pairs: logits (S, N, m), `pair` = context x m + target and `context`, both (K,); (S, K)."""
    potential = row_potential(loss, logits).index_select(1, context)
    return potential - logits.flatten(1).index_select(1, pair)

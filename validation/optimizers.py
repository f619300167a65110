"""The optimisers of real training: torch's own, sign descent, and decoupled weight decay for those that lack it."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from numerics.optimizer import Optimizer


class SignDescent(torch.optim.Optimizer):
    """Theta <- Theta - lr sign(gradient): Adam without its memory."""

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step on every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.add_(parameter.grad.sign(), alpha=-group["lr"])


def torch_optimizer(
    name: Optimizer, parameters: list[torch.nn.Parameter], rate: float, momentum: float, weight_decay: float
) -> torch.optim.Optimizer:
    """The optimiser by its name; `weight_decay` is torch's own: decoupled for adamw, else added to the gradient."""
    decay: dict[str, Any] = {"weight_decay": weight_decay}
    match name:
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, fused=True, **decay)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=rate, fused=True, **decay)
        case "momentum":
            return torch.optim.SGD(parameters, rate, momentum, foreach=True, **decay)
        case "sign":
            return SignDescent(parameters, rate)
        case _:
            return torch.optim.SGD(parameters, rate, foreach=True, **decay)


@torch.no_grad()
def decay(parameters: list[torch.nn.Parameter], share: float) -> None:
    """Theta <- (1 - share) Theta, share = learning rate x weight decay: before a step, it is decoupled weight decay."""
    for parameter in parameters:
        parameter.mul_(1.0 - share)

"""torchdiffeq as a peer: the logit-space equations in float64 by dopri8 and dopri5.

Importing this file needs the extra `peers`.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
import torchdiffeq
from torch import Tensor

from benchmarks.flow_problem import FlowProblem
from benchmarks.flow_solver import Solver

METHODS = ("dopri8", "dopri5")
# torchdiffeq interpolates between its steps, or is made to step onto every time of output.
OUTPUT = {"interpolated": False, "stepping onto outputs": True}
ABSOLUTE_SHARE = 1e-3  # atol / rtol, as ours


def logit_solvers(problem: FlowProblem, quick: bool = False) -> Iterator[Solver]:
    """odeint on dC/dtau."""
    trained = problem.shape[0]
    row, target = torch.arange(trained), torch.as_tensor(problem.target)
    own, across = torch.as_tensor(problem.context_kernel[:trained]), torch.as_tensor(problem.output_kernel)
    start, weight = torch.as_tensor(problem.initial_logits[:trained]), torch.as_tensor(problem.weight)
    output = torch.as_tensor(np.append(0.0, problem.log_time))

    def velocity(log_time: Tensor, coordinates: Tensor) -> Tensor:
        probability = torch.softmax(start + own @ coordinates @ across, dim=1)
        probability[row, target] = 0.0
        residual = -probability
        residual[row, target] = probability.sum(dim=1)
        return torch.exp(log_time) * weight * residual

    for method, (how, step_onto) in product(METHODS, OUTPUT.items()):
        if quick and (method, step_onto) != ("dopri8", True):
            continue
        options = {"step_t": output[1:]} if step_onto else {}

        def solve(rtol: float, method: str = method, options: dict[str, Tensor] = options) -> np.ndarray:
            zero = torch.zeros(problem.shape, dtype=torch.float64)
            with torch.no_grad():
                found = torchdiffeq.odeint(
                    velocity, zero, output, rtol=rtol, atol=ABSOLUTE_SHARE * rtol, method=method, options=options
                )
            return problem.logits_of_coordinates(found[1:].numpy())

        yield Solver("torchdiffeq on logits", f"{method}, {how}", solve)

"""diffrax as a peer: the logit-space equations in float64 under jax.jit, adaptive steps by PIDController.

Importing this file needs the extra `peers`. Compilation happens once a solver and is reported apart.
"""

from collections.abc import Iterator
from itertools import product

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.flow_problem import FlowProblem
from benchmarks.flow_solver import Solver
from benchmarks.rounds import seconds_of

SOLVERS = {"Dopri8": diffrax.Dopri8, "Tsit5": diffrax.Tsit5}
# diffrax interpolates between its steps, or is made to step onto every time of output.
OUTPUT = {"interpolated": False, "stepping onto outputs": True}
ABSOLUTE_SHARE = 1e-3  # atol / rtol, as ours
WARM_UP = 1e-6  # tolerance of the call that compiles


def logit_solvers(problem: FlowProblem, quick: bool = False) -> Iterator[Solver]:
    """diffeqsolve on dC/dtau, each solver compiled."""
    jax.config.update("jax_enable_x64", True)
    trained = problem.shape[0]
    row, target = np.arange(trained), problem.target
    output, every = jnp.asarray(problem.log_time), jnp.asarray(problem.context_kernel)
    own, across = jnp.asarray(problem.context_kernel[:trained]), jnp.asarray(problem.output_kernel)
    start, weight = jnp.asarray(problem.initial_logits), jnp.asarray(problem.weight)

    def velocity(log_time: jax.Array, coordinates: jax.Array, _: None) -> jax.Array:
        probability = jax.nn.softmax(start[:trained] + own @ coordinates @ across, axis=1)
        probability = probability.at[row, target].set(0.0)
        residual = (-probability).at[row, target].set(probability.sum(axis=1))
        return jnp.exp(log_time) * weight * residual

    for (name, solver), (how, step_onto) in product(SOLVERS.items(), OUTPUT.items()):
        if quick and (name, step_onto) != ("Dopri8", True):
            continue

        @jax.jit
        def states(rtol: jax.Array, solver: type = solver, step_onto: bool = step_onto) -> jax.Array:
            controller = diffrax.PIDController(rtol=rtol, atol=ABSOLUTE_SHARE * rtol)
            if step_onto:
                controller = diffrax.ClipStepSizeController(controller, step_ts=output)
            found = diffrax.diffeqsolve(
                diffrax.ODETerm(velocity),
                solver(),
                t0=0.0,
                t1=output[-1],
                dt0=None,
                y0=jnp.zeros(problem.shape),
                saveat=diffrax.SaveAt(ts=output),
                stepsize_controller=controller,
                max_steps=None,
                throw=False,  # a failed solve leaves infinities, whose error is judged as such
            )
            return start + every @ found.ys @ across

        def solve(rtol: float, states=states) -> np.ndarray:  # type: ignore[no-untyped-def]
            return np.asarray(states(rtol))

        first = seconds_of(lambda solve=solve: solve(WARM_UP))
        yield Solver(
            "diffrax on logits", f"{name}, {how}", solve, first - seconds_of(lambda solve=solve: solve(WARM_UP))
        )

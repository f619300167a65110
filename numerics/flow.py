"""The gradient flow of Theorem 1 (arXiv 2405.04669) integrated at any dimension, with an error bound.

Time t is step size x steps; the solver runs in tau = log(1 + t). Single-target flows are smooth there
(DOP853); several targets make them stiff (CVODE).
"""

from collections.abc import Iterator

import numpy as np

from numerics.certified_defect import CertifiedDefect
from numerics.error_bound import Defect, NumericalDefect, bounded_states
from numerics.estimate import DEFAULT_BYTE_LIMIT, TooLarge, estimate_flow
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.observables import observe, trajectory_of
from numerics.piecewise import Piece, explicit_pieces
from numerics.stiff import MILD_STIFFNESS, stiff_flow_pieces, stiffness
from numerics.trajectory import ErrorBound, Trajectory
from theory.task import Task

# Coordinates of unseen tokens are smaller than the target's by 1/m: the absolute tolerance must not hide
# them.
ABSOLUTE_SHARE = 1e-3

NUMERICAL_REASON = "convexity of the loss; Gauss-Legendre quadrature of the defect of every DOP853 step"
STIFF_REASON = (
    "convexity of the loss; quadrature of the defect of every step. Several targets: an inner "
    "equilibrium turns a solver error e into a defect of (1 + t) e, so this bound grows like t times the "
    "tolerance; the true error does not"
)


def integrate_flow(
    task: Task,
    gram: Gram,
    initial_logits: np.ndarray,
    time: np.ndarray,
    *,
    relative_tolerance: float = 1e-9,
    certified: bool = False,
    byte_limit: float = DEFAULT_BYTE_LIMIT,
) -> Trajectory:
    """Integrate dS/dt = K_in[:, A] F R K_out from S(0) = `initial_logits` (contexts, m) to each time (T,).

    Works to t = 1e12. The error bound on the parameters is `numerical`, or with `certified` enclosed in
    balls (single-target tasks, some thousand coordinates). Raises TooLarge before any work when the
    estimate exceeds `byte_limit`, IntegrationError when a solver gives up, ValueError on times that do not
    increase from 0 or later and on a certified flow with several targets.
    """
    estimate = estimate_flow(task, float(np.max(time, initial=0.0)), coupled=not gram.is_identity)
    if estimate.bytes > byte_limit:
        raise TooLarge(estimate, byte_limit)
    flow = LogitFlow(Kernels(task, gram), initial_logits)
    defect = CertifiedDefect(flow) if certified else numerical_defect(flow)
    observations, bounds = [], []
    change = np.zeros_like(initial_logits)
    for coordinates, bound in flow_states(flow, time, defect, relative_tolerance):
        change = flow.kernels.logit_change(coordinates)
        observations.append(observe(task, initial_logits, change))
        bounds.append(bound)
    return trajectory_of(
        observations,
        source="flow",
        model="transformer" if gram.dimension is None else "bilinear",
        dimension=gram.dimension,
        time=time,
        logits=initial_logits + change,
        error_bound=ErrorBound(np.array(bounds), defect.evidence, defect.reason),
    )


def numerical_defect(flow: LogitFlow) -> NumericalDefect:
    """The floating-point defect of the flow, with the reason that fits its solver."""
    single_target = flow.kernels.task.single_target
    return NumericalDefect(flow, NUMERICAL_REASON if single_target else STIFF_REASON)


def flow_states(
    flow: LogitFlow, time: np.ndarray, defect: Defect, relative_tolerance: float
) -> Iterator[tuple[np.ndarray, float]]:
    """Coordinates C (N, m) at each time (T,) and the bound on |Theta error|_F, one at a time."""
    _require_times(time)
    pieces = flow_pieces(flow, float(np.log1p(time[-1])), relative_tolerance)
    return bounded_states(pieces, defect, time, flow.shape)


def _require_times(time: np.ndarray) -> None:
    if len(time) == 0 or time[0] < 0 or (np.diff(time) <= 0).any() or not np.isfinite(time).all():
        raise ValueError(f"times must be finite and increase strictly from 0 or later, got {time}")


def flow_pieces(flow: LogitFlow, end: float, relative_tolerance: float) -> Iterator[Piece]:
    """The solution C (N, m) from C = 0 in tau = log(1 + t) up to tau = `end`, step by step."""
    absolute_tolerance = ABSOLUTE_SHARE * relative_tolerance
    if stiffness(flow.kernels.task, float(np.expm1(end))) <= MILD_STIFFNESS:
        return explicit_pieces(
            flow.log_time_velocity,
            np.zeros(flow.shape),
            end,
            relative_tolerance=relative_tolerance,
            absolute_tolerance=absolute_tolerance,
        )
    return stiff_flow_pieces(flow, end, relative_tolerance=relative_tolerance, absolute_tolerance=absolute_tolerance)


def logits_along(
    task: Task, gram: Gram, initial_logits: np.ndarray, time: np.ndarray, relative_tolerance: float = 1e-9
) -> np.ndarray:
    """The logits of every context at each time, (T, contexts, m), which `integrate_flow` does not keep."""
    changes = flow_changes(task, gram, initial_logits, time, relative_tolerance)
    return np.stack([initial_logits + change for change in changes])


def flow_changes(
    task: Task, gram: Gram, initial_logits: np.ndarray, time: np.ndarray, relative_tolerance: float = 1e-9
) -> Iterator[np.ndarray]:
    """S(t) - S(0) of every context at each time (T,), one (contexts, m) at a time, without an error bound.

    The bound costs as much as the integration; where only logits are asked for, at many times or for many draws, it is
    left out. Times as in `flow_states`.
    """
    _require_times(time)
    flow = LogitFlow(Kernels(task, gram), initial_logits)
    waiting = [float(t) for t in np.log1p(time)]
    for piece in flow_pieces(flow, waiting[-1], relative_tolerance):
        while waiting and waiting[0] <= piece.end:
            yield flow.kernels.logit_change(piece.value(waiting.pop(0)))

"""How far the first-order law can be from the flow it approximates: convexity, with the decoupled rows as
defect.

The decoupled rows C~(t) are an approximate trajectory of the flow at finite dimension; its parameters are
within the integral of the defect of the true ones (`error_bound`). The law reads C~ itself as the trained
logits' change where the parameters say K_AA C~ K_out; that difference is added as it stands.
"""

import numpy as np

from numerics.error_bound import NumericalDefect, bounded_states, logit_error
from numerics.flow import flow_pieces
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from theory.task import Task

REASON = "convexity of the loss; quadrature of the defect of the decoupled rows at the asked dimension"


def law_loss_error(
    task: Task, gram: Gram, initial_logits: np.ndarray, time: np.ndarray, relative_tolerance: float = 1e-9
) -> np.ndarray:
    """A bound (T,) on |loss of the law - loss of the flow| at each time, numerical.

    -log p moves by at most twice the largest change of its row's logits. Raises ValueError when a context
    has several tokens, IntegrationError when the solver gives up.
    """
    decoupled = LogitFlow(Kernels(task, Gram.identity(task.vocabulary_size)), initial_logits)
    coupled = LogitFlow(Kernels(task, gram), initial_logits)
    pieces = flow_pieces(decoupled, float(np.log1p(time[-1])), relative_tolerance)
    bounds = []
    trained = task.trained_contexts
    for change, error in bounded_states(pieces, NumericalDefect(coupled, REASON), time, decoupled.shape):
        read = float(np.max(np.abs(change - coupled.kernels.trained_logit_change(change))))
        moved = float(logit_error(coupled.kernels, error)[:trained].max())
        bounds.append(2.0 * (moved + read))
    return np.array(bounds)

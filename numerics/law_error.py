"""How far the closed form at G = I can be from the flow it approximates: convexity, with its rows as defect.

The decoupled rows C~(t), integrated at G = I, are coordinates of an approximate trajectory of the flow at finite
dimension; its parameters are within the integral of the defect of the true ones (`error_bound`). The closed form is as
far from C~ as the defect of C~ at G = I lets it be. So the logits S(0) + K C K_out that are read off the closed form C
(`first_order.law_and_reading`) lie within the sum of both of the flow's.

Neither defect sees an error of the right-hand side, which both share with C~: the bound stays as small as the coherence
of the embeddings makes it, and the distance of flow and closed form shows the error.
"""

from itertools import tee

import numpy as np
from scipy.linalg import eigvalsh

from numerics.error_bound import NumericalDefect, bounded_states
from numerics.flow import flow_pieces
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.trajectory import Trajectory
from theory.task import Task

REASON = "convexity of the loss; quadrature of the defect of the decoupled rows at the asked dimension"


def reading_error(
    task: Task, gram: Gram, initial_logits: np.ndarray, time: np.ndarray, relative_tolerance: float = 1e-9
) -> np.ndarray:
    """A bound (T,) on |S_A read off the closed form - S_A of the flow|_F, over all trained rows; numerical.

    Raises ValueError when a context has several tokens, IntegrationError when the solver gives up.
    """
    decoupled = LogitFlow(Kernels(task, Gram.identity(task.vocabulary_size)), initial_logits)
    coupled = LogitFlow(Kernels(task, gram), initial_logits)
    pieces, same = tee(flow_pieces(decoupled, float(np.log1p(time[-1])), relative_tolerance))
    coherence = bounded_states(pieces, NumericalDefect(coupled, REASON), time, decoupled.shape)
    integration = bounded_states(same, NumericalDefect(decoupled, REASON), time, decoupled.shape)
    stretch = largest_stretch(coupled.kernels)
    # K (C - C~) K_out moves the logits by at most stretch^2 |C - C~|_F, an error of Theta by at most its stretch
    return np.array(
        [stretch * error + stretch**2 * own for (_, error), (_, own) in zip(coherence, integration, strict=True)]
    )


def largest_stretch(kernels: Kernels) -> float:
    """sqrt(lambda_max(K_AA) lambda_max(K_out)): how far an error of norm one of Theta moves all trained rows."""
    spread = 0.0 if kernels.gram.is_identity else float(eigvalsh(kernels.gram.excess)[-1])
    return float(np.sqrt(eigvalsh(kernels.trained_kernel)[-1] * (1.0 + spread)))


def loss_slope(task: Task, trajectory: Trajectory) -> np.ndarray:
    """A bound (T,) on |grad_S L|_F = |F R|_F along a trajectory, from the probabilities that it keeps.

    -log p_b has the gradient p - e_b in its row's logits, of norm at most sqrt(2) (1 - p_b). The loss is convex in the
    logits, so between two states S and S' it differs by at most the larger of both slopes times |S - S'|_F.
    """
    missing = -np.expm1(trajectory.train_log_probability) * task.train_weight  # w_k (1 - p_k), (T, K)
    by_context = np.stack([np.bincount(task.train_context, w, task.trained_contexts) for w in missing])  # (T, N)
    return np.asarray(np.sqrt(2.0) * np.linalg.norm(by_context, axis=1))

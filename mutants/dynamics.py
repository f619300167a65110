"""Mutants of right-hand sides, steps and closed forms, and of what they rest on."""

from mutants.mutant import Mutant

FLOW = ("tests/numerics/test_flow.py",)
DESCENT = ("tests/numerics/test_descent.py",)
MEASURED = ("tests/validation/test_measurements.py",)
DECOUPLED = ("tests/numerics/test_decoupled.py",)
KERNELS = ("tests/numerics/test_kernels.py", "tests/numerics/test_nonexpansive.py")
ASKED = ("tests/numerics/test_asked_embedding.py",)

MUTANTS = (
    Mutant(
        "numerics.logit_flow",
        "LogitFlow.velocity",
        "return self.weight * residual(",
        "return 1.001 * self.weight * residual(",
        "a right-hand side 0.1% too large",
        FLOW,
    ),
    Mutant(
        "numerics.logit_flow",
        "LogitFlow.log_time_velocity",
        "np.exp(log_time) * self.velocity",
        "1.001 * np.exp(log_time) * self.velocity",
        "a clock 0.1% too fast",
        FLOW,
    ),
    Mutant(
        "numerics.descent",
        "_full_batch",
        "return slice(None), flow.weight * residual(",
        "return slice(None), 1.001 * flow.weight * residual(",
        "a step 0.1% too large",
        DESCENT,
    ),
    Mutant(
        "numerics.descent",
        "_one_example",
        "weight = pairs * task.train_weight[visited]",
        "weight = 1.001 * pairs * task.train_weight[visited]",
        "a step 0.1% too large",
        DESCENT,
    ),
    Mutant(
        "numerics.descent",
        "row_recursion",
        "learning_rate / (vocabulary_size - 1 +",
        "learning_rate / (vocabulary_size +",
        "the other tokens are M - 1",
        MEASURED,
    ),
    Mutant(
        "numerics.decoupled",
        "logit_gap",
        "right = vocabulary_size * scaled_time / s",
        "right = 1.001 * vocabulary_size * scaled_time / s",
        "a closed form 0.1% ahead of its time",
        DECOUPLED,
    ),
    Mutant(
        "numerics.decoupled",
        "RowPattern.velocity",
        "target = weights * mass[-1] + seen",
        "target = 1.001 * weights * mass[-1] + seen",
        "a right-hand side 0.1% too large",
        DECOUPLED,
    ),
    Mutant(
        "numerics.decoupled",
        "RowPattern.integrate",
        "error += self._norm(piece.value(piece.start) - reached) + self._defect(piece)",
        "error += self._norm(piece.value(piece.start) - reached)",
        "the defect of the steps is left out",
        DECOUPLED,
    ),
    Mutant(
        "numerics.kernels",
        "Kernels.nonexpansive_step",
        "return 4.0 / (steepest * spread)",
        "return 8.0 / (steepest * spread)",
        "the curvature of a row reaches 1/2, so that 2 over it is 4",
        KERNELS,
    ),
    Mutant(
        "numerics.kernels",
        "Kernels.nonexpansive_step",
        "spread = 1.0 if self.gram.is_identity else 1.0 + float(eigvalsh(self.gram.excess)[-1])",
        "spread = 1.0",
        "embeddings that overlap steepen the loss",
        KERNELS,
    ),
    Mutant(
        "numerics.losses",
        "CURVATURE",
        '"cross-entropy": 0.5',
        '"cross-entropy": 0.25',
        "the curvature of a softmax row reaches 1/2",
        ("tests/numerics/test_losses.py",),
    ),
    Mutant(
        "numerics.asked_embedding",
        "_draws",
        "scale = gram.dimension**-0.5",
        "scale = 0.9 * gram.dimension**-0.5",
        "embeddings are N(0, I/d)",
        ASKED,
    ),
    Mutant(
        "numerics.asked_embedding",
        "predicted_index",
        "neglected.append(abs(",
        "neglected.append(0 * abs(",
        "coordinates depend on the asked embedding themselves",
        ASKED,
    ),
    Mutant(
        "numerics.gram",
        "chi_square_excess",
        "(lost + 2.0 / 3.0) / dimension",
        "(lost + 1.0 / 3.0) / dimension",
        "the mean of chi^2_k/d - 1 is -lost/d",
        ("tests/numerics/test_gram.py",),
    ),
)

"""Mutants of what is measured and of how it is judged."""

from mutants.mutant import Mutant

EXPONENT = ("tests/numerics/test_exponent.py",)
COMPARED = ("tests/validation/test_compare.py",)
MEASURED = ("tests/validation/test_measurements.py",)

MUTANTS = (
    Mutant(
        "numerics.exponent",
        "measure_exponent",
        "fallen_error, reverse_error = 2.0 * error, 2.0 * asked_weight * error",
        "fallen_error, reverse_error = 2.0 * error, 0.5 * asked_weight * error",
        "log L_rev moves by up to twice what its logits do",
        EXPONENT,
    ),
    Mutant(
        "numerics.exponent",
        "measure_exponent",
        "np.sign(drop) * fallen_error[sure]",
        "fallen_error[sure]",
        "a rising reversal loss makes a smaller fall the worse one",
        EXPONENT,
    ),
    Mutant(
        "numerics.exponent",
        "measure_exponent",
        "at_target = float(np.append(0.0, reverse)[around].min())",
        "at_target = float(np.append(0.0, reverse)[around].max())",
        "the loss target is passed between two states",
        EXPONENT,
    ),
    Mutant(
        "validation.measurements",
        "_states",
        "yield change, error + rounding_tolerance(1, terms, [kernels], float(np.abs(change).max()))",
        "yield change, rounding_tolerance(1, terms, [kernels], float(np.abs(change).max()))",
        "a flow is off by what its solver does",
        EXPONENT,
    ),
    Mutant(
        "validation.measurements",
        "_states",
        "if stable else np.inf",
        "if stable or step else np.inf",
        "beyond the nonexpansive step rounding may grow without bound",
        MEASURED,
    ),
    Mutant(
        "validation.measurements",
        "_asked_weight",
        "total = np.abs(_asked_untrained(kernels)).sum(axis=0)",
        "total = np.abs(_asked_untrained(kernels).sum(axis=0))",
        "weights of either sign carry errors",
        MEASURED,
    ),
    Mutant(
        "validation.measurements",
        "Measurements.failure_interval",
        "confidence_level=1 - FALSE_ALARM",
        "confidence_level=0.9",
        "a false alarm in a tenth of all runs",
        MEASURED,
    ),
    Mutant(
        "validation.measurements",
        "Measurements.settled_loss",
        "2.0 * len(task.train_context) / time",
        "0.001 * len(task.train_context) / time",
        "late the loss lies up to K/t above its floor",
        MEASURED,
    ),
    Mutant(
        "validation.measurements",
        "_sandwich_gap",
        "logit_gap(step * visits, 1, m) / m",
        "logit_gap(step * visits, 1, m) / (m + 1)",
        "h is the gap of logits over M",
        MEASURED,
    ),
    Mutant(
        "validation.compare",
        "rounding_tolerance",
        "return 4 * EPSILON * (steps + terms)",
        "return 4e3 * EPSILON * (steps + terms)",
        "errors a thousand times those of rounding are excused",
        MEASURED,
    ),
    Mutant(
        "validation.compare",
        "judge",
        "measured > bound if above else measured <= bound",
        "measured > bound if above else measured <= 1.1 * bound",
        "a bound is a bound",
        COMPARED,
    ),
)

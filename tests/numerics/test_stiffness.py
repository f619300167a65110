"""Which solver integrates several targets is a matter of cost, never of the result."""

import numpy as np
import pytest

import numerics.flow
from numerics.flow import integrate_flow
from numerics.gram import Gram
from numerics.stiff import stiffness
from theory.task import Statement, build_task, reversal_task


def family():
    """A parent with two children of unequal weight among three single-target contexts; half of the weight is on it."""
    pairs = [("parent", "first", 2.0), ("parent", "second", 1.0), ("x", "y", 1.0), ("u", "v", 1.0), ("v", "u", 1.0)]
    statements = [Statement((a,), b, "->", w) for a, b, w in pairs]
    return build_task("family", statements, [Statement(("y",), "x", "<-")], vocabulary=12)


@pytest.mark.parametrize("dimension", [30.0, 1e6])
def test_explicit_and_implicit_solvers_agree(dimension: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """DOP853 and BDF give the same logits at t = 200 within the sum of their error bounds."""
    task, time = family(), np.array([0.0, 1.0, 30.0, 200.0])
    rng = np.random.default_rng(1)
    gram = Gram.draw(task.vocabulary_size, dimension, rng)
    start = gram.initial_logits(task.features, 0.1, rng)
    results = []
    for threshold in (0.0, np.inf):
        monkeypatch.setattr(numerics.flow, "MILD_STIFFNESS", threshold)
        results.append(integrate_flow(task, gram, start, time))
    implicit, explicit = results
    # a logit moves by at most |phi| |v| times the error of the parameters; |phi|^2 and |v|^2 are below 4 at these draws
    allowed = 4.0 * (implicit.error_bound.parameters[-1] + explicit.error_bound.parameters[-1])
    gap = np.abs(implicit.logits - explicit.logits).max()
    assert 0.0 < gap <= allowed
    assert allowed < 1e-3


def test_stiffness_is_that_of_several_targets() -> None:
    """(1 + t) times the largest share of a context with several targets; nothing for single-target tasks."""
    assert stiffness(family(), 199.0) == pytest.approx(200 * 3 / 6)
    assert stiffness(reversal_task(3), 1e12) == 0.0

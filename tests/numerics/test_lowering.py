"""The numerical right-hand sides are the derived ones: each symbolic tree, lowered to a function, gives the same."""

import itertools

import numpy as np
import pytest

from numerics.decoupled import RowPattern, logit_gap
from numerics.descent import DescentSettings, initial_share, row_recursion
from numerics.first_order import first_order_law
from numerics.gram import Gram
from numerics.kernels import Kernels
from numerics.logit_flow import LogitFlow
from numerics.observables import observe
from numerics.residual import residual
from theory import bilinear, decoupled_row, first_order, sgd_row
from theory.indexed import unfold
from theory.interpolation import eta, momentum, weight_decay
from theory.lowering import evaluate
from theory.notation import G, N, R, a, bhat, c, ell, f, m, p, softmax, x
from theory.notation import residual as derived_residual
from theory.statement import Instance
from theory.task import Statement, Task, build_task

# Sums of at most a few dozen terms of order one in double precision.
RELATIVE = 1e-12


def task_with_conflict() -> Task:
    """Three trained contexts, one with two targets, and one asked; tokens numbered like contexts."""
    pairs = [("a", "b", 1.0), ("a", "c", 3.0), ("b", "d", 2.0), ("c", "a", 1.0)]
    statements = [Statement((s,), t, "->", w) for s, t, w in pairs]
    return build_task("conflict", statements, [Statement(("d",), "b", "<-")], vocabulary=6)


@pytest.fixture
def instance() -> tuple[Task, LogitFlow, Instance]:
    """A flow at a random state, and the same arrays under the letters of the derivation."""
    task, rng = task_with_conflict(), np.random.default_rng(3)
    gram = Gram.explicit(rng.normal(size=(task.vocabulary_size, 9)) / 3)
    logits = rng.normal(size=(len(task.contexts), task.vocabulary_size))
    order = [context[0] for context in task.contexts]
    full = np.zeros((task.vocabulary_size,) * 2)
    full[: len(order)] = logits
    whole = np.eye(task.vocabulary_size) + gram.excess
    # the derivation numbers tokens like contexts; renumber the Gram matrix's rows the same way
    rest = [t for t in range(task.vocabulary_size) if t not in order]
    kernel = whole[np.ix_(order + rest, order + rest)]
    letters: Instance = {
        m: task.vocabulary_size,
        N: task.trained_contexts,
        f: task.context_weight,
        bhat: task.target_distribution.toarray()[:, order + rest],
        ell: full[:, order + rest],
        G: kernel,
    }
    return task, LogitFlow(Kernels(task, gram), logits), letters


def test_residual_is_the_derived_one(instance: tuple[Task, LogitFlow, Instance]) -> None:
    """numerics.residual equals bhat - softmax, entry by entry, in the derivation's own tree."""
    task, flow, letters = instance
    numbers = residual(flow.initial_logits[: task.trained_contexts], task.target_distribution)
    order = [context[0] for context in task.contexts]
    order += [t for t in range(task.vocabulary_size) if t not in order]
    tree = unfold(derived_residual(a, x), {p: softmax})
    for row in range(task.trained_contexts):
        for column, token in enumerate(order):
            assert numbers[row, token] == pytest.approx(evaluate(tree, {**letters, a: row, x: column}), rel=RELATIVE)


def test_flow_velocity_is_the_derived_logit_rate(instance: tuple[Task, LogitFlow, Instance]) -> None:
    """K_in F R K_out of the integrator equals the derived dS/dt for every context, trained or asked."""
    task, flow, letters = instance
    moved = flow.kernels.logit_change(flow.velocity(np.zeros(flow.shape)))
    order = [context[0] for context in task.contexts]
    order += [t for t in range(task.vocabulary_size) if t not in order]
    tree = unfold(bilinear.logit_rate(c, x), {R: derived_residual, p: softmax})
    for row in range(len(task.contexts)):
        for column, token in enumerate(order):
            expected = evaluate(tree, {**letters, c: row, x: column})
            assert moved[row, token] == pytest.approx(expected, rel=1e-10, abs=1e-13)


def test_loss_is_the_derived_one(instance: tuple[Task, LogitFlow, Instance]) -> None:
    """observe's loss equals the derivation's loss in its logits."""
    task, flow, letters = instance
    observed = observe(task, flow.initial_logits, np.zeros_like(flow.initial_logits))
    assert observed.loss == pytest.approx(evaluate(bilinear.loss(), letters), rel=RELATIVE)


@pytest.mark.parametrize(("targets", "others"), [(1, 5), (2, 3), (4, 1), (1, 99)])
def test_decoupled_row_is_the_derived_one(targets: int, others: int) -> None:
    """Velocity of the two levels, closed form and its late time equal the derived trees, for several s and m."""
    size, share = targets + others, 0.3
    pattern = RowPattern((1.0 / targets,), (targets,), size)
    sizes = {decoupled_row.s: targets, decoupled_row.r: others, decoupled_row.share: share}
    for gap in (0.0, 0.4, 3.0):
        values = {**sizes, decoupled_row.z: gap}
        levels = np.array(
            [
                evaluate(level(decoupled_row.z), values)
                for level in (decoupled_row.target_logit, decoupled_row.other_logit)
            ]
        )
        rate = evaluate(decoupled_row.row_rate(decoupled_row.z), values)
        target, other = share * pattern.velocity(levels)
        assert target - other == pytest.approx(rate, rel=RELATIVE)
    for at in (0.01, 2.0, 500.0):
        expected = evaluate(decoupled_row.closed_form(decoupled_row.time), {**sizes, decoupled_row.time: at})
        # the closed form as written subtracts two logarithms of order one at small times
        assert logit_gap(np.array([share * at]), targets, size)[0] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_row_recursion_is_the_derived_one() -> None:
    """Every h_{k+1} equals the derived h_k + eta phi(h_k)."""
    size, step = 7, 0.9
    rows = row_recursion(size, step, 12)
    tree = sgd_row.h + sgd_row.eta * sgd_row.phi(sgd_row.h)
    for before, after in itertools.pairwise(rows):
        assert after == pytest.approx(evaluate(tree, {m: size, sgd_row.eta: step, sgd_row.h: before}), rel=RELATIVE)


def test_initial_share_obeys_the_derived_recursion() -> None:
    """rho_{k+1} = (1 + beta - eta lambda) rho_k - beta rho_{k-1}, and the power without momentum."""
    heavy = DescentSettings("momentum", 0.2, momentum=0.7, weight_decay=0.3)
    rho = initial_share(heavy, 20)
    values = {eta: 0.2, weight_decay: 0.3, momentum: 0.7}
    first = evaluate(1 + momentum - eta * weight_decay, values)
    for k in range(1, 20):
        assert rho[k + 1] == pytest.approx(first * rho[k] - evaluate(momentum, values) * rho[k - 1], rel=RELATIVE)
    plain = initial_share(DescentSettings("sgd", 0.2, weight_decay=0.3), 20)
    assert plain == pytest.approx(evaluate(1 - eta * weight_decay, values) ** np.arange(21), rel=RELATIVE)


def test_first_order_law_is_the_derived_combination() -> None:
    """The law's reverse logit, less its row mean, is -sum_a w_a h_a, as the derivation says for an unseen answer."""
    pairs, size = 3, 10
    names = [(f"A{i}", f"B{i}") for i in range(pairs)]
    statements = [Statement((s,), t, "->") for s, t in names] + [Statement((t,), s, "<-") for s, t in names[1:]]
    task = build_task("reversal", statements, [Statement(("B0",), "A0", "<-")], vocabulary=size)
    gram = Gram.draw(size, 1e6, np.random.default_rng(0))
    time = np.array([0.0, 40.0])
    start = np.zeros((len(task.contexts), size))
    law = first_order_law(task, gram, start, time)
    weights = Kernels(task, gram).interpolation_weights[:, 0]
    h = logit_gap(task.context_weight * time[-1], 1, size) / size
    tree = first_order.derive_answer_logit().identity.rhs
    values = {N: task.trained_contexts, first_order.w: weights, first_order.h: h}
    # a sum of N terms that cancel in part
    assert law.query_logit_change[-1, 0] == pytest.approx(evaluate(tree, values), rel=1e-10)

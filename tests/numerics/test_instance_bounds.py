"""Bounds of one instance against direct computation in high precision, and eigenvalues against known spectra."""

import numpy as np
import pytest
from flint import arb
from mpmath import mp, mpf

from numerics import eigenvalue_enclosure
from numerics.eigenvalue_enclosure import enclose_eigenvalues, extreme_eigenvalues
from numerics.gram import Gram
from numerics.instance_bounds import instance_bounds
from theory.task import Statement, Task, build_task, chain_of_thought_task, first_pairs, reversal_task

mp.dps = 40


def drawn(seed: int = 0, dimension: float = 200.0, scale: float = 0.2, pairs: int = 3, size: int = 9):  # type: ignore[no-untyped-def]
    """A task with its Gram matrix, start and bounds."""
    task = reversal_task(pairs, vocabulary=size)
    rng = np.random.default_rng(seed)
    gram = Gram.draw(size, dimension, rng)
    start = gram.initial_logits(task.features, scale, rng)
    return task, gram, start, instance_bounds(task, gram, start)


@pytest.mark.parametrize("seed", range(5))
def test_norms_enclose_and_are_tight(seed: int) -> None:
    """mu, row sums and query norms are at least the exact ones, and by at most 1e-13 relative."""
    task, gram, _, bounds = drawn(seed)
    excess = gram.excess
    token = [c[0] for c in task.contexts]
    trained = token[: task.trained_contexts]
    row_sum = max(sum(abs(mpf(excess[a, b])) for b in trained if b != a) for a in trained)
    query = token[task.queries[0].context]
    one = sum(abs(mpf(excess[query, a])) for a in trained)
    two = mp.sqrt(sum(mpf(excess[query, a]) ** 2 for a in trained))
    q = bounds.queries[0]
    for ball, exact in (
        (bounds.coherence, np.abs(excess).max()),
        (bounds.row_sum, row_sum),
        (q.one_norm, one),
        (q.two_norm, two),
    ):
        assert exact <= mpf(float(ball.upper())) * (1 + mpf(2) ** -50)
        assert float(ball) == pytest.approx(float(exact), rel=1e-13)
    assert (q.trained, q.answers, q.answer_targets, q.free_tokens) == (False, 1, 0, 9 - len(set(task.train_target)))


@pytest.mark.parametrize("seed", range(5))
def test_start_is_enclosed(seed: int) -> None:
    """Log-odds, ranges and the query's loss at the start against 40 digits."""
    task, _, start, bounds = drawn(seed)
    log_odds, ranges = [], []
    for a, b in zip(task.train_context, task.train_target, strict=True):
        others = [mpf(x) for k, x in enumerate(start[a]) if k != b]
        log_odds.append(-mp.log(sum(mp.exp(x - mpf(start[a, b])) for x in others)))
        ranges.append(max(others) - min(others))
    low, high = (mpf(float(ball)) for ball in bounds.log_odds)
    assert abs(low - min(log_odds)) < 1e-13
    assert abs(high - max(log_odds)) < 1e-13
    assert float(bounds.logit_range) >= max(ranges) - mpf(10) ** -30
    assert float(bounds.logit_range) == pytest.approx(float(max(ranges)), rel=1e-14)
    query = task.queries[0]
    row = [mp.exp(mpf(x)) for x in start[query.context]]
    loss = -mp.log(row[query.answers[0]] / sum(row))
    assert float(bounds.queries[0].loss) == pytest.approx(float(loss), rel=1e-13)
    assert float(bounds.queries[0].largest) == pytest.approx(float(max(row) / sum(row)), rel=1e-13)
    assert float(bounds.queries[0].smallest) == pytest.approx(float(min(row) / sum(row)), rel=1e-13)


@pytest.mark.parametrize("growth", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("build", [reversal_task, chain_of_thought_task])
def test_pulls_bound_every_admissible_distribution(growth: float, build) -> None:  # type: ignore[no-untyped-def]
    """No random distributions with largest/smallest <= 1 + growth pull more down, or less up, than the bounds say."""
    task = build(3)
    rng = np.random.default_rng(1)
    size = task.vocabulary_size
    gram = Gram.draw(size, 500.0, rng)
    start = gram.initial_logits(task.features, 0.1, rng)
    bounds = instance_bounds(task, gram, start)
    whole = np.eye(size) + gram.excess
    token = [c[0] for c in task.contexts]
    worst = 0.0
    for number, query in enumerate(task.queries):
        signed = bounds.queries[number].signed
        assert signed is not None
        down, up = signed.pulls(arb(growth))
        force = np.exp(start[query.context]) / np.exp(start[query.context]).sum()
        force[query.answers[0]] -= 1
        for _ in range(200):
            total_down = total_up = 0.0
            for a, b in zip(task.train_context, task.train_target, strict=True):
                weight = np.where(rng.random(size) < 0.5, 1.0, 1.0 + growth)
                weight[b] = 0.0
                direction = -weight / weight.sum()
                direction[b] += 1.0
                pull = whole[token[query.context], token[a]] * (direction @ whole @ force)
                total_down, total_up = total_down + max(-pull, 0.0), total_up + max(pull, 0.0)
            assert total_down <= float(down) + 1e-12
            assert total_up >= float(up) - 1e-12
            worst = max(worst, total_down / float(down)) if float(down) > 0 else worst
    assert worst > 0.7  # and the bound is not far above what occurs


def test_floor_counts_the_tokens_that_no_row_lowers() -> None:
    """At a zero start the floor is the log of: the answer, tokens that are no target, targets of rows with w_a > 0."""
    task, gram, _, bounds = drawn(scale=0.0, dimension=1e12)
    signed = bounds.queries[0].signed
    assert signed is not None
    token = [c[0] for c in task.contexts]
    weight = gram.excess[token[task.queries[0].context], token[: task.trained_contexts]]
    kept = 9 - len({int(b) for a, b in zip(task.train_context, task.train_target, strict=True) if weight[a] < 0})
    assert float(signed.floor) == pytest.approx(np.log(kept), rel=1e-14)


def test_no_floor_where_the_answer_may_rise() -> None:
    """If the answer is the target of a row with w_a > 0, its loss can fall to zero: no floor is given."""
    task = build_task(
        "control",
        [Statement(("a",), "b", "r"), Statement(("c",), "x", "r")],
        [Statement(("q",), "x", "r")],
        vocabulary=8,
    )
    token = [c[0] for c in task.contexts]
    for sign in (1.0, -1.0):
        excess = np.zeros((8, 8))
        excess[token[2], token[1]] = excess[token[1], token[2]] = sign * 1e-3
        gram = Gram(1e6, excess)
        bounds = instance_bounds(task, gram, np.zeros((3, 8)))
        signed = bounds.queries[0].signed
        assert signed is not None
        assert (float(signed.floor) > 0) == (sign < 0)
        assert bounds.queries[0].answer_targets == 1


def test_several_targets_are_refused() -> None:
    """Rows with several targets have no such bounds."""
    task = build_task("two", [Statement(("a",), "t", "r"), Statement(("a",), "u", "r")], [])
    with pytest.raises(ValueError, match="single-target"):
        instance_bounds(task, Gram.identity(task.vocabulary_size), np.zeros((1, task.vocabulary_size)))


def test_eigenvalues_enclose_known_ones() -> None:
    """A matrix with chosen spectrum: the bounds lie outside it, by less than 1e-13."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    spectrum = np.linspace(-0.3, 0.5, 30)
    matrix = turn @ np.diag(spectrum) @ turn.T
    matrix = (matrix + matrix.T) / 2
    least, most = extreme_eigenvalues(matrix)
    assert float(least) == pytest.approx(-0.3, abs=1e-13)
    assert float(most) == pytest.approx(0.5, abs=1e-13)
    exact_least = min(mp.eigsy(mp.matrix(matrix.tolist()), eigvals_only=True))
    assert float(least) <= exact_least


def test_eigenvalues_of_a_gram_matrix() -> None:
    """1 + the extremes of E, and of its trained block; a singular G has a least eigenvalue of zero at most."""
    rng = np.random.default_rng(2)
    gram = Gram.draw(12, 300.0, rng)
    trained = np.arange(5)
    least_trained, least, most = enclose_eigenvalues(gram.excess, trained)
    whole = np.linalg.eigvalsh(np.eye(12) + gram.excess)
    assert float(least) == pytest.approx(whole[0], rel=1e-12)
    assert float(most) == pytest.approx(whole[-1], rel=1e-12)
    block = np.linalg.eigvalsh(np.eye(5) + gram.excess[:5, :5])
    assert float(least_trained) == pytest.approx(block[0], rel=1e-12)
    singular = Gram.explicit(rng.normal(size=(6, 3)))
    assert float(enclose_eigenvalues(singular.excess, trained[:2])[1]) < 1e-12


def test_part_of_a_task_has_bounds_too() -> None:
    """A task cut from a larger one, with contexts that are asked only, is bounded without error."""
    task = first_pairs(reversal_task(6, held_out=3), 5)
    bounds = instance_bounds(
        task, Gram.identity(task.vocabulary_size), np.zeros((len(task.contexts), task.vocabulary_size))
    )
    assert bounds.contexts == task.trained_contexts


@pytest.mark.parametrize("turned", [0.0, 1e-3])
@pytest.mark.parametrize("scaled", [0.999, 1.0, 1.001])
def test_eigenvalues_are_enclosed_by_inexact_eigenvectors(
    turned: float, scaled: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eigenvectors that are turned, too short or too long widen the bounds, which stay on their sides."""
    matrix = np.diag([-0.3, -0.1, 0.2, 0.5])
    turn = np.eye(4)
    for i, j in ((0, 1), (2, 3)):
        turn[[i, j], [i, j]], turn[i, j], turn[j, i] = np.cos(turned), -np.sin(turned), np.sin(turned)
    monkeypatch.setattr(eigenvalue_enclosure, "eigh", lambda symmetric: (np.diag(symmetric), scaled * turn))
    least, most = extreme_eigenvalues(matrix)
    assert -0.3 - 5e-3 < float(least) <= -0.3
    assert 0.5 <= float(most) < 0.5 + 5e-3


# -- every constant against exact arithmetic --
def exact(ball: arb) -> mpf:
    """The upper end of a ball as it is, all its bits kept."""
    mantissa, exponent = ball.upper().mid().man_exp()
    return mpf(int(mantissa)) * mpf(2) ** int(exponent)


def rows_of(task: Task) -> tuple[list[int], int]:
    """The tokens of the trained contexts, and that of the first query's."""
    token = [context[0] for context in task.contexts]
    return token[: task.trained_contexts], token[task.queries[0].context]


def weights(task: Task, gram: Gram) -> mp.matrix:
    """w = G_AA^-1 G_Aq of the first query, to 40 digits."""
    trained, query = rows_of(task)
    inner = mp.matrix([[mpf(gram.excess[a, b]) + (a == b) for b in trained] for a in trained])
    return mp.lu_solve(inner, mp.matrix([mpf(gram.excess[query, a]) for a in trained]))


@pytest.mark.parametrize("seed", range(20))
def test_sums_are_rounded_outwards(seed: int) -> None:
    """Sums of absolute couplings and ranges are at least the exact ones to the last bit, losses at most."""
    task, gram, start, bounds = drawn(seed, pairs=8, size=18)
    trained, query = rows_of(task)
    excess = gram.excess
    rows = [sum((abs(mpf(excess[a, b])) for b in trained if b != a), mpf(0)) for a in trained]
    assert exact(bounds.row_sum) >= max(rows)
    asked = bounds.queries[0]
    assert exact(asked.one_norm) >= sum(abs(mpf(excess[query, a])) for a in trained)
    assert exact(asked.two_norm) >= mp.sqrt(sum(mpf(excess[query, a]) ** 2 for a in trained))
    ranges = []
    for a, b in zip(task.train_context, task.train_target, strict=True):
        others = [mpf(x) for k, x in enumerate(start[a]) if k != b]
        ranges.append(max(others) - min(others))
    assert exact(bounds.logit_range) >= max(ranges)
    row = [mp.exp(mpf(x)) for x in start[task.queries[0].context]]
    assert -exact(-asked.loss) <= -mp.log(row[task.queries[0].answers[0]] / sum(row))
    assert exact(asked.largest) >= max(row) / sum(row)
    assert -exact(-asked.smallest) <= min(row) / sum(row)


@pytest.mark.parametrize("seed", range(20))
def test_interpolation_weights_are_bounded_and_their_signs_are_sure(seed: int) -> None:
    """sum |w| by exact solution is at most its bound, and no row with w < 0 has a target that the floor counts."""
    task, gram, start, bounds = drawn(seed, dimension=900.0, pairs=4, size=12)
    signed = bounds.queries[0].signed
    assert signed is not None
    found = weights(task, gram)
    assert exact(signed.weight_sum) >= sum(abs(x) for x in found)
    answer, query = task.queries[0].answers[0], task.queries[0].context
    sure = [
        k
        for k in range(12)
        if k == answer
        or all(found[int(a)] >= 0 for a, b in zip(task.train_context, task.train_target, strict=True) if b == k)
    ]
    lowest = mp.log(sum(mp.exp(mpf(start[query, k]) - mpf(start[query, answer])) for k in sure))
    assert exact(signed.floor) <= lowest
    assert float(signed.floor) > 0


def opposing(coupling: float, inner: float, size: int = 10) -> tuple[Task, Gram]:
    """Three rows whose tokens have the product -`inner` with each other and with themselves, less one; G_qa is given.

    w = G_AA^-1 G_Aq is then as large as a row sum of `inner` allows.
    """
    task = reversal_task(2, vocabulary=size)
    trained, query = rows_of(task)
    excess = np.zeros((size, size))
    excess[np.ix_(trained, trained)] = -inner
    excess[query, trained] = excess[trained, query] = coupling
    return task, Gram(100.0, excess)


def test_the_bound_on_the_weights_is_attained() -> None:
    """With G_AA - I = -c everywhere sum |w| is |G_qA|_1 / (1 - 3c) exactly, and that is the bound."""
    for inner in (0.05, 0.2, 0.3):
        task, gram = opposing(1e-3, inner)
        bounds = instance_bounds(task, gram, np.zeros((len(task.contexts), 10)))
        signed = bounds.queries[0].signed
        assert signed is not None
        total = sum(abs(x) for x in weights(task, gram))
        assert float(total) == pytest.approx(3e-3 / (1 - 3 * inner), rel=1e-12)
        assert total <= exact(signed.weight_sum) <= total * (1 + mpf(10) ** -12)


def test_a_sign_that_the_couplings_hide_is_not_believed() -> None:
    """A row with G_qa > 0 but w_a < 0 lowers its target, which the floor must not count."""
    task, gram = opposing(1e-3, 0.0)
    trained, query = rows_of(task)
    excess = gram.excess.copy()
    # the first row is coupled to q only through the second, against its own small coupling
    excess[trained[0], trained[1]] = excess[trained[1], trained[0]] = 0.2
    excess[query, trained[0]] = excess[trained[0], query] = 1e-4
    hidden = Gram(100.0, excess)
    found = weights(task, hidden)
    assert found[0] < 0 < excess[query, trained[0]]
    bounds = instance_bounds(task, hidden, np.zeros((len(task.contexts), 10)))
    signed = bounds.queries[0].signed
    assert signed is not None
    kept = 10 - len({int(b) for a, b in zip(task.train_context, task.train_target, strict=True) if found[int(a)] < 0})
    assert float(signed.floor) <= np.log(kept)


@pytest.mark.parametrize("build", [reversal_task, chain_of_thought_task])
def test_pulls_at_equal_logits_are_known_to_their_rounding(build) -> None:  # type: ignore[no-untyped-def]
    """(e_b - pi) G (p - e_x) at uniform pi, in 40 digits: within `rounding` of `centre`, which is not exact itself."""
    task = build(4)
    size = task.vocabulary_size
    rng = np.random.default_rng(4)
    gram = Gram.draw(size, 300.0, rng)
    start = gram.initial_logits(task.features, 0.3, rng)
    signed = instance_bounds(task, gram, start).queries[0].signed
    assert signed is not None
    query = task.queries[0]
    row = [mp.exp(mpf(x)) for x in start[query.context]]
    force = [x / sum(row) - (k == query.answers[0]) for k, x in enumerate(row)]
    felt = [force[i] + sum(mpf(gram.excess[i, j]) * force[j] for j in range(size)) for i in range(size)]
    off = []
    for a, b in zip(task.train_context, task.train_target, strict=True):
        pull = felt[b] - sum(felt[k] for k in range(size) if k != b) / (size - 1)
        off.append(abs(pull - mpf(float(signed.centre[a]))))
        assert off[-1] <= exact(signed.rounding)
    assert max(off) > 0
    # what a distribution that is not uniform may add: growth times half of what the entries scatter, exactly
    middle = sorted(felt)[size // 2]
    scatter = sum(abs(x - middle) for x in felt) / (size - 1)
    assert scatter * (1 - mpf(10) ** -9) <= exact(signed.spread)


@pytest.mark.parametrize("seed", range(5))
def test_sums_over_rows_with_one_target(seed: int) -> None:
    """Absolute couplings to the other rows with a's own target, and to those with any one target, by plain loops."""
    rows = [Statement((f"a{i}",), f"b{i % 2}", "r") for i in range(5)]
    task = build_task("shared", rows, [Statement(("q",), "x", "r")])
    size = task.vocabulary_size
    excess = Gram.draw(size, 100.0, np.random.default_rng(seed)).excess
    bounds = instance_bounds(task, Gram(100.0, excess), np.zeros((len(task.contexts), size)))
    trained, _ = rows_of(task)

    def total(a: int, target: int) -> mpf:
        return sum(abs(mpf(excess[trained[a], trained[c]])) for c in range(5) if c != a and c % 2 == target)

    same, any_one = max(total(a, a % 2) for a in range(5)), max(total(a, b) for a in range(5) for b in range(2))
    for ball, largest in ((bounds.same_target_sum, same), (bounds.target_sum, any_one)):
        assert largest <= exact(ball) <= largest * (1 + mpf(10) ** -13)

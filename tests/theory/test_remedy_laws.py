"""Losses, spaces of parameters and optimisers: each law is proved, its twins fail, and descent by differences agrees.

The cross-checks know the losses as plain functions of the parameters: their gradients are central differences, their
flows integrate those, so that nothing of a derivation is used to make the trajectory it is compared with.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import expit, log_softmax

from theory import (
    asked_embedding,
    asked_target,
    factorised,
    factorised_flow,
    laws,
    losses,
    sign_descent,
    squared_closed_form,
    symmetric,
    trained_embeddings,
    weight_decay,
)
from theory.bilinear import gradient
from theory.notation import N, Theta, bhat, d, delta, ell, f, gamma, m, v
from theory.statement import ROUNDING, Identity, IndexedSums

MODULES = (
    losses,
    squared_closed_form,
    symmetric,
    factorised,
    factorised_flow,
    trained_embeddings,
    weight_decay,
    asked_embedding,
    asked_target,
    sign_descent,
)
LAWS = [law for module in MODULES for law in module.LAWS]
DERIVATIONS = {law.derive().id: law for law in LAWS}
TWINS = {twin.id: twin for law in LAWS for twin in law.twins()}

Array = np.ndarray
Loss = Callable[[Array], float]
RowLoss = Callable[[Array, Array], Array]

TRAINED, TOKENS, DIMENSION = 2, 4, 3
# a central difference at 1e-5 of a loss of order one: 1e-10 from its third derivative, 1e-11 from rounding
DIFFERENCE, DIFFERENCE_ERROR = 1e-5, 1e-9
# DOP853 holds its local error below 1e-9 a step, over some tens of steps, in parameters that embeddings of length one
# and weights w_q of at most ten turn into what is compared
TOLERANCE, FLOW_ERROR = 1e-9, 1e-6


def cross_entropy(logits: Array, targets: Array) -> Array:
    """-sum_j bhat_j log p_j of every row."""
    return -np.sum(targets * log_softmax(logits, axis=-1), axis=-1)


def squared(logits: Array, targets: Array) -> Array:
    """Half the squared distance of every row's logits to its targets."""
    return 0.5 * np.sum((logits - targets) ** 2, axis=-1)


def one_against_all(logits: Array, targets: Array) -> Array:
    """A logistic regression for every token of every row: targets are positives, the rest negatives."""
    return -np.sum(targets * np.log(expit(logits)) + (1 - targets) * np.log(expit(-logits)), axis=-1)


class Model:
    """Embeddings, shares and targets of two trained contexts, the tokens 0 and 1 of four; 2 and 3 are untrained."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.tokens = rng.normal(size=(TOKENS, DIMENSION)) / np.sqrt(DIMENSION)
        self.shares = np.array([0.3, 0.7])
        self.targets = rng.dirichlet(np.ones(TOKENS), size=TRAINED)
        self.theta = rng.normal(size=(DIMENSION, DIMENSION))

    def weights(self) -> Array:
        """w_q of the untrained token 3."""
        trained = self.tokens[:TRAINED]
        weights = np.linalg.solve(trained @ trained.T, trained @ self.tokens[3])
        assert np.max(np.abs(weights)) < 10, "FLOW_ERROR counts on it"
        return weights

    def logits(self, theta: Array) -> Array:
        """S = V Theta V^T, all tokens as contexts."""
        return self.tokens @ theta @ self.tokens.T

    def loss(self, row_loss: RowLoss, logits: Array) -> float:
        """sum_a f_a of the rows' losses."""
        return float(self.shares @ row_loss(logits[:TRAINED], self.targets))


def slope(loss: Loss, point: Array) -> Array:
    """The gradient by central differences."""
    result = np.empty_like(point)
    for index in np.ndindex(point.shape):
        moved = np.zeros_like(point)
        moved[index] = DIFFERENCE
        result[index] = (loss(point + moved) - loss(point - moved)) / (2 * DIFFERENCE)
    return result


def integrate(rate: Callable[[Array], Array], start: Array, time: float) -> Array:
    """The state at `time`, by DOP853."""

    def flat(_: float, point: Array) -> Array:
        return rate(point.reshape(start.shape)).ravel()

    solved = solve_ivp(flat, (0.0, time), start.ravel(), "DOP853", rtol=TOLERANCE, atol=TOLERANCE)
    assert solved.success
    return solved.y[:, -1].reshape(start.shape)


def flow(loss: Loss, start: Array, time: float) -> Array:
    """Gradient flow."""
    return integrate(lambda point: -slope(loss, point), start, time)


# -- every law --
def test_every_law_here_is_registered() -> None:
    """`derive_all` and `false_twins` know each of these laws, under ids of their own."""
    assert set(LAWS) <= set(laws.LAWS)
    assert len(DERIVATIONS) == len(LAWS)


@pytest.mark.parametrize("id", DERIVATIONS)
def test_laws_are_symbolic(id: str) -> None:
    """Every step of every law is proved for all sizes."""
    derivation = DERIVATIONS[id].derive()
    assert {(s.rule, s.check.verdict, s.check.evidence) for s in derivation.steps} == {
        (s.rule, "holds", "symbolic") for s in derivation.steps
    }


@pytest.mark.parametrize("id", DERIVATIONS)
def test_laws_have_three_twins(id: str) -> None:
    """At least three false statements stand beside each law, and bear its name."""
    twins = DERIVATIONS[id].twins()
    assert len(twins) >= 3
    assert {twin.of for twin in twins} == {id}


@pytest.mark.parametrize("id", TWINS)
def test_false_twins_fail(id: str) -> None:
    """The checker calls each twin false, and the stored instance violates it."""
    statement, seed = TWINS[id].statement, TWINS[id].seed
    assert statement.check().verdict == "fails"
    assert statement.violation(statement.draw(np.random.default_rng(seed))) > ROUNDING


# -- losses --
@pytest.mark.parametrize(
    ("row_loss", "residual"),
    [(squared, losses.SQUARED), (one_against_all, losses.ONE_AGAINST_ALL)],
    ids=["squared", "one-against-all"],
)
def test_gradients_are_those_of_the_losses(row_loss: RowLoss, residual: losses.Definitions) -> None:
    """The derived gradient in Theta has the value of the loss's central differences, entry by entry."""
    model = Model(0)
    instance = {m: TOKENS, d: DIMENSION, N: TRAINED, v: model.tokens, Theta: model.theta}
    instance |= {f: model.shares, bhat: model.targets, ell: model.logits(model.theta)}
    measured = slope(lambda theta: model.loss(row_loss, model.logits(theta)), model.theta)
    algebra = IndexedSums({**residual, **losses.MODEL})
    for row, column in np.ndindex(measured.shape):
        derived = algebra.evaluate(gradient(gamma, delta), {**instance, gamma: row, delta: column})
        assert derived == pytest.approx(measured[row, column], abs=DIFFERENCE_ERROR)


@pytest.mark.parametrize("row_loss", [squared, one_against_all, cross_entropy])
def test_no_loss_breaks_the_interpolation_law(row_loss: RowLoss) -> None:
    """An untrained row moves by w_q^T times the trained rows under the flow of each loss, and it does move."""
    model = Model(1)
    start = model.logits(model.theta)
    moved = model.logits(flow(lambda p: model.loss(row_loss, model.logits(p)), model.theta, 5.0)) - start
    assert np.max(np.abs(moved[3])) > 1e3 * FLOW_ERROR
    assert moved[3] == pytest.approx(model.weights() @ moved[:TRAINED], abs=FLOW_ERROR)


@pytest.mark.parametrize("time", [0.4, 3.0])
def test_squared_loss_follows_its_closed_form(time: float) -> None:
    """Every row, trained or not, is where the closed form puts it; one eigenvalue of K_out is zero, as d < m."""
    model = Model(2)
    end = model.logits(flow(lambda p: model.loss(squared, model.logits(p)), model.theta, time))
    gram, start = model.tokens @ model.tokens.T, model.logits(model.theta)
    root = np.diag(np.sqrt(model.shares))
    alphas, left = np.linalg.eigh(root @ gram[:TRAINED, :TRAINED] @ root)
    betas, right = np.linalg.eigh(gram)
    error = left.T @ root @ (start[:TRAINED] - model.targets) @ right
    rates = np.outer(alphas, betas)
    assert np.min(np.abs(rates)) < 1e-12
    trained = model.targets + np.linalg.inv(root) @ left @ (np.exp(-rates * time) * error) @ right.T
    assert end[:TRAINED] == pytest.approx(trained, abs=FLOW_ERROR)
    safe = np.where(np.abs(rates) < 1e-12, 1.0, rates)
    integral = np.where(np.abs(rates) < 1e-12, time, -np.expm1(-safe * time) / safe)
    coordinates = root @ left @ (-integral * error) @ right.T
    assert end == pytest.approx(start + gram[:, :TRAINED] @ coordinates @ gram, abs=FLOW_ERROR)


# -- symmetric parameters --
def test_symmetric_parameters_have_equal_logits_and_unequal_probabilities() -> None:
    """Trained on 0 -> 2 alone, the logit of 2 -> 0 rises as that of 0 -> 2 does; p and centred logits differ."""
    model = Model(3)
    model.targets[:] = np.eye(TOKENS)[2]
    model.shares[:] = (1.0, 0.0)

    def logits(p: Array) -> Array:
        return model.logits((p + p.T) / 2)

    start = logits(model.theta)
    end = logits(flow(lambda p: model.loss(cross_entropy, logits(p)), model.theta, 5.0))
    assert end[2, 0] - start[2, 0] > 0.1
    # both are the same sum of products, in another order
    assert end[2, 0] == pytest.approx(end[0, 2], abs=1e-14)
    log_p = log_softmax(end, axis=1)
    centred = end - end.mean(axis=1, keepdims=True)
    assert abs(log_p[2, 0] - log_p[0, 2]) > 0.01
    assert abs(centred[2, 0] - centred[0, 2]) > 0.01
    partition = np.log(np.sum(np.exp(end), axis=1))
    assert log_p[2, 0] - log_p[0, 2] == pytest.approx(partition[0] - partition[2], abs=1e-14)


def test_symmetric_parameters_follow_their_logit_flow() -> None:
    """The flow of P, seen in the logits, is that of (M + M^T)/2, M = G[:,A] F (bhat - p) G; and so are coordinates."""
    model = Model(4)
    gram = model.tokens @ model.tokens.T
    first = (model.theta + model.theta.T) / 2

    def pulled(logits: Array) -> Array:
        return model.shares[:, None] * (model.targets - np.exp(log_softmax(logits[:TRAINED], axis=1)))

    def rate(logits: Array) -> Array:
        free = gram[:, :TRAINED] @ pulled(logits) @ gram
        return (free + free.T) / 2

    def parameters(c: Array) -> Array:
        change = model.tokens[:TRAINED].T @ c @ model.tokens
        return first + change + change.T

    end = flow(lambda p: model.loss(cross_entropy, model.logits((p + p.T) / 2)), model.theta, 2.0)
    by_logits = integrate(rate, model.logits(first), 2.0)
    coordinates = integrate(lambda c: pulled(model.logits(parameters(c))) / 2, np.zeros((TRAINED, TOKENS)), 2.0)
    assert by_logits == pytest.approx(model.logits((end + end.T) / 2), abs=FLOW_ERROR)
    assert parameters(coordinates) == pytest.approx((end + end.T) / 2, abs=FLOW_ERROR)


# -- factors, trained embeddings --
def balance(factors: Array) -> Array:
    """W_O^T W_O - W_V^T W_V."""
    return factors[0].T @ factors[0] - factors[1].T @ factors[1]


@pytest.mark.parametrize("row_loss", [cross_entropy, squared])
def test_factors_keep_their_balance(row_loss: RowLoss) -> None:
    """The flow conserves W_O^T W_O - W_V^T W_V though both halves move; the tables follow their own flow."""
    model = Model(5)
    start = model.rng.normal(size=(2, DIMENSION, 2)) / 2

    def loss(factors: Array) -> float:
        return model.loss(row_loss, model.logits(factors[0] @ factors[1].T))

    end = flow(loss, start, 2.0)
    assert np.max(np.abs(end[0].T @ end[0] - start[0].T @ start[0])) > 0.01
    assert balance(end) == pytest.approx(balance(start), abs=FLOW_ERROR)
    rows_end, rows_start = model.tokens @ end[0], model.tokens @ start[0]
    moved = rows_end - rows_start
    assert moved[3] == pytest.approx(model.weights() @ moved[:TRAINED], abs=FLOW_ERROR)
    # the logits do not follow that law
    change = model.logits(end[0] @ end[1].T) - model.logits(start[0] @ start[1].T)
    assert np.max(np.abs(change[3] - model.weights() @ change[:TRAINED])) > 0.01


def test_factorised_tables_follow_their_own_flow() -> None:
    """A and B, integrated with Gram matrices alone, end where the factors take them."""
    model = Model(6)
    gram = model.tokens @ model.tokens.T
    start = model.rng.normal(size=(2, DIMENSION, 2)) / 2
    end = flow(lambda w: model.loss(cross_entropy, model.logits(w[0] @ w[1].T)), start, 2.0)

    def rate(tables: Array) -> Array:
        rows, columns = tables
        logits = rows[:TRAINED] @ columns.T
        pull = model.shares[:, None] * (model.targets - np.exp(log_softmax(logits, axis=1)))
        return np.stack([gram[:, :TRAINED] @ pull @ columns, gram @ pull.T @ rows[:TRAINED]])

    tables = integrate(rate, model.tokens @ start, 2.0)
    assert tables == pytest.approx(model.tokens @ end, abs=FLOW_ERROR)


def test_one_step_changes_the_balance_in_second_order() -> None:
    """The change at step eta is eta^2 times one matrix: exactly four times as much at twice the step."""
    model = Model(7)
    start = model.rng.normal(size=(2, DIMENSION, 2))
    step = slope(lambda w: model.loss(cross_entropy, model.logits(w[0] @ w[1].T)), start)
    inner = slope(lambda theta: model.loss(cross_entropy, model.logits(theta)), start[0] @ start[1].T)
    forward, backward = inner @ start[1], inner.T @ start[0]
    for eta in (0.5, 1.0):
        change = balance(start - eta * step) - balance(start)
        expected = eta**2 * (forward.T @ forward - backward.T @ backward)
        assert np.max(np.abs(expected)) > 1e-3
        assert change == pytest.approx(expected, abs=DIFFERENCE_ERROR)


def test_trained_embeddings_keep_two_balances() -> None:
    """U^T U - Theta Theta^T and Theta^T Theta - V^T V stay; what w_q of the start predicts is not what happens."""
    model = Model(8)
    contexts = model.rng.normal(size=(TOKENS, DIMENSION)) / 2
    start = np.concatenate([contexts, model.theta / 2, model.tokens])

    def parts(point: Array) -> tuple[Array, Array, Array]:
        return point[:TOKENS], point[TOKENS : TOKENS + DIMENSION], point[TOKENS + DIMENSION :]

    def logits(point: Array) -> Array:
        u, theta, v = parts(point)
        return u @ theta @ v.T

    end = flow(lambda point: model.loss(cross_entropy, logits(point)), start, 2.0)
    (u0, theta0, v0), (u, theta, v1) = parts(start), parts(end)
    assert np.max(np.abs(u.T @ u - u0.T @ u0)) > 0.01
    assert u.T @ u - theta @ theta.T == pytest.approx(u0.T @ u0 - theta0 @ theta0.T, abs=FLOW_ERROR)
    assert theta.T @ theta - v1.T @ v1 == pytest.approx(theta0.T @ theta0 - v0.T @ v0, abs=FLOW_ERROR)
    weights = np.linalg.solve(contexts[:TRAINED] @ contexts[:TRAINED].T, contexts[:TRAINED] @ contexts[3])
    change = logits(end) - logits(start)
    assert np.max(np.abs(change[3] - weights @ change[:TRAINED])) > 0.01


def test_tied_embeddings_keep_one_balance() -> None:
    """V^T V - Theta Theta^T - Theta^T Theta stays; V^T V - Theta Theta^T does not."""
    model = Model(9)
    start = np.concatenate([model.tokens, model.theta / 2])

    def logits(point: Array) -> Array:
        return point[:TOKENS] @ point[TOKENS:] @ point[:TOKENS].T

    def halves(point: Array) -> tuple[Array, Array, Array]:
        table, theta = point[:TOKENS], point[TOKENS:]
        return table.T @ table, theta @ theta.T, theta.T @ theta

    end = flow(lambda point: model.loss(cross_entropy, logits(point)), start, 2.0)
    (table0, left0, right0), (table, left, right) = halves(start), halves(end)
    assert table - left - right == pytest.approx(table0 - left0 - right0, abs=FLOW_ERROR)
    assert np.max(np.abs((table - left) - (table0 - left0))) > 0.01


# -- weight decay, sign descent --
def test_weight_decay_fades_the_untrained_part() -> None:
    """S_q - w_q^T S_A is e^{-lambda t} of its start, while training goes on."""
    model, decay, time = Model(10), 0.5, 2.0

    def rate(theta: Array) -> Array:
        return -slope(lambda p: model.loss(cross_entropy, model.logits(p)), theta) - decay * theta

    def untrained(theta: Array) -> Array:
        logits = model.logits(theta)
        return logits[3] - model.weights() @ logits[:TRAINED]

    end = integrate(rate, model.theta, time)
    assert np.max(np.abs(untrained(model.theta))) > 0.1
    assert untrained(end) == pytest.approx(np.exp(-decay * time) * untrained(model.theta), abs=FLOW_ERROR)


@pytest.mark.parametrize("one_hot", [True, False])
def test_sign_descent_keeps_still_where_tokens_are_one_hot(one_hot: bool) -> None:
    """After 20 steps an untrained row is where it was, to the bit, with one-hot tokens; else it breaks the law."""
    model = Model(11)
    model.tokens = np.eye(TOKENS) if one_hot else model.tokens
    start = model.rng.normal(size=(model.tokens.shape[1],) * 2)
    theta = start
    for _ in range(20):
        logits = model.logits(theta)[:TRAINED]
        pull = model.shares[:, None] * (model.targets - np.exp(log_softmax(logits, axis=1)))
        theta = theta + 0.05 * np.sign(model.tokens[:TRAINED].T @ pull @ model.tokens)
    moved = model.logits(theta) - model.logits(start)
    assert np.max(np.abs(moved[:TRAINED])) > 0.1
    if one_hot:
        assert (moved[3] == 0).all()
    else:
        assert np.max(np.abs(moved[3] - model.weights() @ moved[:TRAINED])) > 0.01


def test_the_twin_on_sign_descent_fails_for_its_signs_alone() -> None:
    """Without the signs the same statement, on the same instances, is the interpolation law and holds."""
    for seed in range(5):
        instance = sign_descent.draw_overlapping(np.random.default_rng(seed))

        def same(expr: object) -> object:
            return expr

        q = sign_descent.q
        law = Identity(
            sign_descent.moved_logit(q, same),
            sign_descent.interpolated(same),
            IndexedSums(),
            sign_descent.draw_overlapping,
        )
        assert law.violation(instance) <= ROUNDING


# -- the asked embedding --
@pytest.mark.parametrize("is_target", [False, True])
def test_the_law_over_the_asked_embedding(is_target: bool) -> None:
    """At fixed C mean and variance over 400000 draws of v_q are the derived ones within 5 of their standard errors.

    Null hypothesis: the derived mean and variance; a true one is rejected with probability 1e-6 each. The standard
    error of the variance is taken from the draws' own fourth moment.
    """
    rng = np.random.default_rng(12)
    draws, answer = 400_000, 0
    tokens = rng.normal(size=(TOKENS, DIMENSION))
    trained, c, c_q = tokens[:TRAINED], rng.normal(size=(TRAINED, TOKENS)), rng.normal(size=TRAINED) * is_target
    asked = rng.normal(size=(draws, DIMENSION)) / np.sqrt(DIMENSION)
    fixed = trained.T @ c @ tokens  # the parameters' change without the column of q
    moved = asked @ fixed @ tokens[answer] + (asked @ trained.T @ c_q) * (asked @ tokens[answer])
    gram = tokens @ tokens.T
    pull = c @ gram[:, answer]
    between = gram[:TRAINED, :TRAINED]
    mean = c_q @ gram[:TRAINED, answer] / DIMENSION
    variance = pull @ between @ pull / DIMENSION
    variance += c_q @ between @ c_q * gram[answer, answer] / DIMENSION**2 + mean**2
    centred = moved - moved.mean()
    fourth = np.mean(centred**4)
    assert abs(moved.mean() - mean) <= 5 * np.sqrt(variance / draws)
    assert abs(centred.var() - variance) <= 5 * np.sqrt((fourth - variance**2) / draws)
    if is_target:
        assert abs(mean) > 20 * np.sqrt(variance / draws)
    else:
        # a Gaussian: its fourth moment is 3 variance^2, estimated within 5 of sqrt(96/draws) variance^2
        assert abs(fourth / variance**2 - 3) <= 5 * np.sqrt(96 / draws)


def test_coordinates_that_respond_to_the_asked_embedding_have_the_mean_by_parts() -> None:
    """With C affine in v_q the mean over 400000 draws is that of the law; C held fixed at its mean gives another one.

    Null hypothesis: the law's mean, within 5 standard errors; the mean at fixed C is off by more than 20.
    """
    rng = np.random.default_rng(13)
    draws, answer = 400_000, 0
    tokens = rng.normal(size=(TOKENS, DIMENSION))
    trained, c, c_q = tokens[:TRAINED], rng.normal(size=(TRAINED, TOKENS)), rng.normal(size=TRAINED)
    slope, slope_q = rng.normal(size=(TRAINED, TOKENS, DIMENSION)), rng.normal(size=(TRAINED, DIMENSION))
    asked = rng.normal(size=(draws, DIMENSION)) / np.sqrt(DIMENSION)
    gram = tokens @ tokens.T
    others = (c + np.einsum("ajk,nk->naj", slope, asked)) @ gram[:, answer]  # (draws, N)
    itself = (c_q + asked @ slope_q.T) * (asked @ tokens[answer])[:, None]
    moved = ((asked @ trained.T) * (others + itself)).sum(axis=1)
    fixed = c_q @ gram[:TRAINED, answer] / DIMENSION
    # v_q has mean zero, so that of the response the part of the other tokens has a mean
    response = np.einsum("ak,ajk,j->", trained, slope, gram[:, answer]) / DIMENSION
    error = moved.std() / np.sqrt(draws)
    assert abs(moved.mean() - fixed - response) <= 5 * error
    assert abs(moved.mean() - fixed) > 20 * error

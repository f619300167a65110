"""Real training against the theory's exact laws, and the bookkeeping of runs."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import softmax

import validation.training as training
import validation.training_cost as training_cost
from numerics.order import visits
from numerics.trajectory import mean_trajectory
from theory.task import Statement, Task, build_task, reversal_task
from validation.networks import BilinearNetwork, Network, OneLayerAttention, OneLayerTransformer
from validation.training import (
    TrainingDiverged,
    TrainingRun,
    TrainingSettings,
    train,
)
from validation.training_cost import estimate_training

SEEDS = [0, 1, 2]
EVERY_OPTIMIZER = [("gd", "full"), ("sgd", "one"), ("momentum", "full"), ("momentum", "one")] + [
    (name, batch) for name in ("adam", "adamw") for batch in ("full", "one")
]
SPAN_OF_GRADIENTS = EVERY_OPTIMIZER[:4]


def weighted_task() -> Task:
    """A context with two targets, unequal weights, and one asked context."""
    rows = [("a", "b", 1.0), ("c", "a", 2.0), ("a", "d", 3.0), ("d", "c", 0.5)]
    statements = [Statement((x,), y, "->", w) for x, y, w in rows]
    return build_task("weighted", statements, [Statement(("b",), "a", "<-")], vocabulary=9)


def settings(optimizer: str, batch: str, steps: int = 60, rate: float = 0.5, **more: object) -> TrainingSettings:
    order = "reshuffled" if batch == "one" else "cyclic"
    return TrainingSettings(optimizer, rate, steps, batch, **({"order": order} | more))


def trained(network: Network, task: Task, how: TrainingSettings, seeds: list[int] = SEEDS, **more) -> TrainingRun:
    return train(network, task, how, seeds, np.array([0, how.steps // 2, how.steps]), **more)


# -- the law of interpolation --


def interpolation_error(task: Task, optimizer: str, batch: str, decay: float = 0.0) -> tuple[float, float]:
    """max |S_q(t) - c S_q(0) - w_q^T (S_A(t) - c S_A(0))| with w_q = G_AA^+ G_Aq, and its rounding error.

    c = (1 - lr decay)^steps is what decoupled weight decay leaves of the start. Rounding is that of logits of
    O(10) over 60 steps, amplified by cond(G_AA).
    """
    network = BilinearNetwork.gaussian(task, 20, 0.2, SEEDS)
    how = settings(optimizer, batch, weight_decay=decay)
    run = trained(network, task, how)
    n, left = task.trained_contexts, (1 - how.learning_rate * decay) ** how.steps
    worst, rounding = 0.0, 0.0
    for s, V in enumerate(network.embeddings.value().numpy()):
        V_c = task.features @ V
        G = V_c @ V_c.T
        w = np.linalg.solve(G[:n, :n], G[:n, n:])  # (N, asked)
        change = run.final_logits[s] - left * run.initial_logits[s]
        worst = max(worst, np.abs(change[n:] - w.T @ change[:n]).max())
        assert np.abs(change[n:]).max() > 0.05  # the asked rows do move: the law is not 0 = 0
        rounding = max(rounding, 60 * 10 * np.finfo(float).eps * np.linalg.cond(G[:n, :n]))
    return worst, rounding


@pytest.mark.parametrize("task", [reversal_task(4, 2), weighted_task()], ids=lambda task: task.name)
@pytest.mark.parametrize(("optimizer", "batch"), SPAN_OF_GRADIENTS)
def test_untrained_rows_interpolate_trained_ones(optimizer: str, batch: str, task: Task) -> None:
    """Under descent, SGD and momentum an untrained context moves by w_q^T (the trained rows' change)."""
    error, rounding = interpolation_error(task, optimizer, batch)
    assert error < rounding


@pytest.mark.parametrize(("optimizer", "batch"), [("gd", "full"), ("sgd", "one")])
def test_weight_decay_shrinks_the_start_of_the_interpolation(optimizer: str, batch: str) -> None:
    """With weight decay the law holds for S(t) - (1 - lr wd)^k S(0)."""
    error, rounding = interpolation_error(weighted_task(), optimizer, batch, decay=0.02)
    assert error < rounding


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_adam_breaks_the_interpolation(optimizer: str) -> None:
    """Adam leaves the span of the gradients: the law is off by far more than rounding."""
    error, _ = interpolation_error(reversal_task(4, 2), optimizer, "full")
    assert error > 0.05


# -- the steps themselves --


def descent_in_numpy(task: Task, how: TrainingSettings, K: np.ndarray, S_0: np.ndarray, seed: int) -> np.ndarray:
    """Logits (m, m) after descent in logit space: V <- beta V + K_A F R K - decay S, then S <- S + lr V.

    K (m, m) is both kernels; context a must be token a.
    """
    S, velocity, n, count = S_0.copy(), np.zeros_like(S_0), task.trained_contexts, len(task.train_weight)
    bhat, one_hot = task.target_distribution.toarray(), np.eye(task.vocabulary_size)
    beta = how.momentum if how.optimizer == "momentum" else 0.0
    for k in visits(how.order, count, how.steps, seed):
        if how.batch == "full":
            ascent = K[:, :n] @ (task.context_weight[:, None] * (bhat - softmax(S[:n], axis=1))) @ K
        else:
            a, b = task.train_context[k], task.train_target[k]
            ascent = count * task.train_weight[k] * np.outer(K[:, a], (one_hot[b] - softmax(S[a])) @ K)
        velocity = beta * velocity + ascent - how.weight_decay * S
        S += how.learning_rate * velocity
    return S


def task_of_first_tokens() -> Task:
    """Contexts a, b, c are tokens 0, 1, 2; weights differ and a has two targets."""
    rows = [("a", "b", 1.0), ("b", "c", 2.0), ("a", "c", 3.0), ("c", "a", 0.5)]
    return build_task("first tokens", [Statement((x,), y, "r", w) for x, y, w in rows], [])


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize(("optimizer", "batch"), SPAN_OF_GRADIENTS)
def test_training_is_descent_in_logit_space(optimizer: str, batch: str, decay: float) -> None:
    """Every seed follows the recursion of logits with K = G (K = I for one layer), in its own order.

    A pair visited alone counts K w_k; weight decay enters the gradient, and so the velocity of momentum.
    """
    task = task_of_first_tokens()
    order = "replacement" if batch == "one" else "cyclic"
    how = settings(optimizer, batch, rate=0.1, order=order, momentum=0.7, weight_decay=decay)
    bilinear, one_layer = BilinearNetwork.gaussian(task, 6, 0.3, SEEDS), OneLayerTransformer(task, seeds=3)
    embeddings, theta_0 = bilinear.embeddings.value().numpy(), bilinear.theta.value().numpy()
    identity = np.eye(task.vocabulary_size)
    runs = [
        (
            trained(bilinear, task, how),
            [(V @ V.T, V @ T @ V.T) for V, T in zip(embeddings, theta_0, strict=True)],
        ),
        (trained(one_layer, task, how), [(identity, 0 * identity)] * 3),
    ]
    for run, starts in runs:
        for s, (K, S_0) in enumerate(starts):
            expected = descent_in_numpy(task, how, K, S_0, SEEDS[s])[: len(task.contexts)]
            # 60 steps of float64 sums of O(10)
            np.testing.assert_allclose(run.final_logits[s], expected, atol=60 * 10 * 1e-15)


@pytest.mark.parametrize(
    ("optimizer", "decay", "sparse"), [("sgd", 0.0, True), ("sgd", 0.1, False), ("adam", 0.0, False)]
)
def test_only_plain_sgd_has_sparse_gradients(optimizer: str, decay: float, sparse: bool) -> None:
    """A step of plain SGD on the one-layer model touches the visited rows alone; any other step is dense."""
    task = task_of_first_tokens()
    network = OneLayerTransformer(task, seeds=3)
    trained(network, task, settings(optimizer, "one", 4, 0.1, weight_decay=decay))
    assert [p.grad.is_sparse for p in network.parameters()] == [sparse, sparse]


@pytest.mark.parametrize(("optimizer", "batch"), EVERY_OPTIMIZER)
def test_every_optimizer_learns_the_task(optimizer: str, batch: str) -> None:
    """Each optimiser lowers the training loss of every seed below a tenth of its start."""
    task = reversal_task(3)
    rate = 0.05 if optimizer.startswith("adam") else 0.3 if optimizer == "momentum" else 3.0
    run = trained(BilinearNetwork.gaussian(task, 24, 0.01, SEEDS), task, settings(optimizer, batch, 150, rate))
    for trajectory in run.trajectories:
        assert trajectory.loss[-1] < trajectory.loss[0] / 10


@pytest.mark.parametrize(("optimizer", "reference"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_adam_is_torchs_adam_with_the_decay_asked_for(optimizer: str, reference: type) -> None:
    """Ten full-batch steps equal torch's plain implementation on the same weights, weight decay included."""
    task = reversal_task(2)
    ours, plain = (BilinearNetwork.gaussian(task, 4, 0.5, [0]) for _ in range(2))
    run = trained(ours, task, settings(optimizer, "full", 10, 0.1, weight_decay=0.3), [0])
    steps = reference(plain.theta.parameters(), lr=0.1, weight_decay=0.3)
    target = torch.from_numpy(task.train_target)
    for _ in range(10):
        steps.zero_grad()
        logits = plain(torch.from_numpy(task.train_context)[None])[0]
        (torch.nn.functional.cross_entropy(logits, target)).backward()
        steps.step()
    # Adam divides by sqrt(v), which starts at the gradient itself: rounding stays relative to O(1) steps
    np.testing.assert_allclose(run.final_logits, plain.context_logits().numpy(), atol=1e-12)


# -- the one-layer transformer --


@pytest.mark.parametrize(("optimizer", "batch"), SPAN_OF_GRADIENTS)
def test_only_rows_of_trained_subjects_move(optimizer: str, batch: str) -> None:
    """For A R B sequences Z and the rows of Y of every token that is no trained subject stay exactly zero."""
    task = reversal_task(4, 2, vocabulary=15)
    network = OneLayerTransformer(task, seeds=3)
    trained(network, task, settings(optimizer, batch, rate=2.0))
    subjects = [task.contexts[a][0] for a in range(task.trained_contexts)]
    others = np.setdiff1d(np.arange(15), subjects)
    assert not network.Z.value().any()
    assert not network.Y.value()[:, others].any()
    assert (network.Y.value()[:, subjects].abs().amax(dim=2) > 0.1).all()


def test_attention_learns_when_two_tokens_compete_and_not_when_fixed() -> None:
    """With contexts of two tokens Z learns, unless attention is fixed: then it stays exactly zero."""
    rows = [(("a", "r"), "b"), (("b", "r"), "c"), (("c", "q"), "a")]
    task = build_task("two tokens", [Statement(c, y, c[1]) for c, y in rows], [Statement(("a", "q"), "c", "q")])
    free, fixed = OneLayerTransformer(task, seeds=1), OneLayerTransformer(task, seeds=1, fixed_attention=True)
    for network in (free, fixed):
        trained(network, task, settings("sgd", "one", rate=1.0), [0])
    assert np.abs(free.Z.value().numpy()).max() > 1e-3
    assert not fixed.Z.value().any()


@pytest.mark.parametrize("rate", [0.1, 3.0, 40.0])
@pytest.mark.parametrize(
    ("optimizer", "batch", "order"),
    [("gd", "full", "cyclic"), ("momentum", "full", "cyclic")]
    + [(name, "one", order) for name in ("sgd", "momentum") for order in ("cyclic", "reshuffled", "replacement")],
)
def test_unseen_targets_never_exceed_one_in_m(optimizer: str, batch: str, order: str, rate: float) -> None:
    """From zero start a token that was never a target of its row keeps p <= 1/M, at any step size and order.

    The bound is met with equality at the start; two units in the last place allow for the softmax.
    """
    task = weighted_task()
    how = settings(optimizer, batch, 80, rate, order=order)
    run = trained(OneLayerTransformer(task, seeds=3), task, how, track_unseen=True)
    bound = 1 / task.vocabulary_size
    np.testing.assert_allclose(run.largest_unseen_probability, bound, rtol=2 * np.finfo(float).eps)


def test_the_unseen_maximum_is_that_of_the_recorded_logits() -> None:
    """With every step recorded, the tracked maximum is that of the logits, asked rows included."""
    task = weighted_task()
    seen = np.zeros((len(task.contexts), task.vocabulary_size), dtype=bool)
    seen[task.train_context, task.train_target] = True
    for optimizer, batch in (("adam", "one"), ("gd", "full")):
        network = BilinearNetwork.gaussian(task, 3, 1.0, SEEDS)
        how = settings(optimizer, batch, 20, 0.3)
        run = train(network, task, how, SEEDS, np.arange(21), track_unseen=True, keep_logits=True)
        p = np.where(seen, 0.0, softmax(run.logits_recorded, axis=-1))
        np.testing.assert_allclose(run.largest_unseen_probability, p.max(axis=(0, 2, 3)), rtol=1e-14)


@pytest.mark.parametrize(("optimizer", "batch"), [("sgd", "one"), ("gd", "full")])
def test_the_unseen_maximum_sees_steps_that_are_not_recorded(optimizer: str, batch: str) -> None:
    """With the end alone recorded, the maximum still covers the first visited rows at the start."""
    task = reversal_task(2, 0)
    network = BilinearNetwork.gaussian(task, 8, 3.0, SEEDS)
    how = settings(optimizer, batch, 200, 0.3)
    run = train(network, task, how, SEEDS, np.array([200]), track_unseen=True)
    start, end = softmax(run.initial_logits, axis=-1), softmax(run.final_logits, axis=-1)
    for p in (start, end):
        p[:, task.train_context, task.train_target] = 0.0
    first = [visits(how.order, 4, 200, seed)[:1] if batch == "one" else np.arange(4) for seed in SEEDS]
    visited = np.array([start[s, task.train_context[k]].max() for s, k in enumerate(first)])
    assert (visited > end.max(axis=(1, 2))).any()  # the end alone would miss it
    assert (visited <= run.largest_unseen_probability * (1 + 1e-14)).all()


# -- real weights --


@pytest.mark.parametrize(("optimizer", "batch"), SPAN_OF_GRADIENTS)
def test_training_the_value_matrix_is_the_bilinear_model(optimizer: str, batch: str) -> None:
    """Attention with W_V alone trained follows the bilinear logits with V = U and Theta = W_V^T."""
    task = reversal_task(3)
    network = BilinearNetwork.gaussian(task, 12, 0.2, SEEDS)
    theta, other = network.theta.value(), torch.ones(3, 12, 12)
    value = theta.transpose(1, 2)
    attention = OneLayerAttention(task, network.embeddings.value(), value, other, other, {"W_V"})
    how = settings(optimizer, batch)
    runs = [trained(n, task, how, keep_logits=True).logits_recorded for n in (network, attention)]
    assert np.abs(runs[0][-1] - runs[0][0]).max() > 1
    np.testing.assert_allclose(runs[1], runs[0], atol=60 * 10 * 1e-15)  # 60 steps on logits of O(10)


@pytest.mark.parametrize("trainable", [{"W_V"}, {"W_Q"}, {"W_K"}, {"U"}, {"W_V", "W_Q"}, {"U", "W_V", "W_Q", "W_K"}])
def test_exactly_the_named_weights_move(trainable: set[str]) -> None:
    """Where two tokens compete for attention every trainable weight moves, and no other does."""
    rows = [(("a", "r"), "b"), (("b", "r"), "c"), (("c", "q"), "a")]
    task = build_task("two tokens", [Statement(c, y, c[1]) for c, y in rows], [])
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(1, 4, 4)) for _ in range(3)]
    network = OneLayerAttention(task, rng.normal(size=(1, task.vocabulary_size, 4)), *weights, trainable)
    held = {name: getattr(network, name) for name in ("U", "W_V", "W_Q", "W_K")}
    before = {name: weight.value() for name, weight in held.items()}
    trained(network, task, settings("gd", "full", 5), [0])
    moved = {name for name, weight in held.items() if (weight.value() - before[name]).abs().max() > 1e-4}
    assert moved == trainable
    assert all(torch.equal(held[name].value(), before[name]) for name in set(held) - trainable)


# -- runs --


@pytest.mark.parametrize(("optimizer", "batch"), EVERY_OPTIMIZER)
@pytest.mark.parametrize("model", ["bilinear", "transformer"])
def test_seeds_do_not_depend_on_their_company(model: str, optimizer: str, batch: str) -> None:
    """A seed trained among others and alone reaches the same logits, to the rounding of another kernel."""
    task = weighted_task()

    def network(seeds: list[int]) -> Network:
        if model == "bilinear":
            return BilinearNetwork.gaussian(task, 5, 0.3, seeds)
        return OneLayerTransformer(task, len(seeds))

    how = settings(optimizer, batch, 30, 0.1)
    together = trained(network(SEEDS), task, how)
    for s, seed in enumerate(SEEDS):
        alone = trained(network([seed]), task, how, [seed])
        np.testing.assert_allclose(together.final_logits[s], alone.final_logits[0], atol=1e-12)
    if batch == "one":  # other seeds visit in another order
        assert np.abs(together.final_logits[0] - together.final_logits[1]).max() > 1e-3


@pytest.mark.parametrize(("optimizer", "batch"), EVERY_OPTIMIZER)
def test_same_seed_same_bytes(optimizer: str, batch: str) -> None:
    """Two runs with the same seeds end in the same bytes."""
    task = reversal_task(3)
    how = settings(optimizer, batch)
    runs = [trained(BilinearNetwork.gaussian(task, 9, 0.1, SEEDS), task, how) for _ in range(2)]
    assert runs[0].final_logits.tobytes() == runs[1].final_logits.tobytes()
    assert runs[0].trajectories[2].loss.tobytes() == runs[1].trajectories[2].loss.tobytes()


def test_a_run_records_what_the_network_says() -> None:
    """Time is lr x steps / (1 - beta); recorded logits, losses and changes are those of the network."""
    task = reversal_task(3)
    record = np.array([2, 7, 30])
    how = settings("momentum", "full", 30, 0.1, momentum=0.75)
    network = BilinearNetwork.gaussian(task, 8, 0.1, SEEDS)
    run = train(network, task, how, SEEDS, record, keep_logits=True)
    np.testing.assert_allclose(run.time, [0.8, 2.8, 12.0])
    assert settings("gd", "full", 30, 0.1, momentum=0.75).time_per_step == 0.1
    assert np.array_equal(run.logits_recorded[-1], run.final_logits)
    assert np.array_equal(run.final_logits, network.context_logits().numpy())
    assert not np.array_equal(run.logits_recorded[0], run.logits_recorded[1])
    shorter = BilinearNetwork.gaussian(task, 8, 0.1, SEEDS)
    again = train(shorter, task, settings("momentum", "full", 7, 0.1, momentum=0.75), SEEDS, np.array([7]))
    assert np.array_equal(run.logits_recorded[1], again.final_logits)
    trajectory, p = run.trajectories[1], softmax(run.logits_recorded[:, 1], axis=-1)
    assert (trajectory.source, trajectory.model, trajectory.dimension) == ("training", "bilinear", 8)
    np.testing.assert_allclose(trajectory.loss, -np.log(p[:, task.train_context, task.train_target]).mean(axis=1))
    query = task.queries[0]
    np.testing.assert_allclose(trajectory.reversal_loss, -np.log(p[:, query.context, query.answers[0]]))
    change = run.logits_recorded[:, 1, query.context] - run.initial_logits[1, query.context]
    np.testing.assert_allclose(
        trajectory.query_logit_change[:, 0], change[:, query.answers[0]] - change.mean(axis=1), atol=1e-14
    )
    assert np.array_equal(trajectory.logits, run.final_logits[1])
    early = train(network, task, how, SEEDS, np.array([0, 1]))
    assert early.trajectories[0].logits is None  # the last recorded time is not the end
    assert early.logits_recorded is None
    assert early.largest_unseen_probability is None


def test_the_mean_trajectory_averages_every_field() -> None:
    """Each field of the mean is the mean of that field over seeds; other grids of times have none."""
    task = reversal_task(3)
    network = BilinearNetwork.gaussian(task, 8, 0.5, SEEDS)
    trajectories = trained(network, task, settings("gd", "full", 10)).trajectories
    mean = mean_trajectory(trajectories)
    for name in ("loss", "reversal_loss", "train_log_probability", "query_log_probability", "logits"):
        np.testing.assert_allclose(getattr(mean, name), sum(getattr(t, name) for t in trajectories) / 3)
    for name in ("trained_logit_change", "query_logit_change"):
        np.testing.assert_allclose(getattr(mean, name), sum(getattr(t, name) for t in trajectories) / 3)
    other = trained(network, task, settings("gd", "full", 20)).trajectories
    with pytest.raises(ValueError, match="grid of times"):
        mean_trajectory([trajectories[0], other[0]])
    one_layer = trained(OneLayerTransformer(task, 3), task, settings("gd", "full", 10)).trajectories
    with pytest.raises(ValueError, match="one source, model"):
        mean_trajectory([trajectories[0], one_layer[0]])


def test_long_runs_are_looked_up_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk of seven steps gives the same bytes as one of thousands."""
    task = weighted_task()
    how = settings("sgd", "one", 30)
    whole = trained(BilinearNetwork.gaussian(task, 4, 0.1, SEEDS), task, how)
    monkeypatch.setattr(training, "CHUNK", 7)
    cut = trained(BilinearNetwork.gaussian(task, 4, 0.1, SEEDS), task, how)
    assert whole.final_logits.tobytes() == cut.final_logits.tobytes()


def test_progress_is_reported_and_an_interrupt_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress calls count up to the total at intervals, and KeyboardInterrupt from one leaves train()."""
    task = reversal_task(2)
    how = settings("sgd", "one", 30)
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(training, "PROGRESS_INTERVAL", -1.0)
    trained(OneLayerTransformer(task, 3), task, how, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 30) for done in range(31)]
    ticks = itertools.count()  # every look at the clock is a second later than the last
    monkeypatch.setattr(training, "clock", SimpleNamespace(monotonic=lambda: next(ticks)))
    monkeypatch.setattr(training, "PROGRESS_INTERVAL", 9.5)
    trained(OneLayerTransformer(task, 3), task, how, progress=lambda done, total: calls.append((done, total)))
    assert calls[31:] == [(9, 30), (19, 30), (29, 30)]
    monkeypatch.setattr(training, "PROGRESS_INTERVAL", -1.0)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(OneLayerTransformer(task, 3), task, how, progress=interrupt)


def test_small_networks_train_on_one_thread_and_give_the_others_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small network runs on one thread, a large one on those set, and an interrupt leaves these."""
    task = reversal_task(2)
    used: list[int] = []

    def look(done: int, total: int) -> None:
        used.append(torch.get_num_threads())
        if done == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "PROGRESS_INTERVAL", -1.0)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for fewest in (training.FEWEST_WEIGHTS_FOR_THREADS, 1):
            monkeypatch.setattr(training, "FEWEST_WEIGHTS_FOR_THREADS", fewest)
            with pytest.raises(KeyboardInterrupt):
                trained(OneLayerTransformer(task, 3), task, settings("sgd", "one", 10), progress=look)
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert used == 6 * [1] + 6 * [2]


# -- refusals --


def test_settings_name_every_violation() -> None:
    """One ValueError lists each wrong field; gd with a batch of one and sgd with a full one are wrong."""
    with pytest.raises(ValueError, match="optimizer must be") as caught:
        TrainingSettings("lion", -1.0, 0, "half", "sorted", momentum=1.0, weight_decay=-1.0)
    for name in ("batch must be", "order must be", "learning_rate", "steps", "momentum", "weight_decay"):
        assert name in str(caught.value)
    for optimizer, batch in (("gd", "one"), ("sgd", "full")):
        with pytest.raises(ValueError, match="needs batch"):
            settings(optimizer, batch)


@pytest.mark.parametrize("record", [[-1, 3], [0, 31], [3, 3], [5, 2], [], [[1]], [0.5, 2.0]])
def test_records_outside_the_run_are_refused(record: list) -> None:
    """Record steps must be integers that increase strictly within 0..steps."""
    task = reversal_task(2)
    with pytest.raises(ValueError, match="record must"):
        train(OneLayerTransformer(task, 1), task, settings("gd", "full", 30), [0], np.array(record))


def test_a_network_of_another_task_or_seed_count_is_refused() -> None:
    """The network must hold the task's contexts and tokens and one instance a seed."""
    task, how = reversal_task(2), settings("gd", "full", 3)
    for network in (OneLayerTransformer(reversal_task(3), 3), OneLayerTransformer(task, 2)):
        with pytest.raises(ValueError, match="expected a network of"):
            trained(network, task, how)


def test_divergence_is_named() -> None:
    """Logits that overflow raise TrainingDiverged with the step and the learning rate."""
    task = reversal_task(2)
    network = BilinearNetwork.gaussian(task, 4, 1.0, SEEDS)
    with pytest.raises(TrainingDiverged, match=r"rate 1000\.0 .*by step 5"):
        trained(network, task, settings("gd", "full", 10, 1e3, weight_decay=1e60))


# -- cost --


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize(("kind", "dimension"), [("bilinear", 200), ("transformer", None), ("attention", 200)])
def test_the_memory_estimate_covers_the_tensors(kind: str, dimension: int | None, optimizer: str) -> None:
    """Bytes are between those of parameters, gradients and optimiser buffers, and three times those."""
    task, seeds = reversal_task(20, vocabulary=150), 3
    matrices = {"bilinear": 1, "transformer": 2, "attention": 3}[kind]
    dense = 1 if optimizer == "sgd" and kind == "transformer" else 2 + {"momentum": 1, "adam": 2}.get(optimizer, 0)
    least = 8 * seeds * matrices * (dimension or 150) ** 2 * dense
    estimate = estimate_training(task, kind, dimension, settings(optimizer, "one"), seeds)
    assert least < estimate.bytes < 3 * least


def test_the_time_estimate_grows_with_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """At fixed rates, seconds grow with steps, seeds and d^2, and are least for plain SGD."""
    monkeypatch.setattr(training_cost, "_step_overhead", lambda kind, how: 1e-6)
    monkeypatch.setattr(training_cost, "_sweep_rate", lambda working_set: 1e10)
    monkeypatch.setattr(training_cost, "_multiply_rate", lambda: 1e10)
    task = reversal_task(20)

    def seconds(d: int = 1000, optimizer: str = "sgd", batch: str = "one", steps: int = 10, seeds: int = 2) -> float:
        return estimate_training(task, "bilinear", d, settings(optimizer, batch, steps), seeds).seconds

    assert seconds(steps=30) == pytest.approx(3 * seconds())
    assert seconds(2000) == pytest.approx(4 * seconds(), rel=0.05)
    assert seconds(seeds=4) == pytest.approx(2 * seconds(), rel=0.01)
    assert seconds(optimizer="adam") > seconds(optimizer="momentum") * 0.8 > 0.8 * seconds()
    # 39 contexts x 4 x (d^2 + d m) multiplications and additions a seed, beside the passes over Theta
    assert seconds(batch="full", optimizer="gd") > 10 * 2 * 39 * 4 * (1000**2 + 1000 * 42) / 1e10
    sparse = estimate_training(task, "transformer", None, settings("sgd", "one", 10), 2)
    dense = estimate_training(task, "transformer", None, settings("momentum", "one", 10), 2)
    assert sparse.seconds < dense.seconds
    assert sparse.bytes < dense.bytes


def test_the_time_estimate_is_of_the_right_order() -> None:
    """A measured run takes between a thirtieth of the estimate and thirty times it, on a shared machine."""
    task = reversal_task(10)
    how = settings("sgd", "one", 300)
    estimate = estimate_training(task, "bilinear", 100, how, 2)
    network = BilinearNetwork.gaussian(task, 100, 0.0, [0, 1])
    start = training.clock.perf_counter()
    train(network, task, how, [0, 1], np.array([300]))
    seconds = training.clock.perf_counter() - start
    assert estimate.seconds / 30 < seconds < 30 * estimate.seconds

"""Rows of the one-layer transformer under real SGD with batch one: recursion, sandwich, untrained rows, Z."""

import numpy as np

from numerics.decoupled import logit_gap
from numerics.descent import row_recursion
from numerics.order import visit_counts
from theory.claim import Claim
from theory.counting import count_of
from theory.task import Task
from validation.compare import (
    ATTENTION_UNCHANGED,
    SANDWICH,
    UNTRAINED_ROWS,
    check_descent,
    check_sandwich,
    check_unchanged,
    check_unseen,
    descent_text,
    rounding_tolerance,
)
from validation.instances import transformer_instances
from validation.networks import OneLayerTransformer
from validation.training import TrainingSettings, train

EPOCHS = 20
STEP = 0.7


def sgd_row_claims(small: Task, seeds: range, step: float = STEP) -> list[Claim]:
    """Train Y and Z by autograd, one pair a step, and compare every row with the recursion of its visits."""
    if not small.one_token_contexts:
        return [SANDWICH.not_applicable("contexts of several tokens share rows of Y")]
    pairs = len(small.train_context)
    settings = TrainingSettings("sgd", step, EPOCHS * pairs, batch="one", order="reshuffled")
    momentum = TrainingSettings("momentum", step / 10, EPOCHS * pairs, batch="one", order="cyclic")
    record = np.array([0, settings.steps])
    # momentum moves every parameter by its velocity, visited or not: zero must come out of the gradients themselves
    moving, instances = transformer_instances(small, seeds), transformer_instances(small, seeds)
    pushed = train(moving.network, small, momentum, moving.seeds, record, track_unseen=True)
    run = train(instances.network, small, settings, instances.seeds, record)
    assert isinstance(moving.network, OneLayerTransformer)
    claims = _unchanged(small, moving.network)
    what = f"step {step / 10:g}, {count_of(momentum.steps, 'step')}, {count_of(pairs, 'pair')}"
    claims.append(check_unseen(pushed.unseen_maximum(), small.vocabulary_size, "momentum", what))
    return claims + _rows(small, settings, run.final_logits, instances.seeds)


def _unchanged(small: Task, network: OneLayerTransformer) -> list[Claim]:
    trained_tokens = {t for context in small.contexts[: small.trained_contexts] for t in context}
    untrained = [t for t in range(small.vocabulary_size) if t not in trained_tokens]
    rows = network.Y.value().numpy()[:, untrained]
    attention = network.Z.value().numpy()
    return [
        check_unchanged(UNTRAINED_ROWS, np.zeros_like(rows), rows)
        if untrained
        else UNTRAINED_ROWS.not_applicable("every token is trained"),
        check_unchanged(ATTENTION_UNCHANGED, np.zeros_like(attention), attention),
    ]


def _rows(small: Task, settings: TrainingSettings, logits: np.ndarray, seeds: tuple[int, ...]) -> list[Claim]:
    """h of every row and seed after its own number of visits, against the recursion and against the flow."""
    if not (small.single_target and small.one_token_contexts):
        reason = (
            f"{count_of(len(small.conflicts), 'context')} with several targets"
            if small.conflicts
            else "contexts of several tokens"
        )
        return [SANDWICH.not_applicable(reason)]
    m, pairs = small.vocabulary_size, len(small.train_context)
    found, expected, flow, sizes = [], [], [], []
    for seed, final in zip(seeds, logits, strict=True):
        counts = visit_counts(settings.order, pairs, settings.steps, seed)
        for k in range(pairs):
            step = settings.learning_rate * pairs * small.train_weight[k]  # a visit moves by K w_k eta
            found.append(final[small.train_context[k], small.train_target[k]] / (m - 1))
            expected.append(row_recursion(m, step, int(counts[k]))[-1])
            flow.append(float(logit_gap(np.array([step * counts[k]]), 1, m)[0]) / m)
            sizes.append(step)
    rows, recursion = np.array(found), np.array(expected)
    rounding = rounding_tolerance(settings.steps, None, (), float(np.abs(logits).max()))
    what = f"{count_of(len(rows), 'row')} over all seeds, each after its own visits"
    return [
        check_descent(rows, recursion, rounding, descent_text("sgd-rows"), what),
        check_sandwich(rows, np.array(flow), np.array(sizes), m, rounding),
    ]

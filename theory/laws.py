"""Every law that is derived here, in the order in which a reader meets them."""

from functools import cache

from theory import (
    asked_embedding,
    asked_target,
    bilinear,
    decoupled_row,
    factorised,
    factorised_flow,
    first_order,
    interpolation,
    losses,
    ordering,
    sgd_row,
    sign_descent,
    squared_closed_form,
    symmetric,
    trained_embeddings,
    transformer,
    unseen_target,
    visits,
    weight_decay,
)
from theory.derivation import Derivation, FalseTwin, Law

LAWS: tuple[Law, ...] = (
    *bilinear.LAWS,
    *interpolation.LAWS,
    *decoupled_row.LAWS,
    *first_order.LAWS,
    *transformer.LAWS,
    *sgd_row.LAWS,
    *unseen_target.LAWS,
    *visits.LAWS,
    *ordering.LAWS,
    # which loss, which space of parameters and which optimiser keep the curse or lift it
    *losses.LAWS,
    *squared_closed_form.LAWS,
    *symmetric.LAWS,
    *factorised.LAWS,
    *factorised_flow.LAWS,
    *trained_embeddings.LAWS,
    *weight_decay.LAWS,
    *asked_embedding.LAWS,
    *asked_target.LAWS,
    *sign_descent.LAWS,
)


def derive_all() -> list[Derivation]:
    """Every derivation; a step is checked when its verdict is first asked for, once in the life of a process."""
    return list(_derivations())


@cache
def _derivations() -> tuple[Derivation, ...]:
    return tuple(law.derive() for law in LAWS)


def false_twins() -> list[FalseTwin]:
    """Every false statement that the checkers must reject."""
    return [twin for law in LAWS for twin in law.twins()]

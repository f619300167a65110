"""Every law that is derived here, in the order in which a reader meets them."""

from functools import cache

from theory import (
    bilinear,
    decoupled_row,
    first_order,
    interpolation,
    ordering,
    sgd_row,
    transformer,
    unseen_target,
    visits,
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

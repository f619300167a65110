"""Values at sample points of a box: cheap signs of what is worth proving. Nothing is proved from them."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Literal

from flint import fmpq
from sympy import Expr, Symbol

from theory.deadline import check_time
from theory.enclosure import enclosure
from theory.proof_domain import Box, cut, halves
from theory.proof_interval import Interval, contains_zero, negative, point, positive

# A value below this share of the width of its enclosure is near a contact.
NEAR = 8


def near_contact(expr: Expr, box: Box) -> bool:
    """Whether the value in the middle is small beside the width of the enclosure, so that cutting helps little."""
    value, middle = enclosure(expr, box), enclosure(expr, next(samples(box)))
    if value is None or middle is None or value.is_infinite or middle.is_infinite:
        return True
    return bool(middle.low < (value.high - value.low) / NEAR)  # type: ignore[operator]


def below_zero(expr: Expr, box: Box) -> bool:
    """Whether the expression is certainly negative at a sample point of the box."""
    return any((v := enclosure(expr, sample)) is not None and negative(v) for sample in samples(box))


def samples(box: Box) -> Iterator[dict[Symbol, Interval]]:
    """The middle, a point off the diagonal, and points near the corners: one by one, as one often settles it."""
    yield {x: side if side.is_point else point(cut(side)) for x, side in box.items()}
    yield {x: side if side.is_point else point(cut(halves(side)[k % 2])) for k, (x, side) in enumerate(box.items())}
    near = [[side] if side.is_point else [point(e) for e in _near_ends(side)] for side in box.values()]
    for corner in product(*near):
        check_time()  # there are 2^n of them
        yield dict(zip(box, corner, strict=True))


@lru_cache(maxsize=1 << 12)
def _near_ends(side: Interval) -> tuple[fmpq, fmpq]:
    """Two points of a side near its ends."""
    low, high = side, side
    for _ in range(4):
        low, high = halves(low)[0], halves(high)[1]
    return cut(low), cut(high)


def sampled_sign(expr: Expr, box: Box) -> Literal[1, -1] | None:
    """The sign that all sample points agree on where they are not zero, None when there is none."""
    agreed: Literal[1, -1] | None = None
    for sample in samples(box):
        value = enclosure(expr, sample)
        if value is None:
            return None
        if not contains_zero(value):
            here: Literal[1, -1] = 1 if positive(value) else -1
            if agreed not in (None, here):
                return None
            agreed = here
    return agreed

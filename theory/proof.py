"""Inequalities proved over a whole box by ball arithmetic: branch and bound with an exact certificate.

prove(expr, domain) cuts the domain, at rationals, until the sign of the expression is settled on every part by one of
the methods of `theory.proof_method`; points where the expression is certainly negative refute it on the way. A proof
carries everything that a second checker needs (`theory.recheck`).
"""

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice, product

from flint import ctx, fmpq
from sympy import Expr, Rational, S, Symbol

from theory.claim import Evidence
from theory.counting import count_of
from theory.deadline import OutOfTimeError, check_time, time_limit
from theory.enclosure import EnclosureError, compiled, enclosure
from theory.proof_contact import slope_on
from theory.proof_domain import Box, Domain, Side, cut, halves, probes, rational, side, size, with_side
from theory.proof_interval import Infinite, Interval, minus, negative, nonnegative, point
from theory.proof_method import Method, parts
from theory.proof_sample import near_contact
from theory.proof_settle import DEEPEST, settle

__all__ = ["Domain", "Leaf", "Outcome", "Proof", "Refutation", "Unproved", "prove"]

# Bits of every rounded number; a contact is resolved to boxes of 2^-DEEPEST_CUT, where values are squares of that.
PRECISION = 192
DEEPEST_CUT = 80

MOST_BOXES = 20_000
MOST_SECONDS = 120.0  # a statement that takes longer is out of reach of these methods

# Sample points before any box is cut.
MOST_PROBES = 400


@dataclass(frozen=True)
class Leaf:
    """One part of the domain, its sides in the order of the domain's symbols, and how it was settled."""

    sides: tuple[Side, ...]
    method: Method


@dataclass(frozen=True)
class Proof:
    """expr >= 0 (> 0 if strict) on the whole domain. Methods speak of the symbols as reals without assumptions."""

    expr: Expr
    domain: Domain
    strict: bool
    boxes: tuple[Leaf, ...]
    precision: int
    evidence: Evidence = "certified"

    def describe(self) -> str:
        """The argument in one line for people."""
        used = Counter(type(p).__name__.lower() for leaf in self.boxes for p in parts(leaf.method))
        ways = ", ".join(f"{number} {name}" for name, number in used.most_common())
        boxes = count_of(len(self.boxes), "box", "boxes")
        sign = ">" if self.strict else ">="
        return f"{self.expr} {sign} 0 for {self.domain}: ball arithmetic at {self.precision} bits on {boxes} ({ways})"


@dataclass(frozen=True)
class Refutation:
    """A point of the domain where the expression is certainly negative (or not positive, if strict was asked)."""

    expr: Expr
    domain: Domain
    witness: dict[Symbol, Rational]
    value: tuple[Rational, Rational]


@dataclass(frozen=True)
class Unproved:
    """Neither proved nor refuted: why, after how many boxes, and the smallest box that was left."""

    reason: str
    boxes: int
    smallest: dict[Symbol, Side]


Outcome = Proof | Refutation | Unproved


def prove(
    expr: Expr,
    domain: Domain,
    *,
    strict: bool = False,
    most_boxes: int = MOST_BOXES,
    most_seconds: float = MOST_SECONDS,
    precision: int = PRECISION,
) -> Outcome:
    """Prove expr >= 0 (> 0 if strict) on the domain, or refute it by a point, or say why neither.

    Every number is rounded outwards at `precision` bits; a Proof is certified for all real points of the domain. The
    limit of `most_seconds` is kept inside SymPy too (`theory.deadline`).
    Raises EnclosureError (a ValueError) for floats, functions without a rule, and symbols outside the domain.
    """
    unknown = expr.free_symbols - set(domain.symbols)
    if unknown:
        raise EnclosureError(f"{', '.join(map(str, unknown))} in {expr} has no bounds: add it to the domain")
    try:
        with ctx.workprec(precision), time_limit(most_seconds):
            real = rebuilt(expr.xreplace(domain.real))
            compiled(real)
            outcome = _Search(real, strict, most_boxes).run(domain.box)
    except RecursionError:
        return Unproved("an expression, or a derivative of it, is nested too deeply", 0, {})
    except OutOfTimeError:
        return Unproved(f"the limit of {most_seconds:g} {'second' if most_seconds == 1 else 'seconds'}", 0, {})
    given = {y: x for x, y in domain.real.items()}
    match outcome:
        case Unproved():
            return Unproved(outcome.reason, outcome.boxes, {given[x]: s for x, s in outcome.smallest.items()})
        case dict():
            with ctx.workprec(precision):
                value = enclosure(real, {x: point(q) for x, q in outcome.items()})
            assert value is not None
            return Refutation(expr, domain, {given[x]: rational(q) for x, q in outcome.items()}, _ends(value))
    return Proof(expr, domain, strict, outcome, precision)


def rebuilt(expr: Expr) -> Expr:
    """The expression with every part evaluated again: what was built with evaluate=False means what it says."""
    return expr.func(*map(rebuilt, expr.args)) if expr.args else expr


def _ends(value: Interval) -> tuple[Rational, Rational]:
    low, high = (S.Infinity * e.sign if isinstance(e, Infinite) else rational(e) for e in value[:2])
    return low, high


Witness = dict[Symbol, fmpq]


class _Search:
    """Branch and bound, the largest box first."""

    def __init__(self, expr: Expr, strict: bool, most_boxes: int) -> None:
        self.expr, self.strict, self.most_boxes = expr, strict, most_boxes

    def run(self, domain: dict[Symbol, Interval]) -> tuple[Leaf, ...] | Witness | Unproved:
        """Leaves that cover the domain, a witness against the statement, or what was left."""
        for candidate in islice(_probe_points(domain), MOST_PROBES):
            check_time()
            if self._fails_at(candidate):
                return candidate
        order = count()
        waiting: list[tuple[float, int, int, dict[Symbol, Interval]]] = [(-_volume(domain), next(order), 0, domain)]
        leaves: list[Leaf] = []
        for examined in count(1):
            if not waiting:
                break
            _, _, cuts, box = heapq.heappop(waiting)
            method = settle(
                self.expr, box, self.strict, DEEPEST if near_contact(self.expr, box) else int(len(box) == 1)
            )
            if method is not None:
                leaves.append(Leaf(tuple(side(s) for s in box.values()), method))
                continue
            witness = next((p for p in _corners(box) if self._fails_at(p)), None)
            if witness is not None:
                return witness
            x = self._widest(box)
            if cuts == DEEPEST_CUT * len(box) or examined >= self.most_boxes or x is None:
                return self._unproved(examined, [b for *_, b in waiting] + [box], cuts)
            for half in halves(box[x]):
                part = with_side(box, x, half)
                heapq.heappush(waiting, (-_volume(part), next(order), cuts + 1, part))
        return tuple(leaves)

    def _fails_at(self, candidate: Witness) -> bool:
        """Whether the expression is certainly on the wrong side of zero."""
        value = enclosure(self.expr, {x: point(q) for x, q in candidate.items()})
        return value is not None and (negative(value) or (self.strict and nonnegative(minus(value))))

    def _widest(self, box: Box) -> Symbol | None:
        """The variable to cut: the widest, those last along which the expression is known to be monotone."""
        open_sides = [x for x, s in box.items() if not s.is_point and x in self.expr.free_symbols]
        undecided = []
        for x in open_sides:
            slope = slope_on(self.expr, x, box)
            if slope is None or not (nonnegative(slope[1]) or nonnegative(minus(slope[1]))):
                undecided.append(x)
        return max(undecided or open_sides, key=lambda x: size(box[x]), default=None)

    def _unproved(self, boxes: int, left: list[dict[Symbol, Interval]], cuts: int) -> Unproved:
        smallest = min(left, key=_volume)
        limit = f"the limit of {count_of(self.most_boxes, 'box', 'boxes')}"
        why = limit if boxes >= self.most_boxes else f"{count_of(cuts, 'cut')} of one box"
        reason = f"{why} reached without a proof or a counterexample: the expression may touch zero inside that box"
        return Unproved(reason, boxes, {x: side(s) for x, s in smallest.items()})


def _volume(box: Box) -> float:
    """The largest side after compactification."""
    return max(size(s) for s in box.values())


def _corners(box: Box) -> Iterator[Witness]:
    """The middle of a box and its corners."""
    yield {x: s.low if s.is_point else cut(s) for x, s in box.items()}  # type: ignore[misc]
    ends = [
        [
            e
            for e, is_open in ((s.low, s.low_open), (s.high, s.high_open))
            if not isinstance(e, Infinite) and not is_open
        ]
        or [cut(s)]
        for s in box.values()
    ]
    for corner in product(*ends):
        yield dict(zip(box, corner, strict=True))


def _probe_points(box: Box) -> Iterator[Witness]:
    """Combinations of likely values of each variable, diagonals first."""
    values = [list(probes(s)) for s in box.values()]
    for k in range(max(map(len, values))):
        yield {x: v[k % len(v)] for x, v in zip(box, values, strict=True)}
    if len(values) > 1:
        for combination in product(*values):
            yield dict(zip(box, combination, strict=True))

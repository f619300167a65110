"""The prover beside plain bisection (mpmath's intervals, FLINT's balls) and SymPy's own solvers, on known inequalities.

The list is that of the tests: 75 true statements, most of which touch equality somewhere. Bisection needs a bounded
box: infinite ends are cut to CUT, and where times are compared ours proves the same cut statement. SymPy gets the whole
domain. Each peer has a limit of CPU seconds a statement; with 5 s bisection proves one or two more. Times are those of
statements that both prove, every cache emptied before each run. A proof of ours carries a certificate, whose second
check is timed apart; the peers leave nothing to check.
"""

import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from sympy import Interval, Rational, oo
from sympy.core.cache import clear_cache

from benchmarks import bisection, sympy_proof
from benchmarks.findings import Absent, Cost, Findings, Proved
from benchmarks.rounds import in_turns, ratio_of, seconds_of
from tests.theory.inequality_library import TRUE, Statement
from theory.proof import Domain, Proof, prove
from theory.recheck import recheck

CUT = 20
OUR_LIMIT = 30.0
OURS = "prover with certificate"


@dataclass(frozen=True)
class Prover:
    """A peer: whether it proves a statement in so many seconds, whether it needs the domain cut, and its limit."""

    name: str
    proves: Callable[[Statement, float], bool]
    needs_cut: bool
    limit: float


def measure(quick: bool = False, tell: Callable[[str], None] = lambda _: None) -> Findings:
    """How many of the list each prover proves, and the times on what both prove."""
    findings = Findings()
    statements = _few() if quick else TRUE
    rounds = 2 if quick else 3
    what = f"{len(statements)} true statements"

    proved, seconds, checking = 0, [], []
    for number, statement in enumerate(statements):
        tell(f"our prover, {number + 1} of {len(statements)}")
        found: list[object] = []
        empty_caches()
        seconds.append(seconds_of(lambda s=statement, found=found: found.append(ours(s))))
        if isinstance(found[0], Proof):
            proved += 1
            checking.append(seconds_of(lambda proof=found[0]: recheck(proof)))
    findings.proved.append(Proved(what, OURS, proved, len(statements), OUR_LIMIT))
    findings.costs.append(Cost("our prover: median of a statement", median(seconds)))
    findings.costs.append(Cost("our prover: the slowest statement", max(seconds)))
    findings.costs.append(Cost("second check of a certificate: median", median(checking)))
    for prover in PROVERS:
        tell(prover.name)
        both = [
            s for s in statements if _proves(prover, s, prover.limit) and isinstance(ours(_posed(prover, s)), Proof)
        ]
        findings.proved.append(
            Proved(f"{what}{', domains cut' * prover.needs_cut}", prover.name, len(both), len(statements), prover.limit)
        )
        if not both:
            findings.absent.append(Absent(prover.name, "no statement that both prove"))
            continue
        taken = in_turns(
            {
                OURS: lambda both=both, prover=prover: [ours(_posed(prover, s)) for s in both],
                prover.name: lambda both=both, prover=prover: [_proves(prover, s, OUR_LIMIT) for s in both],
            },
            rounds,
            prepare=empty_caches,
            warm=False,
        )
        case = f"the {len(both)} of {len(statements)} that both prove"
        findings.ratios.append(ratio_of(taken[OURS], taken[prover.name], case=case, ours=OURS, peer=prover.name))
    return findings


def _few() -> tuple[Statement, ...]:
    """Statements for a quick run: some that every peer proves, some that it does not."""
    names = ("exponential above its tangent", "square root above its chord", "larger and smaller", "absolute value")
    return tuple(s for s in TRUE if s.name in names)


def ours(statement: Statement) -> object:
    """What our prover makes of a statement."""
    return prove(statement.expr, statement.domain, strict=statement.strict, most_seconds=OUR_LIMIT)


def empty_caches() -> None:
    """As at the start of a process: SymPy's cache, and everything that `theory` remembers about expressions."""
    clear_cache()
    for name, module in list(sys.modules.items()):
        if name.startswith("theory."):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
    gc.collect()


# -- peers --
def cut(statement: Statement) -> Statement:
    """The same statement on a bounded box: an infinite end lies CUT from zero, or CUT times the other end away."""
    bounds = []
    for x, segment in statement.domain.bounds:
        low, high = segment.start, segment.end
        far = CUT * max(abs(end) for end in (low, high, Rational(1)) if end.is_finite)
        low, high = (-far if low == -oo else low), (far if high == oo else high)
        bounds.append((x, Interval(low, high, segment.left_open, segment.right_open)))
    return Statement(statement.name, statement.expr, Domain.of(*bounds), statement.strict)


def _posed(prover: Prover, statement: Statement) -> Statement:
    return cut(statement) if prover.needs_cut else statement


def _proves(prover: Prover, statement: Statement, seconds: float) -> bool:
    return prover.proves(_posed(prover, statement), seconds)


def by_bisection(sign: Callable[..., bisection.Sign]) -> Callable[[Statement, float], bool]:
    """A prover by bisection with the numbers of one library; a function that it lacks leaves a statement unproved."""

    def proves(statement: Statement, seconds: float) -> bool:
        domain = statement.domain
        box = tuple((float(segment.start), float(segment.end)) for _, segment in domain.bounds)
        try:
            return bisection.proves(sign(statement.expr, domain.symbols, statement.strict), box, seconds)
        except NameError:
            return False

    return proves


def by_sympy(statement: Statement, seconds: float) -> bool:
    """SymPy on the whole domain."""
    return sympy_proof.proves(statement.expr, statement.domain, statement.strict, seconds)


PROVERS = (
    Prover("bisection with mpmath.iv", by_bisection(bisection.mpmath_sign), True, 0.15),
    Prover("bisection with python-flint's arb", by_bisection(bisection.arb_sign), True, 0.15),
    Prover("SymPy (assumptions, then solve_univariate_inequality)", by_sympy, False, 2.0),
)

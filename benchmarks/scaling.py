"""How the cost of a flow grows with d, m and N: fitted exponents, and SciPy on Theta over d beside it.

Ours sees the embeddings only through their Gram matrix, so its cost must not depend on d. The draw of that matrix is
timed apart. SciPy's DOP853 in log time runs at the loosest tolerance whose measured error is no larger than ours.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from statistics import median

import numpy as np

from benchmarks.exponent import fit_exponent
from benchmarks.findings import Absent, Exponent, Findings
from benchmarks.flow_problem import FlowProblem
from benchmarks.flow_solver import tune
from benchmarks.rounds import in_turns, ratio_of
from benchmarks.scipy_flow import theta_solvers
from numerics.gram import Gram

DIMENSION = 1e8  # where d is held fixed
OURS = "logits"


def measure(quick: bool = False, tell: Callable[[str], None] = lambda _: None) -> Findings:
    """The exponents over d, m and N, and the ratios to SciPy on Theta over d."""
    findings, rounds = Findings(), 1 if quick else 3
    pairs, m = (3, 20) if quick else (10, 100)
    dimensions = (1e2, 1e12, 1e30) if quick else (1e2, 1e6, 1e12, 1e20, 1e30)
    vocabularies = (20, 40, 80) if quick else (50, 100, 200, 400, 800)
    several_pairs = (2, 4, 8) if quick else (10, 20, 40, 80, 120)
    wide = 40 if quick else 400

    tell("flow over d")
    over_d = {d: FlowProblem.drawn(pairs, m, d).ours for d in dimensions}
    findings.exponents.append(_fitted(f"flow, {pairs} pairs, m = {m}", "d", over_d, rounds, "0"))
    tell("draw of G over d")
    draws = {d: _draw(m, d) for d in dimensions}
    findings.exponents.append(_fitted(f"draw of G, m = {m}", "d", draws, rounds, "0"))
    tell("flow over m")
    over_m = {float(v): FlowProblem.drawn(pairs, v, DIMENSION).ours for v in vocabularies}
    findings.exponents.append(_fitted(f"flow, {pairs} pairs", "m", over_m, rounds, "1 to 2 (N^2 m + N m^2)"))
    tell("draw of G over m")
    draws = {float(v): _draw(v, DIMENSION) for v in vocabularies}
    findings.exponents.append(_fitted("draw of G", "m", draws, rounds, "2 to 3 (m^3)"))
    tell("flow over N")
    over_n = {2.0 * p - 1: FlowProblem.drawn(p, wide, DIMENSION).ours for p in several_pairs}
    findings.exponents.append(_fitted(f"flow, m = {wide}", "N", over_n, rounds, "1 to 2 (N^2 m + N m^2)"))
    _beside_theta(pairs, m, (16, 32, 64) if quick else (100, 150, 200, 300, 400), rounds, findings, tell)
    return findings


def _draw(vocabulary: int, dimension: float) -> Callable[[], object]:
    return lambda: Gram.draw(vocabulary, dimension, np.random.default_rng(0))


def _fitted(what: str, over: str, runs: Mapping[float, Callable[[], object]], rounds: int, expected: str) -> Exponent:
    """The exponent of the median seconds of runs by size."""
    seconds = in_turns({str(size): run for size, run in runs.items()}, rounds, warm=rounds > 1)
    return _exponent(what, over, list(runs), [median(s) for s in seconds.values()], expected)


def _exponent(what: str, over: str, sizes: list[float], seconds: list[float], expected: str) -> Exponent:
    exponent, error = fit_exponent(np.array(sizes), np.array(seconds))
    return Exponent(what, over, tuple(sizes), tuple(seconds), exponent, error, expected)


def _beside_theta(
    pairs: int,
    vocabulary: int,
    dimensions: tuple[int, ...],
    rounds: int,
    findings: Findings,
    tell: Callable[[str], None],
) -> None:
    """Ours and SciPy on Theta in turns at each d, and both exponents."""
    found: dict[int, tuple[float, float]] = {}
    for d in dimensions:
        tell(f"SciPy on Theta, d = {d}")
        problem = FlowProblem.explicit(pairs, vocabulary, d)
        our_error = problem.error(problem.ours())
        solvers = islice(theta_solvers(problem, quick=True), 1)
        peer = tune(problem, solvers, our_error)
        case = f"{pairs} pairs, m = {vocabulary}, d = {d}"
        if peer is None:
            findings.absent.append(Absent("SciPy on Theta", f"no tolerance reaches our error at {case}"))
            continue
        seconds = in_turns({OURS: problem.ours, "peer": peer.run}, rounds)
        ratio = ratio_of(
            seconds[OURS],
            seconds["peer"],
            case=case,
            ours=OURS,
            peer=peer.describe(),
            our_error=our_error,
            peer_error=peer.error,
        )
        found[d] = (ratio.our_seconds, ratio.peer_seconds)
        findings.ratios.append(ratio)
    sizes = [float(d) for d in found]
    for place, what, expected in ((0, "flow", "0"), (1, "SciPy on Theta", "2")):
        seconds_each = [both[place] for both in found.values()]
        what = f"{what}, {pairs} pairs, m = {vocabulary}"
        findings.exponents.append(_exponent(what, "d", sizes, seconds_each, expected))

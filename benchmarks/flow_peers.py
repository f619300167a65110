"""The gradient flow: ours beside SciPy on Theta, and beside SciPy, diffrax and torchdiffeq on the same logit equations.

Equal measured error: ours runs at the tolerance of `reversal`; each peer in its fastest setting, at the loosest
tolerance whose measured error is no larger than ours. The error is that of the logits of every context at 50 times up
to 1e6. Peers give no error bound, so each stands beside ours without it, and beside ours with it.

The peers get every constant array ready; ours makes its own within the time that is taken. One thread each.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module

from benchmarks.findings import Absent, Cost, Findings, absent
from benchmarks.flow_problem import FlowProblem
from benchmarks.flow_solver import Solver, Tuned, tune
from benchmarks.one_thread import one_torch_thread
from benchmarks.rounds import in_turns, ratio_of

Solvers = Callable[[FlowProblem, bool], Iterable[Solver]]
OURS, WITH_BOUND = "logits", "logits and error bound"

# Peer: the file and the function that give its solvers. A file is imported when its turn comes: it may be absent.
PEERS = {
    "SciPy on Theta": ("benchmarks.scipy_flow", "theta_solvers"),
    "SciPy on logits": ("benchmarks.scipy_flow", "logit_solvers"),
    "diffrax on logits": ("benchmarks.diffrax_flow", "logit_solvers"),
    "torchdiffeq on logits": ("benchmarks.torchdiffeq_flow", "logit_solvers"),
}


@dataclass(frozen=True)
class Case:
    """A size: pairs, m and d, with the peers that are run at it, in every setting or in the usual winner alone."""

    pairs: int
    vocabulary: int
    dimension: int
    rounds: int
    peers: tuple[str, ...] = tuple(PEERS)
    every_setting: bool = True

    @property
    def name(self) -> str:
        """What the table says."""
        return f"{self.pairs} pairs, m = {self.vocabulary}, d = {self.dimension}"


# The peers in logit space see d as little as ours does: one d is enough for them. At d = 400 a search through SciPy's
# settings takes a minute and came to DOP853 in log time, as at d = 100.
CASES = (Case(10, 100, 100, 7), Case(10, 100, 400, 4, ("SciPy on Theta",), False), Case(50, 200, 200, 5))
QUICK = (Case(3, 12, 16, 1),)


def measure(quick: bool = False, tell: Callable[[str], None] = lambda _: None) -> Findings:
    """Every case beside every peer that is installed."""
    findings = Findings()
    with one_torch_thread():
        for case in QUICK if quick else CASES:
            _measure(case, quick, findings, tell)
    findings.absent = list(dict.fromkeys(findings.absent))
    return findings


def _measure(case: Case, quick: bool, findings: Findings, tell: Callable[[str], None]) -> None:
    problem = FlowProblem.explicit(case.pairs, case.vocabulary, case.dimension)
    our_error = problem.error(problem.ours())
    peers: dict[str, Tuned] = {}
    for name in case.peers:
        tell(f"{case.name}: {name}")
        try:
            solvers = list(solvers_of(name)(problem, quick or not case.every_setting))
        except ImportError as error:
            findings.absent.append(absent(name, error))
            continue
        found = tune(problem, solvers, our_error)
        if found is None:
            findings.absent.append(Absent(name, f"no tolerance reaches our error at {case.name}"))
            continue
        peers[name] = found
        if found.solver.compile_seconds:
            findings.costs.append(Cost(f"{found.describe()}: compilation, {case.name}", found.solver.compile_seconds))
    tell(f"{case.name}: taking turns")
    runs: dict[str, Callable[[], object]] = {OURS: problem.ours, WITH_BOUND: problem.ours_with_bound}
    seconds = in_turns(runs | {name: found.run for name, found in peers.items()}, case.rounds, warm=False)
    for name, found in peers.items():
        for ours in (OURS, WITH_BOUND):
            findings.ratios.append(
                ratio_of(
                    seconds[ours],
                    seconds[name],
                    case=case.name,
                    ours=ours,
                    peer=found.describe(),
                    our_error=our_error,
                    peer_error=found.error,
                )
            )


def solvers_of(peer: str) -> Solvers:
    """The function that gives a peer's solvers. Raises ImportError where its package is missing."""
    module, function = PEERS[peer]
    return getattr(import_module(module), function)

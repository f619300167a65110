"""The benchmarks run and compare like with like; how fast anything is, is no matter of the suite, whose machine may be
busy.
"""

import ast
import json
import math
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bisection, flow_peers, plain_loop, proofs, sympy_proof, table, training
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.exponent import fit_exponent
from benchmarks.findings import KINDS, Findings
from benchmarks.flow_problem import FlowProblem
from benchmarks.flow_solver import Solver, tune
from benchmarks.rounds import in_turns, ratio_of
from benchmarks.scipy_flow import theta_solvers
from tests.theory.inequality_library import FALSE, TRUE, Statement
from theory.proof import Proof
from theory.task import reversal_task
from validation.experiments.settings import TrainSettings
from validation.training import TrainingSettings

ROOT = Path(__file__).resolve().parent.parent
NEEDS = {"diffrax on logits": "diffrax", "torchdiffeq on logits": "torchdiffeq"}


@pytest.fixture(scope="module")
def problem() -> FlowProblem:
    """A small flow with explicit embeddings."""
    return FlowProblem.explicit(3, 12, 24)


# -- the arithmetic of the tables --
@pytest.mark.parametrize("exponent", [-1.0, 0.0, 1.5, 3.0])
def test_exact_powers_are_recovered(exponent: float) -> None:
    """Seconds that are an exact power of the size give that power with no error."""
    sizes = np.array([10.0, 20.0, 40.0, 80.0])
    found, error = fit_exponent(sizes, 0.3 * sizes**exponent)
    assert found == pytest.approx(exponent, abs=1e-12)
    assert error < 1e-12


def test_noisy_powers_are_recovered_within_their_standard_error() -> None:
    """H0: the fitted exponent is 2 in law; 400 fits at known noise have mean square z = (n-2)/(n-4) = 4/3 of t(8)."""
    rng, sizes = np.random.default_rng(0), np.geomspace(1.0, 1e3, 10)
    fits = [fit_exponent(sizes, sizes**2 * np.exp(0.1 * rng.normal(size=10))) for _ in range(400)]
    square = np.mean([((found - 2.0) / error) ** 2 for found, error in fits])
    spread = math.sqrt(6.0 / 400)  # the variance of z^2 for t(8) is about 6
    assert abs(square - 4.0 / 3.0) < 4.0 * spread, square


def test_two_sizes_have_no_standard_error() -> None:
    """A line through two points is refused."""
    with pytest.raises(ValueError, match="three sizes"):
        fit_exponent(np.array([1.0, 2.0]), np.array([1.0, 2.0]))


def test_everyone_runs_once_a_round_and_ratios_are_of_rounds() -> None:
    """Competitors take turns, each round once in either order; the ratio is a median of rounds."""
    order: list[str] = []
    in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert "".join(order) == "ababba"  # warm-up, one round forth, one back
    found = ratio_of([1.0, 2.0, 4.0], [2.0, 2.0, 2.0], case="", ours="", peer="")
    assert (found.ratio, found.lowest, found.highest, found.rounds) == (1.0, 0.5, 2.0, 3)


# -- the gradient flow --
def test_both_forms_of_the_flow_are_one(problem: FlowProblem) -> None:
    """SciPy on Theta and on the coordinates, each at 1e-12, give the same logits, and ours is near them."""
    solver = next(theta_solvers(problem, quick=True))
    assert problem.error(solver.solve(1e-12)) < 1e-9
    # ours, at 1e-9 a step, is interpolated between long steps, which costs some digits
    assert problem.error(problem.ours()) < 1e-5
    assert np.abs(problem.ours_with_bound()[0] - problem.ours()).max() < 1e-12


@pytest.mark.parametrize("peer", flow_peers.PEERS)
def test_peers_are_set_to_our_measured_error(problem: FlowProblem, peer: str) -> None:
    """Every peer reaches the reference, and is tuned to an error that is ours or smaller."""
    if peer in NEEDS:
        pytest.importorskip(NEEDS[peer])
    solvers = list(flow_peers.solvers_of(peer)(problem, True))
    assert problem.error(solvers[0].solve(1e-11)) < 1e-8
    asked = problem.error(problem.ours())
    found = tune(problem, solvers, asked)
    assert found is not None
    assert found.error <= asked
    assert problem.error(found.run()) == pytest.approx(found.error, rel=1e-6)


def test_the_loosest_tolerance_is_found(problem: FlowProblem) -> None:
    """A solver whose error is its tolerance is set to the largest tolerance of the grid that is small enough."""
    exact = Solver("exact", "", lambda tolerance: problem.reference + tolerance)
    found = tune(problem, [exact], 3e-8)
    assert found is not None
    assert found.tolerance == pytest.approx(10**-7.75)
    assert tune(problem, [Solver("wrong", "", lambda _: problem.reference + 1.0)], 3e-8) is None
    assert tune(problem, [Solver("gave up", "", lambda _: problem.reference[:1])], 3e-8) is None


# -- training --
@pytest.mark.parametrize(
    "settings",
    [TrainingSettings("sgd", 0.5, 12, "one", "reshuffled"), TrainingSettings("gd", 0.5, 12, "full")],
    ids=["one", "full"],
)
def test_plain_loops_train_the_same(settings: TrainingSettings) -> None:
    """The plain loop and ours come to the same logits but for rounding, and these moved."""
    task = reversal_task(3, vocabulary=9)
    for runs in (
        training.bilinear_runs(task, 10, settings, range(2)),
        training.transformer_runs(task, settings, range(2)),
    ):
        mine, theirs = (run() for run in runs)
        assert np.abs(mine - theirs).max() < 1e-13
        assert np.abs(theirs).max() > 0.1


def test_a_peer_that_trains_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ratios of different computations are never reported."""
    right = plain_loop.bilinear
    monkeypatch.setattr(training, "bilinear", lambda *given: right(*given) + 1e-9)
    with pytest.raises(training.DisagreementError, match="differ by 1e-09"):
        training.measure(quick=True)


def test_training_speed_compares_both_losses() -> None:
    """At a tiny size the benchmark gives positive rates and ratios for each loss and competitor, in JSON too."""
    pytest.importorskip("transformers")
    from benchmarks import training_speed

    settings = TrainSettings.checked("smoke", control=False, device="cpu")
    result = training_speed.measure(settings, rounds=1, epochs=1)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert set(result["losses"]) == {"answer", "sequence"}
    for numbers in result["losses"].values():
        assert set(numbers["ratio"]) == {"one seed", "seeds side by side"}
        assert set(numbers["sentences_per_second"]) == {"transformers", *numbers["ratio"]}
        assert all(x > 0 for part in ("sentences_per_second", "ratio") for x in numbers[part].values())
    assert training_speed.table(result).row_count == 6


# -- proofs --
SIGNS = {"mpmath": bisection.mpmath_sign, "arb": bisection.arb_sign}


def bounded(statements: tuple[Statement, ...]) -> list[Statement]:
    """Those whose domain need not be cut."""
    return [s for s in statements if proofs.cut(s).domain == s.domain]


@pytest.mark.parametrize("sign", SIGNS)
def test_bisection_proves_what_is_away_from_contact(sign: str) -> None:
    """Strictly positive statements on bounded boxes are proved by either kind of number."""
    prover = proofs.by_bisection(SIGNS[sign])
    easy = [s for s in TRUE if s.name in ("larger and smaller", "absolute value", "polynomial with large roots")]
    assert len(easy) == 3
    assert all(prover(proofs.cut(s), 5.0) for s in easy)


@pytest.mark.parametrize("sign", SIGNS)
def test_bisection_proves_nothing_false(sign: str) -> None:
    """No statement that is false at a point of a bounded box is proved.

    (mpmath's division has no notion of an undefined point: statements that fail by that alone are not asked.)
    """
    prover = proofs.by_bisection(SIGNS[sign])
    false = [s for s in bounded(FALSE) if s.expected == "Refutation"]
    assert len(false) > 20
    assert [s.name for s in false if prover(s, 0.05)] == []


def test_sympy_as_a_peer_tells_true_from_false() -> None:
    """SymPy proves a parabola above its tangent, not below it, and stops at its limit."""
    statement = next(s for s in TRUE if s.name == "contact at the square root of two")
    assert sympy_proof.proves(statement.expr, statement.domain, False, 5.0)
    assert not sympy_proof.proves(-statement.expr, statement.domain, False, 5.0)
    hard = next(s for s in TRUE if s.name == "exponential above its tangent")
    assert not sympy_proof.proves(hard.expr, hard.domain, False, 1e-4)


def test_cut_statements_are_proved_by_ours_too() -> None:
    """Ours is asked the statement that bisection is asked, with finite ends, and proves it."""
    for statement in TRUE[::15]:
        posed = proofs.cut(statement)
        assert all(end.is_finite for _, segment in posed.domain.bounds for end in (segment.start, segment.end))
        assert isinstance(proofs.ours(posed), Proof)


# -- the command --
def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[dict[str, object]]]:
    """What the command prints with --quick --json."""
    assert main([*arguments, "--quick", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def check_rows(found: dict[str, list[dict[str, object]]], names: set[str]) -> None:
    """Every benchmark has ratios, all finite and positive, and fitted exponents are numbers."""
    assert {row["benchmark"] for row in found["ratios"]} == names
    for row in found["ratios"]:
        assert all(math.isfinite(row[key]) and row[key] > 0 for key in ("ratio", "lowest", "highest")), row
        assert row["peer_error"] is None or row["peer_error"] <= row["our_error"]
    assert all(math.isfinite(row["exponent"]) for row in found["exponents"])


def test_quick_json_and_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Scaling and proofs print every row as JSON and write it as CSV with a picture; a full folder is refused."""
    folder = tmp_path / "out"
    found = run(capsys, "--only", "scaling", "--only", "proofs", "--output", str(folder))
    check_rows(found, {"scaling", "proofs"})
    names = {path.name for path in folder.iterdir()}
    assert {"ratios.csv", "exponents.csv", "proved.csv", "ratios.svg"} <= names
    assert main(["--only", "scaling", "--quick", "--output", str(folder)]) == 2


@pytest.mark.slow
def test_everything_runs_quickly(capsys: pytest.CaptureFixture[str]) -> None:
    """`--quick --json` gives rows of every benchmark."""
    for package in ("diffrax", "torchdiffeq", "transformers"):
        pytest.importorskip(package)
    check_rows(run(capsys), set(BENCHMARKS))


@pytest.mark.parametrize("peer", NEEDS)
def test_missing_peers_are_told(monkeypatch: pytest.MonkeyPatch, peer: str) -> None:
    """Without its package a solver's peer is `not installed`, and all others stand."""
    monkeypatch.setitem(sys.modules, NEEDS[peer], None)
    monkeypatch.delitem(sys.modules, flow_peers.PEERS[peer][0], raising=False)
    case = flow_peers.Case(2, 8, 8, 1, ("SciPy on logits", peer))
    monkeypatch.setattr(flow_peers, "QUICK", (case,))
    found = flow_peers.measure(quick=True)
    assert [(a.peer, a.reason) for a in found.absent] == [(peer, f"not installed ({NEEDS[peer]})")]
    assert {r.peer.split(",")[0] for r in found.ratios} == {"SciPy on logits"}


def test_missing_transformers_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without transformers the small models are still compared."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.delitem(sys.modules, "benchmarks.training_speed", raising=False)
    found = training.measure(quick=True)
    assert [a.reason for a in found.absent] == ["not installed (transformers)"]
    assert len(found.ratios) == 4


def test_slower_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A ratio below one is called slower in the table, one above is not."""
    slow, fast = (ratio_of([1.0], [x], case="case", ours="ours", peer="peer") for x in (0.5, 2.0))
    from rich.console import Console

    Console(width=160).print(table.tables({"name": Findings(ratios=[slow, fast])}))
    lines = [line for line in capsys.readouterr().out.splitlines() if "case" in line and "peer" in line and "│" in line]
    assert ["slower" in line for line in lines] == [True, False]


def test_every_benchmark_is_a_file() -> None:
    """Each name of the command is a documented module with `measure`; kinds of findings are fields."""
    for name in BENCHMARKS:
        module = import_module(f"benchmarks.{name}")
        assert callable(module.measure)
        assert module.__doc__
    assert set(KINDS) == {"ratios", "exponents", "proved", "costs", "absent"}


def test_no_package_imports_the_benchmarks() -> None:
    """theory, numerics and validation know nothing of benchmarks or of the peers' packages."""
    for package in ("theory", "numerics", "validation"):
        for file in (ROOT / package).rglob("*.py"):
            names = set()
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module.split(".")[0])
            assert not names & {"benchmarks", "diffrax", "torchdiffeq", "jax"}, file

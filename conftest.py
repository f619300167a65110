"""Hypothesis profiles, and the programs that some tests start.

`ci` is derandomised, so that a run says the same every time; `thorough` draws many more.
A test that starts a program of the system says so with `@pytest.mark.program("latexmk", "booktabs.sty")`. Where one is
missing the test is left out, and the end of the run says which and how many; with REQUIRE_PROGRAMS=1, as `.ci/run` sets
it, a test that is left out for any reason fails.

Estimates of time are those of an idle machine, so that no test depends on what else runs beside it.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Generator, Iterator
from functools import cache

import pytest
from hypothesis import HealthCheck, settings

# Examples train real networks: no deadline, and slow generation is no defect. The examples themselves are fixed by the
# test functions, so the database would only make runs differ.
settings.register_profile(
    "ci", max_examples=12, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "thorough", max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session", autouse=True)
def idle_machine() -> Iterator[None]:
    """Work takes what its constants say: nothing is measured, and no line about long work depends on the moment."""
    from validation import machine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "probe", machine.Machine)
        yield


@cache
def installed(name: str) -> bool:
    """Whether a program is on the path, or a TeX style (a name that ends in .sty) where TeX finds it."""
    if not name.endswith(".sty"):
        return shutil.which(name) is not None
    return (
        installed("kpsewhich") and subprocess.run(["kpsewhich", name], capture_output=True, check=False).returncode == 0
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out whose program is missing."""
    needed = [name for marker in item.iter_markers("program") for name in marker.args]
    missing = dict.fromkeys(name for name in needed if not installed(name))
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With REQUIRE_PROGRAMS a test that is left out fails, and says why."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("REQUIRE_PROGRAMS", "0") != "0":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was left out, and REQUIRE_PROGRAMS is set: {reason(report)}"
    return report


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was left out."""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Every reason for which tests were left out, and how many for each."""
    reasons = Counter(map(reason, terminalreporter.stats.get("skipped", [])))
    for why, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} {'test' if count == 1 else 'tests'} left out: {why}", yellow=True)

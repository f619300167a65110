"""`reversal sweep` as a person meets it: killed and continued, on a cluster, with failing cells, and with nonsense."""

import contextlib
import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import distributed
import jsonschema
import psutil
import pytest
from joblib import parallel_config

from validation.cli import main
from validation.sweep.cell import Outcome, attempt, file_digest
from validation.sweep.design import design_of
from validation.sweep.progress import Ticker
from validation.sweep.spec import read_spec
from validation.sweep.table import write_tables

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "sweep.schema.json").read_text(encoding="utf-8"))
SMOKE = ROOT / "examples" / "sweeps" / "smoke.toml"
# 200 cells of a few milliseconds
QUICK = """
kind = "check"
seeds = 8
[settings]
theorem = "unseen-target-bound"
[grid]
pairs = [1, 2, 3, 4, 5]
steps = [5, 10, 15, 20, 25]
[picture]
form = "map"
name = "phases"
x = "steps"
y = "pairs"
value = "unseen_target_bound_measured"
lines = ["unseen_target_bound_bound"]
"""
# 20 cells in processes that load no torch
SHORT = """
kind = "separation"
seeds = 2
[settings]
pairs = 2
[grid]
dimension = [100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6, 3e6]
[picture]
name = "phases"
x = "dimension"
y = "measured"
lines = ["first_order", "a_priori"]
"""
PATIENCE = 240.0  # seconds until something must have happened, on a busy machine
TINY = 'kind = "separation"\nseeds = 2\n[settings]\npairs = 2\n[grid]\ndimension = [100, 1e4]\n'

Sweep = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sweep:
    """Run `reversal sweep ARGUMENTS` in this process: (exit code, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["reversal", "sweep", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        streams = capsys.readouterr()
        return int(left.value.code or 0), streams.out, streams.err

    return run


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A sweep of 20 cells."""
    (tmp_path / "sweep.toml").write_text(SHORT)
    return tmp_path / "sweep.toml"


@pytest.fixture(params=["quick", "shipped"])
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A sweep of 200 cells."""
    if request.param == "shipped":
        return SMOKE
    (tmp_path / "sweep.toml").write_text(QUICK)
    return tmp_path / "sweep.toml"


@cache
def plain_loop(text: str) -> dict[str, bytes]:
    """The tables of a sweep, its cells run one after the other in this process."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.toml"
        path.write_text(text)
        design = design_of(read_spec(path), path.parent)
    assert len(design.cells) == (20 if text == SHORT else 200)
    with TemporaryDirectory() as folder:
        write_tables(design, {cell.digest: attempt(cell) for cell in design.cells}, Path(folder))
        return {name: (Path(folder) / name).read_bytes() for name in ("table.csv", "table.parquet")}


# The sweep, with `at_cell(text)` called before each cell appears on the disk, whose file will hold the text.
AT_CELL = """
import os, signal, psutil
written, replace = [], os.replace
def replacing(draft, path):
    if os.path.basename(os.path.dirname(path)) == "cells":
        with open(draft, encoding="utf-8") as file:
            written.append(file.read())
        at_cell()
    replace(draft, path)
os.replace = replacing
"""
# A process of the pool is killed at the third cell, the driver just before the seventh would appear.
KILLED = f"""{AT_CELL}
def at_cell():
    if len(written) == 3:
        children = psutil.Process().children()
        next(child for child in children if "popen_loky" in " ".join(child.cmdline())).kill()
    if len(written) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def start(*arguments: object, before: str = "") -> subprocess.Popen[str]:
    """`reversal sweep ARGUMENTS` in a process of its own, which first runs the program `before`."""
    program = f"{before}\nfrom validation.cli import main\nmain()"
    command = [sys.executable, "-c", program, "sweep", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Until it is so; fails where the process ends before, or after PATIENCE seconds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        if process is not None and process.poll() is not None:
            pytest.fail(f"ended with {process.returncode}: {process.communicate()}")
        time.sleep(0.01)


def cells_in(folder: Path) -> dict[str, str]:
    """The finished cells of an unfinished sweep: digest -> when and by which process it was run."""
    found = {}
    for path in (folder / "cells").glob("*.json"):
        outcome = json.loads(path.read_text())["outcome"]
        found[path.stem] = f"{outcome['started']} {outcome['host']} {outcome['seconds']}"
    return found


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes of its pool."""
    return [child for child in psutil.Process(process.pid).children() if "popen_loky" in " ".join(child.cmdline())]


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code and streams of a process that ends by itself."""
    out, err = process.communicate(timeout=2 * PATIENCE)
    return process.returncode, out, err


def timings(folder: Path) -> dict[str, str]:
    """When and by which process each cell of a finished sweep was run."""
    with (folder / "timings.csv").open(encoding="utf-8", newline="") as file:
        return {row["cell"]: f"{row['started']} {row['process']} {row['seconds']}" for row in csv.DictReader(file)}


def test_killed_and_continued_it_is_the_same_to_the_byte(tmp_path: Path, short: Path, sweep: Sweep) -> None:
    """20 cells; a worker is killed, then the driver while it writes a cell, and the sweep is continued: the same tables
    as a plain loop makes, no finished cell is run again, and the processes of the killed driver end by themselves.
    """
    output, folder = tmp_path / "out", tmp_path / "out.unfinished"
    process = start(short, "-o", output, "--workers", "2", before=KILLED)
    code, _, err = finish(process)
    assert code == -signal.SIGKILL, err
    wait_for(lambda: not any(alive(one) for one in session_of(process)))
    kept = cells_in(folder)
    assert len(kept) == 6
    refused = sweep(short, "-o", output)
    assert refused[0] == 2
    assert "an unfinished sweep lies in" in refused[2]
    code, out, err = finish(start(short, "-o", output, "--workers", "2", "--resume", "--json"))
    assert code == 0, err
    assert "6 of 20 cells are finished already" in err
    assert timings(output).items() >= kept.items()
    check_folder_of(short, output, json.loads(out))
    assert not folder.exists()


@pytest.mark.slow
def test_killed_twice_and_continued_it_is_the_same_to_the_byte(tmp_path: Path, spec: Path, sweep: Sweep) -> None:
    """200 cells; a worker is killed, the driver is killed, continued, killed again, continued: the same tables as a
    plain loop makes, and no cell that was finished is run again. The processes of a killed driver end by themselves.
    """
    output, folder = tmp_path / "out", tmp_path / "out.unfinished"
    kept: dict[str, str] = {}
    for enough, resume in ((20, []), (60, ["--resume"])):
        process = start(spec, "-o", output, "--workers", "2", *resume)
        if not resume:
            wait_for(lambda: len(list((folder / "cells").glob("*.json"))) >= 5, process)
            workers_of(process)[0].kill()
        wait_for(lambda enough=enough: len(list((folder / "cells").glob("*.json"))) >= enough, process)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found = cells_in(folder)
        assert found.items() >= kept.items()
        kept = found
        wait_for(lambda children=children: not any(alive(child) for child in children))
        assert cells_in(folder) == kept  # nobody writes any more
    assert 60 <= len(kept) < 200
    refused = sweep(spec, "-o", output)
    assert refused[0] == 2
    assert "an unfinished sweep lies in" in refused[2]
    code, out, err = finish(start(spec, "-o", output, "--workers", "2", "--resume", "--json"))
    assert code == 0, err
    assert f"{len(kept)} of 200 cells are finished already" in err
    assert timings(output).items() >= kept.items()
    check_folder_of(spec, output, json.loads(out))
    assert not folder.exists()


def session_of(process: subprocess.Popen[str]) -> Iterator[psutil.Process]:
    """What `start` started, and all that this started."""
    for one in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(one.pid) == process.pid:
                yield one


def alive(process: psutil.Process) -> bool:
    """Whether a process is there and no zombie."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def check_folder_of(spec: Path, output: Path, manifest: dict) -> None:
    """A finished sweep: its tables are those of a plain loop, and the manifest is what it says."""
    for name, expected in plain_loop(spec.read_text()).items():
        assert (output / name).read_bytes() == expected
    jsonschema.validate(manifest, SCHEMA)
    assert manifest == json.loads((output / "manifest.json").read_text(encoding="utf-8"))
    cells = 20 if spec.read_text() == SHORT else 200
    assert manifest["counts"] == {"cells": cells, "ok": cells, "failed": 0}
    there = {path.relative_to(output).as_posix(): path for path in output.rglob("*") if path.is_file()}
    assert set(there) == {*manifest["files"], "manifest.json"}
    assert all(file_digest(there[name]) == digest for name, digest in manifest["files"].items())
    assert {"pictures/phases.svg", "pictures/phases.png", "sweep.toml"} <= set(there)


@pytest.mark.slow
def test_an_interruption_of_all_processes_keeps_what_is_finished(tmp_path: Path, spec: Path) -> None:
    """Ctrl-C, which the whole group of processes gets: exit code 130, one line, no traceback, no process left."""
    output, folder = tmp_path / "out", tmp_path / "out.unfinished"
    process = start(spec, "-o", output, "--workers", "2")
    wait_for(lambda: len(list((folder / "cells").glob("*.json"))) >= 10, process)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    code, out, err = finish(process)
    assert (code, out) == (130, "")
    assert "Traceback" not in err
    assert "cells are kept in" in err
    assert "--resume" in err
    assert len(cells_in(folder)) >= 10
    assert not output.exists()
    wait_for(lambda: not any(alive(child) for child in children))


# -- a cluster -------------------------------------------------------------------------------------------------------
@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A dask scheduler and two workers, processes of their own that speak TCP; the address and the workers."""
    information = tmp_path / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__WORKER__DAEMON": "true"}
    started: list[subprocess.Popen[str]] = []

    def launch(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
        log = (tmp_path / f"dask-{len(started)}.log").open("w")
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=log, stderr=log, text=True, start_new_session=True
        )
        log.close()
        started.append(process)
        return process

    where = ["--no-dashboard", "--scheduler-file", str(information)]
    scheduler = launch("scheduler", "--host", "127.0.0.1", "--port", "0", *where)
    try:
        wait_for(information.exists, scheduler)
        workers = [launch("worker", "--nthreads", "1", "--host", "127.0.0.1", *where) for _ in range(2)]
        yield json.loads(information.read_text())["address"], workers
    finally:
        for process in reversed(started):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_cluster_that_loses_a_worker_finds_the_same_to_the_byte(
    tmp_path: Path, short: Path, cluster: tuple[str, list[subprocess.Popen[str]]]
) -> None:
    """20 cells by a scheduler and two workers over TCP, one of which is killed when both have run a cell."""
    address, workers = cluster
    output = tmp_path / "out"
    with distributed.Client(address) as client:
        client.wait_for_workers(2, timeout=60)  # else the first one may get every cell before the other is there
    children = psutil.Process(workers[0].pid).children()  # under its nanny, which starts another one
    killing = f"""{AT_CELL}
import json
def at_cell():
    if len({{json.loads(text)["outcome"]["host"] for text in written}}) == 2:
        for pid in {[child.pid for child in children]}:
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)
"""
    process = start(short, "-o", output, "--cluster", address, "--json", before=killing)
    code, out, err = finish(process)
    assert code == 0, err
    assert children
    assert not any(alive(child) for child in children)
    check_folder_of(short, output, json.loads(out))
    ran = {row.split()[1] for row in timings(output).values()}
    assert len(ran) >= 2
    assert not {name.rpartition(":")[2] for name in ran} & {str(process.pid)}


@pytest.mark.slow
def test_a_cluster_finds_the_same_to_the_byte(
    tmp_path: Path, spec: Path, cluster: tuple[str, list[subprocess.Popen[str]]]
) -> None:
    """The same 200 cells by a scheduler and two workers over TCP, one of which is killed on the way."""
    address, workers = cluster
    output, folder = tmp_path / "out", tmp_path / "out.unfinished"
    with distributed.Client(address) as client:
        client.wait_for_workers(2, timeout=60)  # else the first one may get every cell before the other is there
    process = start(spec, "-o", output, "--cluster", address, "--json")
    wait_for(lambda: len(list((folder / "cells").glob("*.json"))) >= 20, process)
    for child in psutil.Process(workers[0].pid).children():  # under its nanny, which starts another one
        child.kill()
    code, out, err = finish(process)
    assert code == 0, err
    check_folder_of(spec, output, json.loads(out))
    ran = {row.split()[1] for row in timings(output).values()}
    assert len(ran) >= 2
    assert not {name.rpartition(":")[2] for name in ran} & {str(process.pid)}


@pytest.mark.parametrize(
    ("address", "said"),
    [("tcp://127.0.0.1:1", "no scheduler answers"), ("nonsense", "no scheduler answers")],
)
def test_a_cluster_that_does_not_answer_is_one_message(
    address: str, said: str, tmp_path: Path, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, how to start one, and nothing left behind."""
    monkeypatch.setattr("validation.sweep.cluster.SECONDS", 2.0)
    monkeypatch.setattr("validation.sweep.cluster.WORKER_SECONDS", 2.0)
    code, out, err = sweep(SMOKE, "-o", tmp_path / "out", "--cluster", address)
    assert (code, out) == (2, "")
    assert said in err
    assert "dask scheduler" in err
    assert list(tmp_path.iterdir()) == []


def test_without_dask_the_extra_is_named(tmp_path: Path, sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, _, err = sweep(SMOKE, "-o", tmp_path / "out", "--cluster", "tcp://127.0.0.1:1")
    assert code == 2
    assert "pip install '.[cluster]'" in err


# -- failures and nonsense -------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Threads:
    """A pool without processes."""

    workers: int = 1
    in_flight: int = 1
    deaths: tuple[type[Exception], ...] = ()
    patience: int = 1
    driver: None = None

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """Threads of this process."""
        with parallel_config("threading", n_jobs=2):
            yield

    def stop(self) -> None:
        """Threads end by themselves."""


def test_cells_that_fail_are_said_and_the_rest_is_there(
    tmp_path: Path, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fact file that trains nothing usable fails its cell; exit code 1, message in table, manifest and summary."""
    (tmp_path / "good.csv").write_text("subject,relation,object,direction\na,r,b,both\nc,r,d,forward\n")
    (tmp_path / "bad.csv").write_text("subject,relation,object\na,r\n")
    spec = tmp_path / "sweep.toml"
    spec.write_text(
        'kind = "check"\n[settings]\ntheorem = "sgd-sandwich"\nsteps = 20\n[grid]\nfacts = ["bad.csv", "good.csv"]\n'
    )
    monkeypatch.setattr("validation.sweep.drive.LocalPool", lambda workers: Threads())
    code, out, err = sweep(spec, "-o", tmp_path / "out", "--workers", "1")
    assert (code, err) == (1, "")
    assert "1 of 2 cells finished, 1 failed" in out
    assert "bad.csv" in out
    with (tmp_path / "out" / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["facts"], row["status"]) for row in rows] == [("bad.csv", "failed"), ("good.csv", "ok")]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    jsonschema.validate(manifest, SCHEMA)
    assert manifest["verdict"] == "some cells failed"
    assert [failure["row"] for failure in manifest["failures"]] == [1]
    assert manifest["failures"][0]["message"] == rows[0]["message"] != ""
    assert set(manifest["facts"]) == {"bad.csv", "good.csv"}


def test_an_interruption_keeps_what_is_finished(tmp_path: Path, sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after two cells: exit code 130 and how to continue; then the other cells are run, and no more."""
    monkeypatch.setattr("validation.sweep.drive.LocalPool", lambda workers: Threads())
    spec, output = tmp_path / "sweep.toml", tmp_path / "out"
    spec.write_text(QUICK.replace("seeds = 8", "seeds = 1"))
    finished = Ticker.finished

    def interrupted(ticker: Ticker, outcome: Outcome) -> None:
        finished(ticker, outcome)
        if ticker.done == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Ticker, "finished", interrupted)
        code, out, err = sweep(spec, "-o", output)
    assert (code, out) == (130, ""), err
    said, _, command = err.strip().partition("; continue with: ")
    assert said == f"interrupted; 2 of 25 cells are kept in {output}.unfinished"
    assert shlex.split(command) == ["reversal", "sweep", "--resume", str(spec), "-o", str(output)]
    assert not output.exists()
    kept = cells_in(tmp_path / "out.unfinished")
    code, _, err = sweep(spec, "-o", output, "--resume")
    assert (code, err) == (0, "2 of 25 cells are finished already\n")
    assert timings(output).items() >= kept.items()
    code, _, err = sweep(spec, "-o", output, "--resume")
    assert code == 2
    assert "exists and is not an empty folder" in err


def test_another_sweep_is_not_continued(tmp_path: Path, sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed design is refused with what differs; the unfinished sweep stays as it is."""
    monkeypatch.setattr("validation.sweep.drive.LocalPool", lambda workers: Threads())
    spec, output = tmp_path / "sweep.toml", tmp_path / "out"
    spec.write_text(QUICK.replace("seeds = 8", "seeds = 1"))

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("validation.sweep.run.shutil.copyfile", full)
        code, _, err = sweep(spec, "-o", output)
    assert code == 2
    assert "every cell is kept" in err
    before = cells_in(tmp_path / "out.unfinished")
    assert len(before) == 25
    spec.write_text(QUICK)
    code, _, err = sweep(spec, "-o", output, "--resume")
    assert code == 2
    assert "seeds: 1 then, 8 now" in err
    assert cells_in(tmp_path / "out.unfinished") == before


NONSENSE = {
    "no file": (["none.toml"], "none.toml: No such file"),
    "a bad file": (["bad.toml"], "bad.toml: kind: is missing"),
    "no workers": (["sweep.toml", "--workers", "0"], "--workers 0: expected a whole number"),
    "many words": (["sweep.toml", "--workers", "all"], "--workers all: expected a whole number"),
    "workers of a cluster": (["sweep.toml", "--workers", "2", "--cluster", "tcp://x:1"], "--workers has no effect"),
    "memory of a cluster": (
        ["sweep.toml", "--limit-memory", "1GiB", "--cluster", "tcp://x:1"],
        "--limit-memory has no effect",
    ),
    "too little memory": (["sweep.toml", "--limit-memory", "1MiB", "--workers", "2"], "2 workers need about 1 GiB"),
    "nothing to continue": (["sweep.toml", "--resume"], "no unfinished sweep at"),
    "a folder that is there": (["sweep.toml", "-o", "."], "exists and is not an empty folder"),
    "a folder in no folder": (["sweep.toml", "-o", "none/out"], "does not exist; make it first"),
    "an unknown option": (["sweep.toml", "--foo"], "No such option"),
    "a setting that no remedy has": (["remedies.toml"], "settings.nonsense: no such setting"),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_one_clear_message(
    what: str, tmp_path: Path, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, the reason, no traceback, and no new file."""
    monkeypatch.chdir(tmp_path)
    Path("sweep.toml").write_text(TINY)
    Path("bad.toml").write_text("seeds = 1")
    Path("remedies.toml").write_text('kind = "remedies"\n[settings]\nnonsense = 1\n')
    before = sorted(tmp_path.iterdir())
    arguments, said = NONSENSE[what]
    code, out, err = sweep(*arguments, *([] if "-o" in arguments else ["-o", "out"]))
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "out.unfinished"] == before


@pytest.mark.slow
def test_the_workers_of_slurm_are_those_that_a_sweep_asks_for() -> None:
    """One thread each and a nanny, which sets one thread for libraries too."""
    code = (
        "import runpy\n"
        f"cluster = runpy.run_path({str(ROOT / 'examples' / 'sweeps' / 'slurm.py')!r})['slurm_cluster']()\n"
        "print(cluster.job_script())\ncluster.close()\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "--nthreads 1 " in found.stdout
    assert "--nanny" in found.stdout
    assert "#SBATCH" in found.stdout


def test_nothing_to_resume_makes_nothing(tmp_path: Path, spec: Path, sweep: Sweep) -> None:
    """--resume without an unfinished sweep is refused before any folder is made."""
    before = sorted(tmp_path.iterdir())
    code, out, err = sweep(spec, "-o", tmp_path / "out", "--resume")
    assert (code, out) == (2, "")
    assert "no unfinished sweep at" in err
    assert sorted(tmp_path.iterdir()) == before


def test_a_mistake_in_the_design_names_the_file(tmp_path: Path, sweep: Sweep) -> None:
    """Problems that are found behind the form of the file name it too."""
    path = tmp_path / "sweep.toml"
    path.write_text('kind = "separation"\nseeds = 1\n[grid]\npears = [1]\n')
    code, _, err = sweep(path, "-o", tmp_path / "out")
    assert code == 2
    assert err.startswith(f"{path}: grid.pears: separation has no such setting; did you mean pairs?")

"""A dask cluster that was started elsewhere, as a pool: joblib hands cells to its scheduler over the network.

Its workers need this project in the same version, one thread each, and fact files at the same place. A worker that dies
is dask's affair: its cells run elsewhere, and only a cell that kills several workers is reported.
"""

import logging
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from joblib import parallel_config

import theory
from theory.errors import BadInput

SECONDS = 10.0  # for the scheduler to answer
FEWEST_IN_FLIGHT = 256  # cells of a cluster, whose workers come and go
WORKER_SECONDS = 120.0  # for a first worker: jobs wait in a queue
DECIDING = (
    "numpy",
    "scipy",
    "sympy",
    "python-flint",
    "scikit-sundae",
    "torch",
)  # libraries whose versions numbers rest on


class ClusterError(BadInput):
    """A cluster that cannot run the sweep; the message says why and what to do."""


def versions() -> dict[str, str]:
    """What results depend on besides the settings, in the process that asks."""
    found = {"reversal-curse-verifier": theory.__version__, "python": platform.python_version()}
    for name in DECIDING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def about() -> dict[str, Any]:
    """What a worker says of itself."""
    threads = os.environ.get("OMP_NUM_THREADS")
    return {"versions": versions(), "threads": threads}


@dataclass(frozen=True)
class ClusterPool:
    """The workers of a dask client."""

    client: Any
    workers: int
    deaths: tuple[type[Exception], ...]
    patience: int = 1  # the scheduler has tried it on several workers by then
    driver: None = None

    @property
    def in_flight(self) -> int:
        """More than there are workers: others may come, and none should wait for the driver."""
        return max(4 * self.workers, FEWEST_IN_FLIGHT)

    @contextmanager
    def ready(self) -> Iterator[None]:
        """joblib's dask backend on this client."""
        with parallel_config("dask", client=self.client, wait_for_workers_timeout=60, pure=False):
            yield

    def stop(self) -> None:
        """Nothing to do: the scheduler drops the cells of a client that leaves."""


@contextmanager
def connected(address: str) -> Iterator[ClusterPool]:
    """The cluster at `address`, looked over first. Raises ClusterError."""
    try:
        from distributed import Client, KilledWorker
        from distributed.client import FutureCancelledError
        from distributed.comm.core import CommClosedError
    except ImportError:
        raise ClusterError("--cluster needs dask, which is not installed: pip install '.[cluster]'") from None
    for name in ("asyncio", "tornado", *logging.root.manager.loggerDict):
        if name.split(".")[0] in ("asyncio", "tornado", "distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what they would say of a failure is said here
    try:
        client: Any = Client(address, timeout=SECONDS)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:
        said = str(error).strip().splitlines()
        raise ClusterError(
            f"--cluster {address}: no scheduler answers ({said[0] if said else type(error).__name__}); start one with "
            "`dask scheduler` and give the address that it prints, such as tcp://host:8786"
        ) from None
    try:
        yield ClusterPool(client, _look_over(client, address), (KilledWorker,))
    except (FutureCancelledError, CommClosedError):
        raise ClusterError(
            f"--cluster {address}: the scheduler is gone; finished cells are kept: start it again, and continue with "
            "--resume"
        ) from None
    finally:
        client.close()


def _look_over(client: Any, address: str) -> int:
    """How many workers there are, all of them fit. Raises ClusterError."""
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError:
        raise ClusterError(
            f"--cluster {address}: the scheduler has no worker; start some with `dask worker {address} --nthreads 1`"
        ) from None
    try:
        told: Mapping[str, dict[str, Any]] = client.run(about)
    except Exception as error:
        raise ClusterError(
            f"--cluster {address}: a worker cannot run this project ({type(error).__name__}: {error}); install it in "
            "the workers' environment, in the same version"
        ) from None
    problems = []
    own = versions()
    threads = client.nthreads()
    for worker, said in told.items():
        differs = [f"{n} {said['versions'].get(n)} (here {v})" for n, v in own.items() if said["versions"].get(n) != v]
        if differs:
            problems.append(f"worker {worker} has {', '.join(differs)}; install the same versions")
        if threads.get(worker, 1) != 1 or said["threads"] != "1":
            problems.append(
                f"worker {worker} has {threads.get(worker)} threads (OMP_NUM_THREADS: {said['threads']}), on which "
                "results would depend; start it with --nthreads 1, and with its nanny or OMP_NUM_THREADS=1"
            )
    if problems:
        raise ClusterError("\n".join(f"--cluster {address}: {problem}" for problem in problems))
    return len(told)

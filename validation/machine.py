"""How fast this machine is now, against the core on which the constants of estimates were measured.

Constants of estimates are seconds of the processor. A person waits for the clock, which also runs while other programs
have the processor; so what is said before long work is multiplied by what a fixed piece of work takes here and now.
Decisions (what a report leaves out, say) rest on the constants alone: the same settings then give the same results.
"""

import os
import time as clock
from dataclasses import dataclass

import numpy as np

# A product of 256 x 512 by 512 x 512 and a loop of Python, of the processor, measured as the other constants were.
PROBE_SECONDS, PROBE_LOOPS = 0.004, 50_000
PROBED_SECONDS = 0.2  # longer than a busy machine keeps a process waiting at a time


@dataclass(frozen=True)
class Machine:
    """`slower`: how many times as long as its constant says work takes by the clock; `busy`: clock over processor."""

    slower: float = 1.0
    busy: float = 1.0


def machine_now() -> Machine:
    """This machine as it is now."""
    return probe()


def probe() -> Machine:
    """A fixed piece of work, repeated for PROBED_SECONDS."""
    left, right = np.ones((256, 512)), np.ones((512, 512))
    left @ right  # may load libraries
    start, used, rounds = clock.perf_counter(), clock.process_time(), 0
    while clock.perf_counter() - start < PROBED_SECONDS:
        left @ right
        sum(range(PROBE_LOOPS))
        rounds += 1
    passed, used = clock.perf_counter() - start, clock.process_time() - used
    return Machine(passed / rounds / PROBE_SECONDS, max(passed / used, 1.0))


def available_cores() -> int:
    """How many processes of this program can run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine_memory() -> float:
    """Physical memory of this machine in bytes."""
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))

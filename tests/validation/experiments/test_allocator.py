"""Freed memory is kept where the C library can: a large block comes back at the same place, without fresh pages."""

import resource
import sys

import numpy as np
import pytest

from validation.experiments.allocator import keep_freed_memory


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's C library")
def test_large_blocks_are_not_given_back() -> None:
    """Filling 16 MiB again and again costs page faults once, not every time."""
    assert keep_freed_memory()

    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        np.ones(2**21)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults()
    # 4,096 pages of 4 KiB (8 of 2 MiB where the system joins them) each time, if they were given back
    assert sum(faults() for _ in range(20)) < 100

"""How freed memory is treated while training: every step frees what the next one asks for again."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Ask glibc to keep freed blocks of any size for the next step; whether it does.

    By default it gives the larger ones back to the system, and each step then waits for fresh pages: measured with ten
    seeds of the preset `laptop`, an eighth of a step. Other C libraries are left as they are.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return all([mallopt(option, _LARGEST) == 1 for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD)])

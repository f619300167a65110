"""One thread for everyone: on a machine that others use, two threads would measure the neighbours.

Linear algebra and XLA read their threads from the environment when they are loaded (see `benchmarks.__main__`); torch
is told here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """torch on one thread within the block."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

"""Speed of this project beside named peers, in the same run and at equal measured error: `python -m benchmarks`."""

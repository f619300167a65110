"""The exponent of a cost: the slope of a straight line by least squares in logarithms, with its standard error."""

import numpy as np


def fit_exponent(sizes: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """(exponent, standard error) of seconds = c size^exponent. Raises ValueError on fewer than three sizes."""
    if len(sizes) < 3:
        raise ValueError(f"a line with a standard error needs three sizes or more, got {len(sizes)}")
    x, y = np.log(sizes), np.log(seconds)
    x, y = x - x.mean(), y - y.mean()
    slope = (x @ y) / (x @ x)
    rest = y - slope * x
    return float(slope), float(np.sqrt((rest @ rest) / (len(x) - 2) / (x @ x)))

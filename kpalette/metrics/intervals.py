"""Bootstrap intervals: how far a mean or median may be off."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def bootstrap_interval(
    values: ArrayLike, *, statistic: Callable[..., Any] = np.mean, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic.

    Args:
        values: numbers (n,).
        statistic: a function of (array, axis=...), `numpy.mean` or `numpy.median` for instance.
        level: coverage.
        draws: resamples.
        seed: of the resampling.

    Returns:
        Lower and upper end.
    """
    array = np.asarray(values, dtype=np.float64)
    chosen = np.random.default_rng(seed).integers(0, len(array), (draws, len(array)))
    low, high = np.quantile(statistic(array[chosen], axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

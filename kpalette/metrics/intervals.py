"""Bootstrap intervals: how uncertain a mean or median is."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def bootstrap_interval(
    values: ArrayLike, *, statistic: Callable[..., Any] = np.mean, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic.

    The values are resampled with replacement many times. The interval holds the central part of the statistics of the
    samples.

    Args:
        values: numbers (n,).
        statistic: a function of (array, axis=...), such as `numpy.mean` or `numpy.median`.
        level: the part of the samples that the interval holds, 0..1.
        draws: how many samples are drawn.
        seed: seed of the random numbers.

    Returns:
        Lower and upper end of the interval.

    Example:
        >>> low, high = bootstrap_interval([1.0, 2.0, 3.0, 4.0])
        >>> low, high
        (1.5, 3.5)
    """
    array = np.asarray(values, dtype=np.float64)
    chosen = np.random.default_rng(seed).integers(0, len(array), (draws, len(array)))
    low, high = np.quantile(statistic(array[chosen], axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

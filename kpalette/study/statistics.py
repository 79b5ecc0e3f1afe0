"""Statistics of a study: means or medians of its figures, with bootstrap intervals.

A picture with many palettes counts as much as any other: the mean is that of the pictures' means, and bootstrap draws
pictures, each with all of its values.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kpalette.errors import ArgumentError
from kpalette.metrics.intervals import bootstrap_interval
from kpalette.study.records import StudyRecord

STATISTICS = ("mean", "median")
"""What `center` can compute."""

Groups = list[NDArray[np.float64]]
"""The values of a figure, an array for each picture."""


class Estimate(NamedTuple):
    """A mean or median with its bootstrap 95 % interval.

    Attributes:
        value: the mean or median; nan if there are no values.
        low: lower end of the interval.
        high: upper end of the interval.

    Example:
        >>> estimate([np.array([1.0, 3.0]), np.array([2.0])], statistic="mean")
        Estimate(value=2.0, low=2.0, high=2.0)
    """

    value: float
    low: float
    high: float


def groups_of(records: Iterable[StudyRecord], figure: str) -> Groups:
    """Collects the values of a figure by picture. nan is left out.

    Args:
        records: records of one method.
        figure: name of the figure, or "seconds".

    Returns:
        An array of values for each picture that has any.
    """
    found: dict[str, list[float]] = {}
    for record in records:
        value = record.seconds if figure == "seconds" else record.figures.get(figure, np.nan)
        if not np.isnan(value):
            found.setdefault(record.name, []).append(value)
    return [np.array(values) for values in found.values()]


def center(groups: Groups, *, statistic: str) -> float:
    """The mean or median of a figure.

    Args:
        groups: the values by picture, from `groups_of`.
        statistic: "mean", the mean of the pictures' means, or "median", that of all values.

    Returns:
        The mean or median; nan if there are no values.

    Raises:
        ArgumentError: if `statistic` is unknown.
    """
    if statistic not in STATISTICS:
        raise ArgumentError(f"`statistic` must be one of {', '.join(STATISTICS)}. Received: {statistic!r}")
    if not groups:
        return float("nan")
    if statistic == "mean":
        return float(np.mean([group.mean() for group in groups]))
    return float(np.median(np.concatenate(groups)))


def estimate(groups: Groups, *, statistic: str) -> Estimate:
    """The mean or median of a figure with its interval: bootstrap over pictures, each with all of its values.

    Args:
        groups: the values by picture, from `groups_of`.
        statistic: as in `center`.

    Returns:
        The mean or median, and its bootstrap 95 % interval.
    """
    value = center(groups, statistic=statistic)
    if not groups:
        return Estimate(value, value, value)
    if statistic == "mean":
        return Estimate(value, *bootstrap_interval([group.mean() for group in groups]))
    table = np.full((len(groups), max(map(len, groups))), np.nan)
    for row, group in zip(table, groups, strict=True):
        row[: len(group)] = group
    return Estimate(value, *bootstrap_interval(table, statistic=_median_of_all))


def _median_of_all(drawn: NDArray[np.float64], *, axis: int) -> NDArray[np.float64]:
    """The median of each draw: (draws, pictures, values) to (draws,)."""
    flat = drawn.reshape(len(drawn), -1)
    medians: NDArray[np.float64] = np.nanmedian(flat, axis=axis)
    return medians


def by_method(records: Iterable[StudyRecord]) -> dict[str, list[StudyRecord]]:
    """Records by method, in order of first appearance."""
    found: dict[str, list[StudyRecord]] = {}
    for record in records:
        found.setdefault(record.method, []).append(record)
    return found

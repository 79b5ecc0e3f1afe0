"""Centres of a study's figures and their intervals."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kpalette.errors import ArgumentError
from kpalette.metrics.intervals import bootstrap_interval
from kpalette.study.records import StudyRecord

STATISTICS = ("mean", "median")

Groups = list[NDArray[np.float64]]
"""Numbers, those of one picture together."""


class Estimate(NamedTuple):
    """A centre and its bootstrap 95 % interval, nan where there are no numbers."""

    value: float
    low: float
    high: float


def groups_of(records: Iterable[StudyRecord], figure: str) -> Groups:
    """The values of a figure, those of each picture together, nan left out.

    Args:
        records: of one method.
        figure: its name, or "seconds".

    Returns:
        An array for each picture that has any.
    """
    found: dict[str, list[float]] = {}
    for record in records:
        value = record.seconds if figure == "seconds" else record.figures.get(figure, np.nan)
        if not np.isnan(value):
            found.setdefault(record.name, []).append(value)
    return [np.array(values) for values in found.values()]


def center(groups: Groups, *, statistic: str) -> float:
    """The centre of grouped numbers.

    Args:
        groups: what `groups_of` gave.
        statistic: "mean", of the pictures' means, or "median" of all numbers.

    Returns:
        nan if there are no numbers.

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
    """The centre of grouped numbers, and how far it may be off: pictures are drawn again, all numbers of each together.

    Args:
        groups: what `groups_of` gave.
        statistic: as in `center`.

    Returns:
        The centre and its bootstrap 95 % interval.
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
    """The median of each draw, (draws, pictures, numbers) to (draws,)."""
    flat = drawn.reshape(len(drawn), -1)
    medians: NDArray[np.float64] = np.nanmedian(flat, axis=axis)
    return medians


def by_method(records: Iterable[StudyRecord]) -> dict[str, list[StudyRecord]]:
    """Records by method, in order of first appearance."""
    found: dict[str, list[StudyRecord]] = {}
    for record in records:
        found.setdefault(record.method, []).append(record)
    return found

"""A study as tables: GitHub markdown, centres with intervals, and how they come into a document."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kpalette.errors import ArgumentError
from kpalette.metrics.figures import FIGURES
from kpalette.metrics.intervals import bootstrap_interval
from kpalette.probes import PROBES
from kpalette.report.markdown import markdown_table
from kpalette.study_records import Record, Study

STATISTICS = ("mean", "median")

DIGITS = {
    "ssim": 3, "palette_de": 2, "palette_de_ab": 2, "richness": 2, "false_edges": 4, "palette_mse": 4, "micdm": 2,
    "lightness_drift": 2, "clipped": 3, "ab_error": 2, "own": 2, "response": 2, "seconds": 2,
}  # fmt: skip
"""Behind the point, by figure."""

RANKS = ("best", "median", "worst")

Groups = list[NDArray[np.float64]]
"""Numbers, those of one picture together."""


class Estimate(NamedTuple):
    """A centre and its bootstrap 95 % interval, nan where there are no numbers."""

    value: float
    low: float
    high: float


def groups_of(records: Iterable[Record], figure: str) -> Groups:
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


def by_method(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Records by method, in order of first appearance."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.method, []).append(record)
    return found


def figures_table(study: Study, *, statistic: str = "mean") -> str:
    """All methods and all figures, with bootstrap 95 % intervals.

    Args:
        study: what was found.
        statistic: as in `center`.

    Returns:
        A GitHub markdown table.
    """
    return _with_intervals(study.records, (*FIGURES, "clipped"), statistic)


def probes_table(study: Study, *, statistic: str = "mean") -> str:
    """All probed models and `probes.PROBES`, with bootstrap 95 % intervals.

    Args:
        study: what was found.
        statistic: as in `center`.

    Returns:
        A GitHub markdown table.
    """
    return _with_intervals(study.probes, tuple(PROBES), statistic)


def _with_intervals(records: Sequence[Record], figures: tuple[str, ...], statistic: str) -> str:
    def cell(own: list[Record], figure: str) -> str:
        found = estimate(groups_of(own, figure), statistic=statistic)
        if np.isnan(found.value):
            return ""
        value, low, high = (f"{number:.{DIGITS[figure]}f}" for number in found)
        return f"{value} ({low}-{high})"

    rows = [[method, *(cell(own, figure) for figure in figures)] for method, own in by_method(records).items()]
    return markdown_table(["method", *figures], rows)


def styles_table(study: Study, *, statistic: str = "mean", heading: str = "style") -> str:
    """`palette_de_ab` and `ssim` of each method by style.

    Args:
        study: what was found.
        statistic: as in `center`.
        heading: of the column of styles.

    Returns:
        A GitHub markdown table, the styles of most pictures first.
    """
    pictures: dict[str, set[str]] = {}
    for record in study.records:
        pictures.setdefault(record.style, set()).add(record.name)

    def cell(own: list[Record]) -> str:
        ab, ssim = (center(groups_of(own, name), statistic=statistic) for name in ("palette_de_ab", "ssim"))
        return f"{ab:.{DIGITS['palette_de_ab']}f}, {ssim:.{DIGITS['ssim']}f}"

    rows = []
    for style in sorted(pictures, key=lambda style: -len(pictures[style])):
        own = by_method(record for record in study.records if record.style == style)
        rows.append([style, str(len(pictures[style])), *(cell(own.get(method, [])) for method in study.methods)])
    return markdown_table([heading, "pictures", *study.methods], rows)


def ranked(study: Study, method: str) -> dict[str, Record]:
    """The cases on which a method did best, at the median, and worst, by `palette_de_ab`.

    Args:
        study: what was found.
        method: its name, as in `Study.methods`.

    Returns:
        Records by `RANKS`; of an even number of cases the better one stands for the median.

    Raises:
        ArgumentError: if the study has no such method.
    """
    own = by_method(study.records).get(method)
    if own is None:
        raise ArgumentError(f"`method` must be one of {', '.join(study.methods)}. Received: {method!r}")
    order = sorted(own, key=lambda record: record.figures["palette_de_ab"])
    return dict(zip(RANKS, (order[0], order[(len(order) - 1) // 2], order[-1]), strict=True))


def ranks_table(study: Study, method: str) -> str:
    """The cases of `ranked` with their figures.

    Args:
        study: what was found.
        method: as in `ranked`.

    Returns:
        A GitHub markdown table.
    """
    figures = (*FIGURES, "clipped")
    rows = [
        [rank, record.name, str(record.palette), *(_number(record.figures.get(f), f) for f in figures)]
        for rank, record in ranked(study, method).items()
    ]
    return markdown_table([method, "picture", "palette", *figures], rows)


def _number(value: float | None, figure: str) -> str:
    return "" if value is None else f"{value:.{DIGITS[figure]}f}"

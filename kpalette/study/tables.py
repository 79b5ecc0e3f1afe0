"""A study as tables: GitHub markdown, centres with intervals, and how they come into a document."""

from collections.abc import Sequence

import numpy as np

from kpalette.errors import ArgumentError
from kpalette.metrics.figures import FIGURES
from kpalette.report.markdown import markdown_table
from kpalette.study.probes import PROBES
from kpalette.study.records import Study, StudyRecord
from kpalette.study.statistics import by_method, center, estimate, groups_of

DIGITS = {
    "ssim": 3, "palette_de": 2, "palette_de_ab": 2, "richness": 2, "false_edges": 4, "palette_mse": 4, "micdm": 2,
    "lightness_drift": 2, "clipped": 3, "ab_error": 2, "own": 2, "response": 2, "seconds": 2,
}  # fmt: skip
"""Behind the point, by figure."""

RANKS = ("best", "median", "worst")


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


def _with_intervals(records: Sequence[StudyRecord], figures: tuple[str, ...], statistic: str) -> str:
    def cell(own: list[StudyRecord], figure: str) -> str:
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

    def cell(own: list[StudyRecord]) -> str:
        ab, ssim = (center(groups_of(own, name), statistic=statistic) for name in ("palette_de_ab", "ssim"))
        return f"{ab:.{DIGITS['palette_de_ab']}f}, {ssim:.{DIGITS['ssim']}f}"

    rows = []
    for style in sorted(pictures, key=lambda style: -len(pictures[style])):
        own = by_method(record for record in study.records if record.style == style)
        rows.append([style, str(len(pictures[style])), *(cell(own.get(method, [])) for method in study.methods)])
    return markdown_table([heading, "pictures", *study.methods], rows)


def ranked(study: Study, method: str) -> dict[str, StudyRecord]:
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

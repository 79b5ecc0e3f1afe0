"""Tables of a study, in GitHub markdown: figures, probes, styles, and the best and worst cases."""

from collections.abc import Sequence

import numpy as np

from kpalette.errors import ArgumentError
from kpalette.metrics.figures import FIGURES
from kpalette.report.markdown import markdown_table
from kpalette.study.probes import PROBES
from kpalette.study.records import Study, StudyRecord
from kpalette.study.statistics import by_method, center, estimate, groups_of

DIGITS = {
    "ssim": 3, "structure": 3, "luminance": 3, "palette_de": 2, "palette_de_ab": 2, "richness": 2, "false_edges": 4,
    "halo": 2, "halo_99": 2, "object_split": 3, "palette_mse": 4, "micdm": 2, "lightness_drift": 2, "clipped": 3,
    "ab_error": 2, "own": 2, "response": 2, "seconds": 2,
}  # fmt: skip
"""Decimal places of each figure."""

RANKS = ("best", "median", "worst")
"""The cases of `ranked`."""


def figures_table(study: Study, *, statistic: str = "mean") -> str:
    """Table of all methods and figures, with bootstrap 95 % intervals.

    Args:
        study: the study.
        statistic: as in `center`.

    Returns:
        A GitHub markdown table.
    """
    there = {name for record in study.records for name in record.figures}
    return _with_intervals(study.records, tuple(name for name in (*FIGURES, "clipped") if name in there), statistic)


def probes_table(study: Study, *, statistic: str = "mean") -> str:
    """Table of all probed recolorers and `PROBES`, with bootstrap 95 % intervals.

    Args:
        study: the study.
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
    """Table of `palette_de_ab` and `ssim` of each method by style.

    Args:
        study: the study.
        statistic: as in `center`.
        heading: heading of the column of styles.

    Returns:
        A GitHub markdown table; styles with most pictures come first.
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
    """Finds the best, the median and the worst case of a method, by `palette_de_ab`.

    Args:
        study: the study.
        method: name of the method, as in `Study.methods`.

    Returns:
        Records by `RANKS`. If the number of cases is even, the median is the better of both in the middle.

    Raises:
        ArgumentError: if the study has no such method.
    """
    own = by_method(study.records).get(method)
    if own is None:
        raise ArgumentError(f"`method` must be one of {', '.join(study.methods)}. Received: {method!r}")
    order = sorted(own, key=lambda record: record.figures["palette_de_ab"])
    return dict(zip(RANKS, (order[0], order[(len(order) - 1) // 2], order[-1]), strict=True))


def ranks_table(study: Study, method: str) -> str:
    """Table of the cases of `ranked` with their figures.

    Args:
        study: the study.
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

"""The figure of a search: a row for each configuration, best first, and a dot for each run."""

from typing import Any

from kpalette.report.svg import svg_axes
from kpalette.search.records import OBJECTIVE, Summary
from kpalette.search.space import label

_DONE, _BEST, _FAILED = "#2f6db3", "#c2451e", "#7a7a76"


def draw_runs(summaries: list[Summary]) -> bytes:
    """Draws all runs.

    Args:
        summaries: at least one, best first.

    Returns:
        An SVG file.

    Raises:
        ArgumentError: if Matplotlib is not installed.
    """
    with svg_axes(7.2, 1.1 + 0.26 * len(summaries)) as (axes, stream):
        axes.set_ylim(len(summaries) - 0.4, -0.6)
        axes.set_yticks(range(len(summaries)), [label(summary.values) for summary in summaries], parse_math=False)
        axes.set_xlabel("mse of ab over the selection split, lower is better; dots are seeds, lines their means")
        values = [run.figures[OBJECTIVE] for s in summaries for run in s.runs if not run.failed]
        if values and max(values) > 3 * min(values):
            axes.set_xscale("log")
        for row, summary in enumerate(summaries):
            _draw_row(axes, row, summary)
    return stream.getvalue()


def _draw_row(axes: Any, row: int, summary: Summary) -> None:
    color = _FAILED if summary.failures else _BEST if row == 0 else _DONE
    found = [run.figures[OBJECTIVE] for run in summary.runs if not run.failed]
    axes.scatter(found, [row] * len(found), s=26, color=color, alpha=0.75, edgecolor="white", linewidth=0.4, zorder=3)
    if summary.failures:
        words = f"{len(summary.failures)} of {len(summary.runs)} failed: {summary.failures[0].reason}"
        place = axes.get_yaxis_transform()
        style = {"fontsize": 8, "color": _FAILED, "va": "center", "transform": place, "parse_math": False}
        axes.text(0.01, row, words if len(words) < 70 else words[:69] + "…", **style)
    else:
        mean = summary.mean(OBJECTIVE)
        axes.plot([mean, mean], [row - 0.3, row + 0.3], color=color, linewidth=1.6, zorder=2)

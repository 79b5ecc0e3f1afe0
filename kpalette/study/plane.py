"""The plane of structure and faithfulness: a chart with a disc for each recolorer of a study, as SVG."""

from itertools import cycle
from typing import Any, NamedTuple

import numpy as np

from kpalette.metrics.references import REFERENCES
from kpalette.recolorers.strength import lightness_text
from kpalette.report.svg import svg_axes
from kpalette.study.records import Study
from kpalette.study.statistics import by_method, center, groups_of

_AREA = 80.0  # square points of a disc of richness 1
_COLORS = ("#c2451e", "#2f6db3", "#3f8f4f", "#8a4fa3", "#b07c10", "#1f8a8a", "#a83a6b", "#5c6b1f")
_GREY = "#7a7a76"
_SIZES = (0.25, 1.0, 2.0)  # richness, in the legend
_NEAR = 4.0  # distance in points from a disc to its label, above which a line joins them


class Point(NamedTuple):
    """A recolorer at one lightness strength, or a reference row, on the plane.

    Attributes:
        method: its name in tables.
        model: name of the recolorer or of the reference row.
        lightness: lightness strength, 0..1 or "auto"; 0 for reference rows.
        tone: how lightness moved; "" for reference rows.
        ssim: its place to the right.
        palette_de: its height.
        richness: its area.

    Example:
        >>> Point("soft", "soft", 0.0, "local", 0.98, 12.5, 1.1).ssim
        0.98
    """

    method: str
    model: str
    lightness: float | str
    tone: str
    ssim: float
    palette_de: float
    richness: float


def plane_points(study: Study, *, statistic: str = "mean") -> list[Point]:
    """Finds the place of each method of a study.

    Args:
        study: the study.
        statistic: as in `kpalette.study.statistics.center`.

    Returns:
        A point for each method, in the order of the study.
    """
    return [
        Point(
            method, own[0].model, own[0].lightness or 0.0, own[0].tone,
            *(center(groups_of(own, name), statistic=statistic) for name in ("ssim", "palette_de", "richness")),
        )
        for method, own in by_method(study.records).items()
    ]  # fmt: skip


def draw_plane(study: Study, *, statistic: str = "mean") -> bytes:
    """Draws the plane. To the right is ssim, upwards palette_de; the area of a disc is richness.

    Args:
        study: the study, with at least one record.
        statistic: as in `kpalette.study.statistics.center`.

    Returns:
        An SVG file. Equal studies give equal bytes with the same version of Matplotlib.

    Raises:
        ArgumentError: if Matplotlib is not installed.
    """
    points = plane_points(study, statistic=statistic)
    with svg_axes(7.2, 5.0) as (axes, stream):
        axes.set_xlabel(f"ssim ({statistic}): structure kept, further right is better")
        axes.set_ylabel(f"palette_de ({statistic}): distance to the palette, lower is better")
        axes.margins(0.09)
        _draw_points(axes, points)
        _draw_legend(axes, points)
        axes.figure.draw_without_rendering()
        axes.autoscale(False)
        _draw_labels(axes, points)
    return stream.getvalue()


def _area(richness: float) -> float:
    return _AREA * max(richness, 0.05)


def _colors(points: list[Point]) -> dict[str, str]:
    """The colour of each model; reference rows are grey."""
    models = dict.fromkeys(point.model for point in points)
    own = (model for model in models if model not in REFERENCES)
    return {**dict.fromkeys(models, _GREY), **dict(zip(own, cycle(_COLORS), strict=False))}


def _draw_points(axes: Any, points: list[Point]) -> None:
    for model, color in _colors(points).items():
        own = sorted((point for point in points if point.model == model), key=lambda point: -point.ssim)
        for tone, style in _tones(own).items():
            line = [point for point in own if point.tone in ("", tone) or not point.lightness]
            x, y = [point.ssim for point in line], [point.palette_de for point in line]
            axes.plot(x, y, style, color=color, linewidth=1.0, alpha=0.7, zorder=2)
        x, y = [point.ssim for point in own], [point.palette_de for point in own]
        areas = [_area(point.richness) for point in own]
        axes.scatter(x, y, s=areas, color=color, edgecolor="white", linewidth=0.4, alpha=0.9, zorder=3)


def _tones(points: list[Point]) -> dict[str, str]:
    """The style of the line of each tone that is there."""
    found = {point.tone or "curve" for point in points if point.lightness}
    return {tone: style for tone, style in (("local", "-"), ("curve", ":")) if tone in found}


def _draw_legend(axes: Any, points: list[Point]) -> None:
    discs = [axes.scatter([], [], s=_area(size), color=_GREY, label=f"{size:g}") for size in _SIZES]
    title = "area: richness\nnumbers: lightness" + "\ndotted: by a curve" * (len(_tones(points)) > 1)
    axes.legend(handles=discs, title=title, loc="best", frameon=False, fontsize=8, title_fontsize=8)


def _draw_labels(axes: Any, points: list[Point]) -> None:
    """Puts each label where it covers least of the discs, the legend and the earlier labels."""
    pixels = axes.figure.dpi / 72.0
    colors = _colors(points)
    places = axes.transData.transform([(point.ssim, point.palette_de) for point in points])
    radii = [np.sqrt(_area(point.richness) / np.pi) * pixels for point in points]
    boxes = [(x - r, y - r, x + r, y + r) for (x, y), r in zip(places, radii, strict=True)]
    boxes.append(tuple(axes.get_legend().get_window_extent().extents))
    inside = tuple(axes.get_window_extent().extents)
    for point, (x, y), radius in zip(points, places, radii, strict=True):
        words = f"{point.model} {lightness_text(point.lightness)}" if point.lightness else point.model
        style = {"fontsize": 8, "color": colors[point.model], "va": "center", "parse_math": False}
        text = axes.text(point.ssim, point.palette_de, words, **style)
        extent = text.get_window_extent()
        around = _candidates(x, y, radius, (extent.width, extent.height), pixels)
        box = min(around, key=lambda box: _cost(box, boxes, inside))
        boxes.append(box)
        text.set_position(axes.transData.inverted().transform((box[0], (box[1] + box[3]) / 2)))
        near = (min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3]))
        if np.hypot(near[0] - x, near[1] - y) > radius + _NEAR * pixels:
            ends = axes.transData.inverted().transform([(x, y), near])
            axes.plot(*ends.T, color=colors[point.model], linewidth=0.5, zorder=2.5)


_Box = tuple[float, float, float, float]


def _candidates(x: float, y: float, radius: float, size: tuple[float, float], pixels: float) -> list[_Box]:
    """Boxes for a label around a disc; nearer ones, and those to the right, come first."""
    width, height = size
    found = []
    for gap in (2.0, 7.0, 15.0, 26.0):
        out = radius + gap * pixels
        for right, up in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)):
            left = x + right * out - (0.0 if right > 0 else width if right < 0 else width / 2)
            low = y + up * out - (0.0 if up > 0 else height if up < 0 else height / 2)
            found.append((left, low, left + width, low + height))
    return found


def _cost(box: _Box, others: list[_Box], inside: _Box) -> float:
    """Area of a box, in square pixels, that covers other boxes or lies outside the axes."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    return sum(_shared(box, other) for other in others) + area - _shared(box, inside)


def _shared(box: _Box, other: _Box) -> float:
    """Area that two boxes share."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(width, 0.0) * max(height, 0.0)

"""`halo`: light and dark fringes along edges, which the source does not have.

A halo is what local changes of lightness leave beside a strong edge: the sky gets lighter towards a roof, the roof
darker towards the sky. Along each row and column:

1. An edge is a place where L changes by more than `EDGE` within `SPAN` pixels of the source, and by the most there.
2. On each side of it lie up to `REACH` pixels, which end at the next edge. Their median is the plateau of that side;
   their median in the result is what the plateau was mapped to.
3. The excess of a pixel is how far its L lies above the lighter or below the darker of the two plateaus.
4. The halo of a pixel is its excess in the result less its excess in the source, at least 0.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kpalette.errors import ArgumentError
from kpalette.types import BoolArray, FloatArray

EDGE = 20.0
"""Change of L that makes an edge."""

SPAN = 3
"""Pixels within which it happens: edges of photographs are not sharp."""

REACH = 32
"""Pixels on each side of an edge that are looked at."""

_LEAST = 4  # pixels of a plateau
_MOST_EDGES = 4096  # in each direction, evenly spread: enough for a mean, and bounded in memory

Floats = NDArray[np.float64]


def halo(before: FloatArray, after: FloatArray) -> dict[str, float]:
    """How far lightness overshoots beside edges.

    Args:
        before: L of the source, (H, W).
        after: L of the result, (H, W).

    Returns:
        "halo", the mean, and "halo_99", the 99th percentile, over the pixels on both sides of all edges, in units of L.
        Both are 0 where the source has no such edge.

    Raises:
        ArgumentError: if the sizes differ.

    Example:
        >>> before = np.repeat([[20.0] * 40 + [80.0] * 40], 3, axis=0)
        >>> after = np.array(before)
        >>> after[:, 40:44] += 8  # a light fringe of four pixels
        >>> halo(before, after)["halo_99"]
        8.0
    """
    if np.shape(before) != np.shape(after) or np.ndim(before) != 2:
        raise ArgumentError(f"`before` and `after` must be (H, W). Received: {np.shape(before)} and {np.shape(after)}")
    return halo_beside(find_edges(before), after)


class Beside(NamedTuple):
    """The pixels on both sides of the edges of a picture, along its rows or columns.

    Attributes:
        lines: the row of each edge, (n, 1).
        places: columns of the pixels on its sides, (2, n, REACH).
        valid: which of them there are, (2, n, REACH).
        excess: how far each lies outside the range of the two plateaus, in L; NaN where there is no pixel.

    Example:
        >>> along_rows, _ = find_edges(np.repeat([[20.0] * 40 + [80.0] * 40], 3, axis=0))
        >>> along_rows.lines.ravel().tolist(), along_rows.places[:, 0, 0].tolist()
        ([0, 1, 2], [37, 40])
    """

    lines: NDArray[np.intp]
    places: NDArray[np.intp]
    valid: BoolArray
    excess: Floats


def find_edges(before: FloatArray) -> tuple[Beside, Beside]:
    """The edges of a picture's L (H, W): those along rows, and those along columns, as rows of its transpose."""
    return _beside_edges(np.asarray(before)), _beside_edges(np.asarray(before).T)


def halo_beside(edges: tuple[Beside, Beside], after: FloatArray) -> dict[str, float]:
    """`halo` of a result's L (H, W), beside the edges of its source."""
    parts = []
    for beside, L in zip(edges, (np.asarray(after), np.asarray(after).T), strict=True):
        parts.append(np.maximum(_excess(_sides(L, beside)) - beside.excess, 0.0)[beside.valid])
    found = np.concatenate(parts)
    if not found.size:
        return {"halo": 0.0, "halo_99": 0.0}
    return {"halo": float(found.mean()), "halo_99": float(np.percentile(found, 99))}


def _beside_edges(before: FloatArray) -> Beside:
    """The edges along rows."""
    rows, columns = _edges(before)
    # The far ends of both sides: the edges next to this one on its row, or the picture's border.
    left_end, right_end = np.zeros_like(columns), np.full_like(columns, before.shape[1] - 1)
    same = np.flatnonzero(rows[1:] == rows[:-1])
    left_end[same + 1], right_end[same] = columns[same] + SPAN, columns[same + 1]
    chosen = np.unique(np.linspace(0, len(rows) - 1, _MOST_EDGES).astype(np.intp))[: len(rows)]
    rows, columns, left_end, right_end = (x[chosen] for x in (rows, columns, left_end, right_end))
    steps = np.arange(REACH)
    places = np.stack([columns[:, np.newaxis] - steps, columns[:, np.newaxis] + SPAN + steps])
    valid = np.stack([places[0] >= left_end[:, np.newaxis], places[1] <= right_end[:, np.newaxis]])
    used = valid.sum(axis=2).min(axis=0) >= _LEAST
    places = np.clip(places, 0, before.shape[1] - 1)[:, used]
    beside = Beside(rows[used, np.newaxis], places, valid[:, used], np.zeros(0))
    return beside._replace(excess=_excess(_sides(before, beside)))


def _sides(L: FloatArray, beside: Beside) -> Floats:
    """L of the pixels on both sides, (2, n, REACH); NaN where there is no pixel."""
    values: Floats = np.where(beside.valid, L[beside.lines, beside.places], np.nan)
    return values


def _edges(L: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and first column of each edge along rows, sorted."""
    if L.shape[1] <= SPAN:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    steps = np.abs(L[:, SPAN:] - L[:, :-SPAN])
    padded = np.pad(steps, ((0, 0), (SPAN, SPAN)))
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * SPAN + 1, axis=1)
    # Of equal steps the first one is the edge.
    first = np.argmax(around, axis=2) == SPAN
    rows, columns = np.nonzero(first & (steps > EDGE))
    return rows, columns


def _excess(sides: Floats) -> Floats:
    """How far each pixel (2, n, REACH) lies outside the range of the two plateaus; NaN where there is no pixel."""
    plateaus = _medians(sides)
    above, below = sides - plateaus.max(axis=0), plateaus.min(axis=0) - sides
    outside: Floats = np.maximum(np.maximum(above, below), 0.0)
    return outside


def _medians(sides: Floats) -> Floats:
    """The median of each row that is not NaN, (2, n, 1). NumPy's nanmedian takes ten times as long."""
    ordered = np.sort(sides, axis=2)  # NaN comes last
    count = np.count_nonzero(~np.isnan(sides), axis=2, keepdims=True)
    low, high = (np.take_along_axis(ordered, middle, axis=2) for middle in ((count - 1) // 2, count // 2))
    medians: Floats = (low + high) / 2
    return medians

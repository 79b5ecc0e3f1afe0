"""`halo`: light and dark fringes along edges, which the source does not have.

A halo is what local changes of lightness leave beside a strong edge: the sky gets lighter towards a roof, the roof
darker towards the sky. Along each row and column:

1. An edge is a place where L changes by more than `EDGE` within `SPAN` pixels of the source, and by the most there.
2. On each side of it lie up to `REACH` pixels, which end at the next edge. Their median is the plateau of that side;
   their median in the result is what the plateau was mapped to.
3. The excess of a pixel is how far its L lies above the lighter or below the darker of the two plateaus.
4. The halo of a pixel is its excess in the result less its excess in the source, at least 0.
"""

import numpy as np
from numpy.typing import NDArray

from kpalette.errors import ArgumentError
from kpalette.types import FloatArray

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
    lines = [(np.asarray(before), np.asarray(after)), (np.asarray(before).T, np.asarray(after).T)]
    found = np.concatenate([_beside_edges(*pair) for pair in lines])
    if not found.size:
        return {"halo": 0.0, "halo_99": 0.0}
    return {"halo": float(found.mean()), "halo_99": float(np.percentile(found, 99))}


def _beside_edges(before: FloatArray, after: FloatArray) -> Floats:
    """The halo of each pixel beside an edge, along rows."""
    rows, columns = _edges(before)
    if not len(rows):
        return np.zeros(0)
    # The far ends of both sides: the edges next to this one on its row, or the picture's border.
    same = rows[1:] == rows[:-1]
    left_end = np.where(np.append(False, same), np.append(0, columns[:-1] + SPAN), 0)
    right_end = np.where(np.append(same, False), np.append(columns[1:], 0), before.shape[1] - 1)
    chosen = np.unique(np.linspace(0, len(rows) - 1, _MOST_EDGES).astype(np.intp))
    rows, columns, left_end, right_end = (x[chosen] for x in (rows, columns, left_end, right_end))
    steps = np.arange(REACH)
    places = np.stack([columns[:, np.newaxis] - steps, columns[:, np.newaxis] + SPAN + steps])
    valid = np.stack([places[0] >= left_end[:, np.newaxis], places[1] <= right_end[:, np.newaxis]])
    used = valid.sum(axis=2).min(axis=0) >= _LEAST
    places, valid, rows = np.clip(places, 0, before.shape[1] - 1)[:, used], valid[:, used], rows[used]
    excess = [_excess(np.where(valid, L[rows[:, np.newaxis], places], np.nan)) for L in (before, after)]
    found: Floats = np.maximum(excess[1] - excess[0], 0.0)[valid]
    return found


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
    plateaus = np.nanmedian(sides, axis=2, keepdims=True)
    above, below = sides - plateaus.max(axis=0), plateaus.min(axis=0) - sides
    outside: Floats = np.maximum(np.maximum(above, below), 0.0)
    return outside

"""Limits the slope of ab between neighbouring pixels, so that smooth areas of a picture stay smooth.

Two neighbours (one above or beside the other) are *alike* if they differ by less than `ALIKE` in the picture, and in
lightness after recolouring too. If the ab of alike neighbours ends far apart, a smooth area shows an edge that the
picture does not have. Mostly the gamut is the cause: near black and white its border falls by several units of chroma
for one unit of lightness, so that neighbours with one wanted colour are cut to different colours.

The algorithm takes alike neighbours as the edges of a graph. An edge is *steep* if

    |ab_i - ab_j| > STEEPEST + SLACK

1. Chroma reduction brings every pixel into gamut. Pixels that lose more than `_CUT` by it are *cut*.
2. Where chroma rises steeply from a cut pixel to its neighbour, the neighbour's chroma is lowered to that of the cut
   pixel plus `STEEPEST`. The neighbour counts as cut then. `REACH` rounds make a ramp of at most `REACH` pixels.
3. The two pixels of an edge that is still steep move towards each other, each by half of what exceeds `STEEPEST`.
   A pixel of several steep edges takes the mean of its moves. This is repeated up to `PASSES` times.
4. Chroma reduction brings the pixels that moved back into gamut.

So a leap becomes a ramp. Nothing spreads across an edge of the picture, since pixels there are not alike.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from kpalette.color.gamut import BISECTION_STEPS, reduce_chroma
from kpalette.types import BoolArray, FloatArray

ALIKE = 2.0
"""CIE 1976 difference below which two neighbours are alike: side by side, people hardly see it."""

STEEPEST = 4.0
"""Difference in ab, in Lab units, that is left between alike neighbours. Training's loss on edges allows as much."""

SLACK = 1.0
"""Differences up to `STEEPEST` + `SLACK` stay as they are. Moves end at `STEEPEST`, which halves the passes."""

REACH = 8
"""Length of a ramp of chroma, in pixels at most: a few cut pixels must not bleach a wide area around them."""

PASSES = 64
"""Passes of step 3: single leaps of up to 60 units end at slopes of at most 5 units, those of 80 units at 6."""

_CUT = 0.1  # units of a or b

Edges = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Edges of the graph: the first and the second pixel of each, as indices into the flat picture."""


def limit_slopes(
    before: FloatArray,
    after: FloatArray,
    *,
    passes: int = PASSES,
    steepest: float = STEEPEST,
    steps: int = BISECTION_STEPS,
    kernels: ModuleType | None = None,
) -> FloatArray:
    """Limits the slope of ab between neighbours that are alike; see the head of this module.

    Args:
        before: CIELAB (H, W, 3) of the picture.
        after: CIELAB (H, W, 3) of the recoloured picture; may lie outside sRGB.
        passes: of step 3. Influence reaches at most `REACH` + `passes` + 1 rows.
        steepest: takes the place of `STEEPEST`.
        steps: halvings of the chroma reduction.
        kernels: what `kpalette.kernels.loader.kernels_for` gives; None works in NumPy.

    Returns:
        CIELAB (H, W, 3), float32, in gamut: `reduce_chroma(after)`, with another ab where slopes were limited.

    Example:
        >>> before, after = np.full((1, 9, 3), 50.0), np.full((1, 9, 3), 50.0)
        >>> after[:, :4, 1], after[:, 4:, 1] = 20, -20
        >>> float(np.abs(np.diff(limit_slopes(before, after)[0, :, 1])).max()) <= STEEPEST + SLACK
        True
    """
    if kernels is not None:
        planes = [np.array(np.moveaxis(x, -1, 0), dtype=np.float32, order="C") for x in (before, after)]
        limit_planes(kernels, *planes, passes=passes, steepest=steepest, steps=steps)
        return np.ascontiguousarray(np.moveaxis(planes[1], 0, -1))
    lab: FloatArray = reduce_chroma(np.array(after, dtype=np.float32), steps=steps)
    L, ab = lab[..., 0], np.ascontiguousarray(np.moveaxis(lab[..., 1:], -1, 0))
    picture = np.ascontiguousarray(np.moveaxis(before, -1, 0))
    alike, active = [], np.zeros(L.shape, dtype=np.bool_)  # active: pixels of steep edges
    for axis in (0, 1):
        edges = (_squared_steps(picture, axis) < ALIKE**2) & (_squared_steps(L[np.newaxis], axis) < ALIKE**2)
        steep = edges & (_squared_steps(ab, axis) > (steepest + SLACK) ** 2)
        alike.append(edges)
        active |= steep
        active |= np.roll(steep, 1, axis=axis)
    if active.any():
        flat = ab.reshape(2, -1)
        cut = (np.abs(after[..., 1] - ab[0]) > _CUT) | (np.abs(after[..., 2] - ab[1]) > _CUT)
        _lower_chroma(flat, alike, active, cut, steepest)
        _move_together(flat, alike, active, steepest, passes)
        moved = (ab[0] != lab[..., 1]) | (ab[1] != lab[..., 2])
        lab[..., 1:] = np.moveaxis(ab, 0, -1)
        lab[moved] = reduce_chroma(lab[moved], steps=steps)  # between two hues, a ramp may leave the gamut
    return lab


def limit_planes(
    kernels: ModuleType, before: FloatArray, after: FloatArray, *, passes: int, steepest: float = STEEPEST, steps: int
) -> None:
    """`limit_slopes` of planes, float32 (3, H, W) and contiguous, by kernels; `after` changes in place."""
    kernels.limit_slopes(
        before, after, passes=passes, reach=REACH, alike=ALIKE, steepest=steepest, slack=SLACK, cut=_CUT, steps=steps
    )


def _squared_steps(planes: FloatArray, axis: int) -> FloatArray:
    """Squared distance between each pixel of planes (C, H, W) and the next along an axis, (H, W); inf at the end."""
    squares = np.full(planes.shape[1:], np.inf, dtype=np.float32)
    inner = squares[:-1] if axis == 0 else squares[:, :-1]
    inner[...] = 0.0
    for plane in planes:
        step = np.diff(plane, axis=axis)
        step *= step
        inner += step
    return squares


def _edges_at(pixels: BoolArray, alike: list[BoolArray]) -> Edges:
    """The edges of which at least one end is among some pixels (H, W)."""
    down, right = pixels.copy(), pixels.copy()
    down[:-1] |= pixels[1:]
    right[:, :-1] |= pixels[:, 1:]
    below, beside = np.flatnonzero(alike[0] & down), np.flatnonzero(alike[1] & right)
    return np.concatenate([below, beside]), np.concatenate([below + pixels.shape[1], beside + 1])


def _lower_chroma(ab: FloatArray, alike: list[BoolArray], active: BoolArray, cut: BoolArray, steepest: float) -> None:
    """Step 2: scales ab (2, n) in place.

    `active` (H, W) are the pixels at which to begin. Pixels that change are added to it, and to `cut` (H, W).
    """
    chroma = np.hypot(*ab)
    limit, changed = chroma.copy(), active
    for _ in range(REACH):
        first, second = _edges_at(changed, alike)
        falls = limit[first] > limit[second]
        lower, higher = np.where(falls, second, first), np.where(falls, first, second)
        steep = (limit[higher] - limit[lower] > steepest + SLACK) & cut.ravel()[lower]
        if not steep.any():
            break
        np.minimum.at(limit, higher[steep], limit[lower[steep]] + np.float32(steepest))
        changed = np.zeros_like(active)
        changed.ravel()[higher[steep]] = True
        active |= changed
        cut |= changed
    ab *= limit / np.maximum(chroma, 1e-6)


def _move_together(ab: FloatArray, alike: list[BoolArray], active: BoolArray, steepest: float, passes: int) -> None:
    """Step 3: moves ab (2, n) in place. `active` (H, W) are the pixels at which to begin."""
    changed = active
    for _ in range(passes):
        first, second = _edges_at(changed, alike)
        apart = ab[:, second] - ab[:, first]
        distance = np.hypot(*apart)
        steep = distance > steepest + SLACK
        if not steep.any():
            break
        move = apart[:, steep] * (0.5 - 0.5 * steepest / distance[steep])
        ends = np.concatenate([first[steep], second[steep]])
        if len(ends) < ab.shape[1] // 16:  # sorting a few is faster than counting over the whole picture
            pixels, ends = np.unique(ends, return_inverse=True)
        else:
            pixels = np.arange(ab.shape[1])
        moves = np.bincount(ends, minlength=len(pixels))
        for plane, way in zip(ab, move, strict=True):
            plane[pixels] += np.bincount(ends, np.concatenate([way, -way]), len(pixels)) / np.maximum(moves, 1)
        changed = np.zeros_like(active)
        changed.ravel()[pixels] = moves > 0

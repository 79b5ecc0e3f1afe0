"""Smooth places stay smooth: limits the steps of ab between neighbours that were alike in the picture.

What tears a smooth place is mostly the gamut: near black and white its border falls by several units of chroma for one
of lightness, so that neighbours which ask for one colour are cut to different ones. Here the alike neighbours of a
picture are the edges of a graph, and the recoloured ab is brought to a bounded slope (a Lipschitz bound) along them: a
leap becomes a ramp, and no colour crosses an edge of the picture.
"""

import numpy as np
from numpy.typing import NDArray

from kpalette.gamut import BISECTION_STEPS, reduce_chroma
from kpalette.types import BoolArray, FloatArray

ALIKE = 2.0
"""dE76 between neighbours of the picture below which they are alike: hardly to be told apart, side by side."""

STEEPEST = 4.0
"""Units of ab that alike neighbours may be apart afterwards."""

_PASSES = 32  # a ramp grows by a pixel on each side with each
_CUT = 0.1  # units of ab that the gamut took
_ENOUGH = 1e-3  # of a unit; float32 does not end exactly on the bound

Edges = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Neighbours: each pair's first pixel and its second, by their places in the flat picture."""


def limit_slopes(
    before: FloatArray, after: FloatArray, *, steepest: float = STEEPEST, steps: int = BISECTION_STEPS
) -> FloatArray:
    """Limits what parts neighbours of a recoloured picture that were alike in the picture.

    First, where chroma leaps, as it does at the end of the gamut, the greater chroma falls to a ramp from the lesser.
    Then what still is too far apart, in hue, meets halfway.

    Args:
        before: CIELAB (H, W, 3) of the picture.
        after: CIELAB (H, W, 3), recoloured; any colours.
        steepest: units of ab between alike neighbours that are left alone.
        steps: halvings of the chroma reduction that comes first.

    Returns:
        CIELAB (H, W, 3), float32: `reduce_chroma(after)`, and another ab where that was too steep or a ramp needs room.
        A ramp of hue may leave the gamut by little.
    """
    lab: FloatArray = reduce_chroma(np.array(after, dtype=np.float32), steps=steps)
    ab = np.ascontiguousarray(np.moveaxis(lab[..., 1:], -1, 0))
    alike = [_squares(np.moveaxis(before, -1, 0), axis) < ALIKE**2 for axis in (1, 2)]
    torn = np.zeros(lab.shape[:2], dtype=np.bool_)
    for axis, edges in enumerate(alike, start=1):
        steep = edges & (_squares(ab, axis) > steepest**2)
        torn |= steep
        torn |= np.roll(steep, 1, axis=axis - 1)
    if torn.any():
        flat = ab.reshape(2, -1)
        lost = np.max(np.abs(after[..., 1:] - lab[..., 1:]), axis=-1) > _CUT
        _lower_chroma(flat, alike, torn, lost, steepest)
        _meet(flat, alike, torn, steepest)
        lab[..., 1:] = np.moveaxis(ab, 0, -1)
    return lab


def _squares(planes: FloatArray, axis: int) -> FloatArray:
    """Squared distances between each pixel of planes (C, H, W) and the one after it, (H, W); infinite at the end."""
    found = np.full(planes.shape[1:], np.inf, dtype=np.float32)
    inner = found[:-1] if axis == 1 else found[:, :-1]
    inner[...] = 0.0
    for plane in planes:
        inner += np.square(np.diff(plane, axis=axis - 1))
    return found


def _edges_at(pixels: BoolArray, alike: list[BoolArray]) -> Edges:
    """The alike neighbours of which one or both are among some pixels (H, W)."""
    down, right = pixels.copy(), pixels.copy()
    down[:-1] |= pixels[1:]
    right[:, :-1] |= pixels[:, 1:]
    below, beside = np.flatnonzero(alike[0] & down), np.flatnonzero(alike[1] & right)
    return np.concatenate([below, beside]), np.concatenate([below + pixels.shape[1], beside + 1])


def _lower_chroma(ab: FloatArray, alike: list[BoolArray], torn: BoolArray, cut: BoolArray, steepest: float) -> None:
    """Scales ab (2, n) so that chroma rises by no more than `steepest` a pixel from where it was cut; in place.

    `torn` (H, W) are the pixels to begin with; those that change are added to them, and to `cut`.
    """
    chroma = np.hypot(*ab)
    limit, moved = chroma.copy(), torn
    for _ in range(_PASSES):
        one, other = _edges_at(moved, alike)
        falls = limit[one] > limit[other]
        less, more = np.where(falls, other, one), np.where(falls, one, other)
        leaps = (limit[more] - limit[less] > steepest + _ENOUGH) & cut.ravel()[less]
        if not leaps.any():
            break
        np.minimum.at(limit, more[leaps], limit[less[leaps]] + np.float32(steepest))
        moved = np.zeros_like(torn)
        moved.ravel()[more[leaps]] = True
        torn |= moved
        cut |= moved
    ab *= limit / np.maximum(chroma, 1e-6)


def _meet(ab: FloatArray, alike: list[BoolArray], torn: BoolArray, steepest: float) -> None:
    """Moves the ab (2, n) of neighbours too far apart towards each other by what is too much; in place."""
    moved = torn
    for _ in range(_PASSES):
        one, other = _edges_at(moved, alike)
        way = ab[:, other] - ab[:, one]
        far = np.hypot(*way)
        steep = far > steepest + _ENOUGH
        if not steep.any():
            break
        way = way[:, steep] * (0.5 - 0.5 * steepest / far[steep])
        pixels, place = np.unique(np.concatenate([one[steep], other[steep]]), return_inverse=True)
        asked = np.bincount(place)
        for plane, move in zip(ab, way, strict=True):
            plane[pixels] += np.bincount(place, np.concatenate([move, -move])) / asked
        moved = np.zeros_like(torn)
        moved.ravel()[pixels] = True

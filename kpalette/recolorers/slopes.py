"""Smooth places stay smooth: limits the steps of ab between neighbours that were alike in the picture.

What tears a smooth place is mostly the gamut: near black and white its border falls by several units of chroma for one
of lightness, so that neighbours which ask for one colour are cut to different ones. Here the alike neighbours of a
picture are the edges of a graph, along which the slope of the recoloured ab is limited: a leap becomes a ramp, and what
flows does not cross an edge of the picture as sharp as `ALIKE`.
"""

import numpy as np
from numpy.typing import NDArray

from kpalette.color.gamut import BISECTION_STEPS, reduce_chroma
from kpalette.types import BoolArray, FloatArray

ALIKE = 2.0
"""dE76 between neighbours of the picture below which they are alike: hardly to be told apart, side by side."""

STEEPEST = 4.0
"""Units of ab to which alike neighbours come that are too far apart: what training's edges term leaves free, too."""

SLACK = 1.0
"""Units above `STEEPEST` that are left alone. Who moves goes all the way, so that slopes are met in half the passes."""

REACH = 8
"""Pixels that a ramp from where chroma was cut may take, so that few of them do not bleach what is around them."""

PASSES = 64
"""Of relaxation: lone leaps of up to 60 units end at slopes of 5 at the most, those of 80 at 6."""

_CUT = 0.1  # units of ab that the gamut took

Edges = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Neighbours: each pair's first pixel and its second, by their places in the flat picture."""


def limit_slopes(
    before: FloatArray,
    after: FloatArray,
    *,
    passes: int = PASSES,
    steepest: float = STEEPEST,
    steps: int = BISECTION_STEPS,
) -> FloatArray:
    """Limits what parts neighbours of a recoloured picture that were alike in the picture, and still are in lightness.

    First, where chroma leaps because the gamut cut it, the greater chroma falls to a ramp from the lesser, of `REACH`
    pixels at most. Then what still is too far apart meets halfway, pass by pass.

    Args:
        before: CIELAB (H, W, 3) of the picture.
        after: CIELAB (H, W, 3), recoloured; any colours.
        passes: of the second step. No pixel hears of what is more than `REACH` + `passes` + 1 rows away.
        steepest: units of ab that alike neighbours come to; up to `SLACK` more are left alone.
        steps: halvings of the chroma reduction that comes first, and again at the end.

    Returns:
        CIELAB (H, W, 3), float32, in gamut as `reduce_chroma` has it: `reduce_chroma(after)`, and another ab where that
        was too steep or a ramp needs room.
    """
    lab: FloatArray = reduce_chroma(np.array(after, dtype=np.float32), steps=steps)
    L, ab = lab[..., 0], np.ascontiguousarray(np.moveaxis(lab[..., 1:], -1, 0))
    own = np.ascontiguousarray(np.moveaxis(before, -1, 0))
    alike, torn = [], np.zeros(L.shape, dtype=np.bool_)
    for axis in (0, 1):
        edges = (_squares(own, axis) < ALIKE**2) & (_squares(L[np.newaxis], axis) < ALIKE**2)
        steep = edges & (_squares(ab, axis) > (steepest + SLACK) ** 2)
        alike.append(edges)
        torn |= steep
        torn |= np.roll(steep, 1, axis=axis)
    if torn.any():
        flat = ab.reshape(2, -1)
        lost = (np.abs(after[..., 1] - ab[0]) > _CUT) | (np.abs(after[..., 2] - ab[1]) > _CUT)
        _lower_chroma(flat, alike, torn, lost, steepest)
        _meet(flat, alike, torn, steepest, passes)
        moved = (ab[0] != lab[..., 1]) | (ab[1] != lab[..., 2])
        lab[..., 1:] = np.moveaxis(ab, 0, -1)
        lab[moved] = reduce_chroma(lab[moved], steps=steps)  # between two hues, a ramp may pass outside
    return lab


def _squares(planes: FloatArray, axis: int) -> FloatArray:
    """Squared distances between each pixel of planes (C, H, W) and the one after it, (H, W); infinite at the end."""
    found = np.full(planes.shape[1:], np.inf, dtype=np.float32)
    inner = found[:-1] if axis == 0 else found[:, :-1]
    inner[...] = 0.0
    for plane in planes:
        way = np.diff(plane, axis=axis)
        way *= way
        inner += way
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
    for _ in range(REACH):
        one, other = _edges_at(moved, alike)
        falls = limit[one] > limit[other]
        less, more = np.where(falls, other, one), np.where(falls, one, other)
        leaps = (limit[more] - limit[less] > steepest + SLACK) & cut.ravel()[less]
        if not leaps.any():
            break
        np.minimum.at(limit, more[leaps], limit[less[leaps]] + np.float32(steepest))
        moved = np.zeros_like(torn)
        moved.ravel()[more[leaps]] = True
        torn |= moved
        cut |= moved
    ab *= limit / np.maximum(chroma, 1e-6)


def _meet(ab: FloatArray, alike: list[BoolArray], torn: BoolArray, steepest: float, passes: int) -> None:
    """Moves the ab (2, n) of neighbours too far apart towards each other by what is too much; in place."""
    moved = torn
    for _ in range(passes):
        one, other = _edges_at(moved, alike)
        way = ab[:, other] - ab[:, one]
        far = np.hypot(*way)
        steep = far > steepest + SLACK
        if not steep.any():
            break
        way = way[:, steep] * (0.5 - 0.5 * steepest / far[steep])
        ends = np.concatenate([one[steep], other[steep]])
        if len(ends) < ab.shape[1] // 16:  # sorting a few is faster than counting over the whole picture
            pixels, ends = np.unique(ends, return_inverse=True)
        else:
            pixels = np.arange(ab.shape[1])
        asked = np.bincount(ends, minlength=len(pixels))
        for plane, move in zip(ab, way, strict=True):
            plane[pixels] += np.bincount(ends, np.concatenate([move, -move]), len(pixels)) / np.maximum(asked, 1)
        moved = np.zeros_like(torn)
        moved.ravel()[pixels] = asked > 0

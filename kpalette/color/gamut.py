"""The sRGB gamut in CIELAB: which colours lie inside, where a ray leaves it, and chroma reduction into it.

Functions are pure and take arrays (..., 3), channels last, of any array library, in float32 or wider, unless they say
otherwise. All work at constant lightness L, along a straight ray in the ab plane: there f(y) is constant, f(x) and f(z)
change linearly, and so each linear channel is a cubic polynomial of the position on the ray, which is cheap to compute:

    f(y) = (L + 16) / 116,   f(x) = f(y) + a / 500,   f(z) = f(y) - b / 200
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.color.arrays import as_float, namespace
from kpalette.color.spaces import WHITE, XYZ_TO_RGB, lab_curve_inverse, rotate_hue
from kpalette.types import L_MAX, Array, FloatArray

GAMUT_TOLERANCE = 1e-4
"""How far outside 0..1 a gamma-encoded channel of a colour in gamut may lie: a fortieth of an 8-bit step."""

BISECTION_STEPS = 20
"""Halvings of the search for the border: after 20 of them the error is less than 1e-4 units of chroma."""

_SCAN = (1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
_HALVINGS = 7
_LONGEST_RAY = 256.0  # longer than any ray inside the gamut at constant L

LINEAR_LOW = -GAMUT_TOLERANCE / 12.92
"""The least linear light of a colour in gamut."""

LINEAR_HIGH = ((1.0 + GAMUT_TOLERANCE + 0.055) / 1.055) ** 2.4
"""The greatest linear light of a colour in gamut."""

# The gamut has a gap below pale yellow (L 93 to 98.4, hues 100 to 106 degrees). On a ray from grey outwards the red
# channel rises up to 0.0133 above 1 there and comes back: the ray leaves the gamut and enters it again, up to 62 units
# of chroma further out. Chroma reduction to the inner border would tear such neighbours apart, so the gap counts as
# inside. Clipping red then changes a shown colour by at most 4 of 255 levels. Colours outside may still be torn apart
# where a ray just misses the outer part: no projection along rays can avoid that.
# The tolerance holds for red alone. It grows from 0 at a = 0 to its full value at a = -6, to be continuous: a is below
# -7 in all of the gap.
GAP_TOLERANCE = 0.0133 * 2.4 / 1.055
"""By how much the red of a pale yellow may exceed `LINEAR_HIGH`, in linear light."""

GAP_FULL = 500.0 / 6.0
"""The tolerance grows by this share of itself for each unit of f(y) - f(x), which is -a / 500."""


class _LightnessSlice:
    """The gamut at given L. All that depends on L alone is computed once, for all steps of a search."""

    def __init__(self, xp: Any, L: Array, *, bridge_gap: bool = False) -> None:
        self.xp = xp
        self.gap_tolerance: Array | None = None
        if bridge_gap:
            self.gap_tolerance = GAP_TOLERANCE * xp.clip((L - 92.0) / 2.0, 0.0, 1.0) * xp.clip(99.5 - L, 0.0, 1.0)
        self.fy = (L + 16.0) / 116.0
        y = lab_curve_inverse(xp, self.fy)
        self.base = [row[1] * y for row in XYZ_TO_RGB]

    def contains(self, fx: Array, fz: Array) -> Array:
        low, high = self._extremes(fx, fz)
        return self.xp.logical_and(low >= LINEAR_LOW, high <= LINEAR_HIGH)

    def take(self, index: NDArray[np.intp]) -> None:
        """Keeps the lightnesses at `index` and drops the others."""
        self.fy, self.base = self.fy.take(index), [base.take(index) for base in self.base]
        self.gap_tolerance = None if self.gap_tolerance is None else self.gap_tolerance.take(index)

    def margin(self, fx: Array, fz: Array) -> Array:
        """Distance of the channels from the nearest bound, in linear light; negative outside the gamut."""
        low, high = self._extremes(fx, fz)
        return self.xp.minimum(low - LINEAR_LOW, LINEAR_HIGH - high)

    def _extremes(self, fx: Array, fz: Array) -> tuple[Array, Array]:
        xp = self.xp
        x, z = lab_curve_inverse(xp, fx), lab_curve_inverse(xp, fz)
        channels = []
        for base, row in zip(self.base, XYZ_TO_RGB, strict=True):
            channel = x * (row[0] * WHITE[0])
            channel += base
            channel += z * (row[2] * WHITE[2])
            channels.append(channel)
        r, g, b = channels
        low = xp.minimum(xp.minimum(r, g), b)
        if self.gap_tolerance is not None:
            r = r - self.gap_tolerance * xp.clip((self.fy - fx) * GAP_FULL, 0.0, 1.0)
        return low, xp.maximum(xp.maximum(r, g), b)


def in_gamut(lab: Array, *, bridge_gap: bool = False) -> Array:
    """Tells for each colour whether sRGB can show it.

    Args:
        lab: CIELAB (..., 3).
        bridge_gap: whether the gap below pale yellow counts as inside, as it does for `reduce_chroma`.

    Returns:
        Booleans (...): true if every gamma-encoded channel lies in 0..1, up to `GAMUT_TOLERANCE`.

    Example:
        >>> in_gamut([[50.0, 0.0, 0.0], [50.0, 120.0, 0.0]])
        array([ True, False])
    """
    lab = as_float(lab)
    section = _LightnessSlice(namespace(lab), lab[..., 0], bridge_gap=bridge_gap)
    return section.contains(section.fy + lab[..., 1] / 500.0, section.fy - lab[..., 2] / 200.0)


def gamut_exit(
    L: FloatArray,
    origin: FloatArray,
    direction: FloatArray,
    *,
    limit: FloatArray,
    kernels: ModuleType | None = None,
) -> FloatArray:
    """Finds where rays at constant lightness leave the gamut; NumPy only.

    A slice of the gamut at constant L is not convex: a ray may cross the border several times. Bisection alone would
    find any of the crossings, and another one for a neighbouring ray. So the ray is first scanned at 8 points whose
    distances double; the first pair of points with the border between them is then halved.

    The gap below pale yellow counts as inside, as it does for `reduce_chroma`.

    Args:
        L: lightness (n,), 0..100.
        origin: start of each ray, ab (2, n).
        direction: direction of each ray, ab (2, n), of unit length.
        limit: distances (n,); a border that is farther away than that is not searched for.
        kernels: what `kpalette.kernels.loader.kernels_for` gives, for float32; None works in NumPy.

    Returns:
        Points ab (2, n): the first crossing of each ray and the border, or any point beyond `limit`. For an origin
        outside the gamut the ray is replaced: it is the point on the border that `reduce_chroma` moves the origin to.
    """
    section = _LightnessSlice(np, L, bridge_gap=True)
    outside = section.margin(section.fy + origin[0] / 500.0, section.fy - origin[1] / 200.0) < 0
    # For an origin outside, the ray goes from the grey of its lightness to the origin.
    start, ray = origin * ~outside, direction * L.dtype.type(_LONGEST_RAY)
    np.copyto(ray, origin, where=outside)
    searched = np.flatnonzero(outside | (limit > 0))
    section.take(searched)
    fx, fz = section.fy + start[0].take(searched) / 500.0, section.fy - start[1].take(searched) / 200.0
    dx, dz = ray[0].take(searched) / 500.0, ray[1].take(searched) / -200.0

    if kernels is not None:
        root = np.ones_like(L)
        rays = (L.take(searched), fx, fz, dx, dz)
        root[searched] = kernels.first_root(*rays, scan=np.array([*_SCAN, 1.0]), halvings=_HALVINGS)
        return np.asarray(start + ray * root)

    def margin(at: FloatArray | np.floating[Any]) -> FloatArray:
        value: FloatArray = section.margin(fx + at * dx, fz + at * dz)
        return value

    root = np.ones_like(L)
    root[searched] = _first_root(margin, section.fy)
    border: FloatArray = start + ray * root
    return border


def _first_root(margin: Callable[[FloatArray | np.floating[Any]], FloatArray], like: FloatArray) -> FloatArray:
    """The first position between 0 and 1 where `margin` becomes negative, for all elements at once.

    A scan finds the first interval with a change of sign, bisection narrows it, and one step of linear interpolation
    ends the search: `margin` is almost straight on what is left.
    """
    unbroken = np.ones(like.shape, dtype=np.bool_)
    low, width = np.zeros_like(like), np.full_like(like, _SCAN[0])
    for at, following in zip(_SCAN, (*_SCAN[1:], 1.0), strict=True):
        unbroken &= margin(like.dtype.type(at)) >= 0
        np.copyto(low, at, where=unbroken)
        np.copyto(width, following - at, where=unbroken)
    for _ in range(_HALVINGS):
        width *= like.dtype.type(0.5)
        low += width * (margin(low + width) >= 0)
    at_low, at_high = np.maximum(margin(low), 0), np.minimum(margin(low + width), 0)
    root: FloatArray = low + width * (at_low / np.maximum(at_low - at_high, like.dtype.type(1e-12)))
    return root


def reduce_chroma(lab: Array, *, steps: int = BISECTION_STEPS) -> Array:
    """Moves colours into sRGB by reducing chroma at constant lightness and hue, never by clipping channels.

    For a colour outside, bisection finds the largest factor below 1 for a and b at which it lies inside.

    Args:
        lab: CIELAB (..., 3); L is clipped to 0..100 first.
        steps: halvings of the bisection; 8 are enough for training.

    Returns:
        CIELAB (..., 3). Colours that were in gamut are unchanged. All are in gamut, except in the gap below pale
        yellow, which counts as inside: red may exceed 1 by 0.0133 there.

    Example:
        >>> reduce_chroma([50.0, 120.0, 0.0]).round(1)
        array([50., 79.,  0.])
    """
    lab = as_float(lab)
    xp = namespace(lab)
    lab = xp.stack([xp.clip(lab[..., 0], 0.0, L_MAX), lab[..., 1], lab[..., 2]], axis=-1)
    inside = in_gamut(lab, bridge_gap=True)
    if xp is not np:
        return xp.where(inside[..., None], lab, _reduced(xp, lab, steps))
    # NumPy can select the colours outside, which are few.
    lab[~inside] = _reduced(xp, lab[~inside], steps)
    return lab


def _reduced(xp: Any, lab: Array, steps: int) -> Array:
    L, a, b = lab[..., 0], lab[..., 1], lab[..., 2]
    section = _LightnessSlice(xp, L, bridge_gap=True)
    dx, dz = a / 500.0, b / -200.0
    low, width = xp.zeros_like(L), 1.0
    for _ in range(steps):
        width = width / 2
        middle = low + width
        inside = section.contains(section.fy + middle * dx, section.fy + middle * dz)
        # NumPy's `where` would take as long as the colour formulas.
        low = low + low.dtype.type(width) * inside if xp is np else xp.where(inside, middle, low)
    return xp.stack([L, a * low, b * low], axis=-1)


def hue_shift(rgb: Array, shift: Array, *, steps: int = BISECTION_STEPS) -> Array:
    """Hue shift that keeps the lightness: `rotate_hue`, then `reduce_chroma` instead of clipping.

    Args:
        rgb: gamma-encoded sRGB (..., 3) in 0..1, an image or a palette.
        shift: turns, a number or an array that broadcasts against rgb[..., 0]; 0 and 1 change nothing.
        steps: halvings of the chroma reduction.

    Returns:
        CIELAB (..., 3), in gamut, with the lightness of `rgb`.

    Example:
        >>> kpalette.rgb_to_lab([0.8, 0.2, 0.2]).round(1)
        array([46.2, 59.1, 37.1])
        >>> kpalette.hue_shift([0.8, 0.2, 0.2], 0.5).round(1)
        array([ 46.2, -27.9,  -8.3])
    """
    return reduce_chroma(rotate_hue(rgb, shift), steps=steps)

"""The sRGB gamut in CIELAB: what lies inside, where a way at constant lightness crosses it, and how colours get in.

Contract as in `color`: pure, channels last, any array library, float32 or wider. At constant L each linear channel is a
short polynomial of the position along a ray, so that one search serves chroma reduction and Chang's gamut rays alike.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.color.arrays import as_float, namespace
from kpalette.color.spaces import WHITE, XYZ_TO_RGB, lab_curve_inverse, rotate_hue
from kpalette.types import L_MAX, Array, FloatArray

GAMUT_TOLERANCE = 1e-4
"""How far outside 0..1 a gamma-encoded channel may lie and still count as in gamut: a fortieth of an 8-bit step."""

BISECTION_STEPS = 20
"""Halvings of the search along a ray: 20 leave less than 1e-4 of a chroma unit."""

_SCAN = (1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
_HALVINGS = 7
_LONGEST_RAY = 256.0  # longer than any way through the gamut at one lightness

_LINEAR_LOW = -GAMUT_TOLERANCE / 12.92
_LINEAR_HIGH = ((1.0 + GAMUT_TOLERANCE + 0.055) / 1.055) ** 2.4

# Under pale yellow (L 93 to 98.4, hues 100 to 106 degrees) red runs up to 0.0133 over 1 and comes back: a radius there
# leaves the gamut and enters it again, up to 62 units of chroma further out. What lies in that gap counts as reachable,
# so that colours inside never part from their neighbours; showing it clips red by 4 of 255 levels at the most. Colours
# outside may still part where such a radius just misses the far side: no projection along radii can avoid that. In all
# of the gap a is below -7: the slack is red's alone, nothing from a = 0 on, and full at -6, so that it is no step.
_GAP_SLACK = 0.0133 * 2.4 / 1.055
_GAP_FULL = 500.0 / 6.0  # per unit of fy - fx, which is -a / 500


class _Slice:
    """The gamut at given lightnesses: what depends on L alone is computed once for all steps of a search."""

    def __init__(self, xp: Any, L: Array, *, bridge_gap: bool = False) -> None:
        self.xp = xp
        self.slack: Array | None = None
        if bridge_gap:
            self.slack = _GAP_SLACK * xp.clip((L - 92.0) / 2.0, 0.0, 1.0) * xp.clip(99.5 - L, 0.0, 1.0)
        self.fy = (L + 16.0) / 116.0
        y = lab_curve_inverse(xp, self.fy)
        self.base = [row[1] * y for row in XYZ_TO_RGB]

    def contains(self, fx: Array, fz: Array) -> Array:
        low, high = self._extremes(fx, fz)
        return self.xp.logical_and(low >= _LINEAR_LOW, high <= _LINEAR_HIGH)

    def take(self, index: NDArray[np.intp]) -> None:
        """Keeps some of the lightnesses."""
        self.fy, self.base = self.fy.take(index), [base.take(index) for base in self.base]
        self.slack = None if self.slack is None else self.slack.take(index)

    def margin(self, fx: Array, fz: Array) -> Array:
        """Linear light between a colour and the nearest bound, negative outside."""
        low, high = self._extremes(fx, fz)
        return self.xp.minimum(low - _LINEAR_LOW, _LINEAR_HIGH - high)

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
        if self.slack is not None:
            r = r - self.slack * xp.clip((self.fy - fx) * _GAP_FULL, 0.0, 1.0)
        return low, xp.maximum(xp.maximum(r, g), b)


def in_gamut(lab: Array, *, bridge_gap: bool = False) -> Array:
    """Tells which colours sRGB can show.

    Args:
        lab: CIELAB (..., 3).
        bridge_gap: whether the gap under pale yellow counts as inside, as it does for `reduce_chroma`.

    Returns:
        Booleans (...): every gamma-encoded channel lies in 0..1, give or take `GAMUT_TOLERANCE`.
    """
    lab = as_float(lab)
    section = _Slice(namespace(lab), lab[..., 0], bridge_gap=bridge_gap)
    return section.contains(section.fy + lab[..., 1] / 500.0, section.fy - lab[..., 2] / 200.0)


def way_out(L: FloatArray, origin: FloatArray, direction: FloatArray, *, limit: FloatArray) -> FloatArray:
    """Where colours that move at constant lightness leave the gamut (its gap bridged); NumPy only.

    Slices of the gamut are not convex: a plain search would find any of several crossings, and jump between them, so
    that a scan over growing steps brackets the first.

    Args:
        L: lightness (n,), 0..100.
        origin: ab (2, n).
        direction: ab (2, n), of unit length.
        limit: distances (n,) beyond which the border is of no interest.

    Returns:
        ab (2, n): the point on the border where the way on from `origin` first crosses it, or one beyond `limit`; for
        an origin outside, the one that it comes back to when its chroma is reduced.
    """
    section = _Slice(np, L, bridge_gap=True)
    outside = section.margin(section.fy + origin[0] / 500.0, section.fy - origin[1] / 200.0) < 0
    # A colour outside is sought from the grey of its lightness.
    start, way = origin * ~outside, direction * L.dtype.type(_LONGEST_RAY)
    np.copyto(way, origin, where=outside)
    sought = np.flatnonzero(outside | (limit > 0))
    section.take(sought)
    fx, fz = section.fy + start[0].take(sought) / 500.0, section.fy - start[1].take(sought) / 200.0
    dx, dz = way[0].take(sought) / 500.0, way[1].take(sought) / -200.0

    def margin(at: FloatArray | np.floating[Any]) -> FloatArray:
        value: FloatArray = section.margin(fx + at * dx, fz + at * dz)
        return value

    root = np.ones_like(L)
    root[sought] = _first_root(margin, section.fy)
    border: FloatArray = start + way * root
    return border


def _first_root(margin: Callable[[FloatArray | np.floating[Any]], FloatArray], like: FloatArray) -> FloatArray:
    """The first change of sign of `margin` on the way from 0 to 1, for all elements at once."""
    unbroken = np.ones(like.shape, dtype=np.bool_)
    low, width = np.zeros_like(like), np.full_like(like, _SCAN[0])
    for at, following in zip(_SCAN, (*_SCAN[1:], 1.0), strict=True):
        unbroken &= margin(like.dtype.type(at)) >= 0
        np.copyto(low, at, where=unbroken)
        np.copyto(width, following - at, where=unbroken)
    for _ in range(_HALVINGS):
        width *= like.dtype.type(0.5)
        low += width * (margin(low + width) >= 0)
    # What is left is straight, all but.
    at_low, at_high = np.maximum(margin(low), 0), np.minimum(margin(low + width), 0)
    root: FloatArray = low + width * (at_low / np.maximum(at_low - at_high, like.dtype.type(1e-12)))
    return root


def reduce_chroma(lab: Array, *, steps: int = BISECTION_STEPS) -> Array:
    """Brings colours into sRGB by losing chroma at constant lightness and hue, never by clipping channels.

    Args:
        lab: CIELAB (..., 3); L outside 0..100 is clipped first.
        steps: halvings of the search; training can do with 8.

    Returns:
        lab (..., 3), all in gamut but for the gap under pale yellow, where red may exceed 1 by 0.0133; colours that
        already were in gamut come back unchanged.
    """
    lab = as_float(lab)
    xp = namespace(lab)
    lab = xp.stack([xp.clip(lab[..., 0], 0.0, L_MAX), lab[..., 1], lab[..., 2]], axis=-1)
    inside = in_gamut(lab, bridge_gap=True)
    if xp is not np:
        return xp.where(inside[..., None], lab, _reduced(xp, lab, steps))
    # Eagerly, only the few colours outside are worth the search.
    lab[~inside] = _reduced(xp, lab[~inside], steps)
    return lab


def _reduced(xp: Any, lab: Array, steps: int) -> Array:
    L, a, b = lab[..., 0], lab[..., 1], lab[..., 2]
    section = _Slice(xp, L, bridge_gap=True)
    dx, dz = a / 500.0, b / -200.0
    low, width = xp.zeros_like(L), 1.0
    for _ in range(steps):
        width = width / 2
        middle = low + width
        inside = section.contains(section.fy + middle * dx, section.fy + middle * dz)
        # NumPy's `where` costs as much as the colour maths.
        low = low + low.dtype.type(width) * inside if xp is np else xp.where(inside, middle, low)
    return xp.stack([L, a * low, b * low], axis=-1)


def hue_shift(rgb: Array, shift: Array, *, steps: int = BISECTION_STEPS) -> Array:
    """Luminance-preserving hue shift: `rotate_hue` followed by `reduce_chroma`, so that L really is kept.

    Args:
        rgb: gamma-encoded sRGB (..., 3) in 0..1; an image or a palette, which are shifted alike.
        shift: turns, a number or an array that broadcasts against rgb[..., 0]; 0 and 1 are the identity.
        steps: halvings of the chroma reduction.

    Returns:
        lab (..., 3), in gamut, with the lightness of `rgb`.
    """
    return reduce_chroma(rotate_hue(rgb, shift), steps=steps)

"""The sRGB gamut in CIELAB: what lies inside, where a ray at constant lightness leaves it, and how colours get back in.

Contract as in `color`: pure, channels last, any array library, float32 or wider. At constant L each linear channel is a
short polynomial of the position along a ray, so that one search serves chroma reduction and Chang's gamut rays alike.
"""

from typing import Any

import numpy as np

from kpalette.arrays import as_float, namespace
from kpalette.color import WHITE, XYZ_TO_RGB, lab_curve_inverse, rotate_hue
from kpalette.types import L_MAX, Array

GAMUT_TOLERANCE = 1e-4
"""How far outside 0..1 a gamma-encoded channel may lie and still count as in gamut: a fortieth of an 8-bit step."""

BISECTION_STEPS = 20
"""Halvings of the search along a ray: 20 leave less than 1e-4 of a chroma unit."""
_SCAN = 7

_LINEAR_LOW = -GAMUT_TOLERANCE / 12.92
_LINEAR_HIGH = ((1.0 + GAMUT_TOLERANCE + 0.055) / 1.055) ** 2.4


class _Slice:
    """The gamut at given lightnesses: what depends on L alone is computed once for all steps of a search."""

    def __init__(self, xp: Any, L: Array) -> None:
        self.xp = xp
        self.fy = (L + 16.0) / 116.0
        y = lab_curve_inverse(xp, self.fy)
        self.base = [row[1] * y for row in XYZ_TO_RGB]

    def contains(self, fx: Array, fz: Array) -> Array:
        xp = self.xp
        x = WHITE[0] * lab_curve_inverse(xp, fx)
        z = WHITE[2] * lab_curve_inverse(xp, fz)
        r, g, b = (base + row[0] * x + row[2] * z for base, row in zip(self.base, XYZ_TO_RGB, strict=True))
        low = xp.minimum(xp.minimum(r, g), b) >= _LINEAR_LOW
        return xp.logical_and(low, xp.maximum(xp.maximum(r, g), b) <= _LINEAR_HIGH)


def in_gamut(lab: Array) -> Array:
    """Tells which colours sRGB can show.

    Args:
        lab: CIELAB (..., 3).

    Returns:
        Booleans (...): every gamma-encoded channel lies in 0..1, give or take `GAMUT_TOLERANCE`.
    """
    lab = as_float(lab)
    section = _Slice(namespace(lab), lab[..., 0])
    return section.contains(section.fy + lab[..., 1] / 500.0, section.fy - lab[..., 2] / 200.0)


def gamut_exit(
    L: Array,
    origin: tuple[Array, Array],
    direction: tuple[Array, Array],
    longest: Array,
    *,
    steps: int = BISECTION_STEPS,
) -> Array:
    """How far rays at constant lightness stay in gamut.

    Args:
        L: lightness (...), 0..100.
        origin: a and b (...) of a point in gamut, or numbers.
        direction: a and b (...) of the ray.
        longest: multiples of `direction` (...) at which the search ends; the colour there lies outside.
        steps: halvings of 0..longest.

    Returns:
        Multiples (...) of `direction`: the largest found in gamut, at least 0 and below `longest`.
    """
    xp = namespace(L)
    section = _Slice(xp, L)
    fx, fz = section.fy + origin[0] / 500.0, section.fy - origin[1] / 200.0
    dx, dz = direction[0] / 500.0, direction[1] / -200.0
    low, width = xp.zeros_like(L), longest
    for _ in range(steps):
        width = width * 0.5
        middle = low + width
        low = xp.where(section.contains(fx + middle * dx, fz + middle * dz), middle, low)
    return low


def gamut_crossing(L: Array, origin: Array, way: Array, *, steps: int = BISECTION_STEPS) -> Array:
    """Where segments at constant lightness first cross the border, from inside or from outside; NumPy only.

    Slices of the gamut are not convex: a plain halving would find any of several crossings, and jump between them.

    Args:
        L: lightness (n,), 0..100.
        origin: ab (n, 2), on either side of the border.
        way: ab (n, 2) from `origin` to a point on the other side.
        steps: halvings after a scan over a doubling step has bracketed the first crossing.

    Returns:
        Multiples (n,) of `way`, 0..1, of the crossing.
    """
    section = _Slice(np, L)
    fx, fz = section.fy + origin[:, 0] / 500.0, section.fy - origin[:, 1] / 200.0
    dx, dz = way[:, 0] / 500.0, way[:, 1] / -200.0
    side = section.contains(fx, fz)
    low, high = np.zeros_like(L), np.ones_like(L)
    for power in range(_SCAN, 0, -1):
        at = L.dtype.type(0.5**power)
        same = section.contains(fx + at * dx, fz + at * dz) == side
        open_ended = high == 1
        high = np.where(open_ended & ~same, at, high)
        low = np.where(open_ended & same, at, low)
    for _ in range(steps):
        middle = (low + high) * L.dtype.type(0.5)
        same = section.contains(fx + middle * dx, fz + middle * dz) == side
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return low


def reduce_chroma(lab: Array, *, steps: int = BISECTION_STEPS) -> Array:
    """Brings colours into sRGB by losing chroma at constant lightness and hue, never by clipping channels.

    Args:
        lab: CIELAB (..., 3); L outside 0..100 is clipped first.
        steps: halvings of the search; training can do with 8.

    Returns:
        lab (..., 3), all in gamut; colours that already were come back unchanged.
    """
    lab = as_float(lab)
    xp = namespace(lab)
    lab = xp.stack([xp.clip(lab[..., 0], 0.0, L_MAX), lab[..., 1], lab[..., 2]], axis=-1)
    inside = in_gamut(lab)
    if xp is not np:
        return xp.where(inside[..., None], lab, _reduced(xp, lab, steps))
    # Eagerly, only the few colours outside are worth the search.
    lab[~inside] = _reduced(xp, lab[~inside], steps)
    return lab


def _reduced(xp: Any, lab: Array, steps: int) -> Array:
    L, a, b = lab[..., 0], lab[..., 1], lab[..., 2]
    scale = gamut_exit(L, (0.0, 0.0), (a, b), xp.ones_like(L), steps=steps)
    return xp.stack([L, a * scale, b * scale], axis=-1)


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

"""Colour spaces: conversions between sRGB, linear light, CIELAB, LCh and HSV, for every array library.

All functions are pure. They take and return arrays (..., 3), channels last, of NumPy, TensorFlow, JAX or Keras, in
float32 or float64. `rgb` is gamma-encoded sRGB in 0..1, `lab` is CIELAB under D65 (2 degrees) with L in 0..100, `hsv`
is HSV of gamma-encoded sRGB with hue in turns. Conversions never clip: colours outside sRGB have rgb outside 0..1.

Sources: IEC 61966-2-1 (sRGB); CIE 15:2004 section 8.2.1 (CIELAB). The matrices are the exact fractions of CSS Color
Module Level 4. They follow from the sRGB primaries and the white (0.3127, 0.3290), so that greys have a = b = 0.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from kpalette.color.arrays import as_float, namespace
from kpalette.types import Array


def _floats(rows: Sequence[Sequence[str]]) -> list[list[float]]:
    return [[float(Fraction(value)) for value in row] for row in rows]


RGB_TO_XYZ = _floats([
    ["506752/1228815", "87881/245763", "12673/70218"],
    ["87098/409605", "175762/245763", "12673/175545"],
    ["7918/409605", "87881/737289", "1001167/1053270"],
])  # fmt: skip
XYZ_TO_RGB = _floats([
    ["12831/3959", "-329/214", "-1974/3959"],
    ["-851781/878810", "1648619/878810", "36519/878810"],
    ["705/12673", "-2585/12673", "705/667"],
])  # fmt: skip
WHITE = [float(Fraction(3127, 3290)), 1.0, float(Fraction(3583, 3290))]

# CIE 15:2004, equations (8.6)-(8.8): a cube root above (6/29)^3, a straight line below.
_EPSILON = float(Fraction(6, 29) ** 3)
_SLOPE = float(Fraction(841, 108))
_OFFSET = float(Fraction(4, 29))
_KNEE = float(Fraction(6, 29))


def _channels(x: Array) -> tuple[Array, Array, Array]:
    return x[..., 0], x[..., 1], x[..., 2]


def _mix(matrix: list[list[float]], x: Array, y: Array, z: Array) -> list[Array]:
    return [row[0] * x + row[1] * y + row[2] * z for row in matrix]


def rgb_to_linear(rgb: Array) -> Array:
    """Converts gamma-encoded `rgb` (..., 3) in 0..1 to linear light, same shape and range (IEC 61966-2-1)."""
    rgb = as_float(rgb)
    xp = namespace(rgb)
    # The base is clamped: a NaN gradient in the branch that `where` does not take would spoil the other one's.
    curve = ((xp.maximum(rgb, 0.04045) + 0.055) / 1.055) ** 2.4
    return xp.where(rgb <= 0.04045, rgb / 12.92, curve)


def linear_to_rgb(linear: Array) -> Array:
    """Converts `linear` light (..., 3) to gamma-encoded sRGB, same shape; negative values take the straight line."""
    linear = as_float(linear)
    xp = namespace(linear)
    curve = 1.055 * xp.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return xp.where(linear <= 0.0031308, linear * 12.92, curve)


def _cube_root(x: Array) -> Array:
    """Cube roots of positive NumPy floats, faster than `numpy.cbrt` for float32: relative error below 3e-7.

    The bits of a float, taken as an integer, grow with its logarithm. A third of them, plus a constant, is therefore
    the cube root to a few per cent. Two steps of Halley's method, root (root^3 + 2 x) / (2 root^3 + x), do the rest.
    """
    if x.dtype != np.float32:
        return np.cbrt(x)
    root = ((x.view(np.int32) * np.float32(1 / 3)).astype(np.int32) + np.int32(709921077)).view(np.float32)
    for _ in range(2):
        cube = root * root * root
        root = root * ((cube + x + x) / (cube + cube + x))
    return root


def _lab_curve(xp: Any, t: Array) -> Array:
    base = xp.maximum(t, _EPSILON)
    # NumPy's power is slow; the other libraries need a function that they can differentiate.
    root = _cube_root(base) if xp is np else base ** (1 / 3)
    return xp.where(t > _EPSILON, root, _SLOPE * t + _OFFSET)


def lab_curve_inverse(xp: Any, f: Array) -> Array:
    """The inverse of CIELAB's cube-root curve: `f` to t, any shape, with the functions of the namespace `xp`."""
    # Cube and line are added instead of chosen by `where`, which would take as long as the arithmetic.
    upper = xp.maximum(f, _KNEE)
    return upper * upper * upper + (f - upper) * (1.0 / _SLOPE)


def rgb_to_lab(rgb: Array) -> Array:
    """Converts gamma-encoded sRGB to CIELAB, D65 (CIE 15:2004, equations 8.3 to 8.5).

    Args:
        rgb: (..., 3), floats in 0..1.

    Returns:
        CIELAB (..., 3). Over the sRGB cube L is in 0..100, a in -86.2..98.2, b in -107.9..94.5.

    Example:
        >>> kpalette.rgb_to_lab([1.0, 0.65, 0.0]).round(1)
        array([75.1, 23.5, 79.1])
    """
    return linear_to_lab(rgb_to_linear(rgb))


def linear_to_lab(linear: Array) -> Array:
    """Converts `linear` light (..., 3) in 0..1 to CIELAB (..., 3), as `rgb_to_lab` does after undoing the gamma."""
    linear = as_float(linear)
    xp = namespace(linear)
    fx, fy, fz = (
        _lab_curve(xp, value / white) for value, white in zip(_mix(RGB_TO_XYZ, *_channels(linear)), WHITE, strict=True)
    )
    return xp.stack([116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)], axis=-1)


def lab_to_rgb(lab: Array) -> Array:
    """Converts CIELAB to gamma-encoded sRGB, without clipping.

    Args:
        lab: CIELAB (..., 3), D65.

    Returns:
        rgb (..., 3); colours outside sRGB have values outside 0..1 (`kpalette.color.gamut.reduce_chroma` avoids that).

    Example:
        >>> kpalette.lab_to_rgb([75.1, 23.5, 70.0]).round(2)
        array([0.99, 0.65, 0.18])
    """
    lab = as_float(lab)
    xp = namespace(lab)
    L, a, b = _channels(lab)
    fy = (L + 16.0) / 116.0
    xyz = [
        white * lab_curve_inverse(xp, f) for white, f in zip(WHITE, (fy + a / 500.0, fy, fy - b / 200.0), strict=True)
    ]
    return linear_to_rgb(xp.stack(_mix(XYZ_TO_RGB, *xyz), axis=-1))


def lab_to_lch(lab: Array) -> Array:
    """Converts `lab` (..., 3) to lightness, chroma, hue in degrees 0..360 (CIE 15:2004, equations 8.11, 8.12)."""
    lab = as_float(lab)
    xp = namespace(lab)
    L, a, b = _channels(lab)
    grey = a * a + b * b < 1e-12
    # A grey has no hue: it gets angle 0. The clamp keeps the gradients of sqrt and arctan2 finite there.
    chroma = xp.where(grey, xp.zeros_like(a), xp.sqrt(xp.maximum(a * a + b * b, 1e-12)))
    hue = xp.arctan2(xp.where(grey, xp.zeros_like(b), b), xp.where(grey, xp.ones_like(a), a)) * (180.0 / np.pi)
    return xp.stack([L, chroma, xp.where(hue < 0, hue + 360.0, hue)], axis=-1)


def lch_to_lab(lch: Array) -> Array:
    """Converts `lch`, lightness, chroma and hue in degrees (..., 3), to CIELAB (..., 3)."""
    lch = as_float(lch)
    xp = namespace(lch)
    L, chroma, hue = _channels(lch)
    angle = hue * (np.pi / 180.0)
    return xp.stack([L, chroma * xp.cos(angle), chroma * xp.sin(angle)], axis=-1)


def rgb_to_hsv(rgb: Array) -> Array:
    """Converts gamma-encoded `rgb` (..., 3) in 0..1 to HSV (..., 3), hue in turns, all in 0..1 (Smith 1978)."""
    rgb = as_float(rgb)
    xp = namespace(rgb)
    r, g, b = _channels(rgb)
    value = xp.maximum(xp.maximum(r, g), b)
    spread = value - xp.minimum(xp.minimum(r, g), b)
    safe = xp.where(spread > 0, spread, xp.ones_like(spread))
    # `<=` means equality here: `==` does not work elementwise on Keras' symbolic tensors.
    sixths = xp.where(value <= r, (g - b) / safe, xp.where(value <= g, 2.0 + (b - r) / safe, 4.0 + (r - g) / safe))
    hue = sixths / 6.0
    saturation = spread / xp.where(value > 0, value, xp.ones_like(value))
    return xp.stack([hue - xp.floor(hue), saturation, value], axis=-1)


def hsv_to_rgb(hsv: Array) -> Array:
    """Converts `hsv` (..., 3), hue in turns (any real number), to gamma-encoded sRGB (..., 3) in 0..1."""
    hsv = as_float(hsv)
    xp = namespace(hsv)
    hue, saturation, value = _channels(hsv)

    def channel(offset: float) -> Array:
        k = offset + hue * 6.0
        k = k - 6.0 * xp.floor(k / 6.0)
        ramp = xp.clip(xp.minimum(k, 4.0 - k), 0.0, 1.0)
        return value - value * saturation * ramp

    return xp.stack([channel(5.0), channel(3.0), channel(1.0)], axis=-1)


def rotate_hue(rgb: Array, shift: Array) -> Array:
    """Rotates the HSV hue and keeps the lightness L, without regard to gamut (PaletteNet, section 3.1).

    Args:
        rgb: gamma-encoded sRGB (..., 3) in 0..1.
        shift: turns, a number or an array that broadcasts against rgb[..., 0]; 0.5 gives opposite hues.

    Returns:
        CIELAB (..., 3): L of `rgb`, a and b of the rotated colour. 5 to 10 % of a painting's pixels leave sRGB.
    """
    rgb = as_float(rgb)
    xp = namespace(rgb)
    hue, saturation, value = _channels(rgb_to_hsv(rgb))
    rotated = rgb_to_lab(hsv_to_rgb(xp.stack([hue + shift, saturation, value], axis=-1)))
    return xp.stack([rgb_to_lab(rgb)[..., 0], rotated[..., 1], rotated[..., 2]], axis=-1)

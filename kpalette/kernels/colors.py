"""Colours: bytes to CIELAB and back, and chroma reduction. The formulas are those of `kpalette.color`.

CIELAB comes as planes, float32 (3, h, w). Loops over a row have no branches where that is possible: the compiler then
uses vector instructions.
"""

import numpy as np

from kpalette.color.gamut import GAP_FULL, GAP_TOLERANCE, LINEAR_HIGH, LINEAR_LOW
from kpalette.color.spaces import RGB_TO_XYZ, WHITE, XYZ_TO_RGB
from kpalette.kernels.jit import kernel

_F = np.float32
_TO_XYZ = (np.array(RGB_TO_XYZ) / np.array(WHITE)[:, np.newaxis]).astype(_F)
_TO_RGB = (np.array(XYZ_TO_RGB) * np.array(WHITE)).astype(_F)
_EPSILON, _KNEE = _F((6 / 29) ** 3), _F(6 / 29)  # of CIELAB's curve, as in `spaces`
_SLOPE, _OFFSET, _FLAT = _F(841 / 108), _F(4 / 29), _F(108 / 841)
_LOW, _HIGH = _F(LINEAR_LOW), _F(LINEAR_HIGH)
_GAP, _GAP_FULL = _F(GAP_TOLERANCE), _F(GAP_FULL)
_SEED, _THIRD = np.int32(709921077), _F(1 / 3)  # of `spaces._cube_root`

LEVELS = 4096
"""Intervals of the table that turns linear light into bytes; between its nodes, a line is right to .01 of a level."""


@kernel
def bytes_to_lab(image, linear, lab):
    """Converts an image, uint8 (h, w, 3), by the linear light of the 256 values of a byte, into planes `lab`."""
    height, width = image.shape[:2]
    scratch = np.empty(width, np.float32)
    for i in range(height):
        x, y, z = lab[0, i], lab[1, i], lab[2, i]
        for j in range(width):
            r, g, b = linear[image[i, j, 0]], linear[image[i, j, 1]], linear[image[i, j, 2]]
            x[j] = _TO_XYZ[0, 0] * r + _TO_XYZ[0, 1] * g + _TO_XYZ[0, 2] * b
            y[j] = _TO_XYZ[1, 0] * r + _TO_XYZ[1, 1] * g + _TO_XYZ[1, 2] * b
            z[j] = _TO_XYZ[2, 0] * r + _TO_XYZ[2, 1] * g + _TO_XYZ[2, 2] * b
        _lab_curve(x, scratch)
        _lab_curve(y, scratch)
        _lab_curve(z, scratch)
        for j in range(width):
            fx, fy, fz = x[j], y[j], z[j]
            x[j], y[j], z[j] = _F(116) * fy - _F(16), _F(500) * (fx - fy), _F(200) * (fy - fz)


@kernel
def _lab_curve(row, scratch):
    """CIELAB's curve of a row, in place."""
    bits = scratch.view(np.int32)
    for j in range(row.size):
        scratch[j] = max(row[j], _EPSILON)
    for j in range(row.size):
        bits[j] = np.int32(_F(bits[j]) * _THIRD) + _SEED
    for j in range(row.size):
        t, root = row[j], scratch[j]
        x = max(t, _EPSILON)
        cube = root * root * root
        root *= (cube + x + x) / (cube + cube + x)
        cube = root * root * root
        root *= (cube + x + x) / (cube + cube + x)
        row[j] = root if t > _EPSILON else _SLOPE * t + _OFFSET


@kernel
def lab_to_bytes(lab, first, levels, image):
    """Converts planes `lab`, from a row on, into an image, uint8 (h, w, 3).

    `levels` are the gamma-encoded ones, 0..255, of `LEVELS` + 1 values of linear light.
    """
    height, width = image.shape[:2]
    linear = np.empty((3, width), np.float32)
    for i in range(height):
        _linear_row(lab[0, first + i], lab[1, first + i], lab[2, first + i], linear)
        for channel in range(3):
            row = linear[channel]
            for j in range(width):
                at = row[j]
                node = min(np.int32(at), np.int32(LEVELS - 1))
                level = levels[node]
                image[i, j, channel] = np.uint8(level + (at - _F(node)) * (levels[node + 1] - level) + _F(0.5))


@kernel
def _linear_row(L, a, b, linear):
    """Linear light of a row, clipped, times `LEVELS`: (3, w)."""
    for j in range(L.size):
        fy = (L[j] + _F(16)) * _F(1 / 116)
        x, y, z = _inverse(fy + a[j] * _F(1 / 500)), _inverse(fy), _inverse(fy - b[j] * _F(1 / 200))
        for channel in range(3):
            value = _TO_RGB[channel, 0] * x + _TO_RGB[channel, 1] * y + _TO_RGB[channel, 2] * z
            linear[channel, j] = min(max(value, _F(0)), _F(1)) * _F(LEVELS)


@kernel
def _inverse(f):
    upper = max(f, _KNEE)
    return upper * upper * upper + (f - upper) * _FLAT


@kernel
def _margin(fx, fy, fz, light, gap):
    """Distance from the nearest border of the gamut, in linear light; negative outside. `light` is that of fy alone."""
    x, z = _inverse(fx), _inverse(fz)
    r = _TO_RGB[0, 0] * x + light[0] + _TO_RGB[0, 2] * z
    g = _TO_RGB[1, 0] * x + light[1] + _TO_RGB[1, 2] * z
    b = _TO_RGB[2, 0] * x + light[2] + _TO_RGB[2, 2] * z
    low = min(r, min(g, b))
    r -= gap * min(max((fy - fx) * _GAP_FULL, _F(0)), _F(1))
    return min(low - _LOW, _HIGH - max(r, max(g, b)))


@kernel
def _section(L):
    """What depends on lightness alone: f(y), the light of it in each channel, and the tolerance of red."""
    fy = (L + _F(16)) * _F(1 / 116)
    y = _inverse(fy)
    gap = _GAP * min(max((L - _F(92)) * _F(0.5), _F(0)), _F(1)) * min(max(_F(99.5) - L, _F(0)), _F(1))
    return fy, (_TO_RGB[0, 1] * y, _TO_RGB[1, 1] * y, _TO_RGB[2, 1] * y), gap


@kernel
def reduce_planes(lab, steps, least, cut):
    """`kpalette.color.gamut.reduce_chroma` of planes, in place; L is clipped, too.

    Marks the pixels that lose more than `least` units of a or b, bool (h, w).
    """
    for i in range(lab.shape[1]):
        L, a, b = lab[0, i], lab[1, i], lab[2, i]
        for j in range(L.size):
            L[j] = min(max(L[j], _F(0)), _F(100))
            fy, light, gap = _section(L[j])
            cut[i, j] = _margin(fy + a[j] * _F(1 / 500), fy, fy - b[j] * _F(1 / 200), light, gap) < 0
        outside = np.flatnonzero(cut[i])
        if outside.size:
            factor = chroma_factors(L[outside], a[outside], b[outside], steps)
            for k in range(outside.size):
                j = outside[k]
                cut[i, j] = (1 - factor[k]) * max(abs(a[j]), abs(b[j])) > least
                a[j] *= factor[k]
                b[j] *= factor[k]


@kernel
def chroma_factors(L, a, b, steps):
    """The greatest of 2^steps factors below 1 that bring each colour into the gamut, (n,); 1 where it is there."""
    factor = np.zeros(L.size, np.float32)
    width = _F(1)
    for _ in range(steps + 1):
        for k in range(L.size):
            fy, light, gap = _section(L[k])
            middle = factor[k] + width
            dx, dz = a[k] * _F(1 / 500), b[k] * _F(-1 / 200)
            inside = _margin(fy + middle * dx, fy, fy + middle * dz, light, gap) >= 0
            factor[k] = middle if inside and middle <= 1 else factor[k]
        width *= _F(0.5)
    return factor

"""Colours: bytes to CIELAB and back. The formulas are those of `kpalette.color.spaces`.

CIELAB comes as planes, float32 (3, h, w). Loops over a row have no branches where that is possible: the compiler then
uses vector instructions.
"""

import numpy as np

from kpalette.color.spaces import RGB_TO_XYZ, WHITE, XYZ_TO_RGB
from kpalette.kernels.jit import kernel

_F = np.float32
_TO_XYZ = (np.array(RGB_TO_XYZ) / np.array(WHITE)[:, np.newaxis]).astype(_F)
TO_RGB = (np.array(XYZ_TO_RGB) * np.array(WHITE)).astype(_F)
"""X, Y and Z over white to linear light."""

_EPSILON, _KNEE = _F((6 / 29) ** 3), _F(6 / 29)  # of CIELAB's curve, as in `spaces`
_SLOPE, _OFFSET, _FLAT = _F(841 / 108), _F(4 / 29), _F(108 / 841)
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
        linear_row(lab[0, first + i], lab[1, first + i], lab[2, first + i], linear)
        for channel in range(3):
            row = linear[channel]
            for j in range(width):
                image[i, j, channel] = np.uint8(level_of(row[j], levels) + _F(0.5))


@kernel
def linear_row(L, a, b, linear):
    """Linear light of a row, clipped, times `LEVELS`: (3, w)."""
    for j in range(L.size):
        fy = (L[j] + _F(16)) * _F(1 / 116)
        x, y, z = inverse(fy + a[j] * _F(1 / 500)), inverse(fy), inverse(fy - b[j] * _F(1 / 200))
        for channel in range(3):
            value = TO_RGB[channel, 0] * x + TO_RGB[channel, 1] * y + TO_RGB[channel, 2] * z
            linear[channel, j] = min(max(value, _F(0)), _F(1)) * _F(LEVELS)


@kernel
def level_of(linear, levels):
    """The level, 0..255, of linear light times `LEVELS`."""
    node = min(np.int32(linear), np.int32(LEVELS - 1))
    level = levels[node]
    return level + (linear - _F(node)) * (levels[node + 1] - level)


@kernel
def inverse(f):
    """The inverse of CIELAB's curve."""
    upper = max(f, _KNEE)
    return upper * upper * upper + (f - upper) * _FLAT

"""The gamut: chroma reduction, and where rays leave it. The formulas are those of `kpalette.color.gamut`."""

import numpy as np

from kpalette.color.gamut import GAP_FULL, GAP_TOLERANCE, LINEAR_HIGH, LINEAR_LOW
from kpalette.kernels.colors import TO_RGB, inverse, level_of, linear_row
from kpalette.kernels.jit import kernel

_F = np.float32
_LOW, _HIGH = _F(LINEAR_LOW), _F(LINEAR_HIGH)
_GAP, _GAP_FULL = _F(GAP_TOLERANCE), _F(GAP_FULL)


@kernel
def _margin(fx, fy, fz, light, gap):
    """Distance from the nearest border of the gamut, in linear light; negative outside. `light` is that of fy alone."""
    x, z = inverse(fx), inverse(fz)
    r = TO_RGB[0, 0] * x + light[0] + TO_RGB[0, 2] * z
    g = TO_RGB[1, 0] * x + light[1] + TO_RGB[1, 2] * z
    b = TO_RGB[2, 0] * x + light[2] + TO_RGB[2, 2] * z
    low = min(r, min(g, b))
    r -= gap * min(max((fy - fx) * _GAP_FULL, _F(0)), _F(1))
    return min(low - _LOW, _HIGH - max(r, max(g, b)))


@kernel
def _section(L):
    """What depends on lightness alone: f(y), the light of it in each channel, and the tolerance of red."""
    fy = (L + _F(16)) * _F(1 / 116)
    y = inverse(fy)
    gap = _GAP * min(max((L - _F(92)) * _F(0.5), _F(0)), _F(1)) * min(max(_F(99.5) - L, _F(0)), _F(1))
    return fy, (TO_RGB[0, 1] * y, TO_RGB[1, 1] * y, TO_RGB[2, 1] * y), gap


@kernel
def _mark_outside(L, a, b, gap, outside):
    """Marks the colours outside the gamut, bool (n,); `gap` is 1 if the gap below pale yellow counts as inside."""
    for k in range(L.size):
        fy, light, tolerance = _section(L[k])
        fx, fz = fy + a[k] * _F(1 / 500), fy - b[k] * _F(1 / 200)
        outside[k] = _margin(fx, fy, fz, light, gap * tolerance) < 0


@kernel
def reduce_planes(lab, steps, least, cut):
    """`kpalette.color.gamut.reduce_chroma` of planes, in place; L is clipped, too.

    Marks the pixels that lose more than `least` units of a or b, bool (h, w).
    """
    for i in range(lab.shape[1]):
        _reduce_row(lab[0, i], lab[1, i], lab[2, i], steps, least, cut[i])


@kernel
def _reduce_row(L, a, b, steps, least, cut):
    for k in range(L.size):
        L[k] = min(max(L[k], _F(0)), _F(100))
    _mark_outside(L, a, b, _F(1), cut)
    outside = np.flatnonzero(cut)
    if outside.size:
        factor = chroma_factors(L[outside], a[outside], b[outside], steps)
        for k in range(outside.size):
            j = outside[k]
            cut[j] = (1 - factor[k]) * max(abs(a[j]), abs(b[j])) > least
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


@kernel
def first_root(L, fx, fz, dx, dz, scan, halvings):
    """Where rays first leave the gamut: `kpalette.color.gamut.first_root`, for float32 (n,).

    Args:
        L: lightness.
        fx: f(x) of where each ray begins.
        fz: f(z) likewise.
        dx: how far f(x) moves along the whole ray.
        dz: likewise f(z).
        scan: positions on the ray that are looked at first, rising, the last is 1.
        halvings: how often what is between two of them is halved.

    Returns:
        The positions, 0..1.
    """
    count = L.size
    root, width = np.zeros(count, np.float32), np.full(count, scan[0])
    unbroken = np.ones(count, np.bool_)
    for number in range(scan.size - 1):
        at, following = scan[number], scan[number + 1] - scan[number]
        for k in range(count):
            inside = _margin_at(L[k], fx[k] + at * dx[k], fz[k] + at * dz[k]) >= 0
            unbroken[k] = unbroken[k] and inside
            root[k] = at if unbroken[k] else root[k]
            width[k] = following if unbroken[k] else width[k]
    for _ in range(halvings):
        for k in range(count):
            width[k] *= _F(0.5)
            middle = root[k] + width[k]
            inside = _margin_at(L[k], fx[k] + middle * dx[k], fz[k] + middle * dz[k]) >= 0
            root[k] = middle if inside else root[k]
    for k in range(count):
        end = root[k] + width[k]
        near = max(_margin_at(L[k], fx[k] + root[k] * dx[k], fz[k] + root[k] * dz[k]), _F(0))
        far = min(_margin_at(L[k], fx[k] + end * dx[k], fz[k] + end * dz[k]), _F(0))
        root[k] += width[k] * (near / max(near - far, _F(1e-12)))
    return root


@kernel
def _margin_at(L, fx, fz):
    fy, light, gap = _section(L)
    return _margin(fx, fy, fz, light, gap)


@kernel
def nodes_to_rgb(lab, steps, levels, rgb, outside):
    """Colours, float32 (n, 3), reduced into the gamut, as rgb in 0..1, (n, 3); marks those outside, bool (n,).

    `levels` are those of `colors.lab_to_bytes`.
    """
    block = 4096  # colours that fit in the cache
    scratch, cut = np.empty((3, block), np.float32), np.empty(block, np.bool_)
    for start in range(0, lab.shape[0], block):
        count = min(block, lab.shape[0] - start)
        planes = scratch[:, :count]
        for k in range(count):
            for channel in range(3):
                planes[channel, k] = lab[start + k, channel]
        _mark_outside(planes[0], planes[1], planes[2], _F(0), outside[start : start + count])
        _reduce_row(planes[0], planes[1], planes[2], steps, _F(0), cut[:count])
        linear_row(planes[0], planes[1], planes[2], planes)
        for k in range(count):
            for channel in range(3):
                rgb[start + k, channel] = level_of(planes[channel, k], levels) / _F(255)

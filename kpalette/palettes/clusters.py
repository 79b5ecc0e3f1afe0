"""Gaussian shares: how much each swatch rules each colour, for one picture and for batches.

`soft_weights` is for one picture, in NumPy and faster; `swatch_shares` for batches, in any array library.
"""

from functools import reduce
from typing import Any

import numpy as np

from kpalette.color.arrays import namespace
from kpalette.palettes.palette import Palette
from kpalette.types import MAX_COLORS, Array, FloatArray

DEFAULT_TAU = 10.0
"""Reach of a swatch, in Lab units."""

_FAR = -1e9


def soft_weights(lab: FloatArray, source: Palette, *, tau: float) -> FloatArray:
    """How much each swatch rules a colour: w_i proportional to exp(-|x - C_i|^2 / 2 tau^2).

    Args:
        lab: CIELAB (n, 3).
        source: k swatches.
        tau: reach of a swatch in Lab units.

    Returns:
        Weights (n, k), rows sum to 1, dtype of `lab`.
    """
    L, a, b = np.ascontiguousarray(lab.T)
    # |x - C|^2 without |x|^2, which cancels in the ratio; no matrix product, whose own threads fight those of the bake
    centres = source.lab.astype(lab.dtype)
    exponent = np.stack([L * x + a * y + b * z - (x * x + y * y + z * z) / 2 for x, y, z in centres])
    exponent -= exponent.max(axis=0)
    exponent /= lab.dtype.type(tau**2)
    weights: FloatArray = np.exp(exponent, out=exponent)
    weights /= weights.sum(axis=0)
    return weights.T


def shifted_ab(lab: FloatArray, weights: FloatArray, shifts: FloatArray) -> FloatArray:
    """Moves ab by a blend of shifts.

    Args:
        lab: CIELAB (n, 3).
        weights: shares of the shifts (n, k).
        shifts: in ab (k, 2).

    Returns:
        New ab (n, 2), dtype of `lab`.
    """
    moved = np.array(lab[:, 1:].T, order="C")
    for weight, shift in zip(weights.T, shifts.astype(lab.dtype), strict=True):
        moved[0] += weight * shift[0]
        moved[1] += weight * shift[1]
    return moved.T


def swatch_shares(lab: Array, swatches: Array, mask: Array, *, tau: float = DEFAULT_TAU) -> list[Array]:
    """How much each swatch rules each pixel, as in `soft_weights`: in proportion to exp(-|x - C_i|^2 / 2 tau^2).

    Args:
        lab: CIELAB (B, H, W, 3).
        swatches: CIELAB (B, 8, 3).
        mask: (B, 8), 1 for a swatch.
        tau: reach of a swatch in Lab units.

    Returns:
        Eight shares (B, H, W) that sum to 1; 0 for padding.
    """
    xp = namespace(lab)
    scale = -1.0 / (2.0 * tau**2)
    exponents = []
    for i in range(MAX_COLORS):
        d: list[Any] = [lab[..., c] - swatches[:, i, c, None, None] for c in range(3)]
        hidden = (1.0 - mask[:, i, None, None]) * _FAR
        exponents.append((d[0] * d[0] + d[1] * d[1] + d[2] * d[2]) * scale + hidden)
    most = reduce(xp.maximum, exponents)
    raw = [xp.exp(exponent - most) for exponent in exponents]
    total = sum(raw[1:], raw[0])
    return [share / total for share in raw]


def swatch_turns(source: Array, target: Array, *, slack: float, most: float) -> Array:
    """What turns and scales the ab of each source swatch into that of its target, both taken as complex numbers.

    r = (T conj(C) + slack) / (|C|^2 + slack): as if each pair came with a neutral one that stays neutral, of that
    weight. A colour near C that goes to T + r (x - C) keeps its place among its neighbours in hue and chroma, where
    x + (T - C) keeps it in ab alone; a turn of hue is met almost exactly. 1 where nothing changes.

    Args:
        source: CIELAB, or any multiple of it, (..., 3).
        target: what each becomes, (..., 3).
        slack: square of a chroma, in the same units; grey swatches have no hue to turn, and those below it turn less.
        most: what |r| is cut down to: no cluster spreads more.

    Returns:
        Real and imaginary part of r, (..., 2).
    """
    xp = namespace(source, target)
    ca, cb, ta, tb = source[..., 1], source[..., 2], target[..., 1], target[..., 2]
    weight = ca * ca + cb * cb + slack
    real, imaginary = (ta * ca + tb * cb + slack) / weight, (tb * ca - ta * cb) / weight
    size = xp.sqrt(real * real + imaginary * imaginary + 1e-12)
    scale = xp.minimum(xp.ones_like(size), most / size)
    return xp.stack([real * scale, imaginary * scale], axis=-1)

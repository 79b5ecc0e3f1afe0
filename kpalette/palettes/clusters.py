"""Gaussian shares: how much each swatch contributes to each colour.

A colour x belongs to all swatches C_i at once, to the nearer ones more. The shares are Gaussian and sum to 1:

    share_i(x) = exp(-|x - C_i|^2 / (2 tau^2)) / sum_j exp(-|x - C_j|^2 / (2 tau^2))

`gaussian_shares` computes them for one picture, fast, in NumPy; `swatch_shares` for batches, in any array library.
"""

from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.color.arrays import namespace
from kpalette.palettes.palette import Palette
from kpalette.types import Array, FloatArray

DEFAULT_TAU = 10.0
"""Reach of a swatch (tau), in Lab units."""

_FAR = -1e9
_ROUNDS = 6  # of k-means


def gaussian_shares(lab: FloatArray, source: Palette, *, tau: float) -> FloatArray:
    """Gaussian shares of the swatches in each colour; see the head of this module.

    Args:
        lab: CIELAB (n, 3).
        source: k swatches.
        tau: reach of a swatch in Lab units.

    Returns:
        Shares (n, k), each row sums to 1, dtype of `lab`.

    Example:
        >>> gaussian_shares(np.array([[50.0, 0, 0]]), Palette([[45, 0, 0], [55, 0, 0]]), tau=10.0)
        array([[0.5, 0.5]])
    """
    L, a, b = np.ascontiguousarray(lab.T)
    # |x - C|^2 without |x|^2, which cancels out. No matrix product: the threads of the BLAS library would compete with
    # those that call this function.
    centres = source.lab.astype(lab.dtype)
    exponent = np.stack([L * x + a * y + b * z - (x * x + y * y + z * z) / 2 for x, y, z in centres])
    exponent -= exponent.max(axis=0)
    exponent /= lab.dtype.type(tau**2)
    shares: FloatArray = np.exp(exponent, out=exponent)
    shares /= shares.sum(axis=0)
    return shares.T


def shifted_ab(lab: FloatArray, shares: FloatArray, shifts: FloatArray) -> FloatArray:
    """Adds to the ab of each colour its mixture of shifts: ab + sum_i share_i shift_i.

    Args:
        lab: CIELAB (n, 3).
        shares: share of each shift in each colour, (n, k).
        shifts: in ab, (k, 2).

    Returns:
        New ab (n, 2), dtype of `lab`.
    """
    ab = np.array(lab[:, 1:].T, order="C")
    for share, shift in zip(shares.T, shifts.astype(lab.dtype), strict=True):
        ab[0] += share * shift[0]
        ab[1] += share * shift[1]
    return ab.T


def swatch_shares(lab: Array, swatches: Array, mask: Array, *, tau: float = DEFAULT_TAU) -> list[Array]:
    """Gaussian shares of the swatches in each pixel of a batch; see the head of this module.

    Args:
        lab: CIELAB (B, H, W, 3).
        swatches: CIELAB (B, K, 3).
        mask: (B, K), 1 for a swatch, 0 for padding.
        tau: reach of a swatch in Lab units.

    Returns:
        K arrays of shares (B, H, W) that sum to 1; those of padding are 0.
    """
    xp = namespace(lab)
    scale = -1.0 / (2.0 * tau**2)
    exponents = []
    for i in range(swatches.shape[1]):
        d: list[Any] = [lab[..., c] - swatches[:, i, c, None, None] for c in range(3)]
        hidden = (1.0 - mask[:, i, None, None]) * _FAR
        exponents.append((d[0] * d[0] + d[1] * d[1] + d[2] * d[2]) * scale + hidden)
    most = reduce(xp.maximum, exponents)
    raw = [xp.exp(exponent - most) for exponent in exponents]
    total = sum(raw[1:], raw[0])
    return [share / total for share in raw]


def swatch_turns(source: Array, target: Array, *, slack: float, most: float) -> Array:
    """Rotation and scaling of ab that takes each source swatch C to its target T, as a complex number r.

    With ab taken as complex numbers a + ib, r = T / C would take C to T exactly. But the hue of a swatch that is almost
    grey means little, and the ratio may be anything. `slack` draws r towards 1, which changes nothing:

        r = (T conj(C) + slack) / (|C|^2 + slack),   |r| at most `most`

    A colour x near C goes to T + r (x - C), and so keeps hue and chroma relative to its neighbours. A plain shift,
    x + (T - C), would keep its distance to them in ab alone.

    Args:
        source: CIELAB, or any multiple of it, (..., 3).
        target: the target of each source swatch, (..., 3).
        slack: square of a chroma, in the same units; swatches of less chroma rotate less.
        most: the largest |r|: no cluster of colours spreads by more than this factor.

    Returns:
        Real and imaginary part of r, (..., 2).
    """
    xp = namespace(source, target)
    ca, cb, ta, tb = source[..., 1], source[..., 2], target[..., 1], target[..., 2]
    weight = ca * ca + cb * cb + slack
    real, imaginary = (ta * ca + tb * cb + slack) / weight, (tb * ca - ta * cb) / weight
    absolute = xp.sqrt(real * real + imaginary * imaginary + 1e-12)
    scale = xp.minimum(xp.ones_like(absolute), most / absolute)
    return xp.stack([real * scale, imaginary * scale], axis=-1)


def refined_means(
    colors: FloatArray, labels: NDArray[np.intp], count: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Finds clusters by a few rounds of k-means (Lloyd), begun at given ones.

    Args:
        colors: (n, 3).
        labels: the first cluster of each colour, (n,), each below `count`.
        count: number of clusters.

    Returns:
        The means of the clusters, (count, 3), and which have colours, (count,).

    Example:
        >>> colors = np.array([[0.0, 0, 0], [1, 0, 0], [9, 0, 0]])
        >>> refined_means(colors, np.array([0, 1, 1]), 2)[0].tolist()
        [[0.5, 0.0, 0.0], [9.0, 0.0, 0.0]]
    """
    means, present = _means(colors, labels, count)
    for _ in range(_ROUNDS):
        # |x - c|^2 without |x|^2, which is the same for all clusters
        distance = (means**2).sum(axis=1) - 2.0 * np.stack([colors @ mean for mean in means], axis=1)
        found, present = _means(colors, np.argmin(np.where(present, distance, np.inf), axis=1), count)
        means = np.where(present[:, np.newaxis], found, means)
    return means, present


def _means(colors: FloatArray, labels: NDArray[np.intp], count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    counts = np.bincount(labels, minlength=count)
    sums = np.stack([np.bincount(labels, channel, minlength=count) for channel in colors.T], axis=1)
    return sums / np.maximum(counts, 1)[:, np.newaxis], counts > 0

"""Lightness curves: how recolorers move L, so that each source swatch gets the lightness of its target.

The knots of a curve are the pairs (L_i, L'_i) of each source swatch i and its target. A curve never falls, or light and
dark would change places in parts of the picture. Both kinds below move L by

    L_new = L + strength * (curve(L) - L)

- `transfer_lightness` draws straight lines from knot to knot ([C] section 3.3).
- `smooth_lightness` blends the shifts of the knots by Gaussian shares of reach `width`. Around each knot L is only
  shifted, and so local contrast stays:

      curve(L) = L + sum_i g_i (L'_i - L_i) / sum_i g_i,   g_i = exp(-(L - L_i)^2 / (2 width^2))

[C] is Chang et al., "Palette-based Photo Recoloring", ACM Transactions on Graphics 34(4), 2015.
"""

import numpy as np
from numpy.typing import NDArray

from kpalette.palettes.palette import Palette
from kpalette.types import L_MAX, FloatArray

SMOOTH_WIDTH = 16.0
"""Reach of a knot of the smooth curve, in units of L."""

MIN_KNOT_GAP = 1.0
"""Source swatches closer in L than this share one knot: two knots at one L would make a step in the curve."""


def lightness_knots(source: Palette, target: Palette) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Knots of the lightness curve: (0, 0), (L_i, L'_i) and (100, 100).

    Source swatches of nearly the same L share a knot, at their mean. If the targets would make the curve fall, they are
    replaced by the nearest values that do not (isotonic regression: least squares, weighted by the source's shares). A
    swatch within `MIN_KNOT_GAP` of black or white keeps its own target: the line from it to the end has slope 1.

    Args:
        source: the picture's palette, k swatches.
        target: k swatches: the i-th is the target of the i-th of `source`.

    Returns:
        Source L (m,), strictly increasing, and target L (m,), non-decreasing, both in 0..100.

    Example:
        >>> lightness_knots(Palette([[20, 0, 0], [80, 0, 0]]), Palette([[30, 0, 0], [60, 0, 0]]))
        (array([  0.,  20.,  80., 100.]), array([  0.,  30.,  60., 100.]))
    """
    order = np.argsort(source.lab[:, 0], kind="stable")
    sums: list[list[float]] = []  # of each knot: shares, source L times share, target L times share
    for i in order:
        share = max(float(source.shares[i]), 1e-6)
        L, new = float(source.lab[i, 0]), float(target.lab[i, 0])
        if sums and L - sums[-1][1] / sums[-1][0] < MIN_KNOT_GAP:
            sums[-1] = [sums[-1][0] + share, sums[-1][1] + share * L, sums[-1][2] + share * new]
        else:
            sums.append([share, share * L, share * new])
    shares, x, y = np.array(sums).T
    x, y = x / shares, np.clip(_non_decreasing(y / shares, shares), 0.0, L_MAX)
    if x[0] > 0:
        x, y = np.append(0.0, x), np.append(0.0 if x[0] >= MIN_KNOT_GAP else max(0.0, y[0] - x[0]), y)
    if x[-1] < L_MAX:
        above = L_MAX - x[-1]
        x, y = np.append(x, L_MAX), np.append(y, L_MAX if above >= MIN_KNOT_GAP else min(L_MAX, y[-1] + above))
    return x, y


def _non_decreasing(y: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest non-decreasing values."""
    if np.all(np.diff(y) >= 0):
        return y
    from scipy.optimize import isotonic_regression  # half a second to import, and palettes sorted by L never need it

    fitted: NDArray[np.float64] = isotonic_regression(y, weights=shares).x
    return fitted


def transfer_lightness(L: FloatArray, source: Palette, target: Palette, *, strength: float) -> FloatArray:
    """Moves lightness along straight lines between the knots.

    Args:
        L: lightness, any shape, 0..100.
        source: the picture's palette, k swatches.
        target: k swatches, matched to `source`.
        strength: 0 keeps L, 1 follows the curve.

    Returns:
        New lightness, same shape and dtype, a non-decreasing function of L.
    """
    if strength == 0.0:
        return L
    curve = np.interp(L, *lightness_knots(source, target)).astype(L.dtype)
    moved: FloatArray = L + L.dtype.type(strength) * (curve - L)
    return moved


def smooth_lightness(
    L: FloatArray, source: Palette, target: Palette, *, strength: float, width: float = SMOOTH_WIDTH
) -> FloatArray:
    """Moves lightness by a smooth blend of the shifts of the knots.

    Args:
        L: lightness, any shape, 0..100.
        source: the picture's palette, k swatches.
        target: k swatches, matched to `source`.
        strength: 0 keeps L, 1 follows the curve.
        width: reach of a knot, in units of L.

    Returns:
        New lightness in 0..100, same shape and dtype, a non-decreasing function of L.
    """
    if strength == 0.0:
        return L
    knots, targets = lightness_knots(source, target)
    table = np.linspace(0.0, L_MAX, 1001)
    exponent = -((table[:, np.newaxis] - knots) ** 2) / (2 * width**2)
    shares = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    moved = table + shares @ (targets - knots) / shares.sum(axis=1)
    curve = np.maximum.accumulate(np.clip(moved, 0.0, L_MAX))
    moved_L: FloatArray = np.interp(L, table, table + strength * (curve - table)).astype(L.dtype)
    return moved_L

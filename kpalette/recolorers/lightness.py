"""Monotone lightness transfer: the curves through source and target swatches by which recolourers move L.

[C] is Chang et al., "Palette-based Photo Recoloring", ACM Transactions on Graphics 34(4), 2015.
"""

import numpy as np
from numpy.typing import NDArray

from kpalette.errors import ArgumentError
from kpalette.palettes.palette import Palette
from kpalette.types import L_MAX, FloatArray

MIN_KNOT_GAP = 1.0
"""Source swatches closer in L than this share one knot: two knots at one place would tear a step into gradients."""


def check_strength(lightness: float) -> float:
    """Returns a lightness strength in 0..1 as a float; ArgumentError for anything else."""
    try:
        value = float(lightness)
    except (TypeError, ValueError):
        value = float("nan")
    if not 0.0 <= value <= 1.0:
        raise ArgumentError(f"`lightness` must be a number in 0..1. Received: {lightness!r}")
    return value


def lightness_knots(source: Palette, target: Palette) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Knots of the piecewise-linear curve through (0, 0), (L_i, L'_i), (100, 100) ([C] section 3.3).

    Where the target would reverse the order of lightness, the nearest non-decreasing values in the least-squares sense
    stand in (isotonic regression, weighted by the source's shares). A swatch near the very black or white keeps
    its own target: the end knot then lies a slope of 1 away from it.

    Args:
        source: the picture's palette, k swatches.
        target: k swatches, the i-th is what the i-th of `source` becomes.

    Returns:
        Source L (m,), strictly increasing, and target L (m,), non-decreasing, both in 0..100.
    """
    order = np.argsort(source.lab[:, 0], kind="stable")
    knots: list[list[float]] = []  # summed weight, weighted source L, weighted target L
    for i in order:
        weight = max(float(source.weights[i]), 1e-6)
        L, new = float(source.lab[i, 0]), float(target.lab[i, 0])
        if knots and L - knots[-1][1] / knots[-1][0] < MIN_KNOT_GAP:
            knots[-1] = [knots[-1][0] + weight, knots[-1][1] + weight * L, knots[-1][2] + weight * new]
        else:
            knots.append([weight, weight * L, weight * new])
    weights, x, y = np.array(knots).T
    x, y = x / weights, np.clip(_monotone(y / weights, weights), 0.0, L_MAX)
    if x[0] > 0:
        x, y = np.append(0.0, x), np.append(0.0 if x[0] >= MIN_KNOT_GAP else max(0.0, y[0] - x[0]), y)
    if x[-1] < L_MAX:
        above = L_MAX - x[-1]
        x, y = np.append(x, L_MAX), np.append(y, L_MAX if above >= MIN_KNOT_GAP else min(L_MAX, y[-1] + above))
    return x, y


def _monotone(y: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    if np.all(np.diff(y) >= 0):
        return y
    from scipy.optimize import isotonic_regression  # half a second to import, and palettes sorted by L never need it

    fitted: NDArray[np.float64] = isotonic_regression(y, weights=weights).x
    return fitted


def transfer_lightness(L: FloatArray, source: Palette, target: Palette, *, strength: float) -> FloatArray:
    """Moves lightness along the curve of `lightness_knots`.

    Args:
        L: lightness, any shape, 0..100.
        source: the picture's palette, k swatches.
        target: k swatches, matched to `source`.
        strength: 0 keeps L, 1 is the full transfer: L + strength * (curve(L) - L).

    Returns:
        New lightness, same shape and dtype, a non-decreasing function of L.
    """
    if strength == 0.0:
        return L
    curve = np.interp(L, *lightness_knots(source, target)).astype(L.dtype)
    moved: FloatArray = L + L.dtype.type(strength) * (curve - L)
    return moved


def smooth_lightness(L: FloatArray, source: Palette, target: Palette, *, strength: float, width: float) -> FloatArray:
    """Moves lightness by a smooth blend of the knots' shifts: the slope near a knot is 1, and keeps local contrast.

    Args:
        L: lightness, any shape, 0..100.
        source: the picture's palette, k swatches.
        target: k swatches, matched to `source`.
        strength: 0 keeps L, 1 is the full transfer: L + strength * (curve(L) - L).
        width: reach of a knot in units of L.

    Returns:
        New lightness in 0..100, same shape and dtype, a non-decreasing function of L.
    """
    if strength == 0.0:
        return L
    knots, targets = lightness_knots(source, target)
    table = np.linspace(0.0, L_MAX, 1001)
    exponent = -((table[:, np.newaxis] - knots) ** 2) / (2 * width**2)
    weights = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    moved = table + weights @ (targets - knots) / weights.sum(axis=1)
    curve = np.maximum.accumulate(np.clip(moved, 0.0, L_MAX))
    moved_L: FloatArray = np.interp(L, table, table + strength * (curve - table)).astype(L.dtype)
    return moved_L

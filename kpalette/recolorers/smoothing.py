"""Edge-aware smoothing: values become even inside regions, and stay apart across the edges of a picture.

The algorithm is the fast global smoother (Min, Choi, Lu, Ham, Sohn, Do, "Fast Global Image Smoothing Based on Weighted
Least Squares", IEEE TIP 2014). Along each row and column it solves for the u that minimises

    sum_p (u_p - f_p)^2 + reach^2 sum_pq w_pq (u_p - u_q)^2,   w_pq = exp(-|x_p - x_q| / contrast)

over neighbours p, q, where f are the values and x the colours of the guide. Rows and columns take turns `_ROUNDS`
times, with a quarter of the weight each time, so that no streaks are left. A line of n pixels is a symmetric
tridiagonal system; LAPACK solves all lines at once, as one long system with gaps.
"""

from functools import partial
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from kpalette.types import FloatArray

_ROUNDS = 3

Floats = NDArray[np.float64]


def smooth_regions(
    values: FloatArray, guide: FloatArray, *, reach: float, contrast: float, kernels: ModuleType | None = None
) -> Floats:
    """Smooths values inside the regions of a guide.

    Args:
        values: (H, W).
        guide: colours, CIELAB for instance, (H, W, n).
        reach: how far values even out where the guide is flat, in pixels.
        contrast: step of the guide that begins to keep values apart, in its units.
        kernels: what `kpalette.kernels.loader.kernels_for` gives; None works in NumPy.

    Returns:
        The smoothed values, float64 (H, W), within the range of `values`.

    Example:
        >>> guide = np.repeat([[[0.0]] * 4 + [[90.0]] * 4], 3, axis=0)
        >>> smooth_regions(np.array([[0, 2, 0, 2, 9, 11, 9, 11.0]] * 3), guide, reach=9, contrast=4)[0].round().tolist()
        [1.0, 1.0, 1.0, 1.0, 10.0, 10.0, 10.0, 10.0]
    """
    across = _likeness(guide, contrast, axis=1)
    down = np.ascontiguousarray(_likeness(guide, contrast, axis=0).T)
    smoothed = np.array(values, dtype=np.float64)
    solve = _solve_rows if kernels is None else partial(_solve_compiled, kernels)
    for left in range(_ROUNDS - 1, -1, -1):
        weight = reach**2 * 1.5 * 4.0**left / (4.0**_ROUNDS - 1)
        smoothed = solve(smoothed, weight * across)
        smoothed = solve(np.ascontiguousarray(smoothed.T), weight * down).T
    return smoothed


def _likeness(guide: FloatArray, contrast: float, *, axis: int) -> Floats:
    """The weight w of each pair of neighbours along an axis, 0..1."""
    steps = np.linalg.norm(np.diff(np.asarray(guide, dtype=np.float64), axis=axis), axis=-1)
    weights: Floats = np.exp(-steps / contrast)
    return weights


def _solve_rows(values: Floats, weights: Floats) -> Floats:
    """Solves the system of every row of values (H, W), whose neighbours have weights (H, W - 1)."""
    from scipy.linalg.lapack import dptsv  # a tenth of a second to import

    off = np.zeros(values.shape)
    off[:, :-1] = -weights
    flat = off.ravel()
    diagonal = 1.0 - flat
    diagonal[1:] -= flat[:-1]
    if flat.size == 1:
        return values
    solved: Floats = dptsv(diagonal, flat[:-1], values.ravel())[2].reshape(values.shape)
    return solved


def _solve_compiled(kernels: ModuleType, values: Floats, weights: Floats) -> Floats:
    """The same by kernels, which work on columns: all of them side by side fill vectors."""
    columns = np.ascontiguousarray(values.T)
    kernels.solve_columns(columns, np.ascontiguousarray(weights.T))
    return np.ascontiguousarray(columns.T)

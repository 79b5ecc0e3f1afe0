"""Even moves inside regions: the loops of `kpalette.recolorers.smoothing` and of `kpalette.recolorers.tone`."""

import numpy as np

from kpalette.kernels.jit import kernel

_F = np.float32


@kernel
def solve_columns(values, weights):
    """Solves the tridiagonal system of every column, in place, all columns side by side.

    Args:
        values: float64 (h, w); becomes the solution u of  u_i + w_i-1 (u_i - u_i-1) + w_i (u_i - u_i+1) = value_i.
        weights: float64 (h - 1, w), of each pixel and the one below it.
    """
    height, width = values.shape
    factors = np.zeros((height, width))  # of the row below, in the equation that is left for each row
    for i in range(height):
        _eliminate(values, weights, factors, i, height, width)
    for i in range(height - 2, -1, -1):
        for j in range(width):
            values[i, j] += factors[i, j] * values[i + 1, j]


@kernel
def _eliminate(values, weights, factors, i, height, width):
    if height == 1:
        return
    if i == 0:
        for j in range(width):
            factors[0, j] = weights[0, j] / (1.0 + weights[0, j])
            values[0, j] /= 1.0 + weights[0, j]
        return
    for j in range(width):
        above = weights[i - 1, j]
        below = weights[i, j] if i < height - 1 else 0.0
        pivot = 1.0 / (1.0 + above * (1.0 - factors[i - 1, j]) + below)
        factors[i, j] = below * pivot
        values[i, j] = (values[i, j] + above * values[i - 1, j]) * pivot


@kernel
def bring_in_order(before, after, passes):
    """Brings neighbours that have changed places to one value between them, in place; float32 (h, w)."""
    height, width = after.shape
    shifts, counts = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    for _ in range(passes):
        found = False
        for i in range(height):
            for j in range(width):
                for beside in range(2):
                    k, m = i + 1 - beside, j + beside
                    if k < height and m < width:
                        step = after[k, m] - after[i, j]
                        if (before[k, m] - before[i, j]) * step < 0:
                            shifts[i, j] += step * _F(0.5)
                            shifts[k, m] -= step * _F(0.5)
                            counts[i, j] += _F(1)
                            counts[k, m] += _F(1)
                            found = True
        if not found:
            break
        for i in range(height):
            for j in range(width):
                after[i, j] += shifts[i, j] / max(counts[i, j], _F(1))
                shifts[i, j] = counts[i, j] = _F(0)

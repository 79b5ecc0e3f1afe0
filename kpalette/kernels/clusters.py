"""Weighted k-means: the loop of `kpalette.palettes.kmeans.lloyd`."""

import numpy as np

from kpalette.kernels.jit import kernel


@kernel
def lloyd(points, weights, centres, fixed, rounds):
    """Moves centres, float64 (k, 3), in place until no point changes its centre.

    Args:
        points: float64 (n, 3).
        weights: float64 (n,).
        centres: where they begin; the last `fixed` of them stay.
        fixed: see `centres`.
        rounds: the most rounds.

    Returns:
        The index of each point's centre, (n,).
    """
    count = centres.shape[0]
    labels = np.full(points.shape[0], -1, np.intp)
    squares, sums = np.empty(count), np.empty((count, 4))
    for _ in range(rounds):
        for k in range(count):
            squares[k] = centres[k, 0] ** 2 + centres[k, 1] ** 2 + centres[k, 2] ** 2
        if not _assign(points, weights, centres, squares, labels, sums):
            break
        for k in range(count - fixed):
            if sums[k, 3] > 0:
                for channel in range(3):
                    centres[k, channel] = sums[k, channel] / sums[k, 3]
    return labels


@kernel
def _assign(points, weights, centres, squares, labels, sums):
    """Gives each point its nearest centre, sums up weight times colour and weight of each; whether any has changed."""
    changed = False
    sums[:] = 0
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        nearest, least = 0, np.inf
        for k in range(centres.shape[0]):
            distance = squares[k] - 2 * (centres[k, 0] * x + centres[k, 1] * y + centres[k, 2] * z)
            if distance < least:
                nearest, least = k, distance
        changed |= labels[i] != nearest
        labels[i] = nearest
        weight = weights[i]
        sums[nearest, 0] += weight * x
        sums[nearest, 1] += weight * y
        sums[nearest, 2] += weight * z
        sums[nearest, 3] += weight
    return changed

"""Weighted k-means: the loops of `kpalette.palettes.kmeans`."""

import numpy as np

from kpalette.kernels.jit import kernel


@kernel
def plus_plus(points, weights, draws):
    """Seeds of k-means++, float64 (k, 3), one for each random number in 0..1, (k,)."""
    count = points.shape[0]
    distance, total = np.full(count, np.inf), np.empty(count)
    seeds = np.empty((draws.shape[0], 3))
    for k in range(draws.shape[0]):
        behind = 0.0
        for i in range(count):
            behind += weights[i] if k == 0 else weights[i] * distance[i]
            total[i] = behind
        chosen = min(np.searchsorted(total, draws[k] * behind, side="right"), count - 1)
        x, y, z = points[chosen, 0], points[chosen, 1], points[chosen, 2]
        seeds[k, 0], seeds[k, 1], seeds[k, 2] = x, y, z
        for i in range(count):
            near = (points[i, 0] - x) ** 2 + (points[i, 1] - y) ** 2 + (points[i, 2] - z) ** 2
            distance[i] = min(distance[i], near)
    return seeds


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
    count, moving = points.shape[0], centres.shape[0] - fixed
    columns = points.T.copy()
    labels, least, sums = np.full(count, -1, np.int64), np.empty(count), np.empty((centres.shape[0], 4))
    previous = labels.copy()
    for _ in range(rounds):
        _assign(columns, centres, labels, least)
        if not _sum_up(columns, weights, labels, previous, sums):
            break
        for k in range(moving):
            if sums[k, 3] > 0:
                for channel in range(3):
                    centres[k, channel] = sums[k, channel] / sums[k, 3]
    return labels


@kernel
def _assign(columns, centres, labels, least):
    """Gives each point the index of its nearest centre. Centre by centre, so that points fill vectors."""
    count = labels.shape[0]
    x, y, z = columns[0], columns[1], columns[2]
    for i in range(count):
        least[i] = np.inf
    for k in range(centres.shape[0]):
        a, b, c = centres[k, 0], centres[k, 1], centres[k, 2]
        square = a**2 + b**2 + c**2
        for i in range(count):
            # |x - c|^2 without |x|^2, which is the same for all centres
            distance = square - 2 * (a * x[i] + b * y[i] + c * z[i])
            closer = distance < least[i]
            least[i] = distance if closer else least[i]
            labels[i] = k if closer else labels[i]


@kernel
def _sum_up(columns, weights, labels, previous, sums):
    """Sums up weight times colour, and weight, of each centre's points; whether any point has changed its centre."""
    changed = False
    sums[:] = 0
    for i in range(labels.shape[0]):
        k, weight = labels[i], weights[i]
        changed |= previous[i] != k
        previous[i] = k
        sums[k, 0] += weight * columns[0, i]
        sums[k, 1] += weight * columns[1, i]
        sums[k, 2] += weight * columns[2, i]
        sums[k, 3] += weight
    return changed

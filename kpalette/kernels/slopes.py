"""Steep slopes of ab between neighbours that are alike: the steps of `kpalette.recolorers.slopes` on planes.

Most pixels have no steep edge. Work goes from pixel to pixel along lists of those that have changed. A pixel is an
index into a plane of w columns; the edges of a pixel lead to the pixels beside, above and below it.
"""

import numpy as np

from kpalette.kernels.gamut import chroma_factors
from kpalette.kernels.jit import kernel

_F = np.float32


@kernel
def limit_planes(before, after, cut, passes, reach, alike, steepest, slack, steps):
    """Limits slopes, in place.

    Args:
        before: CIELAB of the picture, float32 (3, h, w).
        after: the recoloured picture, in gamut.
        cut: bool (h, w), the pixels that lost chroma by the reduction into gamut; changes.
        passes: of step 3.
        reach: rounds of step 2.
        alike: the difference below which neighbours are alike.
        steepest: the difference in ab that is left.
        slack: differences up to `steepest` + `slack` stay.
        steps: halvings of the chroma reduction.

    Returns:
        Whether anything has changed.
    """
    pixels = _steep_pixels(before, after, alike, steepest + slack)
    if pixels.size == 0:
        return False
    moved = np.zeros(cut.shape, np.bool_)
    pixels = _lower_chroma(before, after, pixels, cut.ravel(), moved.ravel(), reach, alike, steepest, slack)
    _move_together(before, after, pixels, moved.ravel(), passes, alike, steepest, slack)
    _reduce_pixels(after, np.flatnonzero(moved), steps)
    return True


@kernel
def _steep_pixels(before, after, alike, steep):
    """The pixels of edges steeper than `steep`."""
    height, width = after.shape[1:]
    marked = np.zeros((height, width), np.bool_)
    for i in range(height):
        for j in range(width):
            for beside in range(2):
                k, m = i + 1 - beside, j + beside
                if k < height and m < width:
                    a, b = after[1, i, j] - after[1, k, m], after[2, i, j] - after[2, k, m]
                    if a * a + b * b > steep * steep and _are_alike(before, after, i, j, k, m, alike):
                        marked[i, j] = marked[k, m] = True
    return np.flatnonzero(marked)


@kernel
def _are_alike(before, after, i, j, k, m, alike):
    lightness = after[0, i, j] - after[0, k, m]
    if not lightness * lightness < alike * alike:
        return False
    L, a, b = before[0, i, j] - before[0, k, m], before[1, i, j] - before[1, k, m], before[2, i, j] - before[2, k, m]
    return L * L + a * a + b * b < alike * alike


@kernel
def _neighbours(before, after, pixel, alike, found):
    """Writes the neighbours of a pixel that are alike into `found`, and tells how many they are."""
    height, width = after.shape[1:]
    i, j = pixel // width, pixel % width
    count = 0
    for k, m in ((i, j + 1), (i, j - 1), (i + 1, j), (i - 1, j)):
        if 0 <= k < height and 0 <= m < width and _are_alike(before, after, i, j, k, m, alike):
            found[count] = k * width + m
            count += 1
    return count


@kernel
def _lower_chroma(before, after, pixels, cut, moved, reach, alike, steepest, slack):
    """Step 2. Returns the pixels at which step 3 begins: those given, and those that have changed."""
    a, b = after[1].ravel(), after[2].ravel()
    chroma = np.sqrt(a * a + b * b)
    limit, front, beside = chroma.copy(), pixels, np.empty(4, np.int64)
    for _ in range(reach):
        lowered, limits, count = np.empty(4 * front.size, np.int64), np.empty(4 * front.size, np.float32), 0
        for pixel in front:
            for number in range(_neighbours(before, after, pixel, alike, beside)):
                low, high = pixel, beside[number]
                if limit[low] > limit[high]:
                    low, high = high, low
                if limit[high] - limit[low] > steepest + slack and cut[low]:
                    lowered[count], limits[count] = high, limit[low] + steepest
                    count += 1
        front = lowered[:count]
        for k in range(count):
            limit[front[k]] = min(limit[front[k]], limits[k])
        for pixel in front:
            cut[pixel] = moved[pixel] = True
        front = _once(front, cut.size)
        if count == 0:
            break
    changed = np.flatnonzero(moved)
    for pixel in changed:
        scale = limit[pixel] / max(chroma[pixel], _F(1e-6))
        a[pixel] *= scale
        b[pixel] *= scale
    return _once(np.concatenate((pixels, changed)), cut.size)


@kernel
def _once(pixels, size):
    """Each of some pixels once."""
    marked, count = np.zeros(size, np.bool_), 0
    kept = np.empty_like(pixels)
    for pixel in pixels:
        if not marked[pixel]:
            marked[pixel] = True
            kept[count] = pixel
            count += 1
    return kept[:count]


@kernel
def _move_together(before, after, pixels, moved, passes, alike, steepest, slack):
    """Step 3."""
    a, b = after[1].ravel(), after[2].ravel()
    way_a, way_b, ends = np.zeros(a.size, np.float32), np.zeros(a.size, np.float32), np.zeros(a.size, np.int32)
    seen, front, beside = np.zeros(a.size, np.int32), pixels, np.empty(4, np.int64)
    for number in range(1, passes + 1):
        touched, count = np.empty(5 * front.size, np.int64), 0
        for pixel in front:
            seen[pixel] = number
        for pixel in front:
            for k in range(_neighbours(before, after, pixel, alike, beside)):
                other = beside[k]
                if seen[other] == number and other < pixel:
                    continue  # the other end sees to this edge
                apart_a, apart_b = a[other] - a[pixel], b[other] - b[pixel]
                distance = np.sqrt(apart_a * apart_a + apart_b * apart_b)
                if distance > steepest + slack:
                    share = _F(0.5) - _F(0.5) * steepest / distance
                    for end, sign in ((pixel, share), (other, -share)):
                        if ends[end] == 0:
                            touched[count] = end
                            count += 1
                        ends[end] += 1
                        way_a[end] += sign * apart_a
                        way_b[end] += sign * apart_b
        if count == 0:
            break
        front = touched[:count]
        for pixel in front:
            a[pixel] += way_a[pixel] / ends[pixel]
            b[pixel] += way_b[pixel] / ends[pixel]
            way_a[pixel] = way_b[pixel] = 0
            ends[pixel] = 0
            moved[pixel] = True


@kernel
def _reduce_pixels(after, pixels, steps):
    """Step 4."""
    L, a, b = after[0].ravel(), after[1].ravel(), after[2].ravel()
    factor = chroma_factors(L[pixels], a[pixels], b[pixels], steps)
    for k in range(pixels.size):
        a[pixels[k]] *= factor[k]
        b[pixels[k]] *= factor[k]

"""Edge-aware upsampling: a change of ab found on a small picture, carried to the full-size one along its edges.

A guided filter (He, Sun, Tang, "Guided Image Filtering", PAMI 2013, equations 14 and 15) in its fast form (He, Sun,
"Fast Guided Filter", arXiv 1505.00996): around every pixel of the small picture the change is fitted as an affine map
of the Lab colour; the maps, not the change, are upsampled, and then applied to the full-size Lab, so that every edge
there bounds the change as well. The guide is the whole colour: lightness alone would bleed over edges of equal L.
Colours that no pixel near by had at working size could be carried anywhere by a map: the result stays between the least
and the greatest change near by, which takes away a sixth of the error that is left.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kpalette.errors import ArgumentError
from kpalette.parallel import in_parts
from kpalette.types import FloatArray

RADIUS = 1
"""Pixels of the small picture from the middle of a window to its border."""

EPSILON = 1.0
"""Variance of Lab, in squared units, below which a window counts as flat, and its mean stands for the fit."""

_STRIP = 32768  # pixels of the small picture that are fitted at once
_REACH = 2  # pixels of the small picture within which the result's bounds are sought


@dataclass(frozen=True, eq=False)
class ChangeField:
    """A change of ab as an affine map of Lab that varies over the picture.

    Attributes:
        planes: float32 (12, h, w), at working size: level (2), slopes (3 x 2), least (2) and greatest (2) change.
        height: of the full-size picture.
        width: of the full-size picture.
    """

    planes: FloatArray
    height: int
    width: int

    def rows(self, part: slice, guide: FloatArray) -> FloatArray:
        """The change in some rows of the full-size picture.

        Args:
            part: which rows, start and stop given.
            guide: their Lab (n, width, 3).

        Returns:
            float32 (n, width, 2).
        """
        # The middles of pixels meet as they do in cv2.resize, which goes on with the columns.
        last = self.planes.shape[1] - 1
        at = np.clip((np.arange(part.start, part.stop) + 0.5) * ((last + 1) / self.height) - 0.5, 0.0, last)
        low = at.astype(np.intp)
        high, share = np.minimum(low + 1, last), (at - low).astype(np.float32)[:, np.newaxis]
        size = (self.width, len(guide))

        def plane(number: int) -> FloatArray:
            small = self.planes[number]
            above, below = small.take(low, axis=0), small.take(high, axis=0)
            wide: FloatArray = np.asarray(cv2.resize(above + share * (below - above), size), dtype=np.float32)
            return wide

        change = np.empty((*guide.shape[:2], 2), dtype=np.float32)
        colors = [np.ascontiguousarray(guide[..., i], dtype=np.float32) for i in range(3)]
        for i in range(2):
            total = plane(i)
            for j, color in enumerate(colors):
                total += plane(2 + 2 * j + i) * color
            np.clip(total, plane(8 + i), plane(10 + i), out=change[..., i])
        return change


def fit_field(
    change: FloatArray, guide: FloatArray, *, height: int, width: int, radius: int = RADIUS, epsilon: float = EPSILON
) -> ChangeField:
    """Fits the maps at working size.

    Args:
        change: of ab, (h, w, 2).
        guide: Lab (h, w, 3) that the change belongs to.
        height: of the full-size picture.
        width: of the full-size picture.
        radius: pixels from the middle of a window to its border.
        epsilon: variance of Lab below which a window counts as flat.

    Returns:
        The field, exact where the change is constant within 2 pixels.

    Raises:
        ArgumentError: if shapes do not fit each other.
    """
    if change.ndim != 3 or change.shape[2] != 2 or guide.shape != (*change.shape[:2], 3):
        raise ArgumentError(
            f"`change` must be (h, w, 2) and `guide` (h, w, 3). Received: shapes {change.shape} and {guide.shape}"
        )
    # Centred, so that squares stay small beside their differences.
    offset, middle = change.mean(axis=(0, 1), dtype=np.float64), guide.mean(axis=(0, 1), dtype=np.float64)
    maps = _maps(change - offset, guide - middle, radius, epsilon)
    for j in range(3):
        maps[:2] -= maps[2 + 2 * j : 4 + 2 * j] * middle[j]
    maps[:2] += offset[:, np.newaxis, np.newaxis]
    bounds = np.ones((2 * _REACH + 1, 2 * _REACH + 1), dtype=np.uint8)
    near = [extreme(plane, bounds) for extreme in (cv2.erode, cv2.dilate) for plane in _planes(change)]
    return ChangeField(np.concatenate([maps, near]).astype(np.float32), height, width)


def upsample_ab(
    change: FloatArray, guide_small: FloatArray, guide: FloatArray, *, radius: int = RADIUS, epsilon: float = EPSILON
) -> FloatArray:
    """Carries a change of ab to full size, all rows at once; in parts it goes by `fit_field` and `ChangeField.rows`.

    Args:
        change: of ab at working size (h, w, 2).
        guide_small: Lab at working size (h, w, 3).
        guide: Lab at full size (H, W, 3).
        radius: as in `fit_field`.
        epsilon: as in `fit_field`.

    Returns:
        The change (H, W, 2), float32; where both sizes are the same, `change` as it is.

    Raises:
        ArgumentError: if shapes do not fit each other.
    """
    height, width = guide.shape[:2]
    if change.shape[:2] == (height, width):
        return change
    field = fit_field(change, guide_small, height=height, width=width, radius=radius, epsilon=epsilon)
    return field.rows(slice(0, height), guide)


def _planes(x: FloatArray) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.moveaxis(x, -1, 0), dtype=np.float32)


def _mean(planes: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Means over windows (n, h, w), which end where the picture does."""
    side = 2 * radius + 1

    def total(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(
            cv2.boxFilter(plane, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT), dtype=np.float32
        )

    means: NDArray[np.float32] = np.stack([total(plane) for plane in planes]) / total(
        np.ones(planes.shape[1:], dtype=np.float32)
    )
    return means


def _maps(change: FloatArray, guide: FloatArray, radius: int, epsilon: float) -> NDArray[np.float32]:
    """The means of the fits of all windows that hold a pixel (8, h, w), in strips that stay in the cache."""
    height, width = change.shape[:2]
    maps = np.empty((8, height, width), dtype=np.float32)

    def fit_rows(part: slice) -> None:
        # Windows of windows: with twice their reach beside it, a strip is as it is in the whole.
        top, end = max(0, part.start - 2 * radius), part.stop
        beside = slice(top, end + 2 * radius)
        fitted = _mean(_fit(change[beside], guide[beside], radius, epsilon), radius)
        maps[:, part.start : end] = fitted[:, part.start - top : end - top]

    in_parts(fit_rows, height, max(1, _STRIP // width))
    return maps


def _fit(change: FloatArray, guide: FloatArray, radius: int, epsilon: float) -> NDArray[np.float32]:
    """The affine map around each pixel (8, h, w): level (2), then slopes (3 x 2)."""
    p, x = _planes(change), _planes(guide)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    squares = [x[i] * x[j] for i, j in pairs]
    products = [x[i] * p[j] for i in range(3) for j in range(2)]
    means = _mean(np.concatenate([p, x, squares, products]), radius)
    mean_p, mean_x, mean_squares, mean_products = np.split(means, [2, 5, 11])
    variance = [mean_squares[k] - mean_x[i] * mean_x[j] + epsilon * (i == j) for k, (i, j) in enumerate(pairs)]
    covariance = mean_products.reshape(3, 2, *p.shape[1:]) - mean_x[:, np.newaxis] * mean_p
    adjugate, determinant = _adjugate(variance)
    slopes = np.stack([sum(row[j] * covariance[j] for j in range(3)) for row in adjugate]) / determinant
    level = mean_p - sum(slopes[i] * mean_x[i] for i in range(3))
    return np.concatenate([level, slopes.reshape(6, *p.shape[1:])])


def _adjugate(entries: list[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Adjugate (3, 3, h, w) and determinant (h, w) of symmetric matrices given as xx, xy, xz, yy, yz, zz."""
    xx, xy, xz, yy, yz, zz = entries
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    return np.array([[a, b, c], [b, d, e], [c, e, f]]), xx * a + xy * b + xz * c

"""Edge-aware upsampling: carries a change of ab from a small picture to the full-size one, along its edges.

The algorithm is the fast guided filter (He, Sun, Tang, "Guided Image Filtering", PAMI 2013, equations 14 and 15; He,
Sun, "Fast Guided Filter", arXiv 1505.00996). The guide is the Lab colour x of the picture: lightness alone would let
the change bleed across edges between colours of equal L.

1. In each window of the small picture, of `RADIUS` pixels around its middle, the change d is fitted as an affine map of
   the colour, d = A x + b:

       A = cov(d, x) (cov(x, x) + EPSILON I)^-1,   b = mean(d) - A mean(x)

2. Each pixel of the small picture gets the mean A and the mean b of all windows that hold it.
3. A and b, not d, are upsampled to full size (bilinear) and applied to the full-size colours: d = A x + b. An edge
   between two colours of the full-size picture is then an edge of the change, too.
4. A full-size colour that no near pixel had at working size could get any change. So the result is clipped to the range
   of changes within `_REACH` pixels of the small picture, which removes a sixth of the remaining error.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kpalette.errors import ArgumentError
from kpalette.parallel import in_parts
from kpalette.types import FloatArray

RADIUS = 1
"""Distance from the middle of a window to its border, in pixels of the small picture."""

EPSILON = 1.0
"""Regularisation, in squared Lab units: where the variance of a window is less, its change is close to its mean."""

_STRIP = 32768  # pixels of the small picture that one thread fits at a time
_REACH = 2  # pixels of the small picture


@dataclass(frozen=True, eq=False)
class ChangeField:
    """Change of ab as an affine map of Lab, one map for each pixel of the small picture.

    Attributes:
        planes: float32 (12, h, w): b (2), A (3 x 2), least (2) and greatest (2) change; see the head of this module.
        height: of the full-size picture.
        width: of the full-size picture.

    Example:
        >>> change, guide = np.full((2, 2, 2), 7.0), np.zeros((2, 2, 3))
        >>> field = fit_field(change, guide, height=4, width=4)
        >>> field.rows(slice(0, 4), np.zeros((4, 4, 3)))[0, 0].tolist()
        [7.0, 7.0]
    """

    planes: FloatArray
    height: int
    width: int

    def rows(self, part: slice, guide: FloatArray) -> FloatArray:
        """Computes the change for some rows of the full-size picture (steps 3 and 4).

        Args:
            part: the rows; needs both a start and a stop.
            guide: Lab of these rows, (n, width, 3).

        Returns:
            Change of ab, float32 (n, width, 2).
        """
        # Where the middle of each row lies among the small picture's rows, as cv2.resize has it for the columns.
        last = self.planes.shape[1] - 1
        position = np.clip((np.arange(part.start, part.stop) + 0.5) * ((last + 1) / self.height) - 0.5, 0.0, last)
        upper = position.astype(np.intp)
        lower, fraction = np.minimum(upper + 1, last), (position - upper).astype(np.float32)[:, np.newaxis]
        size = (self.width, len(guide))

        def upsampled(number: int) -> FloatArray:
            plane = self.planes[number]
            first, second = plane.take(upper, axis=0), plane.take(lower, axis=0)
            rows: FloatArray = np.asarray(cv2.resize(first + fraction * (second - first), size), dtype=np.float32)
            return rows

        change = np.empty((*guide.shape[:2], 2), dtype=np.float32)
        colors = [np.ascontiguousarray(guide[..., i], dtype=np.float32) for i in range(3)]
        for i in range(2):
            total = upsampled(i)
            for j, color in enumerate(colors):
                total += upsampled(2 + 2 * j + i) * color
            np.clip(total, upsampled(8 + i), upsampled(10 + i), out=change[..., i])
        return change


def fit_field(
    change: FloatArray, guide: FloatArray, *, height: int, width: int, radius: int = RADIUS, epsilon: float = EPSILON
) -> ChangeField:
    """Fits the affine maps to a small picture (steps 1 and 2).

    Args:
        change: change of ab at working size, (h, w, 2).
        guide: Lab of the small picture, (h, w, 3).
        height: of the full-size picture.
        width: of the full-size picture.
        radius: takes the place of `RADIUS`.
        epsilon: takes the place of `EPSILON`.

    Returns:
        The field. It is exact where the change is constant within 2 pixels.

    Raises:
        ArgumentError: if the shapes of `change` and `guide` do not match.
    """
    if change.ndim != 3 or change.shape[2] != 2 or guide.shape != (*change.shape[:2], 3):
        raise ArgumentError(
            f"`change` must be (h, w, 2) and `guide` (h, w, 3). Received: shapes {change.shape} and {guide.shape}"
        )
    # Both are centred: a variance is a difference of squares, which loses digits where the squares are large.
    mean_change, mean_color = change.mean(axis=(0, 1), dtype=np.float64), guide.mean(axis=(0, 1), dtype=np.float64)
    maps = _maps(change - mean_change, guide - mean_color, radius, epsilon)
    for j in range(3):
        maps[:2] -= maps[2 + 2 * j : 4 + 2 * j] * mean_color[j]
    maps[:2] += mean_change[:, np.newaxis, np.newaxis]
    window = np.ones((2 * _REACH + 1, 2 * _REACH + 1), dtype=np.uint8)
    bounds = [extreme(plane, window) for extreme in (cv2.erode, cv2.dilate) for plane in _planes(change)]
    return ChangeField(np.concatenate([maps, bounds]).astype(np.float32), height, width)


def _planes(x: FloatArray) -> NDArray[np.float32]:
    """Turns (h, w, n) into contiguous planes (n, h, w)."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 0), dtype=np.float32)


def _mean(planes: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Mean of planes (n, h, w) over the window around each pixel; at the border a window holds fewer pixels."""
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
    """Mean b (2) and A (3 x 2) of all windows that hold a pixel, (8, h, w). Works in strips that fit in the cache."""
    height, width = change.shape[:2]
    maps = np.empty((8, height, width), dtype=np.float32)

    def fit_rows(part: slice) -> None:
        # A mean of windows of windows: 2 * radius rows beside a strip take part in it.
        top = max(0, part.start - 2 * radius)
        wide = slice(top, part.stop + 2 * radius)
        fitted = _mean(_fit(change[wide], guide[wide], radius, epsilon), radius)
        maps[:, part] = fitted[:, part.start - top : part.stop - top]

    in_parts(fit_rows, height, max(1, _STRIP // width))
    return maps


def _fit(change: FloatArray, guide: FloatArray, radius: int, epsilon: float) -> NDArray[np.float32]:
    """The map d = A x + b of the window around each pixel: b (2), then A (3 x 2), together (8, h, w)."""
    d, x = _planes(change), _planes(guide)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    squares = [x[i] * x[j] for i, j in pairs]
    products = [x[i] * d[j] for i in range(3) for j in range(2)]
    means = _mean(np.concatenate([d, x, squares, products]), radius)
    mean_d, mean_x, mean_squares, mean_products = np.split(means, [2, 5, 11])
    variance = [mean_squares[k] - mean_x[i] * mean_x[j] + epsilon * (i == j) for k, (i, j) in enumerate(pairs)]
    covariance = mean_products.reshape(3, 2, *d.shape[1:]) - mean_x[:, np.newaxis] * mean_d
    adjugate, determinant = _adjugate(variance)
    A = np.stack([sum(row[j] * covariance[j] for j in range(3)) for row in adjugate]) / determinant
    b = mean_d - sum(A[i] * mean_x[i] for i in range(3))
    return np.concatenate([b, A.reshape(6, *d.shape[1:])])


def _adjugate(entries: list[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Adjugate (3, 3, h, w) and determinant (h, w) of symmetric matrices given as xx, xy, xz, yy, yz, zz.

    The inverse is their quotient. Written out, it takes a twentieth of the time of `numpy.linalg.inv`.
    """
    xx, xy, xz, yy, yz, zz = entries
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    return np.array([[a, b, c], [b, d, e], [c, e, f]]), xx * a + xy * b + xz * c

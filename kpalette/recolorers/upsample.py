"""Edge-aware upsampling: carries a change of colour from a small picture to the full-size one, along its edges.

The algorithm is the fast guided filter (He, Sun, Tang, "Guided Image Filtering", PAMI 2013, equations 14 and 15; He,
Sun, "Fast Guided Filter", arXiv 1505.00996). The guide is the colour x of the picture, in CIELAB or in rgb times 100:
lightness alone would let the change bleed across edges between colours of equal L.

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
"""Regularisation, in squared units of the guide: a window of less variance has a change close to its mean."""

_STRIP = 32768  # pixels of the small picture that one thread fits at a time
_REACH = 2  # pixels of the small picture


@dataclass(frozen=True, eq=False)
class ChangeField:
    """A change of n channels as an affine map of colour, one map for each pixel of the small picture.

    Attributes:
        planes: float32 (6 n, h, w): b (n), A (3 x n), least (n) and greatest (n) change; see the head of this module.
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
            guide: colours of these rows, (rows, width, 3).

        Returns:
            The change, float32 (rows, width, n).
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

        channels = len(self.planes) // 6
        change = np.empty((*guide.shape[:2], channels), dtype=np.float32)
        colors = [np.ascontiguousarray(guide[..., i], dtype=np.float32) for i in range(3)]
        for i in range(channels):
            total = upsampled(i)
            for j, color in enumerate(colors):
                total += upsampled((j + 1) * channels + i) * color
            np.clip(total, upsampled(4 * channels + i), upsampled(5 * channels + i), out=change[..., i])
        return change


def fit_field(
    change: FloatArray, guide: FloatArray, *, height: int, width: int, radius: int = RADIUS, epsilon: float = EPSILON
) -> ChangeField:
    """Fits the affine maps to a small picture (steps 1 and 2).

    Args:
        change: the change at working size, (h, w, n), of ab for instance.
        guide: colours of the small picture, (h, w, 3).
        height: of the full-size picture.
        width: of the full-size picture.
        radius: takes the place of `RADIUS`.
        epsilon: takes the place of `EPSILON`.

    Returns:
        The field. It is exact where the change is constant within 2 pixels.

    Raises:
        ArgumentError: if the shapes of `change` and `guide` do not match.
    """
    if change.ndim != 3 or guide.shape != (*change.shape[:2], 3):
        raise ArgumentError(
            f"`change` must be (h, w, n) and `guide` (h, w, 3). Received: shapes {change.shape} and {guide.shape}"
        )
    # Both are centred: a variance is a difference of squares, which loses digits where the squares are large.
    mean_change, mean_color = change.mean(axis=(0, 1), dtype=np.float64), guide.mean(axis=(0, 1), dtype=np.float64)
    maps = _maps(change - mean_change, guide - mean_color, radius, epsilon)
    channels = change.shape[2]
    for j in range(3):
        maps[:channels] -= maps[(j + 1) * channels : (j + 2) * channels] * mean_color[j]
    maps[:channels] += mean_change[:, np.newaxis, np.newaxis]
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
    """Mean b (n) and A (3 x n) of all windows that hold a pixel, (4 n, h, w). Works in strips that fit in the cache."""
    height, width = change.shape[:2]
    maps = np.empty((4 * change.shape[2], height, width), dtype=np.float32)

    def fit_rows(part: slice) -> None:
        # A mean of windows of windows: 2 * radius rows beside a strip take part in it.
        top = max(0, part.start - 2 * radius)
        wide = slice(top, part.stop + 2 * radius)
        fitted = _mean(_fit(change[wide], guide[wide], radius, epsilon), radius)
        maps[:, part] = fitted[:, part.start - top : part.stop - top]

    in_parts(fit_rows, height, max(1, _STRIP // width))
    return maps


def _fit(change: FloatArray, guide: FloatArray, radius: int, epsilon: float) -> NDArray[np.float32]:
    """The map d = A x + b of the window around each pixel: b (n), then A (3 x n), together (4 n, h, w)."""
    d, x = _planes(change), _planes(guide)
    channels = len(d)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    squares = [x[i] * x[j] for i, j in pairs]
    products = [x[i] * d[j] for i in range(3) for j in range(channels)]
    means = _mean(np.concatenate([d, x, squares, products]), radius)
    mean_d, mean_x, mean_squares, mean_products = np.split(means, [channels, channels + 3, channels + 9])
    variance = [mean_squares[k] - mean_x[i] * mean_x[j] + epsilon * (i == j) for k, (i, j) in enumerate(pairs)]
    covariance = mean_products.reshape(3, channels, *d.shape[1:]) - mean_x[:, np.newaxis] * mean_d
    adjugate, determinant = _adjugate(variance)
    A = np.stack([sum(row[j] * covariance[j] for j in range(3)) for row in adjugate]) / determinant
    b = mean_d - sum(A[i] * mean_x[i] for i in range(3))
    return np.concatenate([b, A.reshape(3 * channels, *d.shape[1:])])


def _adjugate(entries: list[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Adjugate (3, 3, h, w) and determinant (h, w) of symmetric matrices given as xx, xy, xz, yy, yz, zz.

    The inverse is their quotient. Written out, it takes a twentieth of the time of `numpy.linalg.inv`.
    """
    xx, xy, xz, yy, yz, zz = entries
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    return np.array([[a, b, c], [b, d, e], [c, e, f]]), xx * a + xy * b + xz * c

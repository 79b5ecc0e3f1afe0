"""The terms of SSIM apart: `luminance`, and `structure` (contrast and structure).

SSIM multiplies three terms in each window (Wang, Bovik, Sheikh, Simoncelli 2004, equations 6, 9 and 10). The first
compares the windows' means: it falls when a region becomes lighter or darker, which a palette may well ask for. The
other two, usually taken together, compare contrast and shape inside the window:

    luminance = (2 m_x m_y + C1) / (m_x^2 + m_y^2 + C1)
    structure = (2 s_xy + C2) / (s_x^2 + s_y^2 + C2)

Means m and (co)variances s are those of 8-bit BT.601 grey in windows of 7x7, with scikit-image's constants: the product
is `kpalette.metrics.figures.ssim` in each window.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from kpalette.types import BoolArray, ImageArray

WINDOW = 7
"""Side of a window, pixels."""

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SAMPLE = WINDOW**2 / (WINDOW**2 - 1)  # of a sample's variance over that of its pixels

Floats = NDArray[np.float64]


def structure_terms(source: ImageArray, output: ImageArray, *, shown: BoolArray | None = None) -> dict[str, float]:
    """The means of SSIM's terms over all windows.

    Args:
        source: grey, uint8 (H, W).
        output: grey, uint8 (H, W).
        shown: bool (H, W), middles of the windows that count. All windows that lie inside the picture if None.

    Returns:
        "structure", -1..1, and "luminance", 0..1; both are 1 for equal images.

    Example:
        >>> grey = np.arange(81, dtype=np.uint8).reshape(9, 9)
        >>> terms = structure_terms(grey, grey + 100)
        >>> round(terms["structure"], 3), round(terms["luminance"], 3)
        (1.0, 0.523)
    """
    luminance, structure = map_terms(window_moments(source), window_moments(output))
    if shown is None:
        shown = whole_windows(source.shape[0], source.shape[1])
    return mean_terms(luminance, structure, shown)


class Moments(NamedTuple):
    """A picture's grey in the window around each pixel, float64 (H, W) each.

    Attributes:
        grey: the grey itself.
        mean: its mean.
        variance: its sample variance.

    Example:
        >>> moments = window_moments(np.full((9, 9), 7, np.uint8))
        >>> round(float(moments.mean[4, 4]), 3), abs(round(float(moments.variance[4, 4]), 3))
        (7.0, 0.0)
    """

    grey: Floats
    mean: Floats
    variance: Floats


def window_moments(grey: ImageArray) -> Moments:
    """The moments of a grey picture, uint8 (H, W)."""
    x = grey.astype(np.float64)
    mean = _mean(x)
    return Moments(x, mean, _SAMPLE * (_mean(x * x) - mean * mean))


def map_terms(x: Moments, y: Moments) -> tuple[Floats, Floats]:
    """Luminance and structure of the window around each pixel, (H, W). Their product is the local SSIM."""
    luminance = (2 * x.mean * y.mean + _C1) / (x.mean**2 + y.mean**2 + _C1)
    covariance = _SAMPLE * (_mean(x.grey * y.grey) - x.mean * y.mean)
    return luminance, (2 * covariance + _C2) / (x.variance + y.variance + _C2)


def mean_terms(luminance: Floats, structure: Floats, shown: BoolArray) -> dict[str, float]:
    """The means of what `map_terms` gives, over the windows whose middles are `shown`."""
    return {"structure": float(structure[shown].mean()), "luminance": float(luminance[shown].mean())}


def whole_windows(height: int, width: int) -> BoolArray:
    """The middles of the windows that lie inside a picture, bool (H, W); all pixels where it has none along an axis."""
    rows, columns = (WINDOW // 2 if side >= WINDOW else 0 for side in (height, width))
    inside: BoolArray = np.zeros((height, width), dtype=np.bool_)
    inside[rows : height - rows, columns : width - columns] = True
    return inside


def _mean(x: Floats) -> Floats:
    means: Floats = np.asarray(cv2.blur(x, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT), dtype=np.float64)
    return means

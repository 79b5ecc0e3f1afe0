"""The terms of SSIM apart: `luminance`, and `structure` (contrast and structure).

SSIM multiplies three terms in each window (Wang, Bovik, Sheikh, Simoncelli 2004, equations 6, 9 and 10). The first
compares the windows' means: it falls when a region becomes lighter or darker, which a palette may well ask for. The
other two, usually taken together, compare contrast and shape inside the window:

    luminance = (2 m_x m_y + C1) / (m_x^2 + m_y^2 + C1)
    structure = (2 s_xy + C2) / (s_x^2 + s_y^2 + C2)

Means m and (co)variances s are those of 8-bit BT.601 grey in windows of 7x7, with scikit-image's constants: the product
is `kpalette.metrics.figures.ssim` in each window.
"""

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
    luminance, structure = _terms(source.astype(np.float64), output.astype(np.float64))
    if shown is None:
        # Windows across the border do not count, unless the picture has no others.
        rows, columns = (WINDOW // 2 if side >= WINDOW else 0 for side in source.shape)
        shown = np.zeros((source.shape[0], source.shape[1]), dtype=np.bool_)
        height, width = source.shape
        shown[rows : height - rows, columns : width - columns] = True
    return {"structure": float(structure[shown].mean()), "luminance": float(luminance[shown].mean())}


def _terms(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Luminance and structure of the window around each pixel, (H, W)."""
    mx, my = _mean(x), _mean(y)
    vx, vy, cov = (
        _SAMPLE * (_mean(a * b) - ma * mb) for a, b, ma, mb in ((x, x, mx, mx), (y, y, my, my), (x, y, mx, my))
    )
    return (2 * mx * my + _C1) / (mx**2 + my**2 + _C1), (2 * cov + _C2) / (vx + vy + _C2)


def _mean(x: Floats) -> Floats:
    means: Floats = np.asarray(cv2.blur(x, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT), dtype=np.float64)
    return means

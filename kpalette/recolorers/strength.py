"""The lightness strength: how far a picture's lightness moves to its palette's, 0 not at all, 1 wholly; or "auto".

"auto" is the greatest strength at which the picture's tones stay near enough to be seen as the same picture. The
measure is the luminance term of SSIM (Wang et al., "Image Quality Assessment: From Error Visibility to Structural
Similarity", IEEE TIP 2004, equation 6), of grey levels x and what they become y, in the mean over the pixels:

    l = (2 x y + c) / (x^2 + y^2 + c),   c = 0.01^2

Pictures that are near to their palette get all of its lightness, those that are far from it some. For a mean SSIM of
.946 over the pictures of the selection split, this brings them closer to their palettes than one strength for all does
(docs/quality.md).
"""

from functools import lru_cache

import numpy as np

from kpalette.color.spaces import lab_to_rgb
from kpalette.errors import ArgumentError
from kpalette.types import AUTO, L_MAX, FloatArray

KEPT = 0.92
"""The least luminance term of "auto"."""

STEP = 0.05
"""Strengths that "auto" chooses among are multiples of this, so that one can be typed again."""

_C = 0.01**2


def check_lightness(lightness: float | str) -> float | str:
    """Checks a lightness strength: a number in 0..1, which is returned as a float, or "auto".

    Raises:
        ArgumentError: if it is anything else.
    """
    if isinstance(lightness, str) and lightness == AUTO:
        return AUTO
    try:
        value = float(lightness)
    except (TypeError, ValueError):
        value = float("nan")
    if not 0.0 <= value <= 1.0:
        raise ArgumentError(f"`lightness` must be a number in 0..1, or {AUTO!r}. Received: {lightness!r}")
    return value


def lightness_text(lightness: float | str) -> str:
    """A lightness strength as it is typed.

    Example:
        >>> lightness_text(0.5), lightness_text("auto")
        ('0.5', 'auto')
    """
    return lightness if isinstance(lightness, str) else f"{lightness:g}"


def auto_strength(L: FloatArray, moved: FloatArray) -> float:
    """Chooses the strength for a picture.

    Args:
        L: lightness of its pixels, any shape, 0..100.
        moved: what it becomes at strength 1, same shape.

    Returns:
        A multiple of `STEP`, from `STEP` to 1: the greatest one that keeps `KEPT`.

    Example:
        >>> auto_strength(np.full(9, 50.0), np.full(9, 60.0)), auto_strength(np.full(9, 20.0), np.full(9, 90.0))
        (1.0, 0.15)
    """
    grey = _grey(L)
    for number in range(round(1 / STEP), 1, -1):
        strength = round(number * STEP, 2)
        new = _grey(L + np.float32(strength) * (moved - L))
        if float(np.mean((2 * grey * new + _C) / (grey**2 + new**2 + _C))) >= KEPT:
            return strength
    return STEP


def _grey(L: FloatArray) -> FloatArray:
    """The grey level, 0..1, of lightness."""
    levels: FloatArray = np.interp(np.ravel(L), *_grey_table())
    return levels


@lru_cache(maxsize=1)
def _grey_table() -> tuple[FloatArray, FloatArray]:
    L = np.linspace(0.0, L_MAX, 1001)
    grey: FloatArray = lab_to_rgb(np.column_stack([L, np.zeros_like(L), np.zeros_like(L)]))[:, 1]
    return L, grey

"""Full size: a change of colour that was found at working size is added to the pixels of a picture, in strips.

Slopes are limited here once more: the sum is reduced to the gamut again, and upsampling turns small steps of lightness
into steps of ab. `limit_slopes` at a row depends on `_CONTEXT_ROWS` rows above and below it, so each strip computes
these, too. Large pictures of bytes get compiled kernels, if Numba is there (`kpalette.kernels`); all else is NumPy and
OpenCV.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from kpalette.color.gamut import reduce_chroma
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab
from kpalette.images.picture import image_to_lab, rgb_to_image
from kpalette.kernels.loader import kernels_for
from kpalette.parallel import in_parts
from kpalette.recolorers.slopes import REACH, limit_planes, limit_slopes
from kpalette.recolorers.tone import NEVER_ALIKE
from kpalette.recolorers.upsample import ChangeField, fit_field
from kpalette.types import L_MAX, BoolArray, FloatArray, ImageArray

CHROMA_STEPS = 12
"""Halvings of the chroma reduction: the error is a thirtieth of a chroma unit, which 8 bits do not show."""

_STRIP = 1 << 19  # pixels that one thread works on at a time: few MB for each array
_LIMITS = 8  # of limit_slopes at full size, where most slopes are limited already
_CONTEXT_ROWS = REACH + _LIMITS + 1  # rows above and below that influence limit_slopes
_LEAST_ROWS = 4 * _CONTEXT_ROWS  # of a strip: a third of its rows is computed twice

Curve = Callable[[FloatArray], FloatArray]
"""Moves lightness L, 0..100, of any shape."""


class Pixels(NamedTuple):
    """The pixels of a picture, and the functions that convert them.

    Attributes:
        rgb: uint8 or float (H, W, 3).
        hidden: bool (H, W), pixels of alpha 0; None if there are none.
        to_lab: rgb to CIELAB.
        from_lab: CIELAB in gamut to rgb.

    Example:
        >>> pixels = byte_pixels(np.full((1, 1, 3), 255, np.uint8), None)
        >>> pixels.to_lab(pixels.rgb).round()[0, 0].tolist()
        [100.0, 0.0, 0.0]
    """

    rgb: Any
    hidden: BoolArray | None
    to_lab: Callable[[Any], FloatArray]
    from_lab: Callable[[FloatArray], Any]


def byte_pixels(image: ImageArray, hidden: BoolArray | None) -> Pixels:
    """The pixels of an image, uint8 (H, W, 3)."""
    return Pixels(image, hidden, image_to_lab, lambda lab: rgb_to_image(lab_to_rgb(lab)))


def float_pixels(rgb: FloatArray, hidden: BoolArray | None) -> Pixels:
    """The pixels of rgb (H, W, 3) in 0..1."""
    return Pixels(rgb, hidden, rgb_to_lab, lambda lab: np.clip(lab_to_rgb(lab), 0.0, 1.0))


def add_change(pixels: Pixels, small: FloatArray, change: FloatArray, curve: Curve | None) -> Any:
    """Adds a change to pixels.

    Args:
        pixels: those of the whole picture.
        small: CIELAB of the picture at working size, (h, w, 3), after `curve`.
        change: the change of ab, (h, w, 2), or of Lab, (h, w, 3).
        curve: how lightness moves first; None if it does not.

    Returns:
        The new rgb, like `pixels.rgb`.
    """
    height, width = pixels.rgb.shape[:2]
    field: FloatArray | ChangeField = change
    if change.shape[:2] != (height, width):
        field = fit_field(change, small, height=height, width=width)
    kernels = kernels_for(height * width) if pixels.rgb.dtype == np.uint8 else None
    strips = _Strips(pixels, field, curve) if kernels is None else _CompiledStrips(pixels, field, curve, kernels)
    result = np.empty_like(pixels.rgb)

    def recolor_rows(part: slice) -> None:
        wide = slice(max(0, part.start - _CONTEXT_ROWS), min(height, part.stop + _CONTEXT_ROWS))
        strips.recolor(wide, part.start - wide.start, result[part])

    in_parts(recolor_rows, height, max(_LEAST_ROWS, _STRIP // width))
    return result


class _Strips:
    """Adds the change to one strip of rows after another, in NumPy."""

    def __init__(self, pixels: Pixels, field: FloatArray | ChangeField, curve: Curve | None) -> None:
        self.pixels, self.field, self.curve = pixels, field, curve

    def recolor(self, wide: slice, first: int, result: Any) -> None:
        """Recolours some rows, and writes those from the one numbered `first` on into `result`."""
        pixels, field = self.pixels, self.field
        before = pixels.to_lab(pixels.rgb[wide])
        lab = np.array(with_lightness(before, self.curve))
        change = field.rows(wide, lab) if isinstance(field, ChangeField) else field[wide]
        lab[..., 3 - change.shape[2] :] += change
        if change.shape[2] == 3:
            np.clip(lab[..., 0], 0.0, L_MAX, out=lab[..., 0])
        if pixels.hidden is not None:
            before[pixels.hidden[wide]] = NEVER_ALIKE
        limited = limit_slopes(before, lab, passes=_LIMITS, steps=CHROMA_STEPS)
        result[...] = pixels.from_lab(limited[first:][: len(result)])


class _CompiledStrips:
    """The same for pixels of bytes, by kernels."""

    def __init__(
        self, pixels: Pixels, field: FloatArray | ChangeField, curve: Curve | None, kernels: ModuleType
    ) -> None:
        self.pixels, self.curve, self.kernels = pixels, curve, kernels
        self.field = kernels.field_nodes(field.planes) if isinstance(field, ChangeField) else None
        self.change = None if isinstance(field, ChangeField) else np.moveaxis(field, -1, 0)

    def recolor(self, wide: slice, first: int, result: ImageArray) -> None:
        """Like `_Strips.recolor`."""
        pixels, kernels = self.pixels, self.kernels
        before = kernels.image_to_planes(pixels.rgb[wide])
        lab = before.copy()
        if self.curve is not None:
            lab[0] = self.curve(lab[0])
            kernels.reduce_chroma(lab)
        if self.change is None:
            kernels.add_change(lab, self.field, top=wide.start, height=len(pixels.rgb))
        else:
            lab[3 - len(self.change) :] += self.change[:, wide]
        if pixels.hidden is not None:
            before[:, pixels.hidden[wide]] = NEVER_ALIKE
        limit_planes(kernels, before, lab, passes=_LIMITS, steps=CHROMA_STEPS)
        kernels.planes_to_image(lab, first, result)


def with_lightness(lab: FloatArray, curve: Curve | None) -> FloatArray:
    """Moves the lightness of CIELAB (..., 3) along a curve, then reduces chroma into gamut."""
    if curve is None:
        return lab
    L = curve(lab[..., 0])
    moved: FloatArray = reduce_chroma(np.concatenate([L[..., np.newaxis], lab[..., 1:]], axis=-1))
    return moved

"""The picture in memory, and the one place where 0..255 meets 0..1.

`image` is uint8 sRGB of shape (H, W, 3); a `Picture` adds the alpha channel and the metadata of its file.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kpalette.color.arrays import as_float, namespace
from kpalette.color.gamut import BISECTION_STEPS, reduce_chroma
from kpalette.color.names import parse_color
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab
from kpalette.errors import ArgumentError
from kpalette.types import Array, FloatArray, ImageArray


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture file.

    Attributes:
        rgb: uint8 sRGB (H, W, 3), turned upright.
        alpha: uint8 (H, W), 0 transparent, or None.
        format: Pillow's name of the file format, "PNG" for instance.
        metadata: what is written beside the pixels: exif, xmp and icc_profile (bytes), dpi (a pair).
    """

    rgb: ImageArray
    alpha: ImageArray | None = None
    format: str = "PNG"
    metadata: dict[str, Any] = field(default_factory=dict)

    def with_rgb(self, rgb: ImageArray) -> "Picture":
        """The same picture in other colours: alpha, format and metadata stay."""
        return replace(self, rgb=rgb)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """As an array: (H, W, 3), or (H, W, 4) where there is alpha."""
        array = self.rgb if self.alpha is None else np.dstack([self.rgb, self.alpha])
        return np.array(array, dtype=dtype, copy=copy)


def as_picture(array: Any) -> Picture:
    """Wraps uint8 (H, W, 3) or (H, W, 4) as a `Picture`; ArgumentError for anything else."""
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise ArgumentError(
            "`image` must be uint8 of shape (H, W, 3) or (H, W, 4), no side 0. "
            f"Received: {array.dtype}, shape {array.shape}"
        )
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(array[..., :3]), alpha)


def image_to_rgb(image: Array) -> Array:
    """uint8 (..., 3), of any array library, to float32 rgb (..., 3) in 0..1."""
    if namespace(image) is np:
        image = np.asarray(image).astype(np.float32)
    return as_float(image) / np.float32(255)


def rgb_to_image(rgb: FloatArray) -> ImageArray:
    """Float rgb (..., 3) to uint8 (..., 3): clipped to 0..1 and rounded to the nearest."""
    image: ImageArray = np.rint(np.clip(rgb, 0.0, 1.0) * 255).astype(np.uint8)
    return image


def lab_to_image(lab: FloatArray, *, steps: int = BISECTION_STEPS) -> ImageArray:
    """CIELAB (..., 3) to uint8 sRGB (..., 3), chroma reduced into the gamut in so many halvings."""
    return rgb_to_image(lab_to_rgb(reduce_chroma(lab, steps=steps)))


def image_to_lab(image: ImageArray) -> FloatArray:
    """uint8 sRGB (..., 3) to CIELAB (..., 3)."""
    lab: FloatArray = rgb_to_lab(image_to_rgb(image))
    return lab


def flatten(picture: Picture, background: str) -> Picture:
    """Puts a picture on a colour, in any form that `Palette.parse` knows; blends gamma-encoded, as browsers do."""
    color = np.array(parse_color(background)) * 255
    if picture.alpha is None:
        return picture
    alpha = picture.alpha[..., np.newaxis].astype(np.float32) / np.float32(255)
    blended = picture.rgb * alpha + color.astype(np.float32) * (1 - alpha)
    return replace(picture, rgb=np.rint(blended).astype(np.uint8), alpha=None)


def resize(image: ImageArray, *, longest: int) -> ImageArray:
    """Shrinks an image (H, W, C) so that its longer side is at most `longest` pixels; never enlarges."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

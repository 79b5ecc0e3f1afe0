"""`Picture`: a decoded picture file, and conversions between uint8 images, rgb in 0..1 and Lab.

Everywhere in kpalette `image` is uint8 sRGB (H, W, 3). A `Picture` adds the alpha channel and the metadata of its file.
"""

import io
import os
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kpalette.color.arrays import as_float, namespace
from kpalette.color.gamut import BISECTION_STEPS, reduce_chroma
from kpalette.color.names import parse_color
from kpalette.color.spaces import lab_to_rgb, linear_to_lab, rgb_to_linear
from kpalette.errors import ArgumentError
from kpalette.kernels.loader import kernels_for
from kpalette.types import Array, FloatArray, ImageArray

_SHOWN = 512  # longest side in a notebook, in pixels


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """A decoded picture file: pixels, transparency and metadata. A notebook shows it.

    Attributes:
        rgb: uint8 sRGB (H, W, 3), upright.
        alpha: uint8 (H, W), 0 is transparent; None if the picture is opaque.
        format: Pillow's name of the file format, such as "PNG".
        metadata: what is stored in a file beside the pixels: exif, xmp and icc_profile (bytes), dpi (a pair of floats).

    Example:
        >>> picture = kpalette.read_image("photo.jpg")
        >>> picture
        <Picture of 128x128 pixels, JPEG>
        >>> np.asarray(picture).shape
        (128, 128, 3)
        >>> negative = picture.with_rgb(255 - picture.rgb)
    """

    rgb: ImageArray
    alpha: ImageArray | None = None
    format: str = "PNG"
    metadata: dict[str, Any] = field(default_factory=dict)

    def with_rgb(self, rgb: ImageArray) -> "Picture":
        """Returns the picture with other colours, `rgb` of the same size; alpha, format and metadata stay."""
        return replace(self, rgb=rgb)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The picture as an array (H, W, 3), or (H, W, 4) with alpha."""
        array = self.rgb if self.alpha is None else np.dstack([self.rgb, self.alpha])
        return np.array(array, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        """Size, format, and what there is beside the colours; not the arrays themselves."""
        height, width = self.rgb.shape[:2]
        extras = [*(["alpha"] if self.alpha is not None else []), *sorted(self.metadata)]
        return f"<Picture of {width}x{height} pixels, {', '.join([self.format, *extras])}>"

    def _repr_png_(self) -> bytes:
        """The picture in a notebook: PNG, its longer side at most 512 pixels."""
        shown = Image.fromarray(np.asarray(self))
        shown.thumbnail((_SHOWN, _SHOWN))
        stream = io.BytesIO()
        shown.save(stream, "PNG")
        return stream.getvalue()


def as_picture(array: Any) -> Picture:
    """Makes a `Picture` of an array.

    Args:
        array: uint8 sRGB (H, W, 3), or (H, W, 4) with alpha.

    Returns:
        The picture.

    Raises:
        ArgumentError: if it is no such array; a path gets a message that names `read_image`.
    """
    check_no_path(array, name="image")
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise ArgumentError(
            "`image` must be uint8 of shape (H, W, 3) or (H, W, 4), no side 0. "
            f"Received: {array.dtype}, shape {array.shape}"
        )
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(array[..., :3]), alpha)


def check_no_path(value: Any, *, name: str) -> None:
    """Refuses a path where a picture is needed.

    Args:
        value: what was passed as a picture.
        name: the argument's name, for the message.

    Raises:
        ArgumentError: if `value` is a path; the message names `read_image`.
    """
    if isinstance(value, str | os.PathLike):
        path = os.fspath(value)
        raise ArgumentError(
            f"`{name}` must be a picture, not a path: open it with kpalette.read_image. Received: {path!r}"
        )


def image_to_rgb(image: Array) -> Array:
    """Converts `image`, uint8 (..., 3) of any array library, to float32 rgb (..., 3) in 0..1."""
    if namespace(image) is np:
        image = np.asarray(image).astype(np.float32)
    return as_float(image) / np.float32(255)


def rgb_to_image(rgb: FloatArray) -> ImageArray:
    """Converts float `rgb` (..., 3) to uint8 (..., 3): clipped to 0..1, rounded to the nearest level."""
    image: ImageArray = np.rint(np.clip(rgb, 0.0, 1.0) * 255).astype(np.uint8)
    return image


def lab_to_image(lab: FloatArray, *, steps: int = BISECTION_STEPS) -> ImageArray:
    """Converts `lab`, CIELAB (..., 3), to uint8 sRGB (..., 3), after chroma reduction in `steps` halvings."""
    return rgb_to_image(lab_to_rgb(reduce_chroma(lab, steps=steps)))


def image_to_lab(image: ImageArray) -> FloatArray:
    """Converts `image`, uint8 sRGB (..., 3), to CIELAB (..., 3), float32."""
    kernels = kernels_for(image.size // 3) if image.ndim == 3 else None
    if kernels is not None:
        return np.ascontiguousarray(np.moveaxis(kernels.image_to_planes(image), 0, -1))
    # A table replaces the powers, which halves the time.
    lab: FloatArray = linear_to_lab(_linear_of_bytes().take(image))
    return lab


@lru_cache(maxsize=1)
def _linear_of_bytes() -> FloatArray:
    """Linear light of the 256 values of a byte."""
    linear: FloatArray = rgb_to_linear(image_to_rgb(np.arange(256, dtype=np.uint8)))
    return linear


def flatten(picture: Picture, background: str) -> Picture:
    """Puts a picture with transparency on a colour.

    Args:
        picture: any picture.
        background: a colour, in any form that `Palette.parse` knows.

    Returns:
        An opaque picture. Colours are mixed in gamma-encoded sRGB, as browsers do.

    Raises:
        PaletteError: if `background` is no colour.
    """
    color = np.array(parse_color(background)) * 255
    if picture.alpha is None:
        return picture
    alpha = picture.alpha[..., np.newaxis].astype(np.float32) / np.float32(255)
    blended = picture.rgb * alpha + color.astype(np.float32) * (1 - alpha)
    return replace(picture, rgb=np.rint(blended).astype(np.uint8), alpha=None)


def resize(image: ImageArray, *, longest: int) -> ImageArray:
    """Shrinks an `image` (H, W, C) whose longer side has more than `longest` pixels; never enlarges."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    import cv2  # a twentieth of a second, and seldom needed

    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

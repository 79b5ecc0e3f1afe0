"""Encoding: from a `Picture` to the bytes of a file, with the metadata that the format can hold."""

import io
import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from kpalette.errors import OutputError, TransparencyError, reason
from kpalette.images.decoders import DECODER_ERRORS, Guard
from kpalette.images.metadata import exif_for_tiff
from kpalette.images.picture import Picture, as_picture, flatten
from kpalette.types import ImageArray

_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "AVIF": {"quality": 90, "subsampling": "4:4:4", "codec": "aom"},
    "BMP": {},
    "GIF": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {"compress_level": 6},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "WEBP": {"quality": 95, "exact": True},
}
_HOLDS: dict[str, set[str]] = {
    "AVIF": {"exif", "xmp", "icc_profile"},
    "BMP": {"dpi"},
    "GIF": set(),
    "JPEG": {"exif", "xmp", "icc_profile", "dpi"},
    "PNG": {"exif", "xmp", "icc_profile", "dpi"},
    "TIFF": {"exif", "xmp", "icc_profile", "dpi"},
    "WEBP": {"exif", "xmp", "icc_profile"},
}
_NO_ALPHA = ("BMP", "JPEG")
_LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383, "GIF": 65_535, "AVIF": 65_536}
_LONGEST_JPEG_BLOCKS = {"exif": 65_533, "xmp": 65_533 - 29}  # bytes; XMP has a name of 29 bytes before it
_TIFF_XMP = 700

_log = logging.getLogger(__name__)


def encode_image(
    image: Picture | ImageArray,
    *,
    image_format: str,
    background: str | None = None,
    strip: bool = False,
    guard: Guard = nullcontext,
) -> bytes:
    """Encodes a picture.

    Args:
        image: a `Picture`, or uint8 (H, W, 3) or (H, W, 4).
        image_format: one of `kpalette.images.decoders.FORMATS`. PNG, TIFF and BMP are lossless; JPEG has quality 95 and
            AVIF 90, without chroma subsampling; WebP has 95; GIF has 256 colours. Alpha is always lossless.
        background: a colour to put a transparent picture on; the result is opaque.
        strip: whether to leave out the metadata; programs assume sRGB, which is right, where there is no profile.
        guard: entered around the encoder, as in `decode_image`.

    Returns:
        The bytes of the file.

    Raises:
        OutputError: if the format cannot hold the picture's transparency, or the encoder fails.
        ArgumentError: if `image` is neither a picture nor such an array.
        PaletteError: if `background` is no colour.
    """
    picture = image if isinstance(image, Picture) else as_picture(image)
    if background is not None:
        picture = flatten(picture, background)
    picture = _fit_alpha(picture, image_format)
    options = {**_SAVE_OPTIONS[image_format], **({} if strip else _metadata_options(picture, image_format))}
    if picture.alpha is not None and image_format == "AVIF":
        options["advanced"] = {"alpha:lossless": "1"}
    longest = _LONGEST_SIDE.get(image_format)
    if longest is not None and max(picture.rgb.shape[:2]) > longest:
        raise OutputError(f"{image_format} cannot hold sides of more than {longest:,} pixels: write .png or .tif")
    buffer = io.BytesIO()
    try:
        with guard():
            Image.fromarray(np.asarray(picture)).save(buffer, image_format, **options)
    except DECODER_ERRORS as error:
        raise OutputError(f"cannot encode the picture as {image_format}: {reason(error)}") from None
    return buffer.getvalue()


def _fit_alpha(picture: Picture, image_format: str) -> Picture:
    alpha = picture.alpha
    if alpha is None:
        return picture
    if image_format in _NO_ALPHA:
        if alpha.min() < 255:
            raise TransparencyError(f"{image_format} cannot hold the picture's transparency")
        return replace(picture, alpha=None)
    if image_format == "GIF" and np.any((alpha > 0) & (alpha < 255)):
        raise TransparencyError("GIF cannot hold the picture's half-transparent pixels")
    return picture


def _metadata_options(picture: Picture, image_format: str) -> dict[str, Any]:
    kept = {key: value for key, value in picture.metadata.items() if key in _HOLDS[image_format] and value}
    adapt: dict[str, Callable[[bytes], dict[str, Any]]] = {
        "PNG": lambda xmp: {"pnginfo": _png_text(xmp)},
        "TIFF": lambda xmp: {"tiffinfo": {_TIFF_XMP: xmp}},
    }
    if "xmp" in kept and image_format in adapt:
        kept |= adapt[image_format](kept.pop("xmp"))
    if image_format == "TIFF" and "exif" in kept:
        kept["compression"] = None  # with libtiff, Pillow fails on the inner folders of EXIF
        kept["exif"] = exif_for_tiff(kept["exif"])
    if image_format == "JPEG":
        for key, longest in _LONGEST_JPEG_BLOCKS.items():
            if len(kept.get(key, b"")) > longest:
                _log.warning("the picture's %s data is too long for JPEG and is left out", key.upper())
                del kept[key]
    return kept


def _png_text(xmp: bytes) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", errors="replace"))
    return info

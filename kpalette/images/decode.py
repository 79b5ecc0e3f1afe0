"""Decoding: from the bytes of a file, or a PIL image, to a `Picture`. Decoders run here and nowhere else."""

import io
import logging
import threading
from contextlib import nullcontext
from typing import Any

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from kpalette.errors import ArgumentError, ImageError, reason
from kpalette.images.decoders import DECODER_ERRORS, FORMATS, Guard
from kpalette.images.metadata import kept_metadata, upright
from kpalette.images.picture import Picture
from kpalette.images.profiles import adobe_rgb_to_srgb, is_adobe_rgb, to_srgb
from kpalette.types import ImageArray

_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_PLANES, _TIFF_SAMPLE_FORMAT = 258, 262, 284, 339
_CONVERTED = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}

_pillow_limit = threading.Lock()
_log = logging.getLogger(__name__)


def decode_image(
    data: bytes,
    *,
    name: str,
    limit: int,
    advice: str = "set KPALETTE_MAX_PIXELS to allow more",
    formats: tuple[str, ...] = FORMATS,
    least: int | None = None,
    guard: Guard = nullcontext,
) -> Picture:
    """Decodes a picture file.

    Args:
        data: the bytes of the file.
        name: the file's name, for messages and notes.
        limit: the most pixels that are decoded.
        advice: what to do about a larger picture, for the message.
        formats: those of `FORMATS` that are read.
        least: if a small picture is enough, the least length of its longer side in pixels. A JPEG is then decoded at
            a half, quarter or eighth of its size, in a third of the time.
        guard: entered around the decoder; a program that owns its process can keep C libraries from printing to
            standard error.

    Returns:
        The picture, upright, in sRGB. Of an animation or several pages the first, with a note in the log.

    Raises:
        ImageError: if the file is no picture of these formats, damaged, or too large.
    """
    try:
        with guard():
            opened, several = _load(data, name, limit, advice, formats, least)
        # MPO, which phones write: a JPEG followed by others that are not frames of an animation.
        image_format = "JPEG" if opened.format == "MPO" else str(opened.format)
        if several and image_format != "JPEG":
            what, part = ("has several pages", "page") if image_format == "TIFF" else ("is animated", "frame")
            _log.warning("%s %s: only its first %s is read", name, what, part)
        return _picture(opened, image_format, name)
    except UnidentifiedImageError:
        raise ImageError(_unknown_format(data, name, formats)) from None
    except DECODER_ERRORS as error:
        raise ImageError(f"cannot read {name}, the file is damaged: {reason(error)}") from None


def _load(
    data: bytes, name: str, limit: int, advice: str, formats: tuple[str, ...], least: int | None
) -> tuple[Image.Image, bool]:
    """The decoded image, and whether the file holds further frames or pages."""
    opened = _open(data, formats)
    width, height = opened.size
    if width * height > limit:
        raise ImageError(f"{name} has {width}x{height} pixels, over the limit of {limit:,}: {advice}")
    if least is not None:
        scale = least / max(width, height)
        opened.draft(None, (max(1, int(width * scale)), max(1, int(height * scale))))
    opened.load()
    try:
        return opened, bool(getattr(opened, "is_animated", False))
    except DECODER_ERRORS:  # damage after the first frame does not matter
        return opened, False


def _open(data: bytes, formats: tuple[str, ...]) -> Image.Image:
    # Those that Pillow has loaded already go first: the first of the others loads its forty plugins.
    formats = tuple(sorted(formats, key=lambda name: name not in ("BMP", "GIF", "JPEG", "PNG")))
    # Pillow's limit of pixels is a global of its module. `_load` checks ours before anything is decoded.
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data), formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _unknown_format(data: bytes, name: str, formats: tuple[str, ...]) -> str:
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _unsupported_tiff(name)
    return f"{name} is not a readable picture: only {', '.join(formats)} can be read"


def picture_from_pil(image: Image.Image) -> Picture:
    """Makes a `Picture` of a PIL image, without its metadata.

    Args:
        image: any mode but "I" and "F", whose range is unknown; 16-bit greys are scaled to 8 bits.

    Returns:
        The picture, not rotated.

    Raises:
        ArgumentError: if the range of the mode is unknown, or a side is 0.
        ImageError: if the image is not loaded yet and its file cannot be decoded.
    """
    if image.mode not in _CONVERTED and not image.mode.startswith("I;16"):
        raise ArgumentError(f"PIL images of mode {image.mode!r} have no known range: convert to 'RGB' or 'L' first")
    if 0 in image.size:
        raise ArgumentError(f"`image` must have no side 0. Received: {image.size[0]}x{image.size[1]}")
    try:
        rgb, alpha = _channels(_eight_bit(image))
    except DECODER_ERRORS as error:
        raise ImageError(f"cannot decode the PIL image: {reason(error)}") from None
    return Picture(rgb, alpha)


def _picture(opened: Image.Image, image_format: str, name: str) -> Picture:
    if image_format == "TIFF":
        _check_samples(opened, name)
    # A TIFF in CIELAB needs no profile.
    profile = None if opened.mode == "LAB" else opened.info.get("icc_profile")
    adobe = not profile and is_adobe_rgb(opened.info.get("exif") or b"")
    rotated = upright(opened, name)
    rotated.info["white_is_zero"] = getattr(opened, "tag_v2", {}).get(_TIFF_PHOTOMETRIC) == 0
    metadata = kept_metadata(opened, rotated, name)
    eight_bit = _eight_bit(rotated)
    rgb, alpha = _channels(eight_bit)
    if profile:
        converted, written = to_srgb(eight_bit, profile, name)
        rgb = rgb if converted is None else converted
        if written is not None:
            metadata["icc_profile"] = written
    if adobe:
        rgb = adobe_rgb_to_srgb(rgb)
    return Picture(rgb, alpha, image_format, metadata)


def _check_samples(opened: Image.Image, name: str) -> None:
    """Raises an ImageError for TIFFs with samples that Pillow misreads without an error."""
    tags = getattr(opened, "tag_v2", {})
    bits = {*_numbers(tags.get(_TIFF_BITS, 1))}
    known = bits <= {1, 2, 4, 8, 16} and {*_numbers(tags.get(_TIFF_SAMPLE_FORMAT, 1))} == {1}
    if not known or opened.mode in ("I", "F") or (16 in bits and tags.get(_TIFF_PLANES, 1) == 2):
        raise ImageError(_unsupported_tiff(name))


def _numbers(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _unsupported_tiff(name: str) -> str:
    return f"{name} is a TIFF that is damaged, or not of 8 or 16 bits a channel, interleaved: save it again"


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow would clip 16-bit greys to 255 instead of scaling them.
        deep = np.asarray(image)
        grey = (deep >> 8).astype(np.uint8)
        if image.info.get("white_is_zero"):  # Pillow inverts at 8 bits only
            grey = 255 - grey
        clear = image.info.get("transparency")
        if clear is None:
            return Image.fromarray(grey)
        return Image.fromarray(np.dstack([grey, np.where(deep == clear, 0, 255).astype(np.uint8)]))
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted
    return image


def _channels(image: Image.Image) -> tuple[ImageArray, ImageArray | None]:
    if not image.has_transparency_data:
        return np.array(image.convert("RGB")), None
    rgba = np.array(image.convert("RGBA"))
    return np.ascontiguousarray(rgba[..., :3]), rgba[..., 3].copy()

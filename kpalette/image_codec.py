"""Pictures from bytes and to bytes: the one place where decoders run, and where their errors end."""

import io
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, UnidentifiedImageError

from kpalette.errors import ArgumentError, ImageError, OutputError
from kpalette.files import reason
from kpalette.image_metadata import (
    DECODER_ERRORS,
    adobe_rgb_to_srgb,
    exif_for_tiff,
    is_adobe_rgb,
    kept_metadata,
    to_srgb,
    upright,
)
from kpalette.images import Picture, as_picture, flatten
from kpalette.types import ImageArray

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
"""What is read and written: an allow-list, so that no seldom-used decoder ever sees a stranger's file."""

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
_LONGEST_JPEG_BLOCK = 65_533 - 6
_TIFF_XMP, _TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_PLANES, _TIFF_SAMPLE_FORMAT = 700, 258, 262, 284, 339
_CONVERTED = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}

decoder_guard: Callable[[], AbstractContextManager[None]] = nullcontext
"""Entered around every decoding: a program that owns its process may keep C libraries from writing to its stderr."""

_bomb_check = threading.Lock()
_log = logging.getLogger(__name__)


def decode_image(
    data: bytes, *, name: str, limit: int, advice: str = "set KPALETTE_MAX_PIXELS to allow more",
    formats: tuple[str, ...] = FORMATS, least: int | None = None,
) -> Picture:  # fmt: skip
    """Decodes a picture file.

    Args:
        data: its bytes.
        name: what errors and notes call it.
        limit: the most pixels that are decoded.
        advice: what whoever has a larger picture can do.
        formats: those of `FORMATS` that are read.
        least: what is asked for is a small picture: a JPEG may come at a half, quarter or eighth of its size, its
            longer side not under so many pixels, in a quarter of the time.

    Returns:
        The picture, upright, in sRGB.

    Raises:
        ImageError: if it is no picture of these formats, damaged, or too large.
    """
    try:
        with decoder_guard():
            opened, several = _load(data, name, limit, advice, formats, least)
        # MPO: what phones write, a JPEG with further ones behind it that are not frames.
        image_format = "JPEG" if opened.format == "MPO" else str(opened.format)
        if several and image_format != "JPEG":
            what, part = ("has several pages", "page") if image_format == "TIFF" else ("is animated", "frame")
            _log.warning("%s %s: only its first %s is read", name, what, part)
        return _picture(opened, image_format, name)
    except UnidentifiedImageError:
        raise ImageError(_unknown(data, name, formats)) from None
    except DECODER_ERRORS as error:
        raise ImageError(f"cannot read {name}, the file is damaged: {reason(error)}") from None


def _load(
    data: bytes, name: str, limit: int, advice: str, formats: tuple[str, ...], least: int | None
) -> tuple[Image.Image, bool]:
    """The decoded image, and whether the file holds more than that."""
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
    except DECODER_ERRORS:  # what lies behind the first frame does not matter
        return opened, False


def _open(data: bytes, formats: tuple[str, ...]) -> Image.Image:
    # Pillow's own limit is one global that cannot be raised for a single call; ours is checked before any decoding.
    with _bomb_check:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data), formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _unknown(data: bytes, name: str, formats: tuple[str, ...]) -> str:
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _odd_tiff(name)
    return f"{name} is not a readable picture: only {', '.join(formats)} can be read"


def picture_from_pil(image: Image.Image) -> Picture:
    """Wraps a PIL image as a `Picture`, as if it had been read from a file; its metadata stays behind.

    Args:
        image: any mode that stands for colours; 16-bit greys are scaled, modes "I" and "F" have no known range.

    Returns:
        The picture, not turned.

    Raises:
        ArgumentError: if the mode has no known range, or a side is 0.
        ImageError: if the image is lazy and its file cannot be decoded.
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
    # The L*a*b* of a TIFF needs no profile to be understood.
    profile = None if opened.mode == "LAB" else opened.info.get("icc_profile")
    adobe = not profile and is_adobe_rgb(opened.info.get("exif") or b"")
    turned = upright(opened, name)
    turned.info["white_is_zero"] = getattr(opened, "tag_v2", {}).get(_TIFF_PHOTOMETRIC) == 0
    metadata = kept_metadata(opened, turned, name)
    plain = _eight_bit(turned)
    rgb, alpha = _channels(plain)
    if profile:
        converted, written = to_srgb(plain, profile, name)
        rgb = rgb if converted is None else converted
        if written is not None:
            metadata["icc_profile"] = written
    if adobe:
        rgb = adobe_rgb_to_srgb(rgb)
    return Picture(rgb, alpha, image_format, metadata)


def _check_samples(opened: Image.Image, name: str) -> None:
    """ImageError for TIFFs whose samples Pillow would take for others: it reads them without a word."""
    tags = getattr(opened, "tag_v2", {})
    bits = {*_numbers(tags.get(_TIFF_BITS, 1))}
    known = bits <= {1, 2, 4, 8, 16} and {*_numbers(tags.get(_TIFF_SAMPLE_FORMAT, 1))} == {1}
    if not known or opened.mode in ("I", "F") or (16 in bits and tags.get(_TIFF_PLANES, 1) == 2):
        raise ImageError(_odd_tiff(name))


def _numbers(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _odd_tiff(name: str) -> str:
    return f"{name} is a TIFF that is damaged, or not of 8 or 16 bits a channel, interleaved: save it anew"


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow would clip 16-bit greys to 255 instead of scaling them.
        deep = np.asarray(image)
        grey = (deep >> 8).astype(np.uint8)
        if image.info.get("white_is_zero"):  # which Pillow heeds at 8 bits only
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


def encode_image(
    image: Picture | ImageArray, *, image_format: str, background: str | None = None, strip: bool = False
) -> bytes:
    """Encodes a picture.

    Args:
        image: a `Picture`, or uint8 (H, W, 3) or (H, W, 4).
        image_format: one of `FORMATS`: PNG, TIFF and BMP lossless, JPEG (quality 95) and AVIF (90) 4:4:4, WebP (95),
            alpha always lossless; GIF by 256 colours.
        background: a colour that the picture is put on, so that no transparency remains.
        strip: whether metadata is left out; the colours are sRGB, as programs take them without a profile.

    Returns:
        The bytes of the file.

    Raises:
        OutputError: if the format cannot hold the picture's transparency, or the encoder fails.
        ArgumentError: if `image` is not of these shapes, or not uint8.
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
        with decoder_guard():
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
            raise OutputError(
                f"{image_format} cannot hold the picture's transparency: write .png or .webp, "
                "or give a colour to put it on (--background white)"
            )
        return replace(picture, alpha=None)
    if image_format == "GIF" and np.any((alpha > 0) & (alpha < 255)):
        raise OutputError(
            "GIF cannot hold the picture's half-transparent pixels: write .png or .webp, "
            "or give a colour to put it on (--background white)"
        )
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
        kept["compression"] = None  # Pillow's way through libtiff fails on EXIF's inner folders
        kept["exif"] = exif_for_tiff(kept["exif"])
    if image_format == "JPEG":
        for key in ("exif", "xmp"):
            if len(kept.get(key, b"")) > _LONGEST_JPEG_BLOCK:
                _log.warning("the picture's %s data is too long for JPEG and is left out", key.upper())
                del kept[key]
    return kept


def _png_text(xmp: bytes) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", errors="replace"))
    return info

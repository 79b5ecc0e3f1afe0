"""What a picture file says beside its pixels: EXIF, XMP, and colour profiles, which are used up into sRGB."""

import io
import logging
import re
import struct
import zlib
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

from kpalette.color.spaces import XYZ_TO_RGB, linear_to_rgb
from kpalette.exif import COLOR_SPACE, INTEROP_INDEX, ORIENTATION, clean_exif
from kpalette.types import ImageArray

# What Pillow's decoders were seen to raise on malformed files; struct and lookup errors come from chunk parsers.
DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, NotImplementedError, EOFError, LookupError, TypeError, ArithmeticError,
    MemoryError, RuntimeError, AttributeError, AssertionError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip
_log = logging.getLogger(__name__)

# Tags of a TIFF's own folder that describe how its pixels are stored, not what the picture is.
_TIFF_STRUCTURE = (
    {*range(0x00FE, 0x010D), 0x0111, ORIENTATION, *range(0x0115, 0x011A), 0x011C, *range(0x0120, 0x0126), 0x0129}
    | {0x012D, *range(0x013D, 0x015C), *range(0x0200, 0x0215), 0x02BC, *range(0x80E3, 0x80E7), 0x8649, 0x8773, 0x935C}
)  # fmt: skip
_UNCALIBRATED = 65535
_SAME_LEVELS = 2

# Adobe RGB (1998) Color Image Encoding, section 4.3: linear Adobe RGB to XYZ.
_ADOBE_TO_XYZ = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
_ADOBE_TO_SRGB = np.array(XYZ_TO_RGB, dtype=np.float64) @ _ADOBE_TO_XYZ

_XMP_THUMBNAILS = re.compile(rb"<(\w+):Thumbnails\b.*?</\1:Thumbnails>", re.DOTALL)
_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation="|<tiff:Orientation>)[1-8]')


def upright(image: Image.Image, name: str) -> Image.Image:
    """Turns a decoded image by its EXIF orientation; damaged EXIF is dropped with a note."""
    try:
        return ImageOps.exif_transpose(image)
    except DECODER_ERRORS:
        _note_damaged(name)
        image.info.pop("exif", None)
        return image


def _note_damaged(name: str) -> None:
    _log.warning("%s has damaged EXIF data, which is dropped", name)


def kept_metadata(opened: Image.Image, turned: Image.Image, name: str) -> dict[str, Any]:
    """What of a file's metadata goes along with the picture.

    Args:
        opened: the image as its file has it.
        turned: the same, upright, from which the size is taken.
        name: what notes call the file.

    Returns:
        `dpi`, `exif` and `xmp` where there are any, fit to be written beside new colours.
    """
    kept: dict[str, Any] = {}
    try:
        dpi = tuple(float(value) for value in opened.info.get("dpi", ()))
        if len(dpi) == 2 and all(0 < value < 1e6 for value in dpi):
            kept["dpi"] = dpi
        blob = opened.info.get("exif") or _exif_from_tags(opened)
        if blob:
            kept["exif"] = clean_exif(blob, size=turned.size)
    except DECODER_ERRORS:
        _note_damaged(name)
    xmp = opened.info.get("xmp") or opened.info.get("XML:com.adobe.xmp")
    if xmp:
        kept["xmp"] = clean_xmp(xmp.encode() if isinstance(xmp, str) else bytes(xmp))
    return kept


def _exif_from_tags(image: Image.Image) -> bytes:
    """The tags as an EXIF block where the file has none of its own: a TIFF's folder is that of its pixels too."""
    if image.format != "TIFF" and "Raw profile type exif" not in image.info:
        return b""
    return tiff_exif(image.getexif())


def tiff_exif(found: Image.Exif) -> bytes:
    """An EXIF block without the tags that describe how a TIFF stores its pixels.

    A TIFF's own folder is its EXIF folder, so that such tags of another file would take the place of its own.

    Args:
        found: a picture's tags.

    Returns:
        The block, empty where nothing remains.
    """
    kept = Image.Exif()
    for tag, value in found.items():
        if tag not in _TIFF_STRUCTURE and tag < 0xC000 and tag not in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            kept[tag] = value
    for folder in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        entries = dict(found.get_ifd(folder))
        entries.pop(ExifTags.IFD.Interop, None)
        if entries:
            kept[folder] = entries
    return kept.tobytes() if len(kept) else b""


def exif_for_tiff(exif: bytes) -> bytes:
    """The same block fit to be a TIFF's own folder; empty, with a note, where Pillow cannot write it.

    Args:
        exif: a block that `clean_exif` gave.

    Returns:
        The block without the tags that describe how pixels are stored.
    """
    try:
        block = Image.Exif()
        block.load(exif)
        kept = tiff_exif(block)
        Image.new("L", (1, 1)).save(io.BytesIO(), "TIFF", exif=kept)
    except DECODER_ERRORS:
        _log.warning("the picture's EXIF data cannot be written to a TIFF and is left out")
        return b""
    return kept


def clean_xmp(xmp: bytes) -> bytes:
    """XMP without thumbnails, its orientation reset."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", _XMP_THUMBNAILS.sub(b"", xmp))


def to_srgb(image: Image.Image, profile: bytes, name: str) -> tuple[ImageArray | None, bytes | None]:
    """Uses up a colour profile.

    Args:
        image: 8 bits a channel, of any mode.
        profile: ICC data.
        name: what notes call the file.

    Returns:
        RGB in sRGB, uint8 (H, W, 3), where the profile is another one, else None; and the profile to write, None where
        it cannot be used.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[source.profile.xcolor_space.strip()]
        if mode == "RGB" and _is_identity(source, srgb):
            return None, profile
        if mode != "RGB" and image.mode not in {"L": ("1", "L", "LA", "La"), "CMYK": ("CMYK",)}[mode]:
            raise ValueError(f"a profile of {mode} on a picture of {image.mode}")
        plain = image if image.mode == mode else image.convert(mode)
        converted = ImageCms.profileToProfile(plain, source, srgb, outputMode="RGB")
        assert converted is not None
        return np.array(converted), srgb.tobytes()
    except (ImageCms.PyCMSError, *DECODER_ERRORS):
        _log.warning("%s has a colour profile that cannot be used, and is taken for sRGB", name)
        return None, None


def _is_identity(source: ImageCms.ImageCmsProfile, target: ImageCms.ImageCmsProfile) -> bool:
    """Whether colours stay as they are, whatever the profile is called: there are linear ones named sRGB."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    probes = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, len(levels), 3)
    moved = ImageCms.profileToProfile(Image.fromarray(probes), source, target, outputMode="RGB")
    assert moved is not None
    return int(np.abs(np.asarray(moved).astype(int) - probes).max()) <= _SAME_LEVELS


def is_adobe_rgb(exif: bytes) -> bool:
    """Whether EXIF says by its own means, without a profile, that colours are Adobe RGB (DCF 2.0: index R03)."""
    try:
        block = Image.Exif()
        block.load(exif)
        inner = block.get_ifd(ExifTags.IFD.Exif)
        rules = block.get_ifd(ExifTags.IFD.Interop)
    except DECODER_ERRORS:
        return False
    return inner.get(COLOR_SPACE) == _UNCALIBRATED and str(rules.get(INTEROP_INDEX, "")).startswith("R03")


def adobe_rgb_to_srgb(image: ImageArray) -> ImageArray:
    """Adobe RGB (1998), uint8 (H, W, 3), to sRGB: both are D65, so that one matrix of linear rgb does it."""
    linear = (np.arange(256) / 255.0) ** (563 / 256)
    result = np.empty_like(image)
    for start in range(0, len(image), 256):
        rows = slice(start, start + 256)
        rgb = np.clip(linear[image[rows]] @ _ADOBE_TO_SRGB.T, 0.0, 1.0)
        result[rows] = np.rint(255 * linear_to_rgb(rgb))
    return result

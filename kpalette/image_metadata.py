"""What a picture file says beside its pixels: EXIF, XMP, and colour profiles, which are used up into sRGB.

EXIF is patched in place, byte for byte (maker's notes hold offsets that a rewrite would break): the orientation is
reset once the picture is turned, the thumbnail, which shows the old colours, is blanked out.
"""

import io
import logging
import re
import struct
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

from kpalette.types import ImageArray

# What Pillow's decoders were seen to raise on malformed files; struct and lookup errors come from chunk parsers.
DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, NotImplementedError, EOFError, LookupError, TypeError, ArithmeticError,
    MemoryError, RuntimeError, AttributeError, AssertionError, struct.error, Image.DecompressionBombError,
)  # fmt: skip
_log = logging.getLogger(__name__)

_HEADER = b"Exif\0\0"
_SHORT, _LONG = 3, 4
_ORIENTATION, _EXIF_FOLDER = 0x0112, 0x8769
_COLOR_SPACE, _WIDTH, _HEIGHT = 0xA001, 0xA002, 0xA003
_SRGB = 1
_INTEROP, _INTEROP_INDEX, _INTEROP_SRGB = 0xA005, 1, b"R98\0"  # DCF: R03 would be Adobe RGB
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_STRIP, _STRIP_LENGTH = 0x0111, 0x0117

# Tags of a TIFF's own folder that describe how its pixels are stored, not what the picture is.
_TIFF_STRUCTURE = (
    {*range(0x00FE, 0x010D), 0x0111, _ORIENTATION, *range(0x0115, 0x011A), 0x011C, *range(0x0120, 0x0126), 0x0129}
    | {0x012D, *range(0x013D, 0x015C), *range(0x0200, 0x0215), 0x02BC, 0x8649, 0x8773, 0x935C}
)  # fmt: skip
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
    found = image.getexif()
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


def clean_xmp(xmp: bytes) -> bytes:
    """XMP without thumbnails, its orientation reset."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", _XMP_THUMBNAILS.sub(b"", xmp))


def clean_exif(blob: bytes, *, size: tuple[int, int]) -> bytes:
    """EXIF fit for the upright picture in new colours; every other byte stays where it is.

    Args:
        blob: the block, with or without its leading "Exif", NUL, NUL.
        size: width and height of the picture as written.

    Returns:
        The block with orientation 1, the size and colour space of the picture, and no thumbnail.

    Raises:
        ValueError: if it is no EXIF block.
        struct.error: if it ends too early.
    """
    data = bytearray(blob.removeprefix(_HEADER))
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None:
        raise ValueError("no byte order mark")
    (first,) = struct.unpack_from(order + "L", data, 4)
    entries, link = _folder(data, order, first)
    _set(data, order, entries, {_ORIENTATION: 1})
    if _EXIF_FOLDER in entries:
        (start,) = struct.unpack_from(order + "L", data, entries[_EXIF_FOLDER] + 8)
        inner = _folder(data, order, start)[0]
        _set(data, order, inner, {_WIDTH: size[0], _HEIGHT: size[1], _COLOR_SPACE: _SRGB})
        if _INTEROP in inner:
            (start,) = struct.unpack_from(order + "L", data, inner[_INTEROP] + 8)
            rules = _folder(data, order, start)[0]
            if _INTEROP_INDEX in rules:
                data[rules[_INTEROP_INDEX] + 8 : rules[_INTEROP_INDEX] + 12] = _INTEROP_SRGB
    (second,) = struct.unpack_from(order + "L", data, link)
    if second:
        _drop_thumbnail(data, order, second)
        struct.pack_into(order + "L", data, link, 0)
    return _HEADER + bytes(data)


def _folder(data: bytearray, order: str, start: int) -> tuple[dict[int, int], int]:
    """Where each tag's entry lies, and where the offset of the next folder does."""
    (count,) = struct.unpack_from(order + "H", data, start)
    places = [start + 2 + 12 * i for i in range(count)]
    link = start + 2 + 12 * count
    struct.unpack_from(order + "L", data, link)
    return {struct.unpack_from(order + "H", data, place)[0]: place for place in places}, link


def _set(data: bytearray, order: str, entries: dict[int, int], values: dict[int, int]) -> None:
    for tag, value in values.items():
        if tag in entries:
            (kind,) = struct.unpack_from(order + "H", data, entries[tag] + 2)
            if kind == _SHORT:
                struct.pack_into(order + "HH", data, entries[tag] + 8, min(value, 0xFFFF), 0)
            elif kind == _LONG:
                struct.pack_into(order + "L", data, entries[tag] + 8, value)


def _drop_thumbnail(data: bytearray, order: str, start: int) -> None:
    """Cuts off the second folder's picture where it ends the block, as it nearly always does; else blanks it."""
    entries, link = _folder(data, order, start)
    for place_tag, length_tag in ((_THUMBNAIL, _THUMBNAIL_LENGTH), (_STRIP, _STRIP_LENGTH)):
        if place_tag in entries and length_tag in entries:
            (place,) = struct.unpack_from(order + "L", data, entries[place_tag] + 8)
            (length,) = struct.unpack_from(order + "L", data, entries[length_tag] + 8)
            if place <= link:  # a damaged offset must not blank what is to be kept
                continue
            if place + length >= len(data):
                del data[place:]
            else:
                data[place : place + length] = bytes(length)
    data[start : link + 4] = bytes(link + 4 - start)


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
        if "sRGB" in ImageCms.getProfileDescription(source) and source.profile.xcolor_space.strip() == "RGB":
            return None, profile
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[source.profile.xcolor_space.strip()]
        if mode != "RGB" and image.mode not in {"L": ("1", "L", "LA", "La"), "CMYK": ("CMYK",)}[mode]:
            raise ValueError(f"a profile of {mode} on a picture of {image.mode}")
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        plain = image if image.mode == mode else image.convert(mode)
        converted = ImageCms.profileToProfile(plain, source, srgb, outputMode="RGB")
        assert converted is not None
        return np.array(converted), srgb.tobytes()
    except (ImageCms.PyCMSError, *DECODER_ERRORS):
        _log.warning("%s has a colour profile that cannot be used, and is taken for sRGB", name)
        return None, None

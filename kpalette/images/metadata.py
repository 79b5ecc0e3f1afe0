"""Metadata of picture files: EXIF, XMP and resolution, adapted to a picture in new colours."""

import io
import logging
import re
from typing import Any

from PIL import ExifTags, Image, ImageOps

from kpalette.images.decoders import DECODER_ERRORS
from kpalette.images.exif import ORIENTATION, clean_exif

_log = logging.getLogger(__name__)

# Tags of a TIFF's main folder that describe how its pixels are stored, not what the picture is.
_TIFF_STRUCTURE = (
    {*range(0x00FE, 0x010D), 0x0111, ORIENTATION, *range(0x0115, 0x011A), 0x011C, *range(0x0120, 0x0126), 0x0129}
    | {0x012D, *range(0x013D, 0x015C), *range(0x0200, 0x0215), 0x02BC, *range(0x80E3, 0x80E7), 0x8649, 0x8773, 0x935C}
)  # fmt: skip

_XMP_THUMBNAILS = re.compile(rb"<(\w+):Thumbnails\b.*?</\1:Thumbnails>", re.DOTALL)
_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation="|<tiff:Orientation>)[1-8]')


def upright(image: Image.Image, name: str) -> Image.Image:
    """Rotates a decoded `image` upright, as its EXIF orientation says; drops damaged EXIF with a note on `name`."""
    try:
        return ImageOps.exif_transpose(image)
    except DECODER_ERRORS:
        _note_damaged(name)
        image.info.pop("exif", None)
        return image


def _note_damaged(name: str) -> None:
    _log.warning("%s has damaged EXIF data, which is dropped", name)


def kept_metadata(opened: Image.Image, turned: Image.Image, name: str) -> dict[str, Any]:
    """Collects the metadata of a file, adapted to a picture in new colours.

    Args:
        opened: the image as it is in its file.
        turned: the same, upright, for its size.
        name: the file's name, for notes.

    Returns:
        `dpi`, `exif` and `xmp`, as far as the file has them.
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
    """The tags of an image as an EXIF block: a TIFF has no such block, only tags in its main folder."""
    if image.format != "TIFF" and "Raw profile type exif" not in image.info:
        return b""
    return tiff_exif(image.getexif())


def tiff_exif(found: Image.Exif) -> bytes:
    """Makes an EXIF block without the tags that describe how a TIFF stores its pixels.

    A TIFF keeps EXIF tags and those of its pixels in one folder: the tags of another file would replace its own.

    Args:
        found: the tags of a picture.

    Returns:
        The block, empty if no tags remain.
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
    """Adapts an EXIF block to a TIFF, which keeps it in the folder of its pixels.

    Args:
        exif: a block of `clean_exif`.

    Returns:
        The block without the tags that describe how pixels are stored; empty, with a note, if Pillow cannot write it.
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
    """Removes the thumbnails from a block of `xmp`, and resets its orientation."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", _XMP_THUMBNAILS.sub(b"", xmp))

"""What a picture file says beside its pixels: EXIF, XMP, and colour profiles, which are used up into sRGB."""

import io
import logging
import re
from typing import Any

from PIL import ExifTags, Image, ImageOps

from kpalette.images.decoders import DECODER_ERRORS
from kpalette.images.exif import ORIENTATION, clean_exif

_log = logging.getLogger(__name__)

# Tags of a TIFF's own folder that describe how its pixels are stored, not what the picture is.
_TIFF_STRUCTURE = (
    {*range(0x00FE, 0x010D), 0x0111, ORIENTATION, *range(0x0115, 0x011A), 0x011C, *range(0x0120, 0x0126), 0x0129}
    | {0x012D, *range(0x013D, 0x015C), *range(0x0200, 0x0215), 0x02BC, *range(0x80E3, 0x80E7), 0x8649, 0x8773, 0x935C}
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

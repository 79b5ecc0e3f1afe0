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

from kpalette.color import XYZ_TO_RGB, linear_to_rgb
from kpalette.types import ImageArray

# What Pillow's decoders were seen to raise on malformed files; struct and lookup errors come from chunk parsers.
DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, NotImplementedError, EOFError, LookupError, TypeError, ArithmeticError,
    MemoryError, RuntimeError, AttributeError, AssertionError, struct.error, Image.DecompressionBombError,
)  # fmt: skip
_log = logging.getLogger(__name__)

_HEADER = b"Exif\0\0"
_SHORT, _LONG = 3, 4
_KIND_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_ORIENTATION, _EXIF_FOLDER = 0x0112, 0x8769
_COLOR_SPACE, _WIDTH, _HEIGHT = 0xA001, 0xA002, 0xA003
_ROOT_WIDTH, _ROOT_HEIGHT, _PLACE_FOLDER = 0x0100, 0x0101, 0x8825
_SRGB = 1
_INTEROP, _INTEROP_INDEX, _INTEROP_SRGB = 0xA005, 1, b"R98\0"  # DCF: R03 would be Adobe RGB
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_STRIP, _STRIP_LENGTH = 0x0111, 0x0117

# Tags of a TIFF's own folder that describe how its pixels are stored, not what the picture is.
_TIFF_STRUCTURE = (
    {*range(0x00FE, 0x010D), 0x0111, _ORIENTATION, *range(0x0115, 0x011A), 0x011C, *range(0x0120, 0x0126), 0x0129}
    | {0x012D, *range(0x013D, 0x015C), *range(0x0200, 0x0215), 0x02BC, 0x8649, 0x8773, 0x935C}
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
    exif = _Exif(bytearray(blob.removeprefix(_HEADER)))
    root, link = exif.folder(exif.long_at(4))
    exif.set(root, {_ORIENTATION: 1, _ROOT_WIDTH: size[0], _ROOT_HEIGHT: size[1]})
    if _PLACE_FOLDER in root:
        exif.folder(exif.long_at(root[_PLACE_FOLDER] + 8))
    if _EXIF_FOLDER in root:
        inner, _ = exif.folder(exif.long_at(root[_EXIF_FOLDER] + 8))
        exif.set(inner, {_WIDTH: size[0], _HEIGHT: size[1], _COLOR_SPACE: _SRGB})
        if _INTEROP in inner:
            rules, _ = exif.folder(exif.long_at(inner[_INTEROP] + 8))
            if _INTEROP_INDEX in rules:
                exif.data[rules[_INTEROP_INDEX] + 8 : rules[_INTEROP_INDEX] + 12] = _INTEROP_SRGB
    second = exif.long_at(link)
    if second:
        exif.drop_thumbnail(second)
        struct.pack_into(exif.order + "L", exif.data, link, 0)
    return _HEADER + bytes(exif.data)


class _Exif:
    """An EXIF block that is changed in place, and what of it is to be kept."""

    def __init__(self, data: bytearray) -> None:
        order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
        if order is None:
            raise ValueError("no byte order mark")
        self.data = data
        self.order = order
        self.kept: list[tuple[int, int]] = []

    def long_at(self, place: int) -> int:
        (value,) = struct.unpack_from(self.order + "L", self.data, place)
        return int(value)

    def folder(self, start: int) -> tuple[dict[int, int], int]:
        """Where each tag's entry lies, and where the offset of the next folder does; its values are to be kept."""
        (count,) = struct.unpack_from(self.order + "H", self.data, start)
        places = [start + 2 + 12 * i for i in range(count)]
        link = start + 2 + 12 * count
        self.long_at(link)
        self.kept.append((start, link + 4))
        entries = {}
        for place in places:
            tag, kind, number = struct.unpack_from(self.order + "HHL", self.data, place)
            entries[tag] = place
            length = _KIND_SIZES.get(kind, 1) * number
            if length > 4:
                self.kept.append((self.long_at(place + 8), self.long_at(place + 8) + length))
        return entries, link

    def set(self, entries: dict[int, int], values: dict[int, int]) -> None:
        for tag, value in values.items():
            if tag in entries:
                (kind,) = struct.unpack_from(self.order + "H", self.data, entries[tag] + 2)
                if kind == _SHORT:
                    struct.pack_into(self.order + "HH", self.data, entries[tag] + 8, min(value, 0xFFFF), 0)
                elif kind == _LONG:
                    struct.pack_into(self.order + "L", self.data, entries[tag] + 8, value)

    def _numbers(self, place: int) -> list[int]:
        kind, number = struct.unpack_from(self.order + "HL", self.data, place + 2)
        code = {_SHORT: "H", _LONG: "L"}.get(kind)
        if code is None or number > len(self.data):
            return []
        inside = _KIND_SIZES[kind] * number <= 4
        return list(
            struct.unpack_from(
                f"{self.order}{number}{code}", self.data, place + 8 if inside else self.long_at(place + 8)
            )
        )

    def drop_thumbnail(self, start: int) -> None:
        """Cuts off the second folder's picture where it ends the block, as it nearly always does; else blanks it."""
        kept = list(self.kept)
        entries, link = self.folder(start)
        pieces: list[tuple[int, int]] = []
        for places, lengths in ((_THUMBNAIL, _THUMBNAIL_LENGTH), (_STRIP, _STRIP_LENGTH)):
            if places in entries and lengths in entries:
                pieces += zip(self._numbers(entries[places]), self._numbers(entries[lengths]), strict=False)
        for place, length in sorted(pieces, reverse=True):
            end = min(place + length, len(self.data))
            # A damaged offset must not blank what is to be kept.
            if place < 8 or any(place < stop and begin < end for begin, stop in kept):
                continue
            if end == len(self.data) and place >= link + 4 and all(stop <= place for _, stop in self.kept):
                del self.data[place:]
            else:
                self.data[place:end] = bytes(max(0, end - place))
        self.data[start : link + 4] = bytes(link + 4 - start)


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
    return inner.get(_COLOR_SPACE) == _UNCALIBRATED and str(rules.get(_INTEROP_INDEX, "")).startswith("R03")


def adobe_rgb_to_srgb(image: ImageArray) -> ImageArray:
    """Adobe RGB (1998), uint8 (H, W, 3), to sRGB: both are D65, so that one matrix of linear rgb does it."""
    linear = (np.arange(256) / 255.0) ** (563 / 256)
    result = np.empty_like(image)
    for start in range(0, len(image), 256):
        rows = slice(start, start + 256)
        rgb = np.clip(linear[image[rows]] @ _ADOBE_TO_SRGB.T, 0.0, 1.0)
        result[rows] = np.rint(255 * linear_to_rgb(rgb))
    return result

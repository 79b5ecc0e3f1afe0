"""Picture files: where they are read and written, and which names and sizes are allowed."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from kpalette.errors import ArgumentError, ImageError, OutputError
from kpalette.files import check_free, read_file, write_file
from kpalette.images.decode import decode_image
from kpalette.images.decoders import Guard
from kpalette.images.encode import encode_image
from kpalette.images.picture import Picture
from kpalette.types import ImageArray

SUFFIXES = {
    ".avif": "AVIF", ".bmp": "BMP", ".gif": "GIF", ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".tif": "TIFF",
    ".tiff": "TIFF", ".webp": "WEBP",
}  # fmt: skip
"""What is read and written, by suffix; the first suffix of a format is the one that kpalette gives."""

DEFAULT_MAX_PIXELS = 100_000_000


def max_pixels() -> int:
    """The largest picture that is decoded, in pixels: KPALETTE_MAX_PIXELS, or 100 million."""
    text = os.environ.get("KPALETTE_MAX_PIXELS", "")
    if not text:
        return DEFAULT_MAX_PIXELS
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise ArgumentError(f"KPALETTE_MAX_PIXELS must be a positive whole number. Received: {text[:40]!r}")
    return int(text)


def read_image(
    path: str | os.PathLike[str] | BinaryIO, *, name: str | None = None, guard: Guard = nullcontext
) -> Picture:
    """Reads a picture file: PNG, JPEG, WebP, TIFF, AVIF, BMP or GIF.

    The picture is turned upright by its EXIF tag, its colours are converted to sRGB from whatever ICC profile it has,
    16 bits a channel become 8. Of an animation the first frame is read, of several pages the first.

    Args:
        path: a path, or a binary stream.
        name: what errors call the picture; the path itself if None.
        guard: entered around the decoder; a program that owns its process can keep C libraries from printing to
            standard error.

    Returns:
        The picture: uint8 sRGB, alpha if there is any, and its metadata (EXIF, XMP, profile, resolution), fit to be
        written beside new colours: orientation reset, no thumbnail, a profile that is true of the colours.

    Raises:
        ImageError: if the file is missing, no picture of these formats, damaged, or over `max_pixels()`.
        ArgumentError: if `path` is neither a path nor a binary stream.
    """
    if isinstance(path, str | os.PathLike):
        name = name or str(path)
        data = read_file(path, error=ImageError, what="a picture file")
        return decode_image(data, name=name, limit=max_pixels(), guard=guard)
    if not hasattr(path, "read"):
        raise ArgumentError(f"`path` must be a path or a binary stream. Received: {path!r}")
    name = name or "the stream"
    data = path.read()
    if not data:
        raise ImageError(f"{name} is empty (0 bytes)")
    return decode_image(data, name=name, limit=max_pixels(), guard=guard)


def write_image(
    path: str | os.PathLike[str],
    image: Picture | ImageArray,
    *,
    overwrite: bool = False,
    background: str | None = None,
    strip: bool = False,
    guard: Guard = nullcontext,
) -> None:
    """Writes a picture whole or not at all: into a neighbouring file first, which is then renamed.

    Args:
        path: where to; the suffix chooses the format (`SUFFIXES`).
        image: a `Picture`, whose metadata is written too as far as the format holds it, or uint8 (H, W, 3) or
            (H, W, 4).
        overwrite: whether a file that exists may be replaced (what a link points to, its permissions kept).
        background: a colour that the picture is put on, so that no transparency remains.
        strip: whether metadata is left out.
        guard: entered around the encoder, as in `read_image`.

    Raises:
        OutputError: if the suffix is unknown, the file exists, the format cannot hold alpha, or writing fails.
        PaletteError: if `background` is no colour.
    """
    target = Path(path)
    check_output(target, overwrite=overwrite)
    data = encode_image(image, image_format=format_of(target), background=background, strip=strip, guard=guard)
    write_file(target, data, overwrite=overwrite)


def check_output(path: Path, *, overwrite: bool) -> None:
    """OutputError where a picture cannot go to `path` by its name alone: worth asking before any work is done."""
    format_of(path)
    check_free(path, overwrite=overwrite)


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file name asks for, by its suffix; OutputError if it is none that can be written."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise OutputError(f"cannot tell the format of {path}: use one of {', '.join(sorted(SUFFIXES))}")
    return SUFFIXES[suffix]


def suffix_of(image_format: str) -> str:
    """The suffix that kpalette gives a picture of a format by itself: a GIF's 256 colours would not hold the result."""
    image_format = "PNG" if image_format == "GIF" else image_format
    return next(suffix for suffix, form in SUFFIXES.items() if form == image_format)

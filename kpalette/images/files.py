"""Picture files: reading and writing, and which names and sizes are allowed."""

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
"""The formats that are read and written, by suffix. The first suffix of a format is the one that kpalette uses."""

DEFAULT_MAX_PIXELS = 100_000_000


def max_pixels() -> int:
    """The largest number of pixels that is decoded: KPALETTE_MAX_PIXELS, or 100 million."""
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

    The picture is rotated upright as its EXIF data say, its colours are converted to sRGB from its ICC profile, and 16
    bits a channel become 8. Of an animation the first frame is read, of several pages the first.

    Args:
        path: a path, or a binary stream.
        name: the name of the picture in messages; the path if None.
        guard: entered around the decoder; a program that owns its process can keep C libraries from printing to
            standard error.

    Returns:
        The picture: uint8 sRGB, alpha if there is any, and metadata (EXIF, XMP, colour profile, resolution). The
        metadata are adapted so that they stay right for new colours: orientation reset, no thumbnail, a profile that
        matches the colours.

    Raises:
        ImageError: if the file is missing, no picture of these formats, damaged, or has more pixels than allowed
            (100 million, or KPALETTE_MAX_PIXELS).
        ArgumentError: if `path` is neither a path nor a binary stream.

    Example:
        >>> picture = kpalette.read_image("photo.jpg")
        >>> picture.rgb.shape, picture.rgb.dtype, picture.alpha
        ((128, 128, 3), dtype('uint8'), None)
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
    """Writes a picture file, whole or not at all: a temporary file beside it is written first, and then renamed.

    Args:
        path: the file; the suffix decides the format: .png, .jpg, .webp, .tif, .avif, .bmp or .gif.
        image: a `Picture`, whose metadata are written too as far as the format can hold them; or uint8 (H, W, 3), or
            (H, W, 4) with alpha.
        overwrite: whether an existing file may be replaced; its permissions are kept, and of a link the file that it
            points to is replaced.
        background: a colour to put a transparent picture on; the result is opaque.
        strip: whether to leave out the metadata.
        guard: entered around the encoder, as in `read_image`.

    Raises:
        OutputError: if the suffix is unknown, the file exists and `overwrite` is false, the format cannot hold the
            picture's transparency, or writing fails.
        ArgumentError: if `image` is neither a picture nor such an array.
        PaletteError: if `background` is no colour.

    Example:
        >>> grey = np.full((4, 6, 3), 128, np.uint8)
        >>> kpalette.write_image("grey.png", grey)
        >>> kpalette.read_image("grey.png")
        <Picture of 6x4 pixels, PNG>
    """
    target = Path(path)
    check_output(target, overwrite=overwrite)
    data = encode_image(image, image_format=format_of(target), background=background, strip=strip, guard=guard)
    write_file(target, data, overwrite=overwrite)


def check_output(path: Path, *, overwrite: bool) -> None:
    """Checks, before any work is done, whether a picture may be written to a path.

    Args:
        path: the file.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputError: if the suffix is unknown, or the file exists and `overwrite` is false.
    """
    format_of(path)
    check_free(path, overwrite=overwrite)


def format_of(path: str | os.PathLike[str]) -> str:
    """The format of a file to write, by the suffix of `path`; OutputError if the suffix is unknown."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise OutputError(f"cannot tell the format of {path}: use one of {', '.join(sorted(SUFFIXES))}")
    return SUFFIXES[suffix]


def suffix_of(image_format: str) -> str:
    """The suffix for a result, by the `image_format` of its source: .png for GIF, whose 256 colours are too few."""
    image_format = "PNG" if image_format == "GIF" else image_format
    return next(suffix for suffix, form in SUFFIXES.items() if form == image_format)

"""Pictures that visitors upload: they are decoded and checked, shrunk for the screen, and their palettes extracted."""

import hashlib
import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np
from PIL import Image

from kpalette.errors import ImageError
from kpalette.images.decode import decode_image
from kpalette.images.encode import encode_image
from kpalette.images.picture import Picture, as_picture, resize
from kpalette.images.samples import sample_image
from kpalette.palettes.extract import extract_palettes
from kpalette.palettes.palette import Palette
from kpalette.types import MIN_COLORS

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
SUFFIXES = ("png", "jpg", "jpeg", "webp", "tif", "tiff")
MAX_BYTES = 25_000_000
MAX_PIXELS = 50_000_000
SCREEN = 1024
"""Longer side, in pixels, at which results are shown and measured."""

_EXTRACTION = "kmeans"


@dataclass(frozen=True, eq=False)
class Opened:
    """A picture that was read.

    Attributes:
        name: name of the file.
        digest: SHA-256 of the bytes of the file.
        format: Pillow's name of the format.
        width: width of the whole picture, upright.
        height: height of the whole picture, upright.
        screen: the picture, its longer side at most `SCREEN` pixels.
        palettes: the picture's palettes of 2 to 8 colours, darkest first: `#rrggbb` and share of each.
        notes: notes for the visitor, for example that only the first frame is read.

    Example:
        >>> opened = open_picture(sample_file("coffee"), name="coffee.png")
        >>> opened.width, opened.height, len(opened.own(4))
        (600, 400, 4)
    """

    name: str
    digest: str
    format: str
    width: int
    height: int
    screen: Picture
    palettes: tuple[tuple[tuple[str, float], ...], ...]
    notes: tuple[str, ...] = ()

    def own(self, size: int) -> tuple[tuple[str, float], ...]:
        """Codes and shares of the palette of `size` colours; fewer if the picture has fewer."""
        return self.palettes[size - MIN_COLORS]


def open_picture(data: bytes, *, name: str) -> Opened:
    """Reads an upload.

    Args:
        data: the bytes of the file.
        name: the name of the file as the browser sends it, for messages, downloads and commands.

    Returns:
        The picture as the page needs it.

    Raises:
        ImageError: if the picture cannot be read; the message is for visitors.
    """
    name = file_name(name)
    picture, notes = _decode(data, name, least=SCREEN)
    width, height = _whole_size(data, picture)
    found = extract_palettes(picture, method=_EXTRACTION)
    palettes = tuple(_codes_and_shares(palette) for palette in found)
    digest = hashlib.sha256(data).hexdigest()
    return Opened(name, digest, picture.format, width, height, _on_screen(picture), palettes, notes)


def decode_upload(data: bytes, *, name: str) -> Picture:
    """Reads an upload at full size; errors as in `open_picture`."""
    return _decode(data, file_name(name))[0]


def file_name(name: str) -> str:
    """The last part of a path that a browser sends: printable, short, never empty."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    return "".join(c if c.isprintable() else "_" for c in last)[:120] or "picture"


@lru_cache(maxsize=8)
def sample_file(name: str) -> bytes:
    """A sample picture as the bytes of a PNG file; ArgumentError if the name is not in `SAMPLES`."""
    return encode_image(sample_image(name), image_format="PNG")


def _decode(data: bytes, name: str, *, least: int | None = None) -> tuple[Picture, tuple[str, ...]]:
    if not data:
        raise ImageError(f"{name} is empty (0 bytes): perhaps the upload was interrupted. Try again.")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{name} has {len(data) / 1e6:.0f} MB: at most {MAX_BYTES // 1_000_000} MB are allowed here.")
    with _warnings() as notes:
        picture = decode_image(
            data, name=name, limit=MAX_PIXELS, advice="make it smaller first", formats=FORMATS, least=least
        )
    if picture.alpha is not None and not picture.alpha.any():
        raise ImageError(f"{name} is wholly transparent: there are no colours to change.")
    return picture, tuple(notes)


def _whole_size(data: bytes, picture: Picture) -> tuple[int, int]:
    """Width and height of the whole picture. `picture` is upright, but may be smaller."""
    with Image.open(io.BytesIO(data)) as header:
        short, long = sorted(header.size)
    height, width = picture.rgb.shape[:2]
    return (long, short) if width > height else (short, long)


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collects the warnings that kpalette logs in this thread; other threads may read other pictures meanwhile."""
    found: list[str] = []
    thread = threading.get_ident()

    class Catcher(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                found.append(record.getMessage())

    logger, catcher = logging.getLogger("kpalette"), Catcher(logging.WARNING)
    logger.addHandler(catcher)
    try:
        yield found
    finally:
        logger.removeHandler(catcher)


def _on_screen(picture: Picture) -> Picture:
    shrunk = as_picture(resize(np.asarray(picture), longest=SCREEN))
    # If only a few pixels are visible, shrinking may leave none: then alpha is dropped.
    return shrunk if shrunk.alpha is None or shrunk.alpha.any() else Picture(shrunk.rgb)


def _codes_and_shares(palette: Palette) -> tuple[tuple[str, float], ...]:
    return tuple((code, float(share)) for code, share in zip(palette.hex, palette.shares, strict=True))

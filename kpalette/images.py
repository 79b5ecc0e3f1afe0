"""Pictures in and out: the one place where files are decoded and encoded, and where 0..255 meets 0..1.

`image` is uint8 sRGB of shape (H, W, 3); a `Picture` adds the alpha channel and the metadata of its file.
"""

import io
import os
import struct
import threading
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from kpalette.errors import ArgumentError, ImageError, OutputError
from kpalette.types import FloatArray, ImageArray

FORMATS = ("JPEG", "PNG", "WEBP")
"""What is read: an allow-list, so that no seldom-used decoder ever sees a stranger's file."""

SUFFIXES = {".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
DEFAULT_MAX_PIXELS = 100_000_000
SAMPLES = ("astronaut", "chelsea", "coffee")
"""Names of the pictures that scikit-image ships inside its wheel, for demos and reports."""

_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {"compress_level": 6},
    "WEBP": {"quality": 95, "exact": True},
}
_KEPT = ("exif", "icc_profile", "dpi")

# What Pillow's decoders were seen to raise on malformed files; struct, zlib and index errors come from chunk parsers.
_DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, NotImplementedError, EOFError, LookupError, TypeError, ArithmeticError,
    MemoryError, RuntimeError, AttributeError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
_bomb_check = threading.Lock()


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture file.

    Attributes:
        rgb: uint8 sRGB (H, W, 3), turned upright.
        alpha: uint8 (H, W), 0 transparent, or None.
        format: Pillow's name of the file format, "PNG" for instance.
        metadata: what Pillow needs to write exif, icc_profile and dpi again.
    """

    rgb: ImageArray
    alpha: ImageArray | None = None
    format: str = "PNG"
    metadata: dict[str, Any] = field(default_factory=dict)

    def with_rgb(self, rgb: ImageArray) -> "Picture":
        """The same picture in other colours: alpha, format and metadata stay."""
        return replace(self, rgb=rgb)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """As an array: (H, W, 3), or (H, W, 4) where there is alpha."""
        array = self.rgb if self.alpha is None else np.dstack([self.rgb, self.alpha])
        return np.array(array, dtype=dtype, copy=copy)


def max_pixels() -> int:
    """The largest picture that is decoded, in pixels: KPALETTE_MAX_PIXELS, or 100 million."""
    text = os.environ.get("KPALETTE_MAX_PIXELS", "")
    if not text:
        return DEFAULT_MAX_PIXELS
    if not text.isdigit() or int(text) == 0:
        raise ArgumentError(f"KPALETTE_MAX_PIXELS must be a positive whole number. Received: {text!r}")
    return int(text)


def read_image(path: str | os.PathLike[str] | BinaryIO, *, name: str | None = None) -> Picture:
    """Reads a PNG, JPEG or WebP file (the first frame of an animated one), turned upright by its EXIF tag.

    Args:
        path: a path, or a binary stream.
        name: what errors call the picture; the path itself if None.

    Returns:
        The picture: uint8 sRGB, alpha if there is any, metadata with the orientation reset.

    Raises:
        ImageError: if the file is missing, no picture of these formats, damaged, or over `max_pixels()`.
    """
    if not isinstance(path, str | os.PathLike):
        return _decode(path.read(), name or "the stream")
    name = name or str(path)
    if Path(path).is_dir():
        raise ImageError(f"{name} is a folder, not a picture file")
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{name} does not exist") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot read {name}: {_reason(error)}") from None
    return _decode(data, name)


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return str(text).splitlines()[0]


def _decode(data: bytes, name: str) -> Picture:
    if not data:
        raise ImageError(f"{name} is empty (0 bytes)")
    limit = max_pixels()
    try:
        with _open(data) as opened:
            width, height = opened.size
            if width * height > limit:
                raise ImageError(
                    f"{name} has {width}x{height} pixels, over the limit of {limit:,}: "
                    "set KPALETTE_MAX_PIXELS to allow more"
                )
            image_format = "JPEG" if opened.format == "MPO" else str(opened.format)
            opened.load()
            return _picture(ImageOps.exif_transpose(opened), image_format)
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not a readable picture: only {', '.join(FORMATS)} can be read") from None
    except _DECODER_ERRORS as error:
        raise ImageError(f"cannot read {name}, the file is damaged: {_reason(error)}") from None


def _open(data: bytes) -> Image.Image:
    # Pillow's own limit is one global that cannot be raised for a single call; ours is checked before any decoding.
    with _bomb_check:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(data), formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _picture(opened: Image.Image, image_format: str) -> Picture:
    metadata = {key: opened.info[key] for key in _KEPT if opened.info.get(key)}
    if opened.mode.startswith("I;16"):
        # Pillow would clip 16-bit greys to 255 instead of scaling them.
        grey = (np.asarray(opened) >> 8).astype(np.uint8)
        return Picture(np.dstack([grey] * 3), None, image_format, metadata)
    if not opened.has_transparency_data:
        return Picture(np.array(opened.convert("RGB")), None, image_format, metadata)
    rgba = np.array(opened.convert("RGBA"))
    return Picture(np.ascontiguousarray(rgba[..., :3]), rgba[..., 3].copy(), image_format, metadata)


def write_image(path: str | os.PathLike[str], image: Picture | ImageArray, *, overwrite: bool = False) -> None:
    """Writes a picture whole or not at all: into a neighbouring file first, which is then renamed.

    Args:
        path: where to; the suffix chooses the format (.png, .jpg, .jpeg, .webp).
        image: a `Picture`, whose metadata is written too, or uint8 (H, W, 3) or (H, W, 4).
        overwrite: whether a file that exists may be replaced.

    Raises:
        OutputError: if the suffix is unknown, the file exists, JPEG is asked to hold alpha, or writing fails.
    """
    target = Path(path)
    check_output(target, overwrite=overwrite)
    _write_atomically(target, encode_image(image, image_format=format_of(target)))


def check_output(path: Path, *, overwrite: bool) -> None:
    """OutputError where a picture cannot go to `path` by its name alone: worth asking before any work is done."""
    format_of(path)
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already: use --force (overwrite=True) to replace it")


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file name asks for, by its suffix; OutputError if it is none that can be written."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise OutputError(f"cannot tell the format of {path}: use one of {', '.join(sorted(SUFFIXES))}")
    return SUFFIXES[suffix]


def encode_image(image: Picture | ImageArray, *, image_format: str) -> bytes:
    """Encodes a picture.

    Args:
        image: a `Picture`, or uint8 (H, W, 3) or (H, W, 4).
        image_format: "PNG", "JPEG" (quality 95, 4:4:4) or "WEBP" (quality 95, alpha lossless).

    Returns:
        The bytes of the file.

    Raises:
        OutputError: if JPEG is asked to hold transparency, or the encoder fails.
        ArgumentError: if `image` is not of these shapes, or not uint8.
    """
    picture = image if isinstance(image, Picture) else as_picture(image)
    if picture.alpha is not None and image_format == "JPEG":
        raise OutputError("JPEG cannot hold the picture's transparency: write .png or .webp instead")
    buffer = io.BytesIO()
    try:
        Image.fromarray(np.asarray(picture)).save(
            buffer, image_format, **_SAVE_OPTIONS[image_format], **picture.metadata
        )
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot encode the picture as {image_format}: {_reason(error)}") from None
    return buffer.getvalue()


def _write_atomically(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        try:
            with temporary.open("xb") as stream:
                stream.write(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}") from None


def as_picture(array: Any) -> Picture:
    """Wraps uint8 (H, W, 3) or (H, W, 4) as a `Picture`; ArgumentError for anything else."""
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise ArgumentError(
            "`image` must be uint8 of shape (H, W, 3) or (H, W, 4), no side 0. "
            f"Received: {array.dtype}, shape {array.shape}"
        )
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(array[..., :3]), alpha)


def image_to_rgb(image: ImageArray) -> FloatArray:
    """uint8 (..., 3) to float32 rgb (..., 3) in 0..1."""
    return np.asarray(image).astype(np.float32) / np.float32(255)


def rgb_to_image(rgb: FloatArray) -> ImageArray:
    """Float rgb (..., 3) to uint8 (..., 3): clipped to 0..1 and rounded to the nearest."""
    image: ImageArray = np.rint(np.clip(rgb, 0.0, 1.0) * 255).astype(np.uint8)
    return image


def resize(image: ImageArray, *, longest: int) -> ImageArray:
    """Shrinks an image (H, W, C) so that its longer side is at most `longest` pixels; never enlarges."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def sample_image(name: str) -> ImageArray:
    """One of scikit-image's own pictures (`SAMPLES`) as uint8 (H, W, 3); ArgumentError for another name."""
    if name not in SAMPLES:
        raise ArgumentError(f"`name` must be one of {', '.join(SAMPLES)}. Received: {name!r}")
    import skimage.data

    return np.array(getattr(skimage.data, name)(), dtype=np.uint8)

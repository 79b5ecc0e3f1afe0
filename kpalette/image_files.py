"""Picture files: the one place where they are decoded and encoded, and where the errors of decoders end."""

import contextlib
import io
import logging
import os
import stat
import struct
import threading
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from kpalette.errors import ArgumentError, ImageError, OutputError
from kpalette.images import Picture, as_picture
from kpalette.types import ImageArray

FORMATS = ("JPEG", "PNG", "WEBP")
"""What is read: an allow-list, so that no seldom-used decoder ever sees a stranger's file."""

SUFFIXES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
"""What is written, by suffix; the first suffix of a format is the one that kpalette gives."""

DEFAULT_MAX_PIXELS = 100_000_000

_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {"compress_level": 6},
    "WEBP": {"quality": 95, "exact": True},
}
_KEPT = ("exif", "icc_profile", "dpi")
_CONVERTED = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}

# What Pillow's decoders were seen to raise on malformed files; struct, zlib and lookup errors come from chunk parsers.
_DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, NotImplementedError, EOFError, LookupError, TypeError, ArithmeticError,
    MemoryError, RuntimeError, AttributeError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
_bomb_check = threading.Lock()
_log = logging.getLogger(__name__)


def max_pixels() -> int:
    """The largest picture that is decoded, in pixels: KPALETTE_MAX_PIXELS, or 100 million."""
    text = os.environ.get("KPALETTE_MAX_PIXELS", "")
    if not text:
        return DEFAULT_MAX_PIXELS
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise ArgumentError(f"KPALETTE_MAX_PIXELS must be a positive whole number. Received: {text[:40]!r}")
    return int(text)


def read_image(path: str | os.PathLike[str] | BinaryIO, *, name: str | None = None) -> Picture:
    """Reads a PNG, JPEG or WebP file (the first frame of an animated one), turned upright by its EXIF tag.

    Args:
        path: a path, or a binary stream.
        name: what errors call the picture; the path itself if None.

    Returns:
        The picture: uint8 sRGB (colours under another ICC profile are converted), alpha if there is any, metadata with
        the orientation reset.

    Raises:
        ImageError: if the file is missing, no picture of these formats, damaged, or over `max_pixels()`.
        ArgumentError: if `path` is neither a path nor a binary stream.
    """
    if not isinstance(path, str | os.PathLike):
        if not hasattr(path, "read"):
            raise ArgumentError(f"`path` must be a path or a binary stream. Received: {path!r}")
        return _decode(path.read(), name or "the stream")
    name = name or str(path)
    try:
        if not str(path):
            raise ImageError("the file name is empty")
        if Path(path).is_dir():
            raise ImageError(f"{name} is a folder, not a picture file")
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
            # MPO: what phones write, a JPEG with further ones behind it that are not frames.
            image_format = "JPEG" if opened.format == "MPO" else str(opened.format)
            if image_format != "JPEG" and getattr(opened, "n_frames", 1) > 1:
                _log.warning("%s is animated: only its first frame is read", name)
            return _picture(opened, image_format, name)
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
        rgb, alpha = _channels(image)
    except _DECODER_ERRORS as error:
        raise ImageError(f"cannot decode the PIL image: {_reason(error)}") from None
    return Picture(rgb, alpha)


def _picture(opened: Image.Image, image_format: str, name: str) -> Picture:
    opened.load()
    try:
        upright = ImageOps.exif_transpose(opened)
    except _DECODER_ERRORS:
        _log.warning("%s has damaged EXIF data, which is dropped", name)
        opened.info.pop("exif", None)
        upright = opened
    metadata = {key: upright.info[key] for key in _KEPT if upright.info.get(key)}
    rgb, alpha = _channels(upright)
    if "icc_profile" in metadata:
        converted, metadata["icc_profile"] = _to_srgb(upright, metadata["icc_profile"], name)
        rgb = rgb if converted is None else converted
    return Picture(rgb, alpha, image_format, {key: value for key, value in metadata.items() if value})


def _to_srgb(image: Image.Image, profile: bytes, name: str) -> tuple[ImageArray | None, bytes | None]:
    """RGB in sRGB where another profile asks for it, else None; and the profile to write, which fits RGB."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return None, profile
        space = source.profile.xcolor_space.strip()
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[space]
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        plain = image if image.mode == mode else image.convert(mode)
        converted = ImageCms.profileToProfile(plain, source, srgb, outputMode="RGB")
        assert converted is not None
        return np.array(converted), srgb.tobytes()
    except (ImageCms.PyCMSError, LookupError, *_DECODER_ERRORS):
        _log.warning("%s has a colour profile that cannot be used, and is taken for sRGB", name)
        return None, None


def _channels(image: Image.Image) -> tuple[ImageArray, ImageArray | None]:
    if image.mode.startswith("I;16"):
        # Pillow would clip 16-bit greys to 255 instead of scaling them.
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.dstack([grey] * 3), None
    if not image.has_transparency_data:
        return np.array(image.convert("RGB")), None
    rgba = np.array(image.convert("RGBA"))
    return np.ascontiguousarray(rgba[..., :3]), rgba[..., 3].copy()


def write_image(path: str | os.PathLike[str], image: Picture | ImageArray, *, overwrite: bool = False) -> None:
    """Writes a picture whole or not at all: into a neighbouring file first, which is then renamed.

    Args:
        path: where to; the suffix chooses the format (.png, .jpg, .jpeg, .webp).
        image: a `Picture`, whose metadata is written too, or uint8 (H, W, 3) or (H, W, 4).
        overwrite: whether a file that exists may be replaced (what a link points to, its permissions kept).

    Raises:
        OutputError: if the suffix is unknown, the file exists, JPEG is asked to hold alpha, or writing fails.
    """
    target = Path(path)
    check_output(target, overwrite=overwrite)
    data = encode_image(image, image_format=format_of(target))
    try:
        _write_atomically(Path(os.path.realpath(target)), data, overwrite=overwrite)
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        raise OutputError(f"cannot write {target}: {_reason(error)}") from None


def check_output(path: Path, *, overwrite: bool) -> None:
    """OutputError where a picture cannot go to `path` by its name alone: worth asking before any work is done."""
    format_of(path)
    try:
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder")
        if path.exists() and not path.is_file():
            raise OutputError(f"cannot write {path}: it is no regular file")
        exists = path.is_file() or path.is_symlink()
    except (OSError, ValueError, RuntimeError) as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}") from None
    if exists and not overwrite:
        raise _exists(path)


def _exists(path: Path) -> OutputError:
    return OutputError(f"{path} exists already: use --force (overwrite=True) to replace it")


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
        if picture.alpha.min() < 255:
            raise OutputError("JPEG cannot hold the picture's transparency: write .png or .webp instead")
        picture = replace(picture, alpha=None)
    buffer = io.BytesIO()
    try:
        pil = Image.fromarray(np.asarray(picture))
        pil.save(buffer, image_format, **_SAVE_OPTIONS[image_format], **picture.metadata)
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot encode the picture as {image_format}: {_reason(error)}") from None
    return buffer.getvalue()


def _place_new(temporary: Path, path: Path) -> None:
    """Gives the file its name; FileExistsError where another program was faster to take it."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        temporary.replace(path)


def _write_atomically(path: Path, data: bytes, *, overwrite: bool) -> None:
    # A name of its own length limit, so that a long but legal name does not fail here.
    temporary = path.with_name(f".{os.getpid()}-{threading.get_ident()}.part")
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
        if overwrite:
            with contextlib.suppress(FileNotFoundError):
                temporary.chmod(stat.S_IMODE(path.stat().st_mode))
            temporary.replace(path)
        else:
            _place_new(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

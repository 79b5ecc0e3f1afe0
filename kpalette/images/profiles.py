"""Colour profiles: conversion of a picture's colours to sRGB, from an ICC profile or from Adobe RGB."""

import io
import logging

import numpy as np
from PIL import ExifTags, Image, ImageCms

from kpalette.color.spaces import XYZ_TO_RGB, linear_to_rgb
from kpalette.images.decoders import DECODER_ERRORS
from kpalette.images.exif import COLOR_SPACE, INTEROP_INDEX
from kpalette.types import ImageArray

_log = logging.getLogger(__name__)

_UNCALIBRATED = 65535
_SAME_LEVELS = 2

# Adobe RGB (1998) Color Image Encoding, section 4.3: linear Adobe RGB to XYZ.
_ADOBE_TO_XYZ = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
_ADOBE_TO_SRGB = np.array(XYZ_TO_RGB, dtype=np.float64) @ _ADOBE_TO_XYZ


def to_srgb(image: Image.Image, profile: bytes, name: str) -> tuple[ImageArray | None, bytes | None]:
    """Converts colours from an ICC profile to sRGB.

    Args:
        image: 8 bits a channel, of any mode.
        profile: the ICC profile.
        name: the file's name, for notes.

    Returns:
        Colours in sRGB, uint8 (H, W, 3), None if the profile is sRGB already; and the profile to write into a file,
        None, with a note, if the given one cannot be used.
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
        _log.warning("%s has a colour profile that cannot be used: its colours are taken as sRGB", name)
        return None, None


def _is_identity(source: ImageCms.ImageCmsProfile, target: ImageCms.ImageCmsProfile) -> bool:
    """Whether a conversion changes no colour. The name of a profile does not tell: some linear ones are named sRGB."""
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    probes = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, len(levels), 3)
    converted = ImageCms.profileToProfile(Image.fromarray(probes), source, target, outputMode="RGB")
    assert converted is not None
    return int(np.abs(np.asarray(converted).astype(int) - probes).max()) <= _SAME_LEVELS


def is_adobe_rgb(exif: bytes) -> bool:
    """Whether the colours of a file without a profile are Adobe RGB, by its `exif` (DCF 2.0: index R03)."""
    try:
        block = Image.Exif()
        block.load(exif)
        inner = block.get_ifd(ExifTags.IFD.Exif)
        rules = block.get_ifd(ExifTags.IFD.Interop)
    except DECODER_ERRORS:
        return False
    return inner.get(COLOR_SPACE) == _UNCALIBRATED and str(rules.get(INTEROP_INDEX, "")).startswith("R03")


def adobe_rgb_to_srgb(image: ImageArray) -> ImageArray:
    """Converts an `image` in Adobe RGB (1998), uint8 (H, W, 3), to sRGB by one matrix of linear light: both are D65."""
    linear = (np.arange(256) / 255.0) ** (563 / 256)
    result = np.empty_like(image)
    for start in range(0, len(image), 256):
        rows = slice(start, start + 256)
        rgb = np.clip(linear[image[rows]] @ _ADOBE_TO_SRGB.T, 0.0, 1.0)
        result[rows] = np.rint(255 * linear_to_rgb(rgb))
    return result

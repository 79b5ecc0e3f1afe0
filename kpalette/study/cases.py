"""The cases of a study: pictures, each with the palettes that it is to be recoloured with.

The same cases go to every recolorer. There are two kinds of study: over the three sample pictures with six fixed
palettes each, or over a set of pictures, which get their palettes by turns (`deal`).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from kpalette.data.designed import choose, designed_palettes
from kpalette.data.image_set import ImageSet
from kpalette.errors import ArgumentError, PaletteError, one_line
from kpalette.images.picture import Picture, as_picture, resize
from kpalette.images.samples import SAMPLES, sample_image
from kpalette.palettes.palette import Palette
from kpalette.types import DEFAULT_COLORS

REPORT_PALETTES = (
    "rgb(255,165,0) rgb(139,69,19) rgb(128,0,128) rgb(0,128,0)",
    "rgb(46,52,64) rgb(94,129,172) rgb(163,190,140) rgb(236,239,244)",
    "rgb(45,27,78) rgb(181,48,94) rgb(245,133,73) rgb(249,220,92)",
    "rgb(3,4,94) rgb(0,119,182) rgb(0,180,216) rgb(202,240,248)",
    "rgb(26,26,26) rgb(92,92,92) rgb(168,168,168) rgb(242,242,242)",
    "rgb(13,2,33) rgb(255,56,100) rgb(45,226,230) rgb(246,247,64)",
)
"""The target palettes of the sample pictures, as text for `Palette.parse`."""

PALETTES = 40
"""Number of palettes, at most, that a study over a set of pictures takes from a file."""

SIDE = 256
"""Longer side, in pixels, to which larger pictures of a set are shrunk."""

SAMPLE_SIDE = 512
"""Width and height of the sample pictures."""

UNLABELLED = "unlabelled"
"""Style of a picture whose style is not known."""


@dataclass(frozen=True, eq=False)
class Case:
    """One picture and one target palette.

    Attributes:
        name: name of the picture.
        style: style of the picture.
        picture: the picture.
        target: the target palette.
        palette: number of the target among the study's palettes, from 0.

    Example:
        >>> cases = next(sample_cases())
        >>> len(cases), cases[0].name, cases[0].palette
        (6, 'astronaut', 0)
    """

    name: str
    style: str
    picture: Picture
    target: Palette
    palette: int


def sample_pictures() -> dict[str, Picture]:
    """The sample pictures by name, resized to 512x512 pixels as in the published comparisons."""
    size = (SAMPLE_SIDE, SAMPLE_SIDE)
    return {name: as_picture(cv2.resize(sample_image(name), size, interpolation=cv2.INTER_AREA)) for name in SAMPLES}


def sample_cases() -> Iterator[tuple[Case, ...]]:
    """Cases of the sample pictures, each with all of `REPORT_PALETTES`.

    Yields:
        The cases of one picture. The style of each is the picture's name.
    """
    palettes = [Palette.parse(text) for text in REPORT_PALETTES]
    for name, picture in sample_pictures().items():
        yield tuple(Case(name, name, picture, target, number) for number, target in enumerate(palettes))


def report_palettes(
    path: str | os.PathLike[str] | None, *, part: str = "report", count: int = PALETTES, seed: int = 0
) -> tuple[Palette, ...]:
    """Chooses palettes of four colours for a study over a set of pictures.

    Args:
        path: a file of palettes that `designed_palettes` reads; None for kpalette's presets.
        part: the part of the file, as in `designed_palettes`.
        count: number of palettes at most.
        seed: decides which palettes are chosen, and which four colours of a palette that has more.

    Returns:
        At least one palette. Palettes of fewer than four colours are left out.

    Raises:
        PaletteError: if the file cannot be read or has no palette of four colours.
        ArgumentError: if `part` is unknown or `count` is below 1.
    """
    if count < 1:
        raise ArgumentError(f"`count` must be at least 1. Received: {count}")
    generator = np.random.default_rng(seed)
    fours = [choose(lab, DEFAULT_COLORS, generator) for lab in designed_palettes(path, part=part)]
    usable = [Palette(four) for four in fours if four is not None]
    if not usable:
        what = "kpalette's presets" if path is None else one_line(os.fspath(path))
        raise PaletteError(f"{what}: no palette of the part {part!r} has {DEFAULT_COLORS} colours")
    return tuple(usable[i] for i in generator.permutation(len(usable))[:count])


def deal(number: int, *, per_picture: int, count: int) -> list[int]:
    """Deals palettes to a picture by turns, so that a study uses all palettes equally often.

    Args:
        number: number of the picture, from 0.
        per_picture: number of palettes for each picture; all if there are fewer.
        count: number of palettes.

    Returns:
        Numbers of the picture's palettes, none twice.

    Example:
        >>> [deal(number, per_picture=2, count=3) for number in range(3)]
        [[0, 1], [2, 0], [1, 2]]
    """
    each = min(per_picture, count)
    return [(number * each + i) % count for i in range(each)]


def deal_cases(images: ImageSet, palettes: tuple[Palette, ...], *, per_picture: int) -> Iterator[tuple[Case, ...]]:
    """Cases of a set of pictures.

    Args:
        images: the pictures. They are decoded one by one; larger ones are shrunk to `SIDE`.
        palettes: the target palettes.
        per_picture: number of palettes for each picture; see `deal`.

    Yields:
        The cases of one picture.

    Raises:
        ImageError: if a picture cannot be read.
    """
    for number, (name, style) in enumerate(zip(images.names, images.styles, strict=True)):
        picture = as_picture(resize(images.read(number), longest=SIDE))
        numbers = deal(number, per_picture=per_picture, count=len(palettes))
        yield tuple(Case(name, style or UNLABELLED, picture, palettes[i], i) for i in numbers)

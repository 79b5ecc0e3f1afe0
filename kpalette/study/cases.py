"""What a study puts to every method: pictures, each with the palettes that are asked of it."""

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
"""What is asked of the sample pictures, in any form that `Palette.parse` knows."""

PALETTES = 40
"""How many palettes a study over a set of pictures takes from a file that has more."""

SIDE = 256
"""Pixels of the longer side, to which larger pictures of a set are shrunk."""

SAMPLE_SIDE = 512
"""Pixels of both sides of the sample pictures."""

UNLABELLED = "unlabelled"


@dataclass(frozen=True, eq=False)
class Case:
    """One picture and one palette asked of it.

    Attributes:
        name: of the picture.
        style: of the picture.
        picture: the picture.
        target: the palette.
        palette: its number among the study's palettes, from 0.
    """

    name: str
    style: str
    picture: Picture
    target: Palette
    palette: int


def sample_pictures() -> dict[str, Picture]:
    """The sample pictures by name, resized to 512x512 as in the published comparisons."""
    size = (SAMPLE_SIDE, SAMPLE_SIDE)
    return {name: as_picture(cv2.resize(sample_image(name), size, interpolation=cv2.INTER_AREA)) for name in SAMPLES}


def sample_pairs() -> Iterator[tuple[Picture, Palette]]:
    """Every sample picture with each of `REPORT_PALETTES`, 18 pairs."""
    for cases in sample_cases():
        for case in cases:
            yield case.picture, case.target


def sample_cases() -> Iterator[tuple[Case, ...]]:
    """The same pairs as cases, those of one picture together; a picture's name stands for its style."""
    palettes = [Palette.parse(text) for text in REPORT_PALETTES]
    for name, picture in sample_pictures().items():
        yield tuple(Case(name, name, picture, target, number) for number, target in enumerate(palettes))


def report_palettes(
    path: str | os.PathLike[str] | None, *, part: str = "report", count: int = PALETTES, seed: int = 0
) -> tuple[Palette, ...]:
    """Palettes of four colours for a study over a set of pictures.

    Args:
        path: a file of palettes as `designed_palettes` reads it; None for kpalette's presets.
        part: of the file, as in `designed_palettes`.
        count: how many at most.
        seed: of the choice of palettes, and of four colours where one has more.

    Returns:
        At least one palette; those of fewer than four colours are left out.

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
    """Which palettes a picture gets: consecutive pictures take turns, so that all are used equally often.

    Args:
        number: of the picture, from 0.
        per_picture: how many palettes each picture gets, of `count` all at most.
        count: how many palettes there are.

    Returns:
        Their numbers, none twice.
    """
    each = min(per_picture, count)
    return [(number * each + i) % count for i in range(each)]


def deal_cases(images: ImageSet, palettes: tuple[Palette, ...], *, per_picture: int) -> Iterator[tuple[Case, ...]]:
    """Cases over a set of pictures.

    Args:
        images: the pictures, decoded one after the other; larger ones are shrunk to `SIDE`.
        palettes: what is asked.
        per_picture: how many of them of each picture, see `deal`.

    Yields:
        The cases of each picture.

    Raises:
        ImageError: names a picture that cannot be read.
    """
    for number, (name, style) in enumerate(zip(images.names, images.styles, strict=True)):
        picture = as_picture(resize(images.read(number), longest=SIDE))
        numbers = deal(number, per_picture=per_picture, count=len(palettes))
        yield tuple(Case(name, style or UNLABELLED, picture, palettes[i], i) for i in numbers)

"""Palettes made by designers, for training and for reports."""

import json
import os
from collections.abc import Iterator

import numpy as np

from kpalette.color.names import parse_color
from kpalette.color.spaces import rgb_to_lab
from kpalette.data.image_set import hash_share
from kpalette.data.swatches import Lab
from kpalette.errors import ArgumentError, PaletteError, one_line, reason
from kpalette.files import read_file
from kpalette.palettes.presets import list_presets
from kpalette.types import MIN_COLORS

PARTS = ("train", "report", "all")


def designed_palettes(path: str | os.PathLike[str] | None, *, part: str = "train") -> list[Lab]:
    """Reads designed palettes.

    Args:
        path: a JSON file {"palettes": [{"name": ..., "colors": ["#rrggbb", ...]}, ...]}; kpalette's presets if None.
        part: "train" or "report", two halves chosen by a hash of the name, the same on every machine; or "all".

    Returns:
        CIELAB (k, 3) each, with k of at least 2; palettes of one colour are left out.

    Raises:
        PaletteError: if the file cannot be read, a palette in it is wrong, or it has none for this part.
        ArgumentError: if `part` is unknown.
    """
    if part not in PARTS:
        raise ArgumentError(f"`part` must be one of {', '.join(PARTS)}. Received: {part!r}")
    what = "kpalette's presets" if path is None else one_line(os.fspath(path))
    if path is None:
        named = [(name, np.array(palette.lab)) for name, palette in list_presets().items()]
    else:
        named = list(_designed(read_file(path, error=PaletteError, what="a file of palettes"), what))
    half = {"train": (0.0, 0.5), "report": (0.5, 1.0), "all": (0.0, 1.0)}[part]
    found = [lab for name, lab in named if half[0] <= hash_share(name) < half[1] and len(lab) >= MIN_COLORS]
    if not found:
        raise PaletteError(f"{what}: no palette is in the part {part!r}")
    return found


def _designed(data: bytes, what: str) -> Iterator[tuple[str, Lab]]:
    try:
        entries = [(entry["name"], entry["colors"]) for entry in json.loads(data)["palettes"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PaletteError(f'{what} is not of the form {{"palettes": [{{"name": ..., "colors": [...]}}]}}') from None
    for name, colors in entries:
        try:
            yield str(name), rgb_to_lab(np.array([parse_color(color) for color in colors]).reshape(-1, 3))
        except (PaletteError, AttributeError, TypeError) as error:
            raise PaletteError(f"{what}: the palette {one_line(name)!r}: {one_line(reason(error))}") from None


def choose(palette: Lab, size: int, generator: np.random.Generator) -> Lab | None:
    """Chooses some colours of a palette at random.

    Args:
        palette: CIELAB (n, 3).
        size: number of colours to choose.
        generator: source of randomness.

    Returns:
        CIELAB (size, 3) in the palette's order; None if the palette has fewer colours.
    """
    if len(palette) <= size:
        return palette if len(palette) == size else None
    return palette[np.sort(generator.choice(len(palette), size, replace=False))]

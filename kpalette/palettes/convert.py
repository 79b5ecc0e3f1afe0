"""Palettes from whatever a caller has: a `Palette`, a string, a list of colours, or an array."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from kpalette.errors import ArgumentError, PaletteError
from kpalette.palettes.files import load_palette
from kpalette.palettes.palette import Palette
from kpalette.palettes.presets import find_palette
from kpalette.types import MAX_COLORS, MIN_COLORS

_FORMS = "a Palette, a string, a list of hex codes, CSS names or (r, g, b) tuples, or an array (k, 3)"


def as_palette(value: Any, *, name: str = "palette") -> Palette:
    """Turns colours in any form into a `Palette`.

    Args:
        value: a `Palette`; a string of colours, a preset or a palette file (`find_palette`); the path of a palette
            file; a list of hex codes and CSS names; a list of (r, g, b) tuples or an array (k, 3), all integers in
            0..255 or all floats in 0..1.
        name: the argument's name, for the message.

    Returns:
        The palette, in the order given.

    Raises:
        ArgumentError: if `value` has another form, or numbers are out of range.
        PaletteError: if a colour cannot be read, or there are fewer than 2 or more than 8.

    Example:
        >>> as_palette([(255, 0, 0), (0, 0, 255)]).hex
        ('#ff0000', '#0000ff')
    """
    if isinstance(value, Palette):
        return value
    if isinstance(value, str):
        return find_palette(value)
    if isinstance(value, os.PathLike):
        return load_palette(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        value = value.tolist()
    if isinstance(value, Sequence) and value and any(isinstance(color, str) for color in value):
        if not all(isinstance(color, str) for color in value):
            raise ArgumentError(f"`{name}` must be {_FORMS}; texts and tuples cannot be mixed. Received: {value!r}")
        return Palette.from_hex(value)
    array = _as_rgb(value, name)
    if not MIN_COLORS <= len(array) <= MAX_COLORS:
        raise PaletteError(f"a palette has {MIN_COLORS} to {MAX_COLORS} colours, {len(array)} given")
    return Palette.from_rgb(array)


def _as_rgb(value: Any, name: str) -> Any:
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "iuf" or array.ndim != 2 or array.shape[1] != 3:
        raise ArgumentError(f"`{name}` must be {_FORMS}. Received: {value!r}")
    highest = 255 if array.dtype.kind in "iu" else 1
    if not np.all((array >= 0) & (array <= highest)):
        raise ArgumentError(
            f"`{name}` must hold integers in 0..255 or floats in 0..1. "
            f"Received: values {array.min():g} to {array.max():g}"
        )
    return array

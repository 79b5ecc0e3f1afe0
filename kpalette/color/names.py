"""Colours as people write them, read into numbers, and the names that people know."""

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from kpalette.color.difference import delta_e_2000
from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import PaletteError

CSS_NAMES: dict[str, Any] = dict(ImageColor.colormap)
"""The CSS colours by name, in lower case."""

_TOKEN = re.compile(r"\s*(?P<color>[A-Za-z]+\([^()]*\)|[^\s,;()]+)\s*[,;]?")
_HEX = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_RGB = re.compile(r"rgb\(\s*([\d.]+%?)(?:\s*,\s*|\s+)([\d.]+%?)(?:\s*,\s*|\s+)([\d.]+%?)\s*\)", re.IGNORECASE)
_FORMS = "give #rgb, #rrggbb, a CSS name or rgb(r, g, b)"

# The parts that CSS runs together, longest first where one begins another.
_PARTS = re.compile(
    "alice|antique|almond|aqua(?!marine)|blanched|burly|cadet|cornflower|dark|deep|dim|dodger|fire|floral|forest|ghost"
    "|goldenrod(?=yellow)|green(?=yellow)|hot|indian|lavender(?=blush)|lawn|lemon|light|lime(?=green)|medium|midnight|mint"
    "|misty|navajo|old(?=lace)|olive|orange(?=red)|pale|papaya|peach|peru|powder|rebecca|rosy|royal|saddle|sandy|sea(?!shell)"
    "|sky|slate|spring|steel|violet(?=red)|white(?=smoke)|yellow(?=green)|blue(?=violet)"
)


def split_colors(text: str) -> list[str]:
    """Parts a text into colours.

    Args:
        text: colours separated by commas, semicolons or white space.

    Returns:
        One text for each colour, not yet read: `rgb(1, 2, 3)` stays whole.

    Raises:
        PaletteError: if a bracket stands where a colour should begin.
    """
    tokens, position = [], 0
    while position < len(text) and text[position:].strip():
        found = _TOKEN.match(text, position)
        if not found:
            raise PaletteError(f"cannot read a colour at {text[position:].strip()!r}: {_FORMS}")
        tokens.append(found["color"])
        position = found.end()
    return tokens


def parse_color(text: str) -> tuple[float, float, float]:
    """Reads one colour, in any form that `Palette.parse` knows.

    Args:
        text: one colour.

    Returns:
        Gamma-encoded sRGB, three floats in 0..1.

    Raises:
        PaletteError: if it is no colour; a close CSS name is suggested.
    """
    token = text.strip()
    if found := _HEX.fullmatch(token):
        digits = found[1] if len(found[1]) == 6 else "".join(2 * digit for digit in found[1])
        return _triple(int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    if found := _RGB.fullmatch(token):
        values = [_channel(part, text) for part in found.groups()]
        return _triple(values)
    name = token.lower()
    if name in CSS_NAMES:
        return _triple(value / 255 for value in ImageColor.getrgb(name))
    close = difflib.get_close_matches(name, CSS_NAMES, n=1)
    raise PaletteError(f"unknown colour {token!r}: " + (f"did you mean {close[0]!r}?" if close else _FORMS))


def _triple(values: Iterable[float]) -> tuple[float, float, float]:
    r, g, b = values
    return (r, g, b)


def _channel(part: str, text: str) -> float:
    try:
        value = float(part[:-1]) / 100 if part.endswith("%") else float(part) / 255
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise PaletteError(f"channel {part!r} of {text!r} must be a number in 0..255 or a percentage up to 100%")
    return value


@lru_cache(maxsize=4096)
def color_name(color: str) -> str:
    """The CSS name nearest to a colour by CIEDE2000, its words apart: "dark olive green" for "#556b2e".

    Args:
        color: any form that `Palette.parse` knows.

    Returns:
        A name in lower case.

    Raises:
        PaletteError: if it is no colour.
    """
    names, lab = _named()
    own = rgb_to_lab(np.array([parse_color(color)], dtype=np.float64))
    return names[int(np.argmin(delta_e_2000(own, lab)))]


@lru_cache(maxsize=1)
def _named() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    # "gray" and "grey", "aqua" and "cyan" are one colour each: the first in this order stands for both.
    names = sorted(CSS_NAMES, key=lambda name: ("gray" in name, name in ("fuchsia", "aqua"), name))
    rgb = np.array([parse_color(name) for name in names], dtype=np.float64)
    _, first = np.unique(rgb, axis=0, return_index=True)
    chosen = np.sort(first)
    return tuple(_PARTS.sub(r"\g<0> ", names[i]).strip() for i in chosen), rgb_to_lab(rgb[chosen])

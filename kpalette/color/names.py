"""Colours as people write them: reading them, rounding them to 8 bits, and the CSS names nearest to them."""

import re
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from kpalette.color.difference import delta_e_2000
from kpalette.color.spaces import rgb_to_lab
from kpalette.errors import PaletteError
from kpalette.types import FloatArray, ImageArray

CSS_NAMES: dict[str, Any] = dict(ImageColor.colormap)
"""The CSS colours by name, in lower case."""

_TOKEN = re.compile(r"\s*(?P<color>[A-Za-z]+\([^()]*\)|[^\s,;()]+)\s*[,;]?")
_HEX = re.compile(r"#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})|#(?:[0-9a-fA-F]{4}|[0-9a-fA-F]{8})")
_RGB = re.compile(r"rgb\(\s*([\d.]+%?)(?:\s*,\s*|\s+)([\d.]+%?)(?:\s*,\s*|\s+)([\d.]+%?)\s*\)", re.IGNORECASE)
_FORMS = "give #rgb, #rrggbb, a CSS name or rgb(r, g, b)"
_HALF_LEVEL = 0.5 + 1e-4  # more than the error of a float32 or of the way through Lab

# The words that CSS joins in one name, longest first where one begins another.
_WORDS = re.compile(
    "alice|antique|almond|aqua(?!marine)|blanched|burly|cadet|cornflower|dark|deep|dim|dodger|fire|floral|forest|ghost"
    "|goldenrod(?=yellow)|green(?=yellow)|hot|indian|lavender(?=blush)|lawn|lemon|light|lime(?=green)|medium|midnight|mint"
    "|misty|navajo|old(?=lace)|olive|orange(?=red)|pale|papaya|peach|peru|powder|rebecca|rosy|royal|saddle|sandy|sea(?!shell)"
    "|sky|slate|spring|steel|violet(?=red)|white(?=smoke)|yellow(?=green)|blue(?=violet)"
)


class OpacityError(PaletteError):
    """A colour is not opaque: its fourth channel, alpha, is below the maximum.

    Example:
        >>> parse_color("#f4a30080")
        Traceback (most recent call last):
        kpalette.color.names.OpacityError: '#f4a30080' has transparency, which is not supported: give #f4a300
    """


def split_colors(text: str) -> list[str]:
    """Splits a text into colours.

    Args:
        text: colours separated by commas, semicolons or white space.

    Returns:
        A text for each colour, not read yet: `rgb(1, 2, 3)` stays whole.

    Raises:
        PaletteError: if there is a bracket where a colour should begin.

    Example:
        >>> split_colors("red, rgb(1, 2, 3) #0f0")
        ['red', 'rgb(1, 2, 3)', '#0f0']
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
    """Reads one colour, in any form that `Palette.parse` knows, to 8 bits a channel.

    Args:
        text: one colour.

    Returns:
        Gamma-encoded sRGB, three floats in 0..1, each a whole level out of 255; half levels are rounded up, as in CSS.

    Raises:
        OpacityError: if it has an alpha channel that is not opaque.
        PaletteError: if it is no colour; a similar CSS name is suggested.

    Example:
        >>> [round(255 * channel) for channel in parse_color("rgb(50%, 0%, 100%)")]
        [128, 0, 255]
    """
    token = text.strip()
    if _HEX.fullmatch(token):
        return _from_digits(token)
    if found := _RGB.fullmatch(token):
        r, g, b = (_channel(part, text) for part in found.groups())
        return r / 255, g / 255, b / 255
    name = token.lower()
    if name in CSS_NAMES:
        r, g, b, *_ = ImageColor.getrgb(name)
        return r / 255, g / 255, b / 255
    import difflib  # for errors alone

    close = difflib.get_close_matches(name, CSS_NAMES, n=1)
    raise PaletteError(f"unknown colour {token!r}: " + (f"did you mean {close[0]!r}?" if close else _FORMS))


def _from_digits(token: str) -> tuple[float, float, float]:
    """Reads #rgb, #rrggbb, and with an alpha channel #rgba and #rrggbbaa."""
    digits = token.removeprefix("#")
    if len(digits) < 6:
        digits = "".join(2 * digit for digit in digits)
    r, g, b, *alpha = bytes.fromhex(digits)
    if alpha and alpha != [255]:
        raise OpacityError(f"{token!r} has transparency, which is not supported: give #{digits[:6]}")
    return r / 255, g / 255, b / 255


def _channel(part: str, text: str) -> int:
    """Reads a channel of `rgb()` as a level, 0..255."""
    try:
        level = float(part[:-1]) * 255 / 100 if part.endswith("%") else float(part)
    except ValueError:
        level = -1.0
    if not 0.0 <= level <= 255.0:
        raise PaletteError(f"channel {part!r} of {text!r} must be a number in 0..255 or a percentage up to 100%")
    return int(level + _HALF_LEVEL)


def rgb_to_levels(rgb: FloatArray) -> ImageArray:
    """Rounds colours to 8 bits a channel as CSS does: half levels up.

    Args:
        rgb: gamma-encoded sRGB (..., 3) in 0..1; NumPy.

    Returns:
        uint8 (..., 3).

    Example:
        >>> rgb_to_levels(np.array([0.0, 0.5, 1.0]))
        array([  0, 128, 255], dtype=uint8)
    """
    levels: ImageArray = np.floor(rgb * 255 + _HALF_LEVEL).astype(np.uint8)
    return levels


@lru_cache(maxsize=4096)
def color_name(color: str) -> str:
    """The CSS name nearest to a colour by CIEDE2000, in separate words.

    Args:
        color: any form that `Palette.parse` knows.

    Returns:
        A name in lower case.

    Raises:
        PaletteError: if it is no colour.

    Example:
        >>> color_name("#556b2e")
        'dark olive green'
    """
    names, lab = _names_and_lab()
    own = rgb_to_lab(np.array([parse_color(color)], dtype=np.float64))
    return names[int(np.argmin(delta_e_2000(own, lab)))]


@lru_cache(maxsize=1)
def _names_and_lab() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names of CSS, in separate words, and their colours as CIELAB (n, 3)."""
    # Some colours have two names ("gray" and "grey", "aqua" and "cyan"): the first in this order is kept.
    names = sorted(CSS_NAMES, key=lambda name: ("gray" in name, name in ("fuchsia", "aqua"), name))
    rgb = np.array([parse_color(name) for name in names], dtype=np.float64)
    _, first = np.unique(rgb, axis=0, return_index=True)
    kept = np.sort(first)
    return tuple(_WORDS.sub(r"\g<0> ", names[i]).strip() for i in kept), rgb_to_lab(rgb[kept])

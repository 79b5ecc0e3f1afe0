"""Names for colours, as people read them."""

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kpalette.color import rgb_to_lab
from kpalette.difference import delta_e_2000
from kpalette.palette import CSS_NAMES, parse_color

# The parts that CSS runs together, longest first where one begins another.
_PARTS = re.compile(
    "alice|antique|almond|aqua(?!marine)|blanched|burly|cadet|cornflower|dark|deep|dim|dodger|fire|floral|forest|ghost"
    "|goldenrod(?=yellow)|green(?=yellow)|hot|indian|lavender(?=blush)|lawn|lemon|light|lime(?=green)|medium|midnight|mint"
    "|misty|navajo|old(?=lace)|olive|orange(?=red)|pale|papaya|peach|peru|powder|rebecca|rosy|royal|saddle|sandy|sea(?!shell)"
    "|sky|slate|spring|steel|violet(?=red)|white(?=smoke)|yellow(?=green)|blue(?=violet)"
)


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

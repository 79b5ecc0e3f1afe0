"""What visitors do to the target palette: tuples of `#rrggbb` in the order of the picture's own colours."""

from collections.abc import Callable, Sequence

import numpy as np

from kpalette.color.names import parse_color
from kpalette.color.spaces import lab_to_lch, lch_to_lab
from kpalette.errors import ArgumentError, PaletteError
from kpalette.page.pictures import decode_upload
from kpalette.palettes.extract import extract_palette
from kpalette.palettes.files import decode_palette
from kpalette.palettes.palette import Palette
from kpalette.palettes.presets import find_palette, list_presets
from kpalette.types import MIN_COLORS

Colors = tuple[str, ...]

HARMONIES = {
    "Complementary": (0.0, 180.0),
    "Triad": (0.0, 120.0, 240.0),
    "Analogous": (0.0, 30.0, -30.0),
    "One colour": (0.0,),
}
"""Degrees of hue, in CIELAB, from the colour that a harmony is built on."""


def matched(source: Sequence[str], target: Palette | Sequence[str], *, match: str = "lightness") -> Colors:
    """Puts a palette in the order of the picture's own colours.

    Args:
        source: the picture's colours.
        target: as many colours; of more, those that fit; of fewer, all, one for each of the first colours.
        match: as in `Palette.matched`.

    Returns:
        Target colours, each for the source colour of its place.
    """
    palette = target if isinstance(target, Palette) else Palette.from_hex(target)
    own = _own_palette(source)
    if len(palette) < len(own):
        return palette.sorted().hex
    return own.matched(palette, match=match).hex


def _own_palette(codes: Sequence[str]) -> Palette:
    """The palette of a picture, which may be a single colour."""
    return Palette.from_rgb([parse_color(code) for code in codes])


def rematched(source: Sequence[str], target: Colors, locked: Sequence[bool], *, match: str) -> Colors:
    """The colours at places that are not locked change places, so that they fit the picture's; see `matched`."""
    free = [i for i in range(min(len(source), len(target))) if not locked[i]]
    result = list(target)
    if len(free) > 1:
        found = matched([source[i] for i in free], [target[i] for i in free], match=match)
        for place, color in zip(free, found, strict=True):
            result[place] = color
    return tuple(result)


def keep_locked(new: Colors, old: Colors, locked: Sequence[bool]) -> Colors:
    """A new palette in which the colours at locked places stay what they were."""
    kept = zip(new, old, locked, strict=False)
    return (*(before if lock else after for after, before, lock in kept), *new[min(len(old), len(locked)) :])


def resized(
    target: Colors, size: int, *, source: Sequence[str], origin: Palette | None, arranged: bool = False
) -> Colors:
    """The palette with another number of colours.

    Args:
        target: as it is.
        size: how many it is to have.
        source: the picture's own colours, `size` or fewer.
        origin: the palette it was taken from, from which further colours come; else the picture's own fill up.
        arranged: whether the colours keep their places, else `origin` is matched anew.

    Returns:
        As many colours.
    """
    if origin is not None and len(origin) >= size and not arranged:
        return matched(source, chosen(origin, size))
    if origin is not None:
        target += tuple(code for code in chosen(origin, size).hex if code not in target)
    return (target + tuple(source)[len(target) :])[:size]


def chosen(palette: Palette, size: int) -> Palette:
    """Of a palette with more colours the `size` that represent it best."""
    colors = "\n".join(palette.hex).encode()
    return palette if len(palette) <= size else decode_palette(colors, name="palette.txt", most=size)


def shuffled(target: Colors, locked: Sequence[bool], *, seed: int) -> Colors:
    """The colours at places that are not locked change places, so that at least two do where two differ."""
    free = [i for i in range(len(target)) if not locked[i]]
    result, generator = list(target), np.random.default_rng(seed)
    if len({target[i] for i in free}) < 2:
        return target
    while tuple(result) == target:
        for place, other in zip(free, generator.permutation(free), strict=True):
            result[place] = target[int(other)]
    return tuple(result)


def swapped(target: Colors, first: int, second: int) -> Colors:
    """Two colours in each other's places."""
    result = list(target)
    result[first], result[second] = result[second], result[first]
    return tuple(result)


def harmony(base: str, name: str, *, source: Sequence[str]) -> Colors:
    """A harmony from one colour, with the lightness of the picture's own colours so that its structure stays.

    Args:
        base: the colour, which becomes one of them.
        name: one of `HARMONIES`.
        source: the picture's colours.

    Returns:
        A colour for each of `source`; the one nearest to `base` in lightness becomes `base`.

    Raises:
        ArgumentError: if there is no such harmony.
    """
    if name not in HARMONIES:
        raise ArgumentError(f"`name` must be one of {', '.join(HARMONIES)}. Received: {name!r}")
    one, own = _own_palette([base]), _own_palette(source)
    _, chroma, hue = lab_to_lch(one.lab)[0]
    lightness = own.lab[:, 0]
    place = int(np.argmin(np.abs(lightness - one.lab[0, 0])))
    turns = HARMONIES[name]
    hues = [hue + turns[(i - place) % len(turns)] for i in range(len(own))]
    colors = Palette(lch_to_lab(np.column_stack([lightness, np.full(len(own), chroma), hues]))).hex
    return (*colors[:place], one.hex[0], *colors[place + 1 :])


def preset(name: str, size: int) -> Palette:
    """A preset, of its colours at most `size`."""
    return find_palette(name, size=min(size, len(list_presets()[name])))


def palette_from_file(data: bytes, *, name: str, size: int) -> Palette:
    """The palette in an uploaded file, at most `size` colours; PaletteError in words for visitors."""
    if not data:
        raise PaletteError(f"{name} is empty (0 bytes)")
    return decode_palette(data, name=name, most=size)


def palette_from_picture(data: bytes, *, name: str, size: int) -> Palette:
    """The colours of an uploaded picture, as `kpalette recolor --like` takes them; ImageError, PaletteError."""
    found = extract_palette(decode_upload(data, name=name), size=size, method="kmeans")
    if len(found) < MIN_COLORS:
        raise PaletteError(f"{name} has a single colour, {found.hex[0]}: a palette needs at least {MIN_COLORS}")
    return found


TAKERS: dict[str, Callable[..., Palette]] = {"file": palette_from_file, "picture": palette_from_picture}
"""How a palette is taken from an upload, by what the upload is."""

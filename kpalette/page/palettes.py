"""Changes of the target palette, which is a tuple of `#rrggbb` in the order of the picture's own colours."""

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
"""The hues of a harmony, in degrees of CIELAB from the hue of the colour that it starts from."""


def matched(source: Sequence[str], target: Palette | Sequence[str], *, match: str = "lightness") -> Colors:
    """Puts a palette in the order of the picture's own colours.

    Args:
        source: the picture's colours.
        target: the palette. If it has more colours than the picture, those that match are taken; if it has fewer, all,
            for the first colours of the picture.
        match: as in `Palette.matched`.

    Returns:
        Target colours, each at the place of its source colour.
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
    """Matches the colours that are not locked to the picture's again; see `matched`."""
    free = [i for i in range(min(len(source), len(target))) if not locked[i]]
    result = list(target)
    if len(free) > 1:
        found = matched([source[i] for i in free], [target[i] for i in free], match=match)
        for place, color in zip(free, found, strict=True):
            result[place] = color
    return tuple(result)


def keep_locked(new: Colors, old: Colors, locked: Sequence[bool]) -> Colors:
    """Takes a new palette, except for the colours that are locked."""
    kept = zip(new, old, locked, strict=False)
    return (*(before if lock else after for after, before, lock in kept), *new[min(len(old), len(locked)) :])


def resized(
    target: Colors, size: int, *, source: Sequence[str], origin: Palette | None, arranged: bool = False
) -> Colors:
    """Changes the number of colours of a palette.

    Args:
        target: the palette.
        size: the new number of colours.
        source: the picture's own colours, `size` or fewer.
        origin: the palette that `target` was taken from, or None. More colours come from it, or else from `source`.
        arranged: whether the colours keep their places; if not, `origin` is matched again.

    Returns:
        `size` colours.
    """
    if origin is not None and len(origin) >= size and not arranged:
        return matched(source, chosen(origin, size))
    if origin is not None:
        target += tuple(code for code in chosen(origin, size).hex if code not in target)
    return (target + tuple(source)[len(target) :])[:size]


def chosen(palette: Palette, size: int) -> Palette:
    """The `size` colours that represent a palette best; all if it has no more."""
    colors = "\n".join(palette.hex).encode()
    return palette if len(palette) <= size else decode_palette(colors, name="palette.txt", most=size)


def shuffled(target: Colors, locked: Sequence[bool], *, seed: int) -> Colors:
    """Shuffles the colours that are not locked. If two of them differ, at least two change places."""
    free = [i for i in range(len(target)) if not locked[i]]
    result, generator = list(target), np.random.default_rng(seed)
    if len({target[i] for i in free}) < 2:
        return target
    while tuple(result) == target:
        for place, other in zip(free, generator.permutation(free), strict=True):
            result[place] = target[int(other)]
    return tuple(result)


def swapped(target: Colors, first: int, second: int) -> Colors:
    """Swaps two colours."""
    result = list(target)
    result[first], result[second] = result[second], result[first]
    return tuple(result)


def harmony(base: str, name: str, *, source: Sequence[str]) -> Colors:
    """Makes a harmony from one colour. It takes the lightness of the picture's colours, so that structure is kept.

    Args:
        base: the colour to start from.
        name: one of `HARMONIES`.
        source: the picture's colours.

    Returns:
        A colour for each of `source`. The one nearest in lightness to `base` becomes `base`.

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
    """A preset, with at most `size` of its colours."""
    return find_palette(name, size=min(size, len(list_presets()[name])))


def palette_from_file(data: bytes, *, name: str, size: int) -> Palette:
    """The palette in an uploaded file, with at most `size` colours; PaletteError for visitors."""
    if not data:
        raise PaletteError(f"{name} is empty (0 bytes)")
    return decode_palette(data, name=name, most=size)


def palette_from_picture(data: bytes, *, name: str, size: int) -> Palette:
    """The colours of an uploaded picture, as `kpalette recolor --like` extracts them; ImageError, PaletteError."""
    found = extract_palette(decode_upload(data, name=name), size=size, method="kmeans")
    if len(found) < MIN_COLORS:
        raise PaletteError(f"{name} has a single colour, {found.hex[0]}: a palette needs at least {MIN_COLORS}")
    return found


TAKERS: dict[str, Callable[..., Palette]] = {"file": palette_from_file, "picture": palette_from_picture}
"""Functions that take a palette from an upload, by the kind of upload."""

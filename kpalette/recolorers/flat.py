"""Flat art: drawings of few even colours, as logos, icons and sprites are. It stays flat, since it gets one colour map.

A picture is flat if `_MAIN` colours cover `_COVERED` of its area, or if it has at most `_FEW` colours and most
neighbours are equal. (A grey photograph has few colours, too, but its neighbours differ.) Then every pixel of one
colour gets one new colour, by whichever recolorer:

1. Each swatch of the source has its main colour: that which covers most of the swatch's cluster. It becomes the target
   swatch, to the last bit at lightness strength 1.
2. A colour between two main ones, as there are along smoothed edges, becomes the same blend of what these became.
3. Any other colour becomes what the recolorer's colour map makes of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kpalette.color.difference import SAME_COLOR, delta_e_2000
from kpalette.color.gamut import reduce_chroma
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab
from kpalette.images.picture import Picture, rgb_to_image
from kpalette.palettes.palette import Palette
from kpalette.parallel import in_parts
from kpalette.types import FloatArray, ImageArray

_MAIN, _COVERED = 16, 0.95
_FEW, _EQUAL = 256, 0.5  # the second: share of neighbours that are equal
_SAMPLE = 20_000  # pixels that show that a picture is not flat, in most cases
_OFF_LINE = 6.0  # levels of 255 that a blend may lie beside the line between two main colours
_PURE = 0.8  # share of the area of a drawing in a theme that has colours of the theme, not blends of them
_STRIP = 1 << 19

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FlatColors:
    """The colours of flat art.

    Attributes:
        levels: the colours, uint8 (n, 3), the most frequent first.
        shares: the part of the visible area that each covers, (n,).

    Example:
        >>> image = np.zeros((4, 4, 3), np.uint8)
        >>> image[0] = 255
        >>> colors = find_flat(Picture(image))
        >>> colors.levels.tolist(), colors.shares.tolist()
        ([[0, 0, 0], [255, 255, 255]], [0.75, 0.25])
    """

    levels: ImageArray
    shares: Floats

    @property
    def rgb(self) -> Floats:
        """The colours as rgb (n, 3) in 0..1."""
        return self.levels / 255.0

    @property
    def main(self) -> int:
        """How many colours, from the first on, are main ones: those that are no rare blends."""
        return max(1, int(np.count_nonzero(self.shares[:_MAIN] >= (1 - _COVERED) / _MAIN)))

    def within(self, palette: Palette) -> bool:
        """Whether the picture is in the colours of a palette already, blends at edges aside."""
        lab = rgb_to_lab(self.rgb)
        near = delta_e_2000(lab[:, np.newaxis], palette.lab[np.newaxis]).min(axis=1) <= SAME_COLOR
        if self.shares[near].sum() < _PURE:
            return False
        _, _, _, distance = _between(self.rgb[~near], palette.rgb)
        return bool((distance <= _OFF_LINE / 255).all())


def find_flat(picture: Picture) -> FlatColors | None:
    """The colours of a picture, if it is flat; None if it is not. Pixels of alpha 0 do not count."""
    if not _may_be_flat(picture):
        return None
    codes = _codes(picture.rgb)
    shown = codes.ravel() if picture.alpha is None else codes[picture.alpha > 0]
    if not shown.size:
        return None
    found, counts = np.unique(shown, return_counts=True)
    few = len(found) <= _FEW and (len(found) <= _MAIN or _evenness(codes) >= _EQUAL)
    if not few and not _covered(counts, _COVERED):
        return None
    order = np.argsort(-counts, kind="stable")
    levels = (found[order, np.newaxis] >> np.array([16, 8, 0])) & 255
    return FlatColors(levels.astype(np.uint8), counts[order] / len(shown))


def recolor_flat(
    image: ImageArray,
    colors: FlatColors,
    color_map: Callable[[FloatArray], FloatArray],
    source: Palette,
    target: Palette,
    *,
    strength: float,
) -> ImageArray:
    """Recolours flat art.

    Args:
        image: uint8 (H, W, 3).
        colors: its colours.
        color_map: CIELAB (n, 3) to CIELAB (n, 3), before chroma reduction.
        source: the picture's palette, k swatches.
        target: what each of them becomes.
        strength: lightness strength, 0..1.

    Returns:
        The new picture, uint8 (H, W, 3): its colours are no more than those of `image`.
    """
    lab = rgb_to_lab(colors.rgb)
    mapped = color_map(lab)
    known = np.arange(len(lab)) < colors.main
    nearest = source.nearest(lab[: colors.main])
    for swatch in range(len(source)):
        own = np.flatnonzero(nearest == swatch)
        if own.size:  # colours are in order of their shares
            new = target.lab[swatch]
            mapped[own[0]] = [lab[own[0], 0] + strength * (new[0] - lab[own[0], 0]), *new[1:]]
    rgb = np.clip(lab_to_rgb(reduce_chroma(mapped)), 0.0, 1.0)
    first, second, part, distance = _between(colors.rgb[~known], colors.rgb[known])
    blend = rgb[known][first] + part[:, np.newaxis] * (rgb[known][second] - rgb[known][first])
    rgb[~known] = np.where((distance <= _OFF_LINE / 255)[:, np.newaxis], blend, rgb[~known])
    return _replaced(image, colors.levels, rgb_to_image(rgb))


def _may_be_flat(picture: Picture) -> bool:
    """What a sample of the pixels says: most pictures are not."""
    step = max(1, picture.rgb.size // (3 * _SAMPLE))
    sample = picture.rgb.reshape(-1, 3)[::step]
    if picture.alpha is not None:
        sample = sample[picture.alpha.reshape(-1)[::step] > 0]
    _, counts = np.unique(_codes(sample), return_counts=True)
    return len(counts) <= _FEW or _covered(counts, _COVERED - 0.05)


def _codes(image: ImageArray) -> NDArray[np.uint32]:
    codes: NDArray[np.uint32] = np.zeros(image.shape[:-1], dtype=np.uint32)
    for channel in range(3):
        codes <<= np.uint32(8)
        codes |= image[..., channel]
    return codes


def _covered(counts: NDArray[np.intp], share: float) -> bool:
    most = np.sort(counts)[::-1][:_MAIN].sum()
    return bool(most >= share * counts.sum())


def _evenness(codes: NDArray[np.uint32]) -> float:
    """The share of neighbours that are equal."""
    same = [codes[:, 1:] == codes[:, :-1], codes[1:] == codes[:-1]]
    return float(sum(map(np.count_nonzero, same)) / max(1, sum(pairs.size for pairs in same)))


def _between(rgb: Floats, ends: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats, Floats]:
    """The pair of ends (m, 3) that each colour (n, 3) lies between: first, second, place in 0..1, distance from it."""
    best = (np.zeros(len(rgb), np.intp), np.zeros(len(rgb), np.intp), np.zeros(len(rgb)), np.full(len(rgb), np.inf))
    for i in range(len(ends)):
        for j in range(i + 1):
            way = ends[j] - ends[i]
            place = np.clip((rgb - ends[i]) @ way / max(way @ way, 1e-12), 0.0, 1.0)
            distance = np.linalg.norm(rgb - ends[i] - place[:, np.newaxis] * way, axis=1)
            closer = distance < best[3]
            for array, value in zip(best, (i, j, place, distance), strict=True):
                array[closer] = value if np.isscalar(value) else value[closer]
    return best


def _replaced(image: ImageArray, levels: ImageArray, new: ImageArray) -> ImageArray:
    """The image with each of its colours replaced; the colour of a hidden pixel that is not among them stays."""
    codes = _codes(levels[np.newaxis])[0]
    order = np.argsort(codes)
    codes, new = codes[order], new[order]
    result = np.array(image)

    def replace_rows(part: slice) -> None:
        own = _codes(image[part])
        place = np.minimum(np.searchsorted(codes, own), len(codes) - 1)
        found = codes[place] == own
        result[part][found] = new[place[found]]

    in_parts(replace_rows, len(image), max(1, _STRIP // image.shape[1]))
    return result

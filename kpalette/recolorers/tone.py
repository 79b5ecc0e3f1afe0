"""Tone: how a picture gets the lightness of a palette before its colours change.

- `local`, the default: regions move as wholes, and the detail inside them stays as it is.
- `curve`: one curve of L for the whole picture, made of straight lines (`kpalette.recolorers.lightness`), which the
  recolorer follows itself. `smooth` is a curve without corners; look-up tables have it.

For `local`, the picture is relit first; then the recolorer changes hue and chroma alone, with the lightness it sees:

1. The picture is shrunk to at most `WORKING_SIZE` pixels. The curve says by how much each pixel's L would move.
2. `smooth_regions` evens that move out inside regions, whose edges are those of the picture in CIELAB. So a region
   moves by what its colours need in the mean, its detail is only shifted, and there is no halo at its edge.
3. Small moves leave black and white where they are, or all of a black would get a veil (`_with_ends`). Where a move
   would leave 0..100, L bends towards the end instead of being cut (`_bend`). Neighbours of which the
   darker would become the lighter one meet half-way (`_in_order`).
4. Chroma is reduced into gamut, with no new edges where the gamut ends (`limit_slopes`).
5. Each swatch of the source moves as its cluster does in the mean, so that the recolorer finds its colours again.
6. The change of rgb is carried to full size along the edges of the picture (`upsample.fit_field`).
"""

from collections.abc import Callable
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from kpalette.color.gamut import reduce_chroma
from kpalette.color.spaces import lab_to_rgb
from kpalette.images.picture import Picture, image_to_lab, image_to_rgb, lab_to_image, resize, rgb_to_image
from kpalette.kernels.loader import kernels_for
from kpalette.palettes.palette import Palette
from kpalette.parallel import in_parts
from kpalette.recolorers.lightness import transfer_lightness
from kpalette.recolorers.slopes import limit_slopes
from kpalette.recolorers.smoothing import smooth_regions
from kpalette.recolorers.upsample import ChangeField, fit_field
from kpalette.types import L_MAX, BoolArray, FloatArray, ImageArray

WORKING_SIZE = 512
"""Longer side, in pixels, of the picture whose regions are found."""

REACH = 0.175
"""How far a move evens out inside a region, as a share of the longer side."""

CONTRAST = 4.0
"""Step in CIELAB that begins to part regions. Brush strokes and grain lie below it, outlines above."""

_ORDER_PASSES = 12  # of `_in_order`
_VEIL = (3.0, 6.0)  # moves up to the first leave black and white, those from the second on move them, too
_VEIL_SLOPE = 0.5  # a small move may be as large as this times the distance from black or white
_BEND = 8.0  # units of L from black or white in which moves bend, at most
_FIELD_SCALE = 100.0  # rgb counts in units that are about those of L, for which the upsampling is tuned
_STRIP = 1 << 19  # pixels that one thread relights at a time

NEVER_ALIKE = 1e6
"""L, a and b that hidden pixels are given where neighbours are compared, so that no neighbour is like them."""


class Relit:
    """A picture in the lightness of a palette.

    Args:
        picture: the picture.
        source: its own palette.
        target: what each swatch of `source` becomes, in its order.
        strength: lightness strength, above 0, up to 1.
        longest: longer side, in pixels, of the picture whose regions are found.

    Attributes:
        before: CIELAB of the shrunk picture, (h, w, 3).
        lab: CIELAB of the relit shrunk picture, in gamut.
        source: the swatches as they are in the relit picture.
        shown: bool (h, w), the pixels of the shrunk picture that are not transparent.

    Example:
        >>> from kpalette import Palette
        >>> picture = Picture(np.full((8, 8, 3), 50, np.uint8))
        >>> relit = Relit(picture, Palette([[20.79, 0, 0]]), Palette([[80.6, 0, 0]]), strength=1.0)
        >>> relit.picture().rgb[0, 0].tolist(), relit.source.hex
        ([200, 200, 200], ('#c8c8c8',))
    """

    def __init__(
        self, picture: Picture, source: Palette, target: Palette, *, strength: float, longest: int = WORKING_SIZE
    ) -> None:
        """See the class."""
        self._kernels = kernels_for(picture.rgb.size // 3)
        self._picture, self._longest = picture, longest
        self._small, hidden = shrink(picture, source, longest=longest)
        self.before = image_to_lab(self._small)
        self.shown = _shown(self.before, hidden)
        moved = _moved(self.before, source, target, strength, hidden, self._kernels)
        lit = np.dstack([moved, self.before[..., 1:]])
        self.lab = limit_slopes(self.before, lit, kernels=self._kernels)
        self.source = _lit_swatches(self.before, self.lab, source, hidden)

    @cached_property
    def _change(self) -> FloatArray | ChangeField:
        """The change of rgb, (H, W, 3) or its field."""
        before = image_to_rgb(self._small)
        change: FloatArray = np.clip(lab_to_rgb(self.lab), 0.0, 1.0) - before
        height, width = self._picture.rgb.shape[:2]
        if change.shape[:2] == (height, width):
            return change
        return fit_field(_FIELD_SCALE * change, _FIELD_SCALE * before, height=height, width=width)

    @cached_property
    def _nodes(self) -> FloatArray | None:
        """The field as kernels need it; None without them."""
        if self._kernels is None or not isinstance(self._change, ChangeField):
            return None
        nodes: FloatArray = self._kernels.field_nodes(self._change.planes)
        return nodes

    def suits(self, picture: Picture, longest: int) -> bool:
        """Whether this is a `picture`, its regions found at a size of `longest`."""
        return picture is self._picture and longest == self._longest

    def picture(self) -> Picture:
        """The relit picture, 8 bits."""
        return self._relit_picture

    @cached_property
    def _relit_picture(self) -> Picture:
        image: ImageArray = self._by_rows(self._picture.rgb, self._relit_bytes)
        return self._picture.with_rgb(image)

    def floats(self, rgb: FloatArray) -> FloatArray:
        """Relights float rgb (H, W, 3) in 0..1, of which the picture is the 8-bit form, at full precision."""
        relit: FloatArray = self._by_rows(rgb, self._relit_rows)
        return relit

    @staticmethod
    def _by_rows(pixels: Any, relight: Callable[[Any, slice, Any], None]) -> Any:
        result = np.empty_like(pixels)

        def relight_part(rows: slice) -> None:
            relight(pixels[rows], rows, result[rows])

        in_parts(relight_part, len(result), max(1, _STRIP // result.shape[1]))
        return result

    def _relit_bytes(self, image: ImageArray, rows: slice, result: ImageArray) -> None:
        if self._kernels is not None and self._nodes is not None:
            height = self._picture.rgb.shape[0]
            self._kernels.relight(image, self._nodes, scale=_FIELD_SCALE, top=rows.start, height=height, result=result)
        else:
            relit = np.empty(image.shape, np.float32)
            self._relit_rows(image_to_rgb(image), rows, relit)
            result[...] = rgb_to_image(relit)

    def _relit_rows(self, rgb: FloatArray, rows: slice, result: FloatArray) -> None:
        if isinstance(self._change, ChangeField):
            change = self._change.rows(rows, _FIELD_SCALE * rgb) / np.float32(_FIELD_SCALE)
        else:
            change = self._change[rows]
        result[...] = np.clip(rgb + change, 0.0, 1.0)


def whole_move(picture: Picture, source: Palette, target: Palette, *, longest: int) -> tuple[FloatArray, FloatArray]:
    """The lightness of a shrunk picture, and what it becomes at strength 1.

    Args:
        picture: the picture.
        source: its own palette.
        target: what each swatch of `source` becomes, in its order.
        longest: longer side, in pixels, of the shrunk picture.

    Returns:
        L of the pixels that are not transparent, (n,), before and after.

    Example:
        >>> picture = Picture(np.full((2, 2, 3), 50, np.uint8))
        >>> L, moved = whole_move(picture, Palette([[20.79, 0, 0]]), Palette([[80.6, 0, 0]]), longest=256)
        >>> L.round().tolist(), moved.round().tolist()
        ([21.0, 21.0, 21.0, 21.0], [81.0, 81.0, 81.0, 81.0])
    """
    small, hidden = shrink(picture, source, longest=longest)
    before = image_to_lab(small)
    moved = _moved(before, source, target, 1.0, hidden, kernels_for(picture.rgb.size // 3))
    shown = _shown(before, hidden)
    return before[..., 0][shown], moved[shown]


def _shown(lab: FloatArray, hidden: BoolArray | None) -> BoolArray:
    """Which pixels of CIELAB (h, w, 3) are not hidden: all, if all are."""
    return np.ones(lab.shape[:2], dtype=np.bool_) if hidden is None or hidden.all() else ~hidden


def shrink(picture: Picture, source: Palette, *, longest: int) -> tuple[ImageArray, BoolArray | None]:
    """Shrinks a picture, without an influence of its hidden pixels.

    Args:
        picture: the picture.
        source: its own palette.
        longest: longer side of the result, in pixels; smaller pictures stay as they are.

    Returns:
        uint8 sRGB (h, w, 3), and which of its pixels are mostly hidden, (h, w); None if none is.
    """
    hidden = hidden_pixels(picture)
    small = resize(without_hidden(picture.rgb, hidden, source), longest=longest)
    if hidden is None:
        return small, None
    marked = np.dstack([np.where(hidden, np.uint8(255), np.uint8(0))] * 3)
    return small, resize(marked, longest=longest)[..., 0] > 128


def hidden_pixels(picture: Picture) -> BoolArray | None:
    """Pixels of alpha 0, bool (H, W); None if there are none."""
    return None if picture.alpha is None or picture.alpha.all() else picture.alpha == 0


def without_hidden(rgb: ImageArray, hidden: BoolArray | None, source: Palette) -> ImageArray:
    """Paints hidden pixels in the picture's main colour, so that their own colour does not influence neighbours."""
    if hidden is None:
        return rgb
    main = int(np.argmax(source.shares))
    plain = lab_to_image(source.lab[main][np.newaxis, np.newaxis])[0, 0]
    return np.where(hidden[..., np.newaxis], plain, rgb)


def _moved(
    lab: FloatArray,
    source: Palette,
    target: Palette,
    strength: float,
    hidden: BoolArray | None,
    kernels: ModuleType | None,
) -> FloatArray:
    """The new L of CIELAB (h, w, 3)."""
    L = lab[..., 0]
    move = transfer_lightness(L, source, target, strength=1.0) - L
    guide = lab
    if hidden is not None:
        guide = np.where(hidden[..., np.newaxis], np.float32(NEVER_ALIKE), lab)
    even = smooth_regions(move, guide, reach=REACH * max(L.shape), contrast=CONTRAST, kernels=kernels)
    moved = _bend(L, _with_ends(L, (strength * even).astype(np.float32)))
    if kernels is None:
        return _in_order(L, moved)
    kernels.bring_in_order(np.ascontiguousarray(L), moved, passes=_ORDER_PASSES)
    return moved


def _with_ends(L: FloatArray, move: FloatArray) -> FloatArray:
    """A move, less of it near black and white if it is small."""
    low, high = _VEIL
    part = np.clip((np.abs(move) - low) / (high - low), 0.0, 1.0)
    near: FloatArray = np.clip(move, _VEIL_SLOPE * (L - L_MAX), _VEIL_SLOPE * L)
    return near + part * (move - near)


def _bend(L: FloatArray, move: FloatArray) -> FloatArray:
    """L plus a move, bent near black and white so that detail there is not cut off; L itself where the move is 0."""
    reach = np.minimum(np.abs(move), np.float32(_BEND))
    safe = np.maximum(reach, 1e-6)
    moved = L + move
    low, high = reach - moved, moved - (L_MAX - reach)
    moved = np.where(low > 0, reach * np.exp(-np.maximum(low, 0.0) / safe), moved)
    return np.where(high > 0, L_MAX - reach * np.exp(-np.maximum(high, 0.0) / safe), moved)


def _in_order(L: FloatArray, moved: FloatArray) -> FloatArray:
    """Moves neighbours that have changed places, the darker one being lighter now, to one L between them."""
    moved = np.array(moved)
    for _ in range(_ORDER_PASSES):
        shift, count = np.zeros_like(moved), np.zeros_like(moved)
        for axis in (0, 1):
            step = np.diff(moved, axis=axis)
            wrong = np.diff(L, axis=axis) * step < 0
            half = np.where(wrong, step / 2, 0)
            for sign, beside in ((1, (0, 1)), (-1, (1, 0))):  # the first pixel of each pair, then the second
                widths = [beside if i == axis else (0, 0) for i in (0, 1)]
                shift += sign * np.pad(half, widths)
                count += np.pad(wrong, widths)
        if not count.any():
            break
        moved += shift / np.maximum(count, 1)
    return moved


def _lit_swatches(lab: FloatArray, lit: FloatArray, source: Palette, hidden: BoolArray | None) -> Palette:
    """The swatches, each with its L moved by the mean move of the pixels that are nearest to it."""
    shown = slice(None) if hidden is None or hidden.all() else ~hidden.ravel()
    nearest = source.nearest(lab.reshape(-1, 3)[shown])
    moves = (lit[..., 0] - lab[..., 0]).ravel()[shown]
    counts = np.bincount(nearest, minlength=len(source))
    mean = np.bincount(nearest, moves, minlength=len(source)) / np.maximum(counts, 1)
    swatches = np.array(source.lab)
    swatches[:, 0] = np.clip(swatches[:, 0] + mean, 0.0, L_MAX)
    return Palette(reduce_chroma(swatches), source.shares)

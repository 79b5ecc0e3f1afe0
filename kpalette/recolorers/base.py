"""The protocol `Recolorer`, the `Plan` that it carries out, and the base of those that are one colour map.

A recolorer takes a picture and a `Plan` and gives a `Recolored`. To add one, see `kpalette.recolorers.registry`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from kpalette.color.gamut import in_gamut, reduce_chroma
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab
from kpalette.images.picture import Picture, image_to_rgb, rgb_to_image
from kpalette.kernels.loader import kernels_for
from kpalette.palettes.palette import Palette
from kpalette.recolorers.flat import FlatColors, find_flat, recolor_flat
from kpalette.recolorers.lattice import LATTICE_SIZE, ColorMap, Lattice
from kpalette.recolorers.lightness import smooth_lightness, transfer_lightness
from kpalette.recolorers.strength import auto_strength
from kpalette.recolorers.tone import WORKING_SIZE, Relit, whole_move
from kpalette.types import TONES, BoolArray, FloatArray, ImageArray

_STRENGTH_SIDE = 256
"""Longer side, in pixels, of the picture that a strength is chosen on."""

_FEW_PIXELS = 1 << 16
"""Up to this number of pixels, mapping each one is faster than baking a lattice of 65^3 nodes."""


@dataclass(frozen=True)
class Recolored:
    """A recoloured picture.

    Attributes:
        image: uint8 sRGB (H, W, 3), the size of the source.
        measure_clipped: computes `clipped`.

    Example:
        >>> import numpy as np
        >>> from kpalette import Recolored
        >>> Recolored(np.zeros((2, 2, 3), np.uint8), lambda: 0.25).clipped
        0.25
    """

    image: ImageArray
    measure_clipped: Callable[[], float]

    @property
    def clipped(self) -> float:
        """Share of pixels, 0..1, that lay outside sRGB before chroma reduction. A network counts at working size."""
        return self.measure_clipped()


class Recolorer(Protocol):
    """Puts a picture into the colours of a palette. Any object with these attributes and this method is one.

    Attributes:
        name: its name in tables and messages.
        extraction: the `method` of `extract_palette` that suits it, "kmeans" or "chang".

    Example:
        >>> import numpy as np
        >>> from kpalette import Recolored, recolor
        >>> class Invert:
        ...     name, extraction = "invert", "kmeans"
        ...     def apply(self, picture, plan):
        ...         return Recolored(255 - picture.rgb, lambda: 0.0)
        >>> image = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
        >>> recolor(image, "red blue", model=Invert(), lightness=0).tolist()
        [[[255, 255, 255], [0, 0, 0]]]
    """

    name: str
    extraction: str

    def apply(self, picture: Picture, plan: "Plan") -> Recolored:
        """Recolours a picture's rgb: the i-th swatch of `plan.source` becomes the i-th of `plan.target`.

        A lightness strength above 0 asks for one curve of lightness, `Plan.moved_lightness`. Where the tone is
        "local", `Plan.apply` relights the picture first, and the strength here is 0; a recolorer with an attribute
        `relights` that is true gets the picture and the plan as they are. One that has a `flat_map(picture, plan)` has
        flat art recoloured by that colour map instead.
        """
        ...


@dataclass(frozen=True)
class Plan:
    """A recolouring with every choice made. `Recipe.plan` makes one for a picture; `apply` carries it out.

    Attributes:
        recolorer: the recolorer.
        source: the picture's own palette.
        target: what each swatch of `source` becomes, in its order.
        lightness: lightness strength, 0..1: 0 keeps the picture's lightness, 1 takes the palette's.
        tone: how lightness moves, one of `TONES`: see `kpalette.recolorers.tone`.
        lit: the picture in the palette's lightness, if it was found already; see `with_lit`.

    Example:
        >>> import numpy as np
        >>> from kpalette import Palette, Picture, Plan, get_recolorer
        >>> plan = Plan(get_recolorer("soft"), Palette.parse("navy red"), Palette.parse("green yellow"), 1.0)
        >>> plan.apply(Picture(np.array([[[255, 0, 0]]], np.uint8))).image.tolist()
        [[[255, 255, 0]]]
    """

    recolorer: Recolorer
    source: Palette
    target: Palette
    lightness: float
    tone: str = TONES[0]
    lit: Relit | None = field(default=None, repr=False, compare=False)

    def apply(self, picture: Picture) -> Recolored:
        """Recolours the rgb of a picture of any size."""
        flat = self._flat_colors(picture)
        if flat is not None:
            return self._recolor_flat(picture, flat)
        relit = self._relit_first(picture)
        if relit is None:
            return self.recolorer.apply(picture, self)
        return self.recolorer.apply(relit.picture(), self._without_lightness(relit))

    def apply_float(self, rgb: FloatArray, picture: Picture) -> FloatArray:
        """Recolours float rgb (H, W, 3) in 0..1, by the recolorer's `apply_float` if it has one, else as 8 bits.

        Args:
            rgb: the pixels.
            picture: their 8-bit form.

        Returns:
            rgb in 0..1, the shape and dtype of `rgb`.
        """
        flat = self._flat_colors(picture)
        if flat is not None and np.abs(rgb - image_to_rgb(picture.rgb)).max() < 1e-6:
            drawn: FloatArray = image_to_rgb(self._recolor_flat(picture, flat).image).astype(rgb.dtype)
            return drawn
        plan, relit = self, self._relit_first(picture)
        if relit is not None:
            rgb, plan = relit.floats(rgb), self._without_lightness(relit)
            picture = picture.with_rgb(rgb_to_image(rgb))
        in_floats = getattr(self.recolorer, "apply_float", None)
        if in_floats is None:
            result: FloatArray = image_to_rgb(self.recolorer.apply(picture, plan).image).astype(rgb.dtype)
        else:
            result = in_floats(rgb, picture, plan)
        return result

    @property
    def changes_nothing(self) -> bool:
        """Whether every swatch becomes itself."""
        return np.array_equal(self.source.lab, self.target.lab)

    def moved_lightness(self, L: FloatArray) -> FloatArray:
        """Moves L, 0..100 and of any shape, along the curve of the palettes: the smooth one if the tone is "smooth"."""
        move = smooth_lightness if self.tone == "smooth" else transfer_lightness
        return move(L, self.source, self.target, strength=self.lightness)

    def auto_strength(self, picture: Picture) -> float:
        """The lightness strength that "auto" chooses for a picture; see `kpalette.recolorers.strength`."""
        if self.changes_nothing or self._flat_colors(picture) is not None:
            return 1.0
        L, moved = whole_move(picture, self.source, self.target, longest=_STRENGTH_SIDE)
        if self.tone != "local":
            moved = replace(self, lightness=1.0).moved_lightness(L)
        return auto_strength(L, moved)

    def _flat_colors(self, picture: Picture) -> FlatColors | None:
        """The colours of flat art that gets one colour map; None for other pictures and recolorers."""
        if not hasattr(self.recolorer, "flat_map") or self.changes_nothing:
            return None
        return find_flat(picture)

    def _recolor_flat(self, picture: Picture, flat: FlatColors) -> Recolored:
        color_map: ColorMap = self.recolorer.flat_map(picture, self)  # type: ignore[attr-defined]
        image = recolor_flat(picture.rgb, flat, color_map, self.source, self.target, strength=self.lightness)
        return Recolored(image, lambda: float(flat.shares @ ~in_gamut(color_map(rgb_to_lab(flat.rgb)))))

    def _relit_first(self, picture: Picture) -> Relit | None:
        return None if getattr(self.recolorer, "relights", False) else self.relit(picture)

    def _without_lightness(self, relit: Relit) -> "Plan":
        return replace(self, source=relit.source, lightness=0.0, lit=None)

    def with_lit(self, picture: Picture) -> "Plan":
        """The plan for one picture, which it relights only once: for several recolorers, one after another."""
        return self if self._flat_colors(picture) is not None else replace(self, lit=self.relit(picture))

    def relit(self, picture: Picture, *, longest: int = WORKING_SIZE) -> Relit | None:
        """The picture in the palette's lightness, found at a size; None if that moves by a curve, or not at all."""
        if self.tone != "local" or self.lightness == 0.0 or self.changes_nothing:
            return None
        if self.lit is not None and self.lit.suits(picture, longest):
            return self.lit
        return Relit(picture, self.source, self.target, strength=self.lightness, longest=longest)


class ColorMapRecolorer(ABC):
    """A recolorer that is one colour map: a pixel's new colour depends on its old colour alone. See `Recolorer`.

    Such a map can be written as a look-up table for other programs.

    Example:
        >>> from kpalette import get_recolorer
        >>> isinstance(get_recolorer("soft"), ColorMapRecolorer)
        True
    """

    name: str
    extraction: str

    @abstractmethod
    def color_map(self, plan: Plan) -> ColorMap:
        """Makes the exact map: lab (n, 3) to lab (n, 3), before chroma reduction."""

    def color_map_for(self, picture: Picture, plan: Plan) -> ColorMap:
        """Makes the exact map for one picture, for recolorers that use more of it than its palette."""
        return self.color_map(plan)

    def flat_map(self, picture: Picture, plan: Plan) -> ColorMap:
        """The map for flat art; see `kpalette.recolorers.flat`."""
        return self.color_map_for(picture, plan)

    def lattice(self, picture: Picture, plan: Plan, *, size: int = LATTICE_SIZE) -> Lattice:
        """Bakes the map for one picture into a lattice of `size` nodes a side, chroma reduced into sRGB."""
        kernels = kernels_for(picture.rgb.size // 3)
        return Lattice.bake(self.color_map_for(picture, plan), size=size, kernels=kernels)

    def apply(self, picture: Picture, plan: Plan) -> Recolored:
        """Recolours a picture's rgb: the i-th swatch of `plan.source` becomes the i-th of `plan.target`."""
        if picture.rgb.size <= 3 * _FEW_PIXELS:
            rgb, inside = _map_pixels(self.color_map_for(picture, plan), image_to_rgb(picture.rgb))
            return Recolored(rgb_to_image(rgb), lambda: float(1.0 - inside.mean()))
        lattice = self.lattice(picture, plan)
        return Recolored(lattice.apply(picture.rgb), lambda: lattice.clipped(picture.rgb))

    def apply_float(self, rgb: FloatArray, picture: Picture, plan: Plan) -> FloatArray:
        """Recolours float rgb (H, W, 3) in 0..1 at full precision; `picture` is its 8-bit form."""
        if picture.rgb.size <= 3 * _FEW_PIXELS:
            return _map_pixels(self.color_map_for(picture, plan), rgb.astype(np.float32))[0].astype(rgb.dtype)
        return self.lattice(picture, plan).apply_float(rgb)


def _map_pixels(color_map: ColorMap, rgb: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Maps every pixel without a lattice. Also returns which pixels lay inside sRGB before chroma reduction."""
    raw = color_map(rgb_to_lab(rgb).reshape(-1, 3))
    result: FloatArray = np.clip(lab_to_rgb(reduce_chroma(raw)), 0.0, 1.0).reshape(rgb.shape)
    return result, in_gamut(raw)

"""What a recolourer is, and the base of those that are one colour mapping baked into a lattice."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from kpalette.color.gamut import in_gamut, reduce_chroma
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab
from kpalette.images.picture import Picture, image_to_rgb, rgb_to_image
from kpalette.palettes.palette import Palette
from kpalette.recolorers.lattice import LATTICE_SIZE, ColorMap, Lattice
from kpalette.types import BoolArray, FloatArray, ImageArray

_FEW_PIXELS = 1 << 16
"""Up to so many pixels, mapping each is faster than baking the 65^3 nodes of a lattice."""


@dataclass(frozen=True)
class Recolored:
    """What a recolourer gives.

    Attributes:
        image: uint8 sRGB (H, W, 3), the size of the source.
        measure_clipped: computes `clipped`, when asked.
    """

    image: ImageArray
    measure_clipped: Callable[[], float]

    @property
    def clipped(self) -> float:
        """Share of pixels, 0..1, that lay outside sRGB before chroma reduction; of networks, at working size."""
        return self.measure_clipped()


class Recolorer(Protocol):
    """Puts a picture into the colours of a palette.

    Attributes:
        name: by which `recolor` and the command line choose it.
        title: one line that says what it does.
        extraction: the method of `extract_palette` that suits it.
        default_lightness: the lightness strength it takes when none is given.
    """

    name: str
    title: str
    extraction: str
    default_lightness: float

    def apply(self, picture: Picture, source: Palette, target: Palette, *, lightness: float) -> Recolored:
        """Recolours a picture's rgb: the i-th swatch of `source` becomes the i-th of `target`."""
        ...


class LatticeRecolorer(ABC):
    """A recolourer whose mapping depends on a pixel's colour alone; see `Recolorer`."""

    name: str
    title: str
    extraction: str
    default_lightness: float

    @abstractmethod
    def mapping(self, source: Palette, target: Palette, *, lightness: float) -> ColorMap:
        """The exact mapping: lab (n, 3) to lab (n, 3), before chroma reduction."""

    def mapping_for(self, picture: Picture, source: Palette, target: Palette, *, lightness: float) -> ColorMap:
        """The exact mapping, suited to a picture where the recolourer looks at more than its palette."""
        return self.mapping(source, target, lightness=lightness)

    def lattice(
        self, picture: Picture, source: Palette, target: Palette, *, lightness: float, size: int = LATTICE_SIZE
    ) -> Lattice:
        """The mapping for a picture baked into an RGB lattice of `size` nodes a side, chroma reduced into sRGB."""
        return Lattice.bake(self.mapping_for(picture, source, target, lightness=lightness), size=size)

    def apply(self, picture: Picture, source: Palette, target: Palette, *, lightness: float) -> Recolored:
        """Recolours a picture's rgb: the i-th swatch of `source` becomes the i-th of `target`."""
        if picture.rgb.size <= 3 * _FEW_PIXELS:
            mapping = self.mapping_for(picture, source, target, lightness=lightness)
            rgb, inside = _exact(mapping, image_to_rgb(picture.rgb))
            return Recolored(rgb_to_image(rgb), lambda: float(1.0 - inside.mean()))
        lattice = self.lattice(picture, source, target, lightness=lightness)
        return Recolored(lattice.apply(picture.rgb), lambda: lattice.clipped(picture.rgb))

    def apply_float(
        self, rgb: FloatArray, picture: Picture, source: Palette, target: Palette, *, lightness: float
    ) -> FloatArray:
        """The same for float rgb (H, W, 3) in 0..1, which keeps its precision; `picture` is its 8-bit form."""
        if picture.rgb.size <= 3 * _FEW_PIXELS:
            mapping = self.mapping_for(picture, source, target, lightness=lightness)
            return _exact(mapping, rgb.astype(np.float32))[0].astype(rgb.dtype)
        return self.lattice(picture, source, target, lightness=lightness).apply_float(rgb)


def _exact(mapping: ColorMap, rgb: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Maps every pixel by itself, without a lattice; also tells which lay inside sRGB before chroma reduction."""
    raw = mapping(rgb_to_lab(rgb).reshape(-1, 3))
    result: FloatArray = np.clip(lab_to_rgb(reduce_chroma(raw)), 0.0, 1.0).reshape(rgb.shape)
    return result, in_gamut(raw)

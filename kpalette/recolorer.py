"""What a recolourer is, and the base of those that are one colour mapping baked into a lattice."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kpalette.images import Picture
from kpalette.lut import Lattice, Mapping
from kpalette.palette import Palette
from kpalette.types import ImageArray


@dataclass(frozen=True)
class Recolored:
    """What a recolourer gives.

    Attributes:
        image: uint8 sRGB (H, W, 3), the size of the source.
        measure_clipped: computes the share of pixels that lay outside sRGB before chroma reduction, when asked.
    """

    image: ImageArray
    measure_clipped: Callable[[], float]

    @property
    def clipped(self) -> float:
        """Share of pixels, 0..1, that lay outside sRGB before chroma reduction."""
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
    def mapping(self, source: Palette, target: Palette, *, lightness: float) -> Mapping:
        """The exact mapping: lab (n, 3) to lab (n, 3), before chroma reduction."""

    def lattice(self, picture: Picture, source: Palette, target: Palette, *, lightness: float) -> Lattice:
        """The mapping baked for a picture into an RGB lattice, chroma reduced into sRGB."""
        return Lattice.bake(self.mapping(source, target, lightness=lightness))

    def apply(self, picture: Picture, source: Palette, target: Palette, *, lightness: float) -> Recolored:
        """Recolours a picture's rgb: the i-th swatch of `source` becomes the i-th of `target`."""
        lattice = self.lattice(picture, source, target, lightness=lightness)
        return Recolored(lattice.apply(picture.rgb), lambda: lattice.clipped(picture.rgb))

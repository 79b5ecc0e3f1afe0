"""RGB lattices: a colour map evaluated at the nodes of a cube, then applied to pictures by interpolation.

A lattice of n nodes a side holds the new colour of n^3 colours: rgb = (i, j, k) / (n - 1). A colour in between gets the
trilinear interpolation of the eight nodes around it. For large pictures that is much faster than the exact map, and the
same table can be written for other programs (`kpalette.recolorers.lut_files`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import ModuleType

import numpy as np
from PIL import Image, ImageFilter

from kpalette.color.gamut import in_gamut, reduce_chroma
from kpalette.color.spaces import lab_to_rgb, rgb_to_lab
from kpalette.kernels.loader import kernels_for
from kpalette.parallel import in_parts
from kpalette.types import BoolArray, FloatArray, ImageArray

LATTICE_SIZE = 65
"""Nodes a side. With 33, the error of the worst pictures is several dE at the 99th percentile."""

ColorMap = Callable[[FloatArray], FloatArray]
"""A colour map: lab (n, 3) to lab (n, 3). Its results may lie outside sRGB."""

_STRIP = 1 << 20  # pixels that one thread maps by Pillow at a time
_CHUNK = 1 << 15  # pixels that one thread maps by NumPy at a time

_BAKE_CHUNK = 68_657
"""Nodes that one thread evaluates at a time, a quarter of 65^3.

With fewer, threads mostly wait for the interpreter lock. A power of 2 would put all columns in the same cache sets.
"""


@lru_cache(maxsize=4)
def lattice_lab(size: int) -> FloatArray:
    """Lab of every node, float32 (size^3, 3), read-only. Red varies fastest, then green, as in Pillow and in .cube."""
    axis = np.linspace(0.0, 1.0, size)
    b, g, r = np.meshgrid(axis, axis, axis, indexing="ij")
    lab: FloatArray = rgb_to_lab(np.stack([r, g, b], axis=-1).reshape(-1, 3)).astype(np.float32)
    lab.setflags(write=False)
    return lab


@dataclass(frozen=True, eq=False)
class Lattice:
    """A colour map as a table of rgb.

    Attributes:
        table: float32 (size, size, size, 3), rgb in 0..1, indexed by blue, green, red.
        outside: bool (size, size, size), the nodes whose new colour lay outside sRGB before chroma reduction.

    Example:
        >>> lattice = Lattice.bake(lambda lab: lab * [1, 0, 0], size=17)  # to grey
        >>> lattice.apply(np.array([[[255, 0, 0]]], np.uint8)).tolist()
        [[[127, 127, 127]]]
    """

    table: FloatArray
    outside: BoolArray

    @property
    def size(self) -> int:
        """Nodes a side."""
        return len(self.table)

    @classmethod
    def bake(cls, color_map: ColorMap, *, size: int = LATTICE_SIZE, kernels: ModuleType | None = None) -> "Lattice":
        """Evaluates a colour map at every node, and brings the results into sRGB by chroma reduction.

        Args:
            color_map: lab (n, 3) to lab (n, 3).
            size: nodes a side, 2 to 65 (Pillow's limit).
            kernels: what `kpalette.kernels.loader.kernels_for` gives; None works in NumPy.

        Returns:
            The lattice.
        """
        nodes = lattice_lab(size)
        rgb, outside = np.empty_like(nodes), np.empty(len(nodes), dtype=np.bool_)

        def bake_part(part: slice) -> None:
            raw = color_map(nodes[part])
            if kernels is not None:
                rgb[part], outside[part] = kernels.nodes_to_rgb(raw)
                return
            outside[part] = ~in_gamut(raw)
            rgb[part] = np.clip(lab_to_rgb(reduce_chroma(raw)), 0.0, 1.0)

        in_parts(bake_part, len(nodes), _BAKE_CHUNK)
        shape = (size, size, size)
        return cls(rgb.reshape(*shape, 3), outside.reshape(shape))

    @cached_property
    def _filter(self) -> ImageFilter.Color3DLUT:
        return ImageFilter.Color3DLUT(self.size, self.table.reshape(-1))

    def apply(self, image: ImageArray) -> ImageArray:
        """Maps an image, uint8 (H, W, 3), by trilinear interpolation. The identity is exact."""
        result: ImageArray = np.empty(image.shape, dtype=np.uint8)
        kernels = kernels_for(image.size // 3)
        levels = None if kernels is None else kernels.lattice_levels(self.table)

        def apply_rows(part: slice) -> None:
            if kernels is not None:
                kernels.look_up(image[part], levels, result[part])
            else:
                rows = Image.fromarray(np.ascontiguousarray(image[part]))
                result[part] = np.asarray(rows.filter(self._filter))

        # In strips: Pillow copies the pixels, at 4 bytes each.
        in_parts(apply_rows, len(image), max(1, _STRIP // max(1, image.shape[1])))
        return result

    def apply_float(self, rgb: FloatArray) -> FloatArray:
        """Maps float rgb (..., 3) in 0..1 by trilinear interpolation, in float32; keeps shape and dtype."""
        flat = np.asarray(rgb).reshape(-1, 3)
        result = np.empty_like(flat)

        def apply_chunk(part: slice) -> None:
            result[part] = self._interpolate(flat[part].astype(np.float32))

        in_parts(apply_chunk, len(flat), _CHUNK)
        return result.reshape(np.shape(rgb))

    def _interpolate(self, rgb: FloatArray) -> FloatArray:
        position = np.clip(rgb, 0.0, 1.0) * np.float32(self.size - 1)
        low = np.minimum(position.astype(np.intp), self.size - 2)
        r, g, b = ((position - low).astype(np.float32)[:, i : i + 1] for i in range(3))
        nodes, base = self.table.reshape(-1, 3), low @ np.array([1, self.size, self.size**2])

        def along_red(offset: int) -> FloatArray:
            first: FloatArray = nodes.take(base + offset, axis=0)
            second: FloatArray = nodes.take(base + (offset + 1), axis=0)
            return first + r * (second - first)

        def along_green(offset: int) -> FloatArray:
            first, second = along_red(offset), along_red(offset + self.size)
            return first + g * (second - first)

        first, second = along_green(0), along_green(self.size**2)
        return first + b * (second - first)

    def clipped(self, image: ImageArray) -> float:
        """Share of the pixels of an image, uint8 (H, W, 3), whose nearest node is in `outside`; 0..1."""
        steps = (np.arange(256) * (self.size - 1) + 127) // 255
        outside, counts = self.outside.reshape(-1), []

        def count_rows(part: slice) -> None:
            r, g, b = (image[part, :, i] for i in range(3))
            nearest = steps.take(r) + (steps * self.size).take(g) + (steps * self.size**2).take(b)
            counts.append(np.count_nonzero(outside.take(nearest)))

        in_parts(count_rows, len(image), max(1, _CHUNK // max(1, image.shape[1])))
        return float(sum(counts) / (image.size // 3))

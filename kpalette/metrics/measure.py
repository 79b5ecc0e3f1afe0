"""`measure`: all figures of a recolouring at once; `Original` measures several of one picture.

What the figures need of the source alone is computed once: its CIELAB, the moments of its grey, its smooth neighbours,
its edges, its objects and its richness. That is more than half of the work.
"""

from functools import cached_property

import numpy as np

from kpalette.images.picture import Picture, as_picture, image_to_lab
from kpalette.metrics.distance import palette_figures
from kpalette.metrics.figures import (
    FIGURES,
    check_pair,
    edges_in_smooth,
    effective_colors,
    grey_of,
    rgb_of,
    smooth_pairs,
    ssim,
)
from kpalette.metrics.halo import Beside, find_edges, halo_beside
from kpalette.metrics.objects import Labels, parts_hues, segment, split_of
from kpalette.metrics.structure import WINDOW, Moments, map_terms, mean_terms, whole_windows, window_moments
from kpalette.palettes.convert import as_palette
from kpalette.palettes.palette import Palette
from kpalette.types import BoolArray, FloatArray, ImageArray

_HIDDEN = np.uint8(128)


def measure(
    source: ImageArray | Picture,
    output: ImageArray | Picture,
    target: Palette | str,
    *,
    alpha: ImageArray | None = None,
) -> dict[str, float]:
    """Measures one recolouring by all `FIGURES`.

    Args:
        source: a `Picture`, or uint8 sRGB (H, W, 3).
        output: the source recoloured, likewise.
        target: the palette that was asked for, or what `as_palette` makes one of.
        alpha: uint8 (H, W): pixels of alpha 0 do not count. That of `output` if None.

    Returns:
        Figures by name, in the order of `FIGURES`.

    Raises:
        ArgumentError: if the sizes differ, or one is no such image.
        PaletteError: if `target` cannot be read.

    Example:
        >>> picture = kpalette.read_image("photo.jpg")
        >>> figures = kpalette.measure(picture, picture, "orange saddlebrown")
        >>> figures["ssim"], figures["richness"], round(figures["palette_de"], 1)
        (1.0, 1.0, 25.2)
    """
    target = as_palette(target, name="target")
    if alpha is None and isinstance(output, Picture):
        alpha = output.alpha
    source, output = rgb_of(source, "source"), rgb_of(output, "output")
    check_pair(source, output)
    return Original(source, alpha=alpha).figures(output, target)


class Original:
    """A picture, against which recolourings of it are measured.

    Args:
        source: uint8 sRGB (H, W, 3).
        alpha: uint8 (H, W): pixels of alpha 0 do not count; all count if None.

    Example:
        >>> image = kpalette.read_image("photo.jpg").rgb
        >>> original = Original(image)
        >>> [original.figures(x, kpalette.Palette.parse("red blue"))["ssim"] for x in (image, image)]
        [1.0, 1.0]
    """

    def __init__(self, source: ImageArray, *, alpha: ImageArray | None = None) -> None:
        """See the class."""
        self._shown = np.ones(source.shape[:2], dtype=np.bool_) if alpha is None else alpha > 0
        self._all_shown, self._alpha = bool(self._shown.all()), alpha
        self._source = self._covered(source)

    def figures(self, output: ImageArray, target: Palette) -> dict[str, float]:
        """The `FIGURES` of a recolouring, uint8 sRGB of the same size; see `measure`."""
        picture = as_picture(output) if self._alpha is None else as_picture(np.dstack([output, self._alpha]))
        output = self._covered(output)
        after = image_to_lab(output)
        shown = self._shown
        figures = {
            **self._structure(output),
            **palette_figures(picture, target, lab=after),
            "richness": effective_colors(after[shown]) / self._colors,
            "false_edges": edges_in_smooth(self._smooth, after),
            **halo_beside(self._edges, after[..., 0]),
            "object_split": split_of(self._objects, output, target) if parts_hues(target) else 0.0,
            "lightness_drift": float(np.mean(np.abs(after[..., 0] - self._lab[..., 0])[shown])),
        }
        return {name: figures[name] for name in FIGURES}

    def _structure(self, output: ImageArray) -> dict[str, float]:
        """SSIM and its terms."""
        luminance, structure = map_terms(self._moments, window_moments(grey_of(output)))
        height, width = luminance.shape
        middles = whole_windows(height, width) if self._all_shown else self._shown
        if min(height, width) < WINDOW and self._all_shown:
            local = ssim(self._source, output)  # which extends the border of a picture that is smaller than a window
        else:
            local = float((luminance * structure)[middles].mean())
        return {"ssim": local, **mean_terms(luminance, structure, middles)}

    def _covered(self, image: ImageArray) -> ImageArray:
        """Hidden pixels become one grey in all images, so that their colours affect no window and no neighbour."""
        return image if self._all_shown else np.where(self._shown[..., np.newaxis], image, _HIDDEN)

    @cached_property
    def _lab(self) -> FloatArray:
        return image_to_lab(self._source)

    @cached_property
    def _moments(self) -> Moments:
        return window_moments(grey_of(self._source))

    @cached_property
    def _colors(self) -> float:
        return effective_colors(self._lab[self._shown])

    @cached_property
    def _smooth(self) -> tuple[BoolArray, BoolArray]:
        return smooth_pairs(self._lab)

    @cached_property
    def _edges(self) -> tuple[Beside, Beside]:
        return find_edges(self._lab[..., 0])

    @cached_property
    def _objects(self) -> Labels:
        return segment(self._source)

"""Palette distances: how far the colours of an image are from a palette."""

import numpy as np
from numpy.typing import NDArray

from kpalette.color.difference import delta_e_2000
from kpalette.images.picture import Picture, as_picture
from kpalette.palettes.convert import as_palette
from kpalette.palettes.extract import Sample
from kpalette.palettes.palette import Palette, assign
from kpalette.types import MIN_COLORS, FloatArray, ImageArray


def _paired(
    image: Picture, target: Palette, *, lab: FloatArray | None = None
) -> tuple[Palette, NDArray[np.float64], NDArray[np.float64]]:
    """Extracts the image's palette, and pairs its colours with those of the target.

    Pairs are one-to-one with the least total CIEDE2000 (Hungarian method). If the image has fewer colours than the
    target, each of the remaining target colours gets its nearest colour.

    Returns:
        The palette, and the pairs as Lab: its colours (k, 3), the target's colours (k, 3).
    """
    (found,) = Sample(image, lab=lab).palettes([max(len(target), MIN_COLORS)], "kmeans", 0)
    distance = delta_e_2000(found.lab[:, None], target.lab[None])
    partner = np.argmin(distance, axis=0)
    rows, columns = assign(distance)
    partner[columns] = rows
    return found, found.lab[partner], target.lab


def palette_distance(image: ImageArray | Picture, target: Palette | str) -> float:
    """Palette distance: how far the colours of an image are from a palette (`palette_de`).

    As many colours as the palette has are extracted from the image by "kmeans", and paired with the palette's.

    Args:
        image: a `Picture`, or uint8 sRGB (H, W, 3) or (H, W, 4); each pixel counts by its alpha.
        target: the palette, or what `as_palette` makes one of, a string of colours for instance.

    Returns:
        The mean CIEDE2000 of the pairs; 0 is exact.

    Raises:
        ArgumentError: if `image` is no such image.
        PaletteError: if `target` cannot be read.

    Example:
        >>> halves = np.zeros((4, 4, 3), np.uint8)
        >>> halves[:2] = 255
        >>> round(kpalette.palette_distance(halves, "black white"), 3)
        0.0
        >>> round(kpalette.palette_distance(halves, "navy white"), 1)
        14.8
    """
    picture = image if isinstance(image, Picture) else as_picture(image)
    _, colors, swatches = _paired(picture, as_palette(target, name="target"))
    return float(np.mean(delta_e_2000(colors, swatches)))


def palette_figures(image: Picture, target: Palette, *, lab: FloatArray | None = None) -> dict[str, float]:
    """The figures that compare the palette of an `image` with the `target`: see `kpalette.metrics.figures.FIGURES`.

    `lab` is the image as CIELAB (H, W, 3), if it is there already.
    """
    found, colors, swatches = _paired(image, target, lab=lab)
    level = np.column_stack([swatches[:, 0], colors[:, 1:]])
    between = delta_e_2000(found.lab[:, None], target.lab[None])
    return {
        "palette_de": float(np.mean(delta_e_2000(colors, swatches))),
        "palette_de_ab": float(np.mean(delta_e_2000(level, swatches))),
        "palette_mse": float(np.mean((Palette(colors).rgb - Palette(swatches).rgb) ** 2)),
        "micdm": float((between.min(axis=1).mean() + between.min(axis=0).mean()) / 2),
    }

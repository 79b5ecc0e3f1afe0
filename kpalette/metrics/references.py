"""Reference rows for tables of figures: what bounds them, and what games each one. Not for pictures one wants to keep.

`source` does nothing (best ssim), `reachable` moves every source cluster onto its target's ab as far as gamut allows,
`nearest` posterises (best palette distance), `nearest-ab` gives each source cluster its target's ab and keeps L.
"""

from collections.abc import Callable

import numpy as np

from kpalette.images.picture import image_to_lab, lab_to_image
from kpalette.palettes.palette import Palette
from kpalette.types import FloatArray, ImageArray


def _through_lab(image: ImageArray, mapping: Callable[[FloatArray], FloatArray]) -> ImageArray:
    lab = image_to_lab(image).reshape(-1, 3)
    return lab_to_image(mapping(lab)).reshape(image.shape)


def unchanged(image: ImageArray, source: Palette, target: Palette) -> ImageArray:
    """Does nothing: uint8 (H, W, 3) back as it is."""
    return image


def reachable(image: ImageArray, source: Palette, target: Palette) -> ImageArray:
    """Adds to each pixel's ab the move of its nearest source swatch; L kept, chroma reduced into sRGB."""
    shift = (target.lab - source.lab)[:, 1:]

    def mapping(lab: FloatArray) -> FloatArray:
        moved = np.array(lab)
        moved[:, 1:] += shift[source.nearest(lab)]
        return moved

    return _through_lab(image, mapping)


def nearest(image: ImageArray, source: Palette, target: Palette) -> ImageArray:
    """Gives each pixel the target swatch nearest to it in Lab."""
    return _through_lab(image, lambda lab: target.lab[target.nearest(lab)])


def nearest_ab(image: ImageArray, source: Palette, target: Palette) -> ImageArray:
    """Gives each pixel the ab of its source swatch's target; L kept, chroma reduced into sRGB."""

    def mapping(lab: FloatArray) -> FloatArray:
        chosen = target.lab[source.nearest(lab)]
        return np.column_stack([lab[:, 0], chosen[:, 1:]])

    return _through_lab(image, mapping)


REFERENCES: dict[str, Callable[[ImageArray, Palette, Palette], ImageArray]] = {
    "source": unchanged,
    "reachable": reachable,
    "nearest": nearest,
    "nearest-ab": nearest_ab,
}
"""Reference rows by name: (image, source palette, matched target palette) to image."""

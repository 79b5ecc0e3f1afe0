"""Reference rows for tables of figures: simple maps of colours that show the best value each figure can reach.

They are no recolorers: each one is good in some figure and bad in others.

- `source` changes nothing: the best SSIM.
- `reachable` shifts the ab of every source cluster to its target, as far as the gamut allows.
- `nearest` replaces each colour by the nearest target colour (posterising): the best palette distance.
- `nearest-ab` gives each source cluster the ab of its target and keeps L.
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
    """Returns `image`, uint8 (H, W, 3), as it is; `source` and `target` are not used."""
    return image


def reachable(image: ImageArray, source: Palette, target: Palette) -> ImageArray:
    """Shifts the ab of each pixel of `image` by that of its nearest `source` colour towards `target`; keeps L."""
    shift = (target.lab - source.lab)[:, 1:]

    def mapping(lab: FloatArray) -> FloatArray:
        shifted = np.array(lab)
        shifted[:, 1:] += shift[source.nearest(lab)]
        return shifted

    return _through_lab(image, mapping)


def nearest(image: ImageArray, source: Palette, target: Palette) -> ImageArray:
    """Gives each pixel of `image` the nearest colour of `target` in Lab; `source` is not used."""
    return _through_lab(image, lambda lab: target.lab[target.nearest(lab)])


def nearest_ab(image: ImageArray, source: Palette, target: Palette) -> ImageArray:
    """Gives each pixel of `image` the ab that its nearest `source` colour has in `target`; keeps L."""

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
"""Reference rows by name: functions of (image, source palette, matched target palette) to image."""

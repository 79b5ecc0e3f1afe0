"""`object_split`: whether an object of one hue stays of one hue.

A red hat has a light side and a dark side. To a palette they may be two colours, but to a person the hat is one thing:
if its light side becomes green and its dark side blue, it is torn.

Light and shade of one surface share their chromaticity. With X, Y, Z over those of white, CIELAB has

    a / (L + 16) = 500 / 116 ((X / Y)^(1/3) - 1),   b / (L + 16) = 200 / 116 (1 - (Z / Y)^(1/3))

so these two numbers are not changed by shading. The steps:

1. The source, at most `SIDE` pixels a side, is segmented by them (Felzenszwalb, Huttenlocher 2004, as in scikit-image),
   and neighbouring regions whose means are alike are joined. Objects are the regions of one hue: large enough,
   coloured, and of hues that lie near each other.
2. The chromatic colours of the palette fall into groups: hues near each other are one
   group (`kpalette.color.hues.hue_groups`).
3. In the result, every coloured pixel of an object belongs to the group whose hue is nearest. The object's split is the
   share of those pixels that are not in its largest group.
"""

import numpy as np
from numpy.typing import NDArray

from kpalette.color.hues import hue_groups, nearest_hue_group
from kpalette.images.picture import image_to_lab, resize
from kpalette.palettes.palette import Palette
from kpalette.types import FloatArray, ImageArray

SIDE = 256
"""Longer side of the picture that is segmented, pixels."""

SCALE, SIGMA, LEAST_PIXELS = 100.0, 0.8, 100
"""Felzenszwalb's parameters: larger regions by a larger scale; smoothing, in pixels; pixels of a region, at least."""

ALIKE = 0.04
"""Distance of mean chromaticities up to which neighbouring regions are one: it would part flat ones for a rounding."""

LEAST_AREA, LEAST_CHROMA, WIDEST = 0.005, 12.0, 20.0
"""An object's share of the picture, and its mean chroma, at least; the deviation of its hues, in degrees, at most."""

_PIXEL_CHROMA = 8.0  # below this a pixel has no hue
_DARKEST = 5.0  # L below which chromaticity is noise

Labels = NDArray[np.intp]


def object_split(source: ImageArray, output: ImageArray, target: Palette) -> float:
    """The share of objects' pixels that fall out of their object's hue.

    Args:
        source: uint8 sRGB (H, W, 3).
        output: the source recoloured, likewise.
        target: the palette that was asked for.

    Returns:
        0..1, the mean over objects, weighted by their coloured pixels in the result. 0 where there are no objects, or
        the palette has not two hues that lie apart.

    Example:
        >>> source = np.zeros((64, 64, 3), np.uint8)
        >>> source[:32], source[32:] = (200, 40, 40), (96, 14, 14)  # light and shade of one red
        >>> whole, torn = np.array(source[..., ::-1]), np.array(source[..., ::-1])
        >>> torn[32:] = (0, 120, 0)
        >>> palette = Palette.parse("blue green")
        >>> object_split(source, whole, palette), object_split(source, torn, palette)
        (0.0, 0.5)
    """
    if not parts_hues(target):
        return 0.0
    return split_of(segment(source), output, target)


def split_of(labels: Labels, output: ImageArray, target: Palette) -> float:
    """`object_split` by the `labels` that `segment` gave the source; for targets of which `parts_hues` is true."""
    groups = hue_groups(target.lab)
    lab = image_to_lab(resize(output, longest=SIDE))
    chromatic = np.hypot(lab[..., 1], lab[..., 2]) >= _PIXEL_CHROMA
    chosen = (labels >= 0) & chromatic
    if not chosen.any():
        return 0.0
    nearest = nearest_hue_group(lab[chosen][..., 1:], target.lab, groups)
    counts = np.zeros((labels.max() + 1, groups.max() + 1))
    np.add.at(counts, (labels[chosen], nearest), 1.0)
    return float(1.0 - counts.max(axis=1).sum() / counts.sum())


def parts_hues(target: Palette) -> bool:
    """Whether a palette, `target`, has two hues that lie apart."""
    return bool(hue_groups(target.lab).max(initial=-1) >= 1)


def segment(source: ImageArray) -> Labels:
    """Finds the objects of a picture: regions of one hue, whatever their lightness.

    Args:
        source: uint8 sRGB (H, W, 3).

    Returns:
        The number of each pixel's object, from 0, (h, w) at the size of `resize(source, longest=SIDE)`; -1 for pixels
        of none.
    """
    from skimage.segmentation import felzenszwalb

    lab = image_to_lab(resize(source, longest=SIDE))
    features = np.ascontiguousarray(_chromaticity(lab))
    regions = felzenszwalb(features, scale=SCALE, sigma=SIGMA, min_size=LEAST_PIXELS, channel_axis=-1)
    return _objects(lab, _joined(np.asarray(regions), features))


def _chromaticity(lab: FloatArray) -> NDArray[np.float64]:
    """The numbers a / (L + 16) and b / (L + 16) of CIELAB (h, w, 3): light and shade of a surface are alike in them."""
    return np.asarray(lab[..., 1:] / (np.maximum(lab[..., :1], _DARKEST) + 16.0), dtype=np.float64)


def _joined(regions: Labels, features: NDArray[np.float64]) -> Labels:
    """Joins neighbouring regions whose mean features are alike."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    flat = regions.ravel()
    counts = np.bincount(flat)
    means = np.stack([np.bincount(flat, features[..., i].ravel()) / counts for i in range(2)], axis=1)
    sides = [(regions[1:], regions[:-1]), (regions[:, 1:], regions[:, :-1])]
    one, other = (np.concatenate([side[i].ravel() for side in sides]) for i in (0, 1))
    alike = np.linalg.norm(means[one] - means[other], axis=1) <= ALIKE
    links = coo_array((np.ones(alike.sum()), (one[alike], other[alike])), shape=(len(counts), len(counts)))
    parts = connected_components(links, directed=False)[1]
    return np.asarray(parts, dtype=np.intp)[regions]


def _objects(lab: FloatArray, regions: Labels) -> Labels:
    """Numbers the regions that are objects, and gives -1 to all others."""
    flat, ab = regions.ravel(), lab[..., 1:].reshape(-1, 2).astype(np.float64)
    counts = np.bincount(flat)
    chroma = np.hypot(ab[:, 0], ab[:, 1])
    total = np.maximum(np.bincount(flat, chroma), 1e-9)
    # Length of the mean direction, by which the spread of hues is measured (Fisher 1993, equation 2.12).
    length = np.hypot(np.bincount(flat, ab[:, 0]), np.bincount(flat, ab[:, 1])) / total
    spread = np.degrees(np.sqrt(-2.0 * np.log(np.clip(length, 1e-9, 1.0))))
    good = (counts >= LEAST_AREA * flat.size) & (total / np.maximum(counts, 1) >= LEAST_CHROMA) & (spread <= WIDEST)
    numbers = np.where(good, np.cumsum(good) - 1, -1)
    found: Labels = numbers[regions]
    return found

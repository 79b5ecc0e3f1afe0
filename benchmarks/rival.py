"""The standing rival: nearest palette colours, blurred over a table of all colours, as `lutgen` 1.1.1 does it.

For each node of a table of 100^3 sRGB colours, the nearest colour of the palette in Oklab; a Gaussian of 8 nodes over
the table, in Oklab; each pixel takes the colour of the nearest node. With `preserve`, a and b alone are blurred, and L
is the picture's own. Ottosson, "A perceptual color space for image processing", 2020, has the matrices.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from kpalette.color.spaces import linear_to_rgb, rgb_to_linear
from kpalette.images.picture import image_to_rgb, rgb_to_image
from kpalette.palettes.palette import Palette
from kpalette.types import ImageArray

NODES, SIGMA = 100, 8.0

_TO_LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
_TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip

Floats = NDArray[np.float64]


def to_oklab(rgb: Floats) -> Floats:
    """Turns gamma-encoded sRGB (..., 3) into Oklab."""
    found: Floats = np.cbrt(np.asarray(rgb_to_linear(rgb)) @ _TO_LMS.T) @ _TO_LAB.T
    return found


def from_oklab(lab: Floats) -> Floats:
    """Turns Oklab (..., 3) into gamma-encoded sRGB, clipped."""
    linear = (lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T
    rgb: Floats = np.clip(linear_to_rgb(np.clip(linear, 0.0, 1.0)), 0.0, 1.0)
    return rgb


def recolor_as_rival(image: ImageArray, palette: Palette, *, preserve: bool = False) -> ImageArray:
    """Recolours uint8 sRGB (H, W, 3)."""
    axis = np.linspace(0.0, 1.0, NODES)
    nodes = to_oklab(np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1))
    colors = to_oklab(palette.rgb)
    squares = np.stack([((nodes - color) ** 2).sum(axis=-1) for color in colors])
    table = colors[np.argmin(squares, axis=0)]
    table = np.stack([gaussian_filter(table[..., i], SIGMA, mode="nearest") for i in range(3)], axis=-1)
    if preserve:
        table[..., 0] = nodes[..., 0]
    place = np.rint(image_to_rgb(image).astype(np.float64) * (NODES - 1)).astype(np.intp)
    found = table[place[..., 0], place[..., 1], place[..., 2]]
    if preserve:
        found[..., 0] = to_oklab(image_to_rgb(image).astype(np.float64))[..., 0]
    return rgb_to_image(from_oklab(found))

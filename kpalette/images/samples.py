"""The pictures that scikit-image ships inside its wheel, for demos and reports."""

import numpy as np

from kpalette.errors import ArgumentError
from kpalette.types import ImageArray

SAMPLES = ("astronaut", "chelsea", "coffee")
"""Names of the pictures that scikit-image ships inside its wheel, for demos and reports."""


def sample_image(name: str) -> ImageArray:
    """One of scikit-image's own pictures (`SAMPLES`) as uint8 (H, W, 3); ArgumentError for another name."""
    if name not in SAMPLES:
        raise ArgumentError(f"`name` must be one of {', '.join(SAMPLES)}. Received: {name!r}")
    import skimage.data

    return np.array(getattr(skimage.data, name)(), dtype=np.uint8)

"""Sample pictures of scikit-image, for demos and reports."""

import numpy as np

from kpalette.errors import ArgumentError
from kpalette.types import ImageArray

SAMPLES = ("astronaut", "chelsea", "coffee")
"""Names of the sample pictures, which are inside scikit-image's own package."""


def sample_image(name: str) -> ImageArray:
    """Loads a sample picture.

    Args:
        name: one of `SAMPLES`.

    Returns:
        uint8 sRGB (H, W, 3).

    Raises:
        ArgumentError: if there is no such picture.
    """
    if name not in SAMPLES:
        raise ArgumentError(f"`name` must be one of {', '.join(SAMPLES)}. Received: {name!r}")
    import skimage.data

    return np.array(getattr(skimage.data, name)(), dtype=np.uint8)

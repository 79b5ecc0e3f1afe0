"""Inputs of networks: CIELAB in network range, and palettes as padded arrays.

Network range is L / 50 - 1, a / 128, b / 128, which lies within -1..1 for every colour of sRGB. The functions are pure
and take arrays of any library, channels last.
"""

from collections.abc import Sequence

import numpy as np

from kpalette.color.arrays import as_float, namespace
from kpalette.palettes.palette import Palette
from kpalette.types import L_MAX, Array, FloatArray

AB_SCALE = 128.0
"""The CIELAB value of an a or b of 1 in network range."""

_L_SCALE = L_MAX / 2


def to_network_range(lab: Array) -> Array:
    """Converts CIELAB (..., 3) to network range (..., 3), float32 or wider."""
    lab = as_float(lab)
    xp = namespace(lab)
    return xp.stack([lab[..., 0] / _L_SCALE - 1.0, lab[..., 1] / AB_SCALE, lab[..., 2] / AB_SCALE], axis=-1)


def from_network_range(x: Array) -> Array:
    """Converts network range (..., 3) to CIELAB (..., 3); the inverse of `to_network_range`."""
    x = as_float(x)
    xp = namespace(x)
    return xp.stack([(x[..., 0] + 1.0) * _L_SCALE, x[..., 1] * AB_SCALE, x[..., 2] * AB_SCALE], axis=-1)


def pack_palettes(palettes: Sequence[Palette]) -> tuple[FloatArray, FloatArray]:
    """Packs palettes of any length into one array.

    Args:
        palettes: n palettes, K swatches in the longest of them.

    Returns:
        Swatches (n, K, 3) in network range, float32, padded with zeros, and the mask (n, K), float32: 1 for a swatch.

    Example:
        >>> swatches, mask = pack_palettes([Palette.parse("red blue"), Palette.parse("red green blue")])
        >>> swatches.shape, mask.tolist()
        ((2, 3, 3), [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    """
    longest = max(map(len, palettes))
    swatches = np.zeros((len(palettes), longest, 3), dtype=np.float32)
    mask = np.zeros((len(palettes), longest), dtype=np.float32)
    for i, palette in enumerate(palettes):
        swatches[i, : len(palette)] = to_network_range(palette.lab)
        mask[i, : len(palette)] = 1
    return swatches, mask

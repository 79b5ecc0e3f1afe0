"""`soft`: soft cluster shift. Every colour moves by a blend of the swatches' own moves, weighted by nearness in Lab."""

import numpy as np

from kpalette.lightness import transfer_lightness
from kpalette.lut import Mapping
from kpalette.palette import Palette
from kpalette.recolorer import LatticeRecolorer
from kpalette.types import FloatArray

DEFAULT_TAU = 10.0


def soft_weights(lab: FloatArray, source: Palette, *, tau: float) -> FloatArray:
    """How much each swatch rules a colour: w_i proportional to exp(-|x - C_i|^2 / 2 tau^2).

    Args:
        lab: CIELAB (n, 3).
        source: k swatches.
        tau: reach of a swatch in Lab units.

    Returns:
        Weights (n, k), rows sum to 1, dtype of `lab`.
    """
    L, a, b = np.ascontiguousarray(lab.T)
    # |x - C|^2 without |x|^2, which cancels in the ratio; no matrix product, whose own threads fight those of the bake
    centres = source.lab.astype(lab.dtype)
    exponent = np.stack([L * x + a * y + b * z - (x * x + y * y + z * z) / 2 for x, y, z in centres])
    exponent -= exponent.max(axis=0)
    exponent /= lab.dtype.type(tau**2)
    weights: FloatArray = np.exp(exponent, out=exponent)
    weights /= weights.sum(axis=0)
    return weights.T


def shifted_ab(lab: FloatArray, weights: FloatArray, shifts: FloatArray) -> FloatArray:
    """Moves ab by a blend of shifts.

    Args:
        lab: CIELAB (n, 3).
        weights: shares of the shifts (n, k).
        shifts: in ab (k, 2).

    Returns:
        New ab (n, 2), dtype of `lab`.
    """
    moved = np.array(lab[:, 1:].T, order="C")
    for weight, shift in zip(weights.T, shifts.astype(lab.dtype), strict=True):
        moved[0] += weight * shift[0]
        moved[1] += weight * shift[1]
    return moved.T


class SoftRecolorer(LatticeRecolorer):
    """Soft cluster shift: ab' = ab + sum_i w_i (T_i - C_i)_ab, L' by the monotone lightness curve.

    Continuous, monotone in L, structure-keeping: inside a cluster all colours move alike.

    Args:
        tau: reach of a swatch in Lab units; smaller reaches the palette closer, larger is smoother.
    """

    name = "soft"
    title = "soft cluster shift: each colour moves with the swatches near it"
    extraction = "kmeans"
    default_lightness = 0.0

    def __init__(self, *, tau: float = DEFAULT_TAU) -> None:
        """See the class."""
        self.tau = tau

    def mapping(self, source: Palette, target: Palette, *, lightness: float) -> Mapping:
        """The exact mapping: lab (n, 3) to lab (n, 3), before chroma reduction."""
        shift = target.lab[:, 1:] - source.lab[:, 1:]

        def apply(lab: FloatArray) -> FloatArray:
            result = np.empty_like(lab)
            result[:, 0] = transfer_lightness(lab[:, 0], source, target, strength=lightness)
            result[:, 1:] = shifted_ab(lab, soft_weights(lab, source, tau=self.tau), shift)
            return result

        return apply

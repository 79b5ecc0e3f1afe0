"""`soft`: soft cluster shift. Every colour moves by a blend of the swatches' own moves, weighted by nearness in Lab."""

import numpy as np

from kpalette.palettes.clusters import DEFAULT_TAU, shifted_ab, soft_weights
from kpalette.recolorers.base import ColorMapRecolorer, Plan
from kpalette.recolorers.lattice import ColorMap
from kpalette.recolorers.lightness import transfer_lightness
from kpalette.types import FloatArray


class SoftRecolorer(ColorMapRecolorer):
    """Soft cluster shift: ab' = ab + sum_i w_i (T_i - C_i)_ab, L' by the monotone lightness curve.

    Continuous, monotone in L, structure-keeping: inside a cluster all colours move alike.

    Args:
        tau: reach of a swatch in Lab units; smaller reaches the palette closer, larger is smoother.
    """

    name = "soft"
    extraction = "kmeans"
    default_lightness = 0.0

    def __init__(self, *, tau: float = DEFAULT_TAU) -> None:
        """See the class."""
        self.tau = tau

    def color_map(self, plan: Plan) -> ColorMap:
        """The exact map: lab (n, 3) to lab (n, 3), before chroma reduction."""
        source, target = plan.source, plan.target
        shift = target.lab[:, 1:] - source.lab[:, 1:]

        def apply(lab: FloatArray) -> FloatArray:
            result = np.empty_like(lab)
            result[:, 0] = transfer_lightness(lab[:, 0], source, target, strength=plan.lightness)
            result[:, 1:] = shifted_ab(lab, soft_weights(lab, source, tau=self.tau), shift)
            return result

        return apply

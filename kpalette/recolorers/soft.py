"""`soft`: soft cluster shift. Each colour moves by a mixture of the moves of the swatches, the nearer ones more.

A swatch C_i of the picture becomes T_i. A colour x belongs to swatch i by its Gaussian share w_i(x), of reach tau (see
`kpalette.palettes.clusters`). Its a and b move by the mean of all moves, its lightness along a curve that never falls
(`kpalette.recolorers.lightness`):

    ab' = ab + sum_i w_i(x) (T_i - C_i)_ab
    L'  = L + strength (curve(L) - L)

The map is continuous, and colours of one cluster move alike, so that structure stays.
"""

import numpy as np

from kpalette.palettes.clusters import DEFAULT_TAU, gaussian_shares, shifted_ab
from kpalette.recolorers.base import ColorMapRecolorer, Plan
from kpalette.recolorers.lattice import ColorMap
from kpalette.types import FloatArray


class SoftRecolorer(ColorMapRecolorer):
    """Soft cluster shift; see the head of this module.

    Args:
        tau: reach of a swatch, in Lab units. A smaller one comes closer to the palette, a larger one is smoother.

    Example:
        >>> image = np.array([[[200, 30, 30], [30, 30, 200]]], np.uint8)
        >>> kpalette.recolor(image, "orange purple", model=SoftRecolorer(tau=5.0), lightness=1.0).tolist()
        [[[255, 165, 0], [128, 0, 128]]]
    """

    name = "soft"
    extraction = "kmeans"

    def __init__(self, *, tau: float = DEFAULT_TAU) -> None:
        """See the class."""
        self.tau = tau

    def color_map(self, plan: Plan) -> ColorMap:
        """Makes the exact map: lab (n, 3) to lab (n, 3), before chroma reduction."""
        shift = plan.target.lab[:, 1:] - plan.source.lab[:, 1:]

        def apply(lab: FloatArray) -> FloatArray:
            result = np.empty_like(lab)
            result[:, 0] = plan.moved_lightness(lab[:, 0])
            result[:, 1:] = shifted_ab(lab, gaussian_shares(lab, plan.source, tau=self.tau), shift)
            return result

        return apply

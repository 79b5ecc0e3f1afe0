"""`fitted`: soft cluster shift, solved for the picture at hand so that its clusters land on the palette.

`soft` moves every colour by the blend of its swatches' shifts; a blend falls short of each of them, and gamut takes its
share. Here the shifts are corrected against the picture's own colours until the mean of each cluster is where its
target is, as far as gamut and a bound allow. Lightness moves along a smooth curve through the same knots, of slope 1
around each, which keeps local contrast where the piecewise-linear curve stretches it.
"""

import numpy as np
from numpy.typing import NDArray

from kpalette.color.gamut import reduce_chroma
from kpalette.images.picture import Picture
from kpalette.palettes.clusters import DEFAULT_TAU, shifted_ab, soft_weights
from kpalette.palettes.extract import color_bins
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import ColorMapRecolorer, Plan
from kpalette.recolorers.lattice import ColorMap
from kpalette.recolorers.lightness import smooth_lightness
from kpalette.types import FloatArray

Floats = NDArray[np.float64]

_ITERATIONS = 6
_GAIN = 0.8
_MAX_CORRECTION = 15.0  # Lab units: more of it tears smooth areas apart for little gain


class FittedRecolorer(ColorMapRecolorer):
    """Soft cluster shift, fitted to the picture; see the module.

    Args:
        tau: reach of a swatch in Lab units.
        width: reach of a knot of the lightness curve in units of L.
    """

    name = "fitted"
    extraction = "kmeans"
    default_lightness = 0.0

    def __init__(self, *, tau: float = DEFAULT_TAU, width: float = 16.0) -> None:
        """See the class."""
        self.tau = tau
        self.width = width

    def color_map(self, plan: Plan) -> ColorMap:
        """The map before any fit: lab (n, 3) to lab (n, 3), before chroma reduction."""
        return self._shifted(plan, (plan.target.lab - plan.source.lab)[:, 1:])

    def color_map_for(self, picture: Picture, plan: Plan) -> ColorMap:
        """The map fitted to a picture: lab (n, 3) to lab (n, 3), before chroma reduction."""
        return self._shifted(plan, self.fit(picture, plan))

    def fit(self, picture: Picture, plan: Plan) -> Floats:
        """Solves for the shifts that move the mean of each of the picture's clusters as its swatch is to move.

        Args:
            picture: the picture whose colours count.
            plan: its palette of k swatches, what each becomes, and the lightness strength.

        Returns:
            Shifts of each swatch in ab (k, 2).
        """
        first: Floats = (plan.target.lab - plan.source.lab)[:, 1:]
        lab, shares = _clusters(picture, plan.source)
        asked = (shares.T @ lab)[:, 1:] + first
        present = (shares.max(axis=0) > 0)[:, np.newaxis]
        correction = np.zeros_like(first)
        for _ in range(_ITERATIONS):
            mean = shares.T @ reduce_chroma(self._shifted(plan, first + correction)(lab))
            wanted = reduce_chroma(np.column_stack([mean[:, 0], asked]))[:, 1:]
            correction = correction + _GAIN * present * (wanted - mean[:, 1:])
            length = np.maximum(np.linalg.norm(correction, axis=-1, keepdims=True), 1e-9)
            correction = correction * np.minimum(1.0, _MAX_CORRECTION / length)
        return first + correction

    def _shifted(self, plan: Plan, shifts: Floats) -> ColorMap:
        def apply(lab: FloatArray) -> FloatArray:
            result = np.empty_like(lab)
            result[:, 0] = smooth_lightness(
                lab[:, 0], plan.source, plan.target, strength=plan.lightness, width=self.width
            )
            result[:, 1:] = shifted_ab(lab, soft_weights(lab, plan.source, tau=self.tau), shifts)
            return result

        return apply


def _clusters(picture: Picture, source: Palette) -> tuple[Floats, Floats]:
    """The picture's colours (n, 3), and their shares (n, k) in the mean of the swatch nearest to each."""
    bins = color_bins(picture)
    own = source.nearest(bins.lab)[:, np.newaxis] == np.arange(len(source))
    shares = np.where(own, bins.weights[:, np.newaxis], 0.0)
    total = shares.sum(axis=0)
    return bins.lab, shares / np.where(total > 0, total, 1.0)

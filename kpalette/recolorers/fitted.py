"""`fitted`: soft cluster shift, fitted to the picture so that its clusters end on the palette.

`soft` moves a colour by a mixture of the shifts of all swatches. The mixture falls short of each shift, and so does the
reduction of chroma. Here the shifts s_i are corrected. Let m_i be the mean of the picture's colours nearest to swatch
i, after they are recoloured with these shifts and brought into gamut, and w_i where that mean should be (the target,
as far as the gamut allows). Then `_ITERATIONS` times:

    s_i = s_i + _GAIN (w_i - m_i),   s_i at most `correction.FARTHEST` away from its first value

Lightness moves along the smooth curve (`kpalette.recolorers.lightness`): near each knot it keeps local contrast, which
the straight lines of `soft` stretch.
"""

import numpy as np
from numpy.typing import NDArray

from kpalette.color.gamut import reduce_chroma
from kpalette.images.picture import Picture
from kpalette.palettes.clusters import DEFAULT_TAU, gaussian_shares, shifted_ab
from kpalette.palettes.extract import color_bins
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import ColorMapRecolorer, Plan
from kpalette.recolorers.correction import within_reach
from kpalette.recolorers.lattice import ColorMap
from kpalette.recolorers.lightness import SMOOTH_WIDTH, smooth_lightness
from kpalette.types import FloatArray

Floats = NDArray[np.float64]

_ITERATIONS = 6
_GAIN = 0.8


class FittedRecolorer(ColorMapRecolorer):
    """Soft cluster shift, fitted to the picture; see the head of this module.

    Args:
        tau: reach of a swatch, in Lab units.
        width: reach of a knot of the lightness curve, in units of L.

    Example:
        >>> image = np.array([[[200, 30, 30], [30, 30, 200]]], np.uint8)
        >>> kpalette.recolor(image, "orange purple", model=FittedRecolorer(), lightness=1.0).shape
        (1, 2, 3)
    """

    name = "fitted"
    extraction = "kmeans"

    def __init__(self, *, tau: float = DEFAULT_TAU, width: float = SMOOTH_WIDTH) -> None:
        """See the class."""
        self.tau = tau
        self.width = width

    def color_map(self, plan: Plan) -> ColorMap:
        """Makes the map without a fit: lab (n, 3) to lab (n, 3), before chroma reduction."""
        return self._shifted(plan, (plan.target.lab - plan.source.lab)[:, 1:])

    def color_map_for(self, picture: Picture, plan: Plan) -> ColorMap:
        """Makes the map fitted to a picture: lab (n, 3) to lab (n, 3), before chroma reduction."""
        return self._shifted(plan, self.fit(picture, plan))

    def fit(self, picture: Picture, plan: Plan) -> Floats:
        """Finds the shifts by which the mean of each of the picture's clusters ends where it should.

        Args:
            picture: the picture.
            plan: a plan for it, of k swatches.

        Returns:
            The shift of each swatch in ab, (k, 2). A swatch that is nearest to no colour keeps its first shift.
        """
        first: Floats = (plan.target.lab - plan.source.lab)[:, 1:]
        lab, shares = _clusters(picture, plan.source)
        wanted_ab = (shares.T @ lab)[:, 1:] + first
        present = (shares.max(axis=0) > 0)[:, np.newaxis]
        correction = np.zeros_like(first)
        for _ in range(_ITERATIONS):
            mean = shares.T @ reduce_chroma(self._shifted(plan, first + correction)(lab))
            wanted = reduce_chroma(np.column_stack([mean[:, 0], wanted_ab]))[:, 1:]
            correction = within_reach(correction + _GAIN * present * (wanted - mean[:, 1:]))
        return first + correction

    def _shifted(self, plan: Plan, shifts: Floats) -> ColorMap:
        def apply(lab: FloatArray) -> FloatArray:
            result = np.empty_like(lab)
            result[:, 0] = smooth_lightness(
                lab[:, 0], plan.source, plan.target, strength=plan.lightness, width=self.width
            )
            result[:, 1:] = shifted_ab(lab, gaussian_shares(lab, plan.source, tau=self.tau), shifts)
            return result

        return apply


def _clusters(picture: Picture, source: Palette) -> tuple[Floats, Floats]:
    """The picture's colours, lab (n, 3), and the share (n, k) of each in its cluster: that of the nearest swatch."""
    bins = color_bins(picture)
    nearest = source.nearest(bins.lab)[:, np.newaxis] == np.arange(len(source))
    shares = np.where(nearest, bins.weights[:, np.newaxis], 0.0)
    total = shares.sum(axis=0)
    return bins.lab, shares / np.where(total > 0, total, 1.0)

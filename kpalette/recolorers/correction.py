"""Closed loop: a network is shown target swatches that are corrected by what it made of them.

A network falls short of its target, as blends and the reduction of chroma do. Let T_i be the target swatches, t_i those
that the network is shown, at first t_i = T_i. Up to `PASSES` times:

1. The clusters of the answer are found: k-means, begun at the means of the source's clusters.
2. w_i is the ab of T_i, as far as the gamut allows at the lightness of cluster i. Its error is e_i = w_i - ab of its
   mean. Where the mean length of the errors is the least so far, these t_i are kept.
3. t_i = t_i + `GAIN` e_i, at most `FARTHEST` away from T_i.

`fitted` corrects its shifts in the same manner.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kpalette.color.gamut import reduce_chroma
from kpalette.palettes.clusters import refined_means
from kpalette.palettes.palette import Palette
from kpalette.types import FloatArray

PASSES = 3
"""Corrections at most; each costs an answer."""

GAIN = 0.7
"""Share of an error that is corrected at a time."""

FARTHEST = 15.0
"""Units of ab that a swatch may be corrected by: more is seen as another colour, and tears smooth areas."""

SIDE = 128
"""Longer side, in pixels, of the picture that corrections are found on."""

_PIXELS = 8192  # of the answer that are looked at

Floats = NDArray[np.float64]


def correct_target(
    answer: Callable[[Palette], FloatArray], lab: FloatArray, source: Palette, target: Palette, *, passes: int = PASSES
) -> Palette:
    """Finds target swatches by which the clusters of an answer end on the target.

    Args:
        answer: recolours the picture with given target swatches: CIELAB (h, w, 3), in gamut.
        lab: CIELAB (h, w, 3) of the picture as the network sees it.
        source: its palette, k swatches.
        target: k swatches.
        passes: corrections at most.

    Returns:
        The swatches to show; those of `target` where no correction is better.

    Example:
        >>> lab = np.zeros((1, 2, 3)) + [50, 10, 0]
        >>> source, target = Palette([[50, 10, 0]]), Palette([[50, 0, 20]])
        >>> def half(shown):  # goes half of the way
        ...     return lab + (shown.lab - source.lab) * [0, 0.5, 0.5]
        >>> correct_target(half, lab, source, target).lab[0].round(1).tolist()
        [50.0, -6.7, 33.4]
    """
    if passes == 0:
        return target
    step = max(1, lab.shape[0] * lab.shape[1] // _PIXELS)
    nearest = source.nearest(lab.reshape(-1, 3)[::step])
    shown, best, least = np.array(target.lab), target, np.inf
    for correction in range(passes + 1):
        palette = Palette(shown, target.shares)
        colors = answer(palette).reshape(-1, 3)[::step].astype(np.float64)
        means, present = refined_means(colors, nearest, len(target))
        wanted = reduce_chroma(np.column_stack([means[:, 0], target.lab[:, 1:]]))
        error = np.where(present[:, np.newaxis], wanted - means, 0.0)[:, 1:]
        size = float(np.linalg.norm(error, axis=1).mean())
        if size < least:
            best, least = palette, size
        if correction < passes:
            shown[:, 1:] = target.lab[:, 1:] + within_reach(shown[:, 1:] + GAIN * error - target.lab[:, 1:])
    return best


def within_reach(corrections: Floats) -> Floats:
    """Corrections of ab (k, 2), each shortened to `FARTHEST` if it is longer.

    Example:
        >>> within_reach(np.array([[30.0, 0], [3, 4]])).tolist()
        [[15.0, 0.0], [3.0, 4.0]]
    """
    length = np.maximum(np.linalg.norm(corrections, axis=1, keepdims=True), 1e-9)
    shortened: Floats = corrections * np.minimum(1.0, FARTHEST / length)
    return shortened

"""Matching that keeps objects whole: which source swatch becomes which target swatch, judged by a trial on the picture.

`Palette.matched` sees two palettes. Sorted by lightness, the light and the dark side of a red hat may become green and
blue. Here each way to match is tried: a small picture is recoloured as `soft` does it, and the way that costs least is
taken. Its cost is the sum of

- how far the clusters of the trial are from the palette, in CIEDE2000;
- `_WHOLE` times the share of pixel pairs of one object that fall apart, into hues of different groups of the palette
  (`kpalette.color.hues`). Pairs are pixels a few steps apart of one chromaticity (a, b) / (L + 16), which light and
  shade of a surface share;
- `_STILL` times the mean change of lightness.

The search starts at the matching by lightness. In turn, it exchanges two swatches, or takes a target colour that is not
used, whichever lowers the cost most; an exchange must be worth `_WORTH`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.color.difference import delta_e_2000
from kpalette.color.gamut import reduce_chroma
from kpalette.color.hues import hue_groups, nearest_hue_group
from kpalette.images.picture import Picture, image_to_lab
from kpalette.palettes.clusters import DEFAULT_TAU, gaussian_shares, refined_means, shifted_ab
from kpalette.palettes.palette import Palette, assign
from kpalette.recolorers.lightness import transfer_lightness
from kpalette.recolorers.tone import shrink

_SIDE = 64  # longer side of the picture of a trial
_STEPS = (4, 8, 16, 32)  # pixels between the two of a pair
_SAME_SURFACE = 0.12  # difference of chromaticity
_SURE = 0.2  # weight of a pair, at least
_CHROMA = 8.0  # below this a pixel has no hue
_STRENGTH = 0.7  # of lightness in a trial
_WHOLE, _STILL, _WORTH = 30.0, 0.4, 0.5
_ROUNDS = 12  # exchanges at most
_PIXELS = 2048  # whose clusters are found

Floats = NDArray[np.floating[Any]]
Indices = NDArray[np.intp]


def match_objects(picture: Picture, source: Palette, target: Palette) -> Palette:
    """Matches a picture's palette so that objects stay whole; see the head of this module.

    Args:
        picture: the picture.
        source: its palette, k swatches.
        target: at least as many colours.

    Returns:
        A palette as long as `source`: its colour i is what colour i of the source becomes.

    Raises:
        ArgumentError: if the target has fewer colours than the source.

    Example:
        >>> hat = np.zeros((32, 32, 3), np.uint8) + [200, 200, 60]
        >>> hat[:, 16:] = [90, 90, 10]
        >>> source = Palette.parse("#c8c83c #5a5a0a")
        >>> match_objects(Picture(hat), source, Palette.parse("#e08080 #60a0ff #702020")).hex
        ('#e08080', '#702020')
    """
    chosen = source.matched_places(target)
    trial = _Trial.of(picture, source, target)
    if trial is None:
        return target.take(chosen)
    best = trial.cost(chosen)
    for _ in range(_ROUNDS):
        costs = [(trial.cost(other), other.tolist()) for other in _exchanges(chosen, len(target))]
        least, other = min(costs, default=(np.inf, []))
        if least >= best - _WORTH:
            break
        best, chosen = least, np.array(other)
    return target.take(chosen)


def _exchanges(chosen: Indices, count: int) -> Iterator[Indices]:
    """All ways that differ in two swatches, or in one that becomes a colour that is not used."""
    for i in range(len(chosen)):
        for j in range(i):
            other = chosen.copy()
            other[[i, j]] = other[[j, i]]
            yield other
        for free in sorted(set(range(count)) - set(chosen.tolist())):
            other = chosen.copy()
            other[i] = free
            yield other


@dataclass(frozen=True, eq=False)
class _Trial:
    """What all trials on a picture share.

    Attributes:
        source: the picture's palette, k swatches.
        target: the target colours.
        lab: the pixels that are seen, (n, 3).
        shares: their shares of the swatches, (n, k).
        first: of the pixel pairs of one object, the first, indices (m,).
        second: likewise the second.
        weights: how surely each pair is of one object, (m,).
        groups: the hue group of each target colour; -1 for greys.
    """

    source: Palette
    target: Palette
    lab: Floats
    shares: Floats
    first: Indices
    second: Indices
    weights: Floats
    groups: Indices

    @classmethod
    def of(cls, picture: Picture, source: Palette, target: Palette) -> "_Trial | None":
        image, hidden = shrink(picture, source, longest=_SIDE)
        lab = image_to_lab(image).astype(np.float64)
        seen = np.ones(lab.shape[:2], dtype=np.bool_) if hidden is None else ~hidden
        groups = hue_groups(target.lab)
        if len(set(groups[groups >= 0].tolist())) < 2 or not seen.any():
            return None
        first, second, weights = _pairs(lab, seen)
        number = np.cumsum(seen.ravel()) - 1
        own = lab[seen]
        shares = gaussian_shares(own, source, tau=DEFAULT_TAU)
        return cls(source, target, own, shares, number[first], number[second], weights, groups)

    def cost(self, chosen: Indices) -> float:
        """The cost of a matching: indices of target colours (k,)."""
        colors = self.target.lab[chosen]
        ab = shifted_ab(self.lab, self.shares, (colors - self.source.lab)[:, 1:])
        matched = Palette(colors, self.source.shares)
        still = self.source.shares @ np.abs(colors - self.source.lab)[:, 0]
        return self._distance(ab, matched) + _WHOLE * self._torn(ab) + _STILL * float(still)

    def _distance(self, ab: Floats, matched: Palette) -> float:
        some = slice(None, None, max(1, len(ab) // _PIXELS))
        L = transfer_lightness(self.lab[some, 0], self.source, matched, strength=_STRENGTH)
        colors = reduce_chroma(np.column_stack([L, ab[some]]))
        means, _ = refined_means(colors, self.source.nearest(self.lab[some]), len(self.source))
        difference = delta_e_2000(means[:, np.newaxis], self.target.lab[np.newaxis])
        return float(difference[assign(difference)].mean())

    def _torn(self, ab: Floats) -> float:
        group = nearest_hue_group(ab, self.target.lab, self.groups)
        colored = np.linalg.norm(ab, axis=1) > _CHROMA
        weights = self.weights * (colored[self.first] & colored[self.second])
        return float(weights @ (group[self.first] != group[self.second]) / max(weights.sum(), 1e-9))


def _pairs(lab: Floats, seen: NDArray[np.bool_]) -> tuple[Indices, Indices, Floats]:
    """Pairs of pixels of one surface: indices of both among all pixels, and weights."""
    chromaticity = lab[..., 1:] / (lab[..., :1] + 16.0)
    usable = seen & (np.linalg.norm(lab[..., 1:], axis=-1) > _CHROMA)
    index = np.arange(usable.size).reshape(usable.shape)
    found = []
    for step in _STEPS:
        for a, b in ((np.s_[step:, :], np.s_[:-step, :]), (np.s_[:, step:], np.s_[:, :-step])):
            apart = ((chromaticity[a] - chromaticity[b]) ** 2).sum(axis=-1)
            weights = np.exp(-apart / _SAME_SURFACE**2) * (usable[a] & usable[b])
            sure = weights > _SURE
            found.append((index[a][sure], index[b][sure], weights[sure]))
    first, second, weights = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, weights

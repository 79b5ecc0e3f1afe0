"""`baseline`: palette-based photo recolouring by Chang et al. 2015.

[C] is H. Chang, O. Fried, Y. Liu, S. DiVerdi, A. Finkelstein, "Palette-based Photo Recoloring", ACM Transactions on
Graphics 34(4), 2015. Where this differs from it, so that no jump tears smooth areas: C and C' are brought into gamut
at the pixel's lightness, the case "C' out of gamut" is entered gradually, and a colour x0 outside the gamut returns by
chroma reduction instead of towards C' (a chord along a concave face of the gamut has no stable end). Blend weights are
clamped and renormalised, and chroma is reduced at the end, since a blend of in-gamut colours need not be in gamut.
"""

import numpy as np
from numpy.typing import NDArray

from kpalette.gamut import gamut_crossing, in_gamut, reduce_chroma
from kpalette.lightness import transfer_lightness
from kpalette.lut import Mapping
from kpalette.palette import Palette
from kpalette.recolorer import LatticeRecolorer
from kpalette.types import FloatArray

DEFAULT_REACH = 0.5
_MERGE_DISTANCE = 2.0  # dE76 below which two source swatches count as one
_RIDGE = 1e-6
_TAPER = 10.0  # excess chroma over which a swatch counts as wholly out of gamut
_LONGEST_RAY = 256.0  # longer than any way through the gamut at one lightness
_STEPS = 12
_L_TABLE = np.linspace(0.0, 100.0, 1001)


class BaselineRecolorer(LatticeRecolorer):
    """Chang et al. 2015: monotone luminance transfer, ab transfer along gamut rays, radial basis blend.

    Args:
        reach: radius of the radial basis functions in mean distances between source swatches. The paper has 1; 0.5
            came nearer to the palette at the same structure on paintings held apart from the report.
    """

    name = "baseline"
    title = "Chang et al. 2015: rays to the gamut border, blended by radial basis functions"
    extraction = "chang"
    default_lightness = 1.0

    def __init__(self, *, reach: float = DEFAULT_REACH) -> None:
        """See the class."""
        self.reach = reach

    def mapping(self, source: Palette, target: Palette, *, lightness: float) -> Mapping:
        """The exact mapping: lab (n, 3) to lab (n, 3), before the last chroma reduction."""
        source, target = _merged(source, target)
        transfers = [SwatchTransfer(*pair) for pair in zip(source.lab[:, 1:], target.lab[:, 1:], strict=True)]

        def apply(lab: FloatArray) -> FloatArray:
            weights = blend_weights(lab, source, reach=self.reach)
            moved = np.array(lab)
            moved[:, 0] = transfer_lightness(lab[:, 0], source, target, strength=lightness)
            moved = reduce_chroma(moved)
            result = np.array(moved)
            result[:, 1:] = 0.0
            for i, transfer in enumerate(transfers):
                result[:, 1:] += weights[:, i : i + 1] * transfer(moved)
            return result

        return apply


def _merged(source: Palette, target: Palette) -> tuple[Palette, Palette]:
    """Swatches closer than 2 dE become one, or the radial basis system would be singular."""
    groups: list[list[int]] = []
    for i, lab in enumerate(source.lab):
        for group in groups:
            if np.linalg.norm(source.lab[group].mean(axis=0) - lab) < _MERGE_DISTANCE:
                group.append(i)
                break
        else:
            groups.append([i])
    if len(groups) == len(source):
        return source, target
    weights = source.weights + 1e-9

    def pooled(palette: Palette) -> Palette:
        return Palette(
            [np.average(palette.lab[group], axis=0, weights=weights[group]) for group in groups],
            [weights[group].sum() for group in groups],
        )

    return pooled(source), pooled(target)


def blend_weights(lab: FloatArray, source: Palette, *, reach: float) -> FloatArray:
    """Radial basis weights, 1 at their own swatch and 0 at the others ([C] section 3.5).

    Args:
        lab: CIELAB (n, 3).
        source: k distinct swatches.
        reach: radius in mean distances between the swatches.

    Returns:
        Weights (n, k), dtype of `lab`, not negative, rows sum to 1.
    """
    if len(source) == 1:
        return np.ones((len(lab), 1), dtype=lab.dtype)
    between = np.linalg.norm(source.lab[:, None] - source.lab[None], axis=-1)
    sigma = reach * between[np.triu_indices(len(source), 1)].mean()
    kernel = np.exp(-(between**2) / (2 * sigma**2))
    lambdas = np.linalg.inv(kernel + _RIDGE * np.eye(len(source))).astype(lab.dtype)
    centres = source.lab.astype(lab.dtype)
    squares = np.stack([np.sum((lab - centre) ** 2, axis=-1) for centre in centres], axis=-1)
    weights = np.maximum(np.exp(squares * lab.dtype.type(-0.5 / sigma**2)) @ lambdas, 0)
    total = weights.sum(axis=-1, keepdims=True)
    nearest = np.eye(len(source), dtype=lab.dtype)[np.argmin(squares, axis=-1)]
    blended: FloatArray = np.where(total > 1e-9, weights / np.maximum(total, 1e-9), nearest)
    return blended


class SwatchTransfer:
    """Moves ab as one swatch moves, scaled by the room that the gamut leaves ([C] section 3.4, figure 5).

    What depends on lightness alone is tabulated at once: C' - C, both in gamut, and the room |Cb - C|. Where C' itself
    is out of gamut the paper takes the whole step, which is room 0; here the room shrinks to 0 over some units of
    excess chroma, so that nothing jumps.

    Args:
        source_ab: C, the source swatch (2,).
        target_ab: C', the target swatch (2,).
    """

    def __init__(self, source_ab: NDArray[np.float64], target_ab: NDArray[np.float64]) -> None:
        """See the class."""
        self._still = bool(np.linalg.norm(target_ab - source_ab) < 1e-6)
        start, end = _reduced_at(_L_TABLE, source_ab), _reduced_at(_L_TABLE, target_ab)
        border = _border(_L_TABLE, end, end - start)
        excess = np.linalg.norm(target_ab - end, axis=-1)
        self._room = np.linalg.norm(border - start, axis=-1) * np.maximum(0.0, 1.0 - excess / _TAPER)
        self._move = end - start

    def __call__(self, lab: FloatArray) -> FloatArray:
        """CIELAB (n, 3), in gamut, at the new lightness, to ab (n, 2) of the same dtype."""
        x, L = lab[:, 1:], np.ascontiguousarray(lab[:, 0])
        if self._still:
            return x
        columns = [np.interp(L, _L_TABLE, column).astype(L.dtype) for column in (*self._move.T, self._room)]
        move = np.column_stack(columns[:2])
        size = np.linalg.norm(move, axis=-1)
        way = _border(L, x + move, move) - x
        length = np.linalg.norm(way, axis=-1)
        step = np.minimum(size * np.minimum(1.0, length / np.maximum(columns[2], 1e-6)), length)
        moved: FloatArray = x + way * (step / np.maximum(length, 1e-6))[:, None]
        return moved


def _border(L: FloatArray, x0: FloatArray, move: FloatArray) -> FloatArray:
    """The point xb (n, 2): where the way on from x0 leaves the gamut, or x0 outside it with its chroma reduced."""
    lab = np.column_stack([L, x0])
    inside = in_gamut(lab, bridge_gap=True)
    border = np.empty_like(x0)
    border[~inside] = reduce_chroma(lab[~inside], steps=_STEPS)[:, 1:]
    size = np.maximum(np.linalg.norm(move[inside], axis=-1, keepdims=True), L.dtype.type(1e-3))
    way = move[inside] * (L.dtype.type(_LONGEST_RAY) / size)
    border[inside] = x0[inside] + gamut_crossing(L[inside], x0[inside], way, steps=_STEPS)[:, None] * way
    return border


def _reduced_at(L: FloatArray, ab: NDArray[np.float64]) -> FloatArray:
    """A swatch's ab (n, 2) at other lightnesses (n,), chroma reduced into gamut."""
    reduced: FloatArray = reduce_chroma(np.column_stack([L, np.broadcast_to(ab, (len(L), 2))]))[:, 1:]
    return reduced

"""`baseline`: palette-based photo recolouring by Chang et al. 2015.

[C] is H. Chang, O. Fried, Y. Liu, S. DiVerdi, A. Finkelstein, "Palette-based Photo Recoloring", ACM Transactions on
Graphics 34(4), 2015. Where this differs from it: swatches are brought into gamut at the pixel's lightness before they
are compared (so that the transfer is continuous where the paper's case "C out of gamut" would jump), blend weights are
clamped and renormalised, and chroma is reduced at the end, since a blend of in-gamut colours need not be in gamut.
"""

import numpy as np
from numpy.typing import NDArray

from kpalette.gamut import gamut_exit, in_gamut, reduce_chroma
from kpalette.lightness import transfer_lightness
from kpalette.lut import Mapping
from kpalette.palette import Palette
from kpalette.recolorer import LatticeRecolorer
from kpalette.types import FloatArray

DEFAULT_REACH = 0.5
_MERGE_DISTANCE = 2.0  # dE76 below which two source swatches count as one
_RIDGE = 1e-6
_LONGEST_RAY = 400.0  # longer than any way through the gamut at one lightness
_STEPS = 18
_L_TABLE = np.linspace(0.0, 100.0, 1001)


class BaselineRecolorer(LatticeRecolorer):
    """Chang et al. 2015: monotone luminance transfer, ab transfer along gamut rays, radial basis blend.

    Args:
        reach: radius of the radial basis functions in mean distances between source swatches; the paper has 1. Half of
            it brings the picture nearer to the palette at no loss of structure (measured on paintings, not on the
            pictures of the report; CHANGELOG.md has the figures).
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

        def apply(lab: FloatArray) -> FloatArray:
            weights = blend_weights(lab, source, reach=self.reach)
            moved = np.array(lab)
            moved[:, 0] = transfer_lightness(lab[:, 0], source, target, strength=lightness)
            moved = reduce_chroma(moved)
            result = np.array(moved)
            result[:, 1:] = 0.0
            for i in range(len(source)):
                ab = transfer_ab(moved, source.lab[i, 1:], target.lab[i, 1:])
                result[:, 1:] += weights[:, i : i + 1] * ab
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


def transfer_ab(lab: FloatArray, source_ab: NDArray[np.float64], target_ab: NDArray[np.float64]) -> FloatArray:
    """Moves ab as one swatch moves, scaled by the room that the gamut leaves ([C] section 3.4, figure 5).

    Args:
        lab: CIELAB (n, 3), in gamut, at the new lightness.
        source_ab: C, the source swatch (2,).
        target_ab: C', the target swatch (2,).

    Returns:
        ab (n, 2), dtype of `lab`.
    """
    x, L = lab[:, 1:], np.ascontiguousarray(lab[:, 0])
    move = (target_ab - source_ab).astype(lab.dtype)
    size = np.linalg.norm(move)
    if size < 1e-6:
        return x
    end, room = _swatches_at(L, source_ab, target_ab)
    x0 = x + move
    inside = in_gamut(np.column_stack([L, x0]))
    origin = np.where(inside[:, None], x, end)
    direction = np.where(inside[:, None], move, x0 - end)
    longest = np.where(inside, lab.dtype.type(_LONGEST_RAY / size), lab.dtype.type(1.0))
    reach = gamut_exit(L, (origin[:, 0], origin[:, 1]), (direction[:, 0], direction[:, 1]), longest, steps=_STEPS)
    way = origin + reach[:, None] * direction - x
    length = np.linalg.norm(way, axis=-1)
    step = np.minimum(size * np.minimum(1.0, length / np.maximum(room, 1e-6)), length)
    moved: FloatArray = x + way * (step / np.maximum(length, 1e-6))[:, None]
    return moved


def _reduced_at(L: FloatArray, ab: NDArray[np.float64]) -> FloatArray:
    """A swatch's ab (n, 2) at other lightnesses (n,), chroma reduced into gamut."""
    reduced: FloatArray = reduce_chroma(np.column_stack([L, np.broadcast_to(ab, (len(L), 2))]))[:, 1:]
    return reduced


def _swatches_at(
    L: FloatArray, source_ab: NDArray[np.float64], target_ab: NDArray[np.float64]
) -> tuple[FloatArray, FloatArray]:
    """What depends on lightness (n,) alone, tabulated and read off: C' (n, 2) in gamut, and the room |Cb - C| (n,).

    Where C' itself is out of gamut the room is 0, so that the whole step is taken; as C' nears the border the room
    nears |C' - C|, and both give the same result there.
    """
    move = target_ab - source_ab
    start, end = _reduced_at(_L_TABLE, source_ab), _reduced_at(_L_TABLE, target_ab)
    size = float(np.linalg.norm(move))
    longest = np.full_like(_L_TABLE, _LONGEST_RAY / size)
    room = size * gamut_exit(_L_TABLE, (start[:, 0], start[:, 1]), (move[0], move[1]), longest)
    room[np.linalg.norm(end - target_ab, axis=-1) > 0] = 0.0
    columns = [np.interp(L, _L_TABLE, column).astype(L.dtype) for column in (end[:, 0], end[:, 1], room)]
    return np.column_stack(columns[:2]), columns[2]

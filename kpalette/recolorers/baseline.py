"""`baseline`: palette-based photo recolouring by Chang et al. 2015.

[C] is H. Chang, O. Fried, Y. Liu, S. DiVerdi, A. Finkelstein, "Palette-based Photo Recoloring", ACM Transactions on
Graphics 34(4), 2015. Where this differs from it, so that no jump tears smooth areas: C and C' are brought into gamut
at the pixel's lightness, the case "C' out of gamut" is entered gradually, and a colour x0 outside the gamut returns by
chroma reduction instead of towards C' (a chord along a concave face of the gamut has no stable end). Blend weights are
clamped and renormalised, and chroma is reduced at the end, since a blend of in-gamut colours need not be in gamut.
"""

import numpy as np
from numpy.typing import NDArray

from kpalette.color.gamut import reduce_chroma, way_out
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import ColorMapRecolorer, Plan
from kpalette.recolorers.lattice import ColorMap
from kpalette.recolorers.lightness import transfer_lightness
from kpalette.types import L_MAX, FloatArray

DEFAULT_REACH = 0.5
_MERGE_DISTANCE = 2.0  # dE76 below which two source swatches count as one
_RIDGE = 1e-6
_TAPER = 10.0  # excess chroma over which a swatch counts as wholly out of gamut
_NEGLIGIBLE = 1e-4  # a weight that moves a colour by less than any eye or file can tell
_L_TABLE = np.linspace(0.0, L_MAX, 1001)


class BaselineRecolorer(ColorMapRecolorer):
    """Chang et al. 2015: monotone luminance transfer, ab transfer along gamut rays, radial basis blend.

    Args:
        reach: radius of the radial basis functions in mean distances between source swatches. The paper has 1; 0.5
            came nearer to the palette at the same structure on paintings held apart from the report.
    """

    name = "baseline"
    extraction = "chang"
    default_lightness = 1.0

    def __init__(self, *, reach: float = DEFAULT_REACH) -> None:
        """See the class."""
        self.reach = reach

    def color_map(self, plan: Plan) -> ColorMap:
        """The exact map: lab (n, 3) to lab (n, 3), before the last chroma reduction."""
        source, target = _merged(plan.source, plan.target)
        transfers = [SwatchTransfer(*pair) for pair in zip(source.lab[:, 1:], target.lab[:, 1:], strict=True)]

        def apply(lab: FloatArray) -> FloatArray:
            weights = blend_weights(lab, source, reach=self.reach)
            moved = np.array(lab)
            moved[:, 0] = transfer_lightness(lab[:, 0], source, target, strength=plan.lightness)
            moved = reduce_chroma(moved)
            columns = np.ascontiguousarray(moved.T)
            result = np.zeros_like(columns)
            result[0] = columns[0]
            for weight, transfer in zip(weights.T, transfers, strict=True):
                near = np.flatnonzero(weight)
                result[1:, near] += weight[near] * transfer.columns(columns[0, near], columns[1:, near])
            mapped: FloatArray = result.T
            return mapped

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
    L, a, b = np.ascontiguousarray(lab.T)
    squares = np.stack([(L - x) ** 2 + (a - y) ** 2 + (b - z) ** 2 for x, y, z in source.lab.astype(lab.dtype)])
    # No matrix product: the threads of the BLAS would fight those of the bake, at twice the time.
    kernels = np.exp(squares * lab.dtype.type(-0.5 / sigma**2))
    weights = np.maximum(np.einsum("ij,jn->in", lambdas, kernels), 0)
    total = weights.sum(axis=0)
    lost = np.flatnonzero(total <= 1e-9)  # too far from all
    weights[np.argmin(squares[:, lost], axis=0), lost] = total[lost] = 1.0
    weights /= total
    weights[weights < _NEGLIGIBLE] = 0.0
    blended: FloatArray = (weights / weights.sum(axis=0)).T
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
        move = end - start
        direction = move.T / np.maximum(np.linalg.norm(move, axis=-1), 1e-3)
        border = way_out(_L_TABLE, end.T, direction, limit=np.ones_like(_L_TABLE)).T
        excess = np.linalg.norm(target_ab - end, axis=-1)
        room = np.linalg.norm(border - start, axis=-1) * np.maximum(0.0, 1.0 - excess / _TAPER)
        self._tables = np.column_stack([move, room])

    def __call__(self, lab: FloatArray) -> FloatArray:
        """CIELAB (n, 3), in gamut, at the new lightness, to ab (n, 2) of the same dtype."""
        L, x = np.ascontiguousarray(lab[:, 0]), np.ascontiguousarray(lab[:, 1:].T)
        return x.T if self._still else self.columns(L, x).T

    def columns(self, L: FloatArray, x: FloatArray) -> FloatArray:
        """The same for L (n,) and ab (2, n) to ab (2, n)."""
        if self._still:
            return x
        *uv, room = _interpolated(L, self._tables)
        move = np.stack(uv)
        size = _length(move)
        way = way_out(L, x + move, move / np.maximum(size, L.dtype.type(1e-3)), limit=room - size) - x
        length = _length(way)
        step = np.minimum(size * np.minimum(1.0, length / np.maximum(room, 1e-6)), length)
        moved: FloatArray = x + way * (step / np.maximum(length, 1e-6))
        return moved


def _length(ab: FloatArray) -> FloatArray:
    length: FloatArray = np.sqrt(ab[0] * ab[0] + ab[1] * ab[1])
    return length


def _interpolated(L: FloatArray, table: NDArray[np.float64]) -> FloatArray:
    """Columns (m, n) of a table over `_L_TABLE`, dtype of L."""
    position = L * L.dtype.type((len(table) - 1) / L_MAX)
    index = np.clip(position.astype(np.intp), 0, len(table) - 2)
    fraction = position - index.astype(L.dtype)
    columns = np.ascontiguousarray(table.T.astype(L.dtype))
    steps = np.diff(columns, axis=-1)
    return np.stack([c.take(index) + fraction * s.take(index) for c, s in zip(columns, steps, strict=True)])


def _reduced_at(L: FloatArray, ab: NDArray[np.float64]) -> FloatArray:
    """A swatch's ab (n, 2) at other lightnesses (n,), chroma reduced into gamut."""
    reduced: FloatArray = reduce_chroma(np.column_stack([L, np.broadcast_to(ab, (len(L), 2))]))[:, 1:]
    return reduced

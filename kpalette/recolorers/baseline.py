"""`baseline`: palette-based photo recolouring by Chang et al. 2015.

[C] is H. Chang, O. Fried, Y. Liu, S. DiVerdi, A. Finkelstein, "Palette-based Photo Recoloring", ACM Transactions on
Graphics 34(4), 2015. A colour x is recoloured so:

1. Its lightness moves along straight lines through the swatches' lightnesses ([C] section 3.3).
2. For each swatch C and its target C', x moves in ab as C does, scaled by the room in the gamut ([C] section 3.4):

       x0 = x + (C' - C)
       step = |C' - C| min(1, |xb - x| / |Cb - C|), from x towards xb, and never beyond xb

   Cb is where the ray from C through C' leaves the gamut, xb where the ray from x through x0 leaves it. If x0 lies
   outside already, xb is x0 brought into gamut.
3. The results of all swatches are blended by radial basis functions of the distance from x to C ([C] section 3.5).

In four points it differs from the paper, so that smooth areas do not tear:

- C and C' are brought into gamut at the lightness of x.
- In the paper, a target out of gamut is a case of its own. Here that case sets in gradually (`_TAPER`).
- An x0 outside the gamut is brought into it by chroma reduction, not along the line towards C': where the gamut's
  surface is concave, that line has no stable end.
- Negative blend weights become 0, the others are scaled to sum 1. The result is reduced in chroma, since a blend of
  colours in gamut may lie outside.
"""

from dataclasses import replace
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from kpalette.color.gamut import gamut_exit, reduce_chroma
from kpalette.images.picture import Picture
from kpalette.kernels.loader import kernels_for
from kpalette.palettes.palette import Palette
from kpalette.recolorers.base import ColorMapRecolorer, Plan
from kpalette.recolorers.lattice import ColorMap
from kpalette.types import L_MAX, FloatArray

DEFAULT_REACH = 0.5
_MERGE_DISTANCE = 2.0  # CIE 1976 difference below which two source swatches count as one
_RIDGE = 1e-6  # added to the diagonal before the matrix is inverted
_TAPER = 10.0  # distance from the gamut, in Lab units, at which a target counts as wholly outside
_NEGLIGIBLE = 1e-4  # a blend weight that moves no colour visibly
_L_TABLE = np.linspace(0.0, L_MAX, 1001)


class BaselineRecolorer(ColorMapRecolorer):
    """Palette-based photo recolouring by Chang et al. 2015; see the head of this module.

    Args:
        reach: radius of the radial basis functions, as a multiple of the mean distance between source swatches. The
            paper has 1. With 0.5, structure was the same and colours were nearer to the palette, on paintings that the
            report does not use.

    Example:
        >>> image = np.array([[[200, 30, 30], [30, 30, 200]]], np.uint8)
        >>> kpalette.recolor(image, "orange purple", model=BaselineRecolorer(reach=1.0)).shape
        (1, 2, 3)
    """

    name = "baseline"
    extraction = "chang"

    def __init__(self, *, reach: float = DEFAULT_REACH) -> None:
        """See the class."""
        self.reach = reach

    def color_map(self, plan: Plan) -> ColorMap:
        """Makes the exact map: lab (n, 3) to lab (n, 3), before the last chroma reduction."""
        return self._map(plan, None)

    def color_map_for(self, picture: Picture, plan: Plan) -> ColorMap:
        """Makes the same map; by kernels for a large picture."""
        return self._map(plan, kernels_for(picture.rgb.size // 3))

    def _map(self, plan: Plan, kernels: ModuleType | None) -> ColorMap:
        source, target = _merged(plan.source, plan.target)
        merged = replace(plan, source=source, target=target)
        transfers = [SwatchTransfer(*pair) for pair in zip(source.lab[:, 1:], target.lab[:, 1:], strict=True)]

        def apply(lab: FloatArray) -> FloatArray:
            weights = blend_weights(lab, source, reach=self.reach)
            moved = np.array(lab)
            moved[:, 0] = merged.moved_lightness(lab[:, 0])
            columns = np.ascontiguousarray(reduce_chroma(moved).T)
            result = np.zeros_like(columns)
            result[0] = columns[0]
            for weight, transfer in zip(weights.T, transfers, strict=True):
                near = np.flatnonzero(weight)
                result[1:, near] += weight[near] * transfer.columns(
                    columns[0, near], columns[1:, near], kernels=kernels
                )
            mapped: FloatArray = result.T
            return mapped

        return apply


def _merged(source: Palette, target: Palette) -> tuple[Palette, Palette]:
    """Merges source swatches closer than `_MERGE_DISTANCE`, and their targets: equal ones make the system singular."""
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
    shares = source.shares + 1e-9

    def merged(palette: Palette) -> Palette:
        return Palette(
            [np.average(palette.lab[group], axis=0, weights=shares[group]) for group in groups],
            [shares[group].sum() for group in groups],
        )

    return merged(source), merged(target)


def blend_weights(lab: FloatArray, source: Palette, *, reach: float) -> FloatArray:
    """Blend weights by radial basis functions: 1 at the own swatch, 0 at the others ([C] section 3.5).

    With phi(r) = exp(-r^2 / (2 sigma^2)), the weight of swatch i at a colour x is

        w_i(x) = sum_j lambda_ij phi(|x - C_j|)

    where the lambda_ij make w_i(C_j) = 1 for i = j, and 0 otherwise: the inverse of the matrix phi(|C_i - C_j|).

    Args:
        lab: CIELAB (n, 3).
        source: k distinct swatches.
        reach: sigma, as a multiple of the mean distance between the swatches.

    Returns:
        Weights (n, k), dtype of `lab`, none negative, each row sums to 1.

    Example:
        >>> blend_weights(np.array([[50.0, 0, 0]]), Palette([[45, 0, 0], [55, 0, 0]]), reach=1.0).round(3)
        array([[0.5, 0.5]])
    """
    if len(source) == 1:
        return np.ones((len(lab), 1), dtype=lab.dtype)
    between = np.linalg.norm(source.lab[:, None] - source.lab[None], axis=-1)
    sigma = reach * between[np.triu_indices(len(source), 1)].mean()
    kernel = np.exp(-(between**2) / (2 * sigma**2))
    lambdas = np.linalg.inv(kernel + _RIDGE * np.eye(len(source))).astype(lab.dtype)
    L, a, b = np.ascontiguousarray(lab.T)
    squares = np.stack([(L - x) ** 2 + (a - y) ** 2 + (b - z) ** 2 for x, y, z in source.lab.astype(lab.dtype)])
    # No matrix product: the threads of the BLAS library would compete with those that call this, at twice the time.
    kernels = np.exp(squares * lab.dtype.type(-0.5 / sigma**2))
    weights = np.maximum(np.einsum("ij,jn->in", lambdas, kernels), 0)
    total = weights.sum(axis=0)
    far = np.flatnonzero(total <= 1e-9)  # too far from every swatch: the nearest one gets all
    weights[np.argmin(squares[:, far], axis=0), far] = total[far] = 1.0
    weights /= total
    weights[weights < _NEGLIGIBLE] = 0.0
    blended: FloatArray = (weights / weights.sum(axis=0)).T
    return blended


class SwatchTransfer:
    """Moves colours in ab as one swatch C moves to C' ([C] section 3.4, figure 5); see the head of this module.

    Tables over lightness hold what does not depend on the colour: the move C' - C with both ends in gamut, and the room
    |Cb - C|. Where C' is out of gamut, the paper takes the whole step, which is a room of 0. Here the room falls to 0
    as the distance of C' from the gamut rises to `_TAPER`.

    Args:
        source_ab: C, ab (2,).
        target_ab: C', ab (2,).

    Example:
        >>> SwatchTransfer(np.array([0.0, 0.0]), np.array([10.0, 0.0]))(np.array([[50.0, 0.0, 0.0]])).round(3)
        array([[10.,  0.]])
    """

    def __init__(self, source_ab: NDArray[np.float64], target_ab: NDArray[np.float64]) -> None:
        """See the class."""
        self._still = bool(np.linalg.norm(target_ab - source_ab) < 1e-6)
        start, end = _reduced_at(_L_TABLE, source_ab), _reduced_at(_L_TABLE, target_ab)
        move = end - start
        direction = move.T / np.maximum(np.linalg.norm(move, axis=-1), 1e-3)
        border = gamut_exit(_L_TABLE, end.T, direction, limit=np.ones_like(_L_TABLE)).T
        excess = np.linalg.norm(target_ab - end, axis=-1)
        room = np.linalg.norm(border - start, axis=-1) * np.maximum(0.0, 1.0 - excess / _TAPER)
        self._tables = np.column_stack([move, room])

    def __call__(self, lab: FloatArray) -> FloatArray:
        """Maps CIELAB (n, 3), in gamut and of the new lightness, to ab (n, 2) of the same dtype."""
        L, x = np.ascontiguousarray(lab[:, 0]), np.ascontiguousarray(lab[:, 1:].T)
        return x.T if self._still else self.columns(L, x).T

    def columns(self, L: FloatArray, x: FloatArray, *, kernels: ModuleType | None = None) -> FloatArray:
        """Does the same for L (n,) and ab (2, n), and returns ab (2, n)."""
        if self._still:
            return x
        *ab, room = _interpolated(L, self._tables)
        move = np.stack(ab)
        size = _length(move)
        to_border = (
            gamut_exit(L, x + move, move / np.maximum(size, L.dtype.type(1e-3)), limit=room - size, kernels=kernels) - x
        )
        length = _length(to_border)
        step = np.minimum(size * np.minimum(1.0, length / np.maximum(room, 1e-6)), length)
        moved: FloatArray = x + to_border * (step / np.maximum(length, 1e-6))
        return moved


def _length(ab: FloatArray) -> FloatArray:
    """Lengths of columns (2, n)."""
    length: FloatArray = np.sqrt(ab[0] * ab[0] + ab[1] * ab[1])
    return length


def _interpolated(L: FloatArray, table: NDArray[np.float64]) -> FloatArray:
    """Interpolates the m columns of a table over `_L_TABLE` at L (n,): (m, n), dtype of L."""
    position = L * L.dtype.type((len(table) - 1) / L_MAX)
    index = np.clip(position.astype(np.intp), 0, len(table) - 2)
    fraction = position - index.astype(L.dtype)
    columns = np.ascontiguousarray(table.T.astype(L.dtype))
    steps = np.diff(columns, axis=-1)
    return np.stack([c.take(index) + fraction * s.take(index) for c, s in zip(columns, steps, strict=True)])


def _reduced_at(L: FloatArray, ab: NDArray[np.float64]) -> FloatArray:
    """Brings a swatch's ab (2,) into gamut at lightnesses (n,): ab (n, 2)."""
    reduced: FloatArray = reduce_chroma(np.column_stack([L, np.broadcast_to(ab, (len(L), 2))]))[:, 1:]
    return reduced

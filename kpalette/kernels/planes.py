"""Kernels as functions of NumPy arrays: what the rest of kpalette calls. Needs Numba; see `kpalette.kernels.loader`.

Colours are planes, float32 (3, h, w), contiguous.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from kpalette.color.gamut import BISECTION_STEPS
from kpalette.color.spaces import linear_to_rgb, rgb_to_linear
from kpalette.kernels import clusters, colors, fields, gamut, regions, slopes, tables
from kpalette.types import BoolArray, FloatArray, ImageArray


def image_to_planes(image: ImageArray) -> FloatArray:
    """CIELAB planes of an image, uint8 (h, w, 3)."""
    lab: FloatArray = np.empty((3, *image.shape[:2]), np.float32)
    colors.bytes_to_lab(image, _linear(), lab)
    return lab


def planes_to_image(lab: FloatArray, first: int, image: ImageArray) -> None:
    """Writes CIELAB planes in gamut, from a row on, into an image, uint8 (rows, w, 3)."""
    colors.lab_to_bytes(lab, first, _levels(), image)


def reduce_chroma(lab: FloatArray, *, steps: int = BISECTION_STEPS, least: float = 0.0) -> BoolArray:
    """`kpalette.color.gamut.reduce_chroma` of planes, in place. Returns which lose more than `least` of a or b."""
    cut: BoolArray = np.empty(lab.shape[1:], np.bool_)
    gamut.reduce_planes(lab, steps, np.float32(least), cut)
    return cut


def first_root(
    L: FloatArray, fx: FloatArray, fz: FloatArray, dx: FloatArray, dz: FloatArray, *, scan: FloatArray, halvings: int
) -> FloatArray:
    """Where rays first leave the gamut; see `kpalette.color.gamut.gamut_exit`.

    Args:
        L: lightness, float32 (n,).
        fx: f(x) of where each ray begins, (n,).
        fz: f(z) likewise.
        dx: how far f(x) moves along the whole ray, (n,).
        dz: f(z) likewise.
        scan: positions that are looked at first, rising, the last is 1.
        halvings: how often what is between two of them is halved.

    Returns:
        Positions on the rays, 0..1, (n,).
    """
    root: FloatArray = gamut.first_root(L, fx, fz, dx, dz, scan.astype(np.float32), halvings)
    return root


def nodes_to_rgb(lab: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Reduces colours, float32 (n, 3), into the gamut: rgb in 0..1, (n, 3), and which lay outside, (n,)."""
    rgb: FloatArray = np.empty(lab.shape, np.float32)
    outside: BoolArray = np.empty(len(lab), np.bool_)
    gamut.nodes_to_rgb(lab, BISECTION_STEPS, _levels(), rgb, outside)
    return rgb, outside


def field_nodes(planes: FloatArray) -> FloatArray:
    """The planes of a `kpalette.recolorers.upsample.ChangeField`, (6 n, h, w), as `add_change` and `relight` need them.

    Returns:
        float32 (h, w, 6, 3). A change of n colours is that of the last n of three; the others are 0.
    """
    n = len(planes) // 6
    nodes: FloatArray = np.zeros((*planes.shape[1:], 6, 3), np.float32)
    nodes[..., 3 - n : 3] = np.moveaxis(planes, 0, -1).reshape(*planes.shape[1:], 6, n)
    return nodes


def add_change(lab: FloatArray, nodes: FloatArray, *, top: int, height: int) -> None:
    """Adds a change to rows of a picture, in place.

    Args:
        lab: CIELAB planes of the rows, which are the field's guide, too.
        nodes: those of the field.
        top: the first row.
        height: rows of the whole picture.
    """
    fields.add_change(lab, nodes, top, height)


def relight(image: ImageArray, nodes: FloatArray, *, scale: float, top: int, height: int, result: ImageArray) -> None:
    """Adds a change of rgb to rows of an image; see `kpalette.recolorers.tone`.

    Args:
        image: uint8 (rows, w, 3).
        nodes: those of the field, whose colours are rgb in 0..1 times `scale`.
        scale: see `nodes`.
        top: the first row.
        height: rows of the whole picture.
        result: the new image, like `image`.
    """
    fields.relight(image, nodes, scale, top, height, result)


def look_up(image: ImageArray, table: FloatArray, result: ImageArray) -> None:
    """Maps an image, uint8 (h, w, 3), by a `lattice_levels`."""
    tables.look_up(image, table, result)


def lattice_levels(table: FloatArray) -> FloatArray:
    """The table of a `kpalette.recolorers.lattice.Lattice` as `look_up` needs it: levels, (n, n, n, 4)."""
    levels: FloatArray = np.zeros((*table.shape[:3], 4), np.float32)
    np.multiply(table, 255, out=levels[..., :3])
    return levels


def solve_columns(values: FloatArray, weights: FloatArray) -> None:
    """Solves the systems of all columns, in place; see `kpalette.recolorers.smoothing`.

    Args:
        values: float64 (h, w).
        weights: float64 (h - 1, w), of each pixel and the one below it.
    """
    regions.solve_columns(values, weights)


def bring_in_order(before: FloatArray, after: FloatArray, *, passes: int) -> None:
    """Brings neighbours that have changed places to one value between them, in place; float32 (h, w) each."""
    regions.bring_in_order(before, after, passes)


def lloyd(points: FloatArray, weights: FloatArray, centres: FloatArray, *, fixed: int, rounds: int) -> NDArray[np.intp]:
    """Lloyd's algorithm; see `kpalette.palettes.kmeans.lloyd`.

    Args:
        points: float64 (n, 3).
        weights: float64 (n,).
        centres: where they begin, float64 (k, 3); moves in place.
        fixed: how many of the last stay.
        rounds: the most rounds.

    Returns:
        The index of each point's centre, (n,).
    """
    points, weights = np.ascontiguousarray(points), np.ascontiguousarray(weights)
    labels: NDArray[np.intp] = clusters.lloyd(points, weights, centres, fixed, rounds)
    return labels


def plus_plus(points: FloatArray, weights: FloatArray, draws: FloatArray) -> FloatArray:
    """Seeds of k-means++; see `kpalette.palettes.kmeans`.

    Args:
        points: float64 (n, 3).
        weights: float64 (n,).
        draws: random numbers in 0..1, one for each seed, (k,).

    Returns:
        The seeds, float64 (k, 3).
    """
    seeds: FloatArray = clusters.plus_plus(np.ascontiguousarray(points), np.ascontiguousarray(weights), draws)
    return seeds


def limit_slopes(
    before: FloatArray, after: FloatArray, *, passes: int, reach: int, alike: float, steepest: float, slack: float,
    cut: float, steps: int,
) -> None:  # fmt: skip
    """`kpalette.recolorers.slopes.limit_slopes` of planes: `after` is reduced into gamut and limited, in place."""
    marked = reduce_chroma(after, steps=steps, least=cut)
    limits = (np.float32(alike), np.float32(steepest), np.float32(slack))
    slopes.limit_planes(before, after, marked, passes, reach, *limits, steps)


@cache
def _linear() -> FloatArray:
    """Linear light of the 256 values of a byte."""
    linear: FloatArray = rgb_to_linear(np.arange(256) / 255).astype(np.float32)
    return linear


@cache
def _levels() -> FloatArray:
    """Gamma-encoded levels, 0..255, of `LEVELS` + 1 values of linear light, 0..1."""
    rgb = linear_to_rgb(np.arange(colors.LEVELS + 1) / colors.LEVELS)
    levels: FloatArray = (255 * np.clip(rgb, 0.0, 1.0)).astype(np.float32)
    return levels

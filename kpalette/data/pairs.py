"""The training pair as a pure function of pictures and random numbers: what a network sees, and what it should answer.

[P] is Cho et al. 2017, section 3.1: both sides of a hue pair are one picture under two turns of hue at its own
lightness. Hue pairs alone teach a single angle: the other rows of a batch ask for unrelated palettes, and have soft
cluster turn for a teacher (`turned_target`).

Functions take arrays of any library, and run eagerly, in `tf.data.Dataset.map`, and in a compiled step alike.
"""

from typing import NamedTuple

from kpalette.color.arrays import as_float, namespace
from kpalette.color.gamut import reduce_chroma
from kpalette.color.spaces import lab_to_rgb, rotate_hue
from kpalette.images.picture import image_to_rgb
from kpalette.models.ranges import to_network_range
from kpalette.palettes.clusters import swatch_shares, swatch_turns
from kpalette.types import Array

TRAINING_STEPS = 8
"""Halvings of the chroma reduction in training: what is left of the search is under half a unit of chroma."""

TEACHER_SLACK, TEACHER_MOST = 100.0, 1.5
"""Of `kpalette.palettes.clusters.swatch_turns`, in the teacher's answer."""
TEACHER_TAU = 8.5
"""Reach of a swatch in the teacher's answer, in Lab units: below `soft`'s 10, since the network smooths its choice."""

_UNMOVED = 1e-3  # units of ab by which chroma reduction may move a colour that counts as in gamut


class Pair(NamedTuple):
    """A batch as Keras' fit takes it."""

    inputs: dict[str, Array]
    """Of `PaletteNet`: lab (B, H, W, 3), source_palette and target_palette (B, 8, 3), mask (B, 8); network range."""
    ab: Array
    """What the answer should be, (B, H, W, 2), network range."""
    weight: Array
    """How much each pixel counts, (B, H, W): 0 where the answer is not known."""


def hue_rows(rows: int, unrelated: float) -> int:
    """How many of a batch's rows are hue pairs, where a share of `unrelated` asks for unrelated palettes."""
    return rows - round(rows * unrelated)


def make_pair(draw: dict[str, Array], *, hue_rows: int, teach: bool = True, steps: int = TRAINING_STEPS) -> Pair:
    """Makes training pairs of a batch.

    Args:
        draw: what chance decided (`kpalette.data.samples`):
            image: uint8 (B, H, W, 3).
            source_palette: the pictures' own swatches, CIELAB (B, 8, 3).
            wanted_palette: unrelated swatches, CIELAB (B, 8, 3), the i-th for the i-th of the source.
            mask: (B, 8), 1 for a swatch.
            shifts: turns of hue (B, 2), of the shown side and of the answer.
            curves: of lightness (B, 2), see `bend_lightness`.
        hue_rows: the first so many rows are hue pairs, the others ask for `wanted_palette`.
        teach: whether the other rows have the teacher's answer; else their weight is 0.
        steps: halvings of the chroma reduction.

    Returns:
        The pair, float32. Pixels of hue pairs count where neither side left sRGB, since chroma lost has no answer.
    """
    rgb, swatches = image_to_rgb(draw["image"]), lab_to_rgb(draw["source_palette"])
    xp = namespace(rgb)
    swatches = xp.clip(swatches, 0.0, 1.0)
    shifts, curves, mask = draw["shifts"], draw["curves"], draw["mask"]
    lab, inside = turn(rgb, shifts[:, 0, None, None], curves[:, None, None], steps=steps)
    source, _ = turn(swatches, shifts[:, 0, None], curves[:, None], steps=steps)
    turned, kept = turn(
        rgb[:hue_rows, ...], shifts[:hue_rows, 1, None, None], curves[:hue_rows, None, None], steps=steps
    )
    targets, _ = turn(swatches[:hue_rows, ...], shifts[:hue_rows, 1, None], curves[:hue_rows, None], steps=steps)
    wanted = as_float(draw["wanted_palette"])[hue_rows:, ...]
    if teach:
        answer = turned_target(lab[hue_rows:, ...], source[hue_rows:, ...], wanted, mask[hue_rows:, ...], steps=steps)
        weight = xp.ones_like(lab[hue_rows:, ..., 0])
    else:
        answer, weight = lab[hue_rows:, ...], xp.zeros_like(lab[hue_rows:, ..., 0])
    goal = to_network_range(xp.concatenate([turned, answer], 0))
    inputs = {
        "lab": to_network_range(lab),
        "source_palette": to_network_range(source),
        "target_palette": to_network_range(xp.concatenate([targets, wanted], 0)),
        "mask": mask,
    }
    return Pair(inputs, goal[..., 1:], xp.concatenate([inside[:hue_rows, ...] * kept, weight], 0))


def turn(rgb: Array, shift: Array, curve: Array, *, steps: int) -> tuple[Array, Array]:
    """Turns hue, bends lightness, and reduces chroma once.

    Args:
        rgb: gamma-encoded, 0..1, (..., 3).
        shift: share of a whole turn, (...).
        curve: of lightness, (..., 2), see `bend_lightness`.
        steps: halvings of the chroma reduction.

    Returns:
        CIELAB (..., 3) in gamut, and (...): 1 where chroma stayed as it was, 0 where some was lost.
    """
    lab = rotate_hue(rgb, shift)
    xp = namespace(lab)
    moved = xp.stack([bend_lightness(lab[..., 0], curve), lab[..., 1], lab[..., 2]], axis=-1)
    reduced = reduce_chroma(moved, steps=steps)
    lost = xp.abs(reduced[..., 1] - moved[..., 1]) + xp.abs(reduced[..., 2] - moved[..., 2])
    return reduced, xp.where(lost < _UNMOVED, xp.ones_like(lost), xp.zeros_like(lost))


def bend_lightness(L: Array, curve: Array) -> Array:
    """Moves lightness along a monotone curve through black and white.

    Args:
        L: 0..100, (...).
        curve: (..., 2), p and q, |p| + |q| < 1: t = L / 100 becomes t + p sin(pi t) / pi + q sin(2 pi t) / 2 pi; p
            lightens, q takes contrast; 0 and 0 change nothing.

    Returns:
        New lightness, shape of `L`, 0..100.
    """
    xp = namespace(L)
    turn = L * (3.141592653589793 / 100.0)
    # The slope, 1 + p cos(pi t) + q cos(2 pi t), is never negative.
    return L + (curve[..., 0] * xp.sin(turn) + curve[..., 1] * xp.sin(2.0 * turn) / 2.0) * (100.0 / 3.141592653589793)


def turned_target(
    lab: Array, source: Array, target: Array, mask: Array, *, steps: int = TRAINING_STEPS, tau: float = TEACHER_TAU,
    slack: float = TEACHER_SLACK, most: float = TEACHER_MOST,
) -> Array:  # fmt: skip
    """What the teacher of rows that ask for an unrelated palette answers: soft cluster turn, lightness kept.

    ab' = sum_i w_i (T_i + r_i (ab - C_i)): shares as in `soft`, and each cluster turned and scaled (`swatch_turns`)
    where `soft` shifts it. On the selection split that comes nearer to the palette at equal structure (docs/study.md).

    Args:
        lab: CIELAB (B, H, W, 3).
        source: swatches, CIELAB (B, 8, 3).
        target: what each becomes, CIELAB (B, 8, 3).
        mask: (B, 8), 1 for a swatch.
        steps: halvings of the chroma reduction.
        tau: reach of a swatch in Lab units.
        slack: of `swatch_turns`.
        most: of `swatch_turns`.

    Returns:
        CIELAB (B, H, W, 3), in gamut, L as in `lab`.
    """
    xp = namespace(lab)
    turns = swatch_turns(source, target, slack=slack, most=most)[:, :, None, None, :]
    a, b = 0.0, 0.0
    for i, share in enumerate(swatch_shares(lab, source, mask, tau=tau)):
        da, db = (lab[..., c] - source[:, i, c, None, None] for c in (1, 2))
        re, im = turns[:, i, ..., 0], turns[:, i, ..., 1]
        a = a + share * (target[:, i, 1, None, None] + re * da - im * db)
        b = b + share * (target[:, i, 2, None, None] + re * db + im * da)
    return reduce_chroma(xp.stack([lab[..., 0], a, b], axis=-1), steps=steps)

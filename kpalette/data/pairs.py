"""Training pairs, as a pure function of pictures and random numbers: inputs of a network, and its answer.

A hue pair ([P], Cho et al. 2017, section 3.1) is one picture under two turns of hue, at its own lightness. Hue pairs
alone teach a single turn for all colours. So the other rows of a batch have unrelated palettes, and their answer comes
from a teacher, soft cluster turn (`turned_target`).

The functions take arrays of any library. They run eagerly, in `tf.data.Dataset.map`, and in a compiled step.
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
"""Halvings of the chroma reduction in training; the result is exact to half a unit of chroma."""

_UNMOVED = 1e-3  # units of ab by which chroma reduction may move a colour that counts as in gamut


class Teacher(NamedTuple):
    """Options of soft cluster turn, which answers rows with an unrelated palette.

    Example:
        >>> Teacher(tau=10.0).slack
        100.0
    """

    tau: float = 8.5
    """Reach of a swatch in Lab units. It is below `soft`'s 10, since the network smooths its choice."""
    slack: float = 100.0
    """As in `kpalette.palettes.clusters.swatch_turns`."""
    most: float = 1.5
    """As in `kpalette.palettes.clusters.swatch_turns`."""


TEACHER = Teacher()


class Pair(NamedTuple):
    """A batch of training pairs, as Keras' fit takes it.

    Example:
        >>> Pair({}, np.zeros((1, 4, 4, 2)), np.ones((1, 4, 4))).ab.shape
        (1, 4, 4, 2)
    """

    inputs: dict[str, Array]
    """Of `PaletteNet`: lab (B, H, W, 3), source_palette and target_palette (B, K, 3), mask (B, K); network range."""
    ab: Array
    """The answer (B, H, W, 2), network range."""
    weight: Array
    """Weight of each pixel (B, H, W), 0 where the answer is not known."""


def hue_rows(rows: int, unrelated: float) -> int:
    """The number of hue pairs among `rows` rows, if a share of `unrelated` has unrelated palettes."""
    return rows - round(rows * unrelated)


def make_pair(draw: dict[str, Array], *, hue_rows: int, teach: bool = True, steps: int = TRAINING_STEPS) -> Pair:
    """Makes the training pairs of a batch.

    Args:
        draw: random samples (`kpalette.data.samples`):
            image: uint8 (B, H, W, 3).
            source_palette: the pictures' own swatches, CIELAB (B, K, 3).
            wanted_palette: unrelated swatches, CIELAB (B, K, 3), the i-th for the i-th source swatch.
            mask: (B, K), 1 for a swatch.
            shifts: turns of hue (B, 2), of the input and of the answer.
            curves: curves of lightness (B, 2), see `bend_lightness`.
        hue_rows: the first `hue_rows` rows are hue pairs, the others have `wanted_palette` as target.
        teach: whether the other rows have the teacher's answer; otherwise their weight is 0.
        steps: halvings of the chroma reduction.

    Returns:
        The pairs, float32. Pixels of hue pairs have weight 0 where a side left sRGB, since lost chroma has no answer.
    """
    rgb, swatches = image_to_rgb(draw["image"]), lab_to_rgb(draw["source_palette"])
    xp = namespace(rgb)
    swatches = xp.clip(swatches, 0.0, 1.0)
    shifts, curves, mask = draw["shifts"], draw["curves"], draw["mask"]
    # One call turns both sides, pixels and swatches: compiling libraries then have a quarter of the operations.
    height, width = rgb.shape[1:3]
    count = height * width
    colors = xp.concatenate([xp.reshape(rgb, (-1, count, 3)), swatches], 1)
    moved, stayed = turn(
        xp.concatenate([colors[:hue_rows, ...], colors], 0),
        xp.concatenate([shifts[:hue_rows, 1], shifts[:, 0]], 0)[:, None],
        xp.concatenate([curves[:hue_rows, ...], curves], 0)[:, None],
        steps=steps,
    )
    targets, source = moved[:hue_rows, count:, :], moved[hue_rows:, count:, :]
    moved = xp.reshape(moved[:, :count, :], (-1, height, width, 3))
    stayed = xp.reshape(stayed[:, :count], (-1, height, width))
    turned, lab = moved[:hue_rows, ...], moved[hue_rows:, ...]
    kept, inside = stayed[:hue_rows, ...], stayed[hue_rows:, ...]
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
        shift: share of a full turn, (...).
        curve: curve of lightness, (..., 2), see `bend_lightness`.
        steps: halvings of the chroma reduction.

    Returns:
        CIELAB (..., 3) in gamut, and (...): 1 where chroma was kept, 0 where some was lost.
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
        curve: p and q, (..., 2), with |p| + |q| < 1. t = L / 100 becomes t + p sin(pi t) / pi + q sin(2 pi t) / 2 pi:
            p lightens, and q lowers contrast.

    Returns:
        The new lightness, shape of `L`, 0..100.
    """
    xp = namespace(L)
    turn = L * (3.141592653589793 / 100.0)
    # The slope, 1 + p cos(pi t) + q cos(2 pi t), is never negative.
    return L + (curve[..., 0] * xp.sin(turn) + curve[..., 1] * xp.sin(2.0 * turn) / 2.0) * (100.0 / 3.141592653589793)


def turned_target(
    lab: Array, source: Array, target: Array, mask: Array, *, steps: int = TRAINING_STEPS, teacher: Teacher = TEACHER
) -> Array:
    """Soft cluster turn, the teacher's answer to rows with an unrelated palette; it keeps lightness.

    ab' = sum_i w_i (T_i + r_i (ab - C_i)). The shares w are those of `soft`. Each cluster is turned and scaled by r
    (`swatch_turns`), where `soft` shifts it. On the selection split this is nearer to the palette at the same structure
    (docs/study.md).

    Args:
        lab: CIELAB (B, H, W, 3).
        source: source swatches, CIELAB (B, K, 3).
        target: target swatches, CIELAB (B, K, 3).
        mask: (B, K), 1 for a swatch.
        steps: halvings of the chroma reduction.
        teacher: options of the turn.

    Returns:
        CIELAB (B, H, W, 3), in gamut, with the L of `lab`.
    """
    xp = namespace(lab)
    turns = swatch_turns(source, target, slack=teacher.slack, most=teacher.most)[:, :, None, None, :]
    a, b = 0.0, 0.0
    for i, share in enumerate(swatch_shares(lab, source, mask, tau=teacher.tau)):
        da, db = (lab[..., c] - source[:, i, c, None, None] for c in (1, 2))
        re, im = turns[:, i, ..., 0], turns[:, i, ..., 1]
        a = a + share * (target[:, i, 1, None, None] + re * da - im * db)
        b = b + share * (target[:, i, 2, None, None] + re * db + im * da)
    return reduce_chroma(xp.stack([lab[..., 0], a, b], axis=-1), steps=steps)

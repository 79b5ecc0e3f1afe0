"""The losses of PaletteNet's training as pure functions of tensors, and how they are weighed.

Everything is in network range (L / 50 - 1, a / 128, b / 128) and float32, by `keras.ops`: every backend runs them.
[P] is Cho et al. 2017; the hinge form of the adversarial loss is that of Lim and Ye 2017.
"""

from typing import Any, NamedTuple

from keras import ops

from kpalette.color.gamut import reduce_chroma
from kpalette.color.spaces import lab_to_rgb
from kpalette.models.ranges import AB_SCALE, from_network_range, to_network_range
from kpalette.palettes.clusters import swatch_shares
from kpalette.recolorers.slopes import ALIKE, STEEPEST

_MIN_SHARE = 0.02
"""Share of a picture from which on a cluster counts in full: of fewer pixels the mean says little."""
_CLUSTER_TAU = 3.0
"""How sharply pixels belong to one cluster. `soft`'s own 10 leaves pixels between clusters to several of them, whose
means then lie between the swatches: a network that meets those is no nearer to the palette than `soft`."""
_SCATTER = 3.0
"""What variance that a cluster gains counts for: colours far from the palette are the outermost, not the mean."""
_SMOOTH, _ALLOWED, _EDGE = ALIKE, STEEPEST, 6.0
"""dE76 between neighbours: up to where the picture is smooth, what is free in the answer, and what costs 1."""
_BT601 = (0.299, 0.587, 0.114)
_WINDOW = 7  # of SSIM, pixels a side
_HALVINGS = 8  # of the chroma reduction under these terms, as in training pairs
_NO_SPREAD = 1e-3  # a cluster as narrow as this has no spread to keep
_TINY = 1e-6


class LossWeights(NamedTuple):
    """What each term of the generator's loss is multiplied by; a term of weight 0 is not computed."""

    mse: float = 1.0
    """Squared error on ab where the answer is known ([P] equation 4)."""
    palette: float = 0.0
    """Squared distance of the clusters' ab to where the palette wants them."""
    spread: float = 0.0
    """What the clusters lose of their spread: a flat answer is no answer."""
    edges: float = 0.0
    """Neighbours that were alike and are so no more: banding and blotches."""
    structure: float = 0.0
    """Structure of grey that is lost where chroma changes, though lightness does not."""
    adversarial: float = 0.0
    """The discriminator's judgement ([P] equation 5)."""


def weighted_mse(wanted: Any, predicted: Any, weight: Any) -> Any:
    """Mean squared error of ab (B, H, W, 2) over pixels by weight (B, H, W); a scalar."""
    error = ops.mean(ops.square(predicted - wanted), axis=-1)
    return ops.sum(error * weight) / (ops.sum(weight) + _TINY)


def palette_terms(predicted: Any, inputs: dict[str, Any], *, rows: Any = 1.0) -> tuple[Any, Any]:
    """Whether the picture's clusters went where the palette wants them, without a ground truth.

    Pixels belong to source swatches by nearness, as in `soft` but nearly wholly to one. A cluster's mean ab should move
    by what parts its target swatch from its source swatch, as far as the gamut allows at the source swatch's lightness,
    and its pixels should lie about the mean as they did.

    Args:
        predicted: ab (B, H, W, 2).
        inputs: of `PaletteNet` with pairs.
        rows: how much each row counts, (B,), or one number for all.

    Returns:
        Two scalars, means over clusters: squared distance of the mean and the variance gained, squared relative loss of
        spread.
    """
    lab = from_network_range(inputs["lab"])
    source, target = from_network_range(inputs["source_palette"]), from_network_range(inputs["target_palette"])
    mask = ops.cast(inputs["mask"], "float32")
    shares = ops.stop_gradient(ops.stack(swatch_shares(lab, source, mask, tau=_CLUSTER_TAU), axis=-1))
    at_source_l = ops.concatenate([source[..., :1], target[..., 1:]], axis=-1)
    reachable = to_network_range(reduce_chroma(at_source_l))[..., 1:]
    mass = ops.sum(shares, axis=(1, 2))
    own_mean, own_spread = _moments(inputs["lab"][..., 1:], shares, mass)
    mean, spread = _moments(predicted, shares, mass)
    wanted = own_mean + ops.stop_gradient(reachable - inputs["source_palette"][..., 1:])
    pixels = ops.sum(mass, axis=-1, keepdims=True)
    counts = mask * ops.clip(mass / (pixels * _MIN_SHARE + _TINY), 0.0, 1.0)
    counts = counts * ops.reshape(ops.cast(rows, "float32"), (-1, 1))
    total = ops.sum(counts) + _TINY
    lost = ops.relu(1.0 - (spread + _NO_SPREAD) / (own_spread + _NO_SPREAD))
    gained = ops.relu(ops.square(spread) - ops.square(own_spread))
    distance = ops.sum(ops.square(mean - wanted), axis=-1) + _SCATTER * gained
    return ops.sum(counts * distance) / total, ops.sum(counts * ops.square(lost)) / total


def _moments(ab: Any, shares: Any, mass: Any) -> tuple[Any, Any]:
    """Mean (B, 8, 2) and standard deviation (B, 8) of ab (B, H, W, 2) in each cluster."""
    safe = ops.expand_dims(mass, -1) + _TINY
    mean = ops.einsum("bhwk,bhwc->bkc", shares, ab) / safe
    square = ops.einsum("bhwk,bhwc->bkc", shares, ops.square(ab)) / safe
    variance = ops.sum(ops.maximum(square - ops.square(mean), 0.0), axis=-1)
    return mean, ops.sqrt(variance + _TINY)


def edges_term(predicted: Any, inputs: dict[str, Any]) -> Any:
    """Whether smooth places stay smooth: `metrics.false_edges` as a loss.

    Args:
        predicted: ab (B, H, W, 2).
        inputs: of `PaletteNet`; their pictures are of at least 2 pixels a side.

    Returns:
        A scalar, mean over 4-neighbours: 0 where the picture has an edge too, or up to 4 dE76, 1 at 6, and so on by
        the square; of the colours that are left once chroma is reduced to sRGB, which itself tears dark places.
    """
    before, after = from_network_range(inputs["lab"]), _shown(predicted, inputs)
    asked = predicted * AB_SCALE
    cut = ops.stop_gradient(ops.sum(ops.square(asked - after[..., 1:]), axis=-1) > _TINY)
    costs = []
    for axis in (1, 2):
        old, new = _steps(*_neighbours(before, axis)), _free_steps(after, cut, axis)
        smooth = ops.cast(old < _SMOOTH, "float32")
        costs.append(ops.mean(smooth * ops.square(ops.relu(new - _ALLOWED) / (_EDGE - _ALLOWED))))
    return (costs[0] + costs[1]) / 2


def structure_term(predicted: Any, inputs: dict[str, Any], *, rows: Any = 1.0) -> Any:
    """What `metrics.ssim` would miss: grey of BT.601 hangs on chroma too, at one and the same lightness of CIELAB.

    Args:
        predicted: ab (B, H, W, 2).
        inputs: of `PaletteNet`; their pictures are of at least 7 pixels a side.
        rows: how much each row counts, (B,) or a scalar.

    Returns:
        A scalar: 1 minus the mean SSIM (Wang et al. 2004, windows of 7x7) of grey before and after, of the colours
        that are left once chroma is reduced to sRGB.
    """
    local = _similarity(_grey(from_network_range(inputs["lab"])), _grey(_shown(predicted, inputs)))
    lost = 1.0 - ops.mean(local, axis=(1, 2, 3))
    counts = ops.ones_like(lost) * ops.cast(rows, "float32")
    return ops.sum(lost * counts) / (ops.sum(counts) + _TINY)


def _shown(predicted: Any, inputs: dict[str, Any]) -> Any:
    """CIELAB (B, H, W, 3) as it will be seen, chroma reduced to sRGB; gradients pass as if nothing were reduced."""
    lab = from_network_range(ops.concatenate([inputs["lab"][..., :1], predicted], axis=-1))
    return lab + ops.stop_gradient(reduce_chroma(lab, steps=_HALVINGS) - lab)


def _grey(lab: Any) -> Any:
    """CIELAB (B, H, W, 3) to BT.601 grey (B, H, W, 1), 0..1."""
    return ops.sum(lab_to_rgb(lab) * ops.convert_to_tensor(_BT601, "float32"), axis=-1, keepdims=True)


def _similarity(x: Any, y: Any) -> Any:
    """Local SSIM of grey (B, H, W, 1), as scikit-image has it by default: windows of 7x7, sample covariance."""

    def mean(values: Any) -> Any:
        columns = ops.average_pool(values, (_WINDOW, 1), strides=1, padding="valid", data_format="channels_last")
        return ops.average_pool(columns, (1, _WINDOW), strides=1, padding="valid", data_format="channels_last")

    sample = _WINDOW**2 / (_WINDOW**2 - 1.0)
    mx, my = mean(x), mean(y)
    vx, vy, cov = (
        sample * (mean(a * b) - ma * mb) for a, b, ma, mb in ((x, x, mx, mx), (y, y, my, my), (x, y, mx, my))
    )
    c1, c2 = 0.01**2, 0.03**2
    return (2 * mx * my + c1) * (2 * cov + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))


def _free_steps(lab: Any, cut: Any, axis: int) -> Any:
    """dE76 between neighbours (B, H, W, 3), of which `cut` (B, H, W) are at the end of the gamut.

    Those cannot come nearer to a neighbour of more chroma, so that it alone is asked to. Pulled on like any other, both
    would pull the chroma asked for in a dark place opposite ways, and nothing would move.
    """
    chroma = ops.sum(ops.square(lab[..., 1:]), axis=-1)
    (one, other), (c1, c2), (cut1, cut2) = (_neighbours(x, axis) for x in (lab, chroma, cut))
    stuck1, stuck2 = (ops.expand_dims(x, -1) for x in (ops.logical_and(cut1, c1 < c2), ops.logical_and(cut2, c2 < c1)))
    one = ops.where(stuck1, ops.stop_gradient(one), one)
    return _steps(one, ops.where(stuck2, ops.stop_gradient(other), other))


def _neighbours(x: Any, axis: int) -> tuple[Any, Any]:
    """Each pixel that has one after it along an axis, and that one."""
    return (x[:, :-1], x[:, 1:]) if axis == 1 else (x[:, :, :-1], x[:, :, 1:])


def _steps(one: Any, other: Any) -> Any:
    """dE76 between colours."""
    return ops.sqrt(ops.sum(ops.square(other - one), axis=-1) + _TINY)


def hinge(logits: Any) -> Any:
    """The discriminator's loss on what is real: max(0, 1 - logit), elementwise. That on a fake is `hinge(-logits)`."""
    return ops.relu(1.0 - logits)


def fooling(logits: Any) -> Any:
    """The generator's loss under a discriminator: minus the mean logit."""
    return -ops.mean(logits)

"""Losses of PaletteNet's training, as pure functions of tensors, and their weights.

Tensors are float32, and in network range (L / 50 - 1, a / 128, b / 128) unless a docstring says CIELAB. All functions
use `keras.ops`, so every backend runs them. [P] is Cho et al. 2017; the hinge form of the adversarial loss is from Lim
and Ye 2017.
"""

from typing import Any, NamedTuple

from keras import ops

from kpalette.color.gamut import reduce_chroma
from kpalette.color.spaces import lab_to_rgb
from kpalette.models.ranges import AB_SCALE, from_network_range, to_network_range
from kpalette.palettes.clusters import swatch_shares
from kpalette.recolorers.slopes import ALIKE, STEEPEST

_MIN_SHARE = 0.02
"""Share of a picture's pixels above which a cluster counts fully: the mean of fewer pixels is unreliable."""
_CLUSTER_TAU = 3.0
"""Reach of a cluster, dE76. `soft` uses 10, which shares the pixels between clusters among several of them. Their means
then lie between the swatches, and a network that reaches those means is no nearer to the palette than `soft`."""
_SCATTER = 3.0
"""Weight of the variance that a cluster gains: it is the outermost colours, not the mean, that lie far from the
palette."""
_SMOOTH, _ALLOWED, _EDGE = ALIKE, STEEPEST, 6.0
"""Steps between neighbours, dE76: the picture is smooth below the first, the answer is free up to the second, and the
third costs 1."""
_BT601 = (0.299, 0.587, 0.114)
_WINDOW = 7  # of SSIM, pixels a side
_HALVINGS = 8  # of the chroma reduction under these terms, as in training pairs
_NO_SPREAD = 1e-3  # the spread of a cluster that has none to lose
_TINY = 1e-6


class LossWeights(NamedTuple):
    """Weights of the terms of the generator's loss; a term of weight 0 is not computed.

    Example:
        >>> LossWeights(palette=100.0).edges
        0.0
    """

    mse: float = 1.0
    """Squared error on ab where the answer is known ([P] equation 4)."""
    palette: float = 0.0
    """Squared distance of the clusters' mean ab from their goal."""
    spread: float = 0.0
    """Spread that clusters lose; without it a flat answer would do."""
    edges: float = 0.0
    """New edges between neighbours that were alike: banding and blotches."""
    structure: float = 0.0
    """Structure of grey that is lost because chroma changes."""
    adversarial: float = 0.0
    """The discriminator's judgement ([P] equation 5)."""


class Pictures(NamedTuple):
    """A batch of pictures before and after recolouring; `make_pictures` makes it once for all terms of a step.

    Example:
        >>> lab = np.zeros((1, 8, 8, 3), np.float32)
        >>> make_pictures(lab[..., 1:], {"lab": lab}).before[0, 0, 0].tolist()
        [50.0, 0.0, 0.0]
    """

    predicted: Any
    """The generator's ab (B, H, W, 2), network range."""
    before: Any
    """CIELAB (B, H, W, 3)."""
    after: Any
    """CIELAB (B, H, W, 3) as it will be seen, with chroma reduced to sRGB. Gradients ignore the reduction."""


def make_pictures(predicted: Any, inputs: dict[str, Any]) -> Pictures:
    """Converts a batch and the generator's answer to CIELAB.

    Args:
        predicted: ab (B, H, W, 2), network range.
        inputs: of `PaletteNet`; only "lab" is used.

    Returns:
        The pictures before and after.
    """
    before = from_network_range(inputs["lab"])
    asked = ops.concatenate([before[..., :1], predicted * AB_SCALE], axis=-1)
    return Pictures(predicted, before, asked + ops.stop_gradient(reduce_chroma(asked, steps=_HALVINGS) - asked))


def weighted_mse(wanted: Any, predicted: Any, weight: Any) -> Any:
    """The mean squared error of ab (B, H, W, 2) over pixels with weights (B, H, W); a scalar."""
    error = ops.mean(ops.square(predicted - wanted), axis=-1)
    return ops.sum(error * weight) / (ops.sum(weight) + _TINY)


def palette_terms(pictures: Pictures, inputs: dict[str, Any], *, rows: Any = 1.0) -> tuple[Any, Any]:
    """The distance of the picture's clusters from the palette; needs no ground truth.

    Each pixel belongs to the source swatches near to it, as in `soft`, but almost fully to one. The mean ab of a
    cluster should move by the difference of its target swatch and its source swatch, as far as the gamut allows at the
    lightness of the source swatch. Its pixels should keep their spread about the mean.

    Args:
        pictures: before and after.
        inputs: of `PaletteNet` with pairs.
        rows: weight of each row, (B,), or one number for all.

    Returns:
        Two scalars, means over clusters: the squared distance of the mean plus the variance gained, and the squared
        relative loss of spread.
    """
    source, target = from_network_range(inputs["source_palette"]), from_network_range(inputs["target_palette"])
    mask = ops.cast(inputs["mask"], "float32")
    shares = ops.stop_gradient(ops.stack(swatch_shares(pictures.before, source, mask, tau=_CLUSTER_TAU), axis=-1))
    at_source_l = ops.concatenate([source[..., :1], target[..., 1:]], axis=-1)
    reachable = to_network_range(reduce_chroma(at_source_l))[..., 1:]
    mass = ops.sum(shares, axis=(1, 2))
    own_mean, own_spread = _moments(inputs["lab"][..., 1:], shares, mass)
    mean, spread = _moments(pictures.predicted, shares, mass)
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
    """Mean (B, K, 2) and standard deviation (B, K) of ab (B, H, W, 2) in each cluster."""
    safe = ops.expand_dims(mass, -1) + _TINY
    mean = ops.einsum("bhwk,bhwc->bkc", shares, ab) / safe
    square = ops.einsum("bhwk,bhwc->bkc", shares, ops.square(ab)) / safe
    variance = ops.sum(ops.maximum(square - ops.square(mean), 0.0), axis=-1)
    return mean, ops.sqrt(variance + _TINY)


def edges_term(pictures: Pictures) -> Any:
    """New edges in smooth places: the figure `metrics.false_edges` as a loss.

    It looks at the colours after the reduction of chroma to sRGB, since the reduction itself can tear dark places.

    Args:
        pictures: before and after, at least 2 pixels a side.

    Returns:
        A scalar, the mean over pairs of 4-neighbours. A pair costs 0 if the picture has an edge there, or if the step
        is at most 4 dE76; 1 at a step of 6; and more by the square of what exceeds 4.
    """
    before, after = pictures.before, pictures.after
    asked = pictures.predicted * AB_SCALE
    cut = ops.stop_gradient(ops.sum(ops.square(asked - after[..., 1:]), axis=-1) > _TINY)
    costs = []
    for axis in (1, 2):
        old, new = _steps(*_neighbours(before, axis)), _free_steps(after, cut, axis)
        smooth = ops.cast(old < _SMOOTH, "float32")
        costs.append(ops.mean(smooth * ops.square(ops.relu(new - _ALLOWED) / (_EDGE - _ALLOWED))))
    return (costs[0] + costs[1]) / 2


def structure_term(pictures: Pictures, *, rows: Any = 1.0) -> Any:
    """The loss of SSIM of grey, the figure `metrics.ssim`.

    The lightness L of CIELAB never changes, but grey of BT.601 depends on chroma too.

    Args:
        pictures: before and after, at least 7 pixels a side.
        rows: weight of each row, (B,), or one number for all.

    Returns:
        A scalar: 1 minus the mean SSIM (Wang et al. 2004, windows of 7x7) of grey before and after.
    """
    local = _similarity(_grey(pictures.before), _grey(pictures.after))
    lost = 1.0 - ops.mean(local, axis=(1, 2, 3))
    counts = ops.ones_like(lost) * ops.cast(rows, "float32")
    return ops.sum(lost * counts) / (ops.sum(counts) + _TINY)


def _grey(lab: Any) -> Any:
    """CIELAB (B, H, W, 3) to BT.601 grey (B, H, W, 1), 0..1."""
    return ops.sum(lab_to_rgb(lab) * ops.convert_to_tensor(_BT601, "float32"), axis=-1, keepdims=True)


def _similarity(x: Any, y: Any) -> Any:
    """Local SSIM of grey (B, H, W, 1), with scikit-image's defaults: windows of 7x7, sample covariance."""

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
    """dE76 between neighbours of CIELAB (B, H, W, 3); the pixels in `cut` (B, H, W) are at the edge of the gamut.

    Such a pixel cannot come nearer to a neighbour with more chroma, so only the neighbour gets a gradient. With
    gradients for both, they would pull the chroma of a dark place in opposite directions, and nothing would move.
    """
    chroma = ops.sum(ops.square(lab[..., 1:]), axis=-1)
    (one, other), (c1, c2), (cut1, cut2) = (_neighbours(x, axis) for x in (lab, chroma, cut))
    stuck1, stuck2 = (ops.expand_dims(x, -1) for x in (ops.logical_and(cut1, c1 < c2), ops.logical_and(cut2, c2 < c1)))
    one = ops.where(stuck1, ops.stop_gradient(one), one)
    return _steps(one, ops.where(stuck2, ops.stop_gradient(other), other))


def _neighbours(x: Any, axis: int) -> tuple[Any, Any]:
    """All pixels but the last along an axis, and the pixel after each."""
    return (x[:, :-1], x[:, 1:]) if axis == 1 else (x[:, :, :-1], x[:, :, 1:])


def _steps(one: Any, other: Any) -> Any:
    """dE76 between colours."""
    return ops.sqrt(ops.sum(ops.square(other - one), axis=-1) + _TINY)


def hinge(logits: Any) -> Any:
    """The discriminator's loss on real pictures, max(0, 1 - logit), elementwise; on fakes it is `hinge(-logits)`."""
    return ops.relu(1.0 - logits)


def fooling(logits: Any) -> Any:
    """The generator's loss from a discriminator: minus the mean logit."""
    return -ops.mean(logits)

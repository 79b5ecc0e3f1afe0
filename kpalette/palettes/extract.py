"""Extraction of palettes from pictures: k-means on a histogram, by Chang et al. or with k-means++ seeds.

The RGB cube is divided into bins. Each occupied bin becomes one point: the mean Lab of its pixels, weighted by their
number. Both methods cluster these points by k-means and differ in where they start; the same picture always gives the
same palette.

- "chang": 16 bins a channel. The first seed is the point of greatest weight. Each seed then lowers the weight w of the
  points around it, w (1 - exp(-d^2 / 80^2)) at distance d, before the next is taken. Black is an extra centre that does
  not move and is left out of the palette, so that shadows do not take a colour.
- "kmeans": 32 bins a channel, k-means++ seeds, the best of 8 starts, no black centre.

[C] is H. Chang, O. Fried, Y. Liu, S. DiVerdi, A. Finkelstein, "Palette-based Photo Recoloring", ACM Transactions on
Graphics 34(4), 2015.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kpalette.color.spaces import linear_to_lab, rgb_to_lab, rgb_to_linear
from kpalette.errors import ArgumentError, ImageError
from kpalette.images.picture import Picture, as_picture
from kpalette.palettes.palette import Palette
from kpalette.types import DEFAULT_COLORS, MAX_COLORS, MIN_COLORS, ImageArray

MAX_SAMPLES = 262_144
"""The most pixels that are looked at; of larger pictures every n-th pixel."""

_SEED_REACH = 80.0  # [C] section 3.2: distance in Lab at which a seed still lowers the weight of points
_BITS = {"chang": 4, "kmeans": 5}  # bits a channel of the histogram
_RESTARTS = 8  # on 290 paintings 4 starts are over 1 % worse than the best of 64 on 15 of them, 8 starts on one
_MAX_ITERATIONS = 300
_CHUNK = 1 << 15  # so many colours fit the processor's cache
_LINEAR = rgb_to_linear(np.arange(256, dtype=np.float32) / np.float32(255))

Floats = NDArray[np.float64]
Packed = NDArray[np.int32]  # 0xRRGGBB


class Bins(NamedTuple):
    """Weighted colours: the occupied bins of a picture's RGB histogram, or clusters of them.

    Attributes:
        lab: mean CIELAB of the pixels of each bin, (n, 3).
        weights: number of pixels of each bin, each counted by its alpha, (n,).

    Example:
        >>> bins = color_bins(kpalette.read_image("photo.jpg"))
        >>> bins.lab.shape[1], int(bins.weights.sum())
        (3, 16384)
    """

    lab: Floats
    weights: Floats


def extract_palette(
    image: ImageArray | Picture, *, size: int = DEFAULT_COLORS, method: str = "chang", seed: int = 0
) -> Palette:
    """Extracts the palette of a picture, darkest colour first.

    Args:
        image: a `Picture`, or uint8 sRGB (H, W, 3) or (H, W, 4); each pixel counts by its alpha.
        size: how many colours, 2 to 8. A picture of fewer distinct colours gives exactly those: one, if it is flat.
        method: "chang" ([C] section 3.2, which leaves out black) or "kmeans"; the head of this module describes both.
        seed: of the random starts of "kmeans"; "chang" uses no random numbers.

    Returns:
        The palette. Shares are those of the pixels; with "chang", of the pixels that do not belong to its black centre.

    Raises:
        ArgumentError: if `image`, `size`, `method` or `seed` is wrong.
        ImageError: if every pixel is transparent.

    Example:
        >>> picture = kpalette.read_image("photo.jpg")
        >>> kpalette.extract_palette(picture, size=3).hex
        ('#674b43', '#c45536', '#c4b8b3')
        >>> flat = np.full((8, 8, 3), 200, np.uint8)
        >>> kpalette.extract_palette(flat, size=3).hex
        ('#c8c8c8',)
    """
    return extract_palettes(image, sizes=(size,), method=method, seed=seed)[0]


def extract_palettes(
    image: ImageArray | Picture,
    *,
    sizes: Iterable[int] = range(MIN_COLORS, MAX_COLORS + 1),
    method: str = "chang",
    seed: int = 0,
) -> tuple[Palette, ...]:
    """Extracts palettes of several sizes from one picture, whose histogram is computed once.

    Args:
        image: as in `extract_palette`.
        sizes: how many colours each palette has, 2 to 8.
        method: as in `extract_palette`.
        seed: as in `extract_palette`.

    Returns:
        A palette for each size, the same as `extract_palette` gives.

    Raises:
        ArgumentError: if `image`, a size, `method` or `seed` is wrong.
        ImageError: if every pixel is transparent.
    """
    asked = tuple(sizes)
    for size in asked:
        if not isinstance(size, int | np.integer) or not MIN_COLORS <= size <= MAX_COLORS:
            raise ArgumentError(f"`size` must be a whole number from {MIN_COLORS} to {MAX_COLORS}. Received: {size!r}")
    if method not in METHODS:
        raise ArgumentError(f"`method` must be one of {', '.join(METHODS)}. Received: {method!r}")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ArgumentError(f"`seed` must be a whole number, not negative. Received: {seed!r}")
    packed, weights = _sample(image if isinstance(image, Picture) else as_picture(image))
    bins: Bins | None = None
    found = {}
    # Ascending sizes: a histogram is replaced by a finer one only if it has fewer bins than the next size needs.
    for size in sorted(set(asked)):
        few = _few_colors(packed, weights, size)
        if few is None:
            if bins is None or len(bins.lab) < size:
                bins = _histogram(packed, weights, _BITS[method], size)
            few = _chang(bins, size) if method == "chang" else _kmeans(bins, size, seed)
        found[size] = Palette(few.lab, few.weights if few.weights.sum() > 0 else None).sorted()
    return tuple(found[size] for size in asked)


METHODS = tuple(_BITS)


def color_bins(picture: Picture) -> Bins:
    """The colours of a picture as a histogram of 32 bins a channel: at most a few thousand weighted colours.

    Args:
        picture: any size; the pixels are those that `extract_palette` looks at.

    Returns:
        The occupied bins.

    Raises:
        ImageError: if every pixel is transparent.
    """
    return _histogram(*_sample(picture), _BITS["kmeans"], 1)


def _sample(picture: Picture) -> tuple[Packed, Floats]:
    pixels = picture.rgb.reshape(-1, 3)
    step = -(-len(pixels) // MAX_SAMPLES)
    # An odd step without a common divisor with the width samples every column, and regular patterns evenly.
    while step > 1 and (step % 2 == 0 or math.gcd(step, picture.rgb.shape[1]) > 1):
        step += 1
    colors = pixels[step // 2 :: step]
    if picture.alpha is None:
        return _packed(colors), np.ones(len(colors))
    weights = picture.alpha.reshape(-1)[step // 2 :: step] / 255.0
    if weights.max() == 0:
        # The sample may have missed the few visible pixels: all pixels are looked at.
        colors, weights = picture.rgb.reshape(-1, 3), picture.alpha.reshape(-1) / 255.0
    if weights.max() == 0:
        raise ImageError("the picture is wholly transparent: there are no colours to extract")
    return _packed(colors[weights > 0]), weights[weights > 0]


def _packed(colors: ImageArray) -> Packed:
    colors = np.ascontiguousarray(colors)
    r, g, b = (colors[:, i].astype(np.int32) for i in range(3))
    return (r << 16) | (g << 8) | b


def _channels(packed: Packed) -> tuple[Packed, Packed, Packed]:
    return packed >> 16, (packed >> 8) & 255, packed & 255


def _few_colors(packed: Packed, weights: Floats, size: int) -> Bins | None:
    """The distinct colours of the pixels if there are at most `size` of them, else None."""
    # Not np.unique, whose first call imports numpy.ma.
    if np.count_nonzero(np.diff(np.sort(packed[:_CHUNK:8]))) >= size:
        return None
    seen, rest = np.empty(0, dtype=np.int32), packed
    while len(rest):
        if len(seen) == size:
            return None
        seen = np.append(seen, rest[0])
        rest = rest[rest != rest[0]]
    shares = np.array([weights[packed == value].sum() for value in seen], dtype=np.float64)
    return Bins(rgb_to_lab(np.stack(_channels(seen), axis=-1) / 255.0), shares)


def _sums(keys: NDArray[np.integer[Any]], weights: Floats, size: int) -> Floats:
    return np.bincount(keys, weights, minlength=size).astype(np.float64, copy=False)


def _histogram(packed: Packed, weights: Floats, bits: int, size: int) -> Bins:
    """The occupied bins at `bits` bits a channel; at more bits if there are fewer than `size` of them."""
    r, g, b = (channel >> (8 - bits) for channel in _channels(packed))
    keys = ((r << (2 * bits)) | (g << bits) | b).astype(np.intp)
    count = _sums(keys, weights, 1 << (3 * bits))
    occupied = np.flatnonzero(count)
    if len(occupied) < size and bits < 8:
        return _histogram(packed, weights, bits + 1, size)
    lab = np.empty((3, len(packed)), dtype=np.float32)
    for start in range(0, len(packed), _CHUNK):
        part = slice(start, start + _CHUNK)
        lab[:, part] = linear_to_lab(_LINEAR.take(np.stack(_channels(packed[part]), axis=-1))).T
    mean = np.stack([_sums(keys, weights * channel, len(count))[occupied] for channel in lab], axis=-1)
    return Bins(mean / count[occupied, None], count[occupied])


def _chang(bins: Bins, size: int) -> Bins:
    """The method "chang"; see the head of this module."""
    remaining = bins.weights.copy()
    seeds = np.empty((size + 1, 3))
    for i in range(size):
        seeds[i] = bins.lab[np.argmax(remaining)]
        distance = np.sum((bins.lab - seeds[i]) ** 2, axis=-1)
        remaining = remaining * (1.0 - np.exp(-distance / _SEED_REACH**2))
    seeds[size] = 0.0
    centres, labels = _lloyd(bins, seeds, fixed=1)
    return Bins(centres[:size], _sums(labels, bins.weights, size + 1)[:size])


def _kmeans(bins: Bins, size: int, seed: int) -> Bins:
    """The method "kmeans": of several starts, the result with the least sum of squared distances (inertia)."""
    generator = np.random.default_rng(seed)
    best: tuple[float, Floats, NDArray[np.intp]] | None = None
    for _ in range(_RESTARTS):
        centres, labels = _lloyd(bins, _plus_plus(bins, size, generator), fixed=0)
        inertia = float(np.sum(bins.weights * np.sum((bins.lab - centres[labels]) ** 2, axis=-1)))
        if best is None or inertia < best[0]:
            best = (inertia, centres, labels)
    assert best is not None
    return Bins(best[1], _sums(best[2], bins.weights, size))


def _plus_plus(bins: Bins, size: int, generator: np.random.Generator) -> Floats:
    """Seeds of k-means++ (Arthur and Vassilvitskii 2007).

    The first seed is drawn with probabilities in proportion to the weights, each further one in proportion to weight
    times squared distance to the nearest seed so far.
    """
    chance = bins.weights
    distance = np.full(len(bins.lab), np.inf)
    seeds = np.empty((size, 3))
    for i in range(size):
        seeds[i] = bins.lab[generator.choice(len(chance), p=chance / chance.sum())]
        distance = np.minimum(distance, np.sum((bins.lab - seeds[i]) ** 2, axis=-1))
        chance = bins.weights * distance
    return seeds


def _lloyd(bins: Bins, centres: Floats, *, fixed: int) -> tuple[Floats, NDArray[np.intp]]:
    """Lloyd's algorithm for weighted k-means, until no point changes its centre.

    Each point is assigned to its nearest centre, and each centre moves to the weighted mean of its points. The last
    `fixed` centres do not move, nor does a centre without points.

    Returns:
        Centres (k, 3), and the index of each point's centre (n,).
    """
    moving = len(centres) - fixed
    centres = centres.copy()
    columns = np.ascontiguousarray(bins.lab.T)
    weighted = np.column_stack([bins.lab * bins.weights[:, None], bins.weights])
    clusters = np.arange(moving)[:, None]
    labels = np.full(len(bins.lab), -1, dtype=np.intp)
    for _ in range(_MAX_ITERATIONS):
        previous = labels
        # |x - c|^2 without |x|^2, which is the same for all centres
        labels = np.argmin(np.sum(centres**2, axis=-1)[:, None] - 2.0 * (centres @ columns), axis=0)
        if np.array_equal(labels, previous):
            break
        total = (labels == clusters).astype(np.float64) @ weighted
        filled = total[:, 3] > 0
        centres[:moving][filled] = total[filled, :3] / total[filled, 3:]
    return centres, labels

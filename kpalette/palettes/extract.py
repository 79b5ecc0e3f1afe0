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
from collections.abc import Iterable, Sequence
from functools import cached_property
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kpalette.color.spaces import linear_to_lab, rgb_to_lab, rgb_to_linear
from kpalette.errors import ArgumentError, ImageError
from kpalette.images.picture import Picture, as_picture
from kpalette.kernels.loader import kernels_for
from kpalette.palettes.kmeans import best_means, lloyd
from kpalette.palettes.palette import Palette
from kpalette.types import DEFAULT_COLORS, MAX_COLORS, MIN_COLORS, FloatArray, ImageArray

MAX_SAMPLES = 262_144
"""The most pixels that are looked at; of larger pictures every n-th pixel."""

_SEED_REACH = 80.0  # [C] section 3.2: distance in Lab at which a seed still lowers the weight of points
_BITS = {"chang": 4, "kmeans": 5}  # bits a channel of the histogram
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
    return Sample(image if isinstance(image, Picture) else as_picture(image)).palettes(tuple(sizes), method, seed)


class Sample:
    """The colours of a picture that extraction looks at; several extractions from one share what they can.

    Args:
        picture: any size; each pixel counts by its alpha.
        lab: the picture as CIELAB (H, W, 3), if it is there already.

    Raises:
        ImageError: if every pixel is transparent.

    Example:
        >>> sample = Sample(kpalette.read_image("photo.jpg"))
        >>> [sample.palettes([3], method, 0)[0].hex[0] for method in METHODS]
        ['#674b43', '#23191a']
    """

    def __init__(self, picture: Picture, *, lab: FloatArray | None = None) -> None:
        """See the class."""
        self.packed, self.weights = _sample(picture)
        if lab is not None and len(self.packed) == lab.size // 3:  # every pixel, in order
            self._lab = np.ascontiguousarray(lab.reshape(-1, 3).T)
        self._kernels = kernels_for(picture.rgb.size // 3)

    @cached_property
    def _lab(self) -> NDArray[np.float32]:
        """CIELAB of the colours, (3, n)."""
        if self._kernels is not None:
            levels = np.stack(_channels(self.packed), axis=-1).astype(np.uint8)
            planes: NDArray[np.float32] = self._kernels.image_to_planes(levels[np.newaxis])[:, 0]
            return planes
        lab = np.empty((3, len(self.packed)), dtype=np.float32)
        for start in range(0, len(self.packed), _CHUNK):
            part = slice(start, start + _CHUNK)
            lab[:, part] = linear_to_lab(_LINEAR.take(np.stack(_channels(self.packed[part]), axis=-1))).T
        return lab

    def palettes(self, sizes: Sequence[int], method: str, seed: int) -> tuple[Palette, ...]:
        """`extract_palettes` of the sample."""
        for size in sizes:
            if not isinstance(size, int | np.integer) or not MIN_COLORS <= size <= MAX_COLORS:
                raise ArgumentError(
                    f"`size` must be a whole number from {MIN_COLORS} to {MAX_COLORS}. Received: {size!r}"
                )
        if method not in METHODS:
            raise ArgumentError(f"`method` must be one of {', '.join(METHODS)}. Received: {method!r}")
        if not isinstance(seed, int | np.integer) or seed < 0:
            raise ArgumentError(f"`seed` must be a whole number, not negative. Received: {seed!r}")
        bins: Bins | None = None
        found = {}
        # Ascending sizes: a histogram is replaced by a finer one only if it has fewer bins than the next size needs.
        for size in sorted(set(sizes)):
            few = _few_colors(self.packed, self.weights, size)
            if few is None:
                if bins is None or len(bins.lab) < size:
                    bins = _histogram(self, _BITS[method], size)
                chang = method == "chang"
                few = _chang(bins, size, self._kernels) if chang else _kmeans(bins, size, seed, self._kernels)
            found[size] = Palette(few.lab, few.weights if few.weights.sum() > 0 else None).sorted()
        return tuple(found[size] for size in sizes)


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
    return _histogram(Sample(picture), _BITS["kmeans"], 1)


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


def _histogram(sample: Sample, bits: int, size: int) -> Bins:
    """The occupied bins at `bits` bits a channel; at more bits if there are fewer than `size` of them."""
    r, g, b = (channel >> (8 - bits) for channel in _channels(sample.packed))
    keys = ((r << (2 * bits)) | (g << bits) | b).astype(np.intp)
    count = _sums(keys, sample.weights, 1 << (3 * bits))
    occupied = np.flatnonzero(count)
    if len(occupied) < size and bits < 8:
        return _histogram(sample, bits + 1, size)
    mean = np.stack([_sums(keys, sample.weights * channel, len(count))[occupied] for channel in sample._lab], axis=-1)
    return Bins(mean / count[occupied, None], count[occupied])


def _kmeans(bins: Bins, size: int, seed: int, kernels: ModuleType | None) -> Bins:
    """The method "kmeans"; see the head of this module."""
    centres, labels = best_means(bins.lab, bins.weights, size, seed=seed, kernels=kernels)
    return Bins(centres, _sums(labels, bins.weights, size))


def _chang(bins: Bins, size: int, kernels: ModuleType | None) -> Bins:
    """The method "chang"; see the head of this module."""
    remaining = bins.weights.copy()
    seeds = np.empty((size + 1, 3))
    for i in range(size):
        seeds[i] = bins.lab[np.argmax(remaining)]
        distance = np.sum((bins.lab - seeds[i]) ** 2, axis=-1)
        remaining = remaining * (1.0 - np.exp(-distance / _SEED_REACH**2))
    seeds[size] = 0.0
    centres, labels = lloyd(bins.lab, bins.weights, seeds, fixed=1, kernels=kernels)
    return Bins(centres[:size], _sums(labels, bins.weights, size + 1)[:size])

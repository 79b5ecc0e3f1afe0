"""Figures that measure the quality of a recolouring, each defined once: 8-bit sRGB in, Python floats out.

No figure is enough alone. The best SSIM is reached by changing nothing, the best palette distance by posterising. Look
at `ssim` (or `structure`), `palette_de` (or `palette_de_ab`), `richness` and `false_edges` together.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from kpalette.errors import ArgumentError
from kpalette.images.picture import Picture, check_no_path, image_to_lab
from kpalette.types import BoolArray, FloatArray, ImageArray

_SSIM_WINDOW = 7  # scikit-image's default
_AB_BIN = 2.0  # side of a bin in the ab plane
_SMOOTH, _EDGE = 2.0, 6.0  # dE76 between neighbours: smooth below the first, an edge above the second

FIGURES = {
    "ssim": "structure: SSIM of 8-bit grey against the source, 1 is identical",
    "structure": "SSIM's terms of contrast and structure alone: regions may become lighter or darker",
    "luminance": "its term of luminance alone, which lightness taken from a palette lowers",
    "palette_de": "palette: mean CIEDE2000 of the re-extracted colours to the target, 0 is exact",
    "palette_de_ab": "the same with lightness made equal: hue and chroma only",
    "richness": "effective number of distinct hues and chromas over the source's; below 1 is flattened",
    "false_edges": "share of neighbours that were smooth and became an edge: banding, blotches",
    "halo": "mean overshoot of L beside strong edges, which the source does not have",
    "halo_99": "its 99th percentile over the pixels beside edges",
    "object_split": "share of objects of one hue that falls to another of the palette's hues",
    "palette_mse": "the same pairs as palette_de, mean squared error in sRGB 0..1",
    "micdm": "mean of both directed nearest-colour distances between the palettes (CIEDE2000)",
    "lightness_drift": "mean absolute change of L",
}
"""The figures of `measure` by name, and what each one says."""


def check_pair(a: ImageArray, b: ImageArray) -> None:
    """Refuses two images `a` and `b` that are not uint8 (H, W, 3) of one size, by an ArgumentError."""
    for name, image in (("first", a), ("second", b)):
        if np.asarray(image).dtype != np.uint8 or np.ndim(image) != 3 or np.shape(image)[2] != 3:
            raise ArgumentError(
                f"the {name} image must be uint8 of shape (H, W, 3). "
                f"Received: {np.asarray(image).dtype}, shape {np.shape(image)}"
            )
    if a.shape != b.shape:
        sizes = [f"{x.shape[1]}x{x.shape[0]}" for x in (a, b)]
        raise ArgumentError(f"the images must be of one size: the first is {sizes[0]}, the second {sizes[1]}")


def rgb_of(image: ImageArray | Picture, name: str) -> ImageArray:
    """The pixels of an `image`, uint8 (H, W, 3); refuses a path by an ArgumentError that names the argument `name`."""
    check_no_path(image, name=name)
    return image.rgb if isinstance(image, Picture) else np.asarray(image)


def _structural_similarity(a: NDArray[Any], b: NDArray[Any], **options: Any) -> tuple[float, FloatArray]:
    from skimage.metrics import structural_similarity  # takes 0.2 s to import

    pad = [max(0, _SSIM_WINDOW - side) for side in a.shape[:2]]
    if any(pad):
        # An image smaller than the window is extended by its border: even one pixel then has a figure.
        widths = [(0, pad[0]), (0, pad[1])]
        a, b = np.pad(a, widths, mode="edge"), np.pad(b, widths, mode="edge")
    score, difference = structural_similarity(a, b, full=True, **options)  # type: ignore[no-untyped-call]
    return float(score), difference


def grey_of(image: ImageArray) -> ImageArray:
    """The grey of an `image`, uint8 (H, W, 3), by BT.601, rounded: uint8 (H, W)."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def ssim(a: ImageArray | Picture, b: ImageArray | Picture) -> float:
    """Structural similarity (SSIM) of two images in 8-bit grey, as publications on recolouring report it.

    Grey is BT.601, rounded; the windows and constants are scikit-image's defaults.

    Args:
        a: a `Picture`, or uint8 sRGB (H, W, 3).
        b: a `Picture`, or uint8 sRGB (H, W, 3).

    Returns:
        -1..1; 1 for images of equal grey. It measures lightness only: report a palette distance beside it.

    Raises:
        ArgumentError: if the sizes differ, or one is no such image.

    Example:
        >>> picture = kpalette.read_image("photo.jpg")
        >>> darker = picture.rgb // 2
        >>> kpalette.ssim(picture, picture), round(kpalette.ssim(picture, darker), 2)
        (1.0, 0.68)
    """
    a, b = rgb_of(a, "a"), rgb_of(b, "b")
    check_pair(a, b)
    return _structural_similarity(grey_of(a), grey_of(b))[0]


def ssim_map(a: ImageArray, b: ImageArray) -> ImageArray:
    """The local SSIM of two images `a` and `b` (H, W, 3), uint8 grey (H, W, 3): white is equal, black is different."""
    check_pair(a, b)
    local = _structural_similarity(grey_of(a), grey_of(b))[1][: a.shape[0], : a.shape[1]]
    grey = np.rint(np.clip(local, 0.0, 1.0) * 255).astype(np.uint8)
    return np.dstack([grey] * 3)


def ssim_color(a: ImageArray, b: ImageArray) -> float:
    """SSIM in colour: the mean over L, a and b (data ranges 100, 256, 256). For comparisons with a ground truth.

    Args:
        a: uint8 sRGB (H, W, 3).
        b: uint8 sRGB (H, W, 3).

    Returns:
        -1..1; 1 for equal images.
    """
    check_pair(a, b)
    lab_a, lab_b = image_to_lab(a), image_to_lab(b)
    scores = [
        _structural_similarity(lab_a[..., i], lab_b[..., i], data_range=data_range)[0]
        for i, data_range in enumerate((100.0, 256.0, 256.0))
    ]
    return float(np.mean(scores))


def effective_colors(lab: FloatArray) -> float:
    """Effective number of colours of `lab`, CIELAB (..., 3): exp of the entropy of its ab, in bins of 2 units."""
    bins = np.floor(lab[..., 1:].reshape(-1, 2) / _AB_BIN).astype(np.int64) + 128
    count = np.bincount(bins[:, 0] * 256 + bins[:, 1])
    share = count[count > 0] / count.sum()
    return float(np.exp(-np.sum(share * np.log(share))))


def richness(source: ImageArray, output: ImageArray) -> float:
    """Colour richness: the effective number of ab colours of an image, relative to its source.

    Args:
        source: uint8 sRGB (H, W, 3).
        output: uint8 sRGB (H, W, 3), the source recoloured.

    Returns:
        Above 0; below 1 the colours are flattened.
    """
    return effective_colors(image_to_lab(output)) / effective_colors(image_to_lab(source))


def false_edges(source: ImageArray, output: ImageArray) -> float:
    """False edges: the share of neighbouring pixels that were smooth and became an edge.

    Args:
        source: uint8 sRGB (H, W, 3).
        output: uint8 sRGB (H, W, 3), the source recoloured.

    Returns:
        The share of pairs of neighbours, 0..1, whose dE76 is below 2 in `source` and above 6 in `output`.

    Raises:
        ArgumentError: if the sizes differ, or one is no such image.
    """
    check_pair(source, output)
    return edges_in_smooth(smooth_pairs(image_to_lab(source)), image_to_lab(output))


def smooth_pairs(before: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Which neighbours of a picture, CIELAB (H, W, 3), are smooth: one below the other, and side by side."""
    return _squared_steps(before, 0) < _SMOOTH**2, _squared_steps(before, 1) < _SMOOTH**2


def edges_in_smooth(smooth: tuple[BoolArray, BoolArray], after: FloatArray) -> float:
    """`false_edges` of a result, CIELAB (H, W, 3), by the `smooth_pairs` of its source."""
    pairs = sum(axis.size for axis in smooth)
    false = sum(int(np.count_nonzero(smooth[axis] & (_squared_steps(after, axis) > _EDGE**2))) for axis in (0, 1))
    return false / pairs if pairs else 0.0


def _squared_steps(lab: FloatArray, axis: int) -> FloatArray:
    steps = np.diff(lab, axis=axis)
    squares: FloatArray = np.einsum("...i,...i", steps, steps)
    return squares


def ab_error(output: FloatArray, truth: FloatArray, *, mask: ArrayLike | None = None) -> float:
    """Mean Euclidean distance in ab between two Lab images.

    Args:
        output: CIELAB (H, W, 3).
        truth: CIELAB (H, W, 3).
        mask: booleans (H, W), the pixels that count, such as those with an exact ground truth; all if None.

    Returns:
        The distance in Lab units; nan if no pixel counts.
    """
    distance = np.linalg.norm(np.asarray(output)[..., 1:] - np.asarray(truth)[..., 1:], axis=-1)
    chosen = distance if mask is None else distance[np.asarray(mask, dtype=bool)]
    return float(chosen.mean()) if chosen.size else float("nan")

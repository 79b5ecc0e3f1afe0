"""All figures by which recolourings are judged, each defined once. 8-bit sRGB in, Python floats out.

No figure may be trusted alone: SSIM is won by doing nothing, palette distances by posterising. Judge `ssim`,
`palette_de` (or `palette_de_ab`), `richness` and `false_edges` together.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from kpalette.color.difference import delta_e_76, delta_e_2000
from kpalette.errors import ArgumentError
from kpalette.images.picture import Picture, as_picture, image_to_lab
from kpalette.palettes.extract import extract_palette
from kpalette.palettes.palette import Palette, assign
from kpalette.types import MIN_COLORS, FloatArray, ImageArray

_SSIM_WINDOW = 7  # scikit-image's default
_AB_BIN = 2.0
_SMOOTH, _EDGE = 2.0, 6.0  # dE76 between neighbours: below is smooth, above is an edge

FIGURES = {
    "ssim": "structure: SSIM of 8-bit grey against the source, 1 is identical",
    "palette_de": "palette: mean CIEDE2000 of the re-extracted colours to the target, 0 is exact",
    "palette_de_ab": "the same with lightness made equal: hue and chroma only",
    "richness": "effective number of distinct hues and chromas over the source's; below 1 is flattened",
    "false_edges": "share of neighbours that were smooth and became an edge: banding, blotches",
    "palette_mse": "the same pairs as palette_de, mean squared error in sRGB 0..1",
    "micdm": "mean of both directed nearest-colour distances between the palettes (CIEDE2000)",
    "lightness_drift": "mean absolute change of L",
}
"""Every figure of `measure` with what it says."""


def _check_pair(a: ImageArray, b: ImageArray) -> None:
    for name, image in (("first", a), ("second", b)):
        if np.asarray(image).dtype != np.uint8 or np.ndim(image) != 3 or np.shape(image)[2] != 3:
            raise ArgumentError(
                f"the {name} image must be uint8 of shape (H, W, 3). "
                f"Received: {np.asarray(image).dtype}, shape {np.shape(image)}"
            )
    if a.shape != b.shape:
        sizes = [f"{x.shape[1]}x{x.shape[0]}" for x in (a, b)]
        raise ArgumentError(f"the images must be of one size: the first is {sizes[0]}, the second {sizes[1]}")


def _rgb(image: ImageArray | Picture) -> ImageArray:
    return image.rgb if isinstance(image, Picture) else image


def _structural_similarity(a: NDArray[Any], b: NDArray[Any], **options: Any) -> tuple[float, FloatArray]:
    from skimage.metrics import structural_similarity  # 0.2 s: only where SSIM is asked for

    pad = [max(0, _SSIM_WINDOW - side) for side in a.shape[:2]]
    if any(pad):
        # Smaller than one window: repeat the border, so that a 1x1 picture has a figure too.
        widths = [(0, pad[0]), (0, pad[1])]
        a, b = np.pad(a, widths, mode="edge"), np.pad(b, widths, mode="edge")
    score, difference = structural_similarity(a, b, full=True, **options)  # type: ignore[no-untyped-call]
    return float(score), difference


def _grey(image: ImageArray) -> ImageArray:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def ssim(a: ImageArray | Picture, b: ImageArray | Picture) -> float:
    """Structural similarity of 8-bit grey (BT.601, rounded), scikit-image's defaults; as published in the field.

    Args:
        a: a `Picture`, or uint8 sRGB (H, W, 3).
        b: a `Picture`, or uint8 sRGB (H, W, 3).

    Returns:
        -1..1; 1 for images of equal grey. It sees lightness only: report a palette distance beside it.

    Raises:
        ArgumentError: if sizes differ or an array is no uint8 image.
    """
    a, b = _rgb(a), _rgb(b)
    _check_pair(a, b)
    return _structural_similarity(_grey(a), _grey(b))[0]


def ssim_map(a: ImageArray, b: ImageArray) -> ImageArray:
    """The local SSIM of two images (H, W, 3) as uint8 grey (H, W, 3): white is equal, black is lost structure."""
    _check_pair(a, b)
    local = _structural_similarity(_grey(a), _grey(b))[1][: a.shape[0], : a.shape[1]]
    grey = np.rint(np.clip(local, 0.0, 1.0) * 255).astype(np.uint8)
    return np.dstack([grey] * 3)


def ssim_color(a: ImageArray, b: ImageArray) -> float:
    """Mean SSIM of L, a and b (data ranges 100, 256, 256) of two images (H, W, 3); only against a ground truth."""
    _check_pair(a, b)
    lab_a, lab_b = image_to_lab(a), image_to_lab(b)
    scores = [
        _structural_similarity(lab_a[..., i], lab_b[..., i], data_range=data_range)[0]
        for i, data_range in enumerate((100.0, 256.0, 256.0))
    ]
    return float(np.mean(scores))


def _paired(image: ImageArray | Picture, target: Palette) -> tuple[Palette, NDArray[np.float64], NDArray[np.float64]]:
    """Re-extracted palette, and its swatches (k, 3) next to the target swatches (k, 3) they are compared with."""
    found = extract_palette(image, size=max(len(target), MIN_COLORS), method="kmeans")
    distance = delta_e_2000(found.lab[:, None], target.lab[None])
    partner = np.argmin(distance, axis=0)  # an image of fewer colours: the nearest stands for several
    rows, columns = assign(distance)
    partner[columns] = rows
    return found, found.lab[partner], target.lab


def palette_distance(image: ImageArray | Picture, target: Palette | str) -> float:
    """How far an image's own colours are from a palette (`palette_de`).

    Args:
        image: a `Picture`, or uint8 sRGB (H, W, 3) or (H, W, 4); pixels count by their alpha.
        target: k swatches, or a string for `Palette.parse`.

    Returns:
        The image's k colours by `kmeans`, assigned to the target by the Hungarian method under CIEDE2000: mean
        CIEDE2000 of the pairs.
    """
    _, colors, swatches = _paired(image, Palette.parse(target) if isinstance(target, str) else target)
    return float(np.mean(delta_e_2000(colors, swatches)))


def _palette_figures(image: Picture, target: Palette) -> dict[str, float]:
    found, colors, swatches = _paired(image, target)
    level = np.column_stack([swatches[:, 0], colors[:, 1:]])
    between = delta_e_2000(found.lab[:, None], target.lab[None])
    return {
        "palette_de": float(np.mean(delta_e_2000(colors, swatches))),
        "palette_de_ab": float(np.mean(delta_e_2000(level, swatches))),
        "palette_mse": float(np.mean((Palette(colors).rgb - Palette(swatches).rgb) ** 2)),
        "micdm": float((between.min(axis=1).mean() + between.min(axis=0).mean()) / 2),
    }


def _effective_colors(lab: FloatArray) -> float:
    bins = np.floor(lab[..., 1:].reshape(-1, 2) / _AB_BIN).astype(np.int64) + 128
    count = np.bincount(bins[:, 0] * 256 + bins[:, 1])
    share = count[count > 0] / count.sum()
    return float(np.exp(-np.sum(share * np.log(share))))


def richness(source: ImageArray, output: ImageArray) -> float:
    """Effective number of ab colours (exp of the entropy of 2-unit bins), output over source, both (H, W, 3)."""
    return _effective_colors(image_to_lab(output)) / _effective_colors(image_to_lab(source))


def false_edges(source: ImageArray, output: ImageArray) -> float:
    """Share of 4-neighbour pairs with dE76 below 2 in the source and above 6 in the output, images (H, W, 3)."""
    _check_pair(source, output)
    return _false_edges(image_to_lab(source), image_to_lab(output))


def _false_edges(before: FloatArray, after: FloatArray) -> float:
    torn = pairs = 0
    for axis in (0, 1):
        steps = [_neighbour_steps(lab, axis) for lab in (before, after)]
        torn += int(np.sum((steps[0] < _SMOOTH) & (steps[1] > _EDGE)))
        pairs += steps[0].size
    return torn / pairs if pairs else 0.0


def _neighbour_steps(lab: FloatArray, axis: int) -> FloatArray:
    first, second = (lab[1:], lab[:-1]) if axis == 0 else (lab[:, 1:], lab[:, :-1])
    steps: FloatArray = delta_e_76(first, second)
    return steps


def ab_error(output: FloatArray, truth: FloatArray, *, mask: ArrayLike | None = None) -> float:
    """Mean Euclidean distance in ab between two Lab images.

    Args:
        output: CIELAB (H, W, 3).
        truth: CIELAB (H, W, 3).
        mask: booleans (H, W), the pixels that count (those whose ground truth is exact); all if None.

    Returns:
        The distance in Lab units; nan if no pixel counts.
    """
    distance = np.linalg.norm(np.asarray(output)[..., 1:] - np.asarray(truth)[..., 1:], axis=-1)
    chosen = distance if mask is None else distance[np.asarray(mask, dtype=bool)]
    return float(chosen.mean()) if chosen.size else float("nan")


def measure(
    source: ImageArray, output: ImageArray, target: Palette, *, alpha: ImageArray | None = None
) -> dict[str, float]:
    """All of `FIGURES` for one recolouring.

    Args:
        source: uint8 sRGB (H, W, 3).
        output: uint8 sRGB (H, W, 3), the source recoloured.
        target: the palette that was asked for.
        alpha: uint8 (H, W) where pixels are transparent: those do not count, nor do their neighbourhoods see them.

    Returns:
        Figures by name, in the order of `FIGURES`.

    Raises:
        ArgumentError: if sizes differ or an array is no uint8 image.
    """
    _check_pair(source, output)
    shown = np.ones(source.shape[:2], dtype=np.bool_) if alpha is None else alpha > 0
    if not shown.all():
        # Hidden pixels become one grey in both, so that no window and no pair of neighbours tells their colours.
        source, output = (np.where(shown[..., np.newaxis], x, np.uint8(128)) for x in (source, output))
    before, after = image_to_lab(source), image_to_lab(output)
    local = _structural_similarity(_grey(source), _grey(output))
    picture = as_picture(output) if alpha is None else as_picture(np.dstack([output, alpha]))
    figures = {
        "ssim": local[0] if shown.all() else float(local[1][: len(shown), : shown.shape[1]][shown].mean()),
        **_palette_figures(picture, target),
        "richness": _effective_colors(after[shown]) / _effective_colors(before[shown]),
        "false_edges": _false_edges(before, after),
        "lightness_drift": float(np.mean(np.abs(after[..., 0] - before[..., 0])[shown])),
    }
    return {name: figures[name] for name in FIGURES}

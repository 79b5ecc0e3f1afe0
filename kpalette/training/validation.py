"""Validation on the selection split: the figures by which the best weights are chosen.

Squares, turns of hue and palettes depend only on the pictures, so all epochs and runs are measured alike. The study's
pictures take no part.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.data.image_set import fit_short_side
from kpalette.data.pairs import Pair, make_pair
from kpalette.data.samples import Draw, Sampler, segment, stack
from kpalette.images.picture import lab_to_image
from kpalette.metrics.measure import measure
from kpalette.models.ranges import AB_SCALE, from_network_range
from kpalette.palettes.palette import Palette
from kpalette.recolorers.slopes import limit_slopes
from kpalette.types import DEFAULT_COLORS, FloatArray, ImageArray

Predict = Callable[[dict[str, Any]], NDArray[np.float32]]
"""A function from inputs of the generator to its ab (B, H, W, 2), network range."""

Judge = Callable[[Pair, NDArray[np.float32]], dict[str, float]]
"""A function from training pairs and the generator's ab to accuracies of the discriminator by name."""

FIGURES = ("ssim", "palette_de_ab", "richness", "false_edges", "palette_mse")


def validate(
    sampler: Sampler, predict: Predict, *, batch_size: int, judge: Judge | None = None, slopes: bool = True
) -> dict[str, float]:
    """Measures a network on all pictures of a sampler, each as a hue pair and with an unrelated palette.

    Args:
        sampler: of the selection split; the middle square of each picture is used.
        predict: the network.
        batch_size: rows of a batch.
        judge: the discriminator, which judges the hue pairs; None without one.
        slopes: whether figures are of results with limited slopes, as users see them.

    Returns:
        Figures by name:
            val_mse, val_ab_error: mean squared error, and mean Euclidean distance in CIELAB, on hue pairs.
            val_ab_error_unrelated: the same distance from the teacher's answer, on unrelated palettes.
            val_score: the mean of both distances, by which phase 1 chooses weights.
            val_ssim, val_palette_de_ab, val_richness, val_false_edges, val_palette_mse: means of the figures of
                `metrics.figures`, on unrelated palettes.
            val_d_...: accuracies of the discriminator.
        Errors are measured before slopes are limited.
    """
    errors: dict[str, list[NDArray[np.float64]]] = {"hue": [], "unrelated": []}
    squares: list[NDArray[np.float64]] = []
    figures: list[list[float]] = []
    judged: list[dict[str, float]] = []
    for hue, draw in batches(sampler, batch_size):
        pair = make_pair(draw, hue_rows=len(draw["image"]) if hue else 0)
        ab = predict(pair.inputs)
        weight = pair.weight.reshape(len(ab), -1).astype(np.float64)
        square = np.sum((ab - pair.ab) ** 2, axis=-1).reshape(weight.shape)
        per_picture = np.maximum(weight.sum(axis=1), 1e-9)
        errors["hue" if hue else "unrelated"].append((np.sqrt(square) * weight).sum(axis=1) / per_picture * AB_SCALE)
        if hue:
            squares.append((square * weight).sum(axis=1) / per_picture / 2)
            judged += [] if judge is None else [judge(pair, ab)]
        else:
            figures += _figures(pair, ab, slopes)
    names = [f"val_{name}" for name in FIGURES]
    hue_error, unrelated = (float(np.mean(np.concatenate(errors[key]))) for key in ("hue", "unrelated"))
    return {
        "val_score": (hue_error + unrelated) / 2,
        "val_mse": float(np.mean(np.concatenate(squares))),
        "val_ab_error": hue_error,
        "val_ab_error_unrelated": unrelated,
        **dict(zip(names, np.mean(figures, axis=0).tolist(), strict=True)),
        **{f"val_{name}": float(np.mean([part[name] for part in judged])) for name in (judged[0] if judged else ())},
    }


def _figures(pair: Pair, ab: NDArray[np.float32], slopes: bool) -> Iterator[list[float]]:
    lab, palettes = from_network_range(pair.inputs["lab"]), from_network_range(pair.inputs["target_palette"])
    for source, answer, palette, mask in zip(lab, ab, palettes, pair.inputs["mask"], strict=True):
        found = measure(lab_to_image(source), as_shown(source, answer, slopes=slopes), Palette(palette[mask > 0]))
        yield [found[name] for name in FIGURES]


def as_shown(lab: FloatArray, ab: FloatArray, *, slopes: bool = True) -> ImageArray:
    """The picture that users see for a network's answer.

    Args:
        lab: CIELAB (H, W, 3) of the picture.
        ab: the answer (H, W, 2), network range.
        slopes: whether to limit slopes.

    Returns:
        uint8 (H, W, 3).
    """
    answer = np.concatenate([lab[..., :1], ab * np.float32(AB_SCALE)], axis=-1)
    return lab_to_image(limit_slopes(lab, answer) if slopes else answer)


def batches(sampler: Sampler, batch_size: int) -> Iterator[tuple[bool, Draw]]:
    """Batches of all pictures, first as hue pairs (True), then with unrelated palettes (False)."""
    numbers = range(len(sampler.images))
    for hue in (True, False):
        for start in range(0, len(numbers), batch_size):
            yield hue, stack([fixed_draw(sampler, number, hue=hue) for number in numbers[start : start + batch_size]])


def fixed_draw(sampler: Sampler, index: int, *, hue: bool) -> Draw:
    """The middle square of a picture with a target palette of four colours, always the same.

    Args:
        sampler: of the split.
        index: of the picture.
        hue: whether the picture gets two random turns of hue, or keeps its own hues.

    Returns:
        A sample, without batch dimension.
    """
    generator = np.random.default_rng([0, index])
    index, image = sampler.read(index)
    image = fit_short_side(segment(image, at=0.5), sampler.crop, least=sampler.crop)
    top, left = ((side - sampler.crop) // 2 for side in image.shape[:2])
    palettes = sampler.palettes(index, DEFAULT_COLORS, generator, reordered=0.0)
    return {
        "image": image[top : top + sampler.crop, left : left + sampler.crop],
        **palettes,
        "shifts": generator.random(2).astype(np.float32) * np.float32(hue),
        "curves": np.zeros(2, np.float32),
    }

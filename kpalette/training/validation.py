"""What a network is worth on the selection split: the figures by which the best weights are chosen.

Everything is fixed by the pictures: the square seen, the turns of hue, the palettes asked for. scikit-image's pictures
and the report split take no part.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.data.image_set import fit_short_side
from kpalette.data.pairs import Pair, make_pair
from kpalette.data.samples import Draw, Sampler, segment, stack
from kpalette.images.picture import lab_to_image
from kpalette.metrics.figures import measure
from kpalette.models.ranges import AB_SCALE, from_network_range
from kpalette.palettes.palette import Palette
from kpalette.recolorers.slopes import limit_slopes
from kpalette.types import DEFAULT_COLORS, FloatArray, ImageArray

Predict = Callable[[dict[str, Any]], NDArray[np.float32]]
"""Inputs of the generator to ab (B, H, W, 2), network range."""

Judge = Callable[[Pair, NDArray[np.float32]], dict[str, float]]
"""A pair and the generator's answer to it, to accuracies by name."""

FIGURES = ("ssim", "palette_de_ab", "richness", "false_edges", "palette_mse")


def validate(
    sampler: Sampler, predict: Predict, *, batch_size: int, judge: Judge | None = None, slopes: bool = True
) -> dict[str, float]:
    """Figures over all pictures of a sampler, two answers for each: a hue pair's, and an unrelated palette's.

    Args:
        sampler: of the selection split; its pictures are seen whole but for what a square leaves out.
        predict: the network.
        batch_size: rows of a batch.
        judge: the discriminator's accuracies on a batch of hue pairs, or None.
        slopes: whether what is measured has its slopes limited, as users see the answers of networks.

    Returns:
        val_mse and val_ab_error (mean Euclidean distance, CIELAB) on hue pairs, val_ab_error_unrelated (to the
        teacher's answer, `kpalette.data.pairs`); means for unrelated palettes of val_ssim, val_palette_de_ab,
        val_richness, val_false_edges, val_palette_mse (`metrics.figures`); `val_score`, by which weights are chosen:
        the mean of both errors; what `judge` says. Errors are of the answers as they are.
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
    """An answer as users see it.

    Args:
        lab: CIELAB (H, W, 3) of the picture.
        ab: (H, W, 2), network range.
        slopes: whether its slopes are limited.

    Returns:
        uint8 (H, W, 3).
    """
    answer = np.concatenate([lab[..., :1], ab * np.float32(AB_SCALE)], axis=-1)
    return lab_to_image(limit_slopes(lab, answer) if slopes else answer)


def batches(sampler: Sampler, batch_size: int) -> Iterator[tuple[bool, Draw]]:
    """Every picture twice, in batches: as a hue pair (True), and with an unrelated palette (False)."""
    numbers = range(len(sampler.images))
    for hue in (True, False):
        for start in range(0, len(numbers), batch_size):
            yield hue, stack([fixed_draw(sampler, number, hue=hue) for number in numbers[start : start + batch_size]])


def fixed_draw(sampler: Sampler, index: int, *, hue: bool) -> Draw:
    """A picture's middle and the palette of four that is asked of it, always the same.

    Args:
        sampler: of the split.
        index: of the picture.
        hue: whether it is turned by two random turns, or shown in its own hues.

    Returns:
        A draw, without batch dimension.
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

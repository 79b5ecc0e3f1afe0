"""Preview pictures of a run: the network's results on a few pictures of the selection split."""

from typing import Any

import cv2
import numpy as np

from kpalette.data.pairs import make_pair
from kpalette.data.samples import Sampler, stack
from kpalette.images.picture import lab_to_image
from kpalette.models.ranges import from_network_range
from kpalette.training.validation import Predict, as_shown, fixed_draw
from kpalette.types import ImageArray

_STRIP = 12  # height of the palettes, pixels


def preview(sampler: Sampler, predict: Predict, *, count: int) -> tuple[ImageArray, bytes]:
    """Draws a sheet with a row for each picture: the picture, the network's result, and the teacher's, with palettes.

    Args:
        sampler: of the selection split.
        predict: the network.
        count: number of pictures, spread evenly over the split.

    Returns:
        uint8 (H, W, 3), and the same picture as PNG.
    """
    chosen = np.unique(np.linspace(0, len(sampler.images) - 1, count).astype(int))
    pair = make_pair(stack([fixed_draw(sampler, int(i), hue=False) for i in chosen]), hue_rows=0)
    inputs = pair.inputs
    columns = [_with_ab(inputs, ab) for ab in (inputs["lab"][..., 1:], predict(inputs), pair.ab)]
    palettes = [_strips(inputs, name, columns[0].shape[2]) for name in ("source_palette", *["target_palette"] * 2)]
    tiles = [np.concatenate([strip, image], axis=1) for strip, image in zip(palettes, columns, strict=True)]
    sheet = np.concatenate([np.concatenate(list(tile), axis=0) for tile in tiles], axis=1)
    data = cv2.imencode(".png", np.ascontiguousarray(sheet[..., ::-1]))[1].tobytes()
    return sheet, data


def _with_ab(inputs: dict[str, Any], ab: Any) -> ImageArray:
    lab = from_network_range(inputs["lab"])
    return np.stack([as_shown(picture, answer) for picture, answer in zip(lab, ab, strict=True)])


def _strips(inputs: dict[str, Any], name: str, width: int) -> ImageArray:
    """Palettes (B, 12, width, 3)."""
    swatches = lab_to_image(from_network_range(inputs[name]))
    strips = []
    for row, mask in zip(swatches, inputs["mask"], strict=True):
        known = row[mask > 0]
        strips.append(known[(np.arange(width) * len(known)) // width])
    return np.repeat(np.stack(strips)[:, np.newaxis], _STRIP, axis=1)

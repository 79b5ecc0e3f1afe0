"""Models to checkpoints and back: the folder's form is in `weights`, the names of tensors in `preset`."""

import os
from pathlib import Path
from typing import Any

from kpalette.errors import ArgumentError
from kpalette.models.discriminator import PaletteDiscriminator
from kpalette.models.generator import PaletteNet
from kpalette.models.preset import build_model, options_of
from kpalette.models.variables import tensors_of
from kpalette.weights.config import CONFIG_FILE, CheckpointError
from kpalette.weights.folder import read_checkpoint, write_checkpoint

MODELS: dict[str, Any] = {"PaletteNet": PaletteNet, "PaletteDiscriminator": PaletteDiscriminator}
"""All that a checkpoint can hold, by the name in its `config.json`."""


def save_checkpoint(
    model: Any,
    folder: str | os.PathLike[str],
    *,
    metrics: dict[str, Any] | None = None,
    about: str | None = None,
    half: bool = True,
    overwrite: bool = False,
) -> Path:
    """Writes a model's weights and what it is built from as a checkpoint, whole or not at all.

    Args:
        model: a `PaletteNet` or a `PaletteDiscriminator`; its optimizer is not kept.
        folder: where to: nothing, an empty folder, or with `overwrite` a checkpoint.
        metrics: figures for `metrics.json`, anything that JSON can hold.
        about: for `MODEL.md`: what the weights were trained on, and by which command.
        half: whether to store as float16, half the size, some 3 digits; float32 is exact.
        overwrite: whether a checkpoint that is there may be replaced.

    Returns:
        The folder.

    Raises:
        ArgumentError: if the model is of another class, its weights are not finite or beyond float16, or `metrics`
            cannot be stored.
        OutputError: if something else is in the way, or writing fails, on a full disk for instance.
    """
    name = type(model).__name__
    if MODELS.get(name) is not type(model):
        raise ArgumentError(f"`model` must be a {' or a '.join(MODELS)}. Received: {name}")
    return write_checkpoint(
        folder, config={"model": name, "config": options_of(model)}, tensors=tensors_of(model), metrics=metrics,
        about=about, half=half, overwrite=overwrite,
    )  # fmt: skip


def load_checkpoint(name_or_folder: str | os.PathLike[str], *, dtype: str | None = None) -> Any:
    """Reads a checkpoint and builds its model, in code, with its weights.

    Args:
        name_or_folder: a preset's name, or a checkpoint folder.
        dtype: a Keras dtype policy, "mixed_bfloat16" for instance; Keras' own setting unless told.

    Returns:
        A `PaletteNet` or a `PaletteDiscriminator`.

    Raises:
        ArgumentError: if there is no preset of that name, or `dtype` is no policy.
        CheckpointError: if the checkpoint is missing, changed, malformed, or does not fit its model.
    """
    checkpoint = read_checkpoint(name_or_folder)
    kind = MODELS.get(checkpoint.config["model"])
    if kind is None:
        raise CheckpointError(
            f'{checkpoint.folder / CONFIG_FILE}: "model" must be one of {", ".join(MODELS)}. '
            f"Received: {checkpoint.config['model'][:80]!r}"
        )
    return build_model(kind, checkpoint, dtype=dtype)

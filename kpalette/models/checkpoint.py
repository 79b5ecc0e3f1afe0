"""Saving and loading of models. The layout of a checkpoint folder is in `weights`, tensor names in `variables`."""

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
"""Classes of models that a checkpoint can hold, by their name in its `config.json`."""


def save_checkpoint(
    model: Any,
    folder: str | os.PathLike[str],
    *,
    metrics: dict[str, Any] | None = None,
    about: str | None = None,
    half: bool = True,
    overwrite: bool = False,
) -> Path:
    """Writes a model's weights and constructor arguments as a checkpoint, whole or not at all.

    Args:
        model: a `PaletteNet` or a `PaletteDiscriminator`; its optimizer is not saved.
        folder: the checkpoint folder. It must not exist or be empty; with `overwrite` it may be a checkpoint.
        metrics: figures for `metrics.json`, any values that JSON can hold.
        about: text for `MODEL.md`: what the weights were trained on, and by which command.
        half: whether to store float16, which has half the size and about 3 digits; float32 is exact.
        overwrite: whether an existing checkpoint may be replaced.

    Returns:
        The folder.

    Raises:
        ArgumentError: if the model is of another class, its weights are not finite or beyond float16, or `metrics`
            cannot be stored.
        OutputError: if the folder holds something else, or writing fails, for instance on a full disk.

    Example:
        >>> folder = save_checkpoint(PaletteNet(filters=2), "mine")
        >>> sorted(path.name for path in folder.iterdir())
        ['MODEL.md', 'config.json', 'metrics.json', 'weights.safetensors']
    """
    name = type(model).__name__
    if MODELS.get(name) is not type(model):
        raise ArgumentError(f"`model` must be a {' or a '.join(MODELS)}. Received: {name}")
    return write_checkpoint(
        folder, config={"model": name, "config": options_of(model)}, tensors=tensors_of(model), metrics=metrics,
        about=about, half=half, overwrite=overwrite,
    )  # fmt: skip


def load_checkpoint(name_or_folder: str | os.PathLike[str], *, dtype: str | None = None) -> Any:
    """Loads the model of a checkpoint; runs no code from the checkpoint.

    Args:
        name_or_folder: name of a preset, or a checkpoint folder.
        dtype: a Keras dtype policy, for instance "mixed_bfloat16"; Keras' own setting if None.

    Returns:
        A `PaletteNet` or a `PaletteDiscriminator`.

    Raises:
        ArgumentError: if there is no preset of that name, or `dtype` is not a policy.
        CheckpointError: if the checkpoint is missing, changed, malformed, or does not fit its model.

    Example:
        >>> folder = save_checkpoint(PaletteDiscriminator(filters=2), "judge")
        >>> load_checkpoint(folder).filters
        2
    """
    checkpoint = read_checkpoint(name_or_folder)
    kind = MODELS.get(checkpoint.config["model"])
    if kind is None:
        raise CheckpointError(
            f'{checkpoint.folder / CONFIG_FILE}: "model" must be one of {", ".join(MODELS)}. '
            f"Received: {checkpoint.config['model'][:80]!r}"
        )
    return build_model(kind, checkpoint, dtype=dtype)

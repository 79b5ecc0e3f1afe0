"""Models from checkpoints: `from_preset`, and what it is made of."""

import contextlib
import inspect
import os
from collections.abc import Iterator
from typing import Any, Self

from kpalette.errors import ArgumentError, reason
from kpalette.models.backend import keras
from kpalette.models.variables import assign_tensors
from kpalette.weights.config import CONFIG_FILE, CheckpointError
from kpalette.weights.folder import Checkpoint, read_checkpoint

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16", "float16")
"""Keras' dtype policies that a model can be loaded with."""


class PresetMixin:
    """Adds `from_preset` to a model class.

    Example:
        >>> from kpalette.models.discriminator import PaletteDiscriminator
        >>> PaletteDiscriminator.from_preset("unknown")
        Traceback (most recent call last):
        kpalette.errors.ArgumentError: no checkpoint 'unknown': give one of palettenet, ablated, ...
    """

    @classmethod
    def from_preset(cls, name_or_folder: str | os.PathLike[str], *, dtype: str | None = None) -> Self:
        """Loads a trained model.

        Args:
            name_or_folder: name of a preset, or a checkpoint folder.
            dtype: one of `POLICIES`; Keras' own setting if None.

        Returns:
            A model of this class with the checkpoint's weights.

        Raises:
            ArgumentError: if there is no preset of that name, or `dtype` is not a policy.
            CheckpointError: if the checkpoint is damaged, or holds another model.
        """
        checkpoint = read_checkpoint(name_or_folder)
        if checkpoint.config["model"] != cls.__name__:
            raise CheckpointError(
                f"{checkpoint.folder} holds a {checkpoint.config['model']}, not a {cls.__name__}: "
                "use load_checkpoint, or the class that it holds"
            )
        model: Self = build_model(cls, checkpoint, dtype=dtype)
        return model


def build_model(kind: Any, checkpoint: Checkpoint, *, dtype: str | None = None) -> Any:
    """Builds a model and loads a checkpoint's weights; runs no code from the checkpoint.

    Args:
        kind: class of the model.
        checkpoint: a checkpoint of such a model.
        dtype: as in `PresetMixin.from_preset`.

    Returns:
        The model.

    Raises:
        ArgumentError: if `dtype` is not a policy.
        CheckpointError: if arguments or tensors do not fit the model.
    """
    path = checkpoint.folder / CONFIG_FILE
    options = checkpoint.config["config"]
    known = {p.name for p in inspect.signature(kind).parameters.values() if p.kind is p.KEYWORD_ONLY}
    for name, value in options.items():
        if name not in known:
            raise CheckpointError(f"{path}: {kind.__name__} has no option {name!r}")
        # A kernel has about the square of its width. A size that does not fit the weights would only fill the memory.
        if type(value) is int and value**2 > sum(array.size for array in checkpoint.tensors.values()):
            raise CheckpointError(f"{path}: {name!r} of {value} does not fit so few weights")
    with dtype_policy(dtype):
        try:
            model = kind(**options)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{path}: cannot build {kind.__name__}: {reason(error)}") from None
    assign_tensors(model, checkpoint)
    return model


def options_of(model: Any) -> dict[str, Any]:
    """Arguments of a model's constructor, without its name and without options of training."""
    return {key: value for key, value in model.get_config().items() if key not in ("name", "trainable")}


@contextlib.contextmanager
def dtype_policy(dtype: str | None) -> Iterator[None]:
    """Sets Keras' dtype policy within a block; the layers of a functional model can get it in no other way."""
    if dtype is None:
        yield
        return
    if dtype not in POLICIES:
        raise ArgumentError(f"`dtype` must be one of {', '.join(POLICIES)}. Received: {dtype!r}")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)

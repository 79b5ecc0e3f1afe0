"""A model's variables by names that last, to and from the tensors of a checkpoint.

A variable's name is its path from the model's own layer on, "up1_film/dense/kernel" for instance: neither the model's
name, to which Keras appends counters, nor the backend has a part in it. Seeds of dropout are no weights.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.models.backend import keras
from kpalette.weights.config import CONFIG_FILE, CheckpointError
from kpalette.weights.folder import Checkpoint


def tensors_of(model: Any) -> dict[str, NDArray[np.float32]]:
    """A model's weights by name, those that are not trained among them, as float32."""
    return {
        name: np.asarray(keras.ops.convert_to_numpy(variable), np.float32)
        for name, variable in _variables(model).items()
    }


def _variables(model: Any) -> dict[str, Any]:
    named = {}
    for layer in model.layers:
        for variable in layer.weights:
            parts = variable.path.split("/")
            # A model that is built inside another has that one's name before its layers'.
            named["/".join(parts[parts.index(layer.name) :])] = variable
    return named


def assign_tensors(model: Any, checkpoint: Checkpoint) -> None:
    """Gives a model a checkpoint's weights; CheckpointError names the first tensor that is missing or does not fit."""
    kind = type(model).__name__
    variables, tensors, places = _variables(model), checkpoint.tensors, checkpoint.config["tensors"]
    for name, variable in variables.items():
        needed = tuple(variable.shape)
        if name not in tensors:
            path = checkpoint.folder / CONFIG_FILE
            raise CheckpointError(f"{path}: tensor {name!r} is missing, {kind} needs it of shape {needed}")
        if tensors[name].shape != needed:
            path = checkpoint.folder / places[name]["file"]
            raise CheckpointError(f"{path}: tensor {name!r} has shape {tensors[name].shape}, {kind} needs {needed}")
    for name in tensors.keys() - variables.keys():
        path = checkpoint.folder / places[name]["file"]
        raise CheckpointError(f"{path}: tensor {name!r} of shape {tensors[name].shape} is none of {kind}'s")
    for name, variable in variables.items():
        variable.assign(tensors[name])

"""Conversion between a model's variables and the tensors of a checkpoint, by stable names.

A variable's name is its path below the model, for instance "up1_film/dense/kernel". It contains neither the name of the
model, to which Keras appends counters, nor anything of the backend. Seeds of dropout are not weights.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpalette.models.backend import keras
from kpalette.weights.config import CONFIG_FILE, CheckpointError
from kpalette.weights.folder import Checkpoint


def tensors_of(model: Any) -> dict[str, NDArray[np.float32]]:
    """A model's weights by name as float32, including those that are not trained."""
    return {
        name: np.asarray(keras.ops.convert_to_numpy(variable), np.float32)
        for name, variable in _variables(model).items()
    }


def _variables(model: Any) -> dict[str, Any]:
    named = {}
    for layer in model.layers:
        for variable in layer.weights:
            parts = variable.path.split("/")
            # In a model that was built inside another, paths begin with the name of the outer model.
            named["/".join(parts[parts.index(layer.name) :])] = variable
    return named


def assign_tensors(model: Any, checkpoint: Checkpoint) -> None:
    """Loads a checkpoint's weights into a model.

    Args:
        model: the model.
        checkpoint: a checkpoint of such a model.

    Raises:
        CheckpointError: names the first tensor that is missing or does not fit.
    """
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
        raise CheckpointError(f"{path}: tensor {name!r} of shape {tensors[name].shape} does not belong to {kind}")
    for name, variable in variables.items():
        variable.assign(tensors[name])
